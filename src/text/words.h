/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file text/words.h
 * The first half of BERT's tokenizer: clean the text and cut it into words and single punctuation characters.
 *
 * As the reference BertTokenizer does: U+0000, U+FFFD and control, format and private characters vanish, white space
 * separates, each Chinese ideograph stands alone, upper case is lowered and accents are stripped after canonical
 * decomposition (when asked for), ASCII punctuation and Unicode P* characters are words of their own.
 *
 * Character classes are Unicode 15 (utf8proc). The Rust `tokenizers` library carries an older table, so the two differ
 * in some 400 marks and 100 punctuation characters of recent Unicode; its block of ideographs from U+2B820 starts 256
 * characters late. On all other code points they agree.
 */
#ifndef RVL_TEXT_WORDS_H
#define RVL_TEXT_WORDS_H
#include "rvl/status.h"

#define RVL__WORD_CHARS_MAX 1000

typedef struct {
    const char *ptr; /* UTF-8, NUL behind it; borrowed until the visitor returns */
    size_t      n_bytes;
    int         n_chars;
    bool        is_too_long; /* more characters than allowed; the text is then cut at the limit */
    bool        is_alone;    /* punctuation or ideograph: never continues another word */
} rvl__word;

/** Called for each word in order; a status other than OK ends the walk and is returned. */
typedef rvl_status (*rvl__word_visitor)(void *context, const rvl__word *word);

/** Walk over the words of NUL-terminated UTF-8; `max_chars` is 1..RVL__WORD_CHARS_MAX. FORMAT if not UTF-8. */
RVL_MUST_USE rvl_status rvl__words_walk(const char *text, bool lower_case, int max_chars, rvl__word_visitor visit,
                                        void *context, rvl_error *err);
#endif /* RVL_TEXT_WORDS_H */
