/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_measure_similarity.c
 * Blocked similarities equal a plain loop to the last bit; the best places equal a sort.
 */
#include "support.h"
#include "base/rng.h"
#include "measure/rows.h"
#include "measure/similarity.h"
#include <math.h>

enum { MAX_N = 61, MAX_M = 43, MAX_E = 70 };

typedef struct {
    const rvl_similarity *s;
    double                got[MAX_N][MAX_M];
    int                   n_visits[MAX_N];
} seen;

static void keep(void *self, int64_t i, const double *similarity, void *scratch)
{
    seen *c = self;

    memset(scratch, (int)i, 24); /* a thread's own bytes */
    c->n_visits[i]++;
    memcpy(c->got[i], similarity, (size_t)c->s->m * sizeof *similarity);
}

static void similarities__equal_a_plain_loop_bit_by_bit(void **state)
{
    static const char *const isas[] = {"scalar", "avx2", "avx512"}; /* those that the processor has */
    static float             q[MAX_N * MAX_E], g[MAX_M * MAX_E];
    static seen              c;
    static const int shapes[][3] = {{1, 1, 1}, {7, 8, 3}, {61, 43, 70}, {24, 16, 5}, {25, 9, 64}, {0, 3, 4}, {3, 0, 4}};
    rvl_rng          r = rvl_rng_make(8, 1);

    (void)state;
    for (int i = 0; i < MAX_N * MAX_E; i++)
        q[i] = (float)(rvl_rng_normal(&r) * exp(3 * rvl_rng_normal(&r)));
    for (int i = 0; i < MAX_M * MAX_E; i++)
        g[i] = (float)rvl_rng_normal(&r);
    for (size_t k = 0; k < RVL_ARRAY_LEN(shapes); k++) {
        for (int round = 0; round < 6; round++) {
            const int cosine = round % 2;
            assert_int_equal(setenv("RVL_CPU_ISA", isas[round / 2], 1), 0);
            const rvl_similarity s = {q, g, shapes[k][0], shapes[k][1], shapes[k][2], cosine == 1};
            memset(&c, 0, sizeof c);
            c.s = &s;
            OK(rvl_similarity_each(&s, keep, &c, 24, &err));
            for (int64_t i = 0; i < s.n; i++) {
                assert_int_equal(c.n_visits[i], 1);
                for (int64_t j = 0; j < s.m; j++) {
                    double scale;
                    OK(rvl__row_scales(&scale, g + j * s.e, 1, s.e, s.cosine, "gallery", &err));
                    assert_true(c.got[i][j] == rvl__row_dot(q + i * s.e, g + j * s.e, s.e) * scale);
                }
            }
        }
    }
}

static void similarities__refuse_what_has_no_direction(void **state)
{
    float          q[4] = {1, 0, 0, 0}, g[4] = {1, 1, 1, 1};
    static seen    c;
    rvl_similarity s = {q, g, 2, 2, 2, true};
    rvl_error      err = {0};

    (void)state;
    c.s = &s;
    assert_int_equal(rvl_similarity_each(&s, keep, &c, 24, &err), RVL_ERR_NUMERIC);
    assert_non_null(strstr(err.text, "query embedding 1 is zero"));
    s.cosine = false;
    assert_int_equal(rvl_similarity_each(&s, keep, &c, 24, NULL), RVL_OK);
    g[3] = NAN;
    assert_int_equal(rvl_similarity_each(&s, keep, &c, 24, &err), RVL_ERR_NUMERIC);
    assert_non_null(strstr(err.text, "gallery embedding 1 is not finite"));
}

static bool goes_before(const rvl_places *p, int64_t a, int64_t b)
{
    if (p->similarity[a] != p->similarity[b])
        return p->similarity[a] > p->similarity[b];
    if (p->behind && p->behind[a] != p->behind[b])
        return p->behind[b];
    return a < b;
}

static void places__equal_an_insertion_sort(void **state)
{
    double  similarity[40];
    bool    barred[40], behind[40];
    int64_t want[40], got[41];
    rvl_rng r = rvl_rng_make(8, 2);

    (void)state;
    for (int round = 0; round < 300; round++) {
        const int64_t    m = rvl_rng_below(&r, 41), k = rvl_rng_below(&r, 42);
        const rvl_places p = {similarity, round % 2 ? barred : NULL, round % 3 ? behind : NULL, m};
        int64_t          n = 0;
        for (int64_t j = 0; j < m; j++) {
            similarity[j] = (double)rvl_rng_below(&r, 6); /* ties are frequent */
            barred[j] = rvl_rng_below(&r, 4) == 0;
            behind[j] = rvl_rng_below(&r, 2) == 0;
        }
        for (int64_t j = 0; j < m; j++) {
            int64_t at = n;
            if (p.barred && barred[j])
                continue;
            for (; at > 0 && goes_before(&p, j, want[at - 1]); at--)
                want[at] = want[at - 1];
            want[at] = j;
            n++;
        }
        assert_int_equal(rvl_top_places(got, &p, k), n < k ? n : k);
        for (int64_t i = 0; i < n && i < k; i++)
            assert_int_equal(got[i], want[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(similarities__equal_a_plain_loop_bit_by_bit),
        cmocka_unit_test(similarities__refuse_what_has_no_direction),
        cmocka_unit_test(places__equal_an_insertion_sort),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
