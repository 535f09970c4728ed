/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/tile.h
 * The product tile in registers under convolution and matmul: P rows by Q vectors of columns.
 */
#ifndef RVL_ENGINE_CPU_ISA_TILE_H
#define RVL_ENGINE_CPU_ISA_TILE_H
#include "engine/cpu/isa/vec.h"

#define TILE_Q RVL_CPU_PANEL(VL) /* vectors of a full panel */
#if VL == 16
#define TILE_P 6 /* rows of a full tile of a full panel: 24 sums, 4 weights, 1 factor of 32 registers */
#else
#define TILE_P 6 /* 12 sums, 2 weights, 1 factor of 16 registers */
#endif

/* Inner products: acc[p][q] is the sum over segments s and k of a[s * a_seg + p * a_row + k] times vector q of
 * w[(s * n_k + k) * n_q]. Outer products (tile_outer): the sum over k of a[k * a_row + p] times w[k * w_row + q * w_q].
 * The result goes to dst + row[p] + q * dst_q. */
typedef struct {
    const float          *a;
    int64_t               a_row, a_seg, n_seg, n_k;
    const float          *w;
    int64_t               w_row, w_q;
    float                *dst;
    const int64_t        *row; /* offset of each row of the result */
    int64_t               dst_q;
    bool                  add;      /* to what dst holds */
    const rvl_cpu_finish *finish;   /* NULL unless these are the last terms */
    const float          *residual; /* laid out like dst, or NULL */
    int64_t               i_column; /* vector of scale and shift that belongs to q 0 */
} tile_job;

INLINE void tile_finish(vf *acc, const tile_job *j, int p, int n_q)
{
    const rvl_cpu_finish *f = j->finish;

    for (int q = 0; q < n_q; q++) {
        vf v = acc[q];
        if (f->scale)
            v = v * vload(f->scale + (j->i_column + q) * VL);
        if (f->shift)
            v = v + vload(f->shift + (j->i_column + q) * VL);
        if (j->residual)
            v = v + vload(j->residual + j->row[p] + q * j->dst_q);
        acc[q] = f->relu ? vrelu(v) : v;
    }
}

INLINE void tile_run(const tile_job *j, const int n_p, const int n_q, const bool is_outer)
{
    vf           acc[12][4];
    const float *w = j->w;

    UNROLL for (int p = 0; p < n_p; p++) UNROLL for (int q = 0; q < n_q; q++) acc[p][q] =
        j->add ? vload(j->dst + j->row[p] + q * j->dst_q) : vset(0.0F);
    for (int64_t s = 0; s < j->n_seg; s++) {
        const float *a = j->a + s * j->a_seg;
        for (int64_t k = 0; k < j->n_k; k++) {
            vf b[4];
            UNROLL for (int q = 0; q < n_q; q++) b[q] = vload(w + q * (is_outer ? j->w_q : VL));
            w += is_outer ? j->w_row : n_q * VL;
            UNROLL for (int p = 0; p < n_p; p++)
            {
                const float f = is_outer ? a[k * j->a_row + p] : a[p * j->a_row + k];
                UNROLL for (int q = 0; q < n_q; q++) acc[p][q] += f * b[q];
            }
        }
    }
    UNROLL for (int p = 0; p < n_p; p++)
    {
        if (j->finish)
            tile_finish(acc[p], j, p, n_q);
        UNROLL for (int q = 0; q < n_q; q++) vstore(j->dst + j->row[p] + q * j->dst_q, acc[p][q]);
    }
}

#ifdef RVL_ROLLED_TILES
#define TILE_FUNCTION(name, tiles, Q, IS_OUTER)                                                                        \
    static __attribute__((noinline, unused)) void name(const tile_job *j, int n_p)                                     \
    {                                                                                                                  \
        tile_run(j, n_p, Q, IS_OUTER);                                                                                 \
    }
#else
#define TILE(P, Q, IS_OUTER)                                                                                           \
    case P:                                                                                                            \
        tile_run(j, P, Q, IS_OUTER);                                                                                   \
        break;
#define TILES_6(Q, IS_OUTER)                                                                                           \
    TILE(1, Q, IS_OUTER)                                                                                               \
    TILE(2, Q, IS_OUTER) TILE(3, Q, IS_OUTER) TILE(4, Q, IS_OUTER) TILE(5, Q, IS_OUTER) TILE(6, Q, IS_OUTER)
#define TILES_8(Q, IS_OUTER) TILES_6(Q, IS_OUTER) TILE(7, Q, IS_OUTER) TILE(8, Q, IS_OUTER)
#define TILES_12(Q, IS_OUTER)                                                                                          \
    TILES_8(Q, IS_OUTER)                                                                                               \
    TILE(9, Q, IS_OUTER) TILE(10, Q, IS_OUTER) TILE(11, Q, IS_OUTER) TILE(12, Q, IS_OUTER)
#define TILE_FUNCTION(name, tiles, Q, IS_OUTER)                                                                        \
    static __attribute__((noinline, unused)) void name(const tile_job *j, int n_p)                                     \
    {                                                                                                                  \
        switch (n_p) {                                                                                                 \
            tiles(Q, IS_OUTER)                                                                                         \
        }                                                                                                              \
    }
#endif

TILE_FUNCTION(tile_inner_1, TILES_12, 1, false)
TILE_FUNCTION(tile_outer_1, TILES_12, 1, true)
#if VL == 16
TILE_FUNCTION(tile_inner_2, TILES_12, 2, false)
TILE_FUNCTION(tile_outer_2, TILES_12, 2, true)
TILE_FUNCTION(tile_inner_3, TILES_8, 3, false)
TILE_FUNCTION(tile_outer_3, TILES_8, 3, true)
TILE_FUNCTION(tile_inner_4, TILES_6, 4, false)
TILE_FUNCTION(tile_outer_4, TILES_6, 4, true)
#else
TILE_FUNCTION(tile_inner_2, TILES_6, 2, false)
TILE_FUNCTION(tile_outer_2, TILES_6, 2, true)
#endif

/* Most rows of a tile of n_q vectors. */
INLINE int tile_rows(int n_q)
{
#if VL == 16
    return n_q == 4 ? 6 : n_q == 3 ? 8 : 12;
#else
    return n_q == 2 ? 6 : 12;
#endif
}

/* Run a tile of n_p rows (at most tile_rows) by n_q vectors. */
INLINE void tile_inner(const tile_job *j, int n_p, int n_q)
{
#if VL == 16
    static void (*const run[])(const tile_job *, int) = {NULL, tile_inner_1, tile_inner_2, tile_inner_3, tile_inner_4};
#else
    static void (*const run[])(const tile_job *, int) = {NULL, tile_inner_1, tile_inner_2};
#endif
    run[n_q](j, n_p);
}

INLINE void tile_outer(const tile_job *j, int n_p, int n_q)
{
#if VL == 16
    static void (*const run[])(const tile_job *, int) = {NULL, tile_outer_1, tile_outer_2, tile_outer_3, tile_outer_4};
#else
    static void (*const run[])(const tile_job *, int) = {NULL, tile_outer_1, tile_outer_2};
#endif
    run[n_q](j, n_p);
}

/* Rows of the next tile when `n` are left: as even as can be, so that no tile is nearly empty. */
INLINE int tile_next(int64_t n, int n_q)
{
    const int64_t most = tile_rows(n_q), n_tiles = (n + most - 1) / most;

    return (int)((n + n_tiles - 1) / n_tiles);
}

#endif /* RVL_ENGINE_CPU_ISA_TILE_H */
