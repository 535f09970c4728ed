/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_safetensors.c
 * Any bytes as a safetensors file: refused, or every tensor's last byte can be read.
 */
#include "engine/safetensors.h"
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rvl_safetensors *f = NULL;
    rvl_error        err = {0};
    volatile uint8_t sink = 0;

    if (rvl_safetensors_parse(&f, data, size, "fuzz", &err))
        return 0;
    for (int i = 0; i < rvl_safetensors_count(f); i++) {
        const rvl_tensor *t = rvl_safetensors_tensor(f, i);
        if (rvl_tensor_bytes(t) > 0)
            sink = ((const uint8_t *)rvl_tensor_const_data(t))[rvl_tensor_bytes(t) - 1];
        (void)rvl_safetensors_find(f, rvl_safetensors_name(f, i));
    }
    (void)sink;
    (void)rvl_safetensors_metadata(f, "format");
    rvl_safetensors_close(f);
    return 0;
}
