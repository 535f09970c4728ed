/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/ref/softmax.c
 * Softmax, log-softmax and L2 normalisation over the last axis, and their gradients.
 */
#include <math.h>
#include "engine/ref/ref.h"

#define RVL_REF_FILE "engine/ref/softmax.inc"
#include "engine/ref/both.h"

RVL_REF_DISPATCH(softmax)
RVL_REF_DISPATCH(softmax_bwd)
RVL_REF_DISPATCH(log_softmax)
RVL_REF_DISPATCH(log_softmax_bwd)
RVL_REF_DISPATCH(l2_normalize)
RVL_REF_DISPATCH(l2_normalize_bwd)
