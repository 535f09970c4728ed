/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label_audit.c
 * Labels beside gold labels: sources of labels joined by the report's id.
 */
#include "verbs/label_audit.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "findings/class_sets.h"
#include "verbs/label_policy.h"
#include "verbs/label_set.h"
#include <math.h>
#include <string.h>

typedef struct {
    const rvl_label_audit_opts *o;
    rvl_uncertain_policy        uncertain;
    rvl_missing_policy          missing;
    rvl_label_audit             x;
    rvl_label_set               gold, a, b;
    rvl_reports                 reports;   /* of --reports */
    int                        *columns;   /* (k, 3) findings of gold, a, b */
    int64_t                    *gold_rows; /* (n) */
    rvl_span                   *texts;     /* (n) */
    rvl_label_row              *evidence_a, *evidence_b;
} audit;

enum { OF_GOLD, OF_A, OF_B, N_SETS };

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for an audit");
}

/* Gold or a second source: a table, or a source of the cohort that is audited. */
static rvl_status other_open(rvl_label_set *s, const audit *u, const char *name, rvl_error *err)
{
    const rvl_label_opts *l = &u->o->label;

    if (rvl_path_is_dir(l->input) && !rvl_str_ends(name, ".csv"))
        return rvl__label_set_cohort(s, l->input, name, 0, err);
    return rvl__label_set_table(s, name, l->id_column, err);
}

/* The labels that are audited. */
static rvl_status first_open(audit *u, rvl_error *err)
{
    const rvl_label_opts *l = &u->o->label;

    if (rvl__label_asks(l))
        return rvl__label_set_labelled(&u->a, l, err);
    if (rvl_path_is_dir(l->input))
        return rvl__label_set_cohort(&u->a, l->input, l->source, l->limit, err);
    return rvl__label_set_table(&u->a, l->input, l->id_column, err);
}

/* Findings that the labels and gold have; a second source must have them too. */
static rvl_status names_match(audit *u, rvl_error *err)
{
    u->x.names = rvl_alloc_array((size_t)u->a.k + 1, sizeof *u->x.names);
    u->columns = rvl_alloc_array((size_t)u->a.k + 1, N_SETS * sizeof *u->columns);
    if (!u->x.names || !u->columns)
        return no_memory(err);
    for (int j = 0; j < u->a.k; j++) {
        int *c = u->columns + u->x.k * N_SETS;
        c[OF_GOLD] = rvl__label_set_finding(&u->gold, u->a.names[j]);
        c[OF_A] = j;
        if (c[OF_GOLD] < 0)
            continue;
        c[OF_B] = u->o->compare ? rvl__label_set_finding(&u->b, u->a.names[j]) : -1;
        if (u->o->compare && c[OF_B] < 0)
            return rvl_fail(err, RVL_ERR_FORMAT, "'%s' has no column '%s'", u->b.name, u->a.names[j]);
        u->x.names[u->x.k++] = u->a.names[j];
    }
    if (u->x.k == 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "'%s' and '%s' have no finding in common", u->gold.name, u->a.name);
    return RVL_OK;
}

/* Rows of gold that have labels; the others are counted. */
static rvl_status rows_match(audit *u, rvl_error *err)
{
    rvl_label_audit *x = &u->x;

    x->ids = rvl_alloc_array((size_t)u->gold.n + 1, sizeof *x->ids);
    u->gold_rows = rvl_alloc_array((size_t)u->gold.n + 1, sizeof *u->gold_rows);
    if (!x->ids || !u->gold_rows)
        return no_memory(err);
    for (int64_t i = 0; i < u->gold.n; i++) { /* in the table's order */
        const int64_t row = u->gold.ids[i] ? rvl__label_set_row(&u->a, u->gold.ids[i]) : -1;
        if (row < 0) {
            x->n_unmatched += u->gold.ids[i] != NULL;
            continue;
        }
        u->gold_rows[x->n] = i;
        x->ids[x->n++] = u->gold.ids[i];
    }
    return x->n ? RVL_OK
                : rvl_fail(err, RVL_ERR_NOT_FOUND, "no row of '%s' has a label in '%s'", u->gold.name, u->a.name);
}

static rvl_status gold_read(audit *u, rvl_error *err)
{
    rvl_label_audit *x = &u->x;
    const size_t     n = (size_t)(x->n + 1) * (size_t)x->k;
    rvl_status       st = RVL_OK;

    x->truth = rvl_alloc_array(n, sizeof *x->truth);
    x->valid = rvl_alloc_array(n, sizeof *x->valid);
    if (!x->truth || !x->valid)
        return no_memory(err);
    for (int64_t i = 0; !st && i < x->n; i++)
        for (int j = 0; !st && j < x->k; j++) {
            rvl_label_state state = RVL_LABEL_NOT_MENTIONED;
            float           target = 0.0f;
            float           weight = 0.0f;
            st = rvl__label_set_state(&state, &u->gold, u->gold_rows[i], u->columns[j * N_SETS + OF_GOLD], err);
            rvl_label_target(state, u->uncertain, u->missing, &target, &weight);
            x->truth[i * x->k + j] = target > 0.5f;
            x->valid[i * x->k + j] = (double)weight;
        }
    return st;
}

/* The reports of the rows, from what was labelled or from a file beside the labels. */
static rvl_status texts_find(audit *u, rvl_error *err)
{
    const rvl_label_audit_opts *o = u->o;
    rvl_label_audit            *x = &u->x;
    rvl_label_set               beside = {0};
    const rvl_label_set        *from = u->a.texts ? &u->a : &beside;
    rvl_status                  st = RVL_OK;

    if (!u->a.texts && !o->reports)
        return RVL_OK;
    if (!u->a.texts)
        st = rvl_reports_load(&u->reports, o->reports, o->label.text_columns, o->label.id_column, 0, err);
    if (!st && !u->a.texts)
        st = rvl__label_set_texts(&beside, &u->reports, o->reports, err);
    u->texts = rvl_alloc_array((size_t)x->n + 1, sizeof *u->texts);
    if (!st && !u->texts)
        st = no_memory(err);
    for (int64_t i = 0; !st && i < x->n; i++) {
        const int64_t row = rvl__label_set_row(from, x->ids[i]);
        if (row >= 0)
            u->texts[i] = from->texts[row];
    }
    x->texts = u->texts;
    rvl__label_set_fini(&beside);
    return st;
}

static rvl_status side_read(audit *u, rvl_label_side *side, rvl_label_row **evidence, const rvl_label_set *set,
                            int which, rvl_error *err)
{
    const rvl_label_audit *x = &u->x;
    const size_t           n = (size_t)(x->n + 1) * (size_t)x->k;
    rvl_status             st = RVL_OK;

    side->name = set->name;
    side->probability = rvl_alloc_array(n, sizeof *side->probability);
    side->state = rvl_alloc_array(n, sizeof *side->state);
    side->evidence = *evidence = rvl_alloc_array(n, sizeof **evidence);
    if (!side->probability || !side->state || !*evidence)
        return no_memory(err);
    for (int64_t i = 0; !st && i < x->n; i++) {
        const int64_t row = rvl__label_set_row(set, x->ids[i]);
        for (int j = 0; !st && j < x->k; j++) {
            rvl_label_row *r = *evidence + i * x->k + j;
            *r = (rvl_label_row){.state = RVL_LABEL_NOT_MENTIONED, .probability = NAN};
            if (row >= 0)
                st = rvl__label_set_get(r, set, row, u->columns[j * N_SETS + which], x->texts ? &x->texts[i] : NULL,
                                        err);
            side->probability[i * x->k + j] = r->probability;
            side->state[i * x->k + j] = (uint8_t)r->state;
        }
    }
    return st;
}

/* Everything the measures need. */
static rvl_status audit_read(audit *u, rvl_error *err)
{
    rvl_status st = other_open(&u->gold, u, u->o->gold, err);

    if (!st && u->o->compare) /* before a labeller is paid */
        st = other_open(&u->b, u, u->o->compare, err);
    if (!st)
        st = first_open(u, err);
    if (!st)
        st = names_match(u, err);
    if (!st)
        st = rows_match(u, err);
    if (!st)
        st = gold_read(u, err);
    if (!st)
        st = texts_find(u, err);
    if (!st)
        st = side_read(u, &u->x.a, &u->evidence_a, &u->a, OF_A, err);
    if (!st && u->o->compare)
        st = side_read(u, &u->x.b, &u->evidence_b, &u->b, OF_B, err);
    return st;
}

static void audit_fini(audit *u)
{
    rvl__label_set_fini(&u->gold);
    rvl__label_set_fini(&u->a);
    rvl__label_set_fini(&u->b);
    rvl_reports_fini(&u->reports);
    rvl_free(u->columns);
    rvl_free(u->gold_rows);
    rvl_free(u->texts);
    rvl_free(u->evidence_a);
    rvl_free(u->evidence_b);
    rvl_free(u->x.names);
    rvl_free(u->x.ids);
    rvl_free(u->x.truth);
    rvl_free(u->x.valid);
    rvl_free(u->x.a.probability);
    rvl_free(u->x.a.state);
    rvl_free(u->x.b.probability);
    rvl_free(u->x.b.state);
}

rvl_label_audit_opts rvl_label_audit_opts_default(void)
{
    return (rvl_label_audit_opts){
        .label = rvl_label_opts_default(), .uncertain = "ignore", .missing = "ignore", .n_bootstrap = 1000};
}

static rvl_status opts_check(audit *u, rvl_error *err)
{
    const rvl_label_audit_opts *o = u->o;
    rvl_status                  st = rvl__uncertain_parse(&u->uncertain, o->uncertain, err);

    if (!st && u->uncertain == RVL_UNCERTAIN_HALF)
        st = rvl_fail(err, RVL_ERR_USAGE, "--uncertain is ignore, present or absent for gold labels");
    if (!st)
        st = rvl__missing_parse(&u->missing, o->missing, err);
    if (!st && o->n_bootstrap < 0)
        st = rvl_fail(err, RVL_ERR_USAGE, "--bootstrap is not negative");
    if (!st && o->reports && (rvl__label_asks(&o->label) || rvl_path_is_dir(o->label.input)))
        st = rvl_fail(err, RVL_ERR_USAGE, "--reports is for labels from a table: the reports of '%s' are known",
                      o->label.input);
    return st;
}

/* What the document says beside the measures. */
static void settings_add(json_t *doc, const audit *u)
{
    const rvl_label_result *r = &u->a.usage;

    rvl_json_set(doc, "gold", json_string(u->o->gold));
    rvl_json_set(doc, "uncertain", json_string(u->o->uncertain));
    rvl_json_set(doc, "missing", json_string(u->o->missing));
    rvl_json_set(doc, "n_failed", json_integer((json_int_t)r->n_failed));
    if (r->n_requests == 0)
        return;
    json_t *llm = json_object();
    rvl_json_set(llm, "n_requests", json_integer((json_int_t)r->n_requests));
    rvl_json_set(llm, "prompt_tokens", json_integer((json_int_t)r->prompt_tok));
    rvl_json_set(llm, "answer_tokens", json_integer((json_int_t)r->answer_tok));
    rvl_json_set(llm, "cost", rvl_json_real(r->cost));
    rvl_json_set(doc, "llm", llm);
}

rvl_status rvl_label_audit_run(char **json, const rvl_label_audit_opts *o, rvl_error *err)
{
    audit      u = {.o = o};
    json_t    *doc = NULL;
    rvl_status st = opts_check(&u, err);

    *json = NULL;
    if (!st)
        st = audit_read(&u, err);
    if (!st)
        st = rvl__label_measure(&doc, &u.x, o->n_bootstrap, (uint64_t)o->seed, err);
    if (!st)
        settings_add(doc, &u);
    if (!st && o->html)
        st = rvl__label_page(o->html, doc, &u.x, err);
    if (!st && o->queue)
        st = rvl__label_queue(o->queue, &u.x, err);
    if (!st)
        st = rvl_json_format(json, doc, 2, err);
    json_decref(doc);
    audit_fini(&u);
    return st;
}
