/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/catalogue.h
 * cohort.db: the SQLite schema and the statements over it. Specified in docs/formats/cohort.md.
 *
 * Writers use WAL with an exclusive lock; readers open the finished file as immutable, without locks.
 * Argument types of statements: 'i' int64_t, 't' const char * (NULL is null), 'd' double (NaN is null).
 */
#ifndef RVL_COHORT_CATALOGUE_H
#define RVL_COHORT_CATALOGUE_H
#include "rvl/status.h"
#include <sqlite3.h>

/** X(NAME, types of the arguments, SQL). */
#define RVL__STATEMENT_LIST(X)                                                                                         \
    X(META, "tt", "INSERT OR REPLACE INTO meta VALUES (?,?)")                                                          \
    X(PATIENT, "ittt", "INSERT INTO patients VALUES (?,?,?,?)")                                                        \
    X(STUDY, "iitdttt", "INSERT INTO studies VALUES (?,?,?,?,?,?,?)")                                                  \
    X(SERIES, "iitt", "INSERT INTO series VALUES (?,?,?,?)")                                                           \
    X(IMAGE, "iiititiiitt", "INSERT INTO images VALUES (?,?,?,?,?,?,?,?,?,?,?)")                                       \
    X(REPORT, "itt", "INSERT INTO reports VALUES (?,?,?)")                                                             \
    X(TEXT, "ii", "INSERT INTO texts VALUES (?,?)")                                                                    \
    X(LABEL, "itit", "INSERT INTO labels VALUES (?,?,?,?)")                                                            \
    X(SPLIT, "it", "INSERT INTO splits VALUES (?,?)")                                                                  \
    X(PACK, "ittii", "INSERT INTO packs VALUES (?,?,?,?,?)")                                                           \
    X(FAILURE, "ititt", "INSERT INTO failures VALUES (?,?,?,?,?)")

typedef enum {
#define X(name, types, sql) RVL__PUT_##name,
    RVL__STATEMENT_LIST(X)
#undef X
        RVL__PUT_COUNT
} rvl__put;

typedef struct {
    sqlite3      *db;
    sqlite3_stmt *puts[RVL__PUT_COUNT];
} rvl__catalogue;

/** Open for writing; made with an empty schema if absent. STATE if another process writes. */
RVL_MUST_USE rvl_status rvl__catalogue_open(rvl__catalogue *out, const char *path, rvl_error *err);
/** Open a finished catalogue that nobody writes. */
RVL_MUST_USE rvl_status rvl__catalogue_open_immutable(rvl__catalogue *out, const char *path, rvl_error *err);
/** Writers: fold the log into the file so that an immutable reader sees all. */
RVL_MUST_USE rvl_status rvl__catalogue_checkpoint(rvl__catalogue *c, rvl_error *err);
void                    rvl__catalogue_close(rvl__catalogue *c);

RVL_MUST_USE rvl_status rvl__catalogue_exec(rvl__catalogue *c, const char *sql, rvl_error *err);
/** Insert a row; arguments as the list above says. */
RVL_MUST_USE rvl_status rvl__catalogue_put(rvl__catalogue *c, rvl_error *err, rvl__put which, ...);
/** A query of the caller's, finalised by him. */
RVL_MUST_USE rvl_status rvl__catalogue_query(sqlite3_stmt **out, rvl__catalogue *c, const char *sql, rvl_error *err);
/** Next row; `*has_row` false at the end. */
RVL_MUST_USE rvl_status rvl__catalogue_step(bool *has_row, rvl__catalogue *c, sqlite3_stmt *query, rvl_error *err);
/** The one integer of a query. */
RVL_MUST_USE rvl_status rvl__catalogue_i64(int64_t *out, rvl__catalogue *c, const char *sql, rvl_error *err);
/** Text of meta `key`, owned by the caller (rvl_free); NULL if absent. */
RVL_MUST_USE rvl_status rvl__catalogue_meta(char **out, rvl__catalogue *c, const char *key, rvl_error *err);
/** Text column of the current row, "" for null. */
const char             *rvl__catalogue_text(sqlite3_stmt *query, int i_column);

#endif /* RVL_COHORT_CATALOGUE_H */
