/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/ref/conv.c
 * Convolution and its two gradients in 1, 2 and 3 dimensions, as products of tiles.
 *
 * Everything is seen in three dimensions, the missing slow ones of extent 1. Forward: y (O, positions) is the weight
 * (O, C x taps) times the input gathered per tap. Gradient of the input: the same sum with channels exchanged, one
 * product per phase of the stride, because input positions of one phase meet the same taps. Gradient of the weight:
 * dy (O, positions) times the gathered input transposed.
 */
#include <string.h>
#include "engine/conv_geometry.h"
#include "engine/ref/ref.h"

/* One convolution, with the channels of one group. */
typedef rvl_conv_geometry geometry;

/* Read a plane on a grid: position g of an axis reads source index g * step + offset, zero outside the extent. */
typedef struct {
    int64_t grid[3], extent[3], step[3], offset[3];
    int64_t sample_stride; /* elements from one sample of the source to the next */
} gather_map;

/* dst (m channels) at the grid = sum over source channels and taps of weight * gathered source. Tap t of an axis is
 * kernel index tap_first + t * tap_step and moves the source by t * src_tap_step. */
typedef struct {
    int64_t    m, n_channels;
    int64_t    taps[3], tap_first[3], tap_step[3], src_tap_step[3];
    int64_t    w_row, w_channel; /* weight strides of a dst channel and of a source channel */
    int64_t    dst_extent[3], dst_step[3], dst_first[3];
    gather_map map;
} product;

static geometry geometry_of(const rvl_buf *x, const rvl_buf *w, const rvl_buf *y, const rvl_conv_attr *attr)
{
    geometry g = rvl_conv_geometry_of(x->n_dims, x->shape, w->shape, y->shape, attr);

    g.c /= g.groups;
    g.o /= g.groups;
    return g;
}

static product product_forward(const geometry *g)
{
    product p = {.m = g->o, .n_channels = g->c, .w_row = g->c * g->n_taps, .w_channel = g->n_taps};

    p.map.sample_stride = g->groups * g->c * g->n_in;
    for (int i = 0; i < 3; i++) {
        p.taps[i] = g->kernel[i];
        p.tap_step[i] = 1;
        p.src_tap_step[i] = g->dilation[i];
        p.dst_extent[i] = g->out[i];
        p.dst_step[i] = 1;
        p.map.grid[i] = g->out[i];
        p.map.extent[i] = g->in[i];
        p.map.step[i] = g->stride[i];
        p.map.offset[i] = -g->pad[i];
    }
    return p;
}

/* Gradient of the input at the positions phase[i] + t * stride[i]. No taps when none meets them. */
static product product_backward(const geometry *g, const int64_t phase[3])
{
    product p = {.m = g->c, .n_channels = g->o, .w_row = g->n_taps, .w_channel = g->c * g->n_taps};

    p.map.sample_stride = g->groups * g->o * g->n_out;
    for (int i = 0; i < 3; i++) {
        const int64_t s = g->stride[i];
        const int64_t start = phase[i] + g->pad[i];
        int64_t       step = 1, first = 0;

        while (step * g->dilation[i] % s)
            step++;
        while (first < step && (start - first * g->dilation[i]) % s)
            first++;
        if (first < step && first < g->kernel[i])
            p.taps[i] = (g->kernel[i] - 1 - first) / step + 1;
        p.tap_first[i] = first;
        p.tap_step[i] = step;
        p.src_tap_step[i] = -(step * g->dilation[i] / s);
        p.dst_extent[i] = g->in[i];
        p.dst_step[i] = s;
        p.dst_first[i] = phase[i];
        p.map.grid[i] = (g->in[i] - phase[i] + s - 1) / s;
        p.map.extent[i] = g->out[i];
        p.map.step[i] = 1;
        p.map.offset[i] = p.taps[i] ? (start - first * g->dilation[i]) / s : 0;
    }
    return p;
}

/* A place on the grid of all samples. */
typedef struct {
    int64_t sample, at[3];
} place;

static place place_of(const int64_t grid[3], int64_t i)
{
    place p;

    p.at[2] = i % grid[2];
    p.at[1] = i / grid[2] % grid[1];
    p.at[0] = i / (grid[2] * grid[1]) % grid[0];
    p.sample = i / (grid[2] * grid[1] * grid[0]);
    return p;
}

static void place_next_row(place *p, const int64_t grid[3])
{
    p->at[2] = 0;
    if (++p->at[1] < grid[1])
        return;
    p->at[1] = 0;
    if (++p->at[0] < grid[0])
        return;
    p->at[0] = 0;
    p->sample++;
}

#define RVL_REF_FILE "engine/ref/conv.inc"
#include "engine/ref/both.h"

RVL_REF_DISPATCH(conv)
RVL_REF_DISPATCH(conv_bwd_data)
RVL_REF_DISPATCH(conv_bwd_weight)
