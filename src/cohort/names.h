/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/names.h
 * A set of names that numbers them in the order they came. Names are borrowed: they outlive the set.
 */
#ifndef RVL_COHORT_NAMES_H
#define RVL_COHORT_NAMES_H
#include "rvl/status.h"

/** Start with { 0 }. */
typedef struct {
    const char **names; /* [n] in order of first appearance */
    int64_t      n;
    int64_t     *slots; /* index + 1, 0 empty */
    size_t       n_slots, capacity;
} rvl__names;

/** Number of `name`; `*is_new` tells whether it was added by this call. */
RVL_MUST_USE rvl_status rvl__names_add(int64_t *out, bool *is_new, rvl__names *set, const char *name, rvl_error *err);
/** Number of `name`, or -1. */
int64_t                 rvl__names_find(const rvl__names *set, const char *name);
void                    rvl__names_fini(rvl__names *set);

#endif /* RVL_COHORT_NAMES_H */
