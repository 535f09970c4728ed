/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_base_json.c
 * JSON with the house's rules: what is refused, what survives a round trip.
 */
#include "support.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"

#include <float.h>
#include <math.h>

static rvl_status parse(json_t **out, const char *text, rvl_error *err)
{
    return rvl_json_parse(out, text, strlen(text), "x.json", err);
}

static void parse__refuses_what_is_not_clean(void **state)
{
    static const char *const bad[] = {"",           "{",          "{\"a\":1,\"a\":2}", "[1,]",  "[NaN]",  "[1e999]",
                                      "{\"a\":1}x", "[\"\xff\"]", "[\"\\u0000\"]",     "[\"\\", "{'a':1}"};
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(bad); i++) {
        json_t   *json = (json_t *)&json;
        rvl_error err = {0};
        assert_int_equal(parse(&json, bad[i], &err), RVL_ERR_FORMAT);
        assert_null(json);
        assert_true(rvl_str_starts(err.text, "cannot read 'x.json': line "));
    }
}

static void parse__names_the_line(void **state)
{
    json_t   *json;
    rvl_error err = {0};
    (void)state;
    assert_int_equal(parse(&json, "{\n\"a\": 1,\n\"b\": oops\n}", &err), RVL_ERR_FORMAT);
    assert_true(rvl_str_starts(err.text, "cannot read 'x.json': line 3 "));
}

static void parse__quotes_nothing_of_the_document(void **state)
{
    static const char *const bad[] = {"{\"id\": Doe}", "{\"Doe\": 1, \"Doe\": 2}", "[\"Doe\" \"Doe\"]", "[\"Doe\\q\"]"};
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(bad); i++) {
        json_t   *json;
        rvl_error err = {0};
        assert_int_equal(parse(&json, bad[i], &err), RVL_ERR_FORMAT);
        assert_null(strstr(err.text, "Doe"));
    }
}

static void parse__limits_depth(void **state)
{
    char      text[400] = {0};
    json_t   *json;
    rvl_error err = {0};
    (void)state;
    memset(text, '[', 129);
    memset(text + 129, ']', 129);
    assert_int_equal(parse(&json, text, &err), RVL_ERR_LIMIT);
    text[0] = text[257] = ' ';
    assert_int_equal(parse(&json, text, &err), RVL_OK);
    json_decref(json);
    memset(text + 2, '[', 300);
    text[0] = '[';
    text[1] = '"';
    memcpy(text + 302, "\"]", 3); /* brackets in a string are no depth */
    assert_int_equal(parse(&json, text, &err), RVL_OK);
    json_decref(json);
}

static void format__keeps_order_and_digits(void **state)
{
    json_t *json = json_object(), *back;
    char   *text;
    (void)state;
    assert_true(rvl_json_set(json, "z", rvl_json_real(NAN)));
    assert_true(rvl_json_set(json, "a", rvl_json_real(INFINITY)));
    assert_true(rvl_json_set(json, "m", rvl_json_real(0.1)));
    assert_true(rvl_json_set(json, "pi", rvl_json_real(3.141592653589793)));
    assert_true(rvl_json_set(json, "tiny", rvl_json_real(DBL_MIN)));
    assert_int_equal(rvl_json_format(&text, json, 0, NULL), RVL_OK);
    assert_true(rvl_str_starts(text, "{\"z\":null,\"a\":null,\"m\":0.1"));
    assert_null(strchr(text, '\n'));
    assert_int_equal(parse(&back, text, NULL), RVL_OK);
    assert_true(rvl_json_get_f64(back, "pi", 0) == 3.141592653589793);
    assert_true(rvl_json_get_f64(back, "m", 0) == 0.1);
    assert_true(rvl_json_get_f64(back, "tiny", 0) == DBL_MIN);
    rvl_free(text);
    json_decref(json);
    json_decref(back);
}

static void format__survives_failed_allocations(void **state)
{
    json_t *json = json_pack("{s:s}", "key", "value");
    char   *text;
    (void)state;
    rvl_alloc_fail_at(1);
    assert_int_equal(rvl_json_format(&text, json, 2, NULL), RVL_ERR_NOMEM);
    rvl_alloc_fail_at(0);
    assert_null(text);
    json_decref(json);
}

static void get__falls_back_on_absent_and_wrong_types(void **state)
{
    json_t *json;
    (void)state;
    assert_int_equal(parse(&json, "{\"s\":\"t\",\"i\":-3,\"f\":2.5,\"b\":true,\"n\":null}", NULL), RVL_OK);
    assert_string_equal(rvl_json_get_string(json, "s", "d"), "t");
    assert_string_equal(rvl_json_get_string(json, "i", "d"), "d");
    assert_null(rvl_json_get_string(json, "no", NULL));
    assert_int_equal(rvl_json_get_i64(json, "i", 9), -3);
    assert_int_equal(rvl_json_get_i64(json, "f", 9), 9);
    assert_true(rvl_json_get_f64(json, "i", 9) == -3);
    assert_true(rvl_json_get_f64(json, "n", 9) == 9);
    assert_true(rvl_json_get_bool(json, "b", false));
    assert_true(rvl_json_get_bool(json, "i", true));
    assert_int_equal(rvl_json_get_i64(NULL, "i", 9), 9);
    json_decref(json);
    json_t *object = json_object();
    assert_false(rvl_json_set(object, "k", NULL));
    json_decref(object);
}

static void save__loads_again(void **state)
{
    char      dir[PATH_BYTES], path[PATH_BYTES + 16], *text;
    json_t   *json = json_pack("{s:[i,i],s:s}", "list", 1, 2, "name", "x"), *back;
    rvl_error err = {0};
    size_t    n;
    (void)state;
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/a.json", dir);
    assert_int_equal(rvl_json_load(&back, path, &err), RVL_ERR_NOT_FOUND);
    assert_int_equal(rvl_json_save(json, path, &err), RVL_OK);
    assert_int_equal(rvl_json_load(&back, path, &err), RVL_OK);
    assert_true(json_equal(json, back));
    assert_int_equal(rvl_file_read(&text, &n, path, 0, NULL), RVL_OK);
    assert_true(rvl_str_ends(text, "}\n"));
    rvl_free(text);
    json_decref(json);
    json_decref(back);
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__refuses_what_is_not_clean),
        cmocka_unit_test(parse__names_the_line),
        cmocka_unit_test(parse__quotes_nothing_of_the_document),
        cmocka_unit_test(parse__limits_depth),
        cmocka_unit_test(format__keeps_order_and_digits),
        cmocka_unit_test(format__survives_failed_allocations),
        cmocka_unit_test(get__falls_back_on_absent_and_wrong_types),
        cmocka_unit_test(save__loads_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
