/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_learn_logistic.c
 * Logistic regression: scikit-learn's coefficients (tests/golden/logistic.py), cases that are solved by hand, refusals.
 */
#include "support.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "golden/logistic.h"
#include "learn/logistic.h"
#include <math.h>

/* The arrays of a golden case, in one block that starts with x. */
static double *draw(rvl_logistic_data *d, size_t i_case)
{
    const int  n = logistic_golden[i_case].n;
    const int  f = logistic_golden[i_case].f;
    const bool is_soft = logistic_golden[i_case].soft;
    double    *x = rvl_alloc_array((size_t)n * ((size_t)f + 2), sizeof *x);
    double    *y = x + n * f;
    double    *s = y + n;
    rvl_rng streams[] = {rvl_rng_make(300 + i_case, 1), rvl_rng_make(300 + i_case, 2), rvl_rng_make(300 + i_case, 3)};

    assert_non_null(x);
    for (int i = 0; i < n * f; i++)
        x[i] = rvl_rng_normal(&streams[0]) * (1 + (i % f) / 4.0);
    for (int i = 0; i < n; i++) {
        const double z = x[i * f] - x[i * f + 1] / 2 - 0.5;
        y[i] = rvl_rng_uniform(&streams[1]) < 1 / (1 + exp(-z)) ? 1 : 0;
        s[i] = logistic_golden[i_case].weighted ? floor(rvl_rng_uniform(&streams[2]) * 4) : 1;
        if (is_soft && i % 5 == 0)
            y[i] = 0.5;
    }
    *d = (rvl_logistic_data){n, f, x, y, s};
    return x;
}

static void fit__gives_scikit_learns_coefficients(void **state)
{
    (void)state;
    for (size_t c = 0; c < RVL_ARRAY_LEN(logistic_golden); c++) {
        rvl_logistic_data d;
        double           *x = draw(&d, c);
        double            coef[71] = {0};
        rvl_error         err = {0};
        if (rvl_logistic_fit(coef, &d, 1 / logistic_golden[c].c, &err))
            fail_msg("case %zu: %s", c, err.text);
        for (int k = 0; k <= d.f; k++)
            if (!(fabs(coef[k] - logistic_golden[c].coef[k]) < 1e-6))
                fail_msg("case %zu, coefficient %d: %.9g is not %.9g", c, k, coef[k], logistic_golden[c].coef[k]);
        rvl_free(x);
    }
}

static void fit__does_not_depend_on_the_start(void **state)
{
    rvl_logistic_data d;
    double           *x = draw(&d, 1);
    double            a[6] = {0};
    double            b[6] = {30, -30, 5, 1, 2, -40}; /* far out, where every row is flat */

    (void)state;
    assert_int_equal(rvl_logistic_fit(a, &d, 0.001, NULL), RVL_OK);
    assert_int_equal(rvl_logistic_fit(b, &d, 0.001, NULL), RVL_OK);
    for (int k = 0; k < 6; k++)
        assert_true(fabs(a[k] - b[k]) < 1e-9);
    rvl_free(x);
}

/* Without information the intercept is the log odds of the weights. */
static void fit__of_constant_features_gives_the_log_odds(void **state)
{
    const double            x[8] = {0}, y[4] = {1, 0, 0, 1}, s[4] = {3, 1, 0, 2};
    const rvl_logistic_data d = {4, 2, x, y, s};
    double                  coef[3] = {0};
    double                  z[4];

    (void)state;
    assert_int_equal(rvl_logistic_fit(coef, &d, 1, NULL), RVL_OK);
    assert_true(coef[0] == 0 && coef[1] == 0);
    assert_true(fabs(coef[2] - log(5)) < 1e-12);
    rvl_logistic_scores(z, coef, &d);
    assert_true(fabs(z[3] - log(5)) < 1e-12);
    /* five sixths of the weight at p = 5/6 */
    assert_true(fabs(rvl_logistic_loss(coef, &d) + 5.0 / 6 * log(5.0 / 6) + 1.0 / 6 * log(1.0 / 6)) < 1e-12);
}

static void fit__of_separable_rows_is_bounded_by_lambda(void **state)
{
    const double            x[4] = {-2, -1, 1, 2}, y[4] = {0, 0, 1, 1}, s[4] = {1, 1, 1, 1};
    const rvl_logistic_data d = {4, 1, x, y, s};
    double                  coef[2] = {0};

    (void)state;
    assert_int_equal(rvl_logistic_fit(coef, &d, 1e-6, NULL), RVL_OK);
    /* by symmetry b = 0, and lambda w = 2 (1 / (1 + e^w) + 2 / (1 + e^2w)) */
    const double w = coef[0];
    assert_true(w > 5 && fabs(coef[1]) < 1e-9);
    assert_true(fabs(1e-6 * w - 2 * (1 / (1 + exp(w)) + 2 / (1 + exp(2 * w)))) < 1e-12);
}

static void fit__refuses_what_has_no_minimum(void **state)
{
    double            x[4] = {-2, -1, 1, 2}, y[4] = {1, 1, 1, 1}, s[4] = {1, 1, 1, 1};
    rvl_logistic_data d = {4, 1, x, y, s};
    double            coef[2] = {0};
    rvl_error         err = {0};

    (void)state;
    assert_int_equal(rvl_logistic_fit(coef, &d, 1, &err), RVL_ERR_NUMERIC);
    assert_non_null(strstr(err.text, "one class"));
    y[0] = 0;
    s[0] = 0; /* does not count */
    assert_int_equal(rvl_logistic_fit(coef, &d, 1, NULL), RVL_ERR_NUMERIC);
    s[0] = 1;
    assert_int_equal(rvl_logistic_fit(coef, &d, 0, NULL), RVL_ERR_USAGE);
    x[2] = NAN;
    assert_int_equal(rvl_logistic_fit(coef, &d, 1, &err), RVL_ERR_NUMERIC);
    assert_non_null(strstr(err.text, "row 2"));
    s[1] = s[0] = s[2] = s[3] = 0;
    assert_true(isnan(rvl_logistic_loss(coef, &d)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fit__gives_scikit_learns_coefficients),
        cmocka_unit_test(fit__does_not_depend_on_the_start),
        cmocka_unit_test(fit__of_constant_features_gives_the_log_odds),
        cmocka_unit_test(fit__of_separable_rows_is_bounded_by_lambda),
        cmocka_unit_test(fit__refuses_what_has_no_minimum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
