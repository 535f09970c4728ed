/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/lower_winograd.c
 * When a convolution can run by Winograd, and how its tiles are cut.
 */
#include "engine/cpu/lower.h"

/** Floats of one task's transformed tiles: about what a core's cache holds. */
#define TASK_FLOATS ((int64_t)192 * 1024)

/** The order of one axis's taps by ascending shift; false unless shifts are neighbours. */
static bool ascending(int64_t *order, const int64_t *shift, int64_t n)
{
    const bool falls = n > 1 && shift[1] < shift[0];

    for (int64_t i = 0; i < n; i++)
        order[i] = falls ? n - 1 - i : i;
    for (int64_t i = 1; i < n; i++)
        if (shift[order[i]] != shift[order[i - 1]] + 1)
            return false;
    return true;
}

/** Shifts of each axis's taps; taps of the product are (depth, row, column), the last fastest. */
static bool read_taps(rvl_cpu_winograd *w, const rvl_cpu_product *p)
{
    const int64_t n_depth = p->n_taps / 9;
    int64_t       z[RVL_CPU_MAX_DEPTH_TAPS], y[3], x[3], oz[RVL_CPU_MAX_DEPTH_TAPS], oy[3], ox[3];

    for (int64_t i = 0; i < n_depth; i++)
        z[i] = p->shift[i * 9][0];
    for (int i = 0; i < 3; i++) {
        y[i] = p->shift[i * 3][1];
        x[i] = p->shift[i][2];
    }
    if (!ascending(oz, z, n_depth) || !ascending(oy, y, 3) || !ascending(ox, x, 3))
        return false;
    w->n_depth = n_depth;
    w->y_shift = y[oy[0]];
    w->x_shift = x[ox[0]];
    for (int64_t d = 0; d < n_depth; d++) {
        w->depth_shift[d] = z[oz[d]];
        for (int i = 0; i < 3; i++)
            for (int k = 0; k < 3; k++)
                w->tap[d][i][k] = p->tap[oz[d] * 9 + oy[i] * 3 + ox[k]];
    }
    return true;
}

static bool is_possible(const rvl_cpu_conv *conv, const int64_t kernel[3])
{
    const rvl_cpu_product *p = conv->products;

    if (conv->n_products != 1 || p->is_plain || kernel[1] != 3 || kernel[2] != 3 ||
        kernel[0] > RVL_CPU_MAX_DEPTH_TAPS || p->n_taps != kernel[0] * 9)
        return false;
    for (int i = 0; i < 3; i++)
        if (p->step[i] != 1 || p->dst_step[i] != 1)
            return false;
    return true;
}

rvl_cpu_winograd *rvl__cpu_winograd(rvl_cpu_lowering *l, const rvl_cpu_conv *conv, const int64_t kernel[3])
{
    const rvl_cpu_product *p = conv->products;
    rvl_cpu_winograd      *w;

    if (!is_possible(conv, kernel))
        return NULL;
    w = rvl__cpu_prepared(l, sizeof *w);
    if (!w || !read_taps(w, p))
        return NULL;
    const int64_t c = p->src_blocks * l->isa->block, k = p->dst_blocks * l->isa->block;
    const int64_t most = TASK_FLOATS / (16 * (w->n_depth * c + k)); /* tiles of a task */
    w->conv = *conv;
    w->conv.n_packed = 16 * w->n_depth * c * k;
    w->tiles_y = (p->dst[1] + 1) / 2;
    w->tiles_x = (p->dst[2] + 1) / 2;
    w->block_x = w->tiles_x <= most || most < 12 ? w->tiles_x : most;
    if (w->block_x > 48)
        w->block_x = 48;
    w->block_y = most / w->block_x < 1 ? 1 : most / w->block_x < w->tiles_y ? most / w->block_x : w->tiles_y;
    w->weight_tiles = 65536 / (c + k) < 48 ? 48 : 65536 / (c + k);
    if (w->weight_tiles > p->n * w->tiles_y * w->tiles_x)
        w->weight_tiles = p->n * w->tiles_y * w->tiles_x;
    return w;
}

int64_t rvl__cpu_winograd_scratch(const rvl_cpu_winograd *w, int64_t block)
{
    const rvl_cpu_product *p = w->conv.products;
    const int64_t          c = p->src_blocks * block, k = p->dst_blocks * block;

    return p->n_threads * 16 * w->block_y * w->block_x * (w->n_depth * c + k);
}

int64_t rvl__cpu_winograd_weight_scratch(const rvl_cpu_winograd *w, int64_t block)
{
    const rvl_cpu_product *p = w->conv.products;
    const int64_t          c = p->src_blocks * block, k = p->dst_blocks * block;

    return w->conv.n_packed + 16 * w->weight_tiles * (w->n_depth * c + k);
}
