/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_imaging_nifti.c
 * NIfTI files made by hand (tests/unit/data/nifti/make.py) and those of the data pack: types, byte orders, scaling,
 * geometry, frames, pairs, gzip; what is damaged or no volume is refused with a reason.
 */
#include "support.h"
#include "base/alloc.h"
#include "base/csv.h"
#include "base/str.h"
#include "imaging/geometry.h"
#include "imaging/nifti.h"

#include <math.h>

static const char *data_path(const char *name)
{
    static char path[PATH_BYTES];
    char        relative[256];

    snprintf(relative, sizeof relative, "tests/unit/data/nifti/%s", name);
    assert_true(source_path(path, sizeof path, relative));
    return path;
}

static rvl_volume *load(rvl_nifti_info *info, const char *name, const rvl_nifti_opts *opts)
{
    rvl_volume    *v = NULL;
    rvl_error      err = {0};
    rvl_nifti_info ignored;

    if (rvl_nifti_load(&v, info ? info : &ignored, data_path(name), opts, NULL, &err))
        fail_msg("%s", err.text);
    return v;
}

static void assert_voxels(const rvl_volume *v, const double *values, const char *name)
{
    assert_int_equal(v->width, 3);
    assert_int_equal(v->height, 2);
    assert_int_equal(v->depth, 1);
    for (int i = 0; i < 6; i++)
        if (rvl_volume_at(v, i) != values[i])
            fail_msg("%s: voxel %d is %.17g, not %.17g", name, i, rvl_volume_at(v, i), values[i]);
}

static const double six[] = {0, 1, -2, 3, 100, -100};

static void type__of_any_size_and_byte_order_is_read(void **state)
{
    static const struct {
        const char    *type, *stored;
        rvl_voxel_type voxel;
        double         values[6];
    } cases[] = {
        {"u1", "u8", RVL_VOXEL_U8, {0, 1, 2, 3, 200, 255}},
        {"i1", "i8", RVL_VOXEL_I16, {0, 1, -2, 3, 127, -128}},
        {"i2", "i16", RVL_VOXEL_I16, {0, 1, -2, 3, 32767, -32768}},
        {"u2", "u16", RVL_VOXEL_U16, {0, 1, 2, 3, 40000, 65535}},
        {"i4", "i32", RVL_VOXEL_F32, {0, 1, -2, 3, 70000, -70000}},
        {"u4", "u32", RVL_VOXEL_F32, {0, 1, 2, 3, 4, 16777216}},
        {"i8", "i64", RVL_VOXEL_I16, {0, 1, -2, 3, 300, -300}},
        {"u8", "u64", RVL_VOXEL_U8, {0, 1, 2, 3, 4, 255}},
        {"f4", "f32", RVL_VOXEL_F32, {0, 1, -2, 0.5, 3.25e38F, 1e-40F}},
        {"f8", "f64", RVL_VOXEL_F32, {0, 1, -2, 0.5, 1e30F, -1e-30F}},
    };

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        for (int big = 0; big < 2; big++) {
            char           name[64];
            rvl_nifti_info info;
            snprintf(name, sizeof name, "%s_%s.nii", big ? "big" : "little", cases[i].type);
            rvl_volume *v = load(&info, name, NULL);
            assert_voxels(v, cases[i].values, name);
            assert_int_equal(v->type, cases[i].voxel);
            assert_int_equal(v->unit, RVL_UNIT_UNKNOWN);
            assert_string_equal(info.stored_type, cases[i].stored);
            assert_int_equal(info.big_endian, big);
            assert_int_equal(info.version, 1);
            rvl_volume_free(v);
        }
    }
}

static void second_version__is_read(void **state)
{
    static const double f8[] = {0, 1, -2, 0.5, 1e30F, -1e-30F};
    rvl_nifti_info      info;
    rvl_volume         *v = load(&info, "second_big.nii", NULL);

    (void)state;
    assert_voxels(v, six, "second_big.nii");
    assert_int_equal(info.version, 2);
    assert_true(info.big_endian);
    assert_string_equal(info.description, "made by hand?");
    rvl_volume_free(v);
    v = load(&info, "second_little.nii.gz", NULL);
    assert_voxels(v, f8, "second_little.nii.gz");
    assert_int_equal(info.version, 2);
    rvl_volume_free(v);
}

static void slope__scales_unless_it_is_zero_or_no_number(void **state)
{
    static const double half[] = {-3, -2.5, -4, -1.5, 47, -53};
    static const double hu[] = {-1024, -1000, 0, 976, 3071, -1023};
    rvl_nifti_info      info;
    rvl_volume         *v = load(&info, "slope_half.nii", NULL);

    (void)state;
    assert_voxels(v, half, "slope_half.nii");
    assert_true(info.is_scaled && info.slope == 0.5 && info.intercept == -3);
    rvl_volume_free(v);
    v = load(&info, "slope_zero.nii", NULL);
    assert_voxels(v, six, "slope_zero.nii");
    assert_false(info.is_scaled);
    rvl_volume_free(v);
    v = load(&info, "slope_nan.nii", NULL);
    assert_voxels(v, six, "slope_nan.nii");
    rvl_volume_free(v);
    v = load(&info, "slope_hu.nii", NULL);
    assert_voxels(v, hu, "slope_hu.nii");
    assert_int_equal(v->type, RVL_VOXEL_I16); /* whole numbers again */
    rvl_volume_free(v);
}

static void non_finite__is_counted_and_refused_filled_or_kept(void **state)
{
    static const double filled[] = {1, -1024, 2, -1024, -1024, 3};
    const char         *path = data_path("non_finite.nii");
    rvl_nifti_opts      opts = rvl_nifti_opts_default();
    rvl_nifti_info      info;
    rvl_volume         *v = NULL;
    rvl_error           err = {0};

    (void)state;
    assert_int_equal(rvl_nifti_load(&v, NULL, path, NULL, NULL, &err), RVL_ERR_NUMERIC);
    assert_null(v);
    assert_non_null(strstr(err.text, "3 of its 6 voxels are NaN or Inf"));
    opts.non_finite = RVL_NON_FINITE_FILL;
    opts.fill = -1024;
    v = load(&info, "non_finite.nii", &opts);
    assert_voxels(v, filled, "non_finite.nii");
    assert_int_equal(info.n_non_finite, 3);
    rvl_volume_free(v);
    opts.non_finite = RVL_NON_FINITE_KEEP;
    v = load(&info, "non_finite.nii", &opts);
    assert_int_equal(info.n_non_finite, 3);
    assert_true(isnan(rvl_volume_at(v, 1)) && rvl_volume_at(v, 3) == INFINITY && rvl_volume_at(v, 4) == -INFINITY);
    rvl_volume_free(v);
}

static void frames__are_refused_or_taken_one_by_one(void **state)
{
    static const double second[] = {0, 10, -20, 30, 1000, -1000};
    rvl_nifti_opts      opts = rvl_nifti_opts_default();
    rvl_nifti_info      info;
    rvl_volume         *v = NULL;
    rvl_error           err = {0};

    (void)state;
    assert_int_equal(rvl_nifti_load(&v, NULL, data_path("frames.nii.gz"), NULL, NULL, &err), RVL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "2 frames"));
    opts.frame = 2;
    assert_int_equal(rvl_nifti_load(&v, NULL, data_path("frames.nii.gz"), &opts, NULL, &err), RVL_ERR_USAGE);
    opts.frame = 0;
    v = load(&info, "frames.nii.gz", &opts);
    assert_voxels(v, six, "frame 0");
    assert_int_equal(info.n_frames, 2);
    rvl_volume_free(v);
    opts.frame = 1;
    v = load(&info, "frames.nii.gz", &opts);
    assert_voxels(v, second, "frame 1");
    rvl_volume_free(v);
}

static void container__of_every_kind_holds_the_same_voxels(void **state)
{
    static const char *const names[] = {"extended.nii", "pair.hdr", "pair.img", "members.nii.gz"};
    rvl_volume              *v = NULL;
    rvl_error                err = {0};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(names); i++) {
        v = load(NULL, names[i], NULL);
        assert_voxels(v, six, names[i]);
        rvl_volume_free(v);
    }
    assert_int_equal(rvl_nifti_load(&v, NULL, data_path("garbage.nii.gz"), NULL, NULL, &err), RVL_ERR_FORMAT);
    assert_non_null(strstr(err.text, "4 bytes behind its gzip stream"));
}

/* Origin, the voxel (1, 1, 1), spacing: LPS by hand from the RAS of make.py. */
static void assert_place(const char *name, rvl_nifti_place place, const double origin[3], const double one[3],
                         const double spacing[3])
{
    rvl_nifti_info       info;
    rvl_volume          *v = load(&info, name, NULL);
    const rvl_grid       g = rvl_volume_grid(v);
    const rvl_affine_map a = rvl_grid_affine(&g);
    const rvl_vec3       p = rvl_affine_apply(&a, (rvl_vec3){1, 1, 1});
    const double         got[] = {g.origin_mm.x, g.origin_mm.y,  g.origin_mm.z,  p.x,           p.y,
                                  p.z,           g.spacing_mm.x, g.spacing_mm.y, g.spacing_mm.z};

    assert_int_equal(info.place, place);
    assert_int_equal(g.has_geometry, place != RVL_NIFTI_PLACE_NONE);
    for (int i = 0; i < 9; i++) {
        double want = i < 3 ? origin[i] : i < 6 ? one[i - 3] : spacing[i - 6];
        if (fabs(got[i] - want) > 2e-5)
            fail_msg("%s: number %d is %.9g, not %.9g", name, i, got[i], want);
    }
    rvl_volume_free(v);
}

static void place__is_sform_then_qform_then_spacing(void **state)
{
    const double c = sqrt(3) / 2;
    const double origin[] = {-10, -20, 30};
    const double spacing[] = {2, 3, 5};

    (void)state;
    /* RAS of voxel (1, 1, 1): (10 + 2c - 3/2, 20 + 2/2 + 3c, 35) */
    assert_place("qform.nii", RVL_NIFTI_PLACE_QFORM, origin, (double[]){-(10 + 2 * c - 1.5), -(21 + 3 * c), 35},
                 spacing);
    assert_place("qform_mirrored.nii", RVL_NIFTI_PLACE_QFORM, origin,
                 (double[]){-(10 + 2 * c - 1.5), -(21 + 3 * c), 25}, spacing);
    /* a half turn about (0.6, 0.8, 0): x -> (-0.28, 0.96, 0), y -> (0.96, 0.28, 0), z -> (0, 0, -1) */
    assert_place("qform_half_turn.nii", RVL_NIFTI_PLACE_QFORM, origin,
                 (double[]){-(10 - 0.56 + 2.88), -(20 + 1.92 + 0.84), 25}, spacing);
    /* columns (2, 0, 0), (0, 3, 0), (0, -1.5, 4) */
    assert_place("sform.nii", RVL_NIFTI_PLACE_SFORM, origin, (double[]){-12, -21.5, 34}, (double[]){2, 3, sqrt(18.25)});
    assert_place("sform_and_qform.nii", RVL_NIFTI_PLACE_SFORM, (double[]){-10, -20, 33}, (double[]){-12, -23, 38},
                 spacing);
    assert_place("micron.nii", RVL_NIFTI_PLACE_QFORM, origin, (double[]){-12, -23, 35}, spacing);
    assert_place("no_place.nii", RVL_NIFTI_PLACE_NONE, (double[]){0, 0, 0}, spacing, spacing);
    assert_place("no_spacing.nii", RVL_NIFTI_PLACE_NONE, (double[]){0, 0, 0}, (double[]){1, 1, 1}, (double[]){1, 1, 1});
    assert_place("flat.nii", RVL_NIFTI_PLACE_QFORM, (double[]){0, 0, 0}, (double[]){-2, -3, 1}, (double[]){2, 3, 1});
    rvl_nifti_info info;
    rvl_volume    *v = load(&info, "sform_and_qform.nii", NULL);
    assert_true(fabs(info.disagreement_mm - 3) < 1e-5);
    rvl_volume_free(v);
    v = load(&info, "no_spacing.nii", NULL);
    assert_false(v->has_spacing);
    rvl_volume_free(v);
}

static void header__that_lies_is_refused(void **state)
{
    static const struct {
        size_t      at, n_bytes;
        const char *bytes;
        rvl_status  status;
        const char *text;
    } cases[] = {
        {0, 1, "\x5d", RVL_ERR_UNSUPPORTED, "does not begin as NIfTI"},
        {344, 4, "\0\0\0\0", RVL_ERR_UNSUPPORTED, "ANALYZE 7.5"},
        {344, 3, "ni1", RVL_ERR_NOT_FOUND, ".img file"},
        {40, 2, "\0\0", RVL_ERR_FORMAT, "0 axes"},
        {40, 2, "\x08\0", RVL_ERR_FORMAT, "8 axes"},
        {42, 2, "\xfd\xff", RVL_ERR_FORMAT, "axis 1 has -3 voxels"},
        {46, 2, "\xff\x7f", RVL_ERR_FORMAT, "do not fit into the file"},
        {40, 12, "\x05\0\x03\0\x02\0\x01\0\x01\0\x03\0", RVL_ERR_UNSUPPORTED, "vectors"},
        {68, 2, "\xb9\x0b", RVL_ERR_UNSUPPORTED, "CIFTI"},
        {70, 2, "\x0f\x27", RVL_ERR_FORMAT, "code 9999"},
        {70, 2, "\x80\0", RVL_ERR_UNSUPPORTED, "RGB"},
        {70, 2, "\x20\0", RVL_ERR_UNSUPPORTED, "complex"},
        {70, 2, "\x00\x06", RVL_ERR_UNSUPPORTED, "128-bit"},
        {72, 2, "\x20\0", RVL_ERR_FORMAT, "32 bits a voxel"},
        {108, 4, "\0\0\xc8\x42", RVL_ERR_FORMAT, "byte 100, inside its header"},
        {108, 4, "\0\x80\xb0\x43", RVL_ERR_FORMAT, "do not fit"}, /* 353 */
        {108, 4, "\0\x40\xb0\x43", RVL_ERR_FORMAT, "begin at byte 352.5"},
        {108, 4, "\0\0\xc0\x7f", RVL_ERR_FORMAT, "begin at byte"}, /* NaN */
        {116, 4, "\0\0\xc0\x7f", RVL_ERR_FORMAT, "intercept is no number"},
        {254, 1, "\x01", RVL_ERR_FORMAT, "sform"}, /* whose rows are zero */
        {252, 12, "\x01\0\0\0\0\0\x40\x40\0\0\x40\x40", RVL_ERR_FORMAT, "qform is no rotation"}, /* 3, 3, 0 */
        {72, 14, "\x10\0\0\0\0\0\x80\x3f\0\0\0\0\0\0", RVL_OK, ""}, /* pixdim[1] 0: fine without a qform */
    };
    char  *bytes = NULL;
    size_t n = 0;

    (void)state;
    assert_int_equal(rvl_file_read(&bytes, &n, data_path("no_place.nii"), 0, NULL), RVL_OK);
    assert_int_equal(n, 352 + 12);
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        uint8_t     patched[364];
        rvl_volume *v = NULL;
        rvl_error   err = {0};
        memcpy(patched, bytes, n);
        memcpy(patched + cases[i].at, cases[i].bytes, cases[i].n_bytes);
        rvl_status st = rvl_nifti_parse(&v, NULL, (rvl_span){patched, n}, (rvl_span){0}, "patched", NULL, NULL, &err);
        if (st != cases[i].status || !strstr(err.text, cases[i].text))
            fail_msg("case %zu: status %d, '%s' lacks '%s'", i, (int)st, err.text, cases[i].text);
        rvl_volume_free(v);
    }
    rvl_free(bytes);
}

static void file__that_is_cut_is_refused_at_every_byte(void **state)
{
    static const char *const names[] = {"qform.nii", "second_little.nii.gz", "frames.nii.gz"};
    rvl_nifti_opts           opts = {.frame = 0};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(names); i++) {
        char  *bytes = NULL;
        size_t n = 0;
        assert_int_equal(rvl_file_read(&bytes, &n, data_path(names[i]), 0, NULL), RVL_OK);
        for (size_t cut = 0; cut < n; cut++) {
            rvl_volume *v = NULL;
            rvl_error   err = {0};
            uint8_t    *exact = malloc(cut + 1); /* the sanitizer sees a read behind the end */
            memcpy(exact, bytes, cut);
            rvl_span file = {.ptr = exact, .n_bytes = cut};
            if (!rvl_nifti_parse(&v, NULL, file, (rvl_span){0}, "cut", &opts, NULL, &err) || v || !err.text[0])
                fail_msg("%s: read at %zu of %zu bytes", names[i], cut, n);
            free(exact);
        }
        rvl_free(bytes);
    }
}

static void size__is_checked_before_memory_is_taken(void **state)
{
    const rvl_limits limits = {.max_voxels = 5};
    rvl_volume      *v = NULL;
    rvl_error        err = {0};
    char            *bytes = NULL;
    size_t           n = 0;

    (void)state;
    assert_int_equal(rvl_nifti_load(&v, NULL, data_path("qform.nii"), NULL, &limits, &err), RVL_ERR_LIMIT);
    assert_int_equal(rvl_file_read(&bytes, &n, data_path("no_place.nii"), 0, NULL), RVL_OK);
    memcpy(bytes + 42, "\x00\x10\x00\x10\x10\x00", 6); /* 4096 x 4096 x 16 voxels: 512 MiB, in 364 bytes */
    const rvl_alloc_stats before = rvl_alloc_get_stats();
    assert_int_equal(
        rvl_nifti_parse(&v, NULL, (rvl_span){(uint8_t *)bytes, n}, (rvl_span){0}, "large", NULL, NULL, &err),
        RVL_ERR_FORMAT);
    assert_true(rvl_alloc_get_stats().peak_bytes < before.peak_bytes + 65536);
    rvl_free(bytes);
}

static void memory__that_ends_is_an_error_without_leak(void **state)
{
    const rvl_nifti_opts opts = {.frame = 1};

    (void)state;
    const size_t live = rvl_alloc_get_stats().live_bytes;
    for (uint64_t nth = 1; nth < 40; nth++) {
        rvl_volume *v = NULL;
        rvl_error   err = {0};
        const char *path = data_path(nth % 2 ? "frames.nii.gz" : "pair.hdr");
        rvl_alloc_fail_at((nth + 1) / 2);
        rvl_status st = rvl_nifti_load(&v, NULL, path, nth % 2 ? &opts : NULL, NULL, &err);
        rvl_alloc_fail_at(0);
        if (st != RVL_OK && st != RVL_ERR_NOMEM && st != RVL_ERR_NOT_FOUND)
            fail_msg("call %d: status %d", (int)nth, (int)st);
        rvl_volume_free(v);
        assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
    }
}

static rvl_volume *random_volume(rvl_voxel_type type)
{
    rvl_volume *v = NULL;

    assert_int_equal(rvl_volume_new(&v, type, 4, 3, 5, NULL), RVL_OK);
    for (int64_t i = 0; i < 60; i++) {
        double x = (double)((i * 7919) % 251) - (type == RVL_VOXEL_I16 || type == RVL_VOXEL_F32 ? 125 : 0);
        if (type == RVL_VOXEL_U8)
            ((uint8_t *)v->voxels)[i] = (uint8_t)x;
        else if (type == RVL_VOXEL_U16)
            ((uint16_t *)v->voxels)[i] = (uint16_t)(x * 257);
        else if (type == RVL_VOXEL_I16)
            ((int16_t *)v->voxels)[i] = (int16_t)(x * 200);
        else
            ((float *)v->voxels)[i] = (float)(x / 7);
    }
    return v;
}

/* Orthonormal columns: a turn by (degrees) about each axis in a row, then a mirror. */
static void turn(double d[3][3], double about_x, double about_y, double about_z, bool mirror)
{
    const double cx = cos(about_x), sx = sin(about_x), cy = cos(about_y), sy = sin(about_y);
    const double cz = cos(about_z), sz = sin(about_z);
    const double r[3][3] = {{cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx},
                            {sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx},
                            {-sy, cy * sx, cy * cx}};
    for (int i = 0; i < 9; i++)
        d[i / 3][i % 3] = mirror && i % 3 == 2 ? -r[i / 3][i % 3] : r[i / 3][i % 3];
}

static void saved__volume_is_read_back_the_same(void **state)
{
    char dir[PATH_BYTES], path[PATH_BYTES + 32];

    (void)state;
    temp_dir(dir);
    for (int i = 0; i < 64; i++) {
        rvl_volume    *v = random_volume((rvl_voxel_type)(i % 4));
        rvl_volume    *w = NULL;
        rvl_nifti_info info;
        rvl_error      err = {0};
        v->has_geometry = v->has_spacing = true;
        v->spacing_mm = (rvl_vec3){0.7, 0.75, 2.5};
        v->origin_mm = (rvl_vec3){-180.5, 33.25, -1200};
        /* all eight half turns among them, where a quaternion has its corner cases */
        const double step = i < 32 ? 3.14159265358979 : 0.7;
        turn(v->direction, step * (i >> 1 & 1), step * (i >> 2 & 1), step * (i >> 3 & 1) + (i >= 48 ? 0.3 : 0), i & 1);
        snprintf(path, sizeof path, "%s/v.nii%s", dir, i % 3 ? ".gz" : "");
        assert_int_equal(rvl_nifti_save(v, path, &err), RVL_OK);
        if (rvl_nifti_load(&w, &info, path, NULL, NULL, &err))
            fail_msg("%s", err.text);
        assert_int_equal(w->type, v->type);
        assert_memory_equal(w->voxels, v->voxels, 60 * rvl_voxel_bytes(v->type));
        assert_int_equal(info.qform_code, 1);
        assert_int_equal(info.sform_code, 1);
        if (info.disagreement_mm > 2e-3) /* qform and sform name one place */
            fail_msg("volume %d: sform and qform differ by %g mm", i, info.disagreement_mm);
        for (int k = 0; k < 9; k++)
            assert_true(fabs(w->direction[k / 3][k % 3] - v->direction[k / 3][k % 3]) < 1e-6);
        assert_true(fabs(w->origin_mm.x + 180.5) < 1e-4 && fabs(w->origin_mm.z + 1200) < 1e-4);
        assert_true(fabs(w->spacing_mm.y - 0.75) < 1e-6);
        rvl_volume_free(v);
        rvl_volume_free(w);
    }
    temp_dir_remove(dir);
}

static void saved__keeps_to_what_is_known(void **state)
{
    char           dir[PATH_BYTES], path[PATH_BYTES + 32];
    rvl_volume    *v = random_volume(RVL_VOXEL_I16);
    rvl_volume    *w = NULL;
    rvl_nifti_info info;
    rvl_error      err = {0};

    (void)state;
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/v.nii", dir);
    assert_int_equal(rvl_nifti_save(v, path, &err), RVL_OK);
    assert_int_equal(rvl_nifti_load(&w, &info, path, NULL, NULL, &err), RVL_OK);
    assert_int_equal(info.place, RVL_NIFTI_PLACE_NONE);
    rvl_volume_free(w);
    /* a gantry tilt: the qform cannot say it */
    v->has_geometry = v->has_spacing = true;
    v->direction[1][2] = -sin(0.3);
    v->direction[2][2] = cos(0.3);
    assert_int_equal(rvl_nifti_save(v, path, &err), RVL_OK);
    assert_int_equal(rvl_nifti_load(&w, &info, path, NULL, NULL, &err), RVL_OK);
    assert_int_equal(info.qform_code, 0);
    assert_int_equal(info.place, RVL_NIFTI_PLACE_SFORM);
    assert_true(fabs(w->direction[1][2] + sin(0.3)) < 1e-6);
    rvl_volume_free(w);
    snprintf(path, sizeof path, "%s/v.img", dir);
    assert_int_equal(rvl_nifti_save(v, path, &err), RVL_ERR_USAGE);
    assert_false(rvl_path_exists(path));
    rvl_volume_free(v);
    temp_dir_remove(dir);
}

typedef struct {
    double  low, high, sum;
    int64_t n;
} spread;

static rvl_status add_frame(spread *s, rvl_nifti_info *info, rvl_volume **out, const char *path, int64_t frame,
                            rvl_error *err)
{
    const rvl_nifti_opts opts = {.frame = frame, .non_finite = RVL_NON_FINITE_KEEP};
    rvl_status           st = rvl_nifti_load(out, info, path, &opts, NULL, err);

    for (int64_t i = 0; !st && i < (*out)->depth * (*out)->height * (*out)->width; i++) {
        double x = rvl_volume_at(*out, i);
        s->low = fmin(s->low, x);
        s->high = fmax(s->high, x);
        s->sum += x;
        s->n++;
    }
    return st;
}

static double number(const rvl_csv *csv, size_t row, const char *column)
{
    return strtod(rvl_csv_cell(csv, row, (size_t)rvl_csv_column(csv, column)), NULL);
}

static void assert_as_said(const rvl_csv *csv, size_t row, const char *name, const spread *s, const rvl_volume *v,
                           const rvl_nifti_info *info)
{
    static const struct {
        const char *column;
        int         which;
    } values[] = {{"min", 0}, {"max", 1}, {"mean", 2}};
    const double got[] = {s->low, s->high, s->sum / (double)s->n};
    const char  *codes = rvl_csv_cell(csv, row, (size_t)rvl_csv_column(csv, "orientation"));
    rvl_grid     g = rvl_volume_grid(v);
    char         code[4];

    for (size_t i = 0; i < 3; i++) {
        double want = number(csv, row, values[i].column);
        if (isfinite(want) && fabs(got[i] - want) > 2e-6 * fmax(1, fabs(want)))
            fail_msg("%s: %s is %.9g, not %.9g", name, values[i].column, got[i], want);
    }
    rvl_grid_axis_codes(code, &g);
    if (info && info->place != RVL_NIFTI_PLACE_NONE && strcmp(code, codes) != 0)
        fail_msg("%s: axes %s, not %s", name, code, codes);
}

static void manifest__rows(const char *file, const char *folder_of_paths, bool has_expect, int *n_read, int *n_refused)
{
    char      path[PATH_BYTES];
    rvl_csv  *csv = NULL;
    rvl_error err = {0};

    assert_true(test_data_path(path, sizeof path, file));
    if (rvl_csv_load(&csv, path, 0, &err))
        fail_msg("%s", err.text);
    for (size_t row = 0; row < rvl_csv_n_rows(csv); row++) {
        rvl_error      why = {0};
        const char    *name = rvl_csv_cell(csv, row, 0);
        const bool     is_ok = !has_expect || strcmp(rvl_csv_cell(csv, row, 3), "ok") == 0;
        spread         s = {INFINITY, -INFINITY, 0, 0};
        rvl_volume    *v = NULL;
        rvl_nifti_info info = {.n_frames = 1};
        char           relative[512];
        snprintf(relative, sizeof relative, "%s%s", folder_of_paths, name);
        assert_true(test_data_path(path, sizeof path, relative));
        rvl_status st = RVL_OK;
        for (int64_t frame = 0; !st && frame < info.n_frames; frame++) {
            rvl_volume_free(v);
            st = add_frame(&s, &info, &v, path, frame, &why);
        }
        if (is_ok != !st)
            fail_msg("%s: status %d (%s)", name, (int)st, why.text);
        /* the second half of a pair has no figures of its own */
        if (is_ok && *rvl_csv_cell(csv, row, (size_t)rvl_csv_column(csv, "mean")))
            assert_as_said(csv, row, name, &s, v, &info);
        *n_read += is_ok;
        *n_refused += !is_ok && why.text[0];
        rvl_volume_free(v);
    }
    rvl_csv_free(csv);
}

static void pack__is_read_or_refused_as_its_manifest_says(void **state)
{
    int n_read = 0;
    int n_refused = 0;

    (void)state;
    SKIP_WITHOUT_DATA("nifti_odd/manifest.csv");
    manifest__rows("nifti_odd/manifest.csv", "", true, &n_read, &n_refused);
    assert_int_equal(n_read + n_refused, 44);
    assert_int_equal(n_refused, 19);
}

static void pack__ct_volumes_are_read(void **state)
{
    int n_read = 0;
    int n_refused = 0;

    (void)state;
    SKIP_WITHOUT_DATA("ct/nifti/volumes.csv");
    manifest__rows("ct/nifti/volumes.csv", "", false, &n_read, &n_refused);
    assert_int_equal(n_read, 23);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(type__of_any_size_and_byte_order_is_read),
        cmocka_unit_test(second_version__is_read),
        cmocka_unit_test(slope__scales_unless_it_is_zero_or_no_number),
        cmocka_unit_test(non_finite__is_counted_and_refused_filled_or_kept),
        cmocka_unit_test(frames__are_refused_or_taken_one_by_one),
        cmocka_unit_test(container__of_every_kind_holds_the_same_voxels),
        cmocka_unit_test(place__is_sform_then_qform_then_spacing),
        cmocka_unit_test(header__that_lies_is_refused),
        cmocka_unit_test(file__that_is_cut_is_refused_at_every_byte),
        cmocka_unit_test(size__is_checked_before_memory_is_taken),
        cmocka_unit_test(memory__that_ends_is_an_error_without_leak),
        cmocka_unit_test(saved__volume_is_read_back_the_same),
        cmocka_unit_test(saved__keeps_to_what_is_known),
        cmocka_unit_test(pack__is_read_or_refused_as_its_manifest_says),
        cmocka_unit_test(pack__ct_volumes_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
