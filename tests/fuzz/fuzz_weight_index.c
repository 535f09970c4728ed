/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_weight_index.c
 * Any bytes as an index of weight files: refused, or every name is one of a file in the same folder.
 */
#include "engine/weight_index.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t     *map = NULL;
    rvl_error   err = {0};
    const char *key;
    json_t     *value;

    if (rvl__weight_index_parse(&map, (rvl_span){data, size}, "fuzz", &err))
        return 0;
    json_object_foreach(map, key, value)
    {
        if (strchr(json_string_value(value), '/') || json_string_value(value)[0] == '.')
            abort();
    }
    json_decref(map);
    return 0;
}
