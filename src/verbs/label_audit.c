/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label_audit.c
 * Labels beside gold labels: tables joined by the report's id, or reports labelled on the fly.
 */
#include "verbs/label_audit.h"
#include "base/alloc.h"
#include "base/json.h"
#include "findings/class_sets.h"
#include "verbs/label_policy.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const id_names[] = {"report_id", "case_id", "study_id", "VolumeName", "AccessionNo", "id", "row"};

typedef struct {
    const char *id;
    int64_t     row;
} keyed;

/** A table with a row a report, found by id. */
typedef struct {
    rvl_csv *csv;
    int      id_column;
    keyed   *keys; /* sorted */
    size_t   n;
} table;

typedef struct {
    const rvl_label_audit_opts *o;
    rvl_uncertain_policy        uncertain;
    rvl_missing_policy          missing;
    rvl_label_audit             x;
    table                       gold, a, b;
    rvl_schema                 *schema;
    rvl_labeller               *labeller;
    rvl_reports                 reports;
    rvl_label_results           labels;
    int                        *gold_columns; /* (k) */
    int64_t                    *gold_rows;    /* (n) */
    rvl_span                   *texts;
    rvl_label_row              *evidence;
    rvl_str                     name;
} audit;

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for an audit");
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const keyed *)a)->id, ((const keyed *)b)->id);
}

static rvl_status keys_sort(keyed *keys, size_t n, const char *what, rvl_error *err)
{
    qsort(keys, n, sizeof *keys, by_id);
    for (size_t i = 1; i < n; i++)
        if (strcmp(keys[i - 1].id, keys[i].id) == 0)
            return rvl_fail(err, RVL_ERR_FORMAT, "'%s' has two rows of one id (rows %lld and %lld)", what,
                            (long long)keys[i - 1].row + 1, (long long)keys[i].row + 1);
    return RVL_OK;
}

static int64_t key_find(const keyed *keys, size_t n, const char *id)
{
    const keyed  key = {id, 0};
    const keyed *found = bsearch(&key, keys, n, sizeof *keys, by_id);
    return found ? found->row : -1;
}

static rvl_status table_open(table *t, const char *path, const char *id_column, rvl_error *err)
{
    rvl_status st = rvl_csv_load(&t->csv, path, (size_t)4 << 30, err);

    t->id_column = -1;
    if (!st && id_column)
        st = rvl_csv_need_column(&t->id_column, t->csv, id_column, err);
    for (size_t i = 0; !st && !id_column && t->id_column < 0 && i < RVL_ARRAY_LEN(id_names); i++)
        t->id_column = rvl_csv_column(t->csv, id_names[i]);
    if (!st && t->id_column < 0)
        st = rvl_fail(err, RVL_ERR_FORMAT, "'%s' has no column of ids\nhint: --id-column", path);
    if (st)
        return st;
    t->n = rvl_csv_n_rows(t->csv);
    t->keys = rvl_alloc_array(t->n + 1, sizeof *t->keys);
    if (!t->keys)
        return no_memory(err);
    for (size_t i = 0; i < t->n; i++)
        t->keys[i] = (keyed){rvl_csv_cell(t->csv, i, (size_t)t->id_column), (int64_t)i};
    return keys_sort(t->keys, t->n, path, err);
}

static void table_close(table *t)
{
    rvl_csv_free(t->csv);
    rvl_free(t->keys);
}

/* Column of a finding: its name, or "label_" and its name; -1. */
static int finding_column(const table *t, const char *name)
{
    for (size_t c = 0; c < rvl_csv_n_columns(t->csv); c++) {
        const char *own = rvl_csv_name(t->csv, c);
        if ((int)c == t->id_column)
            continue;
        if (rvl_class_name_equal(own, name) || (rvl_str_starts(own, "label_") && rvl_class_name_equal(own + 6, name)))
            return (int)c;
    }
    return -1;
}

static bool ends_as_extra(const char *name)
{
    return rvl_str_ends(name, "_state") || rvl_str_ends(name, "_evidence");
}

static bool name_add(audit *u, const char *name)
{
    const int c = finding_column(&u->gold, name);

    if (c >= 0) {
        u->x.names[u->x.k] = name;
        u->gold_columns[u->x.k++] = c;
    }
    return c >= 0;
}

/* Findings that the labels and the gold table have. */
static rvl_status names_match(audit *u, rvl_error *err)
{
    const size_t n = u->schema ? (size_t)rvl_schema_count(u->schema) : rvl_csv_n_columns(u->a.csv);

    u->x.names = rvl_alloc_array(n + 1, sizeof *u->x.names);
    u->gold_columns = rvl_alloc_array(n + 1, sizeof *u->gold_columns);
    if (!u->x.names || !u->gold_columns)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        if (u->schema)
            (void)name_add(u, rvl_schema_at(u->schema, (int)i)->name);
        else if ((int)i != u->a.id_column && !ends_as_extra(rvl_csv_name(u->a.csv, i)))
            (void)name_add(u, rvl_csv_name(u->a.csv, i));
    }
    if (u->x.k == 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "'%s' and '%s' have no finding in common", u->o->gold,
                        u->schema ? rvl_schema_name(u->schema) : u->o->label.input);
    return RVL_OK;
}

static rvl_status gold_row(audit *u, int64_t i, size_t row, rvl_error *err)
{
    for (int j = 0; j < u->x.k; j++) {
        const char     *cell = rvl_csv_cell(u->gold.csv, row, (size_t)u->gold_columns[j]);
        rvl_label_state state;
        float           target = 0.0f;
        float           weight = 0.0f;
        if (!rvl_label_parse(cell, &state))
            return rvl_fail(err, RVL_ERR_FORMAT, "'%s' line %lld: '%.32s' is no label of '%s'", u->o->gold,
                            (long long)rvl_csv_line(u->gold.csv, row), cell, u->x.names[j]);
        rvl_label_target(state, u->uncertain, u->missing, &target, &weight);
        u->x.truth[i * u->x.k + j] = target > 0.5f;
        u->x.valid[i * u->x.k + j] = (double)weight;
    }
    return RVL_OK;
}

/* A row of a table of predictions: probabilities, and states if it has them, else what the threshold says. */
static rvl_status side_row(const rvl_label_audit *x, rvl_label_side *side, const table *t, const int *columns,
                           int64_t i, size_t row, rvl_error *err)
{
    for (int j = 0; j < x->k; j++) {
        const char *cell = rvl_csv_cell(t->csv, row, (size_t)columns[2 * j]);
        double      p = NAN;
        if (*cell && (!rvl_parse_f64(cell, &p) || p < 0.0 || p > 1.0))
            return rvl_fail(err, RVL_ERR_FORMAT, "'%s' line %lld: '%.32s' is no probability of '%s'",
                            rvl_csv_file(t->csv), (long long)rvl_csv_line(t->csv, row), cell, x->names[j]);
        rvl_label_state state = isnan(p) ? RVL_LABEL_NOT_MENTIONED : p >= 0.5 ? RVL_LABEL_PRESENT : RVL_LABEL_ABSENT;
        if (columns[2 * j + 1] >= 0)
            (void)rvl_label_parse(rvl_csv_cell(t->csv, row, (size_t)columns[2 * j + 1]), &state);
        side->probability[i * x->k + j] = p;
        side->state[i * x->k + j] = (uint8_t)state;
    }
    return RVL_OK;
}

static rvl_status side_alloc(const rvl_label_audit *x, rvl_label_side *side, rvl_error *err)
{
    const size_t n = (size_t)(x->n + 1) * (size_t)x->k;

    side->probability = rvl_alloc_array(n, sizeof *side->probability);
    side->state = rvl_alloc_array(n, sizeof *side->state);
    if (!side->probability || !side->state)
        return no_memory(err);
    for (size_t i = 0; i < n; i++)
        side->probability[i] = NAN;
    return RVL_OK;
}

static rvl_status side_from_table(rvl_label_audit *x, rvl_label_side *side, const table *t, rvl_error *err)
{
    int       *columns = rvl_alloc_array((size_t)x->k, 2 * sizeof *columns);
    rvl_str    name = {0};
    rvl_status st = columns ? side_alloc(x, side, err) : no_memory(err);

    side->name = rvl_csv_file(t->csv);
    for (int j = 0; !st && j < x->k; j++) {
        columns[2 * j] = finding_column(t, x->names[j]);
        rvl_str_clear(&name);
        rvl_str_addf(&name, "%s_state", x->names[j]);
        columns[2 * j + 1] = name.failed ? -1 : rvl_csv_column(t->csv, name.ptr);
        if (columns[2 * j] < 0)
            st = rvl_fail(err, RVL_ERR_FORMAT, "'%s' has no column '%s'", side->name, x->names[j]);
    }
    for (int64_t i = 0; !st && i < x->n; i++) {
        const int64_t row = key_find(t->keys, t->n, x->ids[i]);
        if (row >= 0)
            st = side_row(x, side, t, columns, i, (size_t)row, err);
    }
    rvl_free(columns);
    rvl_str_free(&name);
    return st;
}

/* Reports labelled on the fly, with their texts and evidence. */
static rvl_status side_from_reports(audit *u, keyed *keys, rvl_error *err)
{
    rvl_label_audit *x = &u->x;
    const int        n_all = rvl_schema_count(u->schema);
    rvl_status       st = side_alloc(x, &x->a, err);

    u->texts = rvl_alloc_array((size_t)x->n + 1, sizeof *u->texts);
    u->evidence = rvl_alloc_array((size_t)(x->n + 1) * (size_t)x->k, sizeof *u->evidence);
    rvl_str_addf(&u->name, "%s %s", u->labeller->source, u->labeller->version);
    if (!st && (!u->texts || !u->evidence || u->name.failed))
        st = no_memory(err);
    for (int64_t i = 0; !st && i < x->n; i++) {
        const int64_t row = key_find(keys, (size_t)u->reports.n_rows, x->ids[i]);
        const int64_t t = row < 0 ? -1 : u->reports.rows[row].i_text;
        if (t < 0 || u->labels.outcomes[t].outcome != RVL_LABELLED)
            continue;
        u->texts[i] = u->reports.texts[t];
        for (int j = 0; j < x->k; j++) {
            const rvl_label_row *r = &u->labels.rows[t * n_all + rvl_schema_index(u->schema, x->names[j])];
            x->a.probability[i * x->k + j] = r->probability;
            x->a.state[i * x->k + j] = (uint8_t)r->state;
            u->evidence[i * x->k + j] = *r;
        }
    }
    x->a.name = u->name.ptr;
    x->texts = u->texts;
    x->a.evidence = u->evidence;
    return st;
}

static rvl_status reports_label(audit *u, rvl_error *err)
{
    const rvl_label_opts *l = &u->o->label;
    rvl_status            st = rvl__label_open(&u->labeller, l, u->schema, err);

    if (!st)
        st = rvl_reports_load(&u->reports, l->input, l->text_columns, l->id_column, l->limit, err);
    return st ? st : rvl_label_texts(&u->labels, u->labeller, u->reports.texts, u->reports.n_texts, NULL, false, err);
}

/* Ids of gold rows that have labels; the others are counted. */
static rvl_status rows_match(audit *u, const keyed *keys, size_t n_keys, rvl_error *err)
{
    rvl_label_audit *x = &u->x;

    x->ids = rvl_alloc_array(u->gold.n + 1, sizeof *x->ids);
    u->gold_rows = rvl_alloc_array(u->gold.n + 1, sizeof *u->gold_rows);
    if (!x->ids || !u->gold_rows)
        return no_memory(err);
    for (size_t i = 0; i < u->gold.n; i++) {
        const char   *id = rvl_csv_cell(u->gold.csv, i, (size_t)u->gold.id_column);
        const int64_t row = key_find(keys, n_keys, id);
        if (row < 0 || (u->schema && u->reports.rows[row].i_text < 0)) {
            x->n_unmatched++;
            continue;
        }
        x->ids[x->n] = id;
        u->gold_rows[x->n++] = (int64_t)i;
    }
    return x->n ? RVL_OK
                : rvl_fail(err, RVL_ERR_NOT_FOUND, "no row of '%s' has a label in '%s'", u->o->gold, u->o->label.input);
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
        st = gold_row(u, i, (size_t)u->gold_rows[i], err);
    return st;
}

/* Everything the measures need. */
static rvl_status audit_read(audit *u, rvl_error *err)
{
    const rvl_label_opts *l = &u->o->label;
    keyed                *keys = NULL;
    size_t                n_keys = 0;
    rvl_status            st = table_open(&u->gold, u->o->gold, l->id_column, err);

    if (!st && rvl__label_asks(l) && !l->schema)
        st = rvl_fail(err, RVL_ERR_USAGE, "say which findings are asked for\nhint: --schema ct-rate-18");
    if (!st && rvl__label_asks(l))
        st = rvl_schema_open(&u->schema, l->schema, err);
    if (!st)
        st = u->schema ? reports_label(u, err) : table_open(&u->a, l->input, l->id_column, err);
    if (!st) {
        n_keys = u->schema ? (size_t)u->reports.n_rows : u->a.n;
        keys = rvl_alloc_array(n_keys + 1, sizeof *keys);
        st = keys ? RVL_OK : no_memory(err);
    }
    for (size_t i = 0; !st && i < n_keys; i++)
        keys[i] = u->schema ? (keyed){u->reports.rows[i].id, (int64_t)i} : u->a.keys[i];
    if (!st)
        st = keys_sort(keys, n_keys, l->input, err);
    if (!st)
        st = names_match(u, err);
    if (!st)
        st = rows_match(u, keys, n_keys, err);
    if (!st)
        st = gold_read(u, err);
    if (!st)
        st = u->schema ? side_from_reports(u, keys, err) : side_from_table(&u->x, &u->x.a, &u->a, err);
    if (!st && u->o->compare)
        st = table_open(&u->b, u->o->compare, l->id_column, err);
    if (!st && u->o->compare)
        st = side_from_table(&u->x, &u->x.b, &u->b, err);
    rvl_free(keys);
    return st;
}

static void audit_fini(audit *u)
{
    table_close(&u->gold);
    table_close(&u->a);
    table_close(&u->b);
    rvl_label_results_fini(&u->labels);
    rvl_reports_fini(&u->reports);
    rvl_labeller_free(u->labeller);
    rvl_schema_free(u->schema);
    rvl_free(u->gold_columns);
    rvl_free(u->gold_rows);
    rvl_free(u->texts);
    rvl_free(u->evidence);
    rvl_free(u->x.names);
    rvl_free(u->x.ids);
    rvl_free(u->x.truth);
    rvl_free(u->x.valid);
    rvl_free(u->x.a.probability);
    rvl_free(u->x.a.state);
    rvl_free(u->x.b.probability);
    rvl_free(u->x.b.state);
    rvl_str_free(&u->name);
}

rvl_label_audit_opts rvl_label_audit_opts_default(void)
{
    return (rvl_label_audit_opts){
        .label = rvl_label_opts_default(), .uncertain = "ignore", .missing = "ignore", .n_bootstrap = 1000};
}

rvl_status rvl_label_audit_run(char **json, const rvl_label_audit_opts *o, rvl_error *err)
{
    audit      u = {.o = o};
    json_t    *doc = NULL;
    rvl_status st = rvl__uncertain_parse(&u.uncertain, o->uncertain, err);

    *json = NULL;
    if (!st && u.uncertain == RVL_UNCERTAIN_HALF)
        st = rvl_fail(err, RVL_ERR_USAGE, "--uncertain is ignore, present or absent for gold labels");
    if (!st)
        st = rvl__missing_parse(&u.missing, o->missing, err);
    if (!st && o->n_bootstrap < 0)
        st = rvl_fail(err, RVL_ERR_USAGE, "--bootstrap is not negative");
    if (!st)
        st = audit_read(&u, err);
    if (!st)
        st = rvl__label_measure(&doc, &u.x, o->n_bootstrap, (uint64_t)o->seed, err);
    if (!st) {
        rvl_json_set(doc, "gold", json_string(o->gold));
        rvl_json_set(doc, "uncertain", json_string(o->uncertain));
        rvl_json_set(doc, "missing", json_string(o->missing));
    }
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
