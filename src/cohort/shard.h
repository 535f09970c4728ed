/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/shard.h
 * A part of a cohort's rows, prepared by a process of its own (`rvl ingest --shard i/n`): the folder
 * <cohort>/shards/i-of-n with a catalogue and a pack, written as a cohort is. The ingest without --shard takes rows
 * from finished shards instead of preparing them, so that the cohort is the same as without shards, byte for byte.
 */
#ifndef RVL_COHORT_SHARD_H
#define RVL_COHORT_SHARD_H
#include "cohort/pack.h"
#include "cohort/plan.h"

#define RVL_MAX_SHARDS 10000

/** Rows first..end (exclusive) of shard `i` of `n`, i from 1. */
void  rvl__shard_range(int64_t *first, int64_t *end, int64_t n_rows, int i, int n);
/** <out_path>/shards/i-of-n, or with n 0 <out_path>/shards; rvl_free. NULL without memory. */
char *rvl__shard_path(const char *out_path, int i, int n);

typedef struct rvl__shards rvl__shards;
/** All shards below `out_path`, by their first file's n; `*out` is NULL if there are none. STATE if one is missing, not
 *  finished or of another ingest. */
RVL_MUST_USE rvl_status    rvl__shards_open(rvl__shards **out, const char *out_path, const char *fingerprint,
                                            const rvl_preprocess *spec, const char *pack_hash, int64_t n_rows,
                                            rvl_error *err);
void                       rvl__shards_close(rvl__shards *s); /* NULL is allowed */

/** What a shard says of a row: codes (borrowed), or why it failed. */
typedef struct {
    const void *codes;
    char        failure[RVL_ERROR_TEXT_BYTES]; /* "" if it did not fail */
    rvl_view    view;
    char        laterality;
    bool        is_flat;
    int         i_shard;  /* for rvl__shards_done */
    int64_t     pack_row; /* in the shard */
} rvl__shard_row;
/** NOT_FOUND if the shards do not hold the row. */
RVL_MUST_USE rvl_status rvl__shards_row(rvl__shard_row *out, rvl__shards *s, int64_t i_row, rvl_error *err);
/** The row's codes have been copied: large ones leave memory. */
void                    rvl__shards_done(rvl__shards *s, const rvl__shard_row *row);

#endif /* RVL_COHORT_SHARD_H */
