/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/similarity.h
 * All similarities between queries and a gallery, a row of queries at a time, on all cores.
 *
 * Products are f64 sums in the order of the components, whatever the processor: two f32 have an exact f64 product, so
 * each sum rounds as in a plain loop (rvl__row_dot), equal embeddings tie exactly, and results do not depend on the
 * instruction set or the number of threads. Memory grows with queries + gallery, not with their product.
 */
#ifndef RVL_MEASURE_SIMILARITY_H
#define RVL_MEASURE_SIMILARITY_H
#include "rvl/status.h"

typedef struct {
    const float *query, *gallery; /* (n, e), (m, e) */
    int64_t      n, m, e;
    bool         cosine; /* rank by cosine; else by the dot product as given */
} rvl_similarity;

/** What is done with query i: similarity (m), larger is more alike; for cosine they are the cosines times the query's
 *  length, which ranks the same. `scratch`: bytes of the calling thread. Called from several threads, once for each i.
 */
typedef void (*rvl_similarity_fn)(void *context, int64_t i, const double *similarity, void *scratch);

/** Visit every query. NUMERIC if an embedding is not finite, or zero with cosine. */
RVL_MUST_USE rvl_status rvl_similarity_each(const rvl_similarity *s, rvl_similarity_fn visit, void *context,
                                            size_t n_scratch_bytes, rvl_error *err);

/** How places are ordered: the most similar first; of equal ones those that `behind` marks come last, then the earlier
 *  place first. */
typedef struct {
    const double *similarity; /* (m) */
    const bool   *barred;     /* (m) places to pass over; NULL: none */
    const bool   *behind;     /* (m) NULL: none */
    int64_t       m;
} rvl_places;

/** The first `k` places, or all if fewer, into `best`; returns how many. */
int64_t rvl_top_places(int64_t *best, const rvl_places *p, int64_t k);

#endif /* RVL_MEASURE_SIMILARITY_H */
