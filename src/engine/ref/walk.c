/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/ref/walk.c
 * Loops over broadcast and reduced axes.
 */
#include "engine/ref/ref.h"

/* Append an axis, or widen the last one where both operands continue in it. */
static void walk_add(rvl_ref_walk *walk, int64_t extent, int64_t stride_a, int64_t stride_b)
{
    const int last = walk->n_dims - 1;

    if (extent == 1 && walk->n_dims > 0)
        return;
    if (walk->n_dims > 0 && walk->shape[last] == 1) {
        walk->n_dims--;
    } else if (walk->n_dims > 0 && walk->stride[0][last] == stride_a * extent &&
               walk->stride[1][last] == stride_b * extent) {
        walk->shape[last] *= extent;
        walk->stride[0][last] = stride_a;
        walk->stride[1][last] = stride_b;
        return;
    }
    walk->shape[walk->n_dims] = extent;
    walk->stride[0][walk->n_dims] = stride_a;
    walk->stride[1][walk->n_dims] = stride_b;
    walk->n_dims++;
}

static void walk_finish(rvl_ref_walk *walk)
{
    walk->n_rows = 1;
    for (int i = 0; i + 1 < walk->n_dims; i++)
        walk->n_rows *= walk->shape[i];
}

/* Strides of `x` along the axes of a shape of `n_dims`, aligned at the last axis; 0 where x is repeated. */
static void broadcast_strides(int64_t *stride, int n_dims, const rvl_buf *x)
{
    int64_t step = 1;

    for (int i = n_dims - 1; i >= 0; i--) {
        const int axis = i - (n_dims - x->n_dims);

        stride[i] = axis >= 0 && x->shape[axis] != 1 ? step : 0;
        if (axis >= 0)
            step *= x->shape[axis];
    }
}

void rvl__ref_walk_broadcast(rvl_ref_walk *walk, const rvl_buf *out, const rvl_buf *a, const rvl_buf *b)
{
    int64_t stride_a[RVL_MAX_DIMS], stride_b[RVL_MAX_DIMS];

    *walk = (rvl_ref_walk){.n_dims = 0};
    broadcast_strides(stride_a, out->n_dims, a);
    broadcast_strides(stride_b, out->n_dims, b ? b : a);
    for (int i = 0; i < out->n_dims; i++)
        walk_add(walk, out->shape[i], stride_a[i], stride_b[i]);
    walk_finish(walk);
}

void rvl__ref_walk_reduce(rvl_ref_walk *walk, const rvl_buf *x, unsigned reduced)
{
    int64_t stride_x[RVL_MAX_DIMS], stride_y[RVL_MAX_DIMS], step_x = 1, step_y = 1;

    *walk = (rvl_ref_walk){.n_dims = 0};
    for (int i = x->n_dims - 1; i >= 0; i--) {
        const bool is_reduced = reduced >> i & 1u;

        stride_x[i] = step_x;
        stride_y[i] = is_reduced ? 0 : step_y;
        step_x *= x->shape[i];
        step_y *= is_reduced ? 1 : x->shape[i];
    }
    for (int i = 0; i < x->n_dims; i++)
        walk_add(walk, x->shape[i], stride_x[i], stride_y[i]);
    walk_finish(walk);
}

int64_t rvl__ref_walk_row(const rvl_ref_walk *walk, int i_operand, int64_t i_row)
{
    int64_t offset = 0;

    for (int i = walk->n_dims - 2; i >= 0; i--) {
        offset += i_row % walk->shape[i] * walk->stride[i_operand][i];
        i_row /= walk->shape[i];
    }
    return offset;
}
