/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file golden/test_golden_vit.c
 * A vision transformer with both poolings, and its positions on other grids, against PyTorch (vit.py, pos_embed.py).
 */
#include "golden/golden.h"
#include "model/pos_embed.h"

static void vit_matches(const char *name, rvl_pooling pooling)
{
    const rvl_image_config cfg = {.kind = RVL_IMAGE_VIT,
                                  .n_spatial = 2,
                                  .in_channels = 3,
                                  .vit = {.image_height = 12,
                                          .image_width = 20,
                                          .patch = 4,
                                          .hidden = 24,
                                          .n_layers = 2,
                                          .n_heads = 3,
                                          .intermediate = 40,
                                          .pooling = pooling}};
    golden                 c = golden_open(name);
    rvl_node              *x = rvl_input(c.g, "image", RVL_DTYPE_F32, 4, (int64_t[]){3, 3, 12, 20});
    rvl_taps               taps = rvl_image_build(c.g, x, &cfg, true, 0);
    rvl_node              *cotangent = rvl_input(c.g, "cotangent", RVL_DTYPE_F32, 2, rvl_node_shape(taps.pooled));

    rvl_output(c.g, "tokens", taps.tokens);
    rvl_output(c.g, "pooled", taps.pooled);
    assert_int_equal(taps.n_features, 0);
    assert_int_equal(rvl_node_extent(taps.pooled, 1), rvl_image_features(&cfg));
    golden_plan_backward(&c, taps.pooled, cotangent);
    golden_fill(&c);
    golden_slot_fill(&c, "image");
    golden_slot_fill(&c, "cotangent");
    golden_run(&c);
    golden_check_output(&c, "tokens", 1e-5);
    golden_check_output(&c, "pooled", 1e-5);
    golden_check_gradients(&c, 1e-5);
    golden_close(&c);
}

static void vit_with_class_token__matches_torch(void **state)
{
    (void)state;
    vit_matches("vit_cls", RVL_POOLING_CLS);
}

static void vit_with_mean_pooling__matches_torch(void **state)
{
    (void)state;
    vit_matches("vit_mean", RVL_POOLING_MEAN);
}

static void positions_on_other_grids__match_torch(void **state)
{
    static const struct {
        const char *name;
        int64_t     from[2], to[2];
    } grids[] = {
        {"smaller", {7, 9}, {3, 4}}, {"larger", {4, 6}, {9, 8}}, {"mixed", {8, 3}, {5, 7}}, {"one", {2, 2}, {1, 5}}};
    golden c = golden_open("pos_embed");

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(grids); i++) {
        rvl_tensor *from = NULL;
        rvl_tensor *to = NULL;
        rvl_error   err = {0};

        golden_ok(
            rvl_tensor_new(&from, RVL_DTYPE_F32, 3, (int64_t[]){1, 1 + grids[i].from[0] * grids[i].from[1], 5}, &err),
            &err);
        golden_input(&c, grids[i].name, rvl_tensor_data(from), rvl_tensor_count(from), 1.0);
        golden_ok(rvl__pos_embed_resample(&to, from, 1, grids[i].from, grids[i].to, &err), &err);
        assert_int_equal(rvl_tensor_shape(to)[1], 1 + grids[i].to[0] * grids[i].to[1]);
        golden_check_tensor(&c, grids[i].name, to, 1e-6);
        rvl_tensor_free(to);
        assert_int_equal(rvl__pos_embed_resample(&to, from, 1, grids[i].to, grids[i].to, &err), RVL_ERR_SHAPE);
        assert_null(to);
        rvl_tensor_free(from);
    }
    golden_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vit_with_class_token__matches_torch),
        cmocka_unit_test(vit_with_mean_pooling__matches_torch),
        cmocka_unit_test(positions_on_other_grids__match_torch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
