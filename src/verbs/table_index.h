/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/table_index.h
 * Rows of a table by their id, which stands in one column; and columns that a table may name in several ways.
 */
#ifndef RVL_VERBS_TABLE_INDEX_H
#define RVL_VERBS_TABLE_INDEX_H
#include "base/csv.h"

typedef struct {
    const char *id;
    size_t      row;
} rvl_id_row;

/** Rows of `t` sorted by the text of `column` (rvl_free); FORMAT for empty ids and duplicates. */
RVL_MUST_USE rvl_status rvl__table_index(rvl_id_row **out, const rvl_csv *t, int column, rvl_error *err);
/** The row with that id; NULL: none. */
const rvl_id_row       *rvl__table_find(const rvl_id_row *rows, const rvl_csv *t, const char *id);
/** Column `patient` or `patient_id`; -1: none. */
int                     rvl__patient_column(const rvl_csv *t);
/** Whether column `c` holds a finding: not the first, not a patient. */
bool                    rvl__is_finding_column(const rvl_csv *t, size_t c);

#endif /* RVL_VERBS_TABLE_INDEX_H */
