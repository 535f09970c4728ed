/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/build_loss.c
 * Builders of losses by element or by row; the caller takes the mean.
 */
#include "engine/convert.h"
#include "engine/node.h"
#include "rvl/ops.h"

#define NO_ATTR ((rvl_op_attr){.none = {0}})

static rvl_node *shapes_differ(rvl_node *x, const char *label, const rvl_node *other)
{
    char xs[RVL_SHAPE_TEXT_BYTES], os[RVL_SHAPE_TEXT_BYTES];

    return rvl__graph_fail(x->graph, RVL_ERR_SHAPE, "%s of %s: '%s' with shape %s does not fit", label,
                           rvl__shape_text(xs, x->n_dims, x->shape), other->name,
                           rvl__shape_text(os, other->n_dims, other->shape));
}

static bool is_same_shape(const rvl_node *a, const rvl_node *b)
{
    return rvl__shape_equal(a->n_dims, a->shape, b->n_dims, b->shape);
}

rvl_node *rvl_bce_with_logits(rvl_node *x, rvl_node *targets, rvl_node *weights)
{
    rvl_graph *g = x->graph;

    if (g->error.code)
        return &g->broken;
    if (!is_same_shape(x, targets))
        return shapes_differ(x, "bce_with_logits", targets);
    if (!is_same_shape(x, weights))
        return shapes_differ(x, "bce_with_logits", weights);
    return rvl__node_op(g, RVL_OP_BCE, "bce_with_logits", NO_ATTR, 3, (rvl_node *[]){x, targets, weights}, x->n_dims,
                        x->shape);
}

rvl_node *rvl_cross_entropy(rvl_node *logits, rvl_node *ids)
{
    rvl_graph *g = logits->graph;

    if (g->error.code)
        return &g->broken;
    if (logits->n_dims != 2 || !rvl__shape_equal(1, logits->shape, ids->n_dims, ids->shape))
        return shapes_differ(logits, "cross_entropy", ids);
    return rvl__node_op(g, RVL_OP_CROSS_ENTROPY, "cross_entropy", NO_ATTR, 2, (rvl_node *[]){logits, ids}, 1,
                        logits->shape);
}

rvl_node *rvl_cross_entropy_soft(rvl_node *logits, rvl_node *targets)
{
    rvl_graph *g = logits->graph;

    if (g->error.code)
        return &g->broken;
    if (logits->n_dims != 2 || !is_same_shape(logits, targets))
        return shapes_differ(logits, "cross_entropy_soft", targets);
    return rvl__node_op(g, RVL_OP_CROSS_ENTROPY_SOFT, "cross_entropy_soft", NO_ATTR, 2, (rvl_node *[]){logits, targets},
                        1, logits->shape);
}
