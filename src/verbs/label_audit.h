/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label_audit.h
 * Between the files of `rvl label --audit`.
 */
#ifndef RVL_VERBS_LABEL_AUDIT_H
#define RVL_VERBS_LABEL_AUDIT_H
#include "base/csv.h"
#include "verbs/label_parts.h"
#include <jansson.h>

/** One source of labels over n reports and k findings, in the order of the gold table. */
typedef struct {
    const char          *name;        /* file, or source and version */
    double              *probability; /* (n, k); NaN: none */
    uint8_t             *state;       /* (n, k) rvl_label_state */
    const rvl_label_row *evidence;    /* (n, k), places in `texts`; NULL if not known */
} rvl_label_side;

typedef struct {
    int64_t         n;
    int             k;
    const char    **names;       /* (k) as in the schema or the gold table */
    const char    **ids;         /* (n) */
    uint8_t        *truth;       /* (n, k) 0 or 1 */
    double         *valid;       /* (n, k) 0: no gold label, or an uncertain one that is ignored */
    rvl_label_side  a, b;        /* b.probability NULL: nothing to compare */
    const rvl_span *texts;       /* (n) reports, NULL if they are not known */
    int64_t         n_unmatched; /* gold rows without a label, or without text */
} rvl_label_audit;

/** The document "rvl.label_audit/1" of docs/formats/labels.md. */
RVL_MUST_USE rvl_status rvl__label_measure(json_t **out, const rvl_label_audit *x, int64_t n_draws, uint64_t seed,
                                           rvl_error *err);
/** A page for the document, with examples of what was judged wrong. */
RVL_MUST_USE rvl_status rvl__label_page(const char *path, const json_t *doc, const rvl_label_audit *x, rvl_error *err);
/** Reports and findings on which gold and a, or a and b, differ, for a human: as a page if `path` ends in .html or
 * .htm, else as CSV: docs/formats/labels.md. Reports with the widest difference come first. */
RVL_MUST_USE rvl_status rvl__label_queue(const char *path, const rvl_label_audit *x, rvl_error *err);

#endif /* RVL_VERBS_LABEL_AUDIT_H */
