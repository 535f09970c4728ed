/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/matmul.c
 * C (m, n) = A B with batches and transposes. B is brought into panels of TILE_Q vectors, all of it before the
 * product (a weight in a plan without backward: once); A is read where it lies, transposed it is copied block by block.
 * Each element of C is summed in order of k.
 */
#include <omp.h>
#include "engine/cpu/isa/tile.h"

#define N_K RVL_CPU_MATMUL_TERMS
#define N_ROWS RVL_CPU_MATMUL_ROWS
#define PANEL (TILE_Q * VL)

/* 16x16 elements turned: out[k][i] = b[i][k]; beyond n_i rows zeros. */
INLINE void turn_block(float *out, int64_t out_row, const float *b, int64_t b_row, int64_t n_i, int64_t n_k)
{
    for (int64_t i = 0; i < 16; i++)
        for (int64_t k = 0; k < n_k; k++)
            out[k * out_row + i] = i < n_i ? b[i * b_row + k] : 0.0F;
}

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
    for (int64_t k = 0; k < j->k; k += 16)
        for (int64_t i = 0; i < PANEL; i += 16)
            turn_block(out + k * PANEL + i, PANEL, b + (c0 + i) * j->k + k, j->k, width - i < 16 ? width - i : 16,
                       j->k - k < 16 ? j->k - k : 16);
}

/* All panels of a B that serves every batch. */
void ISA(matmul_pack)(void *packed, const void *plain, const void *prepared)
{
    const rvl_cpu_matmul *j = prepared;

#pragma omp parallel for schedule(static) num_threads(j->n_threads)
    for (int64_t p = 0; p < (j->n + PANEL - 1) / PANEL; p++)
        pack_b((float *)packed + p * j->k * PANEL, j, plain, p);
}

/* Rows r0 .. of A^T: out (n_k, count) from a (k, m). */
static void copy_a(float *out, const rvl_cpu_matmul *j, const float *a, int64_t r0, int64_t count, int64_t k,
                   int64_t n_k)
{
    for (int64_t i = 0; i < n_k; i++)
        memcpy(out + i * count, a + (k + i) * j->m + r0, (size_t)count * sizeof *out);
}

/* Rows r0 .. r0 + count - 1 of panel p of one batch: block after block of terms, so that a block of the panel stays in
 * cache for all rows. A panel that is not full is summed beside C. */
static void matmul_rows(float *c, const rvl_cpu_matmul *j, const float *a, const float *panel, const float *bias,
                        float *turned, int64_t r0, int64_t count, int64_t p)
{
    const int64_t  c0 = p * PANEL, width = j->n - c0 < PANEL ? j->n - c0 : PANEL;
    const bool     is_edge = width < PANEL;
    float          edge[N_ROWS * PANEL], padded_bias[PANEL] = {0}, *to = is_edge ? edge : c + r0 * j->n + c0;
    const int64_t  step = is_edge ? PANEL : j->n;
    int64_t        row[12];
    rvl_cpu_finish finish = {.shift = padded_bias};

    if (bias)
        memcpy(padded_bias, bias + c0, (size_t)width * sizeof *bias);
    for (int i = 0; i < 12; i++)
        row[i] = i * step;
    for (int64_t k = 0; k < j->k; k += N_K) {
        tile_job job = {.n_seg = 1, .row = row, .dst_q = VL, .w = panel + k * PANEL, .w_row = PANEL, .w_q = VL};

        job.n_k = j->k - k < N_K ? j->k - k : N_K;
        job.add = k > 0;
        job.finish = bias && k + job.n_k == j->k ? &finish : NULL;
        job.a_row = j->trans_a ? count : j->k;
        if (j->trans_a)
            copy_a(turned, j, a, r0, count, k, job.n_k);
        for (int64_t i = 0; i < count;) {
            const int n_p = tile_next(count - i, TILE_Q);

            job.a = j->trans_a ? turned + i : a + (r0 + i) * j->k + k;
            job.dst = to + i * step;
            if (j->trans_a)
                tile_outer(&job, n_p, TILE_Q);
            else
                tile_inner(&job, n_p, TILE_Q);
            i += n_p;
        }
    }
    for (int64_t i = 0; is_edge && i < count; i++)
        memcpy(c + (r0 + i) * j->n + c0, edge + i * PANEL, (size_t)width * sizeof *c);
}

void ISA(matmul)(rvl_kernel_call *call)
{
    const rvl_cpu_matmul *j = call->prepared;
    const int64_t         n_panels = (j->n + PANEL - 1) / PANEL, n_groups = (j->m + N_ROWS - 1) / N_ROWS;
    const int64_t         n_b = j->b_batch ? j->batch : 1;
    const float          *a = call->in[0].data, *b = call->in[1].data;
    const float          *bias = j->has_bias ? call->in[2].data : NULL;
    const float          *packed = j->packed ? j->packed : call->scratch;
    float                *scratch = call->scratch, *c = call->out[0].data, *turned = scratch;

    if (!j->packed)
        turned += n_b * n_panels * j->k * PANEL;
#pragma omp parallel num_threads(j->n_threads)
    {
        if (!j->packed) {
#pragma omp for schedule(static)
            for (int64_t i = 0; i < n_b * n_panels; i++)
                pack_b(scratch + i * j->k * PANEL, j, b + i / n_panels * j->b_batch, i % n_panels);
        }
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < j->batch * n_groups * n_panels; i++) {
            const int64_t batch = i / (n_groups * n_panels), p = i / n_groups % n_panels, g = i % n_groups;
            const int64_t r0 = j->m * g / n_groups, r1 = j->m * (g + 1) / n_groups;
            matmul_rows(c + batch * j->m * j->n, j, a + batch * j->a_batch,
                        packed + ((j->b_batch ? batch : 0) * n_panels + p) * j->k * PANEL, bias,
                        turned + omp_get_thread_num() * RVL_CPU_TURNED_FLOATS, r0, r1 - r0, p);
        }
    }
}
