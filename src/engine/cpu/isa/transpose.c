/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/transpose.c
 * Permutations that keep the last axis last: whole rows are copied.
 */
#include "engine/cpu/isa/vec.h"

void ISA(transpose)(rvl_kernel_call *call)
{
    const rvl_buf *x = &call->in[0], *y = &call->out[0];
    const int      n_dims = x->n_dims;
    const int64_t  n = x->shape[n_dims - 1], n_rows = x->count / n;
    int64_t        stride[RVL_MAX_DIMS], through[RVL_MAX_DIMS];

    stride[n_dims - 1] = 1;
    for (int i = n_dims - 2; i >= 0; i--)
        stride[i] = stride[i + 1] * x->shape[i + 1];
    for (int i = 0; i < n_dims; i++)
        through[i] = stride[call->attr.perm.perm[i]];
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n_rows; r++) {
        int64_t from = 0, rest = r;
        for (int i = n_dims - 2; i >= 0; i--) {
            from += rest % y->shape[i] * through[i];
            rest /= y->shape[i];
        }
        memcpy((float *)y->data + r * n, (const float *)x->data + from, (size_t)n * sizeof(float));
    }
}
