/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/efficientnet.c
 * EfficientNet-Lite (Tan and Le 2019, without squeeze-excite and swish): inverted bottlenecks with depthwise
 * convolutions, ReLU6, TensorFlow's "SAME" padding. Names and order of operations are those of the PyTorch ports of
 * the published weights. Without stochastic depth.
 */
#include "model/layers.h"
#include "model/model.h"
#include <math.h>
#include <stdio.h>

/** What the stages of every EfficientNet are. */
static const struct {
    int kernel, stride, expand;
} stages[RVL_EFFICIENTNET_STAGES] = {{3, 1, 1}, {3, 2, 6}, {5, 2, 6}, {3, 2, 6}, {5, 1, 6}, {5, 2, 6}, {3, 1, 6}};

/** What is the same for every layer of a tower. */
typedef struct {
    rvl_graph *g;
    bool       training;
    int        bn_group;
} layer_context;

/** Convolution without bias in `groups`, over ceil(extent / stride) places: what padding is odd stands at the end. */
static rvl_node *conv_same(const layer_context *c, rvl_node *x, const char *name, int64_t n_out, int kernel, int stride,
                           int64_t groups)
{
    rvl_conv_attr attr = {.groups = (int)groups};
    double        fan_out = (double)(n_out / groups) * kernel * kernel;
    int64_t       shape[4] = {n_out, rvl_node_extent(x, 1) / groups, kernel, kernel};

    for (int i = 0; i < 2; i++) {
        int64_t extent = rvl_node_extent(x, 2 + i);
        int64_t pad = ((extent + stride - 1) / stride - 1) * stride + kernel - extent;

        pad = pad > 0 ? pad : 0;
        attr.stride[i] = stride;
        attr.pad_before[i] = (int)(pad / 2);
        attr.pad_after[i] = (int)(pad - pad / 2);
    }
    rvl_graph_scope(c->g, name);
    x = rvl_conv(x, rvl_weight(c->g, "weight", 4, shape, (rvl_init){RVL_INIT_NORMAL, sqrt(2.0 / fan_out)}), attr);
    rvl_graph_scope_end(c->g);
    return x;
}

static rvl_node *batch_norm(const layer_context *c, rvl_node *x, const char *name)
{
    rvl_graph_scope(c->g, name);
    x = rvl_batch_norm(
        x, (rvl_batch_norm_attr){.training = c->training, .group = c->bn_group, .momentum = 0.01, .eps = 1e-3});
    rvl_graph_scope_end(c->g);
    return x;
}

static rvl_node *relu6(rvl_node *x)
{
    return rvl_unary(x, RVL_UNARY_CLAMP, 0, 6);
}

/** Widen, one filter a channel, narrow; the input is added where nothing changes its shape. */
static rvl_node *block_build(const layer_context *c, rvl_node *x, int64_t n_out, int kernel, int stride, int expand)
{
    int64_t   n_in = rvl_node_extent(x, 1);
    int64_t   n_mid = n_in * expand;
    rvl_node *y = x;

    if (expand != 1)
        y = relu6(batch_norm(c, conv_same(c, y, "_expand_conv", n_mid, 1, 1, 1), "_bn0"));
    y = relu6(batch_norm(c, conv_same(c, y, "_depthwise_conv", n_mid, kernel, stride, n_mid), "_bn1"));
    y = batch_norm(c, conv_same(c, y, "_project_conv", n_out, 1, 1, 1), "_bn2");
    return stride == 1 && n_in == n_out ? rvl_add(y, x) : y;
}

rvl_taps rvl_efficientnet_build(rvl_graph *g, rvl_node *x, const rvl_efficientnet_config *cfg, bool training,
                                int bn_group)
{
    layer_context c = {g, training, bn_group};
    rvl_taps      taps = {0};
    int           n_blocks = 0;
    char          name[16];

    rvl_graph_scope(g, "visual");
    x = relu6(batch_norm(&c, conv_same(&c, x, "_conv_stem", cfg->stem_channels, 3, 2, 1), "_bn0"));
    rvl_graph_scope(g, "_blocks");
    for (int i = 0; i < RVL_EFFICIENTNET_STAGES; i++) {
        for (int k = 0; k < cfg->repeats[i]; k++) {
            snprintf(name, sizeof name, "%d", n_blocks++);
            rvl_graph_scope(g, name);
            x = block_build(&c, x, cfg->channels[i], stages[i].kernel, k == 0 ? stages[i].stride : 1, stages[i].expand);
            rvl_graph_scope_end(g);
        }
        if (cfg->repeats[i] > 0)
            taps.features[taps.n_features++] = x;
    }
    rvl_graph_scope_end(g);
    x = relu6(batch_norm(&c, conv_same(&c, x, "_conv_head", cfg->head_channels, 1, 1, 1), "_bn1"));
    taps.pooled = rvl_mean(x, 1u << 2 | 1u << 3, false);
    rvl_graph_scope_end(g);
    return taps;
}
