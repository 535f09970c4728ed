/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/adamw.c
 * One step of AdamW over a run of one weight; see rvl_cpu_adamw.
 */
#include <math.h>
#include "engine/cpu/isa/vec.h"

void ISA(adamw)(float *restrict w, float *restrict m, float *restrict v, const float *restrict grad, int64_t n,
                const rvl_adamw_factors *factors)
{
    const rvl_adamw_factors f = *factors;

    for (int64_t i = 0; i < n; i++) {
        const float g = grad[i] * f.scale;
        m[i] = f.keep_m * m[i] + f.add_m * g;
        v[i] = f.keep_v * v[i] + f.add_v * g * g;
        w[i] -= f.decay * w[i] + f.step * m[i] / (sqrtf(v[i]) * f.root + f.eps);
    }
}
