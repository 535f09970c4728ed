/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/publish.c
 * What leaves the catalogue as files. The crosswalk to original identifiers lies beside the cohort, never in it, and
 * only its owner may read it.
 */
#include "cohort/publish.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/json.h"
#include "cohort/leakage.h"
#include "cohort/writer.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static rvl_status save_text(const char *folder, const char *name, const rvl_str *text, rvl_error *err)
{
    char      *path = rvl_path_join(folder, name);
    rvl_status st;

    if (!path || text->failed)
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot write '%s': out of memory", name);
    else
        st = rvl_file_write(path, text->ptr ? text->ptr : "", text->n_bytes, err);
    rvl_free(path);
    return st;
}

static rvl_status save_case_list(const rvl__publish *p, rvl__catalogue *db, const char *split, rvl_error *err)
{
    static const char sql[] = "SELECT case_id FROM studies JOIN splits USING(i_study) WHERE split = ? ORDER BY i_study";
    sqlite3_stmt     *query = NULL;
    rvl_str           text = {0}, name = {0};
    bool              has_row = true;
    rvl_status        st = rvl__catalogue_query(&query, db, sql, err);

    if (!st && sqlite3_bind_text(query, 1, split, -1, SQLITE_STATIC) != SQLITE_OK)
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot read cohort.db: out of memory");
    while (!st && has_row) {
        st = rvl__catalogue_step(&has_row, db, query, err);
        if (!st && has_row)
            rvl_str_addf(&text, "%s\n", rvl__catalogue_text(query, 0));
    }
    sqlite3_finalize(query);
    rvl_str_addf(&name, "cases-%s.txt", split);
    if (!st && (name.failed || text.failed))
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot write case lists: out of memory");
    if (!st && (text.n_bytes || text.failed))
        st = save_text(p->out_path, name.ptr, &text, err);
    rvl_str_free(&name);
    rvl_str_free(&text);
    return st;
}

static rvl_status add_failure(rvl_str *text, sqlite3_stmt *query, rvl_error *err)
{
    json_t    *line = json_object();
    char      *formatted = NULL;
    rvl_status st;
    bool       is_ok = line && rvl_json_set(line, "row", json_integer(sqlite3_column_int64(query, 0) + 1));

    is_ok = is_ok && rvl_json_set(line, "table", json_string(rvl__catalogue_text(query, 1)));
    is_ok = is_ok && rvl_json_set(line, "line", json_integer(sqlite3_column_int64(query, 2)));
    is_ok = is_ok && rvl_json_set(line, "file", json_string(rvl__catalogue_text(query, 3)));
    is_ok = is_ok && rvl_json_set(line, "reason", json_string(rvl__catalogue_text(query, 4)));
    st = is_ok ? rvl_json_format(&formatted, line, 0, err)
               : rvl_fail(err, RVL_ERR_NOMEM, "cannot write failures.jsonl: out of memory");
    if (!st)
        rvl_str_addf(text, "%s\n", formatted);
    rvl_free(formatted);
    json_decref(line);
    return st;
}

static rvl_status save_failures(const rvl__publish *p, rvl__catalogue *db, rvl_error *err)
{
    static const char sql[] = "SELECT table_row, table_file, line, file, reason FROM failures ORDER BY table_row";
    sqlite3_stmt     *query = NULL;
    rvl_str           text = {0};
    bool              has_row = true;
    rvl_status        st = rvl__catalogue_query(&query, db, sql, err);

    while (!st && has_row) {
        st = rvl__catalogue_step(&has_row, db, query, err);
        if (!st && has_row)
            st = add_failure(&text, query, err);
    }
    sqlite3_finalize(query);
    if (!st)
        st = save_text(p->out_path, "failures.jsonl", &text, err);
    rvl_str_free(&text);
    return st;
}

/** Like rvl_file_write, but nobody else may read the file at any moment. */
static rvl_status save_private(const char *path, const rvl_str *text, rvl_error *err)
{
    rvl_str temporary = {0};
    size_t  done = 0;
    int     fd = -1;
    bool    is_ok = false;

    rvl_str_addf(&temporary, "%s.tmp", path);
    if (temporary.failed || text->failed) {
        rvl_str_free(&temporary);
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot write '%s': out of memory", path);
    }
    unlink(temporary.ptr);
    fd = open(temporary.ptr, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    while (fd >= 0 && done < text->n_bytes) {
        ssize_t n = write(fd, text->ptr + done, text->n_bytes - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    is_ok = fd >= 0 && done == text->n_bytes && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0)
        close(fd);
    rvl_status st = is_ok ? rvl_path_rename(temporary.ptr, path, err)
                          : rvl_fail(err, RVL_ERR_IO, "cannot write '%s': %s", path, strerror(why));
    if (st)
        unlink(temporary.ptr);
    rvl_str_free(&temporary);
    return st;
}

char *rvl__crosswalk_beside(const char *path, const char *ending)
{
    size_t  n = strlen(path);
    rvl_str out = {0};

    rvl_str_add_n(&out, path, rvl_str_ends(path, ".csv") ? n - 4 : n);
    rvl_str_add(&out, ending);
    return rvl_str_take(&out);
}

/** Keys of image paths, where the catalogue holds keys. */
static rvl_status save_image_names(const rvl__publish *p, rvl_error *err)
{
    char      *path = rvl__crosswalk_beside(p->crosswalk_path, ".images.csv");
    rvl_str    text = {0};
    rvl_status st = path ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot write the crosswalk: out of memory");

    rvl_str_add(&text, "image,line,original_path\n");
    for (int64_t i = 0; i < p->plan->n_rows; i++) {
        rvl_str_addf(&text, "%s,%lld,", rvl__source_name(p->source, i), (long long)rvl__source_line(p->source, i));
        rvl_csv_add_field(&text, rvl__source_cell(p->source, i, RVL__COLUMN_IMAGE));
        rvl_str_add(&text, "\n");
    }
    if (!st)
        st = save_private(path, &text, err);
    rvl_str_free(&text);
    rvl_free(path);
    return st;
}

static void add_keys(rvl_str *text, const rvl__pseudonyms *pseudonyms, const char *study, const char *patient)
{
    char study_key[RVL__KEY_BYTES], patient_key[RVL__KEY_BYTES];

    rvl__pseudonym(study_key, pseudonyms, "study", study);
    rvl__pseudonym(patient_key, pseudonyms, "patient", patient);
    rvl_str_addf(text, ",%s,%s,%lld", study_key, patient_key, (long long)rvl__pseudonym_days(pseudonyms, patient));
}

static rvl_status save_crosswalk(const rvl__publish *p, rvl_error *err)
{
    rvl_str    text = {0};
    char       id[RVL__ID_BYTES];
    rvl_status st = RVL_OK;

    rvl_str_add(&text, "case_id,patient_id,original_study,original_patient");
    rvl_str_add(&text, p->pseudonyms ? ",study_key,patient_key,shift_days\n" : "\n");
    for (int64_t i = 0; i < p->plan->studies.n; i++) {
        const char *study = p->plan->studies.names[i];
        const char *patient = p->plan->patients.names[p->plan->study[i].i_patient];
        rvl__case_id(id, i);
        rvl_str_addf(&text, "%s,", id);
        rvl__patient_id(id, p->plan->study[i].i_patient);
        rvl_str_addf(&text, "%s,", id);
        rvl_csv_add_field(&text, study);
        rvl_str_add(&text, ",");
        rvl_csv_add_field(&text, patient);
        if (p->pseudonyms)
            add_keys(&text, p->pseudonyms, study, patient);
        rvl_str_add(&text, "\n");
    }
    if (text.failed)
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot write the crosswalk: out of memory");
    else
        st = save_private(p->crosswalk_path, &text, err);
    rvl_str_free(&text);
    if (!st && p->pseudonyms)
        st = save_image_names(p, err);
    return st;
}

static rvl_status mark_finished(const rvl__publish *p, rvl__catalogue *db, rvl_error *err)
{
    json_t    *json = NULL;
    char      *spec = NULL;
    rvl_status st = rvl_preprocess_to_json(&json, p->spec, err);

    if (!st)
        st = rvl_json_format(&spec, json, 0, err);
    if (!st)
        st = rvl__catalogue_exec(db, "BEGIN IMMEDIATE; DELETE FROM packs", err);
    if (!st)
        st = rvl__catalogue_put(db, err, RVL__PUT_PACK, (int64_t)1, p->pack_hash, spec, p->n_pack_rows, (int64_t)1);
    if (!st)
        st = rvl__leakage_write(db, err);
    if (!st)
        st = rvl__catalogue_put(db, err, RVL__PUT_META, "state", "finished");
    if (!st)
        st = rvl__catalogue_exec(db, "COMMIT", err);
    rvl_free(spec);
    json_decref(json);
    return st;
}

rvl_status rvl__publish_cohort(const rvl__publish *p, rvl__catalogue *db, rvl_error *err)
{
    rvl_status st = save_failures(p, db, err);

    if (!st && p->n_pack_rows == 0)
        return rvl_fail(err, RVL_ERR_NOT_FOUND,
                        "no image of '%s' could be taken\nhint: the reasons are in '%s/failures.jsonl'",
                        rvl__source_file(p->source), p->out_path);
    for (int64_t i = 0; !st && i < p->plan->splits.n; i++)
        st = save_case_list(p, db, p->plan->splits.names[i], err);
    if (!st)
        st = save_crosswalk(p, err);
    return st ? st : mark_finished(p, db, err);
}
