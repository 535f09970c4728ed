/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_base_alloc.c
 * The gate to the heap: alignment, counting, overflow, injected failures, arenas.
 */
#include "support.h"
#include "base/alloc.h"

static void blocks__are_aligned_and_counted(void **state)
{
    size_t live = rvl_alloc_get_stats().live_bytes;
    void  *blocks[40];
    (void)state;
    for (size_t i = 0; i < 20; i++) {
        blocks[i] = rvl_alloc(i * 7);
        blocks[20 + i] = rvl_alloc_aligned(i * 13 + 1);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        assert_int_equal((uintptr_t)blocks[20 + i] % 64, 0);
        memset(blocks[i], 0xff, i * 7);
        memset(blocks[20 + i], 0xff, i * 13 + 1);
    }
    assert_int_equal(rvl_alloc_get_stats().live_bytes - live, 7 * 190 + 13 * 190 + 20);
    for (size_t i = 0; i < 40; i++)
        rvl_free(blocks[i]);
    rvl_free(NULL);
    assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
}

static void alloc_array__clears_and_refuses_overflow(void **state)
{
    unsigned char *dirty = rvl_alloc(4096), zero[4096] = {0};
    (void)state;
    memset(dirty, 0xaa, 4096);
    rvl_free(dirty);
    unsigned char *clean = rvl_alloc_array(512, 8);
    assert_memory_equal(clean, zero, 4096);
    assert_null(rvl_alloc_array(SIZE_MAX / 2, 3));
    assert_null(rvl_realloc_array(clean, SIZE_MAX / 2, 3));
    assert_null(rvl_realloc_array(clean, SIZE_MAX - 8, 1));
    assert_null(rvl_alloc(SIZE_MAX));
    assert_null(rvl_alloc_aligned(SIZE_MAX - 32));
    assert_memory_equal(clean, zero, 4096); /* a failed growth leaves the block */
    rvl_free(clean);
}

static void realloc_array__keeps_bytes_and_count(void **state)
{
    size_t live = rvl_alloc_get_stats().live_bytes;
    char  *plain = rvl_realloc_array(NULL, 4, 1), *aligned = rvl_alloc_aligned(4);
    (void)state;
    memcpy(plain, "abc", 4);
    memcpy(aligned, "xyz", 4);
    plain = rvl_realloc_array(plain, 100000, 1);
    aligned = rvl_realloc_array(aligned, 100000, 1);
    assert_string_equal(plain, "abc");
    assert_string_equal(aligned, "xyz");
    assert_int_equal(rvl_alloc_get_stats().live_bytes - live, 200000);
    plain = rvl_realloc_array(plain, 2, 1);
    assert_memory_equal(plain, "ab", 2);
    rvl_free(plain);
    rvl_free(aligned);
    assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
}

static void peak__is_the_highest_live_count(void **state)
{
    void  *a = rvl_alloc(10 << 20);
    size_t high = rvl_alloc_get_stats().live_bytes;
    (void)state;
    rvl_free(a);
    assert_true(rvl_alloc_get_stats().peak_bytes >= high);
    assert_true(rvl_alloc_get_stats().live_bytes <= high - (10 << 20));
}

static void fail_at__fails_exactly_the_nth_call(void **state)
{
    uint64_t n_calls = rvl_alloc_get_stats().n_calls;
    void    *p[4];
    (void)state;
    rvl_alloc_fail_at(3);
    p[0] = rvl_alloc(1);
    p[1] = rvl_alloc_array(1, 1);
    p[2] = rvl_alloc_aligned(1);
    p[3] = rvl_alloc(1);
    assert_non_null(p[0]);
    assert_non_null(p[1]);
    assert_null(p[2]);
    assert_non_null(p[3]);
    assert_int_equal(rvl_alloc_get_stats().n_calls - n_calls, 4);
    rvl_alloc_fail_at(1);
    assert_null(rvl_realloc_array(p[0], 100, 1));
    rvl_alloc_fail_at(1);
    rvl_alloc_fail_at(0);
    p[2] = rvl_alloc(1);
    assert_non_null(p[2]);
    for (int i = 0; i < 4; i++)
        rvl_free(p[i]);
}

static void sizes__detect_overflow(void **state)
{
    size_t out;
    (void)state;
    assert_true(rvl_mul_size(&out, SIZE_MAX / 3, 3));
    assert_int_equal(out, SIZE_MAX / 3 * 3);
    assert_false(rvl_mul_size(&out, SIZE_MAX / 3 + 1, 3));
    assert_true(rvl_add_size(&out, SIZE_MAX, 0));
    assert_false(rvl_add_size(&out, SIZE_MAX, 1));
}

static void strdup__copies(void **state)
{
    char *a = rvl_strdup("whole"), *b = rvl_strndup("whole", 3), *c = rvl_strndup("ab", 9);
    (void)state;
    assert_string_equal(a, "whole");
    assert_string_equal(b, "who");
    assert_string_equal(c, "ab");
    rvl_free(a);
    rvl_free(b);
    rvl_free(c);
}

static void arena__gives_clean_aligned_blocks_and_frees_all(void **state)
{
    size_t     live = rvl_alloc_get_stats().live_bytes;
    rvl_arena *arena = rvl_arena_new();
    (void)state;
    for (int round = 0; round < 3; round++) {
        unsigned char *last = NULL;
        for (size_t i = 0; i < 3000; i++) {
            size_t         n = i % 97 + (i == 1500 ? 200000 : 0);
            unsigned char *p = rvl_arena_alloc(arena, n);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 16, 0);
            for (size_t j = 0; j < n; j++)
                assert_int_equal(p[j], 0);
            memset(p, 0xee, n);
            if (last && i % 97 > 1)
                assert_int_equal(last[0], 0xee);
            last = i % 97 ? p : NULL;
        }
        assert_string_equal(rvl_arena_strndup(arena, "report", 3), "rep");
        rvl_arena_reset(arena);
    }
    assert_null(rvl_arena_alloc(arena, SIZE_MAX - 4));
    assert_null(rvl_arena_alloc(arena, SIZE_MAX - 40));
    rvl_arena_free(arena);
    rvl_arena_free(NULL);
    assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks__are_aligned_and_counted),
        cmocka_unit_test(alloc_array__clears_and_refuses_overflow),
        cmocka_unit_test(realloc_array__keeps_bytes_and_count),
        cmocka_unit_test(peak__is_the_highest_live_count),
        cmocka_unit_test(fail_at__fails_exactly_the_nth_call),
        cmocka_unit_test(sizes__detect_overflow),
        cmocka_unit_test(strdup__copies),
        cmocka_unit_test(arena__gives_clean_aligned_blocks_and_frees_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
