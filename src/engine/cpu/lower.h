/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/lower.h
 * Lowering for the CPU backend: what its files share.
 */
#ifndef RVL_ENGINE_CPU_LOWER_H
#define RVL_ENGINE_CPU_LOWER_H
#include "engine/cpu/cpu.h"
#include "engine/plan.h"

/** What a node's step takes over from nodes before it. */
typedef struct {
    const rvl_node *product;  /* CONV, CONV_BWD_DATA or MATMUL whose last terms this step finishes */
    const rvl_node *norm;     /* BATCH_NORM or SCALE_SHIFT */
    const rvl_node *residual; /* added after it */
    const rvl_node *bias;     /* of a MATMUL or a SOFTMAX */
    const rvl_node *scores;   /* what a SOFTMAX reads times `scale`, plus `bias` */
    double          scale;
    bool            relu;
    const rvl_node *gate; /* BATCH_NORM_BWD after a ReLU: the norm's beta; in[4] is then the ReLU's dy */
} rvl_cpu_fusion;

typedef struct {
    rvl_plan          *plan;
    const rvl_cpu_isa *isa;
    rvl_cpu_fusion    *fusion;    /* by node id */
    bool              *absorbed;  /* by node id: some later node's step computes it */
    int               *n_uses;    /* by node id: inputs of needed nodes, and outputs, that it is */
    int               *blocked;   /* by node id: its value in the blocked layout, -1 */
    bool              *is_remade; /* by node id: its value was computed again for the backward pass */
    int                n_threads;
} rvl_cpu_lowering;

rvl_status rvl__cpu_lower(rvl_plan *plan, rvl_error *err);
/** Find what can be computed together: fills fusion and absorbed. */
void       rvl__cpu_fuse(rvl_cpu_lowering *l);
bool       rvl__cpu_is_relu(const rvl_node *n);
/** Dense convolution: what conv and conv_bwd_weight can do; or depthwise. */
bool       rvl__cpu_conv_is_dense(const rvl_node *n);
bool       rvl__cpu_conv_is_depthwise(const rvl_node *n);

rvl_status rvl__cpu_out_of_memory(rvl_error *err);
/** The producer made it blocked. */
bool       rvl__cpu_is_blocked(const rvl_cpu_lowering *l, const rvl_node *n);

/** Everything plain, by a kernel of ours; by the reference backend's. `in_place`: the input that the output may lie
 *  over, or -1. */
rvl_status rvl__cpu_lower_plain(rvl_cpu_lowering *l, const rvl_node *n, const char *kernel, rvl_kernel run,
                                int in_place, rvl_error *err);
rvl_status rvl__cpu_lower_ref(rvl_cpu_lowering *l, const rvl_node *n, rvl_error *err);
/** All inputs have the output's shape: any layout that the first one has. */
rvl_status rvl__cpu_lower_same(rvl_cpu_lowering *l, const rvl_node *n, const char *kernel, rvl_kernel run,
                               bool any_layout, rvl_error *err);
/** ADD, SUB, MUL, DIV; SUM and SUM_TO; BROADCAST. */
rvl_status rvl__cpu_lower_binary(rvl_cpu_lowering *l, const rvl_node *n, rvl_error *err);
rvl_status rvl__cpu_lower_sum(rvl_cpu_lowering *l, const rvl_node *n, rvl_error *err);
rvl_status rvl__cpu_lower_broadcast(rvl_cpu_lowering *l, const rvl_node *n, rvl_error *err);

/** The value of a node in a layout, reordered if need be. -1: the tables are full. */
int                     rvl__cpu_value(rvl_cpu_lowering *l, const rvl_node *n, rvl_layout layout);
/** A step for `n` whose inputs are `in` and whose outputs are n's, out[0] (and a max-pool's index) in `layout`, extra
 * outputs plain. */
RVL_MUST_USE rvl_status rvl__cpu_step(rvl_plan_step **out, rvl_cpu_lowering *l, const rvl_node *n, const char *kernel,
                                      rvl_kernel run, int n_in, const int *in, rvl_layout layout, rvl_error *err);
/** Memory of the plan for what a kernel reads as `prepared`. */
void                   *rvl__cpu_prepared(rvl_cpu_lowering *l, size_t n_bytes);

/** CONV, CONV_BWD_DATA, CONV_BWD_WEIGHT, dense or depthwise, with what `n`'s fusion says. `n` is the node whose value
 *  the step makes, `conv` the convolution. */
RVL_MUST_USE rvl_status rvl__cpu_lower_conv(rvl_cpu_lowering *l, const rvl_node *n, const rvl_node *conv,
                                            rvl_error *err);

/** The same convolution by Winograd, or NULL if it is none of 3x3 and stride 1 (or memory is short). */
rvl_cpu_winograd *rvl__cpu_winograd(rvl_cpu_lowering *l, const rvl_cpu_conv *conv, const int64_t kernel[3]);
/** The same, if it is the better kernel (choose.c); NULL: the direct one. */
rvl_cpu_winograd *rvl__cpu_choose_winograd(rvl_cpu_lowering *l, const rvl_cpu_conv *conv, const int64_t kernel[3],
                                           bool is_weight);
/** Write new answers of timing to the machine's cache; that it cannot be written is no trouble. */
void              rvl__cpu_choices_save(void);
/** Floats of scratch of the forward kernel, and of the weight gradient. */
int64_t           rvl__cpu_winograd_scratch(const rvl_cpu_winograd *w, int64_t block);
int64_t           rvl__cpu_winograd_weight_scratch(const rvl_cpu_winograd *w, int64_t block);

#endif /* RVL_ENGINE_CPU_LOWER_H */
