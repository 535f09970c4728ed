/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/llama.h
 * llama.cpp behind few functions: tokens, a shared beginning, sequences that branch from it, scores of the next token.
 *
 * Only label/llama.c knows llama.cpp's types. Sequence 0 is the shared beginning; 1 .. n_sequences - 1 are the
 * caller's. One thread at a time. A build without llama.cpp refuses rvl_llama_open with DEVICE.
 */
#ifndef RVL_LABEL_LLAMA_H
#define RVL_LABEL_LLAMA_H
#include "rvl/status.h"

typedef struct {
    int  n_context_tok; /* tokens a sequence may have, its beginning included */
    int  n_sequences;   /* 2 .. 256 */
    bool is_shared;     /* sequences share cells: branches cost no copy; n_context_tok is then for all together */
    int  n_threads;
} rvl_llama_opts;

/** Tokens; rvl_free(ids). */
typedef struct {
    int32_t *ids;
    int      n;
} rvl_tokens;

/** Tokens that continue a sequence. If `scores` is not NULL it gets the logits of `candidates` after the last one. */
typedef struct {
    int            sequence;
    const int32_t *ids;
    int            n;
    const int32_t *candidates;
    int            n_candidates;
    float         *scores;
} rvl_llama_piece;

typedef struct rvl_llama rvl_llama;
bool                     rvl_llama_built(void);
/** Load a GGUF model of text. NOT_FOUND, FORMAT, UNSUPPORTED (encoder, recurrent), DEVICE, NOMEM. */
RVL_MUST_USE rvl_status  rvl_llama_open(rvl_llama **out, const char *path, const rvl_llama_opts *o, rvl_error *err);
void                     rvl_llama_free(rvl_llama *l);              /* NULL is allowed */
int                      rvl_llama_context_tok(const rvl_llama *l); /* tokens of a sequence; the model's, if less */

/** `system` ("" for none) and `user` as the model's chat template writes them, up to where its answer begins. A model
 *  without one gets plain text. rvl_free. */
RVL_MUST_USE rvl_status rvl_llama_chat(char **out, const rvl_llama *l, const char *system, const char *user,
                                       rvl_error *err);
/** `is_first`: put the model's begin token before. `is_markup`: names of control tokens become control tokens; for
 *  text from outside false. */
RVL_MUST_USE rvl_status rvl_llama_tokens(rvl_tokens *out, const rvl_llama *l, const char *text, size_t n_bytes,
                                         bool is_first, bool is_markup, rvl_error *err);

/** Sequence `to` becomes a copy of `from` without computing it again; what it held is dropped. */
void                    rvl_llama_branch(rvl_llama *l, int from, int to);
void                    rvl_llama_drop(rvl_llama *l, int sequence);
/** Compute all pieces, those of one sequence in their order, in batches that llama.cpp accepts. LIMIT if a sequence
 *  would be longer than the context; nothing is computed then. CANCELLED when asked to stop. */
RVL_MUST_USE rvl_status rvl_llama_eval(rvl_llama *l, const rvl_llama_piece *pieces, int n_pieces, rvl_error *err);
int64_t                 rvl_llama_evaluated_tok(const rvl_llama *l); /* tokens computed since open */

#endif /* RVL_LABEL_LLAMA_H */
