/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/loss.c
 * Losses and what they stand on: log-softmax, L2 norm, binary and categorical cross-entropy, with their gradients.
 * Threads share rows. What each computes is said in engine/kernels.h.
 */
#include <math.h>
#include "engine/cpu/isa/row.h"

#define MANY 4096 /* elements below which threads cost more than they give */

typedef struct {
    int64_t n, n_rows;
} rows;

static rows rows_of(const rvl_buf *x)
{
    const int64_t n = x->shape[x->n_dims - 1];

    return (rows){n, x->count / n};
}

/* Maximum of the row, and log of the sum of exp(x - maximum). */
INLINE double log_sum_exp(float *max, const float *x, int64_t n)
{
    *max = row_max(x, n);
    return log(row_sum_exp(x, n, *max));
}

/* dx = exp(x - shift) * a. */
INLINE void row_exp_times(float *dx, const float *x, int64_t n, float shift, float a)
{
    int64_t i = 0;

    for (; i + VL <= n; i += VL)
        vstore(dx + i, vexp(vload(x + i) - shift) * a);
    if (i < n)
        vstore_n(dx + i, vexp(vload_n(x + i, n - i) - shift) * a, n - i);
}

/* in: x; out: y. */
void ISA(log_softmax)(rvl_kernel_call *call)
{
    const rows s = rows_of(&call->in[0]);

#pragma omp parallel for schedule(static) if (s.n_rows * s.n > MANY)
    for (int64_t r = 0; r < s.n_rows; r++) {
        const float *x = (const float *)call->in[0].data + r * s.n;
        float       *y = (float *)call->out[0].data + r * s.n, max;
        const float  log_sum = (float)log_sum_exp(&max, x, s.n);

        for (int64_t i = 0; i < s.n; i++)
            y[i] = (x[i] - max) - log_sum;
    }
}

/* in: y, dy; dx = dy - exp(y) * sum(dy). */
void ISA(log_softmax_bwd)(rvl_kernel_call *call)
{
    const rows s = rows_of(&call->in[0]);

#pragma omp parallel for schedule(static) if (s.n_rows * s.n > MANY)
    for (int64_t r = 0; r < s.n_rows; r++) {
        const float *y = (const float *)call->in[0].data + r * s.n, *dy = (const float *)call->in[1].data + r * s.n;
        float       *dx = (float *)call->out[0].data + r * s.n;
        const float  sum = (float)row_sum(dy, s.n);
        int64_t      i = 0;

        for (; i + VL <= s.n; i += VL)
            vstore(dx + i, vload(dy + i) - vexp(vload(y + i)) * sum);
        if (i < s.n)
            vstore_n(dx + i, vload_n(dy + i, s.n - i) - vexp(vload_n(y + i, s.n - i)) * sum, s.n - i);
    }
}

/* in: x; out: y, norm. */
void ISA(l2_normalize)(rvl_kernel_call *call)
{
    const rows   s = rows_of(&call->in[0]);
    const double eps = call->attr.eps.eps;

#pragma omp parallel for schedule(static) if (s.n_rows * s.n > MANY)
    for (int64_t r = 0; r < s.n_rows; r++) {
        const float *x = (const float *)call->in[0].data + r * s.n;
        float       *y = (float *)call->out[0].data + r * s.n;
        const double norm = sqrt(row_dot(x, x, s.n));
        const float  scale = (float)(1.0 / (norm < eps ? eps : norm));

        for (int64_t i = 0; i < s.n; i++)
            y[i] = x[i] * scale;
        ((float *)call->out[1].data)[r] = (float)norm;
    }
}

/* in: y, norm, dy; out: dx. Below eps the divisor is a constant. */
void ISA(l2_normalize_bwd)(rvl_kernel_call *call)
{
    const rows   s = rows_of(&call->in[0]);
    const double eps = call->attr.eps.eps;

#pragma omp parallel for schedule(static) if (s.n_rows * s.n > MANY)
    for (int64_t r = 0; r < s.n_rows; r++) {
        const float *y = (const float *)call->in[0].data + r * s.n, *dy = (const float *)call->in[2].data + r * s.n;
        float       *dx = (float *)call->out[0].data + r * s.n;
        const double norm = ((const float *)call->in[1].data)[r];
        const float  dot = norm < eps ? 0.0F : (float)row_dot(y, dy, s.n);
        const float  scale = (float)(1.0 / (norm < eps ? eps : norm));

        for (int64_t i = 0; i < s.n; i++)
            dx[i] = (dy[i] - y[i] * dot) * scale;
    }
}

/* log(1 + e) for e in 0..1: twice the series of artanh at e / (2 + e) <= 1/3, to 1e-9. */
INLINE vf vlog1p(vf e)
{
    const vf s = e / (e + 2.0F), z = s * s;
    vf       p = vset(1.0F / 15.0F);

    p = p * z + 1.0F / 13.0F;
    p = p * z + 1.0F / 11.0F;
    p = p * z + 1.0F / 9.0F;
    p = p * z + 1.0F / 7.0F;
    p = p * z + 1.0F / 5.0F;
    p = p * z + 1.0F / 3.0F;
    return 2.0F * (s + s * z * p);
}

/* The lanes that a weight of zero takes out are zero, whatever their target. */
INLINE vf weighted(vf w, vf x)
{
    return (vf)((vi)(w * x) & ~(w == 0.0F));
}

INLINE vf bce(vf x, vf t, vf w)
{
    return weighted(w, vrelu(x) - x * t + vlog1p(vexp(vmin(x, -x))));
}

INLINE vf bce_slope(vf x, vf t, vf w, vf dl)
{
    const vf e = vexp(vmin(x, -x));

    return weighted(w, dl * (vpick(x < 0.0F, e, vset(1.0F)) / (e + 1.0F) - t));
}

/* in: logits, targets, weights; out: loss of each element. */
void ISA(bce_with_logits)(rvl_kernel_call *call)
{
    const float  *x = call->in[0].data, *t = call->in[1].data, *w = call->in[2].data;
    float        *loss = call->out[0].data;
    const int64_t n = call->out[0].count;

#pragma omp parallel for schedule(static) if (n > MANY)
    for (int64_t i = 0; i < n; i += VL) {
        const int64_t m = n - i < VL ? n - i : VL;
        vstore_n(loss + i, bce(vload_n(x + i, m), vload_n(t + i, m), vload_n(w + i, m)), m);
    }
}

/* in: logits, targets, weights, dl; out: dx. */
void ISA(bce_with_logits_bwd)(rvl_kernel_call *call)
{
    const float  *x = call->in[0].data, *t = call->in[1].data, *w = call->in[2].data, *dl = call->in[3].data;
    float        *dx = call->out[0].data;
    const int64_t n = call->out[0].count;

#pragma omp parallel for schedule(static) if (n > MANY)
    for (int64_t i = 0; i < n; i += VL) {
        const int64_t m = n - i < VL ? n - i : VL;
        vstore_n(dx + i, bce_slope(vload_n(x + i, m), vload_n(t + i, m), vload_n(w + i, m), vload_n(dl + i, m)), m);
    }
}

/* in: logits, ids (-1: no loss); out: loss of each row. */
void ISA(cross_entropy)(rvl_kernel_call *call)
{
    const rows     s = rows_of(&call->in[0]);
    const int32_t *ids = call->in[1].data;
    float         *loss = call->out[0].data;
    int            n_bad = 0;

#pragma omp parallel for schedule(static) reduction(+ : n_bad) if (s.n_rows * s.n > MANY)
    for (int64_t r = 0; r < s.n_rows; r++) {
        const float *x = (const float *)call->in[0].data + r * s.n;
        const int    id = ids[r];
        float        max;

        loss[r] = 0.0F;
        if (id >= 0 && id < s.n)
            loss[r] = (float)(log_sum_exp(&max, x, s.n) - ((double)x[id] - max));
        else
            n_bad += id != -1;
    }
    if (n_bad)
        call->status = RVL_ERR_NUMERIC;
}

/* in: logits, ids, dl; dlogits = dl * (softmax - one at the id). */
void ISA(cross_entropy_bwd)(rvl_kernel_call *call)
{
    const rows     s = rows_of(&call->in[0]);
    const int32_t *ids = call->in[1].data;
    const float   *dl = call->in[2].data;
    int            n_bad = 0;

#pragma omp parallel for schedule(static) reduction(+ : n_bad) if (s.n_rows * s.n > MANY)
    for (int64_t r = 0; r < s.n_rows; r++) {
        const float *x = (const float *)call->in[0].data + r * s.n;
        float       *dx = (float *)call->out[0].data + r * s.n;
        const int    id = ids[r];
        float        max;

        if (id >= 0 && id < s.n) {
            const double sum = exp(log_sum_exp(&max, x, s.n));
            row_exp_times(dx, x, s.n, max, (float)(dl[r] / sum));
            dx[id] = (float)(dl[r] * (exp((double)x[id] - max) / sum - 1.0));
        } else {
            memset(dx, 0, (size_t)s.n * sizeof *dx);
            n_bad += id != -1;
        }
    }
    if (n_bad)
        call->status = RVL_ERR_NUMERIC;
}

/* in: logits, p; out: -sum p log softmax of each row. A probability of 0 adds nothing, also at a logit of -infinity. */
void ISA(cross_entropy_soft)(rvl_kernel_call *call)
{
    const rows s = rows_of(&call->in[0]);

#pragma omp parallel for schedule(static) if (s.n_rows * s.n > MANY)
    for (int64_t r = 0; r < s.n_rows; r++) {
        const float *x = (const float *)call->in[0].data + r * s.n, *p = (const float *)call->in[1].data + r * s.n;
        float        max;
        const float  log_sum = (float)log_sum_exp(&max, x, s.n);
        wide_sum     sum = {{0}};

        for (int64_t i = 0; i < s.n; i += VL) {
            const int64_t m = s.n - i < VL ? s.n - i : VL;
            wide_add(&sum, weighted(vload_n(p + i, m), log_sum - (vload_n(x + i, m) - max)));
        }
        ((float *)call->out[0].data)[r] = (float)vsum_d(sum.sum);
    }
}

/* in: logits, p, dl; dlogits = dl * (sum(p) * softmax - p). */
void ISA(cross_entropy_soft_bwd)(rvl_kernel_call *call)
{
    const rows   s = rows_of(&call->in[0]);
    const float *dl = call->in[2].data;

#pragma omp parallel for schedule(static) if (s.n_rows * s.n > MANY)
    for (int64_t r = 0; r < s.n_rows; r++) {
        const float *x = (const float *)call->in[0].data + r * s.n, *p = (const float *)call->in[1].data + r * s.n;
        float       *dx = (float *)call->out[0].data + r * s.n;
        const float  max = row_max(x, s.n);
        const float  share = (float)(row_sum(p, s.n) / row_sum_exp(x, s.n, max));

        row_exp_times(dx, x, s.n, max, share);
        for (int64_t i = 0; i < s.n; i++)
            dx[i] = dl[r] * (dx[i] - p[i]);
    }
}
