/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/conv.c
 * Convolution over the blocked layout as products of tiles: forward, and the gradient of the input, which is the same
 * sum with the weights turned (one product per phase of the stride).
 *
 * A group of positions is gathered into a panel, channel block by channel block (whole vectors are copied; padding is
 * zeros), and multiplied with packed weights. A 1x1 convolution of stride 1 is read where it lies.
 */
#include <omp.h>
#include "engine/cpu/isa/conv.h"

/* dst channels d0 .. of one panel: w[segment][k][d] from the plain weight (O, C, taps). */
static void pack_panel(float *out, const float *plain, const rvl_cpu_conv *conv, const rvl_cpu_product *j,
                       int64_t panel)
{
    const int64_t d0 = panel * TILE_Q * VL, n_q = conv_panel_width(j, panel);

    for (int64_t s = 0; s < j->n_segments; s++) {
        for (int64_t k = 0; k < VL; k++, out += n_q * VL) {
            const int64_t tap = j->is_plain ? (s * VL + k) % j->n_taps : s / j->src_blocks;
            const int64_t c = j->is_plain ? (s * VL + k) / j->n_taps : s % j->src_blocks * VL + k;

            for (int64_t i = 0; i < n_q * VL; i++) {
                const int64_t d = d0 + i;
                if (c >= j->n_src_channels || d >= j->n_dst_channels)
                    out[i] = 0.0F;
                else if (j->is_turned)
                    out[i] = plain[(c * conv->w_columns + d) * conv->n_kernel + j->tap[tap]];
                else
                    out[i] = plain[(d * conv->w_columns + c) * conv->n_kernel + j->tap[tap]];
            }
        }
    }
}

void ISA(conv_pack)(void *packed, const void *plain, const void *prepared)
{
    const rvl_cpu_conv *conv = prepared;

    for (int i = 0; i < conv->n_products; i++) {
        const rvl_cpu_product *j = &conv->products[i];
        const int64_t          n_panels = conv_n_panels(j), full = j->n_segments * VL * TILE_Q * VL;
#pragma omp parallel for schedule(dynamic) num_threads(j->n_threads)
        for (int64_t panel = 0; panel < n_panels; panel++)
            pack_panel((float *)packed + j->w_offset + panel * full, plain, conv, j, panel);
    }
}

/* Gather tap and channel block of segment `s` for positions p0 .. p0 + count - 1: out (count, VL). */
static void gather_segment(float *out, const rvl_cpu_product *j, const float *sample, int64_t s, int64_t p0,
                           int64_t count)
{
    const int64_t *shift = j->shift[s / j->src_blocks];
    const float   *src = sample + s % j->src_blocks * j->n_src * VL;
    place          at = place_of(j->grid, p0);

    for (int64_t i = 0, n; i < count; i += n, place_next_row(&at, j->grid)) {
        const int64_t z = at.z * j->step[0] + shift[0], y = at.y * j->step[1] + shift[1];
        int64_t       x = at.x * j->step[2] + shift[2], r = 0;

        n = j->grid[2] - at.x < count - i ? j->grid[2] - at.x : count - i;
        if (z >= 0 && z < j->src[0] && y >= 0 && y < j->src[1]) {
            const float *row = src + (z * j->src[1] + y) * j->src[2] * VL;
            for (; r < n && x < 0; r++, x += j->step[2])
                vstore(out + (i + r) * VL, vset(0.0F));
            for (; r < n && x < j->src[2]; r++, x += j->step[2])
                vstore(out + (i + r) * VL, vload(row + x * VL));
        }
        for (; r < n; r++)
            vstore(out + (i + r) * VL, vset(0.0F));
    }
}

/* One row of a kernel, `n` neighbours from x on, zeros outside 0 .. extent - 1. */
INLINE void gather_kernel_row(float *out, const float *row, int64_t x, int64_t n, int64_t extent)
{
    if (row && x >= 0 && x + n <= extent) {
        if (n == 7) {
            memcpy(out, row + x, 4 * sizeof *out);
            memcpy(out + 3, row + x + 3, 4 * sizeof *out);
        } else if (n == 3) {
            memcpy(out, row + x, 3 * sizeof *out);
        } else {
            memcpy(out, row + x, (size_t)n * sizeof *out);
        }
        return;
    }
    for (int64_t i = 0; i < n; i++)
        out[i] = row && x + i >= 0 && x + i < extent ? row[x + i] : 0.0F;
}

/* A plain source: out (count, segments * VL), the index of the sum being (channel, tap); taps are whole kernel rows. */
static void gather_plain(float *out, const rvl_cpu_product *j, const float *sample, int64_t p0, int64_t count)
{
    const int64_t n_row = conv_row_taps(j), width = j->n_segments * VL, used = j->n_src_channels * j->n_taps;

    for (int64_t i = 0; i < count; i++, out += width) {
        const place at = place_of(j->grid, p0 + i);
        float      *o = out;

        for (int64_t c = 0; c < j->n_src_channels; c++) {
            for (int64_t t = 0; t < j->n_taps; t += n_row, o += n_row) {
                const int64_t z = at.z * j->step[0] + j->shift[t][0], y = at.y * j->step[1] + j->shift[t][1];
                const bool    inside = z >= 0 && z < j->src[0] && y >= 0 && y < j->src[1];
                const float  *row = sample + ((c * j->src[0] + z) * j->src[1] + y) * j->src[2];

                gather_kernel_row(o, inside ? row : NULL, at.x * j->step[2] + j->shift[t][2], n_row, j->src[2]);
            }
        }
        memset(out + used, 0, (size_t)(width - used) * sizeof *out);
    }
}

void ISA(conv_gather)(panel_view *out, float *panel, const rvl_cpu_product *j, const float *src, int64_t sample,
                      int64_t p0, int64_t count, int64_t s0, int64_t n_seg)
{
    if (j->is_plain) {
        gather_plain(panel, j, src + sample * j->n_src_channels * j->n_src, p0, count);
        *out = (panel_view){panel, j->n_segments * VL, VL};
        return;
    }
    const float *base = src + sample * j->src_blocks * j->n_src * VL;
    if (j->is_in_place) {
        *out = (panel_view){base + (s0 * j->n_src + p0) * VL, VL, j->n_src * VL};
        return;
    }
    for (int64_t s = 0; s < n_seg; s++)
        gather_segment(panel + s * count * VL, j, base, s0 + s, p0, count);
    *out = (panel_view){panel, VL, count * VL};
}

/* What one task of a product works on. */
typedef struct {
    const rvl_cpu_product *j;
    const float           *src, *weights;
    float                 *dst, *panel;
    const rvl_cpu_finish  *finish;
    const float           *residual;
} conv_task;

/* Positions p0 .. of one sample, panels from .. to - 1. */
static void conv_group(const conv_task *t, int64_t sample, int64_t p0, int64_t count, int64_t from, int64_t to)
{
    const rvl_cpu_product *j = t->j;
    const int64_t          most = j->is_plain ? j->n_segments : RVL_CPU_SEGMENTS;
    const int64_t          base = sample * j->dst_blocks * j->n_dst * VL;
    int64_t                row[RVL_CPU_POSITIONS];

    conv_dst_rows(row, j, p0, count);
    for (int64_t s0 = 0; s0 == 0 || s0 < j->n_segments; s0 += most) {
        const int64_t n_seg = j->n_segments - s0 < most ? j->n_segments - s0 : most;
        const bool    is_last = s0 + n_seg == j->n_segments;
        panel_view    a;

        ISA(conv_gather)(&a, t->panel, j, t->src, sample, p0, count, s0, n_seg);
        for (int64_t panel = from; panel < to; panel++) {
            const int n_q = (int)conv_panel_width(j, panel);
            tile_job  job = {.a_row = a.row,
                             .a_seg = a.segment,
                             .n_seg = n_seg,
                             .n_k = VL,
                             .w = t->weights + (panel * j->n_segments * TILE_Q + s0 * n_q) * VL * VL,
                             .dst = t->dst + base + panel * TILE_Q * j->n_dst * VL,
                             .dst_q = j->n_dst * VL,
                             .add = s0 > 0,
                             .finish = is_last ? t->finish : NULL,
                             .i_column = panel * TILE_Q};

            job.residual = t->residual ? t->residual + base + panel * TILE_Q * j->n_dst * VL : NULL;
            for (int64_t i = 0; i < count;) {
                const int n_p = tile_next(count - i, n_q);
                job.a = a.data + i * a.row;
                job.row = row + i;
                tile_inner(&job, n_p, n_q);
                i += n_p;
            }
        }
    }
}

static void conv_product(const rvl_cpu_product *j, const rvl_kernel_call *call, const float *packed, float *panels,
                         const rvl_cpu_finish *finish, const float *residual)
{
    const int64_t most = conv_positions(j), n_groups = (j->n_grid + most - 1) / most, n_panels = conv_n_panels(j);
    const int64_t n_places = j->n * n_groups, wanted = 4 * (int64_t)j->n_threads;
    const int64_t n_chunks = n_places >= wanted ? 1 : (wanted / n_places < n_panels ? wanted / n_places : n_panels);

#pragma omp parallel for schedule(dynamic) num_threads(j->n_threads)
    for (int64_t i = 0; i < n_places * n_chunks; i++) {
        const int64_t   chunk = i % n_chunks, group = i / n_chunks % n_groups, sample = i / n_chunks / n_groups;
        const int64_t   p0 = j->n_grid * group / n_groups, p1 = j->n_grid * (group + 1) / n_groups;
        const conv_task t = {.j = j,
                             .src = call->in[0].data,
                             .weights = packed + j->w_offset,
                             .dst = call->out[0].data,
                             .panel = panels + omp_get_thread_num() * RVL_CPU_PANEL_FLOATS,
                             .finish = finish,
                             .residual = residual};

        conv_group(&t, sample, p0, p1 - p0, n_panels * chunk / n_chunks, n_panels * (chunk + 1) / n_chunks);
    }
}

/* in: source, weight, [scale, shift], [residual]; out: y. */
void ISA(conv)(rvl_kernel_call *call)
{
    const rvl_cpu_conv *conv = call->prepared;
    conv_call           c;

    conv_call_open(&c, call, ISA(conv_pack));
    for (int i = 0; i < conv->n_products; i++)
        conv_product(&conv->products[i], call, c.packed, c.scratch, c.has_finish ? &c.finish : NULL, c.residual);
}
