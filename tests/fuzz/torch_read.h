/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/torch_read.h
 * What the fuzz targets of torch.save's two containers do with a file that was not refused.
 */
#ifndef RVL_TESTS_FUZZ_TORCH_READ_H
#define RVL_TESTS_FUZZ_TORCH_READ_H
#include "engine/torch_file.h"

/** Touch every name and the bytes of every tensor, from the end; then close. */
static inline void torch_read_all(rvl_torch_file *f)
{
    volatile size_t sink = 0;

    for (int i = 0; i < rvl__torch_count(f); i++) {
        const rvl_tensor *t = rvl__torch_tensor(f, i);

        sink += (size_t)rvl__torch_name(f, i)[0];
        for (size_t k = 0; k < rvl_tensor_bytes(t) && k < 65536; k++)
            sink += ((const uint8_t *)rvl_tensor_const_data(t))[rvl_tensor_bytes(t) - 1 - k];
    }
    (void)sink;
    rvl__torch_close(f);
}

#endif /* RVL_TESTS_FUZZ_TORCH_READ_H */
