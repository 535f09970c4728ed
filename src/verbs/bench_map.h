/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_map.h
 * Scores of CT-RATE's classes as those of another set (findings/class_sets.h), for cohorts.
 */
#ifndef RVL_VERBS_BENCH_MAP_H
#define RVL_VERBS_BENCH_MAP_H
#include "findings/class_sets.h"
#include "findings/schema.h"

typedef struct {
    int k;
    int source[RVL_MAX_SET_CLASSES][2]; /* findings of the scores' schema; the second may be -1 */
    int label[RVL_MAX_SET_CLASSES];     /* findings of the labels' schema; -1: not labelled */
} rvl_class_sources;

/** NOT_FOUND if `schema`, by which cases are scored, lacks a class of the mapping. Names are compared without case and
 *  punctuation; labels are found by the class's name or RAD-ChestCT's. */
RVL_MUST_USE rvl_status rvl__class_sources(rvl_class_sources *out, const rvl_schema *schema, const rvl_schema *labels,
                                           const rvl_class_mapping *mapping, rvl_error *err);
/** score (n, k) -> (n, sources->k) in place: the larger of a class's sources. sources->k is at most k. */
void                    rvl__map_scores(double *score, int64_t n, int k, const rvl_class_sources *sources);

#endif /* RVL_VERBS_BENCH_MAP_H */
