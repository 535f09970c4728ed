/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_schema.c
 * Any bytes as a finding schema: refused, or every finding is found under its own name and has prompts.
 */
#include "base/util.h"
#include "findings/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rvl_schema *s = NULL;

    if (rvl_schema_parse(&s, (const char *)data, size, "fuzz.yaml", NULL) != RVL_OK)
        return 0;
    RVL_ASSERT(rvl_schema_count(s) > 0);
    for (int i = 0; i < rvl_schema_count(s); i++) {
        const rvl_finding *f = rvl_schema_at(s, i);
        RVL_ASSERT(rvl_schema_index(s, f->name) == i && rvl_schema_index(s, f->title) == i);
        RVL_ASSERT(f->n_positive > 0 && f->n_negative > 0 && f->positive[0] && f->negative[0]);
    }
    rvl_schema_free(s);
    return 0;
}
