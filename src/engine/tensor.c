/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/tensor.c
 * The dtype table and tensors: contiguous storage, owned or borrowed.
 */
#include "rvl/tensor.h"
#include "base/alloc.h"
#include "engine/convert.h"
#include <string.h>

struct rvl_tensor {
    rvl_dtype dtype;
    int       n_dims;
    int64_t   shape[RVL_MAX_DIMS];
    int64_t   count;
    size_t    n_bytes;
    void     *data;
    bool      is_owned;
};

size_t rvl_dtype_bytes(rvl_dtype dtype)
{
    switch (dtype) {
#define X(name, number, bytes, text)                                                                                   \
    case RVL_DTYPE_##name:                                                                                             \
        return bytes;
        RVL_DTYPE_LIST(X)
#undef X
    }
    return 0;
}

const char *rvl_dtype_text(rvl_dtype dtype)
{
    switch (dtype) {
#define X(name, number, bytes, text)                                                                                   \
    case RVL_DTYPE_##name:                                                                                             \
        return text;
        RVL_DTYPE_LIST(X)
#undef X
    }
    return "?";
}

static rvl_status header_new(rvl_tensor **out, rvl_dtype dtype, int n_dims, const int64_t *shape, rvl_error *err)
{
    size_t n_bytes = rvl_dtype_bytes(dtype);
    size_t count = 1;

    *out = NULL;
    if (n_bytes == 0)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "cannot make a tensor: dtype number %d is unknown", (int)dtype);
    if (n_dims < 0 || n_dims > RVL_MAX_DIMS)
        return rvl_fail(err, RVL_ERR_SHAPE, "cannot make a tensor of %d axes: at most %d", n_dims, RVL_MAX_DIMS);
    for (int i = 0; i < n_dims; i++) {
        if (shape[i] < 0)
            return rvl_fail(err, RVL_ERR_SHAPE, "cannot make a tensor: axis %d has extent %lld", i,
                            (long long)shape[i]);
        if (!rvl_mul_size(&count, count, (size_t)shape[i]))
            return rvl_fail(err, RVL_ERR_LIMIT, "cannot make a tensor: its element count overflows");
    }
    if (!rvl_mul_size(&n_bytes, n_bytes, count) || n_bytes > (size_t)PTRDIFF_MAX)
        return rvl_fail(err, RVL_ERR_LIMIT, "cannot make a tensor: its byte count overflows");
    rvl_tensor *t = rvl_alloc_array(1, sizeof *t);
    if (!t)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot make a tensor: out of memory");
    t->dtype = dtype;
    t->n_dims = n_dims;
    for (int i = 0; i < n_dims; i++)
        t->shape[i] = shape[i];
    t->count = (int64_t)count;
    t->n_bytes = n_bytes;
    *out = t;
    return RVL_OK;
}

rvl_status rvl_tensor_new(rvl_tensor **out, rvl_dtype dtype, int n_dims, const int64_t *shape, rvl_error *err)
{
    rvl_status st = header_new(out, dtype, n_dims, shape, err);

    if (st)
        return st;
    rvl_tensor *t = *out;
    t->data = rvl_alloc_aligned(t->n_bytes);
    t->is_owned = true;
    if (!t->data) {
        size_t n_bytes = t->n_bytes;
        rvl_tensor_free(t);
        *out = NULL;
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot make a tensor of %zu bytes: out of memory", n_bytes);
    }
    memset(t->data, 0, t->n_bytes);
    return RVL_OK;
}

rvl_status rvl_tensor_borrow(rvl_tensor **out, rvl_dtype dtype, int n_dims, const int64_t *shape, void *data,
                             rvl_error *err)
{
    rvl_status st = header_new(out, dtype, n_dims, shape, err);

    if (st == RVL_OK)
        (*out)->data = data;
    return st;
}

rvl_status rvl_tensor_convert(rvl_tensor **out, const rvl_tensor *t, rvl_dtype dtype, rvl_error *err)
{
    rvl_status st;

    *out = NULL;
    if (dtype != t->dtype && !rvl__dtype_is_float(dtype))
        return rvl_fail(err, RVL_ERR_SHAPE, "cannot convert a tensor from %s to %s", rvl_dtype_text(t->dtype),
                        rvl_dtype_text(dtype));
    st = rvl_tensor_new(out, dtype, t->n_dims, t->shape, err);
    if (st == RVL_OK)
        rvl__convert((*out)->data, dtype, t->data, t->dtype, t->count);
    return st;
}

void rvl_tensor_free(rvl_tensor *t)
{
    if (!t)
        return;
    if (t->is_owned)
        rvl_free(t->data);
    rvl_free(t);
}

rvl_dtype rvl_tensor_dtype(const rvl_tensor *t)
{
    return t->dtype;
}

int rvl_tensor_n_dims(const rvl_tensor *t)
{
    return t->n_dims;
}

const int64_t *rvl_tensor_shape(const rvl_tensor *t)
{
    return t->shape;
}

int64_t rvl_tensor_count(const rvl_tensor *t)
{
    return t->count;
}

size_t rvl_tensor_bytes(const rvl_tensor *t)
{
    return t->n_bytes;
}

void *rvl_tensor_data(rvl_tensor *t)
{
    return t->data;
}

const void *rvl_tensor_const_data(const rvl_tensor *t)
{
    return t->data;
}
