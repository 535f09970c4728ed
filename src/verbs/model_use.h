/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/model_use.h
 * Opening a trained model for use, and zero-shot scores from its prompts: shared by zeroshot, embed, search and bench.
 */
#ifndef RVL_VERBS_MODEL_USE_H
#define RVL_VERBS_MODEL_USE_H
#include "learn/infer.h"

typedef struct {
    rvl_model *m;
    rvl_infer *infer;
    char      *path;   /* the bundle that was taken */
    char       id[33]; /* hash of its bytes */
} rvl_use;

/** Resolve RUN or file, load, hash, say which checkpoint was taken. `threads` 0: all. */
RVL_MUST_USE rvl_status rvl__use_open(rvl_use *out, const char *run_or_file, int64_t threads, rvl_error *err);
void                    rvl__use_close(rvl_use *u);

/** The image or volume file (of a CT model also a DICOM folder) `path`, read by a worker where there is one. */
RVL_MUST_USE rvl_status rvl__use_load_image(rvl_volume **out, const rvl_preprocess *spec, const char *path,
                                            rvl_error *err);

/** Embedding directions of a schema's prompts: mean of the (normalised, for cosine) prompt embeddings per finding and
 *  polarity, (K, E) each; `positive` and `negative` are owned by the caller (rvl_free). */
RVL_MUST_USE rvl_status rvl__prompt_directions(float **positive, float **negative, rvl_use *u, const rvl_schema *schema,
                                               rvl_error *err);
/** probability (n, K) = softmax over (similarity to positive, similarity to negative) at the model's temperature, the
 *  positive entry (Radford et al. 2021, section 3.1.4 for prompt ensembling in embedding space). */
RVL_MUST_USE rvl_status rvl__zeroshot_scores(double *probability, rvl_use *u, const rvl_schema *schema,
                                             const float *embeddings, int64_t n, rvl_error *err);
/** exp(logit_scale) of a learnable temperature, else 1 / temperature. */
double                  rvl__logit_scale(const rvl_model *m);
/** The model's own schema, or the one named by `prompts`: a schema, "@SET" for the sentences of a prompt set about the
 *  model's findings, or "SCHEMA@SET"; `*owned` tells whether the caller frees it. */
RVL_MUST_USE rvl_status rvl__use_schema(const rvl_schema **out, rvl_schema **owned, const rvl_use *u,
                                        const char *prompts, rvl_error *err);

#endif /* RVL_VERBS_MODEL_USE_H */
