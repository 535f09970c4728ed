/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label_parts.h
 * Between the files of `rvl label`.
 */
#ifndef RVL_VERBS_LABEL_PARTS_H
#define RVL_VERBS_LABEL_PARTS_H
#include "label/reports.h"
#include "label/run.h"
#include "rvl/verbs.h"

/** The options ask for a labeller. */
bool                    rvl__label_asks(const rvl_label_opts *o);
/** That labeller; USAGE if they ask for none. */
RVL_MUST_USE rvl_status rvl__label_open(rvl_labeller **out, const rvl_label_opts *o, const rvl_schema *schema,
                                        rvl_error *err);
/** What a language model took so far, into `out` and the log. Nothing without one. */
void                    rvl__label_usage(rvl_label_result *out, const rvl_label_opts *o, rvl_labeller *labeller);
/** What it would take to ask it about all texts; nothing is sent. USAGE without one. */
RVL_MUST_USE rvl_status rvl__label_estimate(rvl_label_result *out, const rvl_label_opts *o, rvl_labeller *labeller,
                                            const rvl_reports *reports, rvl_error *err);
/** Labels of a file of reports as CSV or JSON lines, by the name of o->out. */
RVL_MUST_USE rvl_status rvl__label_write(const rvl_label_opts *o, const rvl_schema *schema, const rvl_reports *reports,
                                         const rvl_label_results *labels, rvl_error *err);
/** What was not labelled, as JSON lines into `path`; nothing is written if all was. Counts into `out`. */
RVL_MUST_USE rvl_status rvl__label_failures(rvl_label_result *out, const char *path, const rvl_reports *reports,
                                            const rvl_label_results *labels, rvl_error *err);
RVL_MUST_USE rvl_status rvl__label_cohort(rvl_label_result *out, const rvl_label_opts *o, rvl_error *err);

#endif /* RVL_VERBS_LABEL_PARTS_H */
