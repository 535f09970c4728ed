/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/row.h
 * What kernels over the last axis share: maximum, sums and exponentials of one row.
 */
#ifndef RVL_ENGINE_CPU_ISA_ROW_H
#define RVL_ENGINE_CPU_ISA_ROW_H
#include "engine/cpu/isa/vec.h"

/* Sum of f32 vectors in f64. */
typedef struct {
    vd sum;
} wide_sum;

INLINE void wide_add(wide_sum *s, vf v)
{
    s->sum += __builtin_convertvector(v, vd);
}

INLINE float row_max(const float *x, int64_t n)
{
    float   m = x[0];
    int64_t i = 0;

    if (n >= VL) {
        vf v = vload(x);
        for (i = VL; i + VL <= n; i += VL)
            v = vmax(vload(x + i), v);
        m = vhighest(v);
    }
    for (; i < n; i++)
        m = x[i] > m || x[i] != x[i] ? x[i] : m;
    return m;
}

/* y = exp(x - m); the sum. */
INLINE double row_exp(float *y, const float *x, int64_t n, float m)
{
    wide_sum s = {{0}};
    double   rest = 0.0;
    int64_t  i = 0;

    for (; i + VL <= n; i += VL) {
        const vf e = vexp(vload(x + i) - m);
        vstore(y + i, e);
        wide_add(&s, e);
    }
    if (i < n) {
        float e[VL];
        vstore(e, vexp(vload_n(x + i, n - i) - m));
        for (int64_t k = 0; k < n - i; k++) {
            y[i + k] = e[k];
            rest += e[k];
        }
    }
    return vsum_d(s.sum) + rest;
}

INLINE double row_dot(const float *a, const float *b, int64_t n)
{
    wide_sum s = {{0}};
    double   rest = 0.0;
    int64_t  i = 0;

    for (; i + VL <= n; i += VL)
        wide_add(&s, vload(a + i) * vload(b + i));
    for (; i < n; i++)
        rest += (double)a[i] * b[i];
    return vsum_d(s.sum) + rest;
}

/* Sum of exp(x - m), in f64. */
INLINE double row_sum_exp(const float *x, int64_t n, float m)
{
    wide_sum s = {{0}};
    double   rest = 0.0;
    int64_t  i = 0;

    for (; i + VL <= n; i += VL)
        wide_add(&s, vexp(vload(x + i) - m));
    if (i < n) {
        float e[VL];
        vstore(e, vexp(vload_n(x + i, n - i) - m));
        for (int64_t k = 0; k < n - i; k++)
            rest += e[k];
    }
    return vsum_d(s.sum) + rest;
}

INLINE double row_sum(const float *x, int64_t n)
{
    wide_sum s = {{0}};
    double   rest = 0.0;
    int64_t  i = 0;

    for (; i + VL <= n; i += VL)
        wide_add(&s, vload(x + i));
    for (; i < n; i++)
        rest += x[i];
    return vsum_d(s.sum) + rest;
}

#endif /* RVL_ENGINE_CPU_ISA_ROW_H */
