/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/reduce.c
 * Sums over neighbouring axes, and broadcasting along them. The value is seen as (outer, middle, inner) and the middle
 * goes: rvl_cpu_middle says the extents. Sums are f64, in order.
 */
#include "engine/cpu/isa/row.h"

#define COLUMNS (4 * VL)

static void sum_rows_of(rvl_kernel_call *call, const rvl_cpu_middle *m)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m->n_outer; i++)
        ((float *)call->out[0].data)[i] =
            (float)(row_sum((const float *)call->in[0].data + i * m->n_middle, m->n_middle) * m->scale);
}

/* in: x (outer, middle, inner); out: (outer, inner), times the scale. */
void ISA(sum_middle)(rvl_kernel_call *call)
{
    const rvl_cpu_middle *m = call->prepared;
    const int64_t         n = m->n_inner, n_chunks = (n + COLUMNS - 1) / COLUMNS;

    if (n == 1) {
        sum_rows_of(call, m);
        return;
    }
#pragma omp parallel for schedule(static)
    for (int64_t task = 0; task < m->n_outer * n_chunks; task++) {
        const int64_t outer = task / n_chunks, c = task % n_chunks * COLUMNS, width = n - c < COLUMNS ? n - c : COLUMNS;
        const float  *x = (const float *)call->in[0].data + outer * m->n_middle * n + c;
        float        *y = (float *)call->out[0].data + outer * n + c;
        double        sum[COLUMNS] = {0};

        for (int64_t r = 0; r < m->n_middle; r++)
            for (int64_t i = 0; i < width; i++)
                sum[i] += x[r * n + i];
        for (int64_t i = 0; i < width; i++)
            y[i] = (float)(sum[i] * m->scale);
    }
}

/* in: x (outer, inner); out: (outer, middle, inner). */
void ISA(broadcast_middle)(rvl_kernel_call *call)
{
    const rvl_cpu_middle *m = call->prepared;
    const int64_t         n = m->n_inner;

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < m->n_outer * m->n_middle; i++) {
        const float *x = (const float *)call->in[0].data + i / m->n_middle * n;
        float       *y = (float *)call->out[0].data + i * n;

        if (n == 1)
            *y = *x;
        else
            memcpy(y, x, (size_t)n * sizeof *y);
    }
}
