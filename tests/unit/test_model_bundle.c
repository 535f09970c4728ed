/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file unit/test_model_bundle.c
 * Bundles and towers: what is saved comes back bit for bit, what does not fit is refused by name.
 */
#include "tests/support.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/safetensors.h"
#include "model/model.h"
#include <math.h>
#include <sys/stat.h>

static const char VOCAB[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nno\npleural\neffusion\n##s\n.\n";
static const char SCHEMA[] = "name: two\n"
                             "title: two findings\n"
                             "templates:\n"
                             "  positive: [\"There is {}.\"]\n"
                             "  negative: [\"There is no {}.\"]\n"
                             "findings:\n"
                             "  - {name: effusion, title: pleural effusion}\n"
                             "  - {name: nodule, title: lung nodule}\n";

static char folder[PATH_BYTES];

static void ok(rvl_status st, const rvl_error *err)
{
    if (st)
        fail_msg("%s", err->text);
}

static const char *in_folder(const char *name)
{
    static char path[PATH_BYTES + 128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/** A configured model with both towers and everything that travels with them; not materialised. */
static rvl_model *model_configure(uint64_t seed)
{
    rvl_model *m = NULL;
    rvl_error  err = {0};

    ok(rvl_model_new(&m, seed, &err), &err);
    m->has_image = m->has_text = m->has_head = m->has_clip = true;
    m->image = (rvl_image_config){.n_spatial = 2,
                                  .in_channels = 1,
                                  .resnet = {.width = 4,
                                             .blocks = {1, 0, 1, 0},
                                             .bottleneck = true,
                                             .stem_kernel = 5,
                                             .stem_stride = 2,
                                             .stem_pool = true}};
    m->text = (rvl_bert_config){.vocab_size = 10,
                                .hidden = 8,
                                .n_layers = 1,
                                .n_heads = 2,
                                .intermediate = 12,
                                .max_positions = 16,
                                .type_vocab = 2,
                                .layer_norm_eps = 1e-12,
                                .dropout = 0.1,
                                .pooling = RVL_POOLING_MEAN};
    m->clip = (rvl_clip_config){
        .embed_dim = 6, .similarity = RVL_SIMILARITY_SCALED, .learn_temperature = true, .temperature = 0.07};
    ok(rvl_tokenizer_parse(&m->tokenizer, VOCAB, strlen(VOCAB), (rvl_tokenizer_opts){.lower_case = true}, &err), &err);
    ok(rvl_schema_parse(&m->schema, SCHEMA, strlen(SCHEMA), "test", &err), &err);
    m->max_tok = 12;
    m->preprocess = json_pack("{s:s, s:[f,f]}", "modality", "DX", "range", 0.1, 1.0 / 3.0);
    assert_non_null(m->preprocess);
    assert_int_equal(json_object_set_new(m->extra, "bn_group", json_integer(16)), 0);
    return m;
}

static rvl_model *model_new(uint64_t seed)
{
    rvl_model *m = model_configure(seed);
    rvl_error  err = {0};

    ok(rvl_model_materialize(m, &err), &err);
    /* statistics that differ from their start */
    for (int i = 0; i < rvl_state_count(m->state); i++)
        for (int64_t k = 0; k < rvl_tensor_count(rvl_state_tensor(m->state, i)); k++)
            ((float *)rvl_tensor_data(rvl_state_tensor(m->state, i)))[k] += 0.125F * (float)(i + k);
    return m;
}

static void save(const rvl_model *m, const char *name)
{
    rvl_error err = {0};

    ok(rvl_bundle_save(m, in_folder(name), &err), &err);
}

static void tensors_equal(const rvl_tensor *a, const rvl_tensor *b)
{
    assert_int_equal(rvl_tensor_dtype(a), rvl_tensor_dtype(b));
    assert_int_equal(rvl_tensor_n_dims(a), rvl_tensor_n_dims(b));
    assert_int_equal(rvl_tensor_bytes(a), rvl_tensor_bytes(b));
    assert_memory_equal(rvl_tensor_const_data(a), rvl_tensor_const_data(b), rvl_tensor_bytes(a));
}

static void bundle__comes_back_bit_for_bit(void **state)
{
    rvl_model      *m = model_new(7);
    rvl_model      *back = NULL;
    rvl_load_report report;
    rvl_error       err = {0};

    (void)state;
    save(m, "a.safetensors");
    ok(rvl_bundle_load(&back, in_folder("a.safetensors"), &report, &err), &err);
    assert_int_equal(report.n_matched, rvl_params_count(m->params) + rvl_state_count(m->state));
    assert_int_equal(report.n_missing + report.n_unexpected + report.n_misshapen, 0);
    assert_int_equal(rvl_params_count(back->params), rvl_params_count(m->params));
    for (int i = 0; i < rvl_params_count(m->params); i++) {
        rvl_param *p = rvl_params_find(back->params, rvl_param_name(rvl_params_at(m->params, i)));

        assert_non_null(p);
        assert_false(rvl_param_is_made(p));
        tensors_equal(rvl_param_tensor(p), rvl_param_tensor(rvl_params_at(m->params, i)));
    }
    assert_int_equal(rvl_state_count(back->state), rvl_state_count(m->state));
    for (int i = 0; i < rvl_state_count(m->state); i++) {
        assert_string_equal(rvl_state_name(back->state, i), rvl_state_name(m->state, i));
        tensors_equal(rvl_state_tensor(back->state, i), rvl_state_tensor(m->state, i));
    }
    rvl_model_free(m);
    rvl_model_free(back);
}

static void bundle__carries_what_belongs_to_the_weights(void **state)
{
    rvl_model *m = model_new(7);
    rvl_model *back = NULL;
    rvl_error  err = {0};

    (void)state;
    save(m, "a.safetensors");
    ok(rvl_bundle_load(&back, in_folder("a.safetensors"), NULL, &err), &err);
    assert_true(back->has_image && back->has_text && back->has_head && back->has_clip);
    assert_memory_equal(&back->image, &m->image, sizeof m->image);
    assert_int_equal(back->text.n_heads, 2);
    assert_int_equal(back->text.pooling, RVL_POOLING_MEAN);
    assert_true(back->text.layer_norm_eps == 1e-12 && back->text.dropout == 0.1);
    assert_int_equal(back->clip.similarity, RVL_SIMILARITY_SCALED);
    assert_true(back->clip.learn_temperature && back->clip.temperature == 0.07);
    assert_true(json_equal(back->preprocess, m->preprocess));
    assert_int_equal(rvl_json_get_i64(back->extra, "bn_group", 0), 16);
    assert_string_equal(rvl_tokenizer_vocab(back->tokenizer), rvl_tokenizer_vocab(m->tokenizer));
    assert_true(rvl_tokenizer_get_opts(back->tokenizer).lower_case);
    assert_int_equal(back->max_tok, 12);
    assert_int_equal(rvl_schema_count(back->schema), 2);
    assert_string_equal(rvl_schema_at(back->schema, 1)->name, "nodule");
    rvl_model_free(m);
    rvl_model_free(back);
}

/** The bundle "a" again with one change: `drop` left out, `reshape` given one axis. */
static void rewrite(const char *to, const char *drop, const char *reshape, const char *metadata_key,
                    const char *metadata_value)
{
    rvl_safetensors  *file = NULL;
    const char       *names[256];
    const rvl_tensor *tensors[256];
    rvl_tensor       *flat = NULL;
    json_t           *metadata;
    rvl_error         err = {0};
    int               n = 0;

    ok(rvl_safetensors_open(&file, in_folder("a.safetensors"), &err), &err);
    for (int i = 0; i < rvl_safetensors_count(file); i++) {
        const rvl_tensor *t = rvl_safetensors_tensor(file, i);

        names[n] = rvl_safetensors_name(file, i);
        if (rvl_str_equal(names[n], drop))
            continue;
        if (rvl_str_equal(names[n], reshape)) {
            int64_t count = rvl_tensor_count(t);

            ok(rvl_tensor_new(&flat, RVL_DTYPE_F32, 1, &count, &err), &err);
            t = flat;
        }
        tensors[n++] = t;
    }
    metadata = json_deep_copy(rvl_safetensors_metadata_object(file));
    if (metadata_key)
        assert_int_equal(metadata_value ? json_object_set_new(metadata, metadata_key, json_string(metadata_value))
                                        : json_object_del(metadata, metadata_key),
                         0);
    ok(rvl_safetensors_save(in_folder(to), n, names, tensors, metadata, &err), &err);
    json_decref(metadata);
    rvl_tensor_free(flat);
    rvl_safetensors_close(file);
}

static void load_is(rvl_status expected, const char *name, rvl_load_report *report, const char *word)
{
    rvl_model *back = NULL;
    rvl_error  err = {0};
    rvl_status st = rvl_bundle_load(&back, in_folder(name), report, &err);

    if (st != expected || back || !strstr(err.text, word))
        fail_msg("status %d, text '%s', expected %d and '%s'", st, err.text, expected, word);
}

static void bundle__with_a_missing_or_misshapen_key_is_refused_by_name(void **state)
{
    rvl_model      *m = model_new(7);
    rvl_load_report report;

    (void)state;
    save(m, "a.safetensors");
    rewrite("missing.safetensors", "visual.layer1.0.bn2.running_var", NULL, NULL, NULL);
    load_is(RVL_ERR_FORMAT, "missing.safetensors", &report, "visual.layer1.0.bn2.running_var");
    assert_int_equal(report.n_missing, 1);
    assert_string_equal(report.first_missing, "visual.layer1.0.bn2.running_var");
    assert_int_equal(report.n_matched, rvl_params_count(m->params) + rvl_state_count(m->state) - 1);
    rewrite("shape.safetensors", NULL, "text_projection.weight", NULL, NULL);
    load_is(RVL_ERR_FORMAT, "shape.safetensors", &report, "text_projection.weight");
    assert_int_equal(report.n_misshapen, 1);
    assert_int_equal(report.n_missing, 0);
    assert_int_equal(report.n_matched, rvl_params_count(m->params) + rvl_state_count(m->state) - 1);
    rvl_model_free(m);
}

static void bundle__of_another_kind_is_refused(void **state)
{
    rvl_model *m = model_new(7);
    rvl_error  err = {0};
    char      *bytes = NULL;
    size_t     n = 0;

    (void)state;
    save(m, "a.safetensors");
    rewrite("plain.safetensors", NULL, NULL, "rvl.format", NULL);
    load_is(RVL_ERR_FORMAT, "plain.safetensors", NULL, "no rvl bundle");
    rewrite("later.safetensors", NULL, NULL, "rvl.format", "rvl.bundle/9");
    load_is(RVL_ERR_UNSUPPORTED, "later.safetensors", NULL, "rvl.bundle/9");
    rewrite("bare.safetensors", NULL, NULL, "architecture", NULL);
    load_is(RVL_ERR_FORMAT, "bare.safetensors", NULL, "no architecture");
    rewrite("odd.safetensors", NULL, NULL, "architecture",
            "{\"image\": {\"type\": \"resnet\", \"in_channels\": 1, \"width\": -4}}");
    load_is(RVL_ERR_FORMAT, "odd.safetensors", NULL, "image.width");
    rewrite("json.safetensors", NULL, NULL, "extra", "{\"a\": ");
    load_is(RVL_ERR_FORMAT, "json.safetensors", NULL, "extra");
    /* a file that was not written to its end */
    ok(rvl_file_read(&bytes, &n, in_folder("a.safetensors"), 0, &err), &err);
    ok(rvl_file_write(in_folder("half.safetensors"), bytes, n / 2, &err), &err);
    load_is(RVL_ERR_FORMAT, "half.safetensors", NULL, "half.safetensors");
    load_is(RVL_ERR_NOT_FOUND, "absent.safetensors", NULL, "absent.safetensors");
    rvl_free(bytes);
    rvl_model_free(m);
}

/** The architecture text of bundle "a" with one member of "image" set (NULL: taken out). Caller frees. */
static char *architecture_with(const char *member, json_t *value)
{
    rvl_safetensors *file = NULL;
    json_t          *arch = NULL;
    json_t          *image;
    char            *text = NULL;
    rvl_error        err = {0};
    const char      *old;

    ok(rvl_safetensors_open(&file, in_folder("a.safetensors"), &err), &err);
    old = rvl_safetensors_metadata(file, "architecture");
    ok(rvl_json_parse(&arch, old, strlen(old), "architecture", &err), &err);
    image = json_object_get(arch, "image");
    assert_non_null(json_object_get(image, member)); /* it is written, so taking it out says something */
    assert_int_equal(value ? json_object_set_new(image, member, value) : json_object_del(image, member), 0);
    ok(rvl_json_format(&text, arch, 0, &err), &err);
    json_decref(arch);
    rvl_safetensors_close(file);
    return text;
}

static void bundle_image_changed(const char *to, const char *member, json_t *value)
{
    char *text = architecture_with(member, value);

    rewrite(to, NULL, NULL, "architecture", text);
    rvl_free(text);
}

static void bundle__without_rank_or_type_is_a_resnet_for_images(void **state)
{
    static const char *const members[] = {"n_spatial", "type"};
    rvl_model               *m = model_new(7);
    rvl_error                err = {0};

    (void)state;
    save(m, "a.safetensors");
    for (int i = 0; i < 2; i++) {
        rvl_model *back = NULL;

        bundle_image_changed("old.safetensors", members[i], NULL);
        ok(rvl_bundle_load(&back, in_folder("old.safetensors"), NULL, &err), &err);
        assert_int_equal(back->image.kind, RVL_IMAGE_RESNET);
        assert_int_equal(back->image.n_spatial, 2);
        assert_int_equal(back->image.in_channels, 1);
        rvl_model_free(back);
    }
    bundle_image_changed("rank.safetensors", "n_spatial", json_integer(4));
    load_is(RVL_ERR_FORMAT, "rank.safetensors", NULL, "image.n_spatial");
    bundle_image_changed("kind.safetensors", "type", json_string("perceiver"));
    load_is(RVL_ERR_UNSUPPORTED, "kind.safetensors", NULL, "perceiver");
    rvl_model_free(m);
}

static void bundle__of_a_tower_for_volumes_comes_back(void **state)
{
    rvl_model *m = model_configure(7);
    rvl_model *back = NULL;
    rvl_error  err = {0};

    (void)state;
    m->image.n_spatial = 3;
    ok(rvl_model_materialize(m, &err), &err);
    assert_int_equal(rvl_tensor_n_dims(rvl_param_tensor(rvl_params_find(m->params, "visual.conv1.weight"))), 5);
    save(m, "volumes.safetensors");
    ok(rvl_bundle_load(&back, in_folder("volumes.safetensors"), NULL, &err), &err);
    assert_int_equal(back->image.n_spatial, 3);
    assert_int_equal(rvl_params_count(back->params), rvl_params_count(m->params));
    rvl_model_free(back);
    back = model_configure(8);
    assert_int_equal(rvl_model_load_tower(back, in_folder("volumes.safetensors"), "visual", NULL, NULL, &err),
                     RVL_ERR_FORMAT);
    assert_non_null(strstr(err.text, "'image.n_spatial' is 3 there, but configured as 2"));
    rvl_model_free(m);
    rvl_model_free(back);
}

/** Embedding (6) of a fixed 20 x 20 image of one channel. */
static void image_embed(float out[6], rvl_model *m)
{
    rvl_plan_key key = {.mode = RVL_MODE_EVAL_IMAGE, .size = {1, 20, 20}};
    rvl_session *session = NULL;
    rvl_plan    *plan = NULL;
    rvl_error    err = {0};
    float       *x;

    ok(rvl_session_new(&session, m->params, m->state, rvl_model_build_eval, m, (rvl_plan_opts){0}, &err), &err);
    ok(rvl_session_plan(&plan, session, &key, &err), &err);
    assert_int_equal(rvl_tensor_count(rvl_plan_input(plan, "image")), 400);
    x = rvl_tensor_data(rvl_plan_input(plan, "image"));
    for (int i = 0; i < 400; i++)
        x[i] = (float)((7 * (i / 20) + 13 * (i % 20)) % 101) / 50.0F - 1.0F;
    ok(rvl_plan_run(plan, &err), &err);
    memcpy(out, rvl_tensor_const_data(rvl_plan_output(plan, "embedding")), 6 * sizeof *out);
    rvl_session_free(session);
}

static void tower__of_three_channels_sees_the_image_in_each_or_is_summed(void **state)
{
    const rvl_load_opts sum = {.sum_channels = true};
    rvl_model          *three = model_configure(7);
    rvl_model          *one = model_configure(7);
    rvl_load_report     report;
    rvl_error           err = {0};
    float               repeated[6];
    float               summed[6];
    const float        *w3;
    const float        *w1;

    (void)state;
    three->image.in_channels = 3;
    ok(rvl_model_materialize(three, &err), &err);
    save(three, "a.safetensors");
    assert_int_equal(rvl_model_load_tower(one, in_folder("a.safetensors"), "visual", NULL, &report, &err),
                     RVL_ERR_FORMAT);
    assert_non_null(strstr(err.text, "--sum-channels"));
    assert_int_equal(report.n_summed, 0);
    assert_int_equal(rvl_params_count(one->params), 0);
    ok(rvl_model_load_tower(one, in_folder("a.safetensors"), "visual", &sum, &report, &err), &err);
    assert_int_equal(report.n_summed, 1);
    assert_string_equal(report.first_summed, "visual.conv1.weight");
    assert_int_equal(report.n_misshapen + report.n_missing, 0);
    w3 = rvl_tensor_const_data(rvl_param_tensor(rvl_params_find(three->params, "visual.conv1.weight")));
    w1 = rvl_tensor_const_data(rvl_param_tensor(rvl_params_find(one->params, "visual.conv1.weight")));
    for (int o = 0; o < 4; o++)
        for (int k = 0; k < 25; k++) {
            double want = (double)w3[75 * o + k] + (double)w3[75 * o + 25 + k] + (double)w3[75 * o + 50 + k];

            assert_true(w1[25 * o + k] == (float)want);
        }
    ok(rvl_model_materialize(one, &err), &err); /* the same seed: the same projection */
    image_embed(repeated, three);
    image_embed(summed, one);
    for (int i = 0; i < 6; i++)
        assert_true(fabsf(repeated[i] - summed[i]) < 1e-5F && repeated[i] != 0);
    rvl_model_free(three);
    rvl_model_free(one);
}

static void tower__refuses_images_that_it_cannot_read(void **state)
{
    static const rvl_image_config cfg = {
        .n_spatial = 2,
        .in_channels = 3,
        .resnet = {.width = 2, .blocks = {1, 0, 0, 0}, .stem_kernel = 3, .stem_stride = 1}};
    static const struct {
        int         n_dims;
        int64_t     shape[5];
        const char *word;
    } rows[] = {{5, {1, 1, 8, 8, 8}, "images of 2 axes, got 3"}, {4, {1, 2, 8, 8}, "3 channels, or of one, got 2"}};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(rows); i++) {
        rvl_model *m = NULL;
        rvl_graph *g = NULL;
        rvl_error  err = {0};

        ok(rvl_model_new(&m, 1, &err), &err);
        ok(rvl_graph_new(&g, m->params, m->state, RVL_DTYPE_F32, &err), &err);
        (void)rvl_image_build(g, rvl_input(g, "image", RVL_DTYPE_F32, rows[i].n_dims, rows[i].shape), &cfg, false, 0);
        assert_int_equal(rvl_graph_check(g, &err), RVL_ERR_SHAPE);
        if (!strstr(err.text, rows[i].word))
            fail_msg("'%s' does not say '%s'", err.text, rows[i].word);
        rvl_graph_free(g);
        rvl_model_free(m);
    }
}

static void tower__comes_from_a_bundle(void **state)
{
    rvl_model      *m = model_new(7);
    rvl_model      *other = model_configure(8);
    rvl_load_report report;
    rvl_error       err = {0};
    int             n_visual = 0;

    (void)state;
    save(m, "a.safetensors");
    ok(rvl_model_load_tower(other, in_folder("a.safetensors"), "visual", NULL, &report, &err), &err);
    assert_int_equal(report.n_missing + report.n_unexpected + report.n_misshapen, 0);
    ok(rvl_model_materialize(other, &err), &err);
    for (int i = 0; i < rvl_params_count(m->params); i++) {
        rvl_param *a = rvl_params_at(m->params, i);
        rvl_param *b = rvl_params_find(other->params, rvl_param_name(a));
        bool       visual = rvl_str_starts(rvl_param_name(a), "visual.");

        assert_int_equal(rvl_param_is_made(b), !visual);
        n_visual += visual;
        if (visual)
            tensors_equal(rvl_param_tensor(a), rvl_param_tensor(b));
    }
    assert_int_equal(report.n_matched, n_visual + rvl_state_count(m->state));
    for (int i = 0; i < rvl_state_count(m->state); i++)
        assert_false(rvl_state_is_made(other->state, i));
    rvl_model_free(m);
    rvl_model_free(other);
}

/** Tensors of bundle "a" under `from` as a plain weight file with `to` instead, f16 and with foreign keys. */
static void plain_file(const char *to_file, const char *from, const char *to, const char *const *foreign, int n_foreign)
{
    rvl_safetensors  *file = NULL;
    char              names[256][128];
    const char       *name_of[256];
    const rvl_tensor *tensors[256];
    rvl_tensor       *owned[256];
    rvl_error         err = {0};
    int64_t           two = 2;
    int               n = 0;

    ok(rvl_safetensors_open(&file, in_folder("a.safetensors"), &err), &err);
    for (int i = 0; i < rvl_safetensors_count(file); i++) {
        const char *key = rvl_safetensors_name(file, i);

        if (!rvl_str_starts(key, from))
            continue;
        snprintf(names[n], sizeof names[n], "%s%s", to, key + strlen(from));
        ok(rvl_tensor_convert(&owned[n++], rvl_safetensors_tensor(file, i), RVL_DTYPE_F16, &err), &err);
    }
    for (int i = 0; i < n_foreign; i++) {
        snprintf(names[n], sizeof names[n], "%s", foreign[i]);
        ok(rvl_tensor_new(&owned[n++], RVL_DTYPE_I64, 1, &two, &err), &err);
    }
    for (int i = 0; i < n; i++) {
        name_of[i] = names[i];
        tensors[i] = owned[i];
    }
    ok(rvl_safetensors_save(in_folder(to_file), n, name_of, tensors, NULL, &err), &err);
    for (int i = 0; i < n; i++)
        rvl_tensor_free(owned[i]);
    rvl_safetensors_close(file);
}

static void tower__comes_from_torchvision_and_hugging_face_files(void **state)
{
    static const char *const fc[] = {"fc.weight", "fc.bias", "bn1.num_batches_tracked"};
    static const char *const pooler[] = {"bert.pooler.dense.weight", "bert.embeddings.position_ids"};
    rvl_model               *m = model_new(7);
    rvl_model               *other = model_configure(8);
    rvl_load_report          report;
    rvl_error                err = {0};
    rvl_tensor              *half = NULL;
    rvl_tensor              *wide = NULL;
    rvl_param               *p;

    (void)state;
    save(m, "a.safetensors");
    plain_file("resnet.safetensors", "visual.", "", fc, 3);
    plain_file("bert.safetensors", "text.", "bert.", pooler, 2);
    ok(rvl_model_load_tower(other, in_folder("resnet.safetensors"), "visual", NULL, &report, &err), &err);
    assert_int_equal(report.n_unexpected, 3);
    assert_string_equal(report.first_unexpected, "fc.weight");
    other->text.max_positions = 9; /* fewer than the file has */
    ok(rvl_model_load_tower(other, in_folder("bert.safetensors"), "text", NULL, &report, &err), &err);
    assert_int_equal(report.n_unexpected, 2);
    assert_int_equal(other->text.max_positions, 16);
    /* f16 in the file, f32 in the model */
    p = rvl_params_find(m->params, "text.encoder.layer.0.attention.self.query.weight");
    ok(rvl_tensor_convert(&half, rvl_param_tensor(p), RVL_DTYPE_F16, &err), &err);
    ok(rvl_tensor_convert(&wide, half, RVL_DTYPE_F32, &err), &err);
    tensors_equal(rvl_param_tensor(rvl_params_find(other->params, rvl_param_name(p))), wide);
    assert_null(rvl_params_find(other->params, "visual.fc.weight"));
    ok(rvl_model_materialize(other, &err), &err);
    assert_int_equal(rvl_params_count(other->params), rvl_params_count(m->params));
    rvl_tensor_free(half);
    rvl_tensor_free(wide);
    rvl_model_free(m);
    rvl_model_free(other);
}

/** tests/golden/weights.py: kernels count 0, 1/8, 2/8, ... in the order of their shape, stored channels last. */
static void tower__comes_from_files_of_torch(void **state)
{
    static const char *const files[] = {"tower_zip.pth", "tower_old.pth"};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(files); i++) {
        char              relative[64];
        char              path[PATH_BYTES];
        rvl_model        *m = model_configure(8);
        rvl_load_report   report;
        rvl_error         err = {0};
        rvl_model        *none = NULL;
        const rvl_tensor *kernels;

        m->image.resnet = (rvl_resnet_config){.width = 2, .blocks = {1}, .stem_kernel = 3, .stem_stride = 1};
        snprintf(relative, sizeof relative, "tests/golden/weights/%s", files[i]);
        assert_true(source_path(path, sizeof path, relative));
        ok(rvl_model_load_tower(m, path, "visual", NULL, &report, &err), &err);
        assert_int_equal(report.n_matched, 3 + 3 * 4);
        assert_int_equal(report.n_unexpected, 4);
        kernels = rvl_param_tensor(rvl_params_find(m->params, "visual.layer1.0.conv2.weight"));
        for (int k = 0; k < 2 * 2 * 9; k++)
            assert_true(((const float *)rvl_tensor_const_data(kernels))[k] == (float)k / 8);
        assert_int_equal(rvl_bundle_load(&none, path, NULL, &err), RVL_ERR_FORMAT);
        assert_non_null(strstr(err.text, "no rvl bundle"));
        rvl_model_free(m);
    }
}

static void tower__that_lacks_keys_is_refused_unless_allowed(void **state)
{
    rvl_model      *m = model_new(7);
    rvl_model      *other = model_configure(8);
    rvl_load_report report;
    rvl_error       err = {0};

    (void)state;
    save(m, "a.safetensors");
    rewrite("b.safetensors", "visual.layer1.0.conv1.weight", "visual.conv1.weight", NULL, NULL);
    assert_int_equal(rvl_model_load_tower(other, in_folder("b.safetensors"), "visual", NULL, &report, &err),
                     RVL_ERR_FORMAT);
    assert_non_null(strstr(err.text, "'visual.layer1.0.conv1.weight'"));
    assert_non_null(strstr(err.text, "'visual.conv1.weight'"));
    assert_int_equal(report.n_missing, 1);
    assert_int_equal(report.n_misshapen, 1);
    assert_int_equal(rvl_params_count(other->params), 0); /* nothing half loaded */
    assert_int_equal(rvl_model_load_tower(other, in_folder("b.safetensors"), "visual",
                                          &(rvl_load_opts){.allow_missing = "conv1"}, &report, &err),
                     RVL_ERR_FORMAT);
    ok(rvl_model_load_tower(other, in_folder("b.safetensors"), "visual",
                            &(rvl_load_opts){.allow_missing = "conv1, visual.layer1.0.conv1"}, &report, &err),
       &err);
    assert_int_equal(report.n_missing, 1);
    assert_int_equal(report.n_misshapen, 1);
    assert_string_equal(report.first_misshapen, "visual.conv1.weight");
    ok(rvl_model_materialize(other, &err), &err);
    assert_true(rvl_param_is_made(rvl_params_find(other->params, "visual.conv1.weight")));
    assert_false(rvl_param_is_made(rvl_params_find(other->params, "visual.bn1.weight")));
    rvl_model_free(m);
    rvl_model_free(other);
}

static void tower__built_otherwise_is_refused(void **state)
{
    static const char other_vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nno\neffusion\npleural\n##s\n.\n";
    rvl_model        *m = model_new(7);
    rvl_model        *other = model_configure(8);
    rvl_error         err = {0};

    (void)state;
    save(m, "a.safetensors");
    other->image.resnet.stem_stride = 1; /* the same shapes, another network */
    assert_int_equal(rvl_model_load_tower(other, in_folder("a.safetensors"), "visual", NULL, NULL, &err),
                     RVL_ERR_FORMAT);
    assert_non_null(strstr(err.text, "'image.stem_stride' is 2 there, but configured as 1"));
    other->text.max_positions = 17; /* more than the file has */
    assert_int_equal(rvl_model_load_tower(other, in_folder("a.safetensors"), "text", NULL, NULL, &err), RVL_ERR_FORMAT);
    assert_non_null(strstr(err.text, "position_embeddings"));
    other->text.max_positions = 16;
    other->text.n_heads = 4;
    assert_int_equal(rvl_model_load_tower(other, in_folder("a.safetensors"), "text", NULL, NULL, &err), RVL_ERR_FORMAT);
    assert_non_null(strstr(err.text, "n_heads"));
    other->text.n_heads = 2;
    rvl_tokenizer_free(other->tokenizer);
    other->tokenizer = NULL;
    ok(rvl_tokenizer_parse(&other->tokenizer, other_vocab, strlen(other_vocab),
                           (rvl_tokenizer_opts){.lower_case = true}, &err),
       &err);
    assert_int_equal(rvl_model_load_tower(other, in_folder("a.safetensors"), "text", NULL, NULL, &err), RVL_ERR_FORMAT);
    assert_non_null(strstr(err.text, "tokenizer"));
    assert_int_equal(rvl_model_load_tower(other, in_folder("a.safetensors"), "audio", NULL, NULL, &err), RVL_ERR_USAGE);
    rvl_model_free(m);
    rvl_model_free(other);
}

static void checkpoint_make(const char *name, bool done)
{
    rvl_error err = {0};
    char      relative[128];

    snprintf(relative, sizeof relative, "run/ckpt/%s", name);
    ok(rvl_dir_make(in_folder(relative), &err), &err);
    snprintf(relative, sizeof relative, "run/ckpt/%s/model.safetensors", name);
    ok(rvl_file_write(in_folder(relative), "x", 1, &err), &err);
    snprintf(relative, sizeof relative, "run/ckpt/%s/DONE", name);
    if (done)
        ok(rvl_file_write(in_folder(relative), "", 0, &err), &err);
}

static void resolves_to(const char *what, const char *path_end, const char *which_expected)
{
    char     *path = NULL;
    char     *which = NULL;
    rvl_error err = {0};

    ok(rvl_bundle_resolve(&path, &which, what, &err), &err);
    if (!rvl_str_ends(path, path_end) || !rvl_str_equal(which, which_expected))
        fail_msg("'%s' (%s), expected '%s' (%s)", path, which, path_end, which_expected);
    rvl_free(path);
    rvl_free(which);
}

static void run_folder__resolves_to_best_then_latest_complete(void **state)
{
    char     *path = NULL;
    rvl_error err = {0};

    (void)state;
    assert_int_equal(rvl_bundle_resolve(&path, NULL, in_folder("run"), &err), RVL_ERR_NOT_FOUND);
    checkpoint_make("step-00000030", false);
    assert_int_equal(rvl_bundle_resolve(&path, NULL, in_folder("run"), &err), RVL_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "no complete checkpoint"));
    checkpoint_make("step-00000010", true);
    checkpoint_make("step-00000020", true);
    resolves_to(in_folder("run"), "ckpt/step-00000020/model.safetensors", "step-00000020");
    assert_int_equal(symlink("step-00000010", in_folder("run/ckpt/best")), 0);
    resolves_to(in_folder("run"), "ckpt/best/model.safetensors", "best (step-00000010)");
    resolves_to(in_folder("run/ckpt/step-00000020"), "step-00000020/model.safetensors", "checkpoint");
    resolves_to(in_folder("run/ckpt/step-00000020/model.safetensors"), "step-00000020/model.safetensors", "file");
    assert_int_equal(unlink(in_folder("run/ckpt/best")), 0);
    assert_int_equal(symlink("step-00000030", in_folder("run/ckpt/best")), 0); /* a link to an incomplete one */
    resolves_to(in_folder("run"), "ckpt/step-00000020/model.safetensors", "step-00000020");
}

static int folder_make(void **state)
{
    (void)state;
    temp_dir(folder);
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    temp_dir_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bundle__comes_back_bit_for_bit),
        cmocka_unit_test(bundle__carries_what_belongs_to_the_weights),
        cmocka_unit_test(bundle__with_a_missing_or_misshapen_key_is_refused_by_name),
        cmocka_unit_test(bundle__of_another_kind_is_refused),
        cmocka_unit_test(bundle__without_rank_or_type_is_a_resnet_for_images),
        cmocka_unit_test(bundle__of_a_tower_for_volumes_comes_back),
        cmocka_unit_test(tower__of_three_channels_sees_the_image_in_each_or_is_summed),
        cmocka_unit_test(tower__refuses_images_that_it_cannot_read),
        cmocka_unit_test(tower__comes_from_a_bundle),
        cmocka_unit_test(tower__comes_from_torchvision_and_hugging_face_files),
        cmocka_unit_test(tower__comes_from_files_of_torch),
        cmocka_unit_test(tower__that_lacks_keys_is_refused_unless_allowed),
        cmocka_unit_test(tower__built_otherwise_is_refused),
        cmocka_unit_test(run_folder__resolves_to_best_then_latest_complete),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
