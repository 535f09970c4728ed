/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_json.c
 * Any bytes as JSON: refused, or a value that formats to text which parses to the same value.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "base/util.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t    *json, *again;
    char      *text;
    rvl_error  err = {0};
    rvl_status st;

    if (rvl_json_parse(&json, (const char *)data, size, "fuzz", &err))
        return 0;
    st = rvl_json_format(&text, json, size % 3, &err);
    RVL_ASSERT(st == RVL_OK);
    st = rvl_json_parse(&again, text, strlen(text), "again", &err);
    RVL_ASSERT(st == RVL_OK);
    RVL_ASSERT(json_equal(json, again));
    rvl_free(text);
    json_decref(json);
    json_decref(again);
    return 0;
}
