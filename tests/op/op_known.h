/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/op/op_known.h
 * Values known in closed form, and promises about bad input. Included by test_op_check.c, after its `report`.
 */
#ifndef RVL_TESTS_OP_KNOWN_H
#define RVL_TESTS_OP_KNOWN_H

/* Run a kernel on f64 values; outputs are written into out[i].d. */
static rvl_status known_run(rvl_op op, rvl_op_attr attr, int n_in, const value *in, int n_out, value *out)
{
    rvl_kernel_call call = {.n_in = n_in, .n_out = n_out, .attr = attr};

    for (int i = 0; i < n_in; i++) {
        call.in[i] = buf_of(&in[i], RVL_DTYPE_F64, &store[i]);
        buf_write(&call.in[i], in[i].d);
    }
    for (int i = 0; i < n_out; i++)
        call.out[i] = buf_of(&out[i], RVL_DTYPE_F64, &store[MAX_VALUES + i]);
    rvl_ref_kernels()->kernels[op](&call);
    for (int i = 0; i < n_out; i++)
        for (int64_t k = 0; k < call.out[i].count; k++)
            out[i].d[k] = buf_read(&call.out[i], k);
    return call.status;
}

static void known_expect(const char *what, double got, double expected)
{
    const op_case nameless = {.name = what};

    if (fabs(got - expected) <= 1e-14 * fmax(1.0, fabs(expected)))
        n_passed++;
    else
        report(&nameless, "known value", "f64", "FAIL", got);
}

static value known_value(int n_dims, int64_t rows, int64_t columns, double fill)
{
    const op_shape s = {n_dims, {rows, columns}};
    value          v = value_new(&s);

    for (int64_t i = 0; i < shape_count(&s); i++)
        v.d[i] = fill;
    return v;
}

static void known_rows(void)
{
    const rvl_op_attr none = {.none = {0}};
    value             y = known_value(2, 1, 8, 0.0);
    value             norm[3] = {known_value(2, 1, 8, 0.0), known_value(1, 1, 1, 0.0), known_value(1, 1, 1, 0.0)};

    known_run(RVL_OP_SOFTMAX, none, 1, (value[]){known_value(2, 1, 8, 3.5)}, 1, &y);
    known_expect("softmax of equal logits is uniform", y.d[5], 0.125);
    known_run(RVL_OP_SOFTMAX, none, 1, (value[]){known_value(2, 1, 8, 1e6)}, 1, &y);
    known_expect("softmax of huge equal logits is uniform", y.d[0], 0.125);
    known_run(RVL_OP_LOG_SOFTMAX, none, 1, (value[]){known_value(2, 1, 8, -1e6)}, 1, &y);
    known_expect("log-softmax of equal logits is -log K", y.d[7], -log(8.0));
    known_run(RVL_OP_LAYER_NORM, (rvl_op_attr){.eps = {1e-5}}, 3,
              (value[]){known_value(2, 1, 8, 4.25), known_value(1, 8, 1, 2.0), known_value(1, 8, 1, -0.75)}, 3, norm);
    known_expect("layer norm of a constant is beta", norm[0].d[3], -0.75);
    known_expect("layer norm of a constant keeps the mean", norm[1].d[0], 4.25);
    known_run(RVL_OP_L2_NORMALIZE, (rvl_op_attr){.eps = {1e-12}}, 1, (value[]){known_value(2, 1, 8, 0.0)}, 2, norm);
    known_expect("l2 normalise of zeros is zero", norm[0].d[0], 0.0);
}

static void known_losses(void)
{
    const rvl_op_attr none = {.none = {0}};
    value             loss = known_value(2, 1, 2, 0.0), row_loss = known_value(1, 1, 1, 0.0);
    value             x = known_value(2, 1, 2, 0.0), t = known_value(2, 1, 2, 0.25), w = known_value(2, 1, 2, 1.0);
    value             ids = known_value(1, 1, 1, 4.0);
    value             dl = known_value(2, 1, 2, 1.0);

    known_run(RVL_OP_BCE, none, 3, (value[]){x, t, w}, 1, &loss);
    known_expect("bce at logit 0 is ln 2", loss.d[0], log(2.0));
    x.d[0] = 800.0;
    t.d[0] = 0.0;
    t.d[1] = NAN;
    w.d[1] = 0.0;
    known_run(RVL_OP_BCE, none, 3, (value[]){x, t, w}, 1, &loss);
    known_expect("bce of a huge wrong logit is the logit", loss.d[0], 800.0);
    known_expect("bce ignores a NaN target of weight 0", loss.d[1], 0.0);
    known_run(RVL_OP_BCE_BWD, none, 4, (value[]){x, t, w, dl}, 1, &loss);
    known_expect("bce gradient of a huge wrong logit is 1", loss.d[0], 1.0);
    known_expect("bce gradient ignores a NaN target of weight 0", loss.d[1], 0.0);
    ids.is_ids = true;
    known_run(RVL_OP_CROSS_ENTROPY, none, 2, (value[]){known_value(2, 1, 8, 2.0), ids}, 1, &row_loss);
    known_expect("cross-entropy of equal logits is log K", row_loss.d[0], log(8.0));
}

static void known_bad_ids(void)
{
    const rvl_op_attr none = {.none = {0}};
    value             table = known_value(2, 3, 2, 1.0), ids = known_value(1, 2, 1, 1.0), y = known_value(2, 2, 2, 9.0);
    value             loss = known_value(1, 2, 1, 9.0), dtable = known_value(2, 3, 2, 0.0);

    ids.is_ids = true;
    known_expect("ids inside the table are fine", known_run(RVL_OP_EMBEDDING, none, 2, (value[]){table, ids}, 1, &y),
                 RVL_OK);
    ids.d[1] = 3.0;
    known_expect("an id behind the table is a numeric error",
                 known_run(RVL_OP_EMBEDDING, none, 2, (value[]){table, ids}, 1, &y), RVL_ERR_NUMERIC);
    known_expect("a bad id gives zeros", y.d[2], 0.0);
    known_expect("a class behind the last is a numeric error",
                 known_run(RVL_OP_CROSS_ENTROPY, none, 2, (value[]){known_value(2, 2, 3, 1.0), ids}, 1, &loss),
                 RVL_ERR_NUMERIC);
    ids.d[1] = -2.0;
    known_expect("a negative id is a numeric error",
                 known_run(RVL_OP_EMBEDDING_BWD, none, 2, (value[]){ids, y}, 1, &dtable), RVL_ERR_NUMERIC);
}

/* A NaN must not be hidden by a comparison. */
static void known_nan(void)
{
    static const rvl_unary_kind kinds[] = {RVL_UNARY_RELU, RVL_UNARY_LEAKY_RELU, RVL_UNARY_CLAMP, RVL_UNARY_SOFTPLUS};
    const op_shape              plane = {3, {1, 1, 4}};
    value                       x = value_new(&plane), pooled[2] = {value_new(&plane), value_new(&plane)};

    x.d[2] = NAN;
    pooled[1].is_ids = true;
    pooled[0].s.shape[2] = pooled[1].s.shape[2] = 1;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        value y = value_new(&plane);

        known_run(RVL_OP_UNARY, (rvl_op_attr){.unary = {kinds[i], 0.1, 0.9}}, 1, &x, 1, &y);
        known_expect("activations keep a NaN", isnan(y.d[2]), 1.0);
    }
    known_run(RVL_OP_MAX_POOL, (rvl_op_attr){.pool = {{4}, {4}, {0}}}, 1, &x, 2, pooled);
    known_expect("max-pool keeps a NaN", isnan(pooled[0].d[0]), 1.0);
}

static void known_ties(void)
{
    const op_shape plane = {3, {1, 1, 4}}, one = {3, {1, 1, 1}};
    value          x = value_new(&plane), pooled[2] = {value_new(&one), value_new(&one)};

    x.d[0] = -1.0;
    pooled[1].is_ids = true;
    known_run(RVL_OP_MAX_POOL, (rvl_op_attr){.pool = {{4}, {4}, {0}}}, 1, &x, 2, pooled);
    known_expect("max-pool takes the first of equal maxima", pooled[1].d[0], 1.0);
}

static void check_known_values(void)
{
    pool_used = 0;
    known_ties();
    known_rows();
    known_losses();
    known_bad_ids();
    known_nan();
}

#endif /* RVL_TESTS_OP_KNOWN_H */
