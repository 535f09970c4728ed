/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file text/tokenizer.h
 * WordPiece (BERT): exact with the reference BertTokenizer on its vectors. Vocabulary: one token a line.
 */
#ifndef RVL_TEXT_TOKENIZER_H
#define RVL_TEXT_TOKENIZER_H
#include "rvl/status.h"

typedef struct rvl_tokenizer rvl_tokenizer;
typedef struct {
    bool lower_case;     /* also strips accents, as BERT uncased does */
    int  max_word_chars; /* longer words become [UNK]; 0: 100 */
} rvl_tokenizer_opts;

RVL_MUST_USE rvl_status rvl_tokenizer_parse(rvl_tokenizer **out, const char *vocab, size_t n_bytes,
                                            rvl_tokenizer_opts opts, rvl_error *err);
RVL_MUST_USE rvl_status rvl_tokenizer_load(rvl_tokenizer **out, const char *path, rvl_tokenizer_opts opts,
                                           rvl_error *err);
void                    rvl_tokenizer_free(rvl_tokenizer *t);
/** [CLS] text [SEP], cut to `max_tok` (the last is then [SEP]); the rest of ids[0..max_tok) is [PAD]. `*n_tok` is the
 *  count with [CLS] and [SEP]; `*n_cut` (may be NULL) how many tokens were cut. Bytes that are not UTF-8 are FORMAT. */
RVL_MUST_USE rvl_status rvl_tokenizer_encode(int32_t *ids, int *n_tok, int *n_cut, const rvl_tokenizer *t,
                                             const char *text, int max_tok, rvl_error *err);
int                     rvl_tokenizer_count(const rvl_tokenizer *t);
const char             *rvl_tokenizer_token(const rvl_tokenizer *t, int id);         /* NULL outside */
int                     rvl_tokenizer_id(const rvl_tokenizer *t, const char *token); /* -1 if absent */
/** The vocabulary text, to be stored in bundles; borrowed. */
const char             *rvl_tokenizer_vocab(const rvl_tokenizer *t);
rvl_tokenizer_opts      rvl_tokenizer_get_opts(const rvl_tokenizer *t);

/** Learn a WordPiece vocabulary of at most `size` tokens from texts: the five special tokens, characters seen at
 *  least `min_count` times, then merges by score count(ab) / (count(a) count(b)). Deterministic. Caller frees `*vocab`.
 */
RVL_MUST_USE rvl_status rvl_wordpiece_train(char **vocab, const char *const *texts, size_t n_texts, int size,
                                            int min_count, bool lower_case, rvl_error *err);
#endif /* RVL_TEXT_TOKENIZER_H */
