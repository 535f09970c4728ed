/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/classifier.h
 * Labels by a text tower that was trained to give them (rvl pretrain --tower text).
 */
#ifndef RVL_LABEL_CLASSIFIER_H
#define RVL_LABEL_CLASSIFIER_H
#include "label/label.h"
#include "model/model.h"

/** A labeller for `schema` (borrowed) by a model with a text tower and a head, owned from the call on, also if it
 *  fails; `id` names it in the version. Probabilities are the sigmoid of its logits; the state is present from 1/2 on,
 *  else absent: a classifier does not tell silence from denial, and gives no evidence. Source "classifier". STATE if
 * the model classifies no texts, or lacks a finding of the schema. */
RVL_MUST_USE rvl_status rvl_classifier_open(rvl_labeller **out, rvl_model *m, const char *id, const rvl_schema *schema,
                                            rvl_error *err);

#endif /* RVL_LABEL_CLASSIFIER_H */
