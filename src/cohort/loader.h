/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/loader.h
 * The one place where volumes become batches. Order and augmentation are functions of (seed, epoch, sample), never
 * of a thread. Reader threads never enter OpenMP.
 */
#ifndef RVL_COHORT_LOADER_H
#define RVL_COHORT_LOADER_H
#include "cohort/cohort.h"

typedef struct {
    int         batch_size;
    int         images_per_study; /* slots S, 0 means 1; missing ones are masked. Of a study with more images the first
                                   * S are taken, with `shuffle` S that are drawn anew in every epoch */
    bool        shuffle, drop_last; /* without drop_last the last batch of an epoch may be short */
    bool        augment;
    rvl_augment augmentation;
    uint64_t    seed;
    int         n_threads; /* 0: no read-ahead, all in the caller's thread */
} rvl_loader_opts;

typedef struct {
    int            n;          /* real samples, 1..batch_size */
    const int64_t *i_case;     /* (batch_size) indices into the case list; -1 beyond n */
    const float   *images;     /* (batch_size, S, 1, [D,] H, W) in the model's range; zeros beyond n */
    const float   *image_mask; /* (batch_size, S) 1 or 0 */
    const uint8_t *labels;     /* (batch_size, K) rvl_label_state; NULL without labels */
} rvl_batch;

typedef struct rvl_loader rvl_loader;
/** Cohort and list are borrowed. Without a cohort (NULL) batches say only which cases they are made of: i_case. */
RVL_MUST_USE rvl_status rvl_loader_new(rvl_loader **out, rvl_cohort *c, const rvl_case_list *list, rvl_loader_opts opts,
                                       rvl_error *err);
void                    rvl_loader_free(rvl_loader *l);
int64_t                 rvl_loader_n_batches(const rvl_loader *l); /* per epoch */
/** Position the loader: the next batch is batch `i_batch` of `epoch`. Cheap; used for resume. */
RVL_MUST_USE rvl_status rvl_loader_seek(rvl_loader *l, int64_t epoch, int64_t i_batch, rvl_error *err);
/** The next batch, valid until the following call; after the last batch of an epoch the next epoch begins. NUMERIC
 *  names the case if an image holds NaN. A failed batch fails again until the loader is positioned elsewhere. */
RVL_MUST_USE rvl_status rvl_loader_next(rvl_loader *l, rvl_batch *out, rvl_error *err);
#endif /* RVL_COHORT_LOADER_H */
