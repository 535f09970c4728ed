/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/fuse.c
 * Which nodes are computed together: the last node of a chain takes the earlier ones over, whose values nobody else
 * reads.
 */
#include "engine/convert.h"
#include "engine/cpu/lower.h"

bool rvl__cpu_is_relu(const rvl_node *n)
{
    return n->kind == RVL_NODE_OP && n->op == RVL_OP_UNARY && n->attr.unary.kind == RVL_UNARY_RELU;
}

bool rvl__cpu_conv_is_dense(const rvl_node *n)
{
    return n->attr.conv.groups == 1;
}

bool rvl__cpu_conv_is_depthwise(const rvl_node *n)
{
    const rvl_node *x = n->op == RVL_OP_CONV_BWD_DATA ? n : n->in[0];
    const rvl_node *w = n->op == RVL_OP_CONV_BWD_WEIGHT ? n : n->in[n->op == RVL_OP_CONV_BWD_DATA ? 0 : 1];

    return n->attr.conv.groups > 1 && n->attr.conv.groups == x->shape[1] && w->shape[0] == x->shape[1] &&
           w->count / w->shape[0] <= RVL_CPU_MAX_FILTER;
}

static bool is_op(const rvl_node *n, rvl_op op)
{
    return n->kind == RVL_NODE_OP && n->op == op;
}

/** Only its step's successor reads it. */
static bool is_private(const rvl_cpu_lowering *l, const rvl_node *n)
{
    return l->n_uses[n->id] == 1 && !l->absorbed[n->id];
}

static bool is_norm(const rvl_cpu_lowering *l, const rvl_node *n)
{
    return (is_op(n, RVL_OP_BATCH_NORM) || is_op(n, RVL_OP_SCALE_SHIFT)) && n->n_dims > 2 && is_private(l, n);
}

static bool same_shape(const rvl_node *a, const rvl_node *b)
{
    return rvl__shape_equal(a->n_dims, a->shape, b->n_dims, b->shape);
}

/** A convolution below a SCALE_SHIFT finishes with it. */
static void take_conv(rvl_cpu_lowering *l, rvl_cpu_fusion *f)
{
    const rvl_node *x = f->norm->in[0];

    if (is_op(f->norm, RVL_OP_SCALE_SHIFT) && is_op(x, RVL_OP_CONV) && rvl__cpu_conv_is_dense(x) && is_private(l, x)) {
        f->product = x;
        l->absorbed[x->id] = true;
    }
}

/** relu(norm(x)), relu(norm(x) + residual). */
static void fuse_relu(rvl_cpu_lowering *l, const rvl_node *r)
{
    rvl_cpu_fusion *f = &l->fusion[r->id];
    const rvl_node *x = r->in[0];

    if (is_norm(l, x)) {
        *f = (rvl_cpu_fusion){.norm = x, .relu = true};
    } else if (is_op(x, RVL_OP_ADD) && is_private(l, x) && same_shape(x->in[0], x->in[1]) && x->in[0] != x->in[1]) {
        const int i = is_norm(l, x->in[0]) ? 0 : 1;
        if (!is_norm(l, x->in[i]))
            return;
        *f = (rvl_cpu_fusion){.norm = x->in[i], .residual = x->in[1 - i], .relu = true};
        l->absorbed[x->id] = true;
    } else
        return;
    l->absorbed[f->norm->id] = true;
    take_conv(l, f);
}

/** matmul + bias; conv_bwd_data + another gradient. */
static void fuse_add(rvl_cpu_lowering *l, const rvl_node *n)
{
    for (int i = 0; i < 2; i++) {
        const rvl_node *p = n->in[i], *other = n->in[1 - i];

        if (is_op(p, RVL_OP_MATMUL) && is_private(l, p) && other->n_dims == 1 &&
            other->count == p->shape[p->n_dims - 1] && same_shape(n, p)) {
            l->fusion[n->id] = (rvl_cpu_fusion){.product = p, .bias = other};
        } else if (is_op(p, RVL_OP_CONV_BWD_DATA) && rvl__cpu_conv_is_dense(p) && is_private(l, p) && p != other &&
                   same_shape(p, other)) {
            l->fusion[n->id] = (rvl_cpu_fusion){.product = p, .residual = other};
        } else
            continue;
        l->absorbed[p->id] = true;
        return;
    }
}

/** The gradient of relu(norm(x)): the norm's gradient finds the ReLU's mask again from x, so the ReLU's output need not
 *  be kept for it. */
static void fuse_gate(rvl_cpu_lowering *l, const rvl_node *n)
{
    const rvl_node *dy = n->in[4];

    if (n->n_dims < 3 || !is_op(dy, RVL_OP_UNARY_BWD) || dy->attr.unary.kind != RVL_UNARY_RELU || !is_private(l, dy))
        return;
    const rvl_cpu_fusion *forward = &l->fusion[dy->in[0]->id];
    if (!forward->norm || forward->residual || !forward->relu || forward->norm->in[0] != n->in[0])
        return;
    l->fusion[n->id] = (rvl_cpu_fusion){.gate = forward->norm->in[2]};
    l->absorbed[dy->id] = true;
}

/** `bias` gives each row of `x` a row: its leading axes are x's, then ones, then the row. */
static bool is_row_bias(const rvl_node *bias, const rvl_node *x)
{
    const int last = x->n_dims - 1;
    int       i = 0;

    if (bias->n_dims != x->n_dims || bias->shape[last] != x->shape[last])
        return false;
    while (i < last && bias->shape[i] == x->shape[i])
        i++;
    while (i < last && bias->shape[i] == 1)
        i++;
    return i == last;
}

/** softmax(x * scale + bias). */
static void fuse_softmax(rvl_cpu_lowering *l, const rvl_node *n)
{
    rvl_cpu_fusion  f = {.scores = n->in[0], .scale = 1.0};
    const rvl_node *x = n->in[0];

    if (is_op(x, RVL_OP_ADD) && is_private(l, x) && same_shape(x, x->in[0]) && is_row_bias(x->in[1], x)) {
        l->absorbed[x->id] = true;
        f.bias = x->in[1];
        f.scores = x = x->in[0];
    }
    if (is_op(x, RVL_OP_AFFINE) && x->attr.affine.b == 0.0 && is_private(l, x)) {
        l->absorbed[x->id] = true;
        f.scale = x->attr.affine.a;
        f.scores = x->in[0];
    }
    l->fusion[n->id] = f;
}

void rvl__cpu_fuse(rvl_cpu_lowering *l)
{
    const rvl_graph *g = l->plan->graph;

    if (l->plan->opts.keep_all) /* every node is looked at */
        return;
    for (int i = 0; i < g->n_nodes; i++) {
        const rvl_node *n = g->nodes[i];
        if (l->plan->needed[i] && rvl__cpu_is_relu(n))
            fuse_relu(l, n);
    }
    for (int i = 0; i < g->n_nodes; i++) {
        const rvl_node *n = g->nodes[i];
        if (!l->plan->needed[i] || n->kind != RVL_NODE_OP || l->absorbed[i])
            continue;
        if (n->op == RVL_OP_ADD)
            fuse_add(l, n);
        else if (n->op == RVL_OP_SOFTMAX)
            fuse_softmax(l, n);
        else if (n->op == RVL_OP_BATCH_NORM_BWD)
            fuse_gate(l, n);
        else if (n->op == RVL_OP_SCALE_SHIFT && n->n_dims > 2) {
            l->fusion[i] = (rvl_cpu_fusion){.norm = n};
            take_conv(l, &l->fusion[i]);
        }
    }
}
