/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/protocol.c
 * The dialects of binary tasks.
 */
#include "measure/protocol.h"
#include <math.h>

enum { N_GRID = 100 };

/* numpy.linspace(0, 1, 100)[i] */
static double grid_value(int i)
{
    return i == N_GRID - 1 ? 1.0 : i * (1.0 / (N_GRID - 1));
}

/* How many values of the grid lie below the score: the thresholds at which it is called present. */
static int thresholds_below(double score)
{
    int n = score <= 0 ? 0 : score >= 1 ? N_GRID : (int)(score * (N_GRID - 1));

    while (n > 0 && !(grid_value(n - 1) < score))
        n--;
    while (n < N_GRID && grid_value(n) < score)
        n++;
    return n;
}

static double or_zero(double a, double b)
{
    return b > 0 ? a / b : 0;
}

double rvl_weighted_f1(const rvl_confusion *c)
{
    const double present = c->tp + c->fn;
    const double absent = c->tn + c->fp;
    const double f1_present = or_zero(2 * c->tp, 2 * c->tp + c->fp + c->fn);
    const double f1_absent = or_zero(2 * c->tn, 2 * c->tn + c->fp + c->fn);

    return present + absent > 0 ? (present * f1_present + absent * f1_absent) / (present + absent) : NAN;
}

void rvl_ct_clip_measure(rvl_ct_clip *out, const rvl_binary *task)
{
    double positive[N_GRID + 1] = {0}; /* weight of the scores above just so many thresholds */
    double negative[N_GRID + 1] = {0};
    double all_positive = 0;
    double all_negative = 0;
    double nearest = INFINITY;

    *out = (rvl_ct_clip){NAN, NAN, NAN, NAN};
    for (int64_t i = 0; i < task->n; i++) {
        const double w = task->weight ? task->weight[i] : 1;
        const int    below = thresholds_below(task->score[i]);
        *(task->truth[i] ? &positive[below] : &negative[below]) += w;
        *(task->truth[i] ? &all_positive : &all_negative) += w;
    }
    if (!(all_positive > 0) || !(all_negative > 0))
        return;
    rvl_confusion c = {.tp = all_positive, .fp = all_negative};
    for (int i = 0; i < N_GRID; i++) { /* at threshold i, scores above at most i thresholds are called absent */
        c.tp -= positive[i];
        c.fp -= negative[i];
        c.fn += positive[i];
        c.tn += negative[i];
        const double miss = 1 - c.tp / all_positive;
        const double false_alarm = c.fp / all_negative;
        const double distance = sqrt(miss * miss + false_alarm * false_alarm);
        if (distance > nearest)
            continue;
        nearest = distance;
        out->threshold = grid_value(i);
        out->f1_weighted = rvl_weighted_f1(&c);
        out->precision = or_zero(c.tp, c.tp + c.fp);
        out->accuracy = (c.tp + c.tn) / (all_positive + all_negative);
    }
}

void rvl_vlm3d_measure(rvl_vlm3d *out, const rvl_binary *task)
{
    rvl_confusion c;

    rvl_confusion_at(&c, task, 0.5);
    const double n = c.tp + c.fp + c.tn + c.fn;
    *out = (rvl_vlm3d){NAN, NAN, NAN, NAN};
    if (n > 0)
        *out = (rvl_vlm3d){or_zero(c.tp, c.tp + c.fp), or_zero(c.tp, c.tp + c.fn),
                           or_zero(2 * c.tp, 2 * c.tp + c.fp + c.fn), (c.tp + c.tn) / n};
}

double rvl_crg(double tp, double fn, double fp, double n_labels, double n_present)
{
    if (!(n_present > 0))
        return NAN;
    const double u = (n_labels - n_present) / 2;
    const double r = u / n_present;
    const double s = r * tp - r * fn - fp;
    return 2 * u - s != 0 ? u / (2 * u - s) : 0;
}

double rvl_macro_mean(const double *value, int stride, const bool *include, int n, rvl_macro kind)
{
    double sum = 0;
    int    n_in = 0;

    for (int i = 0; i < n; i++) {
        const double x = value[i * stride];
        if ((include && !include[i]) || (isnan(x) && kind == RVL_MACRO_DEFINED))
            continue;
        sum += isnan(x) ? 0 : x;
        n_in++;
    }
    return n_in ? sum / n_in : NAN;
}
