/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/select.c
 * The instruction set in use and the kernel table over it.
 *
 * RVL_CPU_ISA (scalar, avx2, avx512) asks for a set; one that the processor lacks, or an unknown word, is answered with
 * the best that it has, and a warning.
 */
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "engine/cpu/lower.h"

static const rvl_cpu_isa *best_isa(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return &rvl__avx512_isa;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &rvl__avx2_isa;
#endif
    return &rvl__scalar_isa;
}

static const rvl_cpu_isa *choose_isa(void)
{
    const rvl_cpu_isa *const sets[] = {
        &rvl__scalar_isa,
#if defined(__x86_64__)
        &rvl__avx2_isa,
        &rvl__avx512_isa,
#endif
    };
    const rvl_cpu_isa *best = best_isa();
    const char        *want = getenv("RVL_CPU_ISA");

    if (!want || !*want)
        return best;
    for (size_t i = 0; i < RVL_ARRAY_LEN(sets); i++) {
        if (strcmp(want, sets[i]->name) == 0)
            return sets[i];
        if (sets[i] == best)
            break; /* what follows is beyond the processor */
    }
    rvl_log(RVL_LOG_WARN, "RVL_CPU_ISA=%s is not one of scalar, avx2, avx512 that this processor has: using %s", want,
            best->name);
    return best;
}

const rvl_cpu_isa *rvl__cpu_isa(void)
{
    static const rvl_cpu_isa *isa; /* one thread of a process makes plans */

    if (!isa)
        isa = choose_isa();
    return isa;
}

const char *rvl_cpu_isa_text(void)
{
    return rvl__cpu_isa()->name;
}

const rvl_kernel_table *rvl_cpu_kernels(void)
{
    static rvl_kernel_table table;

    if (!table.name) {
        table = *rvl_ref_kernels(); /* what has no vector kernel: losses, odd shapes */
        table.block = rvl__cpu_isa()->block;
        table.lower = rvl__cpu_lower;
        table.name = "cpu";
    }
    return &table;
}

void rvl_cpu_adamw(float *w, float *m, float *v, const float *grad, int64_t n, const rvl_adamw_factors *f)
{
    rvl__cpu_isa()->adamw(w, m, v, grad, n, f);
}
