/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_imaging_geometry.c
 * Affine maps of grids: by hand, and as properties of random oblique, anisotropic and sheared grids.
 */
#include "support.h"
#include "base/rng.h"
#include "imaging/geometry.h"

#include <math.h>

static void assert_near(rvl_vec3 got, double x, double y, double z, double tolerance)
{
    if (fabs(got.x - x) > tolerance || fabs(got.y - y) > tolerance || fabs(got.z - z) > tolerance)
        fail_msg("(%.9g, %.9g, %.9g), not (%.9g, %.9g, %.9g)", got.x, got.y, got.z, x, y, z);
}

/* A supine axial series whose table is turned by 30 degrees about z: cos 0.8660254, sin 0.5. */
static rvl_grid turned(void)
{
    const double c = sqrt(3) / 2;
    rvl_grid     g = {.depth = 5,
                      .height = 4,
                      .width = 3,
                      .spacing_mm = {2, 3, 5},
                      .origin_mm = {-10, 20, 100},
                      .direction = {{c, -0.5, 0}, {0.5, c, 0}, {0, 0, 1}}};
    return g;
}

static void affine__puts_voxel_centres_into_the_world(void **state)
{
    const rvl_grid       g = turned();
    const rvl_affine_map a = rvl_grid_affine(&g);

    (void)state;
    assert_near(rvl_affine_apply(&a, (rvl_vec3){0, 0, 0}), -10, 20, 100, 0);
    assert_near(rvl_affine_apply(&a, (rvl_vec3){1, 0, 0}), -10 + 2 * sqrt(3) / 2, 21, 100, 1e-12);
    assert_near(rvl_affine_apply(&a, (rvl_vec3){0, 2, 0}), -13, 20 + 6 * sqrt(3) / 2, 100, 1e-12);
    assert_near(rvl_affine_apply(&a, (rvl_vec3){0, 0, 1.5}), -10, 20, 107.5, 1e-12);
}

static void place__takes_spacing_and_direction_from_the_columns(void **state)
{
    const rvl_grid       g = turned();
    const rvl_affine_map a = rvl_grid_affine(&g);
    rvl_grid             got = {0};
    rvl_affine_map       flat = a;

    (void)state;
    assert_true(rvl_grid_place(&got, &a));
    assert_true(got.has_geometry && got.has_spacing);
    assert_near(got.spacing_mm, 2, 3, 5, 1e-12);
    assert_near(got.origin_mm, -10, 20, 100, 0);
    for (int i = 0; i < 9; i++)
        assert_true(fabs(got.direction[i / 3][i % 3] - g.direction[i / 3][i % 3]) < 1e-12);
    for (int r = 0; r < 3; r++)
        flat.m[r][2] = flat.m[r][0] - 2 * flat.m[r][1];
    assert_false(rvl_grid_place(&got, &flat));
    flat = a;
    flat.m[1][3] = NAN;
    assert_false(rvl_grid_place(&got, &flat));
    flat = a;
    flat.m[0][0] = flat.m[1][0] = flat.m[2][0] = 0;
    assert_false(rvl_grid_place(&got, &flat));
    assert_near(got.spacing_mm, 2, 3, 5, 1e-12);
}

/* Random columns that are far from dependent. */
static rvl_grid random_grid(uint64_t stream)
{
    rvl_grid g = {.depth = 7, .height = 6, .width = 5};
    double   value[15];
    rvl_rng  rng = rvl_rng_make(11, stream);

    for (int i = 0; i < 15; i++)
        value[i] = rvl_rng_uniform(&rng);
    g.spacing_mm = (rvl_vec3){0.3 + value[0], 0.3 + 3 * value[1], 0.3 + 5 * value[2]};
    g.origin_mm = (rvl_vec3){300 * value[3] - 150, 300 * value[4] - 150, 900 * value[5]};
    for (int c = 0; c < 3; c++) {
        double column[3];
        double length = 0;
        for (int r = 0; r < 3; r++) {
            column[r] =
                (r == (c + (int)(stream % 3)) % 3 ? (value[6] < 0.5 ? 1 : -1) : 0) + 0.4 * (value[6 + 3 * c + r] - 0.5);
            length += column[r] * column[r];
        }
        for (int r = 0; r < 3; r++)
            g.direction[r][c] = column[r] / sqrt(length);
    }
    return g;
}

static void inverse__undoes_any_grid(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 50; i++) {
        const rvl_grid       g = random_grid(i);
        const rvl_affine_map a = rvl_grid_affine(&g);
        rvl_affine_map       back;
        const rvl_vec3       p = {3.5, -20, 17};
        assert_true(rvl_affine_inverse(&back, &a));
        rvl_vec3 there = rvl_affine_apply(&a, p);
        assert_near(rvl_affine_apply(&back, there), p.x, p.y, p.z, 1e-9);
        rvl_affine_map both = rvl_affine_after(&back, &a);
        assert_near(rvl_affine_apply(&both, p), p.x, p.y, p.z, 1e-9);
    }
    const rvl_affine_map none = {{{1, 2, 3, 0}, {2, 4, 6, 0}, {0, 0, 1, 0}}};
    rvl_affine_map       out;
    assert_false(rvl_affine_inverse(&out, &none));
}

static void map_between__goes_by_the_world(void **state)
{
    const rvl_vec3 p = {1.25, 2, -3};

    (void)state;
    for (uint64_t i = 0; i < 20; i++) {
        const rvl_grid       a = random_grid(i);
        const rvl_grid       b = random_grid(100 + i);
        const rvl_affine_map to_world_a = rvl_grid_affine(&a);
        const rvl_affine_map to_world_b = rvl_grid_affine(&b);
        rvl_affine_map       there, back;
        assert_true(rvl_grid_map_between(&there, &a, &b));
        assert_true(rvl_grid_map_between(&back, &b, &a));
        const rvl_vec3 q = rvl_affine_apply(&there, p);
        const rvl_vec3 world = rvl_affine_apply(&to_world_a, p);
        assert_near(rvl_affine_apply(&to_world_b, q), world.x, world.y, world.z, 1e-8);
        assert_near(rvl_affine_apply(&back, q), p.x, p.y, p.z, 1e-8);
    }
}

static void box__of_a_quarter_turn_and_a_scale_is_exact(void **state)
{
    /* x' = -2 y + 1, y' = x, z' = z / 2 */
    const rvl_affine_map a = {{{0, -2, 0, 1}, {1, 0, 0, 0}, {0, 0, 0.5, 0}}};
    const rvl_box        box = {.low = {-0.5, 1.5, 2}, .high = {3.5, 4.5, 6}};
    const rvl_box        out = rvl_affine_box(&a, box);

    (void)state;
    assert_near(out.low, -8, -0.5, 1, 0);
    assert_near(out.high, -2, 3.5, 3, 0);
}

static void axis_codes__name_where_indices_grow_to(void **state)
{
    rvl_grid g = turned();
    char     code[4];

    (void)state;
    rvl_grid_axis_codes(code, &g);
    assert_string_equal(code, "LPS");
    assert_true(fabs(rvl_grid_obliquity_deg(&g) - 30) < 1e-9);
    assert_true(rvl_grid_shear_deg(&g) < 1e-9);
    /* sagittal, feet first: x runs to the back, y to the feet, z to the right */
    const double sagittal[3][3] = {{0, 0, -1}, {1, 0, 0}, {0, -1, 0}};
    memcpy(g.direction, sagittal, sizeof sagittal);
    rvl_grid_axis_codes(code, &g);
    assert_string_equal(code, "PIR");
    /* gantry tilt of 20 degrees: z leans to the front */
    const double tilt = 20 / 57.29577951308232;
    const double tilted[3][3] = {{1, 0, 0}, {0, 1, -sin(tilt)}, {0, 0, cos(tilt)}};
    memcpy(g.direction, tilted, sizeof tilted);
    rvl_grid_axis_codes(code, &g);
    assert_string_equal(code, "LPS");
    assert_true(fabs(rvl_grid_shear_deg(&g) - 20) < 1e-9);
    const double both[3][3] = {{1, 0.8, 0}, {0, 0.6, 0}, {0, 0, 1}};
    memcpy(g.direction, both, sizeof both);
    rvl_grid_axis_codes(code, &g);
    assert_string_equal(code, "???");
}

static void volume__keeps_its_grid(void **state)
{
    const rvl_grid g = turned();
    rvl_volume    *v = NULL;
    rvl_volume    *w = NULL;

    (void)state;
    assert_int_equal(rvl_volume_new(&v, RVL_VOXEL_U8, 5, 4, 3, NULL), RVL_OK);
    rvl_grid fresh = rvl_volume_grid(v);
    assert_false(fresh.has_spacing || fresh.has_geometry);
    assert_near(fresh.spacing_mm, 1, 1, 1, 0);
    rvl_volume_set_grid(v, &g);
    v->unit = RVL_UNIT_HU;
    assert_int_equal(rvl_volume_new(&w, RVL_VOXEL_F32, 1, 2, 2, NULL), RVL_OK);
    void *voxels = w->voxels;
    rvl_volume_copy_facts(w, v);
    assert_ptr_equal(w->voxels, voxels);
    assert_int_equal(w->unit, RVL_UNIT_HU);
    assert_int_equal(w->type, RVL_VOXEL_F32);
    assert_int_equal(w->height, 2);
    fresh = rvl_volume_grid(w);
    assert_near(fresh.origin_mm, -10, 20, 100, 0);
    assert_true(fresh.direction[1][0] == 0.5);
    rvl_volume_free(v);
    rvl_volume_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(affine__puts_voxel_centres_into_the_world),
        cmocka_unit_test(place__takes_spacing_and_direction_from_the_columns),
        cmocka_unit_test(inverse__undoes_any_grid),
        cmocka_unit_test(map_between__goes_by_the_world),
        cmocka_unit_test(box__of_a_quarter_turn_and_a_scale_is_exact),
        cmocka_unit_test(axis_codes__name_where_indices_grow_to),
        cmocka_unit_test(volume__keeps_its_grid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
