/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/retrieval.c
 * Ranks, recall, chance.
 */
#include "measure/retrieval.h"
#include "base/alloc.h"
#include "measure/similarity.h"
#include <math.h>

typedef struct {
    int64_t *const      *rank;
    const rvl_retrieval *r;
} rank_context;

static int64_t diagonal_rank(const double *sim, int64_t n, int64_t i, bool ties_against)
{
    const double own = sim[i];
    int64_t      rank = 1;

    for (int64_t j = 0; j < i; j++)
        rank += sim[j] >= own;
    for (int64_t j = i + 1; j < n; j++)
        rank += ties_against ? sim[j] >= own : sim[j] > own;
    return rank;
}

static int64_t unique_rank(const double *best, const rvl_retrieval *r, int64_t i)
{
    const double own = best[r->group[i]];
    int64_t      rank = 1;

    for (int64_t g = 0; g < r->n_groups; g++)
        rank += g != r->group[i] && best[g] >= own;
    return rank;
}

static int64_t duplicates_rank(const double *sim, double own, const rvl_retrieval *r, int64_t i)
{
    int64_t rank = 1;

    for (int64_t j = 0; j < r->n; j++)
        rank += r->group[j] != r->group[i] && sim[j] >= own;
    return rank;
}

/* Ranks of query i; `scratch` holds the best similarity of each group. */
static void rank_query(void *self, int64_t i, const double *sim, void *scratch)
{
    const rank_context  *c = self;
    const rvl_retrieval *r = c->r;
    double              *best = scratch;
    int64_t *const      *rank = c->rank;
    const int64_t        own_rank = diagonal_rank(sim, r->n, i, true);

    if (rank[RVL_GALLERY_DIAGONAL])
        rank[RVL_GALLERY_DIAGONAL][i] = own_rank;
    if (rank[RVL_GALLERY_CT_CLIP])
        rank[RVL_GALLERY_CT_CLIP][i] = diagonal_rank(sim, r->n, i, false);
    for (int64_t g = 0; r->group && g < r->n_groups; g++)
        best[g] = -INFINITY;
    for (int64_t j = 0; r->group && j < r->n; j++)
        if (sim[j] > best[r->group[j]])
            best[r->group[j]] = sim[j];
    if (rank[RVL_GALLERY_UNIQUE])
        rank[RVL_GALLERY_UNIQUE][i] = r->group ? unique_rank(best, r, i) : own_rank;
    if (rank[RVL_GALLERY_DUPLICATES])
        rank[RVL_GALLERY_DUPLICATES][i] = r->group ? duplicates_rank(sim, best[r->group[i]], r, i) : own_rank;
}

rvl_status rvl_retrieval_ranks(int64_t *const rank[RVL_GALLERY_COUNT], const rvl_retrieval *r, rvl_error *err)
{
    const rvl_similarity s = {r->query, r->gallery, r->n, r->n, r->e, r->cosine};
    rank_context         c = {rank, r};

    return rvl_similarity_each(&s, rank_query, &c, (size_t)r->n_groups * sizeof(double), err);
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
    if (kind == RVL_GALLERY_DIAGONAL || kind == RVL_GALLERY_CT_CLIP || !r->group)
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

rvl_status rvl_median_rank(double *out, const int64_t *rank, const double *weight, int64_t n, rvl_error *err)
{
    int64_t most = 0;
    double  all = 0;
    double  seen = 0;

    *out = NAN;
    for (int64_t i = 0; i < n; i++)
        if (rank[i] > most)
            most = rank[i];
    double *at_rank = rvl_alloc_array((size_t)most + 1, sizeof *at_rank);
    if (!at_rank)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the median rank");
    for (int64_t i = 0; i < n; i++) {
        at_rank[rank[i]] += weight ? weight[i] : 1;
        all += weight ? weight[i] : 1;
    }
    for (int64_t k = 1; all > 0 && k <= most; k++) {
        seen += at_rank[k];
        if (2 * seen >= all) {
            *out = (double)k;
            break;
        }
    }
    rvl_free(at_rank);
    return RVL_OK;
}
