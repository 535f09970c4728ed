/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rvl/plan.h
 * Plans (one way to run a graph) and sessions (the plans of one model).
 */
#ifndef RVL_PLAN_H
#define RVL_PLAN_H
#include "rvl/graph.h"
RVL_BEGIN_DECLS

typedef struct rvl_plan    rvl_plan;
typedef struct rvl_session rvl_session;

/** CPU: vector kernels (F32; graphs of F64 run in REF). REF: plain loops with f64 sums, slow and simple. */
typedef enum { RVL_BACKEND_AUTO, RVL_BACKEND_CPU, RVL_BACKEND_REF } rvl_backend;
/** What AUTO means from now on in this process (CPU until then); call it before plans are made. */
RVL_API void        rvl_backend_set_default(rvl_backend backend);
/** "cpu (avx512)", "ref": the default backend with its instruction set. */
RVL_API const char *rvl_backend_text(void);

typedef struct {
    rvl_backend backend;
    size_t      memory_limit_bytes; /* 0: none; above it rvl_plan_new fails with RVL_ERR_NOMEM and the need */
    bool        deterministic;
    bool        keep_all;   /* no memory is reused: every node can be looked at */
    bool        debug_fill; /* dead ranges are filled with NaN and poisoned for AddressSanitizer */
} rvl_plan_opts;

typedef struct {
    size_t weight_bytes, gradient_bytes, activation_bytes, arena_bytes, unshared_bytes; /* unshared: without reuse */
    int    n_nodes;
} rvl_plan_stats;

/** Check, order, lay out memory. Only nodes that outputs need are run. The graph is borrowed and may not grow. */
RVL_API RVL_MUST_USE rvl_status rvl_plan_new(rvl_plan **out, rvl_graph *g, rvl_plan_opts opts, rvl_error *err);
RVL_API void                    rvl_plan_free(rvl_plan *plan);
/** The storage of an input, to be filled before each run; NULL if the plan has none of that name. */
RVL_API rvl_tensor             *rvl_plan_input(rvl_plan *plan, const char *name);
/** A declared output, valid until the next run; NULL if absent. */
RVL_API const rvl_tensor       *rvl_plan_output(const rvl_plan *plan, const char *name);
/** Keys of dropout's random numbers. */
RVL_API void                    rvl_plan_set_key(rvl_plan *plan, uint64_t seed, uint64_t step);
/** Run once. Allocates nothing. NUMERIC for ids outside a table. */
RVL_API RVL_MUST_USE rvl_status rvl_plan_run(rvl_plan *plan, rvl_error *err);
/** Run again in a keep-all plan and name the first node (scoped) whose value is not finite, with its shape and
 *  operation. RVL_OK if all are finite. Inputs are copied from `plan`. */
RVL_API RVL_MUST_USE rvl_status rvl_plan_find_nonfinite(rvl_plan *plan, rvl_error *err);
RVL_API rvl_plan_stats          rvl_plan_get_stats(const rvl_plan *plan);
/** JSON text (schema "rvl.plan/1": node, op, shape, bytes, offset, kernel, seconds so far); caller frees with
 *  rvl_text_free. */
RVL_API RVL_MUST_USE rvl_status rvl_plan_describe(char **out, const rvl_plan *plan, rvl_error *err);
RVL_API void                    rvl_text_free(char *text);

/** What distinguishes plans of one session: whatever the builder needs, compared bytewise; zero it first. */
typedef struct {
    int64_t mode;    /* the caller's enum: train, eval image, eval text, ... */
    int64_t size[6]; /* batch, tokens, ... */
} rvl_plan_key;
/** Builds the graph for `key` over the session's params and state. */
typedef rvl_status (*rvl_build_fn)(rvl_graph *g, const rvl_plan_key *key, void *context, rvl_error *err);

/** Params, state and `context` are borrowed. */
RVL_API RVL_MUST_USE rvl_status rvl_session_new(rvl_session **out, rvl_params *params, rvl_state *state,
                                                rvl_build_fn build, void *context, rvl_plan_opts opts, rvl_error *err);
/** The plan for `key`: kept if made before (the 16 last used are kept). Borrowed. */
RVL_API RVL_MUST_USE rvl_status rvl_session_plan(rvl_plan **out, rvl_session *s, const rvl_plan_key *key,
                                                 rvl_error *err);
RVL_API void                    rvl_session_free(rvl_session *s);

RVL_END_DECLS
#endif /* RVL_PLAN_H */
