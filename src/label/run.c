/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/run.c
 * Labelling with a journal of JSON lines: a header that says who labels, then a line a text, found by its hash.
 *
 * A last line that was cut by a kill is dropped; everything before it was synced whole.
 */
#include "label/run.h"
#include "base/alloc.h"
#include "base/append.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/util.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char    hash[33];
    int64_t i_text;
} keyed;

typedef struct {
    rvl_label_results *out;
    rvl_labeller      *labeller;
    const rvl_span    *texts;
    keyed             *keys; /* sorted by hash */
    rvl_arena         *arena;
    rvl_appendfile    *journal;
    rvl_str            lines;
} run;

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for labels");
}

static int keyed_compare(const void *a, const void *b)
{
    return memcmp(((const keyed *)a)->hash, ((const keyed *)b)->hash, 32);
}

static int64_t text_find(const run *r, const char *hash)
{
    keyed key = {.i_text = 0};

    if (strlen(hash) != 32)
        return -1;
    memcpy(key.hash, hash, 33);
    const keyed *found = bsearch(&key, r->keys, (size_t)r->out->n, sizeof *r->keys, keyed_compare);
    return found ? found->i_text : -1;
}

/* What must be the same for a journal to go on. */
static json_t *header_make(const rvl_labeller *l)
{
    json_t *h = json_object();
    char    hash[33];

    rvl_hash128_hex(hash, rvl_schema_yaml(l->schema), strlen(rvl_schema_yaml(l->schema)));
    rvl_json_set(h, "format", json_string("rvl.label-journal/1"));
    rvl_json_set(h, "source", json_string(l->source));
    rvl_json_set(h, "version", json_string(l->version));
    rvl_json_set(h, "schema", json_string(hash));
    return h;
}

static const char *name_own(run *r, const json_t *text, const char *usual)
{
    const char *s = json_string_value(text);

    if (!s || strcmp(s, usual) == 0)
        return usual;
    return rvl_arena_strndup(r->arena, s, strlen(s));
}

/* [state, probability, at, bytes (, source, version)] -> row; false if it is none. */
static bool row_parse(rvl_label_row *row, run *r, const json_t *a)
{
    const int64_t state = json_integer_value(json_array_get(a, 0));
    const json_t *p = json_array_get(a, 1);

    if (json_array_size(a) < 4 || !json_is_integer(json_array_get(a, 0)) || state < 0 || state > RVL_LABEL_UNCERTAIN)
        return false;
    *row = (rvl_label_row){.state = (rvl_label_state)state,
                           .probability = json_is_null(p) ? (double)NAN : json_number_value(p),
                           .evidence_at = (size_t)json_integer_value(json_array_get(a, 2)),
                           .evidence_bytes = (size_t)json_integer_value(json_array_get(a, 3)),
                           .source = name_own(r, json_array_get(a, 4), r->labeller->source),
                           .version = name_own(r, json_array_get(a, 5), r->labeller->version)};
    return row->source && row->version && !(row->probability < 0.0) && !(row->probability > 1.0);
}

/* A line of the journal; false if it is damaged. */
static bool line_keep(run *r, const char *text, size_t n_bytes)
{
    const int k = rvl_schema_count(r->labeller->schema);
    json_t   *o = NULL;
    bool      is_ok = rvl_json_parse(&o, text, n_bytes, "journal", NULL) == RVL_OK;
    json_t   *rows = json_object_get(o, "rows");
    int64_t   i = is_ok ? text_find(r, rvl_json_get_string(o, "text", "")) : -1;

    is_ok = is_ok && (int)json_array_size(rows) == k;
    for (int j = 0; is_ok && i >= 0 && j < k; j++) {
        rvl_label_row *row = &r->out->rows[i * k + j];
        is_ok = row_parse(row, r, json_array_get(rows, (size_t)j)) && row->evidence_at <= r->texts[i].n_bytes &&
                row->evidence_bytes <= r->texts[i].n_bytes - row->evidence_at;
    }
    if (is_ok && i >= 0 && r->out->outcomes[i].outcome != RVL_LABELLED) {
        r->out->outcomes[i].outcome = RVL_LABELLED;
        r->out->n_kept++;
    }
    json_decref(o);
    return is_ok;
}

static rvl_status journal_read(size_t *n_keep, run *r, const char *path, const char *header, rvl_error *err)
{
    char        *text = NULL;
    size_t       n_bytes = 0;
    rvl_status   st = rvl_file_read(&text, &n_bytes, path, 0, err);
    const char  *end = st ? NULL : memchr(text, '\n', n_bytes);
    const size_t n_header = strlen(header);

    *n_keep = 0;
    if (!st && end && ((size_t)(end - text) != n_header || memcmp(text, header, n_header) != 0))
        st = rvl_fail(err, RVL_ERR_STATE,
                      "'%s' was begun with another schema, labeller or version\nhint: --force begins anew", path);
    for (size_t at = end ? n_header + 1 : 0; !st && end;) {
        *n_keep = at;
        end = at < n_bytes ? memchr(text + at, '\n', n_bytes - at) : NULL;
        if (!end || !line_keep(r, text + at, (size_t)(end - text) - at))
            break;
        at = (size_t)(end - text) + 1;
    }
    rvl_free(text);
    return st;
}

static rvl_status journal_open(run *r, const char *path, bool restart, rvl_error *err)
{
    json_t    *h = header_make(r->labeller);
    char      *header = NULL;
    size_t     n_keep = 0;
    rvl_status st = rvl_json_format(&header, h, 0, err);

    json_decref(h);
    if (!st && !restart && rvl_path_exists(path))
        st = journal_read(&n_keep, r, path, header, err);
    if (!st)
        st = rvl_appendfile_open(&r->journal, path, n_keep, err);
    if (!st && n_keep == 0) {
        rvl_str_add(&r->lines, header);
        rvl_str_add(&r->lines, "\n");
        st = r->lines.failed ? no_memory(err) : rvl_appendfile_write(r->journal, r->lines.ptr, r->lines.n_bytes, err);
        rvl_str_clear(&r->lines);
    }
    rvl_free(header);
    return st;
}

static void line_add(run *r, const char *hash, const rvl_label_row *rows)
{
    const rvl_labeller *l = r->labeller;
    json_t             *o = json_object();
    json_t             *list = json_array();
    char               *text = NULL;

    for (int j = 0; j < rvl_schema_count(l->schema); j++) {
        json_t *a = json_array();
        json_array_append_new(a, json_integer(rows[j].state));
        json_array_append_new(a, rvl_json_real(rows[j].probability));
        json_array_append_new(a, json_integer((json_int_t)rows[j].evidence_at));
        json_array_append_new(a, json_integer((json_int_t)rows[j].evidence_bytes));
        if (strcmp(rows[j].source, l->source) != 0 || strcmp(rows[j].version, l->version) != 0) {
            json_array_append_new(a, json_string(rows[j].source));
            json_array_append_new(a, json_string(rows[j].version));
        }
        json_array_append_new(list, a);
    }
    rvl_json_set(o, "text", json_string(hash));
    rvl_json_set(o, "rows", list);
    if (rvl_json_format(&text, o, 0, NULL))
        r->lines.failed = true;
    else
        rvl_str_add(&r->lines, text);
    rvl_str_add(&r->lines, "\n");
    rvl_free(text);
    json_decref(o);
}

/* One call of the labeller for the texts `which`; the rows go to their places, then into the journal. */
static rvl_status call(run *r, const int64_t *which, int n, rvl_span *texts, rvl_label_row *rows,
                       rvl_label_outcome *outcomes, rvl_error *err)
{
    const int             k = rvl_schema_count(r->labeller->schema);
    const rvl_label_batch batch = {.n = n, .texts = texts};
    char                  hash[33];
    rvl_status            st_journal = RVL_OK;

    for (int i = 0; i < n; i++)
        texts[i] = r->texts[which[i]];
    memset(outcomes, 0, (size_t)n * sizeof *outcomes);
    rvl_status st = r->labeller->label(r->labeller, rows, outcomes, &batch, err);
    rvl_str_clear(&r->lines);
    for (int i = 0; i < n; i++) {
        r->out->outcomes[which[i]] = outcomes[i];
        r->out->n_failed += outcomes[i].outcome == RVL_LABELLED_FAILED;
        if (outcomes[i].outcome != RVL_LABELLED)
            continue;
        memcpy(r->out->rows + which[i] * k, rows + (size_t)i * (size_t)k, (size_t)k * sizeof *rows);
        if (r->journal) {
            rvl_hash128_hex(hash, texts[i].ptr, texts[i].n_bytes);
            line_add(r, hash, rows + (size_t)i * (size_t)k);
        }
    }
    if (r->journal && r->lines.n_bytes > 0)
        st_journal = r->lines.failed
                         ? no_memory(st ? NULL : err)
                         : rvl_appendfile_write(r->journal, r->lines.ptr, r->lines.n_bytes, st ? NULL : err);
    return st ? st : st_journal;
}

static rvl_status label_rest(run *r, rvl_error *err)
{
    const size_t       together = (size_t)(r->labeller->n_together > 0 ? r->labeller->n_together : 1);
    const size_t       k = (size_t)rvl_schema_count(r->labeller->schema);
    int64_t           *which = rvl_alloc_array(together, sizeof *which);
    rvl_span          *texts = rvl_alloc_array(together, sizeof *texts);
    rvl_label_row     *rows = rvl_alloc_array(together * k, sizeof *rows);
    rvl_label_outcome *outcomes = rvl_alloc_array(together, sizeof *outcomes);
    rvl_status         st = which && texts && rows && outcomes ? RVL_OK : no_memory(err);

    rvl_progress_begin("label", "reports", r->out->n);
    for (int64_t i = 0; !st && i < r->out->n;) {
        int n = 0;
        for (; i < r->out->n && n < (int)together; i++)
            if (r->out->outcomes[i].outcome == RVL_LABELLED_NOT)
                which[n++] = i;
        if (n > 0)
            st = call(r, which, n, texts, rows, outcomes, err);
        rvl_progress_update(i, r->out->n_failed);
        if (!st && rvl_cancel_requested())
            st = rvl_fail(err, RVL_ERR_CANCELLED, "interrupted; run the same command again to go on");
    }
    rvl_progress_end();
    rvl_free(which);
    rvl_free(texts);
    rvl_free(rows);
    rvl_free(outcomes);
    return st;
}

rvl_status rvl_label_texts(rvl_label_results *out, rvl_labeller *labeller, const rvl_span *texts, int64_t n,
                           const char *journal, bool restart, rvl_error *err)
{
    const size_t k = (size_t)rvl_schema_count(labeller->schema);
    run          r = {.out = out, .labeller = labeller, .texts = texts, .arena = rvl_arena_new()};
    rvl_status   st = RVL_OK;

    *out = (rvl_label_results){.n = n, .owner = r.arena};
    out->rows = rvl_alloc_array((size_t)n * k + 1, sizeof *out->rows);
    out->outcomes = rvl_alloc_array((size_t)n + 1, sizeof *out->outcomes);
    r.keys = rvl_alloc_array((size_t)n + 1, sizeof *r.keys);
    if (!out->rows || !out->outcomes || !r.keys || !r.arena)
        st = no_memory(err);
    for (int64_t i = 0; !st && journal && i < n; i++) {
        rvl_hash128_hex(r.keys[i].hash, texts[i].ptr, texts[i].n_bytes);
        r.keys[i].i_text = i;
    }
    if (!st && journal) {
        qsort(r.keys, (size_t)n, sizeof *r.keys, keyed_compare);
        st = journal_open(&r, journal, restart, err);
    }
    if (!st)
        st = label_rest(&r, err);
    rvl_appendfile_close(r.journal);
    rvl_str_free(&r.lines);
    rvl_free(r.keys);
    if (st)
        rvl_label_results_fini(out);
    return st;
}

void rvl_label_results_fini(rvl_label_results *r)
{
    rvl_free(r->rows);
    rvl_free(r->outcomes);
    rvl_arena_free(r->owner);
    *r = (rvl_label_results){0};
}
