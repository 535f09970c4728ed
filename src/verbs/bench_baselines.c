/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_baselines.c
 * Baselines beside a table of findings.
 */
#include "verbs/bench_baselines.h"
#include "base/alloc.h"
#include "base/json.h"
#include "learn/logistic.h"
#include <math.h>
#include <string.h>

typedef struct {
    const rvl_bench_findings *f;
    const rvl_bench_fit      *fit;
    double                   *score, *val_score; /* (n, k), (n_val, k) */
    rvl_metadata_coder       *coder;
    double                   *x, *x_test, *x_val; /* features */
} baselines;

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for baselines");
}

static double share_of(const rvl_bench_fit *fit, int k, int j)
{
    double present = 0;
    double all = 0;

    for (int64_t i = 0; i < fit->n; i++) {
        present += fit->valid[i * k + j] * fit->truth[i * k + j];
        all += fit->valid[i * k + j];
    }
    return all > 0 ? present / all : 0.5;
}

static void fill_constant(double *score, int64_t n, int k, int j, double share)
{
    for (int64_t i = 0; i < n; i++)
        score[i * k + j] = share;
}

/* {name, auroc, ap} of each finding. */
static json_t *few_of(const json_t *findings)
{
    json_t *out = json_array();
    size_t  i;
    json_t *f;

    json_array_foreach(findings, i, f)
    {
        json_t *few = json_object();
        rvl_json_set(few, "name", json_incref(json_object_get(f, "name")));
        rvl_json_set(few, "auroc", json_incref(json_object_get(f, "auroc")));
        rvl_json_set(few, "ap", json_incref(json_object_get(f, "ap")));
        json_array_append_new(out, few);
    }
    return out;
}

static rvl_status measure(json_t **out, const baselines *b, int64_t n_draws, uint64_t seed, rvl_error *err)
{
    static const char *const keys[] = {"macro_auroc",  "macro_ap",       "macro_f1",          "macro_precision",
                                       "macro_recall", "macro_accuracy", "macro_f1_weighted", "class_sets"};
    rvl_bench_findings       f = *b->f;
    json_t                  *whole = NULL;
    rvl_status               st;

    f.score = b->score;
    f.val_score = b->val_score;
    f.is_probability = true;
    st = rvl__bench_findings(&whole, &f, n_draws, seed, err);
    if (st)
        return st;
    *out = json_object();
    rvl_json_set(*out, "fitted_on", json_string(b->fit->fitted_on));
    rvl_json_set(*out, "n_fitted", json_integer(b->fit->n));
    for (size_t i = 0; i < RVL_ARRAY_LEN(keys); i++)
        rvl_json_set(*out, keys[i], json_incref(json_object_get(whole, keys[i])));
    rvl_json_set(*out, "findings", few_of(json_object_get(whole, "findings")));
    json_decref(whole);
    return RVL_OK;
}

static void score_rows(double *score, int k, int j, const double *coef, const double *x, int64_t n, int width)
{
    for (int64_t i = 0; i < n; i++) {
        const rvl_logistic_data row = {1, width, x + i * width, NULL, NULL};
        double                  z;
        rvl_logistic_scores(&z, coef, &row);
        score[i * k + j] = 1 / (1 + exp(-z));
    }
}

/* Finding j from metadata; the constant where its labels are all of one kind. `columns` (2, n), `coef` (width + 1). */
static rvl_status fit_finding(const baselines *b, int j, double *columns, double *coef, rvl_error *err)
{
    const int         k = b->f->k;
    const int         width = rvl_metadata_width(b->coder);
    const int64_t     n = b->fit->n;
    rvl_logistic_data data = {n, width, b->x, columns, columns + n};
    const double      share = share_of(b->fit, k, j);

    if (share <= 0 || share >= 1) {
        fill_constant(b->score, b->f->n, k, j, share);
        fill_constant(b->val_score, b->f->n_val, k, j, share);
        return RVL_OK;
    }
    for (int64_t i = 0; i < n; i++) {
        columns[i] = b->fit->truth[i * k + j];
        columns[n + i] = b->fit->valid[i * k + j];
    }
    memset(coef, 0, ((size_t)width + 1) * sizeof *coef);
    rvl_status st = rvl_logistic_fit(coef, &data, 1, err);
    if (st) {
        rvl_error_prefix(err, "metadata baseline of '%s'", b->f->names[j]);
        return st;
    }
    score_rows(b->score, k, j, coef, b->x_test, b->f->n, width);
    score_rows(b->val_score, k, j, coef, b->x_val, b->f->n_val, width);
    return RVL_OK;
}

static rvl_status encode(double **x, const rvl_metadata_coder *c, const rvl_metadata *rows, rvl_error *err)
{
    *x = rvl_alloc_array((size_t)(rows ? rows->n : 0) * (size_t)rvl_metadata_width(c) + 1, sizeof **x);
    if (!*x)
        return no_memory(err);
    if (rows)
        rvl_metadata_encode(*x, c, rows);
    return RVL_OK;
}

static rvl_status fit_metadata(baselines *b, rvl_error *err)
{
    const rvl_bench_fit *fit = b->fit;
    double              *columns = NULL;
    double              *coef = NULL;
    rvl_status           st = rvl_metadata_coder_new(&b->coder, fit->train, err);

    if (!st)
        st = encode(&b->x, b->coder, fit->train, err);
    if (!st)
        st = encode(&b->x_test, b->coder, fit->test, err);
    if (!st)
        st = encode(&b->x_val, b->coder, fit->val, err);
    if (!st) {
        columns = rvl_alloc_array((size_t)fit->n + 1, 2 * sizeof *columns);
        coef = rvl_alloc_array((size_t)rvl_metadata_width(b->coder) + 1, sizeof *coef);
        st = columns && coef ? RVL_OK : no_memory(err);
    }
    for (int j = 0; !st && j < b->f->k; j++)
        st = fit_finding(b, j, columns, coef, err);
    rvl_free(columns);
    rvl_free(coef);
    return st;
}

static json_t *used_columns(const baselines *b)
{
    json_t *out = json_array();

    for (int c = 0; c < b->fit->train->n_columns; c++)
        if (rvl_metadata_uses(b->coder, c))
            json_array_append_new(out, json_string(b->fit->train->names[c]));
    return out;
}

rvl_status rvl__bench_baselines(json_t *part, const rvl_bench_findings *f, const rvl_bench_fit *fit, int64_t n_draws,
                                uint64_t seed, rvl_error *err)
{
    baselines  b = {.f = f, .fit = fit};
    json_t    *both = json_object();
    json_t    *one = NULL;
    rvl_status st = RVL_OK;

    b.score = rvl_alloc_array((size_t)(f->n * f->k) + 1, sizeof *b.score);
    b.val_score = rvl_alloc_array((size_t)(f->n_val * f->k) + 1, sizeof *b.val_score);
    if (!b.score || !b.val_score)
        st = no_memory(err);
    for (int j = 0; !st && j < f->k; j++) {
        fill_constant(b.score, f->n, f->k, j, share_of(fit, f->k, j));
        fill_constant(b.val_score, f->n_val, f->k, j, share_of(fit, f->k, j));
    }
    if (!st)
        st = measure(&one, &b, 0, seed, err);
    if (!st)
        rvl_json_set(both, "constant", one);
    if (!st && fit->train && fit->n > 0) {
        st = fit_metadata(&b, err);
        if (!st)
            st = measure(&one, &b, n_draws, seed, err);
        if (!st) {
            rvl_json_set(one, "columns", used_columns(&b));
            rvl_json_set(both, "metadata", one);
        }
    }
    if (!st)
        rvl_json_set(part, "baselines", both);
    else
        json_decref(both);
    rvl_metadata_coder_free(b.coder);
    rvl_free(b.score);
    rvl_free(b.val_score);
    rvl_free(b.x);
    rvl_free(b.x_test);
    rvl_free(b.x_val);
    return st;
}
