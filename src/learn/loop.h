/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/loop.h
 * The training loop: batches, steps, schedule, clipping, logging, evaluation, checkpoints, resume, interruption.
 *
 * What a step computes is the task's (learn/supervise.h, learn/contrast.h). A loss or gradient that is not finite stops
 * the run, names the first tensor, and leaves the last checkpoint as it was.
 */
#ifndef RVL_LEARN_LOOP_H
#define RVL_LEARN_LOOP_H
#include "cohort/loader.h"
#include "learn/run_folder.h"

typedef struct {
    void *self;
    /** Forward and backward of one batch: add gradients to the optimizer, stage state. */
    rvl_status (*step)(void *self, const rvl_batch *batch, int64_t step, double *loss, rvl_error *err);
    /** Metrics of the validation split as a JSON object (caller owns) and the value that chooses the best checkpoint
     *  (larger is better). */
    rvl_status (*evaluate)(void *self, json_t **metrics, double *value, rvl_error *err);
    /** After a loss that is not finite: NUMERIC with the first bad tensor's name. */
    rvl_status (*find_nonfinite)(void *self, rvl_error *err);
    /** A plan of the steps so far, for the run's plan.json; NULL if there was none. */
    const rvl_plan *(*plan)(void *self);
    const char *metric; /* what `value` is: "macro AUROC on val" */
} rvl_task;

typedef struct {
    int64_t n_epochs;
    int64_t n_steps; /* if above 0 these end the run, wherever in an epoch, and n_epochs says nothing */
    double  lr, lr_min, warmup, clip_grad;
    int64_t log_every, eval_every, save_every, keep_last, keep_every; /* steps, epochs, steps (0: epochs only), ... */
    bool    has_validation;
} rvl_loop_opts;

typedef struct {
    int64_t n_steps, n_epochs, best_step;
    double  best_value, last_loss, seconds;
} rvl_loop_result;

/** Train until the last epoch. The model's params and state, the optimizer, loader and run are borrowed. CANCELLED
 *  after saving when rvl_cancel_requested(). */
RVL_MUST_USE rvl_status rvl_loop_run(rvl_loop_result *out, const rvl_task *task, const rvl_model *m, rvl_adamw *o,
                                     rvl_loader *loader, rvl_run *run, const rvl_loop_opts *opts, rvl_error *err);

#endif /* RVL_LEARN_LOOP_H */
