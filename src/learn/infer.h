/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/infer.h
 * Run a model in evaluation mode over cases or texts: the one place where embeddings and logits are computed, for
 * validation, zero-shot, search and bench alike.
 */
#ifndef RVL_LEARN_INFER_H
#define RVL_LEARN_INFER_H
#include "cohort/loader.h"
#include "model/model.h"

typedef struct rvl_infer rvl_infer;
/** The model is borrowed and must be materialised. */
RVL_MUST_USE rvl_status  rvl_infer_new(rvl_infer **out, rvl_model *m, rvl_error *err);
void                     rvl_infer_free(rvl_infer *f);

/** With true, cases of another modality, body part or view than the model's are taken too. */
void rvl_infer_set_forced(rvl_infer *f, bool forced);

/** Width of an output: "embedding" E, "logits" K, "pooled" F; 0 if the model has none. */
int64_t                 rvl_infer_width(const rvl_infer *f, const char *output, bool is_text);
/** First image of each case -> out (n_cases, width). Cohort and list are borrowed. UNSUPPORTED if the cohort is of
 *  another modality or body part, or a case of another view, than the model names; STATE if the pack was prepared
 *  otherwise. A model that names no view takes all. */
RVL_MUST_USE rvl_status rvl_infer_cases(float *out, rvl_infer *f, const char *output, rvl_cohort *c,
                                        const rvl_case_list *list, rvl_error *err);
/** One preprocessed image ([D,] H, W). */
RVL_MUST_USE rvl_status rvl_infer_image(float *out, rvl_infer *f, const char *output, const float *image,
                                        rvl_error *err);
/** Texts -> out (n, width); `*n_cut` (may be NULL) counts texts longer than the model takes. NULL texts are empty. */
RVL_MUST_USE rvl_status rvl_infer_texts(float *out, rvl_infer *f, const char *output, const char *const *texts,
                                        int64_t n, int64_t *n_cut, rvl_error *err);

/** Tokens of `n` texts into ids, mask (n, T): T is the longest rounded up to a multiple of 16, at most m->max_tok.
 *  `ids` and `mask` have room for n * max_tok. */
RVL_MUST_USE rvl_status rvl_tokenize_batch(int32_t *ids, float *mask, int64_t *n_tok, int64_t *n_cut,
                                           const rvl_model *m, const char *const *texts, int64_t n, rvl_error *err);
/** Rows of `ids` and `mask` (n, max_tok), the longest with `longest` tokens, closed up to (n, T); returns that T. */
int64_t                 rvl_tokens_close_up(int32_t *ids, float *mask, int64_t n, int longest, int max_tok);
/** UNSUPPORTED unless the image tower has as many axes as the grid. */
RVL_MUST_USE rvl_status rvl__check_rank(const rvl_model *m, const rvl_preprocess *grid, rvl_error *err);
/** Preprocessing of the model; FORMAT if its JSON is damaged. */
RVL_MUST_USE rvl_status rvl_model_preprocess(rvl_preprocess *out, const rvl_model *m, rvl_error *err);

#endif /* RVL_LEARN_INFER_H */
