/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/llm_http.c
 * A language model at a server: requests side by side, repeated when they fail, metered. A report gets rows only when
 * all of its answers came whole; else it is a listed failure.
 */
#include "base/alloc.h"
#include "base/log.h"
#include "base/util.h"
#include "label/http.h"
#include "label/llm_common.h"
#include "label/llm_wire.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONCURRENT_USUAL 8
#define CALL_ROUNDS 4   /* reports in one call for each request that can run */
#define WAIT_MAX_S 60.0 /* longest pause of ours; a server may ask for more: */
#define RETRY_AFTER_MAX_S 600.0
#define DEAD_IN_A_ROW 20 /* reports that got no connection: the server is gone */
#define BYTES_PER_TOK 4

typedef struct {
    rvl__llm  m;
    rvl_http *http;
    char     *model;
    unsigned  features; /* that the server did not refuse */
    int       n_concurrent, n_dead;
    double    next_start; /* of the rate limit, and of a 429 */
} remote;

typedef enum { JOB_WAITING, JOB_RUNNING, JOB_DONE } job_state;

/** One request that must succeed: a report, or one of its findings, or a vote. */
typedef struct {
    int       i_report, i_finding, vote;
    job_state state;
    int       n_tries;
    bool      was_nonsense;
    double    not_before;
    unsigned  features;     /* as sent */
    int64_t   n_prompt_tok; /* estimated, while it runs */
} job;

typedef struct {
    remote                *r;
    const rvl_label_batch *batch;
    rvl_label_outcome     *outcomes;
    job                   *jobs;
    int                    n_jobs, n_open, n_running;
    int                   *slot_job;    /* (n_concurrent) or -1 */
    int                   *n_missing;   /* (n) answers that a report still lacks */
    double                *shares;      /* (n, K, n_choices) sums over votes */
    bool                   is_stopping; /* the budget ends here */
} call;

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for requests");
}

static double cost_of(const rvl_llm_opts *o, int64_t prompt_tok, int64_t answer_tok)
{
    return ((double)prompt_tok * o->price_in + (double)answer_tok * o->price_out) / 1e6;
}

/* ---- jobs ------------------------------------------------------------------------------------------------------- */

static rvl_status jobs_make(call *c, rvl_error *err)
{
    const rvl__llm *m = &c->r->m;
    const int       k = rvl_schema_count(m->base.schema);
    const int       n_parts = m->prompt->form == RVL_PROMPT_EACH ? k : 1;
    const size_t    n = (size_t)c->batch->n;

    c->jobs = rvl_alloc_array(n * (size_t)n_parts * (size_t)m->opts.n_votes + 1, sizeof *c->jobs);
    c->slot_job = rvl_alloc_array((size_t)c->r->n_concurrent, sizeof *c->slot_job);
    c->n_missing = rvl_alloc_array(n + 1, sizeof *c->n_missing);
    c->shares = rvl_alloc_array(n * (size_t)k * (size_t)m->prompt->n_choices + 1, sizeof *c->shares);
    if (!c->jobs || !c->slot_job || !c->n_missing || !c->shares)
        return no_memory(err);
    for (int s = 0; s < c->r->n_concurrent; s++)
        c->slot_job[s] = -1;
    for (int i = 0; i < c->batch->n; i++) {
        for (int part = 0; part < n_parts; part++) {
            const int j = n_parts > 1 || m->prompt->form == RVL_PROMPT_EACH ? part : -1;
            if (!rvl__llm_wants(c->batch, i, j, k))
                continue;
            for (int v = 0; v < m->opts.n_votes; v++)
                c->jobs[c->n_jobs++] = (job){.i_report = i, .i_finding = j, .vote = v};
            c->n_missing[i] += m->opts.n_votes;
        }
        if (c->n_missing[i] == 0)
            c->outcomes[i].outcome = RVL_LABELLED;
    }
    c->n_open = c->n_jobs;
    return RVL_OK;
}

static void job_end(call *c, job *j)
{
    j->state = JOB_DONE;
    c->n_open--;
}

/* The report is given up: its other requests are not sent any more. */
static void report_fail(call *c, int i_report, const char *reason)
{
    rvl__llm_failed(&c->outcomes[i_report], reason);
    for (int i = 0; i < c->n_jobs; i++)
        if (c->jobs[i].i_report == i_report && c->jobs[i].state == JOB_WAITING)
            job_end(c, &c->jobs[i]);
}

/* Again later, or never: `reason` says what happened. */
static void job_repeat(call *c, job *j, const char *reason, double wait_s)
{
    const rvl_llm_opts *o = &c->r->m.opts;
    char                text[120];

    j->n_tries++;
    if (j->n_tries >= o->n_tries) {
        job_end(c, j);
        snprintf(text, sizeof text, "%s (%d times)", reason, j->n_tries);
        report_fail(c, j->i_report, text);
        return;
    }
    c->r->m.usage.n_retries++;
    const double pause_s = fmin(o->wait_s * ldexp(1.0, j->n_tries - 1), WAIT_MAX_S);
    j->state = JOB_WAITING;
    j->not_before = rvl_clock_s() + fmax(pause_s, wait_s);
}

/* Would one more request pass the budget? What runs is taken at its greatest. */
static bool budget_allows(const call *c, int64_t n_prompt_tok)
{
    const rvl__llm *m = &c->r->m;
    const int64_t   n_answer_max = rvl_wire_answer_tok_max(m->prompt, m->base.schema);
    int64_t         prompt_tok = m->usage.prompt_tok + n_prompt_tok;

    if (m->opts.budget <= 0.0)
        return true;
    for (int i = 0; i < c->n_jobs; i++)
        if (c->jobs[i].state == JOB_RUNNING)
            prompt_tok += c->jobs[i].n_prompt_tok;
    return cost_of(&m->opts, prompt_tok, m->usage.answer_tok + n_answer_max * (c->n_running + 1)) <= m->opts.budget;
}

static rvl_status job_start(call *c, job *j, int slot, rvl_error *err)
{
    remote          *r = c->r;
    char            *json = NULL;
    const bool       is_vote = r->m.opts.n_votes > 1;
    rvl_wire_request q = {.model = r->model,
                          .features = is_vote ? r->features & ~(unsigned)RVL_WIRE_LOGPROBS : r->features,
                          .temperature = is_vote           ? 0.7
                                         : j->was_nonsense ? 0.5
                                                           : 0.0,
                          .seed = j->vote + 1000 * j->n_tries,
                          .i_finding = j->i_finding};
    rvl_error        own = {0};
    rvl_status       st = rvl_wire_format(&json, &q, r->m.prompt, r->m.base.schema, c->batch->texts[j->i_report], &own);

    if (st == RVL_ERR_FORMAT) {
        job_end(c, j);
        report_fail(c, j->i_report, own.text);
        return RVL_OK;
    }
    if (st)
        return rvl_fail(err, st, "%s", own.text);
    j->n_prompt_tok = (int64_t)strlen(json) / BYTES_PER_TOK + 1;
    if (!budget_allows(c, j->n_prompt_tok)) {
        c->is_stopping = true;
        rvl_free(json);
        return RVL_OK;
    }
    st = rvl_http_start(r->http, slot, json, strlen(json), err);
    rvl_free(json);
    if (st)
        return st;
    r->m.usage.n_requests++;
    j->state = JOB_RUNNING;
    j->features = q.features;
    c->slot_job[slot] = (int)(j - c->jobs);
    c->n_running++;
    if (r->m.opts.requests_per_min > 0.0)
        r->next_start = fmax(r->next_start, rvl_clock_s()) + 60.0 / r->m.opts.requests_per_min;
    return RVL_OK;
}

/* Start what may start now; `*wait_s` is when to look again. */
static rvl_status jobs_start(call *c, double *wait_s, rvl_error *err)
{
    rvl_status st = RVL_OK;

    *wait_s = 0.2; /* cancellation is noticed this soon */
    for (int slot = 0; !st && slot < c->r->n_concurrent; slot++) {
        double now = rvl_clock_s();
        if (c->slot_job[slot] >= 0 || c->is_stopping)
            continue;
        if (c->r->next_start > now) {
            *wait_s = fmin(*wait_s, c->r->next_start - now);
            break;
        }
        for (int i = 0; !st && i < c->n_jobs && c->slot_job[slot] < 0 && !c->is_stopping; i++) {
            if (c->jobs[i].state != JOB_WAITING)
                continue;
            if (c->jobs[i].not_before <= now)
                st = job_start(c, &c->jobs[i], slot, err);
            else
                *wait_s = fmin(*wait_s, c->jobs[i].not_before - now);
        }
    }
    return st;
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

static void usage_add(remote *r, const rvl_wire_answer *a, const job *j, size_t n_body)
{
    if (a->prompt_tok < 0 || a->answer_tok < 0)
        r->m.usage.is_estimated = true;
    r->m.usage.prompt_tok += a->prompt_tok >= 0 ? a->prompt_tok : j->n_prompt_tok;
    r->m.usage.answer_tok += a->answer_tok >= 0 ? a->answer_tok : (int64_t)n_body / BYTES_PER_TOK;
}

static rvl_status answer_read(call *c, job *j, rvl_span body, rvl_error *err)
{
    remote           *r = c->r;
    const rvl_prompt *p = r->m.prompt;
    const int         k = rvl_schema_count(r->m.base.schema);
    const int         n = j->i_finding < 0 ? k : 1;
    double           *shares = rvl_alloc_array((size_t)n * (size_t)p->n_choices, sizeof *shares);
    rvl_wire_answer   a = {0};
    rvl_error         own = {0};

    if (!shares)
        return no_memory(err);
    const rvl_status st =
        rvl_wire_parse(&a, shares, n, p, r->m.base.schema, (const char *)body.ptr, body.n_bytes, &own);
    usage_add(r, &a, j, body.n_bytes);
    if (st == RVL_ERR_NOMEM) {
        rvl_free(shares);
        return no_memory(err);
    }
    if (st) {
        j->was_nonsense = true;
        job_repeat(c, j, own.text, 0.0);
    } else {
        double *sum = c->shares + ((size_t)j->i_report * (size_t)k + (size_t)(j->i_finding < 0 ? 0 : j->i_finding)) *
                                      (size_t)p->n_choices;
        for (int i = 0; i < n * p->n_choices; i++)
            sum[i] += shares[i] / r->m.opts.n_votes;
        job_end(c, j);
        if (--c->n_missing[j->i_report] == 0 && c->outcomes[j->i_report].outcome == RVL_LABELLED_NOT)
            c->outcomes[j->i_report].outcome = RVL_LABELLED;
    }
    rvl_free(shares);
    return RVL_OK;
}

/* HTTP 400 or 422: without a feature, or never. */
static void refusal_read(call *c, job *j, int code, rvl_span body)
{
    remote        *r = c->r;
    const unsigned feature = rvl_wire_refused(j->features, (const char *)body.ptr, body.n_bytes);
    char           reason[64];

    if (!feature) {
        snprintf(reason, sizeof reason, "the server refused the request: HTTP %d", code);
        job_end(c, j);
        report_fail(c, j->i_report, reason);
        return;
    }
    if (r->features & feature)
        rvl_log(RVL_LOG_WARN, "the server refused a request (HTTP %d): going on without %s", code,
                feature == RVL_WIRE_BOUND      ? "a bound answer"
                : feature == RVL_WIRE_LOGPROBS ? "token probabilities"
                                               : "temperature, seed and max_tokens");
    r->features &= ~feature;
    r->m.usage.n_retries++;
    j->state = JOB_WAITING;
}

static rvl_status answer_take(call *c, int slot, const rvl_http_answer *a, rvl_error *err)
{
    job *j = &c->jobs[c->slot_job[slot]];
    char reason[96];

    c->slot_job[slot] = -1;
    c->n_running--;
    if (c->outcomes[j->i_report].outcome == RVL_LABELLED_FAILED) { /* another of its requests failed for good */
        job_end(c, j);
        return RVL_OK;
    }
    if (a->problem) {
        job_repeat(c, j, a->problem, 0.0);
        c->r->n_dead += j->state == JOB_DONE && rvl_str_equal(a->problem, "no connection");
        if (c->r->n_dead >= DEAD_IN_A_ROW)
            return rvl_fail(err, RVL_ERR_COMM, "no connection to the server for %d reports in a row", DEAD_IN_A_ROW);
        return RVL_OK;
    }
    c->r->n_dead = 0;
    if (a->code == 200)
        return answer_read(c, j, a->body, err);
    if (a->code == 401 || a->code == 403 || a->code == 404)
        return rvl_fail(err, RVL_ERR_COMM, "the server refuses: HTTP %d\nhint: %s", a->code,
                        a->code == 404 ? "--llm-url, --llm-model" : "the key in RVL_LLM_KEY");
    if (a->code == 400 || a->code == 422) {
        refusal_read(c, j, a->code, a->body);
        return RVL_OK;
    }
    snprintf(reason, sizeof reason, "HTTP %d", a->code);
    if (a->code == 408 || a->code == 429 || a->code >= 500) {
        const double asked_s = fmin(a->retry_after_s, RETRY_AFTER_MAX_S);
        if (a->code == 429 && asked_s > 0.0) /* all wait */
            c->r->next_start = fmax(c->r->next_start, rvl_clock_s() + asked_s);
        job_repeat(c, j, reason, asked_s);
        return RVL_OK;
    }
    job_end(c, j);
    report_fail(c, j->i_report, reason);
    return RVL_OK;
}

/* ---- the labeller ----------------------------------------------------------------------------------------------- */

/* A new set of connections: what still ran is dropped. */
static rvl_status http_renew(remote *r, const char *url, rvl_error *err)
{
    const rvl_http_opts ho = {
        .url = url, .key = getenv("RVL_LLM_KEY"), .n_slots = r->n_concurrent, .timeout_s = r->m.opts.timeout_s};

    rvl_http_close(r->http);
    r->http = NULL;
    return rvl_http_open(&r->http, &ho, err);
}

static rvl_status jobs_run(call *c, rvl_error *err)
{
    rvl_status st = RVL_OK;

    while (!st && c->n_open > 0) {
        double          wait_s = 0.0;
        int             slot = -1;
        rvl_http_answer answer;
        if (rvl_cancel_requested())
            return rvl_fail(err, RVL_ERR_CANCELLED, "interrupted; run the same command again to go on");
        st = jobs_start(c, &wait_s, err);
        if (st || c->n_open == 0)
            break;
        if (c->is_stopping && c->n_running == 0)
            return rvl_fail(err, RVL_ERR_CANCELLED,
                            "the budget of %g ends here, after %.6g\nhint: run the same command "
                            "again with another --budget to go on",
                            c->r->m.opts.budget,
                            cost_of(&c->r->m.opts, c->r->m.usage.prompt_tok, c->r->m.usage.answer_tok));
        st = rvl_http_wait(&slot, &answer, c->r->http, wait_s, err);
        if (!st && slot >= 0)
            st = answer_take(c, slot, &answer, err);
    }
    return st;
}

static void rows_write(const call *c, rvl_label_row *rows)
{
    const rvl__llm *m = &c->r->m;
    const int       k = rvl_schema_count(m->base.schema);

    for (int i = 0; i < c->batch->n; i++)
        for (int j = 0; c->outcomes[i].outcome == RVL_LABELLED && j < k; j++)
            if (rvl__llm_wants(c->batch, i, j, k))
                rvl__llm_row(&rows[i * k + j], m, c->batch->texts[i], j,
                             c->shares + ((size_t)i * (size_t)k + (size_t)j) * (size_t)m->prompt->n_choices);
}

static rvl_status remote_label(rvl_labeller *self, rvl_label_row *rows, rvl_label_outcome *outcomes,
                               const rvl_label_batch *batch, rvl_error *err)
{
    remote *r = (remote *)self;
    call    c = {.r = r, .batch = batch, .outcomes = outcomes};

    memset(outcomes, 0, (size_t)batch->n * sizeof *outcomes);
    rvl_status st = jobs_make(&c, err);
    if (!st && !r->http)
        st = http_renew(r, r->m.opts.url, err);
    if (!st)
        st = jobs_run(&c, err);
    if (c.shares)
        rows_write(&c, rows);
    if (st && c.n_running > 0) { /* the run ends, but the labeller may be asked again */
        const rvl_status again = http_renew(r, r->m.opts.url, NULL);
        st = again == RVL_ERR_NOMEM ? again : st;
    }
    rvl_free(c.jobs);
    rvl_free(c.slot_job);
    rvl_free(c.n_missing);
    rvl_free(c.shares);
    return st;
}

static rvl_status remote_estimate(rvl__llm *m, rvl_llm_usage *out, const rvl_span *texts, int64_t n, rvl_error *err)
{
    const int  k = rvl_schema_count(m->base.schema);
    const int  n_parts = m->prompt->form == RVL_PROMPT_EACH ? k : 1;
    rvl_status st = RVL_OK;

    out->is_estimated = true;
    for (int64_t i = 0; !st && i < n; i++) {
        const int64_t n_times = (int64_t)n_parts * m->opts.n_votes;
        rvl_span      none = {.ptr = (const uint8_t *)"", .n_bytes = 0};
        char         *system = rvl_prompt_fill(m->prompt->system, m->base.schema, none, 0);
        char         *user = rvl_prompt_fill(m->prompt->user, m->base.schema, none, 0);
        if (!system || !user)
            st = no_memory(err);
        else {
            const size_t n_prompt = (strlen(system) + strlen(user)) / BYTES_PER_TOK + 8;
            out->n_requests += n_times;
            out->prompt_tok += n_times * (int64_t)(n_prompt + texts[i].n_bytes / BYTES_PER_TOK);
            out->shared_tok += n_times * (int64_t)n_prompt;
            out->answer_tok += n_times * rvl_wire_answer_tok_max(m->prompt, m->base.schema);
        }
        rvl_free(system);
        rvl_free(user);
    }
    return st;
}

static void remote_free(rvl_labeller *self)
{
    remote *r = (remote *)self;

    rvl_http_close(r->http);
    rvl_free(r->model);
    rvl_free((char *)(uintptr_t)r->m.opts.url);
    rvl__llm_free(&r->m);
}

/* ".../v1" -> ".../v1/chat/completions" */
static char *url_whole(const char *url)
{
    static const char ending[] = "/chat/completions";
    rvl_str           s = {0};

    rvl_str_add(&s, url);
    while (!s.failed && s.n_bytes > 0 && s.ptr[s.n_bytes - 1] == '/')
        s.ptr[--s.n_bytes] = '\0';
    if (!s.failed && !rvl_str_ends(s.ptr, ending))
        rvl_str_add(&s, ending);
    return rvl_str_take(&s);
}

rvl_status rvl__llm_open_http(rvl_labeller **out, const rvl_llm_opts *o, const rvl_schema *schema, rvl_error *err)
{
    rvl__llm *m = NULL;

    *out = NULL;
    if (o->n_votes < 1 || o->n_votes > 100 || o->n_tries < 1 || o->n_tries > 100)
        return rvl_fail(err, RVL_ERR_USAGE, "votes and tries are 1 to 100");
    if (!(o->wait_s >= 0.0) || !(o->requests_per_min >= 0.0))
        return rvl_fail(err, RVL_ERR_USAGE, "a pause and a rate are not negative");
    rvl_status st = rvl__llm_new(&m, sizeof(remote), o, schema, err);
    if (st)
        return st;
    remote *r = (remote *)m;
    r->n_concurrent = o->n_together > 0 ? o->n_together : CONCURRENT_USUAL;
    r->features = RVL_WIRE_BOUND | RVL_WIRE_LOGPROBS | RVL_WIRE_SAMPLING;
    r->model = rvl_strdup(o->model);
    m->opts.url = url_whole(o->url);
    m->base.label = remote_label;
    m->base.free = remote_free;
    m->base.n_together = CALL_ROUNDS * r->n_concurrent;
    m->estimate = remote_estimate;
    st = r->model && m->opts.url ? http_renew(r, m->opts.url, err) : no_memory(err);
    if (st) {
        remote_free(&m->base);
        return st;
    }
    *out = &m->base;
    return RVL_OK;
}
