/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/layers.h
 * Layers that towers share: an operation with its weights and their usual start. Weights stand under the current
 * scope and `name`: "<scope>.<name>.weight".
 */
#ifndef RVL_MODEL_LAYERS_H
#define RVL_MODEL_LAYERS_H
#include "rvl/ops.h"

/** How a linear layer starts. */
typedef enum {
    RVL_LINEAR_TORCH, /* weight and bias uniform in +-1/sqrt(inputs): torch.nn.Linear */
    RVL_LINEAR_BERT,  /* weight normal with deviation 0.02, bias 0 */
    RVL_LINEAR_CLIP   /* weight normal with deviation 1/sqrt(inputs), no bias: CLIP's projections */
} rvl_linear_start;

/** x (..., E), weight (n_out, E) -> x weight^T (+ bias) (..., n_out). */
rvl_node *rvl__model_linear(rvl_graph *g, rvl_node *x, const char *name, int64_t n_out, rvl_linear_start start);

/** Convolution without bias: kernel, stride and zeros on either side per spatial axis of x, slowest first; weight
 * normal with deviation sqrt(2 / (n_out * kernel volume)), as torchvision starts a ResNet. */
rvl_node *rvl__model_conv_axes(rvl_graph *g, rvl_node *x, const char *name, int64_t n_out, const int kernel[3],
                               const int stride[3], const int pad[3]);
/** The same on every axis, padded by (kernel - 1) / 2. */
rvl_node *rvl__model_conv(rvl_graph *g, rvl_node *x, const char *name, int64_t n_out, int kernel, int stride);

/** BatchNorm `name`, momentum 0.1, eps 1e-5. */
rvl_node *rvl__model_batch_norm(rvl_graph *g, rvl_node *x, const char *name, bool training, int bn_group);

/** LayerNorm `name` over the last axis. */
rvl_node *rvl__model_layer_norm(rvl_graph *g, rvl_node *x, const char *name, double eps);

/** Attention heads: (N, T, E) -> (N, Q, T, E / Q). */
rvl_node *rvl__model_heads(rvl_node *x, int n_heads);

/** softmax(q k^T / sqrt(width of a head) + key_bias) v, heads (N, Q, T, E / Q) -> (N, T, E). `key_bias` (N, 1, 1, T) or
 *  NULL; `dropout` on the probabilities, 0 is none. */
rvl_node *rvl__model_attention(rvl_node *q, rvl_node *k, rvl_node *v, rvl_node *key_bias, double dropout);

/** Room for `n` taps that lives as long as the graph; NULL and a failed graph without memory. */
rvl_node **rvl__model_taps(rvl_graph *g, int n);

#endif /* RVL_MODEL_LAYERS_H */
