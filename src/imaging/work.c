/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/work.c
 * Requests to workers, put together and taken apart.
 */
#define _XOPEN_SOURCE 700
#include "imaging/work.h"
#include "base/log.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_SECONDS 60.0
#define MAX_MEMORY_BYTES ((int64_t)8 << 30)

/* Whether another process finds the same file under this path. */
static bool is_shared(const char *path)
{
    struct stat info;

    if (rvl_str_starts(path, "/dev/fd/") || rvl_str_starts(path, "/dev/std") || rvl_str_starts(path, "/proc/self/"))
        return false;
    return stat(path, &info) == 0 && (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode));
}

rvl_workers *rvl__workers_for(const char *path, int n_workers)
{
    const rvl_worker_opts opts = {
        .n_workers = n_workers, .max_seconds = MAX_SECONDS, .max_memory_bytes = MAX_MEMORY_BYTES};
    rvl_workers *w = NULL;
    rvl_error    why = {0};

    if (is_shared(path) && rvl_workers_open(&w, &opts, &why) && getenv("RVL_WORKER"))
        rvl_log(RVL_LOG_WARN, "files are read in this process, without limits of time and memory: %s", why.text);
    return w;
}

void rvl__work_add(rvl_str *request, const void *part, size_t n_bytes)
{
    rvl_str_add_n(request, part, n_bytes);
}

void rvl__work_add_text(rvl_str *request, const char *text)
{
    rvl_str_add_n(request, text, strlen(text) + 1);
}

uint32_t rvl__work_kind(rvl_span request)
{
    uint32_t kind = 0;

    return rvl__work_take(&kind, sizeof kind, &request) ? kind : 0;
}

bool rvl__work_take(void *to, size_t n_bytes, rvl_span *rest)
{
    if (rest->n_bytes < n_bytes)
        return false;
    if (n_bytes)
        memcpy(to, rest->ptr, n_bytes);
    *rest = (rvl_span){rest->ptr + n_bytes, rest->n_bytes - n_bytes};
    return true;
}

const char *rvl__work_take_text(rvl_span *rest)
{
    const uint8_t *end = rest->n_bytes ? memchr(rest->ptr, '\0', rest->n_bytes) : NULL;
    const char    *text = (const char *)rest->ptr;

    if (!end)
        return NULL;
    *rest = (rvl_span){end + 1, rest->n_bytes - (size_t)(end + 1 - rest->ptr)};
    return text;
}

void rvl__work_send(rvl_workers *w, int i, rvl_str *request)
{
    rvl_workers_start(w, i, request->failed ? "" : request->ptr, request->failed ? 0 : request->n_bytes);
    rvl_str_free(request);
}

rvl_status rvl__work_finish(rvl_workers *w, int i, const char *name, rvl_error *err)
{
    rvl_error  why = {0};
    rvl_status st = rvl_workers_finish(w, i, &why);

    if (!st)
        return RVL_OK;
    if (rvl_workers_answered(w, i))
        return rvl_fail(err, st, "%s", why.text);
    return rvl_fail(err, st, "cannot read '%s': %s%s", name, why.text,
                    st == RVL_ERR_LIMIT ? "\nhint: RVL_WORKER=off reads it in this process, without limits" : "");
}

rvl_status rvl__work_broken(const char *name, rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': its decoder gave a broken answer", name);
}
