/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/rng.h
 * Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011). A number is a function of (seed, stream, index), never of thread, rank or call order elsewhere.
 *
 * tests/golden/rvl_rng.py is the same generator in Python.
 */
#ifndef RVL_BASE_RNG_H
#define RVL_BASE_RNG_H
#include "rvl/status.h"

/** The raw block function: counter and key -> four words. */
void rvl_philox4x32(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/** A sequence: word i of stream = word (i % 4) of philox(counter {i/4 low, i/4 high, stream low, stream high},
 *  key {seed low, seed high}). */
typedef struct {
    uint64_t seed, stream, index; /* index: next 32-bit word */
} rvl_rng;

rvl_rng  rvl_rng_make(uint64_t seed, uint64_t stream);
/** Mix several keys into a stream id (splitmix64 finaliser over a running sum). */
uint64_t rvl_rng_mix(uint64_t a, uint64_t b);
/** Stream id of a name: xxh3-64 of its bytes. */
uint64_t rvl_rng_name(const char *name);
uint32_t rvl_rng_u32(rvl_rng *r);
/** Uniform in [0, 1): (u32 + 0.5) * 2^-32, one word. Never 0, never 1. */
double   rvl_rng_uniform(rvl_rng *r);
/** Standard normal: Box-Muller, cosine branch, two words a number: u1 then u2, sqrt(-2 ln u1) cos(2 pi u2). */
double   rvl_rng_normal(rvl_rng *r);
/** Uniform integer in [0, n): floor(uniform * n), n in 1..2^31. */
int64_t  rvl_rng_below(rvl_rng *r, int64_t n);
/** Fisher-Yates shuffle of `n` indices: for i = n-1..1 swap(i, below(i + 1)). */
void     rvl_rng_shuffle(rvl_rng *r, int64_t *items, int64_t n);

#endif /* RVL_BASE_RNG_H */
