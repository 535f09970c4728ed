/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_verbs_probe.c
 * The way of a probe, with features that are made here: standardised by the training split, lambda by the validation
 * split, measured. The fit itself is tested in test_learn_logistic.c.
 */
#include "learn_fixture.h"
#include "base/json.h"
#include "base/rng.h"
#include "engine/safetensors.h"
#include "learn/logistic.h"
#include "rvl/verbs.h"
#include "search/index.h"
#include <math.h>

enum { F = 3, MAX_CASES = 64, FINDING = 3 };
static const char *const splits[] = {"train", "val", "test"};

/** Features and truth of one split. */
typedef struct {
    int64_t n;
    double  x[MAX_CASES * F], y[MAX_CASES], s[MAX_CASES];
} part;

/* Feature 0 knows the finding a little, 1 is noise of another size, 2 is constant. */
static void draw(float *x, int64_t row, bool is_present)
{
    rvl_rng r = rvl_rng_make(7, (uint64_t)row);
    x[0] = (float)(500 + 40 * (is_present + 0.8 * rvl_rng_normal(&r)));
    x[1] = (float)(0.001 * rvl_rng_normal(&r));
    x[2] = 3;
}

/* Write an index over every case of the cohort; fill the parts. */
static void make_index(const char *folder, const char *path, part parts[3])
{
    static float          x[3 * MAX_CASES * F];
    static rvl_index_case cases[3 * MAX_CASES];
    rvl_index_data data = {.model = "0123456789abcdef0123456789abcdef", .n_embed = F, .cases = cases, .image = x};
    rvl_case_list  lists[3];
    rvl_cohort    *c = NULL;
    char           cohort[PATH_BYTES];

    OK(rvl_cohort_open(&c, path_in(cohort, folder, "cohort"), &err));
    for (int p = 0; p < 3; p++) {
        OK(rvl_cohort_cases(&lists[p], c, splits[p], &err));
        assert_in_range(lists[p].n_cases, 2, MAX_CASES);
        parts[p].n = lists[p].n_cases;
        for (int64_t i = 0; i < lists[p].n_cases; i++) {
            const bool is_present = lists[p].cases[i].labels[FINDING] == RVL_LABEL_PRESENT;
            draw(x + data.n_cases * F, data.n_cases, is_present);
            for (int k = 0; k < F; k++)
                parts[p].x[i * F + k] = (double)x[data.n_cases * F + k];
            parts[p].y[i] = is_present;
            parts[p].s[i] = 1;
            cases[data.n_cases++] = (rvl_index_case){.case_id = lists[p].cases[i].case_id,
                                                     .split = splits[p],
                                                     .snippet = "",
                                                     .cohort = "",
                                                     .has_image = true};
        }
    }
    OK(rvl_index_save(path, &data, &err));
    for (int p = 0; p < 3; p++)
        rvl_case_list_fini(&lists[p]);
    rvl_cohort_close(c);
}

static void standardise(part parts[3], double mean[F], double scale[F])
{
    for (int k = 0; k < F; k++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < parts[0].n; i++)
            sum += parts[0].x[i * F + k];
        mean[k] = sum / (double)parts[0].n;
        for (int64_t i = 0; i < parts[0].n; i++)
            squares += pow(parts[0].x[i * F + k] - mean[k], 2);
        scale[k] = k == 2 ? 1 : sqrt(squares / (double)parts[0].n);
        for (int p = 0; p < 3; p++)
            for (int64_t i = 0; i < parts[p].n; i++)
                parts[p].x[i * F + k] = (parts[p].x[i * F + k] - mean[k]) / scale[k];
    }
}

static double score(const part *p, int64_t i, const double *coef)
{
    return coef[0] * p->x[i * F] + coef[1] * p->x[i * F + 1] + coef[2] * p->x[i * F + 2] + coef[3];
}

/* Lambda of the smallest validation loss, its loss and coefficients. */
static double best_lambda(const part parts[3], double *best, double coef[F + 1])
{
    const rvl_logistic_data train = {parts[0].n, F, parts[0].x, parts[0].y, parts[0].s};
    double                  lambda = NAN;

    *best = INFINITY;
    for (double exponent = -3; exponent <= 4; exponent += 0.5) {
        double c[F + 1] = {0}, loss = 0;
        OK(rvl_logistic_fit(c, &train, pow(10, exponent), &err));
        for (int64_t i = 0; i < parts[1].n; i++) {
            const double p = 1 / (1 + exp(-score(&parts[1], i, c)));
            loss -= log(parts[1].y[i] > 0 ? p : 1 - p) / (double)parts[1].n;
        }
        if (loss < *best) {
            *best = loss;
            lambda = pow(10, exponent);
            memcpy(coef, c, sizeof c);
        }
    }
    return lambda;
}

static double auroc(const part *p, const double *coef)
{
    double right = 0, pairs = 0;

    for (int64_t i = 0; i < p->n; i++)
        for (int64_t j = 0; j < p->n; j++)
            if (p->y[i] > p->y[j]) {
                pairs++;
                right += score(p, i, coef) > score(p, j, coef);
            }
    return right / pairs;
}

static void same(const rvl_safetensors *f, const char *name, const double *want, int n)
{
    const double *got = rvl_tensor_const_data(rvl_safetensors_find(f, name));
    for (int i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) < 1e-8 * fmax(1, fabs(want[i]))))
            fail_msg("%s[%d]: %.12g is not %.12g", name, i, got[i], want[i]);
}

static void probe__standardises_chooses_and_measures(void **state)
{
    static part      parts[3];
    char             index[PATH_BYTES], cohort[PATH_BYTES], out[PATH_BYTES];
    double           mean[F], scale[F], coef[F + 1], loss;
    char            *text = NULL;
    json_t          *root = NULL;
    rvl_safetensors *f = NULL;
    rvl_probe_opts   o = rvl_probe_opts_default();

    path_in(index, *state, "features.safetensors");
    make_index(*state, index, parts);
    standardise(parts, mean, scale);
    const double lambda = best_lambda(parts, &loss, coef);
    assert_true(lambda > 1e-3 && lambda < 1e4); /* inside the grid: a wrong choice would show */
    o.cohort = path_in(cohort, *state, "cohort");
    o.index = index;
    o.out = path_in(out, *state, "probe.safetensors");
    o.findings = "nodule";
    o.test_split = "train"; /* the test split of so small a cohort has one class */
    o.n_bootstrap = 0;
    OK(rvl_probe_run(&text, &o, &err));
    OK(rvl_json_parse(&root, text, strlen(text), "probe", &err));
    const json_t *finding = json_array_get(json_object_get(json_object_get(root, "probe"), "findings"), 0);
    assert_string_equal(rvl_json_get_string(finding, "name", ""), "nodule");
    assert_true(fabs(rvl_json_get_f64(finding, "lambda", 0) / lambda - 1) < 1e-9);
    assert_true(fabs(rvl_json_get_f64(finding, "val_loss", 0) - loss) < 1e-9);
    assert_true(fabs(rvl_json_get_f64(json_object_get(finding, "auroc"), "value", 0) - auroc(&parts[0], coef)) < 1e-12);
    OK(rvl_safetensors_open(&f, out, &err));
    same(f, "mean", mean, F);
    same(f, "scale", scale, F);
    same(f, "coef", coef, F + 1);
    same(f, "lambda", &lambda, 1);
    rvl_safetensors_close(f);
    json_decref(root);
    rvl_text_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probe__standardises_chooses_and_measures),
    };
    return cmocka_run_group_tests(tests, cohort_make, folder_remove);
}
