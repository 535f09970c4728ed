/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/convert.c
 * Conversion of numbers between dtypes, and shapes as text.
 */
#include "engine/convert.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static uint32_t f32_bits(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    return u;
}

static float f32_from_bits(uint32_t u)
{
    float f;

    memcpy(&f, &u, sizeof f);
    return f;
}

/** f64 -> bits of f32 rounded to odd, so that a second rounding to fewer bits is as if done once. */
static uint32_t f32_bits_to_odd(double value)
{
    float    f = (float)value;
    uint32_t u = f32_bits(f);

    if (isnan(value) || (double)f == value || isinf(value))
        return u;
    if (fabs((double)f) > fabs(value))
        u--; /* towards zero first: truncation keeps the sign and lowers the magnitude */
    return u | 1U;
}

uint16_t rvl__bf16_from_f64(double value)
{
    uint32_t u = f32_bits_to_odd(value);

    if (isnan(value))
        return (uint16_t)((u >> 16) | 0x40U);
    return (uint16_t)((u + 0x7fffU + ((u >> 16) & 1U)) >> 16);
}

double rvl__bf16_to_f64(uint16_t bits)
{
    return (double)f32_from_bits((uint32_t)bits << 16);
}

uint16_t rvl__f16_from_f64(double value)
{
    uint32_t u = f32_bits_to_odd(value);
    uint32_t sign = (u >> 16) & 0x8000U;
    uint32_t mag = u & 0x7fffffffU;

    if (mag > 0x7f800000U)
        return (uint16_t)(sign | 0x7e00U);
    if (mag >= 0x47800000U) /* 65536 and above, infinity included */
        return (uint16_t)(sign | 0x7c00U);
    if (mag < 0x38800000U) { /* below the smallest normal 2^-14: the unit is 2^-24 */
        double scaled = ldexp((double)f32_from_bits(mag), 24);
        return (uint16_t)(sign | (uint32_t)nearbyint(scaled));
    }
    mag -= 112U << 23; /* exponent bias 127 -> 15; a carry out of the mantissa moves into the exponent, also to inf */
    return (uint16_t)(sign | ((mag + 0xfffU + ((mag >> 13) & 1U)) >> 13));
}

double rvl__f16_to_f64(uint16_t bits)
{
    int    exponent = (bits >> 10) & 31;
    int    mantissa = bits & 1023;
    double v;

    if (exponent == 31)
        v = mantissa ? (double)NAN : (double)INFINITY;
    else
        v = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
    return bits & 0x8000 ? -v : v;
}

bool rvl__dtype_is_float(rvl_dtype dtype)
{
    return dtype == RVL_DTYPE_F64 || dtype == RVL_DTYPE_F32 || dtype == RVL_DTYPE_BF16 || dtype == RVL_DTYPE_F16;
}

double rvl__element_get(const void *data, rvl_dtype dtype, int64_t i)
{
    switch (dtype) {
    case RVL_DTYPE_F64:
        return ((const double *)data)[i];
    case RVL_DTYPE_F32:
        return (double)((const float *)data)[i];
    case RVL_DTYPE_BF16:
        return rvl__bf16_to_f64(((const uint16_t *)data)[i]);
    case RVL_DTYPE_F16:
        return rvl__f16_to_f64(((const uint16_t *)data)[i]);
    case RVL_DTYPE_I64:
        return (double)((const int64_t *)data)[i];
    case RVL_DTYPE_I32:
        return ((const int32_t *)data)[i];
    case RVL_DTYPE_I16:
        return ((const int16_t *)data)[i];
    case RVL_DTYPE_U8:
        return ((const uint8_t *)data)[i];
    }
    return (double)NAN;
}

void rvl__element_set(void *data, rvl_dtype dtype, int64_t i, double value)
{
    if (dtype == RVL_DTYPE_F64)
        ((double *)data)[i] = value;
    else if (dtype == RVL_DTYPE_F32)
        ((float *)data)[i] = (float)value;
    else if (dtype == RVL_DTYPE_BF16)
        ((uint16_t *)data)[i] = rvl__bf16_from_f64(value);
    else if (dtype == RVL_DTYPE_F16)
        ((uint16_t *)data)[i] = rvl__f16_from_f64(value);
}

void rvl__convert(void *dst, rvl_dtype dst_dtype, const void *src, rvl_dtype src_dtype, int64_t n)
{
    if (dst_dtype == src_dtype) {
        if (n > 0)
            memcpy(dst, src, (size_t)n * rvl_dtype_bytes(dst_dtype));
        return;
    }
    for (int64_t i = 0; i < n; i++)
        rvl__element_set(dst, dst_dtype, i, rvl__element_get(src, src_dtype, i));
}

const char *rvl__shape_text(char *out, int n_dims, const int64_t *shape)
{
    size_t n = 0;

    out[n++] = '(';
    for (int i = 0; i < n_dims; i++)
        n += (size_t)snprintf(out + n, RVL_SHAPE_TEXT_BYTES - n, i ? ", %lld" : "%lld", (long long)shape[i]);
    out[n++] = ')';
    out[n] = 0;
    return out;
}

bool rvl__shape_equal(int n_a, const int64_t *a, int n_b, const int64_t *b)
{
    if (n_a != n_b)
        return false;
    for (int i = 0; i < n_a; i++)
        if (a[i] != b[i])
            return false;
    return true;
}
