/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/leakage.h
 * The same patient, the same pixels or the same text in more than one split.
 */
#ifndef RVL_COHORT_LEAKAGE_H
#define RVL_COHORT_LEAKAGE_H
#include "cohort/catalogue.h"
#include "cohort/cohort.h"

/** Hash of findings, impression and other text without case, punctuation and white space; 0 without any text. */
RVL_MUST_USE rvl_status rvl__leakage_text_hash(int64_t *out, const char *const text[RVL_SECTION_COUNT], rvl_error *err);
/** Fill the table `leaks` anew, inside the caller's transaction. */
RVL_MUST_USE rvl_status rvl__leakage_write(rvl__catalogue *c, rvl_error *err);
/** All counts of the catalogue: rows, failures, leaks, duplicates. */
RVL_MUST_USE rvl_status rvl__leakage_count(rvl_ingest_result *out, rvl__catalogue *c, rvl_error *err);

#endif /* RVL_COHORT_LEAKAGE_H */
