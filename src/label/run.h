/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/run.h
 * A labeller over many texts, with a journal: killed at any time and run again, it continues.
 */
#ifndef RVL_LABEL_RUN_H
#define RVL_LABEL_RUN_H
#include "label/label.h"

/** Labels of n texts: rows (n, K) and outcomes (n). */
typedef struct {
    rvl_label_row     *rows;
    rvl_label_outcome *outcomes;
    int64_t            n, n_kept, n_failed; /* kept: found in the journal */
    void              *owner;               /* internal: strings of kept rows */
} rvl_label_results;

/** Label `texts` in calls of labeller->n_together. `journal` (a path, or NULL for none) gets a line for each labelled
 *  text, synced to the disk after each call; texts found in it by their hash are not labelled again. A journal of
 *  another schema, labeller or version is refused (STATE) unless `restart`, which begins anew. CANCELLED when asked to
 *  stop: what was labelled is in the journal. The caller removes the journal when the results are safe. */
RVL_MUST_USE rvl_status rvl_label_texts(rvl_label_results *out, rvl_labeller *labeller, const rvl_span *texts,
                                        int64_t n, const char *journal, bool restart, rvl_error *err);
void                    rvl_label_results_fini(rvl_label_results *r);

#endif /* RVL_LABEL_RUN_H */
