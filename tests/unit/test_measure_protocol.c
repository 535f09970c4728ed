/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_measure_protocol.c
 * Published dialects against scikit-learn (tests/golden/protocols.py), by hand, and on degenerate classes.
 */
#include "support.h"
#include "base/rng.h"
#include "measure/protocol.h"
#include <math.h>
#include "golden/protocols.h"

enum { MAX_N = 500, MAX_K = 18 };

typedef struct {
    double  score[MAX_K][MAX_N];
    uint8_t truth[MAX_K][MAX_N];
} cohort;

/* As tests/golden/protocols.py draws case c. */
static void draw(cohort *out, size_t c)
{
    const int levels = protocol_cases[c].levels, k = protocol_cases[c].k;
    rvl_rng   r[2] = {rvl_rng_make(700 + c, 1), rvl_rng_make(700 + c, 2)};

    for (int i = 0; i < protocol_cases[c].n; i++) {
        for (int j = 0; j < k; j++) {
            const double u = rvl_rng_uniform(&r[0]);
            const double score = levels == 1 ? 0.5 : levels ? floor(u * levels) / (levels - 1) : u;
            const double share = 0.1 + 0.6 * j / k;
            out->score[j][i] = score;
            out->truth[j][i] = rvl_rng_uniform(&r[1]) < share * (0.4 + score);
            if (protocol_cases[c].degenerate && j == 0)
                out->truth[j][i] = 0;
        }
    }
}

static void same(double got, double want, const char *what, size_t c, int j)
{
    if (isnan(want) ? !isnan(got) : !(fabs(got - want) < 1e-12))
        fail_msg("case %zu class %d %s: %.17g is not %.17g", c, j, what, got, want);
}

static void dialects__equal_scikit_learn(void **state)
{
    static cohort x;
    const double *want = protocol_values[0];

    (void)state;
    for (size_t c = 0; c < RVL_ARRAY_LEN(protocol_cases); c++) {
        const int n = protocol_cases[c].n, k = protocol_cases[c].k;
        double    auroc[MAX_K], tp = 0, fn = 0, fp = 0;
        draw(&x, c);
        for (int j = 0; j < k; j++, want += 9) {
            const rvl_binary task = {n, x.score[j], x.truth[j], NULL};
            rvl_ct_clip      a;
            rvl_vlm3d        b;
            rvl_confusion    at;
            rvl_ct_clip_measure(&a, &task);
            rvl_vlm3d_measure(&b, &task);
            rvl_confusion_at(&at, &task, 0.5);
            tp += at.tp;
            fn += at.fn;
            fp += at.fp;
            assert_int_equal(rvl_auroc(&auroc[j], &task, NULL), RVL_OK);
            same(a.threshold, want[0], "threshold", c, j);
            same(a.f1_weighted, want[1], "weighted F1", c, j);
            same(a.precision, want[2], "precision", c, j);
            same(a.accuracy, want[3], "accuracy", c, j);
            same(b.precision, want[4], "precision at 0.5", c, j);
            same(b.recall, want[5], "recall at 0.5", c, j);
            same(b.f1, want[6], "F1 at 0.5", c, j);
            same(b.accuracy, want[7], "accuracy at 0.5", c, j);
            same(auroc[j], want[8], "AUROC", c, j);
        }
        same(rvl_macro_mean(auroc, 1, NULL, k, RVL_MACRO_DEFINED), protocol_cases[c].macro_auroc, "macro", c, -1);
        same(rvl_macro_mean(auroc, 1, NULL, k, RVL_MACRO_ZERO), protocol_cases[c].macro_auroc_fvlm, "fVLM", c, -1);
        same(rvl_crg(tp, fn, fp, (double)n * k, tp + fn), protocol_cases[c].crg, "CRG", c, -1);
    }
}

static void thresholds__are_the_last_of_the_nearest_and_strict(void **state)
{
    const double     score[] = {0, 0.2, 0.6, 1}, weight[] = {3, 1, 1, 2};
    const uint8_t    truth[] = {0, 0, 1, 1};
    const rvl_binary task = {4, score, truth, NULL}, weighed = {4, score, truth, weight};
    rvl_ct_clip      m;

    (void)state;
    /* 0.6 is right from 0.2 on and below 0.6: 59/99 is the last such value */
    rvl_ct_clip_measure(&m, &task);
    same(m.threshold, 59.0 / 99, "threshold", 0, 0);
    assert_true(m.f1_weighted == 1 && m.precision == 1 && m.accuracy == 1);
    rvl_ct_clip_measure(&m, &weighed);
    same(m.threshold, 59.0 / 99, "threshold", 0, 0);
    /* a score of 0 lies above no threshold, and one of 1 not above the last */
    rvl_ct_clip_measure(&m, &(rvl_binary){2, (const double[]){0, 1}, (const uint8_t[]){0, 1}, NULL});
    same(m.threshold, 98.0 / 99, "threshold", 0, 0);
    /* a constant: nothing called present (distance 1) is as near as everything; the last threshold stays */
    rvl_ct_clip_measure(&m, &(rvl_binary){3, (const double[]){.5, .5, .5}, (const uint8_t[]){0, 0, 1}, NULL});
    same(m.threshold, 1, "threshold", 0, 0);
    assert_true(m.precision == 0 && fabs(m.accuracy - 2.0 / 3) < 1e-15);
    same(m.f1_weighted, 2.0 / 3 * 0.8, "weighted F1", 0, 0);
}

static void classes__of_one_kind_follow_the_rule_of_each_dialect(void **state)
{
    const double  score[] = {0.1, 0.2, 0.7}, values[] = {0.5, NAN, 1};
    const uint8_t absent[] = {0, 0, 0};
    const bool    include[] = {true, true, false};
    rvl_ct_clip   a;
    rvl_vlm3d     b;

    (void)state;
    rvl_ct_clip_measure(&a, &(rvl_binary){3, score, absent, NULL});
    assert_true(isnan(a.threshold) && isnan(a.f1_weighted) && isnan(a.precision) && isnan(a.accuracy));
    rvl_vlm3d_measure(&b, &(rvl_binary){3, score, absent, NULL});
    assert_true(b.precision == 0 && b.recall == 0 && b.f1 == 0 && fabs(b.accuracy - 2.0 / 3) < 1e-15);
    rvl_vlm3d_measure(&b, &(rvl_binary){0, score, absent, NULL});
    assert_true(isnan(b.precision) && isnan(b.accuracy));
    assert_true(rvl_macro_mean(values, 1, NULL, 3, RVL_MACRO_DEFINED) == 0.75);
    assert_true(rvl_macro_mean(values, 1, NULL, 3, RVL_MACRO_ZERO) == 0.5);
    assert_true(rvl_macro_mean(values, 1, include, 3, RVL_MACRO_ZERO) == 0.25);
    assert_true(rvl_macro_mean(values, 2, NULL, 2, RVL_MACRO_DEFINED) == 0.75);
    assert_true(isnan(rvl_macro_mean(values + 1, 1, NULL, 1, RVL_MACRO_DEFINED)));
}

static void crg__of_known_callers(void **state)
{
    (void)state;
    assert_true(rvl_crg(10, 0, 0, 100, 10) == 1);
    assert_true(fabs(rvl_crg(0, 10, 0, 100, 10) - 1.0 / 3) < 1e-15);  /* says nothing */
    assert_true(fabs(rvl_crg(10, 0, 90, 100, 10) - 1.0 / 3) < 1e-15); /* says everything: s = -U */
    assert_true(isnan(rvl_crg(0, 0, 5, 100, 0)));
    assert_true(rvl_crg(10, 0, 0, 10, 10) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialects__equal_scikit_learn),
        cmocka_unit_test(thresholds__are_the_last_of_the_nearest_and_strict),
        cmocka_unit_test(classes__of_one_kind_follow_the_rule_of_each_dialect),
        cmocka_unit_test(crg__of_known_callers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
