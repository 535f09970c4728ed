/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_imaging_resample.c
 * Resampling, turning, cropping and padding: PyTorch's numbers for the [ct-clip] rule, hand calculation, and properties
 * of oblique, anisotropic volumes. A field that is linear in the world is the ideal sample: trilinear keeps it exactly.
 */
#include "support.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/rng.h"
#include "imaging/resample.h"

#include <jansson.h>
#include <math.h>

static rvl_volume *volume_new(rvl_voxel_type type, int64_t depth, int64_t height, int64_t width)
{
    rvl_volume *v = NULL;

    assert_int_equal(rvl_volume_new(&v, type, depth, height, width, NULL), RVL_OK);
    return v;
}

/* Two turns, so that no axis is any axis of the patient. */
static void put_oblique(rvl_volume *v, double angle)
{
    const double c = cos(angle);
    const double s = sin(angle);
    const double d[3][3] = {{c, -s * c, s * s}, {s, c * c, -c * s}, {0, s, c}};

    v->has_spacing = v->has_geometry = true;
    v->spacing_mm = (rvl_vec3){0.8, 0.9, 2.5};
    v->origin_mm = (rvl_vec3){-101, 57, -860};
    memcpy(v->direction, d, sizeof d);
}

static double field(rvl_vec3 world)
{
    return 3 * world.x - 2 * world.y + 0.5 * world.z + 400;
}

static rvl_vec3 world_of(const rvl_volume *v, double x, double y, double z)
{
    const rvl_grid       g = rvl_volume_grid(v);
    const rvl_affine_map a = rvl_grid_affine(&g);
    return rvl_affine_apply(&a, (rvl_vec3){x, y, z});
}

static void fill_field(rvl_volume *v)
{
    for (int64_t i = 0; i < v->depth * v->height * v->width; i++)
        rvl_volume_set(v, i,
                       field(world_of(v, (double)(i % v->width), (double)(i / v->width % v->height),
                                      (double)(i / v->width / v->height))));
}

/* Voxels whose centre has neighbours on all sides in the source hold the field's value. */
static void assert_field(const rvl_volume *v, const rvl_volume *source, const char *what)
{
    const rvl_grid to = rvl_volume_grid(source);
    const rvl_grid from = rvl_volume_grid(v);
    rvl_affine_map map;
    int64_t        n_inside = 0;

    assert_true(rvl_grid_map_between(&map, &from, &to));
    for (int64_t i = 0; i < v->depth * v->height * v->width; i++) {
        const double   x = (double)(i % v->width);
        const double   y = (double)(i / v->width % v->height);
        const double   z = (double)(i / v->width / v->height);
        const rvl_vec3 p = rvl_affine_apply(&map, (rvl_vec3){x, y, z});
        if (p.x < 0 || p.y < 0 || p.z < 0 || p.x > (double)to.width - 1 || p.y > (double)to.height - 1 ||
            p.z > (double)to.depth - 1)
            continue;
        n_inside++;
        double want = field(world_of(v, x, y, z));
        if (fabs(rvl_volume_at(v, i) - want) > 2e-3)
            fail_msg("%s: voxel %d is %.9g, not %.9g", what, (int)i, rvl_volume_at(v, i), want);
    }
    assert_true(n_inside * 4 > v->depth * v->height * v->width);
}

static double json_at(const json_t *list, size_t i)
{
    return json_number_value(json_array_get(list, i));
}

/* The steps of a CT-CLIP input, on the volume that ct_clip_grid.py made. */
static void check_case(const json_t *c, uint64_t stream)
{
    const json_t *file = json_object_get(c, "file");
    const json_t *spacing = json_object_get(c, "spacing");
    const json_t *target = json_object_get(c, "target");
    const json_t *window = json_object_get(c, "window");
    const json_t *size = json_object_get(c, "size");
    const json_t *grid = json_object_get(c, "grid");
    const json_t *values = json_object_get(c, "values");
    rvl_volume   *v =
        volume_new(RVL_VOXEL_I16, (int64_t)json_at(file, 2), (int64_t)json_at(file, 1), (int64_t)json_at(file, 0));
    rvl_volume  *turned = NULL, *small = NULL, *scaled = NULL, *out = NULL;
    rvl_rng      rng = rvl_rng_make(29, stream);
    const double low = json_at(window, 0);
    const double high = json_at(window, 1);
    const double xy = json_at(target, 0);

    for (int64_t i = 0; i < v->depth * v->height * v->width; i++)
        rvl_volume_set(v, i, floor(rvl_rng_uniform(&rng) * 2600) - 1100);
    v->has_spacing = true;
    v->spacing_mm = (rvl_vec3){json_at(spacing, 0), json_at(spacing, 0), json_at(spacing, 1)};
    rvl_volume_clip(v, low, high);
    assert_int_equal(rvl_volume_permute(&turned, v, (const int[]){1, 0, 2}, (const bool[]){false, false, false}, NULL),
                     RVL_OK);
    assert_int_equal(rvl_volume_resample(&small, turned, (rvl_vec3){xy, xy, json_at(target, 1)}, RVL_RESAMPLE_CT_CLIP,
                                         RVL_INTERPOLATE_LINEAR, false, NULL),
                     RVL_OK);
    assert_int_equal(small->depth, (int64_t)json_at(size, 0));
    assert_int_equal(small->height, (int64_t)json_at(size, 1));
    assert_int_equal(small->width, (int64_t)json_at(size, 2));
    assert_int_equal(rvl_volume_window(&scaled, small, low, high, -1, 1, NULL), RVL_OK);
    assert_int_equal(rvl_volume_fit(&out, scaled, (int64_t)json_at(grid, 0), (int64_t)json_at(grid, 1),
                                    (int64_t)json_at(grid, 2), -1, NULL),
                     RVL_OK);
    assert_int_equal(json_array_size(values), out->depth * out->height * out->width);
    for (size_t i = 0; i < json_array_size(values); i++)
        if (fabs(rvl_volume_at(out, (int64_t)i) - json_at(values, i)) > 2e-7) /* two roundings to f32 */
            fail_msg("case %d: value %zu is %.9g, not %.9g", (int)stream, i, rvl_volume_at(out, (int64_t)i),
                     json_at(values, i));
    rvl_volume_free(v);
    rvl_volume_free(turned);
    rvl_volume_free(small);
    rvl_volume_free(scaled);
    rvl_volume_free(out);
}

static void ct_clip__gives_pytorchs_numbers(void **state)
{
    char    path[PATH_BYTES];
    json_t *root = NULL;

    (void)state;
    assert_true(source_path(path, sizeof path, "tests/golden/ct_clip_grid.json"));
    assert_int_equal(rvl_json_load(&root, path, NULL), RVL_OK);
    const json_t *cases = json_object_get(root, "cases");
    assert_int_equal(json_array_size(cases), 5);
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_case(json_array_get(cases, i), i);
    json_decref(root);
}

static void resample__by_hand(void **state)
{
    /* 4 voxels of 1 mm -> 2 of 2 mm: each in the middle of a pair; -> 8 of 0.5 mm: a quarter from a centre */
    static const double two[] = {15, 35};
    static const double eight[] = {10, 12.5, 17.5, 22.5, 27.5, 32.5, 37.5, 40};
    /* 3 of 1 mm -> round(3 / 2) = 2 of 2 mm about the same middle: centres at -0 and 2 */
    static const double odd[] = {10, 30};
    rvl_volume         *v = volume_new(RVL_VOXEL_U8, 1, 1, 4);
    rvl_volume         *w = NULL;

    (void)state;
    for (int i = 0; i < 4; i++)
        rvl_volume_set(v, i, 10 + 10 * i);
    v->has_spacing = true;
    for (int rule = 0; rule < 2; rule++) { /* whole ratios: both rules agree */
        assert_int_equal(rvl_volume_resample(&w, v, (rvl_vec3){2, 1, 1}, (rvl_resample_rule)rule,
                                             RVL_INTERPOLATE_LINEAR, false, NULL),
                         RVL_OK);
        assert_int_equal(w->width, 2);
        for (int i = 0; i < 2; i++)
            assert_true(rvl_volume_at(w, i) == two[i]);
        rvl_volume_free(w);
        assert_int_equal(rvl_volume_resample(&w, v, (rvl_vec3){0.5, 1, 1}, (rvl_resample_rule)rule,
                                             RVL_INTERPOLATE_LINEAR, false, NULL),
                         RVL_OK);
        assert_int_equal(w->width, 8);
        for (int i = 0; i < 8; i++)
            assert_true(rvl_volume_at(w, i) == eight[i]);
        assert_true(w->spacing_mm.x == 0.5 && w->origin_mm.x == -0.25);
        rvl_volume_free(w);
    }
    rvl_volume *three = volume_new(RVL_VOXEL_U8, 1, 1, 3);
    three->has_spacing = true;
    for (int i = 0; i < 3; i++)
        rvl_volume_set(three, i, 10 + 10 * i);
    assert_int_equal(
        rvl_volume_resample(&w, three, (rvl_vec3){2, 1, 1}, RVL_RESAMPLE_CENTRE, RVL_INTERPOLATE_LINEAR, true, NULL),
        RVL_OK);
    assert_int_equal(w->width, 2);
    assert_int_equal(w->type, RVL_VOXEL_U8);
    for (int i = 0; i < 2; i++)
        assert_true(rvl_volume_at(w, i) == odd[i]);
    assert_true(w->origin_mm.x == 0 && w->spacing_mm.x == 2);
    rvl_volume_free(w);
    /* CT-CLIP's own: int(3 / 2) = 1 voxel, of 3 mm, in the middle */
    assert_int_equal(
        rvl_volume_resample(&w, three, (rvl_vec3){2, 1, 1}, RVL_RESAMPLE_CT_CLIP, RVL_INTERPOLATE_LINEAR, false, NULL),
        RVL_OK);
    assert_int_equal(w->width, 1);
    assert_true(rvl_volume_at(w, 0) == 20 && w->spacing_mm.x == 3 && w->origin_mm.x == 1);
    rvl_volume_free(w);
    rvl_volume_free(three);
    rvl_volume_free(v);
}

static void identity__changes_nothing(void **state)
{
    rvl_volume *v = volume_new(RVL_VOXEL_I16, 5, 6, 7);
    rvl_volume *w = NULL;
    rvl_rng     rng = rvl_rng_make(3, 1);

    (void)state;
    put_oblique(v, 0.4);
    for (int64_t i = 0; i < 210; i++)
        rvl_volume_set(v, i, (double)rvl_rng_below(&rng, 4000) - 1024);
    for (int rule = 0; rule < 2; rule++) {
        assert_int_equal(
            rvl_volume_resample(&w, v, v->spacing_mm, (rvl_resample_rule)rule, RVL_INTERPOLATE_LINEAR, true, NULL),
            RVL_OK);
        assert_memory_equal(w->voxels, v->voxels, 210 * 2);
        assert_true(fabs(w->origin_mm.x - v->origin_mm.x) < 1e-9 && fabs(w->spacing_mm.z - 2.5) < 1e-12);
        rvl_volume_free(w);
    }
    rvl_grid g = rvl_volume_grid(v);
    assert_int_equal(rvl_volume_onto(&w, v, &g, RVL_INTERPOLATE_NEAREST, -1024, NULL), RVL_OK);
    assert_memory_equal(w->voxels, v->voxels, 210 * 2);
    rvl_volume_free(w);
    assert_int_equal(rvl_volume_fit(&w, v, 5, 6, 7, -1024, NULL), RVL_OK);
    assert_memory_equal(w->voxels, v->voxels, 210 * 2);
    rvl_volume_free(w);
    /* out and back: larger, then smaller */
    rvl_volume *large = NULL;
    assert_int_equal(rvl_volume_fit(&large, v, 8, 9, 12, -1024, NULL), RVL_OK);
    assert_int_equal(rvl_volume_fit(&w, large, 5, 6, 7, -1024, NULL), RVL_OK);
    rvl_volume_free(large);
    assert_int_equal(rvl_volume_onto(&large, w, &g, RVL_INTERPOLATE_NEAREST, 0, NULL), RVL_OK);
    rvl_volume_free(large);
    rvl_volume_free(w);
    rvl_volume_free(v);
}

static void field__stays_in_place(void **state)
{
    rvl_volume *v = volume_new(RVL_VOXEL_F32, 12, 14, 16);
    rvl_volume *w = NULL;
    rvl_volume *u = NULL;

    (void)state;
    put_oblique(v, 0.35);
    fill_field(v);
    assert_field(v, v, "source");
    for (int rule = 0; rule < 2; rule++) {
        assert_int_equal(rvl_volume_resample(&w, v, (rvl_vec3){1.3, 0.5, 1.7}, (rvl_resample_rule)rule,
                                             RVL_INTERPOLATE_LINEAR, false, NULL),
                         RVL_OK);
        assert_field(w, v, rule ? "ct-clip" : "centre");
        assert_int_equal(rvl_volume_fit(&u, w, 9, 40, 7, -1024, NULL), RVL_OK);
        assert_field(u, v, "fitted");
        rvl_volume_free(u);
        rvl_volume_free(w);
    }
    assert_int_equal(rvl_volume_orient(&w, v, "RAS", NULL), RVL_OK);
    assert_field(w, v, "RAS");
    rvl_volume_free(w);
    assert_int_equal(rvl_volume_orient(&w, v, "SLA", NULL), RVL_OK);
    assert_field(w, v, "SLA");
    assert_int_equal(w->width, 12); /* feet to head was the depth */
    rvl_volume_free(w);
    /* straight axes, coarser, reaching beyond the source */
    rvl_grid straight = {.depth = 8,
                         .height = 9,
                         .width = 10,
                         .spacing_mm = {1.5, 1.5, 3},
                         .direction = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
    straight.origin_mm = world_of(v, 3, 3, 2);
    straight.has_geometry = straight.has_spacing = true;
    assert_int_equal(rvl_volume_onto(&w, v, &straight, RVL_INTERPOLATE_LINEAR, -5000, NULL), RVL_OK);
    int n_outside = 0;
    for (int64_t i = 0; i < 720; i++)
        n_outside += rvl_volume_at(w, i) == -5000;
    assert_true(n_outside > 20 && n_outside < 540);
    assert_field(w, v, "straight");
    rvl_volume_free(w);
    rvl_volume_free(v);
}

static void orient__turns_codes_and_comes_back(void **state)
{
    static const char *const codes[] = {"LPS", "RAS", "LAS", "PIR", "SAL", "IRA", "ASR"};
    rvl_volume              *v = volume_new(RVL_VOXEL_U16, 3, 4, 5);
    rvl_volume              *w = NULL;
    rvl_volume              *back = NULL;
    rvl_error                err = {0};
    char                     now[4];

    (void)state;
    put_oblique(v, 0.2);
    for (int64_t i = 0; i < 60; i++)
        rvl_volume_set(v, i, (double)i);
    for (size_t i = 0; i < RVL_ARRAY_LEN(codes); i++) {
        assert_int_equal(rvl_volume_orient(&w, v, codes[i], NULL), RVL_OK);
        rvl_grid g = rvl_volume_grid(w);
        rvl_grid_axis_codes(now, &g);
        assert_string_equal(now, codes[i]);
        assert_int_equal(rvl_volume_orient(&back, w, "LPS", NULL), RVL_OK);
        assert_memory_equal(back->voxels, v->voxels, 120);
        assert_true(fabs(back->origin_mm.y - 57) < 1e-9 && fabs(back->direction[1][2] - v->direction[1][2]) < 1e-12);
        rvl_volume_free(w);
        rvl_volume_free(back);
    }
    /* RAS by hand: the first voxel was the last one of width and height */
    assert_int_equal(rvl_volume_orient(&w, v, "RAS", NULL), RVL_OK);
    assert_int_equal((int)rvl_volume_at(w, 0), 19);
    assert_int_equal((int)rvl_volume_at(w, 1), 18);
    assert_int_equal((int)rvl_volume_at(w, 5), 14);
    rvl_volume_free(w);
    assert_int_equal(rvl_volume_orient(&w, v, "LPP", &err), RVL_ERR_USAGE);
    assert_int_equal(rvl_volume_orient(&w, v, "LPSI", &err), RVL_ERR_USAGE);
    assert_int_equal(rvl_volume_orient(&w, v, "xyz", &err), RVL_ERR_USAGE);
    assert_int_equal(rvl_volume_permute(&w, v, (const int[]){0, 0, 2}, (const bool[]){false, false, false}, &err),
                     RVL_ERR_USAGE);
    v->has_geometry = false;
    assert_int_equal(rvl_volume_orient(&w, v, "LPS", &err), RVL_ERR_UNSUPPORTED);
    assert_null(w);
    rvl_volume_free(v);
}

static void box__round_trip(void **state)
{
    rvl_volume    *v = volume_new(RVL_VOXEL_I16, 20, 30, 25);
    rvl_volume    *turned = NULL, *small = NULL, *w = NULL;
    rvl_affine_map there, back;

    (void)state;
    put_oblique(v, 0.3);
    assert_int_equal(rvl_volume_orient(&turned, v, "ASR", NULL), RVL_OK);
    assert_int_equal(rvl_volume_resample(&small, turned, (rvl_vec3){1.5, 1.5, 3}, RVL_RESAMPLE_CT_CLIP,
                                         RVL_INTERPOLATE_LINEAR, true, NULL),
                     RVL_OK);
    assert_int_equal(rvl_volume_fit(&w, small, 16, 12, 40, -1024, NULL), RVL_OK);
    const rvl_grid source = rvl_volume_grid(v);
    const rvl_grid model = rvl_volume_grid(w);
    assert_true(rvl_grid_map_between(&there, &source, &model));
    assert_true(rvl_grid_map_between(&back, &model, &source));
    const rvl_box box = {.low = {3.5, 10.5, 7.5}, .high = {12.5, 20.5, 11.5}};
    const rvl_box mapped = rvl_affine_box(&there, box);
    const rvl_box again = rvl_affine_box(&back, mapped);
    /* axes stay parallel: the box comes back exactly */
    const double  got[] = {again.low.x, again.low.y, again.low.z, again.high.x, again.high.y, again.high.z};
    const double  want[] = {3.5, 10.5, 7.5, 12.5, 20.5, 11.5};
    for (int i = 0; i < 6; i++)
        if (fabs(got[i] - want[i]) > 1e-9)
            fail_msg("side %d of the box is %.12g, not %.12g", i, got[i], want[i]);
    /* its extent in mm is kept too: 9 * 0.8 along x, which is the third axis of ASR */
    assert_true(fabs((mapped.high.z - mapped.low.z) * model.spacing_mm.z - 7.2) < 1e-9);
    rvl_volume_free(v);
    rvl_volume_free(turned);
    rvl_volume_free(small);
    rvl_volume_free(w);
}

static void mask__comes_back_to_the_source(void **state)
{
    rvl_volume *v = volume_new(RVL_VOXEL_U8, 24, 24, 24);
    rvl_volume *fine = NULL, *back = NULL;
    int64_t     n = 0, n_same = 0;

    (void)state;
    put_oblique(v, 0.5);
    v->spacing_mm = (rvl_vec3){1, 1.2, 2};
    for (int64_t i = 0; i < 24 * 24 * 24; i++) {
        const double dx = (double)(i % 24) - 11.5, dy = (double)(i / 24 % 24) - 11.5, dz = (double)(i / 576) - 11.5;
        ((uint8_t *)v->voxels)[i] = dx * dx + dy * dy + dz * dz < 64 ? 7 : 0;
        n += ((uint8_t *)v->voxels)[i] == 7;
    }
    /* on a finer model grid and back: nearest voxels agree exactly */
    assert_int_equal(rvl_volume_resample(&fine, v, (rvl_vec3){0.5, 0.6, 1}, RVL_RESAMPLE_CENTRE,
                                         RVL_INTERPOLATE_NEAREST, true, NULL),
                     RVL_OK);
    rvl_grid g = rvl_volume_grid(v);
    assert_int_equal(rvl_volume_onto(&back, fine, &g, RVL_INTERPOLATE_NEAREST, 0, NULL), RVL_OK);
    for (int64_t i = 0; i < 24 * 24 * 24; i++) {
        uint8_t b = ((uint8_t *)back->voxels)[i];
        assert_true(b == 0 || b == 7); /* labels are never mixed */
        n_same += b == ((uint8_t *)v->voxels)[i];
    }
    assert_true(n > 1500);
    assert_int_equal(n_same, 24 * 24 * 24);
    rvl_volume_free(fine);
    rvl_volume_free(back);
    rvl_volume_free(v);
}

static void fit__pads_with_air_and_crops_about_the_middle(void **state)
{
    rvl_volume *v = volume_new(RVL_VOXEL_I16, 1, 2, 5);
    rvl_volume *w = NULL;
    rvl_error   err = {0};

    (void)state;
    for (int64_t i = 0; i < 10; i++)
        rvl_volume_set(v, i, (double)i);
    assert_int_equal(rvl_volume_fit(&w, v, 2, 3, 2, -1024, NULL), RVL_OK);
    /* width 5 -> 2: one of three cut before; height 2 -> 3, depth 1 -> 2: nothing before */
    static const double want[] = {1, 2, 6, 7, -1024, -1024, -1024, -1024, -1024, -1024, -1024, -1024};
    for (int i = 0; i < 12; i++)
        assert_true(rvl_volume_at(w, i) == want[i]);
    assert_true(w->origin_mm.x == 1 && w->origin_mm.y == 0);
    rvl_volume_free(w);
    assert_int_equal(rvl_volume_fit(&w, v, 1, 2, 8, -1024, NULL), RVL_OK);
    assert_true(rvl_volume_at(w, 0) == -1024 && rvl_volume_at(w, 1) == 0 && rvl_volume_at(w, 6) == -1024);
    assert_true(w->origin_mm.x == -1);
    rvl_volume_free(w);
    rvl_volume *mask = volume_new(RVL_VOXEL_U8, 1, 1, 1);
    assert_int_equal(rvl_volume_fit(&w, mask, 2, 2, 2, -1024, &err), RVL_ERR_USAGE);
    assert_non_null(strstr(err.text, "-1024"));
    rvl_volume_free(mask);
    rvl_volume_free(v);
}

static void window__maps_to_the_models_range(void **state)
{
    static const double hu[] = {-3000, -1000, -400, 200, 1500};
    static const double want[] = {-1, -1, 0, 1, 1};
    rvl_volume         *v = volume_new(RVL_VOXEL_F32, 1, 1, 5);
    rvl_volume         *w = NULL;

    (void)state;
    for (int i = 0; i < 5; i++)
        rvl_volume_set(v, i, hu[i]);
    v->unit = RVL_UNIT_HU;
    assert_int_equal(rvl_volume_window(&w, v, -1000, 200, -1, 1, NULL), RVL_OK);
    for (int i = 0; i < 5; i++)
        assert_true(rvl_volume_at(w, i) == want[i]);
    assert_int_equal(w->unit, RVL_UNIT_ARBITRARY);
    rvl_volume_free(w);
    rvl_volume_clip(v, -1000, 200);
    assert_true(rvl_volume_at(v, 0) == -1000 && rvl_volume_at(v, 2) == -400 && rvl_volume_at(v, 4) == 200);
    assert_int_equal(rvl_volume_window(&w, v, 200, 200, -1, 1, NULL), RVL_ERR_USAGE);
    rvl_volume_set(v, 1, NAN);
    assert_int_equal(rvl_volume_window(&w, v, -1000, 200, -1, 1, NULL), RVL_ERR_NUMERIC);
    v->has_spacing = true;
    assert_int_equal(
        rvl_volume_resample(&w, v, (rvl_vec3){0.5, 1, 1}, RVL_RESAMPLE_CENTRE, RVL_INTERPOLATE_LINEAR, false, NULL),
        RVL_ERR_NUMERIC);
    assert_null(w);
    rvl_volume_free(v);
}

static void resample__refuses_what_makes_no_sense(void **state)
{
    rvl_volume *v = volume_new(RVL_VOXEL_U8, 2, 2, 2);
    rvl_volume *w = NULL;
    rvl_error   err = {0};

    (void)state;
    assert_int_equal(
        rvl_volume_resample(&w, v, (rvl_vec3){1, 1, 1}, RVL_RESAMPLE_CENTRE, RVL_INTERPOLATE_LINEAR, false, &err),
        RVL_ERR_USAGE);
    assert_non_null(strstr(err.text, "spacing is not known"));
    v->has_spacing = true;
    assert_int_equal(
        rvl_volume_resample(&w, v, (rvl_vec3){1, -1, 1}, RVL_RESAMPLE_CENTRE, RVL_INTERPOLATE_LINEAR, false, &err),
        RVL_ERR_USAGE);
    assert_int_equal(
        rvl_volume_resample(&w, v, (rvl_vec3){1, 3, 1}, RVL_RESAMPLE_CT_CLIP, RVL_INTERPOLATE_LINEAR, false, &err),
        RVL_ERR_USAGE);
    assert_non_null(strstr(err.text, "none would be left"));
    assert_int_equal(rvl_volume_resample(&w, v, (rvl_vec3){1e-4, 1e-4, 1e-4}, RVL_RESAMPLE_CENTRE,
                                         RVL_INTERPOLATE_LINEAR, false, &err),
                     RVL_ERR_LIMIT);
    const size_t live = rvl_alloc_get_stats().live_bytes;
    for (uint64_t nth = 1; nth <= 12; nth++) {
        rvl_alloc_fail_at(nth);
        assert_int_equal(
            rvl_volume_resample(&w, v, (rvl_vec3){0.5, 1, 1}, RVL_RESAMPLE_CENTRE, RVL_INTERPOLATE_LINEAR, false, &err),
            RVL_ERR_NOMEM);
        assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
    }
    rvl_alloc_fail_at(0);
    rvl_volume_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ct_clip__gives_pytorchs_numbers),
        cmocka_unit_test(resample__by_hand),
        cmocka_unit_test(identity__changes_nothing),
        cmocka_unit_test(field__stays_in_place),
        cmocka_unit_test(orient__turns_codes_and_comes_back),
        cmocka_unit_test(box__round_trip),
        cmocka_unit_test(mask__comes_back_to_the_source),
        cmocka_unit_test(fit__pads_with_air_and_crops_about_the_middle),
        cmocka_unit_test(window__maps_to_the_models_range),
        cmocka_unit_test(resample__refuses_what_makes_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
