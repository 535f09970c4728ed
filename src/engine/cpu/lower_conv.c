/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/cpu/lower_conv.c
 * Convolutions as products: the geometry of the forward sum, of the gradient of the input (one product per phase of the
 * stride: input places of one phase meet the same taps), and the packed weights that they read.
 */
#include "engine/conv_geometry.h"
#include "engine/cpu/lower.h"

/** Channels up to which a source is read plain: a block would be mostly zeros. */
#define MAX_PLAIN_CHANNELS 4

static int64_t product3(const int64_t v[3])
{
    return v[0] * v[1] * v[2];
}

static void copy3(int64_t to[3], const int64_t from[3])
{
    for (int i = 0; i < 3; i++)
        to[i] = from[i];
}

/** Sizes that follow from the rest; packed weights begin at `offset`. */
static void finish_product(rvl_cpu_product *p, int64_t block, int64_t offset)
{
    p->n_grid = product3(p->grid);
    p->n_src = product3(p->src);
    p->n_dst = product3(p->dst);
    p->src_blocks = (p->n_src_channels + block - 1) / block;
    p->dst_blocks = (p->n_dst_channels + block - 1) / block;
    p->n_segments = p->is_plain ? (p->n_src_channels * p->n_taps + block - 1) / block : p->n_taps * p->src_blocks;
    p->w_offset = offset;
    p->is_in_place = p->n_taps == 1 && !p->is_plain && p->n_grid == p->n_src;
    for (int i = 0; i < 3 && p->is_in_place; i++)
        p->is_in_place = p->step[i] == 1 && p->shift[0][i] == 0 && p->grid[i] == p->src[i];
}

static int64_t packed_floats(const rvl_cpu_product *p, int64_t block)
{
    return p->n_segments * block * p->dst_blocks * block;
}

static bool forward_product(rvl_cpu_lowering *l, rvl_cpu_product *p, const rvl_conv_geometry *g)
{
    const int64_t n_taps = product3(g->kernel);
    int64_t(*shift)[3] = rvl__cpu_prepared(l, (size_t)n_taps * sizeof *shift);
    int64_t *tap = rvl__cpu_prepared(l, (size_t)n_taps * sizeof *tap);

    if (!shift || !tap)
        return false;
    for (int64_t t = 0; t < n_taps; t++) {
        const int64_t at[3] = {t / (g->kernel[1] * g->kernel[2]), t / g->kernel[2] % g->kernel[1], t % g->kernel[2]};
        tap[t] = t;
        for (int i = 0; i < 3; i++)
            shift[t][i] = at[i] * g->dilation[i] - g->pad[i];
    }
    *p = (rvl_cpu_product){.n = g->n,
                           .n_taps = n_taps,
                           .shift = (const int64_t(*)[3])shift,
                           .tap = tap,
                           .dst_step = {1, 1, 1},
                           .n_src_channels = g->c,
                           .n_dst_channels = g->o,
                           .is_plain = g->c <= MAX_PLAIN_CHANNELS,
                           .n_threads = l->n_threads};
    copy3(p->grid, g->out);
    copy3(p->dst, g->out);
    copy3(p->src, g->in);
    copy3(p->step, g->stride);
    finish_product(p, l->isa->block, 0);
    return true;
}

/** Taps of one axis that meet input places phase + i * stride, with the output index that they read, relative to i. */
static int64_t phase_taps(int64_t *tap, int64_t *shift, const rvl_conv_geometry *g, int axis, int64_t phase)
{
    const int64_t s = g->stride[axis];
    int64_t       n = 0;

    for (int64_t t = 0; t < g->kernel[axis]; t++) {
        const int64_t at = phase + g->pad[axis] - t * g->dilation[axis];
        if ((at % s + s) % s == 0) {
            tap[n] = t;
            shift[n++] = at >= 0 ? at / s : -((-at) / s);
        }
    }
    return n;
}

/** The gradient at the places phase + i * stride of the input. */
static bool phase_product(rvl_cpu_lowering *l, rvl_cpu_product *p, const rvl_conv_geometry *g, const int64_t phase[3])
{
    int64_t  n[3], all = 0;
    int64_t *at[3], *by[3];

    for (int i = 0; i < 3; i++) {
        at[i] = rvl__cpu_prepared(l, (size_t)g->kernel[i] * sizeof **at);
        by[i] = rvl__cpu_prepared(l, (size_t)g->kernel[i] * sizeof **by);
        if (!at[i] || !by[i])
            return false;
        n[i] = phase_taps(at[i], by[i], g, i, phase[i]);
    }
    int64_t(*shift)[3] = rvl__cpu_prepared(l, (size_t)(product3(n) + 1) * sizeof *shift);
    int64_t *tap = rvl__cpu_prepared(l, (size_t)(product3(n) + 1) * sizeof *tap);
    if (!shift || !tap)
        return false;
    for (int64_t a = 0; a < n[0]; a++)
        for (int64_t b = 0; b < n[1]; b++)
            for (int64_t c = 0; c < n[2]; c++) {
                const int64_t where[3] = {by[0][a], by[1][b], by[2][c]};
                tap[all] = (at[0][a] * g->kernel[1] + at[1][b]) * g->kernel[2] + at[2][c];
                copy3(shift[all++], where);
            }
    *p = (rvl_cpu_product){.n = g->n,
                           .n_taps = all,
                           .shift = (const int64_t(*)[3])shift,
                           .tap = tap,
                           .step = {1, 1, 1},
                           .n_src_channels = g->o,
                           .n_dst_channels = g->c,
                           .is_turned = true,
                           .n_threads = l->n_threads};
    for (int i = 0; i < 3; i++)
        p->grid[i] = (g->in[i] - phase[i] + g->stride[i] - 1) / g->stride[i];
    copy3(p->src, g->out);
    copy3(p->dst, g->in);
    copy3(p->dst_step, g->stride);
    copy3(p->dst_first, phase);
    return true;
}

static bool backward_products(rvl_cpu_lowering *l, rvl_cpu_conv *conv, rvl_cpu_product *p, const rvl_conv_geometry *g)
{
    int64_t phase[3];

    for (phase[0] = 0; phase[0] < g->stride[0]; phase[0]++)
        for (phase[1] = 0; phase[1] < g->stride[1]; phase[1]++)
            for (phase[2] = 0; phase[2] < g->stride[2]; phase[2]++) {
                rvl_cpu_product *j = &p[conv->n_products];
                if (phase[0] >= g->in[0] || phase[1] >= g->in[1] || phase[2] >= g->in[2])
                    continue;
                if (!phase_product(l, j, g, phase))
                    return false;
                finish_product(j, l->isa->block, conv->n_packed);
                conv->n_packed += packed_floats(j, l->isa->block);
                conv->n_products++;
            }
    return true;
}

static rvl_status out_of_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot make the plan: out of memory");
}

/** The prepared kernel of a convolution or of one of its gradients. */
static rvl_status prepare(rvl_cpu_conv **out, rvl_cpu_lowering *l, const rvl_node *n, const rvl_conv_geometry *g,
                          const rvl_node *w, rvl_error *err)
{
    const bool       is_turned = n->op == RVL_OP_CONV_BWD_DATA;
    rvl_cpu_conv    *conv = rvl__cpu_prepared(l, sizeof *conv);
    rvl_cpu_product *p = rvl__cpu_prepared(l, (size_t)(is_turned ? product3(g->stride) : 1) * sizeof *p);

    *out = conv;
    if (!conv || !p)
        return out_of_memory(err);
    *conv = (rvl_cpu_conv){.products = p, .n_kernel = product3(g->kernel), .w_rows = g->o, .w_columns = w->shape[1]};
    if (is_turned) {
        if (!backward_products(l, conv, p, g))
            return out_of_memory(err);
    } else {
        if (!forward_product(l, p, g))
            return out_of_memory(err);
        conv->n_products = 1;
        conv->n_packed = packed_floats(p, l->isa->block);
    }
    return RVL_OK;
}

/** Weights in the kernel's order: with the parameter, or else in the step's scratch. `conv` is the kernel's own. */
static rvl_status pack_weight(rvl_cpu_lowering *l, rvl_cpu_conv *conv, rvl_plan_step *s, const rvl_node *w,
                              rvl_pack_fn pack_fn, rvl_error *err)
{
    rvl_plan              *plan = l->plan;
    rvl_param_pack        *pack;
    const rvl_cpu_product *p = conv->products;
    uint64_t               key[4] = {(uint64_t)(uintptr_t)pack_fn,
                       p->is_turned  ? 2
                                     : p->is_plain ? 1
                                                   : 0,
                                     (uint64_t)conv->n_products, 0};
    rvl_status             st;

    for (int i = 0; i < conv->n_products && conv->n_products > 1; i++)
        for (int64_t t = 0; t < p[i].n_taps; t++) /* which phase has which taps depends on stride and padding */
            key[3] = (key[3] ^ (uint64_t)(p[i].tap[t] + 1)) * 1099511628211u;
    if (conv->has_scale)
        s->scratch_bytes += (size_t)(2 * p->dst_blocks * l->isa->block) * sizeof(float);
    if (w->kind != RVL_NODE_WEIGHT) {
        s->scratch_bytes += (size_t)conv->n_packed * sizeof(float);
        return RVL_OK;
    }
    st = rvl__param_pack(&pack, w->param, key, (size_t)conv->n_packed * sizeof(float) + 64, err);
    if (st)
        return st;
    conv->packed = pack->data;
    plan->packings[plan->n_packings++] = (rvl_plan_packing){pack, pack_fn, conv, plan->value_of[w->id]};
    return RVL_OK;
}

static rvl_status lower_depthwise(rvl_cpu_lowering *l, const rvl_node *n, const rvl_node *conv, rvl_error *err)
{
    rvl_plan_step *s;
    int            in[2];

    if (conv->op == RVL_OP_CONV_BWD_DATA) {
        in[0] = rvl__cpu_value(l, conv->in[1], RVL_LAYOUT_BLOCKED);
        in[1] = rvl__cpu_value(l, conv->in[0], RVL_LAYOUT_PLAIN);
        return rvl__cpu_step(&s, l, n, "depthwise_bwd_data", l->isa->depthwise_bwd_data, 2, in, RVL_LAYOUT_BLOCKED,
                             err);
    }
    in[0] = rvl__cpu_value(l, conv->in[0], RVL_LAYOUT_BLOCKED);
    if (conv->op == RVL_OP_CONV) {
        in[1] = rvl__cpu_value(l, conv->in[1], RVL_LAYOUT_PLAIN);
        return rvl__cpu_step(&s, l, n, "depthwise", l->isa->depthwise, 2, in, RVL_LAYOUT_BLOCKED, err);
    }
    in[1] = rvl__cpu_value(l, conv->in[1], RVL_LAYOUT_BLOCKED);
    return rvl__cpu_step(&s, l, n, "depthwise_bwd_weight", l->isa->depthwise_bwd_weight, 2, in, RVL_LAYOUT_PLAIN, err);
}

static rvl_status lower_weight_gradient(rvl_cpu_lowering *l, const rvl_node *n, const rvl_conv_geometry *g,
                                        rvl_cpu_conv *conv, rvl_error *err)
{
    const rvl_cpu_winograd *w = rvl__cpu_choose_winograd(l, conv, g->kernel, true);
    const rvl_layout        layout = conv->products->is_plain ? RVL_LAYOUT_PLAIN : RVL_LAYOUT_BLOCKED;
    const int      in[2] = {rvl__cpu_value(l, n->in[0], layout), rvl__cpu_value(l, n->in[1], RVL_LAYOUT_BLOCKED)};
    rvl_plan_step *s;
    rvl_status st = rvl__cpu_step(&s, l, n, "conv_bwd_weight", l->isa->conv_bwd_weight, 2, in, RVL_LAYOUT_PLAIN, err);

    if (st)
        return st;
    if (w) {
        s->kernel = "winograd_bwd_weight";
        s->run = l->isa->winograd_bwd_weight;
        s->prepared = w;
        s->scratch_bytes = (size_t)rvl__cpu_winograd_weight_scratch(w, l->isa->block) * sizeof(float);
        return RVL_OK;
    }
    s->prepared = conv;
    s->scratch_bytes = (size_t)(conv->n_packed + l->n_threads * RVL_CPU_PANEL_FLOATS) * sizeof(float);
    return RVL_OK;
}

rvl_status rvl__cpu_lower_conv(rvl_cpu_lowering *l, const rvl_node *n, const rvl_node *node, rvl_error *err)
{
    const rvl_cpu_fusion *f = &l->fusion[n->id];
    const bool            is_data = node->op == RVL_OP_CONV_BWD_DATA, is_weight = node->op == RVL_OP_CONV_BWD_WEIGHT;
    const rvl_node       *x = is_data ? node : node->in[0];
    const rvl_node       *w = is_weight ? node : node->in[is_data ? 0 : 1];
    const rvl_node       *y = is_data || is_weight ? node->in[1] : node;
    rvl_conv_geometry     g;
    rvl_cpu_conv         *conv;
    rvl_plan_step        *s;
    rvl_status            st;
    int                   in[5], n_in = 0;

    if (!rvl__cpu_conv_is_dense(node))
        return lower_depthwise(l, n, node, err);
    g = rvl_conv_geometry_of(x->n_dims, x->shape, w->shape, y->shape, &node->attr.conv);
    st = prepare(&conv, l, node, &g, w, err);
    if (st)
        return st;
    if (is_weight)
        return lower_weight_gradient(l, n, &g, conv, err);
    conv->relu = f->relu;
    conv->has_residual = f->residual != NULL;
    conv->has_scale = f->norm != NULL;
    in[n_in++] = rvl__cpu_value(l, is_data ? y : x, conv->products->is_plain ? RVL_LAYOUT_PLAIN : RVL_LAYOUT_BLOCKED);
    in[n_in++] = rvl__cpu_value(l, w, RVL_LAYOUT_PLAIN);
    if (f->norm) {
        in[n_in++] = rvl__cpu_value(l, f->norm->in[1], RVL_LAYOUT_PLAIN);
        in[n_in++] = rvl__cpu_value(l, f->norm->in[2], RVL_LAYOUT_PLAIN);
    }
    if (f->residual)
        in[n_in++] = rvl__cpu_value(l, f->residual, RVL_LAYOUT_BLOCKED);
    st = rvl__cpu_step(&s, l, n, is_data ? "conv_bwd_data" : "conv", l->isa->conv, n_in, in, RVL_LAYOUT_BLOCKED, err);
    if (st)
        return st;
    rvl_cpu_winograd *wino = rvl__cpu_choose_winograd(l, conv, g.kernel, false);
    if (wino) {
        s->kernel = is_data ? "winograd_bwd_data" : "winograd";
        s->run = l->isa->winograd;
        s->prepared = wino;
        s->scratch_bytes = (size_t)rvl__cpu_winograd_scratch(wino, l->isa->block) * sizeof(float);
        return pack_weight(l, &wino->conv, s, w, l->isa->winograd_pack, err);
    }
    s->prepared = conv;
    s->scratch_bytes = (size_t)(l->n_threads * RVL_CPU_PANEL_FLOATS) * sizeof(float);
    return pack_weight(l, conv, s, w, l->isa->conv_pack, err);
}
