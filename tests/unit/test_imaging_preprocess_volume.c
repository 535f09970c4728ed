/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_imaging_preprocess_volume.c
 * Volumes onto a model's grid, against a plain version that asks for each voxel of the grid where it lies in the world;
 * the way back; crops; specs as JSON.
 */
#include "support.h"
#include "base/alloc.h"
#include "base/json.h"
#include "imaging/preprocess.h"
#include "volume_fixture.h"
#include <math.h>

static rvl_preprocess small_spec(void)
{
    return (rvl_preprocess){.modality = RVL_MODALITY_CT,
                            .body_part = "chest",
                            .depth = 14,
                            .height = 24,
                            .width = 30,
                            .window = RVL_WINDOW_FIXED,
                            .window_a = -1150,
                            .window_b = 350,
                            .out_low = -1,
                            .out_high = 1,
                            .bits = 16,
                            .spacing_mm = {11, 12, 21},
                            .orient = "LPS"};
}

static rvl_volume *chest(uint64_t key)
{
    rvl_volume *v = chest_volume(key, true);

    assert_non_null(v);
    v->unit = RVL_UNIT_HU;
    v->modality = RVL_MODALITY_CT;
    return v;
}

/* HU of the volume at a point in voxel coordinates: trilinear, outermost voxels beyond the centres. */
static double hu_at(const rvl_volume *v, double x, double y, double z)
{
    const double  at[3] = {x, y, z};
    const int64_t n[3] = {v->width, v->height, v->depth};
    int64_t       i[3];
    double        t[3], sum = 0;

    for (int a = 0; a < 3; a++) {
        double c = at[a] < 0 ? 0 : at[a] > (double)(n[a] - 1) ? (double)(n[a] - 1) : at[a];
        i[a] = (int64_t)floor(c);
        t[a] = c - (double)i[a];
    }
    for (int k = 0; k < 8; k++) {
        double  w = 1;
        int64_t j[3];
        for (int a = 0; a < 3; a++) {
            const int up = k >> a & 1;
            w *= up ? t[a] : 1 - t[a];
            j[a] = i[a] + up < n[a] ? i[a] + up : i[a];
        }
        sum += w * rvl_volume_at(v, (j[2] * v->height + j[1]) * v->width + j[0]);
    }
    return sum;
}

/* The promise of the header, voxel by voxel, in LPS order: the middles of both fields of view coincide. */
static double plain(const rvl_preprocess *p, const rvl_volume *v, const int64_t load[3], int64_t z, int64_t y,
                    int64_t x)
{
    const double  to[3] = {p->spacing_mm.x, p->spacing_mm.y, p->spacing_mm.z};
    const double  from[3] = {v->spacing_mm.x, v->spacing_mm.y, v->spacing_mm.z};
    const int64_t n[3] = {v->width, v->height, v->depth};
    const int64_t grid[3] = {load[2], load[1], load[0]};
    const int64_t index[3] = {x, y, z};
    double        at[3];

    for (int a = 0; a < 3; a++) {
        const int64_t m = (int64_t)floor((double)n[a] * from[a] / to[a] + 0.5); /* voxels after resampling */
        const int64_t j = index[a] + (m > grid[a] ? (m - grid[a]) / 2 : -((grid[a] - m) / 2));
        if (j < 0 || j >= m)
            return RVL_HU_AIR;
        at[a] = ((double)j + 0.5 - 0.5 * (double)m) * to[a] / from[a] + 0.5 * (double)n[a] - 0.5;
        if (v->direction[a][a] < 0)
            at[a] = (double)(n[a] - 1) - at[a];
    }
    return hu_at(v, at[0], at[1], at[2]);
}

static void volume__lies_on_the_grid_as_a_plain_version_says(void **state)
{
    (void)state;
    for (uint64_t key = 0; key < 4; key++) {
        const rvl_preprocess p = small_spec();
        const int64_t        side[3] = {p.depth, p.height, p.width};
        rvl_volume          *v = chest(key);
        float               *out = rvl_alloc_array((size_t)rvl_preprocess_count(&p), sizeof *out);
        bool                 is_flat = true;

        OK(rvl_preprocess_apply(out, &p, v, false, &is_flat, &err));
        assert_false(is_flat);
        for (int64_t i = 0; i < rvl_preprocess_count(&p); i++) {
            double hu = plain(&p, v, side, i / p.width / p.height, i / p.width % p.height, i % p.width);
            double want = (hu + 1150) / 1500 * 2 - 1;
            want = want < -1 ? -1 : want > 1 ? 1 : want;
            if (fabs(out[i] - want) > 2.0 / 65535)
                fail_msg("volume %d voxel %lld: %g, not %g", (int)key, (long long)i, (double)out[i], want);
        }
        rvl_free(out);
        rvl_volume_free(v);
    }
}

static void volume__crop_of_a_larger_pack_is_where_it_should_be(void **state)
{
    rvl_preprocess p = small_spec();
    rvl_volume    *v = chest(1);
    int64_t        load[3];
    const int64_t  first[3] = {3, -2, 5};

    (void)state;
    p.load_depth = 18;
    p.load_height = 24;
    p.load_width = 37;
    rvl_preprocess_load_sides(load, &p);
    uint16_t *codes = rvl_alloc_array((size_t)(load[0] * load[1] * load[2]), sizeof *codes);
    float    *middle = rvl_alloc_array((size_t)rvl_preprocess_count(&p), sizeof *middle);
    float    *moved = rvl_alloc_array((size_t)rvl_preprocess_count(&p), sizeof *moved);
    float    *applied = rvl_alloc_array((size_t)rvl_preprocess_count(&p), sizeof *applied);
    OK(rvl_preprocess_codes(codes, &p, v, false, NULL, &err));
    OK(rvl_preprocess_apply(applied, &p, v, false, NULL, &err));
    rvl_preprocess_crop(middle, &p, codes, NULL);
    rvl_preprocess_crop(moved, &p, codes, first);
    assert_memory_equal(middle, applied, (size_t)rvl_preprocess_count(&p) * sizeof *middle);
    for (int64_t i = 0; i < rvl_preprocess_count(&p); i++) {
        const int64_t z = i / p.width / p.height, y = i / p.width % p.height, x = i % p.width;
        const double  air = rvl_preprocess_pad(&p);
        /* (18 - 14) / 2 = 2 slices and (37 - 30) / 2 = 3 columns are cut before the middle */
        assert_true(fabs(middle[i] - (codes[((z + 2) * 24 + y) * 37 + x + 3] / 65535.0 * 2 - 1)) < 1e-6);
        assert_true(fabs(moved[i] - (y < 2 ? air : codes[((z + 3) * 24 + y - 2) * 37 + x + 5] / 65535.0 * 2 - 1)) <
                    1e-6);
    }
    assert_true(fabs(rvl_preprocess_pad(&p) - ((-1024 + 1150) / 1500.0 * 2 - 1)) < 2.0 / 65535);
    rvl_free(codes);
    rvl_free(middle);
    rvl_free(moved);
    rvl_free(applied);
    rvl_volume_free(v);
}

/* A bright voxel of the source is found again by mapping its place on the grid back. */
static void volume__grid_takes_points_and_masks_back(void **state)
{
    (void)state;
    for (int rule = 0; rule < 2; rule++) {
        rvl_preprocess p = small_spec();
        rvl_volume    *v = chest(1);
        rvl_grid       source = rvl_volume_grid(v), grid;
        rvl_affine_map back, forth;

        if (rule == 1) {
            p.resample = RVL_RESAMPLE_CT_CLIP;
            p.orient[0] = '\0';
        }
        p.load_depth = 20;
        OK(rvl_preprocess_grid(&grid, &p, &source, &err));
        assert_int_equal(grid.depth, p.depth);
        assert_int_equal(grid.height, p.height);
        assert_int_equal(grid.width, p.width);
        assert_true(rvl_grid_map_between(&back, &grid, &source));
        assert_true(rvl_grid_map_between(&forth, &source, &grid));
        float *out = rvl_alloc_array((size_t)rvl_preprocess_count(&p), sizeof *out);
        OK(rvl_preprocess_apply(out, &p, v, false, NULL, &err));
        for (int64_t i = 0; i < rvl_preprocess_count(&p); i += 7) {
            const rvl_vec3 at = {(double)(i % p.width), (double)(i / p.width % p.height),
                                 (double)(i / p.width / p.height)};
            const rvl_vec3 q = rvl_affine_apply(&back, at);
            const rvl_vec3 again = rvl_affine_apply(&forth, q);
            assert_true(fabs(again.x - at.x) + fabs(again.y - at.y) + fabs(again.z - at.z) < 1e-9);
            if (q.x < 0 || q.y < 0 || q.z < 0 || q.x > (double)(v->width - 1) || q.y > (double)(v->height - 1) ||
                q.z > (double)(v->depth - 1))
                continue;
            double want = (hu_at(v, q.x, q.y, q.z) + 1150) / 1500 * 2 - 1;
            want = want < -1 ? -1 : want > 1 ? 1 : want;
            assert_true(fabs(out[i] - want) < (rule ? 0.05 : 1e-4)); /* [ct-clip] clips first, at the ends of lungs */
        }
        rvl_free(out);
        rvl_volume_free(v);
    }
}

/* CT-CLIP's steps one by one. */
static void volume__ct_clip_is_its_steps(void **state)
{
    rvl_preprocess   p = small_spec();
    rvl_volume      *v = chest(2), *turned = NULL, *resampled = NULL, *fitted = NULL, *windowed = NULL;
    static const int axes[] = {1, 0, 2};
    const bool       straight[3] = {false};

    (void)state;
    p.resample = RVL_RESAMPLE_CT_CLIP;
    p.orient[0] = '\0';
    p.window_a = -1000;
    p.window_b = 1000;
    float *out = rvl_alloc_array((size_t)rvl_preprocess_count(&p), sizeof *out);
    OK(rvl_preprocess_apply(out, &p, v, false, NULL, &err));
    rvl_volume_clip(v, -1000, 1000);
    OK(rvl_volume_permute(&turned, v, axes, straight, &err));
    OK(rvl_volume_resample(&resampled, turned, (rvl_vec3){p.spacing_mm.y, p.spacing_mm.x, p.spacing_mm.z},
                           RVL_RESAMPLE_CT_CLIP, RVL_INTERPOLATE_LINEAR, false, &err));
    OK(rvl_volume_fit(&fitted, resampled, p.depth, p.height, p.width, -1000, &err));
    OK(rvl_volume_window(&windowed, fitted, -1000, 1000, -1, 1, &err));
    for (int64_t i = 0; i < rvl_preprocess_count(&p); i++)
        assert_true(fabs(out[i] - rvl_volume_at(windowed, i)) < 2.0 / 65535);
    rvl_free(out);
    rvl_volume_free(v);
    rvl_volume_free(turned);
    rvl_volume_free(resampled);
    rvl_volume_free(fitted);
    rvl_volume_free(windowed);
}

static void volume__must_say_that_it_is_hu(void **state)
{
    const rvl_preprocess p = small_spec();
    rvl_volume          *v = chest(0);
    float               *out = rvl_alloc_array((size_t)rvl_preprocess_count(&p), sizeof *out);
    rvl_error            err = {0};

    (void)state;
    v->unit = RVL_UNIT_UNKNOWN;
    assert_int_equal(rvl_preprocess_apply(out, &p, v, true, NULL, &err), RVL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "HU"));
    rvl_free(out);
    rvl_volume_free(v);
}

static void spec__of_volumes_is_kept_by_json_and_tells_differences(void **state)
{
    rvl_preprocess p = small_spec(), q;
    json_t        *j = NULL;
    char           a[17], b[17];

    (void)state;
    p.load_width = 40;
    OK(rvl_preprocess_to_json(&j, &p, &err));
    OK(rvl_preprocess_from_json(&q, j, &err));
    assert_true(rvl_preprocess_equal(&p, &q));
    OK(rvl_preprocess_hash(a, &p, &err));
    q.spacing_mm.z = 20;
    assert_false(rvl_preprocess_equal(&p, &q));
    OK(rvl_preprocess_hash(b, &q, &err));
    assert_string_not_equal(a, b);
    json_decref(j);
}

static void spec__that_makes_no_sense_is_refused(void **state)
{
    rvl_preprocess p[7];
    rvl_error      why = {0};

    (void)state;
    for (int i = 0; i < 7; i++)
        p[i] = small_spec();
    p[0].spacing_mm.y = 0;
    p[1].spacing_mm.x = -1;
    p[2].load_depth = 13;
    p[3].window = RVL_WINDOW_ROBUST;
    p[3].window_a = 0;
    p[3].window_b = 99;
    memcpy(p[4].orient, "LPL", 4);
    p[5].resample = RVL_RESAMPLE_CT_CLIP;
    p[6].spacing_mm.z = NAN;
    for (int i = 0; i < 7; i++)
        assert_int_equal(rvl__preprocess_check(&p[i], RVL_ERR_USAGE, &why), RVL_ERR_USAGE);
    assert_int_equal(rvl_preprocess_preset(&p[0], "ct-none", &why), RVL_ERR_USAGE);
    assert_non_null(strstr(why.text, "ct-tiny"));
    OK(rvl_preprocess_preset(&p[0], "ct-tiny", &err));
    OK(rvl__preprocess_check(&p[0], RVL_ERR_USAGE, &err));
}

/* An unturned, unscaled draw moves nothing in the plane; the crop stays inside a larger pack row. */
static void augment__crops_stay_inside_and_follow_their_key(void **state)
{
    rvl_preprocess    p = small_spec();
    const rvl_augment a = rvl_augment_default(NULL);
    int64_t           first[3], again[3];
    bool              seen[5] = {false};

    (void)state;
    p.load_depth = 18;
    for (uint64_t key = 0; key < 200; key++) {
        rvl_augment_crop(first, &p, &a, 1, 2, key);
        rvl_augment_crop(again, &p, &a, 1, 2, key);
        assert_memory_equal(first, again, sizeof first);
        assert_in_range(first[0], 0, 4);
        assert_int_equal(first[1], 0);
        assert_int_equal(first[2], 0);
        seen[first[0]] = true;
    }
    for (int i = 0; i < 5; i++)
        assert_true(seen[i]);
}

static void augment__turns_all_slices_alike(void **state)
{
    rvl_preprocess    p = small_spec();
    const rvl_augment a = {.rotate_deg = 10, .scale = 0.1, .shift = 0.1};
    const int64_t     n = p.height * p.width;
    float            *image = rvl_alloc_array((size_t)rvl_preprocess_count(&p), sizeof *image);
    float            *scratch = rvl_alloc_array((size_t)n, sizeof *scratch);

    (void)state;
    for (int64_t i = 0; i < rvl_preprocess_count(&p); i++)
        image[i] = (float)((i % n) % 17) / 17;
    rvl_augment_volume(image, scratch, &p, &a, 3, 4, 5);
    for (int64_t z = 1; z < p.depth; z++)
        assert_memory_equal(image, image + z * n, (size_t)n * sizeof *image);
    double moved = 0;
    for (int64_t i = 0; i < n; i++)
        moved += fabs(image[i] - (float)(i % 17) / 17);
    assert_true(moved > 1);
    rvl_free(image);
    rvl_free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(volume__lies_on_the_grid_as_a_plain_version_says),
        cmocka_unit_test(volume__crop_of_a_larger_pack_is_where_it_should_be),
        cmocka_unit_test(volume__grid_takes_points_and_masks_back),
        cmocka_unit_test(volume__ct_clip_is_its_steps),
        cmocka_unit_test(volume__must_say_that_it_is_hu),
        cmocka_unit_test(spec__of_volumes_is_kept_by_json_and_tells_differences),
        cmocka_unit_test(spec__that_makes_no_sense_is_refused),
        cmocka_unit_test(augment__crops_stay_inside_and_follow_their_key),
        cmocka_unit_test(augment__turns_all_slices_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
