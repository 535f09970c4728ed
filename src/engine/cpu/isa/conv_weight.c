/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/conv_weight.c
 * Gradient of a convolution's weight: outer products of gathered input and dy, summed over positions in order, in the
 * order of packed weights; then brought into plain order. A task owns some segments of the sum's index, so threads
 * never add to one element.
 */
#include <omp.h>
#include "engine/cpu/isa/conv.h"

/* The segments s0 .. of panels from .. to - 1, summed over every position. */
static void weight_task(float *sums, float *panel, const rvl_cpu_product *j, const float *x, const float *dy,
                        int64_t s0, int64_t n_seg, int64_t from, int64_t to)
{
    const int64_t most = conv_positions(j), n_groups = (j->n_grid + most - 1) / most;

    for (int64_t i = 0; i < j->n * n_groups; i++) {
        const int64_t sample = i / n_groups, group = i % n_groups;
        const int64_t p0 = j->n_grid * group / n_groups, count = j->n_grid * (group + 1) / n_groups - p0;
        panel_view    a;

        ISA(conv_gather)(&a, panel, j, x, sample, p0, count, s0, n_seg);
        for (int64_t q0 = from; q0 < to; q0++) {
            const int n_q = (int)conv_panel_width(j, q0);
            int64_t   row[VL];
            tile_job  job = {.a_row = a.row,
                             .n_seg = 1,
                             .n_k = count,
                             .w = dy + ((sample * j->dst_blocks + q0 * TILE_Q) * j->n_dst + p0) * VL,
                             .w_row = VL,
                             .w_q = j->n_dst * VL,
                             .row = row,
                             .dst_q = VL,
                             .add = i > 0};

            for (int k = 0; k < VL; k++)
                row[k] = k * n_q * VL;
            for (int64_t s = 0; s < n_seg; s++) {
                const int64_t first = j->is_plain ? s0 + s : s; /* a plain panel holds every segment */
                float        *to_sums = sums + (q0 * j->n_segments * TILE_Q + (s0 + s) * n_q) * VL * VL;
                for (int k = 0; k < VL;) {
                    const int n_p = tile_next(VL - k, n_q);
                    job.a = a.data + first * a.segment + k;
                    job.dst = to_sums + k * n_q * VL;
                    tile_outer(&job, n_p, n_q);
                    k += n_p;
                }
            }
        }
    }
}

/* Packed sums of channels c0 .. of one panel -> dw (O, C, taps): a few cache lines on either side. */
static void unpack_block(float *dw, const float *sums, const rvl_cpu_conv *conv, const rvl_cpu_product *j,
                         int64_t panel, int64_t c0)
{
    const int64_t n_q = conv_panel_width(j, panel), d0 = panel * TILE_Q * VL;
    const int64_t c1 = c0 + VL < j->n_src_channels ? c0 + VL : j->n_src_channels;

    sums += panel * j->n_segments * TILE_Q * VL * VL;
    for (int64_t i = 0; i < n_q * VL && d0 + i < j->n_dst_channels; i++) {
        for (int64_t c = c0; c < c1; c++) {
            float *to = dw + ((d0 + i) * conv->w_columns + c) * conv->n_kernel;
            for (int64_t t = 0; t < j->n_taps; t++) {
                const int64_t k = j->is_plain ? c * j->n_taps + t : (t * j->src_blocks + c / VL) * VL + c % VL;
                to[j->tap[t]] = sums[k * n_q * VL + i];
            }
        }
    }
}

void ISA(conv_bwd_weight)(rvl_kernel_call *call)
{
    const rvl_cpu_conv    *conv = call->prepared;
    const rvl_cpu_product *j = conv->products;
    const int64_t          n_panels = conv_n_panels(j), all = j->n_segments * n_panels;
    float                 *sums = call->scratch, *panels = sums + conv->n_packed;
    const int64_t          share = all / (4 * (int64_t)j->n_threads);
    int64_t                chunk = share < 1 ? 1 : share > 8 ? 8 : share, n_splits = n_panels;

    if (!j->is_in_place) { /* gathering is done once for all panels, if that leaves enough tasks */
        const int64_t fewer = j->n_segments / (4 * (int64_t)j->n_threads);
        chunk = fewer < 1 ? 1 : fewer > 8 ? 8 : fewer;
        n_splits = 1;
    }
    const int64_t n_chunks = (j->n_segments + chunk - 1) / chunk;
#pragma omp parallel for schedule(dynamic) num_threads(j->n_threads)
    for (int64_t i = 0; i < n_chunks * n_splits; i++) {
        const int64_t s0 = i % n_chunks * chunk, split = i / n_chunks;
        const int64_t n_seg = j->n_segments - s0 < chunk ? j->n_segments - s0 : chunk;
        weight_task(sums, panels + omp_get_thread_num() * RVL_CPU_PANEL_FLOATS, j, call->in[0].data, call->in[1].data,
                    s0, n_seg, n_panels * split / n_splits, n_panels * (split + 1) / n_splits);
    }
#pragma omp parallel for schedule(dynamic) num_threads(j->n_threads)
    for (int64_t i = 0; i < n_panels * j->src_blocks; i++)
        unpack_block(call->out[0].data, sums, conv, j, i / j->src_blocks, i % j->src_blocks * VL);
}
