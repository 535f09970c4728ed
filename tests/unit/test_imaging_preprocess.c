/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_imaging_preprocess.c
 * Window, resize and padding: against Pillow, and the promises of the header.
 */
#include "support.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "imaging/preprocess.h"

#include <math.h>

static rvl_volume *volume(rvl_voxel_type type, int64_t height, int64_t width)
{
    rvl_volume *v = NULL;

    assert_int_equal(rvl_volume_new(&v, type, 1, height, width, NULL), RVL_OK);
    v->modality = RVL_MODALITY_CXR;
    v->view = RVL_VIEW_PA;
    memcpy(v->body_part, "chest", 6);
    return v;
}

static void set(rvl_volume *v, int64_t y, int64_t x, double value)
{
    int64_t i = y * v->width + x;

    switch (v->type) {
    case RVL_VOXEL_U8:
        ((uint8_t *)v->voxels)[i] = (uint8_t)value;
        break;
    case RVL_VOXEL_U16:
        ((uint16_t *)v->voxels)[i] = (uint16_t)value;
        break;
    case RVL_VOXEL_I16:
        ((int16_t *)v->voxels)[i] = (int16_t)value;
        break;
    case RVL_VOXEL_F32:
        ((float *)v->voxels)[i] = (float)value;
        break;
    }
}

/* The picture of tests/golden/preprocess_resize.py. */
static void fill(rvl_volume *v, double gain)
{
    for (int64_t y = 0; y < v->height; y++)
        for (int64_t x = 0; x < v->width; x++)
            set(v, y, x, gain * (double)((37 * y + 91 * x + 5 * y * x + (y * y + 3 * x * x) % 41) % 256));
}

static rvl_preprocess spec_of(rvl_window_kind window, int64_t height, int64_t width, int bits)
{
    rvl_preprocess p = rvl_preprocess_default(RVL_MODALITY_CXR, height, width);

    p.window = window;
    p.bits = bits;
    return p;
}

/* 16-bit codes as values 0..1; NULL on failure with `*st`. Caller frees. */
static double *unit_values(const rvl_preprocess *spec, const rvl_volume *v, bool *is_flat)
{
    int64_t   n = spec->height * spec->width;
    uint16_t *codes = rvl_alloc_array((size_t)n, sizeof *codes);
    double   *values = rvl_alloc_array((size_t)n, sizeof *values);
    rvl_error err = {0};

    assert_int_equal(spec->bits, 16);
    assert_non_null(codes);
    assert_non_null(values);
    if (rvl_preprocess_codes(codes, spec, v, false, is_flat, &err))
        fail_msg("%s", err.text);
    for (int64_t i = 0; i < n; i++)
        values[i] = codes[i] / 65535.0;
    rvl_free(codes);
    return values;
}

static void resize__is_pillows_antialiased_bilinear(void **state)
{
    static const struct {
        rvl_voxel_type type;
        double         gain;
    } kinds[] = {{RVL_VOXEL_U8, 1}, {RVL_VOXEL_U16, 257}, {RVL_VOXEL_F32, 1 / 255.0}};
    char      path[PATH_BYTES];
    json_t   *golden = NULL;
    json_t   *c = NULL;
    size_t    i_case = 0;
    rvl_error err = {0};

    (void)state;
    assert_true(source_path(path, sizeof path, "tests/golden/preprocess_resize.json"));
    if (rvl_json_load(&golden, path, &err))
        fail_msg("%s", err.text);
    json_array_foreach(json_object_get(golden, "cases"), i_case, c)
    {
        const json_t        *source = json_object_get(c, "source");
        const json_t        *grid = json_object_get(c, "grid");
        const json_t        *values = json_object_get(c, "values");
        const rvl_preprocess spec = spec_of(RVL_WINDOW_RANGE, json_integer_value(json_array_get(grid, 0)),
                                            json_integer_value(json_array_get(grid, 1)), 16);
        for (size_t k = 0; k < RVL_ARRAY_LEN(kinds); k++) {
            rvl_volume *v = volume(kinds[k].type, json_integer_value(json_array_get(source, 0)),
                                   json_integer_value(json_array_get(source, 1)));
            fill(v, kinds[k].gain);
            double *got = unit_values(&spec, v, NULL);
            assert_int_equal(json_array_size(values), spec.height * spec.width);
            for (size_t i = 0; i < json_array_size(values); i++) {
                double want = json_real_value(json_array_get(values, i));
                if (!(fabs(got[i] - want) <= 0.5 / 65535 + 1e-6)) /* half a code; Pillow sums in float32 */
                    fail_msg("case %zu, kind %zu, value %zu: %.7f, Pillow %.7f", i_case, k, i, got[i], want);
            }
            rvl_free(got);
            rvl_volume_free(v);
        }
    }
    assert_int_equal(i_case, 11);
    json_decref(golden);
}

/* A frame of one bright pixel round a black image stays visible on all four sides. */
static void nothing__is_cut_off(void **state)
{
    static const int64_t sides[][2] = {{64, 64}, {97, 64}, {64, 97}, {333, 500}, {20, 31}, {480, 503}};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(sides); i++) {
        const int64_t        height = sides[i][0], width = sides[i][1];
        const rvl_preprocess spec = spec_of(RVL_WINDOW_RANGE, 32, 32, 16);
        const rvl_grid_map   map = rvl_preprocess_map(&spec, height, width);
        rvl_volume          *v = volume(RVL_VOXEL_U8, height, width);
        for (int64_t y = 0; y < height; y++)
            for (int64_t x = 0; x < width; x++)
                set(v, y, x, y == 0 || x == 0 || y == height - 1 || x == width - 1 ? 255 : 0);
        double *got = unit_values(&spec, v, NULL);
        int64_t top = (int64_t)map.offset_y, left = (int64_t)map.offset_x;
        int64_t bottom = top + (int64_t)(map.scale_y * (double)height + 0.5) - 1;
        int64_t right = left + (int64_t)(map.scale_x * (double)width + 0.5) - 1;
        assert_true(top == 0 || left == 0);
        for (int64_t y = 0; y < 32; y++) {
            for (int64_t x = 0; x < 32; x++) {
                bool is_out = y < top || y > bottom || x < left || x > right;
                bool is_edge = !is_out && (y == top || y == bottom || x == left || x == right);
                if (is_out)
                    assert_true(got[y * 32 + x] == 0);
                if (is_edge) /* an edge voxel takes its weight among those under the filter */
                    assert_true(got[y * 32 + x] > 0.5 * fmin(map.scale_x, map.scale_y));
            }
        }
        rvl_free(got);
        rvl_volume_free(v);
    }
}

static void aspect__is_kept(void **state)
{
    static const int64_t sides[][4] = {/* height, width -> rows, columns that are not padding */
                                       {100, 50, 32, 16}, {50, 100, 16, 32}, {64, 64, 32, 32},
                                       {1, 1000, 1, 32},  {1000, 1, 32, 1},  {3, 2, 32, 21}};
    const rvl_preprocess spec = spec_of(RVL_WINDOW_RANGE, 32, 32, 16);

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(sides); i++) {
        rvl_volume *v = volume(RVL_VOXEL_U8, sides[i][0], sides[i][1]);
        bool        is_flat = false;
        memset(v->voxels, 255, (size_t)(v->height * v->width));
        double *got = unit_values(&spec, v, &is_flat);
        int64_t rows = 0, columns = 0;
        for (int j = 0; j < 32; j++) {
            rows += got[j * 32 + 15] > 0 || got[j * 32 + 16] > 0;
            columns += got[15 * 32 + j] > 0 || got[16 * 32 + j] > 0;
        }
        assert_int_equal(rows, sides[i][2]);
        assert_int_equal(columns, sides[i][3]);
        for (int j = 0; j < 32 * 32; j++)
            assert_true(got[j] == 0 || got[j] == 1); /* constant stays constant */
        assert_true(is_flat);
        rvl_free(got);
        rvl_volume_free(v);
    }
}

static void flat_image__is_low_and_flagged(void **state)
{
    static const rvl_voxel_type types[] = {RVL_VOXEL_U8, RVL_VOXEL_U16, RVL_VOXEL_I16, RVL_VOXEL_F32};
    const rvl_preprocess        spec = spec_of(RVL_WINDOW_ROBUST, 8, 8, 8);

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(types); i++) {
        for (int64_t side = 1; side <= 12; side += 11) {
            rvl_volume *v = volume(types[i], side, side);
            float       out[64];
            bool        is_flat = false;
            for (int64_t y = 0; y < side * side; y++)
                set(v, 0, y, 77);
            assert_int_equal(rvl_preprocess_apply(out, &spec, v, false, &is_flat, NULL), RVL_OK);
            assert_true(is_flat);
            for (int j = 0; j < 64; j++)
                assert_true(out[j] == -1.0F);
            set(v, side - 1, side - 1, 78); /* one voxel of 144 is outside both percentiles */
            assert_int_equal(rvl_preprocess_apply(out, &spec, v, false, &is_flat, NULL), RVL_OK);
            assert_true(is_flat == (side == 1));
            if (side > 1)
                assert_true(out[63] > out[0]);
            rvl_volume_free(v);
        }
    }
}

/* Stripes that a sample of every nth voxel would miss: 2,048 x 2,048 voxels, the bright ones on odd columns. */
static void robust_window__sees_every_column(void **state)
{
    static const rvl_voxel_type types[] = {RVL_VOXEL_U8, RVL_VOXEL_F32};
    const rvl_preprocess        spec = spec_of(RVL_WINDOW_ROBUST, 64, 64, 16);

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(types); i++) {
        rvl_volume *v = volume(types[i], 2048, 2048);
        bool        is_flat = true;
        for (int64_t y = 0; y < 2048; y++)
            for (int64_t x = 0; x < 2048; x++)
                set(v, y, x, x % 2 ? 200 : y % 2 ? 10 : 0);
        double *got = unit_values(&spec, v, &is_flat);
        assert_false(is_flat);
        for (int j = 0; j < 64 * 64; j++)
            assert_true(fabs(got[j] - (200 + 5) / 2.0 / 200) < 0.005); /* both stripes under each grid pixel */
        rvl_free(got);
        rvl_volume_free(v);
    }
}

/* 0..9,999 once each: percentile p is the value 99.99 * p, so the window and every code follow by hand. */
static void robust_window__cuts_at_the_percentiles(void **state)
{
    rvl_preprocess spec = spec_of(RVL_WINDOW_ROBUST, 100, 100, 16);

    (void)state;
    spec.window_a = 10;
    spec.window_b = 80;
    for (int type = RVL_VOXEL_U16; type <= RVL_VOXEL_F32; type++) {
        rvl_volume *v = volume((rvl_voxel_type)type, 100, 100);
        for (int64_t i = 0; i < 10000; i++)
            set(v, 0, (i * 7919) % 10000, (double)i - (type == RVL_VOXEL_U16 ? 0 : 5000));
        double *got = unit_values(&spec, v, NULL);
        for (int64_t i = 0; i < 10000; i++) {
            double want = fmin(fmax(((double)i - 1000) / (7999 - 1000), 0), 1); /* ranks 999.9 and 7999.2, rounded */
            assert_true(fabs(got[(i * 7919) % 10000] - want) <= 0.5 / 65535 + 1e-12);
        }
        rvl_free(got);
        rvl_volume_free(v);
    }
}

static void fixed_window__clips(void **state)
{
    static const double hu[] = {-2000, -1000, -400, 200, 3000};
    static const double want[] = {0, 0, 0.5, 1, 1};
    rvl_preprocess      spec = rvl_preprocess_default(RVL_MODALITY_CT, 1, 5);
    rvl_volume         *v = volume(RVL_VOXEL_I16, 1, 5);

    (void)state;
    v->modality = RVL_MODALITY_CT;
    for (int i = 0; i < 5; i++)
        set(v, 0, i, hu[i]);
    double *got = unit_values(&spec, v, NULL);
    for (int i = 0; i < 5; i++)
        assert_true(fabs(got[i] - want[i]) <= 0.5 / 65535 + 1e-12);
    rvl_free(got);
    rvl_volume_free(v);
}

static void apply__is_decode_of_codes(void **state)
{
    (void)state;
    for (int bits = 8; bits <= 16; bits += 8) {
        for (int window = RVL_WINDOW_ROBUST; window <= RVL_WINDOW_RANGE; window++) {
            rvl_preprocess spec = spec_of((rvl_window_kind)window, 24, 20, bits);
            rvl_volume    *v = volume(RVL_VOXEL_U8, 37, 53);
            uint16_t       codes[24 * 20];
            float          a[24 * 20], b[24 * 20];
            spec.out_low = -0.3;
            spec.out_high = 2.7;
            fill(v, 1);
            assert_int_equal(rvl_preprocess_codes(codes, &spec, v, false, NULL, NULL), RVL_OK);
            rvl_preprocess_decode(a, &spec, codes, 24 * 20);
            assert_int_equal(rvl_preprocess_apply(b, &spec, v, false, NULL, NULL), RVL_OK);
            assert_memory_equal(a, b, sizeof a);
            assert_true(a[0] == (float)spec.out_low); /* padding */
            float most = a[0];
            for (int i = 0; i < 24 * 20; i++) {
                assert_true(a[i] >= (float)spec.out_low && a[i] <= (float)spec.out_high);
                most = fmaxf(most, a[i]);
            }
            assert_true(most > 1.2F);
            rvl_volume_free(v);
        }
    }
}

static void bad_number__is_refused_wherever_it_is(void **state)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY};

    (void)state;
    for (int window = RVL_WINDOW_ROBUST; window <= RVL_WINDOW_RANGE; window++) {
        const rvl_preprocess spec = spec_of((rvl_window_kind)window, 16, 16, 8);
        rvl_volume          *v = volume(RVL_VOXEL_F32, 600, 600); /* the window's sample is every sixth or seventh */
        float                out[256];
        fill(v, 1);
        for (int64_t i = 0; i < 40; i++) {
            rvl_error err = {0};
            int64_t   at = i < 20 ? i : 600 * 600 - 1 - i;
            float     was = ((float *)v->voxels)[at];
            ((float *)v->voxels)[at] = (float)bad[i % 3];
            assert_int_equal(rvl_preprocess_apply(out, &spec, v, false, NULL, &err), RVL_ERR_NUMERIC);
            assert_non_null(strstr(err.text, "NaN"));
            ((float *)v->voxels)[at] = was;
        }
        assert_int_equal(rvl_preprocess_apply(out, &spec, v, false, NULL, NULL), RVL_OK);
        for (int64_t i = 0; i < 600 * 600; i += 1 + i % 2)
            ((float *)v->voxels)[i] = NAN;
        assert_int_equal(rvl_preprocess_apply(out, &spec, v, false, NULL, NULL), RVL_ERR_NUMERIC);
        rvl_volume_free(v);
    }
}

static void other_kind_of_image__is_refused_unless_forced(void **state)
{
    rvl_preprocess spec = spec_of(RVL_WINDOW_RANGE, 8, 8, 8);

    (void)state;
    spec.view = RVL_VIEW_PA;
    for (int i = 0; i < 6; i++) {
        static const char *const words[] = {"modality 'mg'", "lateral view", "body part 'hand'"};
        rvl_volume              *v = volume(RVL_VOXEL_U8, 9, 9);
        rvl_error                err = {0};
        float                    out[64];
        bool                     is_known = i < 3;
        if (i % 3 == 0)
            v->modality = is_known ? RVL_MODALITY_MG : RVL_MODALITY_UNKNOWN;
        if (i % 3 == 1)
            v->view = is_known ? RVL_VIEW_LATERAL : RVL_VIEW_UNKNOWN;
        if (i % 3 == 2)
            memcpy(v->body_part, is_known ? "hand" : "", is_known ? 5 : 1);
        assert_int_equal(rvl_preprocess_apply(out, &spec, v, false, NULL, &err),
                         is_known ? RVL_ERR_UNSUPPORTED : RVL_OK);
        if (is_known)
            assert_non_null(strstr(err.text, words[i]));
        assert_int_equal(rvl_preprocess_apply(out, &spec, v, true, NULL, &err), RVL_OK);
        rvl_volume_free(v);
    }
    rvl_volume *deep = NULL;
    float       out[64];
    assert_int_equal(rvl_volume_new(&deep, RVL_VOXEL_U8, 2, 9, 9, NULL), RVL_OK);
    assert_int_equal(rvl_preprocess_apply(out, &spec, deep, true, NULL, NULL), RVL_ERR_SHAPE);
    rvl_volume_free(deep);
}

/* Each changes one field of `p` to another sound value. */
static void field_change(rvl_preprocess *p, int i)
{
    switch (i) {
    case 0:
        p->modality = RVL_MODALITY_MG;
        break;
    case 1:
        p->view = RVL_VIEW_AP;
        break;
    case 2:
        memcpy(p->body_part, "breast", 7);
        break;
    case 3:
        p->depth = 2;
        break;
    case 4:
        p->height++;
        break;
    case 5:
        p->width++;
        break;
    case 6:
        p->window = RVL_WINDOW_ROBUST;
        break;
    case 7:
        p->window_a = nextafter(p->window_a, 1);
        break;
    case 8:
        p->window_b = nextafter(p->window_b, 1);
        break;
    case 9:
        p->out_low = nextafter(p->out_low, 0);
        break;
    case 10:
        p->out_high = nextafter(p->out_high, 0);
        break;
    default:
        p->bits = 16;
    }
}

static void spec__survives_json_and_its_hash_tells_every_field(void **state)
{
    enum { N_FIELDS = 12 };
    char hashes[N_FIELDS + 1][17];

    (void)state;
    for (int i = 0; i <= N_FIELDS; i++) {
        rvl_preprocess base = rvl_preprocess_default(RVL_MODALITY_CXR, 64, 48), p, back;
        json_t        *j = NULL;
        rvl_error      err = {0};
        base.window = RVL_WINDOW_FIXED; /* a volume has no other */
        p = base;
        if (i < N_FIELDS)
            field_change(&p, i);
        assert_true(rvl_preprocess_equal(&p, &base) == (i == N_FIELDS));
        assert_int_equal(rvl_preprocess_to_json(&j, &p, &err), RVL_OK);
        if (rvl_preprocess_from_json(&back, j, &err))
            fail_msg("%s", err.text);
        assert_true(rvl_preprocess_equal(&p, &back));
        assert_int_equal(rvl_preprocess_hash(hashes[i], &p, &err), RVL_OK);
        assert_int_equal(strlen(hashes[i]), 16);
        assert_int_equal(strspn(hashes[i], "0123456789abcdef"), 16);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(hashes[i], hashes[k]);
        char again[17];
        assert_int_equal(rvl_preprocess_hash(again, &back, &err), RVL_OK);
        assert_string_equal(again, hashes[i]);
        json_decref(j);
    }
}

static void hash__says_when_memory_ends(void **state)
{
    const rvl_preprocess p = rvl_preprocess_default(RVL_MODALITY_CXR, 64, 48);
    char                 hash[17];
    rvl_error            err = {0};

    (void)state;
    rvl_alloc_fail_at(1);
    rvl_status st = rvl_preprocess_hash(hash, &p, &err);
    rvl_alloc_fail_at(0);
    assert_int_equal(st, RVL_ERR_NOMEM);
    assert_string_equal(hash, "");
}

static void json__without_sense_is_refused(void **state)
{
    static const struct {
        const char *key, *value;
        rvl_status  status;
    } cases[] = {
        {"modality", "\"xray\"", RVL_ERR_FORMAT},
        {"view", "\"oblique\"", RVL_ERR_FORMAT},
        {"body_part", "\"a body part of many letters\"", RVL_ERR_FORMAT},
        {"depth", "0", RVL_ERR_FORMAT},
        {"height", "-1", RVL_ERR_FORMAT},
        {"width", "65536", RVL_ERR_FORMAT},
        {"width", "\"64\"", RVL_ERR_FORMAT},
        {"window", "\"wide\"", RVL_ERR_FORMAT},
        {"window_a", "-0.5", RVL_ERR_FORMAT},
        {"window_b", "150", RVL_ERR_FORMAT},
        {"window_a", "99.5", RVL_ERR_FORMAT},
        {"out_low", "1", RVL_ERR_FORMAT},
        {"bits", "12", RVL_ERR_FORMAT},
        {"resize", "\"lanczos/1\"", RVL_ERR_UNSUPPORTED},
    };

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        rvl_preprocess p = rvl_preprocess_default(RVL_MODALITY_CXR, 64, 48);
        json_t        *j = NULL;
        rvl_error      err = {0};
        assert_int_equal(rvl_preprocess_to_json(&j, &p, &err), RVL_OK);
        json_t *value = json_loads(cases[i].value, JSON_DECODE_ANY, NULL);
        assert_non_null(value);
        assert_int_equal(json_object_set_new(j, cases[i].key, value), 0);
        if (rvl_preprocess_from_json(&p, j, &err) != cases[i].status)
            fail_msg("%s: %s gave '%s'", cases[i].key, cases[i].value, err.text);
        json_decref(j);
    }
}

static void spec__without_sense_is_not_applied(void **state)
{
    rvl_volume *v = volume(RVL_VOXEL_U8, 9, 9);
    float       out[64];

    (void)state;
    for (int i = 0; i < 5; i++) {
        rvl_preprocess p = spec_of(RVL_WINDOW_ROBUST, 8, 8, 8);
        rvl_error      err = {0};
        p.height = i == 0 ? 0 : 8;
        p.window_b = i == 1 ? 100.5 : i == 2 ? NAN : 99.5;
        p.bits = i == 3 ? 32 : 8;
        p.out_high = i == 4 ? (double)INFINITY : 1;
        assert_int_equal(rvl_preprocess_apply(out, &p, v, false, NULL, &err), RVL_ERR_USAGE);
        assert_int_equal(rvl_preprocess_codes(out, &p, v, false, NULL, &err), RVL_ERR_USAGE);
    }
    rvl_volume_free(v);
}

static void large_image__needs_little_memory(void **state)
{
    const rvl_preprocess spec = rvl_preprocess_default(RVL_MODALITY_CXR, 64, 64);
    rvl_volume          *v = volume(RVL_VOXEL_U8, 8000, 6000);
    uint8_t              codes[64 * 64];
    bool                 is_flat = true;

    (void)state;
    for (int64_t i = 0; i < v->height * v->width; i++)
        ((uint8_t *)v->voxels)[i] = (uint8_t)(i / 6000 / 40);
    size_t before = rvl_alloc_get_stats().peak_bytes;
    assert_true(before < rvl_alloc_get_stats().live_bytes + 1); /* the volume is the peak so far */
    assert_int_equal(rvl_preprocess_codes(codes, &spec, v, false, &is_flat, NULL), RVL_OK);
    assert_true(rvl_alloc_get_stats().peak_bytes < before + (2 << 20));
    assert_false(is_flat);
    for (int y = 1; y < 64; y++)
        assert_true(codes[y * 64 + 32] >= codes[(y - 1) * 64 + 32] + 3); /* 200 levels over 64 rows, 0..255 */
    rvl_volume_free(v);
}

/* The centre of mass of one bright square lands where the map says. */
static void grid_map__says_where_a_pixel_lands(void **state)
{
    static const int64_t sides[][2] = {{64, 64}, {97, 61}, {333, 500}, {20, 31}, {480, 503}, {31, 200}};
    static const double  places[][2] = {{0.2, 0.3}, {0.5, 0.5}, {0.85, 0.7}};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(sides) * RVL_ARRAY_LEN(places); i++) {
        const int64_t        height = sides[i / 3][0], width = sides[i / 3][1];
        const rvl_preprocess spec = spec_of(RVL_WINDOW_RANGE, 40, 48, 16);
        const rvl_grid_map   map = rvl_preprocess_map(&spec, height, width);
        rvl_volume          *v = volume(RVL_VOXEL_U16, height, width);
        const int64_t        at_y = (int64_t)(places[i % 3][0] * (double)height);
        const int64_t        at_x = (int64_t)(places[i % 3][1] * (double)width);
        double               mass = 0, y_sum = 0, x_sum = 0;
        for (int64_t y = at_y - 1; y <= at_y + 1; y++)
            for (int64_t x = at_x - 1; x <= at_x + 1; x++)
                set(v, y, x, 65535);
        double *got = unit_values(&spec, v, NULL);
        for (int64_t j = 0; j < 40 * 48; j++) {
            mass += got[j];
            y_sum += got[j] * (double)(j / 48);
            x_sum += got[j] * (double)(j % 48);
        }
        double want_y = map.scale_y * ((double)at_y + 0.5) - 0.5 + map.offset_y;
        double want_x = map.scale_x * ((double)at_x + 0.5) - 0.5 + map.offset_x;
        /* a triangle filter sampled at grid pixels moves the centre by little, an offset by half a pixel shows */
        if (fabs(y_sum / mass - want_y) > 0.15 || fabs(x_sum / mass - want_x) > 0.15)
            fail_msg("%d x %d: (%d, %d) lands at (%.3f, %.3f), the map says (%.3f, %.3f)", (int)height, (int)width,
                     (int)at_y, (int)at_x, y_sum / mass, x_sum / mass, want_y, want_x);
        rvl_free(got);
        rvl_volume_free(v);
    }
}

static void memory__may_end_at_any_call(void **state)
{
    const rvl_preprocess spec = spec_of(RVL_WINDOW_ROBUST, 16, 16, 8);
    rvl_volume          *v = volume(RVL_VOXEL_U8, 20, 30);
    size_t               live = rvl_alloc_get_stats().live_bytes;
    float                out[256];
    rvl_status           st = RVL_ERR_NOMEM;
    uint64_t             nth = 0;

    (void)state;
    fill(v, 1);
    while (st) {
        rvl_alloc_fail_at(++nth);
        st = rvl_preprocess_apply(out, &spec, v, false, NULL, NULL);
        rvl_alloc_fail_at(0);
        assert_true(st == RVL_OK || st == RVL_ERR_NOMEM);
        assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
    }
    assert_true(nth > 5);
    rvl_volume_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_image__needs_little_memory), /* first: the peak is the process's */
        cmocka_unit_test(resize__is_pillows_antialiased_bilinear),
        cmocka_unit_test(nothing__is_cut_off),
        cmocka_unit_test(aspect__is_kept),
        cmocka_unit_test(flat_image__is_low_and_flagged),
        cmocka_unit_test(robust_window__sees_every_column),
        cmocka_unit_test(robust_window__cuts_at_the_percentiles),
        cmocka_unit_test(fixed_window__clips),
        cmocka_unit_test(apply__is_decode_of_codes),
        cmocka_unit_test(bad_number__is_refused_wherever_it_is),
        cmocka_unit_test(other_kind_of_image__is_refused_unless_forced),
        cmocka_unit_test(spec__survives_json_and_its_hash_tells_every_field),
        cmocka_unit_test(hash__says_when_memory_ends),
        cmocka_unit_test(json__without_sense_is_refused),
        cmocka_unit_test(spec__without_sense_is_not_applied),
        cmocka_unit_test(grid_map__says_where_a_pixel_lands),
        cmocka_unit_test(memory__may_end_at_any_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
