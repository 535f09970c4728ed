/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_base_csv.c
 * CSV tables: what is read, what is refused with which line, and fields written so that they read back.
 */
#include "support.h"
#include "base/csv.h"

static rvl_csv *parse_ok(const char *text)
{
    rvl_csv  *csv;
    rvl_error err = {0};
    if (rvl_csv_parse(&csv, text, strlen(text), "x.csv", &err))
        fail_msg("%s", err.text);
    return csv;
}

static void parse__reads_cells_and_lines(void **state)
{
    rvl_csv *csv = parse_ok("\xef\xbb\xbfid,text\r\n1,\"a \"\"b\"\",\nc\"\r\n\r\n2, x \n3,");
    (void)state;
    assert_int_equal(rvl_csv_n_rows(csv), 3);
    assert_int_equal(rvl_csv_n_columns(csv), 2);
    assert_string_equal(rvl_csv_name(csv, 0), "id");
    assert_string_equal(rvl_csv_cell(csv, 0, 1), "a \"b\",\nc");
    assert_string_equal(rvl_csv_cell(csv, 1, 1), " x ");
    assert_string_equal(rvl_csv_cell(csv, 2, 1), "");
    assert_int_equal(rvl_csv_line(csv, 0), 2);
    assert_int_equal(rvl_csv_line(csv, 1), 5);
    assert_int_equal(rvl_csv_line(csv, 2), 6);
    assert_int_equal(rvl_csv_column(csv, "text"), 1);
    assert_int_equal(rvl_csv_column(csv, "no"), -1);
    assert_string_equal(rvl_csv_file(csv), "x.csv");
    rvl_csv_free(csv);
}

static void parse__refuses_with_the_line(void **state)
{
    static const struct {
        const char *text;
        size_t      n_bytes;
        const char *message;
    } bad[] = {
        {"a,b\n1,2\n1\n", 0, "table 'x.csv' line 3: 1 fields, the header has 2"},
        {"a,b\n1,2,3\n", 0, "table 'x.csv' line 2: 3 fields, the header has 2"},
        {"a,a\n", 0, "table 'x.csv' line 1: two columns are called 'a'"},
        {"a,\n", 0, "table 'x.csv' line 1: column 2 has no name"},
        {"a\n1\n\"open\n2\n", 0, "table 'x.csv' line 3: a quote is never closed"},
        {"a\n1\nx\"y\n", 0, "table 'x.csv' line 3: a quote in the wrong place"},
        {"a\n1\n2\xe9\n", 0, "table 'x.csv' line 3: byte 0xe9 at offset 5 is not UTF-8"},
        {"a\n1\0\n", 5, "table 'x.csv' line 2: a NUL byte"},
        {"", 0, "table 'x.csv': no header line"},
    };
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(bad); i++) {
        rvl_csv  *csv = (rvl_csv *)&csv;
        rvl_error err = {0};
        size_t    n = bad[i].n_bytes ? bad[i].n_bytes : strlen(bad[i].text);
        assert_int_equal(rvl_csv_parse(&csv, bad[i].text, n, "x.csv", &err), RVL_ERR_FORMAT);
        assert_null(csv);
        err.text[strcspn(err.text, "\n")] = '\0'; /* the hint is not compared */
        assert_string_equal(err.text, bad[i].message);
    }
}

static void need_column__names_the_nearest(void **state)
{
    rvl_csv  *csv = parse_ok("image,report\n");
    rvl_error err = {0};
    int       i = 7;
    (void)state;
    assert_int_equal(rvl_csv_need_column(&i, csv, "report", &err), RVL_OK);
    assert_int_equal(i, 1);
    assert_int_equal(rvl_csv_need_column(&i, csv, "reprot", &err), RVL_ERR_FORMAT);
    assert_non_null(strstr(err.text, "did you mean 'report'?"));
    rvl_csv_free(csv);
}

static void load__keeps_the_limit(void **state)
{
    char      dir[PATH_BYTES], path[PATH_BYTES + 16];
    rvl_csv  *csv;
    rvl_error err = {0};
    (void)state;
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/t.csv", dir);
    assert_int_equal(rvl_file_write(path, "a\n12345\n", 8, &err), RVL_OK);
    assert_int_equal(rvl_csv_load(&csv, path, 7, &err), RVL_ERR_LIMIT);
    assert_int_equal(rvl_csv_load(&csv, path, 8, &err), RVL_OK);
    assert_string_equal(rvl_csv_cell(csv, 0, 0), "12345");
    rvl_csv_free(csv);
    temp_dir_remove(dir);
}

static void add_field__reads_back(void **state)
{
    static const char *const fields[] = {"plain", "", "a,b", "say \"x\"", "two\nlines", " edge ", "\"", "caf\xc3\xa9"};
    rvl_str                  s = {0};
    (void)state;
    rvl_str_add(&s, "f,end\n");
    for (size_t i = 0; i < RVL_ARRAY_LEN(fields); i++) {
        rvl_csv_add_field(&s, fields[i]);
        rvl_str_add(&s, ",1\n");
    }
    rvl_csv *csv = parse_ok(s.ptr);
    for (size_t i = 0; i < RVL_ARRAY_LEN(fields); i++)
        assert_string_equal(rvl_csv_cell(csv, i, 0), fields[i]);
    rvl_csv_free(csv);
    rvl_str_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__reads_cells_and_lines),   cmocka_unit_test(parse__refuses_with_the_line),
        cmocka_unit_test(need_column__names_the_nearest), cmocka_unit_test(load__keeps_the_limit),
        cmocka_unit_test(add_field__reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
