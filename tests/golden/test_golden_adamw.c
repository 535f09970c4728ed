/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file golden/test_golden_adamw.c
 * Ten steps of AdamW on a small network against torch.optim.AdamW, with one group and with two (adamw.py).
 */
#include "golden/golden.h"
#include "learn/optimizer.h"

static rvl_node *network_build(golden *c)
{
    const rvl_resnet_config cfg = {.width = 6, .blocks = {1, 0, 0, 0}, .stem_kernel = 3, .stem_stride = 2};
    int64_t                 shape[2] = {8, 3};
    rvl_node               *x = rvl_input(c->g, "image", RVL_DTYPE_F32, 4, (int64_t[]){8, 2, 12, 12});
    rvl_node               *logits = rvl_head_build(c->g, rvl_resnet_build(c->g, x, &cfg, true, 0).pooled, 3);

    return rvl_mean(
        rvl_bce_with_logits(logits, rvl_input(c->g, "targets", RVL_DTYPE_F32, 2, shape), rvl_fill(c->g, 2, shape, 1.0)),
        3u, false);
}

static void ten_steps(const char *name, rvl_adamw_opts opts)
{
    golden     c = golden_open(name);
    rvl_node  *loss = network_build(&c);
    rvl_adamw *optimizer = NULL;
    rvl_error  err = {0};
    float      losses[10];
    char       key[256];

    rvl_output(c.g, "loss", loss);
    golden_plan_backward(&c, loss, NULL);
    golden_fill(&c);
    for (int i = 0; i < rvl_params_count(c.params); i++)
        if (opts.n_groups > 1 && strncmp(rvl_param_name(rvl_params_at(c.params, i)), "visual.", 7) == 0)
            rvl_param_set_group(rvl_params_at(c.params, i), 1);
    golden_ok(rvl_adamw_new(&optimizer, c.params, opts, &err), &err);
    for (int step = 0; step < 10; step++) {
        snprintf(key, sizeof key, "image%d", step);
        golden_input(&c, key, golden_slot(&c, "image"), 8 * 2 * 12 * 12, 1.0);
        snprintf(key, sizeof key, "targets%d", step);
        golden_levels(&c, key, 2, golden_slot(&c, "targets"), 24, 1.0);
        rvl_adamw_zero_grad(optimizer);
        golden_run(&c);
        losses[step] = *(const float *)rvl_tensor_const_data(rvl_plan_output(c.plan, "loss"));
        rvl_adamw_accumulate(optimizer, c.plan);
        rvl_adamw_step(optimizer, 1e-3, 1.0);
        if (step < 9)
            rvl_state_commit(c.state);
    }
    golden_check(&c, "losses", losses, 10, 1e-5);
    for (int i = 0; i < rvl_params_count(c.params); i++) {
        rvl_param *p = rvl_params_at(c.params, i);

        snprintf(key, sizeof key, "weight:%s", rvl_param_name(p));
        /* Adam divides by the gradient's size: where that is near zero, rounding becomes a part of a step */
        golden_check_tensor(&c, key, rvl_param_tensor(p), 1e-5);
    }
    golden_check_state(&c, 1e-5);
    rvl_adamw_free(optimizer);
    golden_close(&c);
}

static void ten_adamw_steps__match_torch(void **state)
{
    (void)state;
    ten_steps("adamw",
              (rvl_adamw_opts){.beta1 = 0.9, .beta2 = 0.98, .eps = 1e-8, .n_groups = 1, .groups = {{1, 0.05, NULL}}});
}

static void groups__have_their_own_rate_and_decay(void **state)
{
    (void)state;
    ten_steps(
        "adamw_groups",
        (rvl_adamw_opts){
            .beta1 = 0.9, .beta2 = 0.98, .eps = 1e-8, .n_groups = 2, .groups = {{1, 0.05, NULL}, {0.2, 4, NULL}}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ten_adamw_steps__match_torch),
                                       cmocka_unit_test(groups__have_their_own_rate_and_decay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
