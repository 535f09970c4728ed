/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/lower_broadcast.c
 * Arithmetic of values that repeat along axes, broadcasting itself, and sums, which undo it.
 */
#include "engine/convert.h"
#include "engine/cpu/lower.h"

/** The axes of `n_dims` extents that `goes` names as one middle; false: others lie between them. Extents of 1 are
 *  nowhere. */
static bool middle_of(rvl_cpu_middle *m, int n_dims, const int64_t *shape, unsigned goes)
{
    int part = 0; /* 0: outer, 1: middle, 2: inner */

    *m = (rvl_cpu_middle){1, 1, 1, 1.0};
    for (int i = 0; i < n_dims; i++) {
        const bool is_middle = goes >> i & 1;

        if (shape[i] == 1)
            continue;
        if (is_middle && part == 2)
            return false;
        part = is_middle ? 1 : part ? 2 : 0;
        *(part == 0 ? &m->n_outer : part == 1 ? &m->n_middle : &m->n_inner) *= shape[i];
    }
    return true;
}

/** Axes of `big` along which `small` has nothing or 1. */
static unsigned repeated_axes(const rvl_node *small, const rvl_node *big)
{
    unsigned axes = 0;

    for (int i = 0; i < big->n_dims; i++) {
        const int axis = i - (big->n_dims - small->n_dims);
        if (axis < 0 || small->shape[axis] == 1)
            axes |= 1u << i;
    }
    return axes;
}

/** The operands in an order in which the second one repeats along neighbouring axes; false: there is none. */
static bool binary_order(rvl_cpu_middle *m, const rvl_node **a, const rvl_node **b, const rvl_node *n)
{
    const bool may_swap = n->op == RVL_OP_ADD || n->op == RVL_OP_MUL;

    for (int turn = 0; turn < (may_swap ? 2 : 1); turn++) {
        *a = n->in[turn];
        *b = n->in[1 - turn];
        if (rvl__shape_equal((*a)->n_dims, (*a)->shape, n->n_dims, n->shape) &&
            middle_of(m, n->n_dims, n->shape, repeated_axes(*b, n)))
            return true;
    }
    return false;
}

rvl_status rvl__cpu_lower_binary(rvl_cpu_lowering *l, const rvl_node *n, rvl_error *err)
{
    const rvl_node *a = n->in[0], *b = n->in[1];
    rvl_cpu_binary *p = rvl__cpu_prepared(l, sizeof *p);
    rvl_plan_step  *s;
    rvl_status      st;

    if (!p)
        return rvl__cpu_out_of_memory(err);
    p->op = n->op;
    if (rvl__shape_equal(a->n_dims, a->shape, b->n_dims, b->shape)) {
        const bool any_layout = n->op != RVL_OP_DIV; /* 0 / 0 would fill the padding of blocks */
        st = rvl__cpu_lower_same(l, n, rvl__op_names[n->op], l->isa->binary_same, any_layout, err);
        if (!st)
            l->plan->steps[l->plan->n_steps - 1].prepared = &p->op;
        return st;
    }
    if (!binary_order(&p->middle, &a, &b, n))
        return rvl__cpu_lower_ref(l, n, err);
    const int in[2] = {rvl__cpu_value(l, a, RVL_LAYOUT_PLAIN), rvl__cpu_value(l, b, RVL_LAYOUT_PLAIN)};
    st = rvl__cpu_step(&s, l, n, "binary_middle", l->isa->binary_middle, 2, in, RVL_LAYOUT_PLAIN, err);
    if (st)
        return st;
    s->prepared = p;
    s->in_place = 0;
    return RVL_OK;
}

/** Some reader of `n` has another input that lies blocked. */
static bool wants_blocked(const rvl_cpu_lowering *l, const rvl_node *n)
{
    const rvl_graph *g = l->plan->graph;

    if (n->n_dims < 3)
        return false;
    for (int i = n->id + 1; i < g->n_nodes; i++)
        for (int k = 0; l->plan->needed[i] && k < g->nodes[i]->n_in; k++)
            for (int other = 0; g->nodes[i]->in[k] == n && other < g->nodes[i]->n_in; other++)
                if (rvl__cpu_is_blocked(l, g->nodes[i]->in[other]))
                    return true;
    return false;
}

/** (N, C, 1, ...) to the shape of `n`. */
static bool is_spatial_broadcast(const rvl_node *n)
{
    const rvl_node *x = n->in[0];

    if (x->n_dims != n->n_dims || n->n_dims < 3)
        return false;
    for (int i = 0; i < n->n_dims; i++)
        if (x->shape[i] != (i < 2 ? n->shape[i] : 1))
            return false;
    return true;
}

/** SUM and SUM_TO. */
rvl_status rvl__cpu_lower_sum(rvl_cpu_lowering *l, const rvl_node *n, rvl_error *err)
{
    const rvl_node *x = n->in[0];
    rvl_cpu_middle *m = rvl__cpu_prepared(l, sizeof *m);
    const unsigned  axes = n->op == RVL_OP_SUM ? n->attr.reduce.axes : repeated_axes(n, x);
    rvl_status      st;
    rvl_plan_step  *s;

    if (!m)
        return rvl__cpu_out_of_memory(err);
    if (n->op == RVL_OP_SUM && rvl__cpu_is_blocked(l, x) && axes == ((1u << x->n_dims) - 1) - 3) {
        const int in = rvl__cpu_value(l, x, RVL_LAYOUT_BLOCKED);
        return rvl__cpu_step(&s, l, n, "spatial_mean", l->isa->spatial_mean, 1, &in, RVL_LAYOUT_PLAIN, err);
    }
    if (!middle_of(m, x->n_dims, x->shape, axes))
        return rvl__cpu_lower_ref(l, n, err);
    if (n->op == RVL_OP_SUM)
        m->scale = n->attr.reduce.scale;
    st = rvl__cpu_lower_plain(l, n, "sum", l->isa->sum_middle, -1, err);
    if (!st)
        l->plan->steps[l->plan->n_steps - 1].prepared = m;
    return st;
}

rvl_status rvl__cpu_lower_broadcast(rvl_cpu_lowering *l, const rvl_node *n, rvl_error *err)
{
    rvl_cpu_middle *m = rvl__cpu_prepared(l, sizeof *m);
    rvl_status      st;
    rvl_plan_step  *s;

    if (!m)
        return rvl__cpu_out_of_memory(err);
    if (is_spatial_broadcast(n) && wants_blocked(l, n)) {
        const int in = rvl__cpu_value(l, n->in[0], RVL_LAYOUT_PLAIN);
        return rvl__cpu_step(&s, l, n, "spatial_broadcast", l->isa->spatial_broadcast, 1, &in, RVL_LAYOUT_BLOCKED, err);
    }
    if (!middle_of(m, n->n_dims, n->shape, repeated_axes(n->in[0], n)))
        return rvl__cpu_lower_ref(l, n, err);
    st = rvl__cpu_lower_plain(l, n, "broadcast", l->isa->broadcast_middle, -1, err);
    if (!st)
        l->plan->steps[l->plan->n_steps - 1].prepared = m;
    return st;
}
