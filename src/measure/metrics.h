/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/metrics.h
 * Metrics on plain arrays, f64 inside. Each has one definition, named in docs/reference/metrics.md; values that are not
 * defined (one class only, no cases) are NaN, never 0 or 0.5.
 */
#ifndef RVL_MEASURE_METRICS_H
#define RVL_MEASURE_METRICS_H
#include "rvl/status.h"

/** A binary task: scores (larger: more likely present), truth 0/1, optional weights (NULL: ones; 0 leaves a case
 *  out; bootstrap draws come as integer weights). */
typedef struct {
    int64_t        n;
    const double  *score;
    const uint8_t *truth;
    const double  *weight;
} rvl_binary;

/** Area under the ROC curve, ties count half (Mann-Whitney). */
RVL_MUST_USE rvl_status rvl_auroc(double *out, const rvl_binary *task, rvl_error *err);
/** Average precision: sum over thresholds of (R_i - R_{i-1}) P_i, ties grouped (scikit-learn's definition). */
RVL_MUST_USE rvl_status rvl_average_precision(double *out, const rvl_binary *task, rvl_error *err);

typedef struct {
    double tp, fp, tn, fn;
    double precision, recall, specificity, f1, accuracy, balanced_accuracy; /* NaN where undefined */
} rvl_confusion;
/** At score >= threshold. */
void                    rvl_confusion_at(rvl_confusion *out, const rvl_binary *task, double threshold);
/** The threshold with the largest F1 (the lowest such threshold among equals); NaN without positives. */
RVL_MUST_USE rvl_status rvl_best_f1_threshold(double *out, const rvl_binary *task, rvl_error *err);
/** Brier score and expected calibration error over `n_bins` equal-width bins of probabilities in 0..1; bin arrays of
 *  n_bins (mean probability, share of positives, count) may be NULL. */
void rvl_calibration(double *brier, double *ece, double *bin_p, double *bin_y, double *bin_n, const rvl_binary *task,
                     int n_bins);

#endif /* RVL_MEASURE_METRICS_H */
