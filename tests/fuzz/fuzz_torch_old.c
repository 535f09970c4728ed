/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_torch_old.c
 * Any bytes as a file of torch.save before PyTorch 1.6: refused, or every byte of every tensor can be read.
 */
#include "torch_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rvl_torch_file *f = NULL;
    rvl_error       err = {0};

    if (rvl__torch_old_parse(&f, (rvl_span){data, size}, "fuzz", &err))
        return 0;
    torch_read_all(f);
    return 0;
}
