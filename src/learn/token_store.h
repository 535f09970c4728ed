/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/token_store.h
 * Texts as tokens, once: a training step takes the ids of a text, or of some of its sentences, without tokenizing and
 * without memory of its own.
 *
 * A row is what rvl_tokenizer_encode makes of the same sentences joined by blanks: WordPiece works word by word, so the
 * tokens of sentences stand one after the other. A text that is more than its sentences (only the first
 * RVL_SENTENCES_MAX are kept) has ids of its own.
 */
#ifndef RVL_LEARN_TOKEN_STORE_H
#define RVL_LEARN_TOKEN_STORE_H
#include "text/tokenizer.h"

typedef struct rvl_token_store rvl_token_store;

/** An empty store of rows of `max_tok` >= 2 tokens; `by_sentence` keeps texts divisible. The tokenizer is borrowed. */
RVL_MUST_USE rvl_status rvl_token_store_new(rvl_token_store **out, const rvl_tokenizer *t, int max_tok,
                                            bool by_sentence, rvl_error *err);
void                    rvl_token_store_free(rvl_token_store *s); /* NULL is allowed */

/** Tokens of the next text: texts are numbered 0, 1, ... A failure (FORMAT if it is not UTF-8) adds none. */
RVL_MUST_USE rvl_status rvl_token_store_add(rvl_token_store *s, const char *text, rvl_error *err);

/** How many sentences `take` chooses from, at most RVL_SENTENCES_MAX; 0 if the text is kept undivided: it has one
 *  sentence, or the store is not by sentence. */
int  rvl_token_store_n_sentences(const rvl_token_store *s, int64_t i_text);
/** [CLS] text [SEP] in ids[0..max_tok), cut or padded as rvl_tokenizer_encode does. `take` says for each sentence
 *  whether it is read, NULL reads the whole text; text -1 is empty. `*n_tok` counts [CLS] and [SEP], `*is_cut` says
 * that tokens found no place. Takes no memory. */
void rvl_token_store_row(int32_t *ids, int *n_tok, bool *is_cut, const rvl_token_store *s, int64_t i_text,
                         const bool *take);

#endif /* RVL_LEARN_TOKEN_STORE_H */
