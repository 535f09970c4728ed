/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/bootstrap.h
 * Percentile intervals by bootstrap over patients (cluster bootstrap: Davison and Hinkley 1997, section 3.8).
 *
 * Patients are drawn with replacement and bring all their rows: a row's weight is how often its patient was drawn. Rows
 * of one patient are not independent, so ten copies of each row leave the interval as it is. Draws are a function of
 * (seed, draw number).
 */
#ifndef RVL_MEASURE_BOOTSTRAP_H
#define RVL_MEASURE_BOOTSTRAP_H
#include "rvl/status.h"

typedef struct {
    double  value;     /* on the data as they are */
    double  low, high; /* 2.5 and 97.5 % points of the draws */
    int64_t n_valid;   /* draws where the metric was defined */
} rvl_interval;

/** Compute `n_metrics` values from row weights (all ones for the value itself); NaN where undefined. */
typedef rvl_status (*rvl_metric_fn)(double *out, const double *weight, void *context, rvl_error *err);

/** `patient` (n): a number 0..n_patients-1 per row. `out` has n_metrics entries. 0 draws give NaN bounds. */
RVL_MUST_USE rvl_status rvl_bootstrap(rvl_interval *out, int n_metrics, rvl_metric_fn metric, void *context, int64_t n,
                                      const int64_t *patient, int64_t n_patients, int64_t n_draws, uint64_t seed,
                                      rvl_error *err);
/** Numbers 0.. for equal texts, in order of first appearance; returns how many. `out` (n). */
RVL_MUST_USE rvl_status rvl_number_groups(int64_t *out, int64_t *n_groups, const char *const *keys, int64_t n,
                                          rvl_error *err);

#endif /* RVL_MEASURE_BOOTSTRAP_H */
