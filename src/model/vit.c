/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/vit.c
 * Vision transformer (Dosovitskiy et al. 2021), pre-LayerNorm, with timm's names and order of operations: a class token
 * before the patches, learned positions, exact GELU, LayerNorm with eps 1e-6 at the end.
 */
#include "engine/node.h"
#include "model/layers.h"
#include "model/model.h"
#include <math.h>
#include <stdio.h>

#define EPS 1e-6

/** x (N, C, H, W) -> patches (N, T, E), row by row. */
static rvl_node *patches_build(rvl_graph *g, rvl_node *x, const rvl_vit_config *cfg)
{
    int64_t       hidden = cfg->hidden;
    int64_t       shape[4] = {hidden, rvl_node_extent(x, 1), cfg->patch, cfg->patch};
    double        fan_in = (double)shape[1] * cfg->patch * cfg->patch;
    rvl_init      start = {RVL_INIT_UNIFORM, 1.0 / sqrt(fan_in > 0 ? fan_in : 1.0)};
    rvl_conv_attr attr = {.stride = {cfg->patch, cfg->patch}};
    rvl_node     *bias;

    rvl_graph_scope(g, "patch_embed");
    rvl_graph_scope(g, "proj");
    x = rvl_conv(x, rvl_weight(g, "weight", 4, shape, start), attr);
    bias = rvl_weight(g, "bias", 1, &hidden, start);
    rvl_graph_scope_end(g);
    rvl_graph_scope_end(g);
    x = rvl_reshape(x, 3, (int64_t[]){rvl_node_extent(x, 0), hidden, -1});
    return rvl_add(rvl_transpose(x, (int[]){0, 2, 1}), bias);
}

/** Patches (N, T, E) -> (N, 1 + T, E): the class token in front, positions added. */
static rvl_node *tokens_build(rvl_graph *g, rvl_node *x, const rvl_vit_config *cfg)
{
    int64_t   n_tok = 1 + (int64_t)(cfg->image_height / cfg->patch) * (cfg->image_width / cfg->patch);
    rvl_node *cls = rvl_weight(g, "cls_token", 3, (int64_t[]){1, 1, cfg->hidden}, (rvl_init){RVL_INIT_NORMAL, 1e-6});
    rvl_node *positions =
        rvl_weight(g, "pos_embed", 3, (int64_t[]){1, n_tok, cfg->hidden}, (rvl_init){RVL_INIT_NORMAL, 0.02});

    cls = rvl__broadcast(cls, 3, (int64_t[]){rvl_node_extent(x, 0), 1, cfg->hidden});
    return rvl_add(rvl_concat(2, (rvl_node *[]){cls, x}, 1), positions);
}

static rvl_node *attention_build(rvl_graph *g, rvl_node *x, const rvl_vit_config *cfg)
{
    rvl_node *part[3];
    rvl_node *qkv;

    rvl_graph_scope(g, "attn");
    qkv = rvl__model_linear(g, x, "qkv", 3 * (int64_t)cfg->hidden, RVL_LINEAR_BERT);
    for (int i = 0; i < 3; i++)
        part[i] = rvl__model_heads(rvl_slice(qkv, 2, i * (int64_t)cfg->hidden, cfg->hidden), cfg->n_heads);
    x = rvl__model_attention(part[0], part[1], part[2], NULL, 0);
    x = rvl__model_linear(g, x, "proj", cfg->hidden, RVL_LINEAR_BERT);
    rvl_graph_scope_end(g);
    return x;
}

static rvl_node *block_build(rvl_graph *g, rvl_node *x, const rvl_vit_config *cfg)
{
    rvl_node *y;

    x = rvl_add(x, attention_build(g, rvl__model_layer_norm(g, x, "norm1", EPS), cfg));
    y = rvl__model_layer_norm(g, x, "norm2", EPS);
    rvl_graph_scope(g, "mlp");
    y = rvl_gelu(rvl__model_linear(g, y, "fc1", cfg->intermediate, RVL_LINEAR_BERT));
    y = rvl__model_linear(g, y, "fc2", cfg->hidden, RVL_LINEAR_BERT);
    rvl_graph_scope_end(g);
    return rvl_add(x, y);
}

rvl_taps rvl_vit_build(rvl_graph *g, rvl_node *x, const rvl_vit_config *cfg)
{
    rvl_node **hidden = rvl__model_taps(g, cfg->n_layers + 1);
    rvl_taps   taps = {.hidden = hidden, .n_hidden = hidden ? cfg->n_layers + 1 : 0};
    char       name[16];

    if (rvl_node_extent(x, 2) != cfg->image_height || rvl_node_extent(x, 3) != cfg->image_width)
        x = rvl__graph_fail(
            g, RVL_ERR_SHAPE, "the vision transformer has positions for images of %d x %d, got %lld x %lld",
            cfg->image_height, cfg->image_width, (long long)rvl_node_extent(x, 2), (long long)rvl_node_extent(x, 3));
    rvl_graph_scope(g, "visual");
    x = tokens_build(g, patches_build(g, x, cfg), cfg);
    rvl_graph_scope(g, "blocks");
    for (int i = 0; i < cfg->n_layers; i++) {
        if (hidden)
            hidden[i] = x;
        snprintf(name, sizeof name, "%d", i);
        rvl_graph_scope(g, name);
        x = block_build(g, x, cfg);
        rvl_graph_scope_end(g);
    }
    rvl_graph_scope_end(g);
    if (hidden)
        hidden[cfg->n_layers] = x;
    taps.tokens = rvl__model_layer_norm(g, x, "norm", EPS);
    if (cfg->pooling == RVL_POOLING_CLS)
        x = rvl_slice(taps.tokens, 1, 0, 1);
    else
        x = rvl_slice(taps.tokens, 1, 1, rvl_node_extent(taps.tokens, 1) - 1);
    taps.pooled = rvl_mean(x, 1u << 1, false);
    rvl_graph_scope_end(g);
    return taps;
}
