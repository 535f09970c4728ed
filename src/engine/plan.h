/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/plan.h
 * Plans from inside: values and where they lie, and the flat list of prepared kernel calls.
 *
 * Planning is a pipeline: mark the nodes that outputs need; the backend lowers them to steps over values (one to one in
 * `ref`; with fusions, layouts, packed weights and recomputed values in `cpu`); lives; memory; calls.
 */
#ifndef RVL_ENGINE_PLAN_H
#define RVL_ENGINE_PLAN_H
#include "engine/node.h"
#include "rvl/plan.h"

#define RVL_PLAN_ALWAYS INT32_MAX

/** Memory of one or more values (a reshape shares its input's), from step `birth` to step `death`, both included.
 *  birth -1: filled before the first step; death RVL_PLAN_ALWAYS: never reused. */
typedef struct {
    size_t n_bytes, offset;
    int    birth, death;
    void  *fixed; /* memory outside the arena: a weight read in place */
} rvl_plan_buffer;

/** A node's value in one layout. */
typedef struct {
    const rvl_node *node;
    rvl_layout      layout;
    int             buffer;
} rvl_plan_value;

/** One kernel call. A fused step computes several nodes and carries the last one's name. */
typedef struct {
    const rvl_node *node;
    const char     *kernel; /* "conv_direct": for people */
    const char     *backend;
    rvl_kernel      run;
    rvl_op_attr     attr;
    int             n_in, n_out;
    int             in[RVL_KERNEL_MAX_IN], out[RVL_KERNEL_MAX_OUT]; /* values */
    int             in_place;                                       /* out[0] may take the memory of in[this]; -1 */
    const void     *prepared;                                       /* read by the kernel; in the plan's memory */
    size_t          scratch_bytes;
    int             scratch;    /* buffer, or -1 */
    const rvl_node *statistics; /* the training BatchNorm whose statistics out[1], out[2] are, or NULL */
    double          seconds;
} rvl_plan_step;

/** A weight or state tensor that is copied because its dtype is not the graph's. */
typedef struct {
    const rvl_node *node;
    int             value;
    uint64_t        version; /* of the weight when last copied */
} rvl_plan_copy;

/** A weight kept in a kernel's own order; remade when the weight's version changes. */
typedef struct {
    rvl_param_pack *pack; /* of the params, shared by plans */
    rvl_pack_fn     run;
    const void     *prepared;
    int             from; /* value, plain */
} rvl_plan_packing;

typedef struct {
    const char *name;
    rvl_node   *node;
    int         value;
    rvl_tensor *tensor; /* over the arena or the weight */
} rvl_plan_port;

struct rvl_plan {
    rvl_graph              *graph;
    rvl_plan_opts           opts;
    const rvl_kernel_table *table;
    rvl_arena              *memory;   /* every table below */
    bool                   *needed;   /* by node id */
    int                    *value_of; /* by node id, the plain layout; -1: not made */
    rvl_plan_value         *values;
    rvl_plan_buffer        *buffers;
    rvl_plan_step          *steps;
    rvl_kernel_call        *calls;
    rvl_plan_copy          *copies;
    rvl_plan_packing       *packings;
    rvl_plan_port          *inputs, *outputs;
    int                     n_values, n_buffers, n_steps, capacity; /* capacity: of values, buffers and steps */
    int                     n_copies, n_packings, n_inputs, n_outputs;
    unsigned char          *arena;
    rvl_plan_stats          stats;
    uint64_t                seed, step;
    int64_t                 n_runs;
    bool                    is_probe; /* a second look at a step: state is not written */
};

/** What a backend needs to lower a graph; see lower.c. Tables do not grow: each node allows a few entries. */
RVL_MUST_USE rvl_status rvl__plan_full(rvl_error *err);
/** A value with a buffer of its own; -1: the tables are full. */
int                     rvl__plan_value_new(rvl_plan *plan, const rvl_node *node, rvl_layout layout);
/** The same memory seen as another node: a reshape. */
int                     rvl__plan_value_alias(rvl_plan *plan, const rvl_node *node, int value);
/** A step whose inputs and outputs the caller fills in; NULL: the tables are full. */
rvl_plan_step          *rvl__plan_step_new(rvl_plan *plan, const rvl_node *node, const char *kernel, rvl_kernel run);
/** The value of an input, weight, state or constant, plain. */
RVL_MUST_USE rvl_status rvl__plan_source(rvl_plan *plan, const rvl_node *node, rvl_error *err);
/** One step per node, everything plain. */
RVL_MUST_USE rvl_status rvl__plan_lower_plain(rvl_plan *plan, rvl_error *err);
/** Births, deaths and scratch of buffers; steps that may run in place share them. */
RVL_MUST_USE rvl_status rvl__plan_lives(rvl_plan *plan, rvl_error *err);

/** Give offsets (multiples of 64) to the buffers without `fixed` memory, so that no two alive at once overlap;
 *  `share` false: no two overlap at all. `*arena_bytes` is the need. */
RVL_MUST_USE rvl_status rvl__plan_layout(size_t *arena_bytes, rvl_plan_buffer *buffers, int n, bool share,
                                         rvl_error *err);
void                   *rvl__plan_data(const rvl_plan *plan, int value);
/** Make all of the arena readable again, before it is freed. */
void                    rvl__plan_unpoison(rvl_plan *plan);

#endif /* RVL_ENGINE_PLAN_H */
