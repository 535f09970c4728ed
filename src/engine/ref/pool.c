/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/ref/pool.c
 * Max and average pooling in 1, 2 and 3 dimensions. Gradients are gathered: each input position sums the windows
 * that cover it, in order.
 */
#include <math.h>
#include "engine/ref/ref.h"

/* Seen in three dimensions; axis 0 is depth. */
typedef struct {
    int64_t n_planes, in[3], out[3], kernel[3], stride[3], pad[3];
    int64_t n_in, n_out; /* elements of a plane */
} geometry;

static geometry geometry_of(const rvl_buf *x, const rvl_buf *y, const rvl_pool_attr *attr)
{
    const int rank = x->n_dims - 2;
    geometry  g = {.n_planes = x->shape[0] * x->shape[1], .n_in = 1, .n_out = 1};

    for (int i = 0; i < 3; i++) {
        const int axis = i - (3 - rank);

        g.in[i] = g.out[i] = g.kernel[i] = g.stride[i] = 1;
        if (axis >= 0) {
            g.in[i] = x->shape[axis + 2];
            g.out[i] = y->shape[axis + 2];
            g.kernel[i] = attr->kernel[axis];
            g.stride[i] = attr->stride[axis] ? attr->stride[axis] : attr->kernel[axis];
            g.pad[i] = attr->pad[axis];
        }
        g.n_in *= g.in[i];
        g.n_out *= g.out[i];
    }
    return g;
}

/* Positions of one axis, from `low` to before `high`. */
typedef struct {
    int64_t low, high;
} span;

/* Input positions inside the window of output position i. */
static span window_of(const geometry *g, int axis, int64_t i)
{
    const int64_t start = i * g->stride[axis] - g->pad[axis];

    return (span){start < 0 ? 0 : start, rvl_ref_min(start + g->kernel[axis], g->in[axis])};
}

/* Output positions whose windows cover input position i, given those over an earlier position ({0, 0} at first). */
static span windows_over(const geometry *g, int axis, int64_t i, span s)
{
    while (s.low < g->out[axis] && s.low * g->stride[axis] - g->pad[axis] + g->kernel[axis] <= i)
        s.low++;
    while (s.high < g->out[axis] && s.high * g->stride[axis] - g->pad[axis] <= i)
        s.high++;
    return s;
}

#define RVL_REF_FILE "engine/ref/pool.inc"
#include "engine/ref/both.h"

RVL_REF_DISPATCH(max_pool)
RVL_REF_DISPATCH(max_pool_bwd)
RVL_REF_DISPATCH(avg_pool)
RVL_REF_DISPATCH(avg_pool_bwd)
