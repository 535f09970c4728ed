/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file search/topk.c
 * Exact nearest vectors: a tile of queries walks the gallery once, each query with a heap of its k best.
 *
 * Memory is k hits a query and one tile of f64 queries a thread, whatever the size of the gallery.
 */
#include "search/index.h"
#include "base/alloc.h"
#include <math.h>
#include <stdlib.h>

#define TILE 16

typedef struct {
    const rvl_index_data  *data;
    const rvl_index_query *query;
    const float           *gallery;
    const double          *norms; /* of the gallery, under cosine; else NULL */
    rvl_hit               *hits;
    int                   *n_hits;
} job;

/* Eight partial sums in a fixed order: the same bits on every run. */
static double dot(const double *a, const float *b, int64_t n)
{
    double  s[8] = {0};
    int64_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            s[j] += a[i + j] * (double)b[i + j];
    for (; i < n; i++)
        s[0] += a[i] * (double)b[i];
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

static double norm(const float *v, int64_t n)
{
    double s = 0.0;

    for (int64_t i = 0; i < n; i++)
        s += (double)v[i] * (double)v[i];
    return sqrt(s);
}

static bool hit_is_better(const rvl_hit *a, const rvl_hit *b)
{
    return a->score > b->score || (!(a->score < b->score) && a->i_case < b->i_case);
}

static int hit_compare(const void *a, const void *b)
{
    return hit_is_better(a, b) ? -1 : hit_is_better(b, a) ? 1 : 0;
}

static void swap(rvl_hit *a, rvl_hit *b)
{
    rvl_hit t = *a;
    *a = *b;
    *b = t;
}

/* The heap's root is the worst of the hits kept. */
static void heap_add(rvl_hit *heap, int *n, int k, rvl_hit hit)
{
    int i = 0;

    if (*n < k) {
        i = (*n)++;
        heap[i] = hit;
        for (; i > 0 && hit_is_better(&heap[(i - 1) / 2], &heap[i]); i = (i - 1) / 2)
            swap(&heap[(i - 1) / 2], &heap[i]);
        return;
    }
    if (!hit_is_better(&hit, &heap[0]))
        return;
    heap[0] = hit;
    for (;;) {
        int worst = i;
        for (int child = 2 * i + 1; child <= 2 * i + 2 && child < k; child++)
            if (hit_is_better(&heap[worst], &heap[child]))
                worst = child;
        if (worst == i)
            return;
        swap(&heap[worst], &heap[i]);
        i = worst;
    }
}

static bool case_is_open(const job *j, int64_t i)
{
    const rvl_index_case *c = &j->data->cases[i];
    bool                  has = j->query->modality == RVL_INDEX_IMAGE ? c->has_image : c->has_text;

    return has && (!j->query->allowed || j->query->allowed[i]);
}

static double score_of(const job *j, const double *query, int64_t i)
{
    double s = dot(query, j->gallery + i * j->data->n_embed, j->data->n_embed);

    if (j->norms)
        return j->norms[i] > 0.0 ? s / j->norms[i] : 0.0;
    return j->data->similarity == RVL_SIMILARITY_SCALED ? s * j->data->scale : s;
}

/* Queries [first, first + n): `wide` holds them as f64, normalised under cosine. */
static void tile_search(const job *j, int64_t first, int n, double *wide)
{
    int64_t n_embed = j->data->n_embed;
    int     k = j->query->k;

    for (int q = 0; q < n; q++) {
        const float *v = j->query->vectors + (first + q) * n_embed;
        double       by = j->norms ? norm(v, n_embed) : 1.0;
        for (int64_t e = 0; e < n_embed; e++)
            wide[q * n_embed + e] = (double)v[e] / by;
        j->n_hits[first + q] = 0;
    }
    for (int64_t i = 0; i < j->data->n_cases; i++) {
        if (!case_is_open(j, i))
            continue;
        for (int q = 0; q < n; q++) {
            if (j->query->exclude && j->query->exclude[first + q] == i)
                continue;
            rvl_hit hit = {.i_case = i, .score = score_of(j, wide + q * n_embed, i)};
            heap_add(j->hits + (first + q) * k, &j->n_hits[first + q], k, hit);
        }
    }
    for (int q = 0; q < n; q++)
        qsort(j->hits + (first + q) * k, (size_t)j->n_hits[first + q], sizeof *j->hits, hit_compare);
}

static rvl_status query_check(const rvl_index_data *d, const rvl_index_query *q, rvl_error *err)
{
    if (q->k < 1 || q->n_queries < 0)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot search index: k is %d, it must be at least 1", q->k);
    if (q->n_embed != d->n_embed)
        return rvl_fail(err, RVL_ERR_SHAPE, "cannot search index: the query is %lld wide, the index %lld",
                        (long long)q->n_embed, (long long)d->n_embed);
    for (int64_t i = 0; i < q->n_queries; i++) {
        const float *v = q->vectors + i * q->n_embed;
        for (int64_t e = 0; e < q->n_embed; e++)
            if (!isfinite(v[e]))
                return rvl_fail(err, RVL_ERR_NUMERIC, "cannot search index: query %lld is not finite at %lld",
                                (long long)i, (long long)e);
        if (d->similarity == RVL_SIMILARITY_COSINE && !(norm(v, q->n_embed) > 0.0))
            return rvl_fail(err, RVL_ERR_NUMERIC, "cannot search index: query %lld is zero and has no direction",
                            (long long)i);
    }
    return RVL_OK;
}

rvl_status rvl_index_search(rvl_hit *hits, int *n_hits, const rvl_index *x, const rvl_index_query *q, rvl_error *err)
{
    const rvl_index_data *d = rvl_index_get(x);
    job                   j = {.data = d, .query = q, .hits = hits, .n_hits = n_hits};
    double               *norms = NULL;
    bool                  ok = true;
    rvl_status            st = query_check(d, q, err);

    if (st)
        return st;
    j.gallery = q->modality == RVL_INDEX_IMAGE ? d->image : d->text;
    if (!j.gallery)
        return rvl_fail(err, RVL_ERR_NOT_FOUND, "cannot search index: it holds no %s vectors",
                        q->modality == RVL_INDEX_IMAGE ? "image" : "text");
    if (d->similarity == RVL_SIMILARITY_COSINE) {
        norms = rvl_alloc_array((size_t)d->n_cases, sizeof *norms);
        if (!norms)
            return rvl_fail(err, RVL_ERR_NOMEM, "cannot search index: out of memory");
        for (int64_t i = 0; i < d->n_cases; i++)
            norms[i] = norm(j.gallery + i * d->n_embed, d->n_embed);
        j.norms = norms;
    }
#pragma omp parallel for schedule(static) reduction(&& : ok)
    for (int64_t first = 0; first < q->n_queries; first += TILE) {
        int     n = q->n_queries - first < TILE ? (int)(q->n_queries - first) : TILE;
        double *wide = rvl_alloc_array((size_t)(n * d->n_embed), sizeof *wide);
        ok = ok && wide;
        if (wide)
            tile_search(&j, first, n, wide);
        rvl_free(wide);
    }
    rvl_free(norms);
    return ok ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot search index: out of memory");
}
