/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file golden/test_golden_efficientnet.c
 * A small EfficientNet-Lite against PyTorch (efficientnet.py).
 */
#include "golden/golden.h"

static const rvl_image_config cfg = {
    .kind = RVL_IMAGE_EFFICIENTNET,
    .n_spatial = 2,
    .in_channels = 3,
    .efficientnet = {.stem_channels = 4, .repeats = {1, 2, 1, 0, 2}, .channels = {3, 4, 5, 0, 6}, .head_channels = 10}};

static rvl_taps tower_build(golden *c, bool training)
{
    return rvl_image_build(c->g, rvl_input(c->g, "image", RVL_DTYPE_F32, 4, (int64_t[]){3, 3, 22, 27}), &cfg, training,
                           0);
}

static void efficientnet__matches_torch(void **state)
{
    golden    c = golden_open("efficientnet");
    rvl_taps  taps;
    rvl_node *cotangent;
    char      key[32];

    (void)state;
    taps = tower_build(&c, false);
    assert_int_equal(rvl_node_extent(taps.pooled, 1), rvl_image_features(&cfg));
    rvl_output(c.g, "eval_pooled", taps.pooled);
    golden_plan(&c);
    golden_fill(&c);
    golden_slot_fill(&c, "image");
    golden_run(&c);
    golden_check_output(&c, "eval_pooled", 1e-5);

    golden_graph(&c);
    taps = tower_build(&c, true);
    assert_int_equal(taps.n_features, 4);
    assert_null(taps.tokens);
    cotangent = rvl_input(c.g, "cotangent", RVL_DTYPE_F32, 2, rvl_node_shape(taps.pooled));
    for (int i = 0; i < taps.n_features; i++) {
        snprintf(key, sizeof key, "feature%d", i);
        rvl_output(c.g, key, taps.features[i]);
    }
    rvl_output(c.g, "pooled", taps.pooled);
    golden_plan_backward(&c, taps.pooled, cotangent);
    golden_slot_fill(&c, "image");
    golden_slot_fill(&c, "cotangent");
    golden_run(&c);
    for (int i = 0; i < taps.n_features; i++) {
        snprintf(key, sizeof key, "feature%d", i);
        golden_check_output(&c, key, 1e-5);
    }
    golden_check_output(&c, "pooled", 1e-5);
    golden_check_gradients(&c, 2e-5);
    golden_check_state(&c, 1e-5);
    golden_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(efficientnet__matches_torch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
