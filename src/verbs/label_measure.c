/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label_measure.c
 * Labels against gold: per finding and together, with intervals over reports; two sources against each other.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "measure/bootstrap.h"
#include "measure/metrics.h"
#include "measure/paired.h"
#include "measure/protocol.h"
#include "verbs/label_audit.h"
#include <math.h>
#include <string.h>

static const char *const keys[] = {"auroc",       "ap",       "precision",         "recall", "f1",
                                   "f1_weighted", "accuracy", "balanced_accuracy", "kappa"};
enum { PER_FINDING = 9, N_WEIGHTED = 4, N_BINS = 10 };
static const char *const weighted_keys[N_WEIGHTED] = {"precision", "recall", "f1", "micro_f1"};

typedef struct {
    const rvl_label_audit *x;
    double                *score, *weight; /* (n) */
    uint8_t               *truth;
} context;

static rvl_binary column_take(context *c, const rvl_label_side *side, int j, const double *row_weight)
{
    const rvl_label_audit *x = c->x;

    for (int64_t i = 0; i < x->n; i++) {
        const double p = side->probability[i * x->k + j];
        c->score[i] = isnan(p) ? 0.0 : p;
        c->truth[i] = x->truth[i * x->k + j];
        c->weight[i] = isnan(p) ? 0.0 : x->valid[i * x->k + j] * (row_weight ? row_weight[i] : 1.0);
    }
    return (rvl_binary){.n = x->n, .score = c->score, .truth = c->truth, .weight = c->weight};
}

static void confusion_values(double *out, const rvl_confusion *m)
{
    out[2] = m->precision;
    out[3] = m->recall;
    out[4] = m->f1;
    out[5] = rvl_weighted_f1(m);
    out[6] = m->accuracy;
    out[7] = m->balanced_accuracy;
    out[8] = rvl_cohen_kappa(m->tp, m->fp, m->tn, m->fn);
}

/* Means over findings weighted by their present reports, ratios without a denominator 0, and F1 of all decisions. */
typedef struct {
    double support, sum[3], tp, fp, fn;
} together;

static void together_add(together *t, const rvl_confusion *m)
{
    const double values[3] = {m->precision, m->recall, m->f1};
    const double support = m->tp + m->fn;

    t->support += support;
    for (int i = 0; i < 3; i++)
        t->sum[i] += isnan(values[i]) ? 0.0 : support * values[i];
    t->tp += m->tp;
    t->fp += m->fp;
    t->fn += m->fn;
}

/* All values of one side: k * PER_FINDING, then PER_FINDING macros, then N_WEIGHTED. */
static rvl_status side_measure(double *out, context *c, const rvl_label_side *side, const double *row_weight,
                               rvl_error *err)
{
    const int  k = c->x->k;
    together   t = {0};
    rvl_status st = RVL_OK;

    for (int j = 0; !st && j < k; j++) {
        const rvl_binary task = column_take(c, side, j, row_weight);
        double          *v = out + j * PER_FINDING;
        rvl_confusion    m;
        st = rvl_auroc(&v[0], &task, err);
        if (!st)
            st = rvl_average_precision(&v[1], &task, err);
        rvl_confusion_at(&m, &task, 0.5);
        confusion_values(v, &m);
        together_add(&t, &m);
    }
    for (int i = 0; i < PER_FINDING; i++)
        out[k * PER_FINDING + i] = rvl_macro_mean(out + i, PER_FINDING, NULL, k, RVL_MACRO_DEFINED);
    double *w = out + (k + 1) * PER_FINDING;
    for (int i = 0; i < 3; i++)
        w[i] = t.support > 0.0 ? t.sum[i] / t.support : (double)NAN;
    w[3] = 2.0 * t.tp + t.fp + t.fn > 0.0 ? 2.0 * t.tp / (2.0 * t.tp + t.fp + t.fn) : (double)NAN;
    return st;
}

static int n_values(const rvl_label_audit *x)
{
    return (x->k + 1) * PER_FINDING + N_WEIGHTED;
}

/* The metric vector of the bootstrap: a, then b, then a - b where there is b. */
static rvl_status measure_all(double *out, const double *weight, void *context_of, rvl_error *err)
{
    context   *c = context_of;
    const int  n = n_values(c->x);
    rvl_status st = side_measure(out, c, &c->x->a, weight, err);

    if (st || !c->x->b.probability)
        return st;
    st = side_measure(out + n, c, &c->x->b, weight, err);
    for (int i = 0; i < n; i++)
        out[2 * n + i] = out[i] - out[n + i];
    return st;
}

static json_t *interval_json(const rvl_interval *v)
{
    json_t *o = json_object();

    rvl_json_set(o, "value", rvl_json_real(v->value));
    rvl_json_set(o, "low", rvl_json_real(v->low));
    rvl_json_set(o, "high", rvl_json_real(v->high));
    return o;
}

static json_t *calibration_json(const rvl_binary *task, json_t *finding)
{
    json_t *bins = json_array();
    double  p[N_BINS];
    double  y[N_BINS];
    double  n[N_BINS];
    double  brier = 0.0;
    double  ece = 0.0;

    rvl_calibration(&brier, &ece, p, y, n, task, N_BINS);
    rvl_json_set(finding, "brier", rvl_json_real(brier));
    rvl_json_set(finding, "ece", rvl_json_real(ece));
    for (int i = 0; i < N_BINS; i++) {
        json_t *bin = json_object();
        rvl_json_set(bin, "mean_probability", rvl_json_real(p[i]));
        rvl_json_set(bin, "share_present", rvl_json_real(y[i]));
        rvl_json_set(bin, "n", rvl_json_real(n[i]));
        json_array_append_new(bins, bin);
    }
    return bins;
}

/* Values of one side as macro, weighted and findings. */
static json_t *side_json(context *c, const rvl_label_side *side, const rvl_interval *v)
{
    const int k = c->x->k;
    json_t   *o = json_object();
    json_t   *macro = json_object();
    json_t   *weighted = json_object();
    json_t   *findings = json_array();

    for (int i = 0; i < PER_FINDING; i++)
        rvl_json_set(macro, keys[i], interval_json(&v[k * PER_FINDING + i]));
    for (int i = 0; i < N_WEIGHTED; i++)
        rvl_json_set(weighted, weighted_keys[i], interval_json(&v[(k + 1) * PER_FINDING + i]));
    for (int j = 0; j < k; j++) {
        json_t          *f = json_object();
        const rvl_binary task = column_take(c, side, j, NULL);
        rvl_confusion    m;
        rvl_confusion_at(&m, &task, 0.5);
        rvl_json_set(f, "name", json_string(c->x->names[j]));
        rvl_json_set(f, "n", rvl_json_real(m.tp + m.fp + m.tn + m.fn));
        rvl_json_set(f, "n_present", rvl_json_real(m.tp + m.fn));
        for (int i = 0; i < PER_FINDING; i++)
            rvl_json_set(f, keys[i], interval_json(&v[j * PER_FINDING + i]));
        rvl_json_set(f, "calibration", calibration_json(&task, f));
        json_array_append_new(findings, f);
    }
    rvl_json_set(o, "name", json_string(side->name));
    rvl_json_set(o, "macro", macro);
    rvl_json_set(o, "weighted", weighted);
    rvl_json_set(o, "findings", findings);
    return o;
}

/* Decisions of both sides on the reports that count for finding j: who alone is right. */
static void disagreements(int64_t *n_a, int64_t *n_b, const rvl_label_audit *x, int j)
{
    *n_a = *n_b = 0;
    for (int64_t i = 0; i < x->n; i++) {
        const int64_t at = i * x->k + j;
        const double  a = x->a.probability[at];
        const double  b = x->b.probability[at];
        if (!(x->valid[at] > 0.0) || isnan(a) || isnan(b) || (a >= 0.5) == (b >= 0.5))
            continue;
        *n_a += (a >= 0.5) == (x->truth[at] != 0);
        *n_b += (b >= 0.5) == (x->truth[at] != 0);
    }
}

/* DeLong's test on the reports where both sides have a probability. */
static rvl_status delong_finding(rvl_delong *out, context *c, double *other, int j, rvl_error *err)
{
    const rvl_label_audit *x = c->x;
    int64_t                n = 0;

    for (int64_t i = 0; i < x->n; i++) {
        const int64_t at = i * x->k + j;
        if (!(x->valid[at] > 0.0) || isnan(x->a.probability[at]) || isnan(x->b.probability[at]))
            continue;
        c->score[n] = x->a.probability[at];
        other[n] = x->b.probability[at];
        c->truth[n++] = x->truth[at];
    }
    return rvl_delong_test(out, c->score, other, c->truth, n, err);
}

static rvl_status compare_json(json_t **out, context *c, const rvl_interval *v, rvl_error *err)
{
    const int  k = c->x->k;
    json_t    *o = json_object();
    json_t    *macro = json_object();
    json_t    *findings = json_array();
    double    *other = rvl_alloc_array((size_t)c->x->n + 1, sizeof *other);
    rvl_status st = other ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for a comparison");

    *out = o;
    for (int i = 0; i < PER_FINDING; i++)
        rvl_json_set(macro, keys[i], interval_json(&v[k * PER_FINDING + i]));
    for (int j = 0; !st && j < k; j++) {
        json_t    *f = json_object();
        rvl_delong d;
        int64_t    n_a = 0;
        int64_t    n_b = 0;
        disagreements(&n_a, &n_b, c->x, j);
        st = delong_finding(&d, c, other, j, err);
        rvl_json_set(f, "name", json_string(c->x->names[j]));
        rvl_json_set(f, "auroc", interval_json(&v[j * PER_FINDING]));
        rvl_json_set(f, "f1", interval_json(&v[j * PER_FINDING + 4]));
        rvl_json_set(f, "delong_p", rvl_json_real(d.p));
        rvl_json_set(f, "only_a_right", json_integer((json_int_t)n_a));
        rvl_json_set(f, "only_b_right", json_integer((json_int_t)n_b));
        rvl_json_set(f, "mcnemar_p", rvl_json_real(rvl_mcnemar_exact(n_a, n_b)));
        json_array_append_new(findings, f);
    }
    rvl_json_set(o, "macro", macro);
    rvl_json_set(o, "findings", findings);
    rvl_free(other);
    return st;
}

static rvl_status document(json_t **out, context *c, const rvl_interval *v, int64_t n_draws, uint64_t seed,
                           rvl_error *err)
{
    const int  n = n_values(c->x);
    json_t    *root = json_object();
    json_t    *difference = NULL;
    rvl_status st = RVL_OK;

    *out = root;
    rvl_json_set(root, "schema", json_string("rvl.label_audit/1"));
    rvl_json_set(root, "n_reports", json_integer((json_int_t)c->x->n));
    rvl_json_set(root, "n_unmatched", json_integer((json_int_t)c->x->n_unmatched));
    rvl_json_set(root, "threshold", rvl_json_real(0.5));
    rvl_json_set(root, "seed", json_integer((json_int_t)seed));
    rvl_json_set(root, "n_bootstrap", json_integer((json_int_t)n_draws));
    rvl_json_set(root, "a", side_json(c, &c->x->a, v));
    if (!c->x->b.probability)
        return RVL_OK;
    rvl_json_set(root, "b", side_json(c, &c->x->b, v + n));
    st = compare_json(&difference, c, v + 2 * n, err);
    rvl_json_set(root, "difference", difference);
    return st;
}

rvl_status rvl__label_measure(json_t **out, const rvl_label_audit *x, int64_t n_draws, uint64_t seed, rvl_error *err)
{
    const int     n = n_values(x) * (x->b.probability ? 3 : 1);
    context       c = {.x = x};
    rvl_interval *v = rvl_alloc_array((size_t)n, sizeof *v);
    int64_t      *report = rvl_alloc_array((size_t)x->n + 1, sizeof *report);
    rvl_status    st = RVL_OK;

    *out = NULL;
    c.score = rvl_alloc_array((size_t)x->n + 1, sizeof *c.score);
    c.weight = rvl_alloc_array((size_t)x->n + 1, sizeof *c.weight);
    c.truth = rvl_alloc_array((size_t)x->n + 1, sizeof *c.truth);
    if (!v || !report || !c.score || !c.weight || !c.truth)
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory for an audit");
    for (int64_t i = 0; !st && i < x->n; i++)
        report[i] = i;
    if (!st)
        st = rvl_bootstrap(v, n, measure_all, &c, x->n, report, x->n, n_draws, seed, err);
    if (!st)
        st = document(out, &c, v, n_draws, seed, err);
    rvl_free(v);
    rvl_free(report);
    rvl_free(c.score);
    rvl_free(c.weight);
    rvl_free(c.truth);
    return st;
}
