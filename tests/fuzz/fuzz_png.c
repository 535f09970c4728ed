/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_png.c
 * Any bytes as an image under small limits: refused, or every voxel can be read. The corpus is PNG; each input is
 * tried as it is and with the checksum of every chunk put right, or nearly all would be refused for that.
 */
#include "imaging/image_file.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const uint8_t *data, size_t size)
{
    const rvl_limits limits = {.max_voxels = 1 << 18, .max_side = 4096, .max_file_bytes = 1 << 16};
    rvl_volume      *v = NULL;
    rvl_error        err = {0};
    volatile double  sink = 0;

    if (rvl_image_parse(&v, data, size, "fuzz", &limits, &err)) {
        if (v || !err.text[0])
            __builtin_trap();
        return;
    }
    if (v->depth * v->height * v->width > limits.max_voxels)
        __builtin_trap();
    for (int64_t i = 0; i < v->depth * v->height * v->width; i++)
        sink = sink + rvl_volume_at(v, i);
    rvl_volume_free(v);
}

static void put_be32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);

    parse(data, size);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    for (size_t at = 8; size >= 12 && at <= size - 12;) {
        size_t n = (size_t)copy[at] << 24 | (size_t)copy[at + 1] << 16 | (size_t)copy[at + 2] << 8 | copy[at + 3];
        if (n > size - 12 - at)
            break;
        put_be32(copy + at + 8 + n, (uint32_t)crc32(0, copy + at + 4, (uInt)n + 4));
        at += 12 + n;
    }
    parse(copy, size);
    free(copy);
    return 0;
}
