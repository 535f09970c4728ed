/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/safetensors.h
 * The safetensors format: u64 little-endian header length, JSON header, raw little-endian data.
 *
 * Reading memory-maps the file and checks everything first: header <= 100 MiB, unique names, offsets in order,
 * inside the file, without overlap and holes, byte counts equal to shape x dtype.
 */
#ifndef RVL_ENGINE_SAFETENSORS_H
#define RVL_ENGINE_SAFETENSORS_H
#include "rvl/tensor.h"
#include <jansson.h>

typedef struct rvl_safetensors rvl_safetensors;
RVL_MUST_USE rvl_status        rvl_safetensors_open(rvl_safetensors **out, const char *path, rvl_error *err);
/** The same over memory of the caller (fuzzing); `name` is for messages. */
RVL_MUST_USE rvl_status        rvl_safetensors_parse(rvl_safetensors **out, const void *bytes, size_t n_bytes,
                                                     const char *name, rvl_error *err);
void                           rvl_safetensors_close(rvl_safetensors *f); /* tensors borrowed from it die */
int                            rvl_safetensors_count(const rvl_safetensors *f);
const char                    *rvl_safetensors_name(const rvl_safetensors *f, int i);
const rvl_tensor              *rvl_safetensors_tensor(const rvl_safetensors *f, int i); /* borrowed storage: the map */
const rvl_tensor              *rvl_safetensors_find(const rvl_safetensors *f, const char *name);
/** Text of `__metadata__`, NULL if absent. */
const char                    *rvl_safetensors_metadata(const rvl_safetensors *f, const char *key);
/** The whole `__metadata__` object (string values), borrowed, NULL if none. */
const json_t                  *rvl_safetensors_metadata_object(const rvl_safetensors *f);

/** Write atomically: names[i] -> tensors[i], in the order given; `metadata` (may be NULL) is an object of strings. */
RVL_MUST_USE rvl_status rvl_safetensors_save(const char *path, int n, const char *const *names,
                                             const rvl_tensor *const *tensors, const json_t *metadata, rvl_error *err);

#endif /* RVL_ENGINE_SAFETENSORS_H */
