/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/serve.c
 * Requests of verbs to worker processes.
 */
#include "verbs/serve.h"
#include "base/alloc.h"
#include "base/json.h"
#include "imaging/decode.h"
#include "imaging/work.h"
#include "verbs/inspect_parts.h"
#include <string.h>

enum { WORK_INSPECT = RVL__WORK_VERBS };

typedef struct {
    uint32_t kind, stats; /* the path follows */
} inspect_request;

/* The facts of a file as JSON text. */
static rvl_status inspect_here(char **json, const char *path, bool stats, rvl_error *err)
{
    json_t    *out = json_object();
    rvl_status st = out ? rvl__inspect_picture(out, path, stats, err) : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");

    *json = NULL;
    if (!st)
        st = rvl_json_format(json, out, 0, err);
    json_decref(out);
    return st;
}

static rvl_status serve_inspect(rvl_worker_answer *answer, rvl_span rest, rvl_error *err)
{
    inspect_request head;
    char           *json = NULL;
    const char     *path = rvl__work_take(&head, sizeof head, &rest) ? rvl__work_take_text(&rest) : NULL;

    if (!path)
        return rvl_fail(err, RVL_ERR_INTERNAL, "a request that does not hold together");
    rvl_status st = inspect_here(&json, path, head.stats != 0, err);
    if (!st)
        rvl_str_add(&answer->head, json);
    rvl_free(json);
    return st;
}

rvl_status rvl__verbs_serve(rvl_worker_answer *answer, rvl_span request, rvl_error *err)
{
    return rvl__work_kind(request) == WORK_INSPECT ? serve_inspect(answer, request, err)
                                                   : rvl_decode_serve(answer, request, err);
}

rvl_status rvl__inspect_apart(char **json, const char *path, bool stats, rvl_error *err)
{
    const inspect_request head = {.kind = WORK_INSPECT, .stats = stats};
    rvl_str               request = {0};
    rvl_workers          *w = rvl__workers_for(path, 1);

    if (!w)
        return inspect_here(json, path, stats, err);
    *json = NULL;
    rvl__work_add(&request, &head, sizeof head);
    rvl__work_add_text(&request, path);
    rvl__work_send(w, 0, &request);
    rvl_status st = rvl__work_finish(w, 0, path, err);
    if (!st) {
        rvl_span text = rvl_workers_head(w, 0);
        *json = rvl_strndup((const char *)text.ptr, text.n_bytes);
        if (!*json)
            st = rvl_fail(err, RVL_ERR_NOMEM, "cannot inspect '%s': out of memory", path);
    }
    rvl_workers_close(w);
    return st;
}
