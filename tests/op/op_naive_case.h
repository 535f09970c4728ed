/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/op/op_naive_case.h
 * A row of the op table through naive code: its outputs, and what each backward kernel of its operation should give.
 */
#ifndef RVL_TESTS_OP_NAIVE_CASE_H
#define RVL_TESTS_OP_NAIVE_CASE_H
#include "op/op_naive_rows.h"

/* Key of the random numbers in checked calls. */
#define CHECK_SEED 7
#define CHECK_STEP 3

/* A backward kernel with its inputs and expected outputs. */
typedef struct {
    rvl_op op;
    int    n_in, n_out;
    value  in[5], out[3];
} bwd_io;

static void value_round(value *v, rvl_dtype dtype)
{
    for (int64_t i = 0; dtype == RVL_DTYPE_F32 && i < shape_count(&v->s); i++)
        v->d[i] = (double)(float)v->d[i];
}

/* Same elements, moved: slice, transpose, concat; `into_x` moves them back. */
static void naive_move(const op_case *c, value *x, value *y, int64_t start, bool into_x)
{
    const value *moved = into_x || c->op != RVL_OP_CONCAT ? y : x;

    for (int64_t i = 0; i < shape_count(&moved->s); i++) {
        int64_t at[RVL_MAX_DIMS], other[RVL_MAX_DIMS], j;

        index_of(at, &moved->s, i);
        memcpy(other, at, sizeof other);
        if (c->op == RVL_OP_TRANSPOSE) {
            for (int a = 0; a < y->s.n_dims; a++)
                other[c->attr.perm.perm[a]] = at[a];
        } else {
            other[c->op == RVL_OP_CONCAT ? c->attr.axis.axis : c->attr.slice.axis] += start;
        }
        if (moved == y) {
            j = repeated_at(&x->s, other, x->s.n_dims);
            if (into_x)
                x->d[j] = y->d[i];
            else
                y->d[i] = x->d[j];
        } else {
            y->d[repeated_at(&y->s, other, y->s.n_dims)] = x->d[i];
        }
    }
}

/* Broadcasting x to y, or adding up y in x. */
static void naive_repeat(value *x, value *y, bool into_x)
{
    for (int64_t i = 0; i < shape_count(&y->s); i++) {
        int64_t at[RVL_MAX_DIMS], j;

        index_of(at, &y->s, i);
        j = repeated_at(&x->s, at, y->s.n_dims);
        if (into_x)
            x->d[j] += y->d[i];
        else
            y->d[i] = x->d[j];
    }
}

static void naive_embedding(value *table, const value *ids, value *y, bool into_table)
{
    const int64_t width = table->s.shape[1];

    for (int64_t i = 0; i < shape_count(&y->s); i++) {
        const int64_t j = (int64_t)ids->d[i / width] * width + i % width;

        if (into_table)
            table->d[j] += y->d[i];
        else
            y->d[i] = table->d[j];
    }
}

static void naive_dropout(const op_case *c, const value *x, value *y)
{
    rvl_rng r = rvl_rng_make(rvl_rng_mix(CHECK_SEED, CHECK_STEP), c->attr.dropout.node_id);

    for (int64_t i = 0; i < shape_count(&x->s); i++)
        y->d[i] = rvl_rng_uniform(&r) < c->attr.dropout.p ? 0.0 : x->d[i] / (1.0 - c->attr.dropout.p);
}

/* Shapes of the outputs; returns how many. */
static int case_shapes(const op_case *c, op_shape out[3])
{
    const op_shape *x = &c->in[0];

    out[0] = out[1] = out[2] = *x;
    switch (c->op) {
    case RVL_OP_CONV:
        out[0] = conv_shape(x, &c->in[1], &c->attr.conv);
        return 1;
    case RVL_OP_MAX_POOL:
        out[0] = out[1] = pool_shape(x, &c->attr.pool);
        return 2;
    case RVL_OP_AVG_POOL:
        out[0] = pool_shape(x, &c->attr.pool);
        return 1;
    case RVL_OP_MATMUL:
        out[0] = matmul_shape(x, &c->in[1], &c->attr.matmul);
        return 1;
    case RVL_OP_ADD:
    case RVL_OP_SUB:
    case RVL_OP_MUL:
    case RVL_OP_DIV:
        out[0] = shape_broadcast(x, &c->in[1]);
        return 1;
    case RVL_OP_L2_NORMALIZE:
        out[1].shape[x->n_dims - 1] = 1;
        return 2;
    case RVL_OP_LAYER_NORM:
        out[1].n_dims--;
        out[2].n_dims--;
        return 3;
    case RVL_OP_BATCH_NORM:
        out[1] = out[2] = (op_shape){2, {x->shape[0] / c->attr.batch_norm.group, x->shape[1]}};
        return 3;
    case RVL_OP_SUM:
        out[0] = sum_shape(x, &c->attr.reduce);
        return 1;
    case RVL_OP_BROADCAST:
    case RVL_OP_SUM_TO:
    case RVL_OP_RESHAPE:
        out[0] = c->to;
        return 1;
    case RVL_OP_TRANSPOSE:
        for (int a = 0; a < x->n_dims; a++)
            out[0].shape[a] = x->shape[c->attr.perm.perm[a]];
        return 1;
    case RVL_OP_SLICE:
        out[0].shape[c->attr.slice.axis] = c->attr.slice.n;
        return 1;
    case RVL_OP_CONCAT:
        for (int i = 1; i < c->n_in; i++)
            out[0].shape[c->attr.axis.axis] += c->in[i].shape[c->attr.axis.axis];
        return 1;
    case RVL_OP_EMBEDDING:
        out[0] = c->in[1];
        out[0].shape[out[0].n_dims++] = x->shape[1];
        return 1;
    case RVL_OP_CROSS_ENTROPY:
    case RVL_OP_CROSS_ENTROPY_SOFT:
        out[0].n_dims = 1;
        return 1;
    default:
        return 1;
    }
}

static int naive_forward(const op_case *c, value *in, value out[3])
{
    op_shape      shapes[3];
    const int     n_out = case_shapes(c, shapes);
    const int64_t n = shape_count(&shapes[0]);
    int64_t       start = 0;
    double        slope;

    for (int i = 0; i < n_out; i++)
        out[i] = value_new(&shapes[i]);
    switch (c->op) {
    case RVL_OP_CONV:
        naive_conv(&in[0], &in[1], &out[0], &c->attr.conv, INTO_Y);
        break;
    case RVL_OP_MAX_POOL:
        out[1].is_ids = true;
        naive_pool(&in[0], &out[0], &out[1], &c->attr.pool, false);
        break;
    case RVL_OP_AVG_POOL:
        naive_pool(&in[0], &out[0], NULL, &c->attr.pool, false);
        break;
    case RVL_OP_MATMUL:
        naive_matmul(&in[0], &in[1], &out[0], &c->attr.matmul);
        break;
    case RVL_OP_ADD:
    case RVL_OP_SUB:
    case RVL_OP_MUL:
    case RVL_OP_DIV:
        naive_binary(c->op, &in[0], &in[1], &out[0]);
        break;
    case RVL_OP_AFFINE:
        for (int64_t i = 0; i < n; i++)
            out[0].d[i] = c->attr.affine.a * in[0].d[i] + c->attr.affine.b;
        break;
    case RVL_OP_SCALE_SHIFT:
        for (int64_t i = 0; i < n; i++) {
            const int64_t width = n / (in[0].s.shape[0] * in[0].s.shape[1]), channel = i / width % in[0].s.shape[1];
            out[0].d[i] = in[0].d[i] * in[1].d[channel] + in[2].d[channel];
        }
        break;
    case RVL_OP_UNARY:
        for (int64_t i = 0; i < n; i++)
            out[0].d[i] = naive_unary(&c->attr.unary, in[0].d[i], &slope);
        break;
    case RVL_OP_SOFTMAX:
    case RVL_OP_LOG_SOFTMAX:
        naive_softmax(&in[0], &out[0], c->op == RVL_OP_LOG_SOFTMAX);
        break;
    case RVL_OP_L2_NORMALIZE:
        naive_l2(&in[0], &out[0], &out[1], c->attr.eps.eps);
        break;
    case RVL_OP_LAYER_NORM:
    case RVL_OP_BATCH_NORM:
        naive_norm(c, in, out);
        break;
    case RVL_OP_SUM:
        naive_sum(&in[0], &out[0], c->attr.reduce.axes, c->attr.reduce.scale);
        break;
    case RVL_OP_BROADCAST:
        naive_repeat(&in[0], &out[0], false);
        break;
    case RVL_OP_SUM_TO:
        naive_repeat(&out[0], &in[0], true);
        break;
    case RVL_OP_RESHAPE:
        memcpy(out[0].d, in[0].d, (size_t)n * sizeof *in[0].d);
        break;
    case RVL_OP_TRANSPOSE:
    case RVL_OP_SLICE:
        naive_move(c, &in[0], &out[0], c->attr.slice.start, false);
        break;
    case RVL_OP_CONCAT:
        for (int i = 0; i < c->n_in; i++) {
            naive_move(c, &in[i], &out[0], start, false);
            start += in[i].s.shape[c->attr.axis.axis];
        }
        break;
    case RVL_OP_EMBEDDING:
        naive_embedding(&in[0], &in[1], &out[0], false);
        break;
    case RVL_OP_DROPOUT:
        naive_dropout(c, &in[0], &out[0]);
        break;
    case RVL_OP_BCE:
        naive_bce(in, &out[0]);
        break;
    case RVL_OP_CROSS_ENTROPY:
    case RVL_OP_CROSS_ENTROPY_SOFT:
        naive_cross_entropy(c, in, &out[0]);
        break;
    default:
        break; /* the outputs stay zero: the row is mistrusted */
    }
    return n_out;
}

/* A backward kernel of inputs in[0..n_in), whose outputs have the shapes of `like`. */
static bwd_io bwd_new(rvl_op op, int n_in, const value *in, int n_out, const value *like)
{
    bwd_io b = {.op = op, .n_in = n_in, .n_out = n_out};

    for (int i = 0; i < n_in; i++)
        b.in[i] = in[i];
    for (int i = 0; i < n_out; i++)
        b.out[i] = value_new(&like[i].s);
    return b;
}

/* Returns how many backward kernels the operation of the row has. */
static int naive_backward(const op_case *c, value *in, value *out, value *dy, bwd_io bwd[2])
{
    double slope;

    switch (c->op) {
    case RVL_OP_CONV:
        bwd[0] = bwd_new(RVL_OP_CONV_BWD_DATA, 2, (value[]){in[1], *dy}, 1, &in[0]);
        naive_conv(&bwd[0].out[0], &in[1], dy, &c->attr.conv, INTO_X);
        bwd[1] = bwd_new(RVL_OP_CONV_BWD_WEIGHT, 2, (value[]){in[0], *dy}, 1, &in[1]);
        naive_conv(&in[0], &bwd[1].out[0], dy, &c->attr.conv, INTO_W);
        return 2;
    case RVL_OP_MAX_POOL:
        bwd[0] = bwd_new(RVL_OP_MAX_POOL_BWD, 2, (value[]){*dy, out[1]}, 1, &in[0]);
        naive_max_pool_bwd(&bwd[0].out[0], dy, &out[1]);
        return 1;
    case RVL_OP_AVG_POOL:
        bwd[0] = bwd_new(RVL_OP_AVG_POOL_BWD, 1, dy, 1, &in[0]);
        naive_pool(&bwd[0].out[0], dy, NULL, &c->attr.pool, true);
        return 1;
    case RVL_OP_UNARY:
        bwd[0] = bwd_new(RVL_OP_UNARY_BWD, 2, (value[]){in[0], *dy}, 1, &in[0]);
        for (int64_t i = 0; i < shape_count(&dy->s); i++) {
            (void)naive_unary(&c->attr.unary, in[0].d[i], &slope);
            bwd[0].out[0].d[i] = slope * dy->d[i];
        }
        return 1;
    case RVL_OP_SOFTMAX:
    case RVL_OP_LOG_SOFTMAX:
        bwd[0] = bwd_new(c->op == RVL_OP_SOFTMAX ? RVL_OP_SOFTMAX_BWD : RVL_OP_LOG_SOFTMAX_BWD, 2,
                         (value[]){out[0], *dy}, 1, &in[0]);
        naive_softmax_bwd(&out[0], dy, &bwd[0].out[0], c->op == RVL_OP_LOG_SOFTMAX);
        return 1;
    case RVL_OP_L2_NORMALIZE:
        bwd[0] = bwd_new(RVL_OP_L2_NORMALIZE_BWD, 3, (value[]){out[0], out[1], *dy}, 1, &in[0]);
        naive_l2_bwd(&out[0], &out[1], dy, &bwd[0].out[0], c->attr.eps.eps);
        return 1;
    case RVL_OP_LAYER_NORM:
    case RVL_OP_BATCH_NORM:
        bwd[0] = bwd_new(c->op == RVL_OP_LAYER_NORM ? RVL_OP_LAYER_NORM_BWD : RVL_OP_BATCH_NORM_BWD, 5,
                         (value[]){in[0], in[1], out[1], out[2], *dy}, 3, in);
        naive_norm_bwd(c, bwd[0].in, bwd[0].out);
        return 1;
    case RVL_OP_SLICE:
        bwd[0] = bwd_new(RVL_OP_SLICE_BWD, 1, dy, 1, &in[0]);
        naive_move(c, &bwd[0].out[0], dy, c->attr.slice.start, true);
        return 1;
    case RVL_OP_EMBEDDING:
        bwd[0] = bwd_new(RVL_OP_EMBEDDING_BWD, 2, (value[]){in[1], *dy}, 1, &in[0]);
        naive_embedding(&bwd[0].out[0], &in[1], dy, true);
        return 1;
    case RVL_OP_BCE:
        bwd[0] = bwd_new(RVL_OP_BCE_BWD, 4, (value[]){in[0], in[1], in[2], *dy}, 1, &in[0]);
        naive_bce_bwd(bwd[0].in, &bwd[0].out[0]);
        return 1;
    case RVL_OP_CROSS_ENTROPY:
    case RVL_OP_CROSS_ENTROPY_SOFT:
        bwd[0] = bwd_new(c->op == RVL_OP_CROSS_ENTROPY ? RVL_OP_CROSS_ENTROPY_BWD : RVL_OP_CROSS_ENTROPY_SOFT_BWD, 3,
                         (value[]){in[0], in[1], *dy}, 1, &in[0]);
        naive_cross_entropy_bwd(c, bwd[0].in, &bwd[0].out[0]);
        return 1;
    default:
        return 0; /* its gradient is made of forward operations */
    }
}

#endif /* RVL_TESTS_OP_NAIVE_CASE_H */
