/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/node.h
 * Graphs from inside: nodes, and how builders, gradient rules and plans make and read them.
 *
 * Every value is a node. An op with several outputs is its first node; each further output is an EXTRA node that
 * points back. Nodes are numbered in order of creation, which is an order of execution.
 */
#ifndef RVL_ENGINE_NODE_H
#define RVL_ENGINE_NODE_H
#include "base/alloc.h"
#include "engine/kernels.h"
#include "engine/store.h"
#include "rvl/graph.h"

typedef enum {
    RVL_NODE_INPUT,
    RVL_NODE_WEIGHT,
    RVL_NODE_STATE,
    RVL_NODE_FILL,
    RVL_NODE_OP,
    RVL_NODE_EXTRA, /* output i_out of the op `owner` */
    RVL_NODE_BROKEN /* what builders return once the graph has failed */
} rvl_node_kind;

struct rvl_node {
    rvl_graph    *graph;
    rvl_node_kind kind;
    int           id;
    const char   *name; /* scoped, unique; an input's plain name; a weight's key */
    uint64_t      name_hash;
    rvl_dtype     dtype;
    int           n_dims;
    int64_t       shape[RVL_MAX_DIMS];
    int64_t       count;

    rvl_op           op;
    rvl_op_attr      attr;
    int              n_in, n_out;
    rvl_node       **in;
    rvl_node        *out[RVL_KERNEL_MAX_OUT]; /* out[0] is the node itself */
    rvl_node        *owner;
    int              i_out;
    rvl_param       *param;
    rvl_state_entry *state[2]; /* STATE: [0]; training BatchNorm: mean, variance */
    double           value;    /* FILL */

    bool      needs_grad; /* valid while gradients are made */
    rvl_node *grad;
    rvl_node *next_same_bucket;
};

#define RVL_GRAPH_BUCKETS 1024
#define RVL_GRAPH_MAX_SCOPES 64

typedef struct rvl_graph_output {
    const char              *name;
    rvl_node                *node;
    struct rvl_graph_output *next;
} rvl_graph_output;

struct rvl_graph {
    rvl_arena        *arena;
    rvl_params       *params;
    rvl_state        *state;
    rvl_dtype         dtype;
    rvl_node        **nodes;
    int               n_nodes, capacity;
    rvl_node         *buckets[RVL_GRAPH_BUCKETS];         /* by name_hash; newest first */
    char             *scope;                              /* "layer1.0", "" outside every scope */
    size_t            scope_starts[RVL_GRAPH_MAX_SCOPES]; /* length of the text before each open scope */
    int               n_scopes;
    const rvl_node   *source; /* the node whose gradient is being made, or NULL */
    rvl_graph_output *outputs, **outputs_end;
    bool              has_backward;
    int               n_forward;  /* nodes before the first one of the backward pass */
    bool              is_planned; /* no more nodes */
    rvl_error         error;
    rvl_node          broken;
};

/** Set the graph's first error, put the current scope before it, and give the node that absorbs later calls. */
rvl_node   *rvl__graph_fail(rvl_graph *g, rvl_status status, const char *format, ...) RVL_PRINTF(3, 4);
/** An op of the graph's dtype; checks the dtypes of inputs. `label` names it ("relu"). */
rvl_node   *rvl__node_op(rvl_graph *g, rvl_op op, const char *label, rvl_op_attr attr, int n_in, rvl_node *const *in,
                         int n_dims, const int64_t *shape);
/** One more output of `owner`; returns it, or the broken node. */
rvl_node   *rvl__node_extra(rvl_node *owner, rvl_dtype dtype, int n_dims, const int64_t *shape);
/** "scope.name" in the graph's arena; NULL (and the graph failed) if out of memory. */
const char *rvl__graph_key(rvl_graph *g, const char *name);
bool        rvl__node_is_float(const rvl_node *n);

/** Builders that only gradient rules and compositions use. */
rvl_node *rvl__sum_to(rvl_node *x, int n_dims, const int64_t *shape);
rvl_node *rvl__broadcast(rvl_node *x, int n_dims, const int64_t *shape);

extern const char *const rvl__op_names[RVL_OP_COUNT];

#endif /* RVL_ENGINE_NODE_H */
