/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/paired.h
 * Tests of two methods on the same cases.
 */
#ifndef RVL_MEASURE_PAIRED_H
#define RVL_MEASURE_PAIRED_H
#include "rvl/status.h"

typedef struct {
    double auroc_a, auroc_b, difference; /* a - b */
    double standard_error, p;            /* two-sided, normal; both NaN if the variance is 0 */
} rvl_delong;
/** Correlated AUROCs: DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837, by midranks (Sun and Xu, IEEE Signal
 *  Process Lett 2014;21:1389). All NaN unless both classes have two cases. */
RVL_MUST_USE rvl_status rvl_delong_test(rvl_delong *out, const double *score_a, const double *score_b,
                                        const uint8_t *truth, int64_t n, rvl_error *err);

/** McNemar's exact two-sided p of `n_a` cases that only a has right and `n_b` that only b has right: twice the smaller
 *  binomial tail at 1/2, at most 1. 1 if both are 0. */
double rvl_mcnemar_exact(int64_t n_a, int64_t n_b);

/** Cohen's kappa of a 2 x 2 table (Educ Psychol Meas 1960;20:37). NaN without cases or where chance agreement is 1. */
double rvl_cohen_kappa(double tp, double fp, double tn, double fn);

#endif /* RVL_MEASURE_PAIRED_H */
