/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_prompt.c
 * Any bytes as a prompt file: what is accepted has its places and answers, and can be filled.
 */
#include "base/alloc.h"
#include "base/util.h"
#include "label/llm_prompt.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static rvl_schema *schema;
    rvl_prompt        *p = NULL;
    const rvl_span     report = {.ptr = data, .n_bytes = size};

    if (!schema)
        RVL_ASSERT(rvl_schema_open(&schema, "ct-rate-18", NULL) == RVL_OK);
    if (rvl_prompt_parse(&p, (const char *)data, size, "prompt", NULL))
        return 0;
    RVL_ASSERT(p->n_choices >= 2 && p->n_choices <= RVL_PROMPT_CHOICES_MAX && strstr(p->user, "{report}"));
    char *text = rvl_prompt_fill(p->user, schema, report, 3);
    RVL_ASSERT(text != NULL);
    rvl_free(text);
    rvl_prompt_free(p);
    return 0;
}
