/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/llm_prompt.h
 * Prompts of language models: YAML files that say what is asked and what the answers mean (docs/formats/prompts.md).
 */
#ifndef RVL_LABEL_LLM_PROMPT_H
#define RVL_LABEL_LLM_PROMPT_H
#include "base/str.h"
#include "findings/schema.h"

#define RVL_PROMPT_CHOICES_MAX 8

typedef enum {
    RVL_PROMPT_VALUES, /* one line of K values parted by commas, in the schema's order */
    RVL_PROMPT_JSON,   /* one JSON object, keys are the findings' names */
    RVL_PROMPT_EACH    /* one question a finding, one word back */
} rvl_prompt_form;

/** What an answer means. UNCLEAR and DENIED are lumped answers, told apart by whether the text names the finding. */
typedef enum {
    RVL_ANSWER_PRESENT,
    RVL_ANSWER_ABSENT,
    RVL_ANSWER_UNCERTAIN,
    RVL_ANSWER_NOT_MENTIONED,
    RVL_ANSWER_UNCLEAR, /* uncertain if the text names the finding, else not_mentioned */
    RVL_ANSWER_DENIED   /* absent if the text names the finding, else not_mentioned */
} rvl_answer;

typedef struct {
    const char *text; /* as the model writes it: "-1", "not mentioned" */
    rvl_answer  answer;
} rvl_prompt_choice;

typedef struct rvl_prompt {
    rvl_prompt_form   form;
    const char       *name;
    char              version[33]; /* hash of the file */
    const char       *system, *user;
    int               n_choices;
    rvl_prompt_choice choices[RVL_PROMPT_CHOICES_MAX]; /* no text begins another */
    void             *owner;
} rvl_prompt;

/** A built-in name ("published-ct", "json", "yes-no") or a path (recognised by '/' or ".yaml"). */
RVL_MUST_USE rvl_status rvl_prompt_open(rvl_prompt **out, const char *name_or_path, rvl_error *err);
RVL_MUST_USE rvl_status rvl_prompt_parse(rvl_prompt **out, const char *yaml, size_t n_bytes, const char *name,
                                         rvl_error *err);
void                    rvl_prompt_free(rvl_prompt *p);

/** `text` (the prompt's system or user) with its places filled; what is filled in is not filled again. `report` takes
 *  the place of {report}, finding `i_finding` (-1: none) that of {finding}. NULL if out of memory; rvl_free. */
char *rvl_prompt_fill(const char *text, const rvl_schema *schema, rvl_span report, int i_finding);

/** Does `text` name finding i of the schema: its title or a synonym, as whole words, whatever the case? */
bool            rvl_prompt_names(rvl_span text, const rvl_finding *finding);
/** State and share of "present" (1, 0.5 for uncertain, 0) that an answer has in a text. */
rvl_label_state rvl_answer_state(rvl_answer a, bool is_named);
double          rvl_answer_weight(rvl_answer a, bool is_named);

#endif /* RVL_LABEL_LLM_PROMPT_H */
