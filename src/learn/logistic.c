/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/logistic.c
 * Newton's method with conjugate gradients for logistic regression.
 */
#include "learn/logistic.h"
#include "base/alloc.h"
#include <math.h>
#include <string.h>

enum { MAX_NEWTON = 200, MAX_HALVINGS = 40 };

/** What a fit works on; vectors of f + 1 have the intercept last. */
typedef struct {
    const rvl_logistic_data *data;
    double                   lambda;
    double                  *z, *curve;                               /* (n): scores, s p (1 - p) */
    double                  *grad, *diagonal, *step, *r, *p, *hp, *t; /* (f + 1) */
} fit;

/** log(1 + exp(z)) without overflow. */
static double softplus(double z)
{
    return z > 0 ? z + log1p(exp(-z)) : log1p(exp(z));
}

static double dot(const double *a, const double *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static double score(const double *coef, const rvl_logistic_data *data, int64_t i)
{
    return dot(coef, data->x + i * data->f, data->f) + coef[data->f];
}

void rvl_logistic_scores(double *out, const double *coef, const rvl_logistic_data *data)
{
    for (int64_t i = 0; i < data->n; i++)
        out[i] = score(coef, data, i);
}

static double loss_sum(const double *coef, const rvl_logistic_data *data)
{
    double sum = 0;
    for (int64_t i = 0; i < data->n; i++) {
        if (!(data->s[i] > 0))
            continue;
        const double z = score(coef, data, i);
        sum += data->s[i] * (softplus(z) - data->y[i] * z);
    }
    return sum;
}

double rvl_logistic_loss(const double *coef, const rvl_logistic_data *data)
{
    double weight = 0;
    for (int64_t i = 0; i < data->n; i++)
        weight += data->s[i];
    return weight > 0 ? loss_sum(coef, data) / weight : NAN;
}

static double objective(const fit *q, const double *coef)
{
    return loss_sum(coef, q->data) + 0.5 * q->lambda * dot(coef, coef, q->data->f);
}

/** Gradient, curvature of every row and the Hessian's diagonal at `coef`. */
static void differentiate(fit *q, const double *coef)
{
    const rvl_logistic_data *d = q->data;

    for (int k = 0; k <= d->f; k++) {
        q->grad[k] = k < d->f ? q->lambda * coef[k] : 0;
        q->diagonal[k] = k < d->f ? q->lambda : 0;
    }
    rvl_logistic_scores(q->z, coef, d);
    for (int64_t i = 0; i < d->n; i++) {
        const double *x = d->x + i * d->f;
        const double  p = 1 / (1 + exp(-q->z[i]));
        const double  residual = d->s[i] * (p - d->y[i]);
        const double  curve = d->s[i] * p * (1 - p);
        q->curve[i] = curve;
        for (int k = 0; k < d->f; k++) {
            q->grad[k] += residual * x[k];
            q->diagonal[k] += curve * x[k] * x[k];
        }
        q->grad[d->f] += residual;
        q->diagonal[d->f] += curve;
    }
    for (int k = 0; k <= d->f; k++) /* of the intercept far out, where every row is flat */
        q->diagonal[k] = fmax(q->diagonal[k], 1e-12);
}

/** out = Hessian v. */
static void hessian_times(double *out, const fit *q, const double *v)
{
    const rvl_logistic_data *d = q->data;

    for (int k = 0; k <= d->f; k++)
        out[k] = k < d->f ? q->lambda * v[k] : 0;
    for (int64_t i = 0; i < d->n; i++) {
        if (!(q->curve[i] > 0))
            continue;
        const double *x = d->x + i * d->f;
        const double  a = q->curve[i] * (dot(v, x, d->f) + v[d->f]);
        for (int k = 0; k < d->f; k++)
            out[k] += a * x[k];
        out[d->f] += a;
    }
}

/** step = -Hessian^-1 grad by conjugate gradients, preconditioned by the diagonal, to `tolerance` of the residual. */
static void newton_step(fit *q, double tolerance)
{
    const int m = q->data->f + 1;
    double    rz = 0;

    for (int k = 0; k < m; k++) {
        q->step[k] = 0;
        q->r[k] = -q->grad[k];
        q->p[k] = q->r[k] / q->diagonal[k];
        rz += q->r[k] * q->p[k];
    }
    const double stop = tolerance * tolerance * rz;
    for (int iteration = 0; iteration < 20 * m && rz > stop; iteration++) {
        double rz_next = 0;
        hessian_times(q->hp, q, q->p);
        const double curvature = dot(q->p, q->hp, m);
        if (!(curvature > 0))
            break;
        const double a = rz / curvature;
        for (int k = 0; k < m; k++) {
            q->step[k] += a * q->p[k];
            q->r[k] -= a * q->hp[k];
            rz_next += q->r[k] * q->r[k] / q->diagonal[k];
        }
        for (int k = 0; k < m; k++)
            q->p[k] = q->r[k] / q->diagonal[k] + rz_next / rz * q->p[k];
        rz = rz_next;
    }
}

/** Move along the step until the objective falls enough (Armijo). Returns the largest change, 0 at the minimum: where
 *  twice what is left to fall, -slope, is nothing beside the objective. */
static double move(fit *q, double *coef)
{
    const int    m = q->data->f + 1;
    const double slope = dot(q->grad, q->step, m);
    const double before = objective(q, coef);
    double       share = 1;

    if (-slope <= 1e-22 * fmax(1, fabs(before)))
        return 0;
    for (int i = 0; i < MAX_HALVINGS; i++, share /= 2) {
        double largest = 0;
        for (int k = 0; k < m; k++)
            q->t[k] = coef[k] + share * q->step[k];
        /* where the fall is below rounding the objective cannot tell, and a Newton step is right */
        const bool is_close = -slope < 1e-10 * fabs(before);
        if (!is_close && !(objective(q, q->t) <= before + 1e-4 * share * slope))
            continue;
        for (int k = 0; k < m; k++) {
            largest = fmax(largest, fabs(q->t[k] - coef[k]) / fmax(1, fabs(coef[k])));
            coef[k] = q->t[k];
        }
        return largest;
    }
    return NAN;
}

static rvl_status check(const rvl_logistic_data *d, double lambda, rvl_error *err)
{
    double sums[2] = {0, 0};

    if (!(lambda > 0))
        return rvl_fail(err, RVL_ERR_USAGE, "logistic regression: lambda is positive");
    for (int64_t i = 0; i < d->n; i++) {
        sums[0] += d->s[i] * (1 - d->y[i]);
        sums[1] += d->s[i] * d->y[i];
    }
    if (!(sums[0] > 0) || !(sums[1] > 0))
        return rvl_fail(err, RVL_ERR_NUMERIC, "logistic regression: the rows are of one class only");
    for (int64_t i = 0; i < d->n * d->f; i++)
        if (!isfinite(d->x[i]))
            return rvl_fail(err, RVL_ERR_NUMERIC, "logistic regression: feature %lld of row %lld is not finite",
                            (long long)(i % d->f), (long long)(i / d->f));
    return RVL_OK;
}

rvl_status rvl_logistic_fit(double *coef, const rvl_logistic_data *data, double lambda, rvl_error *err)
{
    const size_t m = (size_t)data->f + 1;
    fit          q = {.data = data, .lambda = lambda};
    rvl_status   st = check(data, lambda, err);

    if (st)
        return st;
    q.z = rvl_alloc_array(2 * (size_t)data->n + 7 * m, sizeof *q.z);
    if (!q.z)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for a logistic regression");
    q.curve = q.z + data->n;
    double **const vectors[] = {&q.grad, &q.diagonal, &q.step, &q.r, &q.p, &q.hp, &q.t};
    for (size_t i = 0; i < RVL_ARRAY_LEN(vectors); i++)
        *vectors[i] = q.curve + data->n + i * m;
    double first = 0;
    double change = INFINITY;
    for (int i = 0; i < MAX_NEWTON && change > 1e-12; i++) {
        differentiate(&q, coef);
        const double size = sqrt(dot(q.grad, q.grad, (int)m));
        first = i == 0 ? size : first;
        newton_step(&q, size > 1e-3 * first ? 1e-2 : 1e-8);
        change = move(&q, coef);
    }
    if (!(change <= 1e-12))
        st = rvl_fail(err, RVL_ERR_NUMERIC, "logistic regression: no minimum after %d steps (lambda %g)", MAX_NEWTON,
                      lambda);
    rvl_free(q.z);
    return st;
}
