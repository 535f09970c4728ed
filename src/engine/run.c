/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/run.c
 * Running a plan: refresh copied weights, call the kernels in order, blend BatchNorm statistics into the state's
 * shadow. Nothing here allocates but the search for a non-finite value.
 */
#include "base/util.h"
#include "engine/convert.h"
#include "engine/plan.h"
#include <math.h>
#include <string.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(HAS_ASAN)
#define HAS_ASAN 1
#endif
#ifdef HAS_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(ptr, n_bytes) ((void)(ptr), (void)(n_bytes))
#define ASAN_UNPOISON_MEMORY_REGION(ptr, n_bytes) ((void)(ptr), (void)(n_bytes))
#endif

void rvl__plan_unpoison(rvl_plan *plan)
{
    ASAN_UNPOISON_MEMORY_REGION(plan->arena, plan->stats.arena_bytes);
}

void rvl_plan_set_key(rvl_plan *plan, uint64_t seed, uint64_t step)
{
    plan->seed = seed;
    plan->step = step;
    for (int t = 0; t < plan->n_steps; t++) {
        plan->calls[t].seed = seed;
        plan->calls[t].step = step;
    }
}

static void refresh_copies(rvl_plan *plan)
{
    for (int i = 0; i < plan->n_copies; i++) {
        const rvl_node   *n = plan->copies[i].node;
        const rvl_tensor *t;
        if (n->kind == RVL_NODE_WEIGHT) {
            if (plan->copies[i].version == rvl_param_version(n->param))
                continue;
            plan->copies[i].version = rvl_param_version(n->param);
            t = rvl_param_tensor(n->param);
        } else
            t = rvl__state_committed(n->state[0]);
        rvl__convert(rvl__plan_data(plan, plan->copies[i].value), n->dtype, rvl_tensor_const_data(t),
                     rvl_tensor_dtype(t), n->count);
    }
}

/** Remake the packed weights whose plain ones have changed, whichever plan made them last. */
static void refresh_packings(rvl_plan *plan)
{
    for (int i = 0; i < plan->n_packings; i++) {
        const rvl_plan_packing *p = &plan->packings[i];
        const rvl_param        *param = plan->values[p->from].node->param;
        if (p->pack->version == rvl_param_version(param))
            continue;
        p->run(p->pack->data, rvl__plan_data(plan, p->from), p->prepared);
        p->pack->version = rvl_param_version(param);
    }
}

/** All ones is NaN in f32 and f64 and -1 in i32. */
static void fill_dead(rvl_plan *plan, const rvl_plan_buffer *b)
{
    ASAN_UNPOISON_MEMORY_REGION(plan->arena + b->offset, b->n_bytes);
    memset(plan->arena + b->offset, 0xff, b->n_bytes);
    ASAN_POISON_MEMORY_REGION(plan->arena + b->offset, b->n_bytes);
}

/** Before the first step everything but inputs, constants and copies is dead. */
static void debug_begin(rvl_plan *plan)
{
    for (int i = 0; i < plan->n_buffers; i++)
        if (!plan->buffers[i].fixed && plan->buffers[i].birth >= 0)
            fill_dead(plan, &plan->buffers[i]);
}

static void debug_before(rvl_plan *plan, int t)
{
    const rvl_plan_step *s = &plan->steps[t];

    for (int k = 0; k < s->n_out; k++)
        ASAN_UNPOISON_MEMORY_REGION(rvl__plan_data(plan, s->out[k]),
                                    plan->buffers[plan->values[s->out[k]].buffer].n_bytes);
    if (s->scratch >= 0)
        ASAN_UNPOISON_MEMORY_REGION(plan->calls[t].scratch, plan->buffers[s->scratch].n_bytes);
}

static void debug_after(rvl_plan *plan, int t)
{
    for (int i = 0; i < plan->n_buffers; i++)
        if (!plan->buffers[i].fixed && plan->buffers[i].death == t)
            fill_dead(plan, &plan->buffers[i]);
}

/** running = (1 - momentum) running + momentum statistic, group by group; the variance made unbiased. */
static void blend_statistics(rvl_plan *plan, const rvl_plan_step *s)
{
    const rvl_node            *n = s->statistics;
    const rvl_batch_norm_attr *a = &n->attr.batch_norm;
    int64_t                    c = n->in[0]->shape[1], n_groups = n->out[1]->shape[0];
    double                     n_values = (double)(n->in[0]->count / c / n_groups);

    for (int k = 0; k < 2; k++) {
        rvl_tensor *shadow = rvl__state_shadow(n->state[k]);
        rvl_dtype   dtype = rvl_tensor_dtype(shadow);
        void       *to = rvl_tensor_data(shadow);
        const void *from = rvl__plan_data(plan, s->out[k + 1]);
        double      factor = k == 1 ? n_values / (n_values - 1.0) : 1.0;
        for (int64_t j = 0; j < c; j++) {
            double running = rvl__element_get(to, dtype, j);
            for (int64_t i = 0; i < n_groups; i++)
                running =
                    (1.0 - a->momentum) * running + a->momentum * factor * rvl__element_get(from, n->dtype, i * c + j);
            rvl__element_set(to, dtype, j, running);
        }
    }
}

static rvl_status run_steps(rvl_plan *plan, rvl_error *err)
{
    double start;

    refresh_copies(plan);
    refresh_packings(plan);
    if (plan->opts.debug_fill)
        debug_begin(plan);
    start = rvl_clock_s();
    for (int t = 0; t < plan->n_steps; t++) {
        rvl_plan_step   *s = &plan->steps[t];
        rvl_kernel_call *c = &plan->calls[t];
        if (plan->opts.debug_fill)
            debug_before(plan, t);
        c->status = RVL_OK;
        s->run(c);
        if (c->status)
            return rvl_fail(err, c->status, "'%s': %s met an id outside its table", s->node->name,
                            rvl__op_names[s->node->op]);
        if (s->statistics && !plan->is_probe)
            blend_statistics(plan, s);
        if (plan->opts.debug_fill && !plan->opts.keep_all)
            debug_after(plan, t);
        double now = rvl_clock_s();
        s->seconds += now - start;
        start = now;
    }
    plan->n_runs++;
    return RVL_OK;
}

/** Numbers too small to be normal become zero on every compute thread: they are slow on many processors and mean
 * nothing in a network. The pool's threads keep the setting, this thread gets its own back. */
#if defined(__SSE__)
#define FLUSH_BITS 0x8040u /* results (FZ) and operands (DAZ) */
static unsigned flush_begin(rvl_plan *plan)
{
    const unsigned before = _mm_getcsr();

    if (plan->n_runs == 0) {
#pragma omp parallel
        _mm_setcsr(_mm_getcsr() | FLUSH_BITS);
    }
    _mm_setcsr(before | FLUSH_BITS);
    return before;
}

static void flush_end(unsigned before)
{
    _mm_setcsr(before);
}
#else
static unsigned flush_begin(rvl_plan *plan)
{
    (void)plan;
    return 0;
}

static void flush_end(unsigned before)
{
    (void)before;
}
#endif

rvl_status rvl_plan_run(rvl_plan *plan, rvl_error *err)
{
    const unsigned before = flush_begin(plan);
    rvl_status     st = run_steps(plan, err);

    flush_end(before);
    return st;
}

static rvl_status check_finite(const rvl_plan *plan, int value, rvl_error *err)
{
    const rvl_node *n = plan->values[value].node;
    const void     *data = rvl__plan_data(plan, value);
    const int64_t   count = (int64_t)(plan->values[value].layout == RVL_LAYOUT_PLAIN
                                          ? (size_t)n->count
                                          : plan->buffers[plan->values[value].buffer].n_bytes / sizeof(float));

    for (int64_t i = 0; i < count; i++) {
        double v = rvl__element_get(data, n->dtype, i);
        if (isfinite(v))
            continue;
        char        shape[RVL_SHAPE_TEXT_BYTES];
        const char *what = n->kind == RVL_NODE_INPUT    ? "input"
                           : n->kind == RVL_NODE_WEIGHT ? "weight"
                           : n->kind == RVL_NODE_STATE  ? "state"
                           : n->kind == RVL_NODE_FILL   ? "constant"
                                                        : rvl__op_names[n->owner->op];
        return rvl_fail(err, RVL_ERR_NUMERIC, "'%s' %s (%s) is the first that is not finite: %s at element %lld",
                        n->name, rvl__shape_text(shape, n->n_dims, n->shape), what, isnan(v) ? "nan" : "inf",
                        (long long)i);
    }
    return RVL_OK;
}

rvl_status rvl_plan_find_nonfinite(rvl_plan *plan, rvl_error *err)
{
    rvl_plan_opts opts = {.backend = plan->opts.backend, .deterministic = plan->opts.deterministic, .keep_all = true};
    rvl_graph    *g = plan->graph;
    rvl_plan     *probe;
    rvl_status    st = rvl_plan_new(&probe, g, opts, err);

    if (st)
        return st;
    probe->is_probe = true;
    rvl_plan_set_key(probe, plan->seed, plan->step);
    for (int i = 0; i < plan->n_inputs; i++) /* the same graph: the same inputs in the same order */
        memcpy(rvl_tensor_data(probe->inputs[i].tensor), rvl_tensor_const_data(plan->inputs[i].tensor),
               rvl_tensor_bytes(plan->inputs[i].tensor));
    st = rvl_plan_run(probe, err);
    for (int i = 0; i < probe->n_values && !st; i++)
        st = check_finite(probe, i, err);
    rvl_plan_free(probe);
    return st;
}
