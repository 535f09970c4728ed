/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_parts.h
 * The two kinds of numbers that bench gives, on plain arrays wherever they come from: findings (binary) and retrieval.
 */
#ifndef RVL_VERBS_BENCH_PARTS_H
#define RVL_VERBS_BENCH_PARTS_H
#include "base/str.h"
#include "measure/average_precision.h"
#include "measure/bootstrap.h"
#include "rvl/verbs.h"
#include <jansson.h>

/** Scores and truth of n cases for k findings. Thresholds are chosen on the validation part where there is one. */
typedef struct {
    int64_t            n;
    int                k;
    const char *const *names;    /* (k) */
    const bool        *withheld; /* (k) findings the training labels lacked; NULL: none */
    const double      *score;    /* (n, k) */
    const uint8_t     *truth;    /* (n, k) 0 or 1 */
    const double      *valid;    /* (n, k) weight of the label: 0 leaves it out */
    const int64_t     *patient;  /* (n) 0..n_patients-1 */
    int64_t            n_patients;
    int64_t            n_val; /* 0: thresholds are not chosen, no F1 */
    const double      *val_score, *val_valid;
    const uint8_t     *val_truth;
    bool               is_probability; /* calibration and thresholds of 0..1 are meaningful */
    const char        *class_set;      /* name of what the findings are together (NULL: "all") */
} rvl_bench_findings;

/** JSON: macro_auroc, trained_macro_auroc, withheld_macro_auroc, the other macros and findings[] with auroc, ap,
 *  threshold, f1, precision, recall, f1_weighted, accuracy, brier, ece, calibration bins; each metric {value, low,
 * high}; and what rvl__bench_protocols adds. */
RVL_MUST_USE rvl_status rvl__bench_findings(json_t **out, const rvl_bench_findings *b, int64_t n_draws, uint64_t seed,
                                            rvl_error *err);
/** Adds the dialects of measure/protocol.h to a part that holds findings[]: `ct_clip` and `vlm3d` to each, and
 *  `class_sets[]`, macros over all findings and over the named sets of CT-RATE that are complete. auroc (k). */
RVL_MUST_USE rvl_status rvl__bench_protocols(json_t *part, const rvl_bench_findings *b, const double *auroc,
                                             rvl_error *err);

/** Pairs: image i belongs with text i. `group`: equal texts have equal numbers. */
typedef struct {
    int64_t        n, e;
    const float   *image, *text; /* (n, e) */
    const int64_t *group;        /* (n) */
    int64_t        n_groups;
    const int64_t *patient; /* (n) */
    int64_t        n_patients;
    bool           cosine;
} rvl_bench_pairs;

/** JSON: pool, n_unique_texts, image_to_text and text_to_image, each with recall_at_{1,5,10,50,100}, median_rank, mrr
 *  and chance_at_{...}; `unique` and `duplicates` hold the same for those galleries, `duplicates` also
 * map_at_{1,5,10,50} and map_chance_at_{1,5,10,50}; `ct_clip` is that dialect of the diagonal. */
RVL_MUST_USE rvl_status rvl__bench_retrieval(json_t **out, const rvl_bench_pairs *p, int64_t n_draws, uint64_t seed,
                                             rvl_error *err);

/** Images with findings. */
typedef struct {
    int64_t        n, e;
    const float   *image; /* (n, e) */
    int            k;
    const uint8_t *present; /* (n, k) 1: the finding is there */
    const int64_t *patient; /* (n) */
    int64_t        n_patients;
    bool           cosine;
} rvl_bench_images;

/** Images by images, those of the same patient left out. JSON: pool, and for the two kinds of relevance, `any` (a
 *  finding in common) and `exact` (the same findings): n_queries, map_at_{1,5,10,50}, map_chance_at_{1,5,10,50}; the
 * same for the dialect `spectre`; `jaccard` (n_queries, jaccard_at_k, jaccard_chance) and the dialect `ct_clip`
 * (map_at_k, map_floor_at_k, jaccard_at_k). */
RVL_MUST_USE rvl_status rvl__bench_images(json_t **out, const rvl_bench_images *p, int64_t n_draws, uint64_t seed,
                                          rvl_error *err);

/** n_queries, map_at_k and map_chance_at_k of a ranking into `out`. */
RVL_MUST_USE rvl_status rvl__bench_map(json_t *out, const rvl_ranking *r, const int64_t *patient, int64_t n_patients,
                                       int64_t n_draws, uint64_t seed, rvl_error *err);

/** {value, low, high}; not finite becomes null. */
json_t *rvl__interval_json(const rvl_interval *v);

/** bench on files made elsewhere; opts->predictions or opts->image_embeddings is set. Adds its parts to `root`. */
RVL_MUST_USE rvl_status rvl__bench_external(json_t *root, const rvl_bench_opts *opts, rvl_error *err);
/** The calibration plot of a finding with "name" and "calibration" bins; nothing without cases. */
void                    rvl__reliability_add(rvl_str *s, const json_t *finding);
/** One page with tables and plots for a finished document. */
RVL_MUST_USE rvl_status rvl__bench_html(const char *path, const json_t *root, rvl_error *err);

#endif /* RVL_VERBS_BENCH_PARTS_H */
