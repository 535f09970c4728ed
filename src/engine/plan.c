/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/plan.c
 * Planning: which nodes the outputs need, how long each value lives, where it lies, and the prepared kernel calls.
 */
#include "engine/plan.h"
#include "engine/convert.h"
#include <stdio.h>
#include <string.h>

static rvl_backend default_backend = RVL_BACKEND_CPU; /* one thread of a process makes plans */

void rvl_backend_set_default(rvl_backend backend)
{
    default_backend = backend == RVL_BACKEND_AUTO ? RVL_BACKEND_CPU : backend;
}

const char *rvl_backend_text(void)
{
    static char text[32];

    if (default_backend == RVL_BACKEND_REF)
        return "ref";
    snprintf(text, sizeof text, "cpu (%s)", rvl_cpu_isa_text());
    return text;
}

static rvl_status out_of_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot make the plan: out of memory");
}

/** Everything that an output needs, transitively; an op counts with all of its outputs. */
static void mark_needed(rvl_plan *plan)
{
    rvl_graph *g = plan->graph;
    bool      *is_needed = plan->needed;

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

void *rvl__plan_data(const rvl_plan *plan, int value)
{
    const rvl_plan_buffer *b = &plan->buffers[plan->values[value].buffer];

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
        copy_bytes += plan->buffers[plan->values[plan->copies[i].value].buffer].n_bytes;
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

static rvl_buf buf_of(const rvl_plan *plan, int value)
{
    const rvl_node *n = plan->values[value].node;
    rvl_buf         b = {.data = rvl__plan_data(plan, value),
                         .dtype = n->dtype,
                         .layout = plan->values[value].layout,
                         .n_dims = n->n_dims,
                         .count = n->count};

    memcpy(b.shape, n->shape, sizeof b.shape);
    return b;
}

static void prepare_calls(rvl_plan *plan)
{
    for (int t = 0; t < plan->n_steps; t++) {
        const rvl_plan_step *s = &plan->steps[t];
        rvl_kernel_call     *c = &plan->calls[t];
        c->attr = s->attr;
        c->n_in = s->n_in;
        c->n_out = s->n_out;
        c->prepared = s->prepared;
        c->scratch = s->scratch < 0 ? NULL : plan->arena + plan->buffers[s->scratch].offset;
        for (int k = 0; k < s->n_in; k++)
            c->in[k] = buf_of(plan, s->in[k]);
        for (int k = 0; k < s->n_out; k++)
            c->out[k] = buf_of(plan, s->out[k]);
    }
}

static rvl_status add_port(rvl_plan *plan, rvl_plan_port *port, const char *name, rvl_node *n, rvl_error *err)
{
    port->name = name;
    port->node = n;
    port->value = plan->value_of[n->id];
    return rvl_tensor_borrow(&port->tensor, n->dtype, n->n_dims, n->shape, rvl__plan_data(plan, port->value), err);
}

/** Tensors of inputs and outputs; inputs start as zeros, constants get their value. */
static rvl_status open_ports(rvl_plan *plan, rvl_error *err)
{
    rvl_graph *g = plan->graph;
    rvl_status st = RVL_OK;

    for (int i = 0; i < g->n_nodes && !st; i++) {
        rvl_node *n = g->nodes[i];
        if (plan->value_of[i] < 0 || (n->kind != RVL_NODE_INPUT && n->kind != RVL_NODE_FILL))
            continue;
        void *data = rvl__plan_data(plan, plan->value_of[i]);
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

/** Tables with room for a few steps and values a node. */
static rvl_status make_tables(rvl_plan *plan, rvl_error *err)
{
    size_t     n = (size_t)plan->graph->n_nodes + 1, n_outputs = 1;
    rvl_arena *m = rvl_arena_new();

    plan->memory = m;
    for (rvl_graph_output *o = plan->graph->outputs; o; o = o->next)
        n_outputs++;
    if (!m)
        return out_of_memory(err);
    plan->capacity = (int)(4 * n + 2 * n_outputs + 64);
    plan->needed = rvl_arena_alloc(m, n * sizeof *plan->needed);
    plan->value_of = rvl_arena_alloc(m, n * sizeof *plan->value_of);
    plan->values = rvl_arena_alloc(m, (size_t)plan->capacity * sizeof *plan->values);
    plan->buffers = rvl_arena_alloc(m, (size_t)plan->capacity * sizeof *plan->buffers);
    plan->steps = rvl_arena_alloc(m, (size_t)plan->capacity * sizeof *plan->steps);
    plan->copies = rvl_arena_alloc(m, n * sizeof *plan->copies);
    plan->packings = rvl_arena_alloc(m, 2 * n * sizeof *plan->packings);
    plan->inputs = rvl_arena_alloc(m, n * sizeof *plan->inputs);
    plan->outputs = rvl_arena_alloc(m, n_outputs * sizeof *plan->outputs);
    if (!plan->needed || !plan->value_of || !plan->values || !plan->buffers || !plan->steps || !plan->copies ||
        !plan->packings || !plan->inputs || !plan->outputs)
        return out_of_memory(err);
    for (size_t i = 0; i < n; i++)
        plan->value_of[i] = -1;
    return RVL_OK;
}

static rvl_status plan_make(rvl_plan *plan, rvl_error *err)
{
    rvl_status st = make_tables(plan, err);

    if (st)
        return st;
    mark_needed(plan);
    for (int i = 0; i < plan->graph->n_nodes; i++)
        plan->stats.n_nodes += plan->needed[i];
    st = plan->table->lower ? plan->table->lower(plan, err) : rvl__plan_lower_plain(plan, err);
    if (!st)
        st = rvl__plan_lives(plan, err);
    if (st)
        return st;
    plan->calls = rvl_arena_alloc(plan->memory, ((size_t)plan->n_steps + 1) * sizeof *plan->calls);
    if (!plan->calls)
        return out_of_memory(err);
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
    if (opts.backend == RVL_BACKEND_AUTO)
        opts.backend = default_backend;
    if (opts.backend != RVL_BACKEND_REF && opts.backend != RVL_BACKEND_CPU)
        return rvl_fail(err, RVL_ERR_DEVICE, "cannot plan: backend %d is not in this build", (int)opts.backend);
    rvl_plan *plan = rvl_alloc_array(1, sizeof *plan);
    if (!plan)
        return out_of_memory(err);
    plan->graph = g;
    plan->opts = opts;
    plan->table = opts.backend == RVL_BACKEND_CPU && g->dtype == RVL_DTYPE_F32 ? rvl_cpu_kernels() : rvl_ref_kernels();
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
