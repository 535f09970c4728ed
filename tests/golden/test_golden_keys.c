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
        cmocka_unit_test(text_towers__have_the_keys_of_hugging_face),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
