/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_learn_run.c
 * Run folders: what counts as a checkpoint, what stays, what is refused; and the schedule.
 */
#include "cohort_fixture.h"
#include "base/json.h"
#include "learn/run_folder.h"
#include "learn/schedule.h"
#include "rvl/ops.h"
#include <math.h>

typedef struct {
    rvl_model *m;
    rvl_adamw *o;
} tiny;

static void tiny_open(tiny *t)
{
    assert_int_equal(rvl_model_new(&t->m, 1, NULL), RVL_OK);
    t->m->has_image = true;
    t->m->image = (rvl_resnet_config){.width = 2, .blocks = {1}, .stem_kernel = 3, .stem_stride = 1, .in_channels = 1};
    assert_int_equal(rvl_model_materialize(t->m, NULL), RVL_OK);
    assert_int_equal(rvl_adamw_new(&t->o, t->m->params, (rvl_adamw_opts){0.9, 0.999, 1e-8, 0}, NULL), RVL_OK);
}

static void tiny_close(tiny *t)
{
    rvl_adamw_free(t->o);
    rvl_model_free(t->m);
}

static rvl_run *open_ok(const char *folder, const char *resume)
{
    rvl_run     *run = NULL;
    rvl_error    err = {0};
    rvl_run_opts o = {.runs = folder, .name = "r", .verb = "pretrain", .resume = resume, .fingerprint = "f"};
    if (rvl_run_open(&run, &o, &err))
        fail_msg("%s", err.text);
    return run;
}

static void save(rvl_run *run, tiny *t, int64_t step, bool best, int64_t keep_every)
{
    rvl_run_position p = {
        .step = step, .epoch = step / 10, .batch = step % 10, .best_step = best ? step : 20, .best_value = 0.5};
    rvl_error err = {0};
    if (rvl_run_checkpoint(run, t->m, t->o, &p, best, 2, keep_every, &err))
        fail_msg("%s", err.text);
}

static bool exists(const char *folder, const char *name)
{
    return rvl_path_exists(at(folder, name));
}

static void checkpoints__of_the_best_the_last_and_multiples_stay(void **state)
{
    tiny     t;
    rvl_run *run;

    tiny_open(&t);
    run = open_ok(*state, NULL);
    for (int64_t step = 10; step <= 60; step += 10)
        save(run, &t, step, step == 20, 30);
    assert_false(exists(*state, "r/ckpt/step-00000010"));
    assert_true(exists(*state, "r/ckpt/step-00000020")); /* best */
    assert_true(exists(*state, "r/ckpt/step-00000030")); /* multiple of 30 */
    assert_false(exists(*state, "r/ckpt/step-00000040"));
    assert_true(exists(*state, "r/ckpt/step-00000050")); /* last two */
    assert_true(exists(*state, "r/ckpt/step-00000060"));
    assert_true(exists(*state, "r/ckpt/best/DONE"));
    rvl_run_close(run);
    tiny_close(&t);
}

static void resume__takes_the_latest_complete_checkpoint(void **state)
{
    rvl_run         *run;
    rvl_run_position p = {0};

    write_text(*state, "r/ckpt/step-00000060/DONE", ""); /* then take it away: a copy that was cut short */
    assert_int_equal(remove(at(*state, "r/ckpt/step-00000060/DONE")), 0);
    run = open_ok(*state, "");
    assert_non_null(rvl_run_resume_from(run, &p));
    assert_int_equal(p.step, 50);
    assert_int_equal(p.epoch, 5);
    assert_int_equal(p.best_step, 20);
    rvl_run_close(run);
    run = open_ok(*state, "step-30");
    assert_non_null(rvl_run_resume_from(run, &p));
    assert_int_equal(p.step, 30);
    rvl_run_close(run);
}

static void resume__drops_log_records_beyond_the_checkpoint(void **state)
{
    rvl_run *run = open_ok(*state, "");
    json_t  *records = NULL;

    for (int step = 40; step <= 70; step += 10) {
        json_t *r = json_object();
        rvl_json_set(r, "step", json_integer(step));
        assert_int_equal(rvl_run_log(run, "train.jsonl", r, NULL), RVL_OK);
    }
    rvl_run_close(run);
    run = open_ok(*state, ""); /* at step 50 */
    assert_int_equal(rvl_run_read_log(&records, run, "train.jsonl", NULL), RVL_OK);
    assert_int_equal(json_array_size(records), 2);
    json_decref(records);
    rvl_run_close(run);
}

static void open__refuses_what_would_overwrite_or_differ(void **state)
{
    rvl_run     *run = NULL;
    rvl_error    err = {0};
    rvl_run_opts o = {.runs = *state, .name = "r", .verb = "pretrain", .fingerprint = "f"};

    assert_int_equal(rvl_run_open(&run, &o, &err), RVL_ERR_STATE);
    assert_non_null(strstr(err.text, "--resume"));
    o.resume = "";
    o.fingerprint = "another";
    assert_int_equal(rvl_run_open(&run, &o, &err), RVL_ERR_STATE);
    o.fingerprint = "f";
    o.resume = "step-999";
    assert_int_equal(rvl_run_open(&run, &o, &err), RVL_ERR_NOT_FOUND);
    assert_null(run);
}

static void optimizer__comes_back_from_its_file_and_refuses_another_models(void **state)
{
    tiny       t;
    rvl_adamw *back = NULL;
    char       path[PATH_BYTES];
    rvl_error  err = {0};

    tiny_open(&t);
    rvl_adamw_zero_grad(t.o);
    rvl_adamw_step(t.o, 0.1, 1);
    assert_int_equal(rvl_adamw_save(t.o, path_in(path, *state, "o.safetensors"), &err), RVL_OK);
    assert_int_equal(rvl_adamw_new(&back, t.m->params, (rvl_adamw_opts){0.9, 0.999, 1e-8, 0}, NULL), RVL_OK);
    assert_int_equal(rvl_adamw_load(back, path, &err), RVL_OK);
    rvl_adamw_free(back);
    for (int i = 0; i + 1 < rvl_params_count(t.m->params); i++)
        rvl_param_set_trainable(rvl_params_at(t.m->params, i), false);
    assert_int_equal(rvl_adamw_new(&back, t.m->params, (rvl_adamw_opts){0.9, 0.999, 1e-8, 0}, NULL), RVL_OK);
    assert_int_equal(rvl_adamw_load(back, path, &err), RVL_ERR_FORMAT);
    rvl_adamw_free(back);
    rvl_param_set_trainable(rvl_params_at(t.m->params, rvl_params_count(t.m->params) - 1), false);
    assert_int_equal(rvl_adamw_new(&back, t.m->params, (rvl_adamw_opts){0.9, 0.999, 1e-8, 0}, &err), RVL_ERR_STATE);
    tiny_close(&t);
}

static void schedule__warms_up_then_falls_as_half_a_cosine(void **state)
{
    (void)state;
    assert_true(fabs(rvl_schedule_lr(1, 0.1, 0, 100) - 0.1) < 1e-15);
    assert_true(fabs(rvl_schedule_lr(1, 0.1, 9, 100) - 1) < 1e-15);
    assert_true(fabs(rvl_schedule_lr(1, 0.1, 10, 100) - 1) < 1e-15);
    assert_true(fabs(rvl_schedule_lr(2, 0.1, 55, 100) - 1) < 1e-12); /* half way down */
    assert_true(rvl_schedule_lr(1, 0.1, 99, 100) < 0.001);
    assert_true(fabs(rvl_schedule_lr(3, 0, 0, 1) - 3) < 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkpoints__of_the_best_the_last_and_multiples_stay),
        cmocka_unit_test(resume__takes_the_latest_complete_checkpoint),
        cmocka_unit_test(resume__drops_log_records_beyond_the_checkpoint),
        cmocka_unit_test(open__refuses_what_would_overwrite_or_differ),
        cmocka_unit_test(optimizer__comes_back_from_its_file_and_refuses_another_models),
        cmocka_unit_test(schedule__warms_up_then_falls_as_half_a_cosine),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
