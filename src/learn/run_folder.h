/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/run_folder.h
 * A run on disk: run.json, config.yaml, train.jsonl, eval.jsonl, ckpt/step-NNNNNNNN/{model,optimizer}.safetensors with
 * loader.json and DONE, ckpt/best -> step-NNNNNNNN, report.html. Created whole, never overwritten.
 *
 * A checkpoint is written under a temporary name, synced, renamed, and counts only with its DONE file.
 */
#ifndef RVL_LEARN_RUN_FOLDER_H
#define RVL_LEARN_RUN_FOLDER_H
#include "learn/optimizer.h"
#include "model/model.h"

typedef struct rvl_run rvl_run;

typedef struct {
    const char *runs, *name; /* folder of runs; NULL name: date and time */
    const char *verb;        /* "pretrain" */
    const char *resume;      /* NULL: must not exist; "": latest complete step; else "step-12000" */
    const char *config_json; /* {"resolved": {section: {key: value}}, "origins": {option: text}} or NULL */
    const char *argv_text;
    const char *fingerprint; /* what must not change on resume: data and recipe */
    uint64_t    seed;
} rvl_run_opts;

/** Make or reopen the folder. STATE if it exists without `resume` (the message says how), if nothing is there to be
 *  resumed, or if the fingerprint differs. */
RVL_MUST_USE rvl_status rvl_run_open(rvl_run **out, const rvl_run_opts *opts, rvl_error *err);
void                    rvl_run_close(rvl_run *run);
const char             *rvl_run_path(const rvl_run *run);

/** Where training stands; also what the best checkpoint was. */
typedef struct {
    int64_t step, epoch, batch; /* the next step; the loader's position */
    int64_t best_step;          /* -1: none */
    double  best_value;
} rvl_run_position;

/** Folder of the checkpoint to continue from, NULL for a fresh run; borrowed. `position` is filled when there is one.
 */
const char             *rvl_run_resume_from(const rvl_run *run, rvl_run_position *position);
/** Save a checkpoint at position->step, mark it best if `is_best`, drop older ones beyond `keep_last` (the best and
 *  multiples of keep_every stay). */
RVL_MUST_USE rvl_status rvl_run_checkpoint(rvl_run *run, const rvl_model *m, const rvl_adamw *o,
                                           const rvl_run_position *position, bool is_best, int64_t keep_last,
                                           int64_t keep_every, rvl_error *err);

/** Append a line to train.jsonl or eval.jsonl; steals `record`. On resume, lines beyond the checkpoint were dropped. */
RVL_MUST_USE rvl_status rvl_run_log(rvl_run *run, const char *file, json_t *record, rvl_error *err);
/** All records of a log so far (array, caller owns). */
RVL_MUST_USE rvl_status rvl_run_read_log(json_t **out, const rvl_run *run, const char *file, rvl_error *err);
/** Update run.json: status "running", "interrupted", "failed", "done"; `facts` (may be NULL) is merged in and stolen.
 */
RVL_MUST_USE rvl_status rvl_run_set_status(rvl_run *run, const char *status, json_t *facts, rvl_error *err);

/** Write plan.json: what each kernel of a step is, where its values lie and what it took so far. */
RVL_MUST_USE rvl_status rvl_run_write_plan(rvl_run *run, const rvl_plan *plan, rvl_error *err);

#endif /* RVL_LEARN_RUN_FOLDER_H */
