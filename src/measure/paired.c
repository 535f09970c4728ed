/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/paired.c
 * DeLong, McNemar, kappa.
 */
#include "measure/paired.h"
#include "base/alloc.h"
#include <math.h>
#include <stdlib.h>

typedef struct {
    double  score;
    int64_t row;
} ranked;

static int by_score(const void *a, const void *b)
{
    const ranked *x = a;
    const ranked *y = b;
    return x->score < y->score ? -1 : x->score > y->score ? 1 : 0;
}

/* Ranks from 1 of the cases of one class (`only` 0 or 1) or of all (2), ties shared; others are left alone. */
static void midranks(double *rank, ranked *work, const double *score, const uint8_t *truth, int64_t n, int only)
{
    int64_t m = 0;

    for (int64_t i = 0; i < n; i++)
        if (only == 2 || truth[i] == only)
            work[m++] = (ranked){score[i], i};
    qsort(work, (size_t)m, sizeof *work, by_score);
    for (int64_t i = 0; i < m;) {
        int64_t end = i + 1;
        while (end < m && !(work[end].score > work[i].score))
            end++;
        for (int64_t j = i; j < end; j++)
            rank[work[j].row] = 0.5 * (double)(i + 1 + end);
        i = end;
    }
}

/* Placement of each case among the other class, and the AUROC, their mean. place (n). */
static double placements(double *place, double *all, double *own, ranked *work, const double *score,
                         const uint8_t *truth, int64_t n, const int64_t count[2])
{
    double sum = 0.0;

    midranks(all, work, score, truth, n, 2);
    midranks(own, work, score, truth, n, 0);
    midranks(own, work, score, truth, n, 1);
    for (int64_t i = 0; i < n; i++) {
        const double others = (double)count[!truth[i]];
        place[i] = truth[i] ? (all[i] - own[i]) / others : 1.0 - (all[i] - own[i]) / others;
        sum += truth[i] ? place[i] : 0.0;
    }
    return sum / (double)count[1];
}

rvl_status rvl_delong_test(rvl_delong *out, const double *score_a, const double *score_b, const uint8_t *truth,
                           int64_t n, rvl_error *err)
{
    double *memory = rvl_alloc_array((size_t)n + 1, 4 * sizeof *memory);
    ranked *work = rvl_alloc_array((size_t)n + 1, sizeof *work);
    int64_t count[2] = {0, 0};
    double  variance = 0.0;

    *out = (rvl_delong){NAN, NAN, NAN, NAN, NAN};
    for (int64_t i = 0; i < n; i++)
        count[truth[i] != 0]++;
    if (!memory || !work) {
        rvl_free(memory);
        rvl_free(work);
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for a test");
    }
    if (count[0] > 1 && count[1] > 1) {
        double *a = memory;
        double *b = memory + n;
        out->auroc_a = placements(a, memory + 2 * n, memory + 3 * n, work, score_a, truth, n, count);
        out->auroc_b = placements(b, memory + 2 * n, memory + 3 * n, work, score_b, truth, n, count);
        out->difference = out->auroc_a - out->auroc_b;
        for (int64_t i = 0; i < n; i++) {
            const double m = (double)count[truth[i] != 0];
            const double d = a[i] - b[i] - out->difference;
            variance += d * d / (m * (m - 1.0));
        }
        if (variance > 0.0) {
            out->standard_error = sqrt(variance);
            out->p = erfc(fabs(out->difference) / out->standard_error / sqrt(2.0));
        }
    }
    rvl_free(memory);
    rvl_free(work);
    return RVL_OK;
}

double rvl_mcnemar_exact(int64_t n_a, int64_t n_b)
{
    const int64_t few = n_a < n_b ? n_a : n_b;
    const double  n = (double)(n_a + n_b);
    double        tail = 0.0;

    for (int64_t i = 0; i <= few; i++)
        tail += exp(lgamma(n + 1.0) - lgamma((double)i + 1.0) - lgamma(n - (double)i + 1.0) - n * log(2.0));
    return 2.0 * tail < 1.0 ? 2.0 * tail : 1.0;
}

double rvl_cohen_kappa(double tp, double fp, double tn, double fn)
{
    const double n = tp + fp + tn + fn;
    const double observed = (tp + tn) / n;
    const double chance = ((tp + fp) * (tp + fn) + (tn + fn) * (tn + fp)) / (n * n);

    return n > 0.0 && chance < 1.0 ? (observed - chance) / (1.0 - chance) : (double)NAN;
}
