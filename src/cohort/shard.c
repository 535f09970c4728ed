/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/shard.c
 * Reads finished shards. They hold consecutive rows of the table, so a row's shard follows from its number.
 */
#include "cohort/shard.h"
#include "base/alloc.h"
#include "base/str.h"
#include "cohort/catalogue.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    rvl__catalogue   db;
    rvl__pack_reader pack;
    sqlite3_stmt    *image, *failure; /* by table_row */
} shard;

struct rvl__shards {
    int     n;
    int64_t n_rows;
    shard  *shards;
};

void rvl__shard_range(int64_t *first, int64_t *end, int64_t n_rows, int i, int n)
{
    const int64_t each = n_rows / n;
    const int64_t rest = n_rows % n; /* the first shards hold one row more */

    *first = each * (i - 1) + (i - 1 < rest ? i - 1 : rest);
    *end = each * i + (i < rest ? i : rest);
}

char *rvl__shard_path(const char *out_path, int i, int n)
{
    rvl_str path = {0};

    rvl_str_addf(&path, "%s/shards", out_path);
    if (n > 0)
        rvl_str_addf(&path, "/%d-of-%d", i, n);
    if (path.failed) {
        rvl_str_free(&path);
        return NULL;
    }
    return path.ptr;
}

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot read shards: out of memory");
}

/* n of the folder "i-of-n"; 0 if the name is none. */
static int count_of_name(const char *name)
{
    const char *of = strstr(name, "-of-");
    int64_t     n = 0;

    return of && rvl_parse_i64(of + 4, &n) && n >= 1 && n <= RVL_MAX_SHARDS ? (int)n : 0;
}

/* How many shards there are to be, by the folders that are there; 0 without any. STATE if they do not agree. */
static rvl_status count_shards(int *n, const char *out_path, rvl_error *err)
{
    rvl_dir_names list = {0};
    char         *path = rvl__shard_path(out_path, 0, 0);
    rvl_status    st = path ? RVL_OK : no_memory(err);

    *n = 0;
    if (!st && rvl_path_is_dir(path))
        st = rvl_dir_list(&list, path, err);
    for (size_t i = 0; !st && i < list.n_names; i++) {
        const int here = count_of_name(list.names[i]);
        if (*n > 0 && here > 0 && here != *n)
            st = rvl_fail(err, RVL_ERR_STATE,
                          "'%s' holds shards of %d and of %d\nhint: remove those that are not meant", path, *n, here);
        *n = here > 0 ? here : *n;
    }
    rvl_dir_names_free(&list);
    rvl_free(path);
    return st;
}

/* Nobody writes it, all of it is in the file, and it is of this ingest. */
static rvl_status check_shard(shard *s, const char *path, const char *fingerprint, rvl_error *err)
{
    char      *wal = rvl_path_join(path, "cohort.db-wal");
    char      *state = NULL, *print = NULL;
    int64_t    has_meta = 0;
    rvl_status st = wal ? RVL_OK : no_memory(err);

    if (!st)
        st = rvl__catalogue_i64(&has_meta, &s->db, "SELECT count(*) FROM sqlite_master WHERE name = 'meta'", err);
    if (!st && has_meta)
        st = rvl__catalogue_meta(&state, &s->db, "state", err);
    if (!st && has_meta)
        st = rvl__catalogue_meta(&print, &s->db, "fingerprint", err);
    if (!st && (rvl_file_size(wal) > 0 || !rvl_str_equal(state, "finished")))
        st = rvl_fail(err, RVL_ERR_STATE, "it is not finished\nhint: run its rvl ingest --shard again, it continues");
    if (!st && !rvl_str_equal(print, fingerprint))
        st = rvl_fail(err, RVL_ERR_STATE,
                      "it was made from another table, map or options\nhint: remove the folder and run its rvl ingest "
                      "--shard again");
    rvl_free(state);
    rvl_free(print);
    rvl_free(wal);
    return st;
}

static rvl_status open_shard(shard *s, const char *path, const char *fingerprint, const rvl_preprocess *spec,
                             const char *pack_hash, rvl_error *err)
{
    static const char image_sql[] = "SELECT pack_row, view, is_flat, laterality FROM images WHERE table_row = ?";
    static const char failure_sql[] = "SELECT reason FROM failures WHERE table_row = ?";
    char             *db_path = rvl_path_join(path, "cohort.db");
    rvl_str           packs = {0};
    int64_t           n_images = 0;
    rvl_status        st = RVL_OK;

    rvl_str_addf(&packs, "%s/packs/%s", path, pack_hash);
    if (!db_path || packs.failed)
        st = no_memory(err);
    else if (!rvl_path_exists(db_path))
        st = rvl_fail(err, RVL_ERR_STATE, "it is not there\nhint: run its rvl ingest --shard");
    if (!st)
        st = rvl__catalogue_open_immutable(&s->db, db_path, err);
    if (!st)
        st = check_shard(s, path, fingerprint, err);
    if (!st) /* rows are asked for by number */
        st = rvl__catalogue_i64(&n_images, &s->db, "SELECT count(*) FROM images", err);
    if (!st)
        st = rvl__pack_map(&s->pack, packs.ptr, spec, n_images, err);
    if (!st)
        st = rvl__catalogue_query(&s->image, &s->db, image_sql, err);
    if (!st)
        st = rvl__catalogue_query(&s->failure, &s->db, failure_sql, err);
    rvl_str_free(&packs);
    rvl_free(db_path);
    return st;
}

rvl_status rvl__shards_open(rvl__shards **out, const char *out_path, const char *fingerprint,
                            const rvl_preprocess *spec, const char *pack_hash, int64_t n_rows, rvl_error *err)
{
    int          n = 0;
    rvl__shards *s = NULL;
    rvl_status   st = count_shards(&n, out_path, err);

    *out = NULL;
    if (st || n == 0)
        return st;
    s = rvl_alloc_array(1, sizeof *s);
    if (s)
        s->shards = rvl_alloc_array((size_t)n, sizeof *s->shards);
    if (!s || !s->shards)
        st = no_memory(err);
    for (int i = 0; !st && i < n; i++) {
        char *path = rvl__shard_path(out_path, i + 1, n);
        st = path ? open_shard(&s->shards[i], path, fingerprint, spec, pack_hash, err) : no_memory(err);
        rvl_free(path);
        s->n = i + 1;
        if (st)
            rvl_error_prefix(err, "cannot take shard %d of %d", i + 1, n);
    }
    if (st) {
        rvl__shards_close(s);
        return st;
    }
    s->n_rows = n_rows;
    *out = s;
    return RVL_OK;
}

void rvl__shards_close(rvl__shards *s)
{
    if (!s)
        return;
    for (int i = 0; s->shards && i < s->n; i++) {
        sqlite3_finalize(s->shards[i].image);
        sqlite3_finalize(s->shards[i].failure);
        rvl__pack_unmap(&s->shards[i].pack);
        rvl__catalogue_close(&s->shards[i].db);
    }
    rvl_free(s->shards);
    rvl_free(s);
}

static rvl_status find_row(bool *has_row, shard *s, sqlite3_stmt *query, int64_t i_row, rvl_error *err)
{
    sqlite3_reset(query);
    if (sqlite3_bind_int64(query, 1, i_row) != SQLITE_OK)
        return no_memory(err);
    return rvl__catalogue_step(has_row, &s->db, query, err);
}

rvl_status rvl__shards_row(rvl__shard_row *out, rvl__shards *s, int64_t i_row, rvl_error *err)
{
    int64_t first = 0, end = 0;
    bool    has_row = false;

    *out = (rvl__shard_row){0};
    for (int i = 0; i < s->n && i_row >= end; i++) {
        rvl__shard_range(&first, &end, s->n_rows, i + 1, s->n);
        out->i_shard = i;
    }
    shard     *x = &s->shards[out->i_shard];
    rvl_status st = find_row(&has_row, x, x->image, i_row, err);
    if (!st && has_row) {
        out->pack_row = sqlite3_column_int64(x->image, 0);
        out->view = rvl_view_parse(rvl__catalogue_text(x->image, 1));
        out->is_flat = sqlite3_column_int(x->image, 2) != 0;
        out->laterality = *rvl__catalogue_text(x->image, 3);
        return rvl__pack_row(&out->codes, &x->pack, out->pack_row, err);
    }
    if (!st)
        st = find_row(&has_row, x, x->failure, i_row, err);
    if (!st && !has_row)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND,
                      "shard %d lacks row %lld\nhint: remove its folder and run its rvl ingest "
                      "--shard again",
                      out->i_shard + 1, (long long)i_row + 1);
    if (!st)
        snprintf(out->failure, sizeof out->failure, "%s", rvl__catalogue_text(x->failure, 0));
    return st;
}

void rvl__shards_done(rvl__shards *s, const rvl__shard_row *row)
{
    rvl__pack_done(&s->shards[row->i_shard].pack, row->pack_row);
}
