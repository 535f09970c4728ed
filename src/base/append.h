/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/append.h
 * A file that grows by whole pieces, each on the disk before the call returns: journals.
 */
#ifndef RVL_BASE_APPEND_H
#define RVL_BASE_APPEND_H
#include "rvl/status.h"

typedef struct rvl_appendfile rvl_appendfile;
/** Open or make `path`, cut to its first `n_keep` bytes. Regular files only. */
RVL_MUST_USE rvl_status rvl_appendfile_open(rvl_appendfile **out, const char *path, size_t n_keep, rvl_error *err);
/** Write at the end and sync. On failure the file may end with a part of the piece. */
RVL_MUST_USE rvl_status rvl_appendfile_write(rvl_appendfile *f, const void *data, size_t n_bytes, rvl_error *err);
void                    rvl_appendfile_close(rvl_appendfile *f);           /* NULL is allowed */
RVL_MUST_USE rvl_status rvl_file_remove(const char *path, rvl_error *err); /* absent is OK */

#endif /* RVL_BASE_APPEND_H */
