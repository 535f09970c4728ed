/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file golden/test_golden_resnet.c
 * ResNet blocks in 2-D and 3-D and whole networks against PyTorch (resnet_blocks.py, resnet18.py,
 * resnet50.py).
 */
#include "golden/golden.h"

/* Blocks: f32 against exact values. Style: 1e-5 of a block's largest element. */
#define BLOCK_TOLERANCE 1e-5

static void blocks_match(const char *name, const rvl_resnet_config *cfg, int n_dims, const int64_t *shape)
{
    golden    c = golden_open(name);
    rvl_node *x = rvl_input(c.g, "image", RVL_DTYPE_F32, n_dims, shape);
    rvl_taps  taps = rvl_resnet_build(c.g, x, cfg, true, 0);
    rvl_node *cotangent = rvl_input(c.g, "cotangent", RVL_DTYPE_F32, 2, rvl_node_shape(taps.pooled));
    char      key[32];

    for (int i = 0; i < taps.n_features; i++) {
        snprintf(key, sizeof key, "feature%d", i);
        rvl_output(c.g, key, taps.features[i]);
    }
    rvl_output(c.g, "pooled", taps.pooled);
    assert_int_equal(rvl_node_extent(taps.pooled, 1), rvl_resnet_features(cfg));
    assert_null(taps.tokens);
    golden_plan_backward(&c, taps.pooled, cotangent);
    golden_fill(&c);
    golden_slot_fill(&c, "image");
    golden_slot_fill(&c, "cotangent");
    golden_run(&c);
    for (int i = 0; i < taps.n_features; i++) {
        snprintf(key, sizeof key, "feature%d", i);
        golden_check_output(&c, key, BLOCK_TOLERANCE);
    }
    golden_check_output(&c, "pooled", BLOCK_TOLERANCE);
    golden_check_gradients(&c, BLOCK_TOLERANCE);
    golden_check_state(&c, BLOCK_TOLERANCE);
    golden_close(&c);
}

static void basic_block__matches_torch(void **state)
{
    (void)state;
    blocks_match("basic_block",
                 &(rvl_resnet_config){.width = 6, .blocks = {1, 2, 0, 0}, .stem_kernel = 3, .stem_stride = 1}, 4,
                 (int64_t[]){4, 3, 13, 11});
}

static void bottleneck__matches_torch(void **state)
{
    (void)state;
    blocks_match("bottleneck",
                 &(rvl_resnet_config){.width = 4,
                                      .blocks = {2, 1, 0, 0},
                                      .bottleneck = true,
                                      .stem_kernel = 7,
                                      .stem_stride = 2,
                                      .stem_pool = true},
                 4, (int64_t[]){3, 1, 29, 34});
}

static void bottleneck_3d__matches_torch(void **state)
{
    (void)state;
    blocks_match("bottleneck_3d",
                 &(rvl_resnet_config){
                     .width = 3, .blocks = {1, 0, 1, 0}, .bottleneck = true, .stem_kernel = 2, .stem_stride = 2},
                 5, (int64_t[]){2, 1, 10, 12, 14});
}

/** A whole network with a head of 5 classes and its case. */
typedef struct {
    const char       *name;
    rvl_resnet_config cfg;
    int64_t           shape[5];
    bool              training; /* of the step; else it has frozen statistics */
    int               n_dims;   /* of the shape */
} whole;

static rvl_node *whole_build(golden *c, const whole *w, bool training)
{
    rvl_node *x = rvl_input(c->g, "image", RVL_DTYPE_F32, w->n_dims, w->shape);

    return rvl_head_build(c->g, rvl_resnet_build(c->g, x, &w->cfg, training, 0).pooled, 5);
}

/** Evaluation with given statistics, then a step with the mean BCE. */
static void whole_matches(const whole *w, double gradient_tolerance)
{
    golden    c = golden_open(w->name);
    int64_t   shape[2] = {w->shape[0], 5};
    rvl_node *loss;
    rvl_node *logits;

    rvl_output(c.g, "eval_logits", whole_build(&c, w, false));
    golden_plan(&c);
    golden_fill(&c);
    golden_slot_fill(&c, "image");
    golden_run(&c);
    golden_check_output(&c, "eval_logits", 1e-5);

    golden_graph(&c);
    logits = whole_build(&c, w, w->training);
    loss =
        rvl_bce_with_logits(logits, rvl_input(c.g, "targets", RVL_DTYPE_F32, 2, shape), rvl_fill(c.g, 2, shape, 1.0));
    loss = rvl_mean(loss, 3u, false);
    rvl_output(c.g, "logits", logits);
    rvl_output(c.g, "loss", loss);
    golden_plan_backward(&c, loss, NULL);
    golden_slot_fill(&c, "image");
    golden_levels(&c, "targets", 2, golden_slot(&c, "targets"), 5 * w->shape[0], 1.0);
    golden_run(&c);
    golden_check_output(&c, "logits", 1e-5);
    golden_check_output(&c, "loss", 1e-5);
    golden_check_gradients(&c, gradient_tolerance);
    if (w->training)
        golden_check_state(&c, 1e-5);
    golden_close(&c);
}

static void resnet18__matches_torch(void **state)
{
    static const whole w = {
        "resnet18",
        {.width = 64, .blocks = {2, 2, 2, 2}, .stem_kernel = 7, .stem_stride = 2, .stem_pool = true},
        {2, 3, 64, 64},
        true,
        4};

    (void)state;
    whole_matches(&w, 2e-5); /* BatchNorm over as few as 8 numbers amplifies f32 rounding */
}

static void resnet50_of_small_width__matches_torch(void **state)
{
    static const whole w = {
        "resnet50",
        {.width = 4, .blocks = {3, 4, 6, 3}, .bottleneck = true, .stem_kernel = 7, .stem_stride = 2, .stem_pool = true},
        {2, 3, 64, 96},
        false,
        4};
    whole shorter = w;

    (void)state;
    whole_matches(&w, 1e-5);
    shorter.name = "resnet50_short";
    memcpy(shorter.cfg.blocks, (int[4]){1, 1, 1, 1}, sizeof shorter.cfg.blocks);
    shorter.shape[0] = 4;
    shorter.training = true;
    whole_matches(&shorter, 3e-5);
}

static void r3d_18__matches_torchvision(void **state)
{
    static const whole w = {"r3d_18",
                            {.width = 64, .blocks = {2, 2, 2, 2}, .stem_kernel = 2, .stem_stride = 2},
                            {2, 1, 16, 32, 32},
                            true,
                            5};

    (void)state;
    whole_matches(&w, 2e-5);
}

static void r3d_18_lite_of_small_width__matches_torch(void **state)
{
    static const whole w = {"r3d_18_lite",
                            {.width = 4, .blocks = {2, 2, 2, 2}, .stem_kernel = 4, .stem_stride = 4},
                            {2, 1, 50, 66, 64}, /* not multiples of the stem: the rest is left out */
                            true,
                            5};

    (void)state;
    whole_matches(&w, 2e-5);
}

static void inflated_bottlenecks__match_torch(void **state)
{
    static const whole w = {"i3_resnet",
                            {.width = 4,
                             .blocks = {1, 2, 1, 1},
                             .bottleneck = true,
                             .stem_kernel = 7,
                             .stem_stride = 2,
                             .stem_pool = true,
                             .stem_depth_kernel = 3,
                             .stem_depth_stride = 1},
                            {3, 3, 26, 64, 70},
                            true,
                            5};

    (void)state;
    whole_matches(&w, 3e-5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(basic_block__matches_torch),
        cmocka_unit_test(bottleneck__matches_torch),
        cmocka_unit_test(bottleneck_3d__matches_torch),
        cmocka_unit_test(resnet18__matches_torch),
        cmocka_unit_test(r3d_18__matches_torchvision),
        cmocka_unit_test(r3d_18_lite_of_small_width__matches_torch),
        cmocka_unit_test(inflated_bottlenecks__match_torch),
        cmocka_unit_test(resnet50_of_small_width__matches_torch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
