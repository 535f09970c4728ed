/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file text/sections.h
 * Split a radiology report into its sections by heading ("FINDINGS:", "Impression -", ...).
 */
#ifndef RVL_TEXT_SECTIONS_H
#define RVL_TEXT_SECTIONS_H
#include "rvl/status.h"

typedef enum {
    RVL_SECTION_INDICATION,
    RVL_SECTION_COMPARISON,
    RVL_SECTION_TECHNIQUE,
    RVL_SECTION_FINDINGS,
    RVL_SECTION_IMPRESSION,
    RVL_SECTION_OTHER,
    RVL_SECTION_COUNT
} rvl_section;
const char *rvl_section_text(rvl_section s);

/** Owned texts, NULL where the report has none; white space folded. A report without headings is all `findings`. */
typedef struct {
    char *text[RVL_SECTION_COUNT];
} rvl_report;
RVL_MUST_USE rvl_status rvl_report_parse(rvl_report *out, const char *text, rvl_error *err);
void                    rvl_report_fini(rvl_report *r);
/** Where the sections stand in the text itself: spans in order, without their headings and marks, none empty; a section
 *  may come twice. Returns how many there are; at most `max` are written. */
typedef struct {
    rvl_section section;
    size_t      at, n_bytes;
} rvl_section_span;
size_t rvl_report_spans(const char *text, rvl_section_span *spans, size_t max);
/** True for texts that say nothing: empty, "Not given.", "None", "n/a", ... */
bool   rvl_report_is_placeholder(const char *text);
/** Sentence i of a text as offset and length; returns the count. Abbreviations, decimals and marks inside a parenthesis
 *  that the sentence goes on behind do not end one; a bullet does. */
size_t rvl_sentences(const char *text, size_t *offsets, size_t *lengths, size_t max);
#endif /* RVL_TEXT_SECTIONS_H */
