/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file golden/test_golden_losses.c
 * BCE with weights and symmetric InfoNCE with a learnable scale, plain and with shared targets, against PyTorch
 * (losses.py).
 */
#include "golden/golden.h"
#include "learn/duplicates.h"

static void weighted_bce__matches_torch(void **state)
{
    golden    c = golden_open("bce");
    int64_t   shape[2] = {7, 5};
    rvl_node *x = rvl_weight(c.g, "logits", 2, shape, (rvl_init){RVL_INIT_ZEROS, 0});
    rvl_node *weights = rvl_input(c.g, "weights", RVL_DTYPE_F32, 2, shape);
    rvl_node *elements = rvl_bce_with_logits(x, rvl_input(c.g, "targets", RVL_DTYPE_F32, 2, shape), weights);
    rvl_node *loss = rvl_div(rvl_sum(elements, 3u, false), rvl_sum(weights, 3u, false));

    (void)state;
    rvl_output(c.g, "elements", elements);
    rvl_output(c.g, "loss", loss);
    golden_plan_backward(&c, loss, NULL);
    golden_input(&c, "logits", rvl_tensor_data(rvl_param_tensor(rvl_params_find(c.params, "logits"))), 35, 4.0);
    golden_levels(&c, "targets", 3, golden_slot(&c, "targets"), 35, 0.5);
    golden_levels(&c, "weights", 4, golden_slot(&c, "weights"), 35, 0.5);
    golden_run(&c);
    golden_check_output(&c, "elements", 1e-6);
    golden_check_output(&c, "loss", 1e-6);
    golden_check_gradients(&c, 1e-6);
    golden_close(&c);
}

/* Images 0, 2 and 5 have one text, 1 and 4 another. */
static const int groups[6] = {0, 1, 0, 2, 1, 0};

static void contrast_matches(const char *name, bool is_shared)
{
    const rvl_clip_config cfg = {.embed_dim = 9, .learn_temperature = true, .temperature = 0.1353352832366127};
    golden                c = golden_open(name);
    int64_t               shape[2] = {6, 9};
    int64_t               n[2] = {6, 6};
    rvl_node             *image = rvl_weight(c.g, "image", 2, shape, (rvl_init){RVL_INIT_ZEROS, 0});
    rvl_node             *text = rvl_weight(c.g, "text", 2, shape, (rvl_init){RVL_INIT_ZEROS, 0});
    rvl_node *logits = rvl_clip_logits(c.g, rvl_l2_normalize(image, 1e-12), rvl_l2_normalize(text, 1e-12), &cfg);
    rvl_node *loss = is_shared ? rvl_clip_loss_soft(c.g, logits, rvl_input(c.g, "targets", RVL_DTYPE_F32, 2, n))
                               : rvl_clip_loss(c.g, logits, rvl_input(c.g, "diagonal", RVL_DTYPE_I32, 1, n));

    rvl_output(c.g, "logits", logits);
    rvl_output(c.g, "loss", loss);
    golden_plan_backward(&c, loss, NULL);
    golden_input(&c, "image", rvl_tensor_data(rvl_param_tensor(rvl_params_find(c.params, "image"))), 54, 1.0);
    golden_input(&c, "text", rvl_tensor_data(rvl_param_tensor(rvl_params_find(c.params, "text"))), 54, 1.0);
    if (is_shared) {
        uint64_t hash[6];
        int32_t  group[6];
        for (int i = 0; i < 6; i++)
            hash[i] = 77 + (uint64_t)groups[i];
        assert_int_equal(rvl_group_equal(group, hash, 6), 5);
        rvl_share_targets(golden_slot(&c, "targets"), group, 6);
    } else {
        int32_t *ids = rvl_tensor_data(rvl_plan_input(c.plan, "diagonal"));
        for (int i = 0; i < 6; i++)
            ids[i] = i;
    }
    golden_run(&c);
    golden_check_output(&c, "logits", 1e-6);
    golden_check_output(&c, "loss", 1e-6);
    golden_check_gradients(&c, 1e-5);
    golden_close(&c);
}

static void info_nce__matches_torch(void **state)
{
    (void)state;
    contrast_matches("info_nce", false);
}

static void info_nce_with_shared_targets__matches_torch(void **state)
{
    (void)state;
    contrast_matches("info_nce_shared", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weighted_bce__matches_torch),
        cmocka_unit_test(info_nce__matches_torch),
        cmocka_unit_test(info_nce_with_shared_targets__matches_torch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
