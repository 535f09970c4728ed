/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_measure_paired.c
 * Paired tests and kappa against tests/golden/paired.py.
 */
#include "support.h"
#include "measure/paired.h"
#include <math.h>

enum { COUNT = 40 };

static void near(double got, double want)
{
    if (!(fabs(got - want) < 1e-9 * (1.0 + fabs(want))))
        fail_msg("got %.12g, want %.12g", got, want);
}

static void delong__equals_the_definition(void **state)
{
    double     a[COUNT];
    double     b[COUNT];
    uint8_t    truth[COUNT];
    rvl_delong d;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        truth[i] = (i * 7 + 3) % 5 < 2;
        a[i] = (i * 37 % 23) / 23.0 + 0.3 * truth[i];
        b[i] = (i * 17 % 8) / 8.0 + 0.2 * truth[i];
    }
    OK(rvl_delong_test(&d, a, b, truth, COUNT, &err));
    near(d.auroc_a, 0.9453125);
    near(d.auroc_b, 0.671875);
    near(d.difference, 0.2734375);
    near(d.standard_error, 0.0950297201292);
    near(d.p, 0.00400980570549);
    OK(rvl_delong_test(&d, a, a, truth, COUNT, &err));
    assert_true(isnan(d.p));
    memset(truth, 1, sizeof truth);
    OK(rvl_delong_test(&d, a, b, truth, COUNT, &err));
    assert_true(isnan(d.auroc_a) && isnan(d.p));
}

static void mcnemar__is_exact(void **state)
{
    (void)state;
    near(rvl_mcnemar_exact(0, 0), 1.0);
    near(rvl_mcnemar_exact(1, 0), 1.0);
    near(rvl_mcnemar_exact(5, 1), 0.21875);
    near(rvl_mcnemar_exact(10, 25), 0.0166738478001);
    near(rvl_mcnemar_exact(240, 200), 0.0628687178462);
}

static void kappa__of_the_textbook(void **state)
{
    (void)state;
    near(rvl_cohen_kappa(20, 5, 15, 10), 0.4);
    near(rvl_cohen_kappa(7, 0, 3, 0), 1.0);
    assert_true(isnan(rvl_cohen_kappa(7, 0, 0, 0)));
    assert_true(isnan(rvl_cohen_kappa(0, 0, 0, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delong__equals_the_definition),
        cmocka_unit_test(mcnemar__is_exact),
        cmocka_unit_test(kappa__of_the_textbook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
