/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_imaging_npy.c
 * Arrays that NumPy wrote (tests/unit/data/npy/make.py): types, orders, versions, archives; damage is refused.
 */
#include "support.h"
#include "base/alloc.h"
#include "imaging/image_file.h"
#include "imaging/npy.h"

#include <math.h>

#define MAX_BYTES ((size_t)1 << 20)

static const char *data_path(const char *name)
{
    static char path[PATH_BYTES];
    char        relative[256];

    snprintf(relative, sizeof relative, "tests/unit/data/npy/%s", name);
    assert_true(source_path(path, sizeof path, relative));
    return path;
}

static rvl_npy load(const char *name)
{
    rvl_npy   a;
    rvl_error err = {0};

    if (rvl_npy_load(&a, data_path(name), MAX_BYTES, &err))
        fail_msg("%s", err.text);
    return a;
}

static void assert_shape(const rvl_npy *a, int n_dims, const int64_t *shape)
{
    int64_t count = 1;

    assert_int_equal(a->n_dims, n_dims);
    for (int i = 0; i < n_dims; i++) {
        assert_int_equal(a->shape[i], shape[i]);
        count *= shape[i];
    }
    assert_int_equal(a->count, count);
}

static void type__of_any_size_and_byte_order_is_read(void **state)
{
    static const struct {
        const char *type;
        double      values[6];
    } cases[] = {
        /* float16: 6e-8 is the smallest subnormal, 2^-24 */
        {"f2", {0, 1, -2, 0.5, 65504, 0x1p-24}}, {"f4", {0, 1, -2, 0.5, 3.25e38F, 1e-40F}},
        {"f8", {0, 1, -2, 0.5, 1e300, -1e-300}}, {"i1", {0, 1, -2, 3, 127, -128}},
        {"i2", {0, 1, -2, 3, 32767, -32768}},    {"i4", {0, 1, -2, 3, 2147483647.0, -2147483648.0}},
        {"i8", {0, 1, -2, 3, 0x1p53, -0x1p53}},  {"u1", {0, 1, 2, 3, 4, 255}},
        {"u2", {0, 1, 2, 3, 4, 65535}},          {"u4", {0, 1, 2, 3, 4, 4294967295.0}},
        {"u8", {0, 1, 2, 3, 4, 0x1p63}},         {"b1", {0, 1, 0, 1, 1, 0}},
    };
    static const int64_t shape[] = {2, 3};
    int                  n_big = 0;

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        for (int is_big = 0; is_big < 2; is_big++) {
            char relative[256], path[PATH_BYTES], name[64];
            snprintf(name, sizeof name, "%s_%s.npy", is_big ? "big" : "little", cases[i].type);
            snprintf(relative, sizeof relative, "tests/unit/data/npy/%s", name);
            if (is_big && !source_path(path, sizeof path, relative))
                continue;
            n_big += is_big;
            rvl_npy a = load(name);
            assert_shape(&a, 2, shape);
            assert_int_equal(a.kind, cases[i].type[0]);
            assert_int_equal(a.item_bytes, cases[i].type[1] - '0');
            for (int j = 0; j < 6; j++)
                if (rvl_npy_at(&a, j) != cases[i].values[j])
                    fail_msg("%s: element %d is %.17g, not %.17g", name, j, rvl_npy_at(&a, j), cases[i].values[j]);
            rvl_npy_fini(&a);
        }
    }
    assert_int_equal(n_big, 7);
}

static void order_and_version__do_not_matter(void **state)
{
    static const char *const names[] = {"fortran_i4.npy", "fortran_big_u2.npy", "version1.npy", "version2.npy",
                                        "version3.npy"};
    static const int64_t     shape[] = {2, 3, 4};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(names); i++) {
        rvl_npy a = load(names[i]);
        assert_shape(&a, 3, shape);
        for (int64_t j = 0; j < 24; j++)
            assert_true(rvl_npy_at(&a, j) == (double)j);
        rvl_npy_fini(&a);
    }
}

static void shape__may_be_odd(void **state)
{
    static const int64_t empty[] = {0, 5}, dims8[] = {1, 1, 1, 2, 1, 1, 1, 1};
    rvl_npy              a = load("scalar.npy");
    rvl_error            err = {0};

    (void)state;
    assert_shape(&a, 0, NULL);
    assert_true(rvl_npy_at(&a, 0) == 7.5);
    rvl_npy_fini(&a);
    a = load("empty.npy");
    assert_shape(&a, 2, empty);
    rvl_npy_fini(&a);
    a = load("dims8.npy");
    assert_shape(&a, 8, dims8);
    assert_true(rvl_npy_at(&a, 1) == 1);
    rvl_npy_fini(&a);
    assert_int_equal(rvl_npy_load(&a, data_path("dims9.npy"), MAX_BYTES, &err), RVL_ERR_FORMAT);
    assert_null(a.data);
}

static void special_values__stay_special(void **state)
{
    static const char *const names[] = {"specials_f4.npy", "specials_f2.npy"};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(names); i++) {
        rvl_npy a = load(names[i]);
        assert_true(isnan(rvl_npy_at(&a, 0)));
        assert_true(isinf(rvl_npy_at(&a, 1)) && rvl_npy_at(&a, 1) > 0);
        assert_true(isinf(rvl_npy_at(&a, 2)) && rvl_npy_at(&a, 2) < 0);
        assert_true(rvl_npy_at(&a, 3) == 0 && signbit(rvl_npy_at(&a, 3)));
        rvl_npy_fini(&a);
    }
}

static void other_types__are_refused_by_name(void **state)
{
    static const struct {
        const char *name, *word;
    } cases[] = {
        {"refused_object.npy", "'|O'"}, {"refused_complex.npy", "'<c8'"}, {"refused_text.npy", "'<U2'"},
        {"refused_bytes.npy", "'|S2'"}, {"refused_date.npy", "'<M8[D]'"}, {"refused_record.npy", "record"},
    };

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        rvl_npy    a;
        rvl_error  err = {0};
        rvl_status st = rvl_npy_load(&a, data_path(cases[i].name), MAX_BYTES, &err);
        assert_true(st == RVL_ERR_UNSUPPORTED || st == RVL_ERR_FORMAT);
        assert_null(a.data);
        if (!strstr(err.text, cases[i].word) || !strstr(err.text, cases[i].name))
            fail_msg("'%s' does not say %s", err.text, cases[i].word);
    }
}

static void cut_or_grown_file__is_refused(void **state)
{
    static const char *const names[] = {"version1.npy", "version3.npy", "big_f8.npy", "fortran_i4.npy"};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(names); i++) {
        char  *bytes = NULL;
        size_t n = 0;
        assert_int_equal(rvl_file_read(&bytes, &n, data_path(names[i]), 0, NULL), RVL_OK);
        for (size_t cut = 0; cut <= n + 1; cut++) {
            char     *part = malloc(cut + 1);
            rvl_npy   a;
            rvl_error err = {0};
            assert_non_null(part);
            memcpy(part, bytes, cut < n ? cut : n);
            if (cut > n)
                part[n] = '\0';
            rvl_status st = rvl_npy_parse(&a, part, cut, names[i], MAX_BYTES, &err);
            assert_int_equal(st, cut == n ? RVL_OK : RVL_ERR_FORMAT);
            assert_true((a.data == NULL) == (cut != n));
            rvl_npy_fini(&a);
            free(part);
        }
        rvl_free(bytes);
    }
}

static rvl_status parse_header(const char *header, size_t n_data, rvl_error *err)
{
    char    bytes[512] = "\x93NUMPY\x01";
    size_t  n = strlen(header);
    rvl_npy a;

    bytes[8] = (char)n;
    memcpy(bytes + 10, header, n);
    rvl_status st = rvl_npy_parse(&a, bytes, 10 + n + n_data, "made", MAX_BYTES, err);
    rvl_npy_fini(&a);
    return st;
}

static void header__may_be_any_python_spelling_and_nothing_more(void **state)
{
    static const struct {
        const char *header;
        rvl_status  status;
    } cases[] = {
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), }", RVL_OK},
        {"{\"shape\":(4,),\"fortran_order\":True,\"descr\":\"|u1\"}\n", RVL_OK},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), 'x': 1}", RVL_ERR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': 0, 'shape': (2, 2)}", RVL_ERR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, -2)}", RVL_ERR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': 4}", RVL_ERR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False}", RVL_ERR_FORMAT},
        {"{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (4,)}", RVL_ERR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (4,)", RVL_ERR_FORMAT},
        {"__import__('os')", RVL_ERR_FORMAT},
        {"{'descr': '|u3', 'fortran_order': False, 'shape': (4,)}", RVL_ERR_UNSUPPORTED},
        {"{'descr': '<f16', 'fortran_order': False, 'shape': (4,)}", RVL_ERR_UNSUPPORTED},
        /* absurd shapes: more bytes than an address has, also where the product wraps round to 4 */
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999, 99999999)}", RVL_ERR_FORMAT},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (8589934592, 8589934592)}", RVL_ERR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (4294967297, 4294967296, 4)}", RVL_ERR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (18446744073709551620,)}", RVL_ERR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1048577,)}", RVL_ERR_LIMIT},
    };

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        rvl_error  err = {0};
        rvl_status st = parse_header(cases[i].header, 4, &err);
        if (st != cases[i].status)
            fail_msg("%s: status %d, '%s'", cases[i].header, (int)st, err.text);
    }
}

static void saved_array__is_read_back(void **state)
{
    static const float   values[] = {0, 1.5F, -2, 3e38F, 1e-40F, 6};
    static const int64_t shapes[][3] = {{6, 0, 0}, {2, 3, 0}, {1, 2, 3}};
    char                 dir[PATH_BYTES], path[PATH_BYTES + 16];

    (void)state;
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/a.npy", dir);
    for (int n_dims = 1; n_dims <= 3; n_dims++) {
        rvl_npy a;
        assert_int_equal(rvl_npy_save_f32(path, values, n_dims, shapes[n_dims - 1], NULL), RVL_OK);
        assert_int_equal((rvl_file_size(path) - (int64_t)sizeof values) % 64, 0); /* NumPy aligns the data so */
        assert_int_equal(rvl_npy_load(&a, path, MAX_BYTES, NULL), RVL_OK);
        assert_shape(&a, n_dims, shapes[n_dims - 1]);
        assert_memory_equal(a.data, values, sizeof values);
        rvl_npy_fini(&a);
    }
    temp_dir_remove(dir);
}

static void archive__gives_its_arrays(void **state)
{
    static const char *const names[] = {"stored.npz", "deflated.npz"};
    static const int64_t     images[] = {2, 4, 5}, labels[] = {2};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(names); i++) {
        rvl_npy   a;
        rvl_error err = {0};
        assert_int_equal(rvl_npz_load(&a, data_path(names[i]), "images", MAX_BYTES, &err), RVL_OK);
        assert_shape(&a, 3, images);
        for (int64_t j = 0; j < 40; j++)
            assert_true(rvl_npy_at(&a, j) == (double)j);
        rvl_npy_fini(&a);
        assert_int_equal(rvl_npz_load(&a, data_path(names[i]), "labels", MAX_BYTES, &err), RVL_OK);
        assert_shape(&a, 1, labels);
        assert_int_equal(a.kind, 'i');
        rvl_npy_fini(&a);
        assert_int_equal(rvl_npz_load(&a, data_path(names[i]), "masks", MAX_BYTES, &err), RVL_ERR_NOT_FOUND);
        assert_non_null(strstr(err.text, "'masks'"));
        assert_int_equal(rvl_npz_load(&a, data_path(names[i]), "images", 39, &err), RVL_ERR_LIMIT);
        assert_null(a.data);
    }
}

static void archive__damaged_is_refused(void **state)
{
    char      dir[PATH_BYTES], path[PATH_BYTES + 16];
    char     *bytes = NULL;
    size_t    n = 0;
    rvl_npy   a;
    rvl_error err = {0};

    (void)state;
    assert_int_equal(rvl_npz_load(&a, data_path("stored_bad_crc.npz"), "images", MAX_BYTES, &err), RVL_ERR_FORMAT);
    assert_non_null(strstr(err.text, "damaged"));
    assert_int_equal(rvl_npz_load(&a, data_path("deflated_bad_crc.npz"), "images", MAX_BYTES, &err), RVL_ERR_FORMAT);
    assert_int_equal(rvl_npz_load(&a, data_path("version1.npy"), "images", MAX_BYTES, &err), RVL_ERR_FORMAT);
    assert_int_equal(rvl_npz_load(&a, "/nowhere.npz", "images", MAX_BYTES, &err), RVL_ERR_NOT_FOUND);
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/a.npz", dir);
    assert_int_equal(rvl_file_read(&bytes, &n, data_path("deflated.npz"), 0, NULL), RVL_OK);
    for (size_t cut = 0; cut < n; cut++) {
        FILE *f = fopen(path, "wb"); /* rvl_file_write waits for the disk each time */
        assert_non_null(f);
        assert_int_equal(fwrite(bytes, 1, cut, f), cut);
        assert_int_equal(fclose(f), 0);
        if (rvl_npz_load(&a, path, "images", MAX_BYTES, &err) != RVL_ERR_FORMAT)
            fail_msg("the first %zu of %zu bytes were taken for an archive", cut, n);
        assert_null(a.data);
    }
    rvl_free(bytes);
    temp_dir_remove(dir);
}

/* Sizes and counts are those of the pack's README and of the MedMNIST paper. */
static void pack__pneumoniamnist_is_read(void **state)
{
    static const struct {
        const char *part;
        int64_t     n;
    } parts[] = {{"train", 3882}, {"val", 524}, {"test", 624}};
    char path[PATH_BYTES];

    (void)state;
    SKIP_WITHOUT_DATA("medmnist/pneumoniamnist_28.npz");
    assert_true(test_data_path(path, sizeof path, "medmnist/pneumoniamnist_28.npz"));
    for (size_t i = 0; i < RVL_ARRAY_LEN(parts); i++) {
        const int64_t images[] = {parts[i].n, 28, 28}, labels[] = {parts[i].n, 1};
        char          name[64];
        rvl_npy       a;
        int64_t       n_pneumonia = 0;
        snprintf(name, sizeof name, "%s_images", parts[i].part);
        assert_int_equal(rvl_npz_load(&a, path, name, 0, NULL), RVL_OK);
        assert_shape(&a, 3, images);
        assert_int_equal(a.kind, 'u');
        rvl_npy_fini(&a);
        snprintf(name, sizeof name, "%s_labels", parts[i].part);
        assert_int_equal(rvl_npz_load(&a, path, name, 0, NULL), RVL_OK);
        assert_shape(&a, 2, labels);
        for (int64_t j = 0; j < a.count; j++)
            n_pneumonia += rvl_npy_at(&a, j) == 1;
        if (strcmp(parts[i].part, "test") == 0)
            assert_int_equal(n_pneumonia, 390); /* Kermany et al. 2018: 390 with, 234 without */
        rvl_npy_fini(&a);
    }
}

static void image__is_made_of_two_or_three_axes(void **state)
{
    static const struct {
        const char    *name;
        rvl_status     status;
        rvl_voxel_type type;
        double         last;
    } cases[] = {
        {"little_u1.npy", RVL_OK, RVL_VOXEL_U8, 255},
        {"little_b1.npy", RVL_OK, RVL_VOXEL_U8, 0},
        {"big_u2.npy", RVL_OK, RVL_VOXEL_U16, 65535},
        {"little_i1.npy", RVL_OK, RVL_VOXEL_I16, -128},
        {"big_i2.npy", RVL_OK, RVL_VOXEL_I16, -32768},
        {"little_f2.npy", RVL_OK, RVL_VOXEL_F32, 0x1p-24},
        {"version1.npy", RVL_OK, RVL_VOXEL_U8, 23},
        {"little_i4.npy", RVL_ERR_UNSUPPORTED, 0, 0}, /* -2^31: float skips integers there */
        {"little_f8.npy", RVL_ERR_UNSUPPORTED, 0, 0}, /* 1e300 */
        {"scalar.npy", RVL_ERR_SHAPE, 0, 0},
        {"dims8.npy", RVL_ERR_SHAPE, 0, 0},
        {"empty.npy", RVL_ERR_FORMAT, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        rvl_volume *v = NULL;
        rvl_error   err = {0};
        rvl_status  st = rvl_image_load(&v, data_path(cases[i].name), NULL, &err);
        if (st != cases[i].status)
            fail_msg("%s: status %d, '%s'", cases[i].name, (int)st, err.text);
        if (!st) {
            assert_int_equal(v->type, cases[i].type);
            assert_true(rvl_volume_at(v, v->depth * v->height * v->width - 1) == cases[i].last);
        }
        rvl_volume_free(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(type__of_any_size_and_byte_order_is_read),
        cmocka_unit_test(order_and_version__do_not_matter),
        cmocka_unit_test(shape__may_be_odd),
        cmocka_unit_test(special_values__stay_special),
        cmocka_unit_test(other_types__are_refused_by_name),
        cmocka_unit_test(cut_or_grown_file__is_refused),
        cmocka_unit_test(header__may_be_any_python_spelling_and_nothing_more),
        cmocka_unit_test(saved_array__is_read_back),
        cmocka_unit_test(archive__gives_its_arrays),
        cmocka_unit_test(archive__damaged_is_refused),
        cmocka_unit_test(pack__pneumoniamnist_is_read),
        cmocka_unit_test(image__is_made_of_two_or_three_axes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
