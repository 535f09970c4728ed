/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_learn_loop_task.c
 * The loop around a task whose losses and values are written down: which checkpoint is best, what a bad number stops,
 * what an interruption leaves.
 */
#include "learn_fixture.h"
#include "base/json.h"
#include "base/util.h"
#include "engine/safetensors.h"
#include <math.h>

typedef struct {
    rvl_model     *m;
    rvl_supervise *real;     /* does the steps; the script below changes what the loop hears */
    int64_t        bad_step; /* its loss is NaN; -1: none */
    int64_t        cancel_step;
    const double  *values; /* of the evaluations in turn */
    int            n_evaluations;
    int64_t        steps[64]; /* step numbers as they came */
    int            n_steps;
} script;

static rvl_status script_step(void *self, const rvl_batch *batch, int64_t step, double *loss, rvl_error *err)
{
    script    *s = self;
    rvl_task   task = rvl_supervise_task(s->real);
    rvl_status st = task.step(task.self, batch, step, loss, err);

    assert_in_range(s->n_steps, 0, 63);
    s->steps[s->n_steps++] = step;
    if (step == s->bad_step)
        *loss = NAN;
    if (step == s->cancel_step)
        rvl_cancel_request();
    return st;
}

static rvl_status script_evaluate(void *self, json_t **metrics, double *value, rvl_error *err)
{
    script *s = self;

    (void)err;
    *metrics = json_object();
    *value = s->values[s->n_evaluations++];
    return RVL_OK;
}

static rvl_status script_nonfinite(void *self, rvl_error *err)
{
    (void)self;
    return rvl_fail(err, RVL_ERR_NUMERIC, "'layer9' is not finite");
}

static rvl_loop_opts loop_opts(void)
{
    return (rvl_loop_opts){.n_epochs = 3,
                           .lr = 1e-3,
                           .warmup = 0.1,
                           .clip_grad = 1,
                           .log_every = 1,
                           .eval_every = 1,
                           .save_every = 3,
                           .keep_last = 2,
                           .has_validation = true};
}

/* A bed with its own run folder; 4 batches an epoch. */
static rvl_status script_run(script *s, const char *folder, const char *name, const char *resume,
                             rvl_loop_result *result, const rvl_loop_opts *opts, rvl_error *why)
{
    bed                b;
    rvl_run           *run = NULL;
    char               runs[PATH_BYTES];
    rvl_supervise_opts so = {.batch = BATCH, .micro_batch = BATCH, .missing = RVL_MISSING_ABSENT, .seed = 1};
    rvl_run_opts       ro = {
              .runs = path_in(runs, folder, "runs"), .name = name, .verb = "test", .resume = resume, .fingerprint = "f"};

    bed_open(&b, folder, false);
    OK(rvl_run_open(&run, &ro, &err));
    OK(rvl_supervise_new(&s->real, b.m, b.cohort, NULL, &so, &err));
    rvl_supervise_set_optimizer(s->real, b.o);
    const rvl_task task = {s, script_step, script_evaluate, script_nonfinite, NULL, "a written value"};
    rvl_status     st = rvl_loop_run(result, &task, b.m, b.o, b.loader, run, opts, why);
    rvl_supervise_free(s->real);
    rvl_run_close(run);
    bed_close(&b);
    return st;
}

static bool has(const char *folder, const char *path)
{
    return rvl_path_exists(at(folder, path));
}

static void loop__keeps_the_best_of_the_evaluations(void **state)
{
    const double    values[] = {0.5, 0.9, 0.7};
    script          s = {.bad_step = -1, .cancel_step = -1, .values = values};
    rvl_loop_opts   o = loop_opts();
    rvl_loop_result r;
    rvl_error       err = {0};
    char            path[PATH_BYTES], target[64] = "";

    if (script_run(&s, *state, "best", NULL, &r, &o, &err))
        fail_msg("%s", err.text);
    assert_int_equal(r.n_steps, 12);
    assert_int_equal(r.n_epochs, 3);
    assert_int_equal(r.best_step, 8);
    assert_true(r.best_value == 0.9);
    assert_int_equal(s.n_evaluations, 3);
    for (int i = 0; i < 12; i++)
        assert_int_equal(s.steps[i], i);
    assert_true(readlink(path_in(path, *state, "runs/best/ckpt/best"), target, sizeof target - 1) > 0);
    assert_string_equal(target, "step-00000008");
    assert_true(has(*state, "runs/best/ckpt/step-00000012/DONE"));
    assert_true(has(*state, "runs/best/ckpt/step-00000009/DONE")); /* the last two: 9 and 12 */
    assert_false(has(*state, "runs/best/ckpt/step-00000006"));
    file_contains(path_in(path, *state, "runs/best/run.json"), "\"status\": \"done\"");
}

static void loop__evaluates_when_due_and_at_the_end(void **state)
{
    const double    values[] = {NAN, 0.1};
    script          s = {.bad_step = -1, .cancel_step = -1, .values = values};
    rvl_loop_opts   o = loop_opts();
    rvl_loop_result r;
    rvl_error       err = {0};

    o.eval_every = 2; /* epochs 2 and 3; what is undefined is never the best */
    if (script_run(&s, *state, "due", NULL, &r, &o, &err))
        fail_msg("%s", err.text);
    assert_int_equal(s.n_evaluations, 2);
    assert_int_equal(r.best_step, 12);
    script        none = {.bad_step = -1, .cancel_step = -1};
    rvl_loop_opts without = loop_opts();
    without.has_validation = false;
    if (script_run(&none, *state, "none", NULL, &r, &without, &err))
        fail_msg("%s", err.text);
    assert_int_equal(none.n_evaluations, 0);
    assert_int_equal(r.best_step, -1);
}

static void loop__stops_at_a_bad_number_and_leaves_the_last_checkpoint(void **state)
{
    const double    values[] = {0.5, 0.9, 0.7};
    script          s = {.bad_step = 7, .cancel_step = -1, .values = values};
    rvl_loop_opts   o = loop_opts();
    rvl_loop_result r;
    rvl_error       err = {0};
    char            path[PATH_BYTES];

    assert_int_equal(script_run(&s, *state, "bad", NULL, &r, &o, &err), RVL_ERR_NUMERIC);
    assert_non_null(strstr(err.text, "layer9"));
    assert_non_null(strstr(err.text, "step 7"));
    assert_int_equal(r.n_steps, 7);
    assert_true(has(*state, "runs/bad/ckpt/step-00000006/DONE"));
    assert_false(has(*state, "runs/bad/ckpt/step-00000008"));
    file_contains(path_in(path, *state, "runs/bad/run.json"), "\"status\": \"failed\"");
}

static void loop__saves_where_it_is_interrupted(void **state)
{
    const double     values[] = {0.5, 0.9, 0.7};
    script           s = {.bad_step = -1, .cancel_step = 4, .values = values};
    rvl_loop_opts    o = loop_opts();
    rvl_loop_result  r;
    rvl_error        err = {0};
    char             path[PATH_BYTES];
    const rvl_status st = script_run(&s, *state, "cut", NULL, &r, &o, &err);

    rvl_cancel_reset();
    assert_int_equal(st, RVL_ERR_CANCELLED);
    assert_non_null(strstr(err.text, "--resume"));
    assert_true(has(*state, "runs/cut/ckpt/step-00000005/DONE"));
    file_contains(path_in(path, *state, "runs/cut/run.json"), "\"status\": \"interrupted\"");
    /* goes on with the step after it: not one twice, not one left out */
    script rest = {.bad_step = -1, .cancel_step = -1, .values = values + 1};
    if (script_run(&rest, *state, "cut", "", &r, &o, &err))
        fail_msg("%s", err.text);
    assert_int_equal(rest.n_steps, 7);
    for (int i = 0; i < 7; i++)
        assert_int_equal(rest.steps[i], 5 + i);
    assert_int_equal(r.best_step, 8); /* 0.5 was heard before, 0.9 is better */
    assert_int_equal(rest.n_evaluations, 2);
}

static void loop__does_not_call_a_worse_value_best_after_resume(void **state)
{
    const double    values[] = {0.9, 0.5, 0.7};
    script          s = {.bad_step = -1, .cancel_step = 5, .values = values};
    rvl_loop_opts   o = loop_opts();
    rvl_loop_result r;
    rvl_error       err = {0};

    assert_int_equal(script_run(&s, *state, "worse", NULL, &r, &o, &err), RVL_ERR_CANCELLED);
    rvl_cancel_reset();
    script rest = {.bad_step = -1, .cancel_step = -1, .values = values + 1};
    if (script_run(&rest, *state, "worse", "", &r, &o, &err))
        fail_msg("%s", err.text);
    assert_int_equal(r.best_step, 4);
    assert_true(r.best_value == 0.9);
    assert_true(has(*state, "runs/worse/ckpt/best/DONE"));
}

static void loop__calls_the_first_of_equal_values_best(void **state)
{
    const double    values[] = {0.5, 0.5, 0.5};
    script          s = {.bad_step = -1, .cancel_step = -1, .values = values};
    rvl_loop_opts   o = loop_opts();
    rvl_loop_result r;
    rvl_error       err = {0};

    if (script_run(&s, *state, "equal", NULL, &r, &o, &err))
        fail_msg("%s", err.text);
    assert_int_equal(r.best_step, 4);
}

/* Norm of all first moments in a checkpoint's optimizer. */
static double moment_norm(const char *path)
{
    rvl_safetensors *f = NULL;
    double           sum = 0;

    OK(rvl_safetensors_open(&f, path, &err));
    for (int i = 0; i < rvl_safetensors_count(f); i++) {
        const rvl_tensor *t = rvl_safetensors_tensor(f, i);
        for (int64_t j = 0; rvl_safetensors_name(f, i)[0] == 'm' && j < rvl_tensor_count(t); j++) {
            double x = ((const float *)rvl_tensor_const_data(t))[j];
            sum += x * x;
        }
    }
    rvl_safetensors_close(f);
    return sqrt(sum);
}

static void loop__clips_and_commits_at_every_step(void **state)
{
    script           s = {.bad_step = -1, .cancel_step = -1};
    rvl_loop_opts    o = loop_opts();
    rvl_loop_result  r;
    rvl_error        why = {0};
    rvl_safetensors *f = NULL;
    char             path[PATH_BYTES];

    o.n_epochs = 1;
    o.save_every = 1;
    o.keep_last = 9;
    o.clip_grad = 1e-3;
    o.has_validation = false;
    if (script_run(&s, *state, "clip", NULL, &r, &o, &why))
        fail_msg("%s", why.text);
    /* after one step from zero the first moment is (1 - 0.9) g */
    double norm = moment_norm(path_in(path, *state, "runs/clip/ckpt/step-00000001/optimizer.safetensors"));
    assert_true(fabs(norm - 0.1e-3) < 1e-9);
    OK(rvl_safetensors_open(&f, path_in(path, *state, "runs/clip/ckpt/step-00000001/model.safetensors"), &err));
    const rvl_tensor *mean = rvl_safetensors_find(f, "visual.bn1.running_mean");
    assert_non_null(mean);
    assert_true(fabs((double)((const float *)rvl_tensor_const_data(mean))[0]) > 0); /* it starts at 0 */
    rvl_safetensors_close(f);
    o.clip_grad = 0; /* off */
    if (script_run(&s, *state, "free", NULL, &r, &o, &why))
        fail_msg("%s", why.text);
    assert_true(moment_norm(path_in(path, *state, "runs/free/ckpt/step-00000001/optimizer.safetensors")) > 1e-3);
}

static void macro_auroc__leaves_out_withheld_findings_and_labels_that_do_not_count(void **state)
{
    const uint8_t labels[4][3] = {{RVL_LABEL_PRESENT, RVL_LABEL_PRESENT, RVL_LABEL_PRESENT},
                                  {RVL_LABEL_ABSENT, RVL_LABEL_ABSENT, RVL_LABEL_PRESENT},
                                  {RVL_LABEL_UNCERTAIN, RVL_LABEL_ABSENT, RVL_LABEL_PRESENT},
                                  {RVL_LABEL_NOT_MENTIONED, RVL_LABEL_PRESENT, RVL_LABEL_PRESENT}};
    const float   logits[4 * 3] = {1, 1, 0, 0, 2, 0, 5, 3, 0, 2, 4, 0};
    const bool    withheld[3] = {false, true, false};
    rvl_case      cases[4] = {{0}};
    rvl_case_list list = {.cases = cases, .n_cases = 4};
    float         targets[4 * 3], weights[4 * 3];
    double        macro, each[3];

    (void)state;
    for (int i = 0; i < 4; i++)
        cases[i].labels = labels[i];
    rvl_label_targets(targets, weights, &list, 3, RVL_UNCERTAIN_IGNORE, RVL_MISSING_ABSENT);
    OK(rvl_macro_auroc(&macro, each, logits, targets, weights, 4, 3, NULL, &err));
    assert_true(each[0] == 0.5); /* 1 against 0 and 2; the uncertain 5 is left out */
    assert_true(each[1] == 0.5); /* 1 and 4 against 2 and 3 */
    assert_true(isnan(each[2])); /* never absent */
    assert_true(macro == 0.5);
    rvl_label_targets(targets, weights, &list, 3, RVL_UNCERTAIN_IGNORE, RVL_MISSING_IGNORE);
    OK(rvl_macro_auroc(&macro, each, logits, targets, weights, 4, 3, withheld, &err));
    assert_true(each[0] == 1 && macro == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loop__keeps_the_best_of_the_evaluations),
        cmocka_unit_test(loop__evaluates_when_due_and_at_the_end),
        cmocka_unit_test(loop__stops_at_a_bad_number_and_leaves_the_last_checkpoint),
        cmocka_unit_test(loop__saves_where_it_is_interrupted),
        cmocka_unit_test(loop__does_not_call_a_worse_value_best_after_resume),
        cmocka_unit_test(loop__calls_the_first_of_equal_values_best),
        cmocka_unit_test(loop__clips_and_commits_at_every_step),
        cmocka_unit_test(macro_auroc__leaves_out_withheld_findings_and_labels_that_do_not_count),
    };
    return cmocka_run_group_tests(tests, cohort_make, folder_remove);
}
