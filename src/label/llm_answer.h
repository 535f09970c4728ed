/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/llm_answer.h
 * What a model wrote, read strictly: an answer is whole and in the prompt's words, or it is no answer.
 */
#ifndef RVL_LABEL_LLM_ANSWER_H
#define RVL_LABEL_LLM_ANSWER_H
#include "label/llm_prompt.h"

/** One value of an answer: which choice of the prompt, and where in the text it begins. */
typedef struct {
    int    i_choice;
    size_t at;
} rvl_answer_value;

/** Read `n` values (K of the schema; 1 for form each). FORMAT says what is wrong without the model's words. Around the
 *  answer only blanks, and for JSON a ```-fence, are accepted. Longer lists are not cut, and shorter ones not filled.
 */
RVL_MUST_USE rvl_status rvl_answer_parse(rvl_answer_value *out, int n, const rvl_prompt *p, const rvl_schema *schema,
                                         const char *text, size_t n_bytes, rvl_error *err);

#endif /* RVL_LABEL_LLM_ANSWER_H */
