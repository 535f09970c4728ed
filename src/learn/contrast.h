/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/contrast.h
 * Contrastive training of two towers (CLIP): symmetric InfoNCE over the whole batch.
 *
 * A batch larger than the micro-batch is exact, not approximated: embed every chunk, take the loss over all embeddings,
 * then push each chunk's embedding gradient back through that chunk (Gao et al. 2021, "Scaling deep contrastive
 * learning batch size under memory limited setup"). Locked towers run in evaluation mode and get no gradient.
 */
#ifndef RVL_LEARN_CONTRAST_H
#define RVL_LEARN_CONTRAST_H
#include "learn/infer.h"
#include "learn/loop.h"

#define RVL_SENTENCES_MAX 64 /* of a text; draws see no more */

typedef enum { RVL_TEXT_FINDINGS, RVL_TEXT_IMPRESSION, RVL_TEXT_BOTH } rvl_text_choice;
/** Of samples whose texts are the same tokens: each is right for itself alone, or for all of them alike
 *  (learn/duplicates.h). */
typedef enum { RVL_DUPLICATES_IGNORE, RVL_DUPLICATES_SHARE } rvl_duplicates;

typedef struct {
    int64_t              batch, micro_batch; /* micro_batch divides batch */
    bool                 lock_image, lock_text;
    /* With lock_image, of images that no draw changes: their features are computed once, when the task is made, and the
     * loader need not read them (its cohort may be NULL). */
    bool                 keep_features;
    rvl_text_choice      text;
    rvl_duplicates       duplicates;
    /* Weight of a second loss: both embeddings' BCE on the findings through one linear layer (rvl_label_loss); 0: none.
     * Above 0 the model has a label head (rvl_clip_config) and the cohort labels. */
    double               label_loss;
    rvl_uncertain_policy uncertain; /* of the labels */
    rvl_missing_policy   missing;
    bool     sample_sentences; /* train on a random, ordered subset of the report's sentences, by (seed, epoch, case) */
    uint64_t seed;
    rvl_plan_opts plan;
} rvl_contrast_opts;

typedef struct rvl_contrast rvl_contrast;
/** All pointers are borrowed; the lists hold cases with a text only. `val` may be NULL. The texts of `train` are
 *  tokenized here, once: steps take no memory but for plans of lengths that the session does not hold. FORMAT, with
 *  the case, if a text is not UTF-8. */
RVL_MUST_USE rvl_status rvl_contrast_new(rvl_contrast **out, rvl_model *m, rvl_cohort *c, const rvl_case_list *train,
                                         const rvl_case_list *val, const rvl_contrast_opts *opts, rvl_error *err);
/** The optimizer, and where the loader stands in batches per epoch (for the sentence draw). */
void                    rvl_contrast_set_optimizer(rvl_contrast *s, rvl_adamw *o, int64_t n_batches_per_epoch);
void                    rvl_contrast_free(rvl_contrast *s);
rvl_task                rvl_contrast_task(rvl_contrast *s);
rvl_plan_stats          rvl_contrast_plan_stats(const rvl_contrast *s);
/** Texts longer than the model takes, so far. */
int64_t                 rvl_contrast_n_cut(const rvl_contrast *s);
/** Texts drawn so far, and how many of them shared their target. */
int64_t                 rvl_contrast_n_texts(const rvl_contrast *s);
int64_t                 rvl_contrast_n_shared(const rvl_contrast *s);

/** The chosen text of a case, NULL if it has none; caller frees with rvl_free. */
char *rvl_case_text(const rvl_case *c, rvl_text_choice choice);
/** The draw of (seed, epoch, case) among the `n` <= RVL_SENTENCES_MAX sentences of a text: true, and which to read, at
 *  least one, in take[0..n); false for the whole text. */
bool  rvl_draw_sentences(bool *take, int64_t n, uint64_t seed, uint64_t epoch, uint64_t case_key);

#endif /* RVL_LEARN_CONTRAST_H */
