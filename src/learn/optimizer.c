/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/optimizer.c
 * AdamW over the weights of one model.
 */
#include "learn/optimizer.h"
#include "base/alloc.h"
#include "base/str.h"
#include "engine/kernels.h"
#include "engine/safetensors.h"
#include <math.h>
#include <string.h>

enum { BLOCK = 16384 }; /* elements that one thread takes at a time; sums are per block, so threads do not show */

typedef struct {
    rvl_param   *param;
    int          group;
    int64_t      count;
    char        *output;      /* "grad:<name>", what plans call its gradient */
    float       *m, *v, *sum; /* one block of memory: m; sum NULL with no_sum */
    const float *given;       /* the gradient in the plan that is being accumulated; NULL: it has none */
    const float *grad;        /* of the step: the sum, or the given one; NULL: zero */
} slot;

typedef struct {
    int     i_slot;
    int64_t first, end; /* elements of the slot */
} block;

struct rvl_adamw {
    rvl_adamw_opts opts;
    slot          *slots;
    int            n_slots;
    block         *blocks;
    int            n_blocks;
    double        *sums; /* (n_blocks) */
    int64_t        n_steps;
};

static bool is_learned(rvl_param *p)
{
    return rvl_param_is_used(p) && rvl_param_trainable(p) && rvl_tensor_dtype(rvl_param_tensor(p)) == RVL_DTYPE_F32;
}

static rvl_status slot_init(slot *s, rvl_param *p, const rvl_adamw_opts *opts, rvl_error *err)
{
    const int n_groups = opts->n_groups;
    rvl_str   output = {0};

    if (rvl_param_group(p) < 0 || rvl_param_group(p) >= n_groups)
        return rvl_fail(err, RVL_ERR_USAGE, "'%s' is of group %d, but the optimizer has %d", rvl_param_name(p),
                        rvl_param_group(p), n_groups);
    rvl_str_addf(&output, "grad:%s", rvl_param_name(p));
    s->param = p;
    s->group = rvl_param_group(p);
    s->count = rvl_tensor_count(rvl_param_tensor(p));
    s->output = rvl_str_take(&output);
    s->m = rvl_alloc_array((size_t)s->count, (opts->no_sum ? 2 : 3) * sizeof(float));
    if (!s->m || !s->output)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the optimizer state of '%s'", rvl_param_name(p));
    s->v = s->m + s->count;
    s->grad = s->sum = opts->no_sum ? NULL : s->v + s->count;
    return RVL_OK;
}

static rvl_status blocks_init(rvl_adamw *o, rvl_error *err)
{
    size_t n = 0;

    for (int i = 0; i < o->n_slots; i++)
        n += (size_t)((o->slots[i].count + BLOCK - 1) / BLOCK);
    o->blocks = rvl_alloc_array(n + 1, sizeof *o->blocks);
    o->sums = rvl_alloc_array(n + 1, sizeof *o->sums);
    if (!o->blocks || !o->sums || n > INT32_MAX)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for an optimizer of %zu blocks", n);
    for (int i = 0; i < o->n_slots; i++)
        for (int64_t first = 0, count = o->slots[i].count; first < count; first += BLOCK)
            o->blocks[o->n_blocks++] = (block){i, first, first + BLOCK < count ? first + BLOCK : count};
    return RVL_OK;
}

rvl_status rvl_adamw_new(rvl_adamw **out, rvl_params *params, rvl_adamw_opts opts, rvl_error *err)
{
    int        n = rvl_params_count(params);
    rvl_adamw *o = rvl_alloc_array(1, sizeof *o);
    rvl_status st = RVL_OK;

    *out = NULL;
    if (opts.n_groups < 1 || opts.n_groups > RVL_ADAMW_MAX_GROUPS)
        st = rvl_fail(err, RVL_ERR_USAGE, "an optimizer has 1 to %d groups, not %d", RVL_ADAMW_MAX_GROUPS,
                      opts.n_groups);
    if (o)
        o->slots = rvl_alloc_array((size_t)n + 1, sizeof *o->slots);
    if (!st && (!o || !o->slots))
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the optimizer of %d weights", n);
    if (!st)
        o->opts = opts;
    for (int i = 0; !st && i < n; i++)
        if (is_learned(rvl_params_at(params, i)))
            st = slot_init(&o->slots[o->n_slots++], rvl_params_at(params, i), &opts, err);
    if (!st && o->n_slots == 0)
        st = rvl_fail(err, RVL_ERR_STATE, "nothing to train: every weight is frozen or unused");
    if (!st)
        st = blocks_init(o, err);
    if (st) {
        rvl_adamw_free(o);
        return st;
    }
    *out = o;
    return RVL_OK;
}

void rvl_adamw_free(rvl_adamw *o)
{
    if (!o)
        return;
    for (int i = 0; i < o->n_slots; i++) {
        rvl_free(o->slots[i].m);
        rvl_free(o->slots[i].output);
    }
    rvl_free(o->slots);
    rvl_free(o->blocks);
    rvl_free(o->sums);
    rvl_free(o);
}

void rvl_adamw_zero_grad(rvl_adamw *o)
{
    for (int i = 0; i < o->n_slots && o->opts.no_sum; i++)
        o->slots[i].grad = NULL;
    if (o->opts.no_sum)
        return;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < o->n_blocks; i++) {
        const block b = o->blocks[i];
        memset(o->slots[b.i_slot].sum + b.first, 0, (size_t)(b.end - b.first) * sizeof(float));
    }
}

void rvl_adamw_accumulate(rvl_adamw *o, const rvl_plan *plan)
{
    for (int i = 0; i < o->n_slots; i++) {
        const rvl_tensor *t = rvl_plan_output(plan, o->slots[i].output);
        o->slots[i].given = t ? rvl_tensor_const_data(t) : NULL;
        if (o->opts.no_sum)
            o->slots[i].grad = o->slots[i].given;
    }
    if (o->opts.no_sum)
        return;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < o->n_blocks; i++) {
        const block  b = o->blocks[i];
        const float *given = o->slots[b.i_slot].given;
        float       *grad = o->slots[b.i_slot].sum;
        if (!given)
            continue;
        for (int64_t j = b.first; j < b.end; j++)
            grad[j] += given[j];
    }
}

double rvl_adamw_grad_norm(const rvl_adamw *o)
{
    double total = 0;

#pragma omp parallel for schedule(static)
    for (int i = 0; i < o->n_blocks; i++) {
        const block  b = o->blocks[i];
        const float *grad = o->slots[b.i_slot].grad;
        double       sum = 0;
        for (int64_t j = b.first; grad && j < b.end; j++)
            sum += (double)grad[j] * grad[j];
        o->sums[i] = sum;
    }
    for (int i = 0; i < o->n_blocks; i++)
        total += o->sums[i];
    return sqrt(total);
}

const char *rvl_adamw_nonfinite(const rvl_adamw *o)
{
    int first = o->n_slots;

#pragma omp parallel for schedule(static) reduction(min : first)
    for (int i = 0; i < o->n_blocks; i++) {
        const block  b = o->blocks[i];
        const float *grad = o->slots[b.i_slot].grad;
        for (int64_t j = b.first; grad && b.i_slot < first && j < b.end; j++)
            if (!isfinite(grad[j]))
                first = b.i_slot;
    }
    return first < o->n_slots ? rvl_param_name(o->slots[first].param) : NULL;
}

/* The factors of a step for one group, worked out in f64. */
static rvl_adamw_factors group_factors(const rvl_adamw *o, const rvl_adamw_group *group, double lr, double grad_scale)
{
    const double b1 = o->opts.beta1;
    const double b2 = o->opts.beta2;
    const double rate = lr * group->lr_scale;

    return (rvl_adamw_factors){.keep_m = (float)b1,
                               .add_m = (float)(1 - b1),
                               .keep_v = (float)b2,
                               .add_v = (float)(1 - b2),
                               .scale = (float)grad_scale,
                               .step = (float)(rate / (1 - pow(b1, (double)o->n_steps))),
                               .root = (float)(1 / sqrt(1 - pow(b2, (double)o->n_steps))),
                               .eps = (float)o->opts.eps,
                               .decay = (float)(rate * group->weight_decay)};
}

static void block_step(float *w, slot *s, const block *b, const rvl_adamw_factors *f)
{
    static const float zeros[BLOCK];

    rvl_cpu_adamw(w + b->first, s->m + b->first, s->v + b->first, s->grad ? s->grad + b->first : zeros,
                  b->end - b->first, f);
}

void rvl_adamw_step(rvl_adamw *o, double lr, double grad_scale)
{
    rvl_adamw_factors by_group[RVL_ADAMW_MAX_GROUPS];

    o->n_steps++;
    for (int i = 0; i < o->opts.n_groups; i++)
        by_group[i] = group_factors(o, &o->opts.groups[i], lr, grad_scale);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < o->n_blocks; i++) {
        slot             *s = &o->slots[o->blocks[i].i_slot];
        rvl_tensor       *t = rvl_param_tensor(s->param);
        rvl_adamw_factors f = by_group[s->group];
        if (rvl_tensor_n_dims(t) < 2)
            f.decay = 0;
        block_step(rvl_tensor_data(t), s, &o->blocks[i], &f);
    }
    for (int i = 0; i < o->n_slots; i++)
        rvl_param_touch(o->slots[i].param);
}

int rvl_adamw_n_groups(const rvl_adamw *o)
{
    return o->opts.n_groups;
}

const rvl_adamw_group *rvl_adamw_used_group(const rvl_adamw *o, int i)
{
    for (int k = 0; k < o->n_slots; k++)
        if (o->slots[k].group == i)
            return &o->opts.groups[i];
    return NULL;
}

size_t rvl_adamw_bytes(const rvl_adamw *o)
{
    size_t n = 0;
    for (int i = 0; i < o->n_slots; i++)
        n += (size_t)o->slots[i].count * (o->opts.no_sum ? 2 : 3) * sizeof(float);
    return n;
}

static void free_tensors(rvl_tensor **t, char **names, int n)
{
    for (int i = 0; i < n; i++) {
        if (t)
            rvl_tensor_free(t[i]);
        if (names)
            rvl_free(names[i]);
    }
    rvl_free(t);
    rvl_free(names);
}

static char *moment_name(const char *prefix, const rvl_param *p)
{
    rvl_str s = {0};
    rvl_str_addf(&s, "%s.%s", prefix, rvl_param_name(p));
    return rvl_str_take(&s);
}

rvl_status rvl_adamw_save(const rvl_adamw *o, const char *path, rvl_error *err)
{
    int          n = 2 * o->n_slots;
    rvl_tensor **t = rvl_alloc_array((size_t)n, sizeof *t);
    char       **names = rvl_alloc_array((size_t)n, sizeof *names);
    rvl_str      steps = {0};
    json_t      *meta = json_object();
    rvl_status   st = RVL_OK;

    rvl_str_addf(&steps, "%lld", (long long)o->n_steps);
    if (!t || !names || !meta || steps.failed)
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory to save the optimizer");
    for (int i = 0; !st && i < n; i++) {
        slot         *s = &o->slots[i / 2];
        const int64_t shape[1] = {s->count};
        names[i] = moment_name(i % 2 ? "v" : "m", s->param);
        st = names[i] ? rvl_tensor_borrow(&t[i], RVL_DTYPE_F32, 1, shape, i % 2 ? s->v : s->m, err)
                      : rvl_fail(err, RVL_ERR_NOMEM, "out of memory to save the optimizer");
    }
    if (!st && (json_object_set_new(meta, "rvl.format", json_string("rvl.optimizer/1")) ||
                json_object_set_new(meta, "steps", json_string(steps.ptr))))
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory to save the optimizer");
    if (!st)
        st = rvl_safetensors_save(path, n, (const char *const *)names, (const rvl_tensor *const *)t, meta, err);
    free_tensors(t, names, t && names ? n : 0);
    rvl_str_free(&steps);
    json_decref(meta);
    return st;
}

static rvl_status load_moment(float *out, const slot *s, const char *prefix, const rvl_safetensors *f, rvl_error *err)
{
    char             *name = moment_name(prefix, s->param);
    const rvl_tensor *t = name ? rvl_safetensors_find(f, name) : NULL;
    rvl_status        st = RVL_OK;

    if (!t || rvl_tensor_dtype(t) != RVL_DTYPE_F32 || rvl_tensor_count(t) != s->count)
        st = rvl_fail(err, RVL_ERR_FORMAT, "the optimizer file has no fitting '%s': it belongs to another model",
                      name ? name : "?");
    else
        memcpy(out, rvl_tensor_const_data(t), (size_t)s->count * sizeof(float));
    rvl_free(name);
    return st;
}

rvl_status rvl_adamw_load(rvl_adamw *o, const char *path, rvl_error *err)
{
    rvl_safetensors *f = NULL;
    rvl_status       st = rvl_safetensors_open(&f, path, err);

    if (st)
        return st;
    const char *steps = rvl_safetensors_metadata(f, "steps");
    if (!steps || !rvl_parse_i64(steps, &o->n_steps) || rvl_safetensors_count(f) != 2 * o->n_slots)
        st = rvl_fail(err, RVL_ERR_FORMAT, "'%s' is no optimizer file of this model", path);
    for (int i = 0; !st && i < o->n_slots; i++) {
        st = load_moment(o->slots[i].m, &o->slots[i], "m", f, err);
        if (!st)
            st = load_moment(o->slots[i].v, &o->slots[i], "v", f, err);
    }
    rvl_safetensors_close(f);
    return st;
}
