/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_measure_binary.c
 * Binary metrics: against scikit-learn, closed forms, shuffles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "golden/metrics.h"
#include "measure/metrics.h"
#include <math.h>

enum { MAX = 512 };

typedef struct {
    double     score[MAX], weight[MAX];
    uint8_t    truth[MAX];
    rvl_binary task;
} drawn;

/* As tests/golden/metrics.py draws case c. */
static void draw(drawn *d, int c)
{
    rvl_rng       r[3];
    const int64_t n = (int64_t)golden_metrics[c][0];
    const double  levels = golden_metrics[c][1];

    for (int s = 0; s < 3; s++)
        r[s] = rvl_rng_make((uint64_t)(100 + c), (uint64_t)(s + 1));
    for (int64_t i = 0; i < n; i++) {
        double x = rvl_rng_uniform(&r[0]);
        d->score[i] = levels > 0 ? floor(x * levels) / levels : x;
        d->truth[i] = rvl_rng_uniform(&r[1]) < 0.3 + 0.4 * d->score[i];
        d->weight[i] = golden_metrics[c][2] > 0 ? floor(rvl_rng_uniform(&r[2]) * 4) : 1;
    }
    d->task = (rvl_binary){n, d->score, d->truth, d->weight};
}

static void metrics__equal_scikit_learn(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof golden_metrics / sizeof golden_metrics[0]; c++) {
        static drawn  d;
        double        v;
        double        ece;
        rvl_confusion at;
        draw(&d, (int)c);
        assert_int_equal(rvl_auroc(&v, &d.task, NULL), RVL_OK);
        assert_true(fabs(v - golden_metrics[c][3]) < 1e-12);
        assert_int_equal(rvl_average_precision(&v, &d.task, NULL), RVL_OK);
        assert_true(fabs(v - golden_metrics[c][4]) < 1e-12);
        rvl_confusion_at(&at, &d.task, 0.5);
        assert_true(fabs(at.precision - golden_metrics[c][5]) < 1e-12);
        assert_true(fabs(at.recall - golden_metrics[c][6]) < 1e-12);
        assert_true(fabs(at.f1 - golden_metrics[c][7]) < 1e-12);
        assert_true(fabs(at.balanced_accuracy - golden_metrics[c][8]) < 1e-12);
        rvl_calibration(&v, &ece, NULL, NULL, NULL, &d.task, 10);
        assert_true(fabs(v - golden_metrics[c][9]) < 1e-12);
    }
}

static void metrics__do_not_depend_on_order(void **state)
{
    static drawn d;
    static drawn e;
    int64_t      order[MAX];
    double       a;
    double       b;
    rvl_rng      r = rvl_rng_make(1, 2);

    (void)state;
    draw(&d, 2);
    for (int64_t i = 0; i < d.task.n; i++)
        order[i] = i;
    rvl_rng_shuffle(&r, order, d.task.n);
    for (int64_t i = 0; i < d.task.n; i++) {
        e.score[i] = d.score[order[i]];
        e.truth[i] = d.truth[order[i]];
        e.weight[i] = d.weight[order[i]];
    }
    e.task = (rvl_binary){d.task.n, e.score, e.truth, e.weight};
    assert_int_equal(rvl_auroc(&a, &d.task, NULL), RVL_OK);
    assert_int_equal(rvl_auroc(&b, &e.task, NULL), RVL_OK);
    assert_true(fabs(a - b) < 1e-15);
    assert_int_equal(rvl_average_precision(&a, &d.task, NULL), RVL_OK);
    assert_int_equal(rvl_average_precision(&b, &e.task, NULL), RVL_OK);
    assert_true(fabs(a - b) < 1e-13);
}

static void auroc__is_one_half_for_constants_and_nan_for_one_class(void **state)
{
    const double  same[] = {0.2, 0.2, 0.2, 0.2};
    const uint8_t mixed[] = {0, 1, 1, 0};
    const uint8_t ones[] = {1, 1, 1, 1};
    double        v;

    (void)state;
    assert_int_equal(rvl_auroc(&v, &(rvl_binary){4, same, mixed, NULL}, NULL), RVL_OK);
    assert_true(v == 0.5);
    assert_int_equal(rvl_auroc(&v, &(rvl_binary){4, same, ones, NULL}, NULL), RVL_OK);
    assert_true(isnan(v));
}

static void auroc__refuses_scores_that_are_not_finite(void **state)
{
    const double  bad[] = {0.2, NAN};
    const uint8_t truth[] = {0, 1};
    const double  without[] = {1, 0};
    double        v;

    (void)state;
    assert_int_equal(rvl_auroc(&v, &(rvl_binary){2, bad, truth, NULL}, NULL), RVL_ERR_NUMERIC);
    assert_int_equal(rvl_auroc(&v, &(rvl_binary){2, bad, truth, without}, NULL), RVL_OK);
}

static void threshold__maximises_f1(void **state)
{
    static drawn  d;
    rvl_confusion at;
    double        best;
    double        chosen;

    (void)state;
    draw(&d, 3);
    assert_int_equal(rvl_best_f1_threshold(&best, &d.task, NULL), RVL_OK);
    rvl_confusion_at(&at, &d.task, best);
    chosen = at.f1;
    for (int64_t i = 0; i < d.task.n; i++) {
        rvl_confusion_at(&at, &d.task, d.score[i]);
        assert_true(at.f1 <= chosen + 1e-15);
    }
}

static void calibration__of_a_perfect_forecast_is_zero(void **state)
{
    const double  p[] = {0.25, 0.25, 0.25, 0.25, 0.75, 0.75, 0.75, 0.75};
    const uint8_t y[] = {1, 0, 0, 0, 1, 1, 1, 0};
    double        brier;
    double        ece;
    double        n[10];

    (void)state;
    rvl_calibration(&brier, &ece, NULL, NULL, n, &(rvl_binary){8, p, y, NULL}, 10);
    assert_true(fabs(ece) < 1e-15);
    assert_true(fabs(brier - 0.1875) < 1e-15); /* p (1 - p) */
    assert_true(n[2] == 4 && n[7] == 4);
}

static void threshold__is_the_lowest_of_equal_ones(void **state)
{
    /* at 0.9: 2 * 1 / (2 + 0 + 1), at 0.6: 2 * 2 / (4 + 2), both 2/3 */
    const double  score[] = {0.9, 0.8, 0.7, 0.6};
    const uint8_t truth[] = {1, 0, 0, 1};
    double        v;

    (void)state;
    assert_int_equal(rvl_best_f1_threshold(&v, &(rvl_binary){4, score, truth, NULL}, NULL), RVL_OK);
    assert_true(v == 0.6);
}

static void calibration__sums_distances_of_both_signs(void **state)
{
    /* too low in the first bin, too high in the last: |0.1 - 1| and |2.9 - 2| over five cases */
    const double  p[] = {0.05, 0.05, 0.95, 0.95, 1};
    const uint8_t y[] = {1, 0, 1, 0, 1};
    double        brier, ece, mean[10], share[10], n[10];

    (void)state;
    rvl_calibration(&brier, &ece, mean, share, n, &(rvl_binary){5, p, y, NULL}, 10);
    assert_true(fabs(ece - (0.9 + 0.9) / 5) < 1e-12);
    assert_true(n[0] == 2 && n[9] == 3);
    assert_true(fabs(mean[9] - 2.9 / 3) < 1e-12 && fabs(share[9] - 2.0 / 3) < 1e-12);
    assert_true(isnan(mean[4]));
}

static void confusion__follows_its_definitions(void **state)
{
    const double  score[] = {0.9, 0.8, 0.7, 0.2, 0.1, 0.1};
    const uint8_t truth[] = {1, 1, 0, 1, 0, 0};
    const uint8_t none[] = {0, 0, 0, 0, 0, 0};
    rvl_confusion c;

    (void)state;
    rvl_confusion_at(&c, &(rvl_binary){6, score, truth, NULL}, 0.7);
    assert_true(c.tp == 2 && c.fp == 1 && c.fn == 1 && c.tn == 2);
    assert_true(fabs(c.accuracy - 4.0 / 6) < 1e-15 && fabs(c.specificity - 2.0 / 3) < 1e-15);
    rvl_confusion_at(&c, &(rvl_binary){6, score, none, NULL}, 2);
    assert_true(isnan(c.precision) && isnan(c.recall) && isnan(c.f1) && c.specificity == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics__equal_scikit_learn),
        cmocka_unit_test(metrics__do_not_depend_on_order),
        cmocka_unit_test(auroc__is_one_half_for_constants_and_nan_for_one_class),
        cmocka_unit_test(auroc__refuses_scores_that_are_not_finite),
        cmocka_unit_test(threshold__maximises_f1),
        cmocka_unit_test(calibration__of_a_perfect_forecast_is_zero),
        cmocka_unit_test(threshold__is_the_lowest_of_equal_ones),
        cmocka_unit_test(calibration__sums_distances_of_both_signs),
        cmocka_unit_test(confusion__follows_its_definitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
