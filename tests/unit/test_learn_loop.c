/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_learn_loop.c
 * Training on a few phantoms: what must be equal is equal, numbers that break stop the run, an interrupted run goes on.
 */
#include "learn_fixture.h"
#include "base/util.h"
#include "engine/safetensors.h"
#include "rvl/verbs.h"
#include <math.h>

/* Weights after one step with a fixed rate: equal gradients give equal weights. */
static void assert_same_weights(rvl_model *a, rvl_model *b, double tolerance)
{
    assert_int_equal(rvl_params_count(a->params), rvl_params_count(b->params));
    for (int i = 0; i < rvl_params_count(a->params); i++) {
        rvl_param   *p = rvl_params_at(a->params, i);
        rvl_param   *q = rvl_params_find(b->params, rvl_param_name(p));
        const float *x = rvl_tensor_const_data(rvl_param_tensor(p));
        const float *y = rvl_tensor_const_data(rvl_param_tensor(q));
        for (int64_t j = 0; j < rvl_tensor_count(rvl_param_tensor(p)); j++)
            if (fabs((double)x[j] - (double)y[j]) > tolerance)
                fail_msg("%s[%d]: %g is not %g", rvl_param_name(p), (int)j, (double)x[j], (double)y[j]);
    }
}

/* One contrastive step; returns loss and gradient norm. */
static void contrast_step(bed *b, int64_t micro, bool lock_image, double *loss, double *norm)
{
    rvl_contrast     *s = NULL;
    rvl_batch         batch;
    rvl_contrast_opts o = {
        .batch = BATCH, .micro_batch = micro, .lock_image = lock_image, .text = RVL_TEXT_BOTH, .seed = 3};

    OK(rvl_contrast_new(&s, b->m, b->cohort, &b->list, NULL, &o, &err));
    rvl_contrast_set_optimizer(s, b->o, rvl_loader_n_batches(b->loader));
    rvl_task task = rvl_contrast_task(s);
    OK(rvl_loader_seek(b->loader, 0, 0, &err));
    OK(rvl_loader_next(b->loader, &batch, &err));
    OK(task.step(task.self, &batch, 0, loss, &err));
    *norm = rvl_adamw_grad_norm(b->o);
    rvl_adamw_step(b->o, 1e-3, 1);
    rvl_contrast_free(s);
}

static void contrast__cached_gradient_equals_the_whole_batch(void **state)
{
    bed    a;
    bed    b;
    double loss[2];
    double norm[2];

    bed_open(&a, *state, true);
    bed_open(&b, *state, true);
    contrast_step(&a, BATCH, true, &loss[0], &norm[0]); /* a locked tower: BatchNorm has no groups to differ in */
    contrast_step(&b, 2, true, &loss[1], &norm[1]);
    assert_true(fabs(loss[0] - loss[1]) < 1e-5);
    assert_true(fabs(norm[0] - norm[1]) < 1e-5 * norm[0]);
    assert_true(norm[0] > 1e-3);
    bed_close(&a);
    bed_close(&b);
}

static void contrast__second_pass_counts_statistics_once(void **state)
{
    bed    a;
    bed    b;
    double loss;
    double norm;

    bed_open(&a, *state, true);
    bed_open(&b, *state, true);
    contrast_step(&a, 4, false, &loss, &norm);
    rvl_state_commit(a.m->state);
    /* by hand: the forward pass alone, chunk by chunk, with the same untouched weights */
    contrast_step(&b, 4, false, &loss, &norm);
    rvl_state_commit(b.m->state);
    for (int i = 0; i < rvl_state_count(a.m->state); i++) {
        const float *x = rvl_tensor_const_data(rvl_state_tensor(a.m->state, i));
        const float *y = rvl_tensor_const_data(rvl_state_tensor(b.m->state, i));
        assert_true(fabs((double)x[0] - (double)y[0]) < 1e-7);
        if (strcmp(rvl_state_name(a.m->state, i), "visual.bn1.running_var") == 0) {
            /* two groups of four: var = 0.81 * 1 + 0.09 * v1 + 0.1 * v2; a third or fourth blend would shrink the share
             * of the start, 0.81, to 0.729 or 0.656; the input's variance is far below 1 after the first convolution */
            assert_true(x[0] > 0.81F && x[0] < 0.81F + 0.19F * 4);
        }
    }
    assert_same_weights(a.m, b.m, 0);
    bed_close(&a);
    bed_close(&b);
}

static double supervised_step(bed *b, int64_t micro)
{
    rvl_supervise     *s = NULL;
    rvl_batch          batch;
    double             loss = 0;
    rvl_supervise_opts o = {.batch = BATCH, .micro_batch = micro, .missing = RVL_MISSING_ABSENT};

    OK(rvl_supervise_new(&s, b->m, b->cohort, NULL, &o, &err));
    rvl_supervise_set_optimizer(s, b->o);
    rvl_task task = rvl_supervise_task(s);
    OK(rvl_loader_seek(b->loader, 0, 0, &err));
    OK(rvl_loader_next(b->loader, &batch, &err));
    OK(task.step(task.self, &batch, 0, &loss, &err));
    rvl_supervise_free(s);
    return loss;
}

static void supervise__loss_starts_at_ln_2_and_can_be_overfitted(void **state)
{
    bed    b;
    double first;
    double last = 0;

    bed_open(&b, *state, false);
    first = supervised_step(&b, BATCH);
    assert_true(first > 0.4 && first < 1.2); /* ln 2 for an untrained head, give or take its random weights */
    for (int i = 0; i < 60; i++) {
        rvl_adamw_step(b.o, 1e-2, 1);
        rvl_state_commit(b.m->state);
        rvl_adamw_zero_grad(b.o);
        last = supervised_step(&b, BATCH);
    }
    assert_true(last < 0.3 * first);
    bed_close(&b);
}

static void supervise__gives_the_same_bytes_twice(void **state)
{
    bed    a;
    bed    b;
    double losses[2];

    bed_open(&a, *state, false);
    bed_open(&b, *state, false);
    losses[0] = supervised_step(&a, 4);
    losses[1] = supervised_step(&b, 4);
    assert_true(losses[0] == losses[1]); /* the same bytes twice */
    rvl_adamw_step(a.o, 1e-3, 1);
    rvl_adamw_step(b.o, 1e-3, 1);
    assert_same_weights(a.m, b.m, 0);
    bed_close(&a);
    bed_close(&b);
}

static void supervise__names_the_tensor_that_is_not_finite(void **state)
{
    bed                b;
    rvl_supervise     *s = NULL;
    rvl_batch          batch;
    double             loss = 0;
    rvl_error          err = {0};
    rvl_supervise_opts o = {.batch = BATCH, .micro_batch = BATCH, .missing = RVL_MISSING_ABSENT};

    bed_open(&b, *state, false);
    ((float *)rvl_tensor_data(rvl_param_tensor(rvl_params_find(b.m->params, "visual.layer2.0.conv1.weight"))))[3] = NAN;
    assert_int_equal(rvl_supervise_new(&s, b.m, b.cohort, NULL, &o, &err), RVL_OK);
    rvl_supervise_set_optimizer(s, b.o);
    rvl_task task = rvl_supervise_task(s);
    assert_int_equal(rvl_loader_next(b.loader, &batch, &err), RVL_OK);
    assert_int_equal(task.step(task.self, &batch, 0, &loss, &err), RVL_OK);
    assert_true(isnan(loss));
    assert_int_equal(task.find_nonfinite(task.self, &err), RVL_ERR_NUMERIC);
    assert_non_null(strstr(err.text, "layer2.0.conv1"));
    rvl_supervise_free(s);
    bed_close(&b);
}

static rvl_pretrain_opts small_run(const char *folder, char runs[PATH_BYTES], char cohort[PATH_BYTES], const char *name)
{
    rvl_pretrain_opts o = rvl_pretrain_opts_default();
    o.train.cohort = path_in(cohort, folder, "cohort");
    o.train.runs = path_in(runs, folder, "runs");
    o.train.name = name;
    o.train.val_split = "";
    o.train.epochs = 3;
    o.train.batch_size = BATCH;
    o.train.width = 4;
    o.train.depth = "1,1";
    o.train.save_every = 1;
    o.train.keep_last = 100;
    o.train.deterministic = true;
    return o;
}

static void run__continues_from_any_checkpoint_to_the_same_bytes(void **state)
{
    char              runs[PATH_BYTES];
    char              cohort[PATH_BYTES];
    char              path[PATH_BYTES];
    char             *first = NULL;
    char             *second = NULL;
    size_t            n_first;
    size_t            n_second;
    rvl_train_result  r;
    rvl_pretrain_opts o = small_run(*state, runs, cohort, "a");

    OK(rvl_pretrain_run(&r, &o, &err));
    assert_int_equal(r.n_steps, 12); /* 4 batches an epoch, 3 epochs */
    OK(rvl_file_read(&first, &n_first, path_in(path, runs, "a/ckpt/step-00000012/model.safetensors"), 0, &err));
    o.train.resume = "step-5";
    OK(rvl_pretrain_run(&r, &o, &err));
    OK(rvl_file_read(&second, &n_second, path, 0, &err));
    assert_int_equal(n_first, n_second);
    assert_memory_equal(first, second, n_first);
    rvl_free(first);
    rvl_free(second);
}

static void run__is_not_overwritten_and_not_continued_with_another_recipe(void **state)
{
    char              runs[PATH_BYTES];
    char              cohort[PATH_BYTES];
    rvl_train_result  r;
    rvl_error         err = {0};
    rvl_pretrain_opts o = small_run(*state, runs, cohort, "a");

    assert_int_equal(rvl_pretrain_run(&r, &o, &err), RVL_ERR_STATE);
    assert_non_null(strstr(err.text, "--resume"));
    o.train.resume = "";
    o.train.lr *= 2;
    assert_int_equal(rvl_pretrain_run(&r, &o, &err), RVL_ERR_STATE);
    assert_non_null(strstr(err.text, "differ"));
}

static void run__saves_when_interrupted_and_goes_on(void **state)
{
    char              runs[PATH_BYTES];
    char              cohort[PATH_BYTES];
    char              a[PATH_BYTES];
    char              c[PATH_BYTES];
    char             *first = NULL;
    char             *second = NULL;
    size_t            n_first;
    size_t            n_second;
    rvl_train_result  r;
    rvl_error         err = {0};
    rvl_pretrain_opts o = small_run(*state, runs, cohort, "c");

    o.train.save_every = 0;
    rvl_cancel_request();
    assert_int_equal(rvl_pretrain_run(&r, &o, &err), RVL_ERR_CANCELLED);
    rvl_cancel_reset();
    assert_int_equal(r.n_steps, 1);
    o.train.resume = "";
    assert_int_equal(rvl_pretrain_run(&r, &o, &err), RVL_OK);
    assert_int_equal(
        rvl_file_read(&first, &n_first, path_in(a, runs, "a/ckpt/step-00000012/model.safetensors"), 0, &err), RVL_OK);
    assert_int_equal(
        rvl_file_read(&second, &n_second, path_in(c, runs, "c/ckpt/step-00000012/model.safetensors"), 0, &err), RVL_OK);
    assert_int_equal(n_first, n_second);
    assert_memory_equal(first, second, n_first);
    rvl_free(first);
    rvl_free(second);
}

/* Weights and statistics of the image tower are equal in two bundles; returns how many there are. */
static int same_tower(const char *a, const char *b)
{
    rvl_safetensors *f = NULL;
    rvl_safetensors *g = NULL;
    int              n = 0;

    OK(rvl_safetensors_open(&f, a, &err));
    OK(rvl_safetensors_open(&g, b, &err));
    for (int i = 0; i < rvl_safetensors_count(f); i++) {
        const char       *name = rvl_safetensors_name(f, i);
        const rvl_tensor *x = rvl_safetensors_tensor(f, i);
        const rvl_tensor *y = rvl_safetensors_find(g, name);
        if (strncmp(name, "visual.", 7) != 0)
            continue;
        assert_non_null(y);
        assert_int_equal(rvl_tensor_bytes(x), rvl_tensor_bytes(y));
        assert_memory_equal(rvl_tensor_const_data(x), rvl_tensor_const_data(y), rvl_tensor_bytes(x));
        n++;
    }
    rvl_safetensors_close(f);
    rvl_safetensors_close(g);
    return n;
}

static void run__pretrains_a_head_on_a_locked_tower(void **state)
{
    char              runs[PATH_BYTES], cohort[PATH_BYTES], tower[PATH_BYTES], path[PATH_BYTES];
    rvl_safetensors  *f = NULL;
    char             *first = NULL;
    char             *second = NULL;
    size_t            n_first, n_second;
    rvl_train_result  r;
    rvl_pretrain_opts o = small_run(*state, runs, cohort, "head");

    o.train.image_tower = path_in(tower, runs, "a/ckpt/step-00000012/model.safetensors"); /* of the tests above */
    o.train.lock_image = true;
    o.train.lr_head = 1e-2;
    o.train.epochs = 1;
    OK(rvl_pretrain_run(&r, &o, &err));
    assert_int_equal(r.n_steps, 4);
    OK(rvl_file_read(&first, &n_first, path_in(path, runs, "head/ckpt/step-00000004/model.safetensors"), 0, &err));
    assert_true(same_tower(tower, path) > 10); /* BatchNorm's statistics too */
    OK(rvl_safetensors_open(&f, path_in(path, runs, "head/ckpt/step-00000004/optimizer.safetensors"), &err));
    assert_int_equal(rvl_safetensors_count(f), 4); /* m and v of head.weight and head.bias */
    rvl_safetensors_close(f);
    o.train.resume = "step-2";
    OK(rvl_pretrain_run(&r, &o, &err));
    OK(rvl_file_read(&second, &n_second, path_in(path, runs, "head/ckpt/step-00000004/model.safetensors"), 0, &err));
    assert_int_equal(n_first, n_second);
    assert_memory_equal(first, second, n_first);
    rvl_free(first);
    rvl_free(second);
}

static void locked_tower_resumes(const char *folder, const char *name, bool augment)
{
    char              runs[PATH_BYTES], cohort[PATH_BYTES], tower[PATH_BYTES], run[PATH_BYTES], path[PATH_BYTES];
    char             *first = NULL;
    char             *second = NULL;
    size_t            n_first, n_second;
    rvl_train_result  r;
    rvl_pretrain_opts p = small_run(folder, runs, cohort, name);
    rvl_align_opts    o = rvl_align_opts_default();

    o.train = p.train;
    o.train.image_tower = path_in(tower, runs, "a/ckpt/step-00000012/model.safetensors"); /* of the tests above */
    o.train.micro_batch = 4;
    o.train.epochs = 2;
    o.train.lock_image = true;
    o.train.augment = augment;
    o.tower.lr_text = 1e-4;
    o.tower.text_width = 16;
    o.tower.text_layers = 1;
    o.tower.text_heads = 2;
    o.embed_dim = 8;
    o.tower.vocabulary_size = 200;
    OK(rvl_align_run(&r, &o, &err));
    assert_int_equal(r.n_steps, 8);
    OK(rvl_file_read(&first, &n_first, path_in(path, path_in(run, runs, name), "ckpt/step-00000008/model.safetensors"),
                     0, &err));
    assert_true(same_tower(tower, path) > 10);
    o.train.resume = "step-3";
    OK(rvl_align_run(&r, &o, &err));
    OK(rvl_file_read(&second, &n_second, path, 0, &err));
    assert_int_equal(n_first, n_second);
    assert_memory_equal(first, second, n_first);
    rvl_free(first);
    rvl_free(second);
}

static void run__with_a_locked_tower_resumes_to_the_same_bytes(void **state)
{
    locked_tower_resumes(*state, "l", true);
    locked_tower_resumes(*state, "kept", false); /* the tower's features computed once */
}

static void sentences__are_an_ordered_subset_and_follow_the_key(void **state)
{
    const char *text = "First one here. Second two there. Third is last.";
    int         n_distinct = 0;
    int         n_same = 0;

    (void)state;
    for (uint64_t key = 0; key < 40; key++) {
        char *a = drawn_text(text, 1, 2, key);
        char *b = drawn_text(text, 1, 2, key);
        char *c = drawn_text(text, 1, 3, key);
        assert_string_equal(a, b);
        assert_true(*a);
        n_same += strcmp(a, c) == 0;
        n_distinct += strcmp(a, text) != 0;
        const char *first = strstr(a, "First");
        const char *last = strstr(a, "Third");
        assert_true(!first || !last || first < last);
        rvl_free(a);
        rvl_free(b);
        rvl_free(c);
    }
    assert_true(n_distinct > 15);
    assert_true(n_same < 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contrast__cached_gradient_equals_the_whole_batch),
        cmocka_unit_test(contrast__second_pass_counts_statistics_once),
        cmocka_unit_test(supervise__loss_starts_at_ln_2_and_can_be_overfitted),
        cmocka_unit_test(supervise__gives_the_same_bytes_twice),
        cmocka_unit_test(supervise__names_the_tensor_that_is_not_finite),
        cmocka_unit_test(run__continues_from_any_checkpoint_to_the_same_bytes),
        cmocka_unit_test(run__is_not_overwritten_and_not_continued_with_another_recipe),
        cmocka_unit_test(run__saves_when_interrupted_and_goes_on),
        cmocka_unit_test(run__pretrains_a_head_on_a_locked_tower),
        cmocka_unit_test(run__with_a_locked_tower_resumes_to_the_same_bytes),
        cmocka_unit_test(sentences__are_an_ordered_subset_and_follow_the_key),
    };
    return cmocka_run_group_tests(tests, cohort_make, folder_remove);
}
