/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/status.c
 * Status texts, exit codes and the formatting of caller-owned error text.
 */
#include "rvl/status.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

const char *rvl_status_text(rvl_status status)
{
    static const char *const texts[] = {
#define X(name, text, code) text,
        RVL_STATUS_LIST(X)
#undef X
    };
    return (size_t)status < RVL_ARRAY_LEN(texts) ? texts[status] : "unknown status";
}

int rvl_status_exit_code(rvl_status status)
{
    static const int codes[] = {
#define X(name, text, code) code,
        RVL_STATUS_LIST(X)
#undef X
    };
    return (size_t)status < RVL_ARRAY_LEN(codes) ? codes[status] : 70;
}

/** A text cut to fit may end inside a character: drop that piece, so that the text can go into JSON. */
static void tail_trim(char text[RVL_ERROR_TEXT_BYTES])
{
    size_t bad, n_bytes = strlen(text);

    if (n_bytes == RVL_ERROR_TEXT_BYTES - 1 && !rvl_utf8_valid(text, n_bytes, &bad) && n_bytes - bad < 4)
        text[bad] = '\0';
}

rvl_status rvl_fail(rvl_error *err, rvl_status status, const char *format, ...)
{
    char    text[RVL_ERROR_TEXT_BYTES];
    va_list args;

    if (!err)
        return status;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0)
        text[0] = '\0';
    va_end(args);
    tail_trim(text);
    err->code = status;
    memcpy(err->text, text, sizeof text); /* an argument may point into err->text */
    return status;
}

void rvl_error_prefix(rvl_error *err, const char *format, ...)
{
    char    text[RVL_ERROR_TEXT_BYTES];
    va_list args;

    if (!err)
        return;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || (size_t)n + 2 >= sizeof text)
        return;
    text[n] = ':';
    text[n + 1] = ' ';
    size_t n_kept = strnlen(err->text, sizeof text - (size_t)n - 3);
    memcpy(text + n + 2, err->text, n_kept);
    text[(size_t)n + 2 + n_kept] = '\0';
    tail_trim(text);
    memcpy(err->text, text, (size_t)n + 3 + n_kept);
}
