/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/op/op_graph.h
 * A row of the op table as a graph: every second input is a weight, so both kinds of leaf are covered.
 */
#ifndef RVL_TESTS_OP_GRAPH_H
#define RVL_TESTS_OP_GRAPH_H
#include "op/op_cases.h"
#include "rvl/plan.h"

/* Ids, targets and loss weights take no gradient. */
static bool leaf_has_gradient(const op_case *c, int i)
{
    if (c->op == RVL_OP_BCE || c->op == RVL_OP_CROSS_ENTROPY_SOFT)
        return i == 0;
    return !case_input_is_ids(c, i);
}

/* Weights of the row: batch norm makes its own, under these names. */
static const char *leaf_name(const op_case *c, int i)
{
    static const char *const names[] = {"in0", "in1", "in2", "in3"};
    static const char *const batch_norms[] = {"in0", "weight", "bias"};

    return c->op == RVL_OP_BATCH_NORM ? batch_norms[i] : names[i];
}

static bool leaf_is_weight(const op_case *c, int i)
{
    return i % 2 == 1 ? leaf_has_gradient(c, i) : c->op == RVL_OP_BATCH_NORM && i == 2;
}

/* Sum over what broadcasting repeats has no builder: it is the gradient of adding. Broadcasting likewise is adding to
 * zeros. Reductions say "mean" by their scale. */
static rvl_node *build_row(rvl_graph *g, const op_case *c, rvl_node **in)
{
    switch (c->op) {
    case RVL_OP_CONV:
        return rvl_conv(in[0], in[1], c->attr.conv);
    case RVL_OP_MAX_POOL:
        return rvl_max_pool(in[0], c->attr.pool);
    case RVL_OP_AVG_POOL:
        return rvl_avg_pool(in[0], c->attr.pool);
    case RVL_OP_MATMUL:
        return rvl_matmul(in[0], in[1], c->attr.matmul);
    case RVL_OP_ADD:
        return rvl_add(in[0], in[1]);
    case RVL_OP_SUB:
        return rvl_sub(in[0], in[1]);
    case RVL_OP_MUL:
        return rvl_mul(in[0], in[1]);
    case RVL_OP_DIV:
        return rvl_div(in[0], in[1]);
    case RVL_OP_AFFINE:
        return rvl_affine(in[0], c->attr.affine.a, c->attr.affine.b);
    case RVL_OP_UNARY:
        return rvl_unary(in[0], c->attr.unary.kind, c->attr.unary.a, c->attr.unary.b);
    case RVL_OP_SOFTMAX:
        return rvl_softmax(in[0]);
    case RVL_OP_LOG_SOFTMAX:
        return rvl_log_softmax(in[0]);
    case RVL_OP_L2_NORMALIZE:
        return rvl_l2_normalize(in[0], c->attr.eps.eps);
    case RVL_OP_LAYER_NORM:
        return rvl_layer_norm(in[0], in[1], in[2], c->attr.eps.eps);
    case RVL_OP_BATCH_NORM:
        return rvl_batch_norm(in[0], c->attr.batch_norm);
    case RVL_OP_SCALE_SHIFT:
        return rvl_scale_shift(in[0], in[1], in[2]);
    case RVL_OP_SUM:
        return (c->attr.reduce.scale < 1.0 ? rvl_mean : rvl_sum)(in[0], c->attr.reduce.axes, c->attr.reduce.keep);
    case RVL_OP_BROADCAST:
        return rvl_add(in[0], rvl_fill(g, c->to.n_dims, c->to.shape, 0.0));
    case RVL_OP_RESHAPE:
        return rvl_reshape(in[0], c->to.n_dims, c->to.shape);
    case RVL_OP_TRANSPOSE:
        return rvl_transpose(in[0], c->attr.perm.perm);
    case RVL_OP_SLICE:
        return rvl_slice(in[0], c->attr.slice.axis, c->attr.slice.start, c->attr.slice.n);
    case RVL_OP_CONCAT:
        return rvl_concat(c->n_in, in, c->attr.axis.axis);
    case RVL_OP_EMBEDDING:
        return rvl_embedding(in[0], in[1]);
    case RVL_OP_DROPOUT:
        return rvl_dropout(in[0], c->attr.dropout.p);
    case RVL_OP_BCE:
        return rvl_bce_with_logits(in[0], in[1], in[2]);
    case RVL_OP_CROSS_ENTROPY:
        return rvl_cross_entropy(in[0], in[1]);
    case RVL_OP_CROSS_ENTROPY_SOFT:
        return rvl_cross_entropy_soft(in[0], in[1]);
    default:
        return NULL; /* backward kernels and sum_to */
    }
}

/* The leaves and the row's value; batch norm makes its own weights. */
static rvl_node *row_nodes(rvl_graph *g, const op_case *c, rvl_dtype dtype, rvl_node **in)
{
    for (int i = 0; i < c->n_in; i++) {
        if (c->op == RVL_OP_BATCH_NORM && i > 0)
            continue;
        if (leaf_is_weight(c, i))
            in[i] = rvl_weight(g, leaf_name(c, i), c->in[i].n_dims, c->in[i].shape, (rvl_init){0});
        else
            in[i] = rvl_input(g, leaf_name(c, i), case_input_is_ids(c, i) ? RVL_DTYPE_I32 : dtype, c->in[i].n_dims,
                              c->in[i].shape);
    }
    return build_row(g, c, in);
}

/* Outputs y, d_in0.., grad:<weight> of the row and its gradient by the input "cotangent". */
static void row_graph_finish(rvl_graph *g, const op_case *c, rvl_dtype dtype)
{
    static const char *const grads[] = {"d_in0", "d_in1", "d_in2", "d_in3"};
    rvl_node                *in[4] = {0}, *y = row_nodes(g, c, dtype, in);
    rvl_node                *cotangent = rvl_input(g, "cotangent", dtype, rvl_node_n_dims(y), rvl_node_shape(y));

    rvl_output(g, "y", y);
    rvl_graph_backward(g, 1, &y, &cotangent);
    for (int i = 0; i < c->n_in; i++)
        if (in[i] && leaf_has_gradient(c, i) && !leaf_is_weight(c, i) && rvl_graph_grad(g, in[i]))
            rvl_output(g, grads[i], rvl_graph_grad(g, in[i]));
    rvl_graph_output_weight_grads(g);
}

#endif /* RVL_TESTS_OP_GRAPH_H */
