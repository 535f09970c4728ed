/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/store.h
 * What graphs and plans ask of rvl_params and rvl_state beyond the public header.
 */
#ifndef RVL_ENGINE_STORE_H
#define RVL_ENGINE_STORE_H
#include "rvl/params.h"

typedef struct rvl_state_entry rvl_state_entry; /* one tensor of the state; its address is stable */

/** The weight `name`, marked used; made in `dtype` (F32 or F64) from `init` if absent. */
RVL_MUST_USE rvl_status rvl__params_get(rvl_param **out, rvl_params *params, const char *name, rvl_dtype dtype,
                                        int n_dims, const int64_t *shape, rvl_init init, rvl_error *err);
/** The state tensor `name`, marked used; made in `dtype` and filled with `start` if absent. */
RVL_MUST_USE rvl_status rvl__state_get(rvl_state_entry **out, rvl_state *state, const char *name, rvl_dtype dtype,
                                       int n_dims, const int64_t *shape, double start, rvl_error *err);
rvl_tensor             *rvl__state_committed(rvl_state_entry *e);
/** The shadow, to be changed in place; it starts from the committed values at the first call after a commit or
 *  discard. Allocates nothing. */
rvl_tensor             *rvl__state_shadow(rvl_state_entry *e);

/** A weight in some kernel's own order, kept with the weight for every plan that wants the same. */
typedef struct rvl_param_pack {
    struct rvl_param_pack *next;
    uint64_t               key[4]; /* what distinguishes packs of one weight: kernel and geometry */
    size_t                 n_bytes;
    uint64_t               version; /* of the weight when packed; 0: never */
    void                  *data;
} rvl_param_pack;
/** The pack of `key` and size, made (not filled) if absent. Owned by the weight. */
RVL_MUST_USE rvl_status rvl__param_pack(rvl_param_pack **out, rvl_param *p, const uint64_t key[4], size_t n_bytes,
                                        rvl_error *err);

#endif /* RVL_ENGINE_STORE_H */
