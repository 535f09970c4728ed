/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_imaging_hu.c
 * The rules H1 to H7 of imaging/hu.c, on a made chest and on the CT volumes of the data pack.
 */
#include "support.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "imaging/hu.h"
#include "imaging/nifti.h"
#include "imaging/resample.h"

#include <math.h>

enum { SIDE = 32, N = 8 * SIDE * SIDE };

/* A slab of a chest in HU: round body in air, two lungs, a spine, noise; what is outside the round field of view has
 * `padding`. Then v = (hu - intercept) / slope. */
static rvl_volume *chest(rvl_voxel_type type, double padding, double slope, double intercept)
{
    rvl_volume *v = NULL;
    rvl_rng     rng = rvl_rng_make(5, 5);

    assert_int_equal(rvl_volume_new(&v, type, 8, SIDE, SIDE, NULL), RVL_OK);
    for (int i = 0; i < N; i++) {
        const double x = (i % SIDE) - 15.5;
        const double y = (i / SIDE % SIDE) - 15.5;
        const double r = sqrt(x * x + y * y);
        double       hu = r > 16 ? padding : r > 13 ? -1000 : 40;
        if (r < 13 && (fabs(x) - 6) * (fabs(x) - 6) + y * y < 16)
            hu = -850;
        if (x * x + (y - 9) * (y - 9) < 4)
            hu = 700;
        if (r <= 16)
            hu = floor(hu + 5 * rvl_rng_normal(&rng));
        rvl_volume_set(v, i, (hu - intercept) / slope);
    }
    return v;
}

static rvl_status make(rvl_volume *v, rvl_hu_kind kind, const double *rescale, rvl_hu_report *report, rvl_error *err)
{
    const rvl_hu_opts opts = {.kind = kind,
                              .has_rescale = rescale != NULL,
                              .slope = rescale ? rescale[0] : 0,
                              .intercept = rescale ? rescale[1] : 0};
    memset(err, 0, sizeof *err);
    return rvl_hu_make(v, &opts, report, err);
}

/* Every voxel is the HU of the plain chest, padding air. */
static void assert_chest(const rvl_volume *v, double tolerance)
{
    rvl_volume *want = chest(RVL_VOXEL_I16, -1024, 1, 0);

    assert_int_equal(v->unit, RVL_UNIT_HU);
    assert_int_equal(v->modality, RVL_MODALITY_CT);
    for (int i = 0; i < N; i++)
        if (fabs(rvl_volume_at(v, i) - rvl_volume_at(want, i)) > tolerance)
            fail_msg("voxel %d is %g, not %g", i, rvl_volume_at(v, i), rvl_volume_at(want, i));
    rvl_volume_free(want);
}

static const double by_1024[] = {1, -1024};
static const double by_8192[] = {1, -8192};
static const double by_nothing[] = {1, 0};

static void h2__hu_is_never_rescaled_twice(void **state)
{
    static const double *const tables[] = {NULL, by_1024, by_8192, by_nothing};
    rvl_error                  err;
    rvl_hu_report              report;

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(tables); i++) { /* CT-RATE v2 beside its metadata table */
        rvl_volume *v = chest(RVL_VOXEL_I16, -1024, 1, 0);
        assert_int_equal(make(v, RVL_HU_AUTO, tables[i], &report, &err), RVL_OK);
        assert_int_equal(report.kind, RVL_HU_ALREADY);
        assert_false(report.was_rescaled);
        assert_true(report.is_plausible);
        assert_chest(v, 0);
        /* and once more: a volume that knows its unit stays as it is */
        assert_int_equal(make(v, RVL_HU_RAW, by_1024, &report, &err), RVL_OK);
        assert_chest(v, 0);
        rvl_volume_free(v);
    }
    rvl_volume *v = chest(RVL_VOXEL_I16, -1024, 1, 0);
    assert_int_equal(make(v, RVL_HU_RAW, by_1024, &report, &err), RVL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "HU already"));
    assert_int_equal(v->unit, RVL_UNIT_UNKNOWN);
    rvl_volume_free(v);
}

static void h3__raw_is_rescaled_once(void **state)
{
    static const double *const tables[] = {by_1024, by_8192};
    rvl_error                  err;
    rvl_hu_report              report;

    (void)state;
    for (int i = 0; i < 2; i++) { /* CT-RATE v1 is float; its padding is 0, which the intercept takes to itself */
        for (int type = 0; type < 2; type++) {
            rvl_volume *v = chest(type ? RVL_VOXEL_F32 : RVL_VOXEL_U16, tables[i][1], 1, tables[i][1]);
            assert_int_equal(make(v, type ? RVL_HU_AUTO : RVL_HU_RAW, tables[i], &report, &err), RVL_OK);
            assert_int_equal(report.kind, RVL_HU_RAW);
            assert_true(report.was_rescaled && report.is_plausible);
            assert_int_equal(v->type, RVL_VOXEL_I16);
            assert_chest(v, 0);
            rvl_volume_free(v);
        }
    }
    const double scaled[] = {0.5, -1000};
    rvl_volume  *v = chest(RVL_VOXEL_U16, -1000, 0.5, -1000);
    assert_int_equal(make(v, RVL_HU_AUTO, scaled, &report, &err), RVL_OK);
    assert_int_equal(v->type, RVL_VOXEL_F32);
    rvl_volume_free(v);
}

static void h3__raw_without_a_table_is_refused_with_the_shift(void **state)
{
    rvl_error   err;
    rvl_volume *v = chest(RVL_VOXEL_U16, -1024, 1, -1024);

    (void)state;
    assert_int_equal(make(v, RVL_HU_AUTO, NULL, NULL, &err), RVL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "--rescale 1,-1024"));
    assert_int_equal(make(v, RVL_HU_RAW, NULL, NULL, &err), RVL_ERR_USAGE);
    assert_int_equal(make(v, RVL_HU_ALREADY, by_1024, NULL, &err), RVL_ERR_UNSUPPORTED);
    assert_int_equal(v->type, RVL_VOXEL_U16);
    rvl_volume_free(v);
    v = chest(RVL_VOXEL_F32, -8192, 1, -8192);
    assert_int_equal(make(v, RVL_HU_AUTO, NULL, NULL, &err), RVL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "--rescale 1,-8192"));
    /* the wrong line of the table */
    assert_int_equal(make(v, RVL_HU_AUTO, by_1024, NULL, &err), RVL_ERR_UNSUPPORTED);
    rvl_volume_free(v);
    /* what a loader that rescales twice leaves */
    v = chest(RVL_VOXEL_I16, -1024, 1, 1024);
    assert_int_equal(make(v, RVL_HU_AUTO, NULL, NULL, &err), RVL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "rescaled twice, 1024 too low"));
    rvl_volume_free(v);
}

static void h4__thousandths_are_multiplied(void **state)
{
    rvl_error     err;
    rvl_hu_report report;
    rvl_volume   *v = chest(RVL_VOXEL_F32, -1024, 1000, 0);

    (void)state;
    assert_int_equal(make(v, RVL_HU_AUTO, by_1024, &report, &err), RVL_OK);
    assert_int_equal(report.kind, RVL_HU_THOUSANDTHS);
    assert_true(report.was_rescaled);
    assert_chest(v, 1e-3);
    rvl_volume_free(v);
}

static void h5__what_is_no_ct_stops_unless_a_flag_says_so(void **state)
{
    rvl_error     err;
    rvl_hu_report report;
    rvl_volume   *v = NULL;

    (void)state;
    assert_int_equal(rvl_volume_new(&v, RVL_VOXEL_U8, 4, 16, 16, NULL), RVL_OK);
    for (int i = 0; i < 1024; i++)
        rvl_volume_set(v, i, i % 200);
    assert_int_equal(make(v, RVL_HU_AUTO, NULL, &report, &err), RVL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "values of 0 to 199 do not look like CT"));
    assert_int_equal(make(v, RVL_HU_ALREADY, NULL, &report, &err), RVL_OK); /* a crop inside the liver */
    assert_false(report.is_plausible);
    assert_int_equal(v->unit, RVL_UNIT_HU);
    rvl_volume_free(v);
    v = chest(RVL_VOXEL_F32, -1024, 1, 0);
    rvl_volume_set(v, 7, NAN);
    assert_int_equal(make(v, RVL_HU_AUTO, NULL, &report, &err), RVL_ERR_NUMERIC);
    rvl_volume_set(v, 7, 0);
    assert_int_equal(make(v, RVL_HU_AUTO, (const double[]){0, 5}, &report, &err), RVL_ERR_USAGE);
    rvl_volume_free(v);
    /* half of one, half of the other: both readings are plausible */
    v = chest(RVL_VOXEL_I16, -1024, 1, 0);
    for (int i = 0; i < N / 2; i++)
        rvl_volume_set(v, i, rvl_volume_at(v, i) + 1024);
    assert_int_equal(make(v, RVL_HU_AUTO, by_1024, &report, &err), RVL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "as they are and after slope 1, intercept -1024"));
    rvl_volume_free(v);
}

static void h6__padding_becomes_air(void **state)
{
    static const double paddings[] = {-2000, -2048, -3024, -8192, -32768};
    rvl_error           err;
    rvl_hu_report       report;

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(paddings); i++) {
        rvl_volume *v = chest(RVL_VOXEL_I16, paddings[i], 1, 0);
        int64_t     n = 0;
        for (int k = 0; k < N; k++)
            n += rvl_volume_at(v, k) == paddings[i];
        assert_true(n > 500);
        assert_int_equal(make(v, RVL_HU_AUTO, by_1024, &report, &err), RVL_OK);
        assert_int_equal(report.n_padding, n);
        assert_true(report.low > -1024 && report.low < -1010 && report.high > 650);
        assert_chest(v, 0);
        rvl_volume_free(v);
    }
}

static void h7__above_the_scale_is_refused(void **state)
{
    rvl_error   err;
    rvl_volume *v = chest(RVL_VOXEL_F32, -1024, 1, 0);

    (void)state;
    rvl_volume_set(v, 3000, 30710);
    assert_int_equal(make(v, RVL_HU_AUTO, NULL, NULL, &err), RVL_OK);
    assert_int_equal(v->type, RVL_VOXEL_I16);
    rvl_volume_free(v);
    v = chest(RVL_VOXEL_F32, -1024, 1, 0);
    rvl_volume_set(v, 3000, 40000);
    assert_int_equal(make(v, RVL_HU_AUTO, NULL, NULL, &err), RVL_ERR_LIMIT);
    assert_int_equal(v->unit, RVL_UNIT_UNKNOWN);
    rvl_volume_free(v);
}

static rvl_volume *load(const char *relative)
{
    char        path[PATH_BYTES];
    rvl_volume *v = NULL;
    rvl_error   err = {0};

    assert_true(test_data_path(path, sizeof path, relative));
    if (rvl_nifti_load(&v, NULL, path, NULL, NULL, &err))
        fail_msg("%s", err.text);
    return v;
}

static void pack__real_volumes_are_told_apart(void **state)
{
    static const char *const cts[] = {
        "elastix_lung_ct",     "elastix_lung_ct_small", "ibsi_lung_cancer_ct", "ts_body_3mm", "ts_body_3mm_small",
        "ts_heart_lung_1p5mm", "ts_aorta_1p5mm",        "sts_019_ct",          "sts_025_ct",  "sts_008_ct",
        "sts_042_ct"};
    rvl_error     err;
    rvl_hu_report report;

    (void)state;
    SKIP_WITHOUT_DATA("ct/nifti/volumes.csv");
    for (size_t i = 0; i < RVL_ARRAY_LEN(cts); i++) {
        char relative[128];
        snprintf(relative, sizeof relative, "ct/nifti/%s.nii.gz", cts[i]);
        rvl_volume   *v = load(relative);
        const int64_t n = v->depth * v->height * v->width;
        rvl_volume   *raw = NULL;
        assert_int_equal(rvl_volume_new(&raw, RVL_VOXEL_F32, v->depth, v->height, v->width, NULL), RVL_OK);
        for (int64_t k = 0; k < n; k++)
            rvl_volume_set(raw, k, rvl_volume_at(v, k) + (i % 2 ? 1024 : 8192));
        if (make(v, RVL_HU_AUTO, i % 2 ? by_1024 : by_8192, &report, &err))
            fail_msg("%s: %s", cts[i], err.text);
        assert_int_equal(report.kind, RVL_HU_ALREADY);
        assert_int_equal(report.n_padding, 0);
        if (make(raw, RVL_HU_AUTO, i % 2 ? by_1024 : by_8192, &report, &err))
            fail_msg("%s raw: %s", cts[i], err.text);
        assert_int_equal(report.kind, RVL_HU_RAW);
        for (int64_t k = 0; k < n; k += 101)
            assert_true(rvl_volume_at(raw, k) == rvl_volume_at(v, k));
        rvl_volume_free(v);
        rvl_volume_free(raw);
    }
    static const char *const others[] = {"ct/nifti/ts_mr_small", "nifti_odd/CT_AVM", "nifti_odd/torsoLabel"};
    for (size_t i = 0; i < RVL_ARRAY_LEN(others); i++) {
        char relative[128];
        snprintf(relative, sizeof relative, "%s.nii.gz", others[i]);
        rvl_volume *v = load(relative);
        assert_int_equal(make(v, RVL_HU_AUTO, by_1024, &report, &err), RVL_ERR_UNSUPPORTED);
        rvl_volume_free(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h2__hu_is_never_rescaled_twice),
        cmocka_unit_test(h3__raw_is_rescaled_once),
        cmocka_unit_test(h3__raw_without_a_table_is_refused_with_the_shift),
        cmocka_unit_test(h4__thousandths_are_multiplied),
        cmocka_unit_test(h5__what_is_no_ct_stops_unless_a_flag_says_so),
        cmocka_unit_test(h6__padding_becomes_air),
        cmocka_unit_test(h7__above_the_scale_is_refused),
        cmocka_unit_test(pack__real_volumes_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
