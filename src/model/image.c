/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/image.c
 * Image towers by kind: what is the same for all of them, and the way to each.
 */
#include "engine/node.h"
#include "model/model.h"

rvl_node *rvl_image_input(rvl_graph *g, const rvl_image_config *cfg, int64_t n, const int64_t *spatial)
{
    int64_t shape[5] = {n, 1};

    for (int i = 0; i < cfg->n_spatial && i < 3; i++)
        shape[2 + i] = spatial[i];
    return rvl_input(g, "image", RVL_DTYPE_F32, 2 + cfg->n_spatial, shape);
}

/** One channel becomes `n_channels` equal ones; images that have them stay. */
static rvl_node *channels_fit(rvl_graph *g, rvl_node *x, const rvl_image_config *cfg)
{
    int64_t has = rvl_node_extent(x, 1);
    int64_t shape[RVL_MAX_DIMS];

    if (rvl_node_n_dims(x) != 2 + cfg->n_spatial)
        return rvl__graph_fail(g, RVL_ERR_SHAPE, "the image tower reads images of %d axes, got %d", cfg->n_spatial,
                               rvl_node_n_dims(x) - 2);
    if (has == cfg->in_channels)
        return x;
    if (has != 1)
        return rvl__graph_fail(g, RVL_ERR_SHAPE, "the image tower reads images of %d channels, or of one, got %lld",
                               cfg->in_channels, (long long)has);
    for (int i = 0; i < rvl_node_n_dims(x); i++)
        shape[i] = rvl_node_extent(x, i);
    shape[1] = cfg->in_channels;
    return rvl__broadcast(x, rvl_node_n_dims(x), shape);
}

rvl_taps rvl_image_build(rvl_graph *g, rvl_node *x, const rvl_image_config *cfg, bool training, int bn_group)
{
    x = channels_fit(g, x, cfg);
    switch (cfg->kind) {
    case RVL_IMAGE_VIT:
        return rvl_vit_build(g, x, &cfg->vit);
    case RVL_IMAGE_EFFICIENTNET:
        return rvl_efficientnet_build(g, x, &cfg->efficientnet, training, bn_group);
    case RVL_IMAGE_RESNET:
        break;
    }
    return rvl_resnet_build(g, x, &cfg->resnet, training, bn_group);
}

int rvl_image_features(const rvl_image_config *cfg)
{
    switch (cfg->kind) {
    case RVL_IMAGE_VIT:
        return cfg->vit.hidden;
    case RVL_IMAGE_EFFICIENTNET:
        return cfg->efficientnet.head_channels;
    case RVL_IMAGE_RESNET:
        break;
    }
    return rvl_resnet_features(&cfg->resnet);
}

const char *rvl_image_stem(const rvl_image_config *cfg)
{
    static const char *const stems[] = {"visual.conv1.weight", "visual.patch_embed.proj.weight",
                                        "visual._conv_stem.weight"};

    return stems[cfg->kind];
}

void rvl_image_extents(int64_t spatial[3], const rvl_image_config *cfg)
{
    for (int i = 0; i < cfg->n_spatial; i++)
        spatial[i] =
            cfg->kind == RVL_IMAGE_EFFICIENTNET ? 32 : 32 * (int64_t)cfg->resnet.stem_stride + cfg->resnet.stem_kernel;
    if (cfg->kind == RVL_IMAGE_VIT) {
        spatial[0] = cfg->vit.image_height;
        spatial[1] = cfg->vit.image_width;
    }
}
