/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/ref/matmul.c
 * Batched matrix product with either side transposed or shared by all batches.
 */
#include <string.h>
#include "engine/ref/ref.h"

#define RVL_REF_FILE "engine/ref/matmul.inc"
#include "engine/ref/both.h"

RVL_REF_DISPATCH(matmul)
