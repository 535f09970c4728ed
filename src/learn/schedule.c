/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/schedule.c
 * Warm-up and cosine.
 */
#include "learn/schedule.h"
#include <math.h>

double rvl_schedule_lr(double peak, double lowest, double warmup, int64_t step, int64_t n_steps)
{
    static const double pi = 3.14159265358979323846;
    double              n_warm = floor(warmup * (double)n_steps + 0.5);

    if ((double)step < n_warm)
        return peak * (double)(step + 1) / n_warm;
    double rest = (double)n_steps - n_warm;
    if (rest <= 1)
        return peak;
    return lowest + 0.5 * (peak - lowest) * (1 + cos(pi * ((double)step - n_warm) / rest));
}
