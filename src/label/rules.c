/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/rules.c
 * Reports through the rules: sentences, mentions, the cue that reaches each, and what follows for the finding.
 */
#include "label/rules.h"
#include "base/alloc.h"
#include "label/rules_file.h"
#include <string.h>

enum { MATCHES_MAX = 1024, SENTENCE_TOKENS_MAX = 400 }; /* a longer sentence is read in pieces */

typedef struct {
    rvl_labeller    base; /* first: the interface is this object */
    rvl__rules_file file;
} rules;

/** What sentences said about one finding so far. */
typedef struct {
    int    n[RVL_RULES_OUTCOMES];                               /* sentences by ONCE, HINT, UNCERTAIN, ABSENT */
    size_t at[RVL_RULES_OUTCOMES], n_bytes[RVL_RULES_OUTCOMES]; /* the first of each */
} tally;

typedef struct {
    char       *text; /* copy with a NUL behind it */
    rvl__token *tokens;
    rvl__match *matches, *cues;
    int8_t     *claims; /* per token: taken by a cue */
    tally      *tallies;
    size_t     *offsets, *lengths; /* sentences */
    size_t      text_capacity, sentence_capacity;
} scratch;

static void scratch_fini(scratch *s)
{
    rvl_free(s->text);
    rvl_free(s->tokens);
    rvl_free(s->matches);
    rvl_free(s->cues);
    rvl_free(s->claims);
    rvl_free(s->tallies);
    rvl_free(s->offsets);
    rvl_free(s->lengths);
}

/* Room for a text of n bytes; false when out of memory. */
static bool scratch_fit(scratch *s, size_t n, size_t n_findings)
{
    if (!s->matches) {
        s->matches = rvl_alloc_array(MATCHES_MAX, sizeof *s->matches);
        s->cues = rvl_alloc_array(MATCHES_MAX, sizeof *s->cues);
        s->tallies = rvl_alloc_array(n_findings + 1, sizeof *s->tallies);
    }
    if (s->text_capacity < n + 1) {
        rvl_free(s->text);
        rvl_free(s->tokens);
        rvl_free(s->claims);
        s->text = rvl_alloc(n + 1);
        s->tokens = rvl_alloc_array(n + 1, sizeof *s->tokens);
        s->claims = rvl_alloc_array(n + 1, sizeof *s->claims);
        s->text_capacity = s->text && s->tokens && s->claims ? n + 1 : 0;
    }
    return s->text_capacity > 0 && s->matches && s->cues && s->tallies;
}

static size_t match_length(const rvl__match *m)
{
    return (size_t)(m->to - m->from);
}

static bool same_span(const rvl__match *cues, size_t n, const rvl__match *m)
{
    for (size_t i = 0; i < n; i++)
        if (cues[i].from == m->from && cues[i].to == m->to)
            return true;
    return false;
}

/* Longer cues claim their tokens before shorter ones; moves the cues that stand to s->cues in order of length. */
static size_t cues_claim(scratch *s, size_t n_matches, size_t n_tokens)
{
    size_t n = 0;
    size_t longest = 0;

    memset(s->claims, 0, n_tokens);
    for (size_t i = 0; i < n_matches; i++)
        if (s->matches[i].tag < RVL__CUE_COUNT && match_length(&s->matches[i]) > longest)
            longest = match_length(&s->matches[i]);
    for (size_t length = longest; length > 0; length--)
        for (size_t i = 0; i < n_matches; i++) {
            const rvl__match *m = &s->matches[i];
            if (m->tag >= RVL__CUE_COUNT || match_length(m) != length)
                continue;
            if (memchr(s->claims + m->from, 1, length) && !same_span(s->cues, n, m))
                continue;
            memset(s->claims + m->from, 1, length);
            s->cues[n++] = *m;
        }
    return n;
}

static bool ends_scopes(const rvl__match *cue)
{
    return cue->tag == RVL__CUE_STOP || cue->tag == RVL__CUE_AFFIRM;
}

/* Whether something between tokens [from, to) ends a scope. */
static bool is_barred(const scratch *s, size_t n_cues, int32_t from, int32_t to)
{
    for (size_t i = 0; i < n_cues; i++)
        if (ends_scopes(&s->cues[i]) && s->cues[i].from >= from && s->cues[i].to <= to)
            return true;
    for (int32_t i = from; i < to; i++)
        if (s->tokens[i].mark == ';')
            return true;
    return false;
}

/* How many parentheses opened in [from, to) are still open at its end: a doubt inside them is about their words. */
static int n_open(const scratch *s, int32_t from, int32_t to)
{
    int open = 0;

    for (int32_t i = from; i < to; i++) {
        if (s->tokens[i].mark == '(')
            open++;
        else if (s->tokens[i].mark == ')' && open > 0)
            open--;
    }
    return open;
}

/* Tokens between the cue and the mention if the cue's scope reaches it, else -1. */
static int32_t cue_distance(const scratch *s, size_t n_cues, const rvl__match *cue, const rvl__match *m)
{
    const bool is_before = cue->tag == RVL__CUE_ABSENT_BEFORE || cue->tag == RVL__CUE_UNCERTAIN_BEFORE ||
                           cue->tag == RVL__CUE_IGNORE_BEFORE;

    if (cue->tag >= RVL__CUE_STOP)
        return -1;
    if (cue->from > m->from && cue->to < m->to) /* "heart is not enlarged": among the words that a phrase skips */
        return 0;
    if (cue->from >= m->from && cue->to <= m->to)
        return -1;
    if (is_before) {
        const int32_t from = cue->to < m->from ? cue->to : m->from;
        return cue->from < m->from && !is_barred(s, n_cues, from, m->from) ? m->from - from : -1;
    }
    const int32_t to = cue->from > m->to ? cue->from : m->to;
    return cue->to > m->to && !is_barred(s, n_cues, m->to, to) && n_open(s, m->to, to) == 0 ? to - m->to : -1;
}

/* The nearest cue decides. RVL_RULES_OUTCOMES: the mention does not count. */
static rvl_rules_outcome mention_judge(const scratch *s, size_t n_cues, const rvl__match *m)
{
    int32_t best = -1;
    int32_t tag = -1;

    for (size_t i = 0; i < n_cues; i++) {
        const int32_t d = cue_distance(s, n_cues, &s->cues[i], m);
        if (d >= 0 && (best < 0 || d < best)) {
            best = d;
            tag = s->cues[i].tag;
        }
    }
    if (tag == RVL__CUE_ABSENT_BEFORE || tag == RVL__CUE_ABSENT_AFTER)
        return RVL_RULES_ABSENT;
    if (tag == RVL__CUE_UNCERTAIN_BEFORE || tag == RVL__CUE_UNCERTAIN_AFTER)
        return RVL_RULES_UNCERTAIN;
    return tag < 0 ? RVL_RULES_ONCE : RVL_RULES_OUTCOMES;
}

/* The clause round a mention, between cues that stop: [*from, *to). */
static void clause_of(const scratch *s, size_t n_cues, const rvl__match *m, int32_t n_tokens, int32_t *from,
                      int32_t *to)
{
    *from = 0;
    *to = n_tokens;
    for (size_t i = 0; i < n_cues; i++) {
        if (s->cues[i].tag != RVL__CUE_STOP)
            continue;
        if (s->cues[i].to <= m->from && s->cues[i].to > *from)
            *from = s->cues[i].to;
        if (s->cues[i].from >= m->to && s->cues[i].from < *to)
            *to = s->cues[i].from;
    }
}

/* Whether `except`, `unless` and `needs` of the finding let the mention stand. */
static bool mention_stands(const rules *r, const scratch *s, size_t n_matches, size_t n_cues, const rvl__match *m,
                           int32_t n_tokens)
{
    const int32_t finding = (m->tag - RVL__CUE_COUNT) / RVL__ROLE_COUNT;
    const int32_t base = RVL__CUE_COUNT + finding * RVL__ROLE_COUNT;
    bool          has_needed = !r->file.has_needs[finding];
    int32_t       from = 0;
    int32_t       to = 0;

    clause_of(s, n_cues, m, n_tokens, &from, &to);
    for (size_t i = 0; i < n_matches; i++) {
        const rvl__match *x = &s->matches[i];
        if (x->tag == base + RVL__ROLE_EXCEPT && x->from <= m->from && x->to >= m->to)
            return false;
        if (x->tag == base + RVL__ROLE_UNLESS && x->from >= from && x->to <= to)
            return false;
        has_needed = has_needed || x->tag == base + RVL__ROLE_NEEDS;
    }
    return has_needed;
}

/* One sentence's word on one finding: the strongest of its mentions counts once. */
static void tally_add(tally *t, rvl_rules_outcome o, const rvl__token *first, const rvl__token *last)
{
    if (t->n[o]++ == 0) {
        t->at[o] = first->at;
        t->n_bytes[o] = last->at + last->n_bytes - first->at;
    }
}

static void sentence_read(const rules *r, scratch *s, const rvl__token *tokens, size_t n)
{
    rvl__token  *all = s->tokens;
    const size_t n_matches = rvl__terms_find(s->matches, MATCHES_MAX, r->file.terms, tokens, n);
    const size_t n_cues = cues_claim(s, n_matches, n);
    bool         counted[RVL_RULES_OUTCOMES] = {0};

    s->tokens = (rvl__token *)tokens; /* helpers count tokens from the sentence's first */
    for (int32_t k = 0; n_matches > n_cues && k < rvl_schema_count(r->base.schema); k++) {
        memset(counted, 0, sizeof counted);
        for (size_t i = 0; i < n_matches; i++) {
            const rvl__match *m = &s->matches[i];
            const int32_t     role = (m->tag - RVL__CUE_COUNT) % RVL__ROLE_COUNT;
            rvl_rules_outcome o = RVL_RULES_ABSENT;
            if (m->tag < RVL__CUE_COUNT || (m->tag - RVL__CUE_COUNT) / RVL__ROLE_COUNT != k ||
                role > RVL__ROLE_DENIED || !mention_stands(r, s, n_matches, n_cues, m, (int32_t)n))
                continue;
            if (role != RVL__ROLE_DENIED)
                o = mention_judge(s, n_cues, m);
            if (role == RVL__ROLE_HINT && o == RVL_RULES_ONCE)
                o = RVL_RULES_HINT;
            if (o < RVL_RULES_OUTCOMES && !counted[o]) {
                counted[o] = true;
                tally_add(&s->tallies[k], o, &tokens[m->from], &tokens[m->to - 1]);
            }
        }
    }
    s->tokens = all;
}

static rvl_rules_outcome tally_outcome(const tally *t)
{
    if (t->n[RVL_RULES_ONCE] > 1)
        return RVL_RULES_OFTEN;
    if (t->n[RVL_RULES_ONCE] == 1)
        return t->n[RVL_RULES_ABSENT] ? RVL_RULES_DISPUTED : RVL_RULES_ONCE;
    if (t->n[RVL_RULES_HINT])
        return RVL_RULES_HINT;
    if (t->n[RVL_RULES_UNCERTAIN])
        return RVL_RULES_UNCERTAIN;
    return t->n[RVL_RULES_ABSENT] ? RVL_RULES_ABSENT : RVL_RULES_NOT_MENTIONED;
}

static void row_fill(rvl_label_row *row, const tally *t, const double *probability)
{
    const rvl_rules_outcome o = tally_outcome(t);
    const rvl_rules_outcome seen = o == RVL_RULES_OFTEN || o == RVL_RULES_DISPUTED ? RVL_RULES_ONCE : o;

    row->probability = probability[o];
    row->evidence_at = t->at[seen];
    row->evidence_bytes = t->n_bytes[seen];
    if (o >= RVL_RULES_DISPUTED)
        row->state = RVL_LABEL_PRESENT;
    else if (o == RVL_RULES_HINT)
        row->state = probability[o] < 0.5 ? RVL_LABEL_UNCERTAIN : RVL_LABEL_PRESENT;
    else
        row->state = o == RVL_RULES_UNCERTAIN ? RVL_LABEL_UNCERTAIN
                     : o == RVL_RULES_ABSENT  ? RVL_LABEL_ABSENT
                                              : RVL_LABEL_NOT_MENTIONED;
}

/* Sentences of one section: the text is cut by a NUL while they are looked for. */
static bool section_read(const rules *r, scratch *s, const rvl_section_span *span)
{
    char  *text = s->text + span->at;
    char   behind = text[span->n_bytes];
    size_t n = 0;

    text[span->n_bytes] = '\0';
    n = rvl_sentences(text, s->offsets, s->lengths, s->sentence_capacity);
    if (n > s->sentence_capacity) {
        rvl_free(s->offsets);
        rvl_free(s->lengths);
        s->sentence_capacity = 2 * n;
        s->offsets = rvl_alloc_array(s->sentence_capacity, sizeof *s->offsets);
        s->lengths = rvl_alloc_array(s->sentence_capacity, sizeof *s->lengths);
        if (!s->offsets || !s->lengths) {
            s->sentence_capacity = 0;
            return false;
        }
        n = rvl_sentences(text, s->offsets, s->lengths, s->sentence_capacity);
    }
    text[span->n_bytes] = behind;
    for (size_t i = 0; i < n; i++) {
        const size_t at = span->at + s->offsets[i];
        const size_t n_tokens = rvl__terms_tokens(s->tokens, r->file.terms, s->text + at, s->lengths[i]);
        for (size_t j = 0; j < n_tokens; j++)
            s->tokens[j].at += (uint32_t)at;
        for (size_t j = 0; j < n_tokens; j += SENTENCE_TOKENS_MAX)
            sentence_read(r, s, s->tokens + j, n_tokens - j < SENTENCE_TOKENS_MAX ? n_tokens - j : SENTENCE_TOKENS_MAX);
    }
    return true;
}

/* "No finding": its probability is that of none of the others, as if they were independent. */
static void none_of_fill(const rules *r, rvl_label_row *rows)
{
    const int n = rvl_schema_count(r->base.schema);

    for (int k = 0; k < n; k++) {
        const bool *others = r->file.none_of + k * n;
        bool        has_others = false;
        bool        is_clear = true;
        double      p = 1.0;
        for (int j = 0; j < n; j++) {
            has_others = has_others || others[j];
            if (!others[j])
                continue;
            p *= 1.0 - rows[j].probability;
            is_clear = is_clear && rows[j].state != RVL_LABEL_PRESENT && rows[j].state != RVL_LABEL_UNCERTAIN;
        }
        if (!has_others)
            continue;
        rows[k].state = is_clear ? RVL_LABEL_PRESENT : RVL_LABEL_ABSENT;
        rows[k].probability = p;
    }
}

static bool report_read(const rules *r, scratch *s, rvl_label_row *rows, const rvl_span *text)
{
    const size_t      n_findings = (size_t)rvl_schema_count(r->base.schema);
    rvl_section_span  few[32];
    rvl_section_span *spans = few;

    if (!scratch_fit(s, text->n_bytes, n_findings))
        return false;
    memcpy(s->text, text->ptr, text->n_bytes);
    s->text[text->n_bytes] = '\0';
    for (size_t i = 0; i < text->n_bytes; i++)
        if (s->text[i] == '\0')
            s->text[i] = ' ';
    memset(s->tallies, 0, n_findings * sizeof *s->tallies);
    size_t n = rvl_report_spans(s->text, few, RVL_ARRAY_LEN(few));
    if (n > RVL_ARRAY_LEN(few)) {
        spans = rvl_alloc_array(n, sizeof *spans);
        if (!spans)
            return false;
        n = rvl_report_spans(s->text, spans, n);
    }
    bool is_ok = true;
    for (size_t i = 0; is_ok && i < n; i++)
        if (r->file.is_read[spans[i].section])
            is_ok = section_read(r, s, &spans[i]);
    if (spans != few)
        rvl_free(spans);
    rvl_label_rows_clear(rows, &r->base, 0.0);
    for (size_t k = 0; k < n_findings; k++)
        row_fill(&rows[k], &s->tallies[k], r->file.probability[k]);
    none_of_fill(r, rows);
    return is_ok;
}

static void report_label(const rules *r, scratch *s, rvl_label_row *rows, rvl_label_outcome *outcome,
                         const rvl_span *text, const bool *wanted, rvl_label_row *own)
{
    static const char too_long[] = "longer than 16 MiB";
    static const char not_utf8[] = "not UTF-8";
    const int         n = rvl_schema_count(r->base.schema);

    *outcome = (rvl_label_outcome){.outcome = RVL_LABELLED_FAILED};
    if (text->n_bytes > (size_t)16 << 20)
        memcpy(outcome->reason, too_long, sizeof too_long);
    else if (!rvl_utf8_valid(text->ptr, text->n_bytes, NULL))
        memcpy(outcome->reason, not_utf8, sizeof not_utf8);
    else if (!report_read(r, s, own, text))
        *outcome = (rvl_label_outcome){.outcome = RVL_LABELLED_NOT};
    else
        outcome->outcome = RVL_LABELLED;
    for (int k = 0; outcome->outcome == RVL_LABELLED && k < n; k++)
        if (!wanted || wanted[k])
            rows[k] = own[k];
}

static rvl_status rules_label(rvl_labeller *self, rvl_label_row *rows, rvl_label_outcome *outcomes,
                              const rvl_label_batch *batch, rvl_error *err)
{
    const rules *r = (const rules *)self;
    const int    k = rvl_schema_count(self->schema);
    bool         has_memory = true;

#pragma omp parallel if (batch->n > 16) reduction(&& : has_memory)
    {
        scratch        s = {0};
        rvl_label_row *own = rvl_alloc_array((size_t)k + 1, sizeof *own);
#pragma omp for schedule(dynamic, 8)
        for (int i = 0; i < batch->n; i++) {
            outcomes[i] = (rvl_label_outcome){.outcome = RVL_LABELLED_NOT};
            if (own)
                report_label(r, &s, rows + (size_t)i * (size_t)k, &outcomes[i], &batch->texts[i],
                             batch->wanted ? batch->wanted + (size_t)i * (size_t)k : NULL, own);
            has_memory = has_memory && outcomes[i].outcome != RVL_LABELLED_NOT;
        }
        scratch_fini(&s);
        rvl_free(own);
    }
    return has_memory ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for labels");
}

static void rules_free(rvl_labeller *self)
{
    rvl__rules_file_fini(&((rules *)self)->file);
    rvl_free(self);
}

rvl_status rvl_rules_parse(rvl_labeller **out, const char *yaml, size_t n_bytes, const char *name,
                           const rvl_schema *schema, rvl_error *err)
{
    rules     *r = rvl_alloc_array(1, sizeof *r);
    rvl_status st = r ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot read rules: out of memory");

    *out = NULL;
    if (!st)
        st = rvl__rules_file_parse(&r->file, yaml, n_bytes, name, schema, err);
    if (st) {
        rvl_free(r);
        return st;
    }
    r->base = (rvl_labeller){.source = "rules",
                             .version = r->file.version,
                             .schema = schema,
                             .n_together = 256,
                             .label = rules_label,
                             .free = rules_free};
    *out = &r->base;
    return RVL_OK;
}
