/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/ingest.c
 * From a folder, a table and a map to a cohort. What the out folder holds decides whether an ingest starts, continues
 * or has nothing to do.
 */
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "cohort/layout.h"
#include "cohort/leakage.h"
#include "cohort/publish.h"
#include "cohort/scan.h"
#include "cohort/writer.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEMPORARY ".tmp-" /* how rvl_outfile calls a file that is not complete */

typedef struct {
    rvl_ingest_opts  opts;
    char            *out_path; /* without a slash at the end */
    char            *db_path;
    rvl__layout      layout; /* of a published dataset; empty for others */
    const char      *grid;   /* the preprocessing preset, or NULL */
    rvl__map         map;
    rvl__source     *source;
    rvl__plan        plan;
    char             fingerprint[33], pack_hash[17];
    rvl__catalogue   db;
    rvl__pack_writer pack;
    rvl__writer      writer;
    rvl__shards     *shards;
    char            *crosswalk_path;
    rvl__pseudonyms  pseudonyms;         /* if map.is_private */
    int64_t          first_row, end_row; /* of the table; all rows but of a shard */
} ingest;

/** A shard writes below the cohort, which must not have been begun. */
static rvl_status shard_paths(ingest *g, rvl_error *err)
{
    char      *cohort = g->out_path;
    char      *db = rvl_path_join(cohort, "cohort.db");
    rvl_status st = RVL_OK;

    g->out_path = rvl__shard_path(cohort, g->opts.shard, g->opts.n_shards);
    g->db_path = g->out_path ? rvl_path_join(g->out_path, "cohort.db") : NULL;
    if (!db || !g->db_path)
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot ingest: out of memory");
    else if (rvl_path_exists(db))
        st = rvl_fail(err, RVL_ERR_STATE,
                      "cannot write a shard of '%s': its ingest has begun\nhint: shards come first, the ingest without "
                      "--shard takes them",
                      cohort);
    rvl_free(db);
    rvl_free(cohort);
    return st;
}

/** The way back to identifiers is never in the cohort. */
static rvl_status crosswalk_paths(ingest *g, rvl_error *err)
{
    const size_t n = strlen(g->out_path);
    rvl_str      path = {0};

    if (g->opts.crosswalk)
        rvl_str_add(&path, g->opts.crosswalk);
    else
        rvl_str_addf(&path, "%s.crosswalk.csv", g->out_path);
    g->crosswalk_path = rvl_str_take(&path);
    if (!g->crosswalk_path)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot ingest: out of memory");
    if (rvl_str_starts(g->crosswalk_path, g->out_path) && g->crosswalk_path[n] == '/')
        return rvl_fail(err, RVL_ERR_USAGE,
                        "the crosswalk '%s' would lie in the cohort\nhint: give a file outside of it",
                        g->crosswalk_path);
    return RVL_OK;
}

static rvl_status ingest_paths(ingest *g, rvl_error *err)
{
    size_t n = g->opts.out_path ? strlen(g->opts.out_path) : 0;

    while (n > 1 && g->opts.out_path[n - 1] == '/')
        n--;
    if (n == 0)
        return rvl_fail(err, RVL_ERR_USAGE, "ingest needs a folder to write to");
    g->out_path = rvl_strndup(g->opts.out_path, n);
    rvl_status st =
        g->out_path ? crosswalk_paths(g, err) : rvl_fail(err, RVL_ERR_NOMEM, "cannot ingest: out of memory");
    if (st)
        return st;
    if (g->opts.n_shards > 0)
        return shard_paths(g, err);
    g->db_path = g->out_path ? rvl_path_join(g->out_path, "cohort.db") : NULL;
    return g->db_path ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot ingest: out of memory");
}

/** The command line's grid wins over the map's. */
static rvl_status ingest_grid(ingest *g, rvl_error *err)
{
    const rvl_ingest_opts *o = &g->opts;
    rvl_preprocess        *spec = &g->map.spec;
    const rvl_preprocess   said = *spec;
    rvl_status             st = RVL_OK;

    if (o->depth < 0 || o->height < 0 || o->width < 0 || o->depth > 16384 || o->height > 16384 || o->width > 16384)
        return rvl_fail(err, RVL_ERR_USAGE, "depth, height and width must be 1 to 16384");
    if (g->grid) {
        st = rvl_preprocess_preset(spec, g->grid, err);
        if (!st && spec->modality != said.modality)
            st = rvl_fail(err, RVL_ERR_USAGE, "the preset '%s' is for modality '%s', the map says '%s'", g->grid,
                          rvl_modality_text(spec->modality), rvl_modality_text(said.modality));
        if (st)
            return st;
        memcpy(spec->body_part, said.body_part, sizeof said.body_part);
        spec->view = said.view;
    }
    spec->depth = o->depth > 0 ? o->depth : spec->depth;
    spec->height = o->height > 0 ? o->height : spec->height;
    spec->width = o->width > 0 ? o->width : spec->width;
    if ((spec->modality == RVL_MODALITY_CT) != rvl_preprocess_is_volume(spec))
        return rvl_fail(err, RVL_ERR_USAGE, "%s\nhint: %s",
                        spec->depth > 1 ? "only volumes of modality ct have a depth"
                                        : "the map says modality ct, but no grid for its volumes",
                        spec->depth > 1 ? "leave --depth out" : "--preset ct-tiny, or 'preprocess' in the map");
    return rvl__preprocess_check(spec, RVL_ERR_USAGE, err);
}

static rvl_worker_opts worker_limits(const rvl_ingest_opts *o)
{
    const long n_processors = sysconf(_SC_NPROCESSORS_ONLN);

    return (rvl_worker_opts){.n_workers = o->n_workers > 0     ? (int)o->n_workers
                                          : n_processors < 1   ? 1
                                          : n_processors <= 16 ? (int)n_processors
                                                               : 16,
                             .max_seconds = o->max_file_seconds,
                             .max_memory_bytes = o->max_file_mib * (1 << 20)};
}

/** No table: the folder's DICOM headers are it. */
static rvl_status scan_headers(ingest *g, rvl_error *err)
{
    const rvl_worker_opts limits = worker_limits(&g->opts);
    rvl_status st = rvl__scan_folder(&g->map, g->opts.folder, g->opts.modality, g->opts.keep_phi, &limits, err);

    if (!st && g->map.spec.modality == RVL_MODALITY_CT && !g->grid && g->opts.depth == 0)
        g->grid = "ct-tiny";
    return st;
}

/** "DATASET", "GRID" or "DATASET,GRID": the folder's layout, and the preprocessing. A dataset brings map and table. */
static rvl_status ingest_preset(ingest *g, rvl_error *err)
{
    const char *said = g->opts.preset, *comma = said ? strchr(said, ',') : NULL;
    char       *name = said ? rvl_strndup(said, comma ? (size_t)(comma - said) : strlen(said)) : NULL;
    rvl_status  st = RVL_OK;

    g->grid = said;
    if (said && !name)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot ingest: out of memory");
    if (name && rvl__layout_is(name)) {
        g->grid = comma ? comma + 1 : NULL;
        st = rvl__layout_read(&g->layout, name, g->opts.folder, err);
        if (!st)
            st = rvl__map_make(&g->map, g->layout.map.ptr, rvl_str_take(&g->layout.table), err);
    }
    rvl_free(name);
    return st;
}

static rvl_status ingest_unit(ingest *g, rvl_error *err)
{
    if (!g->opts.unit)
        return RVL_OK;
    if (g->map.spec.modality != RVL_MODALITY_CT || !rvl_hu_kind_parse(&g->map.hu.kind, g->opts.unit))
        return rvl_fail(err, RVL_ERR_USAGE, "the unit of CT volumes is auto, hu, raw or hu/1000, not '%s'",
                        g->opts.unit);
    if (g->map.hu.kind == RVL_HU_RAW && !g->map.columns[RVL__COLUMN_SLOPE])
        return rvl_fail(err, RVL_ERR_USAGE, "unit 'raw' needs a table with slope and intercept");
    return RVL_OK;
}

static rvl_status ingest_load_map(ingest *g, rvl_error *err)
{
    char      *path = NULL;
    rvl_status st;

    if (!g->opts.folder || !rvl_path_is_dir(g->opts.folder))
        return rvl_fail(err, RVL_ERR_NOT_FOUND, "cannot ingest '%s': no such folder",
                        g->opts.folder ? g->opts.folder : "");
    st = ingest_preset(g, err);
    if (st)
        return st;
    if (g->layout.map.ptr) {
        if (g->opts.map_path)
            return rvl_fail(err, RVL_ERR_USAGE, "the preset '%s' brings its own map\nhint: leave --map out",
                            g->opts.preset);
        st = ingest_unit(g, err);
        if (!st)
            st = ingest_grid(g, err);
        return st ? st : rvl__pack_hash(g->pack_hash, &g->map.spec, err);
    }
    if (!g->opts.map_path && !(path = rvl_path_join(g->opts.folder, "map.yaml")))
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot ingest: out of memory");
    if (path && !rvl_path_exists(path))
        st = scan_headers(g, err);
    else
        st = rvl__map_load(&g->map, path ? path : g->opts.map_path, err);
    rvl_free(path);
    if (!st)
        st = ingest_unit(g, err);
    if (!st)
        st = ingest_grid(g, err);
    if (st)
        return st;
    return rvl__pack_hash(g->pack_hash, &g->map.spec, err);
}

/** The salt is a part of what decides: with another one, all keys would be others. */
static rvl_status open_pseudonyms(ingest *g, rvl_hasher *h, rvl_error *err)
{
    char      *path = g->opts.dry_run ? NULL : rvl__crosswalk_beside(g->crosswalk_path, ".salt");
    char      *folder = path ? rvl_path_dir(path) : NULL;
    rvl_status st = RVL_OK;

    if (!g->opts.dry_run && !folder)
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot ingest: out of memory");
    if (!st && folder)
        st = rvl_dir_make(folder, err);
    if (!st)
        st = rvl__pseudonyms_open(&g->pseudonyms, path, err);
    if (!st)
        rvl_hasher_add(h, g->pseudonyms.salt, sizeof g->pseudonyms.salt);
    rvl_free(folder);
    rvl_free(path);
    return st;
}

/** Everything that decides what the cohort will hold, apart from the images themselves. */
static rvl_status ingest_read(ingest *g, rvl_error *err)
{
    rvl_hasher *h = rvl_hasher_new();
    rvl_str     text = {0};
    rvl_status  st;

    if (!h)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot ingest: out of memory");
    rvl_str_addf(&text, "rvl.ingest/1 %s %llu %lld %d %.17g %.17g %.17g ", g->pack_hash,
                 (unsigned long long)g->opts.seed, (long long)g->opts.limit, g->opts.n_folds, g->opts.split_ratio[0],
                 g->opts.split_ratio[1], g->opts.split_ratio[2]);
    if (g->opts.unit)
        rvl_str_addf(&text, "unit %s ", g->opts.unit);
    if (g->map.schema)
        rvl_str_add(&text, rvl_schema_yaml(g->map.schema));
    rvl_hasher_add(h, g->map.text, g->map.n_bytes);
    g->map.is_private = !g->opts.keep_phi && !g->map.public_data;
    st = g->map.is_private ? open_pseudonyms(g, h, err) : RVL_OK;
    if (!st && text.failed)
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot ingest: out of memory");
    else if (!st) {
        rvl_hasher_add(h, text.ptr, text.n_bytes);
        st = rvl__source_open(&g->source, &g->map, g->opts.folder, g->opts.limit, h, err);
    }
    if (!st && g->map.is_private)
        st = rvl__source_hide_names(g->source, &g->pseudonyms, err);
    rvl_hasher_hex(h, g->fingerprint);
    rvl_str_free(&text);
    rvl_hasher_free(h);
    if (!st)
        st = rvl__plan_make(&g->plan, &g->map, g->source, err);
    if (!st)
        st = rvl__split_assign(&g->plan, g->source, &g->opts, err);
    return st;
}

static void ingest_warn(const ingest *g)
{
    const rvl__plan *p = &g->plan;
    const char      *file = rvl__source_file(g->source);

    if (p->n_empty_reports)
        rvl_log(RVL_LOG_WARN, "%lld of %lld rows have an empty report%s (first: %s line %lld)",
                (long long)p->n_empty_reports, (long long)p->n_rows, g->map.require_report ? " and are left out" : "",
                file, (long long)rvl__source_line(g->source, p->first_empty_report));
    if (p->n_bad_ages)
        rvl_log(RVL_LOG_WARN, "%lld studies have an age that is none (first: %s line %lld); taken as unknown",
                (long long)p->n_bad_ages, file, (long long)rvl__source_line(g->source, p->first_bad_age));
    if (p->n_bad_dates)
        rvl_log(RVL_LOG_WARN, "%lld studies have a date that is none; taken as unknown", (long long)p->n_bad_dates);
    if (p->n_filtered)
        rvl_log(RVL_LOG_INFO, "%lld of %lld rows left out by keep_views or require_report", (long long)p->n_filtered,
                (long long)p->n_rows);
}

/** Only what an ingest makes may be in the folder that --force removes. */
static rvl_status out_is_ours(const ingest *g, bool *is_empty, rvl_error *err)
{
    static const char *const known[] = {"cohort.db", "cohort.db-wal",  "cohort.db-shm", "cohort.db-journal",
                                        "packs",     "failures.jsonl", "shards"};
    rvl_dir_names            list = {0};
    rvl_status               st = rvl_dir_list(&list, g->out_path, err);

    *is_empty = !st; /* but for shards, which are taken */
    for (size_t i = 0; !st && i < list.n_names; i++) {
        const bool is_shards = rvl_str_equal(list.names[i], "shards");
        *is_empty = *is_empty && is_shards;
        bool is_known = rvl_str_starts(list.names[i], "cases-") || rvl_str_starts(list.names[i], TEMPORARY);
        for (size_t j = 0; j < RVL_ARRAY_LEN(known); j++)
            is_known = is_known || strcmp(list.names[i], known[j]) == 0;
        if (!is_known)
            st = rvl_fail(err, RVL_ERR_STATE,
                          "cannot ingest into '%s': it holds '%s', which is no part of a cohort\nhint: give another "
                          "folder, or remove it by hand",
                          g->out_path, list.names[i]);
    }
    rvl_dir_names_free(&list);
    return st;
}

/** The salt stays: keys of the next cohort match those of this one. */
static rvl_status remove_old(const ingest *g, rvl_error *err)
{
    char      *images = rvl__crosswalk_beside(g->crosswalk_path, ".images.csv");
    rvl_status st =
        images ? rvl_dir_remove(g->out_path, err) : rvl_fail(err, RVL_ERR_NOMEM, "cannot ingest: out of memory");

    if (!st) {
        remove(g->crosswalk_path);
        remove(images);
    }
    rvl_free(images);
    return st;
}

static rvl_status meta_put_i64(rvl__catalogue *db, const char *key, int64_t value, rvl_error *err)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)value);
    return rvl__catalogue_put(db, err, RVL__PUT_META, key, text);
}

/** The first transaction: from here on the folder is known as this ingest's. */
static rvl_status write_meta(ingest *g, rvl_error *err)
{
    rvl_status st = rvl__catalogue_exec(&g->db, "BEGIN IMMEDIATE", err);

    if (!st)
        st = rvl__catalogue_put(&g->db, err, RVL__PUT_META, "format", "rvl.cohort/1");
    if (!st)
        st = rvl__catalogue_put(&g->db, err, RVL__PUT_META, "fingerprint", g->fingerprint);
    if (!st)
        st = rvl__catalogue_put(&g->db, err, RVL__PUT_META, "state", "ingesting");
    if (!st)
        st = rvl__catalogue_put(&g->db, err, RVL__PUT_META, "source",
                                g->map.is_private ? "" : rvl__source_root(g->source));
    if (!st)
        st = rvl__catalogue_put(&g->db, err, RVL__PUT_META, "deidentified", g->map.is_private ? "1" : "0");
    if (!st)
        st = rvl__catalogue_put(&g->db, err, RVL__PUT_META, "map", g->map.text);
    if (!st && g->map.schema)
        st = rvl__catalogue_put(&g->db, err, RVL__PUT_META, "schema", rvl_schema_yaml(g->map.schema));
    if (!st && g->map.schema)
        st = rvl__catalogue_put(&g->db, err, RVL__PUT_META, "schema_name", rvl_schema_name(g->map.schema));
    if (!st)
        st = rvl__catalogue_put(&g->db, err, RVL__PUT_META, "pack", g->pack_hash);
    if (!st)
        st = rvl__catalogue_put(&g->db, err, RVL__PUT_META, "allow_patient_leaks",
                                g->map.allow_patient_leaks ? "1" : "0");
    if (!st)
        st = meta_put_i64(&g->db, "seed", (int64_t)g->opts.seed, err);
    if (!st)
        st = meta_put_i64(&g->db, "n_rows", g->end_row - g->first_row, err);
    if (!st)
        st = meta_put_i64(&g->db, "n_empty_reports", g->plan.n_empty_reports, err);
    if (!st)
        st = meta_put_i64(&g->db, "next_row", g->first_row, err);
    return st ? st : rvl__catalogue_exec(&g->db, "COMMIT", err);
}

/** Open or make the catalogue; `*is_finished` if there is nothing left to do. */
static rvl_status ingest_open(ingest *g, bool *is_finished, rvl_error *err)
{
    char      *fingerprint = NULL, *state = NULL;
    rvl_status st;

    *is_finished = false;
    st = rvl__catalogue_open(&g->db, g->db_path, err);
    if (!st)
        st = rvl__catalogue_meta(&fingerprint, &g->db, "fingerprint", err);
    if (!st)
        st = rvl__catalogue_meta(&state, &g->db, "state", err);
    if (!st && !fingerprint)
        st = write_meta(g, err);
    else if (!st && strcmp(fingerprint, g->fingerprint) != 0)
        st = rvl_fail(err, RVL_ERR_STATE,
                      "cannot ingest into '%s': it was made from another table, map or options\nhint: --force removes "
                      "it and starts again",
                      g->out_path);
    else if (!st)
        *is_finished = rvl_str_equal(state, "finished");
    rvl_free(state);
    rvl_free(fingerprint);
    return st;
}

static rvl_status ingest_prepare_folder(ingest *g, rvl_error *err)
{
    bool       is_empty = true;
    rvl_status st = RVL_OK;

    if (rvl_path_exists(g->out_path) && !rvl_path_is_dir(g->out_path))
        return rvl_fail(err, RVL_ERR_STATE, "cannot ingest into '%s': it is a file", g->out_path);
    if (rvl_path_is_dir(g->out_path)) {
        st = out_is_ours(g, &is_empty, err);
        if (!st && !is_empty && !g->opts.force && !rvl_path_exists(g->db_path))
            st = rvl_fail(
                err, RVL_ERR_STATE,
                "cannot ingest into '%s': it holds parts of a cohort without cohort.db\nhint: --force removes them "
                "and starts again",
                g->out_path);
        if (!st && !is_empty && g->opts.force)
            st = remove_old(g, err);
    }
    return st ? st : rvl_dir_make(g->out_path, err);
}

/** Remove what a killed run left half-written. The catalogue's lock is held: nobody else writes here. */
static rvl_status sweep(const char *folder, rvl_error *err)
{
    rvl_dir_names list = {0};
    rvl_status    st = rvl_path_is_dir(folder) ? rvl_dir_list(&list, folder, err) : RVL_OK;

    for (size_t i = 0; !st && i < list.n_names; i++) {
        char *path = rvl_str_starts(list.names[i], TEMPORARY) ? rvl_path_join(folder, list.names[i]) : NULL;
        if (path)
            remove(path);
        rvl_free(path);
    }
    rvl_dir_names_free(&list);
    return st;
}

static rvl_status take_shards(ingest *g, rvl_error *err)
{
    if (g->opts.n_shards > 0 || g->shards)
        return RVL_OK;
    return rvl__shards_open(&g->shards, g->out_path, g->fingerprint, &g->map.spec, g->pack_hash, g->plan.n_rows, err);
}

static rvl_status ingest_write(ingest *g, rvl_error *err)
{
    int64_t    n_committed = 0;
    rvl_str    dir = {0};
    rvl_status st = rvl__catalogue_i64(&n_committed, &g->db, "SELECT count(*) FROM images", err);

    rvl_str_addf(&dir, "%s/packs/%s", g->out_path, g->pack_hash);
    if (!st && dir.failed)
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot ingest: out of memory");
    if (!st)
        st = sweep(g->out_path, err);
    if (!st)
        st = sweep(dir.ptr, err);
    if (!st)
        st = rvl__pack_open(&g->pack, dir.ptr, &g->map.spec, n_committed, err);
    rvl_str_free(&dir);
    if (!st)
        st = take_shards(g, err);
    g->writer = (rvl__writer){.map = &g->map,
                              .source = g->source,
                              .plan = &g->plan,
                              .db = &g->db,
                              .pack = &g->pack,
                              .shards = g->shards,
                              .spec = g->map.spec,
                              .first_row = g->first_row,
                              .end_row = g->end_row,
                              .pseudonyms = g->map.is_private ? &g->pseudonyms : NULL,
                              .limits = worker_limits(&g->opts)};
    if (!st)
        st = rvl__writer_start(&g->writer, err);
    if (!st)
        st = rvl__writer_run(&g->writer, err);
    return st;
}

static rvl_status ingest_finish(ingest *g, rvl_error *err)
{
    rvl__publish p = {.out_path = g->out_path,
                      .pack_hash = g->pack_hash,
                      .spec = &g->map.spec,
                      .n_pack_rows = g->pack.n_rows,
                      .source = g->source,
                      .plan = &g->plan,
                      .pseudonyms = g->map.is_private ? &g->pseudonyms : NULL,
                      .crosswalk_path = g->crosswalk_path};
    rvl_status   st = rvl__pack_sync(&g->pack, err);

    if (!st && g->opts.n_shards > 0) /* nothing of a shard is published */
        return rvl__catalogue_put(&g->db, err, RVL__PUT_META, "state", "finished");
    return st ? st : rvl__publish_cohort(&p, &g->db, err);
}

/** Counts that need no image, and whether the image files exist. */
static rvl_status ingest_dry(rvl_ingest_result *out, const ingest *g, rvl_error *err)
{
    const rvl__plan *p = &g->plan;
    const bool       is_volume = rvl_preprocess_is_volume(&g->map.spec); /* or a folder of slices */

    out->n_rows = p->n_rows;
    out->n_patients = p->patients.n;
    out->n_studies = p->studies.n;
    out->n_empty_reports = p->n_empty_reports;
    for (int64_t i = 0; i < p->n_rows; i++) {
        if (p->rows[i].failure)
            out->n_failed++;
        if (p->rows[i].i_study < 0)
            continue;
        char *path = rvl__source_image_path(g->source, i);
        bool  is_there = g->map.array_file || (path && rvl_path_exists(path) && (is_volume || !rvl_path_is_dir(path)));
        rvl_free(path);
        out->n_images += is_there;
        out->n_failed += !is_there;
    }
    for (int64_t i = 0; i < p->studies.n; i++) {
        out->n_reports += p->study[i].report_row >= 0;
        for (int j = 0; j < g->map.n_labels; j++)
            out->n_labels += p->study[i].labels[g->map.labels[j].i_finding] != RVL_LABEL_NOT_MENTIONED;
    }
    return rvl__split_count_leaks(&out->leak_patients, p, err);
}

/* `n` rows are or have `what`: say so, with the first one's place. */
static void warn_rows(ingest *g, int64_t n, const char *what, const char *sql_first)
{
    int64_t   i_row = 0;
    rvl_error ignored = {0};

    if (n > 0 && rvl__catalogue_i64(&i_row, &g->db, sql_first, &ignored) == RVL_OK)
        rvl_log(RVL_LOG_WARN, "%lld %s (first: %s line %lld)", (long long)n, what, rvl__source_file(g->source),
                (long long)rvl__source_line(g->source, i_row));
}

/** What failed and why, the most frequent first; names of images are left out of the reasons. */
static void log_failures(ingest *g)
{
    static const char sql[] = "SELECT count(*), min(line), replace(substr(reason, 1, instr(reason || char(10), "
                              "char(10)) - 1), file, '...') AS"
                              " why FROM failures GROUP BY why ORDER BY 1 DESC, 2 LIMIT 30";
    sqlite3_stmt     *query = NULL;
    rvl_error         ignored = {0};
    bool              has_row = rvl__catalogue_query(&query, &g->db, sql, &ignored) == RVL_OK;

    while (has_row && rvl__catalogue_step(&has_row, &g->db, query, &ignored) == RVL_OK && has_row)
        rvl_log(RVL_LOG_WARN, "%6lld failed (first: line %lld): %s", (long long)sqlite3_column_int64(query, 0),
                (long long)sqlite3_column_int64(query, 1), rvl__catalogue_text(query, 2));
    sqlite3_finalize(query);
}

static void ingest_remind(ingest *g, const rvl_ingest_result *r)
{
    warn_rows(g, r->n_failed, "rows could not be taken, see failures.jsonl", "SELECT min(table_row) FROM failures");
    log_failures(g);
    warn_rows(g, r->n_flat, "images are constant", "SELECT min(table_row) FROM images WHERE is_flat = 1");
    if (r->leak_patients || r->leak_pixels || r->leak_texts)
        rvl_log(RVL_LOG_WARN,
                "more than one split holds %lld patients, %lld images, %lld texts (table leaks of cohort.db)",
                (long long)r->leak_patients, (long long)r->leak_pixels, (long long)r->leak_texts);
    if (r->n_reports)
        rvl_log(RVL_LOG_INFO, "report text is not de-identified: '%s' is as private as its source", g->out_path);
}

/** The cohort is finished: its shards are of no use any more. */
static rvl_status remove_shards(ingest *g, rvl_error *err)
{
    char *path = rvl__shard_path(g->out_path, 0, 0);

    if (!path)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot remove shards: out of memory");
    rvl__shards_close(g->shards);
    g->shards = NULL;
    rvl_status st = rvl_path_is_dir(path) ? rvl_dir_remove(path, err) : RVL_OK;
    rvl_free(path);
    return st;
}

static rvl_status ingest_run(rvl_ingest_result *out, ingest *g, rvl_error *err)
{
    bool       is_finished = false;
    rvl_status st = ingest_prepare_folder(g, err);

    if (!st && !rvl_path_exists(g->db_path)) /* before anything is begun: a missing shard can still be written */
        st = take_shards(g, err);
    if (!st)
        st = ingest_open(g, &is_finished, err);
    if (!st && is_finished) {
        rvl_log(RVL_LOG_INFO, "nothing to do: '%s' is finished", g->out_path);
    } else if (!st) {
        st = ingest_write(g, err);
        if (!st)
            st = ingest_finish(g, err);
    }
    if (!st)
        st = rvl__catalogue_checkpoint(&g->db, err);
    if (!st)
        st = rvl__leakage_count(out, &g->db, err);
    if (!st && g->opts.n_shards == 0)
        st = remove_shards(g, err);
    if (!st && !is_finished && g->opts.n_shards == 0)
        ingest_remind(g, out);
    out->n_skipped_done = is_finished ? out->n_rows : g->writer.n_done;
    return st;
}

rvl_status rvl_cohort_ingest(rvl_ingest_result *out, const rvl_ingest_opts *opts, rvl_error *err)
{
    ingest     g = {.opts = *opts, .pack = {.fd_data = -1, .fd_index = -1}};
    rvl_status st;

    *out = (rvl_ingest_result){0};
    if (opts->check_only)
        return rvl_cohort_check(out, opts->out_path, err);
    st = rvl__split_check_opts(opts, err);
    if (!st && opts->modality != RVL_MODALITY_UNKNOWN && opts->map_path)
        st = rvl_fail(err, RVL_ERR_USAGE, "with a map, the modality is the map's");
    if (!st && opts->limit < 0)
        st = rvl_fail(err, RVL_ERR_USAGE, "limit must not be negative");
    if (!st && opts->n_shards != 0 &&
        (opts->n_shards < 1 || opts->n_shards > RVL_MAX_SHARDS || opts->shard < 1 || opts->shard > opts->n_shards))
        st = rvl_fail(err, RVL_ERR_USAGE, "shards are 1/n to n/n, n at most %d, not %d/%d", RVL_MAX_SHARDS, opts->shard,
                      opts->n_shards);
    if (!st && (!(opts->max_file_seconds >= 0 && opts->max_file_seconds <= 86400) || opts->max_file_mib < 0 ||
                opts->max_file_mib > (int64_t)1 << 30 || opts->n_workers < 0 || opts->n_workers > RVL_WORKERS_MAX))
        st = rvl_fail(err, RVL_ERR_USAGE, "a file may take up to 86400 s and 1 PiB, in up to %d workers",
                      RVL_WORKERS_MAX);
    if (!st && !opts->dry_run)
        st = ingest_paths(&g, err);
    if (!st)
        st = ingest_load_map(&g, err);
    if (!st)
        st = ingest_read(&g, err);
    if (!st) {
        rvl__shard_range(&g.first_row, &g.end_row, g.plan.n_rows, opts->n_shards ? opts->shard : 1,
                         opts->n_shards ? opts->n_shards : 1);
        ingest_warn(&g);
        st = opts->dry_run ? ingest_dry(out, &g, err) : ingest_run(out, &g, err);
    }
    rvl__writer_fini(&g.writer);
    rvl__shards_close(g.shards);
    rvl__pack_close(&g.pack);
    rvl__catalogue_close(&g.db);
    rvl__plan_fini(&g.plan);
    rvl__source_close(g.source);
    rvl__map_fini(&g.map);
    rvl_free(g.crosswalk_path);
    rvl__layout_fini(&g.layout);
    rvl_free(g.db_path);
    rvl_free(g.out_path);
    return st;
}
