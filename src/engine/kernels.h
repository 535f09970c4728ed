/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/kernels.h
 * What a backend is: a table of kernels, one per row of ops.def. Nothing above it knows a layout.
 *
 * A kernel reads in[], writes every element of out[], allocates nothing. Shapes were checked by the graph. Float
 * buffers of one call share one dtype (F32 or F64).
 *
 *   conv(x, w)                              -> y
 *   conv_bwd_data(w, dy)                    -> dx        (shape of out[0] is x's)
 *   conv_bwd_weight(x, dy)                  -> dw        (shape of out[0] is w's)
 *   max_pool(x)                             -> y, index I32 (flat position inside one channel's plane of x)
 *   max_pool_bwd(dy, index)                 -> dx;  avg_pool(x) -> y;  avg_pool_bwd(dy) -> dx
 *   matmul(a, b)                            -> y         (one side may be 2-D and shared by all batches)
 *   add sub mul div(a, b)                   -> y         (NumPy broadcasting)
 *   unary_bwd(x, dy)                        -> dx;  softmax_bwd(y, dy) -> dx;  log_softmax_bwd(y, dy) -> dx
 *   l2_normalize(x)                         -> y, norm (..., 1), the norm before max with eps
 *   l2_normalize_bwd(y, norm, dy)           -> dx
 *   layer_norm(x, gamma, beta)              -> y, mean (...), rstd (...)
 *   layer_norm_bwd(x, gamma, mean, rstd, dy)-> dx, dgamma, dbeta
 *   batch_norm(x, gamma, beta)              -> y, mean (G, C), var (G, C; biased)    training only
 *   batch_norm_bwd(x, gamma, mean, var, dy) -> dx, dgamma, dbeta
 *   scale_shift(x, scale (C), shift (C))    -> y = x * scale + shift per channel (axis 1)
 *   sum(x)                                  -> y, times attr.scale;  broadcast(x) -> y (to the shape of y)
 *   sum_to(x)                               -> y (reduces what broadcasting from y's shape would have repeated)
 *   slice_bwd(dy)                           -> dx (zeros outside the slice)
 *   embedding_bwd(ids, dy)                  -> dtable (rows added in order of position)
 *   dropout(x)                              -> y; the same kernel with the same node_id serves the gradient
 *   bce_with_logits(x, t, w)                -> l;  bce_with_logits_bwd(x, t, w, dl) -> dx
 *   cross_entropy(logits, ids)              -> l (N);  cross_entropy_bwd(logits, ids, dl) -> dlogits
 *   cross_entropy_soft(logits, p)           -> l (N);  cross_entropy_soft_bwd(logits, p, dl) -> dlogits
 */
#ifndef RVL_ENGINE_KERNELS_H
#define RVL_ENGINE_KERNELS_H
#include "rvl/ops.h"

#define RVL_KERNEL_MAX_IN 16
#define RVL_KERNEL_MAX_OUT 3

typedef struct {
    char unused;
} rvl_no_attr;
typedef struct {
    double a, b;
} rvl_affine_attr;
typedef struct {
    rvl_unary_kind kind;
    double         a, b;
} rvl_unary_attr;
typedef struct {
    double eps;
} rvl_eps_attr;
typedef struct {
    unsigned axes;
    bool     keep;
    double   scale;
} rvl_reduce_attr;
typedef struct {
    int perm[RVL_MAX_DIMS];
} rvl_perm_attr;
typedef struct {
    int     axis;
    int64_t start, n;
} rvl_slice_attr;
typedef struct {
    int axis;
} rvl_axis_attr;
typedef struct {
    double   p;
    uint64_t node_id;
} rvl_dropout_attr;

typedef enum {
#define X(NAME, name, n_in, n_out, attr) RVL_OP_##NAME,
#include "engine/ops.def"
#undef X
    RVL_OP_COUNT
} rvl_op;

typedef union {
    rvl_conv_attr       conv;
    rvl_pool_attr       pool;
    rvl_matmul_attr     matmul;
    rvl_affine_attr     affine;
    rvl_unary_attr      unary;
    rvl_eps_attr        eps;
    rvl_batch_norm_attr batch_norm;
    rvl_reduce_attr     reduce;
    rvl_perm_attr       perm;
    rvl_slice_attr      slice;
    rvl_axis_attr       axis;
    rvl_dropout_attr    dropout;
    rvl_no_attr         none;
} rvl_op_attr;

/** How a value of (N, C, spatial...) lies in memory. Blocked: (N, C / block, spatial..., block), where the last block's
 *  channels beyond C are zeros. The block is the backend's; nothing above the kernels knows it. */
typedef enum { RVL_LAYOUT_PLAIN, RVL_LAYOUT_BLOCKED } rvl_layout;

typedef struct {
    void      *data;
    rvl_dtype  dtype;
    rvl_layout layout;
    int        n_dims;
    int64_t    shape[RVL_MAX_DIMS];
    int64_t    count; /* elements */
} rvl_buf;

typedef struct {
    int         n_in, n_out;
    rvl_buf     in[RVL_KERNEL_MAX_IN], out[RVL_KERNEL_MAX_OUT];
    rvl_op_attr attr;       /* defaults already filled in (strides, groups, momentum, ...) */
    uint64_t    seed, step; /* keys of random numbers */
    const void *prepared;   /* what the backend's lowering worked out for this call, or NULL */
    void       *scratch;    /* as many bytes as the lowering asked for, or NULL */
    rvl_status  status;     /* set to RVL_ERR_NUMERIC by a kernel that met an id outside its table */
} rvl_kernel_call;

typedef void (*rvl_kernel)(rvl_kernel_call *call);

/** Bring a weight into a kernel's own order. */
typedef void (*rvl_pack_fn)(void *packed, const void *plain, const void *prepared);

struct rvl_plan;

typedef struct {
    const char *name;
    int64_t     block;                 /* channels of a block in the blocked layout; 1: the backend has none */
    rvl_kernel  kernels[RVL_OP_COUNT]; /* NULL: this backend lacks the op; a plan that needs it fails by name */
    /** Turn the needed nodes of the plan's graph into steps; NULL: one plain step per node. */
    rvl_status (*lower)(struct rvl_plan *plan, rvl_error *err);
} rvl_kernel_table;

/** Plain loops with f64 accumulators, F32 and F64: the truth that every other backend is tested against. */
const rvl_kernel_table *rvl_ref_kernels(void);
/** Vector kernels for x86, F32: see engine/cpu/. Chosen for the processor, or by RVL_CPU_ISA, at the first call. */
const rvl_kernel_table *rvl_cpu_kernels(void);
const char             *rvl_cpu_isa_text(void); /* "avx512" */

/** The factors of one AdamW step (Loshchilov and Hutter 2019, algorithm 2): with g = scale * gradient,
 *  m = keep_m m + add_m g, v = keep_v v + add_v g^2, w -= decay w + step m / (root sqrt(v) + eps). */
typedef struct {
    float keep_m, add_m, keep_v, add_v; /* beta and 1 - beta */
    float scale, step, root, eps, decay;
} rvl_adamw_factors;
/** Do it for n elements, in vectors, in the caller's thread. The decay is subtracted as a product, not as a factor
 *  1 - decay, which f32 would round to a few digits. */
void rvl_cpu_adamw(float *w, float *m, float *v, const float *grad, int64_t n, const rvl_adamw_factors *f);

#endif /* RVL_ENGINE_KERNELS_H */
