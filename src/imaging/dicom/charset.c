/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/charset.c
 * DICOM text to UTF-8 (PS3.3 C.12.1.1.2, PS3.5 6.1), ISO 2022 with code extensions among it.
 *
 * The text is cut where an escape sequence or a delimiter (backslash, control characters; in names also ^ and =)
 * changes the active set, and each piece goes to the C library's iconv. Escape sequences themselves are consumed here,
 * except those of ISO-2022-JP, which iconv wants to see.
 */
#include "base/alloc.h"
#include "imaging/dicom/internal.h"
#include <errno.h>
#include <iconv.h>
#include <string.h>

typedef struct {
    const char *term;   /* defined term without "ISO_IR " or "ISO 2022 IR ", or the whole term */
    const char *iconv;  /* name for the C library */
    const char *escape; /* the sequence that selects it, without ESC */
    bool        keeps;  /* iconv wants the sequence itself, and ESC ( B behind the text */
} charset;

static const charset charsets[] = {
    {"", "US-ASCII", "(B", false},       {"6", "US-ASCII", "(B", false},     {"100", "ISO-8859-1", "-A", false},
    {"101", "ISO-8859-2", "-B", false},  {"109", "ISO-8859-3", "-C", false}, {"110", "ISO-8859-4", "-D", false},
    {"144", "ISO-8859-5", "-L", false},  {"127", "ISO-8859-6", "-G", false}, {"126", "ISO-8859-7", "-F", false},
    {"138", "ISO-8859-8", "-H", false},  {"148", "ISO-8859-9", "-M", false}, {"203", "ISO-8859-15", "-b", false},
    {"166", "TIS-620", "-T", false},     {"13", "SHIFT_JIS", ")I", false}, /* JIS X 0201: one byte each, half-width kana
                                                                              above 0xa0 */
    {"14", "SHIFT_JIS", "(J", false},    {"87", "ISO-2022-JP", "$B", true},  {"159", "ISO-2022-JP-1", "$(D", true},
    {"149", "EUC-KR", "$)C", false},     {"58", "GB2312", "$)A", false},     {"192", "UTF-8", NULL, false},
    {"GB18030", "GB18030", NULL, false}, {"GBK", "GBK", NULL, false},
};

/* The set of term `n` of the attribute's values; ASCII for an empty one; NULL if it is not known. */
static const charset *term_find(const char *names)
{
    static const char *const prefixes[] = {"ISO_IR ", "ISO 2022 IR ", "ISO_IR_", "ISO-IR "};
    char                     term[32];
    size_t                   n = strcspn(names, "\\");
    size_t                   skip = 0;

    while (n > 0 && names[n - 1] == ' ')
        n--;
    for (size_t i = 0; i < RVL_ARRAY_LEN(prefixes) && !skip; i++)
        if (strncmp(names, prefixes[i], strlen(prefixes[i])) == 0)
            skip = strlen(prefixes[i]);
    if (n < skip || n - skip >= sizeof term)
        return NULL;
    memcpy(term, names + skip, n - skip);
    term[n - skip] = '\0';
    for (size_t i = 0; i < RVL_ARRAY_LEN(charsets); i++)
        if (strcmp(term, charsets[i].term) == 0)
            return &charsets[i];
    return NULL;
}

static const charset *escape_find(size_t *n_bytes, rvl_span rest)
{
    for (size_t i = 1; i < RVL_ARRAY_LEN(charsets); i++) {
        size_t n = charsets[i].escape ? strlen(charsets[i].escape) : 0;
        if (n > 0 && rest.n_bytes > n && memcmp(rest.ptr + 1, charsets[i].escape, n) == 0) {
            *n_bytes = n + 1;
            return &charsets[i];
        }
    }
    return NULL;
}

static bool has_high_bytes(rvl_span piece)
{
    for (size_t i = 0; i < piece.n_bytes; i++)
        if (piece.ptr[i] >= 0x80)
            return true;
    return false;
}

static rvl_status iconv_add(rvl_str *out, const char *from, rvl_span piece, rvl_error *err)
{
    iconv_t cd = iconv_open("UTF-8", from);
    char   *in = (char *)(uintptr_t)piece.ptr;
    size_t  n_left = piece.n_bytes;

    if (cd == (iconv_t)-1)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "the C library does not convert text from %s", from);
    rvl_status st = RVL_OK;
    while (!st && n_left > 0) {
        char   buf[256];
        char  *to = buf;
        size_t n_room = sizeof buf;
        size_t rc = iconv(cd, &in, &n_left, &to, &n_room);
        if (rc == (size_t)-1 && errno != E2BIG)
            st = rvl_fail(err, RVL_ERR_FORMAT, "its text has bytes outside of %s", from);
        rvl_str_add_n(out, buf, sizeof buf - n_room);
    }
    iconv_close(cd);
    return st;
}

/* One piece without escapes, in set `set`. ASCII is a part of every set but those with their own escapes. */
static rvl_status piece_add(rvl_str *out, const charset *set, rvl_span piece, rvl_error *err)
{
    rvl_str    framed = {0};
    rvl_status st;

    if (piece.n_bytes == 0)
        return RVL_OK;
    if (!set->keeps && !has_high_bytes(piece)) {
        rvl_str_add_n(out, piece.ptr, piece.n_bytes);
        return RVL_OK;
    }
    if (!set->keeps)
        return iconv_add(out, set->iconv, piece, err);
    rvl_str_addf(&framed, "\x1b%s", set->escape);
    rvl_str_add_n(&framed, piece.ptr, piece.n_bytes);
    rvl_str_add(&framed, "\x1b(B");
    st = framed.failed ? rvl_fail(err, RVL_ERR_NOMEM, "out of memory")
                       : iconv_add(out, set->iconv,
                                   (rvl_span){.ptr = (const uint8_t *)framed.ptr, .n_bytes = framed.n_bytes}, err);
    rvl_str_free(&framed);
    return st;
}

static bool is_delimiter(uint8_t c)
{
    return c == '\\' || c == '^' || c == '=' || c == '\r' || c == '\n' || c == '\f' || c == '\t';
}

/* G0 sets of two bytes (JIS) hold bytes that look like delimiters: there only control characters end them. */
static size_t piece_end(rvl_span raw, size_t at, const charset *set)
{
    while (at < raw.n_bytes && raw.ptr[at] != 0x1b && (set->keeps || !is_delimiter(raw.ptr[at])))
        at++;
    return at;
}

static rvl_status text_convert(rvl_str *out, rvl_span raw, const charset *first, rvl_error *err)
{
    const charset *g1 = first; /* what bytes above 0x7f mean */
    const charset *now = first;
    size_t         at = 0;
    rvl_status     st = RVL_OK;

    if (!first->escape) /* UTF-8, GB18030, GBK: no code extensions, backslash may be a second byte */
        return piece_add(out, first, raw, err);
    while (!st && at < raw.n_bytes) {
        size_t n_escape = 0;
        if (raw.ptr[at] == 0x1b) {
            const charset *set = escape_find(&n_escape, (rvl_span){.ptr = raw.ptr + at, .n_bytes = raw.n_bytes - at});
            if (!set)
                return rvl_fail(err, RVL_ERR_UNSUPPORTED, "its text has an unknown escape sequence");
            bool is_g0 = set->escape[0] == '(' || set->keeps;
            g1 = is_g0 ? g1 : set;
            now = is_g0 && strcmp(set->escape, "(B") != 0 ? set : g1;
            at += n_escape;
        } else if (is_delimiter(raw.ptr[at]) && !now->keeps) {
            rvl_str_add_n(out, raw.ptr + at, 1);
            now = g1 = first;
            at++;
        }
        size_t end = piece_end(raw, at, now);
        st = piece_add(out, now, (rvl_span){.ptr = raw.ptr + at, .n_bytes = end - at}, err);
        at = end;
    }
    return st;
}

rvl_status rvl__dicom_utf8(char **out, rvl_span raw, const char *names, rvl_error *err)
{
    const charset *first = term_find(names);
    rvl_str        text = {0};

    *out = NULL;
    while (raw.n_bytes > 0 && (raw.ptr[raw.n_bytes - 1] == ' ' || raw.ptr[raw.n_bytes - 1] == '\0'))
        raw.n_bytes--;
    if (!first)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "its character set '%.40s' is not known", names);
    rvl_status st = text_convert(&text, raw, first, err);
    if (!st && !rvl_utf8_valid(text.ptr ? text.ptr : "", text.n_bytes, NULL))
        st = rvl_fail(err, RVL_ERR_FORMAT, "its text has bytes outside of %s", first->iconv);
    if (!st && !(*out = rvl_str_take(&text)))
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    rvl_str_free(&text);
    return st;
}
