/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file golden/test_golden_keys.c
 * What is trained here opens elsewhere: the keys and shapes of our towers, behind their prefix, are those of
 * torchvision, timm and Hugging Face (keys.py), each and no other. Only the batch counters of BatchNorm, which PyTorch
 * starts at zero where a file has none, are not written.
 */
#include "tests/support.h"
#include "base/alloc.h"
#include "base/str.h"
#include "engine/weight_file.h"
#include "model/model.h"
#include "verbs/train_common.h"
#include "verbs/train_tower.h"

static void ok(rvl_status st, const rvl_error *err)
{
    if (st)
        fail_msg("%s", err->text);
}

/* Tensors of the lists have no numbers of their own: no plan reads them. */
static _Alignas(64) char no_data[64];

/** One line of a list, "key extents", as a weight or statistic of `m`. */
static void line_give(rvl_model *m, const char *prefix, const char *line)
{
    const char *extents = line + strcspn(line, " ");
    char        key[256];
    int64_t     shape[RVL_MAX_DIMS];
    int         n_dims = 0;
    rvl_tensor *t = NULL;
    rvl_error   err = {0};

    snprintf(key, sizeof key, "%s%.*s", prefix, (int)(extents - line), line);
    while (*extents) {
        char *end;

        assert_true(n_dims < RVL_MAX_DIMS);
        shape[n_dims++] = strtoll(extents, &end, 10);
        assert_ptr_not_equal(end, extents);
        extents = end;
    }
    if (strstr(key, ".running_")) { /* the state copies it */
        ok(rvl_tensor_new(&t, RVL_DTYPE_F32, n_dims, shape, &err), &err);
        ok(rvl_state_give(m->state, key, t, &err), &err);
    } else {
        ok(rvl_tensor_borrow(&t, RVL_DTYPE_F32, n_dims, shape, no_data, &err), &err);
        ok(rvl_params_give(m->params, key, t, &err), &err);
    }
}

/** Building `m` over the tensors of keys/`list`.txt uses each of them, in its shape, and needs no other; freed. */
static void keys_are(rvl_model *m, const char *prefix, const char *list)
{
    char      relative[128];
    char      path[PATH_BYTES];
    char     *text = NULL;
    size_t    n_bytes = 0;
    int       n = 0;
    rvl_error err = {0};

    snprintf(relative, sizeof relative, "tests/golden/keys/%s.txt", list);
    assert_true(source_path(path, sizeof path, relative));
    ok(rvl_file_read(&text, &n_bytes, path, 0, &err), &err);
    for (char *line = text; line < text + n_bytes; line += strlen(line) + 1) {
        line[strcspn(line, "\n")] = '\0';
        if (rvl_str_starts(line, "# heads "))
            assert_int_equal(m->image.vit.n_heads, strtol(line + strlen("# heads "), NULL, 10));
        if (*line == '#' || strstr(line, ".num_batches_tracked"))
            continue;
        line_give(m, prefix, line);
        n++;
    }
    assert_true(n > 30);
    ok(rvl_model_materialize(m, &err), &err); /* a weight of another shape fails here, by name */
    for (int i = 0; i < rvl_params_count(m->params); i++) {
        rvl_param *p = rvl_params_at(m->params, i);

        if (rvl_param_is_made(p) || !rvl_param_is_used(p))
            fail_msg("%s: '%s' is %s", list, rvl_param_name(p), rvl_param_is_made(p) ? "not in the list" : "not ours");
    }
    for (int i = 0; i < rvl_state_count(m->state); i++)
        if (rvl_state_is_made(m->state, i) || !rvl_state_is_used(m->state, i))
            fail_msg("%s: '%s' is not in both", list, rvl_state_name(m->state, i));
    assert_int_equal(n, rvl_params_count(m->params) + rvl_state_count(m->state));
    rvl_free(text);
    rvl_model_free(m);
}

static void image_towers__have_the_keys_of_their_libraries(void **state)
{
    static const char *const names[] = {"resnet18", "resnet34", "resnet50", "vit_tiny", "vit_small", "vit_base"};
    const rvl_preprocess     grid = rvl_preprocess_default(RVL_MODALITY_CXR, 224, 224);

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(names); i++) {
        rvl_train_opts o = rvl__train_opts_default();
        rvl_model     *m = NULL;
        rvl_error      err = {0};

        o.arch = names[i];
        o.in_channels = 3;
        ok(rvl_model_new(&m, 1, &err), &err);
        m->has_image = true;
        ok(rvl__tower_configure(&m->image, &o, &grid, &err), &err);
        keys_are(m, "visual.", names[i]);
    }
}

static rvl_model *volume_tower(const char *arch, int in_channels)
{
    const rvl_preprocess grid = {.depth = 96, .height = 192, .width = 192};
    rvl_train_opts       o = rvl__train_opts_default();
    rvl_model           *m = NULL;
    rvl_error            err = {0};

    o.arch = arch;
    o.in_channels = in_channels;
    ok(rvl_model_new(&m, 1, &err), &err);
    m->has_image = true;
    ok(rvl__tower_configure(&m->image, &o, &grid, &err), &err);
    return m;
}

/* The file's keys behind "visual." are those of keys/r3d_18.txt, in their shapes but for the stem's convolution, which
 * has `stem` (O, C, D, H, W) instead. */
static void file_is_r3d_18(const rvl_weight_file *file, const int64_t stem[5])
{
    char      path[PATH_BYTES];
    char     *text = NULL;
    size_t    n_bytes = 0;
    int       n = 0;
    rvl_error err = {0};

    assert_true(source_path(path, sizeof path, "tests/golden/keys/r3d_18.txt"));
    ok(rvl_file_read(&text, &n_bytes, path, 0, &err), &err);
    for (char *line = text; line < text + n_bytes; line += strlen(line) + 1) {
        line[strcspn(line, "\n")] = '\0';
        if (*line == '#' || strstr(line, ".num_batches_tracked"))
            continue;
        char  key[256];
        char *extents = line + strcspn(line, " ");
        snprintf(key, sizeof key, "visual.%.*s", (int)(extents - line), line);
        const rvl_tensor *t = rvl_weight_file_find(file, key);
        if (!t)
            fail_msg("'%s' is not in the file", key);
        for (int d = 0; d < rvl_tensor_n_dims(t); d++) {
            int64_t extent = strtoll(extents, &extents, 10);
            assert_int_equal(rvl_tensor_shape(t)[d], strcmp(key, "visual.stem.0.weight") ? extent : stem[d]);
        }
        assert_int_equal(*extents, '\0');
        n++;
    }
    assert_int_equal(n, rvl_weight_file_count(file));
    rvl_free(text);
}

/** As bundles were written before: every weight under the name that the model has for it. */
static void save_under_old_names(const rvl_model *m, const rvl_weight_file *file, const char *path)
{
    const char       *names[256];
    const rvl_tensor *tensors[256];
    int               n = 0;
    rvl_error         err = {0};

    assert_true(rvl_weight_file_count(file) <= 256);
    for (int i = 0; i < rvl_params_count(m->params); i++, n++) {
        names[n] = rvl_param_name(rvl_params_at(m->params, i));
        tensors[n] = rvl_param_tensor(rvl_params_at(m->params, i));
    }
    for (int i = 0; i < rvl_state_count(m->state); i++, n++) {
        names[n] = rvl_state_name(m->state, i);
        tensors[n] = rvl_state_tensor(m->state, i);
    }
    ok(rvl_safetensors_save(path, n, names, tensors, rvl_safetensors_metadata_object(rvl_weight_file_safetensors(file)),
                            &err),
       &err);
}

/** A 3-D ResNet of plain blocks is written under r3d_18's names and comes back whole. */
static void video_towers__are_written_as_torchvision_names_them(void **state)
{
    static const struct {
        const char *arch;
        int         in_channels;
        int64_t     stem[5];
    } list[] = {{"r3d_18_video", 3, {64, 3, 3, 7, 7}}, {"r3d_18", 1, {64, 1, 2, 2, 2}}};
    char dir[PATH_BYTES];

    (void)state;
    temp_dir(dir);
    char *path = rvl_path_join(dir, "b.safetensors");
    for (size_t i = 0; i < RVL_ARRAY_LEN(list); i++) {
        rvl_model       *m = volume_tower(list[i].arch, list[i].in_channels);
        rvl_model       *back = NULL;
        rvl_weight_file *file = NULL;
        rvl_load_report  report;
        rvl_error        err = {0};
        ok(rvl_model_materialize(m, &err), &err);
        ok(rvl_bundle_save(m, path, &err), &err);
        ok(rvl_weight_file_open(&file, path, &err), &err);
        file_is_r3d_18(file, list[i].stem);
        ok(rvl_bundle_load(&back, path, &report, &err), &err);
        assert_int_equal(report.n_matched, rvl_weight_file_count(file));
        assert_int_equal(report.n_unexpected, 0);
        for (int k = 0; k < rvl_params_count(m->params); k++) {
            const rvl_tensor *a = rvl_param_tensor(rvl_params_at(m->params, k));
            const rvl_tensor *b =
                rvl_param_tensor(rvl_params_find(back->params, rvl_param_name(rvl_params_at(m->params, k))));
            assert_memory_equal(rvl_tensor_const_data(a), rvl_tensor_const_data(b),
                                (size_t)rvl_tensor_count(a) * sizeof(float));
        }
        rvl_model_free(back);
        save_under_old_names(m, file, path);
        ok(rvl_bundle_load(&back, path, &report, &err), &err);
        assert_int_equal(report.n_matched, rvl_weight_file_count(file));
        rvl_weight_file_close(file);
        rvl_model_free(back);
        rvl_model_free(m);
    }
    rvl_free(path);
    temp_dir_remove(dir);
}

static void text_towers__have_the_keys_of_hugging_face(void **state)
{
    (void)state;
    for (int pooler = 0; pooler < 2; pooler++) {
        rvl_model *m = NULL;
        rvl_error  err = {0};

        ok(rvl_model_new(&m, 1, &err), &err);
        m->has_text = true;
        m->text = (rvl_bert_config){.vocab_size = 50,
                                    .hidden = 24,
                                    .n_layers = 2,
                                    .n_heads = 4,
                                    .intermediate = 56,
                                    .max_positions = 16,
                                    .type_vocab = 2,
                                    .layer_norm_eps = 1e-12,
                                    .pooling = pooler ? RVL_POOLING_POOLER : RVL_POOLING_CLS};
        keys_are(m, "text.", pooler ? "bert_pooler" : "bert");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image_towers__have_the_keys_of_their_libraries),
        cmocka_unit_test(video_towers__are_written_as_torchvision_names_them),
        cmocka_unit_test(text_towers__have_the_keys_of_hugging_face),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
