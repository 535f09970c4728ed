/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_sections.c
 * Any text as a report: sections are valid UTF-8 without doubled blanks, sentences lie inside the text in order.
 */
#include "base/str.h"
#include "base/alloc.h"
#include "base/util.h"
#include "text/sections.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char      *text = rvl_strndup((const char *)data, size);
    rvl_report report;
    size_t     offsets[64];
    size_t     lengths[64];
    size_t     n = 0;
    size_t     end = 0;

    if (!text)
        return 0;
    if (rvl_report_parse(&report, text, NULL) == RVL_OK) {
        for (int s = 0; s < RVL_SECTION_COUNT; s++) {
            if (!report.text[s])
                continue;
            RVL_ASSERT(rvl_utf8_valid(report.text[s], strlen(report.text[s]), NULL));
            RVL_ASSERT(!strstr(report.text[s], "  "));
            rvl_report_is_placeholder(report.text[s]);
        }
        rvl_report_fini(&report);
    }
    n = rvl_sentences(text, offsets, lengths, 64);
    for (size_t i = 0; i < n && i < 64; i++) {
        RVL_ASSERT(offsets[i] >= end && lengths[i] > 0);
        end = offsets[i] + lengths[i];
        RVL_ASSERT(end <= strlen(text));
    }
    rvl_free(text);
    return 0;
}
