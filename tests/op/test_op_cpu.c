/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/op/test_op_cpu.c
 * The op table on the CPU backend: each row as a graph with its gradients in f32, planned for `cpu`, against the same
 * graph in f64 on `ref`, with one thread and with two (the bits must agree). Blocked channels are not multiples of a
 * block in most rows. ctest runs it once per instruction set (RVL_CPU_ISA).
 *
 *   test_op_cpu [TEXT]     only rows whose name contains TEXT
 */
#include <omp.h>
#include <stdlib.h>
#include "engine/cpu/cpu.h"
#include "op/op_graph.h"

#define MAX_MSE 1e-11 /* of the expected power: 3e-6 of the norm */
#define MAX_COUNT (1 << 17)

static const char *program;
static int         n_passed, n_failed;

typedef struct {
    rvl_params *params;
    rvl_state  *state;
    rvl_graph  *graph;
    rvl_plan   *plan;
} run;

static void run_close(run *r)
{
    rvl_plan_free(r->plan);
    rvl_graph_free(r->graph);
    rvl_state_free(r->state);
    rvl_params_free(r->params);
    *r = (run){0};
}

static void put(rvl_tensor *t, const double *values, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (rvl_tensor_dtype(t) == RVL_DTYPE_F64)
            ((double *)rvl_tensor_data(t))[i] = (float)values[i];
        else if (rvl_tensor_dtype(t) == RVL_DTYPE_F32)
            ((float *)rvl_tensor_data(t))[i] = (float)values[i];
        else
            ((int32_t *)rvl_tensor_data(t))[i] = (int32_t)values[i];
    }
}

static double get(const rvl_tensor *t, int64_t i)
{
    return rvl_tensor_dtype(t) == RVL_DTYPE_F64 ? ((const double *)rvl_tensor_const_data(t))[i]
                                                : (double)((const float *)rvl_tensor_const_data(t))[i];
}

static void run_fill(run *r, const op_case *c)
{
    static double values[MAX_COUNT];

    random_start(c->name);
    for (int i = 0; i < c->n_in; i++) {
        const int64_t n = shape_count(&c->in[i]);
        rvl_param    *p = leaf_is_weight(c, i) ? rvl_params_find(r->params, leaf_name(c, i)) : NULL;

        fill_values(values, &c->in[i], c->fill[i], case_input_is_ids(c, i) ? case_n_ids(c) : 0);
        put(p ? rvl_param_tensor(p) : rvl_plan_input(r->plan, leaf_name(c, i)), values, n);
        if (p)
            rvl_param_touch(p);
    }
    rvl_tensor    *t = rvl_plan_input(r->plan, "cotangent");
    const op_shape s = {1, {rvl_tensor_count(t)}};
    fill_values(values, &s, FILL_SIGNED, 0);
    put(t, values, s.shape[0]);
}

static rvl_status run_row(run *r, const op_case *c, rvl_dtype dtype, rvl_backend backend, rvl_error *err)
{
    const rvl_plan_opts opts = {.backend = backend, .deterministic = true, .debug_fill = true};

    if (rvl_params_new(&r->params, 1, err) || rvl_state_new(&r->state, err) ||
        rvl_graph_new(&r->graph, r->params, r->state, dtype, err))
        return err->code;
    row_graph_finish(r->graph, c, dtype);
    if (rvl_plan_new(&r->plan, r->graph, opts, err))
        return err->code;
    rvl_plan_set_key(r->plan, 7, 3);
    run_fill(r, c);
    return rvl_plan_run(r->plan, err);
}

static void report(const op_case *c, const char *what, const char *verdict, double number)
{
    n_failed++;
    printf("%s %s %s (%.3g)\n  rerun: %s '%s'\n", verdict, c->name, what, number, program, c->name);
}

/* One output of three runs: two of cpu with other thread counts, and the truth. */
static void compare(const op_case *c, const char *name, run *one, run *two, run *truth)
{
    const rvl_tensor *a = rvl_plan_output(one->plan, name), *b = rvl_plan_output(two->plan, name);
    const rvl_tensor *t = rvl_plan_output(truth->plan, name);
    double            error = 0.0, power = 0.0;

    if (!t)
        return;
    if (memcmp(rvl_tensor_const_data(a), rvl_tensor_const_data(b), rvl_tensor_bytes(a)) != 0) {
        report(c, name, "FAIL threads change bits of", 0);
        return;
    }
    for (int64_t i = 0; i < rvl_tensor_count(t); i++) {
        const double d = get(a, i) - get(t, i);
        error += d * d;
        power += get(t, i) * get(t, i);
    }
    if (!(error <= MAX_MSE * power))
        report(c, name, "FAIL", error / power);
    else if (!(power > 0.0))
        report(c, name, "MISTRUSTED zero", power);
    else
        n_passed++;
}

static void check_row(const op_case *c)
{
    static const char *const names[] = {"y",        "d_in0",    "d_in1",       "d_in2",    "d_in3",
                                        "grad:in1", "grad:in3", "grad:weight", "grad:bias"};
    run                      one = {0}, two = {0}, truth = {0};
    rvl_error                err = {0};

    omp_set_num_threads(1);
    if (run_row(&one, c, RVL_DTYPE_F32, RVL_BACKEND_CPU, &err))
        goto done;
    omp_set_num_threads(2);
    if (run_row(&two, c, RVL_DTYPE_F32, RVL_BACKEND_CPU, &err) ||
        run_row(&truth, c, RVL_DTYPE_F64, RVL_BACKEND_REF, &err))
        goto done;
    for (size_t i = 0; i < RVL_ARRAY_LEN(names); i++)
        compare(c, names[i], &one, &two, &truth);
done:
    if (err.code) {
        n_failed++;
        printf("FAIL %s: %s\n  rerun: %s '%s'\n", c->name, err.text, program, c->name);
    }
    run_close(&one);
    run_close(&two);
    run_close(&truth);
}

int main(int argc, char **argv)
{
    const char *filter = argc > 1 ? argv[1] : "";
    const char *want = getenv("RVL_CPU_ISA");
    int         n_rows = 0;

    program = argv[0];
    if (want && strcmp(want, rvl__cpu_isa()->name) != 0) {
        printf("skipped: this processor has no %s\n", want);
        return 77;
    }
    for (size_t i = 0; i < N_OP_CASES; i++) {
        if (!strstr(op_cases[i].name, filter) || op_cases[i].op == RVL_OP_SUM_TO)
            continue;
        n_rows++;
        check_row(&op_cases[i]);
    }
    printf("%s: %d rows, %d values passed, %d failed\n", rvl__cpu_isa()->name, n_rows, n_passed, n_failed);
    return n_failed || !n_rows ? EXIT_FAILURE : EXIT_SUCCESS;
}
