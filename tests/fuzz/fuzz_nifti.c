/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_nifti.c
 * Any bytes as a NIfTI file: refused with a reason, or a volume of finite voxels at a place.
 * A pair gets the same bytes as its second half.
 */
#include "imaging/nifti.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const rvl_limits limits = {.max_voxels = 1 << 16, .max_side = 4096, .max_file_bytes = 1 << 16};
    const rvl_span   file = {.ptr = data, .n_bytes = size};

    for (int frame = -1; frame < 2; frame++) {
        const rvl_nifti_opts opts = {
            .frame = frame, .non_finite = frame < 0 ? RVL_NON_FINITE_REFUSE : RVL_NON_FINITE_FILL, .fill = -1024};
        rvl_volume    *v = NULL;
        rvl_nifti_info info;
        rvl_error      err = {0};
        if (rvl_nifti_parse(&v, &info, file, file, "fuzz", &opts, &limits, &err)) {
            if (v || !err.text[0])
                __builtin_trap();
            continue;
        }
        for (int64_t i = 0; i < v->depth * v->height * v->width; i++)
            if (!isfinite(rvl_volume_at(v, i)))
                __builtin_trap();
        if (!(v->spacing_mm.x > 0) || !isfinite(v->origin_mm.x + v->direction[2][1]) || info.n_frames <= frame)
            __builtin_trap();
        rvl_volume_free(v);
    }
    return 0;
}
