/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/op/op_naive.h
 * Every operation and every backward kernel once more, in f64, from the definition and with the dumbest index
 * arithmetic: nothing here is shared with src/engine. Gradients are written as adjoints of the loop that defines
 * the operation, or with the full Jacobian, not with the formulas of the kernels.
 */
#ifndef RVL_TESTS_OP_NAIVE_H
#define RVL_TESTS_OP_NAIVE_H
#include "base/rng.h"
#include "op/op_cases.h"

typedef struct {
    op_shape s;
    bool     is_ids;
    double  *d;
} value;

/* Memory of one row; reset before the next. */
static double  pool[1 << 21];
static int64_t pool_used;

static double *pool_take(int64_t n)
{
    double *p = pool + pool_used;

    pool_used += n;
    if (pool_used > (int64_t)(sizeof pool / sizeof *pool))
        return NULL; /* a crash: enlarge the pool */
    memset(p, 0, (size_t)n * sizeof *p);
    return p;
}

static value value_new(const op_shape *s)
{
    return (value){.s = *s, .d = pool_take(shape_count(s))};
}

static void index_of(int64_t *at, const op_shape *s, int64_t i)
{
    for (int a = s->n_dims - 1; a >= 0; a--) {
        at[a] = i % s->shape[a];
        i /= s->shape[a];
    }
}

/* Element of `s` at the index `at` of a shape of n_dims axes, aligned at the last axis, repeated where s is 1. */
static int64_t repeated_at(const op_shape *s, const int64_t *at, int n_dims)
{
    int64_t i = 0;

    for (int a = 0; a < s->n_dims; a++) {
        const int64_t k = at[a + n_dims - s->n_dims];

        i = i * s->shape[a] + (s->shape[a] == 1 ? 0 : k);
    }
    return i;
}

/* Shape of what broadcasting a and b gives. */
static op_shape shape_broadcast(const op_shape *a, const op_shape *b)
{
    op_shape out = a->n_dims >= b->n_dims ? *a : *b;

    for (int i = 1; i <= out.n_dims; i++) {
        const int64_t ea = i <= a->n_dims ? a->shape[a->n_dims - i] : 1;
        const int64_t eb = i <= b->n_dims ? b->shape[b->n_dims - i] : 1;

        out.shape[out.n_dims - i] = ea > eb ? ea : eb;
    }
    return out;
}

/* Extent of spatial axis `a` of three; missing slow ones are 1. */
static int64_t spatial(const op_shape *s, int a)
{
    const int axis = a - 3 + s->n_dims;

    return axis >= 2 ? s->shape[axis] : 1;
}

static int attr_at(const int attr[3], int rank, int a, int missing)
{
    const int axis = a - 3 + rank;

    return axis >= 0 ? attr[axis] : missing;
}

static int64_t plane_at(const op_shape *s, int64_t n, int64_t c, const int64_t at[3])
{
    int64_t i = n * s->shape[1] + c;

    for (int a = 0; a < 3; a++)
        i = i * spatial(s, a) + at[a];
    return i;
}

static op_shape conv_shape(const op_shape *x, const op_shape *w, const rvl_conv_attr *attr)
{
    op_shape y = *x;

    y.shape[1] = w->shape[0];
    for (int a = 0; a < x->n_dims - 2; a++)
        y.shape[a + 2] = (x->shape[a + 2] + attr->pad_before[a] + attr->pad_after[a] -
                          attr->dilation[a] * (w->shape[a + 2] - 1) - 1) /
                             attr->stride[a] +
                         1;
    return y;
}

typedef enum { INTO_Y, INTO_X, INTO_W } direction;

/* For each output element, input channel and tap: add the product of two into the third. */
static void naive_conv(value *x, value *w, value *y, const rvl_conv_attr *attr, direction into)
{
    const int     rank = x->s.n_dims - 2;
    const int64_t c_per_group = w->s.shape[1], o_per_group = w->s.shape[0] / attr->groups;
    const int64_t n_y = shape_count(&y->s);

    for (int64_t yi = 0; yi < n_y; yi++) {
        int64_t rest = yi, out[3], n, o;

        for (int a = 2; a >= 0; a--) {
            out[a] = rest % spatial(&y->s, a);
            rest /= spatial(&y->s, a);
        }
        o = rest % y->s.shape[1];
        n = rest / y->s.shape[1];
        for (int64_t c = 0; c < c_per_group; c++) {
            const int64_t n_taps = spatial(&w->s, 0) * spatial(&w->s, 1) * spatial(&w->s, 2);

            for (int64_t tap = 0; tap < n_taps; tap++) {
                const int64_t k[3] = {tap / (spatial(&w->s, 1) * spatial(&w->s, 2)),
                                      tap / spatial(&w->s, 2) % spatial(&w->s, 1), tap % spatial(&w->s, 2)};
                int64_t       in[3], xi, wi;
                bool          inside = true;

                for (int a = 0; a < 3; a++) {
                    in[a] = out[a] * attr_at(attr->stride, rank, a, 1) - attr_at(attr->pad_before, rank, a, 0) +
                            k[a] * attr_at(attr->dilation, rank, a, 1);
                    inside = inside && in[a] >= 0 && in[a] < spatial(&x->s, a);
                }
                if (!inside)
                    continue;
                xi = plane_at(&x->s, n, o / o_per_group * c_per_group + c, in);
                wi = plane_at(&w->s, o, c, k);
                if (into == INTO_Y)
                    y->d[yi] += x->d[xi] * w->d[wi];
                else if (into == INTO_X)
                    x->d[xi] += y->d[yi] * w->d[wi];
                else
                    w->d[wi] += x->d[xi] * y->d[yi];
            }
        }
    }
}

static op_shape pool_shape(const op_shape *x, const rvl_pool_attr *attr)
{
    op_shape y = *x;

    for (int a = 0; a < x->n_dims - 2; a++)
        y.shape[a + 2] = (x->shape[a + 2] + 2 * attr->pad[a] - attr->kernel[a]) / attr->stride[a] + 1;
    return y;
}

/* max: y and index from x. Otherwise the mean, or its adjoint dx from dy. */
static void naive_pool(value *x, value *y, value *index, const rvl_pool_attr *attr, bool into_x)
{
    const int rank = x->s.n_dims - 2;
    double    count = 1.0;

    for (int a = 0; a < rank; a++)
        count *= attr->kernel[a];
    for (int64_t yi = 0; yi < shape_count(&y->s); yi++) {
        int64_t rest = yi, out[3], at[3];
        bool    any = false;

        for (int a = 2; a >= 0; a--) {
            out[a] = rest % spatial(&y->s, a);
            rest /= spatial(&y->s, a);
        }
        for (at[0] = 0; at[0] < spatial(&x->s, 0); at[0]++) {
            for (at[1] = 0; at[1] < spatial(&x->s, 1); at[1]++) {
                for (at[2] = 0; at[2] < spatial(&x->s, 2); at[2]++) {
                    const int64_t xi = plane_at(&x->s, rest / x->s.shape[1], rest % x->s.shape[1], at);
                    bool          inside = true;

                    for (int a = 0; a < 3; a++) {
                        const int64_t k =
                            at[a] + attr_at(attr->pad, rank, a, 0) - out[a] * attr_at(attr->stride, rank, a, 1);

                        inside = inside && k >= 0 && k < attr_at(attr->kernel, rank, a, 1);
                    }
                    if (!inside)
                        continue;
                    if (into_x) {
                        x->d[xi] += y->d[yi] / count;
                    } else if (!index) {
                        y->d[yi] += x->d[xi] / count;
                    } else if (!any || x->d[xi] > y->d[yi]) {
                        y->d[yi] = x->d[xi];
                        index->d[yi] = (double)((at[0] * spatial(&x->s, 1) + at[1]) * spatial(&x->s, 2) + at[2]);
                        any = true;
                    }
                }
            }
        }
    }
}

static void naive_max_pool_bwd(value *dx, const value *dy, const value *index)
{
    const int64_t n_in = spatial(&dx->s, 0) * spatial(&dx->s, 1) * spatial(&dx->s, 2);
    const int64_t n_out = spatial(&dy->s, 0) * spatial(&dy->s, 1) * spatial(&dy->s, 2);

    for (int64_t i = 0; i < shape_count(&dy->s); i++)
        dx->d[i / n_out * n_in + (int64_t)index->d[i]] += dy->d[i];
}

static op_shape matmul_shape(const op_shape *a, const op_shape *b, const rvl_matmul_attr *attr)
{
    op_shape y = a->n_dims >= b->n_dims ? *a : *b;

    y.shape[y.n_dims - 2] = a->shape[a->n_dims - (attr->trans_a ? 1 : 2)];
    y.shape[y.n_dims - 1] = b->shape[b->n_dims - (attr->trans_b ? 2 : 1)];
    return y;
}

static void naive_matmul(const value *a, const value *b, value *y, const rvl_matmul_attr *attr)
{
    const int64_t m = y->s.shape[y->s.n_dims - 2], n = y->s.shape[y->s.n_dims - 1];
    const int64_t k_count = a->s.shape[a->s.n_dims - (attr->trans_a ? 2 : 1)];

    for (int64_t i = 0; i < shape_count(&y->s); i++) {
        const int64_t batch = i / (m * n), row = i / n % m, column = i % n;

        for (int64_t k = 0; k < k_count; k++) {
            const int64_t ai = attr->trans_a ? k * m + row : row * k_count + k;
            const int64_t bi = attr->trans_b ? column * k_count + k : k * n + column;

            y->d[i] += a->d[(a->s.n_dims > 2 ? batch * m * k_count : 0) + ai] *
                       b->d[(b->s.n_dims > 2 ? batch * k_count * n : 0) + bi];
        }
    }
}

static void naive_binary(rvl_op op, const value *a, const value *b, value *y)
{
    for (int64_t i = 0; i < shape_count(&y->s); i++) {
        int64_t at[RVL_MAX_DIMS];
        double  u, v;

        index_of(at, &y->s, i);
        u = a->d[repeated_at(&a->s, at, y->s.n_dims)];
        v = b->d[repeated_at(&b->s, at, y->s.n_dims)];
        y->d[i] = op == RVL_OP_ADD ? u + v : op == RVL_OP_SUB ? u - v : op == RVL_OP_MUL ? u * v : u / v;
    }
}

static double logistic(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

/* Value of a function of one variable, and its derivative in *slope. */
static double naive_unary(const rvl_unary_attr *attr, double x, double *slope)
{
    const double pi = acos(-1.0);
    double       y = NAN, s = NAN, u;

    switch (attr->kind) {
    case RVL_UNARY_EXP:
        y = s = exp(x);
        break;
    case RVL_UNARY_LOG:
        y = log(x);
        s = 1.0 / x;
        break;
    case RVL_UNARY_SQRT:
        y = sqrt(x);
        s = 0.5 / y;
        break;
    case RVL_UNARY_SQUARE:
        y = x * x;
        s = 2.0 * x;
        break;
    case RVL_UNARY_RELU:
        y = fmax(x, 0.0);
        s = x > 0.0;
        break;
    case RVL_UNARY_LEAKY_RELU:
        y = fmax(x, attr->a * x);
        s = x > 0.0 ? 1.0 : attr->a;
        break;
    case RVL_UNARY_GELU_ERF: /* x times the normal distribution function */
        y = x * 0.5 * erfc(-x / sqrt(2.0));
        s = 0.5 * erfc(-x / sqrt(2.0)) + x * exp(-x * x / 2.0) / sqrt(2.0 * pi);
        break;
    case RVL_UNARY_GELU_TANH: /* 0.5 (1 + tanh u) is the logistic function of 2 u */
        u = 2.0 * sqrt(2.0 / pi) * (x + 0.044715 * pow(x, 3.0));
        y = x * logistic(u);
        s = logistic(u) + x * logistic(u) * logistic(-u) * 2.0 * sqrt(2.0 / pi) * (1.0 + 0.134145 * x * x);
        break;
    case RVL_UNARY_GELU_QUICK:
        y = x * logistic(1.702 * x);
        s = logistic(1.702 * x) + 1.702 * x * logistic(1.702 * x) * logistic(-1.702 * x);
        break;
    case RVL_UNARY_SILU:
        y = x * logistic(x);
        s = logistic(x) + x * logistic(x) * logistic(-x);
        break;
    case RVL_UNARY_SIGMOID:
        y = logistic(x);
        s = logistic(x) * logistic(-x);
        break;
    case RVL_UNARY_TANH:
        y = (exp(x) - exp(-x)) / (exp(x) + exp(-x));
        s = 4.0 / pow(exp(x) + exp(-x), 2.0);
        break;
    case RVL_UNARY_SOFTPLUS:
        y = log(1.0 + exp(x));
        s = logistic(x);
        break;
    case RVL_UNARY_CLAMP:
        y = fmin(fmax(x, attr->a), attr->b);
        s = x > attr->a && x < attr->b;
        break;
    }
    *slope = s;
    return y;
}

static void naive_sum(const value *x, value *y, unsigned axes, double scale)
{
    for (int64_t i = 0; i < shape_count(&x->s); i++) {
        int64_t at[RVL_MAX_DIMS], yi = 0;

        index_of(at, &x->s, i);
        for (int a = 0; a < x->s.n_dims; a++)
            if (!(axes >> a & 1u))
                yi = yi * x->s.shape[a] + at[a];
        y->d[yi] += x->d[i] * scale;
    }
}

static op_shape sum_shape(const op_shape *x, const rvl_reduce_attr *attr)
{
    op_shape y = {0};

    for (int a = 0; a < x->n_dims; a++) {
        if (!(attr->axes >> a & 1u))
            y.shape[y.n_dims++] = x->shape[a];
        else if (attr->keep)
            y.shape[y.n_dims++] = 1;
    }
    if (y.n_dims == 0)
        y = (op_shape){1, {1}};
    return y;
}

#endif /* RVL_TESTS_OP_NAIVE_H */
