/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/embeddings.h
 * Embeddings that another program wrote: npy, npz, safetensors or CSV.
 */
#ifndef RVL_VERBS_EMBEDDINGS_H
#define RVL_VERBS_EMBEDDINGS_H
#include "base/csv.h"

/** Zero it first. */
typedef struct {
    float      *x; /* (n, e), owned */
    int64_t     n, e;
    rvl_csv    *table; /* of a CSV: its first column holds the ids; else NULL */
    const char *path;  /* borrowed */
} rvl_embeddings;

/**
 * Load (n, e), or (n, 1, e) as CT-CLIP saves it. `path` is a .npy; a .npz, with `FILE.npz:NAME` naming an array, else
 * the only one; a .safetensors whose only tensor or tensor `which` it is; or a .csv with a header, an id first and a
 * number in every other column. NUMERIC if a value is not finite.
 */
RVL_MUST_USE rvl_status rvl__embeddings_load(rvl_embeddings *out, const char *path, const char *which, rvl_error *err);
void                    rvl__embeddings_fini(rvl_embeddings *m);

#endif /* RVL_VERBS_EMBEDDINGS_H */
