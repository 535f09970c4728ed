/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/dropout.c
 * Dropout with the random numbers of the reference: Philox 4x32-10 (Salmon et al. 2011), a vector of counters at a
 * time.
 */
#include <math.h>
#include "base/rng.h"
#include "engine/cpu/isa/vec.h"

typedef uint32_t vu __attribute__((vector_size(VL * 4)));
typedef uint64_t vw __attribute__((vector_size(VL * 8)));

#define N_ROUNDS 10
#define MULTIPLY_0 0xD2511F53u
#define MULTIPLY_1 0xCD9E8D57u
#define WEYL_0 0x9E3779B9u
#define WEYL_1 0xBB67AE85u

INLINE void multiply(vu *high, vu *low, vu a, uint32_t b)
{
    const vw product = __builtin_convertvector(a, vw) * b;

    *high = __builtin_convertvector(product >> 32, vu);
    *low = __builtin_convertvector(product & 0xffffffffu, vu);
}

/* Words 0..3 of the counters `block` .. block + VL - 1 of one stream. */
INLINE void philox(vu out[4], uint64_t block, uint64_t stream, uint64_t seed)
{
    vu       c[4] = {{0}};
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);

    for (int i = 0; i < VL; i++) {
        c[0][i] = (uint32_t)(block + (uint64_t)i);
        c[1][i] = (uint32_t)((block + (uint64_t)i) >> 32);
    }
    c[2] = c[2] + (uint32_t)stream;
    c[3] = c[3] + (uint32_t)(stream >> 32);
    for (int r = 0; r < N_ROUNDS; r++, k0 += WEYL_0, k1 += WEYL_1) {
        vu high0, low0, high1, low1;
        multiply(&high0, &low0, c[0], MULTIPLY_0);
        multiply(&high1, &low1, c[2], MULTIPLY_1);
        c[0] = high1 ^ c[1] ^ k0;
        c[2] = high0 ^ c[3] ^ k1;
        c[1] = low1;
        c[3] = low0;
    }
    memcpy(out, c, sizeof c);
}

/* in: x; out: y. Element i is kept where (word i + 0.5) / 2^32 >= p. */
void ISA(dropout)(rvl_kernel_call *call)
{
    const double   p = call->attr.dropout.p, edge = ceil(p * 0x1p32 - 0.5);
    const uint64_t first = edge > 0.0 ? (uint64_t)edge : 0, seed = rvl_rng_mix(call->seed, call->step);
    const float    scale = p < 1.0 ? (float)(1.0 / (1.0 - p)) : 0.0F, *x = call->in[0].data;
    float         *y = call->out[0].data;
    const int64_t  n = call->out[0].count;

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i += 4 * VL) {
        uint32_t words[4][VL];
        vu       w[4];

        philox(w, (uint64_t)i / 4, call->attr.dropout.node_id, seed);
        memcpy(words, w, sizeof words);
        for (int64_t k = 0; k < 4 * VL && i + k < n; k++)
            y[i + k] = words[k % 4][k / 4] >= first ? x[i + k] * scale : 0.0F;
    }
}
