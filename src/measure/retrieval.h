/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/retrieval.h
 * Ranks of true items among a gallery, in blocks: memory does not grow with queries x gallery.
 *
 * Query i belongs with gallery item i. Ties count against the query: among items as good as the true one, the true one
 * comes last, so a constant embedding scores at the bottom and not at the top. The dialect [ct-clip] alone has ties as
 * CT-CLIP's report_to_volume.py has them.
 */
#ifndef RVL_MEASURE_RETRIEVAL_H
#define RVL_MEASURE_RETRIEVAL_H
#include "rvl/status.h"

typedef enum {
    RVL_GALLERY_DIAGONAL,   /* only item i is right for query i */
    RVL_GALLERY_UNIQUE,     /* items of one group are one item: the best of the group stands for it */
    RVL_GALLERY_DUPLICATES, /* any item of query i's group is right; the best one counts */
    RVL_GALLERY_CT_CLIP,    /* [ct-clip]: only item i is right; of equal ones the earlier item comes first */
    RVL_GALLERY_COUNT
} rvl_gallery;

typedef struct {
    const float   *query, *gallery; /* (n, e) each */
    int64_t        n, e;
    const int64_t *group; /* (n) equal numbers: the same content (identical text); NULL: all differ */
    int64_t        n_groups;
    bool           cosine; /* normalise both sides; else the dot product as given */
} rvl_retrieval;

/** rank[kind][i] from 1, for each kind whose array (n) is not NULL, in one pass over the similarities. NUMERIC if an
 *  embedding is not finite, or zero with cosine. */
RVL_MUST_USE rvl_status rvl_retrieval_ranks(int64_t *const rank[RVL_GALLERY_COUNT], const rvl_retrieval *r,
                                            rvl_error *err);
/** Expected recall@k of a random order, averaged over queries. */
double                  rvl_retrieval_chance(const rvl_retrieval *r, rvl_gallery kind, int64_t k);
/** Weighted share of ranks <= k, weighted median rank (lower median), mean reciprocal rank. NaN without weight. */
double                  rvl_recall_at(const int64_t *rank, const double *weight, int64_t n, int64_t k);
double                  rvl_mean_reciprocal_rank(const int64_t *rank, const double *weight, int64_t n);
RVL_MUST_USE rvl_status rvl_median_rank(double *out, const int64_t *rank, const double *weight, int64_t n,
                                        rvl_error *err);

#endif /* RVL_MEASURE_RETRIEVAL_H */
