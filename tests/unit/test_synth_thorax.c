/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_synth_thorax.c
 * CT phantoms: repeatable, in HU, in LPS, findings where the truth says.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "imaging/nifti.h"
#include "synth/thorax_internal.h"

enum { SIZE = 96 };

static void make_case(rvl_thorax_case *c, int64_t index)
{
    rvl_thorax_case_make(c, 7, index, SIZE, 2, NULL);
}

/** The next case from `*index` on that has the finding; `*index` moves behind it. */
static void next_case_with(rvl_thorax_case *c, int64_t *index, int finding)
{
    do
        make_case(c, (*index)++);
    while (!c->truth[finding].present);
}

static void keep_only(rvl_thorax_case *c, int finding)
{
    for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++)
        if (f != finding)
            rvl_thorax_case_remove(c, f);
}

static rvl_volume *render(const rvl_thorax_case *c, int recon, rvl_volume **masks)
{
    rvl_volume *v = NULL;

    assert_int_equal(rvl_thorax_render(&v, masks, c, &c->recons[recon], NULL), RVL_OK);
    return v;
}

static void free_masks(rvl_volume **masks)
{
    for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++)
        rvl_volume_free(masks[f]);
}

static int64_t count(const rvl_volume *v)
{
    return v->depth * v->height * v->width;
}

static void scan__is_the_same_in_every_thread(void **state)
{
    rvl_volume *v[4] = {NULL};

    (void)state;
#pragma omp parallel for num_threads(4)
    for (int i = 0; i < 4; i++) {
        rvl_thorax_case c;

        make_case(&c, 5);
        if (rvl_thorax_render(&v[i], NULL, &c, &c.recons[0], NULL))
            v[i] = NULL;
    }
    for (int i = 0; i < 4; i++) {
        assert_non_null(v[i]);
        assert_int_equal(count(v[i]), count(v[0]));
        assert_memory_equal(v[i]->voxels, v[0]->voxels, (size_t)count(v[0]) * 2);
    }
    for (int i = 0; i < 4; i++)
        rvl_volume_free(v[i]);
}

static void scans__differ(void **state)
{
    rvl_thorax_case a, b;
    rvl_volume     *v, *w;

    (void)state;
    make_case(&a, 1);
    b = a;
    b.index = 2;
    v = render(&a, 0, NULL);
    w = render(&b, 0, NULL);
    assert_memory_not_equal(v->voxels, w->voxels, (size_t)count(v) * 2);
    rvl_volume_free(v);
    rvl_volume_free(w);
}

static void volume__keeps_its_place_in_a_file(void **state)
{
    char            folder[] = "/tmp/rvl-thorax-XXXXXX", path[64];
    rvl_thorax_case c;
    rvl_volume     *v, *w = NULL;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/v.nii.gz", folder);
    make_case(&c, 3);
    v = render(&c, 0, NULL);
    assert_int_equal(v->type, RVL_VOXEL_I16);
    assert_int_equal(v->unit, RVL_UNIT_HU);
    assert_int_equal(rvl_nifti_save(v, path, NULL), RVL_OK);
    assert_int_equal(rvl_nifti_load(&w, NULL, path, NULL, NULL, NULL), RVL_OK);
    assert_memory_equal(v->voxels, w->voxels, (size_t)count(v) * 2);
    assert_true(w->has_geometry);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            assert_true(fabs(w->direction[i][j] - (i == j)) < 1e-6);
    assert_true(fabs(w->origin_mm.x - v->origin_mm.x) < 1e-3 && fabs(w->origin_mm.y - v->origin_mm.y) < 1e-3);
    assert_true(fabs(w->origin_mm.z - v->origin_mm.z) < 1e-3 && fabs(w->spacing_mm.z - c.recons[0].slice_mm) < 1e-4);
    rvl_volume_free(v);
    rvl_volume_free(w);
    unlink(path);
    rmdir(folder);
}

/** Mean HU of 75 voxels round a point of the body. */
static double mean_at(const rvl_volume *v, const rvl_thorax_body *b, double x, double y, double down)
{
    double  px = b->cos_yaw * x - b->sin_yaw * y + b->off_x + b->world_x;
    double  py = b->sin_yaw * x + b->cos_yaw * y + b->off_y + b->world_y, sum = 0;
    int64_t ix = (int64_t)lround((px - v->origin_mm.x) / v->spacing_mm.x);
    int64_t iy = (int64_t)lround((py - v->origin_mm.y) / v->spacing_mm.y);
    int64_t iz = (int64_t)lround((b->world_z - down - v->origin_mm.z) / v->spacing_mm.z);

    assert_true(ix > 1 && iy > 1 && iz > 0 && ix + 2 < v->width && iy + 2 < v->height && iz + 1 < v->depth);
    for (int64_t z = iz - 1; z <= iz + 1; z++)
        for (int64_t j = iy - 2; j <= iy + 2; j++)
            for (int64_t i = ix - 2; i <= ix + 2; i++)
                sum += rvl_volume_at(v, (z * v->height + j) * v->width + i) / 75;
    return sum;
}

static void tissues__have_their_hu(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 6; i++) {
        static rvl_thorax_body b;
        rvl_thorax_case        c;
        rvl_volume            *v;
        double                 w, d, h;
        rvl_point              spine;

        rvl_thorax_case_make(&c, 7, i, 192, 1, NULL);
        keep_only(&c, -1);
        rvl_thorax_body_make(&b, &c);
        v = render(&c, 0, NULL);
        w = b.chest;
        d = b.depth;
        h = b.height;
        spine = rvl_thorax_spine(&b, 0.647 * h); /* the middle of a vertebra */
        assert_in_range(1000 + (int)mean_at(v, &b, -0.55 * w, 0, b.dome[0] + 40), 1010, 1085); /* liver */
        assert_in_range(1000 + (int)mean_at(v, &b, b.heart.centre.x, b.heart.centre.y, 0.7 * h), 1020,
                        1065);                                                              /* heart */
        assert_in_range(1000 + (int)mean_at(v, &b, 0, 0.08 * d, 0.15 * h), 0, 200);         /* trachea */
        assert_in_range(1000 + (int)mean_at(v, &b, 0.6 * w, -0.3 * d, 0.3 * h), 50, 350);   /* lung */
        assert_in_range(1000 + (int)mean_at(v, &b, spine.x, spine.y, spine.v), 1070, 1450); /* bone */
        for (int64_t j = 0; j < count(v); j++)
            assert_true(rvl_volume_at(v, j) >= (c.recons[0].round_field ? -2048 : -1024) &&
                        rvl_volume_at(v, j) <= 3071);
        rvl_volume_free(v);
    }
}

/** Share of a healthy scan that is lung, and none of it left of where the body is. */
static void lungs__fill_a_fair_part(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 8; i++) {
        rvl_thorax_case c;
        rvl_volume     *v;
        double          ml = 0, voxel_ml;

        make_case(&c, i);
        keep_only(&c, -1);
        c.recons[0].noise_hu = 4; /* or the air outside counts */
        v = render(&c, 0, NULL);
        voxel_ml = v->spacing_mm.x * v->spacing_mm.y * v->spacing_mm.z / 1000;
        for (int64_t j = 0; j < count(v); j++)
            if (rvl_volume_at(v, j) > -930 && rvl_volume_at(v, j) < -700)
                ml += voxel_ml;
        if (ml < 1500 || ml > 7800) /* adults breathed in hold 3 to 7 litres */
            fail_msg("scan %d has lungs of %.0f ml", (int)i, ml);
        rvl_volume_free(v);
    }
}

static void masks__are_there_for_what_is_present(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 12; i++) {
        rvl_thorax_case c;
        rvl_volume     *masks[RVL_THORAX_N_FINDINGS], *v;

        make_case(&c, i);
        for (int q = 0; q < c.n_recons; q++) {
            v = render(&c, q, masks);
            for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++) {
                int64_t n = 0;

                assert_int_equal(masks[f] != NULL, c.truth[f].present);
                if (!masks[f])
                    continue;
                assert_int_equal(masks[f]->depth, v->depth);
                assert_int_equal(masks[f]->width, v->width);
                assert_memory_equal(&masks[f]->origin_mm, &v->origin_mm, sizeof v->origin_mm);
                assert_memory_equal(&masks[f]->spacing_mm, &v->spacing_mm, sizeof v->spacing_mm);
                for (int64_t j = 0; j < count(v); j++) {
                    assert_true(((uint8_t *)masks[f]->voxels)[j] <= 1);
                    n += ((uint8_t *)masks[f]->voxels)[j];
                }
                if (n == 0)
                    fail_msg("scan %d: the mask of %s is empty", (int)i, rvl_thorax_finding_name(f));
            }
            free_masks(masks);
            rvl_volume_free(v);
        }
    }
}

typedef struct {
    double x, z, hu, n;
} moments;

static moments mask_moments(const rvl_volume *mask, const rvl_volume *v)
{
    moments m = {0, 0, 0, 0};

    for (int64_t i = 0; i < count(v); i++)
        if (((uint8_t *)mask->voxels)[i]) {
            m.x += v->origin_mm.x + (double)(i % v->width) * v->spacing_mm.x;
            m.z += v->origin_mm.z + (double)(i / (v->width * v->height)) * v->spacing_mm.z;
            m.hu += rvl_volume_at(v, i);
            m.n++;
        }
    m.x /= m.n;
    m.z /= m.n;
    m.hu /= m.n;
    return m;
}

static void findings__lie_on_their_side(void **state)
{
    static const int sided[] = {RVL_THORAX_NODULE,           RVL_THORAX_CONSOLIDATION,   RVL_THORAX_PLEURAL_EFFUSION,
                                RVL_THORAX_ATELECTASIS,      RVL_THORAX_OPACITY,         RVL_THORAX_BRONCHIECTASIS,
                                RVL_THORAX_FIBROTIC_SEQUELA, RVL_THORAX_MEDICAL_MATERIAL};

    (void)state;
    for (size_t s = 0; s < RVL_ARRAY_LEN(sided); s++) {
        int64_t index = 0;
        int     n_left = 0, n_right = 0;

        while (n_left < 2 || n_right < 2) {
            static rvl_thorax_body b;
            rvl_thorax_case        c;
            rvl_volume            *masks[RVL_THORAX_N_FINDINGS], *v;
            moments                m;
            double                 side;

            next_case_with(&c, &index, sided[s]);
            if (c.truth[sided[s]].side != RVL_SIDE_LEFT && c.truth[sided[s]].side != RVL_SIDE_RIGHT)
                continue;
            keep_only(&c, sided[s]);
            rvl_thorax_body_make(&b, &c);
            v = render(&c, 0, masks);
            m = mask_moments(masks[sided[s]], v);
            side = m.x - (b.world_x + b.off_x); /* LPS: the patient's left is positive */
            if ((c.truth[sided[s]].side == RVL_SIDE_LEFT) != (side > 0))
                fail_msg("%s of the %s lies at x = %.1f mm", rvl_thorax_finding_name(sided[s]),
                         rvl_side_text(c.truth[sided[s]].side), side);
            n_left += c.truth[sided[s]].side == RVL_SIDE_LEFT;
            n_right += c.truth[sided[s]].side == RVL_SIDE_RIGHT;
            free_masks(masks);
            rvl_volume_free(v);
        }
    }
}

static void findings__have_their_hu(void **state)
{
    static const struct {
        int finding, low, high;
    } expect[] = {{RVL_THORAX_PLEURAL_EFFUSION, -60, 40},     {RVL_THORAX_CONSOLIDATION, -120, 70},
                  {RVL_THORAX_OPACITY, -720, -350},           {RVL_THORAX_EMPHYSEMA, -1010, -870},
                  {RVL_THORAX_PERICARDIAL_EFFUSION, -40, 40}, {RVL_THORAX_CARDIOMEGALY, 10, 70},
                  {RVL_THORAX_LYMPHADENOPATHY, -80, 80},      {RVL_THORAX_MEDICAL_MATERIAL, 150, 3071}};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(expect); i++) {
        int64_t index = 0;

        for (int n = 0; n < 3; n++) {
            rvl_thorax_case c;
            rvl_volume     *masks[RVL_THORAX_N_FINDINGS], *v;
            moments         m;

            next_case_with(&c, &index, expect[i].finding);
            keep_only(&c, expect[i].finding);
            v = render(&c, 0, masks);
            m = mask_moments(masks[expect[i].finding], v);
            if (m.hu < expect[i].low || m.hu > expect[i].high)
                fail_msg("scan %d: %s has %.0f HU", (int)c.index, rvl_thorax_finding_name(expect[i].finding), m.hu);
            free_masks(masks);
            rvl_volume_free(v);
        }
    }
}

/** Nothing but the nodule's surroundings changes with it; noise follows the slice's attenuation a little. */
static void removal__leaves_the_rest(void **state)
{
    int64_t         index = 0;
    rvl_thorax_case c, without;
    rvl_volume     *masks[RVL_THORAX_N_FINDINGS], *v, *w;
    int64_t         n_far = 0;

    (void)state;
    next_case_with(&c, &index, RVL_THORAX_NODULE);
    without = c;
    rvl_thorax_case_remove(&without, RVL_THORAX_NODULE);
    v = render(&c, 0, masks);
    w = render(&without, 0, NULL);
    for (int64_t i = 0; i < count(v); i++)
        n_far += fabs(rvl_volume_at(v, i) - rvl_volume_at(w, i)) > 6;
    assert_true(n_far > 0 && (double)n_far < 12 * mask_moments(masks[RVL_THORAX_NODULE], v).n + 60);
    free_masks(masks);
    rvl_volume_free(v);
    rvl_volume_free(w);
}

static void recons__show_one_body(void **state)
{
    int64_t index = 0;

    (void)state;
    for (int n = 0; n < 3;) {
        rvl_thorax_case c;
        rvl_volume     *a[RVL_THORAX_N_FINDINGS], *b[RVL_THORAX_N_FINDINGS], *v, *w;
        moments         p, q;

        next_case_with(&c, &index, RVL_THORAX_CARDIOMEGALY);
        if (c.n_recons < 2)
            continue;
        v = render(&c, 0, a);
        w = render(&c, 1, b);
        assert_true(v->spacing_mm.z != w->spacing_mm.z);
        p = mask_moments(a[RVL_THORAX_CARDIOMEGALY], v);
        q = mask_moments(b[RVL_THORAX_CARDIOMEGALY], w);
        assert_true(fabs(p.x - q.x) < 1.5 && fabs(p.z - q.z) < 1.5);
        free_masks(a);
        free_masks(b);
        rvl_volume_free(v);
        rvl_volume_free(w);
        n++;
    }
}

static void case__has_fair_prevalences(void **state)
{
    int n_present[RVL_THORAX_N_FINDINGS] = {0}, n_normal = 0, n_split[3] = {0};

    (void)state;
    for (int i = 0; i < 2000; i++) {
        rvl_thorax_case c;
        int             n = 0;

        make_case(&c, i);
        for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++) {
            n += c.truth[f].present;
            n_present[f] += c.truth[f].present;
            if (!c.truth[f].present)
                continue;
            assert_in_range(c.truth[f].severity, 1, 3);
            assert_true(!c.truth[f].hedged || c.truth[f].severity == 1);
        }
        assert_true(c.truth[RVL_THORAX_CARDIOMEGALY].present == (c.heart_mm > c.chest_mm));
        n_normal += n == 0;
        n_split[c.split]++;
    }
    for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++)
        assert_in_range(n_present[f], 200, 800);
    assert_in_range(n_normal, 200, 400);
    assert_in_range(n_split[RVL_PHANTOM_TRAIN], 1560, 1640);
}

static void names__follow_ct_rate(void **state)
{
    rvl_thorax_case c;
    char            name[RVL_THORAX_NAME_BYTES];

    (void)state;
    make_case(&c, 14);
    assert_int_equal(c.patient, 13);
    c.split = RVL_PHANTOM_VAL;
    rvl_thorax_name(name, &c, 1);
    assert_string_equal(name, "valid_000013_b_2");
    rvl_thorax_name(name, &c, -1);
    assert_string_equal(name, "valid_000013_b");
}

/** On a radiograph lungs are dark, the middle is bright, and so is the heart's side. */
static void twin__is_a_radiograph(void **state)
{
    rvl_thorax_case c;
    rvl_volume     *image = NULL;
    double          lung = 0, middle = 0, left = 0, right = 0;

    (void)state;
    make_case(&c, 3);
    keep_only(&c, -1);
    assert_int_equal(rvl_thorax_project(&image, &c, 128, 16, NULL), RVL_OK);
    assert_int_equal(image->type, RVL_VOXEL_U16);
    for (int y = 50; y < 62; y++)
        for (int x = -2; x < 3; x++) {
            lung += rvl_volume_at(image, y * 128 + 36 + x);
            middle += rvl_volume_at(image, y * 128 + 64 + x);
        }
    for (int y = 75; y < 90; y++)
        for (int x = 12; x < 20; x++) {
            left += rvl_volume_at(image, y * 128 + 64 + x);
            right += rvl_volume_at(image, y * 128 + 64 - x);
        }
    assert_true(lung < 0.6 * middle);
    assert_true(left > 1.05 * right);
    rvl_volume_free(image);
    assert_int_equal(rvl_thorax_project(&image, &c, 128, 12, NULL), RVL_ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan__is_the_same_in_every_thread),
        cmocka_unit_test(scans__differ),
        cmocka_unit_test(volume__keeps_its_place_in_a_file),
        cmocka_unit_test(tissues__have_their_hu),
        cmocka_unit_test(lungs__fill_a_fair_part),
        cmocka_unit_test(masks__are_there_for_what_is_present),
        cmocka_unit_test(findings__lie_on_their_side),
        cmocka_unit_test(findings__have_their_hu),
        cmocka_unit_test(removal__leaves_the_rest),
        cmocka_unit_test(recons__show_one_body),
        cmocka_unit_test(case__has_fair_prevalences),
        cmocka_unit_test(names__follow_ct_rate),
        cmocka_unit_test(twin__is_a_radiograph),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
