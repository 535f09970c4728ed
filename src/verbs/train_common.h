/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/train_common.h
 * What pretrain and align share: the cohort and its splits, the image tower's configuration, the run, the loop.
 */
#ifndef RVL_VERBS_TRAIN_COMMON_H
#define RVL_VERBS_TRAIN_COMMON_H
#include "learn/loop.h"
#include "rvl/verbs.h"

/** Groups of the optimizer: what stands on the towers, and the towers. */
enum { RVL_GROUP_HEAD, RVL_GROUP_IMAGE, RVL_GROUP_TEXT, RVL_N_GROUPS };

typedef struct {
    rvl_cohort   *cohort;
    rvl_case_list train, val;
    rvl_model    *m;
    rvl_adamw    *optimizer;
    rvl_loader   *loader;
    rvl_run      *run;
    int64_t       batch, micro;
    bool          has_validation;
    bool          keeps_features; /* the task needs no images: rvl_contrast_opts.keep_features */
    bool          is_locked[RVL_N_GROUPS];
    double        lr[RVL_N_GROUPS]; /* peak of each group */
} rvl_training;

rvl_train_opts          rvl__train_opts_default(void);
/** Check the options and set the thread count. */
RVL_MUST_USE rvl_status rvl__training_begin(rvl_training *t, const rvl_train_opts *opts, rvl_error *err);
/** The same, and open the cohort and its splits. */
RVL_MUST_USE rvl_status rvl__training_open(rvl_training *t, const rvl_train_opts *opts, rvl_error *err);
void                    rvl__training_close(rvl_training *t);
/** A fresh model with an image tower by the options (random or from --image-tower), its preprocessing the cohort's.
 * `embed_dim`: of the space that its projection leads to, 0 for none; `wants_classifier`: a published checkpoint's too.
 */
RVL_MUST_USE rvl_status rvl__training_new_model(rvl_training *t, const rvl_train_opts *opts, int embed_dim,
                                                bool wants_classifier, rvl_error *err);
/** Freeze the weights of locked towers and put every weight into its group; call it once the weights are made, and
 *  before a training graph is built. */
void                    rvl__training_mark_weights(rvl_training *t);
/** Set a tower's peak learning rate (-1: that of all) and lock. USAGE, naming the options "--lr-<name>" and
 *  "--lock-<name>", if the rate is no rate or both are given. */
RVL_MUST_USE rvl_status rvl__training_set_group(rvl_training *t, int group, double lr, bool is_locked,
                                                const rvl_train_opts *opts, rvl_error *err);
/** Batch sizes once the lists are final (cases without text may have been dropped). */
RVL_MUST_USE rvl_status rvl__training_sizes(rvl_training *t, const rvl_train_opts *opts, rvl_error *err);
/** Open or resume the run; on resume t->m is replaced by the checkpoint's model. `recipe` goes into the fingerprint. */
RVL_MUST_USE rvl_status rvl__training_open_run(rvl_training *t, const rvl_train_opts *opts, const char *verb,
                                               const char *recipe, rvl_error *err);
/** Optimizer (restored on resume) and loader. The first training plan must exist: it makes the weights. */
RVL_MUST_USE rvl_status rvl__training_prepare(rvl_training *t, const rvl_train_opts *opts, rvl_error *err);
RVL_MUST_USE rvl_status rvl__training_run(rvl_train_result *out, rvl_training *t, const rvl_train_opts *opts,
                                          const rvl_task *task, rvl_error *err);
/** Log the plan: "weights 1.2 MiB, gradients ..., activations ...". */
void                    rvl__training_log_plan(const rvl_training *t, rvl_plan_stats stats);
/** Facts that travel in the bundle: seed, version, bn_group, cohort counts. */
void                    rvl__training_note(rvl_training *t, const rvl_train_opts *opts, const char *verb);

#endif /* RVL_VERBS_TRAIN_COMMON_H */
