/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/plan.h
 * Plans from inside: where every value lives, and the flat list of prepared kernel calls.
 */
#ifndef RVL_ENGINE_PLAN_H
#define RVL_ENGINE_PLAN_H
#include "engine/node.h"
#include "rvl/plan.h"

#define RVL_PLAN_ALWAYS INT32_MAX

/** Memory of one or more nodes (a reshape shares its input's), from step `birth` to step `death`, both included.
 *  birth -1: filled before the first step; death RVL_PLAN_ALWAYS: never reused. */
typedef struct {
    size_t n_bytes, offset;
    int    birth, death;
    void  *fixed; /* memory outside the arena: a weight read in place */
} rvl_plan_buffer;

typedef struct {
    rvl_node *node; /* an OP */
    double    seconds;
} rvl_plan_step;

/** A weight or state tensor that is copied because its dtype is not the graph's. */
typedef struct {
    rvl_node *node;
    uint64_t  version; /* of the weight when last copied */
} rvl_plan_copy;

typedef struct {
    const char *name;
    rvl_node   *node;
    rvl_tensor *tensor; /* over the arena or the weight */
} rvl_plan_port;

struct rvl_plan {
    rvl_graph              *graph;
    rvl_plan_opts           opts;
    const rvl_kernel_table *table;
    rvl_arena              *memory;    /* every table below */
    int                    *buffer_of; /* by node id; -1: the plan does not need the node */
    rvl_plan_buffer        *buffers;
    int                     n_buffers;
    rvl_plan_step          *steps;
    rvl_kernel_call        *calls;
    int                     n_steps;
    rvl_plan_copy          *copies;
    int                     n_copies;
    rvl_plan_port          *inputs, *outputs;
    int                     n_inputs, n_outputs;
    unsigned char          *arena;
    rvl_plan_stats          stats;
    uint64_t                seed, step;
    int64_t                 n_runs;
    bool                    is_probe; /* a second look at a step: state is not written */
};

/** Give offsets (multiples of 64) to the buffers without `fixed` memory, so that no two alive at once overlap;
 *  `share` false: no two overlap at all. `*arena_bytes` is the need. */
RVL_MUST_USE rvl_status rvl__plan_layout(size_t *arena_bytes, rvl_plan_buffer *buffers, int n, bool share,
                                         rvl_error *err);
void                   *rvl__plan_data(const rvl_plan *plan, const rvl_node *node);
/** Make all of the arena readable again, before it is freed. */
void                    rvl__plan_unpoison(rvl_plan *plan);

#endif /* RVL_ENGINE_PLAN_H */
