/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/rows.h
 * What the retrieval metrics share about embeddings.
 */
#ifndef RVL_MEASURE_ROWS_H
#define RVL_MEASURE_ROWS_H
#include "rvl/status.h"

/** scale (n): 1 / norm of each row of x (n, e) for cosine, else 1. NUMERIC, naming `what` and the row, if a value is
 * not finite or, for cosine, a row is zero. */
RVL_MUST_USE rvl_status rvl__row_scales(double *scale, const float *x, int64_t n, int64_t e, bool cosine,
                                        const char *what, rvl_error *err);
double                  rvl__row_dot(const float *a, const float *b, int64_t e); /* in f64, in order */

#endif /* RVL_MEASURE_ROWS_H */
