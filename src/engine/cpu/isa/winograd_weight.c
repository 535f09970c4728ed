/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/winograd_weight.c
 * Gradient of a 3x3 convolution's weight in the transformed domain (Lavin and Gray 2016): for every point the sum over
 * tiles of transformed input times transformed dy, brought back to nine taps at the very end.
 *
 * All threads transform a chunk of tiles, then share its products by point, panel and depth tap: every sum has one
 * owner and runs through tiles in order.
 */
#include "engine/cpu/isa/winograd.h"

typedef struct {
    const rvl_cpu_winograd *w;
    const rvl_cpu_product  *j;
    const float            *x, *dy;
    float                  *sums;                      /* (point, panel, depth tap, c, columns) */
    float                  *v[RVL_CPU_MAX_DEPTH_TAPS]; /* transformed slices: (point, tile, c) */
    float                  *m;                         /* transformed dy: (point, tile, k) */
    int64_t                 first, n_tiles;            /* of the chunk, over all samples */
} weight_chunk;

/* Transform slice `z` of the source for one tile. */
static void transform_tile(const weight_chunk *t, int64_t tile, int64_t z, float *v)
{
    const rvl_cpu_product *j = t->j;
    const int64_t          n_c = wino_c(t->w), per_sample = t->w->tiles_y * t->w->tiles_x, at = t->first + tile;
    const int64_t          ty = at % per_sample / t->w->tiles_x, tx = at % t->w->tiles_x;
    const float           *src = t->x + at / per_sample * j->src_blocks * j->n_src * VL;

    for (int64_t b = 0; b < j->src_blocks; b++) {
        const float *plane = src + (b * j->n_src + z * j->src[1] * j->src[2]) * VL;
        transform_input(v + tile * n_c + b * VL, t->n_tiles * n_c, plane, j->src[1], j->src[2], 2 * ty + t->w->y_shift,
                        2 * tx + t->w->x_shift);
    }
}

static void transform_dy(const weight_chunk *t, int64_t tile, int64_t z)
{
    const rvl_cpu_product *j = t->j;
    const int64_t          n_k = wino_k(t->w), per_sample = t->w->tiles_y * t->w->tiles_x, at = t->first + tile;
    const int64_t          ty = at % per_sample / t->w->tiles_x, tx = at % t->w->tiles_x;
    const float           *dy = t->dy + at / per_sample * j->dst_blocks * j->n_dst * VL;

    for (int64_t b = 0; b < j->dst_blocks; b++)
        transform_gradient(t->m + tile * n_k + b * VL, t->n_tiles * n_k,
                           dy + (b * j->n_dst + z * j->dst[1] * j->dst[2]) * VL, j->dst[1], j->dst[2], 2 * ty, 2 * tx);
}

/* Add the chunk's products of one point, panel and depth tap. */
static void add_products(const weight_chunk *t, const float *v, int64_t point, int64_t panel, int64_t kd)
{
    const int64_t n_c = wino_c(t->w), n_k = wino_k(t->w);
    const int     n_q = (int)conv_panel_width(t->j, panel);
    int64_t       row[12];
    tile_job      job = {.a_row = n_c,
                         .n_seg = 1,
                         .n_k = t->n_tiles,
                         .w = t->m + point * t->n_tiles * n_k + panel * TILE_Q * VL,
                         .w_row = n_k,
                         .w_q = VL,
                         .row = row,
                         .dst_q = VL,
                         .add = true};

    for (int i = 0; i < 12; i++)
        row[i] = i * n_q * VL;
    for (int64_t c = 0; c < n_c;) {
        const int n_p = tile_next(n_c - c, n_q);
        job.a = v + point * t->n_tiles * n_c + c;
        job.dst = t->sums + wino_panel(t->w, point, panel) + (kd * n_c + c) * n_q * VL;
        tile_outer(&job, n_p, n_q);
        c += n_p;
    }
}

/* One chunk of tiles through all output slices; every thread of the team comes here. */
static void chunk_run(const weight_chunk *t)
{
    const rvl_cpu_winograd *w = t->w;
    const int64_t           n_panels = conv_n_panels(t->j), n_depth = w->n_depth;

    for (int64_t z = 0; z < t->j->dst[0]; z++) {
        for (int64_t kd = z == 0 ? 0 : n_depth - 1; kd < n_depth; kd++) { /* slices come one at a time */
            const int64_t s = z + w->depth_shift[kd];
            if (s < 0 || s >= t->j->src[0])
                continue;
#pragma omp for schedule(static) nowait
            for (int64_t i = 0; i < t->n_tiles; i++)
                transform_tile(t, i, s, t->v[s % n_depth]);
        }
#pragma omp for schedule(static)
        for (int64_t i = 0; i < t->n_tiles; i++)
            transform_dy(t, i, z);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < POINTS * n_panels * n_depth; i++) {
            const int64_t kd = i % n_depth, panel = i / n_depth % n_panels, s = z + w->depth_shift[kd];
            if (s >= 0 && s < t->j->src[0])
                add_products(t, t->v[s % n_depth], i / n_depth / n_panels, panel, kd);
        }
    }
}

/* G^T u G for one vector of destination channels: 16 points -> nine taps of dw. */
static void unpack_vector(float *dw, const float *const u[POINTS], const rvl_cpu_winograd *w, int64_t c, int64_t d0,
                          int64_t kd)
{
    const rvl_cpu_product *j = w->conv.products;
    vf                     t[3][4];
    float                  g[3][3][VL];

    UNROLL for (int i = 0; i < 4; i++)
    {
        const vf a = vload(u[i]), b = vload(u[4 + i]), d = vload(u[8 + i]), e = vload(u[12 + i]);
        t[0][i] = a + 0.5F * (b + d);
        t[1][i] = 0.5F * (b - d);
        t[2][i] = 0.5F * (b + d) + e;
    }
    UNROLL for (int y = 0; y < 3; y++)
    {
        vstore(g[y][0], t[y][0] + 0.5F * (t[y][1] + t[y][2]));
        vstore(g[y][1], 0.5F * (t[y][1] - t[y][2]));
        vstore(g[y][2], 0.5F * (t[y][1] + t[y][2]) + t[y][3]);
    }
    for (int64_t i = 0; i < VL && d0 + i < j->n_dst_channels; i++)
        for (int y = 0; y < 3; y++)
            for (int x = 0; x < 3; x++)
                dw[((d0 + i) * w->conv.w_columns + c) * w->conv.n_kernel + w->tap[kd][y][x]] = g[y][x][i];
}

static void unpack(float *dw, const float *sums, const rvl_cpu_winograd *w, int64_t c)
{
    const rvl_cpu_product *j = w->conv.products;
    const int64_t          n_c = wino_c(w);

    for (int64_t panel = 0; panel < conv_n_panels(j); panel++) {
        const int64_t n_q = conv_panel_width(j, panel);
        for (int64_t kd = 0; kd < w->n_depth; kd++)
            for (int64_t q = 0; q < n_q; q++) {
                const float *u[POINTS];
                for (int p = 0; p < POINTS; p++)
                    u[p] = sums + wino_panel(w, p, panel) + ((kd * n_c + c) * n_q + q) * VL;
                unpack_vector(dw, u, w, c, (panel * TILE_Q + q) * VL, kd);
            }
    }
}

/* in: x, dy; out: dw plain; scratch: sums, transformed slices, transformed dy. */
void ISA(winograd_bwd_weight)(rvl_kernel_call *call)
{
    const rvl_cpu_winograd *w = call->prepared;
    const rvl_cpu_product  *j = w->conv.products;
    const int64_t           n_tiles = j->n * w->tiles_y * w->tiles_x, n_v = POINTS * w->weight_tiles * wino_c(w);
    float                  *sums = call->scratch, *room = sums + w->conv.n_packed;

    memset(sums, 0, (size_t)w->conv.n_packed * sizeof *sums);
#pragma omp parallel num_threads(j->n_threads)
    {
        weight_chunk t = {.w = w, .j = j, .x = call->in[0].data, .dy = call->in[1].data, .sums = sums};

        t.m = room + w->n_depth * n_v;
        for (int64_t k = 0; k < w->n_depth; k++)
            t.v[k] = room + k * n_v;
        for (t.first = 0; t.first < n_tiles; t.first += w->weight_tiles) {
            t.n_tiles = n_tiles - t.first < w->weight_tiles ? n_tiles - t.first : w->weight_tiles;
            chunk_run(&t);
        }
#pragma omp for schedule(static)
        for (int64_t c = 0; c < j->n_src_channels; c++)
            unpack(call->out[0].data, sums, w, c);
    }
}
