/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/bootstrap.c
 * The bootstrap over patients.
 */
#include "measure/bootstrap.h"
#include "base/alloc.h"
#include "base/rng.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

/* Linear interpolation between order statistics (NumPy's default, Hyndman and Fan type 7). */
static double quantile(const double *sorted, int64_t n, double q)
{
    double  at = q * (double)(n - 1);
    int64_t i = (int64_t)floor(at);
    if (i + 1 >= n)
        return sorted[n - 1];
    return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

static void fill_bounds(rvl_interval *out, double *draws, int64_t n_draws)
{
    int64_t n = 0;
    for (int64_t i = 0; i < n_draws; i++)
        if (isfinite(draws[i]))
            draws[n++] = draws[i];
    out->n_valid = n;
    out->low = out->high = NAN;
    if (n < 2)
        return;
    qsort(draws, (size_t)n, sizeof *draws, by_value);
    out->low = quantile(draws, n, 0.025);
    out->high = quantile(draws, n, 0.975);
}

static void draw_weights(double *weight, double *count, int64_t n, const int64_t *patient, int64_t n_patients,
                         uint64_t seed, int64_t draw)
{
    rvl_rng r = rvl_rng_make(seed, rvl_rng_mix(rvl_rng_name("bootstrap"), (uint64_t)draw));
    memset(count, 0, (size_t)n_patients * sizeof *count);
    for (int64_t i = 0; i < n_patients; i++)
        count[rvl_rng_below(&r, n_patients)] += 1;
    for (int64_t i = 0; i < n; i++)
        weight[i] = count[patient[i]];
}

rvl_status rvl_bootstrap(rvl_interval *out, int n_metrics, rvl_metric_fn metric, void *context, int64_t n,
                         const int64_t *patient, int64_t n_patients, int64_t n_draws, uint64_t seed, rvl_error *err)
{
    double    *weight = rvl_alloc_array((size_t)n + 1, sizeof *weight);
    double    *count = rvl_alloc_array((size_t)n_patients + 1, sizeof *count);
    double    *values = rvl_alloc_array((size_t)n_metrics, sizeof *values);
    double    *draws = rvl_alloc_array((size_t)(n_draws + 1) * (size_t)n_metrics, sizeof *draws);
    rvl_status st =
        weight && count && values && draws ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the bootstrap");

    for (int64_t i = 0; !st && i < n; i++)
        weight[i] = 1;
    if (!st)
        st = metric(values, weight, context, err);
    for (int j = 0; !st && j < n_metrics; j++)
        out[j].value = values[j];
    for (int64_t d = 0; !st && d < n_draws; d++) {
        draw_weights(weight, count, n, patient, n_patients, seed, d);
        st = metric(values, weight, context, err);
        for (int j = 0; !st && j < n_metrics; j++)
            draws[(int64_t)j * n_draws + d] = values[j];
    }
    for (int j = 0; !st && j < n_metrics; j++)
        fill_bounds(&out[j], draws + (int64_t)j * n_draws, n_draws);
    rvl_free(weight);
    rvl_free(count);
    rvl_free(values);
    rvl_free(draws);
    return st;
}

typedef struct {
    const char *key;
    int64_t     index;
} keyed;

static int by_key(const void *a, const void *b)
{
    const keyed *x = a;
    const keyed *y = b;
    int          c = strcmp(x->key, y->key);
    return c ? c : x->index < y->index ? -1 : 1;
}

rvl_status rvl_number_groups(int64_t *out, int64_t *n_groups, const char *const *keys, int64_t n, rvl_error *err)
{
    keyed   *k = rvl_alloc_array((size_t)n + 1, sizeof *k);
    int64_t *first = rvl_alloc_array((size_t)n + 1, sizeof *first); /* by row: the first row of its group */

    *n_groups = 0;
    if (!k || !first) {
        rvl_free(k);
        rvl_free(first);
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for %lld keys", (long long)n);
    }
    for (int64_t i = 0; i < n; i++)
        k[i] = (keyed){keys[i] ? keys[i] : "", i};
    qsort(k, (size_t)n, sizeof *k, by_key);
    for (int64_t i = 0, start = 0; i < n; i++) {
        if (strcmp(k[i].key, k[start].key) != 0)
            start = i;
        first[k[i].index] = k[start].index;
    }
    for (int64_t i = 0; i < n; i++)
        out[i] = first[i] == i ? (*n_groups)++ : out[first[i]];
    rvl_free(k);
    rvl_free(first);
    return RVL_OK;
}
