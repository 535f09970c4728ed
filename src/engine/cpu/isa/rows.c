/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/rows.c
 * Kernels over the last axis: softmax, LayerNorm, and their gradients. Threads share rows; sums over rows
 * (LayerNorm's gamma and beta) run per column, in order.
 */
#include <math.h>
#include "engine/cpu/isa/row.h"

/* y = x * scale + bias. */
INLINE void row_scores(float *y, const float *x, const float *bias, int64_t n, float scale)
{
    if (bias)
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i] * scale + bias[i];
    else
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i] * scale;
}

/* in: x, [bias]; out: the softmax of x * scale + bias. */
void ISA(softmax)(rvl_kernel_call *call)
{
    const rvl_cpu_scores *scores = call->prepared;
    const int64_t         n = call->in[0].shape[call->in[0].n_dims - 1], n_rows = call->in[0].count / n;
    const float           scale = (float)scores->scale;

#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n_rows; r++) {
        const float *bias = scores->n_rows ? (const float *)call->in[1].data + r / scores->n_rows * n : NULL;
        const float *x = (const float *)call->in[0].data + r * n;
        float       *y = (float *)call->out[0].data + r * n;

        if (bias || scale != 1.0F) {
            row_scores(y, x, bias, n, scale);
            x = y;
        }
        const float share = (float)(1.0 / row_exp(y, x, n, row_max(x, n)));
        for (int64_t i = 0; i < n; i++)
            y[i] *= share;
    }
}

/* in: y, dy; dx = y * (dy - sum(y * dy)). */
void ISA(softmax_bwd)(rvl_kernel_call *call)
{
    const int64_t n = call->in[0].shape[call->in[0].n_dims - 1], n_rows = call->in[0].count / n;

#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n_rows; r++) {
        const float *y = (const float *)call->in[0].data + r * n, *dy = (const float *)call->in[1].data + r * n;
        float       *dx = (float *)call->out[0].data + r * n;
        const float  dot = (float)row_dot(y, dy, n);

        for (int64_t i = 0; i < n; i++)
            dx[i] = y[i] * (dy[i] - dot);
    }
}

/* in: x, gamma, beta; out: y, mean, rstd. Two passes: the mean, then squares around it. */
void ISA(layer_norm)(rvl_kernel_call *call)
{
    const int64_t n = call->in[0].shape[call->in[0].n_dims - 1], n_rows = call->in[0].count / n;
    const float  *gamma = call->in[1].data, *beta = call->in[2].data;
    const double  eps = call->attr.eps.eps;

#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n_rows; r++) {
        const float *x = (const float *)call->in[0].data + r * n;
        float       *y = (float *)call->out[0].data + r * n;
        wide_sum     s = {{0}}, q = {{0}};
        double       sum = 0.0, square = 0.0;
        int64_t      i = 0;

        for (; i + VL <= n; i += VL)
            wide_add(&s, vload(x + i));
        for (; i < n; i++)
            sum += x[i];
        const float mean = (float)((sum + vsum_d(s.sum)) / (double)n);
        for (i = 0; i + VL <= n; i += VL) {
            const vf d = vload(x + i) - mean;
            wide_add(&q, d * d);
        }
        for (; i < n; i++)
            square += (double)(x[i] - mean) * (x[i] - mean);
        const float rstd = (float)(1.0 / sqrt((square + vsum_d(q.sum)) / (double)n + eps));
        for (i = 0; i < n; i++)
            y[i] = (x[i] - mean) * rstd * gamma[i] + beta[i];
        ((float *)call->out[1].data)[r] = mean;
        ((float *)call->out[2].data)[r] = rstd;
    }
}

/* dx of one row: rstd * (g - mean(g) - xhat * mean(g * xhat)), g = dy * gamma. */
static void layer_norm_row(float *dx, const float *x, const float *gamma, const float *dy, float mean, float rstd,
                           int64_t n)
{
    wide_sum s = {{0}}, q = {{0}};
    double   sum = 0.0, dot = 0.0;
    int64_t  i = 0;

    for (; i + VL <= n; i += VL) {
        const vf g = vload(dy + i) * vload(gamma + i);
        wide_add(&s, g);
        wide_add(&q, g * (vload(x + i) - mean));
    }
    for (; i < n; i++) {
        sum += (double)dy[i] * gamma[i];
        dot += (double)dy[i] * gamma[i] * (x[i] - mean);
    }
    const float a = (float)((sum + vsum_d(s.sum)) / (double)n);
    const float b = (float)((dot + vsum_d(q.sum)) / (double)n * rstd * rstd);
    for (i = 0; i < n; i++)
        dx[i] = rstd * (dy[i] * gamma[i] - a - (x[i] - mean) * b);
}

/* in: x, gamma, mean, rstd, dy; out: dx, dgamma, dbeta. */
void ISA(layer_norm_bwd)(rvl_kernel_call *call)
{
    const int64_t n = call->in[0].shape[call->in[0].n_dims - 1], n_rows = call->in[0].count / n;
    const float  *x = call->in[0].data, *gamma = call->in[1].data, *mean = call->in[2].data, *rstd = call->in[3].data;
    const float  *dy = call->in[4].data;
    float        *dx = call->out[0].data;

#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < n; c += 4 * VL) {
        const int64_t width = n - c < 4 * VL ? n - c : 4 * VL;
        double        dg[4 * VL] = {0}, db[4 * VL] = {0};
        for (int64_t r = 0; r < n_rows; r++) {
            const float *xr = x + r * n + c, *dr = dy + r * n + c;
            for (int64_t i = 0; i < width; i++) {
                dg[i] += dr[i] * ((xr[i] - mean[r]) * rstd[r]);
                db[i] += dr[i];
            }
        }
        for (int64_t i = 0; i < width; i++) {
            ((float *)call->out[1].data)[c + i] = (float)dg[i];
            ((float *)call->out[2].data)[c + i] = (float)db[i];
        }
    }
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n_rows; r++)
        layer_norm_row(dx + r * n, x + r * n, gamma, dy + r * n, mean[r], rstd[r], n);
}
