/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/rng.c
 * Philox4x32-10 and the distributions on top of it.
 */
#include "base/rng.h"
#include "base/util.h"

#include <math.h>
#include <string.h>

#include "base/banned.h"

#define PHILOX_M0 0xD2511F53u
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u
#define PHILOX_W1 0xBB67AE85u
#define PHILOX_ROUNDS 10

void rvl_philox4x32(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];

    for (int i = 0; i < PHILOX_ROUNDS; i++) {
        uint64_t p0 = (uint64_t)PHILOX_M0 * c0;
        uint64_t p1 = (uint64_t)PHILOX_M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

rvl_rng rvl_rng_make(uint64_t seed, uint64_t stream)
{
    return (rvl_rng){seed, stream, 0};
}

uint64_t rvl_rng_mix(uint64_t a, uint64_t b)
{
    uint64_t z = a + UINT64_C(0x9E3779B97F4A7C15) * (b + 1);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint64_t rvl_rng_name(const char *name)
{
    return rvl_hash64(name, strlen(name));
}

uint32_t rvl_rng_u32(rvl_rng *r)
{
    uint64_t block = r->index / 4;
    uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)r->stream, (uint32_t)(r->stream >> 32)};
    uint32_t key[2] = {(uint32_t)r->seed, (uint32_t)(r->seed >> 32)};
    uint32_t words[4];

    rvl_philox4x32(words, counter, key);
    return words[r->index++ % 4];
}

double rvl_rng_uniform(rvl_rng *r)
{
    return ((double)rvl_rng_u32(r) + 0.5) * 0x1p-32;
}

double rvl_rng_normal(rvl_rng *r)
{
    const double two_pi = 6.283185307179586476925;
    double       u1 = rvl_rng_uniform(r);
    double       u2 = rvl_rng_uniform(r);

    return sqrt(-2.0 * log(u1)) * cos(two_pi * u2);
}

int64_t rvl_rng_below(rvl_rng *r, int64_t n)
{
    RVL_ASSERT(n >= 1 && n <= INT64_C(1) << 31);
    return (int64_t)floor(rvl_rng_uniform(r) * (double)n);
}

void rvl_rng_shuffle(rvl_rng *r, int64_t *items, int64_t n)
{
    for (int64_t i = n - 1; i >= 1; i--) {
        int64_t j = rvl_rng_below(r, i + 1);
        int64_t item = items[i];
        items[i] = items[j];
        items[j] = item;
    }
}
