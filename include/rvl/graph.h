/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rvl/graph.h
 * Build a computation graph once, plan its memory once, run it many times.
 *
 * Shapes are written slowest axis first: an image batch is (N, C, H, W), W fastest.
 * Builders never return NULL: a bad shape marks the graph failed and yields a node that absorbs later calls, so
 * calls nest; rvl_plan_new() reports the first mistake by its scoped name.
 * Lifetime: a node lives exactly as long as its graph. Threads: one thread builds a graph; one thread of the
 * process runs plans.
 */
#ifndef RVL_GRAPH_H
#define RVL_GRAPH_H
#include "rvl/params.h"
RVL_BEGIN_DECLS

typedef struct rvl_graph rvl_graph; /* owns its nodes */
typedef struct rvl_node  rvl_node;  /* borrowed from a graph, never freed alone; one value (tensor) */

/** Make an empty graph over `params` and `state`, both borrowed. `dtype` is the type of weights' compute and
 *  activations: F32, or F64 for gradient checks. */
RVL_API RVL_MUST_USE rvl_status rvl_graph_new(rvl_graph **out, rvl_params *params, rvl_state *state, rvl_dtype dtype,
                                              rvl_error *err);
RVL_API void                    rvl_graph_free(rvl_graph *g);

/** Until the matching end, names of nodes (the weights' keys too) start with `name` and a dot. */
RVL_API void                    rvl_graph_scope(rvl_graph *g, const char *name);
RVL_API void                    rvl_graph_scope_end(rvl_graph *g);
/** First mistake of the graph so far, or RVL_OK. */
RVL_API RVL_MUST_USE rvl_status rvl_graph_check(const rvl_graph *g, rvl_error *err);

/** Declare an input; every extent > 0. Inputs are not scoped. */
RVL_API rvl_node *rvl_input(rvl_graph *g, const char *name, rvl_dtype dtype, int n_dims, const int64_t *shape);
/** The weight `name` of the params under the current scope; made with this shape and start if absent, SHAPE if
 *  present with another shape. */
RVL_API rvl_node *rvl_weight(rvl_graph *g, const char *name, int n_dims, const int64_t *shape, rvl_init init);
/** A tensor of the state under the current scope (committed values; no gradient). */
RVL_API rvl_node *rvl_state_read(rvl_graph *g, const char *name, int n_dims, const int64_t *shape, double start);
/** A constant tensor filled with `value`. */
RVL_API rvl_node *rvl_fill(rvl_graph *g, int n_dims, const int64_t *shape, double value);

/** Give a node a name by which a plan's outputs are found (rvl_plan_output). Outputs survive the run. */
RVL_API void rvl_output(rvl_graph *g, const char *name, rvl_node *node);

/** Append gradient nodes: outputs[i] gets cotangents[i] (same shape; NULL means ones). May be called once. */
RVL_API void      rvl_graph_backward(rvl_graph *g, int n, rvl_node *const *outputs, rvl_node *const *cotangents);
/** Gradient of a node after rvl_graph_backward; NULL if none flows to it. */
RVL_API rvl_node *rvl_graph_grad(rvl_graph *g, const rvl_node *node);
/** Declare the gradient of every used trainable weight as output "grad:<name>"; a weight that no gradient
 *  reaches gets none. Returns how many. */
RVL_API int       rvl_graph_output_weight_grads(rvl_graph *g);

RVL_API int            rvl_node_n_dims(const rvl_node *node);
RVL_API const int64_t *rvl_node_shape(const rvl_node *node);
RVL_API int64_t        rvl_node_extent(const rvl_node *node, int axis); /* axis may be negative */
RVL_API rvl_graph     *rvl_node_graph(const rvl_node *node);

RVL_END_DECLS
#endif /* RVL_GRAPH_H */
