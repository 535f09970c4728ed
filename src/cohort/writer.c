/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/writer.c
 * The journal: pack rows are synced to the disk first, then the catalogue rows that name them are committed together
 * with the number of the next table row. Whatever the pack holds beyond the last commit is cut off on restart.
 */
#include "cohort/writer.h"
#include "base/log.h"
#include "base/str.h"
#include "base/util.h"
#include "cohort/leakage.h"
#include <stdio.h>
#include <string.h>

#define BATCH_ROWS 64

void rvl__case_id(char out[RVL__ID_BYTES], int64_t i_study)
{
    snprintf(out, RVL__ID_BYTES, "c%06lld", (long long)i_study + 1);
}

void rvl__patient_id(char out[RVL__ID_BYTES], int64_t i_patient)
{
    snprintf(out, RVL__ID_BYTES, "p%06lld", (long long)i_patient + 1);
}

static rvl_status mark_known(bool *known, int64_t n, rvl__catalogue *db, const char *sql, rvl_error *err)
{
    sqlite3_stmt *query = NULL;
    bool          has_row = true;
    rvl_status    st = rvl__catalogue_query(&query, db, sql, err);

    while (!st && has_row) {
        st = rvl__catalogue_step(&has_row, db, query, err);
        if (!st && has_row) {
            int64_t i = sqlite3_column_int64(query, 0);
            if (i < 0 || i >= n)
                st = rvl_fail(err, RVL_ERR_FORMAT, "cohort.db names study or patient %lld, the table has %lld",
                              (long long)i, (long long)n);
            else
                known[i] = true;
        }
    }
    sqlite3_finalize(query);
    return st;
}

rvl_status rvl__writer_start(rvl__writer *w, rvl_error *err)
{
    char      *next = NULL;
    rvl_status st;

    w->codes = rvl_alloc_array(w->pack->row_bytes, 1);
    w->has_study = rvl_alloc_array((size_t)w->plan->studies.n + 1, sizeof *w->has_study);
    w->has_patient = rvl_alloc_array((size_t)w->plan->patients.n + 1, sizeof *w->has_patient);
    if (!w->codes || !w->has_study || !w->has_patient)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot ingest: out of memory");
    st = rvl__catalogue_meta(&next, w->db, "next_row", err);
    if (!st && (!next || !rvl_parse_i64(next, &w->next_row) || w->next_row < w->first_row || w->next_row > w->end_row))
        st = rvl_fail(err, RVL_ERR_FORMAT, "cohort.db has no usable journal\nhint: start again with --force");
    w->n_done = w->next_row - w->first_row;
    w->n_begun = w->next_row;
    rvl_free(next);
    if (!st)
        st = mark_known(w->has_study, w->plan->studies.n, w->db, "SELECT i_study FROM studies", err);
    if (!st)
        st = mark_known(w->has_patient, w->plan->patients.n, w->db, "SELECT i_patient FROM patients", err);
    if (!st)
        st = rvl__catalogue_i64(&w->n_failed, w->db, "SELECT count(*) FROM failures", err);
    if (!st && !w->shards)
        st = rvl_decoder_open(&w->decoder, &w->limits, err);
    return st;
}

void rvl__writer_fini(rvl__writer *w)
{
    rvl_decoder_close(w->decoder);
    for (int i = 0; i < RVL_WORKERS_MAX; i++)
        rvl_free((void *)w->jobs[i].path);
    rvl_free(w->codes);
    rvl_free(w->has_study);
    rvl_free(w->has_patient);
    *w->jobs = (rvl_decode_job){0};
    w->decoder = NULL;
    w->codes = NULL;
    w->has_study = w->has_patient = NULL;
}

static rvl_status put_failure(rvl__writer *w, int64_t i_row, const char *reason, rvl_error *err)
{
    w->n_failed++;
    return rvl__catalogue_put(w->db, err, RVL__PUT_FAILURE, i_row, rvl__source_file(w->source),
                              rvl__source_line(w->source, i_row), rvl__source_name(w->source, i_row), reason);
}

static rvl_status put_section(rvl__writer *w, int64_t i_study, rvl_section section, const char *text, rvl_error *err)
{
    if (!text || rvl_report_is_placeholder(text))
        return RVL_OK;
    return rvl__catalogue_put(w->db, err, RVL__PUT_REPORT, i_study, rvl_section_text(section), text);
}

/** Sections of the report; a column of its own beats what the report says. */
static rvl_status put_report(rvl__writer *w, int64_t i_study, int64_t i_row, rvl_error *err)
{
    const char *whole = rvl__source_cell(w->source, i_row, RVL__COLUMN_REPORT);
    const char *text[RVL_SECTION_COUNT] = {NULL};
    rvl_report  report = {{NULL}};
    rvl_status  st = RVL_OK;

    if (!rvl_report_is_placeholder(whole))
        st = rvl_report_parse(&report, whole, err);
    for (int s = 0; !st && s < RVL_SECTION_COUNT; s++) {
        text[s] = report.text[s];
        if (s < RVL_SECTION_OTHER) {
            const char *own = rvl__source_cell(w->source, i_row, (rvl__column)(RVL__COLUMN_SECTIONS + s));
            if (!rvl_report_is_placeholder(own))
                text[s] = own;
        }
        st = put_section(w, i_study, (rvl_section)s, text[s], err);
    }
    if (!st) {
        int64_t hash;
        st = rvl__leakage_text_hash(&hash, text, err);
        if (!st && hash)
            st = rvl__catalogue_put(w->db, err, RVL__PUT_TEXT, i_study, hash);
    }
    rvl_report_fini(&report);
    return st;
}

static rvl_status put_labels(rvl__writer *w, int64_t i_study, rvl_error *err)
{
    const uint8_t *labels = w->plan->study[i_study].labels;
    rvl_status     st = RVL_OK;

    for (int i = 0; !st && i < w->map->n_labels; i++) {
        int k = w->map->labels[i].i_finding;
        if (labels[k] != RVL_LABEL_NOT_MENTIONED)
            st = rvl__catalogue_put(w->db, err, RVL__PUT_LABEL, i_study, rvl_schema_at(w->map->schema, k)->name,
                                    (int64_t)labels[k], "table");
    }
    return st;
}

/** What stands for a cell that holds an identifier of one kind: its key; itself where identifiers are kept; "" for "".
 */
static const char *key_of_cell(char key[RVL__KEY_BYTES], const rvl__writer *w, int64_t i_row, rvl__column column)
{
    const char *text = rvl__source_cell(w->source, i_row, column);

    if (!w->pseudonyms || !*text)
        return text;
    rvl__pseudonym(key, w->pseudonyms, rvl__column_text(column), text);
    return key;
}

/** Patient and study themselves: keys for their identifiers, and the date of the study. */
static rvl_status put_identity(rvl__writer *w, int64_t i_study, rvl_error *err)
{
    const rvl__plan_study *study = &w->plan->study[i_study];
    const char            *patient = w->plan->patients.names[study->i_patient];
    const char            *original = w->plan->studies.names[i_study];
    char                   case_id[RVL__ID_BYTES], patient_id[RVL__ID_BYTES], date[RVL__DATE_BYTES];
    char                   patient_key[RVL__KEY_BYTES], study_key[RVL__KEY_BYTES], accession_key[RVL__KEY_BYTES];
    int64_t                days = study->date_days;
    rvl_status             st = RVL_OK;

    rvl__case_id(case_id, i_study);
    rvl__patient_id(patient_id, study->i_patient);
    if (w->pseudonyms) {
        rvl__pseudonym(patient_key, w->pseudonyms, "patient", patient);
        rvl__pseudonym(study_key, w->pseudonyms, "study", original);
        days += days == RVL__NO_DATE ? 0 : rvl__pseudonym_days(w->pseudonyms, patient);
        patient = patient_key;
        original = study_key;
    }
    rvl__date_format(date, days);
    if (!w->has_patient[study->i_patient])
        st = rvl__catalogue_put(w->db, err, RVL__PUT_PATIENT, study->i_patient, patient_id, study->sex, patient);
    return st ? st
              : rvl__catalogue_put(w->db, err, RVL__PUT_STUDY, i_study, study->i_patient, case_id, study->age_years,
                                   original, date,
                                   key_of_cell(accession_key, w, study->first_row, RVL__COLUMN_ACCESSION));
}

static rvl_status put_study(rvl__writer *w, int64_t i_study, rvl_error *err)
{
    const rvl__plan_study *study = &w->plan->study[i_study];
    rvl_status             st = put_identity(w, i_study, err);

    if (!st)
        st = rvl__catalogue_put(w->db, err, RVL__PUT_SERIES, i_study, i_study, rvl_modality_text(w->spec.modality),
                                w->spec.body_part);
    if (!st)
        st = rvl__catalogue_put(w->db, err, RVL__PUT_SPLIT, i_study, w->plan->splits.names[study->i_split]);
    if (!st && study->report_row >= 0)
        st = put_report(w, i_study, study->report_row, err);
    if (!st)
        st = put_labels(w, i_study, err);
    if (!st)
        w->has_study[i_study] = w->has_patient[study->i_patient] = true;
    return st;
}

static bool is_taken(const rvl__writer *w, int64_t i_row)
{
    return !w->plan->rows[i_row].failure && w->plan->rows[i_row].i_study >= 0;
}

/** Keep the decoder busy: rows `i_row` and the next ones, as many as it has slots. */
static rvl_status begin_ahead(rvl__writer *w, int64_t i_row, rvl_error *err)
{
    const int n_slots = rvl_decoder_slots(w->decoder);

    for (; w->n_begun < i_row + n_slots && w->n_begun < w->end_row; w->n_begun++) {
        const int slot = (int)(w->n_begun % n_slots);
        if (!is_taken(w, w->n_begun))
            continue;
        rvl_status st = rvl__source_job(&w->jobs[slot], w->source, w->n_begun, err);
        if (st)
            return st;
        if (w->jobs[slot].path)
            rvl_decoder_start(w->decoder, slot, &w->jobs[slot]);
    }
    return RVL_OK;
}

/** Codes from the image itself; a failure is the image's. */
static rvl_status codes_of_source(rvl_decode_facts *facts, bool *is_image, rvl__writer *w, int64_t i_row,
                                  rvl_error *why)
{
    rvl_status st = begin_ahead(w, i_row, why);

    *is_image = !st;
    if (st)
        return st;
    const int       slot = (int)(i_row % rvl_decoder_slots(w->decoder));
    rvl_decode_job *job = &w->jobs[slot];
    st = job->path ? rvl_decoder_finish(w->codes, facts, w->decoder, slot, why)
                   : rvl__source_array_codes(w->codes, facts, w->source, i_row, job, why);
    rvl_free((void *)job->path);
    job->path = NULL;
    return st;
}

/** Codes from a shard. A failure of the image is in `why`, with `*is_image` set; others stop the ingest. */
static rvl_status codes_of_shard(rvl_decode_facts *facts, bool *is_image, rvl__writer *w, int64_t i_row, rvl_error *why)
{
    rvl__shard_row row;
    rvl_status     st = rvl__shards_row(&row, w->shards, i_row, why);

    *is_image = !st;
    if (st)
        return st;
    if (row.failure[0])
        return rvl_fail(why, RVL_ERR_FORMAT, "%s", row.failure);
    memcpy(w->codes, row.codes, w->pack->row_bytes);
    rvl__shards_done(w->shards, &row);
    *facts = (rvl_decode_facts){row.view, row.laterality, row.is_flat};
    return RVL_OK;
}

/** A failure of the image is a row of failures; only trouble of our own stops. */
static rvl_status write_image(rvl__writer *w, int64_t i_row, rvl_error *err)
{
    const rvl__plan_row *row = &w->plan->rows[i_row];
    rvl_decode_facts     facts = {0};
    rvl_error            why = {0};
    bool                 is_image = true;
    uint64_t             checksum = 0;
    rvl_status           st = w->shards ? codes_of_shard(&facts, &is_image, w, i_row, &why)
                                        : codes_of_source(&facts, &is_image, w, i_row, &why);

    if (st == RVL_ERR_NOMEM || (st && !is_image))
        return rvl_fail(err, st, "%s", why.text);
    if (st)
        return put_failure(w, i_row, why.text, err);
    const char laterality[2] = {facts.laterality, '\0'};
    char       series_key[RVL__KEY_BYTES];
    int64_t    pack_row = w->pack->n_rows;
    st = rvl__pack_append(&checksum, w->pack, w->codes, err);
    if (!st && !w->has_study[row->i_study])
        st = put_study(w, row->i_study, err);
    if (st)
        return st;
    return rvl__catalogue_put(w->db, err, RVL__PUT_IMAGE, pack_row, row->i_study, row->i_study,
                              rvl__source_name(w->source, i_row), i_row, rvl_view_text(facts.view), pack_row,
                              (int64_t)checksum, (int64_t)facts.is_flat, laterality,
                              key_of_cell(series_key, w, i_row, RVL__COLUMN_SERIES));
}

static rvl_status write_batch(rvl__writer *w, int64_t end, rvl_error *err)
{
    char       next[24];
    rvl_status st = rvl__catalogue_exec(w->db, "BEGIN IMMEDIATE", err);

    for (int64_t i = w->next_row; !st && i < end; i++) {
        if (w->plan->rows[i].failure)
            st = put_failure(w, i, w->plan->rows[i].failure, err);
        else if (is_taken(w, i))
            st = write_image(w, i, err);
        if (!st)
            rvl_progress_update(i + 1 - w->first_row, w->n_failed);
    }
    snprintf(next, sizeof next, "%lld", (long long)end);
    if (!st)
        st = rvl__pack_sync(w->pack, err);
    if (!st)
        st = rvl__catalogue_put(w->db, err, RVL__PUT_META, "next_row", next);
    if (!st)
        st = rvl__catalogue_exec(w->db, "COMMIT", err);
    if (!st)
        st = rvl__pack_note(w->pack, err);
    if (!st)
        w->next_row = end;
    return st;
}

rvl_status rvl__writer_run(rvl__writer *w, rvl_error *err)
{
    rvl_status st = RVL_OK;

    rvl_progress_begin("ingest", "images", w->end_row - w->first_row);
    while (!st && w->next_row < w->end_row) {
        int64_t left = w->end_row - w->next_row;
        st = write_batch(w, w->next_row + (left < BATCH_ROWS ? left : BATCH_ROWS), err);
        if (!st && rvl_cancel_requested() && w->next_row < w->end_row)
            st = rvl_fail(err, RVL_ERR_CANCELLED,
                          "interrupted after row %lld of %lld\nhint: run the same command again, it continues",
                          (long long)w->next_row, (long long)w->end_row);
    }
    rvl_progress_end();
    return st;
}
