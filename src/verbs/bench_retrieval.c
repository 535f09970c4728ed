/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_retrieval.c
 * Retrieval between images and texts, for several definitions of what is right; intervals over patients.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "measure/average_precision.h"
#include "measure/bootstrap.h"
#include "measure/retrieval.h"
#include "verbs/bench_audit.h"
#include "verbs/bench_parts.h"
#include <math.h>
#include <stdio.h>

static const int64_t ks[] = {1, 5, 10, 50, 100};
enum { N_K = 5, N_METRICS = N_K + 2 };

typedef struct {
    const int64_t *rank;
    int64_t        n;
} rank_context;

static rvl_status rank_metrics(double *out, const double *weight, void *self, rvl_error *err)
{
    rank_context *c = self;
    for (int i = 0; i < N_K; i++)
        out[i] = rvl_recall_at(c->rank, weight, c->n, ks[i]);
    out[N_K] = rvl_mean_reciprocal_rank(c->rank, weight, c->n);
    return rvl_median_rank(&out[N_K + 1], c->rank, weight, c->n, err);
}

static rvl_status gallery_json(json_t **out, const int64_t *rank, const rvl_retrieval *r, rvl_gallery kind,
                               const rvl_bench_pairs *p, int64_t n_draws, uint64_t seed, rvl_error *err)
{
    rank_context c = {rank, r->n};
    rvl_interval v[N_METRICS];
    rvl_status st = rvl_bootstrap(v, N_METRICS, rank_metrics, &c, r->n, p->patient, p->n_patients, n_draws, seed, err);

    if (st)
        return st;
    *out = json_object();
    for (int i = 0; i < N_K; i++) {
        char key[32];
        snprintf(key, sizeof key, "recall_at_%d", (int)ks[i]);
        rvl_json_set(*out, key, rvl__interval_json(&v[i]));
        snprintf(key, sizeof key, "chance_at_%d", (int)ks[i]);
        rvl_json_set(*out, key, rvl_json_real(rvl_retrieval_chance(r, kind, ks[i])));
    }
    rvl_json_set(*out, "mrr", rvl__interval_json(&v[N_K]));
    rvl_json_set(*out, "median_rank", rvl__interval_json(&v[N_K + 1]));
    return RVL_OK;
}

static rvl_relevance same_group(const void *context, int64_t i, int64_t j)
{
    const rvl_retrieval *r = context;
    return r->group[i] == r->group[j] ? RVL_RELEVANCE_YES : RVL_RELEVANCE_NO;
}

/* The galleries of one direction, by name; the first is the document that holds the others. */
static rvl_status one_direction(json_t **out, const rvl_bench_pairs *p, bool image_to_text, int64_t n_draws,
                                uint64_t seed, rvl_error *err)
{
    static const char *const names[RVL_GALLERY_COUNT] = {NULL, "unique", "duplicates", "ct_clip"};
    rvl_retrieval            r = {.query = image_to_text ? p->image : p->text,
                                  .gallery = image_to_text ? p->text : p->image,
                                  .n = p->n,
                                  .e = p->e,
                                  .group = p->group,
                                  .n_groups = p->n_groups,
                                  .cosine = p->cosine};
    int64_t   *rank[RVL_GALLERY_COUNT] = {rvl_alloc_array((size_t)r.n + 1, sizeof(int64_t[RVL_GALLERY_COUNT]))};
    json_t    *part[RVL_GALLERY_COUNT] = {NULL};
    rvl_status st = rank[0] ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for ranks");

    for (int kind = 1; !st && kind < RVL_GALLERY_COUNT; kind++)
        rank[kind] = rank[0] + kind * r.n;
    if (!st)
        st = rvl_retrieval_ranks(rank, &r, err);
    for (int kind = 0; !st && kind < RVL_GALLERY_COUNT; kind++)
        st = gallery_json(&part[kind], rank[kind], &r, (rvl_gallery)kind, p, n_draws, seed, err);
    if (!st) {
        rvl_ranking all = {r.query, r.gallery, r.n, r.n, r.e, r.cosine, same_group, &r};
        st = rvl__bench_map(part[RVL_GALLERY_DUPLICATES], &all, p->patient, p->n_patients, n_draws, seed, err);
    }
    for (int kind = 1; !st && kind < RVL_GALLERY_COUNT; kind++)
        rvl_json_set(part[0], names[kind], part[kind]);
    for (int kind = 0; st && kind < RVL_GALLERY_COUNT; kind++)
        json_decref(part[kind]);
    *out = st ? NULL : part[0];
    rvl_free(rank[0]);
    return st;
}

rvl_status rvl__bench_retrieval(json_t **out, const rvl_bench_pairs *p, int64_t n_draws, uint64_t seed, rvl_error *err)
{
    json_t    *image_to_text = NULL;
    json_t    *text_to_image = NULL;
    int64_t    n_equal_images;
    int64_t    n_equal_texts;
    rvl_status st = rvl__count_equal_rows(&n_equal_images, p->image, p->n, p->e, err);

    if (!st)
        st = rvl__count_equal_rows(&n_equal_texts, p->text, p->n, p->e, err);
    if (!st)
        st = one_direction(&image_to_text, p, true, n_draws, seed, err);

    *out = NULL;
    if (!st)
        st = one_direction(&text_to_image, p, false, n_draws, seed, err);
    if (st) {
        json_decref(image_to_text);
        return st;
    }
    *out = json_object();
    rvl_json_set(*out, "pool", json_integer(p->n));
    rvl_json_set(*out, "n_unique_texts", json_integer(p->n_groups));
    rvl_json_set(*out, "n_equal_image_embeddings", json_integer(n_equal_images));
    rvl_json_set(*out, "n_equal_text_embeddings", json_integer(n_equal_texts));
    rvl_json_set(*out, "n_patients", json_integer(p->n_patients));
    rvl_json_set(*out, "similarity", json_string(p->cosine ? "cosine" : "dot"));
    rvl_json_set(
        *out, "definition",
        json_string(
            "diagonal: only the own item is right; unique: equal texts are one item; duplicates: any item "
            "with an equal text is right; ties count against; 95 % intervals by bootstrap over patients; ct_clip: the "
            "dialect [ct-clip], only the own item is right, of equal similarities the earlier item comes first"));
    rvl_json_set(*out, "image_to_text", image_to_text);
    rvl_json_set(*out, "text_to_image", text_to_image);
    return RVL_OK;
}
