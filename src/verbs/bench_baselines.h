/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_baselines.h
 * What a table of findings is worth without the images: a constant, and metadata alone.
 */
#ifndef RVL_VERBS_BENCH_BASELINES_H
#define RVL_VERBS_BENCH_BASELINES_H
#include "learn/metadata.h"
#include "verbs/bench_parts.h"

/** Labels that the baselines are fitted on, and metadata of those cases, of the measured ones and of those that
 * thresholds are chosen on; metadata may be absent. */
typedef struct {
    const char         *fitted_on; /* what the document calls it: a split or a file */
    int64_t             n;
    const uint8_t      *truth; /* (n, k) */
    const double       *valid; /* (n, k) */
    const rvl_metadata *train, *test, *val;
} rvl_bench_fit;

/**
 * Adds `baselines` to a part: `constant`, every case scored with the finding's share in the fitted labels, and
 * `metadata`, an L2-regularised logistic regression (learn/logistic.h, lambda 1) per finding on learn/metadata.h's
 * features; where a finding has one kind of label only it is the constant. Each holds fitted_on, n_fitted, the macros,
 * class_sets and findings[] {name, auroc, ap}; metadata also columns[].
 */
RVL_MUST_USE rvl_status rvl__bench_baselines(json_t *part, const rvl_bench_findings *f, const rvl_bench_fit *fit,
                                             int64_t n_draws, uint64_t seed, rvl_error *err);

#endif /* RVL_VERBS_BENCH_BASELINES_H */
