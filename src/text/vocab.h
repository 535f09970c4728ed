/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file text/vocab.h
 * A map between short byte strings and dense numbers 0, 1, 2, ... in order of insertion.
 */
#ifndef RVL_TEXT_VOCAB_H
#define RVL_TEXT_VOCAB_H
#include "rvl/status.h"

typedef struct rvl__vocab rvl__vocab;
rvl__vocab               *rvl__vocab_new(void); /* NULL when out of memory */
void                      rvl__vocab_free(rvl__vocab *v);
/** Number of the string, -1 if absent. */
int                       rvl__vocab_find(const rvl__vocab *v, const char *bytes, size_t n_bytes);
/** Number of the string, added if absent (then `*is_new`, which may be NULL, is true); -1 when out of memory. */
int                       rvl__vocab_add(rvl__vocab *v, const char *bytes, size_t n_bytes, bool *is_new);
int                       rvl__vocab_count(const rvl__vocab *v);
/** NUL-terminated text of a number inside 0..count-1; borrowed until the map is freed. */
const char               *rvl__vocab_text(const rvl__vocab *v, int i);
/** Bytes of the longest string. */
size_t                    rvl__vocab_longest_bytes(const rvl__vocab *v);
#endif /* RVL_TEXT_VOCAB_H */
