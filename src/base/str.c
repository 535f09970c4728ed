/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/str.c
 * The growing string, strict numbers (always in the C locale), UTF-8 and edit distance.
 */
#include "base/str.h"
#include "base/alloc.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/banned.h"

/** Room for `n_more` bytes and a NUL. */
static bool str_reserve(rvl_str *s, size_t n_more)
{
    size_t need;

    if (s->failed)
        return false;
    if (rvl_add_size(&need, s->n_bytes, n_more) && rvl_add_size(&need, need, 1)) {
        if (need <= s->capacity)
            return true;
        size_t doubled = s->capacity < SIZE_MAX / 2 ? s->capacity * 2 : need;
        size_t capacity = need > doubled ? need : doubled;
        if (capacity < 64)
            capacity = 64;
        char *ptr = rvl_realloc_array(s->ptr, capacity, 1);
        if (ptr) {
            s->ptr = ptr;
            s->capacity = capacity;
            return true;
        }
    }
    s->failed = true;
    return false;
}

void rvl_str_add_n(rvl_str *s, const void *bytes, size_t n_bytes)
{
    if (!str_reserve(s, n_bytes))
        return;
    if (n_bytes)
        memcpy(s->ptr + s->n_bytes, bytes, n_bytes);
    s->n_bytes += n_bytes;
    s->ptr[s->n_bytes] = '\0';
}

void rvl_str_add(rvl_str *s, const char *text)
{
    rvl_str_add_n(s, text, strlen(text));
}

/** Switch this thread to the C locale; a host program may have set another one. */
static locale_t c_locale_enter(locale_t *c_locale)
{
    *c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return *c_locale ? uselocale(*c_locale) : (locale_t)0;
}

static void c_locale_leave(locale_t c_locale, locale_t old)
{
    if (!c_locale)
        return;
    uselocale(old);
    freelocale(c_locale);
}

void rvl_str_addf(rvl_str *s, const char *format, ...)
{
    char     text[256];
    va_list  args;
    locale_t c_locale, old = c_locale_enter(&c_locale);

    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0) {
        s->failed = true;
    } else if ((size_t)n < sizeof text) {
        rvl_str_add_n(s, text, (size_t)n);
    } else if (str_reserve(s, (size_t)n)) {
        va_start(args, format);
        (void)vsnprintf(s->ptr + s->n_bytes, (size_t)n + 1, format, args);
        va_end(args);
        s->n_bytes += (size_t)n;
    }
    c_locale_leave(c_locale, old);
}

void rvl_str_clear(rvl_str *s)
{
    s->n_bytes = 0;
    s->failed = false;
    if (s->ptr)
        s->ptr[0] = '\0';
}

void rvl_str_free(rvl_str *s)
{
    rvl_free(s->ptr);
    *s = (rvl_str){0};
}

char *rvl_str_take(rvl_str *s)
{
    rvl_str_add_n(s, "", 0);
    if (s->failed) {
        rvl_str_free(s);
        return NULL;
    }
    char *text = s->ptr;
    *s = (rvl_str){0};
    return text;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool rvl_parse_i64(const char *text, int64_t *out)
{
    char       *end;
    const char *digits = text + (*text == '-' || *text == '+');

    if (!is_digit(*digits))
        return false;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || *end)
        return false;
    *out = value;
    return true;
}

/** Decimal only: sign, digits with at most one point, exponent. No hexadecimal, no words. */
static bool is_decimal(const char *p)
{
    int n_digits = 0;

    p += *p == '-' || *p == '+';
    for (; is_digit(*p); p++)
        n_digits++;
    if (*p == '.')
        for (p++; is_digit(*p); p++)
            n_digits++;
    if (!n_digits)
        return false;
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '-' || *p == '+';
        if (!is_digit(*p))
            return false;
        while (is_digit(*p))
            p++;
    }
    return *p == '\0';
}

bool rvl_parse_f64(const char *text, double *out)
{
    if (!is_decimal(text))
        return false;
    locale_t c_locale, old = c_locale_enter(&c_locale);
    double   value = strtod(text, NULL);
    c_locale_leave(c_locale, old);
    if (!isfinite(value))
        return false;
    *out = value;
    return true;
}

bool rvl_parse_bool(const char *text, bool *out)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};

    for (size_t i = 0; i < RVL_ARRAY_LEN(words); i++)
        if (strcasecmp(text, words[i]) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    return false;
}

bool rvl_str_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool rvl_str_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool rvl_str_ends(const char *text, const char *suffix)
{
    size_t n_text = strlen(text), n_suffix = strlen(suffix);
    return n_text >= n_suffix && memcmp(text + n_text - n_suffix, suffix, n_suffix) == 0;
}

/** Bytes of the well-formed sequence at `p` (Unicode 15, table 3-7), 0 if it is ill-formed. */
static size_t utf8_sequence(const uint8_t *p, size_t n_left)
{
    uint8_t low = 0x80, high = 0xbf;
    size_t  n;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        n = 2;
    else if (p[0] >= 0xe0 && p[0] <= 0xef)
        n = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        n = 4;
    else
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (n_left < n || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return n;
}

bool rvl_utf8_valid(const void *bytes, size_t n_bytes, size_t *bad_offset)
{
    const uint8_t *p = bytes;

    for (size_t i = 0; i < n_bytes;) {
        size_t n = utf8_sequence(p + i, n_bytes - i);
        if (!n) {
            if (bad_offset)
                *bad_offset = i;
            return false;
        }
        i += n;
    }
    return true;
}

#define DISTANCE_CAP 16
#define DISTANCE_TEXT_MAX 64

static int min3(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

int rvl_str_distance(const char *a, const char *b)
{
    int    row[DISTANCE_TEXT_MAX + 1];
    size_t n_a = strlen(a), n_b = strlen(b);

    if (n_a > DISTANCE_TEXT_MAX || n_b > DISTANCE_TEXT_MAX)
        return strcmp(a, b) == 0 ? 0 : DISTANCE_CAP;
    for (size_t j = 0; j <= n_b; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= n_a; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= n_b; j++) {
            int above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[n_b] < DISTANCE_CAP ? row[n_b] : DISTANCE_CAP;
}
