/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/vec.h
 * Vectors of f32, written once for every instruction set: the files of this folder are compiled once per set, with
 * RVL_ISA naming it and the compiler's flags allowing it. A vector is one channel block of the blocked layout.
 */
#ifndef RVL_ENGINE_CPU_ISA_VEC_H
#define RVL_ENGINE_CPU_ISA_VEC_H
#include <stdint.h>
#include <string.h>
#include "engine/cpu/cpu.h"

#define RVL_ISA_JOIN3(a, b, c) a##b##c
#define RVL_ISA_JOIN(a, b, c) RVL_ISA_JOIN3(a, b, c)
/* The name of a function of this instruction set: rvl__avx2_conv. */
#define ISA(name) RVL_ISA_JOIN(rvl__, RVL_ISA, _##name)

#ifdef __AVX512F__
#define VL 16
#else
#define VL 8
#endif

typedef float   vf __attribute__((vector_size(VL * 4), may_alias));
typedef int32_t vi __attribute__((vector_size(VL * 4), may_alias));
typedef float   vf_loose __attribute__((vector_size(VL * 4), may_alias, aligned(4)));
typedef int32_t vi_loose __attribute__((vector_size(VL * 4), may_alias, aligned(4)));
typedef double  vd __attribute__((vector_size(VL * 8), may_alias));

#ifdef RVL_ROLLED_TILES
#define UNROLL
#elif defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define INLINE static inline __attribute__((always_inline))

INLINE vf vload(const float *p)
{
    return *(const vf_loose *)p;
}

INLINE void vstore(float *p, vf v)
{
    *(vf_loose *)p = v;
}

INLINE vf vset(float x)
{
    return x - (vf){0};
}

INLINE vf vpick(vi mask, vf yes, vf no)
{
    return (vf)(((vi)yes & mask) | ((vi)no & ~mask));
}

INLINE vf vmax(vf a, vf b)
{
    return vpick(a > b, a, b);
}

INLINE vf vmin(vf a, vf b)
{
    return vpick(a < b, a, b);
}

/* Zero where x <= 0; NaN stays. */
INLINE vf vrelu(vf x)
{
    return (vf)((vi)x & ~(x <= 0.0F));
}

INLINE float vsum(vf v)
{
    float s[VL], t = 0.0F;

    vstore(s, v);
    for (int i = 0; i < VL / 2; i++)
        t += s[i] + s[i + VL / 2];
    return t;
}

INLINE double vsum_d(vd v)
{
    double t = 0.0;

    for (int i = 0; i < VL / 2; i++)
        t += v[i] + v[i + VL / 2];
    return t;
}

INLINE float vhighest(vf v)
{
    float t = v[0];

    for (int i = 1; i < VL; i++)
        t = v[i] > t ? v[i] : t;
    return t;
}

/* The first n lanes of memory, zeros after. */
INLINE vf vload_n(const float *p, int64_t n)
{
    float t[VL] = {0};

    memcpy(t, p, (size_t)n * sizeof *t);
    return vload(t);
}

INLINE void vstore_n(float *p, vf v, int64_t n)
{
    float t[VL];

    vstore(t, v);
    memcpy(p, t, (size_t)n * sizeof *t);
}

/* exp by 2^n times a polynomial on |r| <= ln 2 / 2 (the coefficients of Cephes' expf); about 1 ulp. Beyond what f32
 * holds: 0 and infinity. NaN stays. */
INLINE vf vexp(vf x)
{
    const vf magic = vset(12582912.0F); /* 1.5 * 2^23: adding it rounds to an integer */
    vf       c = vmin(vmax(x, vset(-103.0F)), vset(89.0F));
    vf       n = (c * 1.44269504088896341F + magic) - magic;
    vf       r = (c - n * 0.693359375F) - n * -2.12194440e-4F;
    vf       p = vset(1.9875691500E-4F);
    vi       k, k1;

    p = p * r + 1.3981999507E-3F;
    p = p * r + 8.3334519073E-3F;
    p = p * r + 4.1665795894E-2F;
    p = p * r + 1.6666665459E-1F;
    p = p * r + 5.0000001201E-1F;
    p = p * r * r + r + 1.0F;
    k = __builtin_convertvector(n, vi);
    k1 = k >> 1; /* two factors: each is a normal number */
    p = p * (vf)((k1 + 127) << 23) * (vf)((k - k1 + 127) << 23);
    return vpick(x == x, p, x);
}

/* erf on |x| <= 4 as an odd rational function (the coefficients of Eigen's erf); absolute error below 5e-7. */
INLINE vf verf(vf x)
{
    vf c = vmin(vmax(x, vset(-4.0F)), vset(4.0F));
    vf z = c * c;
    vf p = vset(-2.72614225801306e-10F), q = vset(-1.45660718464996e-05F);

    p = p * z + 2.77068142495902e-08F;
    p = p * z + -2.10102402082508e-06F;
    p = p * z + -5.69250639462346e-05F;
    p = p * z + -7.34990630326855e-04F;
    p = p * z + -2.95459980854025e-03F;
    p = p * z + -1.60960333262415e-02F;
    q = q * z + -2.13374055278905e-04F;
    q = q * z + -1.68282697438203e-03F;
    q = q * z + -7.37332916720468e-03F;
    q = q * z + -1.42647390514189e-02F;
    return vpick(x == x, c * p / q, x);
}

#endif /* RVL_ENGINE_CPU_ISA_VEC_H */
