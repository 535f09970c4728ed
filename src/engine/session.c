/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/session.c
 * Sessions: the plans of one model over one set of weights and state; the sixteen used last are kept.
 */
#include "engine/plan.h"
#include <string.h>

#define MAX_PLANS 16

typedef struct {
    rvl_plan_key key;
    rvl_graph   *graph;
    rvl_plan    *plan;
    uint64_t     last_use; /* 0: empty */
} session_slot;

struct rvl_session {
    rvl_params   *params;
    rvl_state    *state;
    rvl_build_fn  build;
    void         *context;
    rvl_plan_opts opts;
    session_slot  slots[MAX_PLANS];
    uint64_t      n_uses;
};

rvl_status rvl_session_new(rvl_session **out, rvl_params *params, rvl_state *state, rvl_build_fn build, void *context,
                           rvl_plan_opts opts, rvl_error *err)
{
    rvl_session *s = rvl_alloc_array(1, sizeof *s);

    *out = s;
    if (!s)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot make a session: out of memory");
    s->params = params;
    s->state = state;
    s->build = build;
    s->context = context;
    s->opts = opts;
    return RVL_OK;
}

static void slot_clear(session_slot *slot)
{
    rvl_plan_free(slot->plan);
    rvl_graph_free(slot->graph);
    *slot = (session_slot){.last_use = 0};
}

void rvl_session_free(rvl_session *s)
{
    if (!s)
        return;
    for (int i = 0; i < MAX_PLANS; i++)
        slot_clear(&s->slots[i]);
    rvl_free(s);
}

rvl_status rvl_session_plan(rvl_plan **out, rvl_session *s, const rvl_plan_key *key, rvl_error *err)
{
    session_slot *slot = &s->slots[0];
    rvl_status    st;

    *out = NULL;
    for (int i = 0; i < MAX_PLANS; i++) {
        session_slot *c = &s->slots[i];
        if (c->last_use && memcmp(&c->key, key, sizeof *key) == 0) {
            c->last_use = ++s->n_uses;
            *out = c->plan;
            return RVL_OK;
        }
        if (c->last_use < slot->last_use)
            slot = c;
    }
    slot_clear(slot);
    st = rvl_graph_new(&slot->graph, s->params, s->state, RVL_DTYPE_F32, err);
    if (!st)
        st = s->build(slot->graph, key, s->context, err);
    if (!st)
        st = rvl_plan_new(&slot->plan, slot->graph, s->opts, err);
    if (st) {
        slot_clear(slot);
        return st;
    }
    slot->key = *key;
    slot->last_use = ++s->n_uses;
    *out = slot->plan;
    return RVL_OK;
}
