/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label_set.c
 * Labels of one source: tables are read cell by cell, catalogues and labellers into rows.
 */
#include "verbs/label_set.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/util.h"
#include "cohort/labels.h"
#include "findings/class_sets.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMN_VALUE, COLUMN_STATE, COLUMN_EVIDENCE, N_COLUMNS };

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for an audit");
}

/* ---- ids -------------------------------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    return strcmp(((const rvl_label_key *)a)->id, ((const rvl_label_key *)b)->id);
}

/* s->ids are there: find rows by them. */
static rvl_status keys_make(rvl_label_set *s, const char *what, rvl_error *err)
{
    s->keys = rvl_alloc_array((size_t)s->n + 1, sizeof *s->keys);
    if (!s->keys)
        return no_memory(err);
    for (int64_t i = 0; i < s->n; i++)
        s->keys[i] = (rvl_label_key){s->ids[i], i};
    qsort(s->keys, (size_t)s->n, sizeof *s->keys, by_id);
    for (int64_t i = 1; i < s->n; i++)
        if (strcmp(s->keys[i - 1].id, s->keys[i].id) == 0)
            return rvl_fail(err, RVL_ERR_FORMAT, "'%s' has two rows of one id (rows %lld and %lld)", what,
                            (long long)s->keys[i - 1].row + 1, (long long)s->keys[i].row + 1);
    return RVL_OK;
}

int64_t rvl__label_set_row(const rvl_label_set *s, const char *id)
{
    const rvl_label_key  key = {id, 0};
    const rvl_label_key *found = bsearch(&key, s->keys, (size_t)s->n, sizeof *s->keys, by_id);

    return found && s->ids[found->row] ? found->row : -1;
}

int rvl__label_set_finding(const rvl_label_set *s, const char *name)
{
    for (int j = 0; j < s->k; j++)
        if (rvl_class_name_equal(s->names[j], name))
            return j;
    return -1;
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

static rvl_status id_column_find(int *out, const rvl_csv *csv, const char *id_column, rvl_error *err)
{
    static const char *const usual[] = {"report_id", "case_id", "study_id", "VolumeName", "AccessionNo", "id", "row"};

    *out = -1;
    if (id_column)
        return rvl_csv_need_column(out, csv, id_column, err);
    for (size_t i = 0; *out < 0 && i < RVL_ARRAY_LEN(usual); i++)
        *out = rvl_csv_column(csv, usual[i]);
    return *out >= 0 ? RVL_OK
                     : rvl_fail(err, RVL_ERR_FORMAT, "'%s' has no column of ids\nhint: --id-column", rvl_csv_file(csv));
}

/* Columns of a finding's name and what stands beside it. */
static rvl_status columns_find(rvl_label_set *s, int id_column, rvl_error *err)
{
    static const char *const endings[N_COLUMNS] = {"", "_state", "_evidence"};
    const size_t             n_columns = rvl_csv_n_columns(s->csv);
    rvl_str                  name = {0};

    s->names = rvl_alloc_array(n_columns + 1, sizeof *s->names);
    s->columns = rvl_alloc_array(n_columns + 1, N_COLUMNS * sizeof *s->columns);
    if (!s->names || !s->columns)
        return no_memory(err);
    for (size_t c = 0; c < n_columns; c++) {
        const char *own = rvl_csv_name(s->csv, c);
        if ((int)c == id_column || rvl_str_ends(own, "_state") || rvl_str_ends(own, "_evidence"))
            continue;
        for (int e = 0; e < N_COLUMNS; e++) {
            rvl_str_clear(&name);
            rvl_str_addf(&name, "%s%s", own, endings[e]);
            s->columns[s->k * N_COLUMNS + e] = e == 0 ? (int)c : name.failed ? -1 : rvl_csv_column(s->csv, name.ptr);
        }
        s->names[s->k++] = rvl_str_starts(own, "label_") ? own + 6 : own;
    }
    const bool failed = name.failed;
    rvl_str_free(&name);
    return failed ? no_memory(err) : RVL_OK;
}

rvl_status rvl__label_set_table(rvl_label_set *out, const char *path, const char *id_column, rvl_error *err)
{
    int id = -1;

    *out = (rvl_label_set){.name = path};
    rvl_status st = rvl_csv_load(&out->csv, path, (size_t)4 << 30, err);
    if (!st)
        st = id_column_find(&id, out->csv, id_column, err);
    if (!st)
        st = columns_find(out, id, err);
    if (st)
        return st;
    const int64_t n = (int64_t)rvl_csv_n_rows(out->csv);
    out->ids = rvl_alloc_array((size_t)n + 1, sizeof *out->ids);
    if (!out->ids)
        return no_memory(err);
    for (; out->n < n; out->n++)
        out->ids[out->n] = rvl_csv_cell(out->csv, (size_t)out->n, (size_t)id);
    return keys_make(out, path, err);
}

static const char *cell_of(const rvl_label_set *s, int64_t row, int finding, int which)
{
    const int c = s->columns[finding * N_COLUMNS + which];

    return c < 0 ? "" : rvl_csv_cell(s->csv, (size_t)row, (size_t)c);
}

/* The first place of `words` in the report. */
static void evidence_place(rvl_label_row *row, const char *words, const rvl_span *text)
{
    const size_t n = strlen(words);

    for (size_t at = 0; n > 0 && text && at + n <= text->n_bytes; at++)
        if (memcmp(text->ptr + at, words, n) == 0) {
            row->evidence_at = at;
            row->evidence_bytes = n;
            return;
        }
}

/* Probabilities, and states if there are any, else what the threshold says. */
static rvl_status cell_get(rvl_label_row *out, const rvl_label_set *s, int64_t row, int finding, const rvl_span *text,
                           rvl_error *err)
{
    const char     *cell = cell_of(s, row, finding, COLUMN_VALUE);
    double          p = NAN;
    rvl_label_state state;

    if (*cell && (!rvl_parse_f64(cell, &p) || p < 0.0 || p > 1.0))
        return rvl_fail(err, RVL_ERR_FORMAT, "'%s' line %lld: '%.32s' is no probability of '%s'", s->name,
                        (long long)rvl_csv_line(s->csv, (size_t)row), cell, s->names[finding]);
    *out = (rvl_label_row){.state = isnan(p)   ? RVL_LABEL_NOT_MENTIONED
                                    : p >= 0.5 ? RVL_LABEL_PRESENT
                                               : RVL_LABEL_ABSENT,
                           .probability = p};
    if (*cell_of(s, row, finding, COLUMN_STATE) && rvl_label_parse(cell_of(s, row, finding, COLUMN_STATE), &state))
        out->state = state;
    evidence_place(out, cell_of(s, row, finding, COLUMN_EVIDENCE), text);
    return RVL_OK;
}

rvl_status rvl__label_set_get(rvl_label_row *out, const rvl_label_set *s, int64_t row, int finding,
                              const rvl_span *text, rvl_error *err)
{
    if (s->csv)
        return cell_get(out, s, row, finding, text, err);
    *out = s->rows[row * s->k + finding];
    return RVL_OK;
}

rvl_status rvl__label_set_state(rvl_label_state *out, const rvl_label_set *s, int64_t row, int finding, rvl_error *err)
{
    if (!s->csv) {
        *out = s->rows[row * s->k + finding].state;
        return RVL_OK;
    }
    const bool  has_state = s->columns[finding * N_COLUMNS + COLUMN_STATE] >= 0;
    const char *cell = cell_of(s, row, finding, has_state ? COLUMN_STATE : COLUMN_VALUE);
    return rvl_label_parse(cell, out)
               ? RVL_OK
               : rvl_fail(err, RVL_ERR_FORMAT, "'%s' line %lld: '%.32s' is no label of '%s'", s->name,
                          (long long)rvl_csv_line(s->csv, (size_t)row), cell, s->names[finding]);
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

rvl_status rvl__label_set_texts(rvl_label_set *out, const rvl_reports *reports, const char *what, rvl_error *err)
{
    out->n = reports->n_rows;
    out->ids = rvl_alloc_array((size_t)out->n + 1, sizeof *out->ids);
    out->texts = out->own_texts = rvl_alloc_array((size_t)out->n + 1, sizeof *out->own_texts);
    if (!out->ids || !out->own_texts)
        return no_memory(err);
    for (int64_t i = 0; i < out->n; i++) {
        out->ids[i] = reports->rows[i].id;
        if (reports->rows[i].i_text >= 0)
            out->own_texts[i] = reports->texts[reports->rows[i].i_text];
    }
    return keys_make(out, what, err);
}

/* Room for rows of all reports, none labelled; findings of the schema. */
static rvl_status rows_begin(rvl_label_set *s, const char *what, rvl_error *err)
{
    rvl_status st = rvl__label_set_texts(s, &s->reports, what, err);

    s->k = rvl_schema_count(s->schema);
    s->names = rvl_alloc_array((size_t)s->k + 1, sizeof *s->names);
    s->rows = rvl_alloc_array((size_t)(s->n * s->k) + 1, sizeof *s->rows);
    if (!st && (!s->names || !s->rows))
        st = no_memory(err);
    for (int j = 0; !st && j < s->k; j++)
        s->names[j] = rvl_schema_at(s->schema, j)->name;
    for (int64_t i = 0; !st && i < s->n * s->k; i++)
        s->rows[i] = (rvl_label_row){.state = RVL_LABEL_NOT_MENTIONED, .probability = NAN};
    return st;
}

/* The rows are read: reports without any label are not found any more. */
static void rows_end(rvl_label_set *s)
{
    for (int64_t i = 0; i < s->n; i++) {
        bool has_label = false;
        for (int64_t at = i * s->k; at < (i + 1) * s->k; at++)
            has_label = has_label || s->rows[at].state != RVL_LABEL_NOT_MENTIONED || !isnan(s->rows[at].probability);
        if (!has_label)
            s->ids[i] = NULL;
    }
}

/* ---- catalogues ------------------------------------------------------------------------------------------------- */

static double probability_of(rvl_label_state state)
{
    return state == RVL_LABEL_PRESENT     ? 1.0
           : state == RVL_LABEL_ABSENT    ? 0.0
           : state == RVL_LABEL_UNCERTAIN ? 0.5
                                          : (double)NAN;
}

static rvl_status schema_copy(rvl_label_set *s, const rvl_cohort *c, rvl_error *err)
{
    const rvl_schema *own = rvl_cohort_schema(c);

    return own ? rvl_schema_parse(&s->schema, rvl_schema_yaml(own), strlen(rvl_schema_yaml(own)), "cohort schema", err)
               : rvl_fail(err, RVL_ERR_NOT_FOUND, "cohort '%s' came without labels", rvl_cohort_path(c));
}

/* The labels that came with the cohort: states only. */
static rvl_status table_rows(rvl_label_set *s, rvl_cohort *c, rvl_error *err)
{
    rvl_case_list list = {0};
    rvl_status    st = schema_copy(s, c, err);

    if (!st)
        st = rows_begin(s, "the cohort", err);
    if (!st)
        st = rvl_cohort_cases(&list, c, NULL, err);
    for (int64_t i = 0; !st && i < list.n_cases; i++) {
        const int64_t row = rvl__label_set_row(s, list.cases[i].case_id);
        for (int j = 0; row >= 0 && list.cases[i].labels && j < s->k; j++) {
            const rvl_label_state state = (rvl_label_state)list.cases[i].labels[j];
            s->rows[row * s->k + j] = (rvl_label_row){.state = state, .probability = probability_of(state)};
        }
    }
    rvl_case_list_fini(&list);
    return st;
}

static rvl_status source_rows(rvl_label_set *s, rvl_cohort *c, const char *source, rvl_error *err)
{
    rvl_report_labels labels = {0};
    rvl_status        st = rvl_cohort_labels_read(&labels, c, source, err);

    if (!st)
        st = schema_copy(s, c, err); /* by now the source's */
    if (!st)
        st = rows_begin(s, "the cohort", err);
    for (int64_t i = 0; !st && i < labels.n; i++) {
        const rvl_report_label *l = &labels.rows[i];
        const int64_t           row = rvl__label_set_row(s, l->case_id);
        const int               j = rvl_schema_index(s->schema, l->finding);
        if (row < 0 || j < 0)
            continue;
        const int64_t  n_text = (int64_t)s->own_texts[row].n_bytes;
        rvl_label_row *r = &s->rows[row * s->k + j];
        *r = (rvl_label_row){.state = l->state, .probability = l->probability};
        if (l->evidence_at >= 0 && l->evidence_bytes > 0 && l->evidence_at <= n_text &&
            l->evidence_bytes <= n_text - l->evidence_at) {
            r->evidence_at = (size_t)l->evidence_at;
            r->evidence_bytes = (size_t)l->evidence_bytes;
        }
    }
    rvl_report_labels_fini(&labels);
    return st;
}

rvl_status rvl__label_set_cohort(rvl_label_set *out, const char *cohort, const char *source, int64_t limit,
                                 rvl_error *err)
{
    rvl_cohort *c = NULL;

    *out = (rvl_label_set){0};
    if (!source)
        return rvl_fail(
            err, RVL_ERR_USAGE,
            "say which labels of cohort '%s' are measured\nhint: --source NAME, or --source table for those "
            "that came with it",
            cohort);
    rvl_status st = rvl_cohort_open(&c, cohort, err);
    if (!st)
        st = rvl__label_cohort_reports(&out->reports, c, limit, err);
    if (!st && strcmp(source, RVL_LABEL_SOURCE_TABLE) == 0)
        st = table_rows(out, c, err);
    else if (!st)
        st = source_rows(out, c, source, err);
    rvl_cohort_close(c);
    if (!st)
        rows_end(out);
    out->name = source;
    return st;
}

/* ---- labellers -------------------------------------------------------------------------------------------------- */

static rvl_status reports_open(rvl_label_set *s, const rvl_label_opts *o, rvl_error *err)
{
    if (rvl_path_is_dir(o->input))
        return rvl__label_cohort_open(&s->reports, &s->schema, o, err);
    if (!o->schema)
        return rvl_fail(err, RVL_ERR_USAGE, "say which findings are asked for\nhint: --schema ct-rate-18");
    const rvl_status st = rvl_schema_open(&s->schema, o->schema, err);
    return st ? st : rvl_reports_load(&s->reports, o->input, o->text_columns, o->id_column, o->limit, err);
}

rvl_status rvl__label_set_labelled(rvl_label_set *out, const rvl_label_opts *o, rvl_error *err)
{
    *out = (rvl_label_set){0};
    rvl_status st = o->out ? rvl__label_out_check(o, err) : RVL_OK;
    if (!st)
        st = reports_open(out, o, err);
    if (!st)
        st = rows_begin(out, o->input, err);
    if (!st)
        st = rvl__label_open(&out->labeller, o, out->schema, err);
    if (!st)
        st = rvl__label_reports(&out->results, &out->usage, o, out->labeller, &out->reports, err);
    if (st)
        return st;
    for (int64_t i = 0; i < out->n; i++) {
        const int64_t t = out->reports.rows[i].i_text;
        if (t >= 0 && out->results.outcomes[t].outcome == RVL_LABELLED)
            memcpy(out->rows + i * out->k, out->results.rows + t * out->k, (size_t)out->k * sizeof *out->rows);
    }
    rows_end(out);
    rvl_str_addf(&out->own_name, "%s %s", out->labeller->source, out->labeller->version);
    out->name = out->own_name.ptr;
    return out->own_name.failed ? no_memory(err) : RVL_OK;
}

void rvl__label_set_fini(rvl_label_set *s)
{
    rvl_csv_free(s->csv);
    rvl_free(s->columns);
    rvl_free(s->names);
    rvl_free(s->ids);
    rvl_free(s->keys);
    rvl_free(s->rows);
    rvl_free(s->own_texts);
    rvl_str_free(&s->own_name);
    rvl_label_results_fini(&s->results);
    rvl_reports_fini(&s->reports);
    rvl_labeller_free(s->labeller);
    rvl_schema_free(s->schema);
    *s = (rvl_label_set){0};
}
