/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_imaging_montage.c
 * Slices in one picture, and loading volumes of any format by content.
 */
#include "support.h"
#include "base/alloc.h"
#include "imaging/montage.h"
#include "imaging/resample.h"
#include "imaging/volume_file.h"

#include <math.h>

/* Slice z is 10 z + 1 everywhere but for its first pixel, which is 0. */
static rvl_volume *stairs(int64_t depth, int64_t height, int64_t width)
{
    rvl_volume *v = NULL;

    assert_int_equal(rvl_volume_new(&v, RVL_VOXEL_U8, depth, height, width, NULL), RVL_OK);
    for (int64_t i = 0; i < depth * height * width; i++)
        rvl_volume_set(v, i, i % (height * width) ? (double)(10 * (i / (height * width)) + 1) : 0);
    return v;
}

static void montage__puts_slices_row_by_row(void **state)
{
    static const double window[] = {0, 255};
    rvl_volume         *v = stairs(9, 2, 3);
    rvl_volume         *m = NULL;

    (void)state;
    /* 3 of 9: the middles of thirds, slices 1, 4, 7; two across, two down, the last tile empty */
    assert_int_equal(rvl_montage(&m, v, 3, window, NULL), RVL_OK);
    assert_int_equal(m->width, 6);
    assert_int_equal(m->height, 4);
    static const int want[4][6] = {
        {0, 11, 11, 0, 41, 41}, {11, 11, 11, 41, 41, 41}, {0, 71, 71, 0, 0, 0}, {71, 71, 71, 0, 0, 0}};
    for (int i = 0; i < 24; i++)
        assert_int_equal((int)rvl_volume_at(m, i), want[i / 6][i % 6]);
    rvl_volume_free(m);
    assert_int_equal(rvl_montage(&m, v, 100, window, NULL), RVL_OK); /* there are nine */
    assert_int_equal(m->width, 9);
    assert_int_equal(m->height, 6);
    rvl_volume_free(m);
    assert_int_equal(rvl_montage(&m, v, 0, window, NULL), RVL_ERR_USAGE);
    assert_null(m);
    rvl_volume_free(v);
}

static void montage__is_axial_with_square_pixels(void **state)
{
    static const double window[] = {0, 255};
    rvl_volume         *v = stairs(4, 2, 6);
    rvl_volume         *m = NULL;

    (void)state;
    /* RAS, rows 3 mm apart, columns 1: the first voxel becomes the last one, a row becomes three */
    v->has_spacing = v->has_geometry = true;
    v->spacing_mm = (rvl_vec3){1, 3, 2};
    v->direction[0][0] = v->direction[1][1] = -1;
    assert_int_equal(rvl_montage(&m, v, 1, window, NULL), RVL_OK);
    assert_int_equal(m->width, 6);
    assert_int_equal(m->height, 6);
    assert_int_equal((int)rvl_volume_at(m, 35), 0);
    assert_int_equal((int)rvl_volume_at(m, 0), 21);
    rvl_volume_free(m);
    rvl_volume_free(v);
}

static void montage__windows_hu_and_percentiles(void **state)
{
    rvl_volume *v = NULL;
    rvl_volume *m = NULL;

    (void)state;
    assert_int_equal(rvl_volume_new(&v, RVL_VOXEL_I16, 1, 1, 4, NULL), RVL_OK);
    const double hu[] = {-3000, -1000, -300, 2000};
    for (int i = 0; i < 4; i++)
        rvl_volume_set(v, i, hu[i]);
    v->unit = RVL_UNIT_HU; /* -1000 .. 400 */
    assert_int_equal(rvl_montage(&m, v, 1, NULL, NULL), RVL_OK);
    static const int lung[] = {0, 0, 128, 255};
    for (int i = 0; i < 4; i++)
        assert_int_equal((int)rvl_volume_at(m, i), lung[i]);
    rvl_volume_free(m);
    v->unit = RVL_UNIT_ARBITRARY; /* lowest to highest of so few voxels */
    assert_int_equal(rvl_montage(&m, v, 1, NULL, NULL), RVL_OK);
    static const int all[] = {0, 102, 138, 255}; /* 255 * 2000 / 5000, 255 * 2700 / 5000, rounded */
    for (int i = 0; i < 4; i++)
        assert_int_equal((int)rvl_volume_at(m, i), all[i]);
    rvl_volume_free(m);
    rvl_volume_free(v);
}

static void file__is_told_by_content(void **state)
{
    static const struct {
        const char       *name;
        bool              is_volume;
        rvl_volume_format format;
        rvl_unit          unit;
    } cases[] = {
        {"tests/unit/data/nifti/chest.nii.gz", true, RVL_FORMAT_NIFTI, RVL_UNIT_UNKNOWN},
        {"tests/unit/data/nifti/pair.img", true, RVL_FORMAT_NIFTI, RVL_UNIT_UNKNOWN},
        {"tests/unit/data/nifti/second_big.nii", true, RVL_FORMAT_NIFTI, RVL_UNIT_UNKNOWN},
        {"tests/unit/data/nifti/chest.npz", true, RVL_FORMAT_NPZ, RVL_UNIT_UNKNOWN},
        {"tests/unit/data/npy/little_i2.npy", false, RVL_FORMAT_IMAGE, RVL_UNIT_DISPLAY},
    };
    char path[PATH_BYTES];

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        rvl_volume     *v = NULL;
        rvl_volume_info info;
        rvl_error       err = {0};
        assert_true(source_path(path, sizeof path, cases[i].name));
        assert_int_equal(rvl_volume_file_is(path), cases[i].is_volume);
        if (rvl_volume_load(&v, &info, path, NULL, NULL, &err))
            fail_msg("%s", err.text);
        assert_int_equal(info.format, cases[i].format);
        assert_int_equal(v->unit, cases[i].unit);
        assert_int_equal(err.code, RVL_OK);
        rvl_volume_free(v);
    }
    assert_false(rvl_volume_file_is("no such file"));
}

static void npz__member_is_found_or_named(void **state)
{
    char            path[PATH_BYTES];
    rvl_volume     *v = NULL;
    rvl_volume     *w = NULL;
    rvl_volume_info info;
    rvl_volume_opts opts = rvl_volume_opts_default();
    rvl_error       err = {0};

    (void)state;
    assert_true(source_path(path, sizeof path, "tests/unit/data/nifti/chest.npz"));
    assert_int_equal(rvl_volume_load(&v, &info, path, NULL, NULL, &err), RVL_OK);
    assert_string_equal(info.member, "arr_0");
    assert_int_equal(v->depth, 8);
    assert_true(source_path(path, sizeof path, "tests/unit/data/nifti/chest.nii.gz"));
    assert_int_equal(rvl_volume_load(&w, NULL, path, NULL, NULL, &err), RVL_OK);
    for (int64_t i = 0; i < 8 * 24 * 24; i++) /* one chest, in HU and in thousandths */
        assert_true(fabs(1000 * rvl_volume_at(v, i) - rvl_volume_at(w, i)) < 1e-3);
    rvl_volume_free(v);
    rvl_volume_free(w);
    opts.member = "ct";
    assert_int_equal(rvl_volume_load(&v, &info, path, &opts, NULL, &err), RVL_ERR_USAGE);
    assert_true(source_path(path, sizeof path, "tests/unit/data/nifti/chest.npz"));
    assert_int_equal(rvl_volume_load(&v, &info, path, &opts, NULL, &err), RVL_ERR_NOT_FOUND);
    assert_true(source_path(path, sizeof path, "tests/unit/data/npy/stored.npz"));
    assert_int_equal(rvl_volume_load(&v, &info, path, NULL, NULL, &err), RVL_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "--member NAME"));
    assert_null(v);
}

static void memory__that_ends_is_an_error_without_leak(void **state)
{
    char         path[PATH_BYTES];
    rvl_volume  *v = stairs(4, 2, 6);
    const size_t live = rvl_alloc_get_stats().live_bytes;

    (void)state;
    v->has_spacing = v->has_geometry = true;
    v->spacing_mm.y = 3;
    assert_true(source_path(path, sizeof path, "tests/unit/data/nifti/chest.npz"));
    for (uint64_t nth = 1; nth < 24; nth++) {
        rvl_volume *m = NULL;
        rvl_alloc_fail_at(nth);
        rvl_status st = rvl_montage(&m, v, 3, NULL, NULL);
        rvl_alloc_fail_at(0);
        assert_true(st == RVL_OK || st == RVL_ERR_NOMEM);
        rvl_volume_free(m);
        m = NULL;
        rvl_alloc_fail_at(nth);
        st = rvl_volume_load(&m, NULL, path, NULL, NULL, NULL);
        rvl_alloc_fail_at(0);
        assert_true(st == RVL_OK || st == RVL_ERR_NOMEM);
        rvl_volume_free(m);
        assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
    }
    rvl_volume_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(montage__puts_slices_row_by_row),
        cmocka_unit_test(montage__is_axial_with_square_pixels),
        cmocka_unit_test(montage__windows_hu_and_percentiles),
        cmocka_unit_test(file__is_told_by_content),
        cmocka_unit_test(npz__member_is_found_or_named),
        cmocka_unit_test(memory__that_ends_is_an_error_without_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
