/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file golden/test_golden_clip.c
 * BERT with each pooling and a whole CLIP step against PyTorch (bert.py, clip_step.py).
 */
#include "golden/golden.h"

static void bert_matches(const char *name, rvl_pooling pooling, int n_layers)
{
    const rvl_bert_config cfg = {.vocab_size = 50,
                                 .hidden = 24,
                                 .n_layers = n_layers,
                                 .n_heads = 4,
                                 .intermediate = 56,
                                 .max_positions = 16,
                                 .type_vocab = 2,
                                 .layer_norm_eps = 1e-12,
                                 .dropout = 0,
                                 .pooling = pooling};
    const int             lengths[3] = {11, 6, 2};
    golden                c = golden_open(name);
    int64_t               shape[2] = {3, 11};
    rvl_node             *ids = rvl_input(c.g, "ids", RVL_DTYPE_I32, 2, shape);
    rvl_node             *mask = rvl_input(c.g, "mask", RVL_DTYPE_F32, 2, shape);
    rvl_taps              taps = rvl_bert_build(c.g, ids, mask, &cfg, true);
    rvl_node             *cotangent = rvl_input(c.g, "cotangent", RVL_DTYPE_F32, 2, rvl_node_shape(taps.pooled));

    assert_int_equal(taps.n_hidden, n_layers + 1);
    assert_ptr_equal(taps.hidden[n_layers], taps.tokens);
    rvl_output(c.g, "pooled", taps.pooled);
    golden_plan_backward(&c, taps.pooled, cotangent);
    golden_fill(&c);
    golden_slot_fill(&c, "cotangent");
    golden_texts(&c, 49, lengths, 3, 11, rvl_tensor_data(rvl_plan_input(c.plan, "ids")), golden_slot(&c, "mask"));
    golden_run(&c);
    golden_check_output(&c, "pooled", 1e-5);
    golden_check_gradients(&c, 1e-5);
    golden_close(&c);
}

static void bert_with_cls_pooling__matches_torch(void **state)
{
    (void)state;
    bert_matches("bert_cls", RVL_POOLING_CLS, 2);
}

static void bert_with_mean_pooling__matches_torch(void **state)
{
    (void)state;
    bert_matches("bert_mean", RVL_POOLING_MEAN, 2);
}

static void bert_with_the_last_four_layers__matches_torch(void **state)
{
    (void)state;
    bert_matches("bert_last4", RVL_POOLING_LAST4, 5);
}

static void bert_with_its_pooler__matches_torch(void **state)
{
    (void)state;
    bert_matches("bert_pooler", RVL_POOLING_POOLER, 2);
}

/** Both towers with projections: embeddings as outputs "image" and "text", the loss. */
static rvl_node *clip_build(golden *c)
{
    const rvl_resnet_config image_cfg = {.width = 8, .blocks = {1, 1, 0, 0}, .stem_kernel = 3, .stem_stride = 1};
    const rvl_bert_config   text_cfg = {.vocab_size = 40,
                                        .hidden = 16,
                                        .n_layers = 1,
                                        .n_heads = 2,
                                        .intermediate = 32,
                                        .max_positions = 12,
                                        .type_vocab = 2,
                                        .layer_norm_eps = 1e-12,
                                        .pooling = RVL_POOLING_MEAN};
    const rvl_clip_config   clip_cfg = {
          .embed_dim = 12, .similarity = RVL_SIMILARITY_COSINE, .learn_temperature = true, .temperature = 0.07};
    int64_t   shape[2] = {5, 9};
    rvl_node *x = rvl_input(c->g, "image", RVL_DTYPE_F32, 4, (int64_t[]){5, 1, 16, 16});
    rvl_node *ids = rvl_input(c->g, "ids", RVL_DTYPE_I32, 2, shape);
    rvl_node *mask = rvl_input(c->g, "mask", RVL_DTYPE_F32, 2, shape);
    rvl_node *image = rvl_resnet_build(c->g, x, &image_cfg, true, 0).pooled;
    rvl_node *text = rvl_bert_build(c->g, ids, mask, &text_cfg, true).pooled;

    image = rvl_projection_build(c->g, image, &clip_cfg, "visual_projection");
    text = rvl_projection_build(c->g, text, &clip_cfg, "text_projection");
    rvl_output(c->g, "image", image);
    rvl_output(c->g, "text", text);
    return rvl_clip_loss(c->g, rvl_clip_logits(c->g, image, text, &clip_cfg),
                         rvl_input(c->g, "diagonal", RVL_DTYPE_I32, 1, shape));
}

static void clip_step__matches_torch(void **state)
{
    const int lengths[5] = {9, 4, 7, 5, 2};
    golden    c = golden_open("clip_step");
    rvl_node *loss = clip_build(&c);
    int32_t  *diagonal;

    (void)state;
    rvl_output(c.g, "loss", loss);
    golden_plan_backward(&c, loss, NULL);
    golden_fill(&c);
    golden_slot_fill(&c, "image");
    golden_texts(&c, 39, lengths, 5, 9, rvl_tensor_data(rvl_plan_input(c.plan, "ids")), golden_slot(&c, "mask"));
    diagonal = rvl_tensor_data(rvl_plan_input(c.plan, "diagonal"));
    for (int i = 0; i < 5; i++)
        diagonal[i] = i;
    golden_run(&c);
    golden_check_output(&c, "image", 1e-5);
    golden_check_output(&c, "text", 1e-5);
    golden_check_output(&c, "loss", 1e-5);
    golden_check_gradients(&c, 2e-5);
    golden_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bert_with_cls_pooling__matches_torch),
        cmocka_unit_test(bert_with_mean_pooling__matches_torch),
        cmocka_unit_test(bert_with_the_last_four_layers__matches_torch),
        cmocka_unit_test(bert_with_its_pooler__matches_torch),
        cmocka_unit_test(clip_step__matches_torch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
