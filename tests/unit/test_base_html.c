/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_base_html.c
 * HTML pages: escaping, base64 (RFC 4648 vectors), plots that put points where they belong and nothing odd.
 */
#include "support.h"
#include "base/html.h"

#include <math.h>

static void text__is_escaped(void **state)
{
    rvl_str s = {0};
    (void)state;
    rvl_html_text(&s, "<a b=\"c\">&'x");
    assert_string_equal(s.ptr, "&lt;a b=&quot;c&quot;&gt;&amp;&#39;x");
    rvl_str_clear(&s);
    rvl_html_begin(&s, "a<b");
    rvl_html_end(&s);
    assert_non_null(strstr(s.ptr, "<title>a&lt;b</title>"));
    assert_non_null(strstr(s.ptr, "<h1>a&lt;b</h1>"));
    assert_non_null(strstr(s.ptr, "prefers-color-scheme:dark"));
    assert_null(strstr(s.ptr, "<script"));
    assert_null(strstr(s.ptr, "http"));
    rvl_str_free(&s);
}

static void base64__gives_the_rfc_vectors(void **state)
{
    static const char *const vectors[][2] = {{"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"},
                                             {"\xff\xef\xbe", "/+++"}};
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(vectors); i++) {
        rvl_str s = {0};
        rvl_str_add(&s, "");
        rvl_html_base64(&s, vectors[i][0], strlen(vectors[i][0]));
        assert_string_equal(s.ptr, vectors[i][1]);
        rvl_str_free(&s);
    }
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = strstr(text, what); p; p = strstr(p + 1, what))
        n++;
    return n;
}

static void plot__breaks_lines_and_escapes_names(void **state)
{
    const double        x[] = {0, 1, 2, 3, 4, 5}, y[] = {0, 1, NAN, 1, INFINITY, 0.5};
    const double *const xs[] = {x}, *const ys[] = {y};
    const char *const names[] = {"<loss>"};
    const size_t      n_points[] = {6};
    rvl_plot          plot = {"t & u", "step", "loss", 1, names, n_points, xs, ys, true, true};
    rvl_str           s = {0};
    (void)state;
    rvl_html_plot(&s, &plot);
    assert_false(s.failed);
    const char *path = strstr(s.ptr, " d=\"M");
    assert_non_null(path);
    char   *end = strchr(path + 4, '"');
    rvl_str d = {0};
    rvl_str_add_n(&d, path + 4, (size_t)(end - path - 4));
    assert_int_equal(count(d.ptr, "M"), 3); /* three runs: 0-1, 3, 5 */
    assert_int_equal(count(d.ptr, "L"), 1);
    assert_non_null(strstr(s.ptr, "&lt;loss&gt;"));
    assert_non_null(strstr(s.ptr, "t &amp; u"));
    assert_non_null(strstr(s.ptr, "class=\"diagonal\""));
    assert_null(strstr(s.ptr, "nan"));
    assert_null(strstr(s.ptr, "inf"));
    assert_non_null(strstr(s.ptr, ">0.2<")); /* 0..1 in steps of 0.2 */
    assert_non_null(strstr(s.ptr, ">1.0<"));
    rvl_str_free(&d);
    rvl_str_free(&s);
}

static void plot__takes_odd_ranges(void **state)
{
    static const double odd[][2] = {{5, 5}, {0, 0}, {NAN, NAN}, {-1e308, 1e308}, {1e-300, 2e-300}, {1e9, 1e9 + 1e-9}};
    const size_t        n_points[] = {2};
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(odd); i++) {
        const double *const values[] = {odd[i]};
        rvl_plot            plot = {NULL, NULL, NULL, 1, NULL, n_points, values, values, false, false};
        rvl_str             s = {0};
        rvl_html_plot(&s, &plot);
        assert_false(s.failed);
        assert_true(s.n_bytes < 10000);
        assert_null(strstr(s.ptr, "nan"));
        assert_null(strstr(s.ptr, "\"inf"));
        rvl_str_free(&s);
    }
}

static void bars__show_values_and_intervals(void **state)
{
    const char *const names[] = {"Edema", "Fracture", "Missing"};
    const double      value[] = {0.5, 1.5, NAN}, low[] = {0.4, NAN, NAN}, high[] = {0.6, NAN, NAN};
    rvl_str           s = {0};
    (void)state;
    rvl_html_bars(&s, "AUROC", 3, names, value, low, high);
    assert_int_equal(count(s.ptr, "class=\"whisker\""), 1);
    assert_int_equal(count(s.ptr, "class=\"track\""), 3);
    assert_non_null(strstr(s.ptr, ">0.500<"));
    assert_non_null(strstr(s.ptr, ">n/a<"));
    assert_null(strstr(s.ptr, "nan"));
    rvl_str_clear(&s);
    rvl_html_bars(&s, "AUROC", 3, names, value, NULL, NULL);
    assert_int_equal(count(s.ptr, "class=\"whisker\""), 0);
    rvl_str_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text__is_escaped),
        cmocka_unit_test(base64__gives_the_rfc_vectors),
        cmocka_unit_test(plot__breaks_lines_and_escapes_names),
        cmocka_unit_test(plot__takes_odd_ranges),
        cmocka_unit_test(bars__show_values_and_intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
