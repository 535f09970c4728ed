/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/metadata_rows.h
 * Metadata of cases: what a cohort knows, and a table.
 */
#ifndef RVL_VERBS_METADATA_ROWS_H
#define RVL_VERBS_METADATA_ROWS_H
#include "base/alloc.h"
#include "cohort/cohort.h"
#include "learn/metadata.h"
#include "verbs/table_index.h"

/** A table whose first column is an id; the others are metadata but for patients. Zero it first. */
typedef struct {
    rvl_csv    *table;
    rvl_id_row *rows;
    rvl_arena  *arena; /* what rows made of it hold */
} rvl_metadata_source;

/** `path` NULL: no table. */
RVL_MUST_USE rvl_status rvl__metadata_open(rvl_metadata_source *out, const char *path, rvl_error *err);
void                    rvl__metadata_close(rvl_metadata_source *s);
/** Rows for ids; an id that the table lacks has empty cells, and a warning tells how many. Lives as long as the source.
 */
RVL_MUST_USE rvl_status rvl__metadata_of_ids(rvl_metadata *out, rvl_metadata_source *s, const char *const *ids,
                                             int64_t n, rvl_error *err);
/** Age, sex, view and number of images of cases, and the row of the table, if there is one, whose id is the case's or
 * the name of its first image's file. */
RVL_MUST_USE rvl_status rvl__metadata_of_cases(rvl_metadata *out, rvl_metadata_source *s, const rvl_case_list *list,
                                               rvl_error *err);

#endif /* RVL_VERBS_METADATA_ROWS_H */
