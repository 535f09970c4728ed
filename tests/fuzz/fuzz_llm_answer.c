/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_llm_answer.c
 * Any bytes as a server's answer and as the model's words in it: what is accepted is one of the prompt's choices for
 * every finding, and its shares sum to one. The first byte says which prompt.
 */
#include "base/util.h"
#include "label/llm_wire.h"
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char SCHEMA[] = "name: two\n"
                             "templates: {positive: [\"There is {}.\"], negative: [\"There is no {}.\"]}\n"
                             "findings: [{name: a, title: aa}, {name: b, title: bb}]\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"published-ct", "json", "yes-no"};
    static rvl_schema       *schema;
    static rvl_prompt       *prompts[3];
    rvl_answer_value         v[2];
    double                   shares[2 * RVL_PROMPT_CHOICES_MAX];
    rvl_wire_answer          a;

    for (int i = 0; i < 3 && !prompts[i]; i++)
        RVL_ASSERT(rvl_prompt_open(&prompts[i], names[i], NULL) == RVL_OK);
    if (!schema)
        RVL_ASSERT(rvl_schema_parse(&schema, SCHEMA, sizeof SCHEMA - 1, "two", NULL) == RVL_OK);
    if (size == 0)
        return 0;
    const rvl_prompt *p = prompts[data[0] % 3];
    const int         n = p->form == RVL_PROMPT_EACH ? 1 : 2;
    const char       *text = (const char *)data + 1;
    if (rvl_answer_parse(v, n, p, schema, text, size - 1, NULL) == RVL_OK)
        for (int i = 0; i < n; i++)
            RVL_ASSERT(v[i].i_choice >= 0 && v[i].i_choice < p->n_choices && v[i].at < size - 1);
    if (rvl_wire_parse(&a, shares, n, p, schema, text, size - 1, NULL) == RVL_OK) {
        for (int i = 0; i < n; i++) {
            double sum = 0.0;
            for (int c = 0; c < p->n_choices; c++) {
                RVL_ASSERT(shares[i * p->n_choices + c] >= 0.0);
                sum += shares[i * p->n_choices + c];
            }
            RVL_ASSERT(fabs(sum - 1.0) < 1e-9);
        }
    }
    return 0;
}
