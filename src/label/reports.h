/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/reports.h
 * A file of reports: CSV, or JSON lines (".jsonl", ".ndjson"). Equal texts are one text.
 */
#ifndef RVL_LABEL_REPORTS_H
#define RVL_LABEL_REPORTS_H
#include "base/str.h"

typedef struct {
    const char *id;     /* of the id column, else the row's number from 1 */
    int64_t     line;   /* in the file, from 1 */
    int64_t     i_text; /* -1: no text, or only a placeholder such as "Not given." */
} rvl_report_row;

typedef struct {
    rvl_report_row *rows;
    int64_t         n_rows;
    rvl_span       *texts; /* distinct, each with a NUL behind it */
    int64_t         n_texts;
    const char     *id_name; /* name of the id column, "row" without */
    void           *owner;   /* internal */
} rvl_reports;

/** `text_columns`: names parted by commas; the texts of several are joined by a blank line in that order, placeholders
 *  left out. `id_column` NULL: the first of report_id, case_id, study_id, VolumeName, AccessionNo, id that is there.
 *  `limit` > 0: only so many rows. FORMAT with file and line; NOT_FOUND if there are no rows. */
RVL_MUST_USE rvl_status rvl_reports_load(rvl_reports *out, const char *path, const char *text_columns,
                                         const char *id_column, int64_t limit, rvl_error *err);
void                    rvl_reports_fini(rvl_reports *r);

/** The same from texts that the caller has: start empty, add rows (strings are copied; `parts` may hold NULL). */
RVL_MUST_USE rvl_status rvl_reports_begin(rvl_reports *out, rvl_error *err);
RVL_MUST_USE rvl_status rvl_reports_add(rvl_reports *r, const char *id, int64_t line, const char *const *parts,
                                        int n_parts, rvl_error *err);

#endif /* RVL_LABEL_REPORTS_H */
