/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_engine_cpu.c
 * The CPU backend on whole models: its plan keeps the blocked layout, its fused and recomputed step gives the bits of
 * the plain one, its training follows the reference backend's, NaN still names its tensor.
 */
#include "base/json.h"
#include "learn/optimizer.h"
#include "model/model.h"
#include "support.h"
#include <math.h>

enum { N = 8, SIDE = 64, CLASSES = 3, TOKENS = 9, STEPS = 10 };

/** A model's training step: its loss and gradients. */
typedef struct {
    rvl_params *params;
    rvl_state  *state;
    rvl_graph  *g;
    rvl_plan   *plan;
    rvl_adamw  *o;
} bed;

typedef rvl_node *(*build_fn)(rvl_graph *g);

static rvl_node *resnet_logits(rvl_graph *g, int width, int n_blocks)
{
    const rvl_resnet_config cfg = {.width = width,
                                   .blocks = {n_blocks, n_blocks, n_blocks, n_blocks},
                                   .stem_kernel = 7,
                                   .stem_stride = 2,
                                   .stem_pool = true};
    rvl_node               *x = rvl_input(g, "x", RVL_DTYPE_F32, 4, (int64_t[]){N, 1, SIDE, SIDE});

    return rvl_head_build(g, rvl_resnet_build(g, x, &cfg, true, 0).pooled, CLASSES);
}

/** Of (y - targets): the targets are far, so that ten steps do not reach them. */
static rvl_node *mean_square(rvl_graph *g, rvl_node *y)
{
    rvl_node *targets = rvl_input(g, "targets", RVL_DTYPE_F32, 2, (int64_t[]){N, CLASSES});

    return rvl_mean(rvl_unary(rvl_sub(y, targets), RVL_UNARY_SQUARE, 0, 0), 3, false);
}

static rvl_node *build_resnet18(rvl_graph *g)
{
    return mean_square(g, resnet_logits(g, 64, 2));
}

static rvl_node *build_small_resnet(rvl_graph *g)
{
    return mean_square(g, resnet_logits(g, 12, 1));
}

static rvl_node *build_bert(rvl_graph *g)
{
    const rvl_bert_config cfg = {.vocab_size = 50,
                                 .hidden = 24,
                                 .n_layers = 2,
                                 .n_heads = 3,
                                 .intermediate = 40,
                                 .max_positions = 16,
                                 .type_vocab = 2,
                                 .layer_norm_eps = 1e-12,
                                 .dropout = 0.1,
                                 .pooling = RVL_POOLING_MEAN};
    rvl_node             *ids = rvl_input(g, "ids", RVL_DTYPE_I32, 2, (int64_t[]){N, TOKENS});
    rvl_node             *mask = rvl_input(g, "mask", RVL_DTYPE_F32, 2, (int64_t[]){N, TOKENS});

    return mean_square(g, rvl_head_build(g, rvl_bert_build(g, ids, mask, &cfg, true).pooled, CLASSES));
}

static void fill_inputs(rvl_plan *plan)
{
    rvl_tensor *x = rvl_plan_input(plan, "x"), *ids = rvl_plan_input(plan, "ids"), *mask = rvl_plan_input(plan, "mask");

    rvl_tensor *targets = rvl_plan_input(plan, "targets");

    for (int64_t i = 0; i < rvl_tensor_count(targets); i++)
        ((float *)rvl_tensor_data(targets))[i] = i * 7 % 5 < 2 ? -2.0F : 3.0F;
    for (int64_t i = 0; x && i < rvl_tensor_count(x); i++)
        ((float *)rvl_tensor_data(x))[i] = (float)sin(0.37 * (double)(i % 1009)) + (i % 7 == 0 ? 0.5F : 0.0F);
    for (int64_t i = 0; ids && i < rvl_tensor_count(ids); i++) {
        ((int32_t *)rvl_tensor_data(ids))[i] = (int32_t)(i * 17 % 50);
        ((float *)rvl_tensor_data(mask))[i] = i % TOKENS < 5 + i / TOKENS ? 1.0F : 0.0F;
    }
}

static void bed_open(bed *b, build_fn build, rvl_plan_opts opts)
{
    const rvl_adamw_opts adamw = {.beta1 = 0.9, .beta2 = 0.98, .eps = 1e-8, .n_groups = 1, .groups = {{1, 0.05, NULL}}};

    OK(rvl_params_new(&b->params, 3, &err));
    OK(rvl_state_new(&b->state, &err));
    OK(rvl_graph_new(&b->g, b->params, b->state, RVL_DTYPE_F32, &err));
    rvl_node *loss = build(b->g);
    rvl_output(b->g, "loss", loss);
    rvl_graph_backward(b->g, 1, &loss, NULL);
    rvl_graph_output_weight_grads(b->g);
    OK(rvl_plan_new(&b->plan, b->g, opts, &err));
    OK(rvl_adamw_new(&b->o, b->params, adamw, &err));
    fill_inputs(b->plan);
}

static void bed_close(bed *b)
{
    rvl_adamw_free(b->o);
    rvl_plan_free(b->plan);
    rvl_graph_free(b->g);
    rvl_state_free(b->state);
    rvl_params_free(b->params);
}

static json_t *plan_json(const rvl_plan *plan)
{
    char   *text = NULL;
    json_t *j;

    OK(rvl_plan_describe(&text, plan, &err));
    j = json_loads(text, 0, NULL);
    rvl_text_free(text);
    assert_non_null(j);
    return j;
}

static int count_steps(const json_t *plan, const char *key, const char *word)
{
    const json_t *node;
    size_t        i;
    int           n = 0;

    json_array_foreach(json_object_get(plan, "nodes"), i, node) n +=
        strcmp(json_string_value(json_object_get(node, key)), word) == 0;
    return n;
}

static void resnet18__stays_blocked_and_fused(void **state)
{
    bed     b;
    json_t *plan;

    (void)state;
    bed_open(&b, build_resnet18, (rvl_plan_opts){0});
    plan = plan_json(b.plan);
    assert_true(count_steps(plan, "kernel", "to_blocked") + count_steps(plan, "kernel", "to_plain") <= 2);
    assert_int_equal(count_steps(plan, "op", "conv"), 20);
    assert_int_equal(count_steps(plan, "kernel", "batch_norm"), 20);
    assert_int_equal(count_steps(plan, "kernel", "batch_norm_again"), 8); /* the first of each block */
    assert_int_equal(count_steps(plan, "kernel", "unary"), 1);            /* the loss; every ReLU is fused */
    for (const char *const *op = (const char *const[]){"conv", "conv_bwd_data", "conv_bwd_weight", "batch_norm",
                                                       "batch_norm_bwd", "max_pool", "max_pool_bwd", "matmul", NULL};
         *op; op++) {
        const json_t *node;
        size_t        i;
        json_array_foreach(json_object_get(plan, "nodes"), i,
                           node) if (strcmp(json_string_value(json_object_get(node, "op")), *op) == 0)
            assert_string_equal(json_string_value(json_object_get(node, "backend")), "cpu");
    }
    json_decref(plan);
    bed_close(&b);
}

static void bert__computes_gelu_again(void **state)
{
    bed     b;
    json_t *plan;

    (void)state;
    bed_open(&b, build_bert, (rvl_plan_opts){0});
    plan = plan_json(b.plan);
    assert_int_equal(count_steps(plan, "kernel", "unary_again"), 2); /* one a layer */
    json_decref(plan);
    bed_close(&b);
}

/* What no vector kernel does only moves elements. */
static void bert__runs_in_vectors(void **state)
{
    const json_t *node;
    size_t        i;
    bed           b;
    json_t       *plan;

    (void)state;
    bed_open(&b, build_bert, (rvl_plan_opts){0});
    plan = plan_json(b.plan);
    json_array_foreach(json_object_get(plan, "nodes"), i, node)
    {
        const char *op = json_string_value(json_object_get(node, "op"));
        if (strcmp(json_string_value(json_object_get(node, "backend")), "ref") == 0 && strcmp(op, "slice") != 0 &&
            strcmp(op, "slice_bwd") != 0 && strcmp(op, "transpose") != 0)
            fail_msg("%s runs in the reference backend", op);
    }
    assert_int_equal(count_steps(plan, "kernel", "softmax"), 2);
    /* The softmax scales and adds the key bias itself: what is left is the mask, the loss and two gradients. */
    assert_int_equal(count_steps(plan, "kernel", "affine"), 4);
    json_decref(plan);
    bed_close(&b);
}

/* Fused, in place and recomputed against one step a node with nothing shared. */
static void same_bits(build_fn build)
{
    bed a, b;

    bed_open(&a, build, (rvl_plan_opts){.debug_fill = true});
    bed_open(&b, build, (rvl_plan_opts){.keep_all = true});
    assert_true(rvl_plan_get_stats(a.plan).arena_bytes < rvl_plan_get_stats(b.plan).arena_bytes);
    OK(rvl_plan_run(a.plan, &err));
    OK(rvl_plan_run(b.plan, &err));
    for (int i = 0; i < rvl_params_count(a.params); i++) {
        char name[300];
        snprintf(name, sizeof name, "grad:%s", rvl_param_name(rvl_params_at(a.params, i)));
        const rvl_tensor *x = rvl_plan_output(a.plan, name), *y = rvl_plan_output(b.plan, name);
        assert_non_null(x);
        if (memcmp(rvl_tensor_const_data(x), rvl_tensor_const_data(y), rvl_tensor_bytes(x)) != 0)
            fail_msg("%s differs", name);
    }
    bed_close(&a);
    bed_close(&b);
}

static void fused_and_recomputed__equals_stored(void **state)
{
    (void)state;
    same_bits(build_small_resnet);
    same_bits(build_bert);
}

static void train(double *losses, build_fn build, rvl_backend backend)
{
    bed b;

    bed_open(&b, build, (rvl_plan_opts){.backend = backend});
    for (int step = 0; step < STEPS; step++) {
        rvl_plan_set_key(b.plan, 1, (uint64_t)step);
        OK(rvl_plan_run(b.plan, &err));
        losses[step] = (double)*(const float *)rvl_tensor_const_data(rvl_plan_output(b.plan, "loss"));
        rvl_adamw_zero_grad(b.o);
        rvl_adamw_accumulate(b.o, b.plan);
        rvl_adamw_step(b.o, 3e-4 * (step + 1) / STEPS, 1); /* a recipe's rate, warming up */
        rvl_state_commit(b.state);
    }
    bed_close(&b);
}

/* Ten steps of AdamW: the losses of both backends, relative. Adam's first steps are signs of gradients, so rounding
 * does not stay rounding at higher rates. */
static void ten_steps__follow_the_reference(void **state)
{
    static const build_fn builds[] = {build_small_resnet, build_bert};

    (void)state;
    for (size_t k = 0; k < RVL_ARRAY_LEN(builds); k++) {
        double cpu[STEPS], ref[STEPS];
        train(cpu, builds[k], RVL_BACKEND_CPU);
        train(ref, builds[k], RVL_BACKEND_REF);
        assert_true(ref[STEPS - 1] < 0.99 * ref[0]);
        for (int i = 0; i < STEPS; i++)
            if (!(fabs(cpu[i] - ref[i]) <= 1e-4 * fabs(ref[i])))
                fail_msg("model %d, step %d: loss %.8g on cpu, %.8g on ref", (int)k, i, cpu[i], ref[i]);
    }
}

static void nan_in_a_weight__is_named_through_fusion(void **state)
{
    rvl_error text = {0};
    bed       b;

    (void)state;
    bed_open(&b, build_small_resnet, (rvl_plan_opts){0});
    rvl_param *w = rvl_params_find(b.params, "visual.layer2.0.bn1.weight");
    assert_non_null(w);
    ((float *)rvl_tensor_data(rvl_param_tensor(w)))[1] = NAN;
    rvl_param_touch(w);
    OK(rvl_plan_run(b.plan, &err));
    assert_true(isnan(*(const float *)rvl_tensor_const_data(rvl_plan_output(b.plan, "loss"))));
    assert_int_equal(rvl_plan_find_nonfinite(b.plan, &text), RVL_ERR_NUMERIC);
    assert_non_null(strstr(text.text, "visual.layer2.0.bn1.weight"));
    bed_close(&b);
}

/* The smallest normal number times one half is no normal number; the caller's own arithmetic keeps such numbers. */
static void denormal_numbers__become_zero(void **state)
{
    static const rvl_backend backends[] = {RVL_BACKEND_CPU, RVL_BACKEND_REF};
    volatile float           smallest = 1.17549435e-38F;

    (void)state;
    for (size_t k = 0; k < RVL_ARRAY_LEN(backends); k++) {
        rvl_graph *g = NULL;
        rvl_plan  *plan = NULL;
        OK(rvl_graph_new(&g, NULL, NULL, RVL_DTYPE_F32, &err));
        rvl_node *x = rvl_input(g, "x", RVL_DTYPE_F32, 1, (int64_t[]){100000});
        rvl_output(g, "y", rvl_affine(rvl_unary(x, RVL_UNARY_SQUARE, 0, 0), 1e10, 0));
        OK(rvl_plan_new(&plan, g, (rvl_plan_opts){.backend = backends[k]}, &err));
        float *in = rvl_tensor_data(rvl_plan_input(plan, "x"));
        for (int i = 0; i < 100000; i++)
            in[i] = 1e-20F;
        OK(rvl_plan_run(plan, &err));
        const float *y = rvl_tensor_const_data(rvl_plan_output(plan, "y"));
        for (int i = 0; i < 100000; i++)
            assert_true(y[i] == 0.0F);
        rvl_plan_free(plan);
        rvl_graph_free(g);
    }
    assert_true(smallest * 0.5F > 0.0F);
}

/* A weight that changed is packed again, also for a second plan over the same parameters. */
static void packed_weights__follow_their_version(void **state)
{
    rvl_graph *g = NULL;
    rvl_plan  *second = NULL;
    bed        b;
    float      before, after, other;

    (void)state;
    bed_open(&b, build_small_resnet, (rvl_plan_opts){0});
    OK(rvl_graph_new(&g, b.params, b.state, RVL_DTYPE_F32, &err));
    rvl_output(g, "loss", build_small_resnet(g));
    OK(rvl_plan_new(&second, g, (rvl_plan_opts){0}, &err));
    fill_inputs(second);
    OK(rvl_plan_run(b.plan, &err));
    OK(rvl_plan_run(second, &err));
    before = *(const float *)rvl_tensor_const_data(rvl_plan_output(b.plan, "loss"));
    rvl_param *w = rvl_params_find(b.params, "visual.layer1.0.conv1.weight");
    ((float *)rvl_tensor_data(rvl_param_tensor(w)))[0] += 1.0F;
    rvl_param_touch(w);
    OK(rvl_plan_run(second, &err));
    OK(rvl_plan_run(b.plan, &err));
    after = *(const float *)rvl_tensor_const_data(rvl_plan_output(b.plan, "loss"));
    other = *(const float *)rvl_tensor_const_data(rvl_plan_output(second, "loss"));
    assert_true(before != after);
    assert_memory_equal(&after, &other, sizeof after);
    rvl_plan_free(second);
    rvl_graph_free(g);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resnet18__stays_blocked_and_fused),
        cmocka_unit_test(bert__computes_gelu_again),
        cmocka_unit_test(bert__runs_in_vectors),
        cmocka_unit_test(fused_and_recomputed__equals_stored),
        cmocka_unit_test(ten_steps__follow_the_reference),
        cmocka_unit_test(nan_in_a_weight__is_named_through_fusion),
        cmocka_unit_test(denormal_numbers__become_zero),
        cmocka_unit_test(packed_weights__follow_their_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
