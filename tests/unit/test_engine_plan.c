/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_engine_plan.c
 * Plans: memory reuse changes nothing, external cotangents, no allocation, the first bad node, copies of weights.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "base/alloc.h"
#include "base/rng.h"
#include "rvl/ops.h"
#include "rvl/plan.h"

#define N 4

typedef struct {
    rvl_params *params;
    rvl_state  *state;
    rvl_graph  *graph;
    rvl_plan   *plan;
    rvl_error   err;
} fixture;

static void stores_open(fixture *f)
{
    memset(f, 0, sizeof *f);
    assert_int_equal(rvl_params_new(&f->params, 7, &f->err), RVL_OK);
    assert_int_equal(rvl_state_new(&f->state, &f->err), RVL_OK);
}

static void graph_open(fixture *f)
{
    assert_int_equal(rvl_graph_new(&f->graph, f->params, f->state, RVL_DTYPE_F32, &f->err), RVL_OK);
}

static void plan_open(fixture *f, rvl_plan_opts opts)
{
    if (rvl_plan_new(&f->plan, f->graph, opts, &f->err))
        fail_msg("%s", f->err.text);
}

static void graph_close(fixture *f)
{
    rvl_plan_free(f->plan);
    rvl_graph_free(f->graph);
    f->plan = NULL;
    f->graph = NULL;
}

static void fixture_close(fixture *f)
{
    graph_close(f);
    rvl_state_free(f->state);
    rvl_params_free(f->params);
}

static const rvl_init small = {RVL_INIT_NORMAL, 0.3};

/** Two convolution blocks with BatchNorm, dropout and a shortcut, pooling, a head: x -> logits (N, 3). */
static rvl_node *build_net(rvl_graph *g)
{
    rvl_node *x = rvl_input(g, "x", RVL_DTYPE_F32, 4, (int64_t[]){N, 2, 6, 6});

    for (int i = 0; i < 2; i++) {
        rvl_conv_attr pad1 = {.pad_before = {1, 1}, .pad_after = {1, 1}};
        rvl_graph_scope(g, i ? "layer2" : "layer1");
        rvl_node *w = rvl_weight(g, "conv.weight", 4, (int64_t[]){5, rvl_node_extent(x, 1), 3, 3}, small);
        rvl_node *y = rvl_batch_norm(rvl_conv(x, w, pad1), (rvl_batch_norm_attr){.training = true});
        y = rvl_relu(i ? rvl_add(y, x) : y);
        x = rvl_dropout(y, 0.1);
        rvl_graph_scope_end(g);
    }
    rvl_node *p = rvl_max_pool(x, (rvl_pool_attr){.kernel = {2, 2}});
    p = rvl_mean(p, 1U << 2 | 1U << 3, false);
    return rvl_matmul(p, rvl_weight(g, "head.weight", 2, (int64_t[]){3, 5}, small), (rvl_matmul_attr){.trans_b = true});
}

static void build_training(fixture *f)
{
    graph_open(f);
    rvl_node *logits = build_net(f->graph);
    rvl_node *ids = rvl_input(f->graph, "ids", RVL_DTYPE_I32, 1, (int64_t[]){N});
    rvl_node *loss = rvl_mean(rvl_cross_entropy(logits, ids), 1, false);
    rvl_graph_backward(f->graph, 1, &loss, NULL);
    rvl_output(f->graph, "loss", loss);
    assert_int_equal(rvl_graph_output_weight_grads(f->graph), 7);
}

static void fill_inputs(rvl_plan *plan)
{
    rvl_rng     r = rvl_rng_make(1, 2);
    rvl_tensor *x = rvl_plan_input(plan, "x"), *ids = rvl_plan_input(plan, "ids");

    for (int64_t i = 0; i < rvl_tensor_count(x); i++)
        ((float *)rvl_tensor_data(x))[i] = (float)rvl_rng_normal(&r);
    for (int i = 0; ids && i < N; i++)
        ((int32_t *)rvl_tensor_data(ids))[i] = i % 3;
    rvl_plan_set_key(plan, 11, 12);
}

static void run(fixture *f)
{
    if (rvl_plan_run(f->plan, &f->err))
        fail_msg("%s", f->err.text);
}

static const char *const output_names[] = {"loss",
                                           "grad:layer1.conv.weight",
                                           "grad:layer1.weight",
                                           "grad:layer1.bias",
                                           "grad:layer2.conv.weight",
                                           "grad:layer2.weight",
                                           "grad:layer2.bias",
                                           "grad:head.weight"};

static rvl_plan_stats run_training(fixture *f, rvl_plan_opts opts, float *out)
{
    build_training(f);
    plan_open(f, opts);
    fill_inputs(f->plan);
    for (int i = 0; i < 2; i++) /* the second run starts from the leftovers of the first */
        run(f);
    for (size_t i = 0; i < RVL_ARRAY_LEN(output_names); i++) {
        const rvl_tensor *t = rvl_plan_output(f->plan, output_names[i]);
        assert_non_null(t);
        memcpy(out, rvl_tensor_const_data(t), rvl_tensor_bytes(t));
        out += rvl_tensor_count(t);
    }
    rvl_plan_stats stats = rvl_plan_get_stats(f->plan);
    graph_close(f);
    return stats;
}

static void plan__gives_the_same_bits_with_and_without_reuse(void **state)
{
    float   shared[512] = {0}, kept[512] = {0}, debug[512] = {0};
    fixture f;

    (void)state;
    stores_open(&f);
    rvl_plan_stats s = run_training(&f, (rvl_plan_opts){0}, shared);
    rvl_plan_stats k = run_training(&f, (rvl_plan_opts){.keep_all = true}, kept);
    run_training(&f, (rvl_plan_opts){.debug_fill = true}, debug);
    assert_memory_equal(shared, kept, sizeof shared);
    assert_memory_equal(shared, debug, sizeof shared);
    assert_true(isfinite(shared[0]) && shared[0] > 0.1F);
    assert_true(s.arena_bytes < s.unshared_bytes * 7 / 10);
    assert_int_equal(k.arena_bytes, k.unshared_bytes);
    assert_int_equal(s.weight_bytes, 4 * (5 * 2 * 9 + 5 * 5 * 9 + 20 + 15));
    assert_int_equal(s.gradient_bytes, s.weight_bytes);
    fixture_close(&f);
}

static void plan__refuses_more_than_its_memory_limit(void **state)
{
    fixture f;

    (void)state;
    stores_open(&f);
    build_training(&f);
    assert_int_equal(rvl_plan_new(&f.plan, f.graph, (rvl_plan_opts){.memory_limit_bytes = 1000}, &f.err),
                     RVL_ERR_NOMEM);
    assert_null(f.plan);
    assert_non_null(strstr(f.err.text, "the limit is 1000"));
    fixture_close(&f);
}

static const float *output_data(const fixture *f, const char *name)
{
    return rvl_tensor_const_data(rvl_plan_output(f->plan, name));
}

/** d(loss) pushed through the logits from outside equals the gradient of the loss built in. */
static void plan__takes_cotangents_from_outside(void **state)
{
    float   built_in[90];
    double  norm = 0.0;
    fixture f;

    (void)state;
    stores_open(&f);
    build_training(&f);
    plan_open(&f, (rvl_plan_opts){0});
    fill_inputs(f.plan);
    run(&f);
    memcpy(built_in, output_data(&f, "grad:layer1.conv.weight"), sizeof built_in);
    graph_close(&f);

    graph_open(&f);
    rvl_node *logits = build_net(f.graph);
    rvl_node *d = rvl_input(f.graph, "d_logits", RVL_DTYPE_F32, 2, (int64_t[]){N, 3});
    rvl_graph_backward(f.graph, 1, &logits, &d);
    rvl_output(f.graph, "logits", logits);
    rvl_graph_output_weight_grads(f.graph);
    plan_open(&f, (rvl_plan_opts){0});
    fill_inputs(f.plan);
    run(&f);
    const float *l = output_data(&f, "logits");
    float       *dl = rvl_tensor_data(rvl_plan_input(f.plan, "d_logits"));
    for (int i = 0; i < N; i++) {
        double sum = exp((double)l[3 * i]) + exp((double)l[3 * i + 1]) + exp((double)l[3 * i + 2]);
        for (int k = 0; k < 3; k++)
            dl[3 * i + k] = (float)((exp((double)l[3 * i + k]) / sum - (k == i % 3 ? 1.0 : 0.0)) / N);
    }
    run(&f);
    const float *outside = output_data(&f, "grad:layer1.conv.weight");
    for (int i = 0; i < 90; i++) {
        assert_true(fabsf(built_in[i] - outside[i]) < 1e-6F);
        norm += (double)built_in[i] * (double)built_in[i];
    }
    assert_true(norm > 1e-4);
    fixture_close(&f);
}

static void plan__allocates_nothing_in_a_run(void **state)
{
    fixture f;

    (void)state;
    stores_open(&f);
    build_training(&f);
    plan_open(&f, (rvl_plan_opts){0});
    fill_inputs(f.plan);
    uint64_t n_before = rvl_alloc_get_stats().n_calls;
    for (int i = 0; i < 3; i++)
        run(&f);
    assert_int_equal(rvl_alloc_get_stats().n_calls, n_before);
    fixture_close(&f);
}

static void plan__does_not_run_what_no_output_needs(void **state)
{
    fixture f;

    (void)state;
    stores_open(&f);
    graph_open(&f);
    rvl_node *x = rvl_input(f.graph, "x", RVL_DTYPE_F32, 1, (int64_t[]){3});
    rvl_exp(rvl_exp(x));
    rvl_output(f.graph, "y", rvl_relu(x));
    plan_open(&f, (rvl_plan_opts){0});
    assert_int_equal(rvl_plan_get_stats(f.plan).n_nodes, 2);
    run(&f);
    rvl_relu(x); /* a planned graph may not grow */
    assert_int_equal(rvl_graph_check(f.graph, &f.err), RVL_ERR_STATE);
    fixture_close(&f);
}

static void plan__names_the_first_node_that_is_not_finite(void **state)
{
    fixture f;

    (void)state;
    stores_open(&f);
    graph_open(&f);
    rvl_node *x = rvl_input(f.graph, "x", RVL_DTYPE_F32, 2, (int64_t[]){1, 2});
    rvl_graph_scope(f.graph, "tower");
    rvl_node *y = rvl_relu(rvl_unary(rvl_affine(x, 1.0, 0.0), RVL_UNARY_LOG, 0.0, 0.0));
    rvl_graph_scope_end(f.graph);
    rvl_output(f.graph, "y", rvl_exp(y));
    plan_open(&f, (rvl_plan_opts){0});
    float *in = rvl_tensor_data(rvl_plan_input(f.plan, "x"));
    in[0] = 1.0F;
    in[1] = 2.0F;
    assert_int_equal(rvl_plan_find_nonfinite(f.plan, &f.err), RVL_OK);
    in[1] = 0.0F;
    assert_int_equal(rvl_plan_find_nonfinite(f.plan, &f.err), RVL_ERR_NUMERIC);
    assert_non_null(strstr(f.err.text, "'tower.log' (1, 2) (unary)"));
    in[0] = NAN;
    assert_int_equal(rvl_plan_find_nonfinite(f.plan, &f.err), RVL_ERR_NUMERIC);
    assert_non_null(strstr(f.err.text, "'x' (1, 2) (input)"));
    fixture_close(&f);
}

static void plan__reads_a_half_precision_weight_again_after_touch(void **state)
{
    rvl_tensor *w;
    fixture     f;

    (void)state;
    stores_open(&f);
    assert_int_equal(rvl_tensor_new(&w, RVL_DTYPE_BF16, 1, (int64_t[]){1}, &f.err), RVL_OK);
    uint16_t *bits = rvl_tensor_data(w);
    bits[0] = 0x3fc0; /* 1.5 */
    assert_int_equal(rvl_params_give(f.params, "w", w, &f.err), RVL_OK);
    graph_open(&f);
    rvl_node *node = rvl_weight(f.graph, "w", 1, (int64_t[]){1}, small);
    rvl_output(f.graph, "y", rvl_reshape(node, 2, (int64_t[]){1, 1}));
    plan_open(&f, (rvl_plan_opts){.debug_fill = true});
    run(&f);
    assert_true(output_data(&f, "y")[0] == 1.5F);
    bits[0] = 0x4000; /* 2 */
    rvl_param_touch(rvl_params_find(f.params, "w"));
    run(&f);
    assert_true(output_data(&f, "y")[0] == 2.0F);
    fixture_close(&f);
}

static void plan__reports_an_id_outside_the_table(void **state)
{
    fixture f;

    (void)state;
    stores_open(&f);
    graph_open(&f);
    rvl_node *ids = rvl_input(f.graph, "ids", RVL_DTYPE_I32, 1, (int64_t[]){2});
    rvl_output(f.graph, "y", rvl_embedding(rvl_weight(f.graph, "table", 2, (int64_t[]){3, 2}, small), ids));
    plan_open(&f, (rvl_plan_opts){0});
    ((int32_t *)rvl_tensor_data(rvl_plan_input(f.plan, "ids")))[1] = 3;
    assert_int_equal(rvl_plan_run(f.plan, &f.err), RVL_ERR_NUMERIC);
    assert_non_null(strstr(f.err.text, "'embedding'"));
    fixture_close(&f);
}

static void plan__describes_itself_as_json(void **state)
{
    char   *text = NULL;
    fixture f;

    (void)state;
    stores_open(&f);
    build_training(&f);
    plan_open(&f, (rvl_plan_opts){0});
    assert_int_equal(rvl_plan_describe(&text, f.plan, &f.err), RVL_OK);
    assert_non_null(strstr(text, "rvl.plan/1"));
    assert_non_null(strstr(text, "layer2.conv/conv_bwd_weight"));
    rvl_text_free(text);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan__gives_the_same_bits_with_and_without_reuse),
        cmocka_unit_test(plan__refuses_more_than_its_memory_limit),
        cmocka_unit_test(plan__takes_cotangents_from_outside),
        cmocka_unit_test(plan__allocates_nothing_in_a_run),
        cmocka_unit_test(plan__does_not_run_what_no_output_needs),
        cmocka_unit_test(plan__names_the_first_node_that_is_not_finite),
        cmocka_unit_test(plan__reads_a_half_precision_weight_again_after_touch),
        cmocka_unit_test(plan__reports_an_id_outside_the_table),
        cmocka_unit_test(plan__describes_itself_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
