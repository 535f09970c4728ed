/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/pool.c
 * Pooling, spatial means and reorders over the blocked layout.
 */
#include "engine/cpu/isa/vec.h"

typedef struct {
    int64_t in[3], out[3], kernel[3], stride[3], pad[3], n_in, n_out, n_blocks;
} geometry;

static geometry geometry_of(const rvl_buf *x, const rvl_buf *y, const rvl_pool_attr *attr)
{
    const int rank = x->n_dims - 2;
    geometry  g = {.n_in = 1, .n_out = 1, .n_blocks = x->shape[0] * ((x->shape[1] + VL - 1) / VL)};

    for (int i = 0; i < 3; i++) {
        const int axis = i - (3 - rank);
        g.in[i] = g.out[i] = g.kernel[i] = g.stride[i] = 1;
        if (axis >= 0) {
            g.in[i] = x->shape[axis + 2];
            g.out[i] = y->shape[axis + 2];
            g.kernel[i] = attr->kernel[axis];
            g.stride[i] = attr->stride[axis];
            g.pad[i] = attr->pad[axis];
        }
        g.n_in *= g.in[i];
        g.n_out *= g.out[i];
    }
    return g;
}

/* Taps first .. last - 1 of an axis that fall inside the input. */
INLINE void window(int64_t *first, int64_t *last, const geometry *g, int axis, int64_t at)
{
    const int64_t start = at * g->stride[axis] - g->pad[axis];

    *first = start < 0 ? 0 : start;
    *last = start + g->kernel[axis] < g->in[axis] ? start + g->kernel[axis] : g->in[axis];
}

static void max_place(float *y, int32_t *index, const float *x, const geometry *g, int64_t z, int64_t row, int64_t col)
{
    int64_t z0, z1, y0, y1, x0, x1;
    vf      best;
    vi      where;

    window(&z0, &z1, g, 0, z);
    window(&y0, &y1, g, 1, row);
    window(&x0, &x1, g, 2, col);
    const int64_t first = (z0 * g->in[1] + y0) * g->in[2] + x0;
    best = vload(x + first * VL);
    where = (vi){0} + (int32_t)first;
    for (int64_t i = z0; i < z1; i++) {
        for (int64_t j = y0; j < y1; j++) {
            for (int64_t k = x0; k < x1; k++) {
                const int64_t at = (i * g->in[1] + j) * g->in[2] + k;
                const vf      v = vload(x + at * VL);
                const vi      more = (v > best) | (v != v);
                best = vpick(more, v, best);
                where = (((vi){0} + (int32_t)at) & more) | (where & ~more);
            }
        }
    }
    vstore(y, best);
    *(vi_loose *)index = where;
}

/* in: x; out: y, index, all blocked. */
void ISA(max_pool)(rvl_kernel_call *call)
{
    const geometry g = geometry_of(&call->in[0], &call->out[0], &call->attr.pool);

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < g.n_blocks * g.out[0] * g.out[1]; i++) {
        const int64_t row = i % g.out[1], z = i / g.out[1] % g.out[0], block = i / g.out[1] / g.out[0];
        const int64_t at = i * g.out[2] * VL;
        for (int64_t col = 0; col < g.out[2]; col++)
            max_place((float *)call->out[0].data + at + col * VL, (int32_t *)call->out[1].data + at + col * VL,
                      (const float *)call->in[0].data + block * g.n_in * VL, &g, z, row, col);
    }
}

/* Outputs first .. last - 1 of an axis whose windows hold input `at`. */
INLINE void covering(int64_t *first, int64_t *last, const geometry *g, int axis, int64_t at)
{
    const int64_t top = at + g->pad[axis], low = top - g->kernel[axis] + 1;

    *first = low <= 0 ? 0 : (low + g->stride[axis] - 1) / g->stride[axis];
    *last = top / g->stride[axis] + 1 < g->out[axis] ? top / g->stride[axis] + 1 : g->out[axis];
}

/* Sum over a box of one channel block with `size` = {rows of a slice, places of a row}. */
INLINE vf box_sum(const float *x, const int64_t size[2], int64_t z0, int64_t z1, int64_t y0, int64_t y1, int64_t x0,
                  int64_t x1)
{
    vf sum = vset(0.0F);

    for (int64_t a = z0; a < z1; a++)
        for (int64_t b = y0; b < y1; b++)
            for (int64_t c = x0; c < x1; c++)
                sum += vload(x + ((a * size[0] + b) * size[1] + c) * VL);
    return sum;
}

/* in: dy, index; out: dx: each input place adds the windows that chose it. */
void ISA(max_pool_bwd)(rvl_kernel_call *call)
{
    const geometry g = geometry_of(&call->out[0], &call->in[0], &call->attr.pool);

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < g.n_blocks * g.in[0] * g.in[1]; i++) {
        const int64_t  row = i % g.in[1], z = i / g.in[1] % g.in[0], block = i / g.in[1] / g.in[0];
        const float   *dy = (const float *)call->in[0].data + block * g.n_out * VL;
        const int32_t *index = (const int32_t *)call->in[1].data + block * g.n_out * VL;
        float         *dx = (float *)call->out[0].data + i * g.in[2] * VL;
        int64_t        z0, z1, y0, y1, x0, x1;

        covering(&z0, &z1, &g, 0, z);
        covering(&y0, &y1, &g, 1, row);
        for (int64_t col = 0; col < g.in[2]; col++) {
            const int32_t me = (int32_t)((z * g.in[1] + row) * g.in[2] + col);
            vf            sum = vset(0.0F);

            covering(&x0, &x1, &g, 2, col);
            for (int64_t a = z0; a < z1; a++)
                for (int64_t b = y0; b < y1; b++)
                    for (int64_t c = x0; c < x1; c++) {
                        const int64_t at = ((a * g.out[1] + b) * g.out[2] + c) * VL;
                        const vi      chosen = *(const vi_loose *)(index + at) == me;
                        sum += (vf)((vi)vload(dy + at) & chosen);
                    }
            vstore(dx + col * VL, sum);
        }
    }
}

/* Each place of dst is the mean, by the size of the whole kernel, over the places of src that `reach` says. */
INLINE void average(float *dst, const float *src, const geometry *g, const int64_t *dst_size, const int64_t *src_size,
                    void (*reach)(int64_t *first, int64_t *last, const geometry *g, int axis, int64_t at))
{
    const float   scale = 1.0F / (float)(g->kernel[0] * g->kernel[1] * g->kernel[2]);
    const int64_t n_src = src_size[0] * src_size[1] * src_size[2];

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < g->n_blocks * dst_size[0] * dst_size[1]; i++) {
        const float *x = src + i / dst_size[1] / dst_size[0] * n_src * VL;
        float       *y = dst + i * dst_size[2] * VL;
        int64_t      z0, z1, y0, y1, x0, x1;

        reach(&z0, &z1, g, 0, i / dst_size[1] % dst_size[0]);
        reach(&y0, &y1, g, 1, i % dst_size[1]);
        for (int64_t col = 0; col < dst_size[2]; col++) {
            reach(&x0, &x1, g, 2, col);
            vstore(y + col * VL, box_sum(x, &src_size[1], z0, z1, y0, y1, x0, x1) * scale);
        }
    }
}

/* in: x; out: y, blocked; padding counts as zeros. */
void ISA(avg_pool)(rvl_kernel_call *call)
{
    const geometry g = geometry_of(&call->in[0], &call->out[0], &call->attr.pool);

    average(call->out[0].data, call->in[0].data, &g, g.out, g.in, window);
}

/* in: dy; out: dx, blocked. */
void ISA(avg_pool_bwd)(rvl_kernel_call *call)
{
    const geometry g = geometry_of(&call->out[0], &call->in[0], &call->attr.pool);

    average(call->out[0].data, call->in[0].data, &g, g.in, g.out, covering);
}

/* Blocked x -> plain (N, C), the sum of all positions times the attribute's scale. */
void ISA(spatial_mean)(rvl_kernel_call *call)
{
    const int64_t n = call->in[0].shape[0], c = call->in[0].shape[1], blocks = (c + VL - 1) / VL;
    const int64_t n_pos = call->in[0].count / (n * c);

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n * blocks; i++) {
        const float  *x = (const float *)call->in[0].data + i * n_pos * VL;
        const int64_t c0 = i % blocks * VL;
        vd            sum = {0};

        for (int64_t k = 0; k < n_pos; k++)
            sum += __builtin_convertvector(vload(x + k * VL), vd);
        for (int64_t k = 0; k < VL && c0 + k < c; k++)
            ((float *)call->out[0].data)[i / blocks * c + c0 + k] = (float)(sum[k] * call->attr.reduce.scale);
    }
}

/* Plain (N, C, 1, ...) -> blocked, repeated at every position. */
void ISA(spatial_broadcast)(rvl_kernel_call *call)
{
    const int64_t n = call->out[0].shape[0], c = call->out[0].shape[1], blocks = (c + VL - 1) / VL;
    const int64_t n_pos = call->out[0].count / (n * c);

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n * blocks; i++) {
        const int64_t c0 = i % blocks * VL, n_c = c - c0 < VL ? c - c0 : VL;
        const vf      v = vload_n((const float *)call->in[0].data + i / blocks * c + c0, n_c);
        float        *y = (float *)call->out[0].data + i * n_pos * VL;

        for (int64_t k = 0; k < n_pos; k++)
            vstore(y + k * VL, v);
    }
}

/* Plain (N, C, positions) -> blocked; four-byte elements of any kind. */
void ISA(to_blocked)(rvl_kernel_call *call)
{
    const int64_t n = call->in[0].shape[0], c = call->in[0].shape[1], blocks = (c + VL - 1) / VL;
    const int64_t n_pos = call->in[0].count / (n * c);

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n * blocks; i++) {
        const int64_t  c0 = i % blocks * VL, n_c = c - c0 < VL ? c - c0 : VL;
        const int32_t *x = (const int32_t *)call->in[0].data + (i / blocks * c + c0) * n_pos;
        int32_t       *y = (int32_t *)call->out[0].data + i * n_pos * VL;

        for (int64_t p = 0; p < n_pos; p++)
            for (int64_t k = 0; k < VL; k++)
                y[p * VL + k] = k < n_c ? x[k * n_pos + p] : 0;
    }
}

void ISA(to_plain)(rvl_kernel_call *call)
{
    const int64_t n = call->out[0].shape[0], c = call->out[0].shape[1], blocks = (c + VL - 1) / VL;
    const int64_t n_pos = call->out[0].count / (n * c);

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n * blocks; i++) {
        const int64_t  c0 = i % blocks * VL, n_c = c - c0 < VL ? c - c0 : VL;
        const int32_t *x = (const int32_t *)call->in[0].data + i * n_pos * VL;
        int32_t       *y = (int32_t *)call->out[0].data + (i / blocks * c + c0) * n_pos;

        for (int64_t k = 0; k < n_c; k++)
            for (int64_t p = 0; p < n_pos; p++)
                y[k * n_pos + p] = x[p * VL + k];
    }
}
