/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_torch_zip.c
 * Any bytes as an archive of torch.save: refused, or every byte of every tensor can be read.
 */
#include "torch_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rvl_torch_file *f = NULL;
    rvl_error       err = {0};

    if (rvl__torch_zip_parse(&f, (rvl_span){data, size}, "fuzz", &err))
        return 0;
    torch_read_all(f);
    return 0;
}
