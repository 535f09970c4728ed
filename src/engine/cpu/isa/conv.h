/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/conv.h
 * What the convolution kernels of one instruction set share.
 */
#ifndef RVL_ENGINE_CPU_ISA_CONV_H
#define RVL_ENGINE_CPU_ISA_CONV_H
#include "engine/cpu/isa/tile.h"

/* A gathered panel: position i of segment s starts at data + i * row + s * segment. */
typedef struct {
    const float *data;
    int64_t      row, segment;
} panel_view;

typedef struct {
    int64_t z, y, x;
} place;

INLINE place place_of(const int64_t grid[3], int64_t i)
{
    return (place){i / (grid[1] * grid[2]), i / grid[2] % grid[1], i % grid[2]};
}

INLINE void place_next_row(place *p, const int64_t grid[3])
{
    p->x = 0;
    if (++p->y == grid[1]) {
        p->y = 0;
        p->z++;
    }
}

INLINE int64_t conv_n_panels(const rvl_cpu_product *j)
{
    return (j->dst_blocks + TILE_Q - 1) / TILE_Q;
}

INLINE int64_t conv_panel_width(const rvl_cpu_product *j, int64_t panel)
{
    const int64_t n = j->dst_blocks - panel * TILE_Q;

    return n < TILE_Q ? n : TILE_Q;
}

/* Positions of a group: fewer where a whole plain row has to fit the panel. */
INLINE int64_t conv_positions(const rvl_cpu_product *j)
{
    const int64_t fit = j->is_plain ? RVL_CPU_PANEL_FLOATS / (j->n_segments * VL) : RVL_CPU_POSITIONS;

    return fit < RVL_CPU_POSITIONS ? fit : RVL_CPU_POSITIONS;
}

/* Taps that are neighbours along x in a plain source: a whole kernel row if they have no gaps. */
INLINE int64_t conv_row_taps(const rvl_cpu_product *j)
{
    int64_t n = 1;

    while (n < j->n_taps && j->shift[n][0] == j->shift[0][0] && j->shift[n][1] == j->shift[0][1] &&
           j->shift[n][2] == j->shift[0][2] + n)
        n++;
    return j->n_taps % n ? 1 : n;
}

/* Offsets of positions p0 .. in a channel block of the destination. */
INLINE void conv_dst_rows(int64_t *row, const rvl_cpu_product *j, int64_t p0, int64_t count)
{
    place at = place_of(j->grid, p0);

    for (int64_t i = 0; i < count; i++) {
        const int64_t z = j->dst_first[0] + at.z * j->dst_step[0], y = j->dst_first[1] + at.y * j->dst_step[1];
        row[i] = ((z * j->dst[1] + y) * j->dst[2] + j->dst_first[2] + at.x * j->dst_step[2]) * VL;
        if (++at.x == j->grid[2])
            place_next_row(&at, j->grid);
    }
}

/* What a convolution's call brings beside its source: packed weights, what follows the sum, scratch. */
typedef struct {
    const float   *packed, *residual;
    float         *scratch; /* what is left of it */
    rvl_cpu_finish finish;
    bool           has_finish;
} conv_call;

/* Per-channel values padded with zeros to whole blocks. */
INLINE const float *conv_padded(float **scratch, const float *x, const rvl_cpu_product *j)
{
    float *out = *scratch;

    *scratch += j->dst_blocks * VL;
    memset(out, 0, (size_t)(j->dst_blocks * VL) * sizeof *out);
    memcpy(out, x, (size_t)j->n_dst_channels * sizeof *out);
    return out;
}

INLINE void conv_call_open(conv_call *c, const rvl_kernel_call *call, rvl_pack_fn pack)
{
    const rvl_cpu_conv *conv = call->prepared;
    int                 i_in = 2;

    *c = (conv_call){.packed = conv->packed, .scratch = call->scratch, .finish = {.relu = conv->relu}};
    if (!c->packed) { /* a weight that is no parameter */
        pack(c->scratch, call->in[1].data, conv);
        c->packed = c->scratch;
        c->scratch += conv->n_packed;
    }
    if (conv->has_scale) {
        c->finish.scale = conv_padded(&c->scratch, call->in[i_in++].data, conv->products);
        c->finish.shift = conv_padded(&c->scratch, call->in[i_in++].data, conv->products);
    }
    if (conv->has_residual)
        c->residual = call->in[i_in].data;
    c->has_finish = conv->relu || conv->has_scale || conv->has_residual;
}

/* Bring segments s0 .. s0 + n_seg - 1 of `count` positions of a sample together (a plain source: all segments). */
void ISA(conv_gather)(panel_view *out, float *panel, const rvl_cpu_product *j, const float *src, int64_t sample,
                      int64_t p0, int64_t count, int64_t s0, int64_t n_seg);

#endif /* RVL_ENGINE_CPU_ISA_CONV_H */
