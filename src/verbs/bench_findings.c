/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_findings.c
 * Per-finding and macro metrics with intervals over patients.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "measure/bootstrap.h"
#include "measure/metrics.h"
#include "measure/protocol.h"
#include "verbs/bench_parts.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Order of the metric vector: the values of each finding, then the macros. */
static const char *const keys[] = {"auroc", "ap", "f1", "precision", "recall", "f1_weighted", "accuracy"};
enum { PER_FINDING = 7, N_OF_AUROC = 3, N_MACRO = N_OF_AUROC + PER_FINDING - 1, N_BINS = 10 };

typedef struct {
    const rvl_bench_findings *b;
    double                   *threshold;      /* (k), NaN: none */
    double                   *score, *weight; /* (n) of one finding */
    uint8_t                  *truth;
    int64_t                  *order; /* (k, n): cases of each finding, highest score first, so that no draw sorts */
} context;

typedef struct {
    double  score;
    int64_t row;
} scored_row;

static int by_score_down(const void *a, const void *b)
{
    const scored_row *x = a;
    const scored_row *y = b;
    return x->score < y->score ? 1 : x->score > y->score ? -1 : x->row < y->row ? -1 : 1;
}

static rvl_status order_cases(context *c, rvl_error *err)
{
    const rvl_bench_findings *b = c->b;
    scored_row               *rows = rvl_alloc_array((size_t)b->n + 1, sizeof *rows);

    if (!rows)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for metrics");
    for (int j = 0; j < b->k; j++) {
        for (int64_t i = 0; i < b->n; i++)
            rows[i] = (scored_row){b->score[i * b->k + j], i};
        qsort(rows, (size_t)b->n, sizeof *rows, by_score_down);
        for (int64_t i = 0; i < b->n; i++)
            c->order[j * b->n + i] = rows[i].row;
    }
    rvl_free(rows);
    return RVL_OK;
}

static void take_column(context *c, int j, const double *row_weight)
{
    const rvl_bench_findings *b = c->b;
    for (int64_t i = 0; i < b->n; i++) {
        const int64_t row = c->order[j * b->n + i];
        c->score[i] = b->score[row * b->k + j];
        c->truth[i] = b->truth[row * b->k + j];
        c->weight[i] = b->valid[row * b->k + j] * (row_weight ? row_weight[row] : 1);
    }
}

static rvl_binary column_task(const context *c)
{
    return (rvl_binary){c->b->n, c->score, c->truth, c->weight};
}

static double mean_where(const double *values, int stride, const context *c, int withheld)
{
    double sum = 0;
    int    n = 0;
    for (int j = 0; j < c->b->k; j++) {
        bool is_withheld = c->b->withheld && c->b->withheld[j];
        if (withheld >= 0 && is_withheld != (withheld == 1))
            continue;
        if (isfinite(values[j * stride])) {
            sum += values[j * stride];
            n++;
        }
    }
    return n ? sum / n : NAN;
}

static rvl_status all_metrics(double *out, const double *row_weight, void *self, rvl_error *err)
{
    context   *c = self;
    const int  k = c->b->k;
    rvl_status st = RVL_OK;

    for (int j = 0; !st && j < k; j++) {
        double *m = out + j * PER_FINDING;
        take_column(c, j, row_weight);
        rvl_binary task = column_task(c);
        st = rvl_auroc(&m[0], &task, err);
        if (!st)
            st = rvl_average_precision(&m[1], &task, err);
        for (int q = 2; q < PER_FINDING; q++)
            m[q] = NAN;
        if (!st && isfinite(c->threshold[j])) {
            rvl_confusion at;
            rvl_confusion_at(&at, &task, c->threshold[j]);
            m[2] = at.f1;
            m[3] = at.precision;
            m[4] = at.recall;
            m[5] = rvl_weighted_f1(&at);
            m[6] = at.accuracy;
        }
        if (st)
            rvl_error_prefix(err, "finding '%s'", c->b->names[j]);
    }
    double *macro = out + k * PER_FINDING;
    macro[0] = mean_where(out, PER_FINDING, c, -1);
    macro[1] = mean_where(out, PER_FINDING, c, 0);
    macro[2] = mean_where(out, PER_FINDING, c, 1);
    for (int q = 1; q < PER_FINDING; q++)
        macro[N_OF_AUROC + q - 1] = mean_where(out + q, PER_FINDING, c, -1);
    return st;
}

static rvl_status choose_thresholds(context *c, rvl_error *err)
{
    const rvl_bench_findings *b = c->b;
    rvl_status                st = RVL_OK;
    double                   *score = rvl_alloc_array((size_t)b->n_val + 1, 2 * sizeof *score);
    uint8_t                  *truth = rvl_alloc_array((size_t)b->n_val + 1, sizeof *truth);

    if (!score || !truth)
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory for thresholds");
    for (int j = 0; !st && j < b->k; j++) {
        double *weight = score + b->n_val;
        c->threshold[j] = NAN;
        for (int64_t i = 0; i < b->n_val; i++) {
            score[i] = b->val_score[i * b->k + j];
            truth[i] = b->val_truth[i * b->k + j];
            weight[i] = b->val_valid[i * b->k + j];
        }
        if (b->n_val > 0)
            st = rvl_best_f1_threshold(&c->threshold[j], &(rvl_binary){b->n_val, score, truth, weight}, err);
    }
    rvl_free(score);
    rvl_free(truth);
    return st;
}

json_t *rvl__interval_json(const rvl_interval *v)
{
    json_t *j = json_object();
    rvl_json_set(j, "value", rvl_json_real(v->value));
    rvl_json_set(j, "low", rvl_json_real(v->low));
    rvl_json_set(j, "high", rvl_json_real(v->high));
    return j;
}

static json_t *calibration_json(const context *c, double *brier, double *ece)
{
    double     p[N_BINS];
    double     y[N_BINS];
    double     n[N_BINS];
    rvl_binary task = column_task(c);
    json_t    *bins = json_array();

    rvl_calibration(brier, ece, p, y, n, &task, N_BINS);
    for (int i = 0; i < N_BINS; i++) {
        json_t *bin = json_object();
        rvl_json_set(bin, "mean_probability", rvl_json_real(p[i]));
        rvl_json_set(bin, "share_present", rvl_json_real(y[i]));
        rvl_json_set(bin, "n", rvl_json_real(n[i]));
        json_array_append_new(bins, bin);
    }
    return bins;
}

static json_t *finding_json(context *c, int j, const rvl_interval *v)
{
    const rvl_bench_findings *b = c->b;
    json_t                   *f = json_object();
    double                    n_positive = 0;
    double                    n_valid = 0;
    double                    brier = NAN;
    double                    ece = NAN;

    take_column(c, j, NULL);
    for (int64_t i = 0; i < b->n; i++) {
        n_valid += c->weight[i];
        n_positive += c->weight[i] * c->truth[i];
    }
    rvl_json_set(f, "name", json_string(b->names[j]));
    rvl_json_set(f, "withheld", json_boolean(b->withheld && b->withheld[j]));
    rvl_json_set(f, "n", rvl_json_real(n_valid));
    rvl_json_set(f, "n_present", rvl_json_real(n_positive));
    for (int m = 0; m < PER_FINDING; m++)
        rvl_json_set(f, keys[m], rvl__interval_json(&v[m]));
    rvl_json_set(f, "threshold", rvl_json_real(c->threshold[j]));
    if (b->is_probability) {
        json_t *bins = calibration_json(c, &brier, &ece);
        rvl_json_set(f, "brier", rvl_json_real(brier));
        rvl_json_set(f, "ece", rvl_json_real(ece));
        rvl_json_set(f, "calibration", bins);
    }
    return f;
}

static json_t *document(context *c, const rvl_interval *v)
{
    const int k = c->b->k;
    json_t   *root = json_object();
    json_t   *findings = json_array();

    rvl_json_set(root, "n_cases", json_integer(c->b->n));
    rvl_json_set(root, "n_patients", json_integer(c->b->n_patients));
    rvl_json_set(
        root, "definition",
        json_string(
            "macro: mean over findings with both classes; intervals: 95 %, bootstrap over patients; F1, "
            "precision, recall, weighted F1, accuracy at the threshold with the best F1 on the validation part; "
            "ct_clip: dialect [ct-clip], threshold of 100 nearest to the corner of the ROC plane, chosen on "
            "the measured cases; vlm3d: dialect [vlm3d], at 0.5"));
    rvl_json_set(root, "macro_auroc", rvl__interval_json(&v[k * PER_FINDING]));
    rvl_json_set(root, "trained_macro_auroc", rvl__interval_json(&v[k * PER_FINDING + 1]));
    rvl_json_set(root, "withheld_macro_auroc", rvl__interval_json(&v[k * PER_FINDING + 2]));
    for (int q = 1; q < PER_FINDING; q++) {
        char key[32];
        snprintf(key, sizeof key, "macro_%s", keys[q]);
        rvl_json_set(root, key, rvl__interval_json(&v[k * PER_FINDING + N_OF_AUROC + q - 1]));
    }
    for (int j = 0; j < k; j++)
        json_array_append_new(findings, finding_json(c, j, v + j * PER_FINDING));
    rvl_json_set(root, "findings", findings);
    return root;
}

rvl_status rvl__bench_findings(json_t **out, const rvl_bench_findings *b, int64_t n_draws, uint64_t seed,
                               rvl_error *err)
{
    const int     n_metrics = b->k * PER_FINDING + N_MACRO;
    context       c = {.b = b};
    rvl_interval *v = rvl_alloc_array((size_t)n_metrics, sizeof *v);
    rvl_status    st = RVL_OK;

    *out = NULL;
    double *auroc = rvl_alloc_array((size_t)b->k, sizeof *auroc);
    c.threshold = rvl_alloc_array((size_t)b->k, sizeof *c.threshold);
    c.order = rvl_alloc_array((size_t)(b->n * b->k) + 1, sizeof *c.order);
    c.score = rvl_alloc_array((size_t)b->n + 1, sizeof *c.score);
    c.weight = rvl_alloc_array((size_t)b->n + 1, sizeof *c.weight);
    c.truth = rvl_alloc_array((size_t)b->n + 1, sizeof *c.truth);
    if (!v || !auroc || !c.threshold || !c.order || !c.score || !c.weight || !c.truth)
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory for metrics");
    if (!st)
        st = choose_thresholds(&c, err);
    if (!st)
        st = order_cases(&c, err);
    if (!st)
        st = rvl_bootstrap(v, n_metrics, all_metrics, &c, b->n, b->patient, b->n_patients, n_draws, seed, err);
    if (!st) {
        *out = document(&c, v);
        for (int j = 0; j < b->k; j++)
            auroc[j] = v[j * PER_FINDING].value;
        st = rvl__bench_protocols(*out, b, auroc, err);
    }
    if (st) {
        json_decref(*out);
        *out = NULL;
    }
    rvl_free(auroc);
    rvl_free(v);
    rvl_free(c.threshold);
    rvl_free(c.order);
    rvl_free(c.score);
    rvl_free(c.weight);
    rvl_free(c.truth);
    return st;
}
