/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_learn_schedule.c
 * The learning rate by step: its named points, its shape, its edges.
 */
#include "support.h"
#include "learn/schedule.h"
#include <math.h>

static void close_to(double have, double want)
{
    if (!(fabs(have - want) < 1e-15))
        fail_msg("%.17g is not %.17g", have, want);
}

static void warm_up__is_a_line_that_ends_at_the_peak(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 10; i++)
        close_to(rvl_schedule_lr(0.5, 0, 0.1, i, 100), 0.05 * (double)(i + 1));
}

static void cosine__starts_at_the_peak_and_is_halved_half_way(void **state)
{
    (void)state;
    close_to(rvl_schedule_lr(0.5, 0, 0.1, 10, 100), 0.5);
    close_to(rvl_schedule_lr(0.5, 0, 0.1, 55, 100), 0.25);
    close_to(rvl_schedule_lr(0.5, 0, 0.1, 40, 100), 0.375); /* a third of the way: (1 + cos 60) / 2 = 3 / 4 */
    close_to(rvl_schedule_lr(0.5, 0, 0.1, 70, 100), 0.125);
}

static void cosine__ends_at_the_floor(void **state)
{
    (void)state;
    close_to(rvl_schedule_lr(0.5, 0.1, 0, 0, 100), 0.5);
    close_to(rvl_schedule_lr(0.5, 0.1, 0, 50, 100), 0.3);
    close_to(rvl_schedule_lr(0.5, 0.1, 0, 100, 100), 0.1);
    close_to(rvl_schedule_lr(0.5, 0.1, 0.1, 0, 100), 0.05); /* warm-up still begins low */
}

static void cosine__falls_and_stays_positive(void **state)
{
    (void)state;
    for (int64_t i = 10; i < 99; i++)
        assert_true(rvl_schedule_lr(1, 0, 0.1, i + 1, 100) < rvl_schedule_lr(1, 0, 0.1, i, 100));
    assert_true(rvl_schedule_lr(1, 0, 0.1, 99, 100) > 0);
}

static void schedule__has_no_bad_value_in_short_runs(void **state)
{
    const double warmups[] = {0, 0.05, 0.5, 1};

    (void)state;
    for (int64_t n = 1; n <= 4; n++)
        for (size_t w = 0; w < 4; w++)
            for (int64_t i = 0; i < n; i++) {
                double lr = rvl_schedule_lr(1, 0, warmups[w], i, n);
                assert_true(lr > 0 && lr <= 1);
            }
    close_to(rvl_schedule_lr(1, 0, 0, 0, 8), 1);
    close_to(rvl_schedule_lr(1, 0, 1, 7, 8), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warm_up__is_a_line_that_ends_at_the_peak),
        cmocka_unit_test(cosine__starts_at_the_peak_and_is_halved_half_way),
        cmocka_unit_test(cosine__ends_at_the_floor),
        cmocka_unit_test(cosine__falls_and_stays_positive),
        cmocka_unit_test(schedule__has_no_bad_value_in_short_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
