/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/build_norm.c
 * Builders of normalisation: L2, LayerNorm, BatchNorm (training as one op, evaluation composed).
 */
#include "engine/convert.h"
#include "engine/node.h"
#include "rvl/ops.h"
#include <string.h>

rvl_node *rvl_l2_normalize(rvl_node *x, double eps)
{
    rvl_graph *g = x->graph;
    int64_t    norm_shape[RVL_MAX_DIMS];

    if (g->error.code)
        return &g->broken;
    if (!(eps >= 0.0))
        return rvl__graph_fail(g, RVL_ERR_USAGE, "l2_normalize: eps %g is negative", eps);
    rvl_node *y =
        rvl__node_op(g, RVL_OP_L2_NORMALIZE, "l2_normalize", (rvl_op_attr){.eps = {eps}}, 1, &x, x->n_dims, x->shape);
    memcpy(norm_shape, x->shape, sizeof norm_shape);
    norm_shape[x->n_dims - 1] = 1;
    rvl__node_extra(y, g->dtype, x->n_dims, norm_shape);
    return y;
}

rvl_node *rvl_layer_norm(rvl_node *x, rvl_node *gamma, rvl_node *beta, double eps)
{
    rvl_graph *g = x->graph;
    int64_t    e = x->shape[x->n_dims - 1];
    int64_t    one = 1;

    if (g->error.code)
        return &g->broken;
    if (!rvl__shape_equal(1, &e, gamma->n_dims, gamma->shape) || !rvl__shape_equal(1, &e, beta->n_dims, beta->shape)) {
        char xs[RVL_SHAPE_TEXT_BYTES], gs[RVL_SHAPE_TEXT_BYTES], bs[RVL_SHAPE_TEXT_BYTES];
        return rvl__graph_fail(g, RVL_ERR_SHAPE, "layer_norm of %s: gamma %s and beta %s must both be (%lld)",
                               rvl__shape_text(xs, x->n_dims, x->shape),
                               rvl__shape_text(gs, gamma->n_dims, gamma->shape),
                               rvl__shape_text(bs, beta->n_dims, beta->shape), (long long)e);
    }
    rvl_node *y = rvl__node_op(g, RVL_OP_LAYER_NORM, "layer_norm", (rvl_op_attr){.eps = {eps}}, 3,
                               (rvl_node *[]){x, gamma, beta}, x->n_dims, x->shape);
    int       n_rows_dims = x->n_dims > 1 ? x->n_dims - 1 : 1;
    for (int i = 0; i < 2; i++)
        rvl__node_extra(y, g->dtype, n_rows_dims, x->n_dims > 1 ? x->shape : &one);
    return y;
}

rvl_node *rvl_scale_shift(rvl_node *x, rvl_node *scale, rvl_node *shift)
{
    rvl_graph *g = x->graph;
    char       xs[RVL_SHAPE_TEXT_BYTES], as[RVL_SHAPE_TEXT_BYTES], bs[RVL_SHAPE_TEXT_BYTES];

    if (g->error.code)
        return &g->broken;
    if (x->n_dims < 2 || !rvl__shape_equal(1, &x->shape[1], scale->n_dims, scale->shape) ||
        !rvl__shape_equal(1, &x->shape[1], shift->n_dims, shift->shape))
        return rvl__graph_fail(
            g, RVL_ERR_SHAPE, "scale_shift of %s: scale %s and shift %s must both have one value per channel (axis 1)",
            rvl__shape_text(xs, x->n_dims, x->shape), rvl__shape_text(as, scale->n_dims, scale->shape),
            rvl__shape_text(bs, shift->n_dims, shift->shape));
    return rvl__node_op(g, RVL_OP_SCALE_SHIFT, "scale_shift", (rvl_op_attr){.none = {0}}, 3,
                        (rvl_node *[]){x, scale, shift}, x->n_dims, x->shape);
}

/** x * scale + shift with scale = gamma / sqrt(var + eps), shift = beta - mean * scale. */
static rvl_node *batch_norm_eval(rvl_node *x, rvl_node *gamma, rvl_node *beta, rvl_node *mean, rvl_node *var,
                                 double eps)
{
    rvl_node *deviation = rvl_unary(rvl_affine(var, 1.0, eps), RVL_UNARY_SQRT, 0.0, 0.0);
    rvl_node *scale = rvl_div(gamma, deviation);

    return rvl_scale_shift(x, scale, rvl_sub(beta, rvl_mul(mean, scale)));
}

rvl_node *rvl_batch_norm(rvl_node *x, rvl_batch_norm_attr attr)
{
    rvl_graph *g = x->graph;
    char       xs[RVL_SHAPE_TEXT_BYTES];

    if (g->error.code)
        return &g->broken;
    rvl__shape_text(xs, x->n_dims, x->shape);
    if (x->n_dims < 2)
        return rvl__graph_fail(g, RVL_ERR_SHAPE, "batch_norm of %s: needs 2 axes or more", xs);
    int64_t n = x->shape[0], c = x->shape[1];
    attr.momentum = attr.momentum == 0.0 ? 0.1 : attr.momentum;
    attr.eps = attr.eps == 0.0 ? 1e-5 : attr.eps;
    attr.group = attr.group ? attr.group : (int)n;
    rvl_node *gamma = rvl_weight(g, "weight", 1, &c, (rvl_init){RVL_INIT_ONES, 0.0});
    rvl_node *beta = rvl_weight(g, "bias", 1, &c, (rvl_init){RVL_INIT_ZEROS, 0.0});
    rvl_node *mean = rvl_state_read(g, "running_mean", 1, &c, 0.0);
    rvl_node *var = rvl_state_read(g, "running_var", 1, &c, 1.0);
    if (g->error.code)
        return &g->broken;
    if (!attr.training)
        return batch_norm_eval(x, gamma, beta, mean, var, attr.eps);
    if (attr.group < 1 || n % attr.group)
        return rvl__graph_fail(g, RVL_ERR_SHAPE, "batch_norm of %s: %lld samples do not divide into groups of %d", xs,
                               (long long)n, attr.group);
    if (attr.group * (x->count / (n * c)) < 2)
        return rvl__graph_fail(g, RVL_ERR_SHAPE,
                               "batch_norm of %s in groups of %d: training needs two values or more in a channel", xs,
                               attr.group);
    rvl_node *y = rvl__node_op(g, RVL_OP_BATCH_NORM, "batch_norm", (rvl_op_attr){.batch_norm = attr}, 3,
                               (rvl_node *[]){x, gamma, beta}, x->n_dims, x->shape);
    for (int i = 0; i < 2; i++)
        rvl__node_extra(y, g->dtype, 2, (int64_t[]){n / attr.group, c});
    if (y->kind == RVL_NODE_OP) {
        y->state[0] = mean->state[0];
        y->state[1] = var->state[0];
    }
    return y;
}
