/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file unit/test_model_properties.c
 * What must hold of towers whatever their weights: BatchNorm groups equal micro-batches, padding and batch order change
 * nothing, starts are the usual ones, evaluation has no dropout.
 */
#include "tests/support.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "base/str.h"
#include "model/model.h"
#include <math.h>

static const rvl_image_config IMAGE = {
    .n_spatial = 2,
    .in_channels = 1,
    .resnet = {.width = 6, .blocks = {1, 1, 0, 0}, .stem_kernel = 3, .stem_stride = 2, .stem_pool = true}};
static const rvl_bert_config TEXT = {.vocab_size = 30,
                                     .hidden = 16,
                                     .n_layers = 2,
                                     .n_heads = 2,
                                     .intermediate = 32,
                                     .max_positions = 12,
                                     .type_vocab = 2,
                                     .layer_norm_eps = 1e-12,
                                     .dropout = 0.1,
                                     .pooling = RVL_POOLING_MEAN};

#define N_PIXELS (20 * 20)

static void ok(rvl_status st, const rvl_error *err)
{
    if (st)
        fail_msg("%s", err->text);
}

static rvl_model *model_new(uint64_t seed)
{
    rvl_model *m = NULL;
    rvl_error  err = {0};

    ok(rvl_model_new(&m, seed, &err), &err);
    m->has_image = m->has_text = m->has_clip = true;
    m->image = IMAGE;
    m->text = TEXT;
    m->clip = (rvl_clip_config){
        .embed_dim = 8, .similarity = RVL_SIMILARITY_COSINE, .learn_temperature = true, .temperature = 0.07};
    ok(rvl_model_materialize(m, &err), &err);
    return m;
}

static rvl_plan *eval_plan(rvl_session **session, rvl_model *m, rvl_plan_key key)
{
    rvl_plan *plan = NULL;
    rvl_error err = {0};

    if (!*session)
        ok(rvl_session_new(session, m->params, m->state, rvl_model_build_eval, m, (rvl_plan_opts){0}, &err), &err);
    ok(rvl_session_plan(&plan, *session, &key, &err), &err);
    return plan;
}

static void noise_fill(float *x, int64_t n, uint64_t stream)
{
    rvl_rng r = rvl_rng_make(11, stream);

    for (int64_t i = 0; i < n; i++)
        x[i] = (float)rvl_rng_normal(&r);
}

static void run(rvl_plan *plan)
{
    rvl_error err = {0};

    ok(rvl_plan_run(plan, &err), &err);
}

static const float *output(const rvl_plan *plan, const char *name)
{
    const rvl_tensor *t = rvl_plan_output(plan, name);

    if (!t)
        fail_msg("no output '%s'", name);
    return rvl_tensor_const_data(t);
}

static void floats_near(const float *a, const float *b, int64_t n, double tolerance)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= tolerance))
            fail_msg("element %lld: %.9g and %.9g", (long long)i, (double)a[i], (double)b[i]);
}

/** Training graph of `n` images: mean square of the pooled features times `share`. */
static rvl_plan *train_plan(rvl_graph **g, rvl_params *params, rvl_state *state, int64_t n, int bn_group, double share)
{
    rvl_plan *plan = NULL;
    rvl_node *loss;
    rvl_node *x;
    rvl_error err = {0};

    ok(rvl_graph_new(g, params, state, RVL_DTYPE_F32, &err), &err);
    x = rvl_input(*g, "image", RVL_DTYPE_F32, 4, (int64_t[]){n, 1, 20, 20});
    loss = rvl_image_build(*g, x, &IMAGE, true, bn_group).pooled;
    loss = rvl_affine(rvl_mean(rvl_unary(loss, RVL_UNARY_SQUARE, 0, 0), 3u, false), share, 0);
    rvl_graph_backward(*g, 1, &loss, NULL);
    assert_true(rvl_graph_output_weight_grads(*g) > 0);
    /* kernels by rule: two that were timed apart differ by more than what is compared here */
    ok(rvl_plan_new(&plan, *g, (rvl_plan_opts){.deterministic = true}, &err), &err);
    return plan;
}

/** A training set-up of its own: params of one seed, state, plan. */
typedef struct {
    rvl_params *params;
    rvl_state  *state;
    rvl_graph  *g;
    rvl_plan   *plan;
} trainer;

static trainer trainer_new(int64_t n, int bn_group, double share)
{
    trainer   t = {0};
    rvl_error err = {0};

    ok(rvl_params_new(&t.params, 5, &err), &err);
    ok(rvl_state_new(&t.state, &err), &err);
    t.plan = train_plan(&t.g, t.params, t.state, n, bn_group, share);
    return t;
}

static void trainer_free(trainer *t)
{
    rvl_plan_free(t->plan);
    rvl_graph_free(t->g);
    rvl_params_free(t->params);
    rvl_state_free(t->state);
}

/** Run on `n` images and add the gradient of weight `name` to `sum`. */
static void gradients_add(const trainer *t, float *sums, bool first)
{
    int64_t at = 0;
    char    key[256];

    for (int i = 0; i < rvl_params_count(t->params); i++) {
        rvl_param   *p = rvl_params_at(t->params, i);
        int64_t      n = rvl_tensor_count(rvl_param_tensor(p));
        const float *grad;

        snprintf(key, sizeof key, "grad:%s", rvl_param_name(p));
        grad = output(t->plan, key);
        for (int64_t k = 0; k < n; k++)
            sums[at + k] = (first ? 0 : sums[at + k]) + grad[k];
        at += n;
    }
}

static int64_t weights_count(rvl_params *params)
{
    int64_t n = 0;

    for (int i = 0; i < rvl_params_count(params); i++)
        n += rvl_tensor_count(rvl_param_tensor(rvl_params_at(params, i)));
    return n;
}

static void batch_norm_groups__equal_micro_batches(void **unused)
{
    trainer whole = trainer_new(8, 4, 1.0);
    trainer micro = trainer_new(4, 0, 0.5);
    trainer ungrouped = trainer_new(8, 0, 1.0);
    int64_t n = weights_count(whole.params);
    float  *images = rvl_alloc_array(8 * N_PIXELS, sizeof *images);
    float  *sums = rvl_alloc_array((size_t)n * 3, sizeof *sums);
    double  largest = 0;
    double  apart = 0;

    (void)unused;
    assert_true(images && sums);
    noise_fill(images, 8 * N_PIXELS, 1);
    for (int i = 4 * N_PIXELS; i < 8 * N_PIXELS; i++)
        images[i] = 2.0F * images[i] + 1.0F; /* the second half has other statistics */
    memcpy(rvl_tensor_data(rvl_plan_input(whole.plan, "image")), images, 8 * N_PIXELS * sizeof *images);
    run(whole.plan);
    gradients_add(&whole, sums, true);
    memcpy(rvl_tensor_data(rvl_plan_input(ungrouped.plan, "image")), images, 8 * N_PIXELS * sizeof *images);
    run(ungrouped.plan);
    gradients_add(&ungrouped, sums + 2 * n, true);
    for (int half = 0; half < 2; half++) {
        memcpy(rvl_tensor_data(rvl_plan_input(micro.plan, "image")), images + half * 4 * N_PIXELS,
               4 * N_PIXELS * sizeof *images);
        run(micro.plan);
        gradients_add(&micro, sums + n, half == 0);
    }
    for (int64_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs((double)sums[i]));
        apart = fmax(apart, fabs((double)sums[i] - (double)sums[2 * n + i]));
    }
    assert_true(apart > 1e-3 * largest); /* groups matter here */
    floats_near(sums, sums + n, n, 1e-6 * largest);
    rvl_state_commit(whole.state);
    rvl_state_commit(micro.state);
    for (int i = 0; i < rvl_state_count(whole.state); i++) {
        rvl_tensor *t = rvl_state_tensor(whole.state, i);

        assert_string_equal(rvl_state_name(whole.state, i), rvl_state_name(micro.state, i));
        floats_near(rvl_tensor_const_data(t), rvl_tensor_const_data(rvl_state_tensor(micro.state, i)),
                    rvl_tensor_count(t), 1e-6);
    }
    rvl_free(images);
    rvl_free(sums);
    trainer_free(&whole);
    trainer_free(&micro);
    trainer_free(&ungrouped);
}

static const int32_t SENTENCE[5] = {2, 17, 9, 23, 3};

/** Embedding of the sentence in a batch of one, padded to `n_tok` with the id `padding`. */
static void sentence_embed(float out[8], rvl_session **session, rvl_model *m, int n_tok, int32_t padding)
{
    rvl_plan *plan = eval_plan(session, m, (rvl_plan_key){.mode = RVL_MODE_EVAL_TEXT, .size = {1, n_tok}});
    int32_t  *ids = rvl_tensor_data(rvl_plan_input(plan, "ids"));
    float    *mask = rvl_tensor_data(rvl_plan_input(plan, "mask"));

    for (int i = 0; i < n_tok; i++) {
        ids[i] = i < 5 ? SENTENCE[i] : padding;
        mask[i] = i < 5 ? 1.0F : 0.0F;
    }
    run(plan);
    memcpy(out, output(plan, "embedding"), 8 * sizeof *out);
}

static void padding__does_not_change_embeddings(void **unused)
{
    (void)unused;
    for (int pooling = 0; pooling < 4; pooling++) {
        rvl_model   *m = model_new(3);
        rvl_session *session = NULL;
        float        bare[8];
        float        padded[8];
        float        padded_otherwise[8];

        m->text.pooling = (rvl_pooling)pooling;
        m->text.n_layers = 4;
        sentence_embed(bare, &session, m, 5, 0);
        sentence_embed(padded, &session, m, 11, 0);
        sentence_embed(padded_otherwise, &session, m, 11, 29);
        floats_near(bare, padded, 8, 1e-6);
        floats_near(padded, padded_otherwise, 8, 0);
        rvl_session_free(session);
        rvl_model_free(m);
    }
}

static void empty_text__gives_finite_numbers(void **unused)
{
    rvl_model   *m = model_new(3);
    rvl_session *session = NULL;
    rvl_plan    *plan = eval_plan(&session, m, (rvl_plan_key){.mode = RVL_MODE_EVAL_TEXT, .size = {1, 4}});

    (void)unused;
    memset(rvl_tensor_data(rvl_plan_input(plan, "ids")), 0, 4 * sizeof(int32_t));
    memset(rvl_tensor_data(rvl_plan_input(plan, "mask")), 0, 4 * sizeof(float));
    run(plan);
    for (int i = 0; i < 8; i++)
        assert_true(isfinite(output(plan, "embedding")[i]));
    rvl_session_free(session);
    rvl_model_free(m);
}

static void batch_order__permutes_image_embeddings(void **unused)
{
    static const int order[4] = {2, 0, 3, 1};
    rvl_model       *m = model_new(3);
    rvl_session     *session = NULL;
    rvl_plan        *plan = eval_plan(&session, m, (rvl_plan_key){.mode = RVL_MODE_EVAL_IMAGE, .size = {4, 20, 20}});
    float           *image = rvl_tensor_data(rvl_plan_input(plan, "image"));
    float            first[4][8];
    float            images[4][N_PIXELS];

    (void)unused;
    noise_fill(images[0], 4 * N_PIXELS, 2);
    memcpy(image, images, sizeof images);
    run(plan);
    memcpy(first, output(plan, "embedding"), sizeof first);
    for (int i = 0; i < 4; i++)
        memcpy(image + i * N_PIXELS, images[order[i]], sizeof images[0]);
    run(plan);
    for (int i = 0; i < 4; i++) {
        double norm = 0;

        floats_near(output(plan, "embedding") + 8 * i, first[order[i]], 8, 0);
        for (int k = 0; k < 8; k++)
            norm += (double)first[i][k] * (double)first[i][k];
        assert_true(fabs(norm - 1.0) < 1e-5); /* COSINE: normalised in the graph */
    }
    assert_true(memcmp(first[0], first[1], sizeof first[0]) != 0);
    rvl_session_free(session);
    rvl_model_free(m);
}

/** Mean and standard deviation of a weight. */
static void weight_moments(rvl_model *m, const char *name, double *mean, double *deviation)
{
    rvl_param   *p = rvl_params_find(m->params, name);
    const float *x;
    int64_t      n;
    double       sum = 0;
    double       squares = 0;

    if (!p)
        fail_msg("no weight '%s'", name);
    x = rvl_tensor_const_data(rvl_param_tensor(p));
    n = rvl_tensor_count(rvl_param_tensor(p));
    for (int64_t i = 0; i < n; i++) {
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
    }
    *mean = sum / (double)n;
    *deviation = sqrt(squares / (double)n - *mean * *mean);
}

static void moments_are(rvl_model *m, const char *name, double mean, double deviation)
{
    double a;
    double b;

    weight_moments(m, name, &a, &b);
    if (!(fabs(a - mean) <= 0.15 * deviation) || !(fabs(b - deviation) <= 0.12 * deviation))
        fail_msg("'%s': mean %g, deviation %g, expected %g and %g", name, a, b, mean, deviation);
}

static void weights__start_as_in_pytorch(void **unused)
{
    rvl_model *m = model_new(3);

    (void)unused;
    /* kaiming normal, fan out, ReLU: sqrt(2 / (channels out * kernel area)) */
    moments_are(m, "visual.layer2.0.conv1.weight", 0, sqrt(2.0 / (12 * 9)));
    moments_are(m, "visual.layer2.0.conv2.weight", 0, sqrt(2.0 / (12 * 9)));
    moments_are(m, "visual.bn1.weight", 1, 0);
    moments_are(m, "visual.bn1.bias", 0, 0);
    moments_are(m, "text.embeddings.word_embeddings.weight", 0, 0.02);
    moments_are(m, "text.encoder.layer.1.intermediate.dense.weight", 0, 0.02);
    moments_are(m, "text.encoder.layer.1.intermediate.dense.bias", 0, 0);
    moments_are(m, "text.encoder.layer.0.output.LayerNorm.weight", 1, 0);
    moments_are(m, "text_projection.weight", 0, 0.25);
    rvl_model_free(m);
}

static void head__starts_uniform_within_its_fan(void **unused)
{
    rvl_params *params = NULL;
    rvl_state  *state = NULL;
    rvl_graph  *g = NULL;
    rvl_error   err = {0};
    double      largest = 0;

    (void)unused;
    ok(rvl_params_new(&params, 9, &err), &err);
    ok(rvl_state_new(&state, &err), &err);
    ok(rvl_graph_new(&g, params, state, RVL_DTYPE_F32, &err), &err);
    (void)rvl_head_build(g, rvl_input(g, "x", RVL_DTYPE_F32, 2, (int64_t[]){1, 64}), 10);
    for (int i = 0; i < 640; i++)
        largest = fmax(largest, fabs((double)((const float *)rvl_tensor_const_data(
                                    rvl_param_tensor(rvl_params_find(params, "head.weight"))))[i]));
    assert_true(largest <= 0.125 && largest > 0.12);
    assert_int_equal(rvl_tensor_count(rvl_param_tensor(rvl_params_find(params, "head.bias"))), 10);
    rvl_graph_free(g);
    rvl_params_free(params);
    rvl_state_free(state);
}

static void dropout__acts_in_training_only(void **unused)
{
    rvl_model *m = model_new(3);
    int64_t    shape[2] = {1, 5};
    float      seen[4][16];
    rvl_error  err = {0};

    (void)unused;
    for (int i = 0; i < 4; i++) {
        rvl_graph *g = NULL;
        rvl_plan  *plan = NULL;
        rvl_node  *ids;

        ok(rvl_graph_new(&g, m->params, m->state, RVL_DTYPE_F32, &err), &err);
        ids = rvl_input(g, "ids", RVL_DTYPE_I32, 2, shape);
        rvl_output(g, "pooled", rvl_bert_build(g, ids, rvl_fill(g, 2, shape, 1.0), &m->text, i < 2).pooled);
        ok(rvl_plan_new(&plan, g, (rvl_plan_opts){0}, &err), &err);
        memcpy(rvl_tensor_data(rvl_plan_input(plan, "ids")), SENTENCE, sizeof SENTENCE);
        rvl_plan_set_key(plan, 1, (uint64_t)i);
        run(plan);
        memcpy(seen[i], output(plan, "pooled"), sizeof seen[i]);
        rvl_plan_free(plan);
        rvl_graph_free(g);
    }
    assert_true(memcmp(seen[0], seen[1], sizeof seen[0]) != 0);
    assert_true(memcmp(seen[1], seen[2], sizeof seen[0]) != 0);
    assert_memory_equal(seen[2], seen[3], sizeof seen[0]);
    rvl_model_free(m);
}

/** One logit of unit vectors with cosine 1, and the gradient that reaches the scale. */
static void scale_probe(double log_scale, float *logit, float *grad)
{
    rvl_clip_config cfg = {.embed_dim = 1, .learn_temperature = true, .temperature = 0.01};
    rvl_params     *params = NULL;
    rvl_state      *state = NULL;
    rvl_graph      *g = NULL;
    rvl_plan       *plan = NULL;
    rvl_node       *logits;
    rvl_error       err = {0};
    int64_t         shape[2] = {1, 1};

    ok(rvl_params_new(&params, 9, &err), &err);
    ok(rvl_state_new(&state, &err), &err);
    ok(rvl_graph_new(&g, params, state, RVL_DTYPE_F32, &err), &err);
    logits = rvl_clip_logits(g, rvl_fill(g, 2, shape, 1.0), rvl_fill(g, 2, shape, 1.0), &cfg);
    rvl_output(g, "logits", logits);
    rvl_graph_backward(g, 1, &logits, NULL);
    assert_int_equal(rvl_graph_output_weight_grads(g), 1);
    if (isfinite(log_scale))
        *(float *)rvl_tensor_data(rvl_param_tensor(rvl_params_find(params, "logit_scale"))) = (float)log_scale;
    ok(rvl_plan_new(&plan, g, (rvl_plan_opts){0}, &err), &err);
    run(plan);
    *logit = output(plan, "logits")[0];
    *grad = output(plan, "grad:logit_scale")[0];
    rvl_plan_free(plan);
    rvl_graph_free(g);
    rvl_params_free(params);
    rvl_state_free(state);
}

static void learned_scale__stays_below_100(void **unused)
{
    float logit;
    float grad;

    (void)unused;
    scale_probe(2.0, &logit, &grad);
    assert_true(fabs((double)logit - exp(2.0)) < 1e-5 && fabs((double)grad - exp(2.0)) < 1e-5);
    scale_probe(7.0, &logit, &grad);
    assert_true(fabs((double)logit - 100.0) < 1e-3 && grad == 0.0F);
    scale_probe(INFINITY, &logit, &grad); /* as it starts from a temperature of 0.01 */
    assert_true(fabs((double)logit - 100.0) < 1e-3 && grad > 99.0F);
}

static void eval_plan__refuses_what_the_model_lacks(void **unused)
{
    rvl_model   *m = model_new(3);
    rvl_session *session = NULL;
    rvl_plan    *plan = NULL;
    rvl_plan_key key = {.mode = RVL_MODE_EVAL_TEXT, .size = {1, 13}};
    rvl_error    err = {0};

    (void)unused;
    (void)eval_plan(&session, m, (rvl_plan_key){.mode = RVL_MODE_EVAL_TEXT, .size = {1, 12}});
    assert_int_equal(rvl_session_plan(&plan, session, &key, &err), RVL_ERR_SHAPE);
    assert_non_null(strstr(err.text, "13 tokens"));
    m->has_text = false;
    key.size[1] = 4;
    assert_int_equal(rvl_session_plan(&plan, session, &key, &err), RVL_ERR_STATE);
    key.mode = 999;
    assert_int_equal(rvl_session_plan(&plan, session, &key, &err), RVL_ERR_USAGE);
    rvl_session_free(session);
    rvl_model_free(m);
}

static void materialize__refuses_impossible_architectures(void **unused)
{
    rvl_model *m = model_new(3);
    rvl_error  err = {0};

    (void)unused;
    m->text.n_heads = 3;
    assert_int_equal(rvl_model_materialize(m, &err), RVL_ERR_USAGE);
    assert_non_null(strstr(err.text, "n_heads"));
    m->text.n_heads = 2;
    m->text.pooling = RVL_POOLING_LAST4;
    assert_int_equal(rvl_model_materialize(m, &err), RVL_ERR_USAGE);
    assert_non_null(strstr(err.text, "needs four, text.n_layers is 2"));
    m->text.pooling = RVL_POOLING_MEAN;
    m->image.resnet.width = 0;
    assert_int_equal(rvl_model_materialize(m, &err), RVL_ERR_USAGE);
    assert_non_null(strstr(err.text, "image.width"));
    m->image.resnet.width = 6;
    m->clip.temperature = 0;
    assert_int_equal(rvl_model_materialize(m, &err), RVL_ERR_USAGE);
    m->clip.temperature = 1;
    m->has_head = true; /* but no schema */
    assert_int_equal(rvl_model_materialize(m, &err), RVL_ERR_USAGE);
    rvl_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_norm_groups__equal_micro_batches),
        cmocka_unit_test(padding__does_not_change_embeddings),
        cmocka_unit_test(empty_text__gives_finite_numbers),
        cmocka_unit_test(batch_order__permutes_image_embeddings),
        cmocka_unit_test(weights__start_as_in_pytorch),
        cmocka_unit_test(head__starts_uniform_within_its_fan),
        cmocka_unit_test(dropout__acts_in_training_only),
        cmocka_unit_test(learned_scale__stays_below_100),
        cmocka_unit_test(eval_plan__refuses_what_the_model_lacks),
        cmocka_unit_test(materialize__refuses_impossible_architectures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
