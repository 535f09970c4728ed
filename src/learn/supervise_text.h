/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/supervise_text.h
 * Supervised training of the text tower: multi-label BCE with logits from report texts, targets between 0 and 1.
 *
 * The loss of a batch is the sum of the weighted element losses divided by the batch's sum of weights, whatever the
 * micro-batch. Texts longer than the model takes are cut, and counted.
 */
#ifndef RVL_LEARN_SUPERVISE_TEXT_H
#define RVL_LEARN_SUPERVISE_TEXT_H
#include "learn/infer.h"
#include "learn/loop.h"

/** Texts (n, UTF-8) and what they say: targets in 0..1 and weights (n, K), 0 for findings that teach nothing. */
typedef struct {
    int64_t            n;
    const char *const *texts;
    const float       *targets, *weights;
} rvl_text_examples;

typedef struct {
    int64_t       batch, micro_batch; /* micro_batch divides batch */
    const bool   *withheld;           /* per schema finding; NULL: none */
    bool          lock_text;          /* the tower in evaluation mode; its weights must be frozen too */
    uint64_t      seed;
    rvl_plan_opts plan;
} rvl_supervise_text_opts;

typedef struct rvl_supervise_text rvl_supervise_text;
/** All pointers are borrowed. Batches name examples by their place in `train`, as a loader over as many cases does. The
 *  texts of `train` are tokenized here, once; FORMAT, with the place, if one is not UTF-8. `val` may be NULL. */
RVL_MUST_USE rvl_status rvl_supervise_text_new(rvl_supervise_text **out, rvl_model *m, const rvl_text_examples *train,
                                               const rvl_text_examples *val, const rvl_supervise_text_opts *opts,
                                               rvl_error *err);
void                    rvl_supervise_text_set_optimizer(rvl_supervise_text *s, rvl_adamw *o);
void                    rvl_supervise_text_free(rvl_supervise_text *s);
/** The task for rvl_loop_run. The best checkpoint has the least BCE on `val`: probabilities are used as they are, so
 * they shall be right, not only in the right order. */
rvl_task                rvl_supervise_text_task(rvl_supervise_text *s);
/** Memory of the largest plan so far. */
rvl_plan_stats          rvl_supervise_text_plan_stats(const rvl_supervise_text *s);
/** Training texts that were cut. */
int64_t                 rvl_supervise_text_n_cut(const rvl_supervise_text *s);

#endif /* RVL_LEARN_SUPERVISE_TEXT_H */
