/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/serve.h
 * What a worker process of this program does, and what verbs ask of it beside what imaging does.
 */
#ifndef RVL_VERBS_SERVE_H
#define RVL_VERBS_SERVE_H
#include "base/worker.h"

/** What `main` gives to rvl_worker_main: hands on to rvl_decode_serve, and looks into files for rvl_inspect_run. */
rvl_status              rvl__verbs_serve(rvl_worker_answer *answer, rvl_span request, rvl_error *err);
/** Inspect the image, volume or array file `path` in a worker, if there are any and it can open it: the JSON text of
 *  its facts (rvl_free), else in this process. */
RVL_MUST_USE rvl_status rvl__inspect_apart(char **json, const char *path, bool stats, rvl_error *err);
#endif /* RVL_VERBS_SERVE_H */
