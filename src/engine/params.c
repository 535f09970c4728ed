/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/params.c
 * Named weights in order of first appearance. A weight that no file gave starts from a random stream of its own
 * name, so its values do not depend on what else the model has.
 */
#include "rvl/params.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "engine/convert.h"
#include "engine/store.h"
#include <string.h>

struct rvl_param {
    char           *name;
    uint64_t        hash;
    rvl_tensor     *tensor;
    bool            is_made, is_used, trainable;
    int             group;
    uint64_t        version;
    rvl_param_pack *packs;
};

struct rvl_params {
    uint64_t    seed;
    rvl_param **items; /* each allocated alone: addresses are stable */
    int         n_items, capacity;
};

rvl_status rvl_params_new(rvl_params **out, uint64_t seed, rvl_error *err)
{
    *out = rvl_alloc_array(1, sizeof **out);
    if (!*out)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot make params: out of memory");
    (*out)->seed = seed;
    return RVL_OK;
}

static void param_free(rvl_param *p)
{
    if (!p)
        return;
    while (p->packs) {
        rvl_param_pack *next = p->packs->next;
        rvl_free(p->packs->data);
        rvl_free(p->packs);
        p->packs = next;
    }
    rvl_tensor_free(p->tensor);
    rvl_free(p->name);
    rvl_free(p);
}

void rvl_params_free(rvl_params *params)
{
    if (!params)
        return;
    for (int i = 0; i < params->n_items; i++)
        param_free(params->items[i]);
    rvl_free(params->items);
    rvl_free(params);
}

/** Moves `tensor` in, also on failure. */
static rvl_status params_add(rvl_param **out, rvl_params *params, const char *name, rvl_tensor *tensor, rvl_error *err)
{
    rvl_param *p = NULL;

    *out = NULL;
    if (params->n_items == params->capacity) {
        int   capacity = params->capacity ? 2 * params->capacity : 64;
        void *items = rvl_realloc_array(params->items, (size_t)capacity, sizeof *params->items);
        if (!items)
            goto done;
        params->items = items;
        params->capacity = capacity;
    }
    p = rvl_alloc_array(1, sizeof *p);
    if (!p)
        goto done;
    p->name = rvl_strdup(name);
    if (!p->name) {
        rvl_free(p);
        p = NULL;
        goto done;
    }
    p->hash = rvl_rng_name(name);
    p->tensor = tensor;
    p->trainable = true;
    p->version = 1;
    params->items[params->n_items++] = p;
    *out = p;
done:
    if (p)
        return RVL_OK;
    rvl_tensor_free(tensor);
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot add weight '%s': out of memory", name);
}

rvl_status rvl_params_give(rvl_params *params, const char *name, rvl_tensor *tensor, rvl_error *err)
{
    rvl_param *p;

    if (rvl_params_find(params, name)) {
        rvl_tensor_free(tensor);
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot add weight '%s': the name is taken", name);
    }
    return params_add(&p, params, name, tensor, err);
}

int rvl_params_count(const rvl_params *params)
{
    return params->n_items;
}

rvl_param *rvl_params_at(rvl_params *params, int i)
{
    return params->items[i];
}

rvl_param *rvl_params_find(rvl_params *params, const char *name)
{
    uint64_t hash = rvl_rng_name(name);

    for (int i = 0; i < params->n_items; i++)
        if (params->items[i]->hash == hash && strcmp(params->items[i]->name, name) == 0)
            return params->items[i];
    return NULL;
}

static void tensor_start(rvl_tensor *t, rvl_init init, uint64_t seed, uint64_t stream)
{
    rvl_rng   r = rvl_rng_make(seed, stream);
    rvl_dtype dtype = rvl_tensor_dtype(t);
    void     *data = rvl_tensor_data(t);
    int64_t   n = rvl_tensor_count(t);

    for (int64_t i = 0; i < n; i++) {
        double v = 0.0;
        switch (init.kind) {
        case RVL_INIT_ZEROS:
            break;
        case RVL_INIT_ONES:
            v = 1.0;
            break;
        case RVL_INIT_CONSTANT:
            v = init.a;
            break;
        case RVL_INIT_NORMAL:
            v = init.a * rvl_rng_normal(&r);
            break;
        case RVL_INIT_UNIFORM:
            v = init.a * (2.0 * rvl_rng_uniform(&r) - 1.0);
            break;
        }
        rvl__element_set(data, dtype, i, v);
    }
}

rvl_status rvl__params_get(rvl_param **out, rvl_params *params, const char *name, rvl_dtype dtype, int n_dims,
                           const int64_t *shape, rvl_init init, rvl_error *err)
{
    rvl_param *p = rvl_params_find(params, name);
    rvl_status st;

    *out = NULL;
    if (!p) {
        rvl_tensor *t;
        st = rvl_tensor_new(&t, dtype, n_dims, shape, err);
        if (st)
            return st;
        tensor_start(t, init, params->seed, rvl_rng_name(name));
        st = params_add(&p, params, name, t, err);
        if (st)
            return st;
        p->is_made = true;
    }
    const rvl_tensor *t = p->tensor;
    if (!rvl__shape_equal(n_dims, shape, rvl_tensor_n_dims(t), rvl_tensor_shape(t))) {
        char have[RVL_SHAPE_TEXT_BYTES], need[RVL_SHAPE_TEXT_BYTES];
        return rvl_fail(err, RVL_ERR_SHAPE, "weight '%s' has shape %s, the model needs %s", name,
                        rvl__shape_text(have, rvl_tensor_n_dims(t), rvl_tensor_shape(t)),
                        rvl__shape_text(need, n_dims, shape));
    }
    if (!rvl__dtype_is_float(rvl_tensor_dtype(t)))
        return rvl_fail(err, RVL_ERR_SHAPE, "weight '%s' has dtype %s, the model needs floats", name,
                        rvl_dtype_text(rvl_tensor_dtype(t)));
    p->is_used = true;
    *out = p;
    return RVL_OK;
}

const char *rvl_param_name(const rvl_param *p)
{
    return p->name;
}

rvl_tensor *rvl_param_tensor(rvl_param *p)
{
    return p->tensor;
}

bool rvl_param_is_made(const rvl_param *p)
{
    return p->is_made;
}

bool rvl_param_is_used(const rvl_param *p)
{
    return p->is_used;
}

bool rvl_param_trainable(const rvl_param *p)
{
    return p->trainable;
}

void rvl_param_set_trainable(rvl_param *p, bool trainable)
{
    p->trainable = trainable;
}

int rvl_param_group(const rvl_param *p)
{
    return p->group;
}

void rvl_param_set_group(rvl_param *p, int group)
{
    p->group = group;
}

void rvl_param_touch(rvl_param *p)
{
    p->version++;
}

uint64_t rvl_param_version(const rvl_param *p)
{
    return p->version;
}

rvl_status rvl__param_pack(rvl_param_pack **out, rvl_param *p, const uint64_t key[4], size_t n_bytes, rvl_error *err)
{
    rvl_param_pack *pack = p->packs;

    while (pack && (memcmp(pack->key, key, sizeof pack->key) != 0 || pack->n_bytes != n_bytes))
        pack = pack->next;
    if (!pack) {
        pack = rvl_alloc_array(1, sizeof *pack);
        void *data = rvl_alloc_aligned(n_bytes);
        if (!pack || !data) {
            rvl_free(pack);
            rvl_free(data);
            return rvl_fail(err, RVL_ERR_NOMEM, "cannot pack weight '%s': out of memory", p->name);
        }
        memcpy(pack->key, key, sizeof pack->key);
        pack->n_bytes = n_bytes;
        pack->data = data;
        pack->next = p->packs;
        p->packs = pack;
    }
    *out = pack;
    return RVL_OK;
}
