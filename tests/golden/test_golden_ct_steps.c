/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file golden/test_golden_ct_steps.c
 * A step of the recipes ct-seed, ct-greenrfm and ct-clean against PyTorch (ct_steps.py).
 */
#include "golden/golden.h"
#include "learn/duplicates.h"

enum { N = 5, N_TOK = 9, K = 3, IDS = 39 };

typedef enum { SEED, GREENRFM, CLEAN } recipe;

static rvl_clip_config space(recipe r)
{
    if (r == CLEAN)
        return (rvl_clip_config){
            .embed_dim = 12, .similarity = RVL_SIMILARITY_COSINE, .learn_temperature = true, .temperature = 0.07};
    return (rvl_clip_config){
        .embed_dim = 12, .similarity = RVL_SIMILARITY_DOT, .temperature = 1, .label_head = r == GREENRFM};
}

/** Both towers with projections: outputs "image" and "text", and the loss. */
static rvl_node *step_build(golden *c, recipe r)
{
    static const rvl_resnet_config image_cfg = {.width = 4, .blocks = {1, 1, 0, 0}, .stem_kernel = 2, .stem_stride = 2};
    static const rvl_bert_config   text_cfg = {.vocab_size = 40,
                                               .hidden = 16,
                                               .n_layers = 2,
                                               .n_heads = 2,
                                               .intermediate = 64,
                                               .max_positions = 12,
                                               .type_vocab = 2,
                                               .layer_norm_eps = 1e-12,
                                               .pooling = RVL_POOLING_CLS};
    const rvl_clip_config          clip_cfg = space(r);
    const int64_t                  shape[2] = {N, N_TOK}, square[2] = {N, N}, labels[2] = {N, K}, one = 1;

    rvl_node *x = rvl_input(c->g, "image", RVL_DTYPE_F32, 5, (int64_t[]){N, 1, 8, 12, 16});
    rvl_node *ids = rvl_input(c->g, "ids", RVL_DTYPE_I32, 2, shape);
    rvl_node *mask = rvl_input(c->g, "mask", RVL_DTYPE_F32, 2, shape);
    rvl_node *image = rvl_resnet_build(c->g, x, &image_cfg, true, 0).pooled;
    rvl_node *text = rvl_bert_build(c->g, ids, mask, &text_cfg, true).pooled;
    rvl_node *loss;

    image = rvl_projection_build(c->g, image, &clip_cfg, "visual_projection");
    text = rvl_projection_build(c->g, text, &clip_cfg, "text_projection");
    rvl_output(c->g, "image", image);
    rvl_output(c->g, "text", text);
    rvl_node *logits = rvl_clip_logits(c->g, image, text, &clip_cfg);
    if (r == CLEAN)
        loss = rvl_clip_loss_soft(c->g, logits, rvl_input(c->g, "targets", RVL_DTYPE_F32, 2, square));
    else
        loss = rvl_clip_loss(c->g, logits, rvl_input(c->g, "diagonal", RVL_DTYPE_I32, 1, square));
    if (r == GREENRFM)
        loss = rvl_add(
            loss, rvl_affine(rvl_label_loss(rvl_label_head_build(c->g, image, K), rvl_label_head_build(c->g, text, K),
                                            rvl_input(c->g, "labels", RVL_DTYPE_F32, 2, labels),
                                            rvl_input(c->g, "weights", RVL_DTYPE_F32, 2, labels),
                                            rvl_input(c->g, "scale", RVL_DTYPE_F32, 1, &one)),
                             0.5, 0));
    return loss;
}

static void inputs_fill(golden *c, recipe r)
{
    static const int     lengths[N] = {9, 4, 9, 5, 2};
    static const int32_t group[N] = {0, 1, 0, 2, 3};
    int32_t             *ids = rvl_tensor_data(rvl_plan_input(c->plan, "ids"));

    golden_slot_fill(c, "image");
    golden_texts(c, IDS, lengths, N, N_TOK, ids, golden_slot(c, "mask"));
    memcpy(ids + 2 * N_TOK, ids, N_TOK * sizeof *ids);
    if (r == CLEAN)
        rvl_share_targets(golden_slot(c, "targets"), group, N);
    for (int32_t i = 0; r != CLEAN && i < N; i++)
        ((int32_t *)rvl_tensor_data(rvl_plan_input(c->plan, "diagonal")))[i] = i;
    if (r != GREENRFM)
        return;
    golden_levels(c, "labels", 2, golden_slot(c, "labels"), (int64_t)N * K, 1.0);
    for (int i = 0; i < N * K; i++)
        golden_slot(c, "weights")[i] = 1;
    *golden_slot(c, "scale") = 1.0F / (N * K);
}

static void step_matches(const char *name, recipe r)
{
    golden    c = golden_open(name);
    rvl_node *loss = step_build(&c, r);

    rvl_output(c.g, "loss", loss);
    golden_plan_backward(&c, loss, NULL);
    golden_fill(&c);
    inputs_fill(&c, r);
    golden_run(&c);
    golden_check_output(&c, "image", 1e-5);
    golden_check_output(&c, "text", 1e-5);
    golden_check_output(&c, "loss", 1e-5);
    golden_check_gradients(&c, 3e-5);
    golden_close(&c);
}

static void ct_seed__matches_torch(void **state)
{
    (void)state;
    step_matches("ct_seed", SEED);
}

static void ct_greenrfm__matches_torch(void **state)
{
    (void)state;
    step_matches("ct_greenrfm", GREENRFM);
}

static void ct_clean__matches_torch(void **state)
{
    (void)state;
    step_matches("ct_clean", CLEAN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ct_seed__matches_torch),
        cmocka_unit_test(ct_greenrfm__matches_torch),
        cmocka_unit_test(ct_clean__matches_torch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
