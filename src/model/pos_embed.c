/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/pos_embed.c
 * Separable resampling of learned positions, in f64.
 */
#include "model/pos_embed.h"
#include "base/alloc.h"
#include <math.h>
#include <string.h>

/** Keys' cubic convolution kernel with a = -0.5. */
static double cubic(double x)
{
    const double a = -0.5;

    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** Weights of source positions for position `i` of `n_to`; returns how many, `*first` is the first. */
static int64_t weights_make(double *w, int64_t *first, int64_t i, int64_t n_from, int64_t n_to)
{
    double  scale = (double)n_from / (double)n_to;
    double  stretch = scale > 1 ? scale : 1; /* downwards the kernel widens: antialiasing */
    double  center = scale * ((double)i + 0.5);
    int64_t low = (int64_t)fmax(center - 2 * stretch + 0.5, 0);
    int64_t high = (int64_t)fmin(center + 2 * stretch + 0.5, (double)n_from);
    double  sum = 0;

    for (int64_t k = low; k < high; k++)
        sum += w[k - low] = cubic(((double)k + 0.5 - center) / stretch);
    for (int64_t k = low; k < high; k++)
        w[k - low] /= sum;
    *first = low;
    return high - low;
}

/** from (n_outer, n_from, n_inner) -> to (n_outer, n_to, n_inner); `w` has room for n_from numbers. */
static void axis_resample(double *to, const double *from, int64_t n_outer, int64_t n_from, int64_t n_to,
                          int64_t n_inner, double *w)
{
    for (int64_t i = 0; i < n_to; i++) {
        int64_t first;
        int64_t n = weights_make(w, &first, i, n_from, n_to);

        for (int64_t o = 0; o < n_outer; o++) {
            double *row = to + (o * n_to + i) * n_inner;

            memset(row, 0, (size_t)n_inner * sizeof *row);
            for (int64_t k = 0; k < n; k++)
                for (int64_t j = 0; j < n_inner; j++)
                    row[j] += w[k] * from[(o * n_from + first + k) * n_inner + j];
        }
    }
}

/** The grid part: from (rows, columns, E) f32 -> to (rows, columns, E) f32. */
static rvl_status grid_resample(float *to, const float *from, const int64_t from_grid[2], const int64_t to_grid[2],
                                int64_t hidden, rvl_error *err)
{
    int64_t    n_from = from_grid[0] * from_grid[1] * hidden;
    int64_t    n_wide = from_grid[0] * to_grid[1] * hidden;
    int64_t    n_to = to_grid[0] * to_grid[1] * hidden;
    double    *source = rvl_alloc_array((size_t)n_from, sizeof *source);
    double    *wide = rvl_alloc_array((size_t)n_wide, sizeof *wide);
    double    *result = rvl_alloc_array((size_t)n_to, sizeof *result);
    double    *w = rvl_alloc_array((size_t)(from_grid[0] + from_grid[1]), sizeof *w);
    rvl_status st = RVL_OK;

    if (!source || !wide || !result || !w) {
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot resample positions: out of memory");
        goto done;
    }
    for (int64_t i = 0; i < n_from; i++)
        source[i] = (double)from[i];
    axis_resample(wide, source, from_grid[0], from_grid[1], to_grid[1], hidden, w);
    axis_resample(result, wide, 1, from_grid[0], to_grid[0], to_grid[1] * hidden, w);
    for (int64_t i = 0; i < n_to; i++)
        to[i] = (float)result[i];
done:
    rvl_free(w);
    rvl_free(result);
    rvl_free(wide);
    rvl_free(source);
    return st;
}

rvl_status rvl__pos_embed_resample(rvl_tensor **out, const rvl_tensor *from, int64_t n_prefix,
                                   const int64_t from_grid[2], const int64_t to_grid[2], rvl_error *err)
{
    rvl_tensor    *all = NULL;
    rvl_tensor    *made = NULL;
    const int64_t *shape = rvl_tensor_shape(from);
    rvl_status     st;

    *out = NULL;
    if (rvl_tensor_n_dims(from) != 3 || shape[0] != 1 || shape[1] != n_prefix + from_grid[0] * from_grid[1])
        return rvl_fail(err, RVL_ERR_SHAPE, "cannot resample positions: they are not those of a grid of %lld x %lld",
                        (long long)from_grid[0], (long long)from_grid[1]);
    st = rvl_tensor_convert(&all, from, RVL_DTYPE_F32, err);
    if (!st)
        st = rvl_tensor_new(&made, RVL_DTYPE_F32, 3, (int64_t[]){1, n_prefix + to_grid[0] * to_grid[1], shape[2]}, err);
    if (!st) {
        memcpy(rvl_tensor_data(made), rvl_tensor_const_data(all), (size_t)(n_prefix * shape[2]) * sizeof(float));
        st = grid_resample((float *)rvl_tensor_data(made) + n_prefix * shape[2],
                           (const float *)rvl_tensor_const_data(all) + n_prefix * shape[2], from_grid, to_grid,
                           shape[2], err);
    }
    if (!st) {
        *out = made;
        made = NULL;
    }
    rvl_tensor_free(made);
    rvl_tensor_free(all);
    return st;
}
