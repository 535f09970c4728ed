/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/jaccard.h
 * Images by images, relevance in degrees: the Jaccard index |A and B| / |A or B| of two sets of findings, averaged over
 * the first k images of a query's gallery.
 *
 * [ct-clip] prints this as "MAP@K" (CT-CLIP's volume_to_volume.py). It is no average precision: the query is in its own
 * gallery, and the list of values is not emptied between cuts, so that what is printed at a cut is the mean over all
 * cuts up to it. [clean] leaves out the query's patient, queries without findings and the running mean.
 */
#ifndef RVL_MEASURE_JACCARD_H
#define RVL_MEASURE_JACCARD_H
#include "rvl/status.h"

typedef enum {
    RVL_JACCARD_CT_CLIP, /* every image queries; gallery: images with a finding, the query's own included; by cosine */
    RVL_JACCARD_CLEAN    /* images with a finding query; gallery: those of other patients with a finding */
} rvl_jaccard;

typedef struct {
    int64_t        n, e;
    const float   *image; /* (n, e) */
    int            k;
    const uint8_t *present; /* (n, k) 1: the finding is there */
    const int64_t *patient; /* (n) equal numbers: the same patient */
    bool           cosine;  /* of [clean]; [ct-clip] has always the cosine */
} rvl_labelled_images;

/** at (n_k, n): the mean over the first k[q] images of query i, of equal similarities the earlier image first; NaN for
 *  what does not query or has an empty gallery. any_order (n): the mean over the whole gallery but the query itself,
 *  what a random order gives. NUMERIC if an embedding is not finite, or zero where cosines are taken. */
RVL_MUST_USE rvl_status rvl_jaccard_at(double *at, double *any_order, const rvl_labelled_images *p, rvl_jaccard kind,
                                       const int64_t *k, int n_k, rvl_error *err);
/** What [ct-clip] prints: printed[q] = mean of mean_at[0..q], the means over queries at cuts 0..q. */
void                    rvl_jaccard_printed(double *printed, const double *mean_at, int n_k);

#endif /* RVL_MEASURE_JACCARD_H */
