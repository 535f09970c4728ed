/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/winograd.c
 * 3x3 and nx3x3 convolution of stride 1 by Winograd F(2x2, 3x3) in the plane; depth taps are summed in the transformed
 * domain. A task walks a block of tiles through depth: each input slice is transformed once and kept for as many output
 * slices as there are depth taps.
 */
#include <omp.h>
#include "engine/cpu/isa/winograd.h"

#define N_K 256 /* terms summed in registers */

/* G g G^T of one depth tap: nine vectors of plain weights -> 16 points. */
INLINE void transform_weights(vf u[POINTS], vf g[3][3])
{
    vf t[4][3];

    UNROLL for (int j = 0; j < 3; j++)
    {
        t[0][j] = g[0][j];
        t[1][j] = 0.5F * (g[0][j] + g[1][j] + g[2][j]);
        t[2][j] = 0.5F * (g[0][j] - g[1][j] + g[2][j]);
        t[3][j] = g[2][j];
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        u[i * 4 + 0] = t[i][0];
        u[i * 4 + 1] = 0.5F * (t[i][0] + t[i][1] + t[i][2]);
        u[i * 4 + 2] = 0.5F * (t[i][0] - t[i][1] + t[i][2]);
        u[i * 4 + 3] = t[i][2];
    }
}

/* One vector of destination channels (d0 ..) for source channel c and one depth tap. */
static void pack_vector(float *const out[POINTS], const float *plain, const rvl_cpu_winograd *w, int64_t c, int64_t d0,
                        int64_t kd)
{
    const rvl_cpu_product *j = w->conv.products;
    float                  g[3][3][VL] = {{{0}}};
    vf                     v[3][3], u[POINTS];

    for (int64_t i = 0; i < VL && d0 + i < j->n_dst_channels && c < j->n_src_channels; i++) {
        const int64_t row = j->is_turned ? c * w->conv.w_columns + d0 + i : (d0 + i) * w->conv.w_columns + c;
        const float  *taps = plain + row * w->conv.n_kernel;
        for (int y = 0; y < 3; y++)
            for (int x = 0; x < 3; x++)
                g[y][x][i] = taps[w->tap[kd][y][x]];
    }
    for (int y = 0; y < 3; y++)
        for (int x = 0; x < 3; x++)
            v[y][x] = vload(g[y][x]);
    transform_weights(u, v);
    for (int p = 0; p < POINTS; p++)
        vstore(out[p], u[p]);
}

void ISA(winograd_pack)(void *packed, const void *plain, const void *prepared)
{
    const rvl_cpu_winograd *w = prepared;
    const rvl_cpu_product  *j = w->conv.products;
    const int64_t           n_panels = conv_n_panels(j), n_c = wino_c(w);

#pragma omp parallel for schedule(dynamic) num_threads(j->n_threads)
    for (int64_t i = 0; i < n_panels * w->n_depth * j->src_blocks; i++) {
        const int64_t panel = i / (w->n_depth * j->src_blocks), kd = i / j->src_blocks % w->n_depth;
        const int64_t c0 = i % j->src_blocks * VL, n_q = conv_panel_width(j, panel);

        for (int64_t c = c0; c < c0 + VL; c++)
            for (int64_t q = 0; q < n_q; q++) {
                float *out[POINTS];
                for (int p = 0; p < POINTS; p++)
                    out[p] = (float *)packed + wino_panel(w, p, panel) + ((kd * n_c + c) * n_q + q) * VL;
                pack_vector(out, plain, w, c, (panel * TILE_Q + q) * VL, kd);
            }
    }
}

/* A task's tiles: rows ty0 .. ty1 - 1, columns tx0 .. tx1 - 1 of one sample. */
typedef struct {
    const rvl_cpu_winograd *w;
    const rvl_cpu_product  *j;
    const float            *src, *weights, *residual;
    float                  *dst;
    const rvl_cpu_finish   *finish;
    int64_t                 ty0, ty1, tx0, tx1, n_tiles;
    float                  *v[RVL_CPU_MAX_DEPTH_TAPS]; /* transformed slices: (point, tile, c) */
    int64_t                 slice[RVL_CPU_MAX_DEPTH_TAPS];
    float                  *m; /* (point, tile, k) */
} wino_task;

/* The transformed slice z of the source, kept in a ring; NULL outside. */
static const float *slice_of(wino_task *t, int64_t z)
{
    const rvl_cpu_product *j = t->j;
    const int64_t          n_c = wino_c(t->w), at = ((z % t->w->n_depth) + t->w->n_depth) % t->w->n_depth;
    int64_t                tile = 0;

    if (z < 0 || z >= j->src[0])
        return NULL;
    if (t->slice[at] == z)
        return t->v[at];
    for (int64_t ty = t->ty0; ty < t->ty1; ty++)
        for (int64_t tx = t->tx0; tx < t->tx1; tx++, tile++)
            for (int64_t b = 0; b < j->src_blocks; b++)
                transform_input(t->v[at] + tile * n_c + b * VL, t->n_tiles * n_c,
                                t->src + (b * j->n_src + z * j->src[1] * j->src[2]) * VL, j->src[1], j->src[2],
                                2 * ty + t->w->y_shift, 2 * tx + t->w->x_shift);
    t->slice[at] = z;
    return t->v[at];
}

/* m = sum over depth taps of transformed input times transformed weights, for every point. */
static void multiply(wino_task *t, const float *const slices[])
{
    const rvl_cpu_winograd *w = t->w;
    const int64_t           n_c = wino_c(w), n_k = wino_k(w), n_panels = conv_n_panels(t->j);
    int64_t                 row[12];

    for (int i = 0; i < 12; i++)
        row[i] = i * n_k;
    for (int64_t p = 0; p < POINTS; p++) {
        for (int64_t panel = 0; panel < n_panels; panel++) {
            const int n_q = (int)conv_panel_width(t->j, panel);
            bool      add = false;
            for (int64_t kd = 0; kd < w->n_depth; kd++) {
                for (int64_t c = 0; slices[kd] && c < n_c; c += N_K, add = true) {
                    tile_job job = {.a_row = n_c,
                                    .n_seg = 1,
                                    .n_k = n_c - c < N_K ? n_c - c : N_K,
                                    .w = t->weights + wino_panel(w, p, panel) + (kd * n_c + c) * n_q * VL,
                                    .row = row,
                                    .dst_q = VL,
                                    .add = add};
                    for (int64_t i = 0; i < t->n_tiles;) {
                        const int n_p = tile_next(t->n_tiles - i, n_q);
                        job.a = slices[kd] + (p * t->n_tiles + i) * n_c + c;
                        job.dst = t->m + (p * t->n_tiles + i) * n_k + panel * TILE_Q * VL;
                        tile_inner(&job, n_p, n_q);
                        i += n_p;
                    }
                }
            }
        }
    }
}

INLINE vf finish_vector(vf v, const wino_task *t, int64_t block, int64_t offset)
{
    const rvl_cpu_finish *f = t->finish;

    if (f->scale)
        v = v * vload(f->scale + block * VL);
    if (f->shift)
        v = v + vload(f->shift + block * VL);
    if (t->residual)
        v = v + vload(t->residual + offset);
    return f->relu ? vrelu(v) : v;
}

/* Results of output slice z. */
static void write_slice(const wino_task *t, int64_t z)
{
    const rvl_cpu_product *j = t->j;
    const int64_t          n_k = wino_k(t->w);
    int64_t                tile = 0;

    for (int64_t ty = t->ty0; ty < t->ty1; ty++) {
        for (int64_t tx = t->tx0; tx < t->tx1; tx++, tile++) {
            for (int64_t b = 0; b < j->dst_blocks; b++) {
                vf r[2][2];
                transform_output(r, t->m + tile * n_k + b * VL, t->n_tiles * n_k);
                for (int64_t y = 2 * ty; y < 2 * ty + 2 && y < j->dst[1]; y++)
                    for (int64_t x = 2 * tx; x < 2 * tx + 2 && x < j->dst[2]; x++) {
                        const int64_t at = (b * j->n_dst + (z * j->dst[1] + y) * j->dst[2] + x) * VL;
                        const vf      v = r[y - 2 * ty][x - 2 * tx];
                        vstore(t->dst + at, t->finish ? finish_vector(v, t, b, at) : v);
                    }
            }
        }
    }
}

static void run_task(wino_task *t)
{
    for (int64_t i = 0; i < t->w->n_depth; i++)
        t->slice[i] = -1;
    for (int64_t z = 0; z < t->j->dst[0]; z++) {
        const float *slices[RVL_CPU_MAX_DEPTH_TAPS];
        bool         any = false;
        for (int64_t kd = 0; kd < t->w->n_depth; kd++) {
            slices[kd] = slice_of(t, z + t->w->depth_shift[kd]);
            any = any || slices[kd];
        }
        if (any)
            multiply(t, slices);
        else
            memset(t->m, 0, (size_t)(POINTS * t->n_tiles * wino_k(t->w)) * sizeof *t->m);
        write_slice(t, z);
    }
}

static void run_all(const rvl_cpu_winograd *w, rvl_kernel_call *call, const float *packed, float *scratch,
                    const rvl_cpu_finish *finish, const float *residual)
{
    const rvl_cpu_product *j = w->conv.products;
    const int64_t n_y = (w->tiles_y + w->block_y - 1) / w->block_y, n_x = (w->tiles_x + w->block_x - 1) / w->block_x;
    const int64_t most = w->block_y * w->block_x, n_v = POINTS * most * wino_c(w);
    const int64_t n_floats = w->n_depth * n_v + POINTS * most * wino_k(w);

#pragma omp parallel for schedule(dynamic) num_threads(j->n_threads)
    for (int64_t i = 0; i < j->n * n_y * n_x; i++) {
        const int64_t sample = i / (n_y * n_x), by = i / n_x % n_y, bx = i % n_x;
        float        *mine = scratch + omp_get_thread_num() * n_floats;
        const int64_t dst = sample * j->dst_blocks * j->n_dst * VL;
        wino_task     t = {.w = w,
                           .j = j,
                           .src = (const float *)call->in[0].data + sample * j->src_blocks * j->n_src * VL,
                           .weights = packed,
                           .residual = residual ? residual + dst : NULL,
                           .dst = (float *)call->out[0].data + dst,
                           .finish = finish,
                           .ty0 = w->tiles_y * by / n_y,
                           .ty1 = w->tiles_y * (by + 1) / n_y,
                           .tx0 = w->tiles_x * bx / n_x,
                           .tx1 = w->tiles_x * (bx + 1) / n_x,
                           .m = mine + w->n_depth * n_v};

        t.n_tiles = (t.ty1 - t.ty0) * (t.tx1 - t.tx0);
        for (int64_t k = 0; k < w->n_depth; k++)
            t.v[k] = mine + k * n_v;
        run_task(&t);
    }
}

/* in: source, weight, [scale, shift], [residual]; out: y. */
void ISA(winograd)(rvl_kernel_call *call)
{
    const rvl_cpu_winograd *w = call->prepared;
    conv_call               c;

    conv_call_open(&c, call, ISA(winograd_pack));
    run_all(w, call, c.packed, c.scratch, c.has_finish ? &c.finish : NULL, c.residual);
}
