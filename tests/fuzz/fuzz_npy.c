/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_npy.c
 * Any bytes as an npy array: refused, or every element can be read; then the same as an image.
 */
#include "imaging/image_file.h"
#include "imaging/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const rvl_limits limits = {.max_voxels = 1 << 16, .max_side = 4096, .max_file_bytes = 1 << 16};
    rvl_volume      *v = NULL;
    rvl_npy          a = {0};
    rvl_error        err = {0};
    volatile double  sink = 0;

    if (!rvl_npy_parse(&a, data, size, "fuzz", 1 << 16, &err))
        for (int64_t i = 0; i < a.count; i++)
            sink = sink + rvl_npy_at(&a, i);
    else if (a.data || !err.text[0])
        __builtin_trap();
    rvl_npy_fini(&a);
    if (!rvl_image_parse(&v, data, size, "fuzz", &limits, &err))
        sink = sink + rvl_volume_at(v, v->depth * v->height * v->width - 1);
    rvl_volume_free(v);
    return 0;
}
