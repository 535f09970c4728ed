/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/publish.h
 * The end of an ingest: case lists, failures, crosswalk, leaks; the mark "finished" comes last.
 */
#ifndef RVL_COHORT_PUBLISH_H
#define RVL_COHORT_PUBLISH_H
#include "cohort/catalogue.h"
#include "cohort/plan.h"

typedef struct {
    const char            *out_path, *pack_hash;
    const rvl_preprocess  *spec;
    int64_t                n_pack_rows;
    const rvl__source     *source;
    const rvl__plan       *plan;
    const rvl__pseudonyms *pseudonyms;     /* NULL: identifiers are kept */
    const char            *crosswalk_path; /* FILE.csv; FILE.images.csv beside it */
} rvl__publish;

/** The file beside the crosswalk that ends so: "c.csv", ".salt" -> "c.salt". rvl_free; NULL if out of memory. */
char *rvl__crosswalk_beside(const char *path, const char *ending);

/** May be repeated after an interruption: the same files come out. NOT_FOUND if there is no image at all. */
RVL_MUST_USE rvl_status rvl__publish_cohort(const rvl__publish *p, rvl__catalogue *db, rvl_error *err);

#endif /* RVL_COHORT_PUBLISH_H */
