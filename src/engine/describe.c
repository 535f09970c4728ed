/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/describe.c
 * A plan as JSON, schema "rvl.plan/1".
 */
#include "base/json.h"
#include "engine/plan.h"

static json_t *shape_json(const rvl_node *n)
{
    json_t *a = json_array();

    for (int i = 0; i < n->n_dims; i++)
        json_array_append_new(a, json_integer(n->shape[i]));
    return a;
}

static json_t *node_json(const rvl_plan *plan, const rvl_plan_step *s)
{
    const rvl_node        *n = s->node;
    const rvl_plan_value  *v = &plan->values[s->out[0]];
    const rvl_plan_buffer *b = &plan->buffers[v->buffer];

    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:I, s:I, s:s, s:s, s:f}", "node", n->name, "op",
                     n->kind == RVL_NODE_OP ? rvl__op_names[n->op] : "source", "shape", shape_json(v->node), "dtype",
                     rvl_dtype_text(n->dtype), "layout", v->layout == RVL_LAYOUT_PLAIN ? "plain" : "blocked", "bytes",
                     (json_int_t)b->n_bytes, "offset", (json_int_t)b->offset, "backend", s->backend, "kernel",
                     s->kernel, "seconds", s->seconds);
}

rvl_status rvl_plan_describe(char **out, const rvl_plan *plan, rvl_error *err)
{
    const rvl_plan_stats *s = &plan->stats;
    json_t               *nodes = json_array();
    json_t               *root;
    rvl_status            st;

    *out = NULL;
    for (int t = 0; t < plan->n_steps; t++)
        json_array_append_new(nodes, node_json(plan, &plan->steps[t]));
    root = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "schema", "rvl.plan/1", "backend",
                     plan->table->name, "runs", (json_int_t)plan->n_runs, "n_nodes", (json_int_t)s->n_nodes,
                     "weight_bytes", (json_int_t)s->weight_bytes, "gradient_bytes", (json_int_t)s->gradient_bytes,
                     "activation_bytes", (json_int_t)s->activation_bytes, "arena_bytes", (json_int_t)s->arena_bytes,
                     "unshared_bytes", (json_int_t)s->unshared_bytes, "nodes", nodes);
    if (!root || json_array_size(nodes) != (size_t)plan->n_steps) {
        json_decref(root);
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot describe the plan: out of memory");
    }
    st = rvl_json_format(out, root, 1, err);
    json_decref(root);
    return st;
}

void rvl_text_free(char *text)
{
    rvl_free(text);
}
