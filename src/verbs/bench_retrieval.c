/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_retrieval.c
 * Retrieval both ways, for three definitions of what is right, with intervals over patients.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "measure/bootstrap.h"
#include "measure/retrieval.h"
#include "verbs/bench_parts.h"
#include <stdio.h>

static const int64_t ks[] = {1, 5, 10};
enum { N_K = 3, N_METRICS = N_K + 2 };

typedef struct {
    const int64_t *rank;
    int64_t        n;
} context;

static rvl_status rank_metrics(double *out, const double *weight, void *self, rvl_error *err)
{
    context *c = self;
    for (int i = 0; i < N_K; i++)
        out[i] = rvl_recall_at(c->rank, weight, c->n, ks[i]);
    out[N_K] = rvl_mean_reciprocal_rank(c->rank, weight, c->n);
    return rvl_median_rank(&out[N_K + 1], c->rank, weight, c->n, err);
}

static rvl_status one_gallery(json_t **out, const rvl_retrieval *r, rvl_gallery kind, const rvl_bench_pairs *p,
                              int64_t n_draws, uint64_t seed, rvl_error *err)
{
    int64_t     *rank = rvl_alloc_array((size_t)r->n + 1, sizeof *rank);
    rvl_interval v[N_METRICS];
    rvl_status   st =
        rank ? rvl_retrieval_ranks(rank, r, kind, err) : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for ranks");

    *out = NULL;
    if (!st) {
        context c = {rank, r->n};
        st = rvl_bootstrap(v, N_METRICS, rank_metrics, &c, r->n, p->patient, p->n_patients, n_draws, seed, err);
    }
    if (!st) {
        json_t *j = json_object();
        for (int i = 0; i < N_K; i++) {
            char key[32];
            snprintf(key, sizeof key, "recall_at_%d", (int)ks[i]);
            rvl_json_set(j, key, rvl__interval_json(&v[i]));
            snprintf(key, sizeof key, "chance_at_%d", (int)ks[i]);
            rvl_json_set(j, key, rvl_json_real(rvl_retrieval_chance(r, kind, ks[i])));
        }
        rvl_json_set(j, "mrr", rvl__interval_json(&v[N_K]));
        rvl_json_set(j, "median_rank", rvl__interval_json(&v[N_K + 1]));
        *out = j;
    }
    rvl_free(rank);
    return st;
}

static rvl_status one_direction(json_t **out, const rvl_bench_pairs *p, bool image_to_text, int64_t n_draws,
                                uint64_t seed, rvl_error *err)
{
    rvl_retrieval r = {.query = image_to_text ? p->image : p->text,
                       .gallery = image_to_text ? p->text : p->image,
                       .n = p->n,
                       .e = p->e,
                       .group = p->group,
                       .n_groups = p->n_groups,
                       .cosine = p->cosine};
    json_t       *unique = NULL;
    json_t       *duplicates = NULL;
    rvl_status    st = one_gallery(out, &r, RVL_GALLERY_DIAGONAL, p, n_draws, seed, err);

    if (!st)
        st = one_gallery(&unique, &r, RVL_GALLERY_UNIQUE, p, n_draws, seed, err);
    if (!st)
        st = one_gallery(&duplicates, &r, RVL_GALLERY_DUPLICATES, p, n_draws, seed, err);
    if (!st) {
        rvl_json_set(*out, "unique", unique);
        rvl_json_set(*out, "duplicates", duplicates);
    } else {
        json_decref(*out);
        json_decref(unique);
        *out = NULL;
    }
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
        json_string("diagonal: only the own item is right; unique: equal texts are one item; duplicates: any item "
                    "with an equal text is right; ties count against; 95 % intervals by bootstrap over patients"));
    rvl_json_set(*out, "image_to_text", image_to_text);
    rvl_json_set(*out, "text_to_image", text_to_image);
    return RVL_OK;
}
