/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/log.c
 * Log lines on stderr, as text or as JSON objects.
 */
#include "base/log.h"
#include "base/stderr_line.h"
#include "base/str.h"
#include "base/util.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define LINE_BYTES 2048
#define WIPE "\r\033[K"

static atomic_int      log_level = RVL_LOG_INFO;
static atomic_bool     log_json;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool            bar_shown; /* under the lock */

static void write_all(const char *text, size_t n_bytes)
{
    while (n_bytes) {
        ssize_t n = write(STDERR_FILENO, text, n_bytes);
        if (n < 0 && errno != EINTR)
            return; /* nobody listens */
        if (n > 0) {
            text += n;
            n_bytes -= (size_t)n;
        }
    }
}

void rvl__stderr_line(const char *text)
{
    char line[LINE_BYTES + 16];

    pthread_mutex_lock(&lock);
    int n = snprintf(line, sizeof line, "%s%s\n", bar_shown ? WIPE : "", text);
    bar_shown = false;
    if (n > 0) {
        if ((size_t)n >= sizeof line) {
            n = (int)sizeof line - 1;
            line[n - 1] = '\n';
        }
        write_all(line, (size_t)n);
    }
    pthread_mutex_unlock(&lock);
}

void rvl__stderr_bar(const char *text)
{
    char line[LINE_BYTES];

    pthread_mutex_lock(&lock);
    if (text || bar_shown) {
        int n = snprintf(line, sizeof line, WIPE "%.1000s", text ? text : "");
        if (n > 0)
            write_all(line, (size_t)n);
    }
    bar_shown = text != NULL;
    pthread_mutex_unlock(&lock);
}

void rvl_log_set_level(rvl_log_level level)
{
    atomic_store(&log_level, (int)level);
}

void rvl_log_set_json(bool json)
{
    atomic_store(&log_json, json);
}

/** JSON string body of `text`, cut to fit; a byte that is no UTF-8 becomes a question mark. */
static void json_escape(char *out, size_t n_out, const char *text)
{
    size_t n = 0, bad;

    for (const char *p = text; *p && n + 7 < n_out; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            n += (size_t)snprintf(out + n, n_out - n, "\\%c", c);
        else if (c == '\n')
            n += (size_t)snprintf(out + n, n_out - n, "\\n");
        else if (c < 0x20)
            n += (size_t)snprintf(out + n, n_out - n, "\\u%04x", c);
        else
            out[n++] = *p;
    }
    while (!rvl_utf8_valid(out, n, &bad))
        out[bad] = '?';
    out[n] = '\0';
}

void rvl_log(rvl_log_level level, const char *format, ...)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    static const char *const prefixes[] = {"error: ", "warning: ", "", "debug: "};
    char                     text[LINE_BYTES - 512], escaped[LINE_BYTES - 256], line[LINE_BYTES];
    char                     now[32];
    va_list                  args;

    if ((int)level > atomic_load(&log_level))
        return;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0)
        return;
    if (atomic_load(&log_json)) {
        rvl_time_iso(now);
        json_escape(escaped, sizeof escaped, text);
        (void)snprintf(line, sizeof line, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":\"%s\"}", now, names[level],
                       escaped);
    } else {
        (void)snprintf(line, sizeof line, "%s%s", prefixes[level], text);
    }
    rvl__stderr_line(line);
}
