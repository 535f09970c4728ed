/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_model_checkpoints.c
 * Towers from checkpoints with the names of published ones (tests/golden/checkpoints.py, whose tensor number i holds
 * i + 1 everywhere), and names of video ResNets to ours and back.
 */
#include "tests/support.h"
#include "model/model.h"
#include "model/video_names.h"
#include <math.h>

/* BatchNorm's five, of which its counter is none of ours. */
enum { N_NORM = 5, N_VIDEO = 6 + 2 * 6 + 3 * 6, N_BERT = 5 + 16, EMBED = 3 };

static rvl_model *model_new(void)
{
    rvl_model *m = NULL;

    OK(rvl_model_new(&m, 1, &err));
    m->has_image = m->has_text = true;
    m->image = (rvl_image_config){.n_spatial = 3,
                                  .in_channels = 1,
                                  .resnet = {.width = 2, .blocks = {1, 1, 0, 0}, .stem_kernel = 2, .stem_stride = 2}};
    m->text = (rvl_bert_config){.vocab_size = 9,
                                .hidden = 4,
                                .n_layers = 1,
                                .n_heads = 2,
                                .intermediate = 8,
                                .max_positions = 6,
                                .type_vocab = 2,
                                .layer_norm_eps = 1e-12};
    return m;
}

static rvl_status load_with(rvl_model *m, const char *name, const char *part, const rvl_load_opts *opts,
                            rvl_load_report *report, rvl_error *err)
{
    char relative[256];
    char path[PATH_BYTES];

    snprintf(relative, sizeof relative, "tests/golden/checkpoints/%s", name);
    assert_true(source_path(path, sizeof path, relative));
    return rvl_model_load_tower(m, path, part, opts, report, err);
}

static rvl_status load(rvl_model *m, const char *name, const char *part, rvl_load_report *report, rvl_error *err)
{
    const rvl_load_opts opts = {.embed_dim = EMBED};

    return load_with(m, name, part, &opts, report, err);
}

/** The weight `name` holds `value` everywhere. */
static void weight_is(const rvl_model *m, const char *name, double value)
{
    rvl_param   *p = rvl_params_find(m->params, name);
    const float *x;

    if (!p)
        fail_msg("no weight '%s'", name);
    x = rvl_tensor_const_data(rvl_param_tensor(p));
    for (int64_t i = 0; i < rvl_tensor_count(rvl_param_tensor(p)); i++)
        if ((double)x[i] != value)
            fail_msg("%s[%d] is %g, not %g", name, (int)i, (double)x[i], value);
}

static void statistic_is(const rvl_model *m, const char *name, double value)
{
    for (int i = 0; i < rvl_state_count(m->state); i++)
        if (strcmp(rvl_state_name(m->state, i), name) == 0) {
            assert_true(*(const float *)rvl_tensor_const_data(rvl_state_tensor(m->state, i)) == (float)value);
            return;
        }
    fail_msg("no statistic '%s'", name);
}

/** Weights of the video tower whose first tensor is number `first` (its stem, else that is missing). */
static void video_is(const rvl_model *m, int first)
{
    weight_is(m, "visual.bn1.weight", first + 1);
    statistic_is(m, "visual.bn1.running_var", first + 4);
    weight_is(m, "visual.layer1.0.conv1.weight", first + 6);
    weight_is(m, "visual.layer1.0.bn1.bias", first + 8);
    weight_is(m, "visual.layer1.0.conv2.weight", first + 12);
    statistic_is(m, "visual.layer1.0.bn2.running_mean", first + 15);
    weight_is(m, "visual.layer2.0.downsample.0.weight", first + 30);
    weight_is(m, "visual.layer2.0.downsample.1.weight", first + 31);
}

static void image_towers__load_by_the_names_of_their_authors(void **state)
{
    static const struct {
        const char *name;
        int         first, n_dead, n_unexpected;
        bool        has_projection;
    } rows[] = {{"mps_ct.pt", 1, 4, 6 + 1, true},            /* counters, and the empty one */
                {"greenrfm_stage1.pth", 1, 0, 6 + 2, false}, /* the classifier */
                {"greenrfm_stage2.pth", 1, 0, 6, true}};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(rows); i++) {
        rvl_model      *m = model_new();
        rvl_load_report report;

        OK(load(m, rows[i].name, "visual", &report, &err));
        assert_false(report.has_classifier); /* it was not asked for */
        assert_int_equal(report.n_matched, N_VIDEO - 6);
        assert_int_equal(report.n_missing + report.n_misshapen + report.n_dropped, 0);
        assert_int_equal(report.n_unexpected, rows[i].n_unexpected);
        assert_int_equal(report.n_dead, rows[i].n_dead);
        assert_int_equal(report.has_projection, rows[i].has_projection);
        weight_is(m, "visual.conv1.weight", rows[i].first);
        video_is(m, rows[i].first);
        rvl_model_free(m);
    }
}

static const char schema_text[] = "name: five\ntemplates: {positive: [\"{}\"], negative: [\"no {}\"]}\n"
                                  "findings: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}]\n";

/* Logits of an image are the loaded layer on its embedding, whose weights hold `weight` and whose bias holds `bias`. */
static void logits_are(rvl_model *m, const char *input, double weight, double bias)
{
    rvl_plan_key key = {.mode = RVL_MODE_EVAL_IMAGE, .size = {1, 4, 4, 4}};
    rvl_session *session = NULL;
    rvl_plan    *plan = NULL;

    OK(rvl_session_new(&session, m->params, m->state, rvl_model_build_eval, m, (rvl_plan_opts){0}, &err));
    OK(rvl_session_plan(&plan, session, &key, &err));
    float *image = rvl_tensor_data(rvl_plan_input(plan, "image"));
    for (int i = 0; i < 64; i++)
        image[i] = (float)(i % 7 + 3);
    OK(rvl_plan_run(plan, &err));
    const rvl_tensor *in = rvl_plan_output(plan, input);
    const rvl_tensor *logits = rvl_plan_output(plan, "logits");
    double            sum = 0;
    for (int64_t i = 0; i < rvl_tensor_count(in); i++)
        sum += (double)((const float *)rvl_tensor_const_data(in))[i];
    assert_true(fabs(sum) > 0);
    assert_int_equal(rvl_tensor_count(logits), 5);
    for (int k = 0; k < 5; k++) {
        const double got = (double)((const float *)rvl_tensor_const_data(logits))[k];
        const double wanted = weight * sum + bias;
        if (!(fabs(got - wanted) < 1e-5 * fabs(wanted)))
            fail_msg("logit %d is %.9g, not %.9g", k, got, wanted);
    }
    rvl_session_free(session);
}

/** GreenRFM's supervised layers: of its first stage behind the tower, of its second behind the projection. */
static void classifiers__load_into_the_head_they_are(void **state)
{
    static const char *const names[] = {"greenrfm_stage1.pth", "greenrfm_stage2.pth"};

    (void)state;
    for (int stage = 0; stage < 2; stage++) {
        const rvl_load_opts opts = {.n_classes = 5, .embed_dim = stage ? EMBED : 0};
        const int           first = stage ? N_VIDEO + N_BERT + 2 + 2 + 1 : 1; /* number of the classifier's weight */
        rvl_model          *m = model_new();
        rvl_load_report     report;
        m->has_text = false;
        OK(rvl_schema_parse(&m->schema, schema_text, sizeof schema_text - 1, "five", &err));
        OK(load_with(m, names[stage], "visual", &opts, &report, &err));
        assert_true(report.has_classifier);
        weight_is(m, stage ? "label_head.weight" : "head.weight", first);
        weight_is(m, stage ? "label_head.bias" : "head.bias", first + 1);
        m->has_head = stage == 0;
        m->has_clip = stage == 1;
        m->clip = (rvl_clip_config){
            .embed_dim = EMBED, .similarity = RVL_SIMILARITY_DOT, .temperature = 1, .label_head = stage == 1};
        OK(rvl_model_materialize(m, &err));
        logits_are(m, stage ? "embedding" : "pooled", first, first + 1);
        rvl_model_free(m);
    }
}

static void classifier__of_other_findings_is_left(void **state)
{
    const rvl_load_opts opts = {.n_classes = 6, .embed_dim = EMBED};
    rvl_model          *m = model_new();
    rvl_load_report     report;

    (void)state;
    OK(load_with(m, "greenrfm_stage2.pth", "visual", &opts, &report, &err));
    assert_false(report.has_classifier);
    assert_null(rvl_params_find(m->params, "label_head.weight"));
    assert_null(rvl_params_find(m->params, "label_head.bias"));
    rvl_model_free(m);
}

static void stem_for_color_video__starts_fresh_and_is_said(void **state)
{
    rvl_model      *m = model_new();
    rvl_load_report report;

    (void)state;
    OK(load(m, "r3d_18.pth", "visual", &report, &err));
    assert_int_equal(report.n_matched, N_VIDEO - 6 - 1);
    assert_int_equal(report.n_dropped, 1);
    assert_string_equal(report.first_dropped, "visual.conv1.weight");
    assert_int_equal(report.n_unexpected, 6 + 2);
    assert_null(rvl_params_find(m->params, "visual.conv1.weight"));
    video_is(m, 1);
    OK(rvl_model_materialize(m, &err)); /* makes the stem */
    assert_non_null(rvl_params_find(m->params, "visual.conv1.weight"));
    rvl_model_free(m);
}

static void another_stem__is_refused(void **state)
{
    rvl_model      *m = model_new();
    rvl_load_report report;
    rvl_error       err = {0};

    (void)state;
    m->image.resnet.stem_kernel = m->image.resnet.stem_stride = 4; /* of one channel too, but of another size */
    assert_int_equal(load(m, "mps_ct.pt", "visual", &report, &err), RVL_ERR_FORMAT);
    assert_string_equal(report.first_misshapen, "visual.conv1.weight");
    rvl_model_free(m);
}

static void text_towers__load_by_the_names_of_their_authors(void **state)
{
    static const struct {
        const char *name;
        int         first; /* number of the word embeddings */
        int         n_unexpected;
        bool        has_projection;
    } rows[] = {{"mps_ct.pt", N_VIDEO + 2, 1 + 2 + 1, true}, /* position ids, pooler, the empty one */
                {"ct_clip_v2.pt", 2, 1 + 2, true},
                {"ct_lipro.pt", 1, 2, true},
                {"greenrfm_stage2.pth", N_VIDEO + 1, 2, true},
                {"cxr_bert.bin", 2, 1 + 2, false}};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(rows); i++) {
        rvl_model      *m = model_new();
        rvl_load_report report;

        OK(load(m, rows[i].name, "text", &report, &err));
        assert_int_equal(report.n_matched, N_BERT);
        assert_int_equal(report.n_unexpected, rows[i].n_unexpected);
        assert_int_equal(report.has_projection, rows[i].has_projection);
        weight_is(m, "text.embeddings.word_embeddings.weight", rows[i].first);
        weight_is(m, "text.encoder.layer.0.attention.self.query.weight", rows[i].first + 5);
        weight_is(m, "text.encoder.layer.0.output.LayerNorm.bias", rows[i].first + 5 + 15);
        rvl_model_free(m);
    }
}

static void projections__come_from_their_own_names(void **state)
{
    rvl_model      *m = model_new();
    rvl_load_report report;
    const int       n_before = N_VIDEO + N_BERT + 1 + 2 + 1; /* towers, position ids, pooler, temperature */

    (void)state;
    OK(load(m, "mps_ct.pt", "visual", &report, &err));
    OK(load(m, "mps_ct.pt", "text", &report, &err));
    weight_is(m, "text_projection.weight", n_before + 1);
    weight_is(m, "visual_projection.weight", n_before + 2);
    assert_string_equal(report.first_dead, "to_text_latent_extra.weight");
    rvl_model_free(m);
}

static void ct_vit__is_refused_by_name(void **state)
{
    static const char *const names[] = {"ct_clip_v2.pt", "ct_lipro.pt"};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(names); i++) {
        rvl_model      *m = model_new();
        rvl_load_report report;
        rvl_error       err = {0};

        assert_int_equal(load(m, names[i], "visual", &report, &err), RVL_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.text, "CT-ViT"));
        rvl_model_free(m);
    }
}

static void video_names__are_ours_and_back(void **state)
{
    static const char *const rows[][2] = {{"conv1.weight", "stem.0.weight"},
                                          {"bn1.running_var", "stem.1.running_var"},
                                          {"layer1.0.conv1.weight", "layer1.0.conv1.0.weight"},
                                          {"layer4.11.bn2.bias", "layer4.11.conv2.1.bias"},
                                          {"layer2.0.downsample.0.weight", "layer2.0.downsample.0.weight"},
                                          {"layer2.0.downsample.1.bias", "layer2.0.downsample.1.bias"},
                                          {"fc.weight", "fc.weight"}};
    char                     name[64];

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(rows); i++) {
        snprintf(name, sizeof name, "%s", rows[i][0]);
        assert_true(rvl__video_name_from_ours(name, sizeof name));
        assert_string_equal(name, rows[i][1]);
        assert_true(rvl__video_name_to_ours(name, sizeof name));
        assert_string_equal(name, rows[i][0]);
    }
    snprintf(name, sizeof name, "layer1.0.conv1.weight");
    assert_false(rvl__video_name_from_ours(name, strlen(name) + 1)); /* two bytes longer */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image_towers__load_by_the_names_of_their_authors),
        cmocka_unit_test(classifiers__load_into_the_head_they_are),
        cmocka_unit_test(classifier__of_other_findings_is_left),
        cmocka_unit_test(stem_for_color_video__starts_fresh_and_is_said),
        cmocka_unit_test(another_stem__is_refused),
        cmocka_unit_test(text_towers__load_by_the_names_of_their_authors),
        cmocka_unit_test(projections__come_from_their_own_names),
        cmocka_unit_test(ct_vit__is_refused_by_name),
        cmocka_unit_test(video_names__are_ours_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
