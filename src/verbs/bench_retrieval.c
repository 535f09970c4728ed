/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_retrieval.c
 * Retrieval between images and texts, for three definitions of what is right, and of images by images; intervals over
 * patients.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "measure/average_precision.h"
#include "measure/bootstrap.h"
#include "measure/retrieval.h"
#include "verbs/bench_parts.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

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

static const int64_t map_ks[] = {5, 10, 50};
enum { N_MAP = 3 };

typedef struct {
    const double *ap; /* (N_MAP, n) */
    int64_t       n;
} map_context;

static rvl_status map_metrics(double *out, const double *weight, void *self, rvl_error *err)
{
    const map_context *c = self;
    (void)err;
    for (int i = 0; i < N_MAP; i++)
        out[i] = rvl_mean_defined(c->ap + i * c->n, weight, c->n);
    return RVL_OK;
}

/* n_queries, map_at_k and map_chance_at_k into `out`. */
static rvl_status add_map(json_t *out, const rvl_ranking *r, const int64_t *patient, int64_t n_patients,
                          int64_t n_draws, uint64_t seed, rvl_error *err)
{
    double      *ap = rvl_alloc_array((size_t)(2 * N_MAP * r->n) + 1, sizeof *ap);
    double      *chance = ap ? ap + N_MAP * r->n : NULL;
    map_context  c = {ap, r->n};
    rvl_interval v[N_MAP];
    int64_t      n_queries = 0;
    rvl_status   st = ap ? rvl_average_precision_at(ap, chance, r, map_ks, N_MAP, err)
                         : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for average precision");

    if (!st)
        st = rvl_bootstrap(v, N_MAP, map_metrics, &c, r->n, patient, n_patients, n_draws, seed, err);
    for (int64_t i = 0; !st && i < r->n; i++)
        n_queries += !isnan(ap[i]);
    for (int i = 0; !st && i < N_MAP; i++) {
        char key[32];
        snprintf(key, sizeof key, "map_at_%d", (int)map_ks[i]);
        rvl_json_set(out, key, rvl__interval_json(&v[i]));
        snprintf(key, sizeof key, "map_chance_at_%d", (int)map_ks[i]);
        rvl_json_set(out, key, rvl_json_real(rvl_mean_defined(chance + i * r->n, NULL, r->n)));
    }
    if (!st)
        rvl_json_set(out, "n_queries", json_integer(n_queries));
    rvl_free(ap);
    return st;
}

static rvl_relevance same_group(const void *context, int64_t i, int64_t j)
{
    const rvl_retrieval *r = context;
    return r->group[i] == r->group[j] ? RVL_RELEVANCE_YES : RVL_RELEVANCE_NO;
}

static rvl_relevance shares_finding(const void *context, int64_t i, int64_t j)
{
    const rvl_bench_images *p = context;
    if (p->patient[i] == p->patient[j])
        return RVL_RELEVANCE_BARRED;
    for (int c = 0; c < p->k; c++)
        if (p->present[i * p->k + c] && p->present[j * p->k + c])
            return RVL_RELEVANCE_YES;
    return RVL_RELEVANCE_NO;
}

static rvl_relevance has_same_findings(const void *context, int64_t i, int64_t j)
{
    const rvl_bench_images *p = context;
    if (p->patient[i] == p->patient[j])
        return RVL_RELEVANCE_BARRED;
    return memcmp(p->present + i * p->k, p->present + j * p->k, (size_t)p->k) == 0 ? RVL_RELEVANCE_YES
                                                                                   : RVL_RELEVANCE_NO;
}

rvl_status rvl__bench_images(json_t **out, const rvl_bench_images *p, int64_t n_draws, uint64_t seed, rvl_error *err)
{
    json_t     *any = json_object();
    json_t     *exact = json_object();
    rvl_ranking r = {.query = p->image,
                     .gallery = p->image,
                     .n = p->n,
                     .m = p->n,
                     .e = p->e,
                     .cosine = p->cosine,
                     .relevance = shares_finding,
                     .context = p};
    rvl_status  st = add_map(any, &r, p->patient, p->n_patients, n_draws, seed, err);

    *out = NULL;
    r.relevance = has_same_findings;
    if (!st)
        st = add_map(exact, &r, p->patient, p->n_patients, n_draws, seed, err);
    if (st) {
        json_decref(any);
        json_decref(exact);
        return st;
    }
    *out = json_object();
    rvl_json_set(*out, "pool", json_integer(p->n));
    rvl_json_set(
        *out, "definition",
        json_string("map@k[clean]: average precision over min(relevant, k), mean over the queries with a relevant "
                    "image; images of the query's patient are left out; any: a finding in common, exact: the "
                    "same findings; ties count against; 95 % intervals by bootstrap over patients"));
    rvl_json_set(*out, "any", any);
    rvl_json_set(*out, "exact", exact);
    return RVL_OK;
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
        st = add_map(part[RVL_GALLERY_DUPLICATES], &all, p->patient, p->n_patients, n_draws, seed, err);
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
    rvl_status st = one_direction(&image_to_text, p, true, n_draws, seed, err);

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
