/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/isa/elementwise.c
 * Kernels that go through memory once: unary functions and their gradients, affine, arithmetic of equal shapes, adding
 * a row, x * scale + shift per channel. Blocked values are as good as plain ones where zero stays zero.
 */
#include "engine/cpu/isa/vec.h"

#define CHUNK 8192 /* elements that a thread takes at a time */

typedef struct {
    rvl_unary_kind kind;
    float          a, b;
} function;

INLINE vf vtanh(vf x)
{
    const vf c = vmin(vmax(x, vset(-15.0F)), vset(15.0F));
    const vf e = vexp(c + c);
    const vf t = (e - 1.0F) / (e + 1.0F);
    const vf z = c * c; /* near zero the quotient cancels: the series there */
    const vf s = c - c * z * (0.333333333F - z * (0.133333333F - z * 0.053968254F));

    return vpick(z < 0.01F, s, t);
}

INLINE vf vsigmoid(vf x)
{
    return 1.0F / (1.0F + vexp(-x));
}

#define GELU_A 0.7978845608F /* sqrt(2 / pi) */
#define GELU_B 0.044715F

/* The functions that are worth vectors; others are shared with the reference. */
INLINE vf apply(vf x, const rvl_unary_kind kind, float a, float b)
{
    switch (kind) {
    case RVL_UNARY_EXP:
        return vexp(x);
    case RVL_UNARY_SQUARE:
        return x * x;
    case RVL_UNARY_RELU:
        return vrelu(x);
    case RVL_UNARY_LEAKY_RELU:
        return vpick(x > 0.0F, x, x * a);
    case RVL_UNARY_GELU_ERF:
        return 0.5F * x * (1.0F + verf(x * 0.70710678F));
    case RVL_UNARY_GELU_TANH:
        return 0.5F * x * (1.0F + vtanh(GELU_A * (x + GELU_B * x * x * x)));
    case RVL_UNARY_GELU_QUICK:
        return x * vsigmoid(1.702F * x);
    case RVL_UNARY_SILU:
        return x * vsigmoid(x);
    case RVL_UNARY_SIGMOID:
        return vsigmoid(x);
    case RVL_UNARY_TANH:
        return vpick(x == x, vtanh(x), x);
    default: /* RVL_UNARY_CLAMP */
        return vpick(x == x, vmin(vmax(x, vset(a)), vset(b)), x);
    }
}

/* dy times the derivative; for ReLU and its kin x may be the output. */
INLINE vf slope(vf x, vf dy, const rvl_unary_kind kind, float a, float b)
{
    switch (kind) {
    case RVL_UNARY_EXP:
        return dy * vexp(x);
    case RVL_UNARY_SQUARE:
        return 2.0F * dy * x;
    case RVL_UNARY_RELU:
        return (vf)((vi)dy & (x > 0.0F));
    case RVL_UNARY_LEAKY_RELU:
        return vpick(x > 0.0F, dy, dy * a);
    case RVL_UNARY_GELU_ERF: {
        const vf density = 0.3989422804F * vexp(-0.5F * x * x);
        return dy * (0.5F * (1.0F + verf(x * 0.70710678F)) + x * density);
    }
    case RVL_UNARY_GELU_TANH: {
        const vf t = vtanh(GELU_A * (x + GELU_B * x * x * x));
        return dy * (0.5F * (1.0F + t) + 0.5F * x * (1.0F - t * t) * GELU_A * (1.0F + 3.0F * GELU_B * x * x));
    }
    case RVL_UNARY_GELU_QUICK: {
        const vf s = vsigmoid(1.702F * x);
        return dy * (s + 1.702F * x * s * (1.0F - s));
    }
    case RVL_UNARY_SILU: {
        const vf s = vsigmoid(x);
        return dy * (s + x * s * (1.0F - s));
    }
    case RVL_UNARY_SIGMOID: {
        const vf s = vsigmoid(x);
        return dy * s * (1.0F - s);
    }
    case RVL_UNARY_TANH: {
        const vf t = vtanh(x);
        return dy * (1.0F - t * t);
    }
    default: /* RVL_UNARY_CLAMP */
        return (vf)((vi)dy & ((x >= a) & (x <= b)));
    }
}

/* Elements of a buffer with the zeros of its last channel block. */
INLINE int64_t stored(const rvl_buf *b)
{
    const int64_t c = b->n_dims > 1 ? b->shape[1] : 1;

    return b->layout == RVL_LAYOUT_PLAIN ? b->count : b->count / c * ((c + VL - 1) / VL * VL);
}

/* Go through n elements in chunks on all threads: `body` handles vectors at i, and the rest in copies. */
#define FOR_CHUNKS(n) _Pragma("omp parallel for schedule(static)") for (int64_t begin = 0; begin < (n); begin += CHUNK)

#define UNARY_CASE(KIND)                                                                                               \
    case RVL_UNARY_##KIND:                                                                                             \
        for (; i + VL <= end; i += VL)                                                                                 \
            vstore(y + i, apply(vload(x + i), RVL_UNARY_##KIND, f.a, f.b));                                            \
        if (i < end)                                                                                                   \
            vstore_n(y + i, apply(vload_n(x + i, end - i), RVL_UNARY_##KIND, f.a, f.b), end - i);                      \
        break;
#define SLOPE_CASE(KIND)                                                                                               \
    case RVL_UNARY_##KIND:                                                                                             \
        for (; i + VL <= end; i += VL)                                                                                 \
            vstore(dx + i, slope(vload(x + i), vload(dy + i), RVL_UNARY_##KIND, f.a, f.b));                            \
        if (i < end)                                                                                                   \
            vstore_n(dx + i, slope(vload_n(x + i, end - i), vload_n(dy + i, end - i), RVL_UNARY_##KIND, f.a, f.b),     \
                     end - i);                                                                                         \
        break;
#define ALL_CASES(CASE)                                                                                                \
    CASE(EXP)                                                                                                          \
    CASE(SQUARE)                                                                                                       \
    CASE(RELU)                                                                                                         \
    CASE(LEAKY_RELU)                                                                                                   \
    CASE(GELU_ERF) CASE(GELU_TANH) CASE(GELU_QUICK) CASE(SILU) CASE(SIGMOID) CASE(TANH) CASE(CLAMP) default : break;

/* in: x; out: y. */
void ISA(unary)(rvl_kernel_call *call)
{
    const function f = {call->attr.unary.kind, (float)call->attr.unary.a, (float)call->attr.unary.b};
    const float   *x = call->in[0].data;
    float         *y = call->out[0].data;
    const int64_t  n = stored(&call->out[0]);

    FOR_CHUNKS(n)
    {
        const int64_t end = begin + CHUNK < n ? begin + CHUNK : n;
        int64_t       i = begin;
        switch (f.kind) {
            ALL_CASES(UNARY_CASE)
        }
    }
}

/* in: x, dy; out: dx. */
void ISA(unary_bwd)(rvl_kernel_call *call)
{
    const function f = {call->attr.unary.kind, (float)call->attr.unary.a, (float)call->attr.unary.b};
    const float   *x = call->in[0].data, *dy = call->in[1].data;
    float         *dx = call->out[0].data;
    const int64_t  n = stored(&call->out[0]);

    FOR_CHUNKS(n)
    {
        const int64_t end = begin + CHUNK < n ? begin + CHUNK : n;
        int64_t       i = begin;
        switch (f.kind) {
            ALL_CASES(SLOPE_CASE)
        }
    }
}

void ISA(affine)(rvl_kernel_call *call)
{
    const float   a = (float)call->attr.affine.a, b = (float)call->attr.affine.b, *x = call->in[0].data;
    float        *y = call->out[0].data;
    const int64_t n = stored(&call->out[0]);

    FOR_CHUNKS(n)
    {
        const int64_t end = begin + CHUNK < n ? begin + CHUNK : n;
        for (int64_t i = begin; i < end; i++)
            y[i] = x[i] * a + b;
    }
}

/* y = a op b for n elements, b one number. */
INLINE void with_number(float *y, const float *a, float b, int64_t n, rvl_op op)
{
    if (op == RVL_OP_ADD || op == RVL_OP_SUB) {
        const float c = op == RVL_OP_ADD ? b : -b;
        for (int64_t i = 0; i < n; i++)
            y[i] = a[i] + c;
    } else if (op == RVL_OP_MUL) {
        for (int64_t i = 0; i < n; i++)
            y[i] = a[i] * b;
    } else {
        for (int64_t i = 0; i < n; i++)
            y[i] = a[i] / b;
    }
}

/* y = a op b for n elements. */
INLINE void with_row(float *y, const float *a, const float *b, int64_t n, rvl_op op)
{
    if (op == RVL_OP_ADD)
        for (int64_t i = 0; i < n; i++)
            y[i] = a[i] + b[i];
    else if (op == RVL_OP_SUB)
        for (int64_t i = 0; i < n; i++)
            y[i] = a[i] - b[i];
    else if (op == RVL_OP_MUL)
        for (int64_t i = 0; i < n; i++)
            y[i] = a[i] * b[i];
    else
        for (int64_t i = 0; i < n; i++)
            y[i] = a[i] / b[i];
}

/* Arithmetic of two values of one shape and layout; prepared: the op. */
void ISA(binary_same)(rvl_kernel_call *call)
{
    const rvl_op  op = *(const rvl_op *)call->prepared;
    const float  *a = call->in[0].data, *b = call->in[1].data;
    float        *y = call->out[0].data;
    const int64_t n = stored(&call->out[0]);

    FOR_CHUNKS(n)
    {
        with_row(y + begin, a + begin, b + begin, n - begin < CHUNK ? n - begin : CHUNK, op);
    }
}

/* a (outer, middle, inner) op b (outer, inner). */
void ISA(binary_middle)(rvl_kernel_call *call)
{
    const rvl_cpu_binary *p = call->prepared;
    const rvl_cpu_middle *m = &p->middle;
    const int64_t         n = m->n_inner;
    const int64_t         run = n > 1 ? 1 : CHUNK, n_runs = (m->n_middle + run - 1) / run; /* middles of a task */
    const float          *a = call->in[0].data, *b = call->in[1].data;
    float                *y = call->out[0].data;

#pragma omp parallel for schedule(static)
    for (int64_t task = 0; task < m->n_outer * n_runs; task++) {
        const int64_t outer = task / n_runs, first = task % n_runs * run;
        const int64_t at = (outer * m->n_middle + first) * n;

        if (n > 1)
            with_row(y + at, a + at, b + outer * n, n, p->op);
        else
            with_number(y + at, a + at, b[outer], m->n_middle - first < run ? m->n_middle - first : run, p->op);
    }
}

/* Blocked x * scale + shift per channel, then residual and ReLU. in: x, scale, shift, [residual]; out: y. */
void ISA(scale_shift)(rvl_kernel_call *call)
{
    const rvl_cpu_norm *norm = call->prepared;
    const int64_t       c = call->in[0].shape[1], blocks = (c + VL - 1) / VL, n = call->in[0].shape[0];
    const int64_t       n_pos = call->in[0].count / (n * c);
    const float        *scale = call->in[1].data, *shift = call->in[2].data;

#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n * blocks; i++) {
        const int64_t c0 = i % blocks * VL, n_c = c - c0 < VL ? c - c0 : VL;
        const vf      a = vload_n(scale + c0, n_c), b = vload_n(shift + c0, n_c);
        const float  *x = (const float *)call->in[0].data + i * n_pos * VL;
        const float  *r = norm->has_residual ? (const float *)call->in[3].data + i * n_pos * VL : NULL;
        float        *y = (float *)call->out[0].data + i * n_pos * VL;

        for (int64_t k = 0; k < n_pos * VL; k += VL) {
            vf v = vload(x + k) * a + b;
            if (r)
                v = v + vload(r + k);
            vstore(y + k, norm->relu ? vrelu(v) : v);
        }
    }
}
