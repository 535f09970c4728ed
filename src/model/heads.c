/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/heads.c
 * What stands on towers: the linear classifier, CLIP's projections, logits and loss.
 */
#include "model/layers.h"
#include "model/model.h"
#include <math.h>

/* exp(ceiling) = 100; a little above, because f32(ln 100) is above ln 100 and a start at 1/100 must still learn. */
#define LOGIT_SCALE_CEILING (log(100.0) + 1e-6)

rvl_node *rvl_head_build(rvl_graph *g, rvl_node *pooled, int n_classes)
{
    return rvl__model_linear(g, pooled, "head", n_classes, RVL_LINEAR_TORCH);
}

rvl_node *rvl_projection_build(rvl_graph *g, rvl_node *pooled, const rvl_clip_config *cfg, const char *which)
{
    rvl_node *x = rvl__model_linear(g, pooled, which, cfg->embed_dim, RVL_LINEAR_CLIP);

    return cfg->similarity == RVL_SIMILARITY_COSINE ? rvl_l2_normalize(x, 1e-12) : x;
}

rvl_node *rvl_label_head_build(rvl_graph *g, rvl_node *embedding, int n_classes)
{
    return rvl__model_linear(g, embedding, "label_head", n_classes, RVL_LINEAR_TORCH);
}

rvl_node *rvl_label_loss(rvl_node *image_logits, rvl_node *text_logits, rvl_node *targets, rvl_node *weights,
                         rvl_node *scale)
{
    rvl_node *image = rvl_sum(rvl_bce_with_logits(image_logits, targets, weights), 3u, false);
    rvl_node *text = rvl_sum(rvl_bce_with_logits(text_logits, targets, weights), 3u, false);

    return rvl_mul(rvl_add(image, text), scale);
}

rvl_node *rvl_clip_logits(rvl_graph *g, rvl_node *image, rvl_node *text, const rvl_clip_config *cfg)
{
    rvl_node *logits = rvl_matmul(image, text, (rvl_matmul_attr){.trans_b = true});
    rvl_node *log_scale;
    int64_t   one = 1;

    if (!cfg->learn_temperature)
        return rvl_affine(logits, 1.0 / cfg->temperature, 0);
    log_scale = rvl_weight(g, "logit_scale", 1, &one, (rvl_init){RVL_INIT_CONSTANT, -log(cfg->temperature)});
    return rvl_mul(logits, rvl_exp(rvl_unary(log_scale, RVL_UNARY_CLAMP, 0, LOGIT_SCALE_CEILING)));
}

rvl_node *rvl_clip_loss(rvl_graph *g, rvl_node *logits, rvl_node *ids)
{
    rvl_node *by_row = rvl_mean(rvl_cross_entropy(logits, ids), 1u, false);
    rvl_node *by_column = rvl_mean(rvl_cross_entropy(rvl_transpose(logits, (int[]){1, 0}), ids), 1u, false);

    (void)g;
    return rvl_affine(rvl_add(by_row, by_column), 0.5, 0);
}

rvl_node *rvl_clip_loss_soft(rvl_graph *g, rvl_node *logits, rvl_node *targets)
{
    rvl_node *by_row = rvl_mean(rvl_cross_entropy_soft(logits, targets), 1u, false);
    rvl_node *by_column = rvl_mean(rvl_cross_entropy_soft(rvl_transpose(logits, (int[]){1, 0}), targets), 1u, false);

    (void)g;
    return rvl_affine(rvl_add(by_row, by_column), 0.5, 0);
}

double rvl_clip_scale(const rvl_model *m)
{
    rvl_param *p = m->clip.learn_temperature ? rvl_params_find(m->params, "logit_scale") : NULL;
    if (!p)
        return 1 / m->clip.temperature;
    const double scale = *(const float *)rvl_tensor_const_data(rvl_param_tensor(p));
    return exp(scale < 0 ? 0 : scale > log(100) ? log(100) : scale);
}
