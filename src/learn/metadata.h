/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/metadata.h
 * Tables of metadata (age, sex, scanner, kernel, spacing) as features for a baseline that sees no image.
 *
 * The coder learns from training rows: a column whose cells are all numbers gives its value, its square and, where
 * cells are empty, whether one is; other columns give an indicator for each of their (at most 12) most frequent words.
 * Columns that do not vary are dropped. Features have mean 0 and variance 1 over the training rows. "036Y" (DICOM's
 * ages, also in months, weeks and days) is a number of years, "[0.75, 0.75]" its first number.
 */
#ifndef RVL_LEARN_METADATA_H
#define RVL_LEARN_METADATA_H
#include "rvl/status.h"

typedef struct {
    int64_t            n; /* rows */
    int                n_columns;
    const char *const *names; /* (n_columns) */
    const char *const *cells; /* (n, n_columns), "" where nothing is known */
} rvl_metadata;

typedef struct rvl_metadata_coder rvl_metadata_coder;
RVL_MUST_USE rvl_status rvl_metadata_coder_new(rvl_metadata_coder **out, const rvl_metadata *train, rvl_error *err);
void                    rvl_metadata_coder_free(rvl_metadata_coder *c);
int                     rvl_metadata_width(const rvl_metadata_coder *c);
/** Whether a column takes part. */
bool                    rvl_metadata_uses(const rvl_metadata_coder *c, int column);
/** x (n, width) of rows with the training table's columns. A word that training never saw sets no indicator, and a cell
 *  that is no number among numbers counts as empty: it is given the mean. */
void                    rvl_metadata_encode(double *x, const rvl_metadata_coder *c, const rvl_metadata *rows);
/** A number as tables of CT metadata write it. */
bool                    rvl_metadata_number(double *out, const char *cell);

#endif /* RVL_LEARN_METADATA_H */
