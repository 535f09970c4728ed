/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/binary.c
 * Metrics of one binary task: ROC area, average precision, confusion, thresholds, calibration.
 */
#include "measure/metrics.h"
#include "base/alloc.h"
#include <math.h>
#include <stdlib.h>

typedef struct {
    double score, positive, negative; /* weights of this case */
} sorted_case;

static int by_score_down(const void *a, const void *b)
{
    double x = ((const sorted_case *)a)->score;
    double y = ((const sorted_case *)b)->score;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Cases with weight, highest score first; those that come in this order cost no sort. */
static rvl_status sort_cases(sorted_case **out, int64_t *n, const rvl_binary *t, rvl_error *err)
{
    sorted_case *s = rvl_alloc_array((size_t)t->n + 1, sizeof *s);
    bool         is_sorted = true;

    *out = NULL;
    *n = 0;
    if (!s)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for %lld cases", (long long)t->n);
    for (int64_t i = 0; i < t->n; i++) {
        double w = t->weight ? t->weight[i] : 1;
        if (w == 0)
            continue;
        if (!isfinite(t->score[i])) {
            rvl_free(s);
            return rvl_fail(err, RVL_ERR_NUMERIC, "score %lld is not a finite number", (long long)i);
        }
        s[*n] = (sorted_case){t->score[i], t->truth[i] ? w : 0, t->truth[i] ? 0 : w};
        is_sorted = is_sorted && (*n == 0 || s[*n].score <= s[*n - 1].score);
        ++*n;
    }
    if (!is_sorted)
        qsort(s, (size_t)*n, sizeof *s, by_score_down);
    *out = s;
    return RVL_OK;
}

/* One threshold, highest first: what lies at it and what lies above, positives and negatives by weight. */
typedef struct {
    double score;
    double at_positive, at_negative, above_positive, above_negative;
    double all_positive, all_negative;
} cut;

/* Adds to `sum`, or keeps the best in `out`. */
typedef void (*cut_fn)(double *sum, double *out, const cut *c);

/* Visit every distinct score; `totals` is what all cases weigh together. */
static rvl_status sweep(double *sum, double *out, cut *totals, const rvl_binary *task, cut_fn visit, rvl_error *err)
{
    sorted_case *s = NULL;
    int64_t      n = 0;
    cut          c = {0};
    rvl_status   st = sort_cases(&s, &n, task, err);

    *sum = 0;
    *out = NAN;
    if (st)
        return st;
    for (int64_t i = 0; i < n; i++) {
        c.all_positive += s[i].positive;
        c.all_negative += s[i].negative;
    }
    for (int64_t i = 0; i < n;) {
        c.score = s[i].score;
        c.at_positive = c.at_negative = 0;
        for (; i < n && s[i].score == c.score; i++) {
            c.at_positive += s[i].positive;
            c.at_negative += s[i].negative;
        }
        visit(sum, out, &c);
        c.above_positive += c.at_positive;
        c.above_negative += c.at_negative;
    }
    *totals = c;
    rvl_free(s);
    return RVL_OK;
}

static void add_area(double *sum, double *out, const cut *c)
{
    (void)out;
    *sum += c->at_negative * (c->above_positive + 0.5 * c->at_positive);
}

rvl_status rvl_auroc(double *out, const rvl_binary *task, rvl_error *err)
{
    double     area;
    cut        all = {0};
    rvl_status st = sweep(&area, out, &all, task, add_area, err);

    if (!st && all.all_positive > 0 && all.all_negative > 0)
        *out = area / (all.all_positive * all.all_negative);
    return st;
}

static void add_precision(double *sum, double *out, const cut *c)
{
    const double positive = c->above_positive + c->at_positive;

    (void)out;
    *sum += c->at_positive * positive / (positive + c->above_negative + c->at_negative);
}

rvl_status rvl_average_precision(double *out, const rvl_binary *task, rvl_error *err)
{
    double     sum;
    cut        all = {0};
    rvl_status st = sweep(&sum, out, &all, task, add_precision, err);

    if (!st && all.all_positive > 0)
        *out = sum / all.all_positive;
    return st;
}

/* `best` is the largest F1 so far: at equal values the lower threshold, which comes later. */
static void keep_best_f1(double *best, double *out, const cut *c)
{
    const double positive = c->above_positive + c->at_positive;
    const double called = positive + c->above_negative + c->at_negative;
    const double f1 = 2 * positive / (called + c->all_positive);

    if (c->all_positive > 0 && f1 >= *best) {
        *best = f1;
        *out = c->score;
    }
}

rvl_status rvl_best_f1_threshold(double *out, const rvl_binary *task, rvl_error *err)
{
    double best;
    cut    all;

    return sweep(&best, out, &all, task, keep_best_f1, err);
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : NAN;
}

static void fill_ratios(rvl_confusion *c)
{
    c->precision = ratio(c->tp, c->tp + c->fp);
    c->recall = ratio(c->tp, c->tp + c->fn);
    c->specificity = ratio(c->tn, c->tn + c->fp);
    c->f1 = ratio(2 * c->tp, 2 * c->tp + c->fp + c->fn);
    c->accuracy = ratio(c->tp + c->tn, c->tp + c->tn + c->fp + c->fn);
    c->balanced_accuracy = 0.5 * (c->recall + c->specificity);
}

void rvl_confusion_at(rvl_confusion *out, const rvl_binary *task, double threshold)
{
    rvl_confusion c = {0};
    for (int64_t i = 0; i < task->n; i++) {
        double w = task->weight ? task->weight[i] : 1;
        bool   called = task->score[i] >= threshold;
        *(task->truth[i] ? (called ? &c.tp : &c.fn) : (called ? &c.fp : &c.tn)) += w;
    }
    fill_ratios(&c);
    *out = c;
}

void rvl_calibration(double *brier, double *ece, double *bin_p, double *bin_y, double *bin_n, const rvl_binary *task,
                     int n_bins)
{
    enum { MAX_BINS = 100 };
    double sum_p[MAX_BINS] = {0};
    double sum_y[MAX_BINS] = {0};
    double sum_w[MAX_BINS] = {0};
    double total = 0;

    if (n_bins < 1 || n_bins > MAX_BINS)
        n_bins = 10;
    *brier = 0;
    for (int64_t i = 0; i < task->n; i++) {
        double w = task->weight ? task->weight[i] : 1;
        double p = task->score[i];
        double y = task->truth[i] ? 1 : 0;
        int    b = p >= 1 ? n_bins - 1 : p <= 0 ? 0 : (int)(p * n_bins);
        sum_p[b] += w * p;
        sum_y[b] += w * y;
        sum_w[b] += w;
        *brier += w * (p - y) * (p - y);
        total += w;
    }
    *brier = ratio(*brier, total);
    *ece = 0;
    for (int b = 0; b < n_bins; b++) {
        if (sum_w[b] > 0)
            *ece += fabs(sum_p[b] - sum_y[b]);
        if (bin_p)
            bin_p[b] = ratio(sum_p[b], sum_w[b]);
        if (bin_y)
            bin_y[b] = ratio(sum_y[b], sum_w[b]);
        if (bin_n)
            bin_n[b] = sum_w[b];
    }
    *ece = ratio(*ece, total);
}
