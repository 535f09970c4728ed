/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_group.h
 * Cases of a cohort that are reconstructions of one scan, known by the names of their files.
 */
#ifndef RVL_VERBS_BENCH_GROUP_H
#define RVL_VERBS_BENCH_GROUP_H
#include "verbs/scan_groups.h"
#include "verbs/split_part.h"

/** Scans of the first image of each case. FORMAT, with the case's number, for files named otherwise. */
RVL_MUST_USE rvl_status rvl__case_scans(rvl_scan_groups *out, const rvl_case_list *list, const char *how,
                                        rvl_error *err);

/** What bench measures of a part, a row per scan. Zero it first. */
typedef struct {
    int64_t       n, n_patients;
    double       *score, *valid; /* (n, k), owned */
    uint8_t      *truth;         /* (n, k), owned */
    int64_t      *patient;       /* (n), owned */
    rvl_case_list list; /* (n) the case, or the first of the scan; the array is owned, what it points to is not */
} rvl_grouped_part;

/** Copies of the part's arrays, grouped by `how` (NULL: as they are). FORMAT if reconstructions differ in labels. */
RVL_MUST_USE rvl_status rvl__group_part(rvl_grouped_part *out, const rvl_split_part *p, int k, const char *how,
                                        rvl_error *err);
void                    rvl__grouped_part_fini(rvl_grouped_part *g);

/** In place, a row per scan (`how` NULL: as they are): means of image and text (NULL: none) embeddings (*n, e), what
 * all reconstructions share, `shared_bytes` a row, and their patient. *n becomes the number of scans. */
RVL_MUST_USE rvl_status rvl__group_embeddings(int64_t *n, float *image, float *text, int64_t e, bool cosine,
                                              void *shared, size_t shared_bytes, int64_t *patient,
                                              const rvl_case_list *list, const char *how, rvl_error *err);

#endif /* RVL_VERBS_BENCH_GROUP_H */
