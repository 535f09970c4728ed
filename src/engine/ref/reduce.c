/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/ref/reduce.c
 * Sums over axes, and broadcasting, which is their gradient.
 */
#include <string.h>
#include "engine/ref/ref.h"

/* Sums that one thread carries at a time. */
#define COLUMNS 64

/* The axes of a reduction, kept and reduced ones apart, in storage order. */
typedef struct {
    int     n_kept, n_reduced;
    int64_t kept[RVL_MAX_DIMS], kept_stride[RVL_MAX_DIMS];
    int64_t reduced[RVL_MAX_DIMS], reduced_stride[RVL_MAX_DIMS];
    int64_t n_out, n_in; /* outputs, and elements summed for each */
} reduction;

static reduction reduction_of(const rvl_buf *x, unsigned axes)
{
    reduction    r = {.n_out = 1, .n_in = 1};
    rvl_ref_walk walk;

    rvl__ref_walk_reduce(&walk, x, axes);
    for (int i = 0; i < walk.n_dims; i++) {
        if (walk.stride[1][i] == 0) {
            r.reduced[r.n_reduced] = walk.shape[i];
            r.reduced_stride[r.n_reduced++] = walk.stride[0][i];
            r.n_in *= walk.shape[i];
        } else {
            r.kept[r.n_kept] = walk.shape[i];
            r.kept_stride[r.n_kept++] = walk.stride[0][i];
            r.n_out *= walk.shape[i];
        }
    }
    return r;
}

/* Offset of index i over the first `n` axes. */
static int64_t offset_of(int n, const int64_t *extent, const int64_t *stride, int64_t i)
{
    int64_t offset = 0;

    for (int a = n - 1; a >= 0; a--) {
        offset += i % extent[a] * stride[a];
        i /= extent[a];
    }
    return offset;
}

#define RVL_REF_FILE "engine/ref/reduce.inc"
#include "engine/ref/both.h"

RVL_REF_DISPATCH(sum)
RVL_REF_DISPATCH(sum_to)
RVL_REF_DISPATCH(broadcast)
