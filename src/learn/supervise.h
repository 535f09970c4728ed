/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/supervise.h
 * Supervised training of the image tower: multi-label BCE with logits over a finding schema.
 *
 * The loss of a batch is the sum of the weighted element losses divided by the batch's sum of weights, whatever the
 * micro-batch: accumulated equals big batch at equal BatchNorm groups (groups have the micro-batch's size).
 */
#ifndef RVL_LEARN_SUPERVISE_H
#define RVL_LEARN_SUPERVISE_H
#include "learn/infer.h"
#include "learn/loop.h"

typedef struct {
    int64_t              batch, micro_batch; /* micro_batch divides batch */
    rvl_uncertain_policy uncertain;
    rvl_missing_policy   missing;
    const bool          *withheld;   /* per schema finding; NULL: none */
    bool                 lock_image; /* the tower in evaluation mode; its weights must be frozen too */
    uint64_t             seed;
    rvl_plan_opts        plan;
} rvl_supervise_opts;

typedef struct rvl_supervise rvl_supervise;
/** All pointers are borrowed. The optimizer comes later (rvl_supervise_set_optimizer), since its weights are made by
 *  the first plan. `val` may be NULL. */
RVL_MUST_USE rvl_status rvl_supervise_new(rvl_supervise **out, rvl_model *m, rvl_cohort *c, const rvl_case_list *val,
                                          const rvl_supervise_opts *opts, rvl_error *err);
void                    rvl_supervise_set_optimizer(rvl_supervise *s, rvl_adamw *o);
void                    rvl_supervise_free(rvl_supervise *s);
/** The task for rvl_loop_run. */
rvl_task                rvl_supervise_task(rvl_supervise *s);
/** Memory plan of a step. */
rvl_plan_stats          rvl_supervise_plan_stats(const rvl_supervise *s);
/** Macro AUROC over findings with both classes, from logits, targets and weights (n, K); a target above 1/2 is
 * positive. Per finding into `each` (K, NaN where undefined; may be NULL). Withheld findings (NULL: none) are left out
 * of the mean. */
RVL_MUST_USE rvl_status rvl_macro_auroc(double *macro, double *each, const float *logits, const float *targets,
                                        const float *weights, int64_t n, int k, const bool *withheld, rvl_error *err);
/** The same as a record of eval.jsonl; the caller owns it. */
json_t                 *rvl_macro_auroc_json(double macro, const double *each, const rvl_schema *schema, int64_t n);
/** Targets and weights (n, K) of the cases' labels by the policies; cases without labels weigh nothing. */
void rvl_label_targets(float *targets, float *weights, const rvl_case_list *list, int k, rvl_uncertain_policy uncertain,
                       rvl_missing_policy missing);

#endif /* RVL_LEARN_SUPERVISE_H */
