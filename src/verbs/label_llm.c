/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label_llm.c
 * The labeller that the options of `rvl label` ask for: rules, a classifier, a language model, or several of
 * them; and what the language model took.
 */
#include "base/log.h"
#include "label/both.h"
#include "label/classifier.h"
#include "label/llm.h"
#include "label/pool.h"
#include "label/rules.h"
#include "verbs/label_parts.h"
#include "verbs/model_use.h"
#include <omp.h>
#include <string.h>

static rvl_status llm_open(rvl_labeller **out, const rvl_label_opts *o, const rvl_schema *schema, rvl_error *err)
{
    rvl_llm_opts m = rvl_llm_opts_default();

    if (o->llm && o->llm_url)
        return rvl_fail(err, RVL_ERR_USAGE, "one language model at a time: --llm or --llm-url");
    if (o->llm_url && !o->llm_model)
        return rvl_fail(err, RVL_ERR_USAGE, "say which model the server shall run\nhint: --llm-model NAME");
    m.model = o->llm ? o->llm : o->llm_model;
    m.url = o->llm_url;
    m.prompt = o->prompt ? o->prompt : m.prompt;
    m.n_threads = omp_get_max_threads();
    if (o->together < 0 || o->together > 256 || o->context_tok < 64 || o->context_tok > 1 << 20 || o->votes < 1 ||
        o->votes > 100 || o->tries < 1 || o->tries > 100)
        return rvl_fail(err, RVL_ERR_USAGE,
                        "--together is 0 to 256, --context 64 to 1048576, --votes and --tries 1 to 100");
    m.n_together = (int)o->together;
    m.n_context_tok = (int)o->context_tok;
    m.n_votes = (int)o->votes;
    m.n_tries = (int)o->tries;
    m.timeout_s = o->timeout_s;
    m.requests_per_min = o->requests_per_min;
    m.price_in = o->price_in;
    m.price_out = o->price_out;
    m.budget = o->budget;
    const rvl_status st = rvl_llm_open(out, &m, schema, err);
    if (!st && o->llm_url && !o->dry_run)
        rvl_log(RVL_LOG_WARN, "report texts are sent to %s%s", o->llm_url,
                strncmp(o->llm_url, "http://", 7) == 0 ? ", not encrypted" : "");
    return st;
}

static rvl_status classifier_open(rvl_labeller **out, const rvl_label_opts *o, const rvl_schema *schema, rvl_error *err)
{
    rvl_use    use;
    rvl_status st = rvl__use_open(&use, o->model, 0, err);

    if (!st) {
        rvl_model *m = use.m;
        rvl_infer_free(use.infer); /* it borrows the model, which the labeller takes */
        use.infer = NULL;
        use.m = NULL;
        st = rvl_classifier_open(out, m, use.id, schema, err);
    }
    rvl__use_close(&use);
    return st;
}

/* A labeller that stands beside the one there is so far, if any. */
typedef rvl_status (*join_fn)(rvl_labeller **out, rvl_labeller *first, rvl_labeller *second, rvl_error *err);

static rvl_status join(rvl_labeller **have, rvl_labeller *more, join_fn how, rvl_error *err)
{
    rvl_labeller *first = *have;

    *have = more;
    return first ? how(have, first, more, err) : RVL_OK;
}

bool rvl__label_asks(const rvl_label_opts *o)
{
    return o->rules || o->model || o->llm || o->llm_url;
}

rvl_status rvl__label_open(rvl_labeller **out, const rvl_label_opts *o, const rvl_schema *schema, rvl_error *err)
{
    rvl_labeller *have = NULL, *more = NULL;
    rvl_status    st = RVL_OK;

    *out = NULL;
    if (!rvl__label_asks(o))
        return rvl_fail(err, RVL_ERR_USAGE, "say what labels the reports\nhint: --rules, -m, --llm or --llm-url");
    if (o->rules)
        st = rvl_rules_open(&have, *o->rules ? o->rules : NULL, schema, err);
    if (!st && o->model)
        st = classifier_open(&more, o, schema, err);
    if (!st && more)
        st = join(&have, more, rvl_pool_open, err);
    more = NULL;
    if (!st && (o->llm || o->llm_url))
        st = llm_open(&more, o, schema, err);
    if (!st && more)
        st = join(&have, more, rvl_both_open, err);
    if (st) {
        rvl_labeller_free(have);
        return st;
    }
    *out = have;
    return RVL_OK;
}

/* The language model of a labeller that was opened here. */
static rvl_labeller *llm_of(const rvl_label_opts *o, rvl_labeller *labeller)
{
    return o->rules || o->model ? rvl_both_second(labeller) : labeller;
}

static void usage_put(rvl_label_result *out, const rvl_llm_usage *u)
{
    out->n_requests = u->n_requests;
    out->n_retries = u->n_retries;
    out->prompt_tok = u->prompt_tok;
    out->shared_tok = u->shared_tok;
    out->answer_tok = u->answer_tok;
    out->cost = u->cost;
    out->is_estimated = u->is_estimated;
}

void rvl__label_usage(rvl_label_result *out, const rvl_label_opts *o, rvl_labeller *labeller)
{
    rvl_llm_usage u;

    if (!labeller || (!o->llm && !o->llm_url))
        return;
    rvl_llm_usage_get(&u, llm_of(o, labeller));
    usage_put(out, &u);
    if (u.n_requests > 0) /* said also when the run ends early: it was paid for */
        rvl_log(RVL_LOG_INFO, "%lld requests, %lld repeated; %lld tokens in, %lld out%s%s", (long long)u.n_requests,
                (long long)u.n_retries, (long long)u.prompt_tok, (long long)u.answer_tok,
                u.is_estimated ? " (estimated)" : "", o->llm_url ? ", at the server" : "");
}

rvl_status rvl__label_estimate(rvl_label_result *out, const rvl_label_opts *o, rvl_labeller *labeller,
                               const rvl_reports *reports, rvl_error *err)
{
    rvl_llm_usage u;

    if (!o->llm && !o->llm_url)
        return rvl_fail(err, RVL_ERR_USAGE,
                        "--dry-run estimates what a language model takes\nhint: --llm or --llm-url");
    const rvl_status st = rvl_llm_estimate(&u, llm_of(o, labeller), reports->texts, reports->n_texts, err);
    usage_put(out, &u);
    return st;
}
