/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/llm_common.h
 * What the two labellers by language models share. Internal to the room.
 */
#ifndef RVL_LABEL_LLM_COMMON_H
#define RVL_LABEL_LLM_COMMON_H
#include "label/llm.h"
#include "label/llm_prompt.h"

/** First member of both labellers. */
typedef struct rvl__llm {
    rvl_labeller  base;
    rvl_prompt   *prompt;
    rvl_llm_opts  opts; /* strings are borrowed only while opening */
    rvl_llm_usage usage;
    char          version[96];
    rvl_status (*estimate)(struct rvl__llm *self, rvl_llm_usage *out, const rvl_span *texts, int64_t n, rvl_error *err);
} rvl__llm;

/** Prompt, version and the parts of the interface; `size` bytes are allocated. */
RVL_MUST_USE rvl_status rvl__llm_new(rvl__llm **out, size_t size, const rvl_llm_opts *o, const rvl_schema *schema,
                                     rvl_error *err);
void                    rvl__llm_free(rvl__llm *m);
/** Row of finding i from shares (n_choices, sum 1): the most probable answer is its state. */
void rvl__llm_row(rvl_label_row *row, const rvl__llm *m, rvl_span text, int i_finding, const double *shares);
bool rvl__llm_wants(const rvl_label_batch *batch, int i_report, int i_finding, int k);
void rvl__llm_failed(rvl_label_outcome *o, const char *reason);

RVL_MUST_USE rvl_status rvl__llm_open_local(rvl_labeller **out, const rvl_llm_opts *o, const rvl_schema *schema,
                                            rvl_error *err);
RVL_MUST_USE rvl_status rvl__llm_open_http(rvl_labeller **out, const rvl_llm_opts *o, const rvl_schema *schema,
                                           rvl_error *err);

#endif /* RVL_LABEL_LLM_COMMON_H */
