/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/schedule.h
 * Learning rate by step: linear warm-up, then half a cosine to a floor (Loshchilov and Hutter 2017, without restarts).
 */
#ifndef RVL_LEARN_SCHEDULE_H
#define RVL_LEARN_SCHEDULE_H
#include <stdint.h>

/** `step` counts from 0; warm-up takes round(warmup * n_steps) steps and reaches `peak` at its last; the step
 *  after the last would have `lowest`. */
double rvl_schedule_lr(double peak, double lowest, double warmup, int64_t step, int64_t n_steps);

#endif /* RVL_LEARN_SCHEDULE_H */
