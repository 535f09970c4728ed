/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/labels.h
 * Labels that were read from a cohort's reports, beside those of its table: several sources, kept apart.
 */
#ifndef RVL_COHORT_LABELS_H
#define RVL_COHORT_LABELS_H
#include "cohort/cohort.h"

/** A row of the table report_labels (docs/formats/cohort.md). Strings are borrowed. */
typedef struct {
    const char     *case_id, *finding;
    rvl_label_state state;
    double          probability;                 /* NaN: none */
    int64_t         evidence_at, evidence_bytes; /* in the text that was labelled */
    const char     *version;                     /* of the labeller */
    const char     *reviewer;                    /* of a correction, else "" */
} rvl_report_label;

/** Put rows of `source` into the catalogue of a finished cohort, in one transaction; all earlier rows of that source go
 *  if `replace`, else only those of the same case and finding. `schema` is kept with the source. NOT_FOUND names a case
 *  that is not there; STATE if somebody else writes. */
RVL_MUST_USE rvl_status rvl_cohort_labels_write(const char *path, const char *source, const rvl_schema *schema,
                                                const rvl_report_label *rows, int64_t n, bool replace, rvl_error *err);
/** Cases of `c` that are listed from now on have the labels of `source`, and `c` their schema; cases that the source
 * did not label (no report) are not listed, for they are not all-absent. NOT_FOUND with the sources there are. */
RVL_MUST_USE rvl_status rvl_cohort_use_labels(rvl_cohort *c, const char *source, rvl_error *err);

/** Rows of one source; strings belong to `owner`. */
typedef struct {
    rvl_report_label *rows;
    int64_t           n;
    void             *owner; /* internal */
} rvl_report_labels;
/** All labels of `source`, by case and finding; `c` then uses them as after rvl_cohort_use_labels. NOT_FOUND with the
 *  sources there are. */
RVL_MUST_USE rvl_status rvl_cohort_labels_read(rvl_report_labels *out, rvl_cohort *c, const char *source,
                                               rvl_error *err);
void                    rvl_report_labels_fini(rvl_report_labels *l);

#endif /* RVL_COHORT_LABELS_H */
