/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/open.c
 * Opens a finished cohort: catalogue without locks, schema, and the newest finished pack as a memory map.
 */
#include "cohort/open.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include <string.h>

static rvl_status open_schema(rvl_cohort *c, rvl_error *err)
{
    char      *yaml = NULL, *name = NULL;
    rvl_status st = rvl__catalogue_meta(&yaml, &c->db, "schema", err);

    if (!st)
        st = rvl__catalogue_meta(&name, &c->db, "schema_name", err);
    if (!st && yaml)
        st = rvl_schema_parse(&c->schema, yaml, strlen(yaml), name ? name : "schema", err);
    rvl_free(name);
    rvl_free(yaml);
    return st;
}

static rvl_status map_pack(rvl_cohort *c, const char *hash, const char *spec, int64_t n_rows, rvl_error *err)
{
    json_t    *json = NULL;
    char       found[17];
    rvl_str    dir = {0};
    rvl_status st = rvl_json_parse(&json, spec, strlen(spec), "cohort.db", err);

    if (!st)
        st = rvl_preprocess_from_json(&c->spec, json, err);
    if (!st)
        st = rvl__pack_hash(found, &c->spec, err);
    if (!st && strcmp(found, hash) != 0)
        st = rvl_fail(err, RVL_ERR_FORMAT, "the preprocessing of pack '%s' has the hash '%s'", hash, found);
    rvl_str_addf(&dir, "%s/packs/%s", c->path, hash);
    if (!st && dir.failed)
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    if (!st)
        st = rvl__pack_map(&c->pack, dir.ptr, &c->spec, n_rows, err);
    rvl_str_free(&dir);
    json_decref(json);
    return st;
}

static rvl_status open_pack(rvl_cohort *c, rvl_error *err)
{
    static const char sql[] = "SELECT hash, spec, n_rows FROM packs WHERE is_finished = 1 ORDER BY i_pack DESC LIMIT 1";
    sqlite3_stmt     *query = NULL;
    bool              has_row = false;
    rvl_status        st = rvl__catalogue_query(&query, &c->db, sql, err);

    if (!st)
        st = rvl__catalogue_step(&has_row, &c->db, query, err);
    if (!st && !has_row)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "no finished pack");
    if (!st)
        st = map_pack(c, rvl__catalogue_text(query, 0), rvl__catalogue_text(query, 1), sqlite3_column_int64(query, 2),
                      err);
    sqlite3_finalize(query);
    return st;
}

static rvl_status check_state(rvl_cohort *c, rvl_error *err)
{
    char      *format = NULL, *state = NULL;
    int64_t    has_meta = 0;
    rvl_status st =
        rvl__catalogue_i64(&has_meta, &c->db, "SELECT count(*) FROM sqlite_master WHERE name = 'meta'", err);

    if (!st && has_meta)
        st = rvl__catalogue_meta(&format, &c->db, "format", err);
    if (!st && has_meta)
        st = rvl__catalogue_meta(&state, &c->db, "state", err);
    if (!st && format && strcmp(format, "rvl.cohort/1") != 0)
        st = rvl_fail(err, RVL_ERR_UNSUPPORTED, "its format '%.40s' is not rvl.cohort/1", format);
    else if (!st && !rvl_str_equal(state, "finished"))
        st = rvl_fail(err, RVL_ERR_STATE,
                      "its ingest is not finished\nhint: run the same rvl ingest again, it continues");
    rvl_free(state);
    rvl_free(format);
    return st;
}

rvl_status rvl_cohort_open(rvl_cohort **out, const char *path, rvl_error *err)
{
    rvl_cohort *c = rvl_alloc_array(1, sizeof *c);
    char       *db_path = rvl_path_join(path, "cohort.db");
    rvl_status  st = RVL_OK;

    *out = NULL;
    if (!c || !db_path || !(c->path = rvl_strdup(path)))
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    else if (!rvl_path_is_dir(path))
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "no such folder");
    if (!st)
        st = rvl__catalogue_open_immutable(&c->db, db_path, err);
    if (!st)
        st = check_state(c, err);
    if (!st)
        st = open_schema(c, err);
    if (!st)
        st = open_pack(c, err);
    rvl_free(db_path);
    if (st) {
        rvl_error_prefix(err, "cannot open cohort '%s'", path);
        rvl_cohort_close(c);
        return st;
    }
    *out = c;
    return RVL_OK;
}

void rvl_cohort_close(rvl_cohort *c)
{
    if (!c)
        return;
    rvl__pack_unmap(&c->pack);
    rvl_schema_free(c->schema);
    rvl_free(c->label_source);
    rvl__catalogue_close(&c->db);
    rvl_free(c->path);
    rvl_free(c);
}

const char *rvl_cohort_path(const rvl_cohort *c)
{
    return c->path;
}

const rvl_schema *rvl_cohort_schema(const rvl_cohort *c)
{
    return c->schema;
}

const rvl_preprocess *rvl_cohort_preprocess(const rvl_cohort *c)
{
    return &c->spec;
}

rvl_status rvl_cohort_pack_row(const void **codes, rvl_cohort *c, int64_t row, rvl_error *err)
{
    return rvl__pack_row(codes, &c->pack, row, err);
}

void rvl_cohort_pack_done(const rvl_cohort *c, int64_t row)
{
    rvl__pack_done(&c->pack, row);
}
