/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/table.c
 * The kernels of one instruction set.
 */
#include "engine/cpu/isa/vec.h"

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)

const rvl_cpu_isa ISA(isa) = {
    .name = TEXT(RVL_ISA),
    .block = VL,
    .conv_pack = ISA(conv_pack),
    .winograd_pack = ISA(winograd_pack),
    .matmul_pack = ISA(matmul_pack),
    .adamw = ISA(adamw),
#define X(name) .name = ISA(name),
#include "engine/cpu/kernels.def"
#undef X
};
