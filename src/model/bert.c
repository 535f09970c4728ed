/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/bert.c
 * BERT encoder (Devlin et al. 2019) of any size, post-LayerNorm, with Hugging Face's names behind "text.". Padded keys
 * get -1e9 before the softmax.
 */
#include "model/layers.h"
#include "model/model.h"
#include <stdio.h>

/** What every layer of the encoder needs. */
typedef struct {
    rvl_graph             *g;
    const rvl_bert_config *cfg;
    rvl_node              *key_bias; /* (N, 1, 1, T): 0 for real tokens, -1e9 for padding */
    double                 dropout;  /* 0 in evaluation */
} encoder_context;

static rvl_node *drop(const encoder_context *e, rvl_node *x)
{
    return e->dropout > 0 ? rvl_dropout(x, e->dropout) : x;
}

/** The first `n` rows of an embedding table of `n_rows`: (n, E). */
static rvl_node *table_head(rvl_graph *g, const char *name, int64_t n_rows, int64_t n, int64_t hidden)
{
    rvl_node *table;

    rvl_graph_scope(g, name);
    table = rvl_weight(g, "weight", 2, (int64_t[]){n_rows, hidden}, (rvl_init){RVL_INIT_NORMAL, 0.02});
    rvl_graph_scope_end(g);
    return n < n_rows ? rvl_slice(table, 0, 0, n) : table;
}

static rvl_node *embeddings_build(const encoder_context *e, rvl_node *ids, int64_t n_tok)
{
    const rvl_bert_config *cfg = e->cfg;
    rvl_node              *x;

    rvl_graph_scope(e->g, "embeddings");
    x = rvl_embedding(table_head(e->g, "word_embeddings", cfg->vocab_size, cfg->vocab_size, cfg->hidden), ids);
    /* one segment: every token has type 0 */
    x = rvl_add(x, table_head(e->g, "token_type_embeddings", cfg->type_vocab, 1, cfg->hidden));
    x = rvl_add(x, table_head(e->g, "position_embeddings", cfg->max_positions, n_tok, cfg->hidden));
    x = rvl__model_layer_norm(e->g, x, "LayerNorm", cfg->layer_norm_eps);
    rvl_graph_scope_end(e->g);
    return drop(e, x);
}

/** Multi-head self-attention: (N, T, E) -> (N, T, E), before the output projection. */
static rvl_node *self_attention_build(const encoder_context *e, rvl_node *x)
{
    int64_t   hidden = e->cfg->hidden;
    int       n_heads = e->cfg->n_heads;
    rvl_node *q;
    rvl_node *k;
    rvl_node *v;

    rvl_graph_scope(e->g, "self");
    q = rvl__model_heads(rvl__model_linear(e->g, x, "query", hidden, RVL_LINEAR_BERT), n_heads);
    k = rvl__model_heads(rvl__model_linear(e->g, x, "key", hidden, RVL_LINEAR_BERT), n_heads);
    v = rvl__model_heads(rvl__model_linear(e->g, x, "value", hidden, RVL_LINEAR_BERT), n_heads);
    x = rvl__model_attention(q, k, v, e->key_bias, e->dropout);
    rvl_graph_scope_end(e->g);
    return x;
}

/** Scope "output": dense, dropout, add the residual, LayerNorm. */
static rvl_node *residual_output(const encoder_context *e, rvl_node *x, rvl_node *residual)
{
    rvl_graph_scope(e->g, "output");
    x = drop(e, rvl__model_linear(e->g, x, "dense", e->cfg->hidden, RVL_LINEAR_BERT));
    x = rvl__model_layer_norm(e->g, rvl_add(x, residual), "LayerNorm", e->cfg->layer_norm_eps);
    rvl_graph_scope_end(e->g);
    return x;
}

static rvl_node *layer_build(const encoder_context *e, rvl_node *x)
{
    rvl_node *y;

    rvl_graph_scope(e->g, "attention");
    x = residual_output(e, self_attention_build(e, x), x);
    rvl_graph_scope_end(e->g);
    rvl_graph_scope(e->g, "intermediate");
    y = rvl_gelu(rvl__model_linear(e->g, x, "dense", e->cfg->intermediate, RVL_LINEAR_BERT));
    rvl_graph_scope_end(e->g);
    return residual_output(e, y, x);
}

/** The first token of (N, T, E): (N, E). */
static rvl_node *first_token(rvl_node *tokens)
{
    return rvl_reshape(rvl_slice(tokens, 1, 0, 1), 2,
                       (int64_t[]){rvl_node_extent(tokens, 0), rvl_node_extent(tokens, 2)});
}

/** tokens (N, T, E), mask (N, T) -> mean over real tokens (N, E). */
static rvl_node *mean_token(rvl_node *tokens, rvl_node *mask)
{
    int64_t   n = rvl_node_extent(tokens, 0);
    int64_t   n_tok = rvl_node_extent(tokens, 1);
    rvl_node *sum = rvl_sum(rvl_mul(tokens, rvl_reshape(mask, 3, (int64_t[]){n, n_tok, 1})), 1u << 1, false);
    rvl_node *count = rvl_unary(rvl_sum(mask, 1u << 1, true), RVL_UNARY_CLAMP, 1.0, (double)n_tok);

    return rvl_div(sum, count);
}

static rvl_node *pool_build(rvl_graph *g, const rvl_taps *taps, rvl_node *mask, const rvl_bert_config *cfg)
{
    rvl_node *x = taps->tokens;

    switch (cfg->pooling) {
    case RVL_POOLING_MEAN:
        return mean_token(x, mask);
    case RVL_POOLING_LAST4:
        for (int i = 2; taps->hidden && i <= 4; i++)
            x = rvl_add(x, taps->hidden[taps->n_hidden - i]);
        return mean_token(x, mask);
    case RVL_POOLING_POOLER:
        rvl_graph_scope(g, "pooler");
        x = rvl__model_linear(g, first_token(x), "dense", cfg->hidden, RVL_LINEAR_BERT);
        rvl_graph_scope_end(g);
        return rvl_unary(x, RVL_UNARY_TANH, 0, 0);
    case RVL_POOLING_CLS:
        break;
    }
    return first_token(x);
}

rvl_taps rvl_bert_build(rvl_graph *g, rvl_node *ids, rvl_node *mask, const rvl_bert_config *cfg, bool training)
{
    int64_t         n = rvl_node_extent(ids, 0);
    int64_t         n_tok = rvl_node_extent(ids, 1);
    encoder_context e = {g, cfg, NULL, training ? cfg->dropout : 0};
    rvl_node      **hidden = rvl__model_taps(g, cfg->n_layers + 1);
    rvl_taps        taps = {.hidden = hidden, .n_hidden = hidden ? cfg->n_layers + 1 : 0};
    char            name[16];

    rvl_graph_scope(g, "text");
    e.key_bias = rvl_affine(rvl_reshape(mask, 4, (int64_t[]){n, 1, 1, n_tok}), 1e9, -1e9);
    taps.tokens = embeddings_build(&e, ids, n_tok);
    rvl_graph_scope(g, "encoder");
    rvl_graph_scope(g, "layer");
    for (int i = 0; i < cfg->n_layers; i++) {
        if (hidden)
            hidden[i] = taps.tokens;
        snprintf(name, sizeof name, "%d", i);
        rvl_graph_scope(g, name);
        taps.tokens = layer_build(&e, taps.tokens);
        rvl_graph_scope_end(g);
    }
    rvl_graph_scope_end(g);
    rvl_graph_scope_end(g);
    if (hidden)
        hidden[cfg->n_layers] = taps.tokens;
    taps.pooled = pool_build(g, &taps, mask, cfg);
    rvl_graph_scope_end(g);
    return taps;
}
