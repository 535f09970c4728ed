/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/resnet.c
 * ResNet (He et al. 2016) of any width and depth, in 2-D or 3-D by the rank of its input, with torchvision's names and
 * order of operations. Bottlenecks have their stride on the 3x3 convolution (torchvision's "v1.5").
 */
#include "model/layers.h"
#include "model/model.h"
#include <stdio.h>

/** What is the same for every block of a tower. */
typedef struct {
    rvl_graph *g;
    bool       bottleneck, training;
    int        bn_group;
} block_context;

static rvl_node *conv_bn(const block_context *b, rvl_node *x, const char *conv, const char *bn, int64_t n_out,
                         int kernel, int stride)
{
    rvl_node *y = rvl__model_conv(b->g, x, conv, n_out, kernel, stride);

    return rvl__model_batch_norm(b->g, y, bn, b->training, b->bn_group);
}

/** The first convolution. Where stride and kernel are one the kernels lie side by side and reach nothing outside. */
static rvl_node *stem_build(const block_context *b, rvl_node *x, const rvl_resnet_config *cfg)
{
    const bool is_3d = rvl_node_n_dims(x) == 5;
    int        kernel[3] = {cfg->stem_kernel, cfg->stem_kernel, cfg->stem_kernel};
    int        stride[3] = {cfg->stem_stride, cfg->stem_stride, cfg->stem_stride};
    int        pad[3];

    if (is_3d && cfg->stem_depth_kernel > 0)
        kernel[0] = cfg->stem_depth_kernel;
    if (is_3d && cfg->stem_depth_stride > 0)
        stride[0] = cfg->stem_depth_stride;
    for (int i = 0; i < 3; i++)
        pad[i] = kernel[i] == stride[i] ? 0 : (kernel[i] - 1) / 2;
    return rvl__model_batch_norm(b->g, rvl__model_conv_axes(b->g, x, "conv1", cfg->width, kernel, stride, pad), "bn1",
                                 b->training, b->bn_group);
}

static rvl_node *block_build(const block_context *b, rvl_node *x, int64_t planes, int stride)
{
    int64_t   n_out = b->bottleneck ? planes * 4 : planes;
    rvl_node *shortcut = x;
    rvl_node *y;

    if (b->bottleneck) {
        y = rvl_relu(conv_bn(b, x, "conv1", "bn1", planes, 1, 1));
        y = rvl_relu(conv_bn(b, y, "conv2", "bn2", planes, 3, stride));
        y = conv_bn(b, y, "conv3", "bn3", n_out, 1, 1);
    } else {
        y = rvl_relu(conv_bn(b, x, "conv1", "bn1", planes, 3, stride));
        y = conv_bn(b, y, "conv2", "bn2", n_out, 3, 1);
    }
    if (stride != 1 || rvl_node_extent(x, 1) != n_out) {
        rvl_graph_scope(b->g, "downsample");
        shortcut = conv_bn(b, x, "0", "1", n_out, 1, stride);
        rvl_graph_scope_end(b->g);
    }
    return rvl_relu(rvl_add(y, shortcut));
}

static rvl_node *stage_build(const block_context *b, rvl_node *x, int n_blocks, int64_t planes, int stride)
{
    char name[16];

    for (int i = 0; i < n_blocks; i++) {
        snprintf(name, sizeof name, "%d", i);
        rvl_graph_scope(b->g, name);
        x = block_build(b, x, planes, i == 0 ? stride : 1);
        rvl_graph_scope_end(b->g);
    }
    return x;
}

rvl_taps rvl_resnet_build(rvl_graph *g, rvl_node *x, const rvl_resnet_config *cfg, bool training, int bn_group)
{
    static const char *const stages[4] = {"layer1", "layer2", "layer3", "layer4"};
    block_context            b = {g, cfg->bottleneck, training, bn_group};
    rvl_taps                 taps = {0};
    unsigned                 spatial = 0;

    rvl_graph_scope(g, "visual");
    x = rvl_relu(stem_build(&b, x, cfg));
    if (cfg->stem_pool)
        x = rvl_max_pool(x, (rvl_pool_attr){.kernel = {3, 3, 3}, .stride = {2, 2, 2}, .pad = {1, 1, 1}});
    for (int i = 0; i < 4; i++) {
        if (cfg->blocks[i] <= 0)
            continue;
        rvl_graph_scope(g, stages[i]);
        x = stage_build(&b, x, cfg->blocks[i], (int64_t)cfg->width << i, i == 0 ? 1 : 2);
        rvl_graph_scope_end(g);
        taps.features[taps.n_features++] = x;
    }
    for (int axis = 2; axis < rvl_node_n_dims(x); axis++)
        spatial |= 1u << axis;
    taps.pooled = rvl_mean(x, spatial, false);
    rvl_graph_scope_end(g);
    return taps;
}

int rvl_resnet_features(const rvl_resnet_config *cfg)
{
    int n = cfg->width;

    for (int i = 0; i < 4; i++)
        if (cfg->blocks[i] > 0)
            n = (cfg->width << i) * (cfg->bottleneck ? 4 : 1);
    return n;
}
