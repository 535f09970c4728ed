/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/average_precision.c
 * Average precision of ranked lists.
 */
#include "measure/average_precision.h"
#include "measure/similarity.h"
#include <math.h>

static double precision_sum(const int64_t *places, int64_t n_places, const bool *is_relevant, int64_t k)
{
    int64_t n_right = 0;
    double  sum = 0;
    for (int64_t i = 0; i < n_places && i < k; i++) {
        if (!is_relevant[places[i]])
            continue;
        n_right++;
        sum += (double)n_right / (double)(i + 1);
    }
    return sum;
}

/* The i-th of m in random order is relevant with R / m, and then each of the i - 1 before it with (R - 1) / (m - 1). */
static double expected_sum(int64_t n_items, int64_t n_relevant, int64_t k)
{
    const double m = (double)n_items;
    const double right = (double)n_relevant;
    double       sum = 0;
    for (int64_t i = 1; i <= n_items && i <= k; i++) {
        const double others = n_items > 1 ? (double)(i - 1) * (right - 1) / (m - 1) : 0;
        sum += right / m * (1 + others) / (double)i;
    }
    return sum;
}

typedef struct {
    const rvl_ranking *r;
    double            *ap, *chance; /* (n_k, n) */
    const int64_t     *k;
    int                n_k;
    int64_t            most; /* the largest cut, at most m */
} ap_context;

/* `scratch`: best (most), barred (m), relevant (m). */
static void measure_query(void *self, int64_t i, const double *similarity, void *scratch)
{
    const ap_context  *c = self;
    const rvl_ranking *r = c->r;
    int64_t           *best = scratch;
    bool              *barred = (bool *)(best + c->most);
    bool              *relevant = barred + r->m;
    int64_t            n_items = 0;
    int64_t            n_relevant = 0;

    for (int64_t j = 0; j < r->m; j++) {
        const rvl_relevance kind = r->relevance(r->context, i, j);
        barred[j] = kind == RVL_RELEVANCE_BARRED;
        relevant[j] = kind == RVL_RELEVANCE_YES;
        n_items += !barred[j];
        n_relevant += relevant[j];
    }
    const rvl_places places = {similarity, barred, relevant, r->m};
    const int64_t    n_best = n_relevant ? rvl_top_places(best, &places, c->most) : 0;
    for (int q = 0; q < c->n_k; q++) {
        const double most = (double)(n_relevant < c->k[q] ? n_relevant : c->k[q]);
        c->ap[q * r->n + i] = n_relevant ? precision_sum(best, n_best, relevant, c->k[q]) / most : NAN;
        c->chance[q * r->n + i] = n_relevant ? expected_sum(n_items, n_relevant, c->k[q]) / most : NAN;
    }
}

rvl_status rvl_average_precision_at(double *ap, double *chance, const rvl_ranking *r, const int64_t *k, int n_k,
                                    rvl_error *err)
{
    const rvl_similarity s = {r->query, r->gallery, r->n, r->m, r->e, r->cosine};
    ap_context           c = {r, ap, chance, k, n_k, 0};

    for (int q = 0; q < n_k; q++)
        if (k[q] > c.most)
            c.most = k[q];
    if (c.most > r->m)
        c.most = r->m;
    return rvl_similarity_each(&s, measure_query, &c,
                               (size_t)c.most * sizeof(int64_t) + 2 * (size_t)r->m * sizeof(bool), err);
}

double rvl_mean_defined(const double *value, const double *weight, int64_t n)
{
    double sum = 0;
    double all = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(value[i]))
            continue;
        const double w = weight ? weight[i] : 1;
        sum += w * value[i];
        all += w;
    }
    return all > 0 ? sum / all : NAN;
}
