/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/gradients.c
 * Gradients by per-op rules. A rule gets the op `y` and its cotangent `dy` and gives each input its share; nodes are
 * visited from the last to the first, so a node's gradient is complete when its own rule runs.
 */
#include "engine/convert.h"
#include "engine/node.h"
#include "rvl/ops.h"
#include <string.h>

#define NO_ATTR ((rvl_op_attr){.none = {0}})

static void give_grad(rvl_node *x, rvl_node *dx)
{
    if (!x->needs_grad || x->graph->error.code)
        return;
    x->grad = x->grad ? rvl_add(x->grad, dx) : dx;
}

/** The op `op` with the attribute of y and the shape of `like`. */
static rvl_node *bwd(const rvl_node *y, rvl_op op, int n_in, rvl_node *const *in, const rvl_node *like)
{
    return rvl__node_op(y->graph, op, rvl__op_names[op], y->attr, n_in, in, like->n_dims, like->shape);
}

static void conv_rule(rvl_node *y, rvl_node *dy)
{
    rvl_node *x = y->in[0], *w = y->in[1];

    if (x->needs_grad)
        give_grad(x, bwd(y, RVL_OP_CONV_BWD_DATA, 2, (rvl_node *[]){w, dy}, x));
    if (w->needs_grad)
        give_grad(w, bwd(y, RVL_OP_CONV_BWD_WEIGHT, 2, (rvl_node *[]){x, dy}, w));
}

/** Sum over all but the last two axes. */
static rvl_node *sum_batches(rvl_node *x)
{
    return x->n_dims > 2 ? rvl_sum(x, (1U << (x->n_dims - 2)) - 1, false) : x;
}

static rvl_node *as_rows(rvl_node *x)
{
    return rvl_reshape(x, 2, (int64_t[]){-1, x->shape[x->n_dims - 1]});
}

static void matmul_rule(rvl_node *y, rvl_node *dy)
{
    rvl_node *a = y->in[0], *b = y->in[1], *d;
    bool      ta = y->attr.matmul.trans_a, tb = y->attr.matmul.trans_b;

    if (a->needs_grad) {
        d = ta ? rvl_matmul(b, dy, (rvl_matmul_attr){tb, true}) : rvl_matmul(dy, b, (rvl_matmul_attr){false, !tb});
        give_grad(a, a->n_dims == 2 ? sum_batches(d) : d);
    }
    if (!b->needs_grad)
        return;
    rvl_node *rows = a, *d_rows = dy;
    if (b->n_dims == 2 && a->n_dims > 2 && !ta) { /* one product over all rows instead of a sum of products */
        rows = as_rows(a);
        d_rows = as_rows(dy);
    }
    d = tb ? rvl_matmul(d_rows, rows, (rvl_matmul_attr){true, ta})
           : rvl_matmul(rows, d_rows, (rvl_matmul_attr){!ta, false});
    give_grad(b, b->n_dims == 2 ? sum_batches(d) : d);
}

/** Gradient of a broadcast input: sum what was repeated. */
static void give_summed(rvl_node *x, rvl_node *dx)
{
    if (!x->graph->error.code)
        give_grad(x, rvl__sum_to(dx, x->n_dims, x->shape));
}

static void binary_rule(rvl_node *y, rvl_node *dy)
{
    rvl_node *a = y->in[0], *b = y->in[1];

    if (a->needs_grad) {
        rvl_node *d = dy;
        if (y->op == RVL_OP_MUL)
            d = rvl_mul(dy, b);
        else if (y->op == RVL_OP_DIV)
            d = rvl_div(dy, b);
        give_summed(a, d);
    }
    if (b->needs_grad) {
        rvl_node *d = dy;
        if (y->op == RVL_OP_SUB)
            d = rvl_affine(dy, -1.0, 0.0);
        else if (y->op == RVL_OP_MUL)
            d = rvl_mul(dy, a);
        else if (y->op == RVL_OP_DIV)
            d = rvl_affine(rvl_div(rvl_mul(dy, y), b), -1.0, 0.0);
        give_summed(b, d);
    }
}

/** Composed: x as (N, C, rest), scale as (C, 1). */
static void scale_shift_rule(rvl_node *y, rvl_node *dy)
{
    rvl_node     *x = y->in[0], *scale = y->in[1], *shift = y->in[2];
    const int64_t c = x->shape[1], rest = x->count / (x->shape[0] * c);
    const int64_t flat[3] = {x->shape[0], c, rest}, column[2] = {c, 1};
    rvl_node     *d = rvl_reshape(dy, 3, flat);

    if (x->needs_grad)
        give_grad(x, rvl_reshape(rvl_mul(d, rvl_reshape(scale, 2, column)), x->n_dims, x->shape));
    if (scale->needs_grad)
        give_grad(scale, rvl_reshape(rvl__sum_to(rvl_mul(d, rvl_reshape(x, 3, flat)), 2, column), 1, &c));
    if (shift->needs_grad)
        give_grad(shift, rvl_reshape(rvl__sum_to(d, 2, column), 1, &c));
}

/** LayerNorm and BatchNorm: (x, gamma, statistic, statistic, dy) -> dx, dgamma, dbeta. */
static void norm_rule(rvl_node *y, rvl_node *dy)
{
    rvl_op    op = y->op == RVL_OP_LAYER_NORM ? RVL_OP_LAYER_NORM_BWD : RVL_OP_BATCH_NORM_BWD;
    rvl_node *x = y->in[0], *gamma = y->in[1], *beta = y->in[2];
    rvl_node *dx = bwd(y, op, 5, (rvl_node *[]){x, gamma, y->out[1], y->out[2], dy}, x);
    rvl_node *d_gamma = rvl__node_extra(dx, gamma->dtype, gamma->n_dims, gamma->shape);
    rvl_node *d_beta = rvl__node_extra(dx, beta->dtype, beta->n_dims, beta->shape);

    give_grad(x, dx);
    give_grad(gamma, d_gamma);
    give_grad(beta, d_beta);
}

static void sum_rule(rvl_node *y, rvl_node *dy)
{
    rvl_node *x = y->in[0];
    int64_t   kept[RVL_MAX_DIMS];

    for (int i = 0; i < x->n_dims; i++)
        kept[i] = y->attr.reduce.axes >> i & 1U ? 1 : x->shape[i];
    if (y->attr.reduce.scale != 1.0)
        dy = rvl_affine(dy, y->attr.reduce.scale, 0.0);
    dy = rvl_reshape(dy, x->n_dims, kept);
    if (!x->graph->error.code)
        give_grad(x, rvl__broadcast(dy, x->n_dims, x->shape));
}

static void transpose_rule(rvl_node *y, rvl_node *dy)
{
    int inverse[RVL_MAX_DIMS];

    for (int i = 0; i < y->n_dims; i++)
        inverse[y->attr.perm.perm[i]] = i;
    give_grad(y->in[0], rvl_transpose(dy, inverse));
}

static void concat_rule(rvl_node *y, rvl_node *dy)
{
    int64_t start = 0;

    for (int i = 0; i < y->n_in; i++) {
        int64_t n = y->in[i]->shape[y->attr.axis.axis];
        if (y->in[i]->needs_grad)
            give_grad(y->in[i], rvl_slice(dy, y->attr.axis.axis, start, n));
        start += n;
    }
}

/** Gradient of the first input of the ops that differentiate by nothing else. */
static rvl_node *first_input_grad(rvl_node *y, rvl_node *dy)
{
    rvl_node *x = y->in[0];

    switch (y->op) {
    case RVL_OP_MAX_POOL:
        return bwd(y, RVL_OP_MAX_POOL_BWD, 2, (rvl_node *[]){dy, y->out[1]}, x);
    case RVL_OP_AVG_POOL:
        return bwd(y, RVL_OP_AVG_POOL_BWD, 1, &dy, x);
    case RVL_OP_AFFINE:
        return rvl_affine(dy, y->attr.affine.a, 0.0);
    case RVL_OP_UNARY: /* a ReLU's output says as much as its input, which need not be kept */
        return bwd(y, RVL_OP_UNARY_BWD, 2, (rvl_node *[]){y->attr.unary.kind == RVL_UNARY_RELU ? y : x, dy}, x);
    case RVL_OP_SOFTMAX:
        return bwd(y, RVL_OP_SOFTMAX_BWD, 2, (rvl_node *[]){y, dy}, x);
    case RVL_OP_LOG_SOFTMAX:
        return bwd(y, RVL_OP_LOG_SOFTMAX_BWD, 2, (rvl_node *[]){y, dy}, x);
    case RVL_OP_L2_NORMALIZE:
        return bwd(y, RVL_OP_L2_NORMALIZE_BWD, 3, (rvl_node *[]){y, y->out[1], dy}, x);
    case RVL_OP_BROADCAST:
        return rvl__sum_to(dy, x->n_dims, x->shape);
    case RVL_OP_SUM_TO:
        return rvl__broadcast(dy, x->n_dims, x->shape);
    case RVL_OP_RESHAPE:
        return rvl_reshape(dy, x->n_dims, x->shape);
    case RVL_OP_SLICE:
        return bwd(y, RVL_OP_SLICE_BWD, 1, &dy, x);
    case RVL_OP_EMBEDDING:
        return bwd(y, RVL_OP_EMBEDDING_BWD, 2, (rvl_node *[]){y->in[1], dy}, x);
    case RVL_OP_DROPOUT:
        return bwd(y, RVL_OP_DROPOUT, 1, &dy, x); /* the attribute, node_id included, is y's */
    case RVL_OP_BCE:
        return bwd(y, RVL_OP_BCE_BWD, 4, (rvl_node *[]){x, y->in[1], y->in[2], dy}, x);
    case RVL_OP_CROSS_ENTROPY:
        return bwd(y, RVL_OP_CROSS_ENTROPY_BWD, 3, (rvl_node *[]){x, y->in[1], dy}, x);
    case RVL_OP_CROSS_ENTROPY_SOFT:
        return bwd(y, RVL_OP_CROSS_ENTROPY_SOFT_BWD, 3, (rvl_node *[]){x, y->in[1], dy}, x);
    default:
        return rvl__graph_fail(y->graph, RVL_ERR_UNSUPPORTED, "'%s' has no gradient rule", rvl__op_names[y->op]);
    }
}

static void op_rule(rvl_node *y, rvl_node *dy)
{
    switch (y->op) {
    case RVL_OP_CONV:
        conv_rule(y, dy);
        break;
    case RVL_OP_MATMUL:
        matmul_rule(y, dy);
        break;
    case RVL_OP_ADD:
    case RVL_OP_SUB:
    case RVL_OP_MUL:
    case RVL_OP_DIV:
        binary_rule(y, dy);
        break;
    case RVL_OP_LAYER_NORM:
    case RVL_OP_BATCH_NORM:
        norm_rule(y, dy);
        break;
    case RVL_OP_SCALE_SHIFT:
        scale_shift_rule(y, dy);
        break;
    case RVL_OP_SUM:
        sum_rule(y, dy);
        break;
    case RVL_OP_TRANSPOSE:
        transpose_rule(y, dy);
        break;
    case RVL_OP_CONCAT:
        concat_rule(y, dy);
        break;
    default:
        give_grad(y->in[0], first_input_grad(y, dy));
    }
}

/** Inputs whose value the op does not differentiate by: targets and weights of losses. */
static int n_differentiable(const rvl_node *y)
{
    return y->op == RVL_OP_BCE || y->op == RVL_OP_CROSS_ENTROPY_SOFT ? 1 : y->n_in;
}

static bool node_needs_grad(const rvl_node *n)
{
    if (!rvl__node_is_float(n))
        return false;
    if (n->kind == RVL_NODE_INPUT)
        return true;
    if (n->kind == RVL_NODE_WEIGHT)
        return rvl_param_trainable(n->param);
    if (n->kind != RVL_NODE_OP)
        return false;
    for (int i = 0; i < n_differentiable(n); i++)
        if (n->in[i]->needs_grad)
            return true;
    return false;
}

void rvl_graph_backward(rvl_graph *g, int n, rvl_node *const *outputs, rvl_node *const *cotangents)
{
    int n_forward = g->n_nodes;

    if (g->error.code)
        return;
    if (g->has_backward) {
        rvl__graph_fail(g, RVL_ERR_STATE, "the graph has its gradients already");
        return;
    }
    g->has_backward = true;
    g->n_forward = n_forward;
    for (int i = 0; i < n_forward; i++)
        g->nodes[i]->needs_grad = node_needs_grad(g->nodes[i]);
    for (int i = 0; i < n && !g->error.code; i++) {
        rvl_node *y = outputs[i], *dy = cotangents ? cotangents[i] : NULL;
        g->source = y;
        if (y->graph != g || (dy && dy->graph != g))
            rvl__graph_fail(g, RVL_ERR_USAGE, "the node or its cotangent belongs to another graph");
        else if (dy && (dy->dtype != y->dtype || !rvl__shape_equal(y->n_dims, y->shape, dy->n_dims, dy->shape)))
            rvl__graph_fail(g, RVL_ERR_SHAPE, "the cotangent '%s' has another shape or dtype", dy->name);
        else
            give_grad(y, dy ? dy : rvl_fill(g, y->n_dims, y->shape, 1.0));
    }
    for (int i = n_forward - 1; i >= 0 && !g->error.code; i--) {
        rvl_node *y = g->nodes[i];
        g->source = y;
        if (y->kind == RVL_NODE_OP && y->grad)
            op_rule(y, y->grad);
    }
    g->source = NULL;
}

rvl_node *rvl_graph_grad(rvl_graph *g, const rvl_node *node)
{
    if (g->error.code)
        return &g->broken;
    return node->grad;
}
