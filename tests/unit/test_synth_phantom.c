/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_synth_phantom.c
 * Phantoms: pictures and masks follow the truth, and nothing but the truth.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/util.h"
#include "synth/phantom.h"

enum { SIDE = 96, N_CASES = 60 };

static void render(rvl_volume **image, rvl_volume **masks, const rvl_phantom_case *c)
{
    rvl_error err = {0};

    assert_int_equal(rvl_phantom_render(image, masks, c, SIDE, SIDE, 8, &err), RVL_OK);
}

static void free_masks(rvl_volume **masks)
{
    for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++)
        rvl_volume_free(masks[f]);
}

static uint64_t picture_hash(uint64_t seed, int64_t index)
{
    rvl_phantom_case c;
    rvl_volume      *v;
    uint64_t         hash;

    rvl_phantom_case_make(&c, seed, index, NULL);
    render(&v, NULL, &c);
    hash = rvl_hash64(v->voxels, SIDE * SIDE);
    rvl_volume_free(v);
    return hash;
}

static void case__is_a_function_of_seed_and_index(void **state)
{
    rvl_phantom_case a, b;

    (void)state;
    rvl_phantom_case_make(&a, 7, 12, NULL);
    rvl_phantom_case_make(&b, 7, 3, NULL);
    rvl_phantom_case_make(&b, 7, 12, NULL);
    assert_int_equal(a.age_years, b.age_years);
    assert_memory_equal(a.truth, b.truth, sizeof a.truth);
    assert_int_equal(picture_hash(7, 12), picture_hash(7, 12));
    assert_int_not_equal(picture_hash(7, 12), picture_hash(8, 12));
    assert_int_not_equal(picture_hash(7, 12), picture_hash(7, 13));
}

static void case__keeps_a_patient_in_one_split(void **state)
{
    static const double ratio[3] = {0.7, 0.1, 0.2};
    int                 n[3] = {0}, seconds = 0;
    rvl_phantom_case    c, last;

    (void)state;
    memset(&last, 0, sizeof last);
    last.patient = -1;
    for (int i = 0; i < 2000; i++) {
        rvl_phantom_case_make(&c, 1, i, ratio);
        n[c.split]++;
        if (c.patient == last.patient) {
            seconds++;
            assert_int_equal(c.split, last.split);
            assert_int_equal(c.female, last.female);
            assert_int_equal(c.age_years, last.age_years);
        }
        last = c;
    }
    assert_int_equal(seconds, 400);
    assert_in_range(n[RVL_PHANTOM_TRAIN], 1370, 1430);
    assert_in_range(n[RVL_PHANTOM_VAL], 180, 220);
    assert_in_range(n[RVL_PHANTOM_TEST], 370, 430);
}

static void case__has_prevalences_and_normals_as_told(void **state)
{
    int n[RVL_PHANTOM_N_FINDINGS] = {0}, normal = 0;

    (void)state;
    for (int i = 0; i < 4000; i++) {
        rvl_phantom_case c;
        int              any = 0;

        rvl_phantom_case_make(&c, 3, i, NULL);
        for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++) {
            n[f] += c.truth[f].present;
            any += c.truth[f].present;
        }
        normal += any == 0;
    }
    for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++)
        assert_in_range(n[f], 4000 * 18 / 100, 4000 * 30 / 100);
    assert_in_range(normal, 4000 * 15 / 100, 4000 * 25 / 100);
}

static void mask__is_not_empty_where_the_finding_is_present_and_absent_else(void **state)
{
    (void)state;
    for (int i = 0; i < N_CASES; i++) {
        rvl_phantom_case c;
        rvl_volume      *v, *masks[RVL_PHANTOM_N_FINDINGS];

        rvl_phantom_case_make(&c, 5, i, NULL);
        render(&v, masks, &c);
        for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++) {
            int64_t n = 0;

            assert_int_equal(masks[f] != NULL, c.truth[f].present);
            for (int64_t p = 0; masks[f] && p < SIDE * SIDE; p++)
                n += ((uint8_t *)masks[f]->voxels)[p] == 255;
            if (masks[f] && n < 4)
                fail_msg("case %d: mask of %s has %d pixels", i, rvl_phantom_finding_name(f), (int)n);
        }
        free_masks(masks);
        rvl_volume_free(v);
    }
}

/** The patient's left is on the image's right: the mask's centre must be on the side that the truth names. */
static void mask__lies_on_the_side_of_the_truth(void **state)
{
    int n_checked = 0;

    (void)state;
    for (int i = 0; i < N_CASES; i++) {
        rvl_phantom_case c;
        rvl_volume      *v, *masks[RVL_PHANTOM_N_FINDINGS];

        rvl_phantom_case_make(&c, 6, i, NULL);
        render(&v, masks, &c);
        for (int f = 0; f < RVL_PHANTOM_DEVICE; f++) {
            double  sum = 0;
            int64_t n = 0;

            if (!masks[f] || (c.truth[f].side != RVL_SIDE_LEFT && c.truth[f].side != RVL_SIDE_RIGHT))
                continue;
            for (int64_t p = 0; p < SIDE * SIDE; p++)
                if (((uint8_t *)masks[f]->voxels)[p]) {
                    sum += (double)(p % SIDE) + 0.5;
                    n++;
                }
            assert_int_equal(sum / (double)n > SIDE / 2.0 ? RVL_SIDE_LEFT : RVL_SIDE_RIGHT, c.truth[f].side);
            n_checked++;
        }
        free_masks(masks);
        rvl_volume_free(v);
    }
    assert_true(n_checked > 30);
}

/** Take a finding away and draw again: inside its mask the picture changes far more than outside. */
static void finding__changes_the_picture_inside_its_mask(void **state)
{
    int n_checked[RVL_PHANTOM_N_FINDINGS] = {0};

    (void)state;
    for (int i = 0; i < N_CASES; i++) {
        rvl_phantom_case c;
        rvl_volume      *with, *masks[RVL_PHANTOM_N_FINDINGS];

        rvl_phantom_case_make(&c, 9, i, NULL);
        render(&with, masks, &c);
        for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++) {
            rvl_phantom_case less = c;
            rvl_volume      *without;
            double           change[2] = {0}, n[2] = {0};

            if (!masks[f])
                continue;
            rvl_phantom_case_remove(&less, (rvl_phantom_finding)f);
            render(&without, NULL, &less);
            for (int64_t p = 0; p < SIDE * SIDE; p++) {
                int d = ((uint8_t *)with->voxels)[p] - ((uint8_t *)without->voxels)[p];
                int inside = ((uint8_t *)masks[f]->voxels)[p] != 0;

                change[inside] += d < 0 ? -d : d;
                n[inside]++;
            }
            change[0] /= n[0];
            change[1] /= n[1];
            /* another finding may lie over this one; collapse moves the whole chest */
            if (change[1] > 1.5 * change[0] && change[1] > 1)
                n_checked[f]++;
            rvl_volume_free(without);
        }
        free_masks(masks);
        rvl_volume_free(with);
    }
    for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++)
        if (n_checked[f] < 6)
            fail_msg("%s changed its mask in %d cases only", rvl_phantom_finding_name(f), n_checked[f]);
}

static void render__gives_sixteen_bits_and_any_size(void **state)
{
    rvl_phantom_case c;
    rvl_volume      *v = NULL;
    rvl_error        err = {0};
    uint16_t         top = 0;

    (void)state;
    rvl_phantom_case_make(&c, 1, 1, NULL);
    assert_int_equal(rvl_phantom_render(&v, NULL, &c, 80, 64, 16, &err), RVL_OK);
    assert_int_equal(v->type, RVL_VOXEL_U16);
    assert_int_equal(v->height, 80);
    assert_int_equal(v->width, 64);
    assert_int_equal(v->modality, RVL_MODALITY_CXR);
    for (int i = 0; i < 80 * 64; i++)
        top = ((uint16_t *)v->voxels)[i] > top ? ((uint16_t *)v->voxels)[i] : top;
    assert_true(top > 256 * 128);
    rvl_volume_free(v);
    assert_int_equal(rvl_phantom_render(&v, NULL, &c, 16, 64, 8, &err), RVL_ERR_USAGE);
    assert_null(v);
    assert_int_equal(rvl_phantom_render(&v, NULL, &c, 64, 64, 12, &err), RVL_ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case__is_a_function_of_seed_and_index),
        cmocka_unit_test(case__keeps_a_patient_in_one_split),
        cmocka_unit_test(case__has_prevalences_and_normals_as_told),
        cmocka_unit_test(mask__is_not_empty_where_the_finding_is_present_and_absent_else),
        cmocka_unit_test(mask__lies_on_the_side_of_the_truth),
        cmocka_unit_test(finding__changes_the_picture_inside_its_mask),
        cmocka_unit_test(render__gives_sixteen_bits_and_any_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
