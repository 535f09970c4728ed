/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/plan.c
 * Planning: which nodes the outputs need, how long each value lives, where it lies, and the prepared kernel calls.
 */
#include "engine/plan.h"
#include "engine/convert.h"
#include <string.h>

static rvl_status out_of_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot make the plan: out of memory");
}

/** Everything that an output needs, transitively; an op counts with all of its outputs. */
static void mark_needed(rvl_plan *plan, bool *is_needed)
{
    rvl_graph *g = plan->graph;

    for (rvl_graph_output *o = g->outputs; o; o = o->next)
        is_needed[o->node->owner->id] = true;
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        rvl_node *n = g->nodes[i];
        if (n->kind == RVL_NODE_EXTRA) {
            is_needed[i] = is_needed[i] || is_needed[n->owner->id];
            is_needed[n->owner->id] = is_needed[i];
        }
        for (int k = 0; is_needed[i] && k < n->n_in; k++)
            is_needed[n->in[k]->owner->id] = true;
    }
    for (int i = 0; i < g->n_nodes; i++)
        is_needed[i] = is_needed[g->nodes[i]->owner->id];
}

static bool needs_copy(const rvl_node *n)
{
    if (n->kind == RVL_NODE_WEIGHT)
        return rvl_tensor_dtype(rvl_param_tensor(n->param)) != n->dtype;
    return n->kind == RVL_NODE_STATE && rvl_tensor_dtype(rvl__state_committed(n->state[0])) != n->dtype;
}

static void *fixed_data(const rvl_node *n)
{
    if (needs_copy(n))
        return NULL;
    if (n->kind == RVL_NODE_WEIGHT)
        return rvl_tensor_data(rvl_param_tensor(n->param));
    return n->kind == RVL_NODE_STATE ? rvl_tensor_data(rvl__state_committed(n->state[0])) : NULL;
}

/** A buffer for each needed node, with its life; steps in order of creation. */
static rvl_status place_nodes(rvl_plan *plan, const bool *is_needed, rvl_error *err)
{
    rvl_graph *g = plan->graph;

    for (int i = 0; i < g->n_nodes; i++) {
        rvl_node *n = g->nodes[i];
        plan->buffer_of[i] = -1;
        if (!is_needed[i])
            continue;
        plan->stats.n_nodes++;
        if (n->kind == RVL_NODE_OP && n->op == RVL_OP_RESHAPE) { /* the same elements in the same order */
            plan->buffer_of[i] = plan->buffer_of[n->in[0]->id];
            continue;
        }
        bool is_made = n->kind == RVL_NODE_OP || n->kind == RVL_NODE_EXTRA;
        if (n->kind == RVL_NODE_OP) {
            if (!plan->table->kernels[n->op])
                return rvl_fail(err, RVL_ERR_DEVICE, "cannot plan '%s': backend '%s' has no kernel for '%s'", n->name,
                                plan->table->name, rvl__op_names[n->op]);
            plan->steps[plan->n_steps++].node = n;
        }
        rvl_plan_buffer *b = &plan->buffers[plan->n_buffers];
        plan->buffer_of[i] = plan->n_buffers++;
        b->n_bytes = ((size_t)n->count * rvl_dtype_bytes(n->dtype) + 63) / 64 * 64;
        b->birth = is_made ? -2 : -1; /* steps are numbered below */
        b->death = is_made ? -1 : RVL_PLAN_ALWAYS;
        b->fixed = fixed_data(n);
        if (needs_copy(n))
            plan->copies[plan->n_copies++].node = n;
        if (n->kind == RVL_NODE_WEIGHT)
            plan->stats.weight_bytes += rvl_tensor_bytes(rvl_param_tensor(n->param));
    }
    return RVL_OK;
}

static void find_lives(rvl_plan *plan)
{
    for (int t = 0; t < plan->n_steps; t++) {
        rvl_node *n = plan->steps[t].node;
        for (int k = 0; k < n->n_out; k++) {
            rvl_plan_buffer *b = &plan->buffers[plan->buffer_of[n->out[k]->id]];
            b->birth = b->death = t;
        }
        for (int k = 0; k < n->n_in; k++) {
            rvl_plan_buffer *b = &plan->buffers[plan->buffer_of[n->in[k]->id]];
            if (b->death < t)
                b->death = t;
        }
    }
    for (rvl_graph_output *o = plan->graph->outputs; o; o = o->next)
        plan->buffers[plan->buffer_of[o->node->id]].death = RVL_PLAN_ALWAYS;
}

void *rvl__plan_data(const rvl_plan *plan, const rvl_node *node)
{
    const rvl_plan_buffer *b = &plan->buffers[plan->buffer_of[node->id]];

    return b->fixed ? b->fixed : plan->arena + b->offset;
}

static rvl_status make_arena(rvl_plan *plan, rvl_error *err)
{
    rvl_plan_stats *s = &plan->stats;
    size_t          copy_bytes = 0;
    rvl_status      st;

    st = rvl__plan_layout(&s->arena_bytes, plan->buffers, plan->n_buffers, !plan->opts.keep_all, err);
    if (st)
        return st;
    for (int i = 0; i < plan->n_buffers; i++)
        s->unshared_bytes += plan->buffers[i].fixed ? 0 : plan->buffers[i].n_bytes;
    for (int i = 0; i < plan->n_copies; i++)
        copy_bytes += plan->buffers[plan->buffer_of[plan->copies[i].node->id]].n_bytes;
    for (rvl_graph_output *o = plan->graph->outputs; o; o = o->next)
        if (strncmp(o->name, "grad:", 5) == 0)
            s->gradient_bytes += (size_t)o->node->count * rvl_dtype_bytes(o->node->dtype);
    s->activation_bytes =
        s->arena_bytes > s->gradient_bytes + copy_bytes ? s->arena_bytes - s->gradient_bytes - copy_bytes : 0;
    if (plan->opts.memory_limit_bytes && s->arena_bytes > plan->opts.memory_limit_bytes)
        return rvl_fail(err, RVL_ERR_NOMEM,
                        "cannot plan: activations and gradients need %zu bytes, the limit is %zu\n"
                        "hint: a smaller micro-batch needs less",
                        s->arena_bytes, plan->opts.memory_limit_bytes);
    plan->arena = rvl_alloc_aligned(s->arena_bytes ? s->arena_bytes : 64);
    return plan->arena ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot allocate the plan's %zu bytes", s->arena_bytes);
}

static rvl_buf buf_of(const rvl_plan *plan, const rvl_node *n)
{
    rvl_buf b = {.data = rvl__plan_data(plan, n), .dtype = n->dtype, .n_dims = n->n_dims, .count = n->count};

    memcpy(b.shape, n->shape, sizeof b.shape);
    return b;
}

static void prepare_calls(rvl_plan *plan)
{
    for (int t = 0; t < plan->n_steps; t++) {
        const rvl_node  *n = plan->steps[t].node;
        rvl_kernel_call *c = &plan->calls[t];
        c->attr = n->attr;
        c->n_in = n->n_in;
        c->n_out = n->n_out;
        for (int k = 0; k < n->n_in; k++)
            c->in[k] = buf_of(plan, n->in[k]);
        for (int k = 0; k < n->n_out; k++)
            c->out[k] = buf_of(plan, n->out[k]);
    }
}

static rvl_status add_port(rvl_plan *plan, rvl_plan_port *port, const char *name, rvl_node *n, rvl_error *err)
{
    port->name = name;
    port->node = n;
    return rvl_tensor_borrow(&port->tensor, n->dtype, n->n_dims, n->shape, rvl__plan_data(plan, n), err);
}

/** Tensors of inputs and outputs; inputs start as zeros, constants get their value. */
static rvl_status open_ports(rvl_plan *plan, rvl_error *err)
{
    rvl_graph *g = plan->graph;
    rvl_status st = RVL_OK;

    for (int i = 0; i < g->n_nodes && !st; i++) {
        rvl_node *n = g->nodes[i];
        if (plan->buffer_of[i] < 0)
            continue;
        void *data = rvl__plan_data(plan, n);
        if (n->kind == RVL_NODE_INPUT) {
            memset(data, 0, (size_t)n->count * rvl_dtype_bytes(n->dtype));
            st = add_port(plan, &plan->inputs[plan->n_inputs++], n->name, n, err);
        }
        for (int64_t k = 0; n->kind == RVL_NODE_FILL && k < n->count; k++)
            rvl__element_set(data, n->dtype, k, n->value);
    }
    for (rvl_graph_output *o = g->outputs; o && !st; o = o->next)
        st = add_port(plan, &plan->outputs[plan->n_outputs++], o->name, o->node, err);
    return st;
}

static rvl_status make_tables(rvl_plan *plan, rvl_error *err)
{
    size_t     n = (size_t)plan->graph->n_nodes + 1, n_outputs = 1;
    rvl_arena *m = rvl_arena_new();

    plan->memory = m;
    for (rvl_graph_output *o = plan->graph->outputs; o; o = o->next)
        n_outputs++;
    if (!m)
        return out_of_memory(err);
    plan->buffer_of = rvl_arena_alloc(m, n * sizeof *plan->buffer_of);
    plan->buffers = rvl_arena_alloc(m, n * sizeof *plan->buffers);
    plan->steps = rvl_arena_alloc(m, n * sizeof *plan->steps);
    plan->copies = rvl_arena_alloc(m, n * sizeof *plan->copies);
    plan->inputs = rvl_arena_alloc(m, n * sizeof *plan->inputs);
    plan->outputs = rvl_arena_alloc(m, n_outputs * sizeof *plan->outputs);
    if (!plan->buffer_of || !plan->buffers || !plan->steps || !plan->copies || !plan->inputs || !plan->outputs)
        return out_of_memory(err);
    return RVL_OK;
}

static rvl_status plan_make(rvl_plan *plan, rvl_error *err)
{
    bool      *is_needed;
    rvl_status st = make_tables(plan, err);

    if (st)
        return st;
    is_needed = rvl_arena_alloc(plan->memory, (size_t)plan->graph->n_nodes * sizeof *is_needed + 1);
    if (!is_needed)
        return out_of_memory(err);
    mark_needed(plan, is_needed);
    st = place_nodes(plan, is_needed, err);
    if (st)
        return st;
    plan->calls = rvl_arena_alloc(plan->memory, ((size_t)plan->n_steps + 1) * sizeof *plan->calls);
    if (!plan->calls)
        return out_of_memory(err);
    find_lives(plan);
    st = make_arena(plan, err);
    if (st)
        return st;
    prepare_calls(plan);
    return open_ports(plan, err);
}

rvl_status rvl_plan_new(rvl_plan **out, rvl_graph *g, rvl_plan_opts opts, rvl_error *err)
{
    rvl_status st;

    *out = NULL;
    st = rvl_graph_check(g, err);
    if (st)
        return st;
    if (!g->outputs)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot plan: the graph declares no output");
    if (opts.backend != RVL_BACKEND_REF)
        return rvl_fail(err, RVL_ERR_DEVICE, "cannot plan: backend %d is not in this build", (int)opts.backend);
    rvl_plan *plan = rvl_alloc_array(1, sizeof *plan);
    if (!plan)
        return out_of_memory(err);
    plan->graph = g;
    plan->opts = opts;
    plan->table = rvl_ref_kernels();
    g->is_planned = true;
    st = plan_make(plan, err);
    if (st) {
        rvl_plan_free(plan);
        return st;
    }
    *out = plan;
    return RVL_OK;
}

void rvl_plan_free(rvl_plan *plan)
{
    if (!plan)
        return;
    for (int i = 0; i < plan->n_inputs; i++)
        rvl_tensor_free(plan->inputs[i].tensor);
    for (int i = 0; i < plan->n_outputs; i++)
        rvl_tensor_free(plan->outputs[i].tensor);
    if (plan->arena)
        rvl__plan_unpoison(plan);
    rvl_free(plan->arena);
    rvl_arena_free(plan->memory);
    rvl_free(plan);
}

static rvl_tensor *port_find(const rvl_plan_port *ports, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(ports[i].name, name) == 0)
            return ports[i].tensor;
    return NULL;
}

rvl_tensor *rvl_plan_input(rvl_plan *plan, const char *name)
{
    return port_find(plan->inputs, plan->n_inputs, name);
}

const rvl_tensor *rvl_plan_output(const rvl_plan *plan, const char *name)
{
    return port_find(plan->outputs, plan->n_outputs, name);
}

rvl_plan_stats rvl_plan_get_stats(const rvl_plan *plan)
{
    return plan->stats;
}
