/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/work.h
 * What worker processes (base/worker.h) are asked for, and how requests and answers are put together: fixed parts as
 * they lie in memory, texts with their NUL.
 */
#ifndef RVL_IMAGING_WORK_H
#define RVL_IMAGING_WORK_H
#include "base/worker.h"
#include "imaging/volume.h"

/** The first word of every request, so that one handler serves all. */
typedef enum {
    RVL__WORK_CODES = 1,      /* imaging/decode.h */
    RVL__WORK_HEADER,         /* imaging/decode_header.h */
    RVL__WORK_VOLUME,         /* imaging/apart.h */
    RVL__WORK_SERIES_HEADERS, /* imaging/dicom_series.h */
    RVL__WORK_SERIES_PLANES,
    RVL__WORK_SERIES_EQUAL,
    RVL__WORK_VERBS = 100 /* and above: verbs/serve.h */
} rvl__work;

/** Workers for a verb that was given the file or folder `path` by hand: `n_workers` of them, 60 s and 8 GiB a file.
 * NULL where there are none, and for what only this process can open ("/dev/stdin", a pipe of the shell): it is then
 * read in this process. The log says so unless this program never had any. */
rvl_workers *rvl__workers_for(const char *path, int n_workers);

void                    rvl__work_add(rvl_str *request, const void *part, size_t n_bytes);
void                    rvl__work_add_text(rvl_str *request, const char *text);
/** The kind of a request; 0 if it is too short for one. */
uint32_t                rvl__work_kind(rvl_span request);
/** The next `n_bytes`, or false. */
bool                    rvl__work_take(void *to, size_t n_bytes, rvl_span *rest);
/** The next text, borrowed; NULL if none ends here. */
const char             *rvl__work_take_text(rvl_span *rest);
/** Send it to idle worker `i` and free it; what went wrong is told by rvl__work_finish. */
void                    rvl__work_send(rvl_workers *w, int i, rvl_str *request);
/** As rvl_workers_finish; a worker's death names the file: "cannot read '<name>': it crashed ...". */
RVL_MUST_USE rvl_status rvl__work_finish(rvl_workers *w, int i, const char *name, rvl_error *err);
/** An answer that does not hold together. */
rvl_status              rvl__work_broken(const char *name, rvl_error *err);
#endif /* RVL_IMAGING_WORK_H */
