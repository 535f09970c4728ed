/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/plan.h
 * What ingest will do, worked out from the table alone: ids, studies, patients, splits, and the rows that cannot be
 * taken. It depends on nothing but table, map and options, so a resumed ingest gets the same plan.
 */
#ifndef RVL_COHORT_PLAN_H
#define RVL_COHORT_PLAN_H
#include "base/alloc.h"
#include "cohort/cohort.h"
#include "cohort/names.h"
#include "cohort/pseudonym.h"
#include "cohort/source.h"

typedef struct {
    int64_t     i_study; /* -1: left out or failed */
    const char *failure; /* why the row cannot be taken, or NULL */
    rvl_view    view;
} rvl__plan_row;

typedef struct {
    int64_t     i_patient, first_row;
    int64_t     report_row; /* first row with any text, -1 without */
    int         i_split;    /* -1 until splits are assigned */
    const char *sex;
    double      age_years;
    int64_t     date_days; /* of the study, from 1970; RVL__NO_DATE */
    uint8_t    *labels;    /* rvl_label_state per finding; NULL without schema */
} rvl__plan_study;

typedef struct {
    rvl_arena       *arena;
    int64_t          n_rows;
    rvl__plan_row   *rows;
    rvl__names       images, studies, patients, splits; /* original ids in order: nothing of it enters the catalogue */
    rvl__plan_study *study;                             /* [studies.n] */
    bool             has_text;                          /* the table has report columns */
    int64_t          n_filtered, n_empty_reports, n_bad_ages, n_bad_dates;
    int64_t          first_empty_report, first_bad_age; /* rows, -1 */
} rvl__plan;

RVL_MUST_USE rvl_status rvl__plan_make(rvl__plan *out, const rvl__map *map, const rvl__source *source, rvl_error *err);
void                    rvl__plan_fini(rvl__plan *plan);

/** Assign every study to a split: n_folds, else the given ratios, else the table's split column, else 0.8 0.1 0.1.
 *  Ratios and folds keep the studies of a patient together. */
RVL_MUST_USE rvl_status rvl__split_assign(rvl__plan *plan, const rvl__source *source, const rvl_ingest_opts *opts,
                                          rvl_error *err);
/** USAGE unless ratios and folds are usable. */
RVL_MUST_USE rvl_status rvl__split_check_opts(const rvl_ingest_opts *opts, rvl_error *err);
/** Patients with studies in more than one split. */
RVL_MUST_USE rvl_status rvl__split_count_leaks(int64_t *out, const rvl__plan *plan, rvl_error *err);

#endif /* RVL_COHORT_PLAN_H */
