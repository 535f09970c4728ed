/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/build_shape.c
 * Builders that move or reduce elements: sums, reshape, transpose, slice, concat, embedding, broadcast.
 */
#include "engine/convert.h"
#include "engine/node.h"
#include "rvl/ops.h"
#include <string.h>

#define NO_ATTR ((rvl_op_attr){.none = {0}})

static rvl_node *reduce(rvl_node *x, unsigned axes, bool keep, bool is_mean)
{
    rvl_graph *g = x->graph;
    int64_t    shape[RVL_MAX_DIMS];
    int        n_dims = 0;
    int64_t    n_reduced = 1;

    if (g->error.code)
        return &g->broken;
    if (axes == 0 || axes >> x->n_dims)
        return rvl__graph_fail(g, RVL_ERR_SHAPE, "sum over axes 0x%x: the mask does not fit %d axes", axes, x->n_dims);
    for (int i = 0; i < x->n_dims; i++) {
        bool is_reduced = axes >> i & 1U;
        if (is_reduced)
            n_reduced *= x->shape[i];
        if (!is_reduced || keep)
            shape[n_dims++] = is_reduced ? 1 : x->shape[i];
    }
    if (n_dims == 0)
        shape[n_dims++] = 1;
    rvl_op_attr attr = {.reduce = {axes, keep, is_mean ? 1.0 / (double)n_reduced : 1.0}};
    return rvl__node_op(g, RVL_OP_SUM, is_mean ? "mean" : "sum", attr, 1, &x, n_dims, shape);
}

rvl_node *rvl_sum(rvl_node *x, unsigned axes, bool keep)
{
    return reduce(x, axes, keep, false);
}

rvl_node *rvl_mean(rvl_node *x, unsigned axes, bool keep)
{
    return reduce(x, axes, keep, true);
}

rvl_node *rvl__sum_to(rvl_node *x, int n_dims, const int64_t *shape)
{
    if (rvl__shape_equal(x->n_dims, x->shape, n_dims, shape))
        return x;
    return rvl__node_op(x->graph, RVL_OP_SUM_TO, "sum_to", NO_ATTR, 1, &x, n_dims, shape);
}

rvl_node *rvl__broadcast(rvl_node *x, int n_dims, const int64_t *shape)
{
    if (rvl__shape_equal(x->n_dims, x->shape, n_dims, shape))
        return x;
    return rvl__node_op(x->graph, RVL_OP_BROADCAST, "broadcast", NO_ATTR, 1, &x, n_dims, shape);
}

rvl_node *rvl_reshape(rvl_node *x, int n_dims, const int64_t *shape)
{
    rvl_graph *g = x->graph;
    int64_t    full[RVL_MAX_DIMS];
    char       xs[RVL_SHAPE_TEXT_BYTES], ys[RVL_SHAPE_TEXT_BYTES];
    int        i_free = -1;
    int64_t    count = 1;

    if (g->error.code)
        return &g->broken;
    if (n_dims < 1 || n_dims > RVL_MAX_DIMS)
        return rvl__graph_fail(g, RVL_ERR_SHAPE, "reshape to %d axes: 1 to %d are possible", n_dims, RVL_MAX_DIMS);
    rvl__shape_text(xs, x->n_dims, x->shape);
    rvl__shape_text(ys, n_dims, shape);
    for (int i = 0; i < n_dims; i++) {
        full[i] = shape[i];
        if (shape[i] == -1 && i_free < 0)
            i_free = i;
        else if (shape[i] < 1 || count > x->count / shape[i])
            return rvl__graph_fail(g, RVL_ERR_SHAPE, "reshape of %s to %s: element counts differ", xs, ys);
        else
            count *= shape[i];
    }
    if (i_free >= 0 && x->count % count == 0) {
        full[i_free] = x->count / count;
        count = x->count;
    }
    if (count != x->count)
        return rvl__graph_fail(g, RVL_ERR_SHAPE, "reshape of %s to %s: element counts differ", xs, ys);
    return rvl__node_op(g, RVL_OP_RESHAPE, "reshape", NO_ATTR, 1, &x, n_dims, full);
}

rvl_node *rvl_transpose(rvl_node *x, const int *perm)
{
    rvl_graph  *g = x->graph;
    rvl_op_attr attr = {.perm = {{0}}};
    int64_t     shape[RVL_MAX_DIMS];
    unsigned    seen = 0;

    if (g->error.code)
        return &g->broken;
    for (int i = 0; i < x->n_dims; i++) {
        if (perm[i] < 0 || perm[i] >= x->n_dims || (seen >> perm[i] & 1U))
            return rvl__graph_fail(g, RVL_ERR_SHAPE,
                                   "transpose: entry %d of the permutation is %d: out of range or "
                                   "there twice for %d axes",
                                   i, perm[i], x->n_dims);
        seen |= 1U << perm[i];
        attr.perm.perm[i] = perm[i];
        shape[i] = x->shape[perm[i]];
    }
    return rvl__node_op(g, RVL_OP_TRANSPOSE, "transpose", attr, 1, &x, x->n_dims, shape);
}

/** A negative axis counts from the end; -1 and a failed graph if it does not exist. */
static int axis_of(const rvl_node *x, int axis, const char *label)
{
    int i = axis < 0 ? axis + x->n_dims : axis;

    if (i >= 0 && i < x->n_dims)
        return i;
    rvl__graph_fail(x->graph, RVL_ERR_SHAPE, "%s along axis %d of %d axes", label, axis, x->n_dims);
    return -1;
}

rvl_node *rvl_slice(rvl_node *x, int axis, int64_t start, int64_t n)
{
    rvl_graph *g = x->graph;
    int64_t    shape[RVL_MAX_DIMS];

    if (g->error.code)
        return &g->broken;
    axis = axis_of(x, axis, "slice");
    if (axis < 0)
        return &g->broken;
    if (start < 0 || n < 1 || start > x->shape[axis] || n > x->shape[axis] - start) {
        char xs[RVL_SHAPE_TEXT_BYTES];
        return rvl__graph_fail(g, RVL_ERR_SHAPE, "slice of %s along axis %d: %lld from %lld on is outside",
                               rvl__shape_text(xs, x->n_dims, x->shape), axis, (long long)n, (long long)start);
    }
    memcpy(shape, x->shape, sizeof shape);
    shape[axis] = n;
    return rvl__node_op(g, RVL_OP_SLICE, "slice", (rvl_op_attr){.slice = {axis, start, n}}, 1, &x, x->n_dims, shape);
}

rvl_node *rvl_concat(int n, rvl_node *const *x, int axis)
{
    rvl_graph *g = x[0]->graph;
    rvl_node  *parts[RVL_KERNEL_MAX_IN];
    int64_t    shape[RVL_MAX_DIMS];
    int        n_parts = n < RVL_KERNEL_MAX_IN ? n : RVL_KERNEL_MAX_IN;

    if (g->error.code)
        return &g->broken;
    axis = axis_of(x[0], axis, "concat");
    if (axis < 0)
        return &g->broken;
    memcpy(parts, x, (size_t)n_parts * sizeof *x);
    if (n > n_parts) /* more than a kernel takes: the last part is a concat itself */
        parts[n_parts - 1] = rvl_concat(n - n_parts + 1, x + n_parts - 1, axis);
    if (g->error.code)
        return &g->broken;
    memcpy(shape, x[0]->shape, sizeof shape);
    shape[axis] = 0;
    for (int i = 0; i < n_parts; i++) {
        const rvl_node *p = parts[i];
        bool            fits = p->n_dims == x[0]->n_dims;
        for (int k = 0; fits && k < p->n_dims; k++)
            fits = k == axis || p->shape[k] == shape[k];
        if (!fits) {
            char as[RVL_SHAPE_TEXT_BYTES], bs[RVL_SHAPE_TEXT_BYTES];
            return rvl__graph_fail(g, RVL_ERR_SHAPE, "concat of %s and %s along axis %d: the other axes differ",
                                   rvl__shape_text(as, x[0]->n_dims, x[0]->shape),
                                   rvl__shape_text(bs, p->n_dims, p->shape), axis);
        }
        shape[axis] += p->shape[axis];
    }
    return rvl__node_op(g, RVL_OP_CONCAT, "concat", (rvl_op_attr){.axis = {axis}}, n_parts, parts, x[0]->n_dims, shape);
}

rvl_node *rvl_embedding(rvl_node *table, rvl_node *ids)
{
    rvl_graph *g = table->graph;
    int64_t    shape[RVL_MAX_DIMS];

    if (g->error.code)
        return &g->broken;
    if (table->n_dims != 2 || ids->n_dims >= RVL_MAX_DIMS)
        return rvl__graph_fail(g, RVL_ERR_SHAPE, "embedding: a table of %d axes (must be 2), ids of %d (at most %d)",
                               table->n_dims, ids->n_dims, RVL_MAX_DIMS - 1);
    memcpy(shape, ids->shape, sizeof shape);
    shape[ids->n_dims] = table->shape[1];
    return rvl__node_op(g, RVL_OP_EMBEDDING, "embedding", NO_ATTR, 2, (rvl_node *[]){table, ids}, ids->n_dims + 1,
                        shape);
}
