/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/pair.h
 * A labeller made of two: what both.c and pool.c share.
 */
#ifndef RVL_LABEL_PAIR_H
#define RVL_LABEL_PAIR_H
#include "label/label.h"

typedef struct {
    rvl_labeller  base; /* first: a pair is a labeller */
    rvl_labeller *first, *second;
    char          source[64], version[192]; /* "rules+llm"; the versions likewise */
} rvl_label_pair;

/** Owns both labellers from the call on, also if it fails; they have the same schema. Free it as a labeller. */
RVL_MUST_USE rvl_status rvl__label_pair(rvl_labeller **out, rvl_labeller *first, rvl_labeller *second, int n_together,
                                        rvl_status (*label)(rvl_labeller *self, rvl_label_row *rows,
                                                            rvl_label_outcome *outcomes, const rvl_label_batch *batch,
                                                            rvl_error *err),
                                        rvl_error *err);

#endif /* RVL_LABEL_PAIR_H */
