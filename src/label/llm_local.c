/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/llm_local.c
 * A language model in this process. It never writes freely: at each place of an answer only the prompt's choices are
 * compared, by the scores of their first tokens, and all between is given. So every answer is whole.
 *
 * values and json: sequences 1 .. T hold T reports, which go through their answers in step, one batch a step.
 * each: sequence 1 holds the report, 2 .. K + 1 branch from it with a question each, in one batch.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/util.h"
#include "label/llama.h"
#include "label/llm_common.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define TOGETHER_USUAL 4
#define TOGETHER_MAX 64
#define REPORT_MARK "@@rvl-report@@"

typedef struct {
    rvl__llm    m;
    rvl_llama  *llama;
    rvl_tokens  before;                          /* the chat up to the report: sequence 0 */
    rvl_tokens *after;                           /* (K) for each, else (1): the chat behind the report */
    rvl_tokens *gaps;                            /* (K) what stands before value j of an answer; not for each */
    rvl_tokens  choices[RVL_PROMPT_CHOICES_MAX]; /* the answers */
    int32_t     firsts[RVL_PROMPT_CHOICES_MAX];  /* their first tokens, all different */
    int         n_after, n_common;               /* tokens that all of `after` begin with */
    int         n_answer_max;                    /* tokens of an answer at most */
} local;

/* Growing list of tokens with a sticky failure. */
typedef struct {
    int32_t *ids;
    int      n, capacity;
    bool     failed;
} token_list;

static void list_add(token_list *l, const int32_t *ids, int n)
{
    if (!l->failed && l->n + n > l->capacity) {
        const int capacity = 2 * (l->n + n) + 64;
        int32_t  *more = rvl_realloc_array(l->ids, (size_t)capacity, sizeof *more);
        l->failed = !more;
        l->ids = more ? more : l->ids;
        l->capacity = more ? capacity : l->capacity;
    }
    if (l->failed || n == 0)
        return;
    memcpy(l->ids + l->n, ids, (size_t)n * sizeof *ids);
    l->n += n;
}

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for labels");
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

/* Tokens of `text` as it stands inside a line: some tokenizers put a blank before the first word of a text. */
static rvl_status tokens_inside(rvl_tokens *out, const rvl_llama *llama, const char *text, rvl_error *err)
{
    rvl_tokens line = {0};
    char       with_line[1024];

    const int n = snprintf(with_line, sizeof with_line, "\n%s", text);
    *out = (rvl_tokens){0};
    if (n >= (int)sizeof with_line)
        return rvl_fail(err, RVL_ERR_LIMIT, "an answer or a finding's name is too long");
    rvl_status st = rvl_llama_tokens(&line, llama, "\n", 1, false, false, err);
    if (!st)
        st = rvl_llama_tokens(out, llama, with_line, (size_t)n, false, false, err);
    if (!st && out->n >= line.n && memcmp(out->ids, line.ids, (size_t)line.n * sizeof *line.ids) == 0) {
        out->n -= line.n;
        memmove(out->ids, out->ids + line.n, (size_t)out->n * sizeof *out->ids);
    } else if (!st) {
        rvl_free(out->ids);
        st = rvl_llama_tokens(out, llama, text, strlen(text), false, false, err);
    }
    rvl_free(line.ids);
    return st;
}

static rvl_status choices_make(local *l, rvl_error *err)
{
    const rvl_prompt *p = l->m.prompt;
    rvl_status        st = RVL_OK;

    for (int c = 0; !st && c < p->n_choices; c++) {
        st = tokens_inside(&l->choices[c], l->llama, p->choices[c].text, err);
        if (!st && l->choices[c].n < 1)
            st = rvl_fail(err, RVL_ERR_UNSUPPORTED, "the model's tokenizer has no token for '%s'", p->choices[c].text);
        if (st)
            break;
        l->firsts[c] = l->choices[c].ids[0];
        for (int d = 0; !st && d < c; d++)
            if (l->firsts[c] == l->firsts[d])
                st = rvl_fail(err, RVL_ERR_UNSUPPORTED,
                              "the model's tokenizer begins '%s' and '%s' with the same token\nhint: another prompt",
                              p->choices[d].text, p->choices[c].text);
    }
    return st;
}

/* What the answer has before value j. */
static rvl_status gaps_make(local *l, rvl_error *err)
{
    const rvl_prompt *p = l->m.prompt;
    const int         k = rvl_schema_count(l->m.base.schema);
    char              text[512];
    rvl_status        st = RVL_OK;

    l->gaps = rvl_alloc_array((size_t)k, sizeof *l->gaps);
    if (!l->gaps)
        return no_memory(err);
    for (int j = 0; !st && j < k; j++) {
        if (p->form == RVL_PROMPT_VALUES)
            snprintf(text, sizeof text, "%s", j ? "," : "");
        else
            snprintf(text, sizeof text, "%s\"%.400s\": \"", j ? "\", " : "{", rvl_schema_at(l->m.base.schema, j)->name);
        st = tokens_inside(&l->gaps[j], l->llama, text, err);
        l->n_answer_max += l->gaps[j].n;
    }
    int n_longest = 0;
    for (int c = 0; c < p->n_choices; c++)
        n_longest = l->choices[c].n > n_longest ? l->choices[c].n : n_longest;
    l->n_answer_max += k * n_longest;
    return st;
}

/* The chat for finding `j` (-1: all), parted where the report stands. `before` is wanted once. */
static rvl_status chat_make(rvl_tokens *before, rvl_tokens *after, const local *l, int j, rvl_error *err)
{
    const rvl_prompt *p = l->m.prompt;
    const rvl_span    mark = {.ptr = (const uint8_t *)REPORT_MARK, .n_bytes = sizeof REPORT_MARK - 1};
    char             *system = rvl_prompt_fill(p->system, l->m.base.schema, mark, j);
    char             *user = rvl_prompt_fill(p->user, l->m.base.schema, mark, j);
    char             *chat = NULL;

    rvl_status  st = system && user ? rvl_llama_chat(&chat, l->llama, system, user, err) : no_memory(err);
    const char *at = st ? NULL : strstr(chat, REPORT_MARK);
    if (!st && !at)
        st = rvl_fail(err, RVL_ERR_UNSUPPORTED, "the model's chat template drops the user's text");
    if (!st && before)
        st = rvl_llama_tokens(before, l->llama, chat, (size_t)(at - chat), true, true, err);
    if (!st)
        st = rvl_llama_tokens(after, l->llama, at + mark.n_bytes, strlen(at + mark.n_bytes), false, true, err);
    rvl_free(system);
    rvl_free(user);
    rvl_free(chat);
    return st;
}

static rvl_status chats_make(local *l, rvl_error *err)
{
    const bool is_each = l->m.prompt->form == RVL_PROMPT_EACH;
    const int  k = rvl_schema_count(l->m.base.schema);
    rvl_status st = RVL_OK;

    l->n_after = is_each ? k : 1;
    l->after = rvl_alloc_array((size_t)l->n_after, sizeof *l->after);
    if (!l->after)
        return no_memory(err);
    for (int j = 0; !st && j < l->n_after; j++)
        st = chat_make(j ? NULL : &l->before, &l->after[j], l, is_each ? j : -1, err);
    if (st || !is_each)
        return st;
    l->n_common = l->after[0].n - 1;
    for (int j = 1; j < k; j++) {
        int n = 0;
        while (n < l->n_common && n < l->after[j].n - 1 && l->after[j].ids[n] == l->after[0].ids[n])
            n++;
        l->n_common = n;
    }
    l->n_common = l->n_common < 0 ? 0 : l->n_common;
    return RVL_OK;
}

static rvl_status before_eval(local *l, rvl_error *err)
{
    const rvl_llama_piece piece = {.sequence = 0, .ids = l->before.ids, .n = l->before.n};
    const rvl_status      st = rvl_llama_eval(l->llama, &piece, 1, err);

    if (st == RVL_ERR_LIMIT)
        rvl_error_prefix(err, "the prompt itself is too long");
    return st;
}

/* ---- labelling -------------------------------------------------------------------------------------------------- */

static void shares_make(double *shares, const float *scores, int n)
{
    double most = (double)scores[0];
    double sum = 0.0;

    for (int c = 1; c < n; c++)
        most = fmax(most, (double)scores[c]);
    for (int c = 0; c < n; c++)
        sum += shares[c] = exp((double)scores[c] - most);
    for (int c = 0; c < n; c++)
        shares[c] /= sum;
}

static bool scores_are_finite(const float *scores, int n)
{
    for (int c = 0; c < n; c++)
        if (!isfinite(scores[c]))
            return false;
    return true;
}

/* A report on its way through its answer. */
typedef struct {
    int        i_report, sequence, i_choice; /* i_choice: taken at the last step */
    token_list tokens;                       /* what goes in next */
    float      scores[RVL_PROMPT_CHOICES_MAX];
} walker;

/* Tokens of report i with the chat behind it; FAILED if they do not fit. */
static rvl_status report_begin(walker *w, local *l, const rvl_label_batch *batch, int i, rvl_label_outcome *outcome,
                               rvl_error *err)
{
    rvl_tokens report = {0};
    char       reason[128];
    const bool is_each = l->m.prompt->form == RVL_PROMPT_EACH;
    rvl_status st = rvl_llama_tokens(&report, l->llama, (const char *)batch->texts[i].ptr, batch->texts[i].n_bytes,
                                     false, false, err);

    if (st)
        return st;
    int n_rest = is_each ? 0 : l->n_answer_max;
    for (int j = 0; is_each && j < l->n_after; j++)
        n_rest += l->after[j].n - l->n_common;
    const int n_after = is_each ? l->n_common : l->after[0].n;
    const int n_all = l->before.n + report.n + n_after + n_rest;
    w->i_report = i;
    w->tokens.n = 0;
    list_add(&w->tokens, report.ids, report.n);
    list_add(&w->tokens, l->after[0].ids, n_after);
    rvl_free(report.ids);
    if (w->tokens.failed)
        return no_memory(err);
    if (n_all > rvl_llama_context_tok(l->llama)) {
        snprintf(reason, sizeof reason, "prompt, report and answer have %d tokens, the context %d", n_all,
                 rvl_llama_context_tok(l->llama));
        rvl__llm_failed(outcome, reason);
        return RVL_OK;
    }
    l->m.usage.n_requests++;
    l->m.usage.prompt_tok += l->before.n + w->tokens.n + (is_each ? n_rest : 0);
    l->m.usage.shared_tok += l->before.n;
    return RVL_OK;
}

/* Value j of all walkers: one batch. */
static rvl_status walkers_step(local *l, walker *walkers, int n, int j, rvl_label_row *rows,
                               const rvl_label_batch *batch, rvl_error *err)
{
    const rvl_prompt *p = l->m.prompt;
    const int         k = rvl_schema_count(l->m.base.schema);
    rvl_llama_piece   pieces[TOGETHER_MAX];
    double            shares[RVL_PROMPT_CHOICES_MAX];

    for (int i = 0; i < n; i++) {
        walker *w = &walkers[i];
        if (j > 0) {
            w->tokens.n = 0;
            list_add(&w->tokens, l->choices[w->i_choice].ids, l->choices[w->i_choice].n);
        }
        list_add(&w->tokens, l->gaps[j].ids, l->gaps[j].n);
        if (w->tokens.failed)
            return no_memory(err);
        l->m.usage.answer_tok += l->gaps[j].n;
        pieces[i] = (rvl_llama_piece){.sequence = w->sequence,
                                      .ids = w->tokens.ids,
                                      .n = w->tokens.n,
                                      .candidates = l->firsts,
                                      .n_candidates = p->n_choices,
                                      .scores = w->scores};
    }
    const rvl_status st = rvl_llama_eval(l->llama, pieces, n, err);
    for (int i = 0; !st && i < n; i++) {
        walker *w = &walkers[i];
        if (!scores_are_finite(w->scores, p->n_choices))
            return rvl_fail(err, RVL_ERR_NUMERIC, "the model's scores are no numbers");
        w->i_choice = 0;
        for (int c = 1; c < p->n_choices; c++)
            w->i_choice = w->scores[c] > w->scores[w->i_choice] ? c : w->i_choice;
        l->m.usage.answer_tok += l->choices[w->i_choice].n;
        if (!rvl__llm_wants(batch, w->i_report, j, k))
            continue;
        shares_make(shares, w->scores, p->n_choices);
        rvl__llm_row(&rows[(size_t)w->i_report * (size_t)k + (size_t)j], &l->m, batch->texts[w->i_report], j, shares);
    }
    return st;
}

/* Forms values and json: up to n_together reports from `*next` on. */
static rvl_status chain_label(local *l, int *next, walker *walkers, rvl_label_row *rows, rvl_label_outcome *outcomes,
                              const rvl_label_batch *batch, rvl_error *err)
{
    const int  k = rvl_schema_count(l->m.base.schema);
    int        n = 0;
    rvl_status st = RVL_OK;

    for (; !st && *next < batch->n && n < l->m.base.n_together; (*next)++) {
        if (!rvl__llm_wants(batch, *next, -1, k)) {
            outcomes[*next].outcome = RVL_LABELLED;
            continue;
        }
        st = report_begin(&walkers[n], l, batch, *next, &outcomes[*next], err);
        if (!st && outcomes[*next].outcome == RVL_LABELLED_NOT) {
            rvl_llama_branch(l->llama, 0, walkers[n].sequence);
            n++;
        }
    }
    for (int j = 0; !st && n > 0 && j < k; j++)
        st = walkers_step(l, walkers, n, j, rows, batch, err);
    for (int i = 0; i < n; i++) {
        rvl_llama_drop(l->llama, walkers[i].sequence);
        if (!st)
            outcomes[walkers[i].i_report].outcome = RVL_LABELLED;
    }
    return st;
}

/* Form each: one report, a branch a finding. */
static rvl_status each_label(local *l, int i, walker *w, rvl_label_row *rows, rvl_label_outcome *outcome,
                             const rvl_label_batch *batch, rvl_error *err)
{
    const rvl_prompt *p = l->m.prompt;
    const int         k = rvl_schema_count(l->m.base.schema);
    float            *scores = NULL;
    rvl_llama_piece  *pieces = NULL;
    double            shares[RVL_PROMPT_CHOICES_MAX];
    rvl_status        st = report_begin(w, l, batch, i, outcome, err);

    if (st || outcome->outcome == RVL_LABELLED_FAILED)
        return st;
    scores = rvl_alloc_array((size_t)k * RVL_PROMPT_CHOICES_MAX, sizeof *scores);
    pieces = rvl_alloc_array((size_t)k, sizeof *pieces);
    if (!scores || !pieces)
        st = no_memory(err);
    rvl_llama_branch(l->llama, 0, 1);
    const rvl_llama_piece report = {.sequence = 1, .ids = w->tokens.ids, .n = w->tokens.n};
    if (!st)
        st = rvl_llama_eval(l->llama, &report, 1, err);
    int n = 0;
    for (int j = 0; !st && j < k; j++) {
        if (!rvl__llm_wants(batch, i, j, k))
            continue;
        rvl_llama_branch(l->llama, 1, 2 + j);
        pieces[n++] = (rvl_llama_piece){.sequence = 2 + j,
                                        .ids = l->after[j].ids + l->n_common,
                                        .n = l->after[j].n - l->n_common,
                                        .candidates = l->firsts,
                                        .n_candidates = p->n_choices,
                                        .scores = scores + (size_t)j * RVL_PROMPT_CHOICES_MAX};
    }
    if (!st)
        st = rvl_llama_eval(l->llama, pieces, n, err);
    for (int q = 0; !st && q < n; q++) {
        const int j = pieces[q].sequence - 2;
        if (!scores_are_finite(pieces[q].scores, p->n_choices))
            st = rvl_fail(err, RVL_ERR_NUMERIC, "the model's scores are no numbers");
        shares_make(shares, pieces[q].scores, p->n_choices);
        rvl__llm_row(&rows[(size_t)i * (size_t)k + (size_t)j], &l->m, batch->texts[i], j, shares);
    }
    l->m.usage.answer_tok += st ? 0 : n;
    for (int s = 1; s < k + 2; s++)
        rvl_llama_drop(l->llama, s);
    if (!st)
        outcome->outcome = RVL_LABELLED;
    rvl_free(scores);
    rvl_free(pieces);
    return st;
}

static rvl_status local_label(rvl_labeller *self, rvl_label_row *rows, rvl_label_outcome *outcomes,
                              const rvl_label_batch *batch, rvl_error *err)
{
    local     *l = (local *)self;
    const int  k = rvl_schema_count(self->schema);
    walker     walkers[TOGETHER_MAX];
    rvl_status st = RVL_OK;

    memset(outcomes, 0, (size_t)batch->n * sizeof *outcomes);
    memset(walkers, 0, sizeof walkers);
    for (int i = 0; i < TOGETHER_MAX; i++)
        walkers[i].sequence = 1 + i;
    for (int i = 0; !st && i < batch->n;) {
        if (rvl_cancel_requested()) {
            st = rvl_fail(err, RVL_ERR_CANCELLED, "interrupted; run the same command again to go on");
        } else if (l->m.prompt->form != RVL_PROMPT_EACH) {
            st = chain_label(l, &i, walkers, rows, outcomes, batch, err);
        } else {
            if (rvl__llm_wants(batch, i, -1, k))
                st = each_label(l, i, walkers, rows, &outcomes[i], batch, err);
            else
                outcomes[i].outcome = RVL_LABELLED;
            i++;
        }
    }
    for (int i = 0; i < TOGETHER_MAX; i++)
        rvl_free(walkers[i].tokens.ids);
    return st;
}

static rvl_status local_estimate(rvl__llm *m, rvl_llm_usage *out, const rvl_span *texts, int64_t n, rvl_error *err)
{
    const local *l = (const local *)m;
    const bool   is_each = m->prompt->form == RVL_PROMPT_EACH;
    rvl_status   st = RVL_OK;
    int          n_after = is_each ? l->n_common : l->after[0].n;

    for (int j = 0; is_each && j < l->n_after; j++)
        n_after += l->after[j].n - l->n_common;
    for (int64_t i = 0; !st && i < n; i++) {
        rvl_tokens t = {0};
        st = rvl_llama_tokens(&t, l->llama, (const char *)texts[i].ptr, texts[i].n_bytes, false, false, err);
        rvl_free(t.ids);
        out->prompt_tok += l->before.n + t.n + n_after;
        out->shared_tok += l->before.n;
        out->answer_tok += is_each ? l->n_after : l->n_answer_max;
        out->n_requests++;
    }
    return st;
}

static void local_free(rvl_labeller *self)
{
    local    *l = (local *)self;
    const int k = rvl_schema_count(self->schema);

    for (int j = 0; l->after && j < l->n_after; j++)
        rvl_free(l->after[j].ids);
    for (int j = 0; l->gaps && j < k; j++)
        rvl_free(l->gaps[j].ids);
    for (int c = 0; c < RVL_PROMPT_CHOICES_MAX; c++)
        rvl_free(l->choices[c].ids);
    rvl_free(l->before.ids);
    rvl_free(l->after);
    rvl_free(l->gaps);
    rvl_llama_free(l->llama);
    rvl__llm_free(&l->m);
}

rvl_status rvl__llm_open_local(rvl_labeller **out, const rvl_llm_opts *o, const rvl_schema *schema, rvl_error *err)
{
    rvl__llm *m = NULL;
    const int k = rvl_schema_count(schema);
    const int n_together = o->n_together > 0 ? o->n_together : TOGETHER_USUAL;

    *out = NULL;
    if (n_together > TOGETHER_MAX)
        return rvl_fail(err, RVL_ERR_USAGE, "at most %d reports go into one batch", TOGETHER_MAX);
    if (o->n_votes > 1)
        return rvl_fail(err, RVL_ERR_USAGE, "votes are for servers: in process the tokens' probabilities are known");
    rvl_status st = rvl__llm_new(&m, sizeof(local), o, schema, err);
    if (st)
        return st;
    local     *l = (local *)m;
    const bool is_each = m->prompt->form == RVL_PROMPT_EACH;
    m->base.n_together = n_together;
    m->base.label = local_label;
    m->base.free = local_free;
    m->estimate = local_estimate;
    const rvl_llama_opts lo = {.n_context_tok = o->n_context_tok,
                               .n_sequences = is_each ? k + 2 : n_together + 1,
                               .is_shared = is_each,
                               .n_threads = o->n_threads};
    st = rvl_llama_open(&l->llama, o->model, &lo, err);
    if (!st)
        st = choices_make(l, err);
    if (!st && !is_each)
        st = gaps_make(l, err);
    if (!st)
        st = chats_make(l, err);
    if (!st)
        st = before_eval(l, err);
    if (st) {
        local_free(&m->base);
        return st;
    }
    *out = &m->base;
    return RVL_OK;
}
