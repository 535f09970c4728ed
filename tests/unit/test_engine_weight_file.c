/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_engine_weight_file.c
 * Weight files of PyTorch (tests/golden/weights.py) and damaged ones (tests/fuzz/make_weights.py). Expected numbers
 * follow from the views and bytes that those scripts write.
 */
#include "tests/support.h"
#include "base/alloc.h"
#include "engine/torch_file.h"
#include "engine/weight_file.h"
#include "engine/weight_index.h"

static rvl_status golden_open(rvl_weight_file **out, const char *name, rvl_error *err)
{
    char relative[256];
    char path[PATH_BYTES];

    snprintf(relative, sizeof relative, "tests/golden/weights/%s", name);
    assert_true(source_path(path, sizeof path, relative));
    return rvl_weight_file_open(out, path, err);
}

static rvl_weight_file *golden(const char *name)
{
    rvl_weight_file *f = NULL;
    rvl_error        err = {0};

    if (golden_open(&f, name, &err))
        fail_msg("%s", err.text);
    return f;
}

/** The tensor `name` has this dtype and shape, and these values in the order of the shape. */
static void tensor_is(const rvl_weight_file *f, const char *name, rvl_dtype dtype, int n_dims, const int64_t *shape,
                      const double *values)
{
    const rvl_tensor *t = rvl_weight_file_find(f, name);
    rvl_tensor       *wide = NULL;
    rvl_error         err = {0};

    if (!t)
        fail_msg("no tensor '%s'", name);
    assert_int_equal(rvl_tensor_dtype(t), dtype);
    assert_int_equal(rvl_tensor_n_dims(t), n_dims);
    for (int i = 0; i < n_dims; i++)
        assert_int_equal(rvl_tensor_shape(t)[i], shape[i]);
    assert_int_equal(rvl_tensor_convert(&wide, t, RVL_DTYPE_F64, &err), RVL_OK);
    for (int64_t i = 0; i < rvl_tensor_count(t); i++)
        if (((const double *)rvl_tensor_const_data(wide))[i] != values[i])
            fail_msg("%s[%d] is %g, not %g", name, (int)i, ((const double *)rvl_tensor_const_data(wide))[i], values[i]);
    rvl_tensor_free(wide);
}

#define SHAPE(...)                                                                                                     \
    (const int64_t[])                                                                                                  \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define VALUES(...)                                                                                                    \
    (const double[])                                                                                                   \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

/** Views: element (i, j) of `rows` is (6 i + j) / 4, of `permuted` (c, a, b) likewise by the order before the turn. */
static void views_are_right(const rvl_weight_file *f)
{
    double rows[24];
    double turned[24];
    double permuted[24];
    double channels_last[24];

    for (int i = 0; i < 24; i++)
        rows[i] = i / 4.0;
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 4; j++)
            turned[4 * i + j] = (6 * j + i) / 4.0;
    for (int c = 0; c < 4; c++)
        for (int a = 0; a < 2; a++)
            for (int b = 0; b < 3; b++)
                permuted[(c * 2 + a) * 3 + b] = (12 * a + 4 * b + c) / 4.0;
    for (int i = 0; i < 24; i++)
        channels_last[i] = i;
    tensor_is(f, "rows", RVL_DTYPE_F32, 2, SHAPE(4, 6), rows);
    tensor_is(f, "turned", RVL_DTYPE_F32, 2, SHAPE(6, 4), turned);
    tensor_is(f, "offset", RVL_DTYPE_F32, 2, SHAPE(3, 3), VALUES(2, 2.25, 2.5, 3.5, 3.75, 4, 5, 5.25, 5.5));
    tensor_is(f, "part", RVL_DTYPE_F32, 2, SHAPE(2, 6), rows + 12);
    tensor_is(f, "permuted", RVL_DTYPE_F32, 3, SHAPE(4, 2, 3), permuted);
    tensor_is(f, "channels_last", RVL_DTYPE_F32, 4, SHAPE(1, 2, 3, 4), channels_last);
    tensor_is(f, "expanded", RVL_DTYPE_F32, 2, SHAPE(2, 3), VALUES(1.5, 1.5, 1.5, -2, -2, -2));
}

static void dtypes_are_right(const rvl_weight_file *f)
{
    tensor_is(f, "param", RVL_DTYPE_F32, 1, SHAPE(1), VALUES(3.5));
    tensor_is(f, "half", RVL_DTYPE_F16, 1, SHAPE(3), VALUES(1.5, -2, 65504));
    tensor_is(f, "half_turned", RVL_DTYPE_F16, 2, SHAPE(2, 2), VALUES(1, 3, 2, 4));
    /* 3e38 to 8 bits of mantissa: exponent 127, 3e38 / 2^127 = 1.7632, times 128 = 225.69 -> 226 */
    tensor_is(f, "brain", RVL_DTYPE_BF16, 1, SHAPE(3), VALUES(1.5, -2, 0x1.c4p+127));
    tensor_is(f, "double", RVL_DTYPE_F64, 1, SHAPE(2), VALUES(0.1, -2));
    tensor_is(f, "long", RVL_DTYPE_I64, 1, SHAPE(2), VALUES(-5e9, 7));
    tensor_is(f, "int", RVL_DTYPE_I32, 1, SHAPE(1), VALUES(-70000));
    tensor_is(f, "short", RVL_DTYPE_I16, 1, SHAPE(1), VALUES(-300));
    tensor_is(f, "byte", RVL_DTYPE_U8, 1, SHAPE(1), VALUES(200));
    tensor_is(f, "flag", RVL_DTYPE_U8, 1, SHAPE(2), VALUES(1, 0));
    tensor_is(f, "scalar", RVL_DTYPE_F32, 0, NULL, VALUES(2.5));
    tensor_is(f, "empty", RVL_DTYPE_F32, 2, SHAPE(0, 3), NULL);
}

static void torch__files_of_every_kind_hold_the_same(void **state)
{
    static const char *const files[][2] = {
        {"zip.pth", "torch.zip"}, {"old.pth", "torch.old"}, {"protocol4.pth", "torch.zip"}};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(files); i++) {
        rvl_weight_file *f = golden(files[i][0]);

        assert_string_equal(rvl_weight_file_format(f), files[i][1]);
        assert_int_equal(rvl_weight_file_count(f), 19);
        assert_string_equal(rvl_weight_file_name(f, 0), "rows"); /* the file's order */
        assert_string_equal(rvl_weight_file_name(f, 18), "empty");
        assert_ptr_equal(rvl_weight_file_tensor(f, 0), rvl_weight_file_find(f, "rows"));
        assert_null(rvl_weight_file_find(f, "row"));
        assert_null(rvl_weight_file_safetensors(f));
        views_are_right(f);
        dtypes_are_right(f);
        rvl_weight_file_close(f);
    }
}

static void torch__state_dict_is_found_in_what_holds_it(void **state)
{
    static const char *const files[] = {"nested.pth", "model.bin"};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(files); i++) {
        rvl_weight_file *f = golden(files[i]);

        assert_int_equal(rvl_weight_file_count(f), 1);
        tensor_is(f, "w", RVL_DTYPE_F32, 1, SHAPE(1), VALUES(1));
        rvl_weight_file_close(f);
    }
}

static void index__brings_parts_of_any_format_together(void **state)
{
    rvl_weight_file *f = golden("shards.safetensors.index.json");
    double           rows[24];

    (void)state;
    for (int i = 0; i < 24; i++)
        rows[i] = i / 4.0;
    assert_string_equal(rvl_weight_file_format(f), "safetensors.index");
    assert_int_equal(rvl_weight_file_count(f), 6);
    tensor_is(f, "rows", RVL_DTYPE_F32, 2, SHAPE(4, 6), rows);
    tensor_is(f, "half", RVL_DTYPE_F16, 1, SHAPE(3), VALUES(1.5, -2, 65504));
    tensor_is(f, "brain", RVL_DTYPE_BF16, 1, SHAPE(3), VALUES(1.5, -2, 0x1.c4p+127));
    tensor_is(f, "long", RVL_DTYPE_I64, 1, SHAPE(2), VALUES(-5e9, 7));
    tensor_is(f, "flag", RVL_DTYPE_U8, 1, SHAPE(2), VALUES(1, 0));
    tensor_is(f, "scalar", RVL_DTYPE_F32, 0, NULL, VALUES(2.5));
    assert_null(rvl_weight_file_find(f, "turned")); /* in zip.pth, but not in the index */
    rvl_weight_file_close(f);
    f = golden("shard-1-of-2.safetensors");
    assert_string_equal(rvl_weight_file_format(f), "safetensors");
    assert_int_equal(rvl_safetensors_count(rvl_weight_file_safetensors(f)), 3);
    rvl_weight_file_close(f);
}

typedef struct {
    const char *file;
    rvl_status  status;
    const char *reason;
} refusal;

static void refused(const refusal *r, rvl_status st, const rvl_error *err, const void *result)
{
    if (st != r->status || !strstr(err->text, r->reason))
        fail_msg("%s: status %d, '%s'", r->file, (int)st, err->text);
    assert_null(result);
}

static void files__that_do_not_fit_are_refused_by_name(void **state)
{
    static const refusal cases[] = {
        {"module.pth", RVL_ERR_UNSUPPORTED, "module.pth': it wants 'torch.nn.modules.linear Linear'"},
        {"sparse.pth", RVL_ERR_UNSUPPORTED, "'torch._utils _rebuild_sparse_tensor'"},
        {"int8.pth", RVL_ERR_UNSUPPORTED, "'torch CharStorage'"},
        {"list.pth", RVL_ERR_FORMAT, "no named tensors"},
        {"no_tensors.pth", RVL_ERR_FORMAT, "at the top are 'config', 'names'"},
        {"absent.index.json", RVL_ERR_NOT_FOUND, "shard-3-of-2"},
        {"elsewhere.index.json", RVL_ERR_FORMAT, "tensor 'rows' is not in 'shard-2-of-2.safetensors'"},
        {"outside.index.json", RVL_ERR_FORMAT, "'rows' is not in a file beside it"},
        {"itself.index.json", RVL_ERR_FORMAT, "first bytes"},
        {"no_map.index.json", RVL_ERR_FORMAT, "weight_map"},
        {"../../../LICENSE", RVL_ERR_FORMAT, "first bytes"},
    };

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        rvl_weight_file *f = NULL;
        rvl_error        err = {0};
        rvl_status       st = golden_open(&f, cases[i].file, &err);

        refused(&cases[i], st, &err, f);
    }
}

/** Bytes of a corpus file, exactly as many as it has. */
static rvl_span corpus(const char *folder, const char *name)
{
    char      relative[256];
    char      path[PATH_BYTES];
    char     *text = NULL;
    size_t    n = 0;
    rvl_error err = {0};

    snprintf(relative, sizeof relative, "tests/fuzz/corpus/%s/%s", folder, name);
    assert_true(source_path(path, sizeof path, relative));
    assert_int_equal(rvl_file_read(&text, &n, path, 0, &err), RVL_OK);
    return (rvl_span){(const uint8_t *)text, n};
}

static void corpus_free(rvl_span bytes)
{
    rvl_free((void *)(uintptr_t)bytes.ptr);
}

static void pickle__refuses_what_is_damaged_or_would_run(void **state)
{
    static const refusal cases[] = {
        {"runs_system", RVL_ERR_UNSUPPORTED, "'os system'"},
        {"stack_global", RVL_ERR_UNSUPPORTED, "'os system'"},
        {"instance", RVL_ERR_UNSUPPORTED, "opcode 0x"},
        {"bytes", RVL_ERR_UNSUPPORTED, "opcode 0x43"},
        {"protocol0", RVL_ERR_FORMAT, "does not begin"},
        {"protocol5", RVL_ERR_FORMAT, "protocol 2 to 4"},
        {"cut", RVL_ERR_FORMAT, "cut off"},
        {"text_too_long", RVL_ERR_FORMAT, "cut off"},
        {"text_not_utf8", RVL_ERR_FORMAT, "not UTF-8"},
        {"text_nul", RVL_ERR_FORMAT, "not UTF-8"},
        {"memo_missing", RVL_ERR_FORMAT, "memo number that was not put"},
        {"memo_huge", RVL_ERR_FORMAT, "memo number out of range"},
        {"mark_left", RVL_ERR_FORMAT, "end with one value"},
        {"two_left", RVL_ERR_FORMAT, "end with one value"},
        {"nothing", RVL_ERR_FORMAT, "end with one value"},
        {"odd_items", RVL_ERR_FORMAT, "key without a value"},
        {"items_of_none", RVL_ERR_FORMAT, "without a list or dict"},
        {"append_to_dict", RVL_ERR_FORMAT, "without a list or dict"},
        {"tuple_across_mark", RVL_ERR_FORMAT, "across a mark"},
        {"key_is_list", RVL_ERR_FORMAT, "neither text nor an integer"},
        {"call_of_none", RVL_ERR_FORMAT, "no global"},
        {"call_of_storage", RVL_ERR_FORMAT, "storage type"},
        {"storage_of_no_type", RVL_ERR_FORMAT, "no storage"},
        {"storage_count_negative", RVL_ERR_FORMAT, "no storage"},
        {"storage_view", RVL_ERR_UNSUPPORTED, "view of another"},
        {"storage_int8", RVL_ERR_UNSUPPORTED, "'torch CharStorage'"},
        {"tensor_without_storage", RVL_ERR_FORMAT, "without a storage"},
        {"tensor_shape_negative", RVL_ERR_FORMAT, "do not fit"},
        {"tensor_stride_negative", RVL_ERR_FORMAT, "do not fit"},
        {"tensor_stride_missing", RVL_ERR_FORMAT, "do not fit"},
        {"tensor_nine", RVL_ERR_UNSUPPORTED, "more than 8 axes"},
        {"long_of_nine", RVL_ERR_FORMAT, "more than 8 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        rvl_span   bytes = corpus("pickle", cases[i].file);
        rvl_arena *arena = rvl_arena_new();
        rvl_pickle pickle;
        rvl_error  err = {0};
        rvl_status st = rvl__pickle_parse(&pickle, arena, bytes, cases[i].file, &err);

        refused(&cases[i], st, &err, pickle.root);
        rvl_arena_free(arena);
        corpus_free(bytes);
    }
}

static void pickle__gives_plain_values(void **state)
{
    rvl_span                bytes = corpus("pickle", "plain");
    rvl_arena              *arena = rvl_arena_new();
    rvl_pickle              pickle;
    rvl_error               err = {0};
    const rvl_pickle_value *v;

    (void)state;
    assert_int_equal(rvl__pickle_parse(&pickle, arena, bytes, "plain", &err), RVL_OK);
    assert_int_equal(pickle.n_bytes, bytes.n_bytes);
    assert_int_equal(rvl__pickle_get(pickle.root, "n")->kind, RVL_PICKLE_NONE);
    assert_true(rvl__pickle_get(pickle.root, "f")->u.f == 0.5);
    assert_int_equal(rvl__pickle_get(pickle.root, "i")->u.i, -7);
    assert_int_equal(rvl__pickle_get(pickle.root, "short")->u.i, -7);
    assert_int_equal(rvl__pickle_get(pickle.root, "four")->u.i, -8);
    v = rvl__pickle_get(pickle.root, "l");
    assert_int_equal(v->kind, RVL_PICKLE_LIST);
    assert_int_equal(v->u.items.n, 2);
    assert_int_equal(v->u.items.last->value->u.i, 2);
    v = rvl__pickle_get(pickle.root, "a");
    assert_int_equal(v->kind, RVL_PICKLE_TENSOR);
    assert_int_equal(v->u.tensor->stride[0], 2);
    assert_string_equal(v->u.tensor->storage->key, "0");
    corpus_free(bytes);
    bytes = corpus("pickle", "python2");
    assert_int_equal(rvl__pickle_parse(&pickle, arena, bytes, "python2", &err), RVL_OK);
    assert_int_equal(rvl__pickle_get(pickle.root, "a")->u.i, 1);
    rvl_arena_free(arena);
    corpus_free(bytes);
}

static void torch_zip__refuses_what_its_bytes_do_not_bear_out(void **state)
{
    static const refusal cases[] = {
        {"big", RVL_ERR_UNSUPPORTED, "little-endian"},
        {"compressed", RVL_ERR_UNSUPPORTED, "'archive/data.pkl' is compressed"},
        {"crc", RVL_ERR_FORMAT, "'archive/data/0' is damaged"},
        {"cut", RVL_ERR_FORMAT, "no end record"},
        {"no_pickle", RVL_ERR_FORMAT, "no 'data.pkl'"},
        {"two_pickles", RVL_ERR_FORMAT, "two 'data.pkl'"},
        {"overlap", RVL_ERR_FORMAT, "entries overlap"},
        {"storage_missing", RVL_ERR_FORMAT, "storage '0' is missing"},
        {"storage_short", RVL_ERR_FORMAT, "storage '0' has 12 bytes, not those of 4 f32"},
        {"storage_long", RVL_ERR_FORMAT, "storage '0' has 32 bytes, not those of 4 f32"},
        {"past_storage", RVL_ERR_FORMAT, "tensor 'a' reaches element 4 of storage '0', which has 4"},
        {"stride_past_storage", RVL_ERR_FORMAT, "tensor 'a' reaches element 4"},
        {"stride_overflow", RVL_ERR_FORMAT, "'a'"},
        {"expanded_bomb", RVL_ERR_LIMIT, "tensor 'a' of 4294967296 bytes"},
        {"shape_overflow", RVL_ERR_FORMAT, "tensor 'a' overflows"},
        {"root_is_list", RVL_ERR_FORMAT, "no named tensors"},
        {"no_tensors", RVL_ERR_FORMAT, "'width', 'config'"},
        {"torch_script", RVL_ERR_UNSUPPORTED, "'__torch__ Net'"},
        {"directory_lies", RVL_ERR_FORMAT, "directory is larger"},
        {"directory_past_end", RVL_ERR_FORMAT, "directory is larger"},
        {"entry_moved", RVL_ERR_FORMAT, "'archive/data/0' is not where the directory says"},
        {"name_lies", RVL_ERR_FORMAT, "directory is cut off"},
        {"locator_lies", RVL_ERR_FORMAT, "64-bit end record"},
        {"end64_many", RVL_ERR_FORMAT, "directory is larger"},
    };
    static const char *const whole[] = {"plain", "other_root", "little", "comment", "no_crc", "stride_of_one", "end64"};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases) + RVL_ARRAY_LEN(whole); i++) {
        bool            is_bad = i < RVL_ARRAY_LEN(cases);
        const char     *name = is_bad ? cases[i].file : whole[i - RVL_ARRAY_LEN(cases)];
        rvl_span        bytes = corpus("torch_zip", name);
        rvl_torch_file *f = NULL;
        rvl_error       err = {0};
        rvl_status      st = rvl__torch_zip_parse(&f, bytes, name, &err);

        if (is_bad) {
            refused(&cases[i], st, &err, f);
        } else {
            if (st)
                fail_msg("%s", err.text);
            assert_string_equal(rvl__torch_name(f, 0), "a");
            assert_true(((const float *)rvl_tensor_const_data((rvl_tensor *)rvl__torch_tensor(f, 0)))[3] == 4.0F);
        }
        rvl__torch_close(f);
        corpus_free(bytes);
    }
}

static void torch_old__refuses_what_its_bytes_do_not_bear_out(void **state)
{
    static const refusal cases[] = {
        {"cut_data", RVL_ERR_FORMAT, "cut off in storage '9': 5 bytes are left for 1 elements"},
        {"cut_count", RVL_ERR_FORMAT, "cut off before storage '9'"},
        {"cut_pickle", RVL_ERR_FORMAT, "cut off"},
        {"magic_only", RVL_ERR_FORMAT, "pickle"},
        {"other_magic", RVL_ERR_FORMAT, "does not begin"},
        {"extra_data", RVL_ERR_FORMAT, "1 bytes follow the last storage"},
        {"count_differs", RVL_ERR_FORMAT, "storage '17' has 3 elements, not 4"},
        {"count_huge", RVL_ERR_FORMAT, "cut off in storage '17'"},
        {"key_unused", RVL_ERR_FORMAT, "storage '18' is of no tensor"},
        {"key_missing", RVL_ERR_FORMAT, "storage '17' is missing"},
        {"keys_no_text", RVL_ERR_FORMAT, "key is no text"},
        {"keys_no_list", RVL_ERR_FORMAT, "no list of storages"},
        {"two_types", RVL_ERR_FORMAT, "storage '17' has two types"},
        {"protocol_1000", RVL_ERR_UNSUPPORTED, "1001"},
        {"big", RVL_ERR_UNSUPPORTED, "little-endian"},
    };
    rvl_span        bytes = corpus("torch_old", "plain");
    rvl_torch_file *f = NULL;
    rvl_error       err = {0};

    (void)state;
    assert_int_equal(rvl__torch_old_parse(&f, bytes, "plain", &err), RVL_OK);
    assert_int_equal(rvl__torch_count(f), 3);
    assert_true(((const float *)rvl_tensor_const_data(rvl__torch_tensor(f, 0)))[1] == 3.0F); /* turned */
    assert_true(((const float *)rvl_tensor_const_data(rvl__torch_tensor(f, 1)))[0] == 4.0F);
    assert_true(((const int64_t *)rvl_tensor_const_data(rvl__torch_tensor(f, 2)))[0] == -7);
    rvl__torch_close(f);
    corpus_free(bytes);
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        f = NULL;
        err = (rvl_error){0};
        bytes = corpus("torch_old", cases[i].file);
        refused(&cases[i], rvl__torch_old_parse(&f, bytes, cases[i].file, &err), &err, f);
        corpus_free(bytes);
    }
}

static void index__that_leaves_its_folder_is_refused(void **state)
{
    static const char *const bad[] = {"no_map", "map_is_list", "number",  "empty_name", "parent",
                                      "path",   "absolute",    "windows", "twice",      "cut"};
    json_t                  *map = NULL;
    rvl_error                err = {0};
    rvl_span                 bytes = corpus("weight_index", "plain");

    (void)state;
    assert_int_equal(rvl__weight_index_parse(&map, bytes, "plain", &err), RVL_OK);
    assert_string_equal(json_string_value(json_object_get(map, "b")), "x-2.safetensors");
    json_decref(map);
    corpus_free(bytes);
    for (size_t i = 0; i < RVL_ARRAY_LEN(bad); i++) {
        bytes = corpus("weight_index", bad[i]);
        if (rvl__weight_index_parse(&map, bytes, bad[i], &err) != RVL_ERR_FORMAT)
            fail_msg("%s is taken", bad[i]);
        assert_null(map);
        corpus_free(bytes);
    }
}

/** Every allocation fails once: a status, no leak (the sanitizer's build says), and the next try is whole. */
static void files__survive_lack_of_memory(void **state)
{
    static const char *const files[] = {"zip.pth", "old.pth", "shards.safetensors.index.json"};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(files); i++) {
        rvl_status st = RVL_ERR_NOMEM;
        size_t     live = rvl_alloc_get_stats().live_bytes;

        for (uint64_t nth = 1; st != RVL_OK && nth < 2000; nth++) {
            rvl_weight_file *f = NULL;
            rvl_error        err = {0};

            rvl_alloc_fail_at(nth);
            st = golden_open(&f, files[i], &err);
            rvl_alloc_fail_at(0);
            if (st != RVL_OK && st != RVL_ERR_NOMEM)
                fail_msg("%s, allocation %d: %s", files[i], (int)nth, err.text);
            rvl_weight_file_close(f);
            assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
        }
        assert_int_equal(st, RVL_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torch__files_of_every_kind_hold_the_same),
        cmocka_unit_test(torch__state_dict_is_found_in_what_holds_it),
        cmocka_unit_test(index__brings_parts_of_any_format_together),
        cmocka_unit_test(files__that_do_not_fit_are_refused_by_name),
        cmocka_unit_test(pickle__refuses_what_is_damaged_or_would_run),
        cmocka_unit_test(pickle__gives_plain_values),
        cmocka_unit_test(torch_zip__refuses_what_its_bytes_do_not_bear_out),
        cmocka_unit_test(torch_old__refuses_what_its_bytes_do_not_bear_out),
        cmocka_unit_test(index__that_leaves_its_folder_is_refused),
        cmocka_unit_test(files__survive_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
