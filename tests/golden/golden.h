/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file golden/golden.h
 * What the golden tests share: weights and inputs by the rules of golden.py, and the comparison with a case's JSON.
 *
 * Every value is compared by samples, norm and dot product with a random vector. Tolerances are relative to the
 * largest element (samples) or the norm, but never tighter than that of a tensor of size GOLDEN_FLOOR: some exact
 * gradients are zero.
 */
#ifndef RVL_TESTS_GOLDEN_H
#define RVL_TESTS_GOLDEN_H
#include "tests/support.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/str.h"
#include "model/model.h"
#include <math.h>

#define GOLDEN_FLOOR 3e-2

/** A case and the graph that is compared with it. */
typedef struct {
    json_t     *json;
    json_t     *values; /* borrowed from json */
    uint64_t    seed;
    size_t      n_checked;
    double      worst; /* largest error over its tolerance so far */
    rvl_params *params;
    rvl_state  *state;
    rvl_graph  *g;
    rvl_plan   *plan;
} golden;

/** Fail the test with the library's message. */
static inline void golden_ok(rvl_status st, const rvl_error *err)
{
    if (st)
        fail_msg("%s", err->text);
}

static inline void golden_graph(golden *c)
{
    rvl_error err = {0};

    rvl_plan_free(c->plan);
    rvl_graph_free(c->g);
    c->plan = NULL;
    golden_ok(rvl_graph_new(&c->g, c->params, c->state, RVL_DTYPE_F32, &err), &err);
}

static inline golden golden_open(const char *name)
{
    golden    c = {0};
    char      path[PATH_BYTES];
    char      relative[128];
    rvl_error err = {0};

    snprintf(relative, sizeof relative, "tests/golden/%s.json", name);
    assert_true(source_path(path, sizeof path, relative));
    golden_ok(rvl_json_load(&c.json, path, &err), &err);
    c.values = json_object_get(c.json, "values");
    c.seed = (uint64_t)rvl_json_get_i64(c.json, "seed", 0);
    assert_true(c.seed > 0 && json_object_size(c.values) > 0);
    golden_ok(rvl_params_new(&c.params, 1, &err), &err);
    golden_ok(rvl_state_new(&c.state, &err), &err);
    golden_graph(&c);
    return c;
}

/** Every recorded value must have been compared. */
static inline void golden_close(golden *c)
{
    printf("  %s: %zu values, worst error %.3f of its tolerance\n", rvl_json_get_string(c->json, "case", ""),
           c->n_checked, c->worst);
    assert_int_equal(c->n_checked, json_object_size(c->values));
    rvl_plan_free(c->plan);
    rvl_graph_free(c->g);
    rvl_params_free(c->params);
    rvl_state_free(c->state);
    json_decref(c->json);
}

/** The rule of fill() in golden.py. */
static inline double golden_start(const char *name, int n_dims, int64_t fan_in, double z)
{
    if (strcmp(name, "logit_scale") == 0)
        return 2.0;
    if (rvl_str_ends(name, "running_var"))
        return 1.0 + 0.1 * fabs(z);
    if (n_dims >= 2)
        return z * sqrt(2.0 / (double)fan_in);
    return rvl_str_ends(name, "weight") ? 1.0 + 0.1 * z : 0.1 * z;
}

static inline void golden_fill_tensor(rvl_tensor *t, const char *name, uint64_t seed)
{
    rvl_rng r = rvl_rng_make(seed, rvl_rng_name(name));
    float  *data = rvl_tensor_data(t);
    int64_t n = rvl_tensor_count(t);

    for (int64_t i = 0; i < n; i++)
        data[i] = (float)golden_start(name, rvl_tensor_n_dims(t), n / rvl_tensor_shape(t)[0], rvl_rng_normal(&r));
}

/** Start every weight and statistic by its name. */
static inline void golden_fill(golden *c)
{
    for (int i = 0; i < rvl_params_count(c->params); i++) {
        rvl_param *p = rvl_params_at(c->params, i);

        golden_fill_tensor(rvl_param_tensor(p), rvl_param_name(p), c->seed);
        rvl_param_touch(p);
    }
    for (int i = 0; i < rvl_state_count(c->state); i++)
        golden_fill_tensor(rvl_state_tensor(c->state, i), rvl_state_name(c->state, i), c->seed);
}

static inline rvl_rng golden_stream(const golden *c, const char *name)
{
    char key[300];

    snprintf(key, sizeof key, "input:%s", name);
    return rvl_rng_make(c->seed, rvl_rng_name(key));
}

/** make_input of golden.py, rounded to f32, times `scale`. */
static inline void golden_input(const golden *c, const char *name, float *out, int64_t n, double scale)
{
    rvl_rng r = golden_stream(c, name);

    for (int64_t i = 0; i < n; i++)
        out[i] = (float)(scale * (double)(float)rvl_rng_normal(&r));
}

/** make_ids of golden.py as floats, times `scale`. */
static inline void golden_levels(const golden *c, const char *name, int n_ids, float *out, int64_t n, double scale)
{
    rvl_rng r = golden_stream(c, name);

    for (int64_t i = 0; i < n; i++)
        out[i] = (float)(scale * floor(rvl_rng_uniform(&r) * n_ids));
}

/** Texts of the given lengths: ids 1..n_ids, padding 0, and the mask. */
static inline void golden_texts(const golden *c, int n_ids, const int *lengths, int n, int n_tok, int32_t *ids,
                                float *mask)
{
    rvl_rng r = golden_stream(c, "ids");

    for (int i = 0; i < n * n_tok; i++) {
        int32_t id = 1 + (int32_t)floor(rvl_rng_uniform(&r) * n_ids);

        mask[i] = i % n_tok < lengths[i / n_tok] ? 1.0F : 0.0F;
        ids[i] = mask[i] > 0 ? id : 0;
    }
}

/** Data of a plan's input. */
static inline float *golden_slot(const golden *c, const char *name)
{
    rvl_tensor *t = rvl_plan_input(c->plan, name);

    if (!t)
        fail_msg("the plan has no input '%s'", name);
    return rvl_tensor_data(t);
}

static inline void golden_slot_fill(const golden *c, const char *name)
{
    golden_input(c, name, golden_slot(c, name), rvl_tensor_count(rvl_plan_input(c->plan, name)), 1.0);
}

static inline void golden_plan(golden *c)
{
    rvl_error err = {0};

    golden_ok(rvl_plan_new(&c->plan, c->g, (rvl_plan_opts){.debug_fill = true}, &err), &err);
}

static inline void golden_run(golden *c)
{
    rvl_error err = {0};

    golden_ok(rvl_plan_run(c->plan, &err), &err);
}

static inline void golden_compare(golden *c, const char *key, const char *what, double got, double want, double allowed)
{
    c->worst = fmax(c->worst, fabs(got - want) / allowed);
    if (!(fabs(got - want) <= allowed))
        fail_msg("'%s': %s is %.9g, PyTorch has %.9g, allowed is a difference of %.3g", key, what, got, want, allowed);
}

/** Compare `n` numbers with the value `key`; `tolerance` is relative. */
static inline void golden_check(golden *c, const char *key, const float *got, int64_t n, double tolerance)
{
    json_t *value = json_object_get(c->values, key);
    json_t *samples = json_object_get(value, "samples");
    int64_t stride = rvl_json_get_i64(value, "stride", 1);
    double  norm = rvl_json_get_f64(value, "norm", 0);
    double  size = tolerance * fmax(norm, GOLDEN_FLOOR * sqrt((double)n));
    double  sum_squares = 0;
    double  dot = 0;
    char    stream[300];
    rvl_rng r;

    if (!value)
        fail_msg("the case has no value '%s'", key);
    assert_int_equal(n, rvl_json_get_i64(value, "count", -1));
    assert_int_equal(json_array_size(samples), (n + stride - 1) / stride);
    for (size_t i = 0; i < json_array_size(samples); i++)
        golden_compare(c, key, "a sample", (double)got[(int64_t)i * stride],
                       json_number_value(json_array_get(samples, i)),
                       tolerance * fmax(rvl_json_get_f64(value, "max", 0), GOLDEN_FLOOR));
    snprintf(stream, sizeof stream, "dot:%s", key);
    r = rvl_rng_make(c->seed, rvl_rng_name(stream));
    for (int64_t i = 0; i < n; i++) {
        sum_squares += (double)got[i] * (double)got[i];
        dot += (double)got[i] * rvl_rng_normal(&r);
    }
    golden_compare(c, key, "the norm", sqrt(sum_squares), norm, size);
    golden_compare(c, key, "the random projection", dot, rvl_json_get_f64(value, "dot", 0), 3.0 * size);
    c->n_checked++;
}

static inline void golden_check_tensor(golden *c, const char *key, const rvl_tensor *t, double tolerance)
{
    if (!t)
        fail_msg("nothing to compare with '%s'", key);
    assert_int_equal(rvl_tensor_dtype(t), RVL_DTYPE_F32);
    golden_check(c, key, rvl_tensor_const_data(t), rvl_tensor_count(t), tolerance);
}

/** Compare an output of the plan. */
static inline void golden_check_output(golden *c, const char *name, double tolerance)
{
    golden_check_tensor(c, name, rvl_plan_output(c->plan, name), tolerance);
}

/** Compare every weight's gradient. */
static inline void golden_check_gradients(golden *c, double tolerance)
{
    char key[256];

    for (int i = 0; i < rvl_params_count(c->params); i++) {
        snprintf(key, sizeof key, "grad:%s", rvl_param_name(rvl_params_at(c->params, i)));
        golden_check_output(c, key, tolerance);
    }
}

/** Commit the step's statistics and compare them. */
static inline void golden_check_state(golden *c, double tolerance)
{
    char key[256];

    rvl_state_commit(c->state);
    for (int i = 0; i < rvl_state_count(c->state); i++) {
        snprintf(key, sizeof key, "state:%s", rvl_state_name(c->state, i));
        golden_check_tensor(c, key, rvl_state_tensor(c->state, i), tolerance);
    }
}

/** Backward from a scalar loss, gradients of all weights as outputs, plan. */
static inline void golden_plan_backward(golden *c, rvl_node *output, rvl_node *cotangent)
{
    rvl_graph_backward(c->g, 1, &output, cotangent ? &cotangent : NULL);
    (void)rvl_graph_output_weight_grads(c->g);
    golden_plan(c);
}

#endif /* RVL_TESTS_GOLDEN_H */
