/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/layers.c
 * Layers that towers share, with the starts that PyTorch users expect.
 */
#include "model/layers.h"
#include "engine/node.h"
#include <math.h>

rvl_node *rvl__model_linear(rvl_graph *g, rvl_node *x, const char *name, int64_t n_out, rvl_linear_start start)
{
    int64_t   n_in = rvl_node_extent(x, -1);
    double    bound = 1.0 / sqrt(n_in > 0 ? (double)n_in : 1.0);
    rvl_init  weight_init = {RVL_INIT_UNIFORM, bound};
    rvl_init  bias_init = {RVL_INIT_UNIFORM, bound};
    rvl_node *y;

    if (start == RVL_LINEAR_BERT) {
        weight_init = (rvl_init){RVL_INIT_NORMAL, 0.02};
        bias_init = (rvl_init){RVL_INIT_ZEROS, 0};
    } else if (start == RVL_LINEAR_CLIP) {
        weight_init = (rvl_init){RVL_INIT_NORMAL, bound};
    }
    rvl_graph_scope(g, name);
    y = rvl_matmul(x, rvl_weight(g, "weight", 2, (int64_t[]){n_out, n_in}, weight_init),
                   (rvl_matmul_attr){.trans_b = true});
    if (start != RVL_LINEAR_CLIP)
        y = rvl_add(y, rvl_weight(g, "bias", 1, &n_out, bias_init));
    rvl_graph_scope_end(g);
    return y;
}

rvl_node *rvl__model_conv_axes(rvl_graph *g, rvl_node *x, const char *name, int64_t n_out, const int kernel[3],
                               const int stride[3], const int pad[3])
{
    int           n_spatial = rvl_node_n_dims(x) - 2;
    int64_t       shape[5] = {n_out, rvl_node_extent(x, 1), kernel[0], kernel[1], kernel[2]};
    rvl_conv_attr attr = {0};
    double        fan_out = (double)n_out;
    rvl_node     *y;

    if (n_spatial < 1 || n_spatial > 3)
        n_spatial = 1; /* no image: rvl_conv says so by name */
    for (int i = 0; i < n_spatial; i++) {
        attr.stride[i] = stride[i];
        attr.pad_before[i] = attr.pad_after[i] = pad[i];
        fan_out *= kernel[i];
    }
    rvl_graph_scope(g, name);
    y = rvl_conv(x, rvl_weight(g, "weight", 2 + n_spatial, shape, (rvl_init){RVL_INIT_NORMAL, sqrt(2.0 / fan_out)}),
                 attr);
    rvl_graph_scope_end(g);
    return y;
}

rvl_node *rvl__model_conv(rvl_graph *g, rvl_node *x, const char *name, int64_t n_out, int kernel, int stride)
{
    const int pad = (kernel - 1) / 2;

    return rvl__model_conv_axes(g, x, name, n_out, (const int[]){kernel, kernel, kernel},
                                (const int[]){stride, stride, stride}, (const int[]){pad, pad, pad});
}

rvl_node *rvl__model_batch_norm(rvl_graph *g, rvl_node *x, const char *name, bool training, int bn_group)
{
    rvl_node *y;

    rvl_graph_scope(g, name);
    y = rvl_batch_norm(x, (rvl_batch_norm_attr){.training = training, .group = bn_group, .momentum = 0.1, .eps = 1e-5});
    rvl_graph_scope_end(g);
    return y;
}

rvl_node *rvl__model_layer_norm(rvl_graph *g, rvl_node *x, const char *name, double eps)
{
    int64_t   n = rvl_node_extent(x, -1);
    rvl_node *gamma;
    rvl_node *beta;

    rvl_graph_scope(g, name);
    gamma = rvl_weight(g, "weight", 1, &n, (rvl_init){RVL_INIT_ONES, 0});
    beta = rvl_weight(g, "bias", 1, &n, (rvl_init){RVL_INIT_ZEROS, 0});
    rvl_graph_scope_end(g);
    return rvl_layer_norm(x, gamma, beta, eps);
}

rvl_node **rvl__model_taps(rvl_graph *g, int n)
{
    rvl_node **taps = rvl_arena_alloc(g->arena, (size_t)n * sizeof *taps);

    if (!taps)
        rvl__graph_fail(g, RVL_ERR_NOMEM, "cannot grow the graph: out of memory");
    return taps;
}
