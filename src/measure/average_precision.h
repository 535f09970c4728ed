/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/average_precision.h
 * Mean average precision of ranked lists cut at k: the dialect [clean], in which the query is not in its own gallery.
 *
 *   AP@k(q) = 1 / min(R_q, k)  sum_{i=1..k} P_q(i) rel_q(i)
 *
 * with R_q relevant items in the gallery, rel_q(i) whether the i-th is one, P_q(i) the share of relevant ones among the
 * first i (Weyand et al. 2020, "Google Landmarks Dataset v2", section 3.4; without a cut it is Manning, Raghavan and
 * Schuetze 2008, section 8.4). Undefined without relevant items. Ties count against the query: of items as similar,
 * the relevant ones come last.
 */
#ifndef RVL_MEASURE_AVERAGE_PRECISION_H
#define RVL_MEASURE_AVERAGE_PRECISION_H
#include "rvl/status.h"

typedef enum { RVL_RELEVANCE_BARRED = -1, RVL_RELEVANCE_NO, RVL_RELEVANCE_YES } rvl_relevance;
/** What gallery item `j` is to query `i`; barred items are not in its gallery. */
typedef rvl_relevance (*rvl_relevance_fn)(const void *context, int64_t i, int64_t j);

typedef struct {
    const float     *query, *gallery; /* (n, e), (m, e) */
    int64_t          n, m, e;
    bool             cosine; /* normalise both sides; else the dot product as given */
    rvl_relevance_fn relevance;
    const void      *context;
} rvl_ranking;

/** ap (n_k, n) at the cuts k[0..n_k), each at least 1, and `chance` (n_k, n), the expected value over random orders;
 *  NaN where no item is relevant. NUMERIC if an embedding is not finite, or zero with cosine. */
RVL_MUST_USE rvl_status rvl_average_precision_at(double *ap, double *chance, const rvl_ranking *r, const int64_t *k,
                                                 int n_k, rvl_error *err);
/** Weighted mean (NULL: ones) of the values that are not NaN; NaN without weight. */
double                  rvl_mean_defined(const double *value, const double *weight, int64_t n);

#endif /* RVL_MEASURE_AVERAGE_PRECISION_H */
