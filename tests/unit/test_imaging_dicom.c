/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_imaging_dicom.c
 * DICOM: every file of the data pack against its manifest, small files of tests/fuzz/make_dicom.py with values worked
 * out by hand, texts as the standard prints them, damage, limits, memory.
 */
#include "support.h"
#include "base/alloc.h"
#include "base/csv.h"
#include "base/sha256.h"
#include "imaging/dicom.h"
#include "imaging/image_file.h"

#include <math.h>

#define SKIP_WITHOUT_DICOM()                                                                                           \
    do {                                                                                                               \
        if (!has_dicom()) {                                                                                            \
            printf("SKIP: this build reads no DICOM\n");                                                               \
            skip();                                                                                                    \
        }                                                                                                              \
    } while (0)

static bool has_dicom(void)
{
    rvl_dicom *d = NULL;
    return rvl_dicom_parse(&d, "", 0, "nothing", NULL, NULL) != RVL_ERR_DEVICE;
}

static char *seed_load(size_t *n_bytes, const char *name)
{
    char      path[PATH_BYTES];
    char      relative[256];
    char     *bytes = NULL;
    rvl_error err = {0};

    snprintf(relative, sizeof relative, "tests/fuzz/corpus/dicom/%s", name);
    assert_true(source_path(path, sizeof path, relative));
    if (rvl_file_read(&bytes, n_bytes, path, 0, &err))
        fail_msg("%s", err.text);
    return bytes;
}

static rvl_dicom *seed_open(const char *name)
{
    size_t     n = 0;
    char      *bytes = seed_load(&n, name);
    rvl_dicom *d = NULL;
    rvl_error  err = {0};

    if (rvl_dicom_parse(&d, bytes, n, name, NULL, &err))
        fail_msg("%s", err.text);
    rvl_free(bytes);
    return d;
}

static void expect_stored(const char *name, rvl_dicom_type type, int n, const double *expected)
{
    rvl_dicom       *d = seed_open(name);
    rvl_dicom_pixels p = {0};
    rvl_error        err = {0};

    if (rvl_dicom_stored(&p, d, &err))
        fail_msg("%s", err.text);
    assert_int_equal(p.type, type);
    assert_int_equal(p.frames * p.rows * p.columns * p.samples, n);
    for (int i = 0; i < n; i++)
        if (fabs(rvl_dicom_at(&p, i) - expected[i]) > 0)
            fail_msg("%s: value %d is %g, expected %g", name, i, rvl_dicom_at(&p, i), expected[i]);
    rvl_dicom_pixels_fini(&p);
    rvl_dicom_close(d);
}

static void stored__is_what_was_written(void **state)
{
    static const double      six[] = {0, 1, 2, 300, 4095, 65535};
    static const char *const sixes[] = {"explicit16", "implicit16",       "big16",      "deflated", "no_preamble",
                                        "no_meta",    "no_meta_implicit", "no_meta_big"};
    static const double      jls[] = {0, 0, 90, 74, 68, 50, 43, 205, 64, 145, 145, 145, 100, 145, 145, 145};
    double                   ramp[64];

    (void)state;
    SKIP_WITHOUT_DICOM();
    for (size_t i = 0; i < RVL_ARRAY_LEN(sixes); i++)
        expect_stored(sixes[i], RVL_DICOM_U16, 6, six);
    expect_stored("big32", RVL_DICOM_U32, 2, (const double[]){1, 0x01020304});
    expect_stored("signed12", RVL_DICOM_I16, 4, (const double[]){-2048, -1, 0, 2047});
    expect_stored("bits1", RVL_DICOM_U8, 15, (const double[]){1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1});
    expect_stored("rgb8_planar", RVL_DICOM_U8, 6, (const double[]){0, 2, 4, 1, 3, 5});
    expect_stored("ybr422", RVL_DICOM_U8, 6, (const double[]){50, 128, 129, 60, 128, 129});
    expect_stored("rle16", RVL_DICOM_U16, 6, (const double[]){7, 7, 1, 258, 3843, 65284});
    expect_stored("rle8_2frames", RVL_DICOM_U8, 8, (const double[]){9, 9, 9, 9, 1, 2, 3, 4});
    expect_stored("deflated_frame", RVL_DICOM_U8, 4, (const double[]){5, 6, 7, 8});
    expect_stored("float", RVL_DICOM_F32, 2, (const double[]){0.5, -3});
    expect_stored("jls", RVL_DICOM_U8, 16, jls); /* ISO/IEC 14495-1, H.3 */
    for (int i = 0; i < 64; i++)
        ramp[i] = 77;
    expect_stored("jpeg_gray", RVL_DICOM_U8, 64, ramp);
    expect_stored("jpeg_two_fragments", RVL_DICOM_U8, 64, ramp);
    for (int i = 0; i < 64; i++)
        ramp[i] = i;
    expect_stored("j2k", RVL_DICOM_U8, 64, ramp);
}

static void expect_volume(rvl_volume *v, rvl_voxel_type type, rvl_unit unit, int n, const double *expected)
{
    assert_int_equal(v->type, type);
    assert_int_equal(v->unit, unit);
    assert_int_equal(v->depth * v->height * v->width, n);
    for (int i = 0; i < n; i++)
        if (fabs(rvl_volume_at(v, i) - expected[i]) > 1e-6)
            fail_msg("value %d is %g, expected %g", i, rvl_volume_at(v, i), expected[i]);
    rvl_volume_free(v);
}

static void expect_physical(const char *name, rvl_unit unit, int n, const double *expected)
{
    rvl_dicom  *d = seed_open(name);
    rvl_volume *v = NULL;
    rvl_error   err = {0};

    if (rvl_dicom_physical(&v, d, &err))
        fail_msg("%s", err.text);
    rvl_dicom_close(d);
    expect_volume(v, RVL_VOXEL_F32, unit, n, expected);
}

static void physical__has_the_unit_of_the_file(void **state)
{
    (void)state;
    SKIP_WITHOUT_DICOM();
    /* slope 2, intercept -1024; -2048 is padding and becomes air */
    expect_physical("signed12", RVL_UNIT_HU, 4, (const double[]){-1024, -1026, -1024, 3070});
    /* 255 - x: larger is brighter */
    expect_physical("mono1_window", RVL_UNIT_ARBITRARY, 4, (const double[]){255, 245, 155, 0});
    /* the table begins at 1 and has 4 values */
    expect_physical("modality_lut", RVL_UNIT_ARBITRARY, 4, (const double[]){9, 9, 8, 200});
    /* (299 R + 587 G + 114 B + 500) / 1000 of (10, 11, 12): 10.815 -> 11 */
    expect_physical("palette", RVL_UNIT_ARBITRARY, 4, (const double[]){250, 30, 20, 11});
    expect_physical("rgb8_planar", RVL_UNIT_ARBITRARY, 2, (const double[]){2, 3}); /* 1.63, 2.63 */
    expect_physical("ybr422", RVL_UNIT_ARBITRARY, 2, (const double[]){50, 60});
}

static void expect_picture(const char *name, rvl_dicom_voi voi, rvl_voxel_type type, int n, const double *expected)
{
    rvl_dicom  *d = seed_open(name);
    rvl_volume *v = NULL;
    rvl_error   err = {0};

    if (rvl_dicom_picture(&v, d, voi, &err))
        fail_msg("%s", err.text);
    rvl_dicom_close(d);
    expect_volume(v, type, RVL_UNIT_DISPLAY, n, expected);
}

static void picture__is_what_a_reader_sees(void **state)
{
    (void)state;
    SKIP_WITHOUT_DICOM();
    expect_picture("mono1_window", RVL_DICOM_VOI_NONE, RVL_VOXEL_U8, 4, (const double[]){255, 245, 155, 0});
    /* window 100 / 50: (x - 99.5) / 49 + 0.5 between 75 and 124, then turned over */
    expect_picture("mono1_window", RVL_DICOM_VOI_FILE, RVL_VOXEL_F32, 4, (const double[]){1, 1, 0.5 - 0.5 / 49, 0});
    expect_picture("voi_lut", RVL_DICOM_VOI_FILE, RVL_VOXEL_F32, 4,
                   (const double[]){9 / 255.0, 9 / 255.0, 8 / 255.0, 200 / 255.0});
    expect_picture("explicit16", RVL_DICOM_VOI_NONE, RVL_VOXEL_U16, 6, (const double[]){0, 1, 2, 300, 4095, 65535});
    /* no window in the file: the range of its bits */
    expect_picture("explicit16", RVL_DICOM_VOI_FILE, RVL_VOXEL_F32, 6,
                   (const double[]){0, 1 / 65535.0, 2 / 65535.0, 300 / 65535.0, 4095 / 65535.0, 1});
}

static void image_file__that_is_tiff_too_is_read_as_dicom(void **state)
{
    size_t      n = 0;
    rvl_volume *v = NULL;
    rvl_error   err = {0};

    (void)state;
    SKIP_WITHOUT_DICOM();
    char *bytes = seed_load(&n, "tiff_preamble");
    if (rvl_image_parse(&v, bytes, n, "tiff_preamble", NULL, &err))
        fail_msg("%s", err.text);
    rvl_free(bytes);
    expect_volume(v, RVL_VOXEL_U16, RVL_UNIT_DISPLAY, 6, (const double[]){0, 1, 2, 300, 4095, 65535});
}

static void header__has_view_and_frames(void **state)
{
    (void)state;
    SKIP_WITHOUT_DICOM();
    rvl_dicom      *d = seed_open("mono1_window");
    rvl_dicom_frame f = {0};

    assert_int_equal(rvl_dicom_view(rvl_dicom_get_header(d)), RVL_VIEW_PA);
    assert_int_equal(rvl_dicom_modality(rvl_dicom_get_header(d)), RVL_MODALITY_CXR);
    rvl_dicom_close(d);
    d = seed_open("mammogram");
    assert_int_equal(rvl_dicom_view(rvl_dicom_get_header(d)), RVL_VIEW_MLO);
    assert_int_equal(rvl_dicom_modality(rvl_dicom_get_header(d)), RVL_MODALITY_MG);
    assert_string_equal(rvl_dicom_get_header(d)->laterality, "L");
    assert_string_equal(rvl_dicom_get_header(d)->patient_id, "PLANTED-7");
    rvl_dicom_close(d);
    d = seed_open("enhanced");
    assert_int_equal(rvl_dicom_get_header(d)->frames, 2);
    assert_int_equal(rvl_dicom_get_frame(&f, d, 1, NULL), RVL_OK);
    assert_true(f.has_position && f.position_mm.z > 4.99 && f.position_mm.z < 5.01);
    assert_false(f.has_orientation || f.has_rescale || f.has_spacing);
    assert_int_equal(rvl_dicom_get_frame(&f, d, 2, NULL), RVL_ERR_USAGE);
    rvl_dicom_close(d);
}

static void seeds__that_are_damaged_are_refused(void **state)
{
    static const struct {
        const char *name;
        rvl_status  status;
        const char *reason;
    } cases[] = {
        {"cut", RVL_ERR_FORMAT, "the file ends before"},
        {"element_4gib", RVL_ERR_FORMAT, "4294967280 bytes, the file ends before"},
        {"item_overrun", RVL_ERR_FORMAT, "the item ends before"},
        {"delimiter_overrun", RVL_ERR_FORMAT, "(fffe,e0dd) at byte 32"},
        {"dcmtk_vr", RVL_ERR_FORMAT, "3823362816 bytes, the file ends before"},
        {"future_vr", RVL_ERR_FORMAT, "3823362816 bytes, the file ends before"},
        {"nested_40", RVL_ERR_LIMIT, "nested deeper than 32"},
        {"nested_undefined", RVL_ERR_LIMIT, "nested deeper than 32"},
        {"frames_many", RVL_ERR_LIMIT, "2000000000 frames"},
        {"rows_many", RVL_ERR_LIMIT, "65535 x 65535"},
        {"frames_text", RVL_ERR_FORMAT, "NumberOfFrames"},
        {"bits_12_of_8", RVL_ERR_FORMAT, "12 of 8 bits"},
        {"rle_segments", RVL_ERR_FORMAT, "1 segments, expected 2"},
        {"fragments_too_few", RVL_ERR_FORMAT, "2 frames in 1 fragments"},
        {"slope_without_intercept", RVL_ERR_FORMAT, "slope without an intercept"},
        {"jpeg_larger", RVL_ERR_FORMAT, "8 x 8 pixels of 1 samples, the header says 8 x 16"},
        {"j2k_cut", RVL_ERR_FORMAT, "OpenJPEG says"},
        {"no_pixels", RVL_ERR_UNSUPPORTED, "holds no pixels"},
        {"unknown_syntax", RVL_ERR_UNSUPPORTED, "1.2.3.4"},
        {"preamble_only", RVL_ERR_FORMAT, "nothing follows"},
    };

    (void)state;
    SKIP_WITHOUT_DICOM();
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        size_t      n = 0;
        char       *bytes = seed_load(&n, cases[i].name);
        rvl_dicom  *d = NULL;
        rvl_volume *v = NULL;
        rvl_error   err = {0};
        rvl_status  st = rvl_dicom_parse(&d, bytes, n, cases[i].name, NULL, &err);
        if (!st)
            st = rvl_dicom_physical(&v, d, &err);
        if (st != cases[i].status || !strstr(err.text, cases[i].reason) || !strstr(err.text, cases[i].name))
            fail_msg("%s: status %d, '%s'", cases[i].name, st, err.text);
        assert_null(v);
        rvl_dicom_close(d);
        rvl_free(bytes);
    }
}

static void file__cut_anywhere_is_never_read_as_another_picture(void **state)
{
    static const char *const names[] = {"explicit16", "implicit16", "big16", "deflated",
                                        "rle16",      "jls",        "j2k",   "jpeg_gray"};

    (void)state;
    SKIP_WITHOUT_DICOM();
    for (size_t k = 0; k < RVL_ARRAY_LEN(names); k++) {
        size_t n = 0;
        char  *bytes = seed_load(&n, names[k]);
        for (size_t i = 0; i < n; i++) {
            rvl_dicom       *d = NULL;
            rvl_dicom_pixels p = {0};
            rvl_error        err = {0};
            if (rvl_dicom_parse(&d, bytes, i, "cut", NULL, &err) == RVL_OK && rvl_dicom_stored(&p, d, &err) == RVL_OK)
                fail_msg("%s: the first %zu of %zu bytes were read", names[k], i, n);
            assert_true(err.text[0]);
            rvl_dicom_close(d);
        }
        rvl_free(bytes);
    }
}

static void allocation__failures_are_reported_and_leak_nothing(void **state)
{
    static const char *const names[] = {"deflated", "rle16", "jls", "j2k", "jpeg_gray", "palette", "mono1_window"};

    (void)state;
    SKIP_WITHOUT_DICOM();
    for (size_t k = 0; k < RVL_ARRAY_LEN(names); k++) {
        size_t     n = 0;
        char      *bytes = seed_load(&n, names[k]);
        rvl_status st = RVL_ERR_NOMEM;
        for (uint64_t nth = 1; st == RVL_ERR_NOMEM; nth++) {
            size_t      before = rvl_alloc_get_stats().live_bytes;
            rvl_dicom  *d = NULL;
            rvl_volume *v = NULL;
            rvl_alloc_fail_at(nth);
            st = rvl_dicom_parse(&d, bytes, n, names[k], NULL, NULL);
            if (!st)
                st = rvl_dicom_picture(&v, d, RVL_DICOM_VOI_FILE, NULL);
            rvl_alloc_fail_at(0);
            rvl_volume_free(v);
            rvl_dicom_close(d);
            assert_int_equal(rvl_alloc_get_stats().live_bytes, before);
        }
        assert_int_equal(st, RVL_OK);
        rvl_free(bytes);
    }
}

static void sha256__is_that_of_the_standard(void **state)
{
    static const char *const sums[] = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                                       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
                                       "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"};
    static const char *const texts[] = {"", "abc", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"};
    rvl_sha256               s;
    char                     hex[65];

    (void)state;
    for (size_t i = 0; i < 4; i++) { /* FIPS 180-2 appendix B; the last: a million times "a" */
        rvl_sha256_init(&s);
        if (i < 3)
            rvl_sha256_add(&s, texts[i], strlen(texts[i]));
        for (int k = 0; i == 3 && k < 1000000; k += 8)
            rvl_sha256_add(&s, "aaaaaaaa", 8);
        rvl_sha256_hex(hex, &s);
        assert_string_equal(hex, sums[i]);
    }
}

/* ---- texts ---------------------------------------------------------------------------------------------------- */

static void names__are_those_the_standard_prints(void **state)
{
    static const struct {
        const char *file, *name; /* PS3.5 annexes H, I, J; PS3.3 C.12 */
    } cases[] = {
        {"chrArab", "قباني^لنزار"},
        {"chrFren", "Buc^Jérôme"},
        {"chrFrenMulti", "Buc^Jérôme"},
        {"chrGerm", "Äneas^Rüdiger"},
        {"chrGreek", "Διονυσιος"},
        {"chrH31", "Yamada^Tarou=山田^太郎=やまだ^たろう"},
        {"chrH32", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"},
        {"chrHbrw", "שרון^דבורה"},
        {"chrI2", "Hong^Gildong=洪^吉洞=홍^길동"},
        {"chrJapMulti", "やまだ^たろう"},
        {"chrJapMultiExplicitIR6", "やまだ^たろう"},
        {"chrKoreanMulti", "김희중"},
        {"chrRuss", "Люкceмбypг"},
        {"chrX1", "Wang^XiaoDong=王^小東"},
        {"chrX2", "Wang^XiaoDong=王^小东"},
    };

    (void)state;
    SKIP_WITHOUT_DICOM();
    SKIP_WITHOUT_DATA("dicom_odd/pydicom/charset");
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        char       path[PATH_BYTES];
        char       relative[256];
        rvl_dicom *d = NULL;
        char      *text = NULL;
        rvl_error  err = {0};
        snprintf(relative, sizeof relative, "dicom_odd/pydicom/charset/%s.dcm", cases[i].file);
        assert_true(test_data_path(path, sizeof path, relative));
        if (rvl_dicom_open(&d, path, NULL, &err) || rvl_dicom_get_text(&text, d, 0x00100010, &err))
            fail_msg("%s: %s", cases[i].file, err.text);
        if (strncmp(text, cases[i].name, strlen(cases[i].name)) != 0)
            fail_msg("%s: '%s', expected '%s'", cases[i].file, text, cases[i].name);
        rvl_free(text);
        rvl_dicom_close(d);
    }
}

static void names__of_a_small_file_are_japanese(void **state)
{
    char     *text = NULL;
    rvl_error err = {0};

    (void)state;
    SKIP_WITHOUT_DICOM();
    rvl_dicom *d = seed_open("charset_ir87");
    if (rvl_dicom_get_text(&text, d, 0x00100010, &err))
        fail_msg("%s", err.text);
    assert_string_equal(text, "Yamada^Tarou=山田^太郎");
    rvl_free(text);
    rvl_dicom_close(d);
    d = seed_open("charset_reset"); /* Greek ends at the delimiter: what follows is no ASCII */
    assert_int_equal(rvl_dicom_get_text(&text, d, 0x00100010, &err), RVL_ERR_FORMAT);
    assert_null(text);
    assert_non_null(strstr(err.text, "outside of US-ASCII"));
    rvl_dicom_close(d);
}

/* ---- the data pack -------------------------------------------------------------------------------------------- */

/* Files the manifest calls readable that DCMTK cannot parse. */
static bool is_refused(const char *path)
{
    return strstr(path, "GH364.dcm") || strstr(path, "/SC_rgb_jpeg.dcm");
}

static const char *cell(const rvl_csv *csv, size_t row, const char *column)
{
    int i = rvl_csv_column(csv, column);
    assert_true(i >= 0);
    return rvl_csv_cell(csv, row, (size_t)i);
}

static const char *dtype_of(const char *numpy)
{
    return strcmp(numpy, ">i2") == 0   ? "int16"
           : strcmp(numpy, ">u2") == 0 ? "uint16"
           : strcmp(numpy, ">u4") == 0 ? "uint32"
                                       : numpy;
}

static void shape_text(char *out, size_t n_bytes, const rvl_dicom_pixels *p)
{
    int n = 0;
    if (p->frames > 1)
        n += snprintf(out + n, n_bytes - (size_t)n, "%lldx", (long long)p->frames);
    n += snprintf(out + n, n_bytes - (size_t)n, "%lldx%lld", (long long)p->rows, (long long)p->columns);
    if (p->samples > 1)
        snprintf(out + n, n_bytes - (size_t)n, "x%d", p->samples);
}

/* Whether the values are those of the row; `why` says what is not. */
static bool row_equals(char *why, size_t n_why, const rvl_csv *csv, size_t row, const rvl_dicom_pixels *p)
{
    double     least = INFINITY;
    double     most = -INFINITY;
    double     sum = 0;
    int64_t    n = p->frames * p->rows * p->columns * p->samples;
    char       shape[64];
    char       hex[65];
    rvl_sha256 s;

    for (int64_t i = 0; i < n; i++) {
        double x = rvl_dicom_at(p, i);
        least = fmin(least, x);
        most = fmax(most, x);
        sum += x;
    }
    rvl_sha256_init(&s);
    rvl_sha256_add(&s, p->values, (size_t)n * (size_t)p->item_bytes);
    rvl_sha256_hex(hex, &s);
    shape_text(shape, sizeof shape, p);
    snprintf(why, n_why, "%s %s %.17g .. %.17g, mean %.17g, %s", shape, rvl_dicom_type_text(p->type), least, most,
             sum / (double)n, hex);
    const char *sum_text = cell(csv, row, "dec_sha256");
    /* its bytes are swapped in pairs, as its little-endian twin OBXXXX1A_rle shows */
    if (strstr(cell(csv, row, "path"), "OBXXXX1A_expb.dcm"))
        sum_text = "48abdc16b5064b61cf5960f7056756fc97f4547186e88b3bbcc1ebc2a66e6ca7";
    return strcmp(shape, cell(csv, row, "dec_shape")) == 0 &&
           strcmp(rvl_dicom_type_text(p->type), dtype_of(cell(csv, row, "dec_dtype"))) == 0 &&
           fabs(least - strtod(cell(csv, row, "dec_min"), NULL)) < 1e-9 &&
           fabs(most - strtod(cell(csv, row, "dec_max"), NULL)) < 1e-9 &&
           fabs(sum / (double)n - strtod(cell(csv, row, "dec_mean"), NULL)) < 1e-6 &&
           (!*sum_text || strcmp(sum_text, hex) == 0);
}

static bool row_is_as_said(const rvl_csv *csv, size_t row, int n_seen[3])
{
    const char      *name = cell(csv, row, "path");
    bool             is_decoded = strcmp(cell(csv, row, "decoded"), "1") == 0;
    char             path[PATH_BYTES];
    char             why[512] = "";
    rvl_dicom       *d = NULL;
    rvl_dicom_pixels p = {0};
    rvl_error        err = {0};
    bool             ok = true;

    assert_true(test_data_path(path, sizeof path, name));
    rvl_status st = rvl_dicom_open(&d, path, NULL, &err);
    if (!st)
        st = rvl_dicom_stored(&p, d, &err);
    if (st) {
        ok = strstr(err.text, rvl_path_base(name)) && (!is_decoded || is_refused(name));
        snprintf(why, sizeof why, "%.500s", err.text);
    } else if (is_decoded) {
        ok = row_equals(why, sizeof why, csv, row, &p);
    }
    n_seen[st ? 1 : is_decoded ? 0 : 2]++;
    if (!ok)
        print_error("%s: %s\n", name, why);
    rvl_dicom_pixels_fini(&p);
    rvl_dicom_close(d);
    return ok;
}

static void pack__is_read_as_its_manifest_says(void **state)
{
    char      path[PATH_BYTES];
    rvl_csv  *csv = NULL;
    rvl_error err = {0};
    int       n_seen[3] = {0}; /* equal, refused, read beyond the manifest */
    int       n_bad = 0;

    (void)state;
    SKIP_WITHOUT_DICOM();
    SKIP_WITHOUT_DATA("dicom_manifest.csv");
    assert_true(test_data_path(path, sizeof path, "dicom_manifest.csv"));
    if (rvl_csv_load(&csv, path, 0, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < rvl_csv_n_rows(csv); i++)
        n_bad += !row_is_as_said(csv, i, n_seen);
    printf("%d files equal the manifest, %d refused with a reason, %d read that its decoder could not\n", n_seen[0],
           n_seen[1], n_seen[2]);
    assert_int_equal(n_bad, 0);
    assert_int_equal(n_seen[0], 297); /* 299 decoded rows but the two of is_refused() */
    rvl_csv_free(csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored__is_what_was_written),
        cmocka_unit_test(physical__has_the_unit_of_the_file),
        cmocka_unit_test(picture__is_what_a_reader_sees),
        cmocka_unit_test(image_file__that_is_tiff_too_is_read_as_dicom),
        cmocka_unit_test(header__has_view_and_frames),
        cmocka_unit_test(seeds__that_are_damaged_are_refused),
        cmocka_unit_test(file__cut_anywhere_is_never_read_as_another_picture),
        cmocka_unit_test(allocation__failures_are_reported_and_leak_nothing),
        cmocka_unit_test(sha256__is_that_of_the_standard),
        cmocka_unit_test(names__are_those_the_standard_prints),
        cmocka_unit_test(names__of_a_small_file_are_japanese),
        cmocka_unit_test(pack__is_read_as_its_manifest_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
