/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/terms.h
 * Words of a report, and phrases of rules found among them.
 *
 * A phrase is written as a radiologist would say it, in lower case, and is no regular expression:
 *   nodule        this word            nodul*    any word that begins so     nodule|nodules   either
 *   small?        may be left out      #         a number                    ...              up to four words
 * Hyphens and slashes inside words separate them, so "ground glass" finds "ground-glass". Punctuation is a word.
 */
#ifndef RVL_LABEL_TERMS_H
#define RVL_LABEL_TERMS_H
#include "base/str.h"

typedef struct {
    uint32_t at, n_bytes; /* in the text */
    int32_t  word;        /* exact word of the vocabulary, -1 if none */
    int32_t  prefix;      /* longest prefix of the vocabulary, -1; the others follow by the vocabulary's chain */
    bool     is_number;
    char     mark; /* the character of a punctuation word, else 0 */
} rvl__token;

/** The phrases of a rule file. Filled by one thread; then read by any number. */
typedef struct rvl__terms rvl__terms;
rvl__terms               *rvl__terms_new(void); /* NULL when out of memory */
void                      rvl__terms_free(rvl__terms *t);
/** Add a phrase found as `tag`. FORMAT (without place) if it is malformed, LIMIT if it is too long. */
RVL_MUST_USE rvl_status   rvl__terms_add(rvl__terms *t, const char *phrase, int32_t tag, rvl_error *err);
/** After the last phrase, before the first search. */
RVL_MUST_USE rvl_status   rvl__terms_finish(rvl__terms *t, rvl_error *err);

/** Cut `text` into tokens (at most `n_bytes` of them, the room `out` must have); returns how many. */
size_t rvl__terms_tokens(rvl__token *out, const rvl__terms *t, const char *text, size_t n_bytes);

typedef struct {
    int32_t tag, from, to; /* tokens [from, to) */
} rvl__match;
/** All phrases among `n` tokens: for each phrase and place the longest. Returns the count, at most `max`. */
size_t rvl__terms_find(rvl__match *out, size_t max, const rvl__terms *t, const rvl__token *tokens, size_t n);

#endif /* RVL_LABEL_TERMS_H */
