/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_engine_session.c
 * BatchNorm's running statistics through plans, and the plans that a session keeps.
 */
#include "tests/support.h"
#include <math.h>
#include "rvl/ops.h"
#include "rvl/plan.h"

typedef struct {
    rvl_params *params;
    rvl_state  *state;
    rvl_graph  *g;
    rvl_plan   *plan;
    rvl_error   err;
} fixture;

static void fixture_open(fixture *f)
{
    memset(f, 0, sizeof *f);
    assert_int_equal(rvl_params_new(&f->params, 1, &f->err), RVL_OK);
    assert_int_equal(rvl_state_new(&f->state, &f->err), RVL_OK);
    assert_int_equal(rvl_graph_new(&f->g, f->params, f->state, RVL_DTYPE_F32, &f->err), RVL_OK);
}

static void fixture_close(fixture *f)
{
    rvl_plan_free(f->plan);
    rvl_graph_free(f->g);
    rvl_state_free(f->state);
    rvl_params_free(f->params);
}

static float *state_named(rvl_state *s, const char *name)
{
    for (int i = 0; i < rvl_state_count(s); i++)
        if (strcmp(rvl_state_name(s, i), name) == 0)
            return rvl_tensor_data(rvl_state_tensor(s, i));
    fail_msg("no state %s", name);
    return NULL;
}

static void run(fixture *f)
{
    if (rvl_plan_run(f->plan, &f->err))
        fail_msg("%s", f->err.text);
}

/** x (4, 1, 2) = 1..8 in groups of two samples: means 2.5 and 6.5, unbiased variances 5/3, blended in order. */
static void batch_norm__writes_state_at_commit_only(void **state)
{
    fixture f;

    (void)state;
    fixture_open(&f);
    rvl_node *x = rvl_input(f.g, "x", RVL_DTYPE_F32, 3, (int64_t[]){4, 1, 2});
    rvl_graph_scope(f.g, "bn");
    rvl_output(f.g, "y", rvl_batch_norm(x, (rvl_batch_norm_attr){.training = true, .group = 2}));
    rvl_graph_scope_end(f.g);
    assert_int_equal(rvl_plan_new(&f.plan, f.g, (rvl_plan_opts){0}, &f.err), RVL_OK);
    for (int i = 0; i < 8; i++)
        ((float *)rvl_tensor_data(rvl_plan_input(f.plan, "x")))[i] = (float)(i + 1);
    const float *mean = state_named(f.state, "bn.running_mean"), *var = state_named(f.state, "bn.running_var");
    run(&f);
    assert_true(mean[0] == 0.0F && var[0] == 1.0F);
    rvl_state_discard(f.state);
    rvl_state_commit(f.state);
    assert_true(mean[0] == 0.0F && var[0] == 1.0F);
    run(&f);
    assert_int_equal(rvl_plan_find_nonfinite(f.plan, &f.err), RVL_OK); /* looks again, blends nothing */
    rvl_state_commit(f.state);
    assert_true(fabs((double)mean[0] - (0.9 * 0.25 + 0.65)) < 1e-6);
    assert_true(fabs((double)var[0] - (0.9 * (0.9 + 0.1 * 5.0 / 3.0) + 0.1 * 5.0 / 3.0)) < 1e-6);
    const float *y = rvl_tensor_const_data(rvl_plan_output(f.plan, "y"));
    assert_true(fabs((double)y[4] - (5.0 - 6.5) / sqrt(1.25 + 1e-5)) < 1e-6);
    fixture_close(&f);
}

static void batch_norm__evaluates_with_committed_state(void **state)
{
    fixture f;

    (void)state;
    fixture_open(&f);
    rvl_node *x = rvl_input(f.g, "x", RVL_DTYPE_F32, 3, (int64_t[]){2, 1, 2});
    rvl_output(f.g, "y", rvl_batch_norm(x, (rvl_batch_norm_attr){.training = false}));
    assert_int_equal(rvl_plan_new(&f.plan, f.g, (rvl_plan_opts){0}, &f.err), RVL_OK);
    *state_named(f.state, "running_mean") = 2.0F;
    *state_named(f.state, "running_var") = 4.0F;
    *(float *)rvl_tensor_data(rvl_param_tensor(rvl_params_find(f.params, "weight"))) = 3.0F;
    *(float *)rvl_tensor_data(rvl_param_tensor(rvl_params_find(f.params, "bias"))) = -1.0F;
    ((float *)rvl_tensor_data(rvl_plan_input(f.plan, "x")))[3] = 6.0F;
    run(&f);
    const float *y = rvl_tensor_const_data(rvl_plan_output(f.plan, "y"));
    assert_true(fabs((double)y[3] - (4.0 / sqrt(4.0 + 1e-5) * 3.0 - 1.0)) < 1e-6);
    assert_true(fabs((double)y[0] - (-2.0 / sqrt(4.0 + 1e-5) * 3.0 - 1.0)) < 1e-6);
    fixture_close(&f);
}

static rvl_status count_builds(rvl_graph *g, const rvl_plan_key *key, void *context, rvl_error *err)
{
    ++*(int *)context;
    if (key->mode == 99)
        return rvl_fail(err, RVL_ERR_USAGE, "no such mode");
    rvl_output(g, "y", rvl_relu(rvl_input(g, "x", RVL_DTYPE_F32, 1, (int64_t[]){key->size[0]})));
    return RVL_OK;
}

static rvl_plan *plan_of_size(rvl_session *s, int64_t size)
{
    rvl_plan    *p;
    rvl_error    err = {0};
    rvl_plan_key key = {.size = {size}};

    assert_int_equal(rvl_session_plan(&p, s, &key, &err), RVL_OK);
    assert_int_equal(rvl_tensor_count(rvl_plan_input(p, "x")), size);
    return p;
}

static void session__keeps_the_sixteen_plans_used_last(void **state)
{
    int          n_builds = 0;
    rvl_session *s;
    rvl_plan    *p;
    fixture      f;

    (void)state;
    fixture_open(&f);
    assert_int_equal(rvl_session_new(&s, f.params, f.state, count_builds, &n_builds, (rvl_plan_opts){0}, &f.err),
                     RVL_OK);
    rvl_plan *first = plan_of_size(s, 1);
    for (int64_t i = 2; i <= 16; i++)
        plan_of_size(s, i);
    assert_ptr_equal(plan_of_size(s, 1), first);
    assert_int_equal(n_builds, 16);
    plan_of_size(s, 17); /* 2 was used longest ago: it goes */
    assert_ptr_equal(plan_of_size(s, 1), first);
    assert_int_equal(n_builds, 17);
    plan_of_size(s, 2);
    assert_int_equal(n_builds, 18);
    rvl_plan_key bad = {.mode = 99};
    assert_int_equal(rvl_session_plan(&p, s, &bad, &f.err), RVL_ERR_USAGE);
    assert_null(p);
    assert_ptr_equal(plan_of_size(s, 1), first);
    rvl_session_free(s);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_norm__writes_state_at_commit_only),
        cmocka_unit_test(batch_norm__evaluates_with_committed_state),
        cmocka_unit_test(session__keeps_the_sixteen_plans_used_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
