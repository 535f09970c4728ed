/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/op/test_op_grad.c
 * The op table, mode grad: each row as a graph in f64, differentiated by rvl_graph_backward, against central finite
 * differences of sum(y * cotangent). Every second input is a weight, so both kinds of leaf are covered.
 *
 *   test_op_grad [TEXT]     only rows whose name contains TEXT
 */
#include <stdlib.h>
#include "op/op_cases.h"
#include "rvl/plan.h"

#define MAX_ERROR 1e-6
#define STEP 1e-5
#define MAX_CHECKED 97 /* elements of one input that are varied, spread over it */
#define MAX_COUNT (1 << 15)

static const char *program;
static int         n_passed, n_failed;

/* A row as a graph: inputs in0 in2 are graph inputs, in1 in3 weights; ids are always inputs. */
typedef struct {
    const op_case *c;
    rvl_params    *params;
    rvl_state     *state;
    rvl_graph     *graph;
    rvl_plan      *plan;
    int            n_leaves;
    double        *leaf[4]; /* values that the plan reads; NULL: no gradient is asked for */
    rvl_param     *param[4];
    int64_t        leaf_count[4];
} row_graph;

/* Ids, targets and loss weights take no gradient. */
static bool leaf_has_gradient(const op_case *c, int i)
{
    if (c->op == RVL_OP_BCE || c->op == RVL_OP_CROSS_ENTROPY_SOFT)
        return i == 0;
    return !case_input_is_ids(c, i);
}

/* Weights of the row: batch norm makes its own, under these names. */
static const char *leaf_name(const op_case *c, int i)
{
    static const char *const names[] = {"in0", "in1", "in2", "in3"};
    static const char *const batch_norms[] = {"in0", "weight", "bias"};

    return c->op == RVL_OP_BATCH_NORM ? batch_norms[i] : names[i];
}

static bool leaf_is_weight(const op_case *c, int i)
{
    return i % 2 == 1 ? leaf_has_gradient(c, i) : c->op == RVL_OP_BATCH_NORM && i == 2;
}

/* Sum over what broadcasting repeats has no builder: it is the gradient of adding. Broadcasting likewise is adding to
 * zeros. Reductions say "mean" by their scale. */
static rvl_node *build_row(rvl_graph *g, const op_case *c, rvl_node **in)
{
    switch (c->op) {
    case RVL_OP_CONV:
        return rvl_conv(in[0], in[1], c->attr.conv);
    case RVL_OP_MAX_POOL:
        return rvl_max_pool(in[0], c->attr.pool);
    case RVL_OP_AVG_POOL:
        return rvl_avg_pool(in[0], c->attr.pool);
    case RVL_OP_MATMUL:
        return rvl_matmul(in[0], in[1], c->attr.matmul);
    case RVL_OP_ADD:
        return rvl_add(in[0], in[1]);
    case RVL_OP_SUB:
        return rvl_sub(in[0], in[1]);
    case RVL_OP_MUL:
        return rvl_mul(in[0], in[1]);
    case RVL_OP_DIV:
        return rvl_div(in[0], in[1]);
    case RVL_OP_AFFINE:
        return rvl_affine(in[0], c->attr.affine.a, c->attr.affine.b);
    case RVL_OP_UNARY:
        return rvl_unary(in[0], c->attr.unary.kind, c->attr.unary.a, c->attr.unary.b);
    case RVL_OP_SOFTMAX:
        return rvl_softmax(in[0]);
    case RVL_OP_LOG_SOFTMAX:
        return rvl_log_softmax(in[0]);
    case RVL_OP_L2_NORMALIZE:
        return rvl_l2_normalize(in[0], c->attr.eps.eps);
    case RVL_OP_LAYER_NORM:
        return rvl_layer_norm(in[0], in[1], in[2], c->attr.eps.eps);
    case RVL_OP_BATCH_NORM:
        return rvl_batch_norm(in[0], c->attr.batch_norm);
    case RVL_OP_SUM:
        return (c->attr.reduce.scale < 1.0 ? rvl_mean : rvl_sum)(in[0], c->attr.reduce.axes, c->attr.reduce.keep);
    case RVL_OP_BROADCAST:
        return rvl_add(in[0], rvl_fill(g, c->to.n_dims, c->to.shape, 0.0));
    case RVL_OP_RESHAPE:
        return rvl_reshape(in[0], c->to.n_dims, c->to.shape);
    case RVL_OP_TRANSPOSE:
        return rvl_transpose(in[0], c->attr.perm.perm);
    case RVL_OP_SLICE:
        return rvl_slice(in[0], c->attr.slice.axis, c->attr.slice.start, c->attr.slice.n);
    case RVL_OP_CONCAT:
        return rvl_concat(c->n_in, in, c->attr.axis.axis);
    case RVL_OP_EMBEDDING:
        return rvl_embedding(in[0], in[1]);
    case RVL_OP_DROPOUT:
        return rvl_dropout(in[0], c->attr.dropout.p);
    case RVL_OP_BCE:
        return rvl_bce_with_logits(in[0], in[1], in[2]);
    case RVL_OP_CROSS_ENTROPY:
        return rvl_cross_entropy(in[0], in[1]);
    case RVL_OP_CROSS_ENTROPY_SOFT:
        return rvl_cross_entropy_soft(in[0], in[1]);
    default:
        return NULL; /* backward kernels and sum_to */
    }
}

/* Weights are given in f64 before the graph asks for them: differences of 1e-5 need the digits. */
static rvl_status give_weight(row_graph *r, int i, rvl_error *err)
{
    const op_shape *s = &r->c->in[i];
    rvl_tensor     *tensor = NULL;

    if (rvl_tensor_new(&tensor, RVL_DTYPE_F64, s->n_dims, s->shape, err) ||
        rvl_params_give(r->params, leaf_name(r->c, i), tensor, err))
        return err->code;
    r->param[i] = rvl_params_find(r->params, leaf_name(r->c, i));
    return RVL_OK;
}

static rvl_status row_open(row_graph *r, const op_case *c, rvl_error *err)
{
    static const char *const grads[] = {"d_in0", "d_in1", "d_in2", "d_in3"};
    rvl_node                *in[4] = {0}, *y, *cotangent;

    *r = (row_graph){.c = c};
    if (rvl_params_new(&r->params, 1, err) || rvl_state_new(&r->state, err))
        return err->code;
    for (int i = 0; i < c->n_in; i++)
        if (leaf_is_weight(c, i) && give_weight(r, i, err))
            return err->code;
    if (rvl_graph_new(&r->graph, r->params, r->state, RVL_DTYPE_F64, err))
        return err->code;
    for (int i = 0; i < c->n_in; i++) {
        if (c->op == RVL_OP_BATCH_NORM && i > 0)
            continue;
        if (leaf_is_weight(c, i))
            in[i] = rvl_weight(r->graph, leaf_name(c, i), c->in[i].n_dims, c->in[i].shape, (rvl_init){0});
        else
            in[i] = rvl_input(r->graph, leaf_name(c, i), case_input_is_ids(c, i) ? RVL_DTYPE_I32 : RVL_DTYPE_F64,
                              c->in[i].n_dims, c->in[i].shape);
    }
    y = build_row(r->graph, c, in);
    cotangent = rvl_input(r->graph, "cotangent", RVL_DTYPE_F64, rvl_node_n_dims(y), rvl_node_shape(y));
    rvl_output(r->graph, "y", y);
    rvl_graph_backward(r->graph, 1, &y, &cotangent);
    for (int i = 0; i < c->n_in; i++)
        if (in[i] && leaf_has_gradient(c, i) && !leaf_is_weight(c, i) && rvl_graph_grad(r->graph, in[i]))
            rvl_output(r->graph, grads[i], rvl_graph_grad(r->graph, in[i]));
    rvl_graph_output_weight_grads(r->graph);
    if (rvl_plan_new(&r->plan, r->graph, (rvl_plan_opts){.backend = RVL_BACKEND_REF, .debug_fill = true}, err))
        return err->code;
    rvl_plan_set_key(r->plan, 7, 3);
    return RVL_OK;
}

static void row_close(row_graph *r)
{
    rvl_plan_free(r->plan);
    rvl_graph_free(r->graph);
    rvl_state_free(r->state);
    rvl_params_free(r->params);
}

/* Fill every leaf and the cotangent. */
static void row_fill(row_graph *r)
{
    static double values[MAX_COUNT];

    for (int i = 0; i < r->c->n_in; i++) {
        rvl_tensor *t = r->param[i] ? rvl_param_tensor(r->param[i]) : rvl_plan_input(r->plan, leaf_name(r->c, i));

        r->leaf_count[i] = shape_count(&r->c->in[i]);
        fill_values(values, &r->c->in[i], r->c->fill[i], case_input_is_ids(r->c, i) ? case_n_ids(r->c) : 0);
        if (case_input_is_ids(r->c, i)) {
            for (int64_t k = 0; k < r->leaf_count[i]; k++)
                ((int32_t *)rvl_tensor_data(t))[k] = (int32_t)values[k];
        } else {
            memcpy(rvl_tensor_data(t), values, (size_t)r->leaf_count[i] * sizeof *values);
            r->leaf[i] = rvl_tensor_data(t);
        }
        if (r->param[i])
            rvl_param_touch(r->param[i]);
    }
    {
        rvl_tensor    *t = rvl_plan_input(r->plan, "cotangent");
        const op_shape s = {1, {rvl_tensor_count(t)}};

        fill_values(rvl_tensor_data(t), &s, FILL_SIGNED, 0);
    }
}

/* sum(y * cotangent) after a run. */
static rvl_status row_loss(row_graph *r, double *loss, rvl_error *err)
{
    const double *cotangent = rvl_tensor_data(rvl_plan_input(r->plan, "cotangent"));
    const double *y;

    if (rvl_plan_run(r->plan, err))
        return err->code;
    rvl_state_discard(r->state);
    y = rvl_tensor_const_data(rvl_plan_output(r->plan, "y"));
    *loss = 0.0;
    for (int64_t i = 0; i < rvl_tensor_count(rvl_plan_output(r->plan, "y")); i++)
        *loss += y[i] * cotangent[i];
    return RVL_OK;
}

static void report(const op_case *c, const char *leaf, const char *verdict, double number)
{
    n_failed++;
    printf("%s %s gradient of %s (%.3g)\n  rerun: %s '%s'\n", verdict, c->name, leaf, number, program, c->name);
}

/* Relative error of the gradient of leaf `i` over the elements that were varied. */
static rvl_status check_leaf(row_graph *r, int i, rvl_error *err)
{
    static double     analytic[MAX_COUNT];
    const char       *name = leaf_name(r->c, i);
    const int64_t     stride = r->leaf_count[i] / MAX_CHECKED + 1;
    char              output[32];
    const rvl_tensor *gradient;
    double            error = 0.0, power = 0.0;

    snprintf(output, sizeof output, r->param[i] ? "grad:%s" : "d_%s", name);
    gradient = rvl_plan_output(r->plan, output);
    if (!gradient) {
        report(r->c, name, "FAIL no", 0.0);
        return RVL_OK;
    }
    memcpy(analytic, rvl_tensor_const_data(gradient), (size_t)r->leaf_count[i] * sizeof *analytic);
    for (int64_t k = 0; k < r->leaf_count[i]; k += stride) {
        const double x = r->leaf[i][k];
        double       loss[2];

        for (int side = 0; side < 2; side++) {
            r->leaf[i][k] = side ? x + STEP : x - STEP;
            if (r->param[i])
                rvl_param_touch(r->param[i]);
            if (row_loss(r, &loss[side], err))
                return err->code;
        }
        r->leaf[i][k] = x;
        error += pow((loss[1] - loss[0]) / (2.0 * STEP) - analytic[k], 2.0);
        power += pow(analytic[k], 2.0);
    }
    if (r->param[i])
        rvl_param_touch(r->param[i]);
    if (!(error <= MAX_ERROR * MAX_ERROR * power))
        report(r->c, name, "FAIL", sqrt(error / power));
    else if (!(power > 0.0))
        report(r->c, name, "MISTRUSTED zero", power);
    else
        n_passed++;
    return RVL_OK;
}

static void check_row(const op_case *c)
{
    row_graph r;
    rvl_error err = {0};
    double    loss;

    random_start(c->name);
    if (row_open(&r, c, &err))
        goto done;
    row_fill(&r);
    if (row_loss(&r, &loss, &err))
        goto done;
    for (int i = 0; i < c->n_in; i++) {
        if (!leaf_has_gradient(c, i))
            continue;
        if (row_loss(&r, &loss, &err) || check_leaf(&r, i, &err))
            goto done;
    }
done:
    if (err.code) {
        n_failed++;
        printf("FAIL %s: %s\n  rerun: %s '%s'\n", c->name, err.text, program, c->name);
    }
    row_close(&r);
}

int main(int argc, char **argv)
{
    const char *filter = argc > 1 ? argv[1] : "";
    int         n_rows = 0;

    program = argv[0];
    for (size_t i = 0; i < N_OP_CASES; i++) {
        if (!strstr(op_cases[i].name, filter) || op_cases[i].op == RVL_OP_SUM_TO)
            continue;
        n_rows++;
        check_row(&op_cases[i]);
    }
    printf("%d rows, %d gradients passed, %d failed\n", n_rows, n_passed, n_failed);
    return n_failed || !n_rows ? EXIT_FAILURE : EXIT_SUCCESS;
}
