/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/ref/both.h
 * Include RVL_REF_FILE for float and for double. No guard: a kernel file includes this once, after naming its .inc.
 */
#define T float
#define TX8 rvl_ref_f32x8
#define FN(name) name##_f32
#include RVL_REF_FILE
#undef T
#undef TX8
#undef FN

#define T double
#define TX8 rvl_ref_f64x8
#define FN(name) name##_f64
#include RVL_REF_FILE
#undef T
#undef TX8
#undef FN
