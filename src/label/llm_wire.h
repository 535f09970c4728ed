/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/llm_wire.h
 * Chat completions as JSON: the request that is sent, the answer that is read. Internal to the room.
 */
#ifndef RVL_LABEL_LLM_WIRE_H
#define RVL_LABEL_LLM_WIRE_H
#include "label/llm_answer.h"

/** What a server may refuse; each is left out once it did. */
enum {
    RVL_WIRE_BOUND = 1,    /* response_format with a JSON schema, or a GBNF grammar: the answer cannot be nonsense */
    RVL_WIRE_LOGPROBS = 2, /* probabilities of tokens */
    RVL_WIRE_SAMPLING = 4  /* temperature, seed, max_tokens */
};

typedef struct {
    const char *model;
    unsigned    features;
    double      temperature;
    int64_t     seed;
    int         i_finding; /* -1: all */
} rvl_wire_request;

/** The request's JSON; rvl_free. */
RVL_MUST_USE rvl_status rvl_wire_format(char **out, const rvl_wire_request *r, const rvl_prompt *p,
                                        const rvl_schema *schema, rvl_span report, rvl_error *err);
int                     rvl_wire_answer_tok_max(const rvl_prompt *p, const rvl_schema *schema);

typedef struct {
    int64_t prompt_tok, answer_tok; /* -1: the server did not say */
    bool    has_logprobs;
} rvl_wire_answer;

/** Read a whole answer: shares (n, n_choices) of each value, from token probabilities where there are, else 1 and 0.
 *  `n` as in rvl_answer_parse. The token counts are set even if the answer is refused (FORMAT). */
RVL_MUST_USE rvl_status rvl_wire_parse(rvl_wire_answer *out, double *shares, int n, const rvl_prompt *p,
                                       const rvl_schema *schema, const char *json, size_t n_bytes, rvl_error *err);
/** The feature that a refusal (HTTP 400 or 422) names, else the first there is; 0: none is left. */
unsigned                rvl_wire_refused(unsigned features, const char *body, size_t n_bytes);

#endif /* RVL_LABEL_LLM_WIRE_H */
