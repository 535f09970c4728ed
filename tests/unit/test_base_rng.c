/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_base_rng.c
 * Philox against the known answers of Random123 (kat_vectors), splitmix64 and xxh3 against published values, and
 * the laws that the distributions promise.
 */
#include "support.h"
#include "base/rng.h"

#include <math.h>

static void philox__gives_known_answers(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0}, {0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(known); i++) {
        uint32_t out[4];
        rvl_philox4x32(out, known[i].counter, known[i].key);
        assert_memory_equal(out, known[i].out, sizeof out);
    }
}

static void u32__walks_the_words_of_a_stream(void **state)
{
    /* words of the counter: block low, block high, stream low, stream high; of the key: seed low, seed high */
    const uint32_t counter[] = {0x9abcdef0, 0x12345678, 0x13198a2e, 0x03707344};
    const uint32_t key[] = {0xa4093822, 0x299f31d0};
    rvl_rng        zero = rvl_rng_make(0, 0), r = rvl_rng_make(0x299f31d0a4093822, 0x0370734413198a2e);
    uint32_t       out[4];
    (void)state;
    assert_int_equal(rvl_rng_u32(&zero), 0x6627e8d5);
    assert_int_equal(rvl_rng_u32(&zero), 0xe169c58d);
    assert_int_equal(rvl_rng_u32(&zero), 0xbc57ac4c);
    assert_int_equal(rvl_rng_u32(&zero), 0x9b00dbd8);
    assert_int_equal(zero.index, 4);
    r.index = 4 * UINT64_C(0x123456789abcdef0);
    rvl_philox4x32(out, counter, key);
    for (int i = 0; i < 4; i++)
        assert_int_equal(rvl_rng_u32(&r), out[i]);
}

static void mix__is_splitmix64(void **state)
{
    (void)state;
    /* the first outputs of splitmix64 seeded with 0 and with 1234567 (Vigna's splitmix64.c) */
    assert_true(rvl_rng_mix(0, 0) == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(rvl_rng_mix(1234567, 0) == UINT64_C(6457827717110365317));
    assert_true(rvl_rng_mix(1234567, 1) == UINT64_C(3203168211198807973));
}

static void name__is_xxh3_64(void **state)
{
    (void)state;
    assert_true(rvl_rng_name("") == UINT64_C(0x2d06800538d394c2)); /* xxHash: XXH3_64bits of nothing */
    assert_true(rvl_rng_name("a") != rvl_rng_name("b"));
}

static void uniform__stays_inside_and_has_its_moments(void **state)
{
    rvl_rng r = rvl_rng_make(7, 3);
    double  sum = 0, sum2 = 0;
    int     n = 100000;
    (void)state;
    for (int i = 0; i < n; i++) {
        double u = rvl_rng_uniform(&r);
        assert_true(u > 0 && u < 1);
        sum += u;
        sum2 += u * u;
    }
    assert_true(fabs(sum / n - 0.5) < 5 * 0.289 / sqrt(n));
    assert_true(fabs(sum2 / n - 1.0 / 3) < 5 * 0.298 / sqrt(n));
}

static void normal__has_its_moments(void **state)
{
    rvl_rng r = rvl_rng_make(7, 4);
    double  sum = 0, sum2 = 0;
    int     n = 100000;
    (void)state;
    for (int i = 0; i < n; i++) {
        double z = rvl_rng_normal(&r);
        sum += z;
        sum2 += z * z;
    }
    assert_int_equal(r.index, 2 * n);
    assert_true(fabs(sum / n) < 5 / sqrt(n));
    assert_true(fabs(sum2 / n - 1) < 5 * sqrt(2.0 / n));
}

static void uniform_and_normal__follow_their_formulas(void **state)
{
    /* from the first two words of the first known answer, worked out with Python's math module */
    rvl_rng u = rvl_rng_make(0, 0), z = rvl_rng_make(0, 0);
    (void)state;
    assert_true(fabs(rvl_rng_uniform(&u) - 0.3990464707603678) < 1e-15);
    assert_true(fabs(rvl_rng_normal(&z) - 0.9911376799303855) < 1e-14);
}

static void below__reaches_every_value_and_no_other(void **state)
{
    rvl_rng r = rvl_rng_make(1, 1);
    int     seen[7] = {0};
    (void)state;
    for (int i = 0; i < 7000; i++) {
        int64_t v = rvl_rng_below(&r, 7);
        assert_in_range(v, 0, 6);
        seen[v]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 850, 1150);
}

static void shuffle__is_a_permutation_that_the_seed_decides(void **state)
{
    int64_t a[50], b[50];
    bool    seen[50] = {false};
    int     n_moved = 0;
    (void)state;
    for (int i = 0; i < 50; i++)
        a[i] = b[i] = i;
    rvl_rng r = rvl_rng_make(5, 6), again = rvl_rng_make(5, 6);
    rvl_rng_shuffle(&r, a, 50);
    rvl_rng_shuffle(&again, b, 50);
    assert_memory_equal(a, b, sizeof a);
    for (int i = 0; i < 50; i++) {
        assert_false(seen[a[i]]);
        seen[a[i]] = true;
        n_moved += a[i] != i;
    }
    assert_true(n_moved > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox__gives_known_answers),
        cmocka_unit_test(u32__walks_the_words_of_a_stream),
        cmocka_unit_test(mix__is_splitmix64),
        cmocka_unit_test(name__is_xxh3_64),
        cmocka_unit_test(uniform__stays_inside_and_has_its_moments),
        cmocka_unit_test(normal__has_its_moments),
        cmocka_unit_test(uniform_and_normal__follow_their_formulas),
        cmocka_unit_test(below__reaches_every_value_and_no_other),
        cmocka_unit_test(shuffle__is_a_permutation_that_the_seed_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
