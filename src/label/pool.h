/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/pool.h
 * Two labellers of one opinion each, and one probability: the mean of their log-odds (a logarithmic opinion pool with
 * equal weights; Genest and Zidek, Statistical Science 1986;1:114).
 */
#ifndef RVL_LABEL_POOL_H
#define RVL_LABEL_POOL_H
#include "label/label.h"

/** Probabilities nearer to 0 or 1 than this count as this: one labeller's certainty does not silence the other. */
#define RVL_POOL_LEAST 1e-3

/** Owns both from the call on, also if it fails; they have the same schema. Source "rules+classifier" and the like. The
 *  state and evidence of `first` stand where its side of 1/2 is the pool's, or its state is neither present nor absent
 *  and the pool stays below 1/2; else the state follows the probability and there is no evidence. A report that one of
 *  them cannot label is a failure. */
RVL_MUST_USE rvl_status rvl_pool_open(rvl_labeller **out, rvl_labeller *first, rvl_labeller *second, rvl_error *err);

#endif /* RVL_LABEL_POOL_H */
