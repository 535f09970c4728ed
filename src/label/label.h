/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/label.h
 * What every labeller of reports writes, and the one interface by which it is called.
 *
 * A labeller reads report texts and gives K rows a report, one for each finding of its schema, in the schema's order.
 * Rules, language models and classifiers are labellers; so is a combination of two. States and their numbers are those
 * of findings/schema.h. Texts are UTF-8 and are never changed: evidence counts bytes of the text as it was given.
 * Threads: one caller's thread at a time; a labeller may use threads of its own.
 */
#ifndef RVL_LABEL_LABEL_H
#define RVL_LABEL_LABEL_H
#include "base/str.h"
#include "findings/schema.h"

/** One finding of one report. Strings belong to the labeller and live as long as it does. */
typedef struct {
    rvl_label_state state;
    double          probability; /* that the finding is present, 0..1, whatever the state; NaN: the labeller has none */
    size_t          evidence_at; /* first byte of what the state was read from ... */
    size_t          evidence_bytes; /* ... and its length; 0: nothing in the text says it */
    const char     *source;         /* "rules", "llm", "classifier", ...: `source` in catalogues and files */
    const char     *version;        /* changes when rules, prompt or weights do */
} rvl_label_row;

typedef enum {
    RVL_LABELLED_NOT = 0, /* not reached: the call ended early */
    RVL_LABELLED,         /* all rows are valid */
    RVL_LABELLED_FAILED   /* no row is valid; `reason` says why, and the run goes on */
} rvl_labelled;

/** What became of one report. */
typedef struct {
    rvl_labelled outcome;
    char         reason[160]; /* no words of the report */
} rvl_label_outcome;

/** Reports of one call. `wanted` (n, K) or NULL for all: findings to answer; rows of the others are left untouched. */
typedef struct {
    int             n;
    const rvl_span *texts; /* (n), none empty or a placeholder */
    const bool     *wanted;
} rvl_label_batch;

typedef struct rvl_labeller rvl_labeller;
struct rvl_labeller {
    const char       *source, *version; /* as in its rows */
    const rvl_schema *schema;           /* borrowed from whoever made the labeller */
    int               n_together;       /* reports it likes in one call, at least 1 */
    /** rows (n, K), outcomes (n), set for every report whatever is returned. A report that cannot be labelled is an
     *  outcome. A status other than OK ends the run: CANCELLED (also by a budget, see the text), NOMEM, DEVICE, COMM;
     *  outcomes then say which reports were still labelled. */
    rvl_status (*label)(rvl_labeller *self, rvl_label_row *rows, rvl_label_outcome *outcomes,
                        const rvl_label_batch *batch, rvl_error *err);
    void (*free)(rvl_labeller *self); /* frees `self` too */
};

/** Rows of nothing said: not_mentioned, `probability`, no evidence, the labeller's source and version. */
void rvl_label_rows_clear(rvl_label_row *rows, const rvl_labeller *labeller, double probability);
void rvl_labeller_free(rvl_labeller *labeller); /* NULL is allowed */

#endif /* RVL_LABEL_LABEL_H */
