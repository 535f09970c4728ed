/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/decode_internal.h
 * What jobs on pixels and jobs on headers share.
 */
#ifndef RVL_IMAGING_DECODE_INTERNAL_H
#define RVL_IMAGING_DECODE_INTERNAL_H
#include "imaging/decode_header.h"

struct rvl_decoder {
    rvl_workers          *workers; /* NULL: in this process */
    const rvl_decode_job *job;     /* of the one slot there is then */
    const char           *path;    /* the same for a header */
    struct {
        const char *name;
        size_t      n_bytes;
    } slots[RVL_WORKERS_MAX];
};

/** Readers name the path, which may name a patient: in `text` the job's name stands for it. */
rvl_status rvl__decode_fail(const rvl_decode_job *job, rvl_status st, const char *text, rvl_error *err);
/** The CT volume of the job's list of files: the stack of most slices. */
rvl_status rvl__decode_series(rvl_volume **out, const rvl_decode_job *job, rvl_error *err);
/** Read the header of job->path in this process. */
rvl_status rvl__decode_header_run(rvl_decode_header *out, const rvl_decode_job *job, rvl_error *err);
/** The answer of worker `i` as it should be told: a death names the file. */
rvl_status rvl__decoder_wait(rvl_decoder *d, int i, rvl_error *err);
/** Give worker `i` a job on the pixels or on the header of a file. */
void       rvl__decoder_send(rvl_decoder *d, int i, const rvl_decode_job *job, bool is_header);

#endif /* RVL_IMAGING_DECODE_INTERNAL_H */
