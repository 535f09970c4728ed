/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/conv_geometry.h
 * A convolution seen in three dimensions, the missing slow ones of extent 1: what every backend starts from.
 */
#ifndef RVL_ENGINE_CONV_GEOMETRY_H
#define RVL_ENGINE_CONV_GEOMETRY_H
#include "rvl/ops.h"

typedef struct {
    int64_t n, groups, c, o; /* samples; channels in and out, of all groups */
    int64_t in[3], out[3], kernel[3], stride[3], pad[3], dilation[3];
    int64_t n_in, n_out, n_taps; /* products of the extents */
} rvl_conv_geometry;

/** Shapes of x (N, C, spatial...), w (O, C / groups, kernel...) and y, all of `n_dims` axes; attributes with defaults.
 */
static inline rvl_conv_geometry rvl_conv_geometry_of(int n_dims, const int64_t *x, const int64_t *w, const int64_t *y,
                                                     const rvl_conv_attr *attr)
{
    const int         rank = n_dims - 2;
    rvl_conv_geometry g = {.n = x[0], .groups = attr->groups, .c = x[1], .o = w[0], .n_in = 1, .n_out = 1, .n_taps = 1};

    for (int i = 0; i < 3; i++) {
        const int axis = i - (3 - rank);

        g.in[i] = g.out[i] = g.kernel[i] = g.stride[i] = g.dilation[i] = 1;
        if (axis >= 0) {
            g.in[i] = x[axis + 2];
            g.out[i] = y[axis + 2];
            g.kernel[i] = w[axis + 2];
            g.stride[i] = attr->stride[axis];
            g.pad[i] = attr->pad_before[axis];
            g.dilation[i] = attr->dilation[axis];
        }
        g.n_in *= g.in[i];
        g.n_out *= g.out[i];
        g.n_taps *= g.kernel[i];
    }
    return g;
}

#endif /* RVL_ENGINE_CONV_GEOMETRY_H */
