/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/llm.c
 * Options, rows and meters of the labellers by language models.
 */
#include "label/llm_common.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/util.h"
#include <stdio.h>
#include <string.h>

#define TAIL_BYTES ((size_t)1 << 20)

rvl_llm_opts rvl_llm_opts_default(void)
{
    return (rvl_llm_opts){.prompt = "json",
                          .n_threads = 1,
                          .n_context_tok = 4096,
                          .n_votes = 1,
                          .n_tries = 5,
                          .timeout_s = 120.0,
                          .wait_s = 1.0};
}

/* "model/prompt@hash": a file's end tells its weights from others of that name. */
static void version_make(rvl__llm *m, const rvl_llm_opts *o)
{
    rvl_file_map map = {0};
    char         weights[33] = "";

    if (!o->url && rvl_file_map_open(&map, o->model, NULL) == RVL_OK) {
        const size_t n = map.n_bytes < TAIL_BYTES ? map.n_bytes : TAIL_BYTES;
        rvl_hash128_hex(weights, map.ptr + map.n_bytes - n, n);
        rvl_file_map_close(&map);
    }
    snprintf(m->version, sizeof m->version, "%.40s%s%.8s/%.20s@%.8s", rvl_path_base(o->model), *weights ? "@" : "",
             weights, m->prompt->name, m->prompt->version);
}

rvl_status rvl__llm_new(rvl__llm **out, size_t size, const rvl_llm_opts *o, const rvl_schema *schema, rvl_error *err)
{
    rvl__llm *m = rvl_alloc_array(1, size);

    *out = NULL;
    if (!m)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for a language model");
    m->opts = *o;
    const rvl_status st = rvl_prompt_open(&m->prompt, o->prompt, err);
    if (st) {
        rvl_free(m);
        return st;
    }
    version_make(m, o);
    m->base.source = "llm";
    m->base.version = m->version;
    m->base.schema = schema;
    m->base.n_together = 1;
    *out = m;
    return RVL_OK;
}

void rvl__llm_free(rvl__llm *m)
{
    if (!m)
        return;
    rvl_prompt_free(m->prompt);
    rvl_free(m);
}

void rvl__llm_row(rvl_label_row *row, const rvl__llm *m, rvl_span text, int i_finding, const double *shares)
{
    const rvl_prompt *p = m->prompt;
    const bool        is_named = rvl_prompt_names(text, rvl_schema_at(m->base.schema, i_finding));
    double            sum = 0.0;
    int               best = 0;

    for (int c = 0; c < p->n_choices; c++) {
        sum += shares[c] * rvl_answer_weight(p->choices[c].answer, is_named);
        if (shares[c] > shares[best])
            best = c;
    }
    *row = (rvl_label_row){.state = rvl_answer_state(p->choices[best].answer, is_named),
                           .probability = sum < 0.0   ? 0.0
                                          : sum > 1.0 ? 1.0
                                                      : sum,
                           .source = m->base.source,
                           .version = m->base.version};
}

bool rvl__llm_wants(const rvl_label_batch *batch, int i_report, int i_finding, int k)
{
    if (!batch->wanted)
        return true;
    for (int j = i_finding < 0 ? 0 : i_finding; j < (i_finding < 0 ? k : i_finding + 1); j++)
        if (batch->wanted[(size_t)i_report * (size_t)k + (size_t)j])
            return true;
    return false;
}

void rvl__llm_failed(rvl_label_outcome *o, const char *reason)
{
    o->outcome = RVL_LABELLED_FAILED;
    snprintf(o->reason, sizeof o->reason, "%.*s", (int)strcspn(reason, "\n"), reason);
}

rvl_status rvl_llm_open(rvl_labeller **out, const rvl_llm_opts *o, const rvl_schema *schema, rvl_error *err)
{
    *out = NULL;
    if (!o->model || !*o->model)
        return rvl_fail(err, RVL_ERR_USAGE,
                        "say which model\nhint: --llm MODEL.gguf, or --llm-url URL --llm-model NAME");
    if (!(o->price_in >= 0.0) || !(o->price_out >= 0.0) || !(o->budget >= 0.0))
        return rvl_fail(err, RVL_ERR_USAGE, "prices and a budget are not negative");
    if (o->budget > 0.0 && !(o->price_in + o->price_out > 0.0))
        return rvl_fail(err, RVL_ERR_USAGE,
                        "a budget needs prices\nhint: --price-in and --price-out, of a million tokens");
    return o->url ? rvl__llm_open_http(out, o, schema, err) : rvl__llm_open_local(out, o, schema, err);
}

void rvl_llm_usage_get(rvl_llm_usage *out, const rvl_labeller *l)
{
    const rvl__llm *m = (const rvl__llm *)l;

    *out = m->usage;
    out->cost = ((double)out->prompt_tok * m->opts.price_in + (double)out->answer_tok * m->opts.price_out) / 1e6;
}

rvl_status rvl_llm_estimate(rvl_llm_usage *out, rvl_labeller *l, const rvl_span *texts, int64_t n, rvl_error *err)
{
    rvl__llm *m = (rvl__llm *)l;

    *out = (rvl_llm_usage){0};
    const rvl_status st = m->estimate(m, out, texts, n, err);
    out->cost = ((double)out->prompt_tok * m->opts.price_in + (double)out->answer_tok * m->opts.price_out) / 1e6;
    return st;
}
