/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/batch_norm.c
 * BatchNorm over the blocked layout with what may follow it: adding a residual, ReLU.
 *
 * Statistics: short runs in f32 around a shift (the first value of the run's channel), then f64; variance by the
 * shifted sum of squares. Runs, pieces and their order follow from the shape alone.
 */
#include <math.h>
#include "engine/cpu/isa/vec.h"

#define RUN 64 /* positions summed in f32 */

/* Channel blocks, positions and groups of one call; a piece is a span of positions of one sample. */
typedef struct {
    int64_t n, c, blocks, n_pos, n_groups, group, pieces, piece;
} shape;

static shape shape_of(const rvl_buf *x, const rvl_buf *statistic)
{
    shape s = {.n = x->shape[0], .c = x->shape[1], .blocks = (x->shape[1] + VL - 1) / VL};

    s.n_pos = x->count / (s.n * s.c);
    s.n_groups = statistic->shape[0];
    s.group = s.n / s.n_groups;
    s.pieces = rvl_cpu_pieces(s.n_pos);
    s.piece = (s.n_pos + s.pieces - 1) / s.pieces;
    return s;
}

/* Two sums of each channel of a block. */
typedef struct {
    double a[VL], b[VL];
} sums;

INLINE void sums_add(double *to, vf v)
{
    vd wide = __builtin_convertvector(v, vd);

    for (int i = 0; i < VL; i++)
        to[i] += wide[i];
}

/* Sum and sum of squares of x - shift. */
static void piece_moments(sums *out, const float *x, int64_t n, vf shift)
{
    memset(out, 0, sizeof *out);
    for (int64_t i = 0; i < n; i += RUN) {
        const int64_t end = i + RUN < n ? i + RUN : n;
        vf            s0 = vset(0), q0 = vset(0), s1 = vset(0), q1 = vset(0);
        int64_t       k = i;

        for (; k + 2 <= end; k += 2) {
            const vf d0 = vload(x + k * VL) - shift, d1 = vload(x + (k + 1) * VL) - shift;
            s0 += d0;
            q0 += d0 * d0;
            s1 += d1;
            q1 += d1 * d1;
        }
        if (k < end) {
            const vf d = vload(x + k * VL) - shift;
            s0 += d;
            q0 += d * d;
        }
        sums_add(out->a, s0 + s1);
        sums_add(out->b, q0 + q1);
    }
}

/* Mean and biased variance of one group and channel block from the sums of its pieces. */
static void group_statistics(float *mean, float *var, const shape *s, const sums *parts, const float *shift,
                             int64_t block)
{
    const double m = (double)(s->group * s->n_pos);

    for (int i = 0; i < VL && block * VL + i < s->c; i++) {
        double a = 0.0, b = 0.0;
        for (int64_t k = 0; k < s->group * s->pieces; k++) {
            a += parts[k].a[i];
            b += parts[k].b[i];
        }
        const double v = (b - a * a / m) / m;
        mean[block * VL + i] = (float)(shift[i] + a / m);
        var[block * VL + i] = (float)(v > 0.0 ? v : v == v ? 0.0 : v);
    }
}

static void statistics(rvl_kernel_call *call, const shape *s)
{
    const float  *x = call->in[0].data;
    sums         *parts = call->scratch;
    const int64_t per_block = s->n * s->pieces;

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < s->blocks * per_block; i++) {
        const int64_t block = i / per_block, sample = i % per_block / s->pieces, piece = i % s->pieces;
        const int64_t p0 = piece * s->piece, n = s->n_pos - p0 < s->piece ? s->n_pos - p0 : s->piece;
        const int64_t first = sample / s->group * s->group;
        piece_moments(&parts[i], x + ((sample * s->blocks + block) * s->n_pos + p0) * VL, n > 0 ? n : 0,
                      vload(x + (first * s->blocks + block) * s->n_pos * VL));
    }
    for (int64_t i = 0; i < s->blocks * s->n_groups; i++) {
        const int64_t block = i / s->n_groups, g = i % s->n_groups;
        group_statistics((float *)call->out[1].data + g * s->c, (float *)call->out[2].data + g * s->c, s,
                         parts + block * per_block + g * s->group * s->pieces,
                         x + (g * s->group * s->blocks + block) * s->n_pos * VL, block);
    }
}

/* y = relu(x * a + b + residual) for a span. */
INLINE void apply_span(float *y, const float *x, const float *r, int64_t n, vf a, vf b, bool relu)
{
    for (int64_t i = 0; i < n * VL; i += VL) {
        vf v = vload(x + i) * a + b;
        if (r)
            v = v + vload(r + i);
        vstore(y + i, relu ? vrelu(v) : v);
    }
}

/* Factors of x * a + b for one channel block: c channels from c0 on, statistics of one group. */
INLINE void affine_of(float *a, float *b, const float *gamma, const float *beta, const float *mean, const float *var,
                      int64_t c0, int64_t c, float eps)
{
    memset(a, 0, VL * sizeof *a);
    memset(b, 0, VL * sizeof *b);
    for (int64_t k = 0; k < VL && c0 + k < c; k++) {
        a[k] = gamma[c0 + k] / sqrtf(var[c0 + k] + eps);
        b[k] = beta[c0 + k] - mean[c0 + k] * a[k];
    }
}

static void apply(rvl_kernel_call *call, const shape *s, const float *mean, const float *var, const float *residual)
{
    const rvl_cpu_norm *norm = call->prepared;
    const float        *x = call->in[0].data, *gamma = call->in[1].data, *beta = call->in[2].data;
    const float         eps = (float)call->attr.batch_norm.eps;
    float              *y = call->out[0].data;

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < s->n * s->blocks * s->pieces; i++) {
        const int64_t piece = i % s->pieces, block = i / s->pieces % s->blocks, sample = i / s->pieces / s->blocks;
        const int64_t p0 = piece * s->piece, n = s->n_pos - p0 < s->piece ? s->n_pos - p0 : s->piece;
        const int64_t g = sample / s->group * s->c, at = ((sample * s->blocks + block) * s->n_pos + p0) * VL;
        float         a[VL], b[VL];

        affine_of(a, b, gamma, beta, mean + g, var + g, block * VL, s->c, eps);
        if (n <= 0)
            continue;
        if (residual)
            apply_span(y + at, x + at, residual + at, n, vload(a), vload(b), norm->relu);
        else
            apply_span(y + at, x + at, NULL, n, vload(a), vload(b), norm->relu);
    }
}

/* in: x, gamma, beta, [residual]; out: y, mean, var. */
void ISA(batch_norm)(rvl_kernel_call *call)
{
    const rvl_cpu_norm *norm = call->prepared;
    const shape         s = shape_of(&call->in[0], &call->out[1]);

    statistics(call, &s);
    apply(call, &s, call->out[1].data, call->out[2].data, norm->has_residual ? call->in[3].data : NULL);
}

/* The same values again from known statistics. in: x, gamma, beta, mean, var, [residual]; out: y. */
void ISA(batch_norm_apply)(rvl_kernel_call *call)
{
    const rvl_cpu_norm *norm = call->prepared;
    const shape         s = shape_of(&call->in[0], &call->in[3]);

    apply(call, &s, call->in[3].data, call->in[4].data, norm->has_residual ? call->in[5].data : NULL);
}

/* The norm's own output, up to its sign: where a ReLU follows, dy passes only where x * a + b > 0. */
typedef struct {
    bool  is_on;
    float a[VL], b[VL];
} gate;

static gate gate_of(const rvl_kernel_call *call, const shape *s, int64_t sample, int64_t block)
{
    const rvl_cpu_norm *norm = call->prepared;
    const int64_t       first = sample / s->group * s->c;
    gate                g = {.is_on = norm->relu};

    if (g.is_on)
        affine_of(g.a, g.b, call->in[1].data, call->in[5].data, (const float *)call->in[2].data + first,
                  (const float *)call->in[3].data + first, block * VL, s->c, (float)call->attr.batch_norm.eps);
    return g;
}

INLINE vf pass(vf dy, vf x, bool is_on, vf a, vf b)
{
    return is_on ? (vf)((vi)dy & (x * a + b > 0.0F)) : dy;
}

/* Sums of the dy that passes, and of it times x - mean. */
INLINE void sum_gradients(sums *out, const float *x, const float *dy, const bool is_on, const gate *g, int64_t n,
                          vf mean)
{
    const vf ga = vload(g->a), gb = vload(g->b);

    memset(out, 0, sizeof *out);
    for (int64_t i = 0; i < n; i += RUN) {
        const int64_t end = i + RUN < n ? i + RUN : n;
        vf            s = vset(0), q = vset(0);

        for (int64_t k = i * VL; k < end * VL; k += VL) {
            const vf v = vload(x + k), d = pass(vload(dy + k), v, is_on, ga, gb);
            s += d;
            q += d * (v - mean);
        }
        sums_add(out->a, s);
        sums_add(out->b, q);
    }
}

static void piece_gradients(sums *out, const float *x, const float *dy, const gate *g, int64_t n, vf mean)
{
    if (g->is_on)
        sum_gradients(out, x, dy, true, g, n, mean);
    else
        sum_gradients(out, x, dy, false, g, n, mean);
}

/* dx = a * dy + b * x + c, factors f of three vectors. */
INLINE void gradient_span(float *dx, const float *x, const float *dy, const bool is_on, const gate *g, int64_t n,
                          const float *f)
{
    const vf ga = vload(g->a), gb = vload(g->b), a = vload(f), b = vload(f + VL), c = vload(f + 2 * VL);

    for (int64_t i = 0; i < n * VL; i += VL) {
        const vf v = vload(x + i);
        vstore(dx + i, a * pass(vload(dy + i), v, is_on, ga, gb) + (b * v + c));
    }
}

/* dgamma and dbeta of every channel; factors (group, block, 3, VL) of dx = a * dy + b * x + c. */
static void finish_sums(rvl_kernel_call *call, const shape *s, const sums *parts, float *factors)
{
    const float *gamma = call->in[1].data, *mean = call->in[2].data, *var = call->in[3].data;
    float       *dgamma = call->out[1].data, *dbeta = call->out[2].data;
    const double m = (double)(s->group * s->n_pos), eps = call->attr.batch_norm.eps;

    memset(factors, 0, (size_t)(3 * s->n_groups * s->blocks * VL) * sizeof *factors);
    for (int64_t c = 0; c < s->c; c++) {
        double all_gamma = 0.0, all_beta = 0.0;
        for (int64_t g = 0; g < s->n_groups; g++) {
            const sums  *p = parts + (c / VL * s->n + g * s->group) * s->pieces;
            const double rstd = 1.0 / sqrt((double)var[g * s->c + c] + eps);
            double       d = 0.0, dx = 0.0;
            float       *f = factors + (3 * (g * s->blocks + c / VL)) * VL + c % VL;

            for (int64_t k = 0; k < s->group * s->pieces; k++) {
                d += p[k].a[c % VL];
                dx += p[k].b[c % VL];
            }
            const double a = gamma[c] * rstd, b = -a * rstd * rstd * dx / m;
            f[0] = (float)a;
            f[VL] = (float)b;
            f[2 * VL] = (float)(-a * d / m - b * mean[g * s->c + c]);
            all_gamma += dx * rstd;
            all_beta += d;
        }
        dgamma[c] = (float)all_gamma;
        dbeta[c] = (float)all_beta;
    }
}

/* in: x, gamma, mean, var, dy, [beta: a ReLU follows the norm]; out: dx, dgamma, dbeta. */
void ISA(batch_norm_bwd)(rvl_kernel_call *call)
{
    const shape   s = shape_of(&call->in[0], &call->in[2]);
    const float  *x = call->in[0].data, *mean = call->in[2].data, *dy = call->in[4].data;
    sums         *parts = call->scratch;
    const int64_t per_block = s.n * s.pieces, n_tasks = s.blocks * per_block;
    float        *factors = (float *)(parts + n_tasks), *dx = call->out[0].data;

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n_tasks; i++) {
        const int64_t block = i / per_block, sample = i % per_block / s.pieces, piece = i % s.pieces;
        const int64_t p0 = piece * s.piece, n = s.n_pos - p0 < s.piece ? s.n_pos - p0 : s.piece;
        const int64_t at = ((sample * s.blocks + block) * s.n_pos + p0) * VL, n_c = s.c - block * VL;
        const float  *m = mean + sample / s.group * s.c + block * VL;
        const gate    g = gate_of(call, &s, sample, block);

        piece_gradients(&parts[i], x + at, dy + at, &g, n > 0 ? n : 0, n_c >= VL ? vload(m) : vload_n(m, n_c));
    }
    finish_sums(call, &s, parts, factors);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n_tasks; i++) {
        const int64_t piece = i % s.pieces, block = i / s.pieces % s.blocks, sample = i / s.pieces / s.blocks;
        const int64_t p0 = piece * s.piece, n = s.n_pos - p0 < s.piece ? s.n_pos - p0 : s.piece;
        const int64_t at = ((sample * s.blocks + block) * s.n_pos + p0) * VL;
        const float  *f = factors + 3 * (sample / s.group * s.blocks + block) * VL;
        const gate    g = gate_of(call, &s, sample, block);

        if (n > 0 && g.is_on)
            gradient_span(dx + at, x + at, dy + at, true, &g, n, f);
        else if (n > 0)
            gradient_span(dx + at, x + at, dy + at, false, &g, n, f);
    }
}
