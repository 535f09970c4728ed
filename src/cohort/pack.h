/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/pack.h
 * A pack: preprocessed images as codes, one row an image, append-only, with a checksum a row.
 * Specified to the byte in docs/formats/cohort.md.
 */
#ifndef RVL_COHORT_PACK_H
#define RVL_COHORT_PACK_H
#include "base/file.h"
#include "imaging/preprocess.h"
#include <stdatomic.h>

typedef struct {
    int     fd_data, fd_index;
    int64_t n_rows; /* appended so far */
    size_t  row_bytes;
} rvl__pack_writer;

/** Make or reopen the pack folder `dir`; everything beyond `n_committed` rows is cut off. */
RVL_MUST_USE rvl_status rvl__pack_open(rvl__pack_writer *out, const char *dir, const rvl_preprocess *spec,
                                       int64_t n_committed, rvl_error *err);
/** Append one row; its checksum comes back. IO with a hint when the disk is full. */
RVL_MUST_USE rvl_status rvl__pack_append(uint64_t *checksum, rvl__pack_writer *w, const void *codes, rvl_error *err);
/** On return all appended rows are on the disk. Called before their catalogue rows are committed. */
RVL_MUST_USE rvl_status rvl__pack_sync(rvl__pack_writer *w, rvl_error *err);
/** Note the number of rows in the index. Called after the commit. */
RVL_MUST_USE rvl_status rvl__pack_note(rvl__pack_writer *w, rvl_error *err);
void                    rvl__pack_close(rvl__pack_writer *w); /* { -1, -1 } is allowed */
/** Name of the pack of a spec; NOMEM if it could not be worked out. */
RVL_MUST_USE rvl_status rvl__pack_hash(char out[17], const rvl_preprocess *spec, rvl_error *err);
size_t                  rvl__pack_row_bytes(const rvl_preprocess *spec);

typedef struct {
    rvl_file_map            data, index;
    int64_t                 n_rows;
    size_t                  row_bytes;
    _Atomic(unsigned char) *checked; /* per row; threads may race to the same verdict */
} rvl__pack_reader;

/** FORMAT if the files do not hold exactly `n_rows` rows of this spec. */
RVL_MUST_USE rvl_status rvl__pack_map(rvl__pack_reader *out, const char *dir, const rvl_preprocess *spec,
                                      int64_t n_rows, rvl_error *err);
/** Row `row`, checked on first use. Thread-safe. */
RVL_MUST_USE rvl_status rvl__pack_row(const void **codes, rvl__pack_reader *r, int64_t row, rvl_error *err);
/** Pages of a large row (above 256 KiB) back to the system. Thread-safe. */
void                    rvl__pack_done(const rvl__pack_reader *r, int64_t row);
uint64_t                rvl__pack_checksum(const rvl__pack_reader *r, int64_t row);
void                    rvl__pack_unmap(rvl__pack_reader *r);

#endif /* RVL_COHORT_PACK_H */
