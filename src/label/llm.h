/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/llm.h
 * Labels by language models: in this process (llama.cpp), or of a server that speaks OpenAI's chat completions.
 *
 * Both ask with the same prompt files and give the same rows. A row's probability is the share of "present" among the
 * prompt's answers, by the probabilities of the answer's tokens, else by votes; an uncertain answer counts half.
 */
#ifndef RVL_LABEL_LLM_H
#define RVL_LABEL_LLM_H
#include "label/label.h"

typedef struct {
    const char *model;         /* GGUF file; with `url` the name at the server */
    const char *url;           /* NULL: in this process; else ".../v1" or ".../v1/chat/completions": reports go there */
    const char *prompt;        /* name or file ("json") */
    int         n_threads;     /* in process (1) */
    int         n_together;    /* reports in one batch (4); at a server requests at a time (8) */
    int         n_context_tok; /* in process: tokens of prompt, report and answer (4096) */
    int         n_votes;       /* at a server that gives no token probabilities: answers a report (1) */
    int         n_tries;       /* of a request (5) */
    double      timeout_s;     /* of a request (120) */
    double      wait_s;        /* first pause before a request is repeated, doubled each time, at most 60 (1) */
    double      requests_per_min;    /* 0: as many as go */
    double      price_in, price_out; /* of a million tokens of prompt and of answer */
    double      budget;              /* in the same money; 0: none. The run stops before a request that could pass it */
} rvl_llm_opts;
rvl_llm_opts rvl_llm_opts_default(void);

/** What a run took. */
typedef struct {
    int64_t n_requests, n_retries;
    int64_t prompt_tok; /* of all prompts and reports */
    int64_t shared_tok; /* of these, the common beginning of all prompts: in process computed once */
    int64_t answer_tok;
    double  cost;
    bool    is_estimated; /* a server did not count tokens: 4 bytes were taken for one */
} rvl_llm_usage;

/** DEVICE: a build without llama.cpp. The model's name and the prompt's hash are the version of its rows. */
RVL_MUST_USE rvl_status rvl_llm_open(rvl_labeller **out, const rvl_llm_opts *o, const rvl_schema *schema,
                                     rvl_error *err);
/** Of a labeller that rvl_llm_open made. */
void                    rvl_llm_usage_get(rvl_llm_usage *out, const rvl_labeller *l);
/** What labelling `texts` would take; nothing is sent. Tokens of a server's model are estimated. */
RVL_MUST_USE rvl_status rvl_llm_estimate(rvl_llm_usage *out, rvl_labeller *l, const rvl_span *texts, int64_t n,
                                         rvl_error *err);

#endif /* RVL_LABEL_LLM_H */
