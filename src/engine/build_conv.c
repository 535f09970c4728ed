/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/build_conv.c
 * Builders of convolution and pooling: shape rules.
 */
#include "engine/convert.h"
#include "engine/node.h"
#include "rvl/ops.h"

static void conv_defaults(rvl_conv_attr *a)
{
    for (int i = 0; i < 3; i++) {
        a->stride[i] = a->stride[i] ? a->stride[i] : 1;
        a->dilation[i] = a->dilation[i] ? a->dilation[i] : 1;
    }
    a->groups = a->groups ? a->groups : 1;
}

static bool conv_attr_is_sane(const rvl_conv_attr *a)
{
    for (int i = 0; i < 3; i++)
        if (a->stride[i] < 0 || a->dilation[i] < 0 || a->pad_before[i] < 0 || a->pad_after[i] < 0)
            return false;
    return a->groups >= 0;
}

rvl_node *rvl_conv(rvl_node *x, rvl_node *w, rvl_conv_attr attr)
{
    rvl_graph *g = x->graph;
    int        n_dims = x->n_dims;
    int64_t    shape[RVL_MAX_DIMS];
    char       xs[RVL_SHAPE_TEXT_BYTES], ws[RVL_SHAPE_TEXT_BYTES];

    if (g->error.code)
        return &g->broken;
    rvl__shape_text(xs, x->n_dims, x->shape);
    rvl__shape_text(ws, w->n_dims, w->shape);
    if (!conv_attr_is_sane(&attr))
        return rvl__graph_fail(g, RVL_ERR_SHAPE, "convolution of %s with weight %s: an attribute is negative", xs, ws);
    conv_defaults(&attr);
    if (n_dims < 3 || n_dims > 5 || w->n_dims != n_dims)
        return rvl__graph_fail(g, RVL_ERR_SHAPE,
                               "convolution of %s with weight %s: both must have 3, 4 or 5 axes, as many", xs, ws);
    if (x->shape[1] != w->shape[1] * attr.groups)
        return rvl__graph_fail(g, RVL_ERR_SHAPE,
                               "convolution of %s with weight %s: %lld channels do not match %lld x %d groups", xs, ws,
                               (long long)x->shape[1], (long long)w->shape[1], attr.groups);
    if (w->shape[0] % attr.groups)
        return rvl__graph_fail(g, RVL_ERR_SHAPE,
                               "convolution of %s with weight %s: %lld output channels do not divide into %d groups",
                               xs, ws, (long long)w->shape[0], attr.groups);
    shape[0] = x->shape[0];
    shape[1] = w->shape[0];
    for (int i = 0; i < n_dims - 2; i++) {
        int64_t padded = x->shape[i + 2] + attr.pad_before[i] + attr.pad_after[i];
        int64_t kernel = attr.dilation[i] * (w->shape[i + 2] - 1) + 1;
        if (padded < kernel)
            return rvl__graph_fail(
                g, RVL_ERR_SHAPE, "convolution of %s with weight %s: the kernel covers %lld of %lld on spatial axis %d",
                xs, ws, (long long)kernel, (long long)padded, i);
        shape[i + 2] = (padded - kernel) / attr.stride[i] + 1;
    }
    return rvl__node_op(g, RVL_OP_CONV, "conv", (rvl_op_attr){.conv = attr}, 2, (rvl_node *[]){x, w}, n_dims, shape);
}

/** Fills `shape` and the attribute's defaults; false: the graph failed. */
static bool pool_shape(int64_t *shape, rvl_pool_attr *a, const rvl_node *x, const char *label)
{
    rvl_graph *g = x->graph;
    char       xs[RVL_SHAPE_TEXT_BYTES];

    if (g->error.code)
        return false;
    rvl__shape_text(xs, x->n_dims, x->shape);
    if (x->n_dims < 3 || x->n_dims > 5) {
        rvl__graph_fail(g, RVL_ERR_SHAPE, "%s of %s: needs 3, 4 or 5 axes", label, xs);
        return false;
    }
    shape[0] = x->shape[0];
    shape[1] = x->shape[1];
    for (int i = 0; i < x->n_dims - 2; i++) {
        a->stride[i] = a->stride[i] ? a->stride[i] : a->kernel[i];
        int64_t padded = x->shape[i + 2] + 2 * (int64_t)a->pad[i];
        if (a->kernel[i] < 1 || a->stride[i] < 1 || a->pad[i] < 0 || 2 * a->pad[i] > a->kernel[i]) {
            rvl__graph_fail(
                g, RVL_ERR_SHAPE,
                "%s of %s: kernel %d, stride %d, pad %d on spatial axis %d (a pad is at most half a kernel)", label, xs,
                a->kernel[i], a->stride[i], a->pad[i], i);
            return false;
        }
        if (padded < a->kernel[i]) {
            rvl__graph_fail(g, RVL_ERR_SHAPE, "%s of %s: the kernel covers %d of %lld on spatial axis %d", label, xs,
                            a->kernel[i], (long long)padded, i);
            return false;
        }
        shape[i + 2] = (padded - a->kernel[i]) / a->stride[i] + 1;
    }
    return true;
}

rvl_node *rvl_max_pool(rvl_node *x, rvl_pool_attr attr)
{
    rvl_graph *g = x->graph;
    int64_t    shape[RVL_MAX_DIMS];

    if (!pool_shape(shape, &attr, x, "max-pool"))
        return &g->broken;
    rvl_node *y = rvl__node_op(g, RVL_OP_MAX_POOL, "max_pool", (rvl_op_attr){.pool = attr}, 1, &x, x->n_dims, shape);
    rvl__node_extra(y, RVL_DTYPE_I32, x->n_dims, shape);
    return y;
}

rvl_node *rvl_avg_pool(rvl_node *x, rvl_pool_attr attr)
{
    rvl_graph *g = x->graph;
    int64_t    shape[RVL_MAX_DIMS];

    if (!pool_shape(shape, &attr, x, "average pool"))
        return &g->broken;
    return rvl__node_op(g, RVL_OP_AVG_POOL, "avg_pool", (rvl_op_attr){.pool = attr}, 1, &x, x->n_dims, shape);
}
