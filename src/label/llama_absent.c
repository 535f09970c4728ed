/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/llama_absent.c
 * A build without llama.cpp: says so.
 */
#include "label/llama.h"

bool rvl_llama_built(void)
{
    return false;
}

static rvl_status absent(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_DEVICE,
                    "this build has no llama.cpp\nhint: tools/setup llm, then configure and build again; or --llm-url");
}

rvl_status rvl_llama_open(rvl_llama **out, const char *path, const rvl_llama_opts *o, rvl_error *err)
{
    (void)path;
    (void)o;
    *out = NULL;
    return absent(err);
}

void rvl_llama_free(rvl_llama *l)
{
    (void)l;
}

int rvl_llama_context_tok(const rvl_llama *l)
{
    (void)l;
    return 0;
}

rvl_status rvl_llama_chat(char **out, const rvl_llama *l, const char *system, const char *user, rvl_error *err)
{
    (void)l;
    (void)system;
    (void)user;
    *out = NULL;
    return absent(err);
}

rvl_status rvl_llama_tokens(rvl_tokens *out, const rvl_llama *l, const char *text, size_t n_bytes, bool is_first,
                            bool is_markup, rvl_error *err)
{
    (void)l;
    (void)text;
    (void)n_bytes;
    (void)is_first;
    (void)is_markup;
    *out = (rvl_tokens){0};
    return absent(err);
}

void rvl_llama_branch(rvl_llama *l, int from, int to)
{
    (void)l;
    (void)from;
    (void)to;
}

void rvl_llama_drop(rvl_llama *l, int sequence)
{
    (void)l;
    (void)sequence;
}

rvl_status rvl_llama_eval(rvl_llama *l, const rvl_llama_piece *pieces, int n_pieces, rvl_error *err)
{
    (void)l;
    (void)pieces;
    (void)n_pieces;
    return absent(err);
}

int64_t rvl_llama_evaluated_tok(const rvl_llama *l)
{
    (void)l;
    return 0;
}
