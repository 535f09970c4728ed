/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/winograd.h
 * Winograd F(2x2, 3x3) (Lavin and Gray 2016, section 4.1): transforms of tiles, one channel block at a time. 2.25 times
 * fewer multiplications than the direct sum; in f32 as accurate, since every factor is 1 or 1/2.
 */
#ifndef RVL_ENGINE_CPU_ISA_WINOGRAD_H
#define RVL_ENGINE_CPU_ISA_WINOGRAD_H
#include "engine/cpu/isa/conv.h"

#define POINTS 16 /* of the transformed tile */

/* Input tile of 4x4 from (y0, x0) on, zeros outside: B^T d B at out[point * stride]. `plane` may be NULL: all zeros. */
INLINE void transform_input(float *out, int64_t stride, const float *plane, int64_t height, int64_t width, int64_t y0,
                            int64_t x0)
{
    vf d[4][4], t[4][4];

    if (plane && y0 >= 0 && x0 >= 0 && y0 + 4 <= height && x0 + 4 <= width) {
        UNROLL for (int i = 0; i < 4; i++) UNROLL for (int j = 0; j < 4; j++) d[i][j] =
            vload(plane + ((y0 + i) * width + x0 + j) * VL);
    } else {
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++) {
                const int64_t y = y0 + i, x = x0 + j;
                const bool    inside = plane && y >= 0 && y < height && x >= 0 && x < width;
                d[i][j] = inside ? vload(plane + (y * width + x) * VL) : vset(0.0F);
            }
    }
    UNROLL for (int j = 0; j < 4; j++)
    {
        t[0][j] = d[0][j] - d[2][j];
        t[1][j] = d[1][j] + d[2][j];
        t[2][j] = d[2][j] - d[1][j];
        t[3][j] = d[1][j] - d[3][j];
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        vstore(out + (i * 4 + 0) * stride, t[i][0] - t[i][2]);
        vstore(out + (i * 4 + 1) * stride, t[i][1] + t[i][2]);
        vstore(out + (i * 4 + 2) * stride, t[i][2] - t[i][1]);
        vstore(out + (i * 4 + 3) * stride, t[i][1] - t[i][3]);
    }
}

/* Four results of a tile: A^T m A. */
INLINE void transform_output(vf r[2][2], const float *m, int64_t stride)
{
    vf t[2][4];

    UNROLL for (int j = 0; j < 4; j++)
    {
        const vf a = vload(m + j * stride), b = vload(m + (4 + j) * stride), c = vload(m + (8 + j) * stride);
        const vf d = vload(m + (12 + j) * stride);
        t[0][j] = a + b + c;
        t[1][j] = b - c - d;
    }
    UNROLL for (int i = 0; i < 2; i++)
    {
        r[i][0] = t[i][0] + t[i][1] + t[i][2];
        r[i][1] = t[i][1] - t[i][2] - t[i][3];
    }
}

/* Gradient tile of 2x2 at (y0, x0), zeros outside: A d A^T. */
INLINE void transform_gradient(float *out, int64_t stride, const float *plane, int64_t height, int64_t width,
                               int64_t y0, int64_t x0)
{
    vf d[2][2], t[4][2];

    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            d[i][j] = y0 + i < height && x0 + j < width ? vload(plane + ((y0 + i) * width + x0 + j) * VL) : vset(0.0F);
    UNROLL for (int j = 0; j < 2; j++)
    {
        t[0][j] = d[0][j];
        t[1][j] = d[0][j] + d[1][j];
        t[2][j] = d[0][j] - d[1][j];
        t[3][j] = -d[1][j];
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        vstore(out + (i * 4 + 0) * stride, t[i][0]);
        vstore(out + (i * 4 + 1) * stride, t[i][0] + t[i][1]);
        vstore(out + (i * 4 + 2) * stride, t[i][0] - t[i][1]);
        vstore(out + (i * 4 + 3) * stride, -t[i][1]);
    }
}

/* Channels of source and destination with their last blocks' zeros. */
INLINE int64_t wino_c(const rvl_cpu_winograd *w)
{
    return w->conv.products->src_blocks * VL;
}

INLINE int64_t wino_k(const rvl_cpu_winograd *w)
{
    return w->conv.products->dst_blocks * VL;
}

/* First float of a panel of transformed weights: (point, panel, depth tap, c, columns of the panel). */
INLINE int64_t wino_panel(const rvl_cpu_winograd *w, int64_t point, int64_t panel)
{
    return (point * wino_k(w) + panel * TILE_Q * VL) * w->n_depth * wino_c(w);
}

#endif /* RVL_ENGINE_CPU_ISA_WINOGRAD_H */
