/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/split_part.h
 * A split of a cohort with labels and scores for findings: what bench and probe measure.
 */
#ifndef RVL_VERBS_SPLIT_PART_H
#define RVL_VERBS_SPLIT_PART_H
#include "cohort/cohort.h"

/** Zero it first. */
typedef struct {
    rvl_case_list list;
    double       *score;   /* (n, k), filled by the caller */
    double       *target;  /* (n, k) 0..1 */
    double       *valid;   /* (n, k) weight of the label: 0 leaves it out */
    uint8_t      *truth;   /* (n, k) target above a half */
    int64_t      *patient; /* (n) 0..n_patients-1 */
    int64_t       n_patients;
} rvl_split_part;

/** Cases (the first `limit`; 0: all) and patients of a split, or of several joined by commas. */
RVL_MUST_USE rvl_status rvl__part_open(rvl_split_part *p, rvl_cohort *c, const char *split, int64_t limit,
                                       rvl_error *err);
void                    rvl__part_fini(rvl_split_part *p);
/** Labels of k findings; column[j] is the place of finding j in the cohort's schema, -1 for none. Makes room for the
 *  scores. May be called again with the same k. */
RVL_MUST_USE rvl_status rvl__part_labels(rvl_split_part *p, const int *column, int k, rvl_uncertain_policy uncertain,
                                         rvl_missing_policy missing, rvl_error *err);
/** CSV with case, patient and a score per finding, as `rvl bench --predictions` reads it. */
RVL_MUST_USE rvl_status rvl__part_save(const char *path, const rvl_split_part *p, int k, const char *const *names,
                                       rvl_error *err);

#endif /* RVL_VERBS_SPLIT_PART_H */
