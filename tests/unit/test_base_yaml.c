/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_base_yaml.c
 * YAML trees with lines, typed reads, and all that is refused.
 */
#include "support.h"
#include "base/alloc.h"
#include "base/str.h"
#include "base/yaml.h"

static rvl_status parse(rvl_yaml_doc **out, const char *text, rvl_error *err)
{
    return rvl_yaml_parse(out, text, strlen(text), "f.yaml", err);
}

static const char sample[] = "# a comment\n"
                             "name: two words\n"
                             "size: 224\n"
                             "rate: 1e-4\n"
                             "on: yes\n"
                             "quoted: \"12\"\n"
                             "empty:\n"
                             "list:\n"
                             "  - 1\n"
                             "  - {k: v}\n"
                             "  - [a, b]\n"
                             "block: |\n"
                             "  line one\n"
                             "  line two\n";

static void parse__builds_a_tree_with_lines(void **state)
{
    rvl_yaml_doc *doc;
    rvl_error     err = {0};
    (void)state;
    assert_int_equal(parse(&doc, sample, &err), RVL_OK);
    const rvl_yaml *root = rvl_yaml_root(doc);
    assert_int_equal(root->kind, RVL_YAML_MAP);
    assert_int_equal(root->n_items, 8);
    assert_string_equal(root->keys[1], "size");
    assert_string_equal(rvl_yaml_get(root, "name")->text, "two words");
    assert_int_equal(rvl_yaml_get(root, "name")->line, 2);
    assert_string_equal(rvl_yaml_get(root, "name")->file, "f.yaml");
    assert_false(rvl_yaml_get(root, "size")->quoted);
    assert_true(rvl_yaml_get(root, "quoted")->quoted);
    assert_true(rvl_yaml_get(root, "block")->quoted);
    assert_string_equal(rvl_yaml_get(root, "block")->text, "line one\nline two\n");
    assert_string_equal(rvl_yaml_get(root, "empty")->text, "");
    const rvl_yaml *list = rvl_yaml_get(root, "list");
    assert_int_equal(list->kind, RVL_YAML_SEQ);
    assert_int_equal(list->n_items, 3);
    assert_int_equal(list->items[1]->line, 10);
    assert_string_equal(rvl_yaml_get(list->items[1], "k")->text, "v");
    assert_string_equal(list->items[2]->items[1]->text, "b");
    assert_null(rvl_yaml_get(root, "absent"));
    assert_null(rvl_yaml_get(NULL, "x"));
    assert_null(rvl_yaml_get(list, "x"));
    rvl_yaml_free(doc);
    rvl_yaml_free(NULL);
}

static void parse__holds_many_items(void **state)
{
    rvl_str       s = {0};
    rvl_yaml_doc *doc;
    (void)state;
    for (int i = 0; i < 100; i++)
        rvl_str_addf(&s, "k%d: %d\n", i, i * i);
    assert_int_equal(parse(&doc, s.ptr, NULL), RVL_OK);
    const rvl_yaml *root = rvl_yaml_root(doc);
    assert_int_equal(root->n_items, 100);
    for (int64_t i = 0; i < 100; i++) {
        int64_t v = -1;
        assert_int_equal(rvl_yaml_read_i64(&v, root, root->keys[i], NULL), RVL_OK);
        assert_int_equal(v, i * i);
        assert_int_equal(root->items[i]->line, i + 1);
    }
    rvl_yaml_free(doc);
    rvl_str_free(&s);
}

static void parse__takes_nothing_as_an_empty_map(void **state)
{
    rvl_yaml_doc *doc;
    (void)state;
    assert_int_equal(parse(&doc, "# only a comment\n", NULL), RVL_OK);
    assert_int_equal(rvl_yaml_root(doc)->kind, RVL_YAML_MAP);
    assert_int_equal(rvl_yaml_root(doc)->n_items, 0);
    rvl_yaml_free(doc);
}

static void parse__refuses_with_the_line(void **state)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"a: 1\nb: 2\na: 3\n", "f.yaml:3: key 'a' is already in line 1"},
        {"a: &x 1\n", "f.yaml:1: anchors are not allowed"},
        {"a: 1\nb: *a\n", "f.yaml:2: aliases are not allowed"},
        {"a: !!int 1\n", "f.yaml:1: tags are not allowed"},
        {"a: !x {b: 1}\n", "f.yaml:1: tags are not allowed"},
        {"a: 1\n---\nb: 2\n", "f.yaml:2: a second document in one file"},
        {"a: 1\n[1]: 2\n", "f.yaml:2: a key must be plain text"},
        {"a: \"x\\0y\"\n", "f.yaml:1: text holds a NUL"},
    };
    static const struct {
        const char *text, *start;
    } syntax[] = {{"a: 1\nb: [1, 2\n", "f.yaml:3: "},
                  {"a: 'x\n", "f.yaml:2: "},
                  {"a: b: c\n", "f.yaml:1: "},
                  {"a:\n\t- 1\n", "f.yaml:2: "},
                  {"a: \xff\n", "f.yaml:1: "}};
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(bad); i++) {
        rvl_yaml_doc *doc;
        rvl_error     err = {0};
        assert_int_equal(parse(&doc, bad[i].text, &err), RVL_ERR_FORMAT);
        assert_null(doc);
        assert_string_equal(err.text, bad[i].message);
    }
    for (size_t i = 0; i < RVL_ARRAY_LEN(syntax); i++) {
        rvl_yaml_doc *doc;
        rvl_error     err = {0};
        assert_int_equal(parse(&doc, syntax[i].text, &err), RVL_ERR_FORMAT);
        if (!rvl_str_starts(err.text, syntax[i].start))
            fail_msg("'%s' does not start with '%s'", err.text, syntax[i].start);
    }
}

static void parse__limits_depth_and_size(void **state)
{
    char          deep[80] = {0};
    rvl_yaml_doc *doc;
    rvl_error     err = {0};
    (void)state;
    memset(deep, '[', 33);
    memset(deep + 33, ']', 33);
    assert_int_equal(parse(&doc, deep, &err), RVL_OK);
    rvl_yaml_free(doc);
    memset(deep, '[', 34);
    memset(deep + 34, ']', 34);
    assert_int_equal(parse(&doc, deep, &err), RVL_ERR_LIMIT);
    char *big = malloc((1 << 20) + 1);
    memset(big, ' ', (1 << 20) + 1);
    assert_int_equal(rvl_yaml_parse(&doc, big, (1 << 20) + 1, "f.yaml", &err), RVL_ERR_LIMIT);
    free(big);
}

static void parse__survives_failed_allocations(void **state)
{
    size_t live = rvl_alloc_get_stats().live_bytes;
    int    n_failed = 0;
    (void)state;
    for (uint64_t nth = 1; nth < 12; nth++) {
        rvl_yaml_doc *doc;
        rvl_alloc_fail_at(nth);
        rvl_status st = parse(&doc, sample, NULL);
        rvl_alloc_fail_at(0);
        assert_true(st == RVL_OK || st == RVL_ERR_NOMEM);
        n_failed += st != RVL_OK;
        rvl_yaml_free(doc);
        assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
    }
    assert_true(n_failed >= 3);
}

static void read__checks_types(void **state)
{
    rvl_yaml_doc *doc;
    rvl_error     err = {0};
    int64_t       i = 7;
    double        f = 7;
    bool          b = false;
    const char   *s = "before";
    (void)state;
    assert_int_equal(parse(&doc, sample, &err), RVL_OK);
    const rvl_yaml *root = rvl_yaml_root(doc);
    assert_int_equal(rvl_yaml_read_i64(&i, root, "absent", &err), RVL_OK);
    assert_int_equal(i, 7);
    assert_int_equal(rvl_yaml_read_i64(&i, root, "size", &err), RVL_OK);
    assert_int_equal(i, 224);
    assert_int_equal(rvl_yaml_read_f64(&f, root, "rate", &err), RVL_OK);
    assert_true(f == 1e-4);
    assert_int_equal(rvl_yaml_read_bool(&b, root, "on", &err), RVL_OK);
    assert_true(b);
    assert_int_equal(rvl_yaml_read_string(&s, root, "name", &err), RVL_OK);
    assert_string_equal(s, "two words");
    assert_int_equal(rvl_yaml_read_i64(&i, root, "rate", &err), RVL_ERR_FORMAT);
    assert_string_equal(err.text, "f.yaml:4: 'rate' must be a whole number, found '1e-4'");
    assert_int_equal(rvl_yaml_read_i64(&i, root, "quoted", &err), RVL_ERR_FORMAT);
    assert_string_equal(err.text, "f.yaml:6: 'quoted' must be a whole number, found the quoted text '12'");
    assert_int_equal(rvl_yaml_read_f64(&f, root, "empty", &err), RVL_ERR_FORMAT);
    assert_int_equal(rvl_yaml_read_bool(&b, root, "size", &err), RVL_ERR_FORMAT);
    assert_int_equal(rvl_yaml_read_string(&s, root, "list", &err), RVL_ERR_FORMAT);
    assert_true(rvl_str_ends(err.text, "'list' must be text, found a list"));
    assert_int_equal(i, 224);
    rvl_yaml_free(doc);
}

static void check_keys__suggests_the_nearest(void **state)
{
    static const char *const allowed[] = {"height", "width", NULL};
    rvl_yaml_doc            *doc;
    rvl_error                err = {0};
    (void)state;
    assert_int_equal(parse(&doc, "height: 1\nwidht: 2\n", &err), RVL_OK);
    assert_int_equal(rvl_yaml_check_keys(rvl_yaml_root(doc), allowed, &err), RVL_ERR_FORMAT);
    assert_string_equal(err.text, "f.yaml:2: unknown key 'widht' (did you mean 'width'?)");
    rvl_yaml_free(doc);
    assert_int_equal(parse(&doc, "completely_other: 1\n", &err), RVL_OK);
    assert_int_equal(rvl_yaml_check_keys(rvl_yaml_root(doc), allowed, &err), RVL_ERR_FORMAT);
    assert_string_equal(err.text, "f.yaml:1: unknown key 'completely_other'");
    rvl_yaml_free(doc);
    assert_int_equal(parse(&doc, "width: 2\n", &err), RVL_OK);
    assert_int_equal(rvl_yaml_check_keys(rvl_yaml_root(doc), allowed, &err), RVL_OK);
    rvl_yaml_free(doc);
    assert_int_equal(parse(&doc, "- width\n", &err), RVL_OK);
    assert_int_equal(rvl_yaml_check_keys(rvl_yaml_root(doc), allowed, &err), RVL_ERR_FORMAT);
    rvl_yaml_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__builds_a_tree_with_lines),
        cmocka_unit_test(parse__holds_many_items),
        cmocka_unit_test(parse__takes_nothing_as_an_empty_map),
        cmocka_unit_test(parse__refuses_with_the_line),
        cmocka_unit_test(parse__limits_depth_and_size),
        cmocka_unit_test(parse__survives_failed_allocations),
        cmocka_unit_test(read__checks_types),
        cmocka_unit_test(check_keys__suggests_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
