/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_images.c
 * Images by images, by the findings in them: average precision and Jaccard means, clean and as published.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "measure/average_precision.h"
#include "measure/bootstrap.h"
#include "measure/jaccard.h"
#include "verbs/bench_parts.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const int64_t map_ks[] = {1, 5, 10, 50};
enum { N_MAP = 4 };

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

rvl_status rvl__bench_map(json_t *out, const rvl_ranking *r, const int64_t *patient, int64_t n_patients,
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

static bool same_findings(const rvl_bench_images *p, int64_t i, int64_t j)
{
    return memcmp(p->present + i * p->k, p->present + j * p->k, (size_t)p->k) == 0;
}

static rvl_relevance has_same_findings(const void *context, int64_t i, int64_t j)
{
    const rvl_bench_images *p = context;
    if (p->patient[i] == p->patient[j])
        return RVL_RELEVANCE_BARRED;
    return same_findings(p, i, j) ? RVL_RELEVANCE_YES : RVL_RELEVANCE_NO;
}

/* [spectre]: only the query itself is barred. */
static rvl_relevance is_match_of_spectre(const void *context, int64_t i, int64_t j)
{
    if (i == j)
        return RVL_RELEVANCE_BARRED;
    return same_findings(context, i, j) ? RVL_RELEVANCE_YES : RVL_RELEVANCE_NO;
}

/* Images with a finding, as a share, and what [ct-clip] prints if each finds itself first and then in random order. */
static void add_printed(json_t *out, const double *mean_at, const double *any_order, const rvl_bench_images *p)
{
    double       printed[N_MAP];
    double       floor_at[N_MAP];
    double       floor_printed[N_MAP];
    int64_t      n_labelled = 0;
    const double random = rvl_mean_defined(any_order, NULL, p->n);

    for (int64_t i = 0; i < p->n; i++)
        n_labelled += p->k > 0 && memchr(p->present + i * p->k, 1, (size_t)p->k) != NULL;
    for (int q = 0; q < N_MAP; q++) {
        const double k = (double)(map_ks[q] < n_labelled ? map_ks[q] : n_labelled);
        floor_at[q] = ((double)n_labelled / (double)p->n + (k - 1) * random) / k;
    }
    rvl_jaccard_printed(printed, mean_at, N_MAP);
    rvl_jaccard_printed(floor_printed, floor_at, N_MAP);
    for (int q = 0; q < N_MAP; q++) {
        char key[40];
        snprintf(key, sizeof key, "map_at_%d", (int)map_ks[q]);
        rvl_json_set(out, key, rvl_json_real(printed[q]));
        snprintf(key, sizeof key, "map_floor_at_%d", (int)map_ks[q]);
        rvl_json_set(out, key, rvl_json_real(floor_printed[q]));
        snprintf(key, sizeof key, "jaccard_at_%d", (int)map_ks[q]);
        rvl_json_set(out, key, rvl_json_real(mean_at[q]));
    }
}

static void add_clean(json_t *out, const rvl_interval *v, const double *at, const double *any_order, int64_t n)
{
    int64_t n_queries = 0;

    for (int64_t i = 0; i < n; i++)
        n_queries += !isnan(at[i]);
    rvl_json_set(out, "n_queries", json_integer(n_queries));
    for (int q = 0; q < N_MAP; q++) {
        char key[40];
        snprintf(key, sizeof key, "jaccard_at_%d", (int)map_ks[q]);
        rvl_json_set(out, key, rvl__interval_json(&v[q]));
    }
    rvl_json_set(out, "jaccard_chance", rvl_json_real(rvl_mean_defined(any_order, NULL, n)));
}

/* `jaccard` [clean] and `ct_clip`. */
static rvl_status add_jaccard(json_t *clean, json_t *ct_clip, const rvl_bench_images *p, int64_t n_draws, uint64_t seed,
                              rvl_error *err)
{
    const rvl_labelled_images images = {p->n, p->e, p->image, p->k, p->present, p->patient, p->cosine};
    double                   *at = rvl_alloc_array((size_t)(N_MAP + 1) * (size_t)p->n + 1, sizeof *at);
    double                   *any_order = at ? at + N_MAP * p->n : NULL;
    map_context               c = {at, p->n};
    double                    mean[N_MAP];
    rvl_interval              v[N_MAP];
    rvl_status                st = at ? rvl_jaccard_at(at, any_order, &images, RVL_JACCARD_CT_CLIP, map_ks, N_MAP, err)
                                      : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for Jaccard means");

    if (!st)
        st = map_metrics(mean, NULL, &c, err);
    if (!st) {
        add_printed(ct_clip, mean, any_order, p);
        st = rvl_jaccard_at(at, any_order, &images, RVL_JACCARD_CLEAN, map_ks, N_MAP, err);
    }
    if (!st)
        st = rvl_bootstrap(v, N_MAP, map_metrics, &c, p->n, p->patient, p->n_patients, n_draws, seed, err);
    if (!st)
        add_clean(clean, v, at, any_order, p->n);
    rvl_free(at);
    return st;
}

static const char *const definition =
    "map@k[clean]: average precision over min(relevant, k), mean over the queries with a relevant image; images of the "
    "query's patient are left out; any: a finding in common, exact: the same findings; ties count against; jaccard@k: "
    "mean Jaccard index of the first k, of images with findings, the query's patient left out; ct_clip: "
    "map@k[ct-clip], "
    "the query is in its gallery and values accumulate over k: no average precision, map_floor is what finding only "
    "itself prints; spectre: map@k[spectre], same findings, only the query itself left out; 95 % intervals by "
    "bootstrap "
    "over patients";

rvl_status rvl__bench_images(json_t **out, const rvl_bench_images *p, int64_t n_draws, uint64_t seed, rvl_error *err)
{
    static const struct {
        const char      *name;
        rvl_relevance_fn relevance;
        bool             is_cosine; /* whatever the model's similarity */
    } maps[] = {
        {"any", shares_finding, false}, {"exact", has_same_findings, false}, {"spectre", is_match_of_spectre, true}};
    json_t    *clean = json_object();
    json_t    *ct_clip = json_object();
    rvl_status st = RVL_OK;

    *out = json_object();
    rvl_json_set(*out, "pool", json_integer(p->n));
    rvl_json_set(*out, "definition", json_string(definition));
    for (size_t i = 0; !st && i < RVL_ARRAY_LEN(maps); i++) {
        const rvl_ranking r = {p->image,          p->image, p->n, p->n, p->e, p->cosine || maps[i].is_cosine,
                               maps[i].relevance, p};
        json_t           *part = json_object();
        rvl_json_set(*out, maps[i].name, part);
        st = rvl__bench_map(part, &r, p->patient, p->n_patients, n_draws, seed, err);
    }
    if (!st)
        st = add_jaccard(clean, ct_clip, p, n_draws, seed, err);
    rvl_json_set(*out, "jaccard", clean);
    rvl_json_set(*out, "ct_clip", ct_clip);
    if (st) {
        json_decref(*out);
        *out = NULL;
    }
    return st;
}
