/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rvl/params.h
 * Named weights (rvl_params) and what is neither weight nor activation (rvl_state: BatchNorm statistics).
 * Every plan reads weights from here; both outlive the graphs built over them.
 */
#ifndef RVL_PARAMS_H
#define RVL_PARAMS_H
#include "rvl/tensor.h"
RVL_BEGIN_DECLS

typedef struct rvl_params rvl_params; /* owns its weights */
typedef struct rvl_param  rvl_param;  /* borrowed from rvl_params */
typedef struct rvl_state  rvl_state;  /* owns its tensors */

/** How an absent weight starts; random numbers are Philox(seed of the params, stream = hash of the full name). */
typedef enum {
    RVL_INIT_ZEROS,
    RVL_INIT_ONES,
    RVL_INIT_CONSTANT, /* value a */
    RVL_INIT_NORMAL,   /* mean 0, standard deviation a */
    RVL_INIT_UNIFORM   /* -a .. a */
} rvl_init_kind;
typedef struct {
    rvl_init_kind kind;
    double        a;
} rvl_init;

RVL_API RVL_MUST_USE rvl_status rvl_params_new(rvl_params **out, uint64_t seed, rvl_error *err);
RVL_API void                    rvl_params_free(rvl_params *params);
/** Add a weight read from a file: `tensor` moves in (also on failure it is freed). Duplicate names are FORMAT. */
RVL_API RVL_MUST_USE rvl_status rvl_params_give(rvl_params *params, const char *name, rvl_tensor *tensor,
                                                rvl_error *err);
RVL_API int                     rvl_params_count(const rvl_params *params);
RVL_API rvl_param              *rvl_params_at(rvl_params *params, int i); /* in order of first appearance */
RVL_API rvl_param              *rvl_params_find(rvl_params *params, const char *name); /* NULL if absent */

RVL_API const char *rvl_param_name(const rvl_param *p);
RVL_API rvl_tensor *rvl_param_tensor(rvl_param *p);
RVL_API bool        rvl_param_is_made(const rvl_param *p);   /* made by a builder, not read from a file */
RVL_API bool        rvl_param_is_used(const rvl_param *p);   /* some graph asked for it */
RVL_API bool        rvl_param_trainable(const rvl_param *p); /* default true */
RVL_API void        rvl_param_set_trainable(rvl_param *p, bool trainable);
RVL_API int         rvl_param_group(const rvl_param *p); /* optimizer group, default 0 */
RVL_API void        rvl_param_set_group(rvl_param *p, int group);
/** Say that the tensor's values changed: packed copies become stale. */
RVL_API void        rvl_param_touch(rvl_param *p);
RVL_API uint64_t    rvl_param_version(const rvl_param *p);

RVL_API RVL_MUST_USE rvl_status rvl_state_new(rvl_state **out, rvl_error *err);
RVL_API void                    rvl_state_free(rvl_state *state);
RVL_API RVL_MUST_USE rvl_status rvl_state_give(rvl_state *state, const char *name, rvl_tensor *tensor, rvl_error *err);
RVL_API int                     rvl_state_count(const rvl_state *state);
RVL_API const char             *rvl_state_name(const rvl_state *state, int i);
RVL_API rvl_tensor             *rvl_state_tensor(rvl_state *state, int i); /* the committed values */
RVL_API bool                    rvl_state_is_made(const rvl_state *state, int i);
RVL_API bool                    rvl_state_is_used(const rvl_state *state, int i);
/** Training plans write a shadow copy; commit makes it real after the step's numbers were checked, discard drops
 *  it. Once per optimizer step. */
RVL_API void                    rvl_state_commit(rvl_state *state);
RVL_API void                    rvl_state_discard(rvl_state *state);

RVL_END_DECLS
#endif /* RVL_PARAMS_H */
