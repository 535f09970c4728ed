/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/ref/table.c
 * The kernel table of the reference backend: every row of ops.def.
 */
#include "engine/ref/ref.h"

static const rvl_kernel_table ref_table = {
    .name = "ref",
    .block = 1,
    .kernels =
        {
#define X(NAME, name, n_in, n_out, attr) [RVL_OP_##NAME] = rvl__ref_##name,
#include "engine/ops.def"
#undef X
        },
};

const rvl_kernel_table *rvl_ref_kernels(void)
{
    return &ref_table;
}
