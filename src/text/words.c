/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file text/words.c
 * Cleaning and splitting of text before WordPiece, in one pass over the code points.
 */
#include "text/words.h"
#include "base/alloc.h"
#include "base/str.h"
#include <string.h>
#include <utf8proc.h>

#define DECOMPOSED_MAX 32 /* the longest canonical decomposition in Unicode has 4 code points */

typedef struct {
    bool              lower_case;
    int               max_chars;
    rvl__word_visitor visit;
    void             *context;
    utf8proc_int32_t *chars; /* max_chars of them */
    char             *bytes; /* 4 * max_chars + 1 */
    int               n_chars;
    bool              is_too_long;
} walker;

static bool char_is_space(utf8proc_int32_t c)
{
    utf8proc_category_t k = utf8proc_category(c);
    return c == '\t' || c == '\n' || c == '\r' || k == UTF8PROC_CATEGORY_ZS || k == UTF8PROC_CATEGORY_ZL ||
           k == UTF8PROC_CATEGORY_ZP;
}

static bool char_is_dropped(utf8proc_int32_t c)
{
    utf8proc_category_t k = utf8proc_category(c);
    return c == 0 || c == 0xfffd || k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF ||
           k == UTF8PROC_CATEGORY_CO || k == UTF8PROC_CATEGORY_CS;
}

/* The blocks that BERT calls Chinese; kana, hangul and later extensions are not among them. */
static bool char_is_ideograph(utf8proc_int32_t c)
{
    static const utf8proc_int32_t ranges[][2] = {
        {0x4e00, 0x9fff},   {0x3400, 0x4dbf},   {0x20000, 0x2a6df}, {0x2a700, 0x2b73f},
        {0x2b740, 0x2b81f}, {0x2b820, 0x2ceaf}, {0xf900, 0xfaff},   {0x2f800, 0x2fa1f},
    };
    for (size_t i = 0; i < RVL_ARRAY_LEN(ranges); i++)
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    return false;
}

static bool char_is_punctuation(utf8proc_int32_t c)
{
    if (c < 128)
        return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
    utf8proc_category_t k = utf8proc_category(c);
    return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}

/* Canonical order: marks between two starters are sorted by combining class, stably. Words are short. */
static void chars_reorder(utf8proc_int32_t *c, int n)
{
    for (int i = 1; i < n; i++) {
        utf8proc_propval_t key = utf8proc_get_property(c[i])->combining_class;
        utf8proc_int32_t   moved = c[i];
        int                j = i;

        if (key == 0)
            continue;
        while (j > 0 && utf8proc_get_property(c[j - 1])->combining_class > key) {
            c[j] = c[j - 1];
            j--;
        }
        c[j] = moved;
    }
}

static rvl_status word_emit(walker *w, bool is_alone)
{
    rvl__word word = {.ptr = w->bytes, .n_chars = w->n_chars, .is_too_long = w->is_too_long, .is_alone = is_alone};

    if (w->n_chars == 0)
        return RVL_OK;
    if (w->lower_case)
        chars_reorder(w->chars, w->n_chars);
    for (int i = 0; i < w->n_chars; i++) {
        utf8proc_uint8_t *at = (utf8proc_uint8_t *)w->bytes + word.n_bytes;
        word.n_bytes += (size_t)utf8proc_encode_char(w->chars[i], at);
    }
    w->bytes[word.n_bytes] = '\0';
    w->n_chars = 0;
    w->is_too_long = false;
    return w->visit(w->context, &word);
}

static void word_add(walker *w, utf8proc_int32_t c)
{
    if (w->n_chars < w->max_chars)
        w->chars[w->n_chars++] = c;
    else
        w->is_too_long = true;
}

/* A character behind lowering and stripping: into the word, or a word of its own. */
static rvl_status char_take(walker *w, utf8proc_int32_t c, bool is_alone)
{
    rvl_status st = RVL_OK;

    if (!is_alone && !char_is_punctuation(c)) {
        word_add(w, c);
        return RVL_OK;
    }
    st = word_emit(w, false);
    if (st)
        return st;
    word_add(w, c);
    return word_emit(w, true);
}

static rvl_status char_walk(walker *w, utf8proc_int32_t c)
{
    utf8proc_int32_t parts[DECOMPOSED_MAX];
    utf8proc_ssize_t n_parts = 1;
    int              boundary = 0;
    bool             is_ideograph = char_is_ideograph(c);
    rvl_status       st = RVL_OK;

    if (char_is_space(c))
        return word_emit(w, false);
    if (char_is_dropped(c))
        return RVL_OK;
    parts[0] = c;
    if (w->lower_case)
        n_parts = utf8proc_decompose_char(c, parts, DECOMPOSED_MAX, UTF8PROC_DECOMPOSE, &boundary);
    for (utf8proc_ssize_t i = 0; i < n_parts && i < DECOMPOSED_MAX && !st; i++) {
        if (w->lower_case && utf8proc_category(parts[i]) == UTF8PROC_CATEGORY_MN)
            continue;
        st = char_take(w, w->lower_case ? utf8proc_tolower(parts[i]) : parts[i], is_ideograph);
    }
    return st;
}

rvl_status rvl__words_walk(const char *text, bool lower_case, int max_chars, rvl__word_visitor visit, void *context,
                           rvl_error *err)
{
    walker     w = {.lower_case = lower_case, .max_chars = max_chars, .visit = visit, .context = context};
    size_t     n_bytes = strlen(text);
    size_t     bad = 0;
    rvl_status st = RVL_OK;

    if (!rvl_utf8_valid(text, n_bytes, &bad))
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot tokenize text: byte %zu is not UTF-8", bad);
    w.chars = rvl_alloc_array((size_t)max_chars, sizeof *w.chars);
    w.bytes = rvl_alloc_array((size_t)max_chars + 1, 4);
    if (!w.chars || !w.bytes) {
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot tokenize text: out of memory");
        goto done;
    }
    for (size_t at = 0; at < n_bytes && !st;) {
        utf8proc_int32_t c = 0;
        utf8proc_ssize_t step =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(n_bytes - at), &c);
        if (step <= 0) {
            st = rvl_fail(err, RVL_ERR_FORMAT, "cannot tokenize text: byte %zu is not UTF-8", at);
            goto done;
        }
        at += (size_t)step;
        st = char_walk(&w, c);
    }
    if (!st)
        st = word_emit(&w, false);
done:
    rvl_free(w.bytes);
    rvl_free(w.chars);
    return st;
}
