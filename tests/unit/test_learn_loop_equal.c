/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_learn_loop_equal.c
 * Gradients of a step that is taken in pieces, against graphs of the whole batch that are built here with BatchNorm
 * groups of the pieces' size, and against finite differences where dropout draws.
 */
#include "learn_fixture.h"
#include "engine/safetensors.h"
#include <math.h>

enum { MICRO = 4 };

/* The gradients that lie in the optimizer, as a file: the first moment after one step from zero is (1 - beta1) g. */
static rvl_safetensors *gradients(bed *b, const char *folder, const char *name)
{
    rvl_safetensors *f = NULL;
    char             path[PATH_BYTES];

    rvl_adamw_step(b->o, 0, 1);
    OK(rvl_adamw_save(b->o, path_in(path, folder, name), &err));
    OK(rvl_safetensors_open(&f, path, &err));
    return f;
}

/* Every weight's gradient, relative to the largest element of that gradient or, where that is tiny, of all. */
static void same_gradients(const rvl_safetensors *a, const rvl_safetensors *b, double tolerance)
{
    double largest = 0;

    assert_int_equal(rvl_safetensors_count(a), rvl_safetensors_count(b));
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < rvl_safetensors_count(a); i++) {
            const char       *name = rvl_safetensors_name(a, i);
            const rvl_tensor *t = rvl_safetensors_tensor(a, i);
            const rvl_tensor *u = rvl_safetensors_find(b, name);
            double            peak = 0;

            if (strncmp(name, "m.", 2) != 0)
                continue;
            assert_non_null(u);
            for (int64_t j = 0; j < rvl_tensor_count(t); j++)
                peak = fmax(peak, fabs((double)((const float *)rvl_tensor_const_data(t))[j]));
            if (pass == 0)
                largest = fmax(largest, peak);
            for (int64_t j = 0; pass == 1 && j < rvl_tensor_count(t); j++) {
                double x = ((const float *)rvl_tensor_const_data(t))[j];
                double y = ((const float *)rvl_tensor_const_data(u))[j];
                if (!(fabs(x - y) <= tolerance * fmax(peak, 0.01 * largest)))
                    fail_msg("gradient of %s[%d]: %g is not %g (peak %g)", name, (int)j, x, y, peak);
            }
        }
    }
    assert_true(largest > 0);
}

static void same_state(rvl_model *a, rvl_model *b)
{
    rvl_state_commit(a->state);
    rvl_state_commit(b->state);
    assert_int_equal(rvl_state_count(a->state), rvl_state_count(b->state));
    for (int i = 0; i < rvl_state_count(a->state); i++) {
        const rvl_tensor *t = rvl_state_tensor(a->state, i);
        const rvl_tensor *u = rvl_state_tensor(b->state, i);
        assert_string_equal(rvl_state_name(a->state, i), rvl_state_name(b->state, i));
        for (int64_t j = 0; j < rvl_tensor_count(t); j++) {
            double x = ((const float *)rvl_tensor_const_data(t))[j];
            double y = ((const float *)rvl_tensor_const_data(u))[j];
            if (!(fabs(x - y) <= 1e-6 * fmax(1, fabs(x))))
                fail_msg("%s[%d]: %g is not %g", rvl_state_name(a->state, i), (int)j, x, y);
        }
    }
}

static const rvl_batch *first_batch(bed *b)
{
    static rvl_batch batch;

    OK(rvl_loader_seek(b->loader, 0, 0, &err));
    OK(rvl_loader_next(b->loader, &batch, &err));
    assert_int_equal(batch.n, BATCH);
    return &batch;
}

static void put(rvl_plan *plan, const char *name, const void *data)
{
    rvl_tensor *t = rvl_plan_input(plan, name);

    assert_non_null(t);
    memcpy(rvl_tensor_data(t), data, rvl_tensor_bytes(t));
}

/* Finish a reference graph: its plan's gradients go to the optimizer, its loss is returned. */
static rvl_plan *reference_plan(rvl_graph *g, rvl_node *loss)
{
    rvl_plan *plan = NULL;

    rvl_output(g, "loss", loss);
    rvl_graph_backward(g, 1, &loss, NULL);
    rvl_graph_output_weight_grads(g);
    OK(rvl_plan_new(&plan, g, (rvl_plan_opts){0}, &err));
    return plan;
}

static double reference_run(bed *b, rvl_graph *g, rvl_plan *plan)
{
    double loss;

    OK(rvl_plan_run(plan, &err));
    rvl_adamw_accumulate(b->o, plan);
    loss = *(const float *)rvl_tensor_const_data(rvl_plan_output(plan, "loss"));
    rvl_plan_free(plan);
    rvl_graph_free(g);
    return loss;
}

/* The mean of the element losses that count, over the whole batch; a finding is withheld, others are uncertain. */
static double supervised_reference(bed *b, const rvl_batch *batch, const bool *withheld, int bn_group)
{
    const int  k = rvl_schema_count(b->m->schema);
    rvl_graph *g = NULL;
    float      targets[BATCH * 32] = {0};
    float      weights[BATCH * 32] = {0};
    double     sum = 0;

    assert_in_range(k, 1, 32);
    for (int i = 0; i < BATCH * k; i++) {
        if (withheld[i % k])
            continue;
        rvl_label_target((rvl_label_state)batch->labels[i], RVL_UNCERTAIN_IGNORE, RVL_MISSING_ABSENT, &targets[i],
                         &weights[i]);
        sum += weights[i];
    }
    assert_true(sum > 0 && sum < BATCH * k);
    OK(rvl_graph_new(&g, b->m->params, b->m->state, RVL_DTYPE_F32, &err));
    rvl_node *x = rvl_input(g, "image", RVL_DTYPE_F32, 4, (int64_t[]){BATCH, 1, SIDE, SIDE});
    rvl_node *t = rvl_input(g, "targets", RVL_DTYPE_F32, 2, (int64_t[]){BATCH, k});
    rvl_node *w = rvl_input(g, "weights", RVL_DTYPE_F32, 2, (int64_t[]){BATCH, k});
    rvl_node *logits = rvl_head_build(g, rvl_image_build(g, x, &b->m->image, true, bn_group).pooled, k);
    rvl_plan *plan = reference_plan(g, rvl_affine(rvl_sum(rvl_bce_with_logits(logits, t, w), 3U, false), 1 / sum, 0));
    put(plan, "image", batch->images);
    put(plan, "targets", targets);
    put(plan, "weights", weights);
    return reference_run(b, g, plan);
}

static double supervised_pieces(bed *b, const rvl_batch *batch, const bool *withheld, int64_t micro)
{
    rvl_supervise     *s = NULL;
    double             loss = 0;
    rvl_supervise_opts o = {
        .batch = BATCH, .micro_batch = micro, .missing = RVL_MISSING_ABSENT, .withheld = withheld, .seed = 3};

    OK(rvl_supervise_new(&s, b->m, b->cohort, NULL, &o, &err));
    rvl_supervise_set_optimizer(s, b->o);
    rvl_task task = rvl_supervise_task(s);
    OK(task.step(task.self, batch, 0, &loss, &err));
    rvl_supervise_free(s);
    return loss;
}

static void supervised_equals(const char *folder, int64_t micro)
{
    bed        a, b;
    const bool withheld[32] = {[2] = true, [5] = true};
    double     loss[2];

    bed_open(&a, folder, false);
    bed_open(&b, folder, false);
    const rvl_batch *batch = first_batch(&a);
    loss[0] = supervised_reference(&a, batch, withheld, (int)micro);
    loss[1] = supervised_pieces(&b, batch, withheld, micro);
    if (!(fabs(loss[0] - loss[1]) < 1e-6 * loss[0]))
        fail_msg("loss %g is not %g", loss[1], loss[0]);
    rvl_safetensors *f = gradients(&a, folder, "whole.safetensors");
    rvl_safetensors *g = gradients(&b, folder, "pieces.safetensors");
    same_gradients(f, g, 1e-5);
    same_state(a.m, b.m);
    rvl_safetensors_close(f);
    rvl_safetensors_close(g);
    bed_close(&a);
    bed_close(&b);
}

static void supervise__accumulated_equals_the_big_batch_at_equal_groups(void **state)
{
    supervised_equals(*state, MICRO);
    supervised_equals(*state, BATCH);
    supervised_equals(*state, 2);
}

/* Samples 0, 3 and 6 of the batch say the same, and so do 1 and 7. */
static void make_duplicates(bed *b, const rvl_batch *batch)
{
    const int pairs[][2] = {{3, 0}, {6, 0}, {7, 1}};
    for (size_t i = 0; i < RVL_ARRAY_LEN(pairs); i++)
        memcpy(b->list.cases[batch->i_case[pairs[i][0]]].sections, b->list.cases[batch->i_case[pairs[i][1]]].sections,
               sizeof b->list.cases[0].sections);
}

static const float shared_targets[BATCH][BATCH] = {
    [0] = {[0] = 1.0F / 3, [3] = 1.0F / 3, [6] = 1.0F / 3},
    [1] = {[1] = 0.5F, [7] = 0.5F},
    [2] = {[2] = 1},
    [3] = {[0] = 1.0F / 3, [3] = 1.0F / 3, [6] = 1.0F / 3},
    [4] = {[4] = 1},
    [5] = {[5] = 1},
    [6] = {[0] = 1.0F / 3, [3] = 1.0F / 3, [6] = 1.0F / 3},
    [7] = {[1] = 0.5F, [7] = 0.5F},
};

static double contrast_reference(bed *b, const rvl_batch *batch, bool training, int bn_group, bool is_shared)
{
    rvl_graph *g = NULL;
    char      *texts[BATCH];
    int32_t    ids[BATCH * 48];
    float      mask[BATCH * 48];
    int32_t    diagonal[BATCH];
    int64_t    t = 0;

    for (int i = 0; i < BATCH; i++) {
        texts[i] = rvl_case_text(&b->list.cases[batch->i_case[i]], RVL_TEXT_BOTH);
        diagonal[i] = i;
    }
    OK(rvl_tokenize_batch(ids, mask, &t, NULL, b->m, (const char *const *)texts, BATCH, &err));
    for (int i = 0; i < BATCH; i++)
        rvl_free(texts[i]);
    OK(rvl_graph_new(&g, b->m->params, b->m->state, RVL_DTYPE_F32, &err));
    rvl_node *x = rvl_input(g, "image", RVL_DTYPE_F32, 4, (int64_t[]){BATCH, 1, SIDE, SIDE});
    rvl_node *id = rvl_input(g, "ids", RVL_DTYPE_I32, 2, (int64_t[]){BATCH, t});
    rvl_node *m = rvl_input(g, "mask", RVL_DTYPE_F32, 2, (int64_t[]){BATCH, t});
    rvl_node *d = is_shared ? rvl_input(g, "targets", RVL_DTYPE_F32, 2, (int64_t[]){BATCH, BATCH})
                            : rvl_input(g, "diagonal", RVL_DTYPE_I32, 1, (int64_t[]){BATCH});
    rvl_node *image =
        rvl_projection_build(g, rvl_image_build(g, x, &b->m->image, training, training ? bn_group : 0).pooled,
                             &b->m->clip, "visual_projection");
    rvl_node *text =
        rvl_projection_build(g, rvl_bert_build(g, id, m, &b->m->text, true).pooled, &b->m->clip, "text_projection");
    rvl_node *logits = rvl_clip_logits(g, image, text, &b->m->clip);
    rvl_plan *plan = reference_plan(g, is_shared ? rvl_clip_loss_soft(g, logits, d) : rvl_clip_loss(g, logits, d));
    put(plan, "image", batch->images);
    put(plan, "ids", ids);
    put(plan, "mask", mask);
    if (is_shared)
        put(plan, "targets", shared_targets);
    else
        put(plan, "diagonal", diagonal);
    return reference_run(b, g, plan);
}

typedef enum { TOWER_TRAINED, TOWER_LOCKED, TOWER_KEPT } tower_use; /* KEPT: locked, its features computed once */

static double contrast_pieces(bed *b, const rvl_batch *batch, tower_use use, int64_t micro, rvl_duplicates duplicates)
{
    rvl_contrast     *s = NULL;
    double            loss = 0;
    rvl_contrast_opts o = {.batch = BATCH,
                           .micro_batch = micro,
                           .lock_image = use != TOWER_TRAINED,
                           .keep_features = use == TOWER_KEPT,
                           .text = RVL_TEXT_BOTH,
                           .duplicates = duplicates,
                           .seed = 3};

    OK(rvl_contrast_new(&s, b->m, b->cohort, &b->list, NULL, &o, &err));
    rvl_contrast_set_optimizer(s, b->o, rvl_loader_n_batches(b->loader));
    rvl_task task = rvl_contrast_task(s);
    OK(task.step(task.self, batch, 0, &loss, &err));
    assert_int_equal(rvl_contrast_n_shared(s), duplicates == RVL_DUPLICATES_SHARE ? 5 : 0);
    rvl_contrast_free(s);
    return loss;
}

static void contrast_equals(const char *folder, int64_t micro, rvl_duplicates duplicates)
{
    bed    a, b;
    double loss[2];

    bed_open(&a, folder, true);
    bed_open(&b, folder, true);
    const rvl_batch *batch = first_batch(&a);
    make_duplicates(&a, batch);
    make_duplicates(&b, batch);
    loss[0] = contrast_reference(&a, batch, true, (int)micro, duplicates == RVL_DUPLICATES_SHARE);
    loss[1] = contrast_pieces(&b, batch, TOWER_TRAINED, micro, duplicates);
    if (!(fabs(loss[0] - loss[1]) < 1e-5 * loss[0]))
        fail_msg("loss %g is not %g", loss[1], loss[0]);
    rvl_safetensors *f = gradients(&a, folder, "whole.safetensors");
    rvl_safetensors *g = gradients(&b, folder, "pieces.safetensors");
    same_gradients(f, g, 1e-5);
    same_state(a.m, b.m);
    rvl_safetensors_close(f);
    rvl_safetensors_close(g);
    bed_close(&a);
    bed_close(&b);
}

static void contrast__cached_gradients_equal_the_big_batch_at_equal_groups(void **state)
{
    contrast_equals(*state, MICRO, RVL_DUPLICATES_IGNORE);
    contrast_equals(*state, BATCH, RVL_DUPLICATES_IGNORE);
    contrast_equals(*state, 2, RVL_DUPLICATES_IGNORE);
}

static void contrast__equal_texts_share_their_target_in_pieces_too(void **state)
{
    contrast_equals(*state, MICRO, RVL_DUPLICATES_SHARE); /* duplicates within a piece and across pieces */
    contrast_equals(*state, BATCH, RVL_DUPLICATES_SHARE);
    contrast_equals(*state, 2, RVL_DUPLICATES_SHARE);
}

static void lock_image_tower(bed *b)
{
    for (int i = 0; i < rvl_params_count(b->m->params); i++)
        if (rvl_str_starts(rvl_param_name(rvl_params_at(b->m->params, i)), "visual."))
            rvl_param_set_trainable(rvl_params_at(b->m->params, i), false);
}

static void contrast__kept_features_are_those_of_the_locked_tower(void **state)
{
    static const int64_t micros[] = {BATCH, 2};

    for (int i = 0; i < 2; i++) {
        bed    a, b;
        double loss[2];

        bed_open(&a, *state, true);
        bed_open(&b, *state, true);
        rvl_batch batch = *first_batch(&a);
        make_duplicates(&a, &batch);
        make_duplicates(&b, &batch);
        lock_image_tower(&a);
        lock_image_tower(&b);
        loss[0] = contrast_pieces(&a, &batch, TOWER_LOCKED, micros[i], RVL_DUPLICATES_SHARE);
        batch.images = NULL; /* not read */
        batch.labels = NULL;
        loss[1] = contrast_pieces(&b, &batch, TOWER_KEPT, micros[i], RVL_DUPLICATES_SHARE);
        if (!(fabs(loss[0] - loss[1]) < 1e-6 * loss[0]))
            fail_msg("loss %g is not %g", loss[1], loss[0]);
        rvl_safetensors *f = gradients(&a, *state, "locked.safetensors");
        rvl_safetensors *g = gradients(&b, *state, "kept.safetensors");
        same_gradients(f, g, 1e-5);
        rvl_safetensors_close(f);
        rvl_safetensors_close(g);
        bed_close(&a);
        bed_close(&b);
    }
}

/* Cross-entropy of rows of `x` against rows of `y` (BATCH, 8), with the targets above or the diagonal. */
static double naive_loss(const float *x, const float *y, double scale, bool is_shared)
{
    double total = 0;

    for (int i = 0; i < BATCH; i++) {
        double logits[BATCH], sum = 0;
        for (int j = 0; j < BATCH; j++) {
            logits[j] = 0;
            for (int k = 0; k < 8; k++)
                logits[j] += scale * (double)x[i * 8 + k] * (double)y[j * 8 + k];
            sum += exp(logits[j]);
        }
        for (int j = 0; j < BATCH; j++)
            total -= (is_shared ? (double)shared_targets[i][j] : i == j) * (logits[j] - log(sum)) / BATCH;
    }
    return total;
}

static void contrast__validates_with_the_targets_of_training(void **state)
{
    bed        b;
    rvl_batch  batch = {.n = BATCH};
    int64_t    i_case[BATCH] = {0, 1, 2, 3, 4, 5, 6, 7};
    float      image[BATCH * 8], text[BATCH * 8];
    char      *texts[BATCH];
    rvl_infer *infer = NULL;

    bed_open(&b, *state, true);
    batch.i_case = i_case;
    make_duplicates(&b, &batch);
    b.list.n_cases = BATCH;
    for (int i = 0; i < BATCH; i++)
        texts[i] = rvl_case_text(&b.list.cases[i], RVL_TEXT_BOTH);
    OK(rvl_infer_new(&infer, b.m, &err));
    OK(rvl_infer_cases(image, infer, "embedding", b.cohort, &b.list, &err));
    OK(rvl_infer_texts(text, infer, "embedding", (const char *const *)texts, BATCH, NULL, &err));
    for (int i = 0; i < 3; i++) {
        const bool        is_shared = i > 0;
        rvl_contrast     *s = NULL;
        json_t           *metrics = NULL;
        double            value;
        rvl_contrast_opts o = {.batch = BATCH,
                               .micro_batch = BATCH,
                               .lock_image = i == 2,
                               .keep_features = i == 2,
                               .text = RVL_TEXT_BOTH,
                               .duplicates = is_shared ? RVL_DUPLICATES_SHARE : RVL_DUPLICATES_IGNORE};
        OK(rvl_contrast_new(&s, b.m, b.cohort, &b.list, &b.list, &o, &err));
        rvl_task task = rvl_contrast_task(s);
        OK(task.evaluate(task.self, &metrics, &value, &err));
        double want = 0.5 * (naive_loss(image, text, rvl_clip_scale(b.m), is_shared) +
                             naive_loss(text, image, rvl_clip_scale(b.m), is_shared));
        if (!(fabs(value + want) < 1e-7 * want))
            fail_msg("%.12g is not %.12g (%d)", value, -want, is_shared);
        json_decref(metrics);
        rvl_contrast_free(s);
    }
    rvl_infer_free(infer);
    for (int i = 0; i < BATCH; i++)
        rvl_free(texts[i]);
    bed_close(&b);
}

/* Move every weight by `by` times what the file has for it. */
static void move(bed *b, const rvl_safetensors *gradient, double by)
{
    for (int i = 0; i < rvl_params_count(b->m->params); i++) {
        rvl_param *p = rvl_params_at(b->m->params, i);
        float     *w = rvl_tensor_data(rvl_param_tensor(p));
        char       name[256];
        snprintf(name, sizeof name, "m.%s", rvl_param_name(p));
        const float *g = rvl_tensor_const_data(rvl_safetensors_find(gradient, name));
        for (int64_t j = 0; j < rvl_tensor_count(rvl_param_tensor(p)); j++)
            w[j] = (float)(w[j] + by * g[j]);
        rvl_param_touch(p);
    }
}

static void contrast__both_passes_of_a_piece_drop_the_same_elements(void **state)
{
    bed    b;
    double norm, up, down;

    bed_open(&b, *state, true);
    b.m->text.dropout = 0.4;
    const rvl_batch *batch = first_batch(&b);
    (void)contrast_pieces(&b, batch, TOWER_LOCKED, 2, RVL_DUPLICATES_IGNORE);
    norm = rvl_adamw_grad_norm(b.o);
    rvl_safetensors *g = gradients(&b, *state, "g.safetensors"); /* 0.1 times the gradient */
    const double     by = 0.002 / norm;                          /* a way of 0.002 along the gradient */
    move(&b, g, 10 * by);
    up = contrast_pieces(&b, batch, TOWER_LOCKED, 2, RVL_DUPLICATES_IGNORE);
    move(&b, g, -20 * by);
    down = contrast_pieces(&b, batch, TOWER_LOCKED, 2, RVL_DUPLICATES_IGNORE);
    /* the slope along the gradient is its norm, if the gradient is that of this very loss */
    double slope = (up - down) / (2 * by * norm);
    if (!(fabs(slope - norm) < 0.02 * norm))
        fail_msg("slope %g along a gradient of norm %g", slope, norm);
    rvl_safetensors_close(g);
    bed_close(&b);
}

static void contrast__a_piece_names_the_tensor_that_is_not_finite(void **state)
{
    bed               b;
    rvl_contrast     *s = NULL;
    double            loss = 0;
    rvl_error         err = {0};
    rvl_contrast_opts o = {.batch = BATCH, .micro_batch = 2, .text = RVL_TEXT_BOTH, .seed = 3};
    rvl_param        *p;

    bed_open(&b, *state, true);
    p = rvl_params_find(b.m->params, "text.encoder.layer.0.output.dense.weight");
    assert_non_null(p);
    ((float *)rvl_tensor_data(rvl_param_tensor(p)))[3] = INFINITY;
    assert_int_equal(rvl_contrast_new(&s, b.m, b.cohort, &b.list, NULL, &o, &err), RVL_OK);
    rvl_contrast_set_optimizer(s, b.o, rvl_loader_n_batches(b.loader));
    rvl_task task = rvl_contrast_task(s);
    assert_int_equal(task.step(task.self, first_batch(&b), 0, &loss, &err), RVL_ERR_NUMERIC);
    if (!strstr(err.text, "encoder.layer.0.output.dense"))
        fail_msg("%s", err.text);
    rvl_contrast_free(s);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(supervise__accumulated_equals_the_big_batch_at_equal_groups),
        cmocka_unit_test(contrast__cached_gradients_equal_the_big_batch_at_equal_groups),
        cmocka_unit_test(contrast__kept_features_are_those_of_the_locked_tower),
        cmocka_unit_test(contrast__equal_texts_share_their_target_in_pieces_too),
        cmocka_unit_test(contrast__validates_with_the_targets_of_training),
        cmocka_unit_test(contrast__both_passes_of_a_piece_drop_the_same_elements),
        cmocka_unit_test(contrast__a_piece_names_the_tensor_that_is_not_finite),
    };
    return cmocka_run_group_tests(tests, cohort_make, folder_remove);
}
