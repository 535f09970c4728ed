/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file unit/test_model_efficientnet.c
 * EfficientNet as an image tower: in bundles, of any image size, refused where it cannot be built.
 */
#include "tests/support.h"
#include "base/json.h"
#include "model/arch.h"
#include "model/model.h"

static void ok(rvl_status st, const rvl_error *err)
{
    if (st)
        fail_msg("%s", err->text);
}

static rvl_model *model_configure(void)
{
    rvl_model *m = NULL;
    rvl_error  err = {0};

    ok(rvl_model_new(&m, 5, &err), &err);
    m->has_image = true;
    m->image = (rvl_image_config){.kind = RVL_IMAGE_EFFICIENTNET,
                                  .n_spatial = 2,
                                  .in_channels = 1,
                                  .efficientnet = {.stem_channels = 4,
                                                   .repeats = {1, 1, 0, 0, 2, 0, 1},
                                                   .channels = {3, 3, 0, 0, 6, 0, 7},
                                                   .head_channels = 9}};
    return m;
}

static void bundle__comes_back(void **state)
{
    rvl_model *m = model_configure();
    rvl_model *back = NULL;
    rvl_error  err = {0};
    char       dir[PATH_BYTES];
    char       path[PATH_BYTES + 32];

    (void)state;
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/a.safetensors", dir);
    ok(rvl_model_materialize(m, &err), &err);
    ok(rvl_bundle_save(m, path, &err), &err);
    ok(rvl_bundle_load(&back, path, NULL, &err), &err);
    assert_int_equal(back->image.kind, RVL_IMAGE_EFFICIENTNET);
    assert_memory_equal(&back->image.efficientnet, &m->image.efficientnet, sizeof m->image.efficientnet);
    assert_int_equal(rvl_params_count(back->params), rvl_params_count(m->params));
    assert_non_null(rvl_params_find(back->params, "visual._blocks.4._depthwise_conv.weight"));
    assert_null(rvl_params_find(back->params, "visual._blocks.0._expand_conv.weight")); /* expands by 1 */
    assert_int_equal(rvl_image_features(&back->image), 9);
    rvl_model_free(back);
    rvl_model_free(m);
    temp_dir_remove(dir);
}

/** Strides 2 of the stem and of stage 1, none in stages 0, 4 and 6: a quarter of the side, rounded up. Stage 1
 *  keeps the channels but not the size, so nothing is added there. */
static void images_of_any_size__are_read(void **state)
{
    static const int64_t sides[][4] = {{1, 1, 1, 1}, {5, 8, 2, 2}, {33, 16, 9, 4}};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(sides); i++) {
        rvl_model *m = model_configure();
        rvl_graph *g = NULL;
        rvl_error  err = {0};
        rvl_taps   taps;

        ok(rvl_graph_new(&g, m->params, m->state, RVL_DTYPE_F32, &err), &err);
        taps = rvl_image_build(g, rvl_image_input(g, &m->image, 2, sides[i]), &m->image, false, 0);
        ok(rvl_graph_check(g, &err), &err);
        assert_int_equal(taps.n_features, 4);
        assert_int_equal(rvl_node_extent(taps.features[3], 1), 7);
        assert_int_equal(rvl_node_extent(taps.features[3], 2), sides[i][2]);
        assert_int_equal(rvl_node_extent(taps.features[3], 3), sides[i][3]);
        assert_int_equal(rvl_node_extent(taps.pooled, 1), 9);
        rvl_graph_free(g);
        rvl_model_free(m);
    }
}

static void architecture_is(const char *text, const char *reason)
{
    rvl_model *m = model_configure();
    json_t    *arch = NULL;
    rvl_error  err = {0};

    ok(rvl_json_parse(&arch, text, strlen(text), "test", &err), &err);
    assert_int_equal(rvl__arch_parse(m, arch, &err), RVL_ERR_FORMAT);
    if (!strstr(err.text, reason))
        fail_msg("%s", err.text);
    json_decref(arch);
    rvl_model_free(m);
}

static void impossible_ones__are_refused(void **state)
{
    rvl_model *m = model_configure();
    rvl_error  err = {0};

    (void)state;
    m->image.n_spatial = 3;
    assert_int_equal(rvl_model_materialize(m, &err), RVL_ERR_USAGE);
    assert_non_null(strstr(err.text, "an EfficientNet reads images of 2 axes, not 3"));
    m->image.n_spatial = 2;
    m->image.efficientnet.channels[4] = 0;
    assert_int_equal(rvl_model_materialize(m, &err), RVL_ERR_USAGE);
    assert_non_null(strstr(err.text, "image.channels[4] is 0"));
    m->image.efficientnet.channels[4] = 6;
    m->image.efficientnet.head_channels = 0;
    assert_int_equal(rvl_model_materialize(m, &err), RVL_ERR_USAGE);
    assert_non_null(strstr(err.text, "image.head_channels"));
    m->image.efficientnet.head_channels = 9;
    memset(m->image.efficientnet.repeats, 0, sizeof m->image.efficientnet.repeats);
    assert_int_equal(rvl_model_materialize(m, &err), RVL_ERR_USAGE);
    assert_non_null(strstr(err.text, "image.repeats leaves every stage out"));
    rvl_model_free(m);
    architecture_is("{\"image\": {\"type\": \"efficientnet\", \"in_channels\": 1, \"stem_channels\": 4,"
                    " \"head_channels\": 9, \"repeats\": [1, 1], \"channels\": [1, 1, 1, 1, 1, 1, 1]}}",
                    "'image.repeats' is not an array of 7");
    architecture_is(
        "{\"image\": {\"type\": \"efficientnet\", \"in_channels\": 1, \"stem_channels\": 4,"
        " \"head_channels\": 9, \"repeats\": [1, 0, 0, 0, 0, 0, 0], \"channels\": [1, 1, 1, 1, 1, 1, 9999]}}",
        "'image.channels' holds something outside 0..8192");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bundle__comes_back),
        cmocka_unit_test(images_of_any_size__are_read),
        cmocka_unit_test(impossible_ones__are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
