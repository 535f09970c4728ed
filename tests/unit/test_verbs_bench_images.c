/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_verbs_bench_images.c
 * Images by images: whose images are in a gallery and which are relevant, worked out by hand.
 */
#include "support.h"
#include "base/json.h"
#include "verbs/bench_parts.h"
#include <math.h>

static double value(const json_t *j, const char *kind, const char *key)
{
    const json_t *v = json_object_get(json_object_get(j, kind), key);
    return json_is_object(v) ? rvl_json_get_f64(v, "value", NAN) : json_number_value(v);
}

/*
 * Dot products with one value: every query ranks 4 > 3 > 2 > 1, so the order is image 0, 1, 2, 3.
 * Findings: 0 {a}, 1 {a, b}, 2 {}, 3 {b}, 4 {}; images 0 and 1 are of one patient.
 */
static void images__of_the_same_patient_are_left_out(void **state)
{
    const float            x[5] = {5, 4, 3, 2, 1};
    const uint8_t          present[5][2] = {{1, 0}, {1, 1}, {0, 0}, {0, 1}, {0, 0}};
    const int64_t          patient[5] = {0, 0, 1, 2, 3};
    const rvl_bench_images p = {5, 1, x, 2, &present[0][0], patient, 4, false};
    json_t                *j = NULL;
    rvl_error              err = {0};

    (void)state;
    if (rvl__bench_images(&j, &p, 0, 0, &err))
        fail_msg("%s", err.text);
    assert_int_equal(rvl_json_get_i64(j, "pool", 0), 5);
    /* any: 0 has no partner but its own patient's; 1 finds 3 second (after 2); 3 finds 1 second (after 0) */
    assert_true(value(j, "any", "n_queries") == 2);
    assert_true(fabs(value(j, "any", "map_at_5") - 0.5) < 1e-15);
    /* exact: 2 finds 4 last of four, 4 finds 2 third; no other set is there twice */
    assert_true(value(j, "exact", "n_queries") == 2);
    assert_true(fabs(value(j, "exact", "map_at_5") - (1.0 / 4 + 1.0 / 3) / 2) < 1e-15);
    /* one relevant of three (query 1), of four (query 3): (1 + 1/2 + 1/3) / 3 and (1 + 1/2 + 1/3 + 1/4) / 4 */
    assert_true(fabs(value(j, "any", "map_chance_at_10") - (11.0 / 18 + 25.0 / 48) / 2) < 1e-15);
    /* spectre: in one dimension all cosines are equal, the relevant image comes last of the four others */
    assert_true(value(j, "spectre", "n_queries") == 2);
    assert_true(fabs(value(j, "spectre", "map_at_5") - 0.25) < 1e-15);
    /* ct_clip: everyone finds 0, 1, 3: Jaccard (1, 1/2, 0), (1/2, 1, 1/2), (0, 1/2, 1) and nothing for 2 and 4 */
    assert_true(fabs(value(j, "ct_clip", "jaccard_at_1") - 0.3) < 1e-15);
    assert_true(fabs(value(j, "ct_clip", "jaccard_at_5") - 1.0 / 3) < 1e-15);
    assert_true(fabs(value(j, "ct_clip", "map_at_5") - (0.3 + 1.0 / 3) / 2) < 1e-15);
    assert_true(fabs(value(j, "ct_clip", "map_floor_at_1") - 0.6) < 1e-15); /* three of five find themselves */
    /* jaccard: 0 and 1 find 3 alone, 3 finds 0, then 1 */
    assert_true(value(j, "jaccard", "n_queries") == 3);
    assert_true(fabs(value(j, "jaccard", "jaccard_at_1") - 0.5 / 3) < 1e-15);
    assert_true(fabs(value(j, "jaccard", "jaccard_at_5") - 0.25) < 1e-15);
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images__of_the_same_patient_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
