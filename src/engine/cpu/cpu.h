/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/cpu.h
 * The CPU backend: what its lowering (this folder) and its kernels (isa/, compiled once per instruction set) share.
 *
 * Activations of convolutional parts lie blocked (kernels.h), everything else plain. One vector register holds one
 * channel block. Every sum is split by shapes, never by the number of threads, so results do not depend on it.
 */
#ifndef RVL_ENGINE_CPU_CPU_H
#define RVL_ENGINE_CPU_CPU_H
#include "engine/kernels.h"

/** Vectors of output channels that one panel of packed weights holds, for vectors of `vl` floats. */
#define RVL_CPU_PANEL(vl) ((vl) == 16 ? 4 : 2)
/** Positions of a convolution's output that are worked on together, and channel blocks of a sum kept in cache. */
#define RVL_CPU_POSITIONS 192
#define RVL_CPU_SEGMENTS 16
/** Most taps of a depthwise filter: it lies on the stack. */
#define RVL_CPU_MAX_FILTER 512

/** What follows the last term of a product, each part optional: times scale, plus shift (both per output channel,
 * padded to whole blocks), plus residual, ReLU. */
typedef struct {
    const float *scale, *shift;
    bool         relu;
} rvl_cpu_finish;

/** A convolution, or one phase of the gradient of its input, as products: dst at each place of a grid is the sum over
 *  taps and source channels. The source index of an axis at grid place g and tap t is g * step + shift[t]. */
typedef struct {
    int64_t n;               /* samples */
    int64_t grid[3], n_grid; /* places computed per sample */
    int64_t src[3], n_src;   /* extents of the source */
    int64_t step[3];
    int64_t n_taps;
    const int64_t (*shift)[3];    /* per tap */
    const int64_t *tap;           /* index of each tap in the plain weight */
    int64_t        dst[3], n_dst; /* extents of the destination */
    int64_t        dst_step[3], dst_first[3];
    int64_t        n_src_channels, n_dst_channels;
    int64_t        src_blocks, dst_blocks, n_segments; /* segments: blocks of the sum's index */
    bool           is_in_place;                        /* one tap, nothing skipped: the source is read where it lies */
    bool           is_plain;  /* a plain source of few channels: the sum's index is (channel, tap) without gaps */
    bool           is_turned; /* weights are read as (source, destination): the gradient of the input */
    int64_t        w_offset;  /* floats before this product's packed weights */
    int            n_threads;
} rvl_cpu_product;

/** A prepared convolution kernel: its products (several phases only for the gradient of a strided input). */
typedef struct {
    int                    n_products;
    const rvl_cpu_product *products;
    int64_t                n_packed;                /* floats, all products */
    bool                   has_scale, has_residual; /* inputs after source and weight: scale, shift, residual */
    bool                   relu;
    const float           *packed;   /* weights, kept with the parameter; NULL: packed in scratch at every call */
    int64_t                n_kernel; /* taps of the plain weight */
    int64_t                w_rows, w_columns; /* O and C / groups of the plain weight */
} rvl_cpu_conv;

/** A 3x3 convolution of stride 1 (in 3-D with any depth taps) by Winograd F(2x2, 3x3): the same inputs, results and
 *  packed-weight rules as rvl_cpu_conv, which it stands for; `product` holds the geometry. */
#define RVL_CPU_MAX_DEPTH_TAPS 7
typedef struct {
    rvl_cpu_conv conv;    /* first: kernels that take a rvl_cpu_conv may be given this */
    int64_t      n_depth; /* depth taps */
    int64_t      depth_shift[RVL_CPU_MAX_DEPTH_TAPS];
    int64_t      y_shift, x_shift;                   /* of the first kernel row and column */
    int64_t      tap[RVL_CPU_MAX_DEPTH_TAPS][3][3];  /* index in the plain weight by ascending shift */
    int64_t      tiles_y, tiles_x, block_y, block_x; /* output tiles of 2x2, and of one task */
    int64_t      weight_tiles;                       /* tiles that the weight gradient sums at a time */
} rvl_cpu_winograd;

/** BatchNorm and what follows it. */
typedef struct {
    bool has_residual, relu;
} rvl_cpu_norm;

/** Pieces into which the positions of one channel block are cut for threads; their order is that of sums. */
static inline int64_t rvl_cpu_pieces(int64_t n_pos)
{
    return (n_pos + 4095) / 4096;
}

/** A matrix product C = A B, each operand plain, transposed or not, with batches. */
typedef struct {
    int64_t      m, n, k, batch;
    int64_t      a_batch, b_batch; /* elements between batches; 0: shared */
    bool         trans_a, trans_b;
    bool         has_bias; /* input 2, per column */
    int          n_threads;
    const float *packed; /* B in panels, kept with the parameter; NULL: packed in scratch at every call */
} rvl_cpu_matmul;

/** A value as (outer, middle, inner), whose middle a sum takes away and a broadcast brings. */
typedef struct {
    int64_t n_outer, n_middle, n_inner;
    double  scale; /* of a sum */
} rvl_cpu_middle;

/** Arithmetic of (outer, middle, inner) with (outer, inner). */
typedef struct {
    rvl_op         op;
    rvl_cpu_middle middle;
} rvl_cpu_binary;

/** What stands before a softmax: x * scale + a row of biases for each `n_rows` rows. */
typedef struct {
    double  scale;
    int64_t n_rows; /* 0: no bias */
} rvl_cpu_scores;

/** Rows of C that a task works on, terms summed in registers before C is written, and the copy of A^T that both make.
 */
#define RVL_CPU_MATMUL_ROWS 96
#define RVL_CPU_MATMUL_TERMS 256
#define RVL_CPU_TURNED_FLOATS (RVL_CPU_MATMUL_ROWS * RVL_CPU_MATMUL_TERMS)

typedef struct {
    const char *name;
    int64_t     block;
    rvl_pack_fn conv_pack, winograd_pack, matmul_pack;
    void (*adamw)(float *w, float *m, float *v, const float *grad, int64_t n, const rvl_adamw_factors *f);
#define X(name) rvl_kernel name;
#include "engine/cpu/kernels.def"
#undef X
} rvl_cpu_isa;

/* Every kernel of every set: rvl__scalar_conv, rvl__avx2_conv, rvl__avx512_conv, ... */
#define X(name)                                                                                                        \
    void rvl__scalar_##name(rvl_kernel_call *call);                                                                    \
    void rvl__avx2_##name(rvl_kernel_call *call);                                                                      \
    void rvl__avx512_##name(rvl_kernel_call *call);
#include "engine/cpu/kernels.def"
#undef X
void rvl__scalar_conv_pack(void *packed, const void *plain, const void *conv);
void rvl__avx2_conv_pack(void *packed, const void *plain, const void *conv);
void rvl__avx512_conv_pack(void *packed, const void *plain, const void *conv);
#define X(isa)                                                                                                         \
    void rvl__##isa##_adamw(float *w, float *m, float *v, const float *grad, int64_t n, const rvl_adamw_factors *f);
X(scalar)
X(avx2)
X(avx512)
#undef X
void rvl__scalar_matmul_pack(void *packed, const void *plain, const void *matmul);
void rvl__avx2_matmul_pack(void *packed, const void *plain, const void *matmul);
void rvl__avx512_matmul_pack(void *packed, const void *plain, const void *matmul);
void rvl__scalar_winograd_pack(void *packed, const void *plain, const void *conv);
void rvl__avx2_winograd_pack(void *packed, const void *plain, const void *conv);
void rvl__avx512_winograd_pack(void *packed, const void *plain, const void *conv);

/** Floats of scratch that one thread needs for panels. */
#define RVL_CPU_PANEL_FLOATS ((int64_t)RVL_CPU_POSITIONS * 512)

/** The instruction set in use. */
const rvl_cpu_isa *rvl__cpu_isa(void);

extern const rvl_cpu_isa rvl__scalar_isa, rvl__avx2_isa, rvl__avx512_isa;

#endif /* RVL_ENGINE_CPU_CPU_H */
