/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_imaging_dicom_series.c
 * Slices to volumes: order, duplicates, gaps, tilts, several stacks of one series, values; each trap on files made
 * here.
 */
#include "dicom_fixture.h"
#include "imaging/dicom_series.h"
#include <math.h>

static rvl_dicom_scan *scan_with(const char *folder, rvl_series_opts opts)
{
    rvl_dicom_scan *s = NULL;

    OK(rvl_dicom_scan_open(&s, folder, &opts, &err));
    return s;
}

static rvl_dicom_scan *scan(const char *folder)
{
    return scan_with(folder, rvl_series_opts_default());
}

static rvl_volume *load(rvl_dicom_scan *s, int64_t i)
{
    rvl_volume *v = NULL;

    OK(rvl_dicom_scan_load(&v, s, i, &err));
    return v;
}

static bool has_note(const rvl_dicom_stack *k, rvl_series_note_kind kind, const char *text)
{
    bool found = false;

    for (int64_t i = 0; i < k->n_notes; i++)
        found = found || (k->notes[i].kind == kind && strstr(k->notes[i].text, text));
    return found;
}

static void expect_near(double x, double expected)
{
    if (!(fabs(x - expected) < 1e-6))
        fail_msg("%.9g, expected %.9g", x, expected);
}

/* The value of the first voxel of each slice. */
static void expect_slices(const rvl_volume *v, int n, const double *expected)
{
    assert_int_equal(v->depth, n);
    for (int z = 0; z < n; z++)
        expect_near(rvl_volume_at(v, z * v->height * v->width), expected[z]);
}

/* Slices at z = 0, step, 2 step ... of value 1000 + i, but for those in `without`; names say nothing of the order. */
static void write_stack(const char *folder, const dicom_slice *like, int n, double step, int without)
{
    for (int i = 0; i < n; i++) {
        char        name[64];
        dicom_slice d = *like;
        snprintf(name, sizeof name, "%s%02d", d.series ? d.series : "f", i * 7 % 31);
        d.z += step * i;
        d.value += 1000 + i;
        if (i != without)
            dicom_write(folder, name, &d);
    }
}

static void expect_refused(rvl_dicom_scan *s, int64_t i, const char *reason)
{
    rvl_volume *v = NULL;
    rvl_error   err = {0};

    assert_int_not_equal(rvl_dicom_scan_load(&v, s, i, &err), RVL_OK);
    assert_null(v);
    if (!strstr(err.text, reason) || !strstr(rvl_dicom_scan_get(s, i)->reason, reason))
        fail_msg("'%s', expected '%s'", err.text, reason);
}

/* ---- order and geometry --------------------------------------------------------------------------------------- */

static void slices__are_ordered_by_position_and_never_by_number(void **state)
{
    (void)state;
    SKIP_WITHOUT_DICOM();
    for (int i = 0; i < 4; i++) {
        static const int pixels[4][6] = {{0, 1, 2, 3, 4, 5}, {10}, {20}, {30}};
        char             name[16];
        char             number[16];
        snprintf(name, sizeof name, "deep/er/%d.x", 9 - i);
        snprintf(number, sizeof number, "%d", i % 2 ? 100 - i : i);
        dicom_write(*state, name,
                    &(dicom_slice){.instance_number = number,
                                   .x = -5,
                                   .y = 7,
                                   .z = -20 + 2.5 * i,
                                   .step = 0.5,
                                   .pixels = pixels[i],
                                   .no_preamble = i == 2,
                                   .is_big_endian = i == 1});
    }
    rvl_dicom_scan        *s = scan(*state);
    const rvl_dicom_stack *k = rvl_dicom_scan_get(s, 0);

    assert_int_equal(rvl_dicom_scan_count(s), 1);
    assert_int_equal(k->status, RVL_OK);
    assert_int_equal(k->n_notes, 0);
    assert_int_equal(k->series_number, 2);
    rvl_volume *v = load(s, 0);
    assert_int_equal(v->type, RVL_VOXEL_I16);
    assert_int_equal(v->unit, RVL_UNIT_HU);
    assert_int_equal(v->modality, RVL_MODALITY_CT);
    expect_slices(v, 4, (const double[]){-1024, -1014, -1004, -994});
    expect_near(rvl_volume_at(v, 5), -1019);
    assert_true(v->has_geometry);
    expect_near(v->origin_mm.x, -5);
    expect_near(v->origin_mm.y, 7);
    expect_near(v->origin_mm.z, -20);
    expect_near(v->spacing_mm.x, 0.5);
    expect_near(v->spacing_mm.y, 0.5);
    expect_near(v->spacing_mm.z, 2.5);
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++)
            expect_near(v->direction[r][c], r == c);
    rvl_volume_free(v);
    rvl_dicom_scan_close(s);
}

static void coronal__slices_go_along_their_normal(void **state)
{
    (void)state;
    SKIP_WITHOUT_DICOM();
    for (int i = 0; i < 3; i++) { /* normal: row x column = +y; written from the back to the front */
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        dicom_write(*state, name,
                    &(dicom_slice){.row = {1, 0, 0}, .column = {0, 0, -1}, .y = -3.0 * i, .z = 50, .value = 1024 + i});
    }
    rvl_dicom_scan *s = scan(*state);
    rvl_volume     *v = load(s, 0);

    expect_slices(v, 3, (const double[]){2, 1, 0});
    expect_near(v->origin_mm.y, -6);
    expect_near(v->origin_mm.z, 50);
    expect_near(v->spacing_mm.z, 3);
    expect_near(v->direction[1][2], 1);
    expect_near(v->direction[2][1], -1);
    rvl_volume_free(v);
    rvl_dicom_scan_close(s);
}

/* ---- several slices at one place ------------------------------------------------------------------------------ */

static void duplicates__that_are_identical_are_dropped(void **state)
{
    (void)state;
    SKIP_WITHOUT_DICOM();
    write_stack(*state, &(dicom_slice){0}, 4, 1, -1);
    dicom_write(*state, "copies/a", &(dicom_slice){.z = 2, .value = 1002, .instance_number = "77"});
    dicom_write(*state, "copies/b", &(dicom_slice){.z = 2.001, .value = 1002});
    rvl_dicom_scan *s = scan(*state);

    assert_int_equal(rvl_dicom_scan_count(s), 1);
    assert_true(has_note(rvl_dicom_scan_get(s, 0), RVL_NOTE_DUPLICATE, "2 slices"));
    rvl_volume *v = load(s, 0);
    expect_slices(v, 4, (const double[]){-24, -23, -22, -21});
    rvl_volume_free(v);
    rvl_dicom_scan_close(s);
}

static void duplicates__that_differ_are_refused(void **state)
{
    (void)state;
    SKIP_WITHOUT_DICOM();
    write_stack(*state, &(dicom_slice){0}, 4, 1, -1);
    dicom_write(*state, "z", &(dicom_slice){.z = 2, .value = 5});
    rvl_dicom_scan *s = scan(*state);

    assert_int_equal(rvl_dicom_scan_count(s), 1);
    expect_refused(s, 0, "different slices lie at one place (2.00 mm");
    rvl_dicom_scan_close(s);
}

static void expect_parts(const char *folder, int n_parts, int n_slices, const char *by)
{
    rvl_dicom_scan *s = scan(folder);

    if (rvl_dicom_scan_count(s) != n_parts)
        fail_msg("%lld stacks, expected %d (by %s)", (long long)rvl_dicom_scan_count(s), n_parts, by);
    for (int p = 0; p < n_parts; p++) {
        const rvl_dicom_stack *k = rvl_dicom_scan_get(s, p);
        rvl_volume            *v = load(s, p);
        assert_true(has_note(k, RVL_NOTE_SPLIT, by));
        assert_int_equal(k->i_part, p);
        assert_int_equal(k->n_parts, n_parts);
        assert_int_equal(v->depth, n_slices);
        for (int z = 0; z < n_slices; z++) /* part p has the values 1000 + 100 p + z */
            expect_near(rvl_volume_at(v, z * 6), 1000 + 100 * p + z - 1024);
        rvl_volume_free(v);
    }
    rvl_dicom_scan_close(s);
}

/* Two stacks at the same places; `which` sets what tells them apart. */
static void write_two(const char *folder, void (*which)(dicom_slice *d, int part), double offset)
{
    temp_dir_remove(folder);
    for (int part = 0; part < 2; part++)
        for (int i = 0; i < 4; i++) {
            char        name[32];
            char        number[8];
            dicom_slice d = {.z = 3 * i + offset * part, .value = 1000 + 100 * part + i, .instance_number = number};
            snprintf(name, sizeof name, "%d", (i * 2 + part) * 5 % 8);
            snprintf(number, sizeof number, "%d", 4 * part + i);
            which(&d, part);
            dicom_write(folder, name, &d);
        }
}

static void by_acquisition(dicom_slice *d, int part)
{
    d->acquisition = part ? "5" : "4";
}

static void by_temporal(dicom_slice *d, int part)
{
    d->temporal = part ? "2" : "1";
}

static void by_echo(dicom_slice *d, int part)
{
    d->echo_time = part ? "8.2" : "4.1";
}

static void by_kernel(dicom_slice *d, int part)
{
    d->kernel = part ? "B70f" : "B30f";
}

static void by_thickness(dicom_slice *d, int part)
{
    d->thickness = part ? "5" : "1";
}

static void by_image_type(dicom_slice *d, int part)
{
    d->image_type = part ? "DERIVED\\SECONDARY\\AXIAL" : "ORIGINAL\\PRIMARY\\AXIAL";
}

static void by_time(dicom_slice *d, int part)
{
    d->acquisition_time = part ? "101502" : "101500.25";
}

static void stacks__of_one_series_are_parted_by_what_tells_them_apart(void **state)
{
    (void)state;
    SKIP_WITHOUT_DICOM();
    static const struct {
        void (*which)(dicom_slice *d, int part);
        const char *by;
    } cases[] = {{by_acquisition, "by acquisition"},
                 {by_temporal, "by temporal position"},
                 {by_echo, "by echo"},
                 {by_kernel, "by kernel"},
                 {by_thickness, "by thickness"},
                 {by_image_type, "by image type"},
                 {by_time, "by time"}};
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        write_two(*state, cases[i].which, 0);
        expect_parts(*state, 2, 4, cases[i].by);
    }
    write_two(*state, by_acquisition, 1.1); /* between one another, and uneven together */
    expect_parts(*state, 2, 4, "by acquisition");
    write_two(*state, by_acquisition, 50); /* another part of the body */
    expect_parts(*state, 2, 4, "by acquisition");
}

static void acquisitions__that_continue_one_another_are_one_volume(void **state)
{
    (void)state;
    SKIP_WITHOUT_DICOM();
    write_two(*state, by_acquisition, 12);
    rvl_dicom_scan *s = scan(*state);

    assert_int_equal(rvl_dicom_scan_count(s), 1);
    assert_int_equal(rvl_dicom_scan_get(s, 0)->status, RVL_OK);
    assert_int_equal(rvl_dicom_scan_get(s, 0)->grid.depth, 8);
    rvl_dicom_scan_close(s);
}

static void slices__that_no_volume_mixes_are_apart(void **state)
{
    (void)state;
    SKIP_WITHOUT_DICOM();
    write_stack(*state, &(dicom_slice){0}, 3, 1, -1);
    dicom_write(*state, "matrix", &(dicom_slice){.rows = 3, .z = 3});
    dicom_write(*state, "turned", &(dicom_slice){.row = {0, 1, 0}, .column = {0, 0, -1}, .z = 3});
    dicom_write(*state, "spacing", &(dicom_slice){.step = 1.2, .z = 3});
    dicom_write(*state, "reference", &(dicom_slice){.reference = "1.2.3.8", .z = 3});
    dicom_write(*state, "scout", &(dicom_slice){.image_type = "ORIGINAL\\PRIMARY\\LOCALIZER", .z = 3});
    rvl_dicom_scan *s = scan(*state);
    int             n_localisers = 0;

    assert_int_equal(rvl_dicom_scan_count(s), 6);
    assert_int_equal(rvl_dicom_scan_get(s, 0)->n_slices, 3);
    assert_int_equal(rvl_dicom_scan_get(s, 0)->status, RVL_OK);
    for (int i = 0; i < 6; i++) {
        const rvl_dicom_stack *k = rvl_dicom_scan_get(s, i);
        n_localisers += k->is_localiser;
        assert_true(has_note(k, RVL_NOTE_SPLIT, ""));
        assert_int_equal(k->is_localiser, has_note(k, RVL_NOTE_LOCALISER, ""));
    }
    assert_int_equal(n_localisers, 1);
    rvl_dicom_scan_close(s);
}

/* ---- gaps and tilts ------------------------------------------------------------------------------------------- */

static void slices__that_are_missing_stop_a_volume(void **state)
{
    rvl_series_opts opts = rvl_series_opts_default();

    (void)state;
    SKIP_WITHOUT_DICOM();
    write_stack(*state, &(dicom_slice){.z = 100}, 6, 2.5, 3);
    rvl_dicom_scan *s = scan(*state);
    expect_refused(s, 0, "1 slices are missing in 1 places, first behind 105.00 mm");
    assert_true(has_note(rvl_dicom_scan_get(s, 0), RVL_NOTE_GAP,
                         "1 of the slices at every 2.5 mm are missing between "
                         "105.00 and 110.00 mm"));
    assert_non_null(strstr(rvl_dicom_scan_get(s, 0)->reason, "--fill-gaps"));
    rvl_dicom_scan_close(s);
    opts.fill_gaps = true;
    s = scan_with(*state, opts);
    rvl_volume *v = load(s, 0);
    expect_slices(v, 6, (const double[]){-24, -23, -22, -21, -20, -19}); /* 1003 by its neighbours */
    expect_near(v->spacing_mm.z, 2.5);
    assert_true(has_note(rvl_dicom_scan_get(s, 0), RVL_NOTE_GAP, "missing"));
    assert_int_equal(rvl_dicom_scan_get(s, 0)->n_slices, 5);
    rvl_volume_free(v);
    rvl_dicom_scan_close(s);
}

static void distances__that_vary_stop_a_volume(void **state)
{
    static const double places[] = {0, 2, 4, 6, 9, 12};
    rvl_series_opts     opts = rvl_series_opts_default();

    (void)state;
    SKIP_WITHOUT_DICOM();
    for (int i = 0; i < 6; i++) {
        char name[8];
        snprintf(name, sizeof name, "%d", i);
        dicom_write(*state, name, &(dicom_slice){.z = places[i], .value = 1024 + 10 * (int)places[i]});
    }
    rvl_dicom_scan *s = scan(*state);
    expect_refused(s, 0, "varies from 2 to 3 mm, first at 6.00 mm");
    rvl_dicom_scan_close(s);
    opts.fill_gaps = true;
    s = scan_with(*state, opts);
    rvl_volume *v = load(s, 0);
    expect_slices(v, 7, (const double[]){0, 20, 40, 60, 80, 100, 120});
    rvl_volume_free(v);
    rvl_dicom_scan_close(s);
}

static void positions__of_two_decimals_are_even(void **state)
{
    (void)state;
    SKIP_WITHOUT_DICOM();
    for (int i = 0; i < 9; i++) { /* 0.155 mm, cut to two decimals: steps of 0.15 and 0.16 */
        char name[8];
        snprintf(name, sizeof name, "%d", i);
        dicom_write(*state, name, &(dicom_slice){.z = floor(15.5 * i) / 100, .value = i});
    }
    rvl_dicom_scan *s = scan(*state);
    assert_int_equal(rvl_dicom_scan_get(s, 0)->status, RVL_OK);
    expect_near(rvl_dicom_scan_get(s, 0)->grid.spacing_mm.z, 0.155);
    rvl_dicom_scan_close(s);
}

static void write_tilted(const char *folder)
{
    for (int i = 0; i < 4; i++) {
        const int pixels[6] = {1024 + 10 * i, 1025 + 10 * i, 1026 + 10 * i,
                               1027 + 10 * i, 1028 + 10 * i, 1029 + 10 * i};
        char      name[8];
        snprintf(name, sizeof name, "%d", i);
        dicom_write(folder, name, &(dicom_slice){.y = -1.0 * i, .z = 5.0 * i, .pixels = pixels, .tilt = "11.3"});
    }
}

static void tilt__is_refused_kept_or_corrected(void **state)
{
    rvl_series_opts opts = rvl_series_opts_default();

    (void)state;
    SKIP_WITHOUT_DICOM();
    write_tilted(*state);
    rvl_dicom_scan *s = scan(*state);
    expect_refused(s, 0, "tilted by 11.3 degrees");
    expect_near(rvl_dicom_scan_get(s, 0)->tilt_deg, atan(0.2) * 57.29577951308232);
    rvl_dicom_scan_close(s);

    opts.tilt = RVL_TILT_KEEP;
    s = scan_with(*state, opts);
    rvl_volume *v = load(s, 0);
    rvl_grid    g = rvl_volume_grid(v);
    assert_int_equal(v->height, 2);
    expect_near(rvl_grid_shear_deg(&g), atan(0.2) * 57.29577951308232);
    rvl_affine_map a = rvl_grid_affine(&g);
    rvl_vec3       p = rvl_affine_apply(&a, (rvl_vec3){0, 0, 3});
    expect_near(p.y, -3);
    expect_near(p.z, 15);
    rvl_volume_free(v);
    rvl_dicom_scan_close(s);

    opts.tilt = RVL_TILT_CORRECT;
    s = scan_with(*state, opts);
    assert_int_equal(rvl_dicom_scan_get(s, 0)->grid.height, 5);
    v = load(s, 0);
    assert_int_equal(v->height, 5);
    expect_near(v->origin_mm.y, -3);
    expect_near(v->spacing_mm.z, 5);
    expect_near(v->direction[2][2], 1);
    for (int z = 0; z < 4; z++) /* slice z begins at row 3 - z */
        for (int y = 0; y < 5; y++)
            for (int x = 0; x < 3; x++) {
                int row = y - (3 - z);
                expect_near(rvl_volume_at(v, (z * 5 + y) * 3 + x), row >= 0 && row < 2 ? 10 * z + 3 * row + x : -1024);
            }
    rvl_volume_free(v);
    rvl_dicom_scan_close(s);
}

static void slices__shifted_against_the_others_are_refused(void **state)
{
    (void)state;
    SKIP_WITHOUT_DICOM();
    write_stack(*state, &(dicom_slice){0}, 3, 1, -1);
    dicom_write(*state, "shifted", &(dicom_slice){.x = 4, .z = 3});
    dicom_write(*state, "straight", &(dicom_slice){.z = 4});
    rvl_dicom_scan *s = scan(*state);
    expect_refused(s, 0, "is shifted by 4.00 mm within its plane");
    rvl_dicom_scan_close(s);
}

/* ---- values --------------------------------------------------------------------------------------------------- */

static void rescale__is_each_slices_own(void **state)
{
    (void)state;
    SKIP_WITHOUT_DICOM();
    dicom_write(*state, "a", &(dicom_slice){.z = 0, .value = 100, .slope = 2, .intercept = -1000});
    dicom_write(*state, "b", &(dicom_slice){.z = 1, .value = 100, .slope = 1, .intercept = -1024});
    rvl_dicom_scan *s = scan(*state);
    rvl_volume     *v = load(s, 0);
    assert_int_equal(v->type, RVL_VOXEL_I16);
    expect_slices(v, 2, (const double[]){-800, -924});
    assert_true(has_note(rvl_dicom_scan_get(s, 0), RVL_NOTE_VALUES, "differ between slices"));
    rvl_volume_free(v);
    rvl_dicom_scan_close(s);

    dicom_write(*state, "c", &(dicom_slice){.z = 2, .value = 3, .slope = 0.25, .intercept = 10});
    s = scan(*state);
    v = load(s, 0);
    assert_int_equal(v->type, RVL_VOXEL_F32);
    expect_slices(v, 3, (const double[]){-800, -924, 10.75});
    rvl_volume_free(v);
    rvl_dicom_scan_close(s);
}

static void values__beyond_16_bits_become_floating_point(void **state)
{
    (void)state;
    SKIP_WITHOUT_DICOM();
    dicom_write(*state, "a", &(dicom_slice){.z = 0, .value = 65535, .modality = "MR", .no_rescale = true});
    dicom_write(*state, "b", &(dicom_slice){.z = 1, .value = 7, .modality = "MR", .no_rescale = true});
    rvl_dicom_scan *s = scan(*state);
    rvl_volume     *v = load(s, 0);
    assert_int_equal(v->type, RVL_VOXEL_F32);
    assert_int_equal(v->unit, RVL_UNIT_ARBITRARY);
    expect_slices(v, 2, (const double[]){65535, 7});
    rvl_volume_free(v);
    rvl_dicom_scan_close(s);
}

static void padding__becomes_air_and_signs_are_each_slices_own(void **state)
{
    static const int padded[6] = {-2000, 100, -1024, -1, 5, -2000};
    static const int outside[6] = {0, 1024, 24, 1023, 1029, 0}; /* unsigned: 0 is -1024 */
    static const int far[6] = {0, 2100, 1100, 2099, 2105, 0};   /* -2100: out of view without a padding value */

    (void)state;
    SKIP_WITHOUT_DICOM();
    dicom_write(*state, "a",
                &(dicom_slice){.z = 0, .is_signed = true, .padding = "-2000", .pixels = padded, .slope = 1});
    dicom_write(*state, "b", &(dicom_slice){.z = 1, .pixels = outside, .bits_stored = 12});
    dicom_write(*state, "c", &(dicom_slice){.z = 2, .pixels = far, .slope = 1, .intercept = -2100});
    rvl_dicom_scan     *s = scan(*state);
    rvl_volume         *v = load(s, 0);
    static const double expected[18] = {-1024, 100, -1024, -1,    5, -1024, -1024, 0, -1000,
                                        -1,    5,   -1024, -1024, 0, -1000, -1,    5, -1024};
    for (int i = 0; i < 18; i++)
        expect_near(rvl_volume_at(v, i), expected[i]);
    assert_true(has_note(rvl_dicom_scan_get(s, 0), RVL_NOTE_VALUES, "4 voxels of padding"));
    rvl_volume_free(v);
    rvl_dicom_scan_close(s);
}

static void monochrome1__is_turned_over_and_padding_is_the_least(void **state)
{
    static const int pixels[6] = {0, 10, 4095, 4000, 1, 2};

    (void)state;
    SKIP_WITHOUT_DICOM();
    for (int i = 0; i < 2; i++)
        dicom_write(*state, i ? "b" : "a",
                    &(dicom_slice){.z = i,
                                   .modality = "MR",
                                   .photometric = "MONOCHROME1",
                                   .bits_stored = 12,
                                   .no_rescale = true,
                                   .pixels = pixels,
                                   .padding = "4000"});
    rvl_dicom_scan *s = scan(*state);
    rvl_volume     *v = load(s, 0);
    assert_int_equal(v->type, RVL_VOXEL_I16);
    static const double expected[6] = {4095, 4085, 0, 0, 4094, 4093};
    for (int i = 0; i < 12; i++)
        expect_near(rvl_volume_at(v, i), expected[i % 6]);
    rvl_volume_free(v);
    rvl_dicom_scan_close(s);
}

/* ---- multi-frame ---------------------------------------------------------------------------------------------- */

static void frames__of_an_enhanced_object_equal_single_slices(void **state)
{
    char        folder[PATH_BYTES];
    dicom_slice frames[4];

    (void)state;
    SKIP_WITHOUT_DICOM();
    for (int i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof name, "%d", i);
        frames[i] =
            (dicom_slice){.z = -2.0 * i, .x = 3, .value = 500 + i, .slope = 1 + i, .intercept = -1000, .step = 0.8};
        dicom_write(*state, name, &frames[i]);
    }
    snprintf(folder, sizeof folder, "%s/frames", (const char *)*state);
    dicom_write_frames(folder, "one", frames, 4);
    rvl_dicom_scan *b = scan(folder);
    rvl_volume     *w = load(b, 0);
    temp_dir_remove(folder);
    rvl_dicom_scan *a = scan(*state);
    rvl_volume     *v = load(a, 0);
    rvl_grid        g = rvl_volume_grid(v);
    rvl_grid        h = rvl_volume_grid(w);

    expect_slices(v, 4, (const double[]){503 * 4 - 1000, 502 * 3 - 1000, 501 * 2 - 1000, -500});
    assert_int_equal(w->type, v->type);
    assert_memory_equal(v->voxels, w->voxels, 4 * 6 * 2);
    expect_same_grid(&g, &h);
    rvl_volume_free(v);
    rvl_volume_free(w);
    rvl_dicom_scan_close(a);
    rvl_dicom_scan_close(b);
}

static void frames__of_two_times_are_two_volumes(void **state)
{
    dicom_slice frames[8];

    (void)state;
    SKIP_WITHOUT_DICOM();
    for (int i = 0; i < 8; i++)
        frames[i] =
            (dicom_slice){.z = 3 * (i / 2), .value = 1000 + 100 * (i % 2) + i / 2, .temporal = i % 2 ? "2" : "1"};
    dicom_write_frames(*state, "one", frames, 8);
    expect_parts(*state, 2, 4, "by temporal position");
}

static void frames__without_places_are_no_volume(void **state)
{
    char path[PATH_BYTES];

    (void)state;
    SKIP_WITHOUT_DICOM();
    assert_true(source_path(path, sizeof path, "tests/fuzz/corpus/dicom/rle8_2frames"));
    rvl_dicom_scan *s = scan(path);
    assert_int_equal(rvl_dicom_scan_count(s), 1);
    expect_refused(s, 0, "do not say where its 2 slices lie");
    rvl_dicom_scan_close(s);
}

/* ---- folders -------------------------------------------------------------------------------------------------- */

static void radiographs__are_volumes_of_one_slice(void **state)
{
    (void)state;
    SKIP_WITHOUT_DICOM();
    for (int i = 0; i < 3; i++)
        dicom_write(*state,
                    i == 0   ? "pa"
                    : i == 1 ? "lateral"
                             : "copy",
                    &(dicom_slice){.modality = "DX",
                                   .no_place = true,
                                   .no_rescale = true,
                                   .value = i == 1,
                                   .instance = i == 1 ? "1.2.3.5.9001" : "1.2.3.5.9000"});
    rvl_dicom_scan *s = scan(*state);
    assert_int_equal(rvl_dicom_scan_count(s), 2);
    for (int i = 0; i < 2; i++) {
        rvl_volume *v = load(s, i);
        assert_int_equal(v->depth, 1);
        assert_false(v->has_geometry);
        assert_int_equal(v->modality, RVL_MODALITY_CXR);
        rvl_volume_free(v);
    }
    rvl_dicom_scan_close(s);
}

static void files__that_are_no_slices_are_told(void **state)
{
    char            path[PATH_BYTES];
    char           *bytes = NULL;
    size_t          n = 0;
    rvl_error       why = {0};
    rvl_dicom_scan *s = NULL;

    (void)state;
    SKIP_WITHOUT_DICOM();
    snprintf(path, sizeof path, "%s/notes.txt", (const char *)*state);
    OK(rvl_file_write(path, "scanned on a Tuesday\n", 21, &err));
    assert_int_equal(rvl_dicom_scan_open(&s, *state, NULL, &why), RVL_ERR_NOT_FOUND);
    assert_non_null(strstr(why.text, "holds no DICOM file (of 1 files)"));
    assert_int_equal(rvl_dicom_scan_open(&s, "/nowhere", NULL, &why), RVL_ERR_NOT_FOUND);
    write_stack(*state,
                &(dicom_slice){.patient_name = "PLANTED^NAME", .patient_id = "PLANTED-7", .description = "chest 1 mm"},
                4, 1, -1);
    snprintf(path, sizeof path, "%s/f14", (const char *)*state); /* the slice at 2 mm */
    OK(rvl_file_read(&bytes, &n, path, 0, &err));
    OK(rvl_file_write(path, bytes, n - 1, &err));
    rvl_free(bytes);
    assert_true(source_path(path, sizeof path, "tests/fuzz/corpus/dicom/no_pixels"));
    OK(rvl_file_read(&bytes, &n, path, 0, &err));
    snprintf(path, sizeof path, "%s/report", (const char *)*state);
    OK(rvl_file_write(path, bytes, n, &err));
    rvl_free(bytes);
    s = scan(*state);
    assert_int_equal(rvl_dicom_scan_n_files(s), 6);
    assert_int_equal(rvl_dicom_scan_n_skips(s), 3);
    assert_string_equal(rvl_dicom_scan_skip(s, 0).path, "f14");
    assert_int_equal(rvl_dicom_scan_skip(s, 0).kind, RVL_SKIP_DAMAGED);
    assert_non_null(strstr(rvl_dicom_scan_skip(s, 0).text, "the file ends before"));
    assert_int_equal(rvl_dicom_scan_skip(s, 1).kind, RVL_SKIP_NOT_DICOM);
    assert_int_equal(rvl_dicom_scan_skip(s, 2).kind, RVL_SKIP_NO_IMAGE);
    assert_string_equal(rvl_dicom_scan_get(s, 0)->description, "chest 1 mm");
    expect_refused(s, 0, "1 slices are missing"); /* the cut one is not passed over in silence */
    rvl_dicom_scan_close(s);
}

static void description__that_repeats_the_patient_is_dropped(void **state)
{
    static const char *const texts[] = {"Planted chest", "id planted-7", "plan of chest"};

    (void)state;
    SKIP_WITHOUT_DICOM();
    for (int i = 0; i < 3; i++) {
        char series[16];
        char name[8];
        snprintf(series, sizeof series, "1.2.3.1.%d", i);
        snprintf(name, sizeof name, "%d", i);
        dicom_write(
            *state, name,
            &(dicom_slice){
                .series = series, .description = texts[i], .patient_name = "PLANTED^NAME", .patient_id = "PLANTED-7"});
    }
    rvl_dicom_scan *s = scan(*state);
    assert_int_equal(rvl_dicom_scan_count(s), 3);
    assert_string_equal(rvl_dicom_scan_get(s, 0)->description, "");
    assert_string_equal(rvl_dicom_scan_get(s, 1)->description, "");
    assert_string_equal(rvl_dicom_scan_get(s, 2)->description, "plan of chest");
    rvl_dicom_scan_close(s);
}

static void allocation__failures_are_reported_and_leak_nothing(void **state)
{
    rvl_series_opts opts = rvl_series_opts_default();
    rvl_status      st = RVL_ERR_NOMEM;

    (void)state;
    SKIP_WITHOUT_DICOM();
    opts.n_threads = 1;
    opts.tilt = RVL_TILT_CORRECT;
    write_tilted(*state);
    write_stack(*state, &(dicom_slice){.series = "1.2.3.1.2", .modality = "MR", .padding = "1001", .no_rescale = true},
                3, 1, -1);
    for (uint64_t nth = 1; st == RVL_ERR_NOMEM; nth++) {
        size_t          before = rvl_alloc_get_stats().live_bytes;
        rvl_dicom_scan *s = NULL;
        rvl_alloc_fail_at(nth);
        st = rvl_dicom_scan_open(&s, *state, &opts, NULL);
        for (int i = 0; !st && i < 2; i++) {
            rvl_volume *v = NULL;
            st = rvl_dicom_scan_load(&v, s, i, NULL);
            rvl_volume_free(v);
        }
        rvl_alloc_fail_at(0);
        rvl_dicom_scan_close(s);
        assert_int_equal(rvl_alloc_get_stats().live_bytes, before);
    }
    assert_int_equal(st, RVL_OK);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, temp_setup, temp_teardown)
    const struct CMUnitTest tests[] = {
        T(slices__are_ordered_by_position_and_never_by_number),
        T(coronal__slices_go_along_their_normal),
        T(duplicates__that_are_identical_are_dropped),
        T(duplicates__that_differ_are_refused),
        T(stacks__of_one_series_are_parted_by_what_tells_them_apart),
        T(acquisitions__that_continue_one_another_are_one_volume),
        T(slices__that_no_volume_mixes_are_apart),
        T(slices__that_are_missing_stop_a_volume),
        T(distances__that_vary_stop_a_volume),
        T(positions__of_two_decimals_are_even),
        T(tilt__is_refused_kept_or_corrected),
        T(slices__shifted_against_the_others_are_refused),
        T(rescale__is_each_slices_own),
        T(values__beyond_16_bits_become_floating_point),
        T(padding__becomes_air_and_signs_are_each_slices_own),
        T(monochrome1__is_turned_over_and_padding_is_the_least),
        T(frames__of_an_enhanced_object_equal_single_slices),
        T(frames__of_two_times_are_two_volumes),
        T(frames__without_places_are_no_volume),
        T(radiographs__are_volumes_of_one_slice),
        T(files__that_are_no_slices_are_told),
        T(description__that_repeats_the_patient_is_dropped),
        T(allocation__failures_are_reported_and_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
