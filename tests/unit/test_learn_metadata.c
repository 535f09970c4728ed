/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_learn_metadata.c
 * Cells to features: numbers, words, empty cells, what training never saw.
 */
#include "support.h"
#include "learn/metadata.h"
#include <math.h>

static void numbers__are_read_as_tables_of_ct_write_them(void **state)
{
    static const struct {
        const char *cell;
        double      value;
    } good[] = {{"3", 3},   {"-0.5", -0.5}, {"036Y", 36}, {"006M", 0.5}, {"[0.75, 0.7]", 0.75},
                {"[2]", 2}, {"1e3", 1000}};
    static const char *const bad[] = {"", "Y", "B60f", "[x]", "[]", "1.2.840", "3 mm", "['SIEMENS']"};
    double                   x;

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(good); i++)
        if (!rvl_metadata_number(&x, good[i].cell) || !(fabs(x - good[i].value) < 1e-12))
            fail_msg("'%s' is not %g", good[i].cell, good[i].value);
    for (size_t i = 0; i < RVL_ARRAY_LEN(bad); i++)
        if (rvl_metadata_number(&x, bad[i]))
            fail_msg("'%s' is a number", bad[i]);
}

static void features__have_mean_0_and_variance_1(void **state)
{
    static const char *const names[] = {"age", "kernel", "same", "none"};
    static const char *const train[] = {"040Y", "B60f", "x", "", "060Y", "B60f", "x", "",
                                        "",     "B30f", "x", "", "020Y", "B30f", "x", ""};
    static const char *const test[] = {"", "B99", "y", "1", "abc", "B60f", "x", ""};
    const rvl_metadata       t = {4, 4, names, train}, u = {2, 4, names, test};
    rvl_metadata_coder      *c;
    double                   x[4 * 5], y[2 * 5];

    (void)state;
    OK(rvl_metadata_coder_new(&c, &t, &err));
    assert_int_equal(rvl_metadata_width(c), 5); /* age, its square, whether it is empty, two kernels */
    assert_true(rvl_metadata_uses(c, 0) && rvl_metadata_uses(c, 1) && !rvl_metadata_uses(c, 2) &&
                !rvl_metadata_uses(c, 3));
    rvl_metadata_encode(x, c, &t);
    for (int j = 0; j < 5; j++) {
        double sum = 0, squares = 0;
        for (int i = 0; i < 4; i++) {
            sum += x[i * 5 + j];
            squares += x[i * 5 + j] * x[i * 5 + j];
        }
        assert_true(fabs(sum) < 1e-12 && fabs(squares - 4) < 1e-12);
    }
    assert_true(fabs(x[0]) < 1e-12 && x[5] > 0 && fabs(x[10]) < 1e-12 &&
                x[15] < 0); /* an empty cell is given the mean, 40 */
    assert_true(x[12] > 1 && x[2] < 0);
    rvl_metadata_encode(y, c, &u);
    assert_true(fabs(y[0]) < 1e-12 && fabs(y[5]) < 1e-12 && y[2] > 1 &&
                y[7] > 1); /* no number among numbers is empty */
    assert_true(y[3] == x[0 + 3] || y[3] == x[10 + 3]);
    assert_true(y[3] < 0 && y[4] < 0); /* a kernel that training never saw */
    assert_true(y[5 + 3] * y[5 + 4] < 0);
    rvl_metadata_coder_free(c);
}

static void words__are_the_most_frequent_twelve(void **state)
{
    static const char *const names[] = {"word"};
    const char              *cells[60];
    char                     text[20][8];
    rvl_metadata_coder      *c;
    const rvl_metadata       t = {60, 1, names, cells};

    (void)state;
    for (int i = 0; i < 60; i++) {
        snprintf(text[i % 20], sizeof text[0], "w%d", i % 20);
        cells[i] = text[i % 20];
    }
    OK(rvl_metadata_coder_new(&c, &t, &err));
    assert_int_equal(rvl_metadata_width(c), 12);
    rvl_metadata_coder_free(c);
    const rvl_metadata none = {0, 1, names, cells};
    OK(rvl_metadata_coder_new(&c, &none, &err));
    assert_int_equal(rvl_metadata_width(c), 0);
    rvl_metadata_coder_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers__are_read_as_tables_of_ct_write_them),
        cmocka_unit_test(features__have_mean_0_and_variance_1),
        cmocka_unit_test(words__are_the_most_frequent_twelve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
