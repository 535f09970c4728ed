/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/lower.c
 * Lowering a graph to steps over values: the parts that backends share, and the plain one-to-one lowering.
 */
#include "engine/plan.h"
#include <string.h>

rvl_status rvl__plan_full(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_INTERNAL, "cannot plan: the plan's tables are too small for this graph");
}

static size_t value_bytes(const rvl_plan *plan, const rvl_node *n, rvl_layout layout)
{
    int64_t count = n->count;

    if (layout == RVL_LAYOUT_BLOCKED) {
        const int64_t b = plan->table->block;
        count = n->count / n->shape[1] * ((n->shape[1] + b - 1) / b * b);
    }
    return ((size_t)count * rvl_dtype_bytes(n->dtype) + 63) / 64 * 64;
}

int rvl__plan_value_new(rvl_plan *plan, const rvl_node *node, rvl_layout layout)
{
    if (plan->n_values == plan->capacity || plan->n_buffers == plan->capacity)
        return -1;
    plan->buffers[plan->n_buffers] =
        (rvl_plan_buffer){.n_bytes = value_bytes(plan, node, layout), .birth = -2, .death = -1};
    plan->values[plan->n_values] = (rvl_plan_value){node, layout, plan->n_buffers++};
    return plan->n_values++;
}

int rvl__plan_value_alias(rvl_plan *plan, const rvl_node *node, int value)
{
    if (plan->n_values == plan->capacity)
        return -1;
    plan->values[plan->n_values] = plan->values[value];
    plan->values[plan->n_values].node = node;
    return plan->n_values++;
}

rvl_plan_step *rvl__plan_step_new(rvl_plan *plan, const rvl_node *node, const char *kernel, rvl_kernel run)
{
    rvl_plan_step *s;

    if (plan->n_steps == plan->capacity)
        return NULL;
    s = &plan->steps[plan->n_steps++];
    *s = (rvl_plan_step){.node = node,
                         .kernel = kernel,
                         .backend = plan->table->name,
                         .run = run,
                         .attr = node->attr,
                         .in_place = -1,
                         .scratch = -1};
    return s;
}

static bool needs_copy(const rvl_node *n)
{
    if (n->kind == RVL_NODE_WEIGHT)
        return rvl_tensor_dtype(rvl_param_tensor(n->param)) != n->dtype;
    return n->kind == RVL_NODE_STATE && rvl_tensor_dtype(rvl__state_committed(n->state[0])) != n->dtype;
}

rvl_status rvl__plan_source(rvl_plan *plan, const rvl_node *n, rvl_error *err)
{
    int value = rvl__plan_value_new(plan, n, RVL_LAYOUT_PLAIN);

    if (value < 0)
        return rvl__plan_full(err);
    rvl_plan_buffer *b = &plan->buffers[plan->values[value].buffer];
    plan->value_of[n->id] = value;
    b->birth = -1;
    b->death = RVL_PLAN_ALWAYS;
    if (needs_copy(n))
        plan->copies[plan->n_copies++] = (rvl_plan_copy){.node = n, .value = value};
    else if (n->kind == RVL_NODE_WEIGHT)
        b->fixed = rvl_tensor_data(rvl_param_tensor(n->param));
    else if (n->kind == RVL_NODE_STATE)
        b->fixed = rvl_tensor_data(rvl__state_committed(n->state[0]));
    if (n->kind == RVL_NODE_WEIGHT)
        plan->stats.weight_bytes += rvl_tensor_bytes(rvl_param_tensor(n->param));
    return RVL_OK;
}

/** The step of one op, all of its values plain. */
static rvl_status lower_op(rvl_plan *plan, const rvl_node *n, rvl_error *err)
{
    rvl_plan_step *s;

    if (!plan->table->kernels[n->op])
        return rvl_fail(err, RVL_ERR_DEVICE, "cannot plan '%s': backend '%s' has no kernel for '%s'", n->name,
                        plan->table->name, rvl__op_names[n->op]);
    s = rvl__plan_step_new(plan, n, rvl__op_names[n->op], plan->table->kernels[n->op]);
    if (!s)
        return rvl__plan_full(err);
    s->n_in = n->n_in;
    s->n_out = n->n_out;
    s->statistics = n->state[0] ? n : NULL;
    for (int k = 0; k < n->n_in; k++)
        s->in[k] = plan->value_of[n->in[k]->id];
    for (int k = 0; k < n->n_out; k++) {
        s->out[k] = plan->value_of[n->out[k]->id] = rvl__plan_value_new(plan, n->out[k], RVL_LAYOUT_PLAIN);
        if (s->out[k] < 0)
            return rvl__plan_full(err);
    }
    return RVL_OK;
}

rvl_status rvl__plan_lower_plain(rvl_plan *plan, rvl_error *err)
{
    rvl_graph *g = plan->graph;
    rvl_status st = RVL_OK;

    for (int i = 0; i < g->n_nodes && !st; i++) {
        const rvl_node *n = g->nodes[i];
        if (!plan->needed[i] || n->kind == RVL_NODE_EXTRA)
            continue;
        if (n->kind != RVL_NODE_OP)
            st = rvl__plan_source(plan, n, err);
        else if (n->op == RVL_OP_RESHAPE) { /* the same elements in the same order */
            plan->value_of[i] = rvl__plan_value_alias(plan, n, plan->value_of[n->in[0]->id]);
            if (plan->value_of[i] < 0)
                st = rvl__plan_full(err);
        } else
            st = lower_op(plan, n, err);
    }
    return st;
}

/** Let a step write over its input where nobody reads that again. */
static void share_in_place(rvl_plan *plan, int t)
{
    rvl_plan_step *s = &plan->steps[t];

    if (s->in_place < 0 || plan->opts.keep_all)
        return;
    const int        from = plan->values[s->in[s->in_place]].buffer, to = plan->values[s->out[0]].buffer;
    rvl_plan_buffer *b = &plan->buffers[from];
    if (b->fixed || b->birth < 0 || b->death != t || b->n_bytes != plan->buffers[to].n_bytes)
        return;
    for (int k = 0; k < s->n_in; k++)
        if (k != s->in_place && plan->values[s->in[k]].buffer == from)
            return;
    if (plan->buffers[to].death > b->death)
        b->death = plan->buffers[to].death;
    for (int i = 0; i < plan->n_values; i++)
        if (plan->values[i].buffer == to)
            plan->values[i].buffer = from;
    plan->buffers[to] = (rvl_plan_buffer){.birth = -2, .death = -1};
}

rvl_status rvl__plan_lives(rvl_plan *plan, rvl_error *err)
{
    for (int t = 0; t < plan->n_steps; t++) {
        rvl_plan_step *s = &plan->steps[t];
        for (int k = 0; k < s->n_out; k++) {
            rvl_plan_buffer *b = &plan->buffers[plan->values[s->out[k]].buffer];
            b->birth = b->death = t;
        }
        for (int k = 0; k < s->n_in; k++) {
            rvl_plan_buffer *b = &plan->buffers[plan->values[s->in[k]].buffer];
            if (b->death < t)
                b->death = t;
        }
        if (s->scratch_bytes) {
            if (plan->n_buffers == plan->capacity)
                return rvl__plan_full(err);
            s->scratch = plan->n_buffers++;
            plan->buffers[s->scratch] =
                (rvl_plan_buffer){.n_bytes = (s->scratch_bytes + 63) / 64 * 64, .birth = t, .death = t};
        }
    }
    for (rvl_graph_output *o = plan->graph->outputs; o; o = o->next)
        plan->buffers[plan->values[plan->value_of[o->node->id]].buffer].death = RVL_PLAN_ALWAYS;
    for (int t = 0; t < plan->n_steps; t++)
        share_in_place(plan, t);
    return RVL_OK;
}
