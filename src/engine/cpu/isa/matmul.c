/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/matmul.c
 * C (m, n) = A B with batches and transposes. B is brought into panels of TILE_Q vectors, all of it before the
 * product; A is read where it lies. Each element of C is summed in order of k.
 */
#include <omp.h>
#include "engine/cpu/isa/tile.h"

#define N_K 256   /* terms summed in registers before C is written */
#define N_ROWS 96 /* rows of C that a task works on */
#define PANEL (TILE_Q * VL)

/* Panel `p` of B: out (k, panel), zeros beyond column n. */
static void pack_b(float *out, const rvl_cpu_matmul *j, const float *b, int64_t p)
{
    const int64_t c0 = p * PANEL, width = j->n - c0 < PANEL ? j->n - c0 : PANEL;

    if (!j->trans_b) {
        for (int64_t k = 0; k < j->k; k++, out += PANEL) {
            memcpy(out, b + k * j->n + c0, (size_t)width * sizeof *out);
            memset(out + width, 0, (size_t)(PANEL - width) * sizeof *out);
        }
        return;
    }
    for (int64_t k0 = 0; k0 < j->k; k0 += 16) {
        const int64_t n_k = j->k - k0 < 16 ? j->k - k0 : 16;
        for (int64_t i = 0; i < PANEL; i++)
            for (int64_t k = 0; k < n_k; k++)
                out[(k0 + k) * PANEL + i] = i < width ? b[(c0 + i) * j->k + k0 + k] : 0.0F;
    }
}

/* Rows r0 .. r0 + count - 1 of panel p of one batch. */
static void matmul_rows(float *c, const rvl_cpu_matmul *j, const float *a, const float *panel, const float *bias,
                        int64_t r0, int64_t count, int64_t p)
{
    const int64_t  c0 = p * PANEL, width = j->n - c0 < PANEL ? j->n - c0 : PANEL;
    float          edge[12 * PANEL], padded_bias[PANEL] = {0};
    int64_t        row[N_ROWS], edge_row[12];
    rvl_cpu_finish finish = {.shift = padded_bias};

    if (bias)
        memcpy(padded_bias, bias + c0, (size_t)width * sizeof *bias);
    for (int64_t i = 0; i < count; i++)
        row[i] = i * j->n;
    for (int i = 0; i < 12; i++)
        edge_row[i] = i * PANEL;
    for (int64_t i = 0; i < count;) {
        const int  n_p = tile_next(count - i, TILE_Q);
        const bool is_edge = width < PANEL;
        float     *to = c + (r0 + i) * j->n + c0;
        tile_job   job = {.n_seg = 1,
                          .dst = is_edge ? edge : to,
                          .row = is_edge ? edge_row : row,
                          .dst_q = VL,
                          .w_row = PANEL,
                          .w_q = VL};

        for (int64_t k = 0; k < j->k; k += N_K) {
            job.n_k = j->k - k < N_K ? j->k - k : N_K;
            job.w = panel + k * PANEL;
            job.add = k > 0;
            job.finish = bias && k + job.n_k == j->k ? &finish : NULL;
            job.a = j->trans_a ? a + k * j->m + r0 + i : a + (r0 + i) * j->k + k;
            job.a_row = j->trans_a ? j->m : j->k;
            if (j->trans_a)
                tile_outer(&job, n_p, TILE_Q);
            else
                tile_inner(&job, n_p, TILE_Q);
        }
        for (int k = 0; is_edge && k < n_p; k++)
            memcpy(to + k * j->n, edge + k * PANEL, (size_t)width * sizeof *to);
        i += n_p;
    }
}

void ISA(matmul)(rvl_kernel_call *call)
{
    const rvl_cpu_matmul *j = call->prepared;
    const int64_t         n_panels = (j->n + PANEL - 1) / PANEL, n_groups = (j->m + N_ROWS - 1) / N_ROWS;
    const int64_t         n_b = j->b_batch ? j->batch : 1;
    const float          *a = call->in[0].data, *b = call->in[1].data;
    const float          *bias = j->has_bias ? call->in[2].data : NULL;
    float                *packed = call->scratch, *c = call->out[0].data;

#pragma omp parallel num_threads(j->n_threads)
    {
#pragma omp for schedule(static)
        for (int64_t i = 0; i < n_b * n_panels; i++)
            pack_b(packed + i * j->k * PANEL, j, b + i / n_panels * j->b_batch, i % n_panels);
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < j->batch * n_groups * n_panels; i++) {
            const int64_t batch = i / (n_groups * n_panels), p = i / n_groups % n_panels, g = i % n_groups;
            const int64_t r0 = j->m * g / n_groups, r1 = j->m * (g + 1) / n_groups;
            matmul_rows(c + batch * j->m * j->n, j, a + batch * j->a_batch,
                        packed + ((j->b_batch ? batch : 0) * n_panels + p) * j->k * PANEL, bias, r0, r1 - r0, p);
        }
    }
}
