/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_imaging_raster.c
 * Image files: the odd ones of the data pack as its manifest says, small ones with known pixels, damage, limits.
 */
#include "support.h"
#include "base/alloc.h"
#include "base/csv.h"
#include "imaging/image_file.h"

#include <math.h>

typedef struct {
    double least, most, mean;
} summary;

static summary summarise(const rvl_volume *v)
{
    summary s = {.least = INFINITY, .most = -INFINITY};
    int64_t n = v->depth * v->height * v->width;

    for (int64_t i = 0; i < n; i++) {
        double x = rvl_volume_at(v, i);
        s.least = fmin(s.least, x);
        s.most = fmax(s.most, x);
        s.mean += x / (double)n;
    }
    return s;
}

static rvl_volume *load(const char *path)
{
    rvl_volume *v = NULL;
    rvl_error   err = {0};

    if (rvl_image_load(&v, path, NULL, &err))
        fail_msg("%s", err.text);
    assert_int_equal(v->unit, RVL_UNIT_DISPLAY);
    assert_int_equal(v->depth, 1);
    assert_false(v->has_geometry);
    return v;
}

static rvl_csv *csv_load(const char *path)
{
    rvl_csv  *csv = NULL;
    rvl_error err = {0};

    if (rvl_csv_load(&csv, path, 0, &err))
        fail_msg("%s", err.text);
    return csv;
}

static const char *cell(const rvl_csv *csv, size_t row, const char *column)
{
    int i = rvl_csv_column(csv, column);
    assert_true(i >= 0);
    return rvl_csv_cell(csv, row, (size_t)i);
}

static double number(const rvl_csv *csv, size_t row, const char *column)
{
    double x = NAN;
    if (!rvl_parse_f64(cell(csv, row, column), &x))
        fail_msg("row %zu has no number in column '%s'", row, column);
    return x;
}

/* What a refusal must name. */
static const struct {
    const char *path, *word;
    rvl_status  status;
} refusals[] = {
    {"gray8_p5.pgm", "PGM", RVL_ERR_UNSUPPORTED},
    {"gray16_p5.pgm", "PGM", RVL_ERR_UNSUPPORTED},
    {"gray8_p2.pgm", "PGM", RVL_ERR_UNSUPPORTED},
    {"gray8.bmp", "BMP", RVL_ERR_UNSUPPORTED},
    {"gray16_lzw.tif", "TIFF", RVL_ERR_UNSUPPORTED},
    {"gray8.webp", "WebP", RVL_ERR_UNSUPPORTED},
    {"truncated.jpg", "JPEG", RVL_ERR_FORMAT},
    {"truncated.png", "cut off", RVL_ERR_FORMAT},
    {"bad_crc.png", "CRC", RVL_ERR_FORMAT},
    {"huge_size.png", "2147483647 x 2147483647", RVL_ERR_LIMIT},
    {"empty.jpg", "the file is empty", RVL_ERR_FORMAT},
};

static void check_refused(const char *path, const char *name)
{
    rvl_volume *v = NULL;
    rvl_error   err = {0};
    rvl_status  st = rvl_image_load(&v, path, NULL, &err);

    assert_null(v);
    for (size_t i = 0; i < RVL_ARRAY_LEN(refusals); i++) {
        if (strcmp(refusals[i].path, name) != 0)
            continue;
        assert_int_equal(st, refusals[i].status);
        if (!strstr(err.text, refusals[i].word) || !strstr(err.text, name))
            fail_msg("'%s' does not name %s and the file", err.text, refusals[i].word);
        return;
    }
    fail_msg("no refusal is expected of '%s', which gave: %s", name, err.text);
}

static void check_decoded(const char *path, const rvl_csv *manifest, size_t row)
{
    const char *mode = cell(manifest, row, "mode");
    rvl_volume *v = load(path);
    summary     s = summarise(v);

    assert_true(v->width == number(manifest, row, "width"));
    assert_true(v->height == number(manifest, row, "height"));
    assert_int_equal(v->type, strcmp(mode, "I") == 0 ? RVL_VOXEL_U16 : RVL_VOXEL_U8);
    if (strcmp(mode, "L") == 0 || strcmp(mode, "I") == 0) { /* other modes: counted over raw channels */
        assert_true(s.least == number(manifest, row, "min"));
        assert_true(s.most == number(manifest, row, "max"));
        assert_true(fabs(s.mean - number(manifest, row, "mean")) < 6e-5);
    } else if (strcmp(mode, "1") == 0) {
        assert_true(fabs(s.mean / 255 - number(manifest, row, "mean")) < 6e-5);
    }
    rvl_volume_free(v);
}

static void pack__is_read_or_refused_as_its_manifest_says(void **state)
{
    char   path[PATH_BYTES];
    size_t n_refused = 0;

    (void)state;
    SKIP_WITHOUT_DATA("image_odd/manifest.csv");
    assert_true(test_data_path(path, sizeof path, "image_odd/manifest.csv"));
    rvl_csv *manifest = csv_load(path);
    for (size_t i = 0; i < rvl_csv_n_rows(manifest); i++) {
        const char *name = cell(manifest, i, "path");
        const char *expect = cell(manifest, i, "expect");
        bool        may_refuse = strstr(expect, "refuse") && strcmp(expect, "ok by content or refuse") != 0;

        assert_true(test_data_path(path, sizeof path, name));
        if (may_refuse)
            check_refused(path, rvl_path_base(name));
        else
            check_decoded(path, manifest, i);
        n_refused += may_refuse;
    }
    assert_int_equal(n_refused, RVL_ARRAY_LEN(refusals));
    rvl_csv_free(manifest);
}

/* Luma of colour, palette and alpha files as Pillow's decoders give it (tests/golden/image_odd.py). */
static void pack__has_the_luma_pillow_gives(void **state)
{
    char path[PATH_BYTES], name[256];

    (void)state;
    SKIP_WITHOUT_DATA("image_odd/manifest.csv");
    assert_true(source_path(path, sizeof path, "tests/golden/image_odd.csv"));
    rvl_csv *golden = csv_load(path);
    assert_int_equal(rvl_csv_n_rows(golden), 7);
    for (size_t i = 0; i < rvl_csv_n_rows(golden); i++) {
        snprintf(name, sizeof name, "image_odd/%s", cell(golden, i, "path"));
        assert_true(test_data_path(path, sizeof path, name));
        rvl_volume *v = load(path);
        summary     s = summarise(v);
        double      pixel = strstr(name, ".jpg") ? 1.0 : 0.5; /* chroma of a JPEG is rounded before luma */
        assert_true(fabs(s.mean - number(golden, i, "mean")) < 0.02);
        assert_true(fabs(s.least - number(golden, i, "min")) <= pixel + 0.01);
        assert_true(fabs(s.most - number(golden, i, "max")) <= pixel + 0.01);
        for (size_t j = 4; j < rvl_csv_n_columns(golden); j++) {
            int y = 0, x = 0;
            assert_int_equal(sscanf(rvl_csv_name(golden, j), "y%d_x%d", &y, &x), 2);
            double got = rvl_volume_at(v, y * v->width + x);
            assert_true(fabs(got - number(golden, i, rvl_csv_name(golden, j))) <= pixel + 0.01);
        }
        rvl_volume_free(v);
    }
    rvl_csv_free(golden);
}

static rvl_status corpus_parse(rvl_volume **out, const char *name, const rvl_limits *limits, rvl_error *err)
{
    char   relative[256], path[PATH_BYTES];
    char  *bytes = NULL;
    size_t n = 0;

    snprintf(relative, sizeof relative, "tests/fuzz/corpus/%s", name);
    assert_true(source_path(path, sizeof path, relative));
    assert_int_equal(rvl_file_read(&bytes, &n, path, 0, NULL), RVL_OK);
    rvl_status st = rvl_image_parse(out, bytes, n, name, limits, err);
    rvl_free(bytes);
    return st;
}

/* Pixels from make_images.py; luma and alpha by hand: 0.299 * 255 = 76.2, 0.587 * 255 = 149.7 and so on. */
static void png__gives_known_pixels(void **state)
{
    static const struct {
        const char    *name;
        rvl_voxel_type type;
        int64_t        height, width;
        int            pixels[9];
    } cases[] = {
        {"png/gray8", RVL_VOXEL_U8, 2, 2, {0, 100, 200, 255}},
        {"png/gray16", RVL_VOXEL_U16, 2, 2, {0, 258, 40000, 65535}},
        {"png/gray1", RVL_VOXEL_U8, 2, 3, {255, 0, 255, 0, 255, 0}},
        {"png/gray2", RVL_VOXEL_U8, 1, 4, {0, 85, 170, 255}},
        {"png/gray4", RVL_VOXEL_U8, 1, 4, {0, 17, 238, 255}},
        {"png/rgb8", RVL_VOXEL_U8, 1, 3, {76, 150, 18}},
        {"png/rgb16", RVL_VOXEL_U16, 1, 2, {19595, 1815}},  /* 299 + 1174 + 342 */
        {"png/rgba8", RVL_VOXEL_U8, 1, 4, {76, 75, 0, 18}}, /* 150 * 128 / 255 = 75.3 */
        {"png/rgba16", RVL_VOXEL_U16, 1, 2, {32768, 0}},
        {"png/gray_alpha8", RVL_VOXEL_U8, 1, 4, {200, 40, 0, 41}}, /* 51 / 255 = 0.2, 40.6 is rounded */
        {"png/gray_alpha16", RVL_VOXEL_U16, 1, 2, {60000, 12000}}, /* 13107 / 65535 = 0.2 */
        {"png/palette2", RVL_VOXEL_U8, 1, 4, {0, 76, 18, 255}},
        {"png/palette8_alpha", RVL_VOXEL_U8, 1, 4, {0, 0, 18, 51}},
        {"png/gray8_key", RVL_VOXEL_U8, 1, 3, {7, 0, 9}}, /* value 8 is transparent */
        {"png/interlaced", RVL_VOXEL_U8, 3, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9}},
        {"png/text_and_gamma", RVL_VOXEL_U8, 1, 2, {5, 6}},
        {"png/behind_end", RVL_VOXEL_U8, 2, 2, {0, 100, 200, 255}},
    };

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        rvl_volume *v = NULL;
        rvl_error   err = {0};
        if (corpus_parse(&v, cases[i].name, NULL, &err))
            fail_msg("%s", err.text);
        assert_int_equal(v->type, cases[i].type);
        assert_int_equal(v->height, cases[i].height);
        assert_int_equal(v->width, cases[i].width);
        for (int64_t j = 0; j < v->height * v->width; j++)
            if (rvl_volume_at(v, j) != cases[i].pixels[j])
                fail_msg("%s: pixel %d is %g, not %d", cases[i].name, (int)j, rvl_volume_at(v, j), cases[i].pixels[j]);
        rvl_volume_free(v);
    }
}

static void damage__is_named(void **state)
{
    static const struct {
        const char *name;
        rvl_status  status;
        const char *word;
    } cases[] = {
        {"png/text_bad_crc", RVL_ERR_FORMAT, "CRC"},
        {"png/palette8_outside", RVL_ERR_FORMAT, "palette"},
        {"png/palette_missing", RVL_ERR_FORMAT, "PLTE"},
        {"png/no_end", RVL_ERR_FORMAT, "cut off"},
        {"png/row_missing", RVL_ERR_FORMAT, "Not enough image data"},
        {"png/no_pixels", RVL_ERR_FORMAT, "no pixels"},
        {"png/bits_7", RVL_ERR_FORMAT, "IHDR"},
        {"png/cut", RVL_ERR_FORMAT, "cut off"},
        {"png/signature", RVL_ERR_FORMAT, "no header chunk"},
        {"jpeg/cut", RVL_ERR_FORMAT, "JPEG"},
        {"jpeg/precision_12", RVL_ERR_UNSUPPORTED, "precision"},
        {"jpeg/no_pixels", RVL_ERR_FORMAT, "JPEG"},
        {"jpeg/soi", RVL_ERR_FORMAT, "no pixels"},
    };

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        rvl_volume *v = NULL;
        rvl_error   err = {0};
        rvl_status  st = corpus_parse(&v, cases[i].name, NULL, &err);
        if (st != cases[i].status || !strstr(err.text, cases[i].word))
            fail_msg("%s: status %d, '%s'", cases[i].name, (int)st, err.text);
        assert_null(v);
    }
}

/* Peak of our own heap while `name` is refused; libjpeg's is bounded by the check before it starts. */
static void giant__is_refused_before_memory_is_taken(void **state)
{
    static const char *const names[] = {"png/giant", "png/large_lie", "jpeg/large_lie"};
    const rvl_limits         wide = {.max_voxels = INT64_MAX, .max_side = INT32_MAX};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(names); i++) {
        rvl_volume *v = NULL;
        rvl_error   err = {0};
        size_t      peak = rvl_alloc_get_stats().peak_bytes;
        rvl_status  st = corpus_parse(&v, names[i], &wide, &err);
        assert_int_equal(st, RVL_ERR_FORMAT);
        assert_non_null(strstr(err.text, "cannot be held by a file of"));
        assert_true(rvl_alloc_get_stats().peak_bytes < peak + (1 << 16));
    }
}

static void limits__are_kept(void **state)
{
    static const char *const names[] = {"png/interlaced", "jpeg/gray", "npy/u1"};
    static const int64_t     sides[][2] = {{3, 3}, {19, 23}, {3, 4}};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(names); i++) {
        const int64_t    n = sides[i][0] * sides[i][1];
        const rvl_limits tight[] = {{.max_voxels = n}, {.max_side = sides[i][1]}};
        const rvl_limits low[] = {{.max_voxels = n - 1}, {.max_side = sides[i][1] - 1}, {.max_file_bytes = 40}};
        for (size_t j = 0; j < RVL_ARRAY_LEN(tight); j++) {
            rvl_volume *v = NULL;
            assert_int_equal(corpus_parse(&v, names[i], &tight[j], NULL), RVL_OK);
            rvl_volume_free(v);
        }
        for (size_t j = 0; j < RVL_ARRAY_LEN(low); j++) {
            rvl_volume *v = NULL;
            rvl_error   err = {0};
            assert_int_equal(corpus_parse(&v, names[i], &low[j], &err), RVL_ERR_LIMIT);
            assert_non_null(strstr(err.text, "limit"));
            assert_null(v);
        }
    }
}

static rvl_volume *made(rvl_voxel_type type, int64_t height, int64_t width)
{
    rvl_volume *v = NULL;

    assert_int_equal(rvl_volume_new(&v, type, 1, height, width, NULL), RVL_OK);
    for (int64_t i = 0; i < height * width; i++) {
        if (type == RVL_VOXEL_U8)
            ((uint8_t *)v->voxels)[i] = (uint8_t)(i * 37);
        else
            ((uint16_t *)v->voxels)[i] = (uint16_t)(i * 4099);
    }
    return v;
}

static void png__saves_and_loads_the_same(void **state)
{
    static const int64_t sides[][2] = {{1, 1}, {1, 17}, {17, 1}, {33, 20}};
    char                 dir[PATH_BYTES], path[PATH_BYTES + 16];

    (void)state;
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/a.png", dir);
    for (int bits = 8; bits <= 16; bits += 8) {
        for (size_t i = 0; i < RVL_ARRAY_LEN(sides); i++) {
            rvl_volume *v = made(bits == 8 ? RVL_VOXEL_U8 : RVL_VOXEL_U16, sides[i][0], sides[i][1]);
            assert_int_equal(rvl_png_save(v, path, NULL), RVL_OK);
            rvl_volume *back = load(path);
            assert_int_equal(back->type, v->type);
            assert_int_equal(back->height, v->height);
            assert_int_equal(back->width, v->width);
            assert_memory_equal(back->voxels, v->voxels, (size_t)(v->height * v->width) * rvl_voxel_bytes(v->type));
            rvl_volume_free(back);
            rvl_volume_free(v);
        }
    }
    temp_dir_remove(dir);
}

static void png__saves_unsigned_voxels_only(void **state)
{
    rvl_volume *v = NULL;
    rvl_error   err = {0};

    (void)state;
    assert_int_equal(rvl_volume_new(&v, RVL_VOXEL_F32, 1, 2, 2, NULL), RVL_OK);
    assert_int_equal(rvl_png_save(v, "/nowhere/a.png", &err), RVL_ERR_UNSUPPORTED);
    v->type = RVL_VOXEL_U8;
    assert_int_not_equal(rvl_png_save(v, "/nowhere/a.png", &err), RVL_OK);
    rvl_volume_free(v);
}

static void check_every_cut(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char       *part = malloc(i + 1); /* its end is the sanitizer's */
        rvl_volume *v = NULL;
        rvl_error   err = {0};
        assert_non_null(part);
        memcpy(part, bytes, i);
        if (rvl_image_parse(&v, part, i, "cut", NULL, &err) == RVL_OK)
            fail_msg("the first %zu of %zu bytes were taken for a whole image", i, n);
        assert_null(v);
        assert_true(err.text[0] != '\0');
        free(part);
    }
}

static void cut_file__is_refused_at_every_length(void **state)
{
    char        dir[PATH_BYTES], path[PATH_BYTES + 16];
    rvl_volume *v = made(RVL_VOXEL_U16, 9, 11);
    char       *bytes = NULL;
    uint8_t    *jpeg = NULL;
    size_t      n = 0;

    (void)state;
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/a.png", dir);
    assert_int_equal(rvl_png_save(v, path, NULL), RVL_OK);
    assert_int_equal(rvl_file_read(&bytes, &n, path, 0, NULL), RVL_OK);
    check_every_cut(bytes, n);
    rvl_free(bytes);
    rvl_volume_free(v);
    v = made(RVL_VOXEL_U8, 19, 23);
    assert_int_equal(rvl_jpeg_encode(&jpeg, &n, v->voxels, 19, 23, 90, NULL), RVL_OK);
    check_every_cut((const char *)jpeg, n);
    rvl_free(jpeg);
    rvl_volume_free(v);
    temp_dir_remove(dir);
}

static void jpeg__comes_back_nearly_the_same(void **state)
{
    uint8_t     gray[40 * 30];
    uint8_t    *jpeg = NULL;
    size_t      n = 0;
    rvl_volume *v = NULL;
    rvl_error   err = {0};

    (void)state;
    for (int i = 0; i < 40 * 30; i++)
        gray[i] = (uint8_t)(i / 30 * 5 + i % 30);
    assert_int_equal(rvl_jpeg_encode(&jpeg, &n, gray, 40, 30, 95, NULL), RVL_OK);
    assert_int_equal(rvl_image_parse(&v, jpeg, n, "thumbnail", NULL, NULL), RVL_OK);
    assert_int_equal(v->height, 40);
    assert_int_equal(v->width, 30);
    for (int i = 0; i < 40 * 30; i++)
        assert_in_range((int)rvl_volume_at(v, i) + 4 - gray[i], 0, 8);
    rvl_volume_free(v);
    rvl_free(jpeg);
    assert_int_equal(rvl_jpeg_encode(&jpeg, &n, gray, 0, 30, 95, &err), RVL_ERR_USAGE);
    assert_int_equal(rvl_jpeg_encode(&jpeg, &n, gray, 40, 30, 101, &err), RVL_ERR_USAGE);
    assert_null(jpeg);
}

static void memory__may_end_at_any_call(void **state)
{
    static const char *const names[] = {"png/interlaced", "png/palette8_alpha", "jpeg/cmyk", "npy/f4_big"};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(names); i++) {
        bool is_done = false;
        for (uint64_t nth = 1; !is_done; nth++) {
            char        relative[256], path[PATH_BYTES];
            char       *bytes = NULL;
            size_t      n = 0;
            rvl_volume *v = NULL;
            rvl_error   err = {0};
            snprintf(relative, sizeof relative, "tests/fuzz/corpus/%s", names[i]);
            assert_true(source_path(path, sizeof path, relative));
            assert_int_equal(rvl_file_read(&bytes, &n, path, 0, NULL), RVL_OK);
            size_t live = rvl_alloc_get_stats().live_bytes;
            rvl_alloc_fail_at(nth);
            rvl_status st = rvl_image_parse(&v, bytes, n, names[i], NULL, &err);
            rvl_alloc_fail_at(0);
            is_done = st == RVL_OK;
            if (!is_done)
                assert_int_equal(st, RVL_ERR_NOMEM);
            assert_true(nth > 1 || !is_done);
            rvl_volume_free(v);
            assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
            rvl_free(bytes);
        }
    }
}

static void content__decides_not_the_name(void **state)
{
    static const struct {
        const char *bytes;
        size_t      n;
        const char *word;
    } cases[] = {
        {"hello world", 11, "68 65 6c 6c"}, {"GIF89a..", 8, "GIF"},  {"PK\x03\x04....", 8, "ZIP"},
        {"\x1f\x8b\x08", 3, "gzip"},        {"%PDF-1.4", 8, "PDF"},  {"RIFF\0\0\0\0WEBPVP8 ", 16, "WebP"},
        {"MM\0*\0\0\0\x08", 8, "TIFF"},     {"\x89PNG", 4, "89 50"},
    };
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        rvl_volume *v = NULL;
        rvl_error   err = {0};
        assert_int_equal(rvl_image_parse(&v, cases[i].bytes, cases[i].n, "a.png", NULL, &err), RVL_ERR_UNSUPPORTED);
        if (!strstr(err.text, cases[i].word) || !strstr(err.text, "'a.png'"))
            fail_msg("'%s'", err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pack__is_read_or_refused_as_its_manifest_says),
        cmocka_unit_test(pack__has_the_luma_pillow_gives),
        cmocka_unit_test(png__gives_known_pixels),
        cmocka_unit_test(damage__is_named),
        cmocka_unit_test(giant__is_refused_before_memory_is_taken),
        cmocka_unit_test(limits__are_kept),
        cmocka_unit_test(png__saves_and_loads_the_same),
        cmocka_unit_test(png__saves_unsigned_voxels_only),
        cmocka_unit_test(cut_file__is_refused_at_every_length),
        cmocka_unit_test(jpeg__comes_back_nearly_the_same),
        cmocka_unit_test(memory__may_end_at_any_call),
        cmocka_unit_test(content__decides_not_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
