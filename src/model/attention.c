/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/attention.c
 * Multi-head attention (Vaswani et al. 2017), composed from matmul, softmax and transposes.
 */
#include "model/layers.h"
#include <math.h>

rvl_node *rvl__model_heads(rvl_node *x, int n_heads)
{
    int64_t n = rvl_node_extent(x, 0);
    int64_t n_tok = rvl_node_extent(x, 1);

    x = rvl_reshape(x, 4, (int64_t[]){n, n_tok, n_heads, rvl_node_extent(x, 2) / n_heads});
    return rvl_transpose(x, (int[]){0, 2, 1, 3});
}

rvl_node *rvl__model_attention(rvl_node *q, rvl_node *k, rvl_node *v, rvl_node *key_bias, double dropout)
{
    int64_t   n = rvl_node_extent(q, 0);
    int64_t   n_heads = rvl_node_extent(q, 1);
    int64_t   n_tok = rvl_node_extent(q, 2);
    int64_t   width = rvl_node_extent(q, 3);
    rvl_node *scores = rvl_matmul(q, k, (rvl_matmul_attr){.trans_b = true});
    rvl_node *y;

    scores = rvl_affine(scores, 1.0 / sqrt((double)width), 0);
    scores = rvl_softmax(key_bias ? rvl_add(scores, key_bias) : scores);
    if (dropout > 0)
        scores = rvl_dropout(scores, dropout);
    y = rvl_transpose(rvl_matmul(scores, v, (rvl_matmul_attr){0}), (int[]){0, 2, 1, 3});
    return rvl_reshape(y, 3, (int64_t[]){n, n_tok, n_heads * width});
}
