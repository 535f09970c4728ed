/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/writer.h
 * From planned rows to catalogue rows and pack rows, one image at a time, in committed batches.
 */
#ifndef RVL_COHORT_WRITER_H
#define RVL_COHORT_WRITER_H
#include "cohort/catalogue.h"
#include "cohort/pack.h"
#include "cohort/plan.h"
#include "cohort/shard.h"

/** Text of a case or patient id. */
#define RVL__ID_BYTES 24
void rvl__case_id(char out[RVL__ID_BYTES], int64_t i_study);
void rvl__patient_id(char out[RVL__ID_BYTES], int64_t i_patient);

typedef struct {
    const rvl__map        *map;
    const rvl__source     *source;
    const rvl__plan       *plan;
    rvl__catalogue        *db;
    rvl__pack_writer      *pack;
    rvl__shards           *shards; /* rows are taken from them; NULL: from the source */
    rvl_preprocess         spec;
    int64_t                first_row, end_row;      /* what this writer is to write */
    void                  *codes;                   /* one pack row */
    bool                  *has_study, *has_patient; /* already in the catalogue */
    int64_t                next_row, n_failed, n_done;
    const rvl__pseudonyms *pseudonyms; /* NULL: identifiers and dates are kept */
    rvl_worker_opts        limits;     /* of decoding */
    rvl_decoder           *decoder;
    rvl_decode_job         jobs[RVL_WORKERS_MAX]; /* of row r: number r % slots */
    int64_t                n_begun;               /* rows before it have been given to the decoder */
} rvl__writer;

/** The fields up to end_row, pseudonyms and limits are set by the caller; picks up what the catalogue already holds. */
RVL_MUST_USE rvl_status rvl__writer_start(rvl__writer *w, rvl_error *err);
/** Write all rows that are left. CANCELLED after a commit if the user asked to stop. */
RVL_MUST_USE rvl_status rvl__writer_run(rvl__writer *w, rvl_error *err);
void                    rvl__writer_fini(rvl__writer *w);

#endif /* RVL_COHORT_WRITER_H */
