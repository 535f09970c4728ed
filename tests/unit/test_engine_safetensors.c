/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_engine_safetensors.c
 * safetensors: the files of the fuzz corpus (made by a script from the format's definition), and the round trip.
 */
#include "tests/support.h"
#include "engine/safetensors.h"

static rvl_status corpus_open(rvl_safetensors **out, const char *name, rvl_error *err)
{
    char relative[256], path[PATH_BYTES];

    snprintf(relative, sizeof relative, "tests/fuzz/corpus/safetensors/%s", name);
    assert_true(source_path(path, sizeof path, relative));
    return rvl_safetensors_open(out, path, err);
}

static void safetensors__reads_a_valid_file(void **state)
{
    rvl_safetensors *f = NULL;
    rvl_error        err = {0};

    (void)state;
    assert_int_equal(corpus_open(&f, "valid", &err), RVL_OK);
    assert_int_equal(rvl_safetensors_count(f), 2);
    assert_string_equal(rvl_safetensors_name(f, 0), "a");
    const rvl_tensor *a = rvl_safetensors_find(f, "a"), *b = rvl_safetensors_find(f, "b");
    assert_int_equal(rvl_tensor_dtype(a), RVL_DTYPE_F32);
    assert_int_equal(rvl_tensor_n_dims(a), 2);
    assert_true(((const float *)rvl_tensor_const_data(a))[3] == 4.5F);
    rvl_tensor *wide;
    assert_int_equal(rvl_tensor_convert(&wide, b, RVL_DTYPE_F32, &err), RVL_OK);
    assert_true(((const float *)rvl_tensor_const_data(wide))[1] == -2.0F);
    rvl_tensor_free(wide);
    assert_string_equal(rvl_safetensors_metadata(f, "format"), "pt");
    assert_null(rvl_safetensors_metadata(f, "other"));
    assert_null(rvl_safetensors_find(f, "c"));
    rvl_safetensors_close(f);
}

static void safetensors__copies_what_is_not_aligned(void **state)
{
    rvl_safetensors *f = NULL;
    rvl_error        err = {0};

    (void)state;
    assert_int_equal(corpus_open(&f, "unaligned", &err), RVL_OK);
    const rvl_tensor *a = rvl_safetensors_find(f, "a");
    assert_int_equal(rvl_tensor_n_dims(a), 0);
    assert_int_equal((uintptr_t)rvl_tensor_const_data(a) % 4, 0);
    assert_true(((const float *)rvl_tensor_const_data(a))[0] == 2.5F);
    assert_null(rvl_safetensors_metadata_object(f));
    rvl_safetensors_close(f);
    assert_int_equal(corpus_open(&f, "empty_tensor", &err), RVL_OK);
    assert_int_equal(rvl_tensor_count(rvl_safetensors_tensor(f, 0)), 0);
    rvl_safetensors_close(f);
}

static void safetensors__refuses_hostile_files_with_a_reason(void **state)
{
    static const struct {
        const char *name;
        rvl_status  status;
        const char *reason;
    } cases[] = {
        {"tiny", RVL_ERR_FORMAT, "2 bytes"},
        {"cut_header", RVL_ERR_FORMAT, "cut off"},
        {"absurd_length", RVL_ERR_LIMIT, "100 MiB"},
        {"over_limit", RVL_ERR_LIMIT, "100 MiB"},
        {"cut_data", RVL_ERR_FORMAT, "9 bytes of data"},
        {"extra_data", RVL_ERR_FORMAT, "17 bytes of data"},
        {"overlap", RVL_ERR_FORMAT, "overlap"},
        {"hole", RVL_ERR_FORMAT, "hole"},
        {"duplicate", RVL_ERR_FORMAT, ""},
        {"shape_bytes", RVL_ERR_FORMAT, "its shape needs 24"},
        {"shape_overflow", RVL_ERR_FORMAT, "impossible extent"},
        {"shape_negative", RVL_ERR_FORMAT, "impossible extent"},
        {"shape_real", RVL_ERR_FORMAT, "impossible extent"},
        {"shape_nine", RVL_ERR_UNSUPPORTED, "9 axes"},
        {"offsets_reversed", RVL_ERR_FORMAT, "data_offsets"},
        {"dtype_unknown", RVL_ERR_UNSUPPORTED, "F8_E4M3"},
        {"metadata_number", RVL_ERR_FORMAT, "not a string"},
        {"row_is_list", RVL_ERR_FORMAT, "needs dtype"},
        {"not_object", RVL_ERR_FORMAT, "not a JSON object"},
        {"not_utf8", RVL_ERR_FORMAT, ""},
    };

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        rvl_safetensors *f = NULL;
        rvl_error        err = {0};
        rvl_status       st = corpus_open(&f, cases[i].name, &err);
        if (st != cases[i].status || !strstr(err.text, cases[i].reason))
            fail_msg("%s: status %d, '%s'", cases[i].name, (int)st, err.text);
        assert_null(f);
    }
}

static void safetensors__saves_what_it_reads(void **state)
{
    char             dir[] = "/tmp/rvl-safetensors-XXXXXX", path[PATH_BYTES];
    rvl_error        err = {0};
    rvl_tensor      *t[3];
    rvl_safetensors *f = NULL;
    const char      *names[] = {"x.weight", "n", "h\xc3\xa9"};
    json_t          *metadata = json_pack("{s:s}", "rvl.format", "test/1");

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a.safetensors", dir);
    assert_int_equal(rvl_tensor_new(&t[0], RVL_DTYPE_U8, 1, (int64_t[]){5}, &err), RVL_OK);
    assert_int_equal(rvl_tensor_new(&t[1], RVL_DTYPE_I64, 0, NULL, &err), RVL_OK);
    assert_int_equal(rvl_tensor_new(&t[2], RVL_DTYPE_F16, 2, (int64_t[]){1, 2}, &err), RVL_OK);
    ((uint8_t *)rvl_tensor_data(t[0]))[4] = 200;
    ((int64_t *)rvl_tensor_data(t[1]))[0] = -5000000000;
    ((uint16_t *)rvl_tensor_data(t[2]))[1] = 0x3c01;
    const rvl_tensor *const *tensors = (const rvl_tensor *const *)t;
    assert_int_equal(rvl_safetensors_save(path, 3, names, tensors, metadata, &err), RVL_OK);
    assert_int_equal(rvl_safetensors_open(&f, path, &err), RVL_OK);
    assert_int_equal(rvl_safetensors_count(f), 3);
    for (int i = 0; i < 3; i++) {
        const rvl_tensor *r = rvl_safetensors_tensor(f, i);
        assert_string_equal(rvl_safetensors_name(f, i), names[i]);
        assert_int_equal(rvl_tensor_dtype(r), rvl_tensor_dtype(t[i]));
        assert_int_equal(rvl_tensor_bytes(r), rvl_tensor_bytes(t[i]));
        assert_memory_equal(rvl_tensor_const_data(r), rvl_tensor_const_data(t[i]), rvl_tensor_bytes(r));
    }
    assert_int_equal((uintptr_t)rvl_tensor_const_data(rvl_safetensors_tensor(f, 0)) % 64, 0);
    assert_string_equal(rvl_safetensors_metadata(f, "rvl.format"), "test/1");
    rvl_safetensors_close(f);
    names[1] = "x.weight";
    assert_int_equal(rvl_safetensors_save(path, 3, names, tensors, NULL, &err), RVL_ERR_USAGE);
    for (int i = 0; i < 3; i++)
        rvl_tensor_free(t[i]);
    json_decref(metadata);
    assert_int_equal(rvl_dir_remove(dir, &err), RVL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safetensors__reads_a_valid_file),
        cmocka_unit_test(safetensors__copies_what_is_not_aligned),
        cmocka_unit_test(safetensors__refuses_hostile_files_with_a_reason),
        cmocka_unit_test(safetensors__saves_what_it_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
