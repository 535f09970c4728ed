/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/embedding.c
 * Rows of a table by id, and the gradient of the table. An id outside the table sets the call's status.
 */
#include "engine/cpu/isa/vec.h"

/* in: ids, table; out: a row for each id. */
void ISA(embedding)(rvl_kernel_call *call)
{
    const int64_t  n_rows = call->in[0].shape[0], n = call->in[0].shape[1], n_ids = call->in[1].count;
    const int32_t *ids = call->in[1].data;
    int            n_bad = 0;

#pragma omp parallel for schedule(static) reduction(+ : n_bad)
    for (int64_t i = 0; i < n_ids; i++) {
        float *y = (float *)call->out[0].data + i * n;

        if (ids[i] >= 0 && ids[i] < n_rows) {
            memcpy(y, (const float *)call->in[0].data + ids[i] * n, (size_t)n * sizeof *y);
        } else {
            memset(y, 0, (size_t)n * sizeof *y);
            n_bad++;
        }
    }
    if (n_bad)
        call->status = RVL_ERR_NUMERIC;
}

/* in: ids, dy; out: dtable. Threads share columns; each adds the rows in the order of their positions. */
void ISA(embedding_bwd)(rvl_kernel_call *call)
{
    const int64_t  n_rows = call->out[0].shape[0], n = call->out[0].shape[1], n_ids = call->in[0].count;
    const int32_t *ids = call->in[0].data;
    float         *table = call->out[0].data;
    int            n_bad = 0;

#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n_rows; r++)
        memset(table + r * n, 0, (size_t)n * sizeof *table);
#pragma omp parallel for schedule(static) reduction(+ : n_bad)
    for (int64_t c = 0; c < n; c += 4 * VL) {
        const int64_t width = n - c < 4 * VL ? n - c : 4 * VL;

        for (int64_t i = 0; i < n_ids; i++) {
            const float *dy = (const float *)call->in[1].data + i * n + c;

            if (ids[i] < 0 || ids[i] >= n_rows) {
                n_bad++;
                continue;
            }
            float *to = table + ids[i] * n + c;
            for (int64_t k = 0; k < width; k++)
                to[k] += dy[k];
        }
    }
    if (n_bad)
        call->status = RVL_ERR_NUMERIC;
}
