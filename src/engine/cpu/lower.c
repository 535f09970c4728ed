/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/lower.c
 * From a graph to steps of the CPU backend: a layout for every value, one fused step for every chain, cheap values
 * computed again where the backward pass wants them.
 *
 * Convolutions, their norms and pools read and write the blocked layout; values change layout only where a consumer
 * cannot read the one that the producer made (rvl__cpu_value).
 */
#include "engine/cpu/lower.h"
#include <omp.h>
#include <string.h>
#include "engine/convert.h"

rvl_status rvl__cpu_out_of_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot make the plan: out of memory");
}

void *rvl__cpu_prepared(rvl_cpu_lowering *l, size_t n_bytes)
{
    return rvl_arena_alloc(l->plan->memory, n_bytes);
}

int rvl__cpu_value(rvl_cpu_lowering *l, const rvl_node *n, rvl_layout layout)
{
    const bool to_blocked = layout == RVL_LAYOUT_BLOCKED;
    int       *have = to_blocked ? &l->blocked[n->id] : &l->plan->value_of[n->id];
    const int  from = to_blocked ? l->plan->value_of[n->id] : l->blocked[n->id];

    if (*have >= 0)
        return *have;
    rvl_plan_step *s = rvl__plan_step_new(l->plan, n, to_blocked ? "to_blocked" : "to_plain",
                                          to_blocked ? l->isa->to_blocked : l->isa->to_plain);
    *have = rvl__plan_value_new(l->plan, n, layout);
    if (!s || *have < 0 || from < 0)
        return -1;
    s->n_in = s->n_out = 1;
    s->in[0] = from;
    s->out[0] = *have;
    return *have;
}

rvl_status rvl__cpu_step(rvl_plan_step **out, rvl_cpu_lowering *l, const rvl_node *n, const char *kernel,
                         rvl_kernel run, int n_in, const int *in, rvl_layout layout, rvl_error *err)
{
    rvl_plan_step *s = rvl__plan_step_new(l->plan, n, kernel, run);

    *out = s;
    if (!s)
        return rvl__plan_full(err);
    s->n_in = n_in;
    memcpy(s->in, in, (size_t)n_in * sizeof *in);
    s->n_out = n->n_out;
    for (int k = 0; k < n->n_out; k++) {
        const bool like_first = layout == RVL_LAYOUT_BLOCKED && (k == 0 || n->op == RVL_OP_MAX_POOL);
        s->out[k] = rvl__plan_value_new(l->plan, n->out[k], like_first ? RVL_LAYOUT_BLOCKED : RVL_LAYOUT_PLAIN);
        (like_first ? l->blocked : l->plan->value_of)[n->out[k]->id] = s->out[k];
        if (s->out[k] < 0)
            return rvl__plan_full(err);
    }
    for (int k = 0; k < n_in; k++)
        if (in[k] < 0)
            return rvl__plan_full(err);
    return RVL_OK;
}

bool rvl__cpu_is_blocked(const rvl_cpu_lowering *l, const rvl_node *n)
{
    return l->blocked[n->id] >= 0;
}

/** Zero stays zero, so the padding of a blocked value does. */
static bool keeps_zero(const rvl_node *n)
{
    switch (n->attr.unary.kind) {
    case RVL_UNARY_EXP:
    case RVL_UNARY_LOG:
    case RVL_UNARY_SIGMOID:
    case RVL_UNARY_SOFTPLUS:
        return false;
    case RVL_UNARY_CLAMP:
        return n->attr.unary.a <= 0.0 && n->attr.unary.b >= 0.0;
    default:
        return true;
    }
}

static bool has_vector_unary(const rvl_node *n)
{
    const rvl_unary_kind k = n->attr.unary.kind;

    return k != RVL_UNARY_LOG && k != RVL_UNARY_SQRT && k != RVL_UNARY_SOFTPLUS;
}

rvl_status rvl__cpu_lower_plain(rvl_cpu_lowering *l, const rvl_node *n, const char *kernel, rvl_kernel run,
                                int in_place, rvl_error *err)
{
    rvl_plan_step *s;
    rvl_status     st;
    int            in[RVL_KERNEL_MAX_IN];

    for (int k = 0; k < n->n_in; k++)
        in[k] = rvl__cpu_value(l, n->in[k], RVL_LAYOUT_PLAIN);
    st = rvl__cpu_step(&s, l, n, kernel, run, n->n_in, in, RVL_LAYOUT_PLAIN, err);
    if (st)
        return st;
    s->in_place = in_place;
    s->statistics = n->state[0] ? n : NULL;
    return RVL_OK;
}

rvl_status rvl__cpu_lower_ref(rvl_cpu_lowering *l, const rvl_node *n, rvl_error *err)
{
    const rvl_kernel_table *ref = rvl_ref_kernels();
    rvl_status              st = rvl__cpu_lower_plain(l, n, rvl__op_names[n->op], ref->kernels[n->op], -1, err);

    if (!st)
        l->plan->steps[l->plan->n_steps - 1].backend = ref->name;
    return st;
}

rvl_status rvl__cpu_lower_same(rvl_cpu_lowering *l, const rvl_node *n, const char *kernel, rvl_kernel run,
                               bool any_layout, rvl_error *err)
{
    rvl_layout     layout = RVL_LAYOUT_PLAIN;
    rvl_plan_step *s;
    rvl_status     st;
    int            in[2];

    for (int k = 0; k < n->n_in && any_layout; k++)
        if (rvl__cpu_is_blocked(l, n->in[k]))
            layout = RVL_LAYOUT_BLOCKED;
    for (int k = 0; k < n->n_in; k++)
        in[k] = rvl__cpu_value(l, n->in[k], layout);
    st = rvl__cpu_step(&s, l, n, kernel, run, n->n_in, in, layout, err);
    if (st)
        return st;
    s->in_place = n->n_in - 1; /* for a gradient: over dy */
    return RVL_OK;
}

static rvl_cpu_matmul matmul_of(const rvl_cpu_lowering *l, const rvl_node *product, bool has_bias)
{
    const rvl_node       *a = product->in[0], *b = product->in[1];
    const rvl_matmul_attr attr = product->attr.matmul;
    rvl_cpu_matmul        m = {.m = product->shape[product->n_dims - 2],
                               .n = product->shape[product->n_dims - 1],
                               .k = a->shape[a->n_dims - (attr.trans_a ? 2 : 1)],
                               .trans_a = attr.trans_a,
                               .trans_b = attr.trans_b,
                               .has_bias = has_bias,
                               .n_threads = l->n_threads};

    m.batch = product->count / (m.m * m.n);
    m.a_batch = a->n_dims > 2 || m.batch == 1 ? m.m * m.k : 0;
    m.b_batch = b->n_dims > 2 ? m.k * m.n : 0;
    if (!m.trans_a && !m.b_batch && m.a_batch) { /* one product over all rows */
        m.m *= m.batch;
        m.batch = 1;
    }
    return m;
}

/** Panels of B: in a plan that does not train, those of a weight are kept with it; else they are scratch. */
static rvl_status matmul_panels(rvl_cpu_lowering *l, rvl_plan_step *s, rvl_cpu_matmul *m, const rvl_node *b,
                                rvl_error *err)
{
    const int64_t   width = RVL_CPU_PANEL(l->isa->block) * l->isa->block;
    const size_t    n_bytes = (size_t)((m->n + width - 1) / width * width * m->k) * sizeof(float);
    const uint64_t  key[4] = {(uint64_t)(uintptr_t)l->isa->matmul_pack, m->trans_b, 0, 0};
    rvl_param_pack *pack;

    s->scratch_bytes = m->trans_a ? (size_t)(l->n_threads * RVL_CPU_TURNED_FLOATS) * sizeof(float) : 0;
    if (l->plan->graph->has_backward || b->kind != RVL_NODE_WEIGHT || m->b_batch) {
        s->scratch_bytes += (size_t)(m->b_batch ? m->batch : 1) * n_bytes;
        return RVL_OK;
    }
    rvl_status st = rvl__param_pack(&pack, b->param, key, n_bytes, err);
    if (st)
        return st;
    m->packed = pack->data;
    l->plan->packings[l->plan->n_packings++] =
        (rvl_plan_packing){pack, l->isa->matmul_pack, m, l->plan->value_of[b->id]};
    return RVL_OK;
}

static rvl_status lower_matmul(rvl_cpu_lowering *l, const rvl_node *n, const rvl_node *product, rvl_error *err)
{
    const rvl_node *bias = l->fusion[n->id].bias;
    rvl_cpu_matmul *m = rvl__cpu_prepared(l, sizeof *m);
    const int       in[3] = {rvl__cpu_value(l, product->in[0], RVL_LAYOUT_PLAIN),
                             rvl__cpu_value(l, product->in[1], RVL_LAYOUT_PLAIN),
                       bias ? rvl__cpu_value(l, bias, RVL_LAYOUT_PLAIN) : -1};
    rvl_plan_step  *s;
    rvl_status      st;

    if (!m)
        return rvl__cpu_out_of_memory(err);
    *m = matmul_of(l, product, bias != NULL);
    st = rvl__cpu_step(&s, l, n, "matmul", l->isa->matmul, bias ? 3 : 2, in, RVL_LAYOUT_PLAIN, err);
    if (st)
        return st;
    s->prepared = m;
    return matmul_panels(l, s, m, product->in[1], err);
}

static size_t norm_scratch(const rvl_cpu_lowering *l, const rvl_node *x, int64_t n_groups)
{
    const int64_t blocks = (x->shape[1] + l->isa->block - 1) / l->isa->block;
    const int64_t n_pos = x->count / (x->shape[0] * x->shape[1]);
    const size_t  parts = (size_t)(blocks * x->shape[0] * rvl_cpu_pieces(n_pos) * l->isa->block) * 2 * sizeof(double);

    return parts + (size_t)(3 * n_groups * blocks * l->isa->block) * sizeof(float);
}

/** BATCH_NORM or SCALE_SHIFT with what follows it; the statistics belong to the norm's own extra nodes. */
static rvl_status lower_norm(rvl_cpu_lowering *l, const rvl_node *n, const rvl_node *norm, rvl_error *err)
{
    const rvl_cpu_fusion *f = &l->fusion[n->id];
    const bool            is_batch = norm->op == RVL_OP_BATCH_NORM;
    rvl_cpu_norm         *prepared = rvl__cpu_prepared(l, sizeof *prepared);
    rvl_plan_step        *s;
    rvl_status            st;
    int                   in[4], n_in = 3;

    if (!prepared)
        return rvl__cpu_out_of_memory(err);
    *prepared = (rvl_cpu_norm){.has_residual = f->residual != NULL, .relu = f->relu};
    in[0] = rvl__cpu_value(l, norm->in[0], RVL_LAYOUT_BLOCKED);
    in[1] = rvl__cpu_value(l, norm->in[1], RVL_LAYOUT_PLAIN);
    in[2] = rvl__cpu_value(l, norm->in[2], RVL_LAYOUT_PLAIN);
    if (f->residual)
        in[n_in++] = rvl__cpu_value(l, f->residual, RVL_LAYOUT_BLOCKED);
    st = rvl__cpu_step(&s, l, n, is_batch ? "batch_norm" : "scale_shift",
                       is_batch ? l->isa->batch_norm : l->isa->scale_shift, n_in, in, RVL_LAYOUT_BLOCKED, err);
    if (st)
        return st;
    s->prepared = prepared;
    s->attr = norm->attr;
    if (!is_batch)
        return RVL_OK;
    s->statistics = norm;
    s->scratch_bytes = norm_scratch(l, norm->in[0], norm->out[1]->shape[0]);
    s->n_out = 3;
    for (int k = 1; k < 3; k++) {
        if (l->plan->value_of[norm->out[k]->id] < 0)
            l->plan->value_of[norm->out[k]->id] = rvl__plan_value_new(l->plan, norm->out[k], RVL_LAYOUT_PLAIN);
        s->out[k] = l->plan->value_of[norm->out[k]->id];
        if (s->out[k] < 0)
            return rvl__plan_full(err);
    }
    return RVL_OK;
}

static rvl_status lower_norm_bwd(rvl_cpu_lowering *l, const rvl_node *n, rvl_error *err)
{
    const rvl_node *gate = l->fusion[n->id].gate, *dy = gate ? n->in[4]->in[1] : n->in[4];
    rvl_cpu_norm   *prepared = rvl__cpu_prepared(l, sizeof *prepared);
    rvl_plan_step  *s;
    rvl_status      st;
    int             in[6], n_in = 5;

    if (!prepared)
        return rvl__cpu_out_of_memory(err);
    *prepared = (rvl_cpu_norm){.relu = gate != NULL};
    in[0] = rvl__cpu_value(l, n->in[0], RVL_LAYOUT_BLOCKED);
    for (int k = 1; k < 4; k++)
        in[k] = rvl__cpu_value(l, n->in[k], RVL_LAYOUT_PLAIN);
    in[4] = rvl__cpu_value(l, dy, RVL_LAYOUT_BLOCKED);
    if (gate)
        in[n_in++] = rvl__cpu_value(l, gate, RVL_LAYOUT_PLAIN);
    st = rvl__cpu_step(&s, l, n, "batch_norm_bwd", l->isa->batch_norm_bwd, n_in, in, RVL_LAYOUT_BLOCKED, err);
    if (st)
        return st;
    s->prepared = prepared;
    s->in_place = 4;
    s->scratch_bytes = norm_scratch(l, n->in[0], n->in[2]->shape[0]);
    return RVL_OK;
}

/** relu(batch_norm(x)) is computed again where the backward pass reads it, and not kept until then. */
static rvl_status remake(rvl_cpu_lowering *l, const rvl_node *n, rvl_error *err)
{
    const rvl_cpu_fusion *f = &l->fusion[n->id];
    rvl_cpu_norm         *prepared;
    rvl_plan_step        *s;
    int                   in[5];

    if (!f->norm || f->norm->op != RVL_OP_BATCH_NORM || f->residual || !f->relu || l->is_remade[n->id])
        return RVL_OK;
    prepared = rvl__cpu_prepared(l, sizeof *prepared);
    if (!prepared)
        return rvl__cpu_out_of_memory(err);
    *prepared = (rvl_cpu_norm){.relu = true};
    in[0] = rvl__cpu_value(l, f->norm->in[0], RVL_LAYOUT_BLOCKED);
    in[1] = rvl__cpu_value(l, f->norm->in[1], RVL_LAYOUT_PLAIN);
    in[2] = rvl__cpu_value(l, f->norm->in[2], RVL_LAYOUT_PLAIN);
    in[3] = rvl__cpu_value(l, f->norm->out[1], RVL_LAYOUT_PLAIN);
    in[4] = rvl__cpu_value(l, f->norm->out[2], RVL_LAYOUT_PLAIN);
    l->is_remade[n->id] = true;
    rvl_status st =
        rvl__cpu_step(&s, l, n, "batch_norm_again", l->isa->batch_norm_apply, 5, in, RVL_LAYOUT_BLOCKED, err);
    if (st)
        return st;
    s->prepared = prepared;
    s->attr = f->norm->attr;
    return RVL_OK;
}

static rvl_status lower_blocked(rvl_cpu_lowering *l, const rvl_node *n, const char *kernel, rvl_kernel run,
                                rvl_error *err)
{
    rvl_plan_step *s;
    rvl_status     st;
    int            in[2];

    for (int k = 0; k < n->n_in; k++)
        in[k] = rvl__cpu_value(l, n->in[k], RVL_LAYOUT_BLOCKED);
    st = rvl__cpu_step(&s, l, n, kernel, run, n->n_in, in, RVL_LAYOUT_BLOCKED, err);
    return st;
}

static rvl_status lower_unary(rvl_cpu_lowering *l, const rvl_node *n, rvl_error *err)
{
    const bool is_bwd = n->op == RVL_OP_UNARY_BWD;

    if (!has_vector_unary(n))
        return rvl__cpu_lower_ref(l, n, err);
    return rvl__cpu_lower_same(l, n, rvl__op_names[n->op], is_bwd ? l->isa->unary_bwd : l->isa->unary,
                               is_bwd || keeps_zero(n), err);
}

static bool keeps_last_axis(const rvl_node *n)
{
    return n->attr.perm.perm[n->n_dims - 1] == n->n_dims - 1;
}

static rvl_status lower_conv_op(rvl_cpu_lowering *l, const rvl_node *n, rvl_error *err)
{
    rvl_status st = RVL_OK;

    if (!rvl__cpu_conv_is_dense(n) && !rvl__cpu_conv_is_depthwise(n))
        return rvl__cpu_lower_ref(l, n, err);
    if (n->op == RVL_OP_CONV_BWD_WEIGHT)
        st = remake(l, n->in[0], err);
    return st ? st : rvl__cpu_lower_conv(l, n, n, err);
}

/** x * scale + a bias for each row, and their softmax. */
static rvl_status lower_softmax(rvl_cpu_lowering *l, const rvl_node *n, rvl_error *err)
{
    const rvl_cpu_fusion *f = &l->fusion[n->id];
    const rvl_node       *x = f->scores ? f->scores : n->in[0];
    rvl_cpu_scores       *prepared = rvl__cpu_prepared(l, sizeof *prepared);
    rvl_plan_step        *s;
    rvl_status            st;
    const int             in[2] = {rvl__cpu_value(l, x, RVL_LAYOUT_PLAIN),
                       f->bias ? rvl__cpu_value(l, f->bias, RVL_LAYOUT_PLAIN) : -1};

    if (!prepared)
        return rvl__cpu_out_of_memory(err);
    *prepared = (rvl_cpu_scores){.scale = f->scores ? f->scale : 1.0};
    if (f->bias) /* (N, 1, ..., n): as many rows as there are for each of its own */
        prepared->n_rows = n->count / f->bias->count;
    st = rvl__cpu_step(&s, l, n, "softmax", l->isa->softmax, f->bias ? 2 : 1, in, RVL_LAYOUT_PLAIN, err);
    if (st)
        return st;
    s->prepared = prepared;
    s->in_place = 0;
    return RVL_OK;
}

/** Losses, and what runs over the last axis. */
static rvl_status lower_rows(rvl_cpu_lowering *l, const rvl_node *n, rvl_error *err)
{
    const rvl_cpu_isa *isa = l->isa;

    switch (n->op) {
    case RVL_OP_LOG_SOFTMAX:
        return rvl__cpu_lower_plain(l, n, "log_softmax", isa->log_softmax, -1, err);
    case RVL_OP_LOG_SOFTMAX_BWD:
        return rvl__cpu_lower_plain(l, n, "log_softmax_bwd", isa->log_softmax_bwd, 1, err);
    case RVL_OP_L2_NORMALIZE:
        return rvl__cpu_lower_plain(l, n, "l2_normalize", isa->l2_normalize, -1, err);
    case RVL_OP_L2_NORMALIZE_BWD:
        return rvl__cpu_lower_plain(l, n, "l2_normalize_bwd", isa->l2_normalize_bwd, 2, err);
    case RVL_OP_BCE:
        return rvl__cpu_lower_plain(l, n, "bce_with_logits", isa->bce_with_logits, -1, err);
    case RVL_OP_BCE_BWD:
        return rvl__cpu_lower_plain(l, n, "bce_with_logits_bwd", isa->bce_with_logits_bwd, -1, err);
    case RVL_OP_CROSS_ENTROPY:
        return rvl__cpu_lower_plain(l, n, "cross_entropy", isa->cross_entropy, -1, err);
    case RVL_OP_CROSS_ENTROPY_BWD:
        return rvl__cpu_lower_plain(l, n, "cross_entropy_bwd", isa->cross_entropy_bwd, -1, err);
    case RVL_OP_CROSS_ENTROPY_SOFT:
        return rvl__cpu_lower_plain(l, n, "cross_entropy_soft", isa->cross_entropy_soft, -1, err);
    case RVL_OP_CROSS_ENTROPY_SOFT_BWD:
        return rvl__cpu_lower_plain(l, n, "cross_entropy_soft_bwd", isa->cross_entropy_soft_bwd, -1, err);
    case RVL_OP_EMBEDDING:
        return rvl__cpu_lower_plain(l, n, "embedding", isa->embedding, -1, err);
    case RVL_OP_EMBEDDING_BWD:
        return rvl__cpu_lower_plain(l, n, "embedding_bwd", isa->embedding_bwd, -1, err);
    default:
        return rvl__cpu_lower_ref(l, n, err);
    }
}

static rvl_status lower_op(rvl_cpu_lowering *l, const rvl_node *n, rvl_error *err)
{
    const rvl_cpu_isa *isa = l->isa;

    switch (n->op) {
    case RVL_OP_CONV:
    case RVL_OP_CONV_BWD_DATA:
    case RVL_OP_CONV_BWD_WEIGHT:
        return lower_conv_op(l, n, err);
    case RVL_OP_MATMUL:
        return lower_matmul(l, n, n, err);
    case RVL_OP_BATCH_NORM:
    case RVL_OP_SCALE_SHIFT:
        return n->n_dims > 2 ? lower_norm(l, n, n, err) : rvl__cpu_lower_ref(l, n, err);
    case RVL_OP_BATCH_NORM_BWD:
        return n->n_dims > 2 ? lower_norm_bwd(l, n, err) : rvl__cpu_lower_ref(l, n, err);
    case RVL_OP_MAX_POOL:
        return lower_blocked(l, n, "max_pool", isa->max_pool, err);
    case RVL_OP_MAX_POOL_BWD:
        return lower_blocked(l, n, "max_pool_bwd", isa->max_pool_bwd, err);
    case RVL_OP_AVG_POOL:
        return lower_blocked(l, n, "avg_pool", isa->avg_pool, err);
    case RVL_OP_AVG_POOL_BWD:
        return lower_blocked(l, n, "avg_pool_bwd", isa->avg_pool_bwd, err);
    case RVL_OP_UNARY:
    case RVL_OP_UNARY_BWD:
        return lower_unary(l, n, err);
    case RVL_OP_AFFINE:
        return rvl__cpu_lower_same(l, n, "affine", isa->affine, n->attr.affine.b == 0.0, err);
    case RVL_OP_ADD:
    case RVL_OP_SUB:
    case RVL_OP_MUL:
    case RVL_OP_DIV:
        return rvl__cpu_lower_binary(l, n, err);
    case RVL_OP_SUM:
    case RVL_OP_SUM_TO:
        return rvl__cpu_lower_sum(l, n, err);
    case RVL_OP_BROADCAST:
        return rvl__cpu_lower_broadcast(l, n, err);
    case RVL_OP_SOFTMAX:
        return lower_softmax(l, n, err);
    case RVL_OP_SOFTMAX_BWD:
        return rvl__cpu_lower_plain(l, n, "softmax_bwd", isa->softmax_bwd, 1, err);
    case RVL_OP_LAYER_NORM:
        return rvl__cpu_lower_plain(l, n, "layer_norm", isa->layer_norm, -1, err);
    case RVL_OP_LAYER_NORM_BWD:
        return rvl__cpu_lower_plain(l, n, "layer_norm_bwd", isa->layer_norm_bwd, 4, err);
    case RVL_OP_DROPOUT:
        return rvl__cpu_lower_plain(l, n, "dropout", isa->dropout, 0, err);
    case RVL_OP_TRANSPOSE:
        return keeps_last_axis(n) ? rvl__cpu_lower_plain(l, n, "transpose", isa->transpose, -1, err)
                                  : rvl__cpu_lower_ref(l, n, err);
    default:
        return lower_rows(l, n, err);
    }
}

/** The step of a chain's last node. */
static rvl_status lower_fused(rvl_cpu_lowering *l, const rvl_node *n, rvl_error *err)
{
    const rvl_cpu_fusion *f = &l->fusion[n->id];

    if (f->product && f->product->op == RVL_OP_MATMUL)
        return lower_matmul(l, n, f->product, err);
    if (f->product)
        return rvl__cpu_lower_conv(l, n, f->product, err);
    return f->norm ? lower_norm(l, n, f->norm, err) : lower_op(l, n, err);
}

/** The output of a GELU or its like is computed again for the backward pass: its input is kept for the gradient anyway.
 */
static rvl_status remake_unary(rvl_cpu_lowering *l, const rvl_node *reader, const rvl_node *n, rvl_error *err)
{
    const rvl_graph *g = l->plan->graph;

    if (!g->has_backward || reader->id < g->n_forward || n->id >= g->n_forward || l->plan->opts.keep_all ||
        l->is_remade[n->id] || n->kind != RVL_NODE_OP || n->op != RVL_OP_UNARY || rvl__cpu_is_relu(n) ||
        !has_vector_unary(n) || rvl__cpu_is_blocked(l, n))
        return RVL_OK;
    rvl_plan_step *s;
    const int      in = rvl__cpu_value(l, n->in[0], RVL_LAYOUT_PLAIN);
    l->is_remade[n->id] = true;
    return rvl__cpu_step(&s, l, n, "unary_again", l->isa->unary, 1, &in, RVL_LAYOUT_PLAIN, err);
}

static rvl_status lower_node(rvl_cpu_lowering *l, const rvl_node *n, rvl_error *err)
{
    if (n->kind != RVL_NODE_OP)
        return rvl__plan_source(l->plan, n, err);
    if (n->op != RVL_OP_RESHAPE)
        return lower_fused(l, n, err);
    rvl_status st = remake_unary(l, n, n->in[0], err);
    if (st)
        return st;
    const int from = rvl__cpu_value(l, n->in[0], RVL_LAYOUT_PLAIN);
    l->plan->value_of[n->id] = from < 0 ? -1 : rvl__plan_value_alias(l->plan, n, from);
    return l->plan->value_of[n->id] < 0 ? rvl__plan_full(err) : RVL_OK;
}

static void count_uses(rvl_cpu_lowering *l)
{
    const rvl_graph *g = l->plan->graph;

    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; l->plan->needed[i] && k < g->nodes[i]->n_in; k++)
            l->n_uses[g->nodes[i]->in[k]->id]++;
    for (const rvl_graph_output *o = g->outputs; o; o = o->next)
        l->n_uses[o->node->id]++;
}

rvl_status rvl__cpu_lower(rvl_plan *plan, rvl_error *err)
{
    const rvl_graph *g = plan->graph;
    const size_t     n = (size_t)g->n_nodes + 1;
    rvl_cpu_lowering l = {.plan = plan, .isa = rvl__cpu_isa(), .n_threads = omp_get_max_threads()};
    rvl_status       st = RVL_OK;

    l.fusion = rvl__cpu_prepared(&l, n * sizeof *l.fusion);
    l.absorbed = rvl__cpu_prepared(&l, n * sizeof *l.absorbed);
    l.is_remade = rvl__cpu_prepared(&l, n * sizeof *l.is_remade);
    l.n_uses = rvl__cpu_prepared(&l, n * sizeof *l.n_uses);
    l.blocked = rvl__cpu_prepared(&l, n * sizeof *l.blocked);
    if (!l.fusion || !l.absorbed || !l.is_remade || !l.n_uses || !l.blocked)
        return rvl__cpu_out_of_memory(err);
    for (size_t i = 0; i < n; i++)
        l.blocked[i] = -1;
    count_uses(&l);
    rvl__cpu_fuse(&l);
    for (int i = 0; i < g->n_nodes && !st; i++)
        if (plan->needed[i] && !l.absorbed[i] && g->nodes[i]->kind != RVL_NODE_EXTRA)
            st = lower_node(&l, g->nodes[i], err);
    rvl__cpu_choices_save();
    for (const rvl_graph_output *o = g->outputs; o && !st; o = o->next)
        if (rvl__cpu_value(&l, o->node, RVL_LAYOUT_PLAIN) < 0)
            st = rvl__plan_full(err);
    return st;
}
