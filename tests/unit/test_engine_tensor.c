/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_engine_tensor.c
 * Tensors: the dtype table, limits of shapes, conversions rounded once to nearest even.
 */
#include "tests/support.h"
#include "engine/convert.h"
#include <math.h>

static void dtype__table_has_stable_numbers(void **state)
{
    (void)state;
    assert_int_equal(RVL_DTYPE_F64, 0);
    assert_int_equal(RVL_DTYPE_U8, 7);
    assert_int_equal(rvl_dtype_bytes(RVL_DTYPE_BF16), 2);
    assert_int_equal(rvl_dtype_bytes((rvl_dtype)40), 0);
    assert_string_equal(rvl_dtype_text(RVL_DTYPE_I64), "i64");
}

static void tensor__starts_zeroed_and_aligned(void **state)
{
    rvl_tensor *t;
    rvl_error   err = {0};

    (void)state;
    assert_int_equal(rvl_tensor_new(&t, RVL_DTYPE_I16, 2, (int64_t[]){3, 7}, &err), RVL_OK);
    assert_int_equal(rvl_tensor_count(t), 21);
    assert_int_equal(rvl_tensor_bytes(t), 42);
    assert_int_equal((uintptr_t)rvl_tensor_data(t) % 64, 0);
    for (int i = 0; i < 21; i++)
        assert_int_equal(((int16_t *)rvl_tensor_data(t))[i], 0);
    rvl_tensor_free(t);
}

static void tensor__refuses_impossible_shapes(void **state)
{
    rvl_tensor   *t;
    rvl_error     err = {0};
    const int64_t huge = (int64_t)1 << 40, nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};

    (void)state;
    assert_int_equal(rvl_tensor_new(&t, RVL_DTYPE_F32, 1, (int64_t[]){-1}, &err), RVL_ERR_SHAPE);
    assert_int_equal(rvl_tensor_new(&t, RVL_DTYPE_F32, 9, nine, &err), RVL_ERR_SHAPE);
    assert_int_equal(rvl_tensor_new(&t, RVL_DTYPE_F32, 2, (int64_t[]){huge, huge}, &err), RVL_ERR_LIMIT);
    assert_int_equal(rvl_tensor_new(&t, RVL_DTYPE_F64, 2, (int64_t[]){huge, 1 << 21}, &err), RVL_ERR_LIMIT);
    assert_null(t);
}

static void tensor__borrows_without_owning(void **state)
{
    float       data[4] = {1, 2, 3, 4};
    rvl_tensor *t;
    rvl_error   err = {0};

    (void)state;
    assert_int_equal(rvl_tensor_borrow(&t, RVL_DTYPE_F32, 2, (int64_t[]){2, 2}, data, &err), RVL_OK);
    assert_ptr_equal(rvl_tensor_data(t), data);
    rvl_tensor_free(t);
    assert_true(data[3] == 4.0F);
}

/** Values from the definitions of the formats (IEEE 754 binary16; bfloat16 = the upper half of binary32). */
static void convert__rounds_to_nearest_even(void **state)
{
    static const struct {
        double   value;
        uint16_t bf16, f16;
    } rows[] = {
        {0.0, 0x0000, 0x0000},
        {-0.0, 0x8000, 0x8000},
        {1.0, 0x3f80, 0x3c00},
        {-2.0, 0xc000, 0xc000},
        {1.0 + 0x1p-8, 0x3f80, 0x3c04},            /* bf16: a tie, down to even */
        {1.0 + 0x3p-8, 0x3f82, 0x3c0c},            /* bf16: a tie, up to even */
        {1.0 + 0x1p-11, 0x3f80, 0x3c00},           /* f16: a tie, down to even */
        {1.0 + 0x3p-11, 0x3f80, 0x3c02},           /* f16: a tie, up to even */
        {1.0 + 0x1p-8 + 0x1p-40, 0x3f81, 0x3c04},  /* just above the tie, lost by a detour through f32 */
        {1.0 + 0x1p-11 + 0x1p-40, 0x3f80, 0x3c01}, /* the same for f16 */
        {1.0 + 0x3p-8 - 0x1p-40, 0x3f81, 0x3c0c},
        {65504.0, 0x4780, 0x7bff},
        {65519.0, 0x4780, 0x7bff},
        {65520.0, 0x4780, 0x7c00},
        {-1e30, 0xf14a, 0xfc00},
        {0x1p-14, 0x3880, 0x0400},
        {0x1p-24, 0x3380, 0x0001},
        {0x1p-25, 0x3300, 0x0000}, /* f16: a tie between 0 and the least subnormal */
        {0x1.8p-24, 0x33c0, 0x0002},
    };

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(rows); i++) {
        if (rvl__bf16_from_f64(rows[i].value) != rows[i].bf16 || rvl__f16_from_f64(rows[i].value) != rows[i].f16)
            fail_msg("%a: %04x %04x", rows[i].value, rvl__bf16_from_f64(rows[i].value),
                     rvl__f16_from_f64(rows[i].value));
    }
    assert_int_equal(rvl__f16_from_f64((double)INFINITY), 0x7c00);
    assert_true(isnan(rvl__f16_to_f64(rvl__f16_from_f64((double)NAN))));
    assert_true(isnan(rvl__bf16_to_f64(rvl__bf16_from_f64((double)NAN))));
}

static void convert__is_exact_for_every_16_bit_number(void **state)
{
    (void)state;
    for (uint32_t u = 0; u < 65536; u++) {
        double h = rvl__f16_to_f64((uint16_t)u), b = rvl__bf16_to_f64((uint16_t)u);
        if (!isnan(h))
            assert_int_equal(rvl__f16_from_f64(h), u);
        if (!isnan(b))
            assert_int_equal(rvl__bf16_from_f64(b), u);
    }
}

static void convert__goes_from_integers_to_floats_only(void **state)
{
    int32_t     data[2] = {-3, 16777217};
    rvl_tensor *t, *f = NULL;
    rvl_error   err = {0};

    (void)state;
    assert_int_equal(rvl_tensor_borrow(&t, RVL_DTYPE_I32, 1, (int64_t[]){2}, data, &err), RVL_OK);
    assert_int_equal(rvl_tensor_convert(&f, t, RVL_DTYPE_F64, &err), RVL_OK);
    assert_true(((double *)rvl_tensor_data(f))[0] == -3.0 && ((double *)rvl_tensor_data(f))[1] == 16777217.0);
    rvl_tensor_free(t);
    assert_int_equal(rvl_tensor_convert(&t, f, RVL_DTYPE_I32, &err), RVL_ERR_SHAPE);
    assert_null(t);
    rvl_tensor_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtype__table_has_stable_numbers),
        cmocka_unit_test(tensor__starts_zeroed_and_aligned),
        cmocka_unit_test(tensor__refuses_impossible_shapes),
        cmocka_unit_test(tensor__borrows_without_owning),
        cmocka_unit_test(convert__rounds_to_nearest_even),
        cmocka_unit_test(convert__is_exact_for_every_16_bit_number),
        cmocka_unit_test(convert__goes_from_integers_to_floats_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
