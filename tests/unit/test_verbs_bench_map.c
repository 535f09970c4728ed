/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_verbs_bench_map.c
 * CT-RATE's classes as RAD-ChestCT's: which score and which label a class gets; the tables of classes themselves.
 */
#include "support.h"
#include "verbs/bench_map.h"

static const char rad[] =
    "name: rad\nfindings:\n  - {name: calcification, positive: [a], negative: [b]}\n"
    "  - {name: nodule, positive: [a], negative: [b]}\n  - {name: hernia, positive: [a], negative: [b]}\n";

static rvl_class_sources sources_of(const char *name)
{
    rvl_class_sources s;
    rvl_schema       *scores = NULL, *labels = NULL;

    OK(rvl_schema_open(&scores, "ct-rate-18", &err));
    OK(rvl_schema_parse(&labels, rad, sizeof rad - 1, "rad", &err));
    OK(rvl__class_sources(&s, scores, labels, rvl_class_mapping_find(name), &err));
    rvl_schema_free(scores);
    rvl_schema_free(labels);
    return s;
}

static void calcification__is_one_class_of_16_and_two_of_15(void **state)
{
    const rvl_class_sources a = sources_of("rad-chestct-16"), b = sources_of("rad-chestct-15");
    int                     n_labelled = 0;

    (void)state;
    assert_int_equal(a.k, 16);
    assert_true(a.source[1][0] == 1 && a.source[1][1] == 4 && a.label[1] == 0);
    assert_int_equal(b.k, 15);
    assert_true(b.source[0][0] == 1 && b.source[0][1] == -1 && b.label[0] == 0);
    assert_true(b.source[1][0] == 4 && b.source[1][1] == -1 && b.label[1] == 0);
    for (int j = 0; j < 15; j++)
        n_labelled += b.label[j] >= 0;
    assert_int_equal(n_labelled, 4); /* twice calcification, nodule, hernia */
}

static void scores__are_the_larger_of_a_class_in_place(void **state)
{
    double            x[3 * 18], want[3][16];
    rvl_class_sources s = sources_of("rad-chestct-16");

    (void)state;
    for (int i = 0; i < 3 * 18; i++)
        x[i] = (i * 7) % 23;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 16; j++) {
            want[i][j] = x[i * 18 + s.source[j][0]];
            if (j == 1 && x[i * 18 + 4] > want[i][j])
                want[i][j] = x[i * 18 + 4];
        }
    rvl__map_scores(x, 3, 18, &s);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 16; j++)
            assert_true(x[i * 16 + j] == want[i][j]);
}

static void classes__of_mappings_and_sets_are_ct_rates(void **state)
{
    static const char *const mappings[] = {"rad-chestct-16", "rad-chestct-15"};
    int                      n_sets;
    const rvl_class_set     *sets = rvl_ct_rate_sets(&n_sets);
    rvl_schema              *schema = NULL;

    (void)state;
    OK(rvl_schema_open(&schema, "ct-rate-18", &err));
    assert_int_equal(n_sets, 2);
    for (int i = 0; i < 18; i++)
        assert_true(
            rvl_class_name_equal(sets[0].classes[i], rvl_schema_at(schema, i)->name)); /* in the order of the labels */
    for (int m = 0; m < 2; m++) {
        const rvl_class_mapping *mapping = rvl_class_mapping_find(mappings[m]);
        for (int j = 0; j < mapping->n; j++) {
            assert_non_null(mapping->rules[j].name);
            assert_true(rvl_schema_index(schema, mapping->rules[j].sources[0]) >= 0);
            for (int i = 0; i < j; i++)
                assert_string_not_equal(mapping->rules[i].name, mapping->rules[j].name);
        }
    }
    assert_null(rvl_class_mapping_find("rad-chestct-17"));
    rvl_schema_free(schema);
}

static void names__are_equal_without_case_and_punctuation(void **state)
{
    (void)state;
    assert_true(rvl_class_name_equal("Lung nodule", "lung_nodule"));
    assert_true(rvl_class_name_equal(" Lung-Nodule.", "lungnodule"));
    assert_false(rvl_class_name_equal("Lung nodule", "lung nodules"));
    assert_false(rvl_class_name_equal("", "a"));
    assert_true(rvl_class_name_equal("_", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calcification__is_one_class_of_16_and_two_of_15),
        cmocka_unit_test(scores__are_the_larger_of_a_class_in_place),
        cmocka_unit_test(classes__of_mappings_and_sets_are_ct_rates),
        cmocka_unit_test(names__are_equal_without_case_and_punctuation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
