/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/str.h
 * Byte spans, a growing string with a sticky failure, strict number parsing (no locale).
 */
#ifndef RVL_BASE_STR_H
#define RVL_BASE_STR_H
#include "rvl/status.h"

/** Bytes somebody else owns; never NUL-terminated by promise. */
typedef struct {
    const uint8_t *ptr;
    size_t         n_bytes;
} rvl_span;

/** Growing buffer, always NUL-terminated once non-empty. Start with { 0 }. After the first failed allocation
 *  `failed` is set and later calls do nothing: check once at the end. */
typedef struct {
    char  *ptr;
    size_t n_bytes, capacity;
    bool   failed;
} rvl_str;

void  rvl_str_add(rvl_str *s, const char *text);
void  rvl_str_add_n(rvl_str *s, const void *bytes, size_t n_bytes);
void  rvl_str_addf(rvl_str *s, const char *format, ...) RVL_PRINTF(2, 3);
void  rvl_str_clear(rvl_str *s); /* keeps the memory */
void  rvl_str_free(rvl_str *s);
/** Moves the text to the caller (rvl_free); NULL if the buffer failed. An empty buffer gives "". */
char *rvl_str_take(rvl_str *s);

/** Whole text must be the number; false otherwise. f64 accepts nan/inf only if `*out` may be so: it refuses
 *  them. Leading or trailing blanks are refused. */
bool rvl_parse_i64(const char *text, int64_t *out);
bool rvl_parse_f64(const char *text, double *out);
bool rvl_parse_bool(const char *text, bool *out); /* true false yes no on off 1 0 */

bool rvl_str_equal(const char *a, const char *b); /* NULL equals NULL only */
bool rvl_str_starts(const char *text, const char *prefix);
bool rvl_str_ends(const char *text, const char *suffix);
/** Strict UTF-8 (no overlong, no surrogates); `*bad_offset` (may be NULL) gets the first bad byte. */
bool rvl_utf8_valid(const void *bytes, size_t n_bytes, size_t *bad_offset);
/** Edit distance for "did you mean" hints, capped at 16. */
int  rvl_str_distance(const char *a, const char *b);

#endif /* RVL_BASE_STR_H */
