/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label_parts.h
 * Between the files of `rvl label`.
 */
#ifndef RVL_VERBS_LABEL_PARTS_H
#define RVL_VERBS_LABEL_PARTS_H
#include "cohort/cohort.h"
#include "label/reports.h"
#include "label/run.h"
#include "rvl/verbs.h"

/** In --audit: the labels that came with a cohort. No labels that are made bear this name. */
#define RVL_LABEL_SOURCE_TABLE "table"

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
/** What was not labelled, as JSON lines into `path` (NULL: only counted); nothing is written if all was. Counts into
 *  `out`. */
RVL_MUST_USE rvl_status rvl__label_failures(rvl_label_result *out, const char *path, const rvl_reports *reports,
                                            const rvl_label_results *labels, rvl_error *err);
RVL_MUST_USE rvl_status rvl__label_cohort(rvl_label_result *out, const rvl_label_opts *o, rvl_error *err);
/** o->out can be written: .csv or .jsonl, not there yet unless o->force. */
RVL_MUST_USE rvl_status rvl__label_out_check(const rvl_label_opts *o, rvl_error *err);
/** Label `reports`; with o->out write the table, what failed beside it, and a journal until it stands. Counts and what
 *  a language model took go into `out`, also if the run ends early. */
RVL_MUST_USE rvl_status rvl__label_reports(rvl_label_results *labels, rvl_label_result *out, const rvl_label_opts *o,
                                           rvl_labeller *labeller, const rvl_reports *reports, rvl_error *err);
/** Reports of a cohort by case id: findings, impression and what has no heading. `limit` > 0: only so many. */
RVL_MUST_USE rvl_status rvl__label_cohort_reports(rvl_reports *out, rvl_cohort *c, int64_t limit, rvl_error *err);
/** The same of the cohort o->input, and the schema that `o` or the cohort names. */
RVL_MUST_USE rvl_status rvl__label_cohort_open(rvl_reports *out, rvl_schema **schema, const rvl_label_opts *o,
                                               rvl_error *err);
/** A name that labels of a cohort can have. */
RVL_MUST_USE rvl_status rvl__label_source_check(const char *name, rvl_error *err);

#endif /* RVL_VERBS_LABEL_PARTS_H */
