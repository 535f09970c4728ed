/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label_import.c
 * Corrections by a human, from the table that --queue wrote or any with the same columns.
 */
#include "base/alloc.h"
#include "base/csv.h"
#include "base/file.h"
#include "cohort/labels.h"
#include "findings/class_sets.h"
#include "rvl/verbs.h"
#include "verbs/label_parts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char     *id, *finding, *reviewer;
    rvl_label_state state;
    int64_t         line;
    bool            is_used;
} correction;

typedef struct {
    const rvl_label_import_opts *o;
    rvl_csv                     *csv;
    correction                  *items; /* sorted by id and finding */
    size_t                       n;
} corrections;

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for corrections");
}

static int by_place(const void *a, const void *b)
{
    const correction *x = a;
    const correction *y = b;
    const int         c = strcmp(x->id, y->id);
    return c ? c : strcmp(x->finding, y->finding);
}

static rvl_status row_read(corrections *c, size_t row, const int columns[4], rvl_label_import_result *out,
                           rvl_error *err)
{
    const char *cell = rvl_csv_cell(c->csv, row, (size_t)columns[2]);
    correction *x = &c->items[c->n];

    if (cell[strspn(cell, " \t")] == '\0') {
        out->n_empty++;
        return RVL_OK;
    }
    x->id = rvl_csv_cell(c->csv, row, (size_t)columns[0]);
    x->finding = rvl_csv_cell(c->csv, row, (size_t)columns[1]);
    x->line = rvl_csv_line(c->csv, row);
    x->reviewer = columns[3] >= 0 ? rvl_csv_cell(c->csv, row, (size_t)columns[3]) : "";
    if (!*x->reviewer)
        x->reviewer = c->o->reviewer ? c->o->reviewer : "";
    if (!rvl_label_parse(cell, &x->state))
        return rvl_fail(err, RVL_ERR_FORMAT, "'%s' line %lld: '%.32s' is no state", c->o->corrections,
                        (long long)x->line, cell);
    if (!*x->reviewer)
        return rvl_fail(err, RVL_ERR_FORMAT, "'%s' line %lld names no reviewer\nhint: --reviewer NAME",
                        c->o->corrections, (long long)x->line);
    c->n++;
    return RVL_OK;
}

static rvl_status corrections_open(corrections *c, rvl_label_import_result *out, rvl_error *err)
{
    int        columns[4] = {-1, -1, -1, -1};
    rvl_status st = rvl_csv_load(&c->csv, c->o->corrections, 0, err);

    if (!st && (columns[0] = rvl_csv_column(c->csv, "case_id")) < 0)
        st = rvl_csv_need_column(&columns[0], c->csv, "report_id", err);
    if (!st)
        st = rvl_csv_need_column(&columns[1], c->csv, "finding", err);
    if (!st)
        st = rvl_csv_need_column(&columns[2], c->csv, "state", err);
    if (st)
        return st;
    columns[3] = rvl_csv_column(c->csv, "reviewer");
    c->items = rvl_alloc_array(rvl_csv_n_rows(c->csv) + 1, sizeof *c->items);
    if (!c->items)
        return no_memory(err);
    for (size_t i = 0; !st && i < rvl_csv_n_rows(c->csv); i++)
        st = row_read(c, i, columns, out, err);
    qsort(c->items, c->n, sizeof *c->items, by_place);
    for (size_t i = 1; !st && i < c->n; i++)
        if (by_place(&c->items[i - 1], &c->items[i]) == 0)
            st = rvl_fail(err, RVL_ERR_FORMAT, "'%s' corrects '%.64s' of one report twice (lines %lld and %lld)",
                          c->o->corrections, c->items[i].finding, (long long)c->items[i - 1].line,
                          (long long)c->items[i].line);
    out->n_corrections = (int64_t)c->n;
    return st;
}

static double probability_of(rvl_label_state s)
{
    return s == RVL_LABEL_PRESENT ? 1.0 : s == RVL_LABEL_UNCERTAIN ? 0.5 : 0.0;
}

/* The correction of column `name` in the report `id`, NULL if none; by binary search over ids. */
static correction *correction_find(corrections *c, const char *id, const char *name)
{
    size_t low = 0;
    size_t high = c->n;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(c->items[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < c->n && strcmp(c->items[low].id, id) == 0; low++)
        if (rvl_class_name_equal(c->items[low].finding, name))
            return &c->items[low];
    return NULL;
}

/* A field with its correction, which may be of the probability or of the state; `note` says who corrected what. */
static void field_add(rvl_str *s, rvl_str *note, corrections *c, const char *id, const char *name, const char *cell,
                      rvl_label_import_result *out)
{
    const size_t n = strlen(name);
    const bool   is_state = n > 6 && strcmp(name + n - 6, "_state") == 0;
    char        *finding = rvl_strndup(name, is_state ? n - 6 : n);
    correction  *x = finding ? correction_find(c, id, finding) : NULL;

    s->failed = s->failed || !finding;
    if (!x) {
        rvl_csv_add_field(s, cell);
    } else if (is_state) {
        rvl_str_add(s, rvl_label_text(x->state));
    } else {
        double old = NAN;
        rvl_str_addf(s, "%.4f", probability_of(x->state));
        rvl_str_addf(note, "%s%s=%s by %s", note->n_bytes ? "; " : "", name, rvl_label_text(x->state), x->reviewer);
        out->n_changed += !rvl_parse_f64(cell, &old) || (old >= 0.5) != (probability_of(x->state) >= 0.5);
        x->is_used = true;
    }
    rvl_free(finding);
}

static void table_add(rvl_str *s, corrections *c, const rvl_csv *labels, rvl_label_import_result *out)
{
    const size_t n_columns = rvl_csv_n_columns(labels);
    const int    corrected = rvl_csv_column(labels, "corrected");
    rvl_str      note = {0};

    for (size_t j = 0; j < n_columns; j++) {
        if (j > 0)
            rvl_str_add(s, ",");
        rvl_csv_add_field(s, rvl_csv_name(labels, j));
    }
    rvl_str_add(s, corrected < 0 ? ",corrected\n" : "\n");
    for (size_t i = 0; i < rvl_csv_n_rows(labels); i++) {
        const char *id = rvl_csv_cell(labels, i, 0);
        rvl_str_clear(&note);
        rvl_str_add(&note, corrected < 0 ? "" : rvl_csv_cell(labels, i, (size_t)corrected));
        for (size_t j = 0; j < n_columns; j++) {
            if ((int)j == corrected)
                continue;
            if (j > 0)
                rvl_str_add(s, ",");
            if (j == 0)
                rvl_csv_add_field(s, id);
            else
                field_add(s, &note, c, id, rvl_csv_name(labels, j), rvl_csv_cell(labels, i, j), out);
        }
        rvl_str_add(s, ",");
        rvl_csv_add_field(s, note.ptr ? note.ptr : "");
        rvl_str_add(s, "\n");
        s->failed = s->failed || note.failed;
    }
    rvl_str_free(&note);
}

static rvl_status import_table(corrections *c, rvl_label_import_result *out, rvl_error *err)
{
    const rvl_label_import_opts *o = c->o;
    rvl_csv                     *labels = NULL;
    rvl_str                      s = {0};
    rvl_status                   st = RVL_OK;

    if (!o->out)
        return rvl_fail(err, RVL_ERR_USAGE, "say where the corrected labels go\nhint: -o corrected.csv");
    if (rvl_path_exists(o->out) && !o->force)
        return rvl_fail(err, RVL_ERR_STATE, "'%s' exists\nhint: --force replaces it", o->out);
    st = rvl_csv_load(&labels, o->input, (size_t)4 << 30, err);
    if (!st && rvl_csv_column(labels, "corrected") >= 0 &&
        rvl_csv_column(labels, "corrected") + 1 != (int)rvl_csv_n_columns(labels))
        st = rvl_fail(err, RVL_ERR_FORMAT, "'%s': the column 'corrected' is not the last", o->input);
    if (!st) {
        table_add(&s, c, labels, out);
        st = s.failed ? no_memory(err) : RVL_OK;
    }
    for (size_t i = 0; !st && i < c->n; i++)
        if (!c->items[i].is_used)
            st = rvl_fail(err, RVL_ERR_NOT_FOUND, "'%s' line %lld: '%s' has no such report with '%.64s'",
                          o->corrections, (long long)c->items[i].line, o->input, c->items[i].finding);
    if (!st)
        st = rvl_file_write(o->out, s.ptr, s.n_bytes, err);
    rvl_csv_free(labels);
    rvl_str_free(&s);
    return st;
}

static rvl_status import_cohort(corrections *c, rvl_label_import_result *out, rvl_error *err)
{
    const rvl_label_import_opts *o = c->o;
    rvl_schema                  *schema = NULL;
    rvl_cohort                  *cohort = NULL;
    rvl_report_label            *rows = rvl_alloc_array(c->n + 1, sizeof *rows);
    rvl_status                   st = rows ? rvl_cohort_open(&cohort, o->input, err) : no_memory(err);

    if (!st && o->source)
        st = rvl__label_source_check(o->source, err);
    if (!st && o->schema)
        st = rvl_schema_open(&schema, o->schema, err);
    else if (!st && rvl_cohort_schema(cohort))
        st = rvl_schema_parse(&schema, rvl_schema_yaml(rvl_cohort_schema(cohort)),
                              strlen(rvl_schema_yaml(rvl_cohort_schema(cohort))), "cohort schema", err);
    else if (!st)
        st = rvl_fail(err, RVL_ERR_USAGE, "cohort '%s' has no schema\nhint: --schema", o->input);
    rvl_cohort_close(cohort);
    for (size_t i = 0; !st && i < c->n; i++) {
        const correction *x = &c->items[i];
        const int         k = rvl_schema_index(schema, x->finding);
        if (k < 0)
            st = rvl_fail(err, RVL_ERR_FORMAT, "'%s' line %lld: schema '%s' has no finding '%.64s'", o->corrections,
                          (long long)x->line, rvl_schema_name(schema), x->finding);
        else
            rows[i] = (rvl_report_label){.case_id = x->id,
                                         .finding = rvl_schema_at(schema, k)->name,
                                         .state = x->state,
                                         .probability = probability_of(x->state),
                                         .version = "1",
                                         .reviewer = x->reviewer};
    }
    if (!st)
        st =
            rvl_cohort_labels_write(o->input, o->source ? o->source : "human", schema, rows, (int64_t)c->n, false, err);
    out->n_changed = (int64_t)c->n;
    rvl_free(rows);
    rvl_schema_free(schema);
    return st;
}

rvl_status rvl_label_import_run(rvl_label_import_result *out, const rvl_label_import_opts *o, rvl_error *err)
{
    corrections c = {.o = o};

    *out = (rvl_label_import_result){0};
    rvl_status st = corrections_open(&c, out, err);
    if (!st)
        st = rvl_path_is_dir(o->input) ? import_cohort(&c, out, err) : import_table(&c, out, err);
    rvl_csv_free(c.csv);
    rvl_free(c.items);
    return st;
}
