/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/ref/ref.h
 * What the files of the reference backend share.
 *
 * Every kernel is written once, in a .inc file that both.h includes for float and for double (T is the type, FN the
 * suffix). Sums run in f64, each output element is summed by one thread in an order fixed by the shapes: results do
 * not depend on the number of threads or on the processor's vector width. Kernels allocate nothing: scratch is a
 * fixed-size tile on the stack.
 */
#ifndef RVL_ENGINE_REF_H
#define RVL_ENGINE_REF_H
#include "engine/kernels.h"

/* Hot functions are compiled for three generations of x86 and chosen when the program is loaded. Contraction is off,
 * so the copies give the same bits. Not under sanitizers: they cannot follow the load-time choice. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&               \
    !defined(__SANITIZE_THREAD__)
#define RVL_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RVL_CLONES
#endif

/* Below this many elements a loop stays on one thread. */
#define RVL_REF_PARALLEL_MIN 16384
/* Elements that a thread takes at a time from an element-wise loop. */
#define RVL_REF_CHUNK 8192

/* Eight f64 partial sums, one vector or several: the order of a long sum is fixed in the source. */
typedef double rvl_ref_f64x8 __attribute__((vector_size(64), aligned(8), may_alias));
typedef float  rvl_ref_f32x8 __attribute__((vector_size(32), aligned(4), may_alias));

static inline double rvl_ref_sum8(const double p[8])
{
    return ((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7]));
}

static inline int64_t rvl_ref_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Product tile: acc (m, n) += a (n_k, m) transposed times b (n_k, n), all f64, rows of `a` RVL_TILE_M apart, rows of
 * `acc` and `b` RVL_TILE_PITCH apart (more than RVL_TILE_N, so that columns spread over cache sets). `m` is a multiple
 * of 4 and `n` of 8. Each element adds its products one after the other in order of k. */
#define RVL_TILE_M 32
#define RVL_TILE_N 128
#define RVL_TILE_K 32
#define RVL_TILE_PITCH (RVL_TILE_N + 8)
void rvl__ref_tile(double *acc, const double *a, const double *b, int64_t m, int64_t n, int64_t n_k);

/* A loop over `shape` for up to two operands, neighbouring axes merged: element (i0, i1, ...) of operand s lies at
 * sum(i * stride[s]). Axes that an operand repeats have stride 0. The last axis is the inner loop. */
typedef struct {
    int     n_dims;
    int64_t shape[RVL_MAX_DIMS];
    int64_t stride[2][RVL_MAX_DIMS];
    int64_t n_rows; /* product of all extents but the last */
} rvl_ref_walk;
/* The walk over `out` in which a (and b, unless NULL) are repeated as NumPy broadcasting says. */
void    rvl__ref_walk_broadcast(rvl_ref_walk *walk, const rvl_buf *out, const rvl_buf *a, const rvl_buf *b);
/* The walk over the elements of `x` in storage order, where stride[1] leads through `y`: 0 for each axis in the bit
 * mask `reduced`. */
void    rvl__ref_walk_reduce(rvl_ref_walk *walk, const rvl_buf *x, unsigned reduced);
/* Offset in operand `i_operand` of the first element of a row. */
int64_t rvl__ref_walk_row(const rvl_ref_walk *walk, int i_operand, int64_t i_row);

/* Kernels, one per row of ops.def. */
#define X(NAME, name, n_in, n_out, attr) void rvl__ref_##name(rvl_kernel_call *call);
#include "engine/ops.def"
#undef X

/* Define the kernel `name` from its two halves name_f32 and name_f64. */
#define RVL_REF_DISPATCH(name)                                                                                         \
    void rvl__ref_##name(rvl_kernel_call *call)                                                                        \
    {                                                                                                                  \
        if (call->out[0].dtype == RVL_DTYPE_F64)                                                                       \
            name##_f64(call);                                                                                          \
        else                                                                                                           \
            name##_f32(call);                                                                                          \
    }

#endif /* RVL_ENGINE_REF_H */
