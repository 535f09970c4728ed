/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_base_str.c
 * Strings, numbers, UTF-8, edit distance, error text, hashes and clocks.
 */
#include "support.h"
#include "base/alloc.h"
#include "base/str.h"
#include "base/util.h"

#include <locale.h>

static void str__grows_and_hands_over(void **state)
{
    rvl_str s = {0};
    (void)state;
    for (int i = 0; i < 1000; i++)
        rvl_str_addf(&s, "%03d,", i);
    assert_int_equal(s.n_bytes, 4000);
    assert_memory_equal(s.ptr + 4 * 517, "517,", 4);
    rvl_str_clear(&s);
    rvl_str_addf(&s, "%0500d", 7); /* longer than the buffer on the stack */
    assert_int_equal(s.n_bytes, 500);
    assert_string_equal(s.ptr + 498, "07");
    char *text = rvl_str_take(&s);
    assert_null(s.ptr);
    assert_int_equal(strlen(text), 500);
    rvl_free(text);
    text = rvl_str_take(&s);
    assert_string_equal(text, "");
    rvl_free(text);
}

static void str__failure_is_sticky(void **state)
{
    rvl_str s = {0};
    (void)state;
    rvl_str_add(&s, "before");
    rvl_alloc_fail_at(1);
    rvl_str_addf(&s, "%0500d", 7);
    rvl_alloc_fail_at(0);
    assert_true(s.failed);
    rvl_str_add(&s, "after");
    assert_string_equal(s.ptr, "before");
    assert_null(rvl_str_take(&s));
    assert_null(s.ptr);
}

static void parse_i64__is_strict(void **state)
{
    static const char *const bad[] = {"",    " 1", "1 ", "+", "-", "0x10", "1.0", "1e3", "9223372036854775808",
                                      "--1", "1_0"};
    int64_t                  v = 5;
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(bad); i++)
        assert_false(rvl_parse_i64(bad[i], &v));
    assert_int_equal(v, 5);
    assert_true(rvl_parse_i64("-9223372036854775808", &v));
    assert_true(v == INT64_MIN);
    assert_true(rvl_parse_i64("+042", &v));
    assert_int_equal(v, 42);
}

static void parse_f64__is_strict(void **state)
{
    static const char *const bad[] = {"",   " 1",  "1 ",  "nan", "inf",   "-inf",  "0x1p3", ".",
                                      "1e", "1e+", "1,5", "e5",  "1e999", "1.2.3", "--1"};
    double                   v = 5;
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(bad); i++)
        assert_false(rvl_parse_f64(bad[i], &v));
    assert_true(v == 5);
    assert_true(rvl_parse_f64("-1.25e2", &v) && v == -125);
    assert_true(rvl_parse_f64(".5", &v) && v == 0.5);
    assert_true(rvl_parse_f64("3.", &v) && v == 3);
}

static void numbers__ignore_the_locale(void **state)
{
    double  v;
    rvl_str s = {0};
    (void)state;
    if (!setlocale(LC_ALL, "de_DE.UTF-8")) {
        printf("SKIP: locale de_DE.UTF-8 is not installed\n");
        skip();
    }
    bool parsed = rvl_parse_f64("1.5", &v);
    rvl_str_addf(&s, "%.1f", 1.5);
    setlocale(LC_ALL, "C");
    assert_true(parsed && v == 1.5);
    assert_string_equal(s.ptr, "1.5");
    rvl_str_free(&s);
}

static void parse_bool__knows_its_words(void **state)
{
    bool v = false;
    (void)state;
    assert_true(rvl_parse_bool("Yes", &v) && v);
    assert_true(rvl_parse_bool("off", &v) && !v);
    assert_true(rvl_parse_bool("1", &v) && v);
    assert_true(rvl_parse_bool("false", &v) && !v);
    assert_false(rvl_parse_bool("", &v));
    assert_false(rvl_parse_bool("2", &v));
    assert_false(rvl_parse_bool("yess", &v));
}

static void compare__handles_null_and_short_text(void **state)
{
    (void)state;
    assert_true(rvl_str_equal(NULL, NULL));
    assert_false(rvl_str_equal("a", NULL));
    assert_true(rvl_str_equal("a", "a"));
    assert_true(rvl_str_starts("image.png", "image"));
    assert_false(rvl_str_starts("im", "image"));
    assert_true(rvl_str_ends("image.png", ".png"));
    assert_false(rvl_str_ends("g", ".png"));
}

static void utf8_valid__follows_the_standard(void **state)
{
    static const struct {
        const char *bytes;
        int         bad; /* offset, -1 for valid */
    } cases[] = {
        {"ascii", -1},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\xa9\xbb", -1},
        {"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", -1}, /* around the surrogates; U+10FFFF */
        {"ab\xc0\xaf", 2},                                /* overlong */
        {"a\xe0\x9f\xbf", 1},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xed\xa0\x80", 0},     /* surrogate */
        {"\xf4\x90\x80\x80", 0}, /* beyond U+10FFFF */
        {"abc\x80", 3},          /* continuation alone */
        {"abc\xe2\x82", 3},      /* cut short */
        {"\xff", 0},
    };
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        size_t bad = 99;
        bool   ok = rvl_utf8_valid(cases[i].bytes, strlen(cases[i].bytes), &bad);
        assert_int_equal(ok, cases[i].bad < 0);
        assert_int_equal(bad, ok ? 99 : cases[i].bad);
    }
    assert_true(rvl_utf8_valid("a\0b", 3, NULL));
}

static void distance__counts_edits(void **state)
{
    char longer[100];
    (void)state;
    assert_int_equal(rvl_str_distance("kitten", "sitting"), 3);
    assert_int_equal(rvl_str_distance("", "abc"), 3);
    assert_int_equal(rvl_str_distance("same", "same"), 0);
    assert_int_equal(rvl_str_distance("aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbb"), 16);
    memset(longer, 'x', 99);
    longer[99] = '\0';
    assert_int_equal(rvl_str_distance(longer, "x"), 16);
    assert_int_equal(rvl_str_distance(longer, longer), 0);
}

static void error__formats_prefixes_and_cuts(void **state)
{
    rvl_error err = {0};
    char      long_text[3000];
    (void)state;
    assert_int_equal(rvl_fail(&err, RVL_ERR_IO, "cannot read '%s'", "x"), RVL_ERR_IO);
    assert_int_equal(err.code, RVL_ERR_IO);
    rvl_error_prefix(&err, "case %d", 7);
    assert_string_equal(err.text, "case 7: cannot read 'x'");
    rvl_fail(&err, RVL_ERR_FORMAT, "again: %s", err.text); /* the argument is the text itself */
    assert_string_equal(err.text, "again: case 7: cannot read 'x'");
    memset(long_text, 'y', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    rvl_fail(&err, RVL_ERR_FORMAT, "%s", long_text);
    assert_int_equal(strlen(err.text), RVL_ERROR_TEXT_BYTES - 1);
    rvl_error_prefix(&err, "p");
    assert_int_equal(strlen(err.text), RVL_ERROR_TEXT_BYTES - 1);
    assert_memory_equal(err.text, "p: yyy", 6);
    rvl_error_prefix(&err, "%s", long_text); /* no room: the text stays */
    assert_memory_equal(err.text, "p: yyy", 6);
    for (size_t i = 0; i + 1 < sizeof long_text; i++)
        long_text[i] = "\xe2\x82\xac"[i % 3];
    for (int i = 0; i < 3; i++) { /* wherever the cut falls, whole characters remain */
        rvl_fail(&err, RVL_ERR_FORMAT, "%.*s%s", i, "ab", long_text);
        assert_true(rvl_utf8_valid(err.text, strlen(err.text), NULL));
        assert_true(strlen(err.text) >= RVL_ERROR_TEXT_BYTES - 3);
        rvl_error_prefix(&err, "xy");
        assert_true(rvl_utf8_valid(err.text, strlen(err.text), NULL));
    }
    assert_int_equal(rvl_fail(NULL, RVL_ERR_LIMIT, "x"), RVL_ERR_LIMIT);
    assert_string_equal(rvl_status_text(RVL_ERR_FORMAT), "input damaged");
    assert_int_equal(rvl_status_exit_code(RVL_ERR_CANCELLED), 130);
    assert_int_equal(rvl_status_exit_code(RVL_OK), 0);
}

static void hash__streams_to_the_same_digits(void **state)
{
    char        one[33], pieces[33], text[1000];
    rvl_hasher *h = rvl_hasher_new();
    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 31);
    rvl_hash128_hex(one, "", 0);
    assert_string_equal(one, "99aa06d3014798d86001c324468d497f"); /* xxHash: XXH3_128bits of nothing */
    rvl_hash128_hex(one, text, sizeof text);
    for (size_t i = 0; i < sizeof text; i += 125)
        rvl_hasher_add(h, text + i, 125);
    rvl_hasher_hex(h, pieces);
    assert_string_equal(one, pieces);
    rvl_hasher_free(h);
}

static void machine__answers_make_sense(void **state)
{
    char   now[32];
    double t = rvl_clock_s();
    (void)state;
    rvl_time_iso(now);
    assert_int_equal(strlen(now), 20);
    assert_true(now[4] == '-' && now[10] == 'T' && now[19] == 'Z');
    assert_true(rvl_clock_s() >= t);
    assert_true(rvl_memory_bytes() > (int64_t)64 << 20);
    assert_true(rvl_memory_peak_bytes() > (int64_t)1 << 20);
    assert_false(rvl_cancel_requested());
    rvl_cancel_request();
    assert_true(rvl_cancel_requested());
    rvl_cancel_reset();
    assert_false(rvl_cancel_requested());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(str__grows_and_hands_over),
        cmocka_unit_test(str__failure_is_sticky),
        cmocka_unit_test(parse_i64__is_strict),
        cmocka_unit_test(parse_f64__is_strict),
        cmocka_unit_test(numbers__ignore_the_locale),
        cmocka_unit_test(parse_bool__knows_its_words),
        cmocka_unit_test(compare__handles_null_and_short_text),
        cmocka_unit_test(utf8_valid__follows_the_standard),
        cmocka_unit_test(distance__counts_edits),
        cmocka_unit_test(error__formats_prefixes_and_cuts),
        cmocka_unit_test(hash__streams_to_the_same_digits),
        cmocka_unit_test(machine__answers_make_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
