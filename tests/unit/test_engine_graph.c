/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_engine_graph.c
 * Graphs: names and scopes, the first mistake sticks and names its place, what gradients are made of.
 */
#include "tests/support.h"
#include "base/alloc.h"
#include "engine/node.h"
#include "rvl/ops.h"
#include "rvl/plan.h"

typedef struct {
    rvl_params *params;
    rvl_state  *state;
    rvl_graph  *g;
    rvl_error   err;
} fixture;

static void fixture_open(fixture *f)
{
    memset(f, 0, sizeof *f);
    assert_int_equal(rvl_params_new(&f->params, 1, &f->err), RVL_OK);
    assert_int_equal(rvl_state_new(&f->state, &f->err), RVL_OK);
    assert_int_equal(rvl_graph_new(&f->g, f->params, f->state, RVL_DTYPE_F32, &f->err), RVL_OK);
}

static void fixture_close(fixture *f)
{
    rvl_graph_free(f->g);
    rvl_state_free(f->state);
    rvl_params_free(f->params);
}

static rvl_node *input(fixture *f, const char *name, int n_dims, const int64_t *shape)
{
    return rvl_input(f->g, name, RVL_DTYPE_F32, n_dims, shape);
}

static rvl_node *weight(fixture *f, const char *name, int n_dims, const int64_t *shape)
{
    return rvl_weight(f->g, name, n_dims, shape, (rvl_init){RVL_INIT_ONES, 0});
}

static void graph__names_nodes_by_scope_op_and_number(void **state)
{
    fixture f;

    (void)state;
    fixture_open(&f);
    rvl_node *x = input(&f, "x", 1, (int64_t[]){2});
    rvl_graph_scope(f.g, "layer1.0");
    rvl_graph_scope(f.g, "conv1");
    rvl_node *w = weight(&f, "weight", 1, (int64_t[]){2});
    rvl_graph_scope_end(f.g);
    rvl_node *a = rvl_relu(x), *b = rvl_relu(a);
    rvl_graph_scope_end(f.g);
    assert_string_equal(x->name, "x");
    assert_string_equal(w->name, "layer1.0.conv1.weight");
    assert_non_null(rvl_params_find(f.params, "layer1.0.conv1.weight"));
    assert_string_equal(a->name, "layer1.0.relu");
    assert_string_equal(b->name, "layer1.0.relu:1");
    assert_string_equal(rvl_relu(b)->name, "relu");
    assert_int_equal(rvl_graph_check(f.g, &f.err), RVL_OK);
    rvl_graph_scope_end(f.g);
    assert_int_equal(rvl_graph_check(f.g, &f.err), RVL_ERR_USAGE);
    fixture_close(&f);
}

static void graph__first_mistake_sticks_and_names_its_scope(void **state)
{
    rvl_plan *plan;
    fixture   f;

    (void)state;
    fixture_open(&f);
    rvl_node *x = input(&f, "x", 4, (int64_t[]){2, 8, 5, 5});
    rvl_graph_scope(f.g, "layer1.0.conv1");
    rvl_node *y = rvl_conv(x, weight(&f, "weight", 4, (int64_t[]){16, 4, 3, 3}), (rvl_conv_attr){0});
    rvl_graph_scope_end(f.g);
    assert_non_null(y);
    y = rvl_matmul(rvl_relu(y), rvl_reshape(y, 1, (int64_t[]){77}), (rvl_matmul_attr){false});
    rvl_output(f.g, "y", rvl_concat(2, (rvl_node *[]){y, x}, 5));
    assert_int_equal(rvl_node_extent(y, 7), 1);
    assert_int_equal(rvl_plan_new(&plan, f.g, (rvl_plan_opts){0}, &f.err), RVL_ERR_SHAPE);
    assert_string_equal(f.err.text, "layer1.0.conv1: convolution of (2, 8, 5, 5) with weight (16, 4, 3, 3): "
                                    "8 channels do not match 4 x 1 groups");
    fixture_close(&f);
}

static rvl_node *bad_conv_kernel(fixture *f, rvl_node *x)
{
    return rvl_conv(x, weight(f, "w", 3, (int64_t[]){1, 3, 9}), (rvl_conv_attr){0});
}
static rvl_node *bad_conv_groups(fixture *f, rvl_node *x)
{
    return rvl_conv(x, weight(f, "w", 3, (int64_t[]){4, 1, 1}), (rvl_conv_attr){.groups = 3});
}
static rvl_node *bad_matmul(fixture *f, rvl_node *x)
{
    return rvl_matmul(x, weight(f, "w", 2, (int64_t[]){4, 5}), (rvl_matmul_attr){.trans_b = true});
}
static rvl_node *bad_add(fixture *f, rvl_node *x)
{
    return rvl_add(x, weight(f, "w", 2, (int64_t[]){2, 4}));
}
static rvl_node *bad_reshape(fixture *f, rvl_node *x)
{
    (void)f;
    return rvl_reshape(x, 2, (int64_t[]){-1, 7});
}
static rvl_node *bad_transpose(fixture *f, rvl_node *x)
{
    (void)f;
    return rvl_transpose(x, (int[]){0, 1, 1});
}
static rvl_node *bad_slice(fixture *f, rvl_node *x)
{
    (void)f;
    return rvl_slice(x, 1, 2, 2);
}
static rvl_node *bad_axis(fixture *f, rvl_node *x)
{
    (void)f;
    return rvl_slice(x, 3, 0, 1);
}
static rvl_node *bad_concat(fixture *f, rvl_node *x)
{
    return rvl_concat(2, (rvl_node *[]){x, weight(f, "w", 3, (int64_t[]){2, 3, 5})}, 0);
}
static rvl_node *bad_embedding(fixture *f, rvl_node *x)
{
    return rvl_embedding(weight(f, "w", 2, (int64_t[]){2, 4}), x);
}
static rvl_node *bad_pool(fixture *f, rvl_node *x)
{
    (void)f;
    return rvl_max_pool(x, (rvl_pool_attr){.kernel = {2}, .pad = {2}});
}
static rvl_node *bad_sum(fixture *f, rvl_node *x)
{
    (void)f;
    return rvl_sum(x, 8, false);
}
static rvl_node *bad_group(fixture *f, rvl_node *x)
{
    (void)f;
    return rvl_batch_norm(x, (rvl_batch_norm_attr){.training = true, .group = 3});
}
static rvl_node *bad_layer_norm(fixture *f, rvl_node *x)
{
    rvl_node *w = weight(f, "w", 1, (int64_t[]){3});
    return rvl_layer_norm(x, w, w, 1e-5);
}
static rvl_node *bad_dropout(fixture *f, rvl_node *x)
{
    (void)f;
    return rvl_dropout(x, 1.0);
}
static rvl_node *bad_name(fixture *f, rvl_node *x)
{
    (void)x;
    return input(f, "x", 1, (int64_t[]){2});
}
static rvl_node *bad_loss(fixture *f, rvl_node *x)
{
    return rvl_bce_with_logits(x, x, weight(f, "w", 1, (int64_t[]){3}));
}

static void graph__refuses_shapes_that_do_not_fit(void **state)
{
    static const struct {
        rvl_node *(*build)(fixture *, rvl_node *);
        const char *reason;
    } cases[] = {
        {bad_conv_kernel, "the kernel covers 9 of 4"},
        {bad_conv_groups, "4 output channels do not divide into 3 groups"},
        {bad_matmul, "matmul of (2, 3, 4) and (4, 5)^T: inner extents 4 and 5 differ"},
        {bad_add, "add of (2, 3, 4) and (2, 4): extents 3 and 2"},
        {bad_reshape, "reshape of (2, 3, 4) to (-1, 7)"},
        {bad_transpose, "entry 2 of the permutation is 1"},
        {bad_slice, "2 from 2 on is outside"},
        {bad_axis, "along axis 3 of 3 axes"},
        {bad_concat, "concat of (2, 3, 4) and (2, 3, 5)"},
        {bad_embedding, "is f32, must be i32"},
        {bad_pool, "pad 2"},
        {bad_sum, "axes 0x8"},
        {bad_group, "2 samples do not divide into groups of 3"},
        {bad_layer_norm, "must both be (4)"},
        {bad_dropout, "probability 1"},
        {bad_name, "the name is taken"},
        {bad_loss, "'m.w' with shape (3) does not fit"},
    };

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        fixture f;
        fixture_open(&f);
        rvl_node *x = input(&f, "x", 3, (int64_t[]){2, 3, 4});
        rvl_graph_scope(f.g, "m");
        rvl_node  *y = cases[i].build(&f, x);
        rvl_status st = rvl_graph_check(f.g, &f.err);
        if (st == RVL_OK || !strstr(f.err.text, cases[i].reason) || strncmp(f.err.text, "m: ", 3) != 0)
            fail_msg("case %zu: %d '%s'", i, (int)st, f.err.text);
        assert_int_equal(y->kind, RVL_NODE_BROKEN);
        fixture_close(&f);
    }
}

/** y = relu(x w) + x: x has two uses, summed by one add; the frozen weight gets nothing, its input does. */
static void backward__skips_frozen_weights_and_flows_through_them(void **state)
{
    fixture f;

    (void)state;
    fixture_open(&f);
    rvl_node *x = input(&f, "x", 2, (int64_t[]){3, 3});
    rvl_node *w = weight(&f, "w", 2, (int64_t[]){3, 3}), *u = weight(&f, "u", 1, (int64_t[]){3});
    rvl_node *unused = weight(&f, "unused", 1, (int64_t[]){3});
    rvl_param_set_trainable(rvl_params_find(f.params, "w"), false);
    rvl_node *y = rvl_add(rvl_add(rvl_relu(rvl_matmul(x, w, (rvl_matmul_attr){false})), x), u);
    rvl_graph_backward(f.g, 1, &y, NULL);
    assert_int_equal(rvl_graph_check(f.g, &f.err), RVL_OK);
    assert_null(rvl_graph_grad(f.g, w));
    assert_null(rvl_graph_grad(f.g, unused));
    rvl_node *dx = rvl_graph_grad(f.g, x), *du = rvl_graph_grad(f.g, u);
    assert_int_equal(dx->op, RVL_OP_ADD);
    assert_int_equal(dx->in[1]->op, RVL_OP_MATMUL);
    assert_int_equal(du->op, RVL_OP_SUM_TO);
    assert_int_equal(rvl_node_n_dims(du), 1);
    assert_string_equal(dx->in[1]->name, "matmul/matmul");
    for (int i = 0; i < f.g->n_nodes; i++) /* no product for the frozen weight's gradient */
        if (f.g->nodes[i]->op == RVL_OP_MATMUL && f.g->nodes[i]->kind == RVL_NODE_OP && f.g->nodes[i]->n_in == 2)
            assert_true(f.g->nodes[i]->in[1] == w);
    assert_int_equal(rvl_graph_output_weight_grads(f.g), 1);
    rvl_graph_backward(f.g, 1, &y, NULL);
    assert_int_equal(rvl_graph_check(f.g, &f.err), RVL_ERR_STATE);
    fixture_close(&f);
}

/** A shared 2-D weight behind a batch: one product over all rows, not a sum of products. */
static void backward__folds_batches_of_a_shared_matrix(void **state)
{
    fixture f;

    (void)state;
    fixture_open(&f);
    rvl_node *x = input(&f, "x", 4, (int64_t[]){2, 3, 5, 7});
    rvl_node *w = weight(&f, "w", 2, (int64_t[]){4, 7});
    rvl_node *y = rvl_matmul(x, w, (rvl_matmul_attr){.trans_b = true});
    rvl_graph_backward(f.g, 1, &y, NULL);
    rvl_node *dw = rvl_graph_grad(f.g, w);
    assert_int_equal(dw->op, RVL_OP_MATMUL);
    assert_int_equal(rvl_node_extent(dw->in[0], 0), 2 * 3 * 5);
    assert_int_equal(rvl_node_extent(dw, 0), 4);
    assert_int_equal(rvl_node_extent(dw, -1), 7);
    fixture_close(&f);
}

static void backward__gives_no_gradient_to_integers_and_targets(void **state)
{
    fixture f;

    (void)state;
    fixture_open(&f);
    rvl_node *table = weight(&f, "table", 2, (int64_t[]){5, 3});
    rvl_node *ids = rvl_input(f.g, "ids", RVL_DTYPE_I32, 1, (int64_t[]){2});
    rvl_node *t = input(&f, "t", 2, (int64_t[]){2, 3});
    rvl_node *y = rvl_cross_entropy_soft(rvl_embedding(table, ids), t);
    rvl_graph_backward(f.g, 1, &y, NULL);
    assert_int_equal(rvl_graph_check(f.g, &f.err), RVL_OK);
    assert_null(rvl_graph_grad(f.g, ids));
    assert_null(rvl_graph_grad(f.g, t));
    assert_int_equal(rvl_graph_grad(f.g, table)->op, RVL_OP_EMBEDDING_BWD);
    fixture_close(&f);
}

static void backward__refuses_a_cotangent_of_another_shape(void **state)
{
    fixture f;

    (void)state;
    fixture_open(&f);
    rvl_node *y = rvl_relu(input(&f, "x", 1, (int64_t[]){3})), *d = input(&f, "d", 1, (int64_t[]){4});
    rvl_graph_backward(f.g, 1, &y, &d);
    assert_int_equal(rvl_graph_check(f.g, &f.err), RVL_ERR_SHAPE);
    assert_string_equal(f.err.text, "gradient of relu: the cotangent 'd' has another shape or dtype");
    fixture_close(&f);
}

static void weight__is_one_node_however_often_it_is_used(void **state)
{
    fixture f;

    (void)state;
    fixture_open(&f);
    rvl_node *a = weight(&f, "w", 1, (int64_t[]){3}), *b = weight(&f, "w", 1, (int64_t[]){3});
    assert_ptr_equal(a, b);
    rvl_node *y = rvl_mul(a, b);
    rvl_graph_backward(f.g, 1, &y, NULL);
    assert_int_equal(rvl_graph_grad(f.g, a)->op, RVL_OP_ADD);
    assert_int_equal(rvl_graph_output_weight_grads(f.g), 1);
    weight(&f, "w", 1, (int64_t[]){4});
    assert_int_equal(rvl_graph_check(f.g, &f.err), RVL_ERR_SHAPE);
    fixture_close(&f);
}

/** Any one allocation may fail while a graph is built, differentiated and planned. */
static void graph__survives_failed_allocations(void **state)
{
    (void)state;
    size_t live = rvl_alloc_get_stats().live_bytes;
    bool   is_done = false;
    for (uint64_t nth = 1; !is_done && nth < 500; nth++) {
        rvl_params *params = NULL;
        rvl_graph  *g = NULL;
        rvl_plan   *plan = NULL;
        rvl_error   err = {0};
        rvl_alloc_fail_at(nth);
        rvl_status st = rvl_params_new(&params, 1, &err);
        st = st ? st : rvl_graph_new(&g, params, NULL, RVL_DTYPE_F32, &err);
        if (!st) {
            rvl_graph_scope(g, "s");
            rvl_node *x = rvl_input(g, "x", RVL_DTYPE_F32, 2, (int64_t[]){2, 2});
            rvl_node *w = rvl_weight(g, "w", 2, (int64_t[]){2, 2}, (rvl_init){0});
            for (int i = 0; i < 200; i++)
                x = rvl_relu(rvl_matmul(x, w, (rvl_matmul_attr){false}));
            rvl_graph_scope_end(g);
            rvl_graph_backward(g, 1, &x, NULL);
            rvl_graph_output_weight_grads(g);
            st = rvl_plan_new(&plan, g, (rvl_plan_opts){0}, &err);
        }
        rvl_alloc_fail_at(0);
        assert_true(st == RVL_OK || st == RVL_ERR_NOMEM);
        is_done = st == RVL_OK;
        rvl_plan_free(plan);
        rvl_graph_free(g);
        rvl_params_free(params);
        assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
    }
    assert_true(is_done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graph__names_nodes_by_scope_op_and_number),
        cmocka_unit_test(graph__first_mistake_sticks_and_names_its_scope),
        cmocka_unit_test(graph__refuses_shapes_that_do_not_fit),
        cmocka_unit_test(backward__skips_frozen_weights_and_flows_through_them),
        cmocka_unit_test(backward__folds_batches_of_a_shared_matrix),
        cmocka_unit_test(backward__gives_no_gradient_to_integers_and_targets),
        cmocka_unit_test(backward__refuses_a_cotangent_of_another_shape),
        cmocka_unit_test(weight__is_one_node_however_often_it_is_used),
        cmocka_unit_test(graph__survives_failed_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
