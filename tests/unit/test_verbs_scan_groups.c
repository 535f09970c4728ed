/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_verbs_scan_groups.c
 * Names of volumes and what reconstructions of one scan become.
 */
#include "support.h"
#include "verbs/scan_groups.h"
#include <math.h>

static void names__are_split_patient_scan_reconstruction(void **state)
{
    static const char *const wrong[] = {"",
                                        "valid",
                                        "valid_53_a",
                                        "valid_53_1",
                                        "53_a_1",
                                        "_53_a_1",
                                        "valid_53_a_",
                                        "valid_x_a_1",
                                        "valid_53_1_1",
                                        "valid_53_a_1x",
                                        "a/b/c_1",
                                        "valid__a_1",
                                        "valid_53__1",
                                        "valid_53_a_99999999999999999999"};
    rvl_volume_name          v;

    (void)state;
    assert_true(rvl_volume_name_parse(&v, "train_fixed/train_7/train_7_b/train_7_b_12.nii.gz"));
    assert_string_equal(v.base, "train_7_b_12.nii.gz");
    assert_int_equal(v.n_scan, strlen("train_7_b"));
    assert_int_equal(v.n_patient, strlen("train_7"));
    assert_int_equal(v.recon, 12);
    assert_true(rvl_volume_name_parse(&v, "valid_53_a_1"));
    for (size_t i = 0; i < RVL_ARRAY_LEN(wrong); i++)
        if (rvl_volume_name_parse(&v, wrong[i]))
            fail_msg("'%s' is taken", wrong[i]);
}

static const char *const names[] = {"v_1_a_2", "v_2_a_1", "v_1_a_1", "v_1_b_1", "v_1_a_3"};

static void scans__are_means_or_their_first(void **state)
{
    double          x[] = {3, 30, 5, 50, 6, 60, 7, 70, 9, 90}, y[10], scratch[10];
    uint8_t         shared[] = {4, 5, 4, 6, 4};
    rvl_scan_groups g;

    (void)state;
    memcpy(y, x, sizeof y);
    OK(rvl__scan_groups_make(&g, names, 5, "scan", "test", &err));
    assert_int_equal(g.n_groups, 3);
    assert_int_equal(g.n_patients, 2);
    assert_true(g.patient[0] == g.patient[2] && g.patient[0] != g.patient[1]);
    assert_true(g.first[0] == 2 && g.first[1] == 1 && g.first[2] == 3 && g.size[0] == 3);
    rvl__scan_means(&g, x, 2, scratch);
    assert_true(fabs(x[0] - 6) < 1e-15 && fabs(x[1] - 60) < 1e-14 && x[2] == 5 && x[4] == 7 && x[5] == 70);
    assert_int_equal(rvl__scan_shared(&g, shared, 1), -1);
    assert_true(shared[0] == 4 && shared[1] == 5 && shared[2] == 6);
    rvl__scan_groups_fini(&g);
    OK(rvl__scan_groups_make(&g, names, 5, "scan-first", "test", &err));
    rvl__scan_means(&g, y, 2, scratch);
    assert_true(y[0] == 6 && y[1] == 60 && y[2] == 5 && y[4] == 7);
    const uint8_t differs[] = {4, 5, 4, 6, 3};
    memcpy(shared, differs, sizeof shared);
    assert_int_equal(rvl__scan_shared(&g, shared, 1), 4);
    rvl__scan_groups_fini(&g);
}

static void embeddings__of_a_scan_weigh_the_same_whatever_their_length(void **state)
{
    float           x[] = {10, 0, 0, 1, 0, 1, 1, 1, 0, 1}, y[10];
    double          scratch[10];
    rvl_scan_groups g;

    (void)state;
    memcpy(y, x, sizeof y);
    OK(rvl__scan_groups_make(&g, names, 5, "scan", "test", &err));
    rvl__scan_mean_embeddings(&g, x, 2, true, scratch);
    assert_true(fabs((double)x[0] - 1.0 / 3) < 1e-7 && fabs((double)x[1] - 2.0 / 3) < 1e-7);
    rvl__scan_mean_embeddings(&g, y, 2, false, scratch);
    assert_true(fabs((double)y[0] - 10.0 / 3) < 1e-6 && fabs((double)y[1] - 2.0 / 3) < 1e-7 && y[3] == 1);
    rvl__scan_groups_fini(&g);
}

static void names__of_another_form_are_refused_by_row(void **state)
{
    const char *const bad[] = {"v_1_a_1", "other"};
    rvl_scan_groups   g;
    rvl_error         err = {0};

    (void)state;
    assert_int_equal(rvl__scan_groups_make(&g, bad, 2, "scan", "table", &err), RVL_ERR_FORMAT);
    assert_non_null(strstr(err.text, "table row 2"));
    rvl__scan_groups_fini(&g);
    assert_int_equal(rvl__scan_groups_make(&g, names, 5, "each", "table", NULL), RVL_ERR_USAGE);
    rvl__scan_groups_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names__are_split_patient_scan_reconstruction),
        cmocka_unit_test(scans__are_means_or_their_first),
        cmocka_unit_test(embeddings__of_a_scan_weigh_the_same_whatever_their_length),
        cmocka_unit_test(names__of_another_form_are_refused_by_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
