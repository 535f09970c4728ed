/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_imaging_dicom_series_pack.c
 * Series of the data pack as volumes: the IBSI CT against its NIfTI, one series in four codings, a multi-frame object
 * against its slices, a tilted gantry, a missing slice; the whole pack in one scan.
 */
#include "dicom_fixture.h"
#include "imaging/dicom/internal.h"
#include "imaging/dicom_series.h"
#include "imaging/nifti.h"

static rvl_dicom_scan *scan(const char *relative, rvl_series_opts opts)
{
    char            path[PATH_BYTES];
    rvl_dicom_scan *s = NULL;

    assert_true(test_data_path(path, sizeof path, relative));
    OK(rvl_dicom_scan_open(&s, path, &opts, &err));
    return s;
}

/* The only volume of a folder. */
static rvl_volume *load(const char *relative)
{
    rvl_volume     *v = NULL;
    rvl_dicom_scan *s = scan(relative, rvl_series_opts_default());

    assert_int_equal(rvl_dicom_scan_count(s), 1);
    OK(rvl_dicom_scan_load(&v, s, 0, &err));
    rvl_dicom_scan_close(s);
    return v;
}

static void ibsi__equals_its_nifti_in_voxels_and_place(void **state)
{
    char           path[PATH_BYTES];
    rvl_volume    *nifti = NULL;
    rvl_affine_map map;

    (void)state;
    SKIP_WITHOUT_DICOM();
    SKIP_WITHOUT_DATA("ct/dicom_series/ibsi_lung_cancer");
    SKIP_WITHOUT_DATA("ct/nifti/ibsi_lung_cancer_ct.nii.gz");
    rvl_volume *dicom = load("ct/dicom_series/ibsi_lung_cancer");
    assert_true(test_data_path(path, sizeof path, "ct/nifti/ibsi_lung_cancer_ct.nii.gz"));
    OK(rvl_nifti_load(&nifti, NULL, path, NULL, NULL, &err));
    rvl_grid from = rvl_volume_grid(dicom);
    rvl_grid to = rvl_volume_grid(nifti);
    assert_int_equal(dicom->type, RVL_VOXEL_I16);
    assert_int_equal(dicom->unit, RVL_UNIT_HU);
    assert_int_equal(dicom->depth * dicom->height * dicom->width, nifti->depth * nifti->height * nifti->width);
    assert_true(rvl_grid_map_between(&map, &from, &to));
    int64_t i = 0;
    for (int64_t z = 0; z < dicom->depth; z++)
        for (int64_t y = 0; y < dicom->height; y++)
            for (int64_t x = 0; x < dicom->width; x++, i++) {
                rvl_vec3 p = rvl_affine_apply(&map, (rvl_vec3){(double)x, (double)y, (double)z});
                int64_t  px = lround(p.x);
                int64_t  py = lround(p.y);
                int64_t  pz = lround(p.z);
                if (fabs(p.x - (double)px) + fabs(p.y - (double)py) + fabs(p.z - (double)pz) > 1e-3)
                    fail_msg("voxel %lld %lld %lld lies between voxels of the NIfTI", (long long)x, (long long)y,
                             (long long)z);
                double other = rvl_volume_at(nifti, (pz * nifti->height + py) * nifti->width + px);
                if (fabs(rvl_volume_at(dicom, i) - other) > 0)
                    fail_msg("voxel %lld %lld %lld is %g, the NIfTI has %g", (long long)x, (long long)y, (long long)z,
                             rvl_volume_at(dicom, i), other);
            }
    rvl_volume_free(dicom);
    rvl_volume_free(nifti);
}

static void expect_same(const rvl_volume *a, const rvl_volume *b)
{
    rvl_grid g = rvl_volume_grid(a);
    rvl_grid h = rvl_volume_grid(b);

    assert_int_equal(a->type, b->type);
    expect_same_grid(&g, &h);
    assert_memory_equal(a->voxels, b->voxels, (size_t)(a->depth * a->height * a->width) * rvl_voxel_bytes(a->type));
}

static void codings__of_one_series_give_one_volume(void **state)
{
    static const char *const names[] = {"jpeg", "jpegls", "rle"};

    (void)state;
    SKIP_WITHOUT_DICOM();
    SKIP_WITHOUT_DATA("ct/dicom_series/mr_same_series_j2k");
    rvl_volume *first = load("ct/dicom_series/mr_same_series_j2k");
    assert_int_equal(first->depth, 4);
    for (size_t i = 0; i < RVL_ARRAY_LEN(names); i++) {
        char relative[64];
        snprintf(relative, sizeof relative, "ct/dicom_series/mr_same_series_%s", names[i]);
        rvl_volume *v = load(relative);
        expect_same(first, v);
        rvl_volume_free(v);
    }
    rvl_volume_free(first);
}

static void frames__equal_single_slices(void **state)
{
    char            one[PATH_BYTES];
    char            paths[7][PATH_BYTES];
    const char     *list[7];
    rvl_dicom_scan *s = NULL;
    rvl_volume     *v = NULL;

    (void)state;
    SKIP_WITHOUT_DICOM();
    SKIP_WITHOUT_DATA("ct/dicom_series/ct_multiframe_vs_classic/volume.dcm");
    rvl_volume *frames = load("ct/dicom_series/ct_multiframe_vs_classic/volume.dcm");
    for (int i = 0; i < 7; i++) {
        snprintf(one, sizeof one, "ct/dicom_series/ct_multiframe_vs_classic/slice%d.dcm", i + 1);
        assert_true(test_data_path(paths[i], PATH_BYTES, one));
        list[i] = paths[i];
    }
    OK(rvl_dicom_scan_files(&s, list, 7, NULL, &err));
    assert_int_equal(rvl_dicom_scan_count(s), 1);
    OK(rvl_dicom_scan_load(&v, s, 0, &err));
    assert_int_equal(v->depth, 7);
    expect_same(frames, v);
    rvl_volume_free(v);
    rvl_volume_free(frames);
    rvl_dicom_scan_close(s);
}

static void tilted_head__is_two_stacks_of_18_5_degrees(void **state)
{
    rvl_series_opts opts = rvl_series_opts_default();

    (void)state;
    SKIP_WITHOUT_DICOM();
    SKIP_WITHOUT_DATA("ct/dicom_series/ge_head_gantry_tilt");
    rvl_dicom_scan *s = scan("ct/dicom_series/ge_head_gantry_tilt", opts);
    assert_int_equal(rvl_dicom_scan_count(s), 2);
    for (int i = 0; i < 2; i++) {
        const rvl_dicom_stack *k = rvl_dicom_scan_get(s, i);
        assert_int_equal(k->status, RVL_ERR_UNSUPPORTED);
        assert_true(fabs(k->tilt_deg - 18.5) < 0.01); /* GantryDetectorTilt of the files */
        assert_int_equal(k->n_slices, i ? 8 : 6);
    }
    rvl_dicom_scan_close(s);
    opts.tilt = RVL_TILT_CORRECT;
    s = scan("ct/dicom_series/ge_head_gantry_tilt", opts);
    for (int i = 0; i < 2; i++) {
        rvl_volume *v = NULL;
        OK(rvl_dicom_scan_load(&v, s, i, &err));
        rvl_grid g = rvl_volume_grid(v);
        assert_true(rvl_grid_shear_deg(&g) < 1e-6);
        assert_true(fabs(g.spacing_mm.z - (i ? 7 : 4)) < 0.01);
        expect_same_grid(&g, &rvl_dicom_scan_get(s, i)->grid);
        rvl_volume_free(v);
    }
    rvl_dicom_scan_close(s);
}

static void bad_geometry__is_seen(void **state)
{
    (void)state;
    SKIP_WITHOUT_DICOM();
    SKIP_WITHOUT_DATA("dicom_odd/series_bad_geometry");
    rvl_dicom_scan *s = scan("dicom_odd/series_bad_geometry/sliceincrement_001", rvl_series_opts_default());
    assert_int_equal(rvl_dicom_scan_count(s), 1);
    assert_int_equal(rvl_dicom_scan_get(s, 0)->status, RVL_ERR_FORMAT);
    assert_non_null(strstr(rvl_dicom_scan_get(s, 0)->reason, "1 slices are missing"));
    rvl_dicom_scan_close(s);
}

/* Pixels read where they lie equal those that DCMTK hands out. */
static void expect_borrowed_equals_whole(const char *path)
{
    rvl_file_map     map = {0};
    rvl_dicom       *a = NULL;
    rvl_dicom       *b = NULL;
    rvl_dicom_pixels p = {0};
    rvl_dicom_pixels q = {0};

    OK(rvl_file_map_open(&map, path, &err));
    rvl_status st = rvl__dicom_parse_borrowed(&a, map.ptr, map.n_bytes, path, NULL, NULL);
    assert_int_equal(st, rvl_dicom_open(&b, path, NULL, NULL));
    if (!st) {
        st = rvl_dicom_stored(&p, a, NULL);
        assert_int_equal(st, rvl_dicom_stored(&q, b, NULL));
    }
    if (!st) {
        assert_int_equal(p.type, q.type);
        assert_int_equal(p.frames * p.rows * p.columns * p.samples, q.frames * q.rows * q.columns * q.samples);
        assert_memory_equal(p.values, q.values,
                            (size_t)(p.frames * p.rows * p.columns) * (size_t)p.samples * (size_t)p.item_bytes);
    }
    rvl_dicom_pixels_fini(&p);
    rvl_dicom_pixels_fini(&q);
    rvl_dicom_close(a);
    rvl_dicom_close(b);
    rvl_file_map_close(&map);
}

static void pack__is_scanned_whole_and_every_volume_loads_or_says_why(void **state)
{
    static const char *const folders[] = {"ct", "dicom_odd", "mammo"};
    int64_t                  n_files = 0;
    int64_t                  n_volumes = 0;

    (void)state;
    SKIP_WITHOUT_DICOM();
    SKIP_WITHOUT_DATA("dicom_manifest.csv");
    for (size_t f = 0; f < RVL_ARRAY_LEN(folders); f++) {
        rvl_dicom_scan *s = scan(folders[f], rvl_series_opts_default());
        n_files += rvl_dicom_scan_n_files(s);
        for (int64_t i = 0; i < rvl_dicom_scan_n_skips(s); i++) {
            rvl_dicom_skip k = rvl_dicom_scan_skip(s, i);
            n_files -= k.kind == RVL_SKIP_NOT_DICOM;
            assert_true(k.kind == RVL_SKIP_NOT_DICOM || k.text[0]);
        }
        for (int64_t i = 0; i < rvl_dicom_scan_count(s); i++) {
            rvl_volume *v = NULL;
            rvl_error   err = {0};
            rvl_status  st = rvl_dicom_scan_load(&v, s, i, &err);
            if (st ? !err.text[0] || v : !v || v->depth != rvl_dicom_scan_get(s, i)->grid.depth)
                fail_msg("stack %lld of '%s': status %d, '%s'", (long long)i, folders[f], st, err.text);
            n_volumes += !st;
            rvl_volume_free(v);
            expect_borrowed_equals_whole(rvl_dicom_scan_path(s, i, 0));
        }
        rvl_dicom_scan_close(s);
    }
    assert_int_equal(n_files, 336); /* rows of the manifest but one, which begins with a blank: no_meta.dcm */
    assert_true(n_volumes > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ibsi__equals_its_nifti_in_voxels_and_place),
        cmocka_unit_test(codings__of_one_series_give_one_volume),
        cmocka_unit_test(frames__equal_single_slices),
        cmocka_unit_test(tilted_head__is_two_stacks_of_18_5_degrees),
        cmocka_unit_test(bad_geometry__is_seen),
        cmocka_unit_test(pack__is_scanned_whole_and_every_volume_loads_or_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
