/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_learn_run_folder.c
 * Run folders: opening, checkpoints that count and those that do not, the best one, pruning, logs, the optimizer's
 * file.
 */
#include "cohort_fixture.h"
#include "base/json.h"
#include "learn/run_folder.h"
#include "rvl/ops.h"
#include <sys/stat.h>

typedef struct {
    rvl_model *m;
    rvl_adamw *o;
} trainee;

static void ok(rvl_status st, const rvl_error *err)
{
    if (st)
        fail_msg("status %d: %s", (int)st, err->text);
}

static trainee trainee_new(int width)
{
    trainee   t = {0};
    rvl_error err = {0};

    ok(rvl_model_new(&t.m, 3, &err), &err);
    t.m->has_image = true;
    t.m->image =
        (rvl_image_config){.n_spatial = 2,
                           .in_channels = 1,
                           .resnet = {.width = width, .blocks = {1, 0, 0, 0}, .stem_kernel = 3, .stem_stride = 2}};
    ok(rvl_model_materialize(t.m, &err), &err);
    ok(rvl_adamw_new(
           &t.o, t.m->params,
           (rvl_adamw_opts){.beta1 = 0.9, .beta2 = 0.98, .eps = 1e-8, .n_groups = 1, .groups = {{1, 0.05, NULL}}},
           &err),
       &err);
    return t;
}

static void trainee_free(trainee t)
{
    rvl_adamw_free(t.o);
    rvl_model_free(t.m);
}

static rvl_run_opts opts_in(const char *folder, const char *resume)
{
    return (rvl_run_opts){
        .runs = folder, .name = "a", .verb = "pretrain", .resume = resume, .fingerprint = "f1", .seed = 1};
}

static rvl_run *run_open(rvl_run_opts opts)
{
    rvl_run  *run = NULL;
    rvl_error err = {0};

    ok(rvl_run_open(&run, &opts, &err), &err);
    return run;
}

static void run_refused(rvl_run_opts opts, rvl_status status, const char *phrase)
{
    rvl_run   *run = NULL;
    rvl_error  err = {0};
    rvl_status st = rvl_run_open(&run, &opts, &err);

    if (st != status || !strstr(err.text, phrase))
        fail_msg("expected status %d and '%s', got %d and '%s'", (int)status, phrase, (int)st, err.text);
    assert_null(run);
}

/* A checkpoint at `step` that knows of `best`. */
static void checkpoint(rvl_run *run, trainee t, int64_t step, int64_t best, int64_t keep_last, int64_t keep_every)
{
    rvl_run_position at = {.step = step, .epoch = step / 10, .batch = step % 10, .best_step = best, .best_value = 0.5};
    rvl_error        err = {0};

    ok(rvl_run_checkpoint(run, t.m, t.o, &at, step == best, keep_last, keep_every, &err), &err);
}

static bool has(const char *folder, const char *name)
{
    char path[PATH_BYTES];

    return access(path_in(path, folder, name), F_OK) == 0;
}

static void best_is(const char *folder, const char *step)
{
    char    path[PATH_BYTES];
    char    target[64] = "";
    ssize_t n = readlink(path_in(path, folder, "a/ckpt/best"), target, sizeof target - 1);

    if (step)
        assert_string_equal(target, step);
    else
        assert_int_equal(n, -1);
}

static int64_t resumed_step(rvl_run_opts opts)
{
    rvl_run         *run = run_open(opts);
    rvl_run_position at = {.step = 0};

    if (!rvl_run_resume_from(run, &at))
        at.step = -1;
    rvl_run_close(run);
    return at.step;
}

static void open__refuses_a_run_that_exists_without_resume(void **state)
{
    rvl_run_close(run_open(opts_in(*state, NULL)));
    run_refused(opts_in(*state, NULL), RVL_ERR_STATE, "--resume");
    rvl_run_close(run_open(opts_in(*state, "")));
}

static void open__refuses_what_cannot_be_resumed(void **state)
{
    rvl_run_opts other = opts_in(*state, "");

    run_refused(opts_in(*state, "step-12"), RVL_ERR_NOT_FOUND, "no run");
    rvl_run_close(run_open(opts_in(*state, NULL)));
    other.fingerprint = "f2";
    run_refused(other, RVL_ERR_STATE, "recipe");
    run_refused(opts_in(*state, "step-12"), RVL_ERR_NOT_FOUND, "no complete checkpoint");
    run_refused(opts_in(*state, "step-x"), RVL_ERR_USAGE, "step-x");
    run_refused(opts_in(*state, "newest"), RVL_ERR_USAGE, "newest");
}

static void resume__continues_at_the_latest_complete_step(void **state)
{
    trainee          t = trainee_new(2);
    rvl_run         *run = run_open(opts_in(*state, NULL));
    rvl_run_position at;
    char             path[PATH_BYTES];

    assert_null(rvl_run_resume_from(run, &at));
    checkpoint(run, t, 13, 13, 5, 0);
    checkpoint(run, t, 27, 13, 5, 0);
    rvl_run_close(run);
    run = run_open(opts_in(*state, ""));
    assert_non_null(rvl_run_resume_from(run, &at));
    assert_int_equal(at.step, 27);
    assert_int_equal(at.epoch, 2);
    assert_int_equal(at.batch, 7);
    assert_int_equal(at.best_step, 13);
    assert_true(at.best_value == 0.5);
    rvl_run_close(run);
    assert_int_equal(unlink(path_in(path, *state, "a/ckpt/step-00000027/DONE")), 0);
    assert_int_equal(resumed_step(opts_in(*state, "")), 13);
    trainee_free(t);
}

static void resume__starts_over_when_no_checkpoint_is_complete(void **state)
{
    rvl_run_close(run_open(opts_in(*state, NULL)));
    assert_int_equal(resumed_step(opts_in(*state, "")), -1);
}

static void resume__from_a_named_step_drops_what_came_after(void **state)
{
    trainee  t = trainee_new(2);
    rvl_run *run = run_open(opts_in(*state, NULL));

    checkpoint(run, t, 10, 10, 5, 0);
    checkpoint(run, t, 20, 20, 5, 0);
    checkpoint(run, t, 30, 20, 5, 0);
    rvl_run_close(run);
    best_is(*state, "step-00000020");
    assert_int_equal(resumed_step(opts_in(*state, "step-10")), 10);
    best_is(*state, "step-00000010");
    assert_false(has(*state, "a/ckpt/step-00000020"));
    assert_int_equal(resumed_step(opts_in(*state, "")), 10); /* not one of the other history */
    run = run_open(opts_in(*state, ""));
    checkpoint(run, t, 11, 10, 1, 0);
    assert_true(has(*state, "a/ckpt/step-00000011/DONE"));
    rvl_run_close(run);
    trainee_free(t);
}

static void resume__mends_a_best_link_that_a_kill_left_behind(void **state)
{
    trainee  t = trainee_new(2);
    rvl_run *run = run_open(opts_in(*state, NULL));
    char     path[PATH_BYTES];

    checkpoint(run, t, 10, 10, 5, 0);
    checkpoint(run, t, 20, 20, 5, 0);
    rvl_run_close(run);
    path_in(path, *state, "a/ckpt/best");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("step-00000010", path), 0); /* killed between the checkpoint and its link */
    assert_int_equal(resumed_step(opts_in(*state, "")), 20);
    best_is(*state, "step-00000020");
    trainee_free(t);
}

static void checkpoint__prunes_but_keeps_the_best_and_every_nth(void **state)
{
    static const struct {
        const char *name;
        bool        kept;
    } want[] = {{"a/ckpt/step-00000010", true}, {"a/ckpt/step-00000020", false},     {"a/ckpt/step-00000030", false},
                {"a/ckpt/step-00000040", true}, {"a/ckpt/step-00000050", false},     {"a/ckpt/step-00000060", true},
                {"a/ckpt/step-00000070", true}, {"a/ckpt/.tmp-step-00000099", false}};
    trainee  t = trainee_new(2);
    rvl_run *run = run_open(opts_in(*state, NULL));
    char     path[PATH_BYTES];

    assert_int_equal(mkdir(path_in(path, *state, "a/ckpt/.tmp-step-00000099"), 0700), 0); /* of a kill */
    for (int64_t step = 10; step <= 70; step += 10)
        checkpoint(run, t, step, 10, 2, 40);
    for (size_t i = 0; i < RVL_ARRAY_LEN(want); i++)
        if (has(*state, want[i].name) != want[i].kept)
            fail_msg("'%s' should be %s", want[i].name, want[i].kept ? "kept" : "gone");
    best_is(*state, "step-00000010");
    rvl_run_close(run);
    trainee_free(t);
}

static void checkpoint__of_the_same_step_replaces_it(void **state)
{
    trainee  t = trainee_new(2);
    rvl_run *run = run_open(opts_in(*state, NULL));

    checkpoint(run, t, 10, 10, 3, 0);
    checkpoint(run, t, 10, 10, 3, 0);
    assert_true(has(*state, "a/ckpt/step-00000010/DONE"));
    rvl_run_close(run);
    trainee_free(t);
}

static void log_lines(rvl_run *run, int64_t first, int64_t last)
{
    rvl_error err = {0};

    for (int64_t step = first; step <= last; step++)
        ok(rvl_run_log(run, "train.jsonl", json_pack("{s:I, s:f}", "step", (json_int_t)step, "loss", 0.1), &err), &err);
}

static void logs__are_cut_back_to_the_checkpoint(void **state)
{
    trainee   t = trainee_new(2);
    rvl_run  *run = run_open(opts_in(*state, NULL));
    json_t   *records = NULL;
    rvl_error err = {0};
    char      path[PATH_BYTES];
    FILE     *f;

    log_lines(run, 1, 10);
    checkpoint(run, t, 10, -1, 3, 0);
    log_lines(run, 11, 14);
    rvl_run_close(run);
    f = fopen(path_in(path, *state, "a/train.jsonl"), "a"); /* killed while it wrote */
    assert_non_null(f);
    assert_true(fputs("{\"step\": 15, \"lo", f) >= 0);
    assert_int_equal(fclose(f), 0);
    run = run_open(opts_in(*state, ""));
    log_lines(run, 11, 11);
    ok(rvl_run_read_log(&records, run, "train.jsonl", &err), &err);
    assert_int_equal(json_array_size(records), 11);
    for (size_t i = 0; i < 11; i++)
        assert_int_equal(rvl_json_get_i64(json_array_get(records, i), "step", -1), i + 1);
    json_decref(records);
    rvl_run_close(run);
    trainee_free(t);
}

static void status__is_in_run_json_with_the_facts(void **state)
{
    rvl_run  *run = run_open(opts_in(*state, NULL));
    rvl_error err = {0};
    char      path[PATH_BYTES];

    file_contains(path_in(path, *state, "a/run.json"), "\"status\": \"running\"");
    ok(rvl_run_set_status(run, "done", json_pack("{s:i}", "steps", 7), &err), &err);
    file_contains(path, "\"status\": \"done\"");
    file_contains(path, "\"steps\": 7");
    file_contains(path, "\"ended\"");
    rvl_run_close(run);
    rvl_run_close(run_open(opts_in(*state, "")));
    json_t *record = NULL;
    ok(rvl_json_load(&record, path, &err), &err);
    assert_null(json_object_get(record, "ended")); /* it runs again */
    json_decref(record);
}

/* One step with the gradients of sum(w * target) for each weight, through a plan as training has it. */
static void train_one(trainee t, float level)
{
    rvl_graph *g = NULL;
    rvl_plan  *plan = NULL;
    rvl_error  err = {0};

    ok(rvl_graph_new(&g, t.m->params, t.m->state, RVL_DTYPE_F32, &err), &err);
    rvl_node *x = rvl_input(g, "image", RVL_DTYPE_F32, 4, (int64_t[]){2, 1, 8, 8});
    rvl_node *loss = rvl_mean(rvl_image_build(g, x, &t.m->image, true, 0).pooled, 3U, false);
    rvl_output(g, "loss", loss);
    rvl_graph_backward(g, 1, &loss, NULL);
    rvl_graph_output_weight_grads(g);
    ok(rvl_plan_new(&plan, g, (rvl_plan_opts){0}, &err), &err);
    for (int i = 0; i < 128; i++)
        ((float *)rvl_tensor_data(rvl_plan_input(plan, "image")))[i] = level * (float)(i % 7) - (float)(i % 5);
    rvl_adamw_zero_grad(t.o);
    ok(rvl_plan_run(plan, &err), &err);
    rvl_adamw_accumulate(t.o, plan);
    assert_true(rvl_adamw_grad_norm(t.o) > 0);
    rvl_adamw_step(t.o, 0.01, 1);
    rvl_state_commit(t.m->state);
    rvl_plan_free(plan);
    rvl_graph_free(g);
}

static void optimizer__goes_on_from_its_file_bit_for_bit(void **state)
{
    trainee   a = trainee_new(2);
    trainee   b = trainee_new(2);
    trainee   c = trainee_new(3);
    rvl_error err = {0};
    char      path[PATH_BYTES];

    path_in(path, *state, "o.safetensors");
    for (int i = 0; i < 4; i++) {
        train_one(a, (float)i);
        train_one(b, (float)i);
        if (i != 1)
            continue;
        ok(rvl_adamw_save(b.o, path, &err), &err); /* b goes on with what it finds in the file */
        rvl_adamw_free(b.o);
        ok(rvl_adamw_new(
               &b.o, b.m->params,
               (rvl_adamw_opts){.beta1 = 0.9, .beta2 = 0.98, .eps = 1e-8, .n_groups = 1, .groups = {{1, 0.05, NULL}}},
               &err),
           &err);
        ok(rvl_adamw_load(b.o, path, &err), &err);
    }
    for (int i = 0; i < rvl_params_count(a.m->params); i++) {
        rvl_tensor *x = rvl_param_tensor(rvl_params_at(a.m->params, i));
        rvl_tensor *y = rvl_param_tensor(rvl_params_at(b.m->params, i));
        assert_memory_equal(rvl_tensor_data(x), rvl_tensor_data(y), rvl_tensor_bytes(x));
    }
    assert_int_equal(rvl_adamw_load(c.o, path, &err), RVL_ERR_FORMAT);
    trainee_free(a);
    trainee_free(b);
    trainee_free(c);
}

static void optimizer__refuses_a_model_without_a_weight_to_train(void **state)
{
    trainee    t = trainee_new(2);
    rvl_adamw *o = NULL;
    rvl_error  err = {0};

    (void)state;
    for (int i = 0; i < rvl_params_count(t.m->params); i++)
        rvl_param_set_trainable(rvl_params_at(t.m->params, i), false);
    assert_int_equal(
        rvl_adamw_new(
            &o, t.m->params,
            (rvl_adamw_opts){.beta1 = 0.9, .beta2 = 0.98, .eps = 1e-8, .n_groups = 1, .groups = {{1, 0.05, NULL}}},
            &err),
        RVL_ERR_STATE);
    assert_non_null(strstr(err.text, "nothing to train"));
    trainee_free(t);
}

#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(open__refuses_a_run_that_exists_without_resume),
        IN_FOLDER(open__refuses_what_cannot_be_resumed),
        IN_FOLDER(resume__continues_at_the_latest_complete_step),
        IN_FOLDER(resume__starts_over_when_no_checkpoint_is_complete),
        IN_FOLDER(resume__from_a_named_step_drops_what_came_after),
        IN_FOLDER(resume__mends_a_best_link_that_a_kill_left_behind),
        IN_FOLDER(checkpoint__prunes_but_keeps_the_best_and_every_nth),
        IN_FOLDER(checkpoint__of_the_same_step_replaces_it),
        IN_FOLDER(logs__are_cut_back_to_the_checkpoint),
        IN_FOLDER(status__is_in_run_json_with_the_facts),
        IN_FOLDER(optimizer__goes_on_from_its_file_bit_for_bit),
        cmocka_unit_test(optimizer__refuses_a_model_without_a_weight_to_train),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
