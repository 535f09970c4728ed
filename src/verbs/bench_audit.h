/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_audit.h
 * What makes a table look better than the model is: cases that other parts hold too, and repeats within one.
 */
#ifndef RVL_VERBS_BENCH_AUDIT_H
#define RVL_VERBS_BENCH_AUDIT_H
#include "cohort/cohort.h"
#include "verbs/bench_external.h"

/** `audit` of the document: shared[] {with, patients, pixels, texts} for each other part (NULL or absent ones are
 * passed over), counted in cases of `split`, and repeats {patients, pixels, texts} within it. */
RVL_MUST_USE rvl_status rvl__audit_cohort(json_t *root, rvl_cohort *c, const char *split, const char *const *others,
                                          int n_others, rvl_error *err);
/** The same for tables: shared[] {with, ids, patients}, counted in rows of the measured table; patients by the tables'
 *  column or by volumes' names. Appends one entry. */
RVL_MUST_USE rvl_status rvl__audit_table(json_t *root, const rvl_joined *measured, const rvl_label_table *other,
                                         const char *name, rvl_error *err);
/** Rows of x (n, e) that equal an earlier one bit by bit. */
RVL_MUST_USE rvl_status rvl__count_equal_rows(int64_t *out, const float *x, int64_t n, int64_t e, rvl_error *err);

#endif /* RVL_VERBS_BENCH_AUDIT_H */
