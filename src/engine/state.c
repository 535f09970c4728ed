/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/state.c
 * State: committed values and a shadow that training plans write. The shadow becomes real at commit.
 */
#include "base/alloc.h"
#include "base/rng.h"
#include "engine/convert.h"
#include "engine/store.h"
#include <string.h>

struct rvl_state_entry {
    char       *name;
    uint64_t    hash;
    rvl_tensor *committed, *shadow;
    bool        is_made, is_used;
    bool        has_shadow; /* something was written since the last commit or discard */
};

struct rvl_state {
    rvl_state_entry **items;
    int               n_items, capacity;
};

rvl_status rvl_state_new(rvl_state **out, rvl_error *err)
{
    *out = rvl_alloc_array(1, sizeof **out);
    return *out ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot make state: out of memory");
}

static void entry_free(rvl_state_entry *e)
{
    if (!e)
        return;
    rvl_tensor_free(e->committed);
    rvl_tensor_free(e->shadow);
    rvl_free(e->name);
    rvl_free(e);
}

void rvl_state_free(rvl_state *state)
{
    if (!state)
        return;
    for (int i = 0; i < state->n_items; i++)
        entry_free(state->items[i]);
    rvl_free(state->items);
    rvl_free(state);
}

static rvl_state_entry *state_find(const rvl_state *state, const char *name)
{
    uint64_t hash = rvl_rng_name(name);

    for (int i = 0; i < state->n_items; i++)
        if (state->items[i]->hash == hash && strcmp(state->items[i]->name, name) == 0)
            return state->items[i];
    return NULL;
}

/** Moves `tensor` in, also on failure. */
static rvl_status state_add(rvl_state_entry **out, rvl_state *state, const char *name, rvl_tensor *tensor,
                            rvl_error *err)
{
    rvl_state_entry *e = rvl_alloc_array(1, sizeof *e);
    rvl_status       st = RVL_ERR_NOMEM;

    *out = NULL;
    if (!e) {
        rvl_tensor_free(tensor);
        return rvl_fail(err, st, "cannot add state '%s': out of memory", name);
    }
    e->committed = tensor;
    e->hash = rvl_rng_name(name);
    e->name = rvl_strdup(name);
    if (!e->name || rvl_tensor_convert(&e->shadow, tensor, rvl_tensor_dtype(tensor), NULL))
        goto done;
    if (state->n_items == state->capacity) {
        int   capacity = state->capacity ? 2 * state->capacity : 64;
        void *items = rvl_realloc_array(state->items, (size_t)capacity, sizeof *state->items);
        if (!items)
            goto done;
        state->items = items;
        state->capacity = capacity;
    }
    state->items[state->n_items++] = e;
    *out = e;
    st = RVL_OK;
done:
    if (st) {
        entry_free(e);
        return rvl_fail(err, st, "cannot add state '%s': out of memory", name);
    }
    return st;
}

rvl_status rvl_state_give(rvl_state *state, const char *name, rvl_tensor *tensor, rvl_error *err)
{
    rvl_state_entry *e;

    if (state_find(state, name)) {
        rvl_tensor_free(tensor);
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot add state '%s': the name is taken", name);
    }
    return state_add(&e, state, name, tensor, err);
}

rvl_status rvl__state_get(rvl_state_entry **out, rvl_state *state, const char *name, rvl_dtype dtype, int n_dims,
                          const int64_t *shape, double start, rvl_error *err)
{
    rvl_state_entry *e = state_find(state, name);

    *out = NULL;
    if (!e) {
        rvl_tensor *t;
        rvl_status  st = rvl_tensor_new(&t, dtype, n_dims, shape, err);
        if (st)
            return st;
        for (int64_t i = 0; i < rvl_tensor_count(t); i++)
            rvl__element_set(rvl_tensor_data(t), dtype, i, start);
        st = state_add(&e, state, name, t, err);
        if (st)
            return st;
        e->is_made = true;
    }
    const rvl_tensor *t = e->committed;
    if (!rvl__shape_equal(n_dims, shape, rvl_tensor_n_dims(t), rvl_tensor_shape(t))) {
        char have[RVL_SHAPE_TEXT_BYTES], need[RVL_SHAPE_TEXT_BYTES];
        return rvl_fail(err, RVL_ERR_SHAPE, "state '%s' has shape %s, the model needs %s", name,
                        rvl__shape_text(have, rvl_tensor_n_dims(t), rvl_tensor_shape(t)),
                        rvl__shape_text(need, n_dims, shape));
    }
    if (!rvl__dtype_is_float(rvl_tensor_dtype(t)))
        return rvl_fail(err, RVL_ERR_SHAPE, "state '%s' has dtype %s, the model needs floats", name,
                        rvl_dtype_text(rvl_tensor_dtype(t)));
    e->is_used = true;
    *out = e;
    return RVL_OK;
}

rvl_tensor *rvl__state_committed(rvl_state_entry *e)
{
    return e->committed;
}

static void tensor_copy(rvl_tensor *to, const rvl_tensor *from)
{
    memcpy(rvl_tensor_data(to), rvl_tensor_const_data(from), rvl_tensor_bytes(from));
}

rvl_tensor *rvl__state_shadow(rvl_state_entry *e)
{
    if (!e->has_shadow)
        tensor_copy(e->shadow, e->committed);
    e->has_shadow = true;
    return e->shadow;
}

int rvl_state_count(const rvl_state *state)
{
    return state->n_items;
}

const char *rvl_state_name(const rvl_state *state, int i)
{
    return state->items[i]->name;
}

rvl_tensor *rvl_state_tensor(rvl_state *state, int i)
{
    return state->items[i]->committed;
}

bool rvl_state_is_made(const rvl_state *state, int i)
{
    return state->items[i]->is_made;
}

bool rvl_state_is_used(const rvl_state *state, int i)
{
    return state->items[i]->is_used;
}

void rvl_state_commit(rvl_state *state)
{
    for (int i = 0; i < state->n_items; i++) {
        rvl_state_entry *e = state->items[i];
        if (e->has_shadow)
            tensor_copy(e->committed, e->shadow);
        e->has_shadow = false;
    }
}

void rvl_state_discard(rvl_state *state)
{
    for (int i = 0; i < state->n_items; i++)
        state->items[i]->has_shadow = false;
}
