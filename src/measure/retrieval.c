/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/retrieval.c
 * Ranks, recall, chance.
 */
#include "measure/retrieval.h"
#include "base/alloc.h"
#include "measure/rows.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void similarities(double *out, const rvl_retrieval *r, const double *gallery_scale, int64_t i,
                         double query_scale)
{
    for (int64_t j = 0; j < r->n; j++)
        out[j] = rvl__row_dot(r->query + i * r->e, r->gallery + j * r->e, r->e) * query_scale * gallery_scale[j];
}

/* Rank of query i from its similarities; `best` (n_groups) is scratch. */
static int64_t rank_of(const rvl_retrieval *r, rvl_gallery kind, const double *sim, int64_t i, double *best)
{
    const int64_t *group = r->group;
    int64_t        rank = 1;

    if (kind == RVL_GALLERY_DIAGONAL || !group) {
        for (int64_t j = 0; j < r->n; j++)
            rank += j != i && sim[j] >= sim[i];
        return rank;
    }
    for (int64_t g = 0; g < r->n_groups; g++)
        best[g] = -INFINITY;
    for (int64_t j = 0; j < r->n; j++)
        if (sim[j] > best[group[j]])
            best[group[j]] = sim[j];
    const double own = best[group[i]];
    if (kind == RVL_GALLERY_UNIQUE) {
        for (int64_t g = 0; g < r->n_groups; g++)
            rank += g != group[i] && best[g] >= own;
    } else {
        for (int64_t j = 0; j < r->n; j++)
            rank += group[j] != group[i] && sim[j] >= own;
    }
    return rank;
}

rvl_status rvl_retrieval_ranks(int64_t *rank, const rvl_retrieval *r, rvl_gallery kind, rvl_error *err)
{
    double    *query_scale = rvl_alloc_array((size_t)r->n + 1, 2 * sizeof(double));
    double    *sim = rvl_alloc_array((size_t)(r->n + r->n_groups) + 1, sizeof *sim);
    rvl_status st = query_scale && sim ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for ranks");

    if (!st)
        st = rvl__row_scales(query_scale, r->query, r->n, r->e, r->cosine, "query", err);
    if (!st)
        st = rvl__row_scales(query_scale + r->n, r->gallery, r->n, r->e, r->cosine, "gallery", err);
    for (int64_t i = 0; !st && i < r->n; i++) {
        similarities(sim, r, query_scale + r->n, i, query_scale[i]);
        rank[i] = rank_of(r, kind, sim, i, sim + r->n);
    }
    rvl_free(query_scale);
    rvl_free(sim);
    return st;
}

/* Probability that at least one of `right` items is among the first k of m in random order. */
static double chance_of(int64_t m, int64_t right, int64_t k)
{
    double miss = 1;
    if (k >= m)
        return 1;
    for (int64_t j = 0; j < k; j++)
        miss *= (double)(m - right - j) > 0 ? (double)(m - right - j) / (double)(m - j) : 0;
    return 1 - miss;
}

double rvl_retrieval_chance(const rvl_retrieval *r, rvl_gallery kind, int64_t k)
{
    double sum = 0;
    if (r->n == 0)
        return NAN;
    if (kind == RVL_GALLERY_DIAGONAL || !r->group)
        return chance_of(r->n, 1, k);
    if (kind == RVL_GALLERY_UNIQUE)
        return chance_of(r->n_groups, 1, k);
    for (int64_t i = 0; i < r->n; i++) {
        int64_t right = 0;
        for (int64_t j = 0; j < r->n; j++)
            right += r->group[j] == r->group[i];
        sum += chance_of(r->n, right, k);
    }
    return sum / (double)r->n;
}

double rvl_recall_at(const int64_t *rank, const double *weight, int64_t n, int64_t k)
{
    double hit = 0;
    double all = 0;
    for (int64_t i = 0; i < n; i++) {
        double w = weight ? weight[i] : 1;
        all += w;
        hit += rank[i] <= k ? w : 0;
    }
    return all > 0 ? hit / all : NAN;
}

double rvl_mean_reciprocal_rank(const int64_t *rank, const double *weight, int64_t n)
{
    double sum = 0;
    double all = 0;
    for (int64_t i = 0; i < n; i++) {
        double w = weight ? weight[i] : 1;
        all += w;
        sum += w / (double)rank[i];
    }
    return all > 0 ? sum / all : NAN;
}

typedef struct {
    int64_t rank;
    double  weight;
} ranked;

static int by_rank(const void *a, const void *b)
{
    int64_t x = ((const ranked *)a)->rank;
    int64_t y = ((const ranked *)b)->rank;
    return x < y ? -1 : x > y ? 1 : 0;
}

rvl_status rvl_median_rank(double *out, const int64_t *rank, const double *weight, int64_t n, rvl_error *err)
{
    ranked *r = rvl_alloc_array((size_t)n + 1, sizeof *r);
    double  all = 0;
    double  seen = 0;

    *out = NAN;
    if (!r)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the median rank");
    for (int64_t i = 0; i < n; i++) {
        r[i] = (ranked){rank[i], weight ? weight[i] : 1};
        all += r[i].weight;
    }
    qsort(r, (size_t)n, sizeof *r, by_rank);
    for (int64_t i = 0; all > 0 && i < n; i++) {
        seen += r[i].weight;
        if (2 * seen >= all) {
            *out = (double)r[i].rank;
            break;
        }
    }
    rvl_free(r);
    return RVL_OK;
}
