/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/average_precision.c
 * Average precision of ranked lists.
 */
#include "measure/average_precision.h"
#include "base/alloc.h"
#include "measure/rows.h"
#include <math.h>
#include <stdlib.h>

typedef struct {
    double similarity;
    bool   is_relevant;
} item;

/* Best first; of equal ones the relevant last. */
static int by_similarity(const void *a, const void *b)
{
    const item *x = a;
    const item *y = b;
    if (x->similarity > y->similarity)
        return -1;
    if (x->similarity < y->similarity)
        return 1;
    return (int)x->is_relevant - (int)y->is_relevant;
}

static double precision_sum(const item *items, int64_t n_items, int64_t k)
{
    int64_t n_right = 0;
    double  sum = 0;
    for (int64_t i = 0; i < n_items && i < k; i++) {
        if (!items[i].is_relevant)
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

/* Query i: its gallery with similarities, sorted. Returns how many are relevant. */
static int64_t rank_items(item *items, int64_t *n_items, const rvl_ranking *r, int64_t i, const double *gallery_scale)
{
    int64_t n_relevant = 0;

    *n_items = 0;
    for (int64_t j = 0; j < r->m; j++) {
        const rvl_relevance relevance = r->relevance(r->context, i, j);
        if (relevance == RVL_RELEVANCE_BARRED)
            continue;
        const double similarity = rvl__row_dot(r->query + i * r->e, r->gallery + j * r->e, r->e) * gallery_scale[j];
        items[(*n_items)++] = (item){similarity, relevance == RVL_RELEVANCE_YES};
        n_relevant += relevance == RVL_RELEVANCE_YES;
    }
    qsort(items, (size_t)*n_items, sizeof *items, by_similarity);
    return n_relevant;
}

rvl_status rvl_average_precision_at(double *ap, double *chance, const rvl_ranking *r, const int64_t *k, int n_k,
                                    rvl_error *err)
{
    item      *items = rvl_alloc_array((size_t)r->m + 1, sizeof *items);
    double    *scale = rvl_alloc_array((size_t)(r->n + r->m) + 1, sizeof *scale);
    rvl_status st = items && scale ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for average precision");

    if (!st) /* a query's own scale does not change its order, but a bad query must be told */
        st = rvl__row_scales(scale + r->m, r->query, r->n, r->e, r->cosine, "query", err);
    if (!st)
        st = rvl__row_scales(scale, r->gallery, r->m, r->e, r->cosine, "gallery", err);
    for (int64_t i = 0; !st && i < r->n; i++) {
        int64_t       n_items;
        const int64_t n_relevant = rank_items(items, &n_items, r, i, scale);
        for (int c = 0; c < n_k; c++) {
            const double most = (double)(n_relevant < k[c] ? n_relevant : k[c]);
            ap[c * r->n + i] = n_relevant ? precision_sum(items, n_items, k[c]) / most : NAN;
            chance[c * r->n + i] = n_relevant ? expected_sum(n_items, n_relevant, k[c]) / most : NAN;
        }
    }
    rvl_free(items);
    rvl_free(scale);
    return st;
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
