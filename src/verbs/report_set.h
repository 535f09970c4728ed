/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/report_set.h
 * Reports with what is known of their findings, from a cohort or from a table (CSV): what a text classifier learns
 * from.
 */
#ifndef RVL_VERBS_REPORT_SET_H
#define RVL_VERBS_REPORT_SET_H
#include "learn/contrast.h"
#include "learn/supervise_text.h"
#include "verbs/train_common.h"

typedef struct {
    rvl_text_choice      text;         /* sections of a cohort's reports */
    const char          *text_columns; /* of a table, by commas: their cells are joined by a blank */
    const char          *split_column; /* of a table; NULL: one report in ten, by a hash of its text, is "val" */
    const char          *schema;       /* of a table: built-in name or path; a cohort has its own */
    rvl_uncertain_policy uncertain;
    rvl_missing_policy   missing;
} rvl__report_source;

/** Owned arrays behind two sets of examples. */
typedef struct {
    rvl_text_examples train, val;
    float            *targets[2], *weights[2];
    char            **texts[2];
    int64_t           n_texts[2];
} rvl__report_set;

/** True if the input is a table, not a cohort's folder. */
bool                    rvl__is_table(const char *path);
/** Read a table: t->train and t->val become cases whose findings section is the text, `schema` and both sets are
 *  filled. A finding's column bears its name, title or a synonym, also behind "label_"; its cells are 1, 0, -1, empty
 *  (rvl_label_parse) or a probability. NOT_FOUND if no finding has a column or a split has no report. */
RVL_MUST_USE rvl_status rvl__report_set_read(rvl__report_set *out, rvl_schema **schema, rvl_training *t,
                                             const rvl_train_opts *opts, const rvl__report_source *source,
                                             rvl_error *err);
/** Of a cohort that is open: cases without text are left out of t->train and t->val. */
RVL_MUST_USE rvl_status rvl__report_set_of_cohort(rvl__report_set *out, rvl_training *t,
                                                  const rvl__report_source *source, rvl_error *err);
void                    rvl__report_set_fini(rvl__report_set *s);

#endif /* RVL_VERBS_REPORT_SET_H */
