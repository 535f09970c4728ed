/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_measure_bootstrap.c
 * The bootstrap over patients, and ranks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "measure/bootstrap.h"
#include "measure/metrics.h"
#include "measure/retrieval.h"
#include <math.h>

enum { N = 80, COPIES = 10, E = 6 };

typedef struct {
    int64_t n;
    double  score[N * COPIES];
    uint8_t truth[N * COPIES];
    int64_t patient[N * COPIES];
} rows;

static rvl_status auroc(double *out, const double *weight, void *context, rvl_error *err)
{
    rows *r = context;
    return rvl_auroc(out, &(rvl_binary){r->n, r->score, r->truth, weight}, err);
}

static void make_rows(rows *r, int copies)
{
    rvl_rng g = rvl_rng_make(9, 9);
    r->n = N * copies;
    for (int i = 0; i < N; i++) {
        double  x = rvl_rng_uniform(&g);
        uint8_t y = rvl_rng_uniform(&g) < x;
        for (int c = 0; c < copies; c++) {
            r->score[i * copies + c] = x;
            r->truth[i * copies + c] = y;
            r->patient[i * copies + c] = i;
        }
    }
}

static void bootstrap__is_not_narrowed_by_copies_of_a_patients_row(void **state)
{
    static rows  one;
    static rows  ten;
    rvl_interval a;
    rvl_interval b;

    (void)state;
    make_rows(&one, 1);
    make_rows(&ten, COPIES);
    assert_int_equal(rvl_bootstrap(&a, 1, auroc, &one, one.n, one.patient, N, 400, 3, NULL), RVL_OK);
    assert_int_equal(rvl_bootstrap(&b, 1, auroc, &ten, ten.n, ten.patient, N, 400, 3, NULL), RVL_OK);
    assert_true(fabs(a.value - b.value) < 1e-12);
    assert_true(fabs(a.low - b.low) < 1e-12);
    assert_true(fabs(a.high - b.high) < 1e-12);
    assert_true(a.low < a.value && a.value < a.high);
}

static void bootstrap__has_about_the_width_of_theory(void **state)
{
    /* Hanley and McNeil 1982, equation 2, for the standard error of an area. */
    static rows  r;
    rvl_interval v;
    double       n1 = 0;

    (void)state;
    make_rows(&r, 1);
    for (int i = 0; i < N; i++)
        n1 += r.truth[i];
    assert_int_equal(rvl_bootstrap(&v, 1, auroc, &r, r.n, r.patient, N, 2000, 1, NULL), RVL_OK);
    double a = v.value;
    double n0 = N - n1;
    double q1 = a / (2 - a);
    double q2 = 2 * a * a / (1 + a);
    double se = sqrt((a * (1 - a) + (n1 - 1) * (q1 - a * a) + (n0 - 1) * (q2 - a * a)) / (n1 * n0));
    double ratio = (v.high - v.low) / (2 * 1.96 * se);
    assert_true(ratio > 0.75 && ratio < 1.25);
}

enum { DRAWS = 201 };
typedef struct {
    double value[DRAWS + 1];
    int    n;
    bool   some_undefined;
} recorder;

/* Mean of the row numbers; every weight is a count of draws of the row's patient. */
static rvl_status mean_row(double *out, const double *weight, void *context, rvl_error *err)
{
    recorder *r = context;
    double    sum = 0;
    double    all = 0;

    (void)err;
    for (int i = 0; i < N; i++) {
        sum += weight[i] * i;
        all += weight[i];
        assert_true(weight[i] == floor(weight[i]));
    }
    assert_true(all == N);
    out[0] = r->some_undefined && r->n % 3 == 1 ? NAN : sum / all;
    r->value[r->n++] = out[0];
    return RVL_OK;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* NumPy's percentile: at p (n - 1) between the order statistics around it. */
static double percentile(double *draws, int n, double p)
{
    qsort(draws, (size_t)n, sizeof *draws, ascending);
    int i = (int)(p * (n - 1));
    return draws[i] + (p * (n - 1) - i) * (draws[i + 1] - draws[i]);
}

static void bootstrap__gives_percentiles_of_the_defined_draws(void **state)
{
    int64_t patient[N];

    (void)state;
    for (int i = 0; i < N; i++)
        patient[i] = i;
    for (int undefined = 0; undefined < 2; undefined++) {
        static recorder r;
        rvl_interval    v;
        int             n = 0;
        r = (recorder){.some_undefined = undefined};
        assert_int_equal(rvl_bootstrap(&v, 1, mean_row, &r, N, patient, N, DRAWS, 5, NULL), RVL_OK);
        assert_int_equal(r.n, DRAWS + 1);
        assert_true(v.value == (N - 1) / 2.0);
        assert_true(r.value[2] != r.value[3] && r.value[3] != r.value[5]); /* each draw is another one */
        for (int i = 1; i <= DRAWS; i++)
            if (!isnan(r.value[i]))
                r.value[n++] = r.value[i];
        assert_int_equal(v.n_valid, n);
        assert_int_equal(n, undefined ? DRAWS - DRAWS / 3 : DRAWS);
        assert_true(fabs(v.low - percentile(r.value, n, 0.025)) < 1e-12);
        assert_true(fabs(v.high - percentile(r.value, n, 0.975)) < 1e-12);
    }
}

static void groups__are_numbered_by_first_appearance(void **state)
{
    const char *keys[] = {"b", "a", "b", "c", "a"};
    int64_t     out[5];
    int64_t     n;

    (void)state;
    assert_int_equal(rvl_number_groups(out, &n, keys, 5, NULL), RVL_OK);
    assert_int_equal(n, 3);
    const int64_t want[] = {0, 1, 0, 2, 1};
    for (int i = 0; i < 5; i++)
        assert_int_equal(out[i], want[i]);
}

static rvl_status ranks_of(int64_t *rank, const rvl_retrieval *r, rvl_gallery kind, rvl_error *err)
{
    int64_t *by_kind[RVL_GALLERY_COUNT] = {NULL};

    by_kind[kind] = rank;
    return rvl_retrieval_ranks(by_kind, r, err);
}

static void ranks__count_ties_against_the_query(void **state)
{
    float         same[5 * E];
    int64_t       rank[5];
    rvl_retrieval r = {.query = same, .gallery = same, .n = 5, .e = E, .cosine = true};

    (void)state;
    for (int i = 0; i < 5 * E; i++)
        same[i] = 1;
    assert_int_equal(ranks_of(rank, &r, RVL_GALLERY_DIAGONAL, NULL), RVL_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(rank[i], 5);
    const int64_t group[5] = {0, 0, 1, 2, 2};
    r.group = group;
    r.n_groups = 3;
    assert_int_equal(ranks_of(rank, &r, RVL_GALLERY_UNIQUE, NULL), RVL_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(rank[i], 3);
    assert_int_equal(ranks_of(rank, &r, RVL_GALLERY_DUPLICATES, NULL), RVL_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(rank[i], i == 2 ? 5 : 4);
}

static void ranks__by_cosine_do_not_see_lengths_and_by_dot_do(void **state)
{
    float         q[2 * E] = {1, [E] = 0, [E + 1] = 1};
    float         g[2 * E] = {0.1F, [E] = 0.9F, [E + 1] = 0.9F};
    int64_t       rank[2];
    rvl_retrieval r = {.query = q, .gallery = g, .n = 2, .e = E, .cosine = true};

    (void)state;
    assert_int_equal(ranks_of(rank, &r, RVL_GALLERY_DIAGONAL, NULL), RVL_OK);
    assert_int_equal(rank[0], 1); /* cosines 1 and 0.71 */
    r.cosine = false;
    assert_int_equal(ranks_of(rank, &r, RVL_GALLERY_DIAGONAL, NULL), RVL_OK);
    assert_int_equal(rank[0], 2); /* products 0.1 and 0.9 */
}

static void ranks__equal_brute_force_for_every_gallery(void **state)
{
    static float  q[N * E];
    static float  g[N * E];
    int64_t       group[N];
    int64_t       rank[N];
    rvl_rng       r = rvl_rng_make(4, 4);
    rvl_retrieval t = {.query = q, .gallery = g, .n = N, .e = E, .group = group, .n_groups = N / 4, .cosine = false};

    (void)state;
    for (int i = 0; i < N * E; i++) {
        q[i] = (float)rvl_rng_normal(&r);
        g[i] = (float)(q[i] + 0.8 * rvl_rng_normal(&r));
    }
    for (int i = 0; i < N; i++)
        group[i] = i % (N / 4);
    for (int kind = 0; kind < 3; kind++) {
        assert_int_equal(ranks_of(rank, &t, (rvl_gallery)kind, NULL), RVL_OK);
        for (int i = 0; i < N; i++) {
            double  sim[N];
            double  own = -INFINITY;
            int64_t want = 1;
            for (int j = 0; j < N; j++) {
                sim[j] = 0;
                for (int k = 0; k < E; k++)
                    sim[j] += (double)q[i * E + k] * g[j * E + k];
                bool right = kind == RVL_GALLERY_DIAGONAL ? j == i : group[j] == group[i];
                if (right && sim[j] > own)
                    own = sim[j];
            }
            if (kind == RVL_GALLERY_UNIQUE) {
                for (int c = 0; c < N / 4; c++) {
                    double best = -INFINITY;
                    for (int j = c; j < N; j += N / 4)
                        best = sim[j] > best ? sim[j] : best;
                    want += c != group[i] && best >= own;
                }
            } else {
                for (int j = 0; j < N; j++)
                    want += (kind == RVL_GALLERY_DIAGONAL ? j != i : group[j] != group[i]) && sim[j] >= own;
            }
            assert_int_equal(rank[i], want);
        }
    }
}

static void chance__is_what_a_random_order_gives(void **state)
{
    int64_t       group[6] = {0, 0, 0, 1, 1, 2};
    rvl_retrieval t = {.n = 6, .group = group, .n_groups = 3};

    (void)state;
    assert_true(fabs(rvl_retrieval_chance(&t, RVL_GALLERY_DIAGONAL, 2) - 2.0 / 6) < 1e-15);
    assert_true(fabs(rvl_retrieval_chance(&t, RVL_GALLERY_UNIQUE, 2) - 2.0 / 3) < 1e-15);
    assert_true(rvl_retrieval_chance(&t, RVL_GALLERY_DIAGONAL, 6) == 1);
    assert_true(rvl_retrieval_chance(&t, RVL_GALLERY_UNIQUE, 10) == 1);
    /* 1 - C(6-g, 2) / C(6, 2): g = 3: 12/15, g = 2: 9/15, g = 1: 5/15 */
    assert_true(fabs(rvl_retrieval_chance(&t, RVL_GALLERY_DUPLICATES, 2) - (3 * 12 + 2 * 9 + 5) / 90.0) < 1e-15);
}

static void medians_and_recalls__follow_their_definitions(void **state)
{
    const int64_t rank[] = {1, 7, 3, 11};
    const double  weight[] = {1, 0, 2, 1};
    double        median;

    (void)state;
    assert_true(rvl_recall_at(rank, NULL, 4, 5) == 0.5);
    assert_true(rvl_recall_at(rank, weight, 4, 5) == 0.75);
    assert_true(fabs(rvl_mean_reciprocal_rank(rank, NULL, 4) - (1 + 1.0 / 7 + 1.0 / 3 + 1.0 / 11) / 4) < 1e-15);
    assert_int_equal(rvl_median_rank(&median, rank, NULL, 4, NULL), RVL_OK);
    assert_true(median == 3);
    assert_int_equal(rvl_median_rank(&median, rank, weight, 4, NULL), RVL_OK);
    assert_true(median == 3);
}

static void ranks__refuse_vectors_that_are_zero_or_not_finite(void **state)
{
    float         q[2 * E] = {1, [E] = NAN};
    float         g[2 * E] = {1, [E] = 1};
    int64_t       rank[2];
    rvl_retrieval t = {.query = q, .gallery = g, .n = 2, .e = E, .cosine = true};

    (void)state;
    assert_int_equal(ranks_of(rank, &t, RVL_GALLERY_DIAGONAL, NULL), RVL_ERR_NUMERIC);
    q[E] = 0;
    assert_int_equal(ranks_of(rank, &t, RVL_GALLERY_DIAGONAL, NULL), RVL_ERR_NUMERIC);
    t.cosine = false;
    assert_int_equal(ranks_of(rank, &t, RVL_GALLERY_DIAGONAL, NULL), RVL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bootstrap__is_not_narrowed_by_copies_of_a_patients_row),
        cmocka_unit_test(bootstrap__has_about_the_width_of_theory),
        cmocka_unit_test(bootstrap__gives_percentiles_of_the_defined_draws),
        cmocka_unit_test(groups__are_numbered_by_first_appearance),
        cmocka_unit_test(ranks__count_ties_against_the_query),
        cmocka_unit_test(ranks__by_cosine_do_not_see_lengths_and_by_dot_do),
        cmocka_unit_test(ranks__equal_brute_force_for_every_gallery),
        cmocka_unit_test(chance__is_what_a_random_order_gives),
        cmocka_unit_test(medians_and_recalls__follow_their_definitions),
        cmocka_unit_test(ranks__refuse_vectors_that_are_zero_or_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
