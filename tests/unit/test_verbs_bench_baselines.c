/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_verbs_bench_baselines.c
 * The baselines beside a table, against scikit-learn (tests/golden/metadata_baseline.py).
 */
#include "support.h"
#include "base/json.h"
#include "base/rng.h"
#include "verbs/bench_baselines.h"
#include <math.h>
#include "golden/metadata_baseline.h"

enum { N = BASELINE_TRAIN + BASELINE_TEST, K = 2, COLUMNS = 4 };

typedef struct {
    char        age[N][8];
    const char *cells[N][COLUMNS];
    uint8_t     truth[N][K];
    double      valid[N][K], score[N][K];
    int64_t     patient[N];
} table;

/* As tests/golden/metadata_baseline.py draws it. */
static void draw(table *t)
{
    static const char *const kernels[] = {"B30f", "B60f", "B70f"}, *const spacings[] = {"[0.7, 0.7]", "[0.8, 0.8]", ""};
    rvl_rng r[6];

    for (int s = 0; s < 6; s++)
        r[s] = rvl_rng_make(1200, (uint64_t)s + 1);
    for (int i = 0; i < N; i++) {
        const int  age = (int)floor(20 + 70 * rvl_rng_uniform(&r[0]));
        const bool is_female = rvl_rng_uniform(&r[1]) < 0.5;
        const int  kernel = (int)floor(3 * rvl_rng_uniform(&r[2]));
        const int  spacing = (int)floor(3 * rvl_rng_uniform(&r[3]));
        snprintf(t->age[i], sizeof t->age[i], "%03dY", age);
        t->cells[i][0] = t->age[i];
        t->cells[i][1] = is_female ? "F" : "M";
        t->cells[i][2] = kernels[kernel];
        t->cells[i][3] = spacings[spacing];
        for (int j = 0; j < K; j++) {
            const double share =
                0.15 + (age > 60 ? 0.3 : 0) + (is_female && j == 0 ? 0.2 : 0) + (kernel == 1 && j == 1 ? 0.3 : 0);
            t->truth[i][j] = rvl_rng_uniform(&r[4 + j]) < share;
            t->valid[i][j] = 1;
            t->score[i][j] = 0.5;
        }
        t->patient[i] = i % BASELINE_TRAIN;
    }
}

static double value(const json_t *baseline, size_t finding, const char *key)
{
    return rvl_json_get_f64(json_object_get(json_array_get(json_object_get(baseline, "findings"), finding), key),
                            "value", NAN);
}

static void baselines__equal_scikit_learn(void **state)
{
    static table             t;
    static const char *const columns[COLUMNS] = {"age", "sex", "kernel", "spacing"}, *const names[K] = {"a", "b"};
    json_t *part = json_object();

    (void)state;
    draw(&t);
    const rvl_metadata train = {BASELINE_TRAIN, COLUMNS, columns, t.cells[0]};
    const rvl_metadata test = {BASELINE_TEST, COLUMNS, columns, t.cells[BASELINE_TRAIN]},
                       none = {0, COLUMNS, columns, t.cells[0]};
    const rvl_bench_fit      fit = {"train", BASELINE_TRAIN, t.truth[0], t.valid[0], &train, &test, &none};
    const rvl_bench_findings f = {.n = BASELINE_TEST,
                                  .k = K,
                                  .names = names,
                                  .score = t.score[BASELINE_TRAIN],
                                  .truth = t.truth[BASELINE_TRAIN],
                                  .valid = t.valid[BASELINE_TRAIN],
                                  .patient = t.patient,
                                  .n_patients = BASELINE_TRAIN};
    OK(rvl__bench_baselines(part, &f, &fit, 0, 0, &err));
    const json_t *metadata = json_object_get(json_object_get(part, "baselines"), "metadata");
    const json_t *constant = json_object_get(json_object_get(part, "baselines"), "constant");
    for (size_t j = 0; j < K; j++) {
        assert_true(fabs(value(metadata, j, "auroc") - baseline_golden[j][0]) < 1e-9);
        assert_true(fabs(value(metadata, j, "ap") - baseline_golden[j][1]) < 1e-9);
        assert_true(value(constant, j, "auroc") == 0.5);
        assert_true(fabs(value(constant, j, "ap") - baseline_golden[j][2]) < 1e-12);
    }
    assert_int_equal(json_array_size(json_object_get(metadata, "columns")), COLUMNS);
    assert_int_equal(rvl_json_get_i64(metadata, "n_fitted", 0), BASELINE_TRAIN);
    json_decref(part);
}

/* A finding that training only knows as absent has no regression; it is scored with its share, 0. */
static void findings__of_one_kind_are_the_constant(void **state)
{
    static table             t;
    static const char *const columns[COLUMNS] = {"age", "sex", "kernel", "spacing"}, *const names[K] = {"a", "b"};
    json_t *part = json_object();

    (void)state;
    draw(&t);
    for (int i = 0; i < BASELINE_TRAIN; i++)
        t.truth[i][0] = 0;
    const rvl_metadata train = {BASELINE_TRAIN, COLUMNS, columns, t.cells[0]};
    const rvl_metadata test = {BASELINE_TEST, COLUMNS, columns, t.cells[BASELINE_TRAIN]},
                       none = {0, COLUMNS, columns, t.cells[0]};
    const rvl_bench_fit      fit = {"train", BASELINE_TRAIN, t.truth[0], t.valid[0], &train, &test, &none};
    const rvl_bench_findings f = {.n = BASELINE_TEST,
                                  .k = K,
                                  .names = names,
                                  .score = t.score[BASELINE_TRAIN],
                                  .truth = t.truth[BASELINE_TRAIN],
                                  .valid = t.valid[BASELINE_TRAIN],
                                  .patient = t.patient,
                                  .n_patients = BASELINE_TRAIN};
    OK(rvl__bench_baselines(part, &f, &fit, 0, 0, &err));
    const json_t *metadata = json_object_get(json_object_get(part, "baselines"), "metadata");
    assert_true(value(metadata, 0, "auroc") == 0.5);
    assert_true(fabs(value(metadata, 1, "auroc") - baseline_golden[1][0]) < 1e-9);
    json_decref(part);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(baselines__equal_scikit_learn),
        cmocka_unit_test(findings__of_one_kind_are_the_constant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
