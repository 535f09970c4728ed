/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/phantom_store.h
 * The folder that phantoms are written to, whatever their modality.
 */
#ifndef RVL_SYNTH_PHANTOM_STORE_H
#define RVL_SYNTH_PHANTOM_STORE_H
#include "base/str.h"

/**
 * Make `folder` ready: new, empty, or begun by an earlier run with the same `options` (the text of phantom.json, which
 * is written first). Half-written files of a killed run are removed. `folders` and `tables` (ending with NULL) are what
 * a run writes; with `force` they are cleared first. STATE if the folder holds anything else.
 */
RVL_MUST_USE rvl_status rvl_phantom_open_folder(const char *folder, const char *const *folders,
                                                const char *const *tables, const char *options, bool force,
                                                rvl_error *err);
RVL_MUST_USE rvl_status rvl_phantom_save_text(const rvl_str *text, const char *folder, const char *name,
                                              rvl_error *err);
bool                    rvl_phantom_has_file(const char *folder, const char *name);

/** Write case `i` of a folder's; `*skipped`: it was there already. Called by several threads at once. */
typedef rvl_status (*rvl_phantom_write_fn)(bool *skipped, const void *opts, int64_t i, rvl_error *err);
/** Write cases start .. start + n - 1 in parallel and count them. The first failure by case order is reported;
 * CANCELLED between chunks. `unit` is what progress counts: "images". */
RVL_MUST_USE rvl_status rvl_phantom_write_cases(int64_t *n_written, int64_t *n_skipped, rvl_phantom_write_fn write,
                                                const void *opts, int64_t start, int64_t n, const char *unit,
                                                rvl_error *err);

/** Columns report, findings, impression behind a row, and its end. */
void rvl_phantom_add_report(rvl_str *row, const char *report, const char *findings, const char *impression);

#endif /* RVL_SYNTH_PHANTOM_STORE_H */
