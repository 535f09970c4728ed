/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_png.c
 * Any bytes as an image (the corpus is PNG) under small limits: refused, or every voxel can be read.
 */
#include "imaging/image_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const rvl_limits limits = {.max_voxels = 1 << 18, .max_side = 4096, .max_file_bytes = 1 << 16};
    rvl_volume      *v = NULL;
    rvl_error        err = {0};
    volatile double  sink = 0;

    if (rvl_image_parse(&v, data, size, "fuzz", &limits, &err)) {
        if (v || !err.text[0])
            __builtin_trap();
        return 0;
    }
    if (v->depth * v->height * v->width > limits.max_voxels)
        __builtin_trap();
    for (int64_t i = 0; i < v->depth * v->height * v->width; i++)
        sink = sink + rvl_volume_at(v, i);
    rvl_volume_free(v);
    return 0;
}
