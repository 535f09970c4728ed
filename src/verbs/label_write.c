/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label_write.c
 * Labels as tables: one row a report. docs/formats/labels.md.
 */
#include "base/alloc.h"
#include "base/append.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "verbs/label_parts.h"
#include <math.h>
#include <string.h>

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the table of labels");
}

static void header_add(rvl_str *s, const rvl_label_opts *o, const rvl_schema *schema, const char *id_name)
{
    const int k = rvl_schema_count(schema);

    rvl_csv_add_field(s, id_name);
    for (int j = 0; j < k; j++)
        rvl_str_addf(s, ",%s", rvl_schema_at(schema, j)->name);
    for (int j = 0; o->states && j < k; j++)
        rvl_str_addf(s, ",%s_state", rvl_schema_at(schema, j)->name);
    for (int j = 0; o->evidence && j < k; j++)
        rvl_str_addf(s, ",%s_evidence", rvl_schema_at(schema, j)->name);
    rvl_str_add(s, "\n");
}

/* The evidence as text; the caller's buffer keeps it. */
static const char *evidence_text(rvl_str *buffer, const rvl_label_row *row, const rvl_span *text)
{
    rvl_str_clear(buffer);
    rvl_str_add_n(buffer, text->ptr + row->evidence_at, row->evidence_bytes);
    return row->evidence_bytes && !buffer->failed ? buffer->ptr : "";
}

static void csv_row_add(rvl_str *s, rvl_str *buffer, const rvl_label_opts *o, int k, const rvl_label_row *rows,
                        const rvl_span *text)
{
    for (int j = 0; j < k; j++) {
        if (rows && !isnan(rows[j].probability))
            rvl_str_addf(s, ",%.4f", rows[j].probability);
        else
            rvl_str_add(s, ",");
    }
    for (int j = 0; o->states && j < k; j++)
        rvl_str_addf(s, ",%s", rows ? rvl_label_text(rows[j].state) : "");
    for (int j = 0; o->evidence && j < k; j++) {
        rvl_str_add(s, ",");
        rvl_csv_add_field(s, rows ? evidence_text(buffer, &rows[j], text) : "");
    }
    rvl_str_add(s, "\n");
}

static json_t *finding_json(rvl_str *buffer, const rvl_label_row *row, const rvl_span *text)
{
    json_t *f = json_object();

    rvl_json_set(f, "state", json_string(rvl_label_text(row->state)));
    rvl_json_set(f, "probability", rvl_json_real(row->probability));
    if (row->evidence_bytes) {
        json_t *at = json_array();
        json_array_append_new(at, json_integer((json_int_t)row->evidence_at));
        json_array_append_new(at, json_integer((json_int_t)row->evidence_bytes));
        rvl_json_set(f, "at", at);
        rvl_json_set(f, "evidence", json_string(evidence_text(buffer, row, text)));
    }
    rvl_json_set(f, "source", json_string(row->source));
    rvl_json_set(f, "version", json_string(row->version));
    return f;
}

static rvl_status json_row_add(rvl_str *s, rvl_str *buffer, const rvl_schema *schema, const char *id_name,
                               const char *id, const rvl_label_row *rows, const rvl_span *text, rvl_error *err)
{
    json_t    *o = json_object();
    json_t    *labels = rows ? json_object() : json_null();
    char      *line = NULL;
    rvl_status st = RVL_OK;

    for (int j = 0; rows && j < rvl_schema_count(schema); j++)
        rvl_json_set(labels, rvl_schema_at(schema, j)->name, finding_json(buffer, &rows[j], text));
    rvl_json_set(o, id_name, json_string(id));
    rvl_json_set(o, "labels", labels);
    st = rvl_json_format(&line, o, 0, err);
    if (!st) {
        rvl_str_add(s, line);
        rvl_str_add(s, "\n");
    }
    rvl_free(line);
    json_decref(o);
    return st;
}

rvl_status rvl__label_write(const rvl_label_opts *o, const rvl_schema *schema, const rvl_reports *reports,
                            const rvl_label_results *labels, rvl_error *err)
{
    const bool   is_json = rvl_str_ends(o->out, ".jsonl");
    const int    k = rvl_schema_count(schema);
    rvl_str      s = {0};
    rvl_str      buffer = {0};
    rvl_outfile *file = NULL;
    rvl_status   st = rvl_outfile_open(&file, o->out, err);

    if (!st && !is_json)
        header_add(&s, o, schema, reports->id_name);
    for (int64_t i = 0; !st && i < reports->n_rows; i++) {
        const rvl_report_row *r = &reports->rows[i];
        const bool            is_labelled = r->i_text >= 0 && labels->outcomes[r->i_text].outcome == RVL_LABELLED;
        const rvl_label_row  *rows = is_labelled ? labels->rows + r->i_text * k : NULL;
        const rvl_span       *text = is_labelled ? &reports->texts[r->i_text] : NULL;
        if (is_json) {
            st = json_row_add(&s, &buffer, schema, reports->id_name, r->id, rows, text, err);
        } else {
            rvl_csv_add_field(&s, r->id);
            csv_row_add(&s, &buffer, o, k, rows, text);
        }
        if (!st && (s.failed || buffer.failed))
            st = no_memory(err);
        if (!st && s.n_bytes > (size_t)1 << 16) {
            rvl_outfile_write(file, s.ptr, s.n_bytes);
            rvl_str_clear(&s);
        }
    }
    if (!st && s.failed)
        st = no_memory(err);
    if (!st && s.n_bytes > 0)
        rvl_outfile_write(file, s.ptr, s.n_bytes);
    if (!st)
        st = rvl_outfile_commit(file, err);
    else
        rvl_outfile_discard(file);
    rvl_str_free(&s);
    rvl_str_free(&buffer);
    return st;
}

static rvl_status failure_add(rvl_str *s, const rvl_reports *reports, int64_t i, const char *reason, rvl_error *err)
{
    json_t    *o = json_object();
    char      *line = NULL;
    rvl_status st = RVL_OK;

    rvl_json_set(o, "row", json_integer((json_int_t)i + 1));
    rvl_json_set(o, "line", json_integer((json_int_t)reports->rows[i].line));
    rvl_json_set(o, reports->id_name, json_string(reports->rows[i].id));
    rvl_json_set(o, "reason", json_string(reason));
    st = rvl_json_format(&line, o, 0, err);
    if (!st) {
        rvl_str_add(s, line);
        rvl_str_add(s, "\n");
    }
    rvl_free(line);
    json_decref(o);
    return st;
}

rvl_status rvl__label_failures(rvl_label_result *out, const char *path, const rvl_reports *reports,
                               const rvl_label_results *labels, rvl_error *err)
{
    rvl_str    s = {0};
    rvl_status st = RVL_OK;

    for (int64_t i = 0; !st && i < reports->n_rows; i++) {
        const int64_t t = reports->rows[i].i_text;
        if (t >= 0 && labels->outcomes[t].outcome == RVL_LABELLED)
            continue;
        out->n_empty += t < 0;
        out->n_failed += t >= 0;
        if (path)
            st = failure_add(&s, reports, i, t < 0 ? "no text" : labels->outcomes[t].reason, err);
    }
    if (!st && s.failed)
        st = no_memory(err);
    if (!st && s.n_bytes > 0) {
        st = rvl_file_write(path, s.ptr, s.n_bytes, err);
        const size_t n = strlen(path);
        memcpy(out->failures, path, n < sizeof out->failures ? n : sizeof out->failures - 1);
    } else if (!st && path) {
        st = rvl_file_remove(path, err);
    }
    rvl_str_free(&s);
    return st;
}
