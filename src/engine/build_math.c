/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/build_math.c
 * Builders of matmul, element-by-element arithmetic, activations, softmax and dropout: shape rules.
 */
#include "engine/convert.h"
#include "engine/node.h"
#include "rvl/ops.h"
#include <string.h>

#define NO_ATTR ((rvl_op_attr){.none = {0}})

rvl_node *rvl_matmul(rvl_node *a, rvl_node *b, rvl_matmul_attr attr)
{
    rvl_graph *g = a->graph;
    int64_t    shape[RVL_MAX_DIMS];
    char       as[RVL_SHAPE_TEXT_BYTES], bs[RVL_SHAPE_TEXT_BYTES];

    if (g->error.code)
        return &g->broken;
    rvl__shape_text(as, a->n_dims, a->shape);
    rvl__shape_text(bs, b->n_dims, b->shape);
    if (a->n_dims < 2 || b->n_dims < 2)
        return rvl__graph_fail(g, RVL_ERR_SHAPE, "matmul of %s and %s: both need 2 axes or more", as, bs);
    int64_t m = a->shape[a->n_dims - (attr.trans_a ? 1 : 2)], ka = a->shape[a->n_dims - (attr.trans_a ? 2 : 1)];
    int64_t kb = b->shape[b->n_dims - (attr.trans_b ? 1 : 2)], n = b->shape[b->n_dims - (attr.trans_b ? 2 : 1)];
    if (ka != kb)
        return rvl__graph_fail(g, RVL_ERR_SHAPE, "matmul of %s%s and %s%s: inner extents %lld and %lld differ", as,
                               attr.trans_a ? "^T" : "", bs, attr.trans_b ? "^T" : "", (long long)ka, (long long)kb);
    const rvl_node *wide = a->n_dims > b->n_dims ? a : b;
    if (a->n_dims > 2 && b->n_dims > 2 && !rvl__shape_equal(a->n_dims - 2, a->shape, b->n_dims - 2, b->shape))
        return rvl__graph_fail(g, RVL_ERR_SHAPE, "matmul of %s and %s: batch axes differ", as, bs);
    memcpy(shape, wide->shape, sizeof shape);
    shape[wide->n_dims - 2] = m;
    shape[wide->n_dims - 1] = n;
    return rvl__node_op(g, RVL_OP_MATMUL, "matmul", (rvl_op_attr){.matmul = attr}, 2, (rvl_node *[]){a, b},
                        wide->n_dims, shape);
}

static rvl_node *binary(rvl_op op, const char *label, rvl_node *a, rvl_node *b)
{
    rvl_graph *g = a->graph;
    int        n_dims = a->n_dims > b->n_dims ? a->n_dims : b->n_dims;
    int64_t    shape[RVL_MAX_DIMS];

    if (g->error.code)
        return &g->broken;
    for (int i = 1; i <= n_dims; i++) { /* axes are counted from the last */
        int64_t ea = i <= a->n_dims ? a->shape[a->n_dims - i] : 1;
        int64_t eb = i <= b->n_dims ? b->shape[b->n_dims - i] : 1;
        if (ea != eb && ea != 1 && eb != 1) {
            char as[RVL_SHAPE_TEXT_BYTES], bs[RVL_SHAPE_TEXT_BYTES];
            return rvl__graph_fail(g, RVL_ERR_SHAPE, "%s of %s and %s: extents %lld and %lld do not broadcast", label,
                                   rvl__shape_text(as, a->n_dims, a->shape), rvl__shape_text(bs, b->n_dims, b->shape),
                                   (long long)ea, (long long)eb);
        }
        shape[n_dims - i] = ea > eb ? ea : eb;
    }
    return rvl__node_op(g, op, label, NO_ATTR, 2, (rvl_node *[]){a, b}, n_dims, shape);
}

rvl_node *rvl_add(rvl_node *a, rvl_node *b)
{
    return binary(RVL_OP_ADD, "add", a, b);
}

rvl_node *rvl_sub(rvl_node *a, rvl_node *b)
{
    return binary(RVL_OP_SUB, "sub", a, b);
}

rvl_node *rvl_mul(rvl_node *a, rvl_node *b)
{
    return binary(RVL_OP_MUL, "mul", a, b);
}

rvl_node *rvl_div(rvl_node *a, rvl_node *b)
{
    return binary(RVL_OP_DIV, "div", a, b);
}

static rvl_node *same_shape(rvl_op op, const char *label, rvl_op_attr attr, rvl_node *x)
{
    return rvl__node_op(x->graph, op, label, attr, 1, &x, x->n_dims, x->shape);
}

rvl_node *rvl_affine(rvl_node *x, double a, double b)
{
    return same_shape(RVL_OP_AFFINE, "affine", (rvl_op_attr){.affine = {a, b}}, x);
}

rvl_node *rvl_unary(rvl_node *x, rvl_unary_kind kind, double a, double b)
{
    static const char *const labels[] = {"exp",       "log",        "sqrt", "square",  "relu", "leaky_relu", "gelu",
                                         "gelu_tanh", "gelu_quick", "silu", "sigmoid", "tanh", "softplus",   "clamp"};

    if ((int)kind < 0 || (size_t)kind >= RVL_ARRAY_LEN(labels))
        return rvl__graph_fail(x->graph, RVL_ERR_USAGE, "unary kind %d is unknown", (int)kind);
    if (kind == RVL_UNARY_CLAMP && !(a <= b))
        return rvl__graph_fail(x->graph, RVL_ERR_USAGE, "clamp to %g .. %g: the range is empty", a, b);
    return same_shape(RVL_OP_UNARY, labels[kind], (rvl_op_attr){.unary = {kind, a, b}}, x);
}

rvl_node *rvl_relu(rvl_node *x)
{
    return rvl_unary(x, RVL_UNARY_RELU, 0.0, 0.0);
}

rvl_node *rvl_exp(rvl_node *x)
{
    return rvl_unary(x, RVL_UNARY_EXP, 0.0, 0.0);
}

rvl_node *rvl_gelu(rvl_node *x)
{
    return rvl_unary(x, RVL_UNARY_GELU_ERF, 0.0, 0.0);
}

rvl_node *rvl_softmax(rvl_node *x)
{
    return same_shape(RVL_OP_SOFTMAX, "softmax", NO_ATTR, x);
}

rvl_node *rvl_log_softmax(rvl_node *x)
{
    return same_shape(RVL_OP_LOG_SOFTMAX, "log_softmax", NO_ATTR, x);
}

rvl_node *rvl_dropout(rvl_node *x, double p)
{
    rvl_graph *g = x->graph;

    if (g->error.code)
        return &g->broken;
    if (!(p >= 0.0 && p < 1.0))
        return rvl__graph_fail(g, RVL_ERR_USAGE, "dropout with probability %g: must be in 0 .. 1, without 1", p);
    rvl_node *y = same_shape(RVL_OP_DROPOUT, "dropout", (rvl_op_attr){.dropout = {p, 0}}, x);
    if (y->kind == RVL_NODE_OP)
        y->attr.dropout.node_id = y->name_hash; /* by name: other nodes of the graph do not change the numbers */
    return y;
}
