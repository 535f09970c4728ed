/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/ref/elementwise.c
 * Arithmetic with broadcasting, functions of one variable with their derivatives, dropout.
 */
#include <math.h>
#include "base/rng.h"
#include "engine/ref/ref.h"

#define SQRT_HALF 0.70710678118654752440
#define INV_SQRT_2PI 0.39894228040143267794
#define SQRT_2_OVER_PI 0.79788456080286535588
#define GELU_TANH_CUBIC 0.044715
#define GELU_QUICK_SLOPE 1.702

static double sigmoid(double x)
{
    const double e = exp(-fabs(x));

    return (x >= 0.0 ? 1.0 : e) / (1.0 + e);
}

/* A NaN stays a NaN: comparisons are written so that it takes the branch that keeps it. */
static double unary_value(const rvl_unary_attr *attr, double x)
{
    switch (attr->kind) {
    case RVL_UNARY_EXP:
        return exp(x);
    case RVL_UNARY_LOG:
        return log(x);
    case RVL_UNARY_SQRT:
        return sqrt(x);
    case RVL_UNARY_SQUARE:
        return x * x;
    case RVL_UNARY_RELU:
        return x < 0.0 ? 0.0 : x;
    case RVL_UNARY_LEAKY_RELU:
        return x < 0.0 ? attr->a * x : x;
    case RVL_UNARY_GELU_ERF:
        return 0.5 * x * (1.0 + erf(x * SQRT_HALF));
    case RVL_UNARY_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(SQRT_2_OVER_PI * (x + GELU_TANH_CUBIC * x * x * x)));
    case RVL_UNARY_GELU_QUICK:
        return x * sigmoid(GELU_QUICK_SLOPE * x);
    case RVL_UNARY_SILU:
        return x * sigmoid(x);
    case RVL_UNARY_SIGMOID:
        return sigmoid(x);
    case RVL_UNARY_TANH:
        return tanh(x);
    case RVL_UNARY_SOFTPLUS:
        return (x < 0.0 ? 0.0 : x) + log1p(exp(-fabs(x)));
    case RVL_UNARY_CLAMP:
        return x < attr->a ? attr->a : x > attr->b ? attr->b : x;
    }
    return NAN;
}

/* dy times the derivative at x. */
static double unary_gradient(const rvl_unary_attr *attr, double x, double dy)
{
    switch (attr->kind) {
    case RVL_UNARY_EXP:
        return dy * exp(x);
    case RVL_UNARY_LOG:
        return dy / x;
    case RVL_UNARY_SQRT:
        return dy * 0.5 / sqrt(x);
    case RVL_UNARY_SQUARE:
        return dy * 2.0 * x;
    case RVL_UNARY_RELU:
        return x <= 0.0 ? 0.0 : dy;
    case RVL_UNARY_LEAKY_RELU:
        return x <= 0.0 ? attr->a * dy : dy;
    case RVL_UNARY_GELU_ERF:
        return dy * (0.5 * (1.0 + erf(x * SQRT_HALF)) + x * INV_SQRT_2PI * exp(-0.5 * x * x));
    case RVL_UNARY_GELU_TANH: {
        const double t = tanh(SQRT_2_OVER_PI * (x + GELU_TANH_CUBIC * x * x * x));
        const double inner = SQRT_2_OVER_PI * (1.0 + 3.0 * GELU_TANH_CUBIC * x * x);

        return dy * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner);
    }
    case RVL_UNARY_GELU_QUICK: {
        const double s = sigmoid(GELU_QUICK_SLOPE * x);

        return dy * (s + GELU_QUICK_SLOPE * x * s * (1.0 - s));
    }
    case RVL_UNARY_SILU: {
        const double s = sigmoid(x);

        return dy * (s + x * s * (1.0 - s));
    }
    case RVL_UNARY_SIGMOID: {
        const double s = sigmoid(x);

        return dy * s * (1.0 - s);
    }
    case RVL_UNARY_TANH: {
        const double t = tanh(x);

        return dy * (1.0 - t * t);
    }
    case RVL_UNARY_SOFTPLUS:
        return dy * sigmoid(x);
    case RVL_UNARY_CLAMP:
        return x < attr->a || x > attr->b ? 0.0 : dy;
    }
    return NAN;
}

#define RVL_REF_FILE "engine/ref/elementwise.inc"
#include "engine/ref/both.h"

RVL_REF_DISPATCH(add)
RVL_REF_DISPATCH(sub)
RVL_REF_DISPATCH(mul)
RVL_REF_DISPATCH(div)
RVL_REF_DISPATCH(affine)
RVL_REF_DISPATCH(unary)
RVL_REF_DISPATCH(unary_bwd)
RVL_REF_DISPATCH(dropout)
RVL_REF_DISPATCH(scale_shift)
