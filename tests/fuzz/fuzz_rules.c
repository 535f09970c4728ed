/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_rules.c
 * Bytes up to the first line "%%" as a rule file for a schema of two findings, the rest as a report. What the file's
 * parser takes labels any text with evidence inside it and probabilities in 0..1.
 */
#include "base/util.h"
#include "label/rules.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char schema_yaml[] = "name: two\n"
                                  "templates: {positive: [\"{}.\"], negative: [\"no {}.\"]}\n"
                                  "findings: [{name: a}, {name: b}]\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rvl_schema   *s = NULL;
    rvl_labeller *l = NULL;
    size_t        n = 0;

    while (n < size && (size - n < 3 || memcmp(data + n, "\n%%", 3) != 0))
        n++;
    if (rvl_schema_parse(&s, schema_yaml, sizeof schema_yaml - 1, "two.yaml", NULL) != RVL_OK)
        return 0;
    if (rvl_rules_parse(&l, (const char *)data, n, "fuzz.yaml", s, NULL) == RVL_OK) {
        rvl_label_row         rows[2];
        rvl_label_outcome     outcome;
        const size_t          from = n + 3 < size ? n + 3 : size;
        const rvl_span        text = {data + from, size - from};
        const rvl_label_batch batch = {.n = 1, .texts = &text};
        RVL_ASSERT(l->label(l, rows, &outcome, &batch, NULL) == RVL_OK);
        for (int k = 0; outcome.outcome == RVL_LABELLED && k < 2; k++) {
            RVL_ASSERT(rows[k].probability >= 0.0 && rows[k].probability <= 1.0);
            RVL_ASSERT(rows[k].evidence_at <= text.n_bytes);
            RVL_ASSERT(rows[k].evidence_bytes <= text.n_bytes - rows[k].evidence_at);
        }
    }
    rvl_labeller_free(l);
    rvl_schema_free(s);
    return 0;
}
