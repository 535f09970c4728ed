/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_external.h
 * Tables of scores and labels that another program made, joined by id.
 */
#ifndef RVL_VERBS_BENCH_EXTERNAL_H
#define RVL_VERBS_BENCH_EXTERNAL_H
#include "findings/class_sets.h"
#include "findings/schema.h"
#include "rvl/verbs.h"
#include "verbs/table_index.h"
#include <jansson.h>

typedef struct {
    rvl_uncertain_policy     uncertain;
    rvl_missing_policy       missing;
    const rvl_class_mapping *mapping; /* NULL: findings are the columns of the predictions */
    const char              *group;   /* "scan", "scan-first"; NULL: rows as they are */
} rvl_table_policy;

/** USAGE for unknown words. */
RVL_MUST_USE rvl_status rvl__table_policy(rvl_table_policy *out, const rvl_bench_opts *o, rvl_error *err);

/** Labels of named findings. Zero it first. */
typedef struct {
    rvl_csv    *table; /* owned */
    rvl_id_row *rows;  /* sorted by id */
    int         k;
    bool       *is_source; /* (k, columns): cells that speak for finding j; the strongest state counts */
    int         patient;   /* column; -1: none */
} rvl_label_table;

/** Load and find the columns of k findings: the column of that name (without case and punctuation); with a mapping that
 *  of the rule or of its label, or those of that label at any place ("calcification*lung"), as RAD-ChestCT has them.
 *  FORMAT if a finding has none. Without names every column but the id and the patient is a finding. */
RVL_MUST_USE rvl_status rvl__label_table_load(rvl_label_table *out, const char *path, const char *const *names, int k,
                                              const rvl_class_mapping *mapping, rvl_error *err);
void                    rvl__label_table_fini(rvl_label_table *t);
/** truth (k) and valid (k) of a row. FORMAT for a cell that is no label state. */
RVL_MUST_USE rvl_status rvl__label_row(uint8_t *truth, double *valid, const rvl_label_table *t, size_t row,
                                       const rvl_table_policy *policy, rvl_error *err);

/** Scores with labels. Zero it first. */
typedef struct {
    rvl_csv        *predictions;
    rvl_id_row     *prediction_rows;
    rvl_label_table labels;
    int             k;
    const char    **names;         /* (k) borrowed */
    int            *source;        /* (k, 2) columns of the predictions; -1: none */
    double         *score, *valid; /* (n, k) */
    uint8_t        *truth;
    const char    **ids;     /* (n) as in the table; with scans, of the first reconstruction */
    int64_t        *patient; /* (n) */
    int64_t         n, n_patients;
} rvl_joined;

RVL_MUST_USE rvl_status rvl__join(rvl_joined *out, const char *predictions, const char *labels,
                                  const rvl_table_policy *policy, rvl_error *err);
void                    rvl__joined_fini(rvl_joined *t);

/** The part `retrieval` of embeddings made elsewhere; opts->image_embeddings is set. */
RVL_MUST_USE rvl_status rvl__bench_embeddings(json_t *root, const rvl_bench_opts *o, rvl_error *err);

#endif /* RVL_VERBS_BENCH_EXTERNAL_H */
