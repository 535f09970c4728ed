/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/reports.c
 * Reports from tables, with equal texts found by their hash.
 */
#include "label/reports.h"
#include "base/alloc.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "base/util.h"
#include "text/sections.h"
#include <string.h>

enum { COLUMNS_MAX = 16 };
#define TEXT_BYTES_MAX ((size_t)16 << 20)
#define FILE_BYTES_MAX ((size_t)4 << 30)

static const char *const id_names[] = {"report_id", "case_id", "study_id", "VolumeName", "AccessionNo", "id"};

typedef struct {
    rvl_arena *arena;
    rvl_str    joined;
    size_t     row_capacity, text_capacity, n_slots;
    int64_t   *slots; /* text number + 1 by hash */
} owner;

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for reports");
}

rvl_status rvl_reports_begin(rvl_reports *out, rvl_error *err)
{
    owner *o = rvl_alloc_array(1, sizeof *o);

    *out = (rvl_reports){.owner = o, .id_name = "row"};
    if (o)
        o->arena = rvl_arena_new();
    return o && o->arena ? RVL_OK : no_memory(err);
}

void rvl_reports_fini(rvl_reports *r)
{
    owner *o = r->owner;

    if (o) {
        rvl_arena_free(o->arena);
        rvl_str_free(&o->joined);
        rvl_free(o->slots);
    }
    rvl_free(o);
    rvl_free(r->rows);
    rvl_free(r->texts);
    *r = (rvl_reports){0};
}

static bool slots_grow(rvl_reports *r, owner *o)
{
    const size_t n = o->n_slots ? 2 * o->n_slots : 1024;
    int64_t     *slots = rvl_alloc_array(n, sizeof *slots);

    if (!slots)
        return false;
    for (int64_t i = 0; i < r->n_texts; i++) {
        size_t at = (size_t)rvl_hash64(r->texts[i].ptr, r->texts[i].n_bytes) & (n - 1);
        while (slots[at])
            at = (at + 1) & (n - 1);
        slots[at] = i + 1;
    }
    rvl_free(o->slots);
    o->slots = slots;
    o->n_slots = n;
    return true;
}

/* Number of the text, entered if it is new; -1 when out of memory. */
static int64_t text_number(rvl_reports *r, owner *o, const char *text, size_t n_bytes)
{
    if (2 * ((size_t)r->n_texts + 1) > o->n_slots && !slots_grow(r, o))
        return -1;
    size_t at = (size_t)rvl_hash64(text, n_bytes) & (o->n_slots - 1);
    for (; o->slots[at]; at = (at + 1) & (o->n_slots - 1)) {
        const rvl_span *known = &r->texts[o->slots[at] - 1];
        if (known->n_bytes == n_bytes && memcmp(known->ptr, text, n_bytes) == 0)
            return o->slots[at] - 1;
    }
    if ((size_t)r->n_texts == o->text_capacity) {
        o->text_capacity = o->text_capacity ? 2 * o->text_capacity : 256;
        rvl_span *grown = rvl_realloc_array(r->texts, o->text_capacity, sizeof *grown);
        if (!grown)
            return -1;
        r->texts = grown;
    }
    const char *copy = rvl_arena_strndup(o->arena, text, n_bytes);
    if (!copy)
        return -1;
    r->texts[r->n_texts] = (rvl_span){(const uint8_t *)copy, n_bytes};
    o->slots[at] = ++r->n_texts;
    return r->n_texts - 1;
}

rvl_status rvl_reports_add(rvl_reports *r, const char *id, int64_t line, const char *const *parts, int n_parts,
                           rvl_error *err)
{
    owner  *o = r->owner;
    int64_t i_text = -1;

    rvl_str_clear(&o->joined);
    for (int i = 0; i < n_parts; i++) {
        if (!parts[i] || rvl_report_is_placeholder(parts[i]))
            continue;
        if (o->joined.n_bytes)
            rvl_str_add(&o->joined, "\n\n");
        rvl_str_add(&o->joined, parts[i]);
    }
    if (o->joined.failed)
        return no_memory(err);
    if (o->joined.n_bytes > TEXT_BYTES_MAX)
        return rvl_fail(err, RVL_ERR_LIMIT, "the report of line %lld has more than 16 MiB", (long long)line);
    if (o->joined.n_bytes > 0) {
        i_text = text_number(r, o, o->joined.ptr, o->joined.n_bytes);
        if (i_text < 0)
            return no_memory(err);
    }
    if ((size_t)r->n_rows == o->row_capacity) {
        o->row_capacity = o->row_capacity ? 2 * o->row_capacity : 256;
        rvl_report_row *grown = rvl_realloc_array(r->rows, o->row_capacity, sizeof *grown);
        if (!grown)
            return no_memory(err);
        r->rows = grown;
    }
    const char *own_id = rvl_arena_strndup(o->arena, id, strlen(id));
    if (!own_id)
        return no_memory(err);
    r->rows[r->n_rows++] = (rvl_report_row){own_id, line, i_text};
    return RVL_OK;
}

/* Comma-separated names into at most COLUMNS_MAX owned strings of the arena. */
static rvl_status names_split(const char **names, int *n, rvl_arena *arena, const char *text, rvl_error *err)
{
    *n = 0;
    while (*text) {
        size_t length = strcspn(text, ",");
        if (length > 0) {
            if (*n == COLUMNS_MAX)
                return rvl_fail(err, RVL_ERR_USAGE, "more than %d text columns", COLUMNS_MAX);
            names[*n] = rvl_arena_strndup(arena, text, length);
            if (!names[(*n)++])
                return no_memory(err);
        }
        text += length + (text[length] == ',');
    }
    return *n ? RVL_OK : rvl_fail(err, RVL_ERR_USAGE, "no text column is named");
}

static rvl_status id_text(char out[24], int64_t number, const char *id, const char **result)
{
    rvl_str s = {0};

    *result = id;
    if (id)
        return RVL_OK;
    rvl_str_addf(&s, "%lld", (long long)number);
    if (s.failed)
        return RVL_ERR_NOMEM;
    memcpy(out, s.ptr, s.n_bytes + 1);
    rvl_str_free(&s);
    *result = out;
    return RVL_OK;
}

static rvl_status csv_read(rvl_reports *r, const char *path, const char **names, int n_names, const char *id_column,
                           int64_t limit, rvl_error *err)
{
    rvl_csv    *csv = NULL;
    int         columns[COLUMNS_MAX];
    int         id = -1;
    const char *parts[COLUMNS_MAX];
    char        number[24];
    rvl_status  st = rvl_csv_load(&csv, path, FILE_BYTES_MAX, err);

    for (int i = 0; !st && i < n_names; i++)
        st = rvl_csv_need_column(&columns[i], csv, names[i], err);
    if (!st && id_column)
        st = rvl_csv_need_column(&id, csv, id_column, err);
    for (size_t i = 0; !st && !id_column && id < 0 && i < RVL_ARRAY_LEN(id_names); i++)
        id = rvl_csv_column(csv, id_names[i]);
    if (!st && id >= 0) {
        r->id_name = rvl_arena_strndup(((owner *)r->owner)->arena, rvl_csv_name(csv, (size_t)id),
                                       strlen(rvl_csv_name(csv, (size_t)id)));
        st = r->id_name ? RVL_OK : no_memory(err);
    }
    for (size_t i = 0; !st && i < rvl_csv_n_rows(csv) && (limit <= 0 || (int64_t)i < limit); i++) {
        const char *name = NULL;
        for (int j = 0; j < n_names; j++)
            parts[j] = rvl_csv_cell(csv, i, (size_t)columns[j]);
        if (id_text(number, (int64_t)i + 1, id >= 0 ? rvl_csv_cell(csv, i, (size_t)id) : NULL, &name))
            st = no_memory(err);
        if (!st)
            st = rvl_reports_add(r, name, rvl_csv_line(csv, i), parts, n_names, err);
    }
    rvl_csv_free(csv);
    return st;
}

/* One JSON object: its texts, and its id by `id_column` or the usual names. */
static rvl_status json_row(rvl_reports *r, const json_t *o, int64_t number, const char *where, const char **names,
                           int n_names, const char *id_column, rvl_error *err)
{
    const char *parts[COLUMNS_MAX];
    const char *id = NULL;
    const char *name = NULL;
    char        text[24];

    if (!json_is_object(o))
        return rvl_fail(err, RVL_ERR_FORMAT, "%s: line %lld is no JSON object", where, (long long)number);
    for (int j = 0; j < n_names; j++) {
        const json_t *value = json_object_get(o, names[j]);
        if (value && !json_is_string(value) && !json_is_null(value))
            return rvl_fail(err, RVL_ERR_FORMAT, "%s: line %lld: '%s' is no text", where, (long long)number, names[j]);
        if (!value && n_names == 1)
            return rvl_fail(err, RVL_ERR_FORMAT, "%s: line %lld has no '%s'\nhint: name it with --text-column", where,
                            (long long)number, names[j]);
        parts[j] = json_string_value(value);
    }
    if (id_column) {
        id = rvl_json_get_string(o, id_column, NULL);
        if (!id)
            return rvl_fail(err, RVL_ERR_FORMAT, "%s: line %lld has no text '%s'", where, (long long)number, id_column);
        r->id_name = id_column;
    }
    for (size_t i = 0; !id && i < RVL_ARRAY_LEN(id_names); i++) {
        id = rvl_json_get_string(o, id_names[i], NULL);
        if (id)
            r->id_name = id_names[i];
    }
    if (id_text(text, number, id, &name))
        return no_memory(err);
    return rvl_reports_add(r, name, number, parts, n_names, err);
}

static rvl_status jsonl_read(rvl_reports *r, const char *path, const char **names, int n_names, const char *id_column,
                             int64_t limit, rvl_error *err)
{
    char      *text = NULL;
    size_t     n_bytes = 0;
    int64_t    number = 0;
    rvl_status st = rvl_file_read(&text, &n_bytes, path, FILE_BYTES_MAX, err);

    for (size_t at = 0; !st && at < n_bytes;) {
        const char *end = memchr(text + at, '\n', n_bytes - at);
        size_t      n = end ? (size_t)(end - text) - at : n_bytes - at;
        json_t     *o = NULL;
        number++;
        if (strspn(text + at, " \t\r") < n && (limit <= 0 || r->n_rows < limit)) {
            st = rvl_json_parse(&o, text + at, n, path, err);
            if (st)
                rvl_error_prefix(err, "line %lld", (long long)number);
            else
                st = json_row(r, o, number, path, names, n_names, id_column, err);
            json_decref(o);
        }
        at += n + 1;
    }
    rvl_free(text);
    return st;
}

rvl_status rvl_reports_load(rvl_reports *out, const char *path, const char *text_columns, const char *id_column,
                            int64_t limit, rvl_error *err)
{
    const char *names[COLUMNS_MAX];
    int         n_names = 0;
    rvl_status  st = rvl_reports_begin(out, err);

    if (!st)
        st = names_split(names, &n_names, ((owner *)out->owner)->arena, text_columns, err);
    if (!st && (rvl_str_ends(path, ".jsonl") || rvl_str_ends(path, ".ndjson")))
        st = jsonl_read(out, path, names, n_names, id_column, limit, err);
    else if (!st)
        st = csv_read(out, path, names, n_names, id_column, limit, err);
    if (!st && out->n_rows == 0)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "'%s' has no reports", path);
    if (st)
        rvl_reports_fini(out);
    return st;
}
