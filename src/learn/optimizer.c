/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/optimizer.c
 * AdamW over the weights of one model.
 */
#include "learn/optimizer.h"
#include "base/alloc.h"
#include "base/str.h"
#include "engine/safetensors.h"
#include <math.h>
#include <string.h>

typedef struct {
    rvl_param *param;
    int64_t    count;
    float     *m, *v, *grad; /* one block: m */
} slot;

struct rvl_adamw {
    rvl_adamw_opts opts;
    slot          *slots;
    int            n_slots;
    int64_t        n_steps;
};

static bool is_learned(rvl_param *p)
{
    return rvl_param_is_used(p) && rvl_param_trainable(p) && rvl_tensor_dtype(rvl_param_tensor(p)) == RVL_DTYPE_F32;
}

rvl_status rvl_adamw_new(rvl_adamw **out, rvl_params *params, rvl_adamw_opts opts, rvl_error *err)
{
    int        n = rvl_params_count(params);
    rvl_adamw *o = rvl_alloc_array(1, sizeof *o);

    *out = NULL;
    if (o)
        o->slots = rvl_alloc_array((size_t)n + 1, sizeof *o->slots);
    if (!o || !o->slots) {
        rvl_adamw_free(o);
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the optimizer of %d weights", n);
    }
    o->opts = opts;
    for (int i = 0; i < n; i++) {
        rvl_param *p = rvl_params_at(params, i);
        if (!is_learned(p))
            continue;
        slot *s = &o->slots[o->n_slots++];
        s->param = p;
        s->count = rvl_tensor_count(rvl_param_tensor(p));
        s->m = rvl_alloc_array((size_t)s->count, 3 * sizeof(float));
        if (!s->m) {
            rvl_adamw_free(o);
            return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the optimizer state of '%s'", rvl_param_name(p));
        }
        s->v = s->m + s->count;
        s->grad = s->v + s->count;
    }
    if (o->n_slots == 0) {
        rvl_adamw_free(o);
        return rvl_fail(err, RVL_ERR_STATE, "nothing to train: every weight is frozen or unused");
    }
    *out = o;
    return RVL_OK;
}

void rvl_adamw_free(rvl_adamw *o)
{
    if (!o)
        return;
    for (int i = 0; i < o->n_slots; i++)
        rvl_free(o->slots[i].m);
    rvl_free(o->slots);
    rvl_free(o);
}

void rvl_adamw_zero_grad(rvl_adamw *o)
{
    for (int i = 0; i < o->n_slots; i++)
        memset(o->slots[i].grad, 0, (size_t)o->slots[i].count * sizeof(float));
}

void rvl_adamw_accumulate(rvl_adamw *o, const rvl_plan *plan)
{
    char name[512];
    for (int i = 0; i < o->n_slots; i++) {
        slot   *s = &o->slots[i];
        rvl_str key = {0};
        rvl_str_addf(&key, "grad:%s", rvl_param_name(s->param));
        size_t n = key.n_bytes < sizeof name - 1 ? key.n_bytes : sizeof name - 1;
        memcpy(name, key.ptr ? key.ptr : "", n);
        name[n] = '\0';
        rvl_str_free(&key);
        const rvl_tensor *t = rvl_plan_output(plan, name);
        if (!t)
            continue;
        const float *g = rvl_tensor_const_data(t);
        for (int64_t j = 0; j < s->count; j++)
            s->grad[j] += g[j];
    }
}

double rvl_adamw_grad_norm(const rvl_adamw *o)
{
    double sum = 0;
    for (int i = 0; i < o->n_slots; i++) {
        const slot *s = &o->slots[i];
        for (int64_t j = 0; j < s->count; j++)
            sum += (double)s->grad[j] * s->grad[j];
    }
    return sqrt(sum);
}

const char *rvl_adamw_nonfinite(const rvl_adamw *o)
{
    for (int i = 0; i < o->n_slots; i++)
        for (int64_t j = 0; j < o->slots[i].count; j++)
            if (!isfinite(o->slots[i].grad[j]))
                return rvl_param_name(o->slots[i].param);
    return NULL;
}

void rvl_adamw_step(rvl_adamw *o, double lr, double grad_scale)
{
    const double b1 = o->opts.beta1;
    const double b2 = o->opts.beta2;

    o->n_steps++;
    const double correct1 = 1 - pow(b1, (double)o->n_steps);
    const double correct2 = 1 - pow(b2, (double)o->n_steps);
    for (int i = 0; i < o->n_slots; i++) {
        slot         *s = &o->slots[i];
        rvl_tensor   *t = rvl_param_tensor(s->param);
        float        *w = rvl_tensor_data(t);
        const double  keep = rvl_tensor_n_dims(t) >= 2 ? 1 - lr * o->opts.weight_decay : 1;
        const int64_t count = s->count;
#pragma omp parallel for schedule(static) if (count > 16384)
        for (int64_t j = 0; j < count; j++) {
            double g = s->grad[j] * grad_scale;
            double m = b1 * s->m[j] + (1 - b1) * g;
            double v = b2 * s->v[j] + (1 - b2) * g * g;
            s->m[j] = (float)m;
            s->v[j] = (float)v;
            w[j] = (float)(w[j] * keep - lr * (m / correct1) / (sqrt(v / correct2) + o->opts.eps));
        }
        rvl_param_touch(s->param);
    }
}

size_t rvl_adamw_bytes(const rvl_adamw *o)
{
    size_t n = 0;
    for (int i = 0; i < o->n_slots; i++)
        n += (size_t)o->slots[i].count * 3 * sizeof(float);
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
