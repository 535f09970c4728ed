/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/labels.c
 * The tables report_labels and label_sources: made when the first labels come, so older cohorts can have them too.
 */
#include "cohort/labels.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "cohort/open.h"
#include <math.h>
#include <string.h>

static const char tables_sql[] =
    "CREATE TABLE IF NOT EXISTS label_sources(source TEXT PRIMARY KEY, schema_name TEXT NOT NULL, schema TEXT NOT NULL)"
    " STRICT;"
    "CREATE TABLE IF NOT EXISTS report_labels(i_study INTEGER NOT NULL REFERENCES studies, finding TEXT NOT NULL,"
    " state INTEGER NOT NULL, probability REAL, evidence_at INTEGER NOT NULL, evidence_bytes INTEGER NOT NULL,"
    " source TEXT NOT NULL, version TEXT NOT NULL, reviewer TEXT NOT NULL, PRIMARY KEY(source, i_study, finding))"
    " STRICT;";

typedef struct {
    rvl__catalogue db;
    sqlite3_stmt  *find, *put;
    const char    *source;
} writer;

static rvl_status sql_fail(writer *w, rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_IO, "cannot write cohort.db: %s", sqlite3_errmsg(w->db.db));
}

/* The study of a case. */
static rvl_status study_find(int64_t *out, writer *w, const char *case_id, rvl_error *err)
{
    bool       has_row = false;
    rvl_status st = RVL_OK;

    sqlite3_reset(w->find);
    if (sqlite3_bind_text(w->find, 1, case_id, -1, SQLITE_STATIC) != SQLITE_OK)
        return sql_fail(w, err);
    st = rvl__catalogue_step(&has_row, &w->db, w->find, err);
    if (!st && !has_row)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "the cohort has no case '%.32s'", case_id);
    if (!st)
        *out = sqlite3_column_int64(w->find, 0);
    return st;
}

static rvl_status row_put(writer *w, const rvl_report_label *r, rvl_error *err)
{
    int64_t    i_study = 0;
    rvl_status st = study_find(&i_study, w, r->case_id, err);

    if (st)
        return st;
    sqlite3_reset(w->put);
    int code = sqlite3_bind_int64(w->put, 1, i_study);
    if (!code)
        code = sqlite3_bind_text(w->put, 2, r->finding, -1, SQLITE_STATIC);
    if (!code)
        code = sqlite3_bind_int64(w->put, 3, r->state);
    if (!code)
        code = isnan(r->probability) ? sqlite3_bind_null(w->put, 4) : sqlite3_bind_double(w->put, 4, r->probability);
    if (!code)
        code = sqlite3_bind_int64(w->put, 5, r->evidence_at);
    if (!code)
        code = sqlite3_bind_int64(w->put, 6, r->evidence_bytes);
    if (!code)
        code = sqlite3_bind_text(w->put, 7, w->source, -1, SQLITE_STATIC);
    if (!code)
        code = sqlite3_bind_text(w->put, 8, r->version, -1, SQLITE_STATIC);
    if (!code)
        code = sqlite3_bind_text(w->put, 9, r->reviewer ? r->reviewer : "", -1, SQLITE_STATIC);
    if (code || sqlite3_step(w->put) != SQLITE_DONE)
        return sql_fail(w, err);
    return RVL_OK;
}

/* One statement with up to three texts. */
static rvl_status run_sql(writer *w, const char *sql, const char *a, const char *b, const char *c, rvl_error *err)
{
    const char   *texts[] = {a, b, c};
    sqlite3_stmt *s = NULL;
    bool          has_row = false;
    rvl_status    st = rvl__catalogue_query(&s, &w->db, sql, err);

    for (int i = 0; !st && i < 3; i++)
        if (texts[i] && sqlite3_bind_text(s, i + 1, texts[i], -1, SQLITE_STATIC) != SQLITE_OK)
            st = sql_fail(w, err);
    if (!st)
        st = rvl__catalogue_step(&has_row, &w->db, s, err);
    sqlite3_finalize(s);
    return st;
}

static rvl_status rows_write(writer *w, const rvl_schema *schema, const rvl_report_label *rows, int64_t n, bool replace,
                             rvl_error *err)
{
    rvl_status st = rvl__catalogue_exec(&w->db, "BEGIN IMMEDIATE", err);

    if (st)
        return st;
    st = rvl__catalogue_exec(&w->db, tables_sql, err);
    if (!st && replace)
        st = run_sql(w, "DELETE FROM report_labels WHERE source = ?1", w->source, NULL, NULL, err);
    if (!st)
        st = run_sql(w, "INSERT OR REPLACE INTO label_sources VALUES (?1,?2,?3)", w->source, rvl_schema_name(schema),
                     rvl_schema_yaml(schema), err);
    if (!st)
        st = rvl__catalogue_query(&w->find, &w->db, "SELECT i_study FROM studies WHERE case_id = ?1", err);
    if (!st)
        st = rvl__catalogue_query(&w->put, &w->db, "INSERT OR REPLACE INTO report_labels VALUES (?,?,?,?,?,?,?,?,?)",
                                  err);
    for (int64_t i = 0; !st && i < n; i++)
        st = row_put(w, &rows[i], err);
    sqlite3_finalize(w->find);
    sqlite3_finalize(w->put);
    if (!st)
        st = rvl__catalogue_exec(&w->db, "COMMIT", err);
    if (st)
        (void)sqlite3_exec(w->db.db, "ROLLBACK", NULL, NULL, NULL); /* the first failure is what is reported */
    return st ? st : rvl__catalogue_checkpoint(&w->db, err);
}

rvl_status rvl_cohort_labels_write(const char *path, const char *source, const rvl_schema *schema,
                                   const rvl_report_label *rows, int64_t n, bool replace, rvl_error *err)
{
    writer      w = {.source = source};
    rvl_cohort *c = NULL;
    char       *db_path = rvl_path_join(path, "cohort.db");
    rvl_status  st = db_path ? rvl_cohort_open(&c, path, err) : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");

    rvl_cohort_close(c); /* it is one, and finished */
    if (!st)
        st = rvl__catalogue_open(&w.db, db_path, err);
    if (!st)
        st = rows_write(&w, schema, rows, n, replace, err);
    rvl__catalogue_close(&w.db);
    rvl_free(db_path);
    return st;
}

static rvl_status no_source(rvl_cohort *c, const char *source, bool has_table, rvl_error *err)
{
    sqlite3_stmt *query = NULL;
    rvl_str       known = {0};
    bool          has_row = has_table;
    rvl_status    st = RVL_OK;

    if (has_table)
        st = rvl__catalogue_query(&query, &c->db, "SELECT source FROM label_sources ORDER BY source", err);
    while (!st && has_row) {
        st = rvl__catalogue_step(&has_row, &c->db, query, err);
        if (!st && has_row)
            rvl_str_addf(&known, "%s%.32s", known.n_bytes ? ", " : "", rvl__catalogue_text(query, 0));
    }
    sqlite3_finalize(query);
    if (!st)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND,
                      "cohort '%s' has no labels of source '%.64s'\nhint: it has %s; rvl label "
                      "%s --rules makes some",
                      c->path, source, known.n_bytes ? known.ptr : "none", c->path);
    rvl_str_free(&known);
    return st;
}

rvl_status rvl_cohort_use_labels(rvl_cohort *c, const char *source, rvl_error *err)
{
    sqlite3_stmt *query = NULL;
    rvl_schema   *schema = NULL;
    int64_t       has_table = 0;
    bool          has_row = false;
    rvl_status    st =
        rvl__catalogue_i64(&has_table, &c->db, "SELECT count(*) FROM sqlite_master WHERE name = 'label_sources'", err);

    if (!st && has_table)
        st = rvl__catalogue_query(&query, &c->db, "SELECT schema, schema_name FROM label_sources WHERE source = ?1",
                                  err);
    if (!st && has_table && sqlite3_bind_text(query, 1, source, -1, SQLITE_TRANSIENT) != SQLITE_OK)
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    if (!st && has_table)
        st = rvl__catalogue_step(&has_row, &c->db, query, err);
    if (!st && !has_row)
        st = no_source(c, source, has_table, err);
    if (!st) {
        const char *yaml = rvl__catalogue_text(query, 0);
        st = rvl_schema_parse(&schema, yaml, strlen(yaml), rvl__catalogue_text(query, 1), err);
    }
    sqlite3_finalize(query);
    char *own = st ? NULL : rvl_strdup(source);
    if (!st && !own)
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    if (st) {
        rvl_schema_free(schema);
        return st;
    }
    rvl_schema_free(c->schema);
    rvl_free(c->label_source);
    c->schema = schema;
    c->label_source = own;
    return RVL_OK;
}

static rvl_status row_take(rvl_report_label *out, rvl_arena *arena, sqlite3_stmt *query, rvl_error *err)
{
    const char *texts[4]; /* case, finding, version, reviewer */

    for (int i = 0; i < 4; i++) {
        const char *text = rvl__catalogue_text(query, i);
        texts[i] = rvl_arena_strndup(arena, text, strlen(text));
        if (!texts[i])
            return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for labels");
    }
    const int64_t state = sqlite3_column_int64(query, 4);
    if (state < 0 || state > RVL_LABEL_UNCERTAIN)
        return rvl_fail(err, RVL_ERR_FORMAT, "cohort.db: label %lld is none", (long long)state);
    *out = (rvl_report_label){
        .case_id = texts[0],
        .finding = texts[1],
        .version = texts[2],
        .reviewer = texts[3],
        .state = (rvl_label_state)state,
        .probability = sqlite3_column_type(query, 5) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(query, 5),
        .evidence_at = sqlite3_column_int64(query, 6),
        .evidence_bytes = sqlite3_column_int64(query, 7)};
    return RVL_OK;
}

rvl_status rvl_cohort_labels_read(rvl_report_labels *out, rvl_cohort *c, const char *source, rvl_error *err)
{
    static const char select[] = "SELECT case_id, finding, version, reviewer, state, probability, evidence_at,"
                                 " evidence_bytes FROM report_labels JOIN studies USING(i_study) WHERE source = ?1"
                                 " ORDER BY i_study, finding LIMIT ?2";
    sqlite3_stmt     *query = NULL;
    int64_t           n = 0;
    bool              has_row = true;

    *out = (rvl_report_labels){.owner = rvl_arena_new()};
    rvl_status st = rvl_cohort_use_labels(c, source, err);
    if (!st)
        st = rvl__catalogue_i64(&n, &c->db, "SELECT count(*) FROM report_labels", err);
    out->rows = st ? NULL : rvl_alloc_array((size_t)n + 1, sizeof *out->rows);
    if (!st && (!out->rows || !out->owner))
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory for labels");
    if (!st)
        st = rvl__catalogue_query(&query, &c->db, select, err);
    if (!st && (sqlite3_bind_text(query, 1, source, -1, SQLITE_STATIC) || sqlite3_bind_int64(query, 2, n)))
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory for labels");
    while (!st && has_row) {
        st = rvl__catalogue_step(&has_row, &c->db, query, err);
        if (!st && has_row)
            st = row_take(&out->rows[out->n++], out->owner, query, err);
    }
    sqlite3_finalize(query);
    if (st)
        rvl_report_labels_fini(out);
    return st;
}

void rvl_report_labels_fini(rvl_report_labels *l)
{
    rvl_free(l->rows);
    rvl_arena_free(l->owner);
    *l = (rvl_report_labels){0};
}
