/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/graph.c
 * Graphs: scopes, names, the sticky error, source nodes (input, weight, state, fill) and outputs.
 */
#include "engine/node.h"
#include "base/rng.h"
#include "engine/convert.h"
#include <stdio.h>
#include <string.h>

#define MAX_ELEMENTS ((int64_t)1 << 40)

const char *const rvl__op_names[RVL_OP_COUNT] = {
#define X(NAME, name, n_in, n_out, attr) #name,
#include "engine/ops.def"
#undef X
};

rvl_status rvl_graph_new(rvl_graph **out, rvl_params *params, rvl_state *state, rvl_dtype dtype, rvl_error *err)
{
    *out = NULL;
    if (dtype != RVL_DTYPE_F32 && dtype != RVL_DTYPE_F64)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "cannot make a graph of %s: only f32 and f64 compute",
                        rvl_dtype_text(dtype));
    rvl_graph *g = rvl_alloc_array(1, sizeof *g);
    if (g) {
        g->arena = rvl_arena_new();
        g->scope = rvl_strdup("");
    }
    if (!g || !g->arena || !g->scope) {
        rvl_graph_free(g);
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot make a graph: out of memory");
    }
    g->params = params;
    g->state = state;
    g->dtype = dtype;
    g->outputs_end = &g->outputs;
    g->broken = (rvl_node){.graph = g, .kind = RVL_NODE_BROKEN, .id = -1, .name = "", .dtype = dtype, .count = 1};
    g->broken.n_dims = RVL_MAX_DIMS; /* any axis can be asked for */
    for (int i = 0; i < RVL_MAX_DIMS; i++)
        g->broken.shape[i] = 1;
    *out = g;
    return RVL_OK;
}

void rvl_graph_free(rvl_graph *g)
{
    if (!g)
        return;
    rvl_arena_free(g->arena);
    rvl_free(g->nodes);
    rvl_free(g->scope);
    rvl_free(g);
}

rvl_node *rvl__graph_fail(rvl_graph *g, rvl_status status, const char *format, ...)
{
    char    text[RVL_ERROR_TEXT_BYTES];
    va_list args;

    if (g->error.code)
        return &g->broken;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)rvl_fail(&g->error, status, "%s", text);
    if (g->source)
        rvl_error_prefix(&g->error, "gradient of %s", g->source->name);
    else if (g->scope[0])
        rvl_error_prefix(&g->error, "%s", g->scope);
    return &g->broken;
}

static void *graph_alloc(rvl_graph *g, size_t n_bytes)
{
    void *p = rvl_arena_alloc(g->arena, n_bytes);

    if (!p)
        rvl__graph_fail(g, RVL_ERR_NOMEM, "cannot grow the graph: out of memory");
    return p;
}

rvl_status rvl_graph_check(const rvl_graph *g, rvl_error *err)
{
    return g->error.code ? rvl_fail(err, g->error.code, "%s", g->error.text) : RVL_OK;
}

void rvl_graph_scope(rvl_graph *g, const char *name)
{
    size_t n = strlen(g->scope), m = strlen(name);

    if (g->error.code)
        return;
    if (m == 0 || g->n_scopes == RVL_GRAPH_MAX_SCOPES) {
        rvl__graph_fail(g, RVL_ERR_USAGE, "cannot open scope '%s': %s", name,
                        m ? "too many are open" : "it needs a name");
        return;
    }
    char *scope = rvl_realloc_array(g->scope, n + m + 2, 1);
    if (!scope) {
        rvl__graph_fail(g, RVL_ERR_NOMEM, "cannot open scope '%s': out of memory", name);
        return;
    }
    g->scope = scope;
    g->scope_starts[g->n_scopes++] = n;
    if (n)
        scope[n++] = '.';
    memcpy(scope + n, name, m + 1);
}

void rvl_graph_scope_end(rvl_graph *g)
{
    if (g->error.code)
        return;
    if (g->n_scopes == 0) {
        rvl__graph_fail(g, RVL_ERR_USAGE, "a scope ends that was not opened");
        return;
    }
    g->scope[g->scope_starts[--g->n_scopes]] = 0;
}

/** a + separator + b in the graph's arena; the separator is left out if `a` is empty. NULL: out of memory, told. */
static char *text_join(rvl_graph *g, const char *a, const char *separator, const char *b)
{
    size_t n_bytes = strlen(a) + strlen(separator) + strlen(b) + 1;
    char  *text = graph_alloc(g, n_bytes);

    if (text)
        snprintf(text, n_bytes, "%s%s%s", a, a[0] ? separator : "", b);
    return text;
}

const char *rvl__graph_key(rvl_graph *g, const char *name)
{
    return text_join(g, g->scope, ".", name);
}

static rvl_node *node_find(const rvl_graph *g, const char *name)
{
    uint64_t hash = rvl_rng_name(name);

    for (rvl_node *n = g->buckets[hash % RVL_GRAPH_BUCKETS]; n; n = n->next_same_bucket)
        if (n->name_hash == hash && strcmp(n->name, name) == 0)
            return n;
    return NULL;
}

/** "scope.label", made unique by ":1", ":2", ...; a gradient node is named after its source: "layer1.relu/unary_bwd".
 */
static const char *op_name(rvl_graph *g, const char *label)
{
    char *base = g->source ? text_join(g, g->source->name, "/", label) : text_join(g, g->scope, ".", label);
    char *name = base;

    for (int i = 1; name && node_find(g, name); i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        name = text_join(g, base, ":", number);
    }
    return name;
}

/** A node with its shape checked and stored; the name moves in. NULL: the graph failed. */
static rvl_node *node_new(rvl_graph *g, rvl_node_kind kind, const char *name, rvl_dtype dtype, int n_dims,
                          const int64_t *shape)
{
    char text[RVL_SHAPE_TEXT_BYTES];

    if (g->error.code || !name)
        return NULL;
    if (g->is_planned) {
        rvl__graph_fail(g, RVL_ERR_STATE, "cannot add '%s': the graph was planned and may not grow", name);
        return NULL;
    }
    if (n_dims < 1 || n_dims > RVL_MAX_DIMS) {
        rvl__graph_fail(g, RVL_ERR_SHAPE, "'%s' has %d axes: 1 to %d are possible", name, n_dims, RVL_MAX_DIMS);
        return NULL;
    }
    int64_t count = 1;
    for (int i = 0; i < n_dims; i++) {
        if (shape[i] < 1 || shape[i] > MAX_ELEMENTS || count > MAX_ELEMENTS / shape[i]) {
            rvl__graph_fail(g, RVL_ERR_SHAPE, "'%s' has shape %s: extents must be positive, at most 2^40 elements",
                            name, rvl__shape_text(text, n_dims, shape));
            return NULL;
        }
        count *= shape[i];
    }
    if (g->n_nodes == g->capacity) {
        int   capacity = g->capacity ? 2 * g->capacity : 256;
        void *nodes = rvl_realloc_array(g->nodes, (size_t)capacity, sizeof *g->nodes);
        if (!nodes) {
            rvl__graph_fail(g, RVL_ERR_NOMEM, "cannot grow the graph: out of memory");
            return NULL;
        }
        g->nodes = nodes;
        g->capacity = capacity;
    }
    rvl_node *n = graph_alloc(g, sizeof *n);
    if (!n)
        return NULL;
    *n = (rvl_node){.graph = g, .kind = kind, .id = g->n_nodes, .name = name, .dtype = dtype, .n_dims = n_dims};
    memcpy(n->shape, shape, (size_t)n_dims * sizeof *shape);
    n->count = count;
    n->n_out = 1;
    n->out[0] = n;
    n->owner = n;
    n->name_hash = rvl_rng_name(name);
    n->next_same_bucket = g->buckets[n->name_hash % RVL_GRAPH_BUCKETS];
    g->buckets[n->name_hash % RVL_GRAPH_BUCKETS] = n;
    g->nodes[g->n_nodes++] = n;
    return n;
}

bool rvl__node_is_float(const rvl_node *n)
{
    return n->dtype == n->graph->dtype;
}

/** The one input of `op` that is I32, or -1; -2: any dtype that the graph knows. */
static int integer_input(rvl_op op)
{
    switch (op) {
    case RVL_OP_EMBEDDING:
    case RVL_OP_MAX_POOL_BWD:
    case RVL_OP_CROSS_ENTROPY:
    case RVL_OP_CROSS_ENTROPY_BWD:
        return 1;
    case RVL_OP_EMBEDDING_BWD:
        return 0;
    case RVL_OP_RESHAPE:
        return -2;
    default:
        return -1;
    }
}

rvl_node *rvl__node_op(rvl_graph *g, rvl_op op, const char *label, rvl_op_attr attr, int n_in, rvl_node *const *in,
                       int n_dims, const int64_t *shape)
{
    int i_integer = integer_input(op);

    if (g->error.code)
        return &g->broken;
    for (int i = 0; i < n_in; i++) {
        if (in[i]->graph != g)
            return rvl__graph_fail(g, RVL_ERR_USAGE, "%s: an input belongs to another graph", label);
        rvl_dtype want = i == i_integer ? RVL_DTYPE_I32 : g->dtype;
        if (i_integer != -2 && in[i]->dtype != want)
            return rvl__graph_fail(g, RVL_ERR_SHAPE, "%s: input %d ('%s') is %s, must be %s", label, i, in[i]->name,
                                   rvl_dtype_text(in[i]->dtype), rvl_dtype_text(want));
    }
    rvl_node *n = node_new(g, RVL_NODE_OP, op_name(g, label), i_integer == -2 ? in[0]->dtype : g->dtype, n_dims, shape);
    if (!n)
        return &g->broken;
    n->op = op;
    n->attr = attr;
    n->in = graph_alloc(g, (size_t)n_in * sizeof *in);
    if (!n->in)
        return &g->broken;
    memcpy(n->in, in, (size_t)n_in * sizeof *in);
    n->n_in = n_in;
    return n;
}

rvl_node *rvl__node_extra(rvl_node *owner, rvl_dtype dtype, int n_dims, const int64_t *shape)
{
    rvl_graph *g = owner->graph;
    char       number[16];

    if (g->error.code)
        return &g->broken;
    snprintf(number, sizeof number, "%d", owner->n_out);
    rvl_node *n = node_new(g, RVL_NODE_EXTRA, text_join(g, owner->name, "#", number), dtype, n_dims, shape);
    if (!n)
        return &g->broken;
    n->owner = owner;
    n->i_out = owner->n_out;
    owner->out[owner->n_out++] = n;
    return n;
}

rvl_node *rvl_input(rvl_graph *g, const char *name, rvl_dtype dtype, int n_dims, const int64_t *shape)
{
    if (g->error.code)
        return &g->broken;
    if (node_find(g, name))
        return rvl__graph_fail(g, RVL_ERR_USAGE, "input '%s': the name is taken", name);
    if (dtype != g->dtype && dtype != RVL_DTYPE_I32)
        return rvl__graph_fail(g, RVL_ERR_SHAPE, "input '%s' is %s: this graph takes %s and i32", name,
                               rvl_dtype_text(dtype), rvl_dtype_text(g->dtype));
    rvl_node *n = node_new(g, RVL_NODE_INPUT, text_join(g, "", "", name), dtype, n_dims, shape);
    return n ? n : &g->broken;
}

/** The node of this key if the graph has it: every use of a weight is one node, so its gradient is one sum. */
static rvl_node *keyed_node(rvl_graph *g, rvl_node_kind kind, const char *key, int n_dims, const int64_t *shape)
{
    rvl_node *n = node_find(g, key);

    if (!n)
        return NULL;
    if (n->kind != kind)
        return rvl__graph_fail(g, RVL_ERR_USAGE, "'%s' names two different things", key);
    if (!rvl__shape_equal(n->n_dims, n->shape, n_dims, shape))
        return rvl__graph_fail(g, RVL_ERR_SHAPE, "'%s' is used with two shapes", key);
    return n;
}

rvl_node *rvl_weight(rvl_graph *g, const char *name, int n_dims, const int64_t *shape, rvl_init init)
{
    rvl_error   err = {0};
    rvl_param  *param;
    const char *key = g->error.code ? NULL : rvl__graph_key(g, name);

    if (!key)
        return &g->broken;
    rvl_node *n = keyed_node(g, RVL_NODE_WEIGHT, key, n_dims, shape);
    if (n)
        return n;
    n = node_new(g, RVL_NODE_WEIGHT, key, g->dtype, n_dims, shape);
    if (!n)
        return &g->broken;
    if (!g->params)
        return rvl__graph_fail(g, RVL_ERR_USAGE, "weight '%s': the graph has no params", key);
    if (rvl__params_get(&param, g->params, key, g->dtype, n_dims, shape, init, &err))
        return rvl__graph_fail(g, err.code, "%s", err.text);
    n->param = param;
    return n;
}

rvl_node *rvl_state_read(rvl_graph *g, const char *name, int n_dims, const int64_t *shape, double start)
{
    rvl_error   err = {0};
    const char *key = g->error.code ? NULL : rvl__graph_key(g, name);

    if (!key)
        return &g->broken;
    rvl_node *n = keyed_node(g, RVL_NODE_STATE, key, n_dims, shape);
    if (n)
        return n;
    n = node_new(g, RVL_NODE_STATE, key, g->dtype, n_dims, shape);
    if (!n)
        return &g->broken;
    if (!g->state)
        return rvl__graph_fail(g, RVL_ERR_USAGE, "state '%s': the graph has no state", key);
    if (rvl__state_get(&n->state[0], g->state, key, g->dtype, n_dims, shape, start, &err))
        return rvl__graph_fail(g, err.code, "%s", err.text);
    return n;
}

rvl_node *rvl_fill(rvl_graph *g, int n_dims, const int64_t *shape, double value)
{
    if (g->error.code)
        return &g->broken;
    rvl_node *n = node_new(g, RVL_NODE_FILL, op_name(g, "fill"), g->dtype, n_dims, shape);
    if (!n)
        return &g->broken;
    n->value = value;
    return n;
}

void rvl_output(rvl_graph *g, const char *name, rvl_node *node)
{
    if (g->error.code)
        return;
    if (g->is_planned) {
        rvl__graph_fail(g, RVL_ERR_STATE, "output '%s': the graph was planned and may not grow", name);
        return;
    }
    if (node->graph != g) {
        rvl__graph_fail(g, RVL_ERR_USAGE, "output '%s' belongs to another graph", name);
        return;
    }
    for (rvl_graph_output *o = g->outputs; o; o = o->next)
        if (strcmp(o->name, name) == 0) {
            rvl__graph_fail(g, RVL_ERR_USAGE, "output '%s' is declared twice", name);
            return;
        }
    rvl_graph_output *o = graph_alloc(g, sizeof *o);
    char             *copy = text_join(g, "", "", name);
    if (!o || !copy)
        return;
    *o = (rvl_graph_output){.name = copy, .node = node};
    *g->outputs_end = o;
    g->outputs_end = &o->next;
}

int rvl_graph_output_weight_grads(rvl_graph *g)
{
    int n_grads = 0;

    for (int i = 0; i < g->n_nodes && !g->error.code; i++) {
        rvl_node *w = g->nodes[i];
        if (w->kind != RVL_NODE_WEIGHT || !w->grad || !rvl_param_trainable(w->param))
            continue;
        const char *name = text_join(g, "grad:", "", w->name);
        if (!name)
            break;
        rvl_output(g, name, w->grad);
        n_grads++;
    }
    return n_grads;
}

int rvl_node_n_dims(const rvl_node *node)
{
    return node->n_dims;
}

const int64_t *rvl_node_shape(const rvl_node *node)
{
    return node->shape;
}

int64_t rvl_node_extent(const rvl_node *node, int axis)
{
    int i = axis < 0 ? axis + node->n_dims : axis;

    if (i >= 0 && i < node->n_dims)
        return node->shape[i];
    rvl__graph_fail(node->graph, RVL_ERR_SHAPE, "'%s' has %d axes, axis %d was asked for", node->name, node->n_dims,
                    axis);
    return 1;
}

rvl_graph *rvl_node_graph(const rvl_node *node)
{
    return node->graph;
}
