/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file search/index.h
 * An embedding index: one safetensors file with a vector per case and modality, and what is shown about a case.
 *
 * Tensors "image" (N, E) and "text" (N, E), f32, at least one of them; metadata rvl.format "rvl.index/1", the model's
 * hash, the similarity, case ids, findings and cases as JSON. Vectors are stored as the tower gave them. A case that
 * lacks one modality has zeros there and is never a hit in it.
 */
#ifndef RVL_SEARCH_INDEX_H
#define RVL_SEARCH_INDEX_H
#include "model/model.h"

/** What an index says about a case. Strings are never NULL; snippets are report text, so an index is as private as
 *  the reports are. */
typedef struct {
    const char    *case_id; /* ours, unique in the index */
    const char    *split;   /* "" if none */
    const char    *snippet; /* start of the report, "" if none */
    const char    *cohort;  /* path of the cohort whose pack holds the picture, "" if none */
    int64_t        pack_row;
    const uint8_t *labels; /* rvl_label_state per finding; NULL if there are none */
    bool           has_image, has_text;
} rvl_index_case;

/** All borrowed. `image` and `text` are (n_cases, n_embed) or NULL. */
typedef struct {
    const char           *model;      /* hash of the bundle that made the vectors */
    const char           *model_path; /* where that bundle was; NULL or "" if not known */
    rvl_similarity        similarity;
    double                scale; /* of the scores under RVL_SIMILARITY_SCALED */
    int64_t               n_cases, n_embed;
    const rvl_index_case *cases;
    const float          *image, *text;
    int                   n_findings;
    const char *const    *findings; /* names, in the order of the cases' labels */
} rvl_index_data;

/** Write atomically. Values that are not finite are NUMERIC and double case ids FORMAT; both name the case. */
RVL_MUST_USE rvl_status rvl_index_save(const char *path, const rvl_index_data *data, rvl_error *err);
/** Merge into the index at `path` (made if absent): a known case id is replaced in place, others follow. STATE if
 *  the index is of another model, similarity, width or findings. */
RVL_MUST_USE rvl_status rvl_index_append(const char *path, const rvl_index_data *data, rvl_error *err);

typedef struct rvl_index rvl_index;
/** Open and check everything: counts, ids, labels, finite vectors. */
RVL_MUST_USE rvl_status  rvl_index_open(rvl_index **out, const char *path, rvl_error *err);
void                     rvl_index_close(rvl_index *x); /* NULL is allowed */
const rvl_index_data    *rvl_index_get(const rvl_index *x);
int64_t                  rvl_index_find(const rvl_index *x, const char *case_id); /* -1 if absent */
/** STATE, with both hashes, unless the index was made by the model with this hash. */
RVL_MUST_USE rvl_status  rvl_index_check_model(const rvl_index *x, const char *model, rvl_error *err);

typedef enum { RVL_INDEX_IMAGE, RVL_INDEX_TEXT } rvl_index_modality;

typedef struct {
    const float       *vectors; /* (n_queries, n_embed) */
    int64_t            n_queries, n_embed;
    int                k;
    rvl_index_modality modality; /* which vectors of the index to compare with */
    const int64_t     *exclude;  /* (n_queries) case not to return, -1 for none; NULL: none at all */
    const uint8_t     *allowed;  /* (n_cases) 0 bars a case; NULL: all allowed */
} rvl_index_query;

typedef struct {
    int64_t i_case;
    double  score;
} rvl_hit;

/** Exact search by the index's similarity (cosine normalises both sides), best first, equal scores by lower case
 *  index. hits (n_queries, k), n_hits (n_queries) found each. Sums are in f64 and do not depend on threads. NUMERIC
 *  for a query that is not finite, or zero under cosine; NOT_FOUND if the index lacks the modality. */
RVL_MUST_USE rvl_status rvl_index_search(rvl_hit *hits, int *n_hits, const rvl_index *x, const rvl_index_query *q,
                                         rvl_error *err);

#endif /* RVL_SEARCH_INDEX_H */
