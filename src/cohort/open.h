/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/open.h
 * What an open cohort is made of; for the files of this room only.
 */
#ifndef RVL_COHORT_OPEN_H
#define RVL_COHORT_OPEN_H
#include "cohort/catalogue.h"
#include "cohort/cohort.h"
#include "cohort/pack.h"

struct rvl_cohort {
    char            *path;
    rvl__catalogue   db;
    rvl_schema      *schema;
    char            *label_source; /* of the table report_labels; NULL: the labels of the ingested table */
    rvl_preprocess   spec;
    rvl__pack_reader pack;
};

#endif /* RVL_COHORT_OPEN_H */
