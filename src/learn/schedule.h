/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/schedule.h
 * Learning rate by step: linear warm-up, then half a cosine to zero (Loshchilov and Hutter 2017, without restarts).
 */
#ifndef RVL_LEARN_SCHEDULE_H
#define RVL_LEARN_SCHEDULE_H
#include <stdint.h>

/** `step` counts from 0; warm-up takes round(warmup * n_steps) steps and reaches `peak` at its last. */
double rvl_schedule_lr(double peak, double warmup, int64_t step, int64_t n_steps);

#endif /* RVL_LEARN_SCHEDULE_H */
