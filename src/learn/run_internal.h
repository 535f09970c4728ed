/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/run_internal.h
 * What run_folder.c and checkpoint.c share.
 */
#ifndef RVL_LEARN_RUN_INTERNAL_H
#define RVL_LEARN_RUN_INTERNAL_H
#include "learn/run_folder.h"

struct rvl_run {
    char            *path;
    json_t          *record;     /* run.json */
    char            *resume_dir; /* NULL: fresh */
    rvl_run_position position;   /* of resume_dir */
};

/** "<run>/<name>"; caller frees; NULL if no memory. */
char                   *rvl__run_file(const rvl_run *run, const char *name);
/** Fill resume_dir and position: the latest complete checkpoint, or the one named "step-12000". None at all is fine
 *  for "": the run starts over. */
RVL_MUST_USE rvl_status rvl__run_find_checkpoint(rvl_run *run, const char *which, rvl_error *err);
/** Drop checkpoints behind the position, and make `best` agree with it: what comes will write them again. */
RVL_MUST_USE rvl_status rvl__run_drop_future(rvl_run *run, rvl_error *err);
RVL_MUST_USE rvl_status rvl__run_trim_log(rvl_run *run, const char *file, rvl_error *err);

#endif /* RVL_LEARN_RUN_INTERNAL_H */
