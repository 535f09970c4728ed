/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_learn_optimizer.c
 * AdamW over weights larger than one block: the same bytes with any number of threads, no allocation in a step, frozen
 * weights left alone. What a step computes is tested in tests/golden/test_golden_adamw.c.
 */
#include "support.h"
#include "base/alloc.h"
#include "learn/optimizer.h"
#include "rvl/ops.h"
#include <math.h>
#include <omp.h>

enum { ROWS = 300, COLUMNS = 117 }; /* 35 100 elements: three blocks, the last not full */

typedef struct {
    rvl_params *params;
    rvl_state  *state;
    rvl_graph  *g;
    rvl_plan   *plan;
    rvl_adamw  *o;
} bed;

/* loss = sum of large^2 + 3 * sum of small + sum of frozen^2: gradients 2 * large and 3. */
static void bed_open(bed *b, rvl_adamw_opts opts)
{
    const int64_t large[] = {ROWS, COLUMNS};
    const int64_t small[] = {5};

    memset(b, 0, sizeof *b);
    OK(rvl_params_new(&b->params, 1, &err));
    OK(rvl_state_new(&b->state, &err));
    OK(rvl_graph_new(&b->g, b->params, b->state, RVL_DTYPE_F32, &err));
    rvl_node *x = rvl_weight(b->g, "large", 2, large, (rvl_init){RVL_INIT_NORMAL, 1});
    rvl_node *y = rvl_weight(b->g, "small", 1, small, (rvl_init){RVL_INIT_ONES, 0});
    rvl_node *z = rvl_weight(b->g, "frozen", 2, large, (rvl_init){RVL_INIT_NORMAL, 1});
    rvl_param_set_trainable(rvl_params_find(b->params, "frozen"), false);
    rvl_node *loss = rvl_add(rvl_add(rvl_sum(rvl_mul(x, x), 3U, false), rvl_sum(rvl_mul(z, z), 3U, false)),
                             rvl_affine(rvl_sum(y, 1U, false), 3, 0));
    rvl_output(b->g, "loss", loss);
    rvl_graph_backward(b->g, 1, &loss, NULL);
    assert_int_equal(rvl_graph_output_weight_grads(b->g), 2);
    OK(rvl_plan_new(&b->plan, b->g, (rvl_plan_opts){0}, &err));
    OK(rvl_adamw_new(&b->o, b->params, opts, &err));
}

static void bed_close(bed *b)
{
    rvl_adamw_free(b->o);
    rvl_plan_free(b->plan);
    rvl_graph_free(b->g);
    rvl_params_free(b->params);
    rvl_state_free(b->state);
}

static float *values(bed *b, const char *name)
{
    return rvl_tensor_data(rvl_param_tensor(rvl_params_find(b->params, name)));
}

static const rvl_adamw_opts one_group = {
    .beta1 = 0.9, .beta2 = 0.98, .eps = 1e-8, .n_groups = 1, .groups = {{1, 0.05, NULL}}};

static void three_steps(bed *b, double *norm)
{
    for (int i = 0; i < 3; i++) {
        rvl_adamw_zero_grad(b->o);
        OK(rvl_plan_run(b->plan, &err));
        rvl_adamw_accumulate(b->o, b->plan);
        *norm = rvl_adamw_grad_norm(b->o);
        rvl_adamw_step(b->o, 1e-2, 0.5);
    }
}

static void step__gives_the_same_bytes_with_any_number_of_threads(void **state)
{
    const int n_before = omp_get_max_threads();
    bed       a, b;
    double    norm[2];

    (void)state;
    bed_open(&a, one_group);
    bed_open(&b, one_group);
    omp_set_num_threads(1);
    three_steps(&a, &norm[0]);
    omp_set_num_threads(3);
    three_steps(&b, &norm[1]);
    omp_set_num_threads(n_before);
    assert_true(norm[0] == norm[1]);
    assert_memory_equal(values(&a, "large"), values(&b, "large"), ROWS * COLUMNS * sizeof(float));
    assert_memory_equal(values(&a, "small"), values(&b, "small"), 5 * sizeof(float));
    bed_close(&a);
    bed_close(&b);
}

static void no_sum__gives_the_same_bytes_with_less_memory(void **state)
{
    rvl_adamw_opts opts = one_group;
    bed            a, b;
    double         norm[2];

    (void)state;
    opts.no_sum = true;
    bed_open(&a, one_group);
    bed_open(&b, opts);
    assert_true(3 * rvl_adamw_bytes(b.o) == 2 * rvl_adamw_bytes(a.o));
    three_steps(&a, &norm[0]);
    three_steps(&b, &norm[1]);
    assert_true(norm[0] == norm[1]);
    assert_memory_equal(values(&a, "large"), values(&b, "large"), ROWS * COLUMNS * sizeof(float));
    assert_memory_equal(values(&a, "small"), values(&b, "small"), 5 * sizeof(float));
    rvl_adamw_zero_grad(b.o);
    assert_true(rvl_adamw_grad_norm(b.o) == 0);
    bed_close(&a);
    bed_close(&b);
}

static void step__allocates_nothing(void **state)
{
    bed    b;
    double norm;

    (void)state;
    bed_open(&b, one_group);
    three_steps(&b, &norm);
    const uint64_t n_calls = rvl_alloc_get_stats().n_calls;
    three_steps(&b, &norm);
    assert_null(rvl_adamw_nonfinite(b.o));
    assert_int_equal(rvl_alloc_get_stats().n_calls, n_calls);
    bed_close(&b);
}

static void accumulate__adds_and_the_norm_is_of_all_weights(void **state)
{
    bed    b;
    double sum = 5 * 9.0;

    (void)state;
    bed_open(&b, one_group);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        sum += 4.0 * (double)values(&b, "large")[i] * (double)values(&b, "large")[i];
    OK(rvl_plan_run(b.plan, &err));
    rvl_adamw_accumulate(b.o, b.plan);
    rvl_adamw_accumulate(b.o, b.plan);
    assert_true(fabs(rvl_adamw_grad_norm(b.o) - 2 * sqrt(sum)) < 1e-6 * sqrt(sum));
    rvl_adamw_zero_grad(b.o);
    assert_true(rvl_adamw_grad_norm(b.o) == 0);
    bed_close(&b);
}

static void frozen_weights__stay_and_take_no_memory(void **state)
{
    bed   b;
    float before[ROWS * COLUMNS];

    (void)state;
    bed_open(&b, one_group);
    memcpy(before, values(&b, "frozen"), sizeof before);
    assert_int_equal(rvl_adamw_bytes(b.o), (ROWS * COLUMNS + 5) * 3 * sizeof(float));
    three_steps(&b, &(double){0});
    assert_memory_equal(before, values(&b, "frozen"), sizeof before);
    bed_close(&b);
}

static void nonfinite__names_the_first_bad_weight(void **state)
{
    bed b;

    (void)state;
    bed_open(&b, one_group);
    values(&b, "large")[ROWS * COLUMNS - 1] = INFINITY;
    OK(rvl_plan_run(b.plan, &err));
    rvl_adamw_accumulate(b.o, b.plan);
    assert_string_equal(rvl_adamw_nonfinite(b.o), "large");
    assert_false(isfinite(rvl_adamw_grad_norm(b.o)));
    bed_close(&b);
}

static void first_step__moves_by_the_rate_of_the_group(void **state)
{
    bed            b;
    rvl_adamw     *o = NULL;
    rvl_error      why = {0};
    rvl_adamw_opts two = {
        .beta1 = 0.9, .beta2 = 0.98, .eps = 1e-8, .n_groups = 2, .groups = {{1, 0, NULL}, {0.25, 0, NULL}}};

    (void)state;
    bed_open(&b, two);
    rvl_param_set_group(rvl_params_find(b.params, "small"), 1);
    OK(rvl_adamw_new(&o, b.params, two, &err));
    OK(rvl_plan_run(b.plan, &err));
    rvl_adamw_accumulate(o, b.plan);
    rvl_adamw_step(o, 0.01, 1);
    assert_true(fabs((double)values(&b, "small")[2] - (1 - 0.0025)) < 1e-6); /* m / sqrt(v) of a first step is 1 */
    rvl_adamw_free(o);
    rvl_param_set_group(rvl_params_find(b.params, "small"), 2);
    assert_int_equal(rvl_adamw_new(&o, b.params, two, &why), RVL_ERR_USAGE);
    assert_null(o);
    assert_non_null(strstr(why.text, "'small' is of group 2"));
    two.n_groups = 0;
    assert_int_equal(rvl_adamw_new(&o, b.params, two, &why), RVL_ERR_USAGE);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(step__gives_the_same_bytes_with_any_number_of_threads),
        cmocka_unit_test(no_sum__gives_the_same_bytes_with_less_memory),
        cmocka_unit_test(step__allocates_nothing),
        cmocka_unit_test(accumulate__adds_and_the_norm_is_of_all_weights),
        cmocka_unit_test(frozen_weights__stay_and_take_no_memory),
        cmocka_unit_test(nonfinite__names_the_first_bad_weight),
        cmocka_unit_test(first_step__moves_by_the_rate_of_the_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
