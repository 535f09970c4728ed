/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/ref/norm.c
 * Layer norm over the last axis and batch norm over axis 1, statistics in f64, and their gradients.
 */
#include <math.h>
#include <string.h>
#include "engine/ref/ref.h"

/* Columns that one thread sums at a time. */
#define COLUMNS 64

#define RVL_REF_FILE "engine/ref/norm.inc"
#include "engine/ref/both.h"

RVL_REF_DISPATCH(layer_norm)
RVL_REF_DISPATCH(layer_norm_bwd)
RVL_REF_DISPATCH(batch_norm)
RVL_REF_DISPATCH(batch_norm_bwd)
