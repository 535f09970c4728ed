/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/rows.c
 * Norms and products of embeddings.
 */
#include "measure/rows.h"
#include <math.h>

double rvl__row_dot(const float *a, const float *b, int64_t e)
{
    double sum = 0;
    for (int64_t i = 0; i < e; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

rvl_status rvl__row_scales(double *scale, const float *x, int64_t n, int64_t e, bool cosine, const char *what,
                           rvl_error *err)
{
    for (int64_t i = 0; i < n; i++) {
        const double square = rvl__row_dot(x + i * e, x + i * e, e);
        if (!isfinite(square) || (cosine && !(square > 0)))
            return rvl_fail(err, RVL_ERR_NUMERIC, "%s embedding %lld is %s", what, (long long)i,
                            isfinite(square) ? "zero" : "not finite");
        scale[i] = cosine ? 1 / sqrt(square) : 1;
    }
    return RVL_OK;
}
