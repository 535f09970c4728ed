/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label_set.h
 * Labels of one source for an audit, wherever they come from: a table, a cohort's catalogue, reports labelled on the
 * fly. Rows are found by the report's id, findings by their name.
 */
#ifndef RVL_VERBS_LABEL_SET_H
#define RVL_VERBS_LABEL_SET_H
#include "base/csv.h"
#include "verbs/label_parts.h"

typedef struct {
    const char *id;
    int64_t     row;
} rvl_label_key;

typedef struct {
    const char       *name; /* file, or source and version */
    int64_t           n;
    int               k;
    const char      **names; /* (k) without "label_" before them */
    const char      **ids;   /* (n) NULL: the row has no label */
    rvl_label_key    *keys;  /* (n) sorted by id */
    const rvl_span   *texts; /* (n) reports, empty without; NULL if they are not known */
    rvl_label_row    *rows;  /* (n, k); NULL for a table, whose cells are read when they are asked for */
    rvl_label_result  usage; /* of a labeller that was run */
    /* internal: */
    rvl_csv          *csv;
    int              *columns; /* (k, 3) of a table: the finding, its state, its evidence, or -1 */
    rvl_schema       *schema;
    rvl_labeller     *labeller;
    rvl_reports       reports;
    rvl_label_results results;
    rvl_span         *own_texts;
    rvl_str           own_name;
} rvl_label_set;

/** A table with a row a report: an id, columns "finding" or "label_finding", "finding_state", "finding_evidence".
 *  FORMAT if two rows have one id. */
RVL_MUST_USE rvl_status rvl__label_set_table(rvl_label_set *out, const char *path, const char *id_column,
                                             rvl_error *err);
/** Labels of `source` in a cohort's catalogue; "table": those that came with the cohort. NOT_FOUND names the sources
 *  there are; USAGE for NULL. */
RVL_MUST_USE rvl_status rvl__label_set_cohort(rvl_label_set *out, const char *cohort, const char *source, int64_t limit,
                                              rvl_error *err);
/** Reports of o->input, a file or a cohort, labelled now by the labeller that `o` asks for. With o->out the labels are
 *  written there too, and a run that was killed goes on. */
RVL_MUST_USE rvl_status rvl__label_set_labelled(rvl_label_set *out, const rvl_label_opts *o, rvl_error *err);
/** Reports without labels; `reports` is borrowed, `what` names them. */
RVL_MUST_USE rvl_status rvl__label_set_texts(rvl_label_set *out, const rvl_reports *reports, const char *what,
                                             rvl_error *err);
void                    rvl__label_set_fini(rvl_label_set *s);

int64_t                 rvl__label_set_row(const rvl_label_set *s, const char *id);       /* -1: none with labels */
int                     rvl__label_set_finding(const rvl_label_set *s, const char *name); /* -1: none */
/** A label as a prediction: its probability, NaN without; `text` is the report, for the place of a table's evidence.
 *  FORMAT if a table's cell is none. */
RVL_MUST_USE rvl_status rvl__label_set_get(rvl_label_row *out, const rvl_label_set *s, int64_t row, int finding,
                                           const rvl_span *text, rvl_error *err);
/** A label as gold: its state. FORMAT if a table's cell is none. */
RVL_MUST_USE rvl_status rvl__label_set_state(rvl_label_state *out, const rvl_label_set *s, int64_t row, int finding,
                                             rvl_error *err);

#endif /* RVL_VERBS_LABEL_SET_H */
