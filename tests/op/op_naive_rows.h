/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/op/op_naive_rows.h
 * Naive rows: softmax, normalisation and losses, as op_naive.h says. Gradients multiply dy by the full Jacobian.
 */
#ifndef RVL_TESTS_OP_NAIVE_ROWS_H
#define RVL_TESTS_OP_NAIVE_ROWS_H
#include "op/op_naive.h"

static int64_t last_extent(const op_shape *s)
{
    return s->shape[s->n_dims - 1];
}

/* Probability i of a row. */
static double softmax_at(const double *x, int64_t n, int64_t i)
{
    double sum = 0.0;

    for (int64_t j = 0; j < n; j++)
        sum += exp(x[j] - x[i]);
    return 1.0 / sum;
}

static void naive_softmax(const value *x, value *y, bool is_log)
{
    const int64_t n = last_extent(&x->s);

    for (int64_t i = 0; i < shape_count(&x->s); i++) {
        const double p = softmax_at(x->d + i / n * n, n, i % n);

        y->d[i] = is_log ? log(p) : p;
    }
}

/* From y: d softmax_j / d x_i = y_j (delta_ij - y_i); d log softmax_j / d x_i = delta_ij - exp y_i. */
static void naive_softmax_bwd(const value *y, const value *dy, value *dx, bool is_log)
{
    const int64_t n = last_extent(&y->s);

    for (int64_t i = 0; i < shape_count(&y->s); i++) {
        for (int64_t j = i / n * n; j < i / n * n + n; j++) {
            const double delta = i == j;

            dx->d[i] += dy->d[j] * (is_log ? delta - exp(y->d[i]) : y->d[j] * (delta - y->d[i]));
        }
    }
}

static void naive_l2(const value *x, value *y, value *norm, double eps)
{
    const int64_t n = last_extent(&x->s);

    for (int64_t row = 0; row < shape_count(&x->s) / n; row++) {
        double sum = 0.0;

        for (int64_t i = 0; i < n; i++)
            sum += pow(x->d[row * n + i], 2.0);
        norm->d[row] = sqrt(sum);
        for (int64_t i = 0; i < n; i++)
            y->d[row * n + i] = x->d[row * n + i] / fmax(norm->d[row], eps);
    }
}

static void naive_l2_bwd(const value *y, const value *norm, const value *dy, value *dx, double eps)
{
    const int64_t n = last_extent(&y->s);

    for (int64_t i = 0; i < shape_count(&y->s); i++) {
        const double r = norm->d[i / n];

        for (int64_t j = i / n * n; j < i / n * n + n; j++) {
            const double delta = i == j;

            dx->d[i] += dy->d[j] * (r > eps ? (delta - y->d[i] * y->d[j]) / r : delta / eps);
        }
    }
}

/* One normalised set of numbers: positions at[0..n) of x. */
typedef struct {
    int64_t  n;
    int64_t *at;
    double   mean, var;
} number_set;

static void set_moments(number_set *set, const value *x)
{
    set->mean = set->var = 0.0;
    for (int64_t i = 0; i < set->n; i++)
        set->mean += x->d[set->at[i]] / (double)set->n;
    for (int64_t i = 0; i < set->n; i++)
        set->var += pow(x->d[set->at[i]] - set->mean, 2.0) / (double)set->n;
}

/* dx for z_j = (x_j - mean) rstd given dz: the Jacobian is rstd (delta_ij - 1/n - z_i z_j / n). */
static void set_gradient(const number_set *set, const value *x, const double *dz, double mean, double rstd, value *dx)
{
    for (int64_t i = 0; i < set->n; i++) {
        const double zi = (x->d[set->at[i]] - mean) * rstd;

        for (int64_t j = 0; j < set->n; j++) {
            const double zj = (x->d[set->at[j]] - mean) * rstd;
            const double delta = i == j;

            dx->d[set->at[i]] += dz[set->at[j]] * rstd * (delta - 1.0 / (double)set->n - zi * zj / (double)set->n);
        }
    }
}

static int64_t set_places[1 << 16];

/* The elements of layer-norm row `i_set`, or of batch-norm group and channel `i_set`. */
static number_set set_of(const op_case *c, int64_t i_set)
{
    const op_shape *x = &c->in[0];
    number_set      set = {.at = set_places};

    for (int64_t i = 0; i < shape_count(x); i++) {
        int64_t at[RVL_MAX_DIMS];
        int64_t mine;

        index_of(at, x, i);
        if (c->op == RVL_OP_LAYER_NORM)
            mine = i / last_extent(x);
        else
            mine = at[0] / c->attr.batch_norm.group * x->shape[1] + at[1];
        if (mine == i_set)
            set.at[set.n++] = i;
    }
    return set;
}

/* Place in gamma and beta of element i of x. */
static int64_t norm_weight_at(const op_case *c, int64_t i)
{
    int64_t at[RVL_MAX_DIMS];

    index_of(at, &c->in[0], i);
    return c->op == RVL_OP_LAYER_NORM ? at[c->in[0].n_dims - 1] : at[1];
}

static double norm_rstd(const op_case *c, double second)
{
    return c->op == RVL_OP_LAYER_NORM ? second : 1.0 / sqrt(second + c->attr.batch_norm.eps);
}

/* out: y, mean, and rstd (layer norm) or variance (batch norm). */
static void naive_norm(const op_case *c, const value *in, value *out)
{
    for (int64_t k = 0; k < shape_count(&out[1].s); k++) {
        number_set   set = set_of(c, k);
        const double eps = c->op == RVL_OP_LAYER_NORM ? c->attr.eps.eps : c->attr.batch_norm.eps;

        set_moments(&set, &in[0]);
        out[1].d[k] = set.mean;
        out[2].d[k] = c->op == RVL_OP_LAYER_NORM ? 1.0 / sqrt(set.var + eps) : set.var;
        for (int64_t i = 0; i < set.n; i++) {
            const int64_t w = norm_weight_at(c, set.at[i]);

            out[0].d[set.at[i]] = (in[0].d[set.at[i]] - set.mean) / sqrt(set.var + eps) * in[1].d[w] + in[2].d[w];
        }
    }
}

/* in: x, gamma, mean, rstd or variance, dy; out: dx, dgamma, dbeta. */
static void naive_norm_bwd(const op_case *c, const value *in, value *out)
{
    double *dz = pool_take(shape_count(&in[0].s));

    for (int64_t i = 0; i < shape_count(&in[0].s); i++)
        dz[i] = in[4].d[i] * in[1].d[norm_weight_at(c, i)];
    for (int64_t k = 0; k < shape_count(&in[2].s); k++) {
        const number_set set = set_of(c, k);
        const double     mean = in[2].d[k], rstd = norm_rstd(c, in[3].d[k]);

        set_gradient(&set, &in[0], dz, mean, rstd, &out[0]);
        for (int64_t i = 0; i < set.n; i++) {
            const int64_t w = norm_weight_at(c, set.at[i]);

            out[1].d[w] += in[4].d[set.at[i]] * (in[0].d[set.at[i]] - mean) * rstd;
            out[2].d[w] += in[4].d[set.at[i]];
        }
    }
}

static void naive_bce(const value *in, value *loss)
{
    for (int64_t i = 0; i < shape_count(&loss->s); i++) {
        const double x = in[0].d[i], t = in[1].d[i];

        loss->d[i] = -in[2].d[i] * (t * log(logistic(x)) + (1.0 - t) * log(logistic(-x)));
    }
}

static void naive_bce_bwd(const value *in, value *dx)
{
    for (int64_t i = 0; i < shape_count(&dx->s); i++) {
        const double x = in[0].d[i], t = in[1].d[i];

        dx->d[i] = -in[3].d[i] * in[2].d[i] * (t * logistic(-x) - (1.0 - t) * logistic(x));
    }
}

/* Target probability of class k in a row: given, or 1 at the id. */
static double target_at(const op_case *c, const value *targets, int64_t row, int64_t k)
{
    if (c->op == RVL_OP_CROSS_ENTROPY)
        return targets->d[row] == (double)k;
    return targets->d[row * c->in[0].shape[1] + k];
}

static void naive_cross_entropy(const op_case *c, const value *in, value *loss)
{
    const int64_t n = c->in[0].shape[1];

    for (int64_t i = 0; i < shape_count(&c->in[0]); i++)
        loss->d[i / n] -= target_at(c, &in[1], i / n, i % n) * log(softmax_at(in[0].d + i / n * n, n, i % n));
}

static void naive_cross_entropy_bwd(const op_case *c, const value *in, value *dx)
{
    const int64_t n = c->in[0].shape[1];

    for (int64_t i = 0; i < shape_count(&c->in[0]); i++)
        for (int64_t j = 0; j < n; j++)
            dx->d[i] -= in[2].d[i / n] * target_at(c, &in[1], i / n, j) *
                        ((i % n == j) - softmax_at(in[0].d + i / n * n, n, i % n));
}

#endif /* RVL_TESTS_OP_NAIVE_ROWS_H */
