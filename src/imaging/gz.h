/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/gz.h
 * Bytes of a file that may be gzip-compressed, front to back, by zlib: checksums are verified, nothing is taken on
 * trust, memory is constant.
 */
#ifndef RVL_IMAGING_GZ_H
#define RVL_IMAGING_GZ_H
#include "base/str.h"

/** Deflate never expands by more than this factor: what a file can hold at most is known from its size. */
#define RVL_GZ_MAX_RATIO 1032

typedef struct rvl__gz rvl__gz;

bool                    rvl__gz_is(rvl_span file); /* begins with the magic of gzip */
/** Borrows `file`, which may be compressed or plain, until close; `name` is for messages. */
RVL_MUST_USE rvl_status rvl__gz_open(rvl__gz **out, rvl_span file, const char *name, rvl_error *err);
/** The next `n_bytes` into `to` (NULL: skipped). FORMAT if the file ends before, or is damaged. */
RVL_MUST_USE rvl_status rvl__gz_read(rvl__gz *g, void *to, size_t n_bytes, rvl_error *err);
/** As above, but a file that ends is no error: `*n_read` says how many came. */
RVL_MUST_USE rvl_status rvl__gz_read_some(rvl__gz *g, void *to, size_t n_bytes, size_t *n_read, rvl_error *err);
/** Read to the end, so that every checksum is seen; at most `max_bytes` may follow. */
RVL_MUST_USE rvl_status rvl__gz_finish(rvl__gz *g, size_t max_bytes, rvl_error *err);
/** Most bytes that the whole file can hold. */
uint64_t                rvl__gz_capacity(const rvl__gz *g);
void                    rvl__gz_close(rvl__gz *g); /* NULL is allowed */
#endif                                             /* RVL_IMAGING_GZ_H */
