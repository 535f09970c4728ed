/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/depthwise.c
 * Depthwise convolution (one filter a channel) over the blocked layout, forward and both gradients. Weights stay plain
 * (C, 1, taps); a task brings its channel block's filters into vectors.
 */
#include "engine/conv_geometry.h"
#include "engine/cpu/isa/vec.h"

typedef rvl_conv_geometry geometry;

static geometry geometry_of(const rvl_buf *x, const rvl_buf *w, const rvl_buf *y, const rvl_conv_attr *attr)
{
    return rvl_conv_geometry_of(x->n_dims, x->shape, w->shape, y->shape, attr);
}

INLINE int64_t blocks_of(const geometry *g)
{
    return (g->c + VL - 1) / VL;
}

static void filters(float *out, const float *w, const geometry *g, int64_t block)
{
    for (int64_t t = 0; t < g->n_taps; t++)
        for (int64_t k = 0; k < VL; k++)
            out[t * VL + k] = block * VL + k < g->c ? w[(block * VL + k) * g->n_taps + t] : 0.0F;
}

/* The input index that output `at` and tap `t` of an axis meet, or -1. */
INLINE int64_t input_index(const geometry *g, int axis, int64_t at, int64_t t)
{
    const int64_t i = at * g->stride[axis] - g->pad[axis] + t * g->dilation[axis];

    return i < g->in[axis] ? i : -1;
}

/* The output index that input `at` and tap `t` of an axis meet, or -1. */
INLINE int64_t output_index(const geometry *g, int axis, int64_t at, int64_t t)
{
    const int64_t i = at + g->pad[axis] - t * g->dilation[axis];

    return i >= 0 && i % g->stride[axis] == 0 && i / g->stride[axis] < g->out[axis] ? i / g->stride[axis] : -1;
}

typedef int64_t (*index_fn)(const geometry *g, int axis, int64_t at, int64_t t);

/* One row of the destination: dst[x] = sum over taps of w * src at index(x, tap). */
INLINE void filter_row(float *dst, const float *src, const float *w, const geometry *g, const int64_t src_extent[3],
                       int64_t n_x, int64_t z, int64_t y, const index_fn index)
{
    for (int64_t x = 0; x < n_x; x++) {
        vf      sum = vset(0.0F);
        int64_t t = 0;
        for (int64_t a = 0; a < g->kernel[0]; a++) {
            const int64_t sz = index(g, 0, z, a);
            for (int64_t b = 0; b < g->kernel[1]; b++) {
                const int64_t sy = index(g, 1, y, b);
                for (int64_t c = 0; c < g->kernel[2]; c++, t++) {
                    const int64_t sx = index(g, 2, x, c);
                    if (sz >= 0 && sy >= 0 && sx >= 0)
                        sum += vload(w + t * VL) * vload(src + ((sz * src_extent[1] + sy) * src_extent[2] + sx) * VL);
                }
            }
        }
        vstore(dst + x * VL, sum);
    }
}

/* in: x, w plain; out: y. */
void ISA(depthwise)(rvl_kernel_call *call)
{
    const geometry g = geometry_of(&call->in[0], &call->in[1], &call->out[0], &call->attr.conv);

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < g.n * blocks_of(&g); i++) {
        float        w[RVL_CPU_MAX_FILTER * VL];
        const float *x = (const float *)call->in[0].data + i * g.n_in * VL;
        float       *y = (float *)call->out[0].data + i * g.n_out * VL;

        filters(w, call->in[1].data, &g, i % blocks_of(&g));
        for (int64_t r = 0; r < g.out[0] * g.out[1]; r++)
            filter_row(y + r * g.out[2] * VL, x, w, &g, g.in, g.out[2], r / g.out[1], r % g.out[1], input_index);
    }
}

/* in: dy, w plain; out: dx. */
void ISA(depthwise_bwd_data)(rvl_kernel_call *call)
{
    const geometry g = geometry_of(&call->out[0], &call->in[1], &call->in[0], &call->attr.conv);

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < g.n * blocks_of(&g); i++) {
        float        w[RVL_CPU_MAX_FILTER * VL];
        const float *dy = (const float *)call->in[0].data + i * g.n_out * VL;
        float       *dx = (float *)call->out[0].data + i * g.n_in * VL;

        filters(w, call->in[1].data, &g, i % blocks_of(&g));
        for (int64_t r = 0; r < g.in[0] * g.in[1]; r++)
            filter_row(dx + r * g.in[2] * VL, dy, w, &g, g.out, g.in[2], r / g.in[1], r % g.in[1], output_index);
    }
}

/* Sum of x * dy at tap (a, b, c) over one sample and block. */
static vd tap_sum(const float *x, const float *dy, const geometry *g, int64_t a, int64_t b, int64_t c)
{
    vd all = {0};

    for (int64_t z = 0; z < g->out[0]; z++) {
        for (int64_t y = 0; y < g->out[1]; y++) {
            const int64_t sz = input_index(g, 0, z, a), sy = input_index(g, 1, y, b);
            vf            sum = vset(0.0F);

            if (sz < 0 || sy < 0)
                continue;
            for (int64_t k = 0; k < g->out[2]; k++) {
                const int64_t sx = input_index(g, 2, k, c);
                if (sx >= 0)
                    sum += vload(x + ((sz * g->in[1] + sy) * g->in[2] + sx) * VL) *
                           vload(dy + ((z * g->out[1] + y) * g->out[2] + k) * VL);
            }
            all += __builtin_convertvector(sum, vd);
        }
    }
    return all;
}

/* in: x, dy; out: dw plain. */
void ISA(depthwise_bwd_weight)(rvl_kernel_call *call)
{
    const geometry g = geometry_of(&call->in[0], &call->out[0], &call->in[1], &call->attr.conv);
    float         *dw = call->out[0].data;

#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < blocks_of(&g) * g.n_taps; i++) {
        const int64_t block = i / g.n_taps, t = i % g.n_taps;
        const int64_t c = t % g.kernel[2], b = t / g.kernel[2] % g.kernel[1], a = t / g.kernel[2] / g.kernel[1];
        vd            sum = {0};

        for (int64_t n = 0; n < g.n; n++)
            sum += tap_sum((const float *)call->in[0].data + (n * blocks_of(&g) + block) * g.n_in * VL,
                           (const float *)call->in[1].data + (n * blocks_of(&g) + block) * g.n_out * VL, &g, a, b, c);
        for (int64_t k = 0; k < VL && block * VL + k < g.c; k++)
            dw[(block * VL + k) * g.n_taps + t] = (float)sum[k];
    }
}
