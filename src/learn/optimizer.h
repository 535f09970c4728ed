/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/optimizer.h
 * AdamW with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), gradient accumulation and clipping.
 *
 * Weight decay acts on weights of two and more axes only (no biases, norms or scales). Gradients, moments and the step
 * are f32, its factors and the gradient's norm f64; every result is independent of the thread count. A step allocates
 * nothing.
 */
#ifndef RVL_LEARN_OPTIMIZER_H
#define RVL_LEARN_OPTIMIZER_H
#include "rvl/plan.h"

enum { RVL_ADAMW_MAX_GROUPS = 8 };

/** What the weights of one group (rvl_param_group) get: their learning rate is the step's times lr_scale. */
typedef struct {
    double      lr_scale, weight_decay;
    const char *name; /* for logs; borrowed, NULL: not logged */
} rvl_adamw_group;

typedef struct {
    double          beta1, beta2, eps;
    int             n_groups; /* 1..RVL_ADAMW_MAX_GROUPS */
    rvl_adamw_group groups[RVL_ADAMW_MAX_GROUPS];
    bool            no_sum; /* a step is one accumulate: gradients are read where the plan has them */
} rvl_adamw_opts;

typedef struct rvl_adamw rvl_adamw;
/** For the used, trainable F32 weights of `params` (borrowed); frozen weights take no memory. STATE if there are none,
 *  USAGE if one is of a group that `opts` does not have. */
RVL_MUST_USE rvl_status  rvl_adamw_new(rvl_adamw **out, rvl_params *params, rvl_adamw_opts opts, rvl_error *err);
void                     rvl_adamw_free(rvl_adamw *o);
void                     rvl_adamw_zero_grad(rvl_adamw *o);
/** Add the outputs "grad:<name>" of a plan that was just run; a weight without one is left alone. With no_sum they
 *  take the place of what was there, and the plan must neither run nor be freed before the step. */
void                     rvl_adamw_accumulate(rvl_adamw *o, const rvl_plan *plan);
/** L2 norm of all gradients together; not finite if one is not. */
double                   rvl_adamw_grad_norm(const rvl_adamw *o);
/** One step: gradients times `grad_scale`, learning rate `lr`. Weights are touched. */
void                     rvl_adamw_step(rvl_adamw *o, double lr, double grad_scale);
/** Name of the first weight with a gradient that is not finite; NULL if all are. */
const char              *rvl_adamw_nonfinite(const rvl_adamw *o);

RVL_MUST_USE rvl_status rvl_adamw_save(const rvl_adamw *o, const char *path, rvl_error *err);
/** FORMAT if the file is of another set of weights. */
RVL_MUST_USE rvl_status rvl_adamw_load(rvl_adamw *o, const char *path, rvl_error *err);
/** Group i (0..n_groups-1) if it has weights to train, else NULL. */
const rvl_adamw_group  *rvl_adamw_used_group(const rvl_adamw *o, int i);
int                     rvl_adamw_n_groups(const rvl_adamw *o);
size_t                  rvl_adamw_bytes(const rvl_adamw *o); /* moments and summed gradients */

#endif /* RVL_LEARN_OPTIMIZER_H */
