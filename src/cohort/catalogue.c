/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/catalogue.c
 * The only place that knows how SQLite is set up. Tables are STRICT: a value of a wrong type is refused.
 */
#include "cohort/catalogue.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include <math.h>
#include <string.h>

static const char schema_sql[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS patients(i_patient INTEGER PRIMARY KEY, patient_id TEXT NOT NULL UNIQUE,"
    " sex TEXT NOT NULL, patient_key TEXT NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS studies(i_study INTEGER PRIMARY KEY, i_patient INTEGER NOT NULL REFERENCES patients,"
    " case_id TEXT NOT NULL UNIQUE, age_years REAL, study_key TEXT NOT NULL, study_date TEXT NOT NULL,"
    " accession_key TEXT NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS series(i_series INTEGER PRIMARY KEY, i_study INTEGER NOT NULL REFERENCES studies,"
    " modality TEXT NOT NULL, body_part TEXT NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS images(i_image INTEGER PRIMARY KEY, i_series INTEGER NOT NULL REFERENCES series,"
    " i_study INTEGER NOT NULL REFERENCES studies, path TEXT NOT NULL UNIQUE, table_row INTEGER NOT NULL,"
    " view TEXT NOT NULL, pack_row INTEGER NOT NULL UNIQUE, pixel_hash INTEGER NOT NULL,"
    " is_flat INTEGER NOT NULL, laterality TEXT NOT NULL DEFAULT '', series_key TEXT NOT NULL) STRICT;"
    "CREATE INDEX IF NOT EXISTS images_study ON images(i_study);"
    "CREATE TABLE IF NOT EXISTS reports(i_study INTEGER NOT NULL REFERENCES studies, section TEXT NOT NULL,"
    " text TEXT NOT NULL, PRIMARY KEY(i_study, section)) STRICT;"
    "CREATE TABLE IF NOT EXISTS texts(i_study INTEGER PRIMARY KEY REFERENCES studies, text_hash INTEGER NOT NULL)"
    " STRICT;"
    "CREATE TABLE IF NOT EXISTS labels(i_study INTEGER NOT NULL REFERENCES studies, finding TEXT NOT NULL,"
    " state INTEGER NOT NULL, source TEXT NOT NULL, PRIMARY KEY(i_study, finding, source)) STRICT;"
    "CREATE TABLE IF NOT EXISTS splits(i_study INTEGER PRIMARY KEY REFERENCES studies, split TEXT NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS failures(table_row INTEGER PRIMARY KEY, table_file TEXT NOT NULL,"
    " line INTEGER NOT NULL, file TEXT NOT NULL, reason TEXT NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS packs(i_pack INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, spec TEXT NOT NULL,"
    " n_rows INTEGER NOT NULL, is_finished INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS leaks(kind TEXT NOT NULL, i_group INTEGER NOT NULL, case_id TEXT NOT NULL,"
    " split TEXT NOT NULL, PRIMARY KEY(kind, i_group, case_id)) STRICT;"
    "COMMIT;";

static const struct {
    const char *types, *sql;
} put_list[] = {
#define X(name, types, sql) {types, sql},
    RVL__STATEMENT_LIST(X)
#undef X
};

/** Turn SQLite's last error into ours. */
static rvl_status catalogue_fail(const rvl__catalogue *c, const char *what, rvl_error *err)
{
    int code = c->db ? sqlite3_errcode(c->db) & 0xff : SQLITE_NOMEM;

    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return rvl_fail(err, RVL_ERR_STATE, "cannot %s cohort.db: another process is writing it", what);
    if (code == SQLITE_NOMEM)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot %s cohort.db: out of memory", what);
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot %s cohort.db: %s", what, sqlite3_errmsg(c->db));
    if (code == SQLITE_FULL)
        return rvl_fail(err, RVL_ERR_IO,
                        "cannot %s cohort.db: disk full\nhint: free some space and run the same command again, it "
                        "continues",
                        what);
    return rvl_fail(err, RVL_ERR_IO, "cannot %s cohort.db: %s", what, sqlite3_errmsg(c->db));
}

rvl_status rvl__catalogue_exec(rvl__catalogue *c, const char *sql, rvl_error *err)
{
    return sqlite3_exec(c->db, sql, NULL, NULL, NULL) == SQLITE_OK ? RVL_OK : catalogue_fail(c, "write", err);
}

rvl_status rvl__catalogue_open(rvl__catalogue *out, const char *path, rvl_error *err)
{
    rvl_status st;

    *out = (rvl__catalogue){0};
    if (sqlite3_open_v2(path, &out->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL))
        st = catalogue_fail(out, "open", err);
    else
        st = rvl__catalogue_exec(out,
                                 "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                                 "PRAGMA foreign_keys=ON;",
                                 err);
    if (!st)
        st = rvl__catalogue_exec(out, schema_sql, err);
    for (int i = 0; !st && i < RVL__PUT_COUNT; i++)
        st = rvl__catalogue_query(&out->puts[i], out, put_list[i].sql, err);
    if (st)
        rvl__catalogue_close(out);
    return st;
}

rvl_status rvl__catalogue_open_immutable(rvl__catalogue *out, const char *path, rvl_error *err)
{
    rvl_str uri = {0};
    int     code;

    *out = (rvl__catalogue){0};
    if (rvl_file_size(path) < 0)
        return rvl_fail(err, RVL_ERR_NOT_FOUND, "cannot open '%s': no such file", path);
    rvl_str_add(&uri, "file:");
    for (const char *p = path; *p; p++) {
        if (strchr("%?#", *p))
            rvl_str_addf(&uri, "%%%02X", (unsigned)(unsigned char)*p);
        else
            rvl_str_add_n(&uri, p, 1);
    }
    rvl_str_add(&uri, "?immutable=1");
    if (uri.failed) {
        rvl_str_free(&uri);
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot open '%s': out of memory", path);
    }
    code = sqlite3_open_v2(uri.ptr, &out->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    rvl_str_free(&uri);
    if (code != SQLITE_OK) {
        rvl_status st = catalogue_fail(out, "open", err);
        rvl__catalogue_close(out);
        return st;
    }
    return RVL_OK;
}

rvl_status rvl__catalogue_checkpoint(rvl__catalogue *c, rvl_error *err)
{
    return sqlite3_wal_checkpoint_v2(c->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) == SQLITE_OK
               ? RVL_OK
               : catalogue_fail(c, "write", err);
}

void rvl__catalogue_close(rvl__catalogue *c)
{
    for (int i = 0; i < RVL__PUT_COUNT; i++)
        sqlite3_finalize(c->puts[i]);
    sqlite3_close(c->db);
    *c = (rvl__catalogue){0};
}

static int bind_all(sqlite3_stmt *s, const char *types, va_list args)
{
    int code = SQLITE_OK;

    for (int i = 0; types[i] && code == SQLITE_OK; i++) {
        if (types[i] == 'i') {
            code = sqlite3_bind_int64(s, i + 1, va_arg(args, int64_t));
        } else if (types[i] == 't') {
            code = sqlite3_bind_text(s, i + 1, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
        } else {
            double value = va_arg(args, double);
            code = isnan(value) ? sqlite3_bind_null(s, i + 1) : sqlite3_bind_double(s, i + 1, value);
        }
    }
    return code;
}

rvl_status rvl__catalogue_put(rvl__catalogue *c, rvl_error *err, rvl__put which, ...)
{
    sqlite3_stmt *s = c->puts[which];
    va_list       args;
    int           code;

    va_start(args, which);
    code = bind_all(s, put_list[which].types, args);
    va_end(args);
    if (code == SQLITE_OK)
        code = sqlite3_step(s);
    rvl_status st = code == SQLITE_DONE ? RVL_OK : catalogue_fail(c, "write", err);
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return st;
}

rvl_status rvl__catalogue_query(sqlite3_stmt **out, rvl__catalogue *c, const char *sql, rvl_error *err)
{
    *out = NULL;
    return sqlite3_prepare_v2(c->db, sql, -1, out, NULL) == SQLITE_OK ? RVL_OK : catalogue_fail(c, "read", err);
}

rvl_status rvl__catalogue_step(bool *has_row, rvl__catalogue *c, sqlite3_stmt *query, rvl_error *err)
{
    int code = sqlite3_step(query);

    *has_row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? RVL_OK : catalogue_fail(c, "read", err);
}

rvl_status rvl__catalogue_i64(int64_t *out, rvl__catalogue *c, const char *sql, rvl_error *err)
{
    sqlite3_stmt *query = NULL;
    bool          has_row = false;
    rvl_status    st = rvl__catalogue_query(&query, c, sql, err);

    *out = 0;
    if (!st)
        st = rvl__catalogue_step(&has_row, c, query, err);
    if (!st && has_row)
        *out = sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    return st;
}

rvl_status rvl__catalogue_meta(char **out, rvl__catalogue *c, const char *key, rvl_error *err)
{
    sqlite3_stmt *query = NULL;
    bool          has_row = false;
    rvl_status    st = rvl__catalogue_query(&query, c, "SELECT value FROM meta WHERE key = ?", err);

    *out = NULL;
    if (!st && sqlite3_bind_text(query, 1, key, -1, SQLITE_STATIC) != SQLITE_OK)
        st = catalogue_fail(c, "read", err);
    if (!st)
        st = rvl__catalogue_step(&has_row, c, query, err);
    if (!st && has_row && !(*out = rvl_strdup(rvl__catalogue_text(query, 0))))
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot read cohort.db: out of memory");
    sqlite3_finalize(query);
    return st;
}

const char *rvl__catalogue_text(sqlite3_stmt *query, int i_column)
{
    const unsigned char *text = sqlite3_column_text(query, i_column);

    return text ? (const char *)text : "";
}
