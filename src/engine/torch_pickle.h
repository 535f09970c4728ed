/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/torch_pickle.h
 * A pickle machine that runs nothing: it builds plain values and descriptions of tensors, and refuses the rest.
 *
 * Understood: None, bool, int, float, str, list, tuple, dict (keys str or int), collections.OrderedDict, torch's
 * storage types as persistent ids, torch._utils._rebuild_tensor_v2 and _rebuild_parameter; protocols 2 to 4. Any
 * other global or opcode is UNSUPPORTED and named. Values live in the caller's arena, strings are NUL-terminated
 * UTF-8 there. Memory is bounded by the size of the pickle, which is limited to 16 MiB.
 */
#ifndef RVL_ENGINE_TORCH_PICKLE_H
#define RVL_ENGINE_TORCH_PICKLE_H
#include "base/alloc.h"
#include "base/str.h"
#include "rvl/tensor.h"

typedef enum {
    RVL_PICKLE_NONE,
    RVL_PICKLE_BOOL,
    RVL_PICKLE_INT,
    RVL_PICKLE_FLOAT,
    RVL_PICKLE_STR,
    RVL_PICKLE_TUPLE,
    RVL_PICKLE_LIST,
    RVL_PICKLE_DICT,
    RVL_PICKLE_GLOBAL,
    RVL_PICKLE_STORAGE,
    RVL_PICKLE_TENSOR
} rvl_pickle_kind;

typedef struct rvl_pickle_value   rvl_pickle_value;
typedef struct rvl_pickle_item    rvl_pickle_item;
typedef struct rvl_pickle_storage rvl_pickle_storage;

struct rvl_pickle_item {
    const rvl_pickle_value *key; /* NULL in lists and tuples */
    const rvl_pickle_value *value;
    rvl_pickle_item        *next;
};

/** One mention of a storage. The container that holds the bytes binds `data` to them. */
struct rvl_pickle_storage {
    const char         *key;
    rvl_dtype           dtype;
    int64_t             n_elements;
    const uint8_t      *data; /* n_elements of dtype, any alignment; NULL until bound */
    rvl_pickle_storage *next; /* in rvl_pickle.storages */
};

typedef struct {
    rvl_pickle_storage *storage;
    int64_t             offset; /* in elements, like the strides; all >= 0 */
    int                 n_dims;
    int64_t             shape[RVL_MAX_DIMS], stride[RVL_MAX_DIMS];
} rvl_pickle_tensor;

struct rvl_pickle_value {
    rvl_pickle_kind kind;
    union {
        int64_t     i; /* INT, BOOL; which global */
        double      f;
        const char *text;
        struct {
            rvl_pickle_item *first, *last;
            int64_t          n;
        } items; /* TUPLE, LIST, DICT: in order; a list or dict may hold itself */
        rvl_pickle_storage *storage;
        rvl_pickle_tensor  *tensor;
    } u;
};

typedef struct {
    const rvl_pickle_value *root;
    rvl_pickle_storage     *storages; /* every mention */
    size_t                  n_bytes;  /* up to and with STOP */
} rvl_pickle;

/** Read one pickle from the start of `bytes`; what follows its STOP is left alone. `name` is for messages. */
RVL_MUST_USE rvl_status rvl__pickle_parse(rvl_pickle *out, rvl_arena *arena, rvl_span bytes, const char *name,
                                          rvl_error *err);
/** The value of a string key of a dict (the last one, as Python has it); NULL if it has none, or is no dict. */
const rvl_pickle_value *rvl__pickle_get(const rvl_pickle_value *dict, const char *key);

#endif /* RVL_ENGINE_TORCH_PICKLE_H */
