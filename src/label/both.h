/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/both.h
 * Two labellers as one: the second is asked only where the first is unsure.
 */
#ifndef RVL_LABEL_BOTH_H
#define RVL_LABEL_BOTH_H
#include "label/label.h"

/** Unsure: the state is uncertain, or the probability lies between these two. */
#define RVL_UNSURE_LOW 0.1
#define RVL_UNSURE_HIGH 0.9

/** Owns both from the call on, also if it fails; they have the same schema. Source "rules+llm" and the like; each row
 *  keeps its own labeller's source and version. Reports without an unsure finding cost nothing of `second`; where
 *  `second` fails the report is a failure. */
RVL_MUST_USE rvl_status rvl_both_open(rvl_labeller **out, rvl_labeller *first, rvl_labeller *second, rvl_error *err);
/** The second of a labeller that rvl_both_open made, else NULL. */
rvl_labeller           *rvl_both_second(rvl_labeller *l);

#endif /* RVL_LABEL_BOTH_H */
