/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rvl/ops.h
 * Graph operations. Letters: N batch, C channel, O output channel, D H W, T tokens, E embedding, K classes.
 * Integer nodes (ids, indices) are I32; everything else has the graph's dtype.
 */
#ifndef RVL_OPS_H
#define RVL_OPS_H
#include "rvl/graph.h"
RVL_BEGIN_DECLS

/** Zeros mean the default: stride 1, pad 0, dilation 1, groups 1. Axes beyond the rank are ignored; entry 0 is
 *  the slowest spatial axis (D in 3-D, H in 2-D). */
typedef struct {
    int stride[3], pad_before[3], pad_after[3], dilation[3], groups;
} rvl_conv_attr;
/** x (N, C, [D, [H,]] W), w (O, C / groups, kernel...) -> (N, O, out...). No bias. 1-, 2- and 3-D. */
RVL_API rvl_node *rvl_conv(rvl_node *x, rvl_node *w, rvl_conv_attr attr);

typedef struct {
    int kernel[3], stride[3], pad[3]; /* stride 0: the kernel */
} rvl_pool_attr;
/** x (N, C, spatial...) -> (N, C, out...), floor rule; padding never wins the maximum. */
RVL_API rvl_node *rvl_max_pool(rvl_node *x, rvl_pool_attr attr);
/** Mean over the kernel; padding counts as zeros in the denominator (PyTorch's count_include_pad). */
RVL_API rvl_node *rvl_avg_pool(rvl_node *x, rvl_pool_attr attr);

typedef struct {
    bool trans_a, trans_b;
} rvl_matmul_attr;
/** a (..., M, K) x b (..., K, N) -> (..., M, N) after the transposes of the last two axes. Batch axes are equal,
 *  or one side is 2-D and serves every batch. */
RVL_API rvl_node *rvl_matmul(rvl_node *a, rvl_node *b, rvl_matmul_attr attr);

/** Element by element with NumPy broadcasting. */
RVL_API rvl_node *rvl_add(rvl_node *a, rvl_node *b);
RVL_API rvl_node *rvl_sub(rvl_node *a, rvl_node *b);
RVL_API rvl_node *rvl_mul(rvl_node *a, rvl_node *b);
RVL_API rvl_node *rvl_div(rvl_node *a, rvl_node *b);
/** a * x + b. */
RVL_API rvl_node *rvl_affine(rvl_node *x, double a, double b);

typedef enum {
    RVL_UNARY_EXP,
    RVL_UNARY_LOG,
    RVL_UNARY_SQRT,
    RVL_UNARY_SQUARE,
    RVL_UNARY_RELU,
    RVL_UNARY_LEAKY_RELU, /* slope a */
    RVL_UNARY_GELU_ERF,
    RVL_UNARY_GELU_TANH,
    RVL_UNARY_GELU_QUICK,
    RVL_UNARY_SILU,
    RVL_UNARY_SIGMOID,
    RVL_UNARY_TANH,
    RVL_UNARY_SOFTPLUS,
    RVL_UNARY_CLAMP /* a .. b; gradient 0 outside */
} rvl_unary_kind;
RVL_API rvl_node *rvl_unary(rvl_node *x, rvl_unary_kind kind, double a, double b);
RVL_API rvl_node *rvl_relu(rvl_node *x);
RVL_API rvl_node *rvl_exp(rvl_node *x);
RVL_API rvl_node *rvl_gelu(rvl_node *x); /* exact, erf */

/** Over the last axis. */
RVL_API rvl_node *rvl_softmax(rvl_node *x);
RVL_API rvl_node *rvl_log_softmax(rvl_node *x);
/** x / max(||x||_2, eps) over the last axis. */
RVL_API rvl_node *rvl_l2_normalize(rvl_node *x, double eps);

/** x (..., E), gamma (E), beta (E): normalise over the last axis. */
RVL_API rvl_node *rvl_layer_norm(rvl_node *x, rvl_node *gamma, rvl_node *beta, double eps);

/** BatchNorm over axis 1 of x (N, C, ...) with weights "weight", "bias" and state "running_mean", "running_var"
 *  under the current scope. Training: statistics over groups of `group` samples (0: the whole N; N must be a
 *  multiple), biased variance to normalise, unbiased for the running statistics, blended with `momentum` group
 *  by group in sample order into the state's shadow. Evaluation: the running statistics. */
typedef struct {
    bool   training;
    int    group;
    double momentum, eps; /* 0: 0.1, 1e-5 */
} rvl_batch_norm_attr;
RVL_API rvl_node *rvl_batch_norm(rvl_node *x, rvl_batch_norm_attr attr);

/** x (N, C, ...) times scale (C) plus shift (C), per channel. */
RVL_API rvl_node *rvl_scale_shift(rvl_node *x, rvl_node *scale, rvl_node *shift);

/** Sum or mean over the axes of the bit mask `axes` (bit 0: slowest). `keep` leaves extent-1 axes. f64 inside.
 *  Reducing every axis without keep gives a 1-D tensor of one element. */
RVL_API rvl_node *rvl_sum(rvl_node *x, unsigned axes, bool keep);
RVL_API rvl_node *rvl_mean(rvl_node *x, unsigned axes, bool keep);

/** One extent may be -1. */
RVL_API rvl_node *rvl_reshape(rvl_node *x, int n_dims, const int64_t *shape);
/** out axis i is x axis perm[i]. */
RVL_API rvl_node *rvl_transpose(rvl_node *x, const int *perm);
/** Elements start .. start + n - 1 of `axis`. */
RVL_API rvl_node *rvl_slice(rvl_node *x, int axis, int64_t start, int64_t n);
RVL_API rvl_node *rvl_concat(int n, rvl_node *const *x, int axis);
/** table (V, E), ids I32 (...) -> (..., E). Ids outside 0..V-1 are RVL_ERR_NUMERIC at run time. */
RVL_API rvl_node *rvl_embedding(rvl_node *table, rvl_node *ids);
/** Zero with probability p and scale the rest by 1/(1-p); random numbers by (plan seed, step, node id). */
RVL_API rvl_node *rvl_dropout(rvl_node *x, double p);

/** Element losses max(x,0) - x t + log(1 + exp(-|x|)), times weight w: x, t, w (N, K) -> (N, K). No gradient to
 *  t and w. A zero weight ignores the element whatever its target. */
RVL_API rvl_node *rvl_bce_with_logits(rvl_node *x, rvl_node *targets, rvl_node *weights);
/** logits (N, K), ids I32 (N): -log softmax at the id -> (N); id -1 gives 0. */
RVL_API rvl_node *rvl_cross_entropy(rvl_node *logits, rvl_node *ids);
/** logits (N, K), target probabilities (N, K) -> (N). No gradient to the targets. */
RVL_API rvl_node *rvl_cross_entropy_soft(rvl_node *logits, rvl_node *targets);

RVL_END_DECLS
#endif /* RVL_OPS_H */
