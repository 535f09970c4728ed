/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_torch_old.c
 * Any bytes as a file of torch.save before PyTorch 1.6: refused, or every byte of every tensor can be read.
 */
#include "engine/torch_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rvl_torch_file *f = NULL;
    rvl_error       err = {0};
    volatile size_t sink = 0;

    if (rvl__torch_old_parse(&f, (rvl_span){data, size}, "fuzz", &err))
        return 0;
    for (int i = 0; i < rvl__torch_count(f); i++) {
        const rvl_tensor *t = rvl__torch_tensor(f, i);

        sink += (size_t)rvl__torch_name(f, i)[0];
        for (size_t k = 0; k < rvl_tensor_bytes(t) && k < 65536; k++)
            sink += ((const uint8_t *)rvl_tensor_const_data(t))[rvl_tensor_bytes(t) - 1 - k];
    }
    (void)sink;
    rvl__torch_close(f);
    return 0;
}
