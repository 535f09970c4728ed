/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/op/test_op_grad.c
 * The op table, mode grad: each row as a graph in f64, differentiated by rvl_graph_backward, against central finite
 * differences of sum(y * cotangent). Every second input is a weight, so both kinds of leaf are covered.
 *
 *   test_op_grad [TEXT]     only rows whose name contains TEXT
 */
#include <stdlib.h>
#include "op/op_graph.h"

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
    *r = (row_graph){.c = c};
    if (rvl_params_new(&r->params, 1, err) || rvl_state_new(&r->state, err))
        return err->code;
    for (int i = 0; i < c->n_in; i++)
        if (leaf_is_weight(c, i) && give_weight(r, i, err))
            return err->code;
    if (rvl_graph_new(&r->graph, r->params, r->state, RVL_DTYPE_F64, err))
        return err->code;
    row_graph_finish(r->graph, c, RVL_DTYPE_F64);
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
