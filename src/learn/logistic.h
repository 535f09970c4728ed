/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/logistic.h
 * L2-regularised logistic regression in f64, the linear probe on frozen features.
 *
 * Minimises  sum_i s_i (log(1 + exp(z_i)) - y_i z_i) + lambda / 2 |w|^2  with z_i = w . x_i + b; the intercept b is not
 * regularised. This is scikit-learn's LogisticRegression with C = 1 / lambda. The minimum is found by Newton's method
 * with conjugate gradients (Lin, Weng and Keerthi 2008) to rounding, so it does not depend on the start.
 */
#ifndef RVL_LEARN_LOGISTIC_H
#define RVL_LEARN_LOGISTIC_H
#include "rvl/status.h"

/** Rows x (n, f) with targets y (n) in 0..1 and weights s (n) >= 0, which leave a row out at 0. Borrowed. */
typedef struct {
    int64_t       n;
    int           f;
    const double *x, *y, *s;
} rvl_logistic_data;

/** `coef` (f + 1): weights and, last, the intercept; its values are where the search starts. NUMERIC if the rows are
 *  of one class only (there is no minimum), if a value is not finite, or after 200 steps without a minimum; USAGE
 *  unless lambda > 0. */
RVL_MUST_USE rvl_status rvl_logistic_fit(double *coef, const rvl_logistic_data *data, double lambda, rvl_error *err);
/** z_i of every row into `out` (n). */
void                    rvl_logistic_scores(double *out, const double *coef, const rvl_logistic_data *data);
/** Mean of s_i (log(1 + exp(z_i)) - y_i z_i) over the sum of s; NaN without weight. */
double                  rvl_logistic_loss(const double *coef, const rvl_logistic_data *data);

#endif /* RVL_LEARN_LOGISTIC_H */
