/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rvl/tensor.h
 * Tensors: a dtype, up to 8 axes (slowest first) and contiguous storage, owned or borrowed.
 */
#ifndef RVL_TENSOR_H
#define RVL_TENSOR_H
#include "rvl/status.h"
RVL_BEGIN_DECLS

#define RVL_MAX_DIMS 8

/** Numbers are stable; 32 and up are reserved for block-quantised types. X(NAME, number, bytes, text). */
/* clang-format off */
#define RVL_DTYPE_LIST(X)                                                             \
    X(F64, 0, 8, "f64") X(F32, 1, 4, "f32") X(BF16, 2, 2, "bf16") X(F16, 3, 2, "f16") \
    X(I64, 4, 8, "i64") X(I32, 5, 4, "i32") X(I16, 6, 2, "i16") X(U8, 7, 1, "u8")
/* clang-format on */

typedef enum {
#define X(name, number, bytes, text) RVL_DTYPE_##name = number,
    RVL_DTYPE_LIST(X)
#undef X
} rvl_dtype;

RVL_API size_t      rvl_dtype_bytes(rvl_dtype dtype);
RVL_API const char *rvl_dtype_text(rvl_dtype dtype);

typedef struct rvl_tensor rvl_tensor;

/** A tensor with its own zeroed, 64-byte aligned storage. Extents >= 0; the byte count must not overflow. */
RVL_API RVL_MUST_USE rvl_status rvl_tensor_new(rvl_tensor **out, rvl_dtype dtype, int n_dims, const int64_t *shape,
                                               rvl_error *err);
/** A tensor over memory of the caller (a memory map, an arena), which must outlive it. */
RVL_API RVL_MUST_USE rvl_status rvl_tensor_borrow(rvl_tensor **out, rvl_dtype dtype, int n_dims, const int64_t *shape,
                                                  void *data, rvl_error *err);
/** An independent copy converted to `dtype` (floats among themselves, integers to floats; else SHAPE). */
RVL_API RVL_MUST_USE rvl_status rvl_tensor_convert(rvl_tensor **out, const rvl_tensor *t, rvl_dtype dtype,
                                                   rvl_error *err);
RVL_API void                    rvl_tensor_free(rvl_tensor *t); /* NULL is allowed */

RVL_API rvl_dtype      rvl_tensor_dtype(const rvl_tensor *t);
RVL_API int            rvl_tensor_n_dims(const rvl_tensor *t);
RVL_API const int64_t *rvl_tensor_shape(const rvl_tensor *t);
RVL_API int64_t        rvl_tensor_count(const rvl_tensor *t); /* elements */
RVL_API size_t         rvl_tensor_bytes(const rvl_tensor *t);
RVL_API void          *rvl_tensor_data(rvl_tensor *t);
RVL_API const void    *rvl_tensor_const_data(const rvl_tensor *t);

RVL_END_DECLS
#endif /* RVL_TENSOR_H */
