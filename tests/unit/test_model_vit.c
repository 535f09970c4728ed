/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file unit/test_model_vit.c
 * Vision transformers as towers of a model: bundles, positions for other image sizes, what cannot be built.
 */
#include "tests/support.h"
#include "base/str.h"
#include "engine/safetensors.h"
#include "model/model.h"
#include "model/pos_embed.h"
#include <math.h>

static char folder[PATH_BYTES];

static void ok(rvl_status st, const rvl_error *err)
{
    if (st)
        fail_msg("%s", err->text);
}

static const char *in_folder(const char *name)
{
    static char path[PATH_BYTES + 128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/** A vision transformer for images of height x width in patches of 4; not materialised. */
static rvl_model *model_configure(uint64_t seed, int height, int width)
{
    rvl_model *m = NULL;
    rvl_error  err = {0};

    ok(rvl_model_new(&m, seed, &err), &err);
    m->has_image = true;
    m->image = (rvl_image_config){.kind = RVL_IMAGE_VIT,
                                  .n_spatial = 2,
                                  .in_channels = 1,
                                  .vit = {.image_height = height,
                                          .image_width = width,
                                          .patch = 4,
                                          .hidden = 12,
                                          .n_layers = 1,
                                          .n_heads = 2,
                                          .intermediate = 20,
                                          .pooling = RVL_POOLING_MEAN}};
    return m;
}

static const rvl_tensor *weight(const rvl_model *m, const char *name)
{
    rvl_param *p = rvl_params_find(m->params, name);

    if (!p)
        fail_msg("the model has no '%s'", name);
    return rvl_param_tensor(p);
}

/** A materialised model saved as a bundle and, without the prefix "visual.", as a plain file. */
static rvl_model *files_make(int height, int width)
{
    rvl_model        *m = model_configure(3, height, width);
    const char       *names[64];
    const rvl_tensor *tensors[64];
    rvl_error         err = {0};
    int               n;

    ok(rvl_model_materialize(m, &err), &err);
    n = rvl_params_count(m->params);
    ok(rvl_bundle_save(m, in_folder("bundle.safetensors"), &err), &err);
    for (int i = 0; i < n; i++) {
        const char *name = rvl_param_name(rvl_params_at(m->params, i));

        assert_true(rvl_str_starts(name, "visual."));
        names[i] = name + strlen("visual.");
        tensors[i] = rvl_param_tensor(rvl_params_at(m->params, i));
    }
    ok(rvl_safetensors_save(in_folder("plain.safetensors"), n, names, tensors, NULL, &err), &err);
    return m;
}

static void bundle__comes_back(void **state)
{
    rvl_model *m = files_make(16, 24);
    rvl_model *back = NULL;
    rvl_error  err = {0};

    (void)state;
    ok(rvl_bundle_load(&back, in_folder("bundle.safetensors"), NULL, &err), &err);
    assert_int_equal(back->image.kind, RVL_IMAGE_VIT);
    assert_memory_equal(&back->image.vit, &m->image.vit, sizeof m->image.vit);
    assert_int_equal(rvl_params_count(back->params), rvl_params_count(m->params));
    assert_int_equal(rvl_tensor_shape(weight(back, "visual.pos_embed"))[1], 1 + 4 * 6);
    assert_int_equal(rvl_image_features(&back->image), 12);
    rvl_model_free(back);
    rvl_model_free(m);
}

/** Load `file` into a tower for height x width: its positions are those of `m` on the grid `from`, resampled. */
static void resampled_is(const rvl_model *m, const char *file, const int64_t from[2], int height, int width,
                         const char *text)
{
    rvl_model      *other = model_configure(4, height, width);
    rvl_tensor     *want = NULL;
    rvl_load_report report;
    rvl_error       err = {0};

    ok(rvl_model_load_tower(other, in_folder(file), "visual", NULL, &report, &err), &err);
    assert_int_equal(report.n_resampled, text != NULL);
    assert_string_equal(report.resampled, text ? text : "");
    assert_int_equal(report.n_matched, rvl_params_count(m->params));
    assert_int_equal(report.n_missing + report.n_misshapen + report.n_unexpected, 0);
    ok(rvl__pos_embed_resample(&want, weight(m, "visual.pos_embed"), 1, from, (int64_t[]){height / 4, width / 4}, &err),
       &err);
    assert_int_equal(rvl_tensor_bytes(want), rvl_tensor_bytes(weight(other, "visual.pos_embed")));
    if (text)
        assert_memory_equal(rvl_tensor_const_data(want), rvl_tensor_const_data(weight(other, "visual.pos_embed")),
                            rvl_tensor_bytes(want));
    else
        assert_memory_equal(rvl_tensor_const_data(weight(m, "visual.pos_embed")),
                            rvl_tensor_const_data(weight(other, "visual.pos_embed")), rvl_tensor_bytes(want));
    ok(rvl_model_materialize(other, &err), &err);
    rvl_tensor_free(want);
    rvl_model_free(other);
}

static void positions__are_resampled_and_reported(void **state)
{
    const int64_t square[2] = {4, 4};
    rvl_model    *m = files_make(16, 16);

    (void)state;
    resampled_is(m, "bundle.safetensors", square, 24, 12, "visual.pos_embed from 4 x 4 to 6 x 3");
    resampled_is(m, "plain.safetensors", square, 24, 12, "visual.pos_embed from 4 x 4 to 6 x 3");
    /* as many positions on another grid: a bundle says so, of a plain file they are taken as they are */
    resampled_is(m, "bundle.safetensors", square, 32, 8, "visual.pos_embed from 4 x 4 to 8 x 2");
    resampled_is(m, "plain.safetensors", square, 32, 8, NULL);
    resampled_is(m, "bundle.safetensors", square, 16, 16, NULL);
    rvl_model_free(m);
}

static void positions__of_an_unknown_grid_are_refused(void **state)
{
    const int64_t   wide[2] = {2, 3};
    rvl_model      *m = files_make(8, 12);
    rvl_model      *other = model_configure(4, 16, 16);
    rvl_load_report report;
    rvl_error       err = {0};

    (void)state;
    assert_int_equal(rvl_model_load_tower(other, in_folder("plain.safetensors"), "visual", NULL, &report, &err),
                     RVL_ERR_FORMAT);
    assert_string_equal(report.first_misshapen, "visual.pos_embed");
    assert_int_equal(report.n_resampled, 0);
    resampled_is(m, "bundle.safetensors", wide, 16, 16, "visual.pos_embed from 2 x 3 to 4 x 4");
    rvl_model_free(m);
    rvl_model_free(other);
}

static void weights__start_as_in_timm(void **state)
{
    rvl_model *m = model_configure(3, 64, 64);
    rvl_error  err = {0};
    double     square[2] = {0, 0};
    float      largest = 0;

    (void)state;
    m->image.vit.hidden = 48;
    ok(rvl_model_materialize(m, &err), &err);
    for (int k = 0; k < 2; k++) {
        const rvl_tensor *t = weight(m, k ? "visual.blocks.0.attn.qkv.weight" : "visual.pos_embed");

        for (int64_t i = 0; i < rvl_tensor_count(t); i++)
            square[k] += pow((double)((const float *)rvl_tensor_const_data(t))[i], 2) / (double)rvl_tensor_count(t);
        assert_true(fabs(sqrt(square[k]) - 0.02) < 0.001);
    }
    for (int64_t i = 0; i < 48 * 16; i++)
        largest = fmaxf(largest,
                        fabsf(((const float *)rvl_tensor_const_data(weight(m, "visual.patch_embed.proj.weight")))[i]));
    assert_true(largest > 0.24F && largest <= 0.25F); /* uniform in +-1/sqrt(4 * 4) */
    for (int i = 0; i < 48; i++) {
        assert_true(fabsf(((const float *)rvl_tensor_const_data(weight(m, "visual.cls_token")))[i]) < 1e-5F);
        assert_true(((const float *)rvl_tensor_const_data(weight(m, "visual.blocks.0.mlp.fc1.bias")))[i % 20] == 0);
    }
    rvl_model_free(m);
}

static void impossible_ones__are_refused(void **state)
{
    rvl_model *m = model_configure(3, 16, 16);
    rvl_error  err = {0};

    (void)state;
    m->image.vit.image_width = 18;
    assert_int_equal(rvl_model_materialize(m, &err), RVL_ERR_USAGE);
    assert_non_null(strstr(err.text, "16 x 18 do not divide into patches of side 4"));
    m->image.vit.image_width = 16;
    m->image.vit.n_heads = 5;
    assert_int_equal(rvl_model_materialize(m, &err), RVL_ERR_USAGE);
    assert_non_null(strstr(err.text, "n_heads 5"));
    m->image.vit.n_heads = 2;
    m->image.n_spatial = 3;
    assert_int_equal(rvl_model_materialize(m, &err), RVL_ERR_USAGE);
    assert_non_null(strstr(err.text, "2 axes, not 3"));
    m->image.n_spatial = 2;
    m->image.vit.pooling = RVL_POOLING_POOLER;
    assert_int_equal(rvl_model_materialize(m, &err), RVL_ERR_USAGE);
    assert_non_null(strstr(err.text, "no pooling 'pooler'"));
    m->image.vit.pooling = RVL_POOLING_CLS;
    m->image.vit.n_layers = 0;
    assert_int_equal(rvl_model_materialize(m, &err), RVL_ERR_USAGE);
    assert_non_null(strstr(err.text, "image.n_layers"));
    rvl_model_free(m);
}

static void images_of_another_size__are_refused(void **state)
{
    rvl_model   *m = model_configure(3, 16, 16);
    rvl_plan_key key = {.mode = RVL_MODE_EVAL_IMAGE, .size = {1, 16, 20}};
    rvl_session *session = NULL;
    rvl_plan    *plan = NULL;
    rvl_error    err = {0};

    (void)state;
    ok(rvl_session_new(&session, m->params, m->state, rvl_model_build_eval, m, (rvl_plan_opts){0}, &err), &err);
    assert_int_equal(rvl_session_plan(&plan, session, &key, &err), RVL_ERR_SHAPE);
    assert_non_null(strstr(err.text, "images of 16 x 16, got 16 x 20"));
    rvl_session_free(session);
    rvl_model_free(m);
}

static int folder_make(void **state)
{
    (void)state;
    temp_dir(folder);
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    temp_dir_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bundle__comes_back),
        cmocka_unit_test(positions__are_resampled_and_reported),
        cmocka_unit_test(positions__of_an_unknown_grid_are_refused),
        cmocka_unit_test(weights__start_as_in_timm),
        cmocka_unit_test(impossible_ones__are_refused),
        cmocka_unit_test(images_of_another_size__are_refused),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
