/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/report.h
 * report.html of a run: curves from its logs, sample predictions, the next command.
 */
#ifndef RVL_LEARN_REPORT_H
#define RVL_LEARN_REPORT_H
#include "learn/run_folder.h"

/** `samples` (may be NULL): array of {"case": text, "rows": [{"name", "truth", "score"}]}, borrowed. `next` is the
 *  command a user would run now. */
RVL_MUST_USE rvl_status rvl_run_report(rvl_run *run, const char *title, const json_t *samples, const char *next,
                                       rvl_error *err);

#endif /* RVL_LEARN_REPORT_H */
