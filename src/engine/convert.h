/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/convert.h
 * Numbers between dtypes: round to nearest, ties to even, once.
 */
#ifndef RVL_ENGINE_CONVERT_H
#define RVL_ENGINE_CONVERT_H
#include "rvl/tensor.h"

uint16_t rvl__bf16_from_f64(double value);
double   rvl__bf16_to_f64(uint16_t bits);
uint16_t rvl__f16_from_f64(double value);
double   rvl__f16_to_f64(uint16_t bits);

bool   rvl__dtype_is_float(rvl_dtype dtype);
double rvl__element_get(const void *data, rvl_dtype dtype, int64_t i);
/** `dtype` is a float type. */
void   rvl__element_set(void *data, rvl_dtype dtype, int64_t i, double value);
/** n elements of src -> float elements of dst. The ranges do not overlap. Allocates nothing. */
void   rvl__convert(void *dst, rvl_dtype dst_dtype, const void *src, rvl_dtype src_dtype, int64_t n);

/** Text "(2, 8, 5, 5)" of a shape into a buffer of RVL_SHAPE_TEXT_BYTES; returns `out`. */
#define RVL_SHAPE_TEXT_BYTES 200
const char *rvl__shape_text(char *out, int n_dims, const int64_t *shape);
bool        rvl__shape_equal(int n_a, const int64_t *a, int n_b, const int64_t *b);

#endif /* RVL_ENGINE_CONVERT_H */
