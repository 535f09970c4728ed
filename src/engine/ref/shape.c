/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/ref/shape.c
 * Kernels that only move elements, of any type: reshape, transpose, slice, concat.
 */
#include <string.h>
#include "engine/ref/ref.h"

/* An axis as (outer, extent, inner): elements before it and bytes behind it. */
typedef struct {
    int64_t n_outer, inner_bytes;
} axis_split;

static axis_split split_at(const rvl_buf *x, int axis)
{
    axis_split s = {.n_outer = 1, .inner_bytes = (int64_t)rvl_dtype_bytes(x->dtype)};

    for (int i = 0; i < axis; i++)
        s.n_outer *= x->shape[i];
    for (int i = axis + 1; i < x->n_dims; i++)
        s.inner_bytes *= x->shape[i];
    return s;
}

void rvl__ref_reshape(rvl_kernel_call *call)
{
    memcpy(call->out[0].data, call->in[0].data, (size_t)call->out[0].count * rvl_dtype_bytes(call->out[0].dtype));
}

/* Copy `n` elements of 4 or 8 bytes, in steps of `stride` elements. */
static void copy_strided(char *dst, const char *src, int64_t n, int64_t stride, size_t bytes)
{
    if (stride == 1) {
        memcpy(dst, src, (size_t)n * bytes);
    } else if (bytes == 4) {
        for (int64_t i = 0; i < n; i++)
            memcpy(dst + i * 4, src + i * stride * 4, 4);
    } else {
        for (int64_t i = 0; i < n; i++)
            memcpy(dst + i * 8, src + i * stride * 8, 8);
    }
}

void rvl__ref_transpose(rvl_kernel_call *call)
{
    const rvl_buf *x = &call->in[0], *y = &call->out[0];
    const size_t   bytes = rvl_dtype_bytes(y->dtype);
    const int      last = y->n_dims - 1;
    const int64_t  n_row = y->shape[last];
    int64_t        x_stride[RVL_MAX_DIMS], step = 1;

    for (int i = x->n_dims - 1; i >= 0; i--) {
        x_stride[i] = step;
        step *= x->shape[i];
    }
#pragma omp parallel for schedule(static) if (y->count > RVL_REF_PARALLEL_MIN)
    for (int64_t row = 0; row < y->count / n_row; row++) {
        int64_t from = 0, rest = row;

        for (int i = last - 1; i >= 0; i--) {
            from += rest % y->shape[i] * x_stride[call->attr.perm.perm[i]];
            rest /= y->shape[i];
        }
        copy_strided((char *)y->data + (size_t)(row * n_row) * bytes, (const char *)x->data + (size_t)from * bytes,
                     n_row, x_stride[call->attr.perm.perm[last]], bytes);
    }
}

void rvl__ref_slice(rvl_kernel_call *call)
{
    const rvl_buf   *x = &call->in[0], *y = &call->out[0];
    const int        axis = call->attr.slice.axis;
    const axis_split s = split_at(x, axis);
    const int64_t    bytes = y->shape[axis] * s.inner_bytes;

    for (int64_t i = 0; i < s.n_outer; i++)
        memcpy((char *)y->data + i * bytes,
               (const char *)x->data + (i * x->shape[axis] + call->attr.slice.start) * s.inner_bytes, (size_t)bytes);
}

void rvl__ref_slice_bwd(rvl_kernel_call *call)
{
    const rvl_buf   *dy = &call->in[0], *dx = &call->out[0];
    const int        axis = call->attr.slice.axis;
    const axis_split s = split_at(dx, axis);
    const int64_t    bytes = dy->shape[axis] * s.inner_bytes;

    memset(dx->data, 0, (size_t)dx->count * rvl_dtype_bytes(dx->dtype));
    for (int64_t i = 0; i < s.n_outer; i++)
        memcpy((char *)dx->data + (i * dx->shape[axis] + call->attr.slice.start) * s.inner_bytes,
               (const char *)dy->data + i * bytes, (size_t)bytes);
}

void rvl__ref_concat(rvl_kernel_call *call)
{
    const rvl_buf *y = &call->out[0];
    const int      axis = call->attr.axis.axis;
    int64_t        start = 0;

    for (int k = 0; k < call->n_in; k++) {
        const rvl_buf   *x = &call->in[k];
        const axis_split s = split_at(x, axis);
        const int64_t    bytes = x->shape[axis] * s.inner_bytes;

        for (int64_t i = 0; i < s.n_outer; i++)
            memcpy((char *)y->data + (i * y->shape[axis] + start) * s.inner_bytes, (const char *)x->data + i * bytes,
                   (size_t)bytes);
        start += x->shape[axis];
    }
}
