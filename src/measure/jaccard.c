/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/jaccard.c
 * Jaccard indices of the nearest images.
 */
#include "measure/jaccard.h"
#include "base/alloc.h"
#include "measure/similarity.h"
#include <math.h>

typedef struct {
    const rvl_labelled_images *p;
    rvl_jaccard                kind;
    double                    *at, *any_order;
    const int64_t             *k;
    int                        n_k;
    int64_t                    most;    /* the largest cut, at most n */
    uint64_t                  *set;     /* (n, n_words): findings as bits */
    int64_t                    n_words; /* at least 1 */
} jaccard_context;

static int count_bits(uint64_t x)
{
    return __builtin_popcountll(x);
}

static void gather_bits(jaccard_context *c)
{
    const int k = c->p->k;

    for (int64_t i = 0; i < c->p->n; i++)
        for (int j = 0; j < k; j++)
            if (c->p->present[i * k + j])
                c->set[i * c->n_words + j / 64] |= (uint64_t)1 << (j % 64);
}

static bool is_empty(const jaccard_context *c, int64_t i)
{
    uint64_t any = 0;

    for (int64_t w = 0; w < c->n_words; w++)
        any |= c->set[i * c->n_words + w];
    return any == 0;
}

/* Of sets that are not both empty. */
static double jaccard(const jaccard_context *c, int64_t i, int64_t j)
{
    const uint64_t *a = c->set + i * c->n_words;
    const uint64_t *b = c->set + j * c->n_words;
    int             both = 0;
    int             either = 0;

    for (int64_t w = 0; w < c->n_words; w++) {
        both += count_bits(a[w] & b[w]);
        either += count_bits(a[w] | b[w]);
    }
    return (double)both / (double)either;
}

/* `scratch`: best (most), barred (n). */
static void measure_query(void *self, int64_t i, const double *similarity, void *scratch)
{
    const jaccard_context     *c = self;
    const rvl_labelled_images *p = c->p;
    int64_t                   *best = scratch;
    bool                      *barred = (bool *)(best + c->most);
    double                     sum = 0;
    int64_t                    n_others = 0;

    for (int64_t j = 0; j < p->n; j++) {
        barred[j] = is_empty(c, j) || (c->kind == RVL_JACCARD_CLEAN && p->patient[j] == p->patient[i]);
        if (barred[j] || j == i)
            continue;
        sum += jaccard(c, i, j);
        n_others++;
    }
    const bool       asks = c->kind == RVL_JACCARD_CT_CLIP || !is_empty(c, i);
    const rvl_places places = {similarity, barred, NULL, p->n};
    const int64_t    n_best = asks ? rvl_top_places(best, &places, c->most) : 0;
    c->any_order[i] = asks && n_others ? sum / (double)n_others : NAN;
    sum = 0;
    for (int64_t place = 0, q = 0; q < c->n_k; q++) { /* cuts rise */
        for (; place < n_best && place < c->k[q]; place++)
            sum += jaccard(c, i, best[place]);
        c->at[q * p->n + i] = place ? sum / (double)place : NAN;
    }
}

rvl_status rvl_jaccard_at(double *at, double *any_order, const rvl_labelled_images *p, rvl_jaccard kind,
                          const int64_t *k, int n_k, rvl_error *err)
{
    const bool           cosine = kind == RVL_JACCARD_CT_CLIP || p->cosine;
    const rvl_similarity s = {p->image, p->image, p->n, p->n, p->e, cosine};
    jaccard_context      c = {p, kind, at, any_order, k, n_k, 0, NULL, p->k / 64 + 1};

    for (int q = 0; q < n_k; q++)
        if (q > 0 && k[q] < k[q - 1])
            return rvl_fail(err, RVL_ERR_USAGE, "cuts of the Jaccard index do not rise");
    c.most = n_k && k[n_k - 1] < p->n ? k[n_k - 1] : p->n;
    c.set = rvl_alloc_array((size_t)(p->n * c.n_words) + 1, sizeof *c.set);
    if (!c.set)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for findings");
    gather_bits(&c);
    rvl_status st =
        rvl_similarity_each(&s, measure_query, &c, (size_t)c.most * sizeof(int64_t) + (size_t)p->n * sizeof(bool), err);
    rvl_free(c.set);
    return st;
}

void rvl_jaccard_printed(double *printed, const double *mean_at, int n_k)
{
    double sum = 0;

    for (int q = 0; q < n_k; q++) {
        sum += mean_at[q];
        printed[q] = sum / (q + 1);
    }
}
