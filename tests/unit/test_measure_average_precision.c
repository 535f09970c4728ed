/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_measure_average_precision.c
 * mAP@k against the definition in NumPy (tests/golden/map_at_k.py), lists by hand, ties, refusals.
 */
#include "support.h"
#include "base/rng.h"
#include "golden/map_at_k.h"
#include "measure/average_precision.h"
#include <math.h>

enum { MAX_N = 80, MAX_E = 6, MAX_F = 6 };
static const int64_t ks[] = {1, 5, 10, 50};

typedef struct {
    float x[MAX_N * MAX_E];
    bool  label[MAX_N][MAX_F];
    int   patient[MAX_N], f;
    bool  exact;
} cohort;

static void draw(cohort *c, size_t i)
{
    const uint64_t seed = 500 + (uint64_t)map_golden[i].i_case;
    const int      n = map_golden[i].n, e = map_golden[i].e;
    rvl_rng        streams[] = {rvl_rng_make(seed, 1), rvl_rng_make(seed, 2), rvl_rng_make(seed, 3)};

    c->f = map_golden[i].f;
    c->exact = map_golden[i].exact;
    for (int j = 0; j < n; j++) {
        bool is_zero = true;
        for (int d = 0; d < e; d++) {
            c->x[j * e + d] = (float)floor(8 * rvl_rng_uniform(&streams[0]) - 4);
            is_zero = is_zero && c->x[j * e + d] == 0;
        }
        for (int d = 0; is_zero && d < e; d++)
            c->x[j * e + d] = 1;
        for (int d = 0; d < c->f; d++)
            c->label[j][d] = rvl_rng_uniform(&streams[1]) < 0.25;
        c->patient[j] = (int)floor(rvl_rng_uniform(&streams[2]) * n / 2);
    }
}

static rvl_relevance by_labels(const void *context, int64_t i, int64_t j)
{
    const cohort *c = context;
    bool          is_any = false, is_same = true;

    if (c->patient[i] == c->patient[j])
        return RVL_RELEVANCE_BARRED;
    for (int d = 0; d < c->f; d++) {
        is_any = is_any || (c->label[i][d] && c->label[j][d]);
        is_same = is_same && c->label[i][d] == c->label[j][d];
    }
    return (c->exact ? is_same : is_any) ? RVL_RELEVANCE_YES : RVL_RELEVANCE_NO;
}

static void map__equals_the_definition(void **state)
{
    static cohort c;
    double        ap[4 * MAX_N], chance[4 * MAX_N];

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(map_golden); i++) {
        const int64_t n = map_golden[i].n;
        int           n_queries = 0;
        rvl_ranking   r = {c.x, c.x, n, n, map_golden[i].e, map_golden[i].cosine, by_labels, &c};
        draw(&c, i);
        assert_int_equal(rvl_average_precision_at(ap, chance, &r, ks, 4, NULL), RVL_OK);
        for (int j = 0; j < n; j++)
            n_queries += !isnan(ap[j]);
        assert_int_equal(n_queries, map_golden[i].n_queries);
        for (int k = 0; k < 4; k++) {
            const double got = rvl_mean_defined(ap + k * n, NULL, n);
            if (!(fabs(got - map_golden[i].map[k]) < 1e-12))
                fail_msg("row %zu at %d: %.15g is not %.15g", i, (int)ks[k], got, map_golden[i].map[k]);
        }
    }
}

/* Gallery items 0..m-1 of falling similarity; the context says which are relevant. */
static rvl_relevance by_list(const void *context, int64_t i, int64_t j)
{
    (void)i;
    return ((const char *)context)[j] == 'x'   ? RVL_RELEVANCE_YES
           : ((const char *)context)[j] == '-' ? RVL_RELEVANCE_BARRED
                                               : RVL_RELEVANCE_NO;
}

static double list_ap(const char *list, const float *gallery, int64_t k)
{
    const float one = 1;
    double      ap, chance;
    rvl_ranking r = {&one, gallery, 1, (int64_t)strlen(list), 1, false, by_list, list};

    assert_int_equal(rvl_average_precision_at(&ap, &chance, &r, &k, 1, NULL), RVL_OK);
    return ap;
}

static void map__of_lists_by_hand(void **state)
{
    const float falling[] = {9, 8, 7, 6, 5, 4}, equal[] = {1, 1, 1, 1, 1, 1};

    (void)state;
    assert_true(list_ap("xx....", falling, 3) == 1);
    assert_true(fabs(list_ap(".x.x..", falling, 4) - (1.0 / 2 + 2.0 / 4) / 2) < 1e-15);
    assert_true(fabs(list_ap(".x.x..", falling, 3) - 1.0 / 2 / 2) < 1e-15); /* two are relevant, one is found */
    assert_true(list_ap("xxxx..", falling, 2) == 1);                        /* no more than k can be found */
    assert_true(list_ap("....x.", falling, 4) == 0);
    assert_true(fabs(list_ap("-x-x..", falling, 4) - 1) < 1e-15); /* barred items take no place */
    assert_true(isnan(list_ap("......", falling, 4)));
    assert_true(fabs(list_ap("x.....", equal, 6) - 1.0 / 6) < 1e-15); /* ties count against */
    assert_true(fabs(list_ap("xx....", equal, 6) - (1.0 / 5 + 2.0 / 6) / 2) < 1e-15);
}

static void chance__is_the_mean_over_all_orders(void **state)
{
    char  list[16];
    float gallery[16] = {0};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(chance_golden); i++) {
        const int     m = chance_golden[i].m;
        const int64_t k = chance_golden[i].k;
        const float   one = 1;
        double        ap, chance;
        rvl_ranking   r = {&one, gallery, 1, m, 1, false, by_list, list};
        memset(list, '.', sizeof list);
        memset(list, 'x', (size_t)chance_golden[i].n_relevant);
        assert_int_equal(rvl_average_precision_at(&ap, &chance, &r, &k, 1, NULL), RVL_OK);
        if (!(fabs(chance - chance_golden[i].value) < 1e-12))
            fail_msg("%d of %d at %d: %.15g is not %.15g", chance_golden[i].n_relevant, m, (int)k, chance,
                     chance_golden[i].value);
    }
}

static void map__refuses_bad_embeddings_and_skips_undefined(void **state)
{
    const float  good[] = {1, 2}, zero[] = {1, 0}, bad[] = {NAN, 1};
    const double values[] = {1, NAN, 0.25}, weights[] = {1, 5, 2};
    double       ap[2], chance[2];
    int64_t      k = 1;
    rvl_error    err = {0};
    rvl_ranking  r = {good, zero, 2, 2, 1, true, by_list, "x."};

    (void)state;
    assert_int_equal(rvl_average_precision_at(ap, chance, &r, &k, 1, &err), RVL_ERR_NUMERIC);
    assert_non_null(strstr(err.text, "gallery embedding 1 is zero"));
    r.cosine = false;
    assert_int_equal(rvl_average_precision_at(ap, chance, &r, &k, 1, NULL), RVL_OK);
    r.query = bad;
    assert_int_equal(rvl_average_precision_at(ap, chance, &r, &k, 1, &err), RVL_ERR_NUMERIC);
    assert_non_null(strstr(err.text, "query embedding 0 is not finite"));
    assert_true(rvl_mean_defined(values, NULL, 3) == 0.625);
    assert_true(rvl_mean_defined(values, weights, 3) == 0.5);
    assert_true(isnan(rvl_mean_defined(values + 1, NULL, 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map__equals_the_definition),
        cmocka_unit_test(map__of_lists_by_hand),
        cmocka_unit_test(chance__is_the_mean_over_all_orders),
        cmocka_unit_test(map__refuses_bad_embeddings_and_skips_undefined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
