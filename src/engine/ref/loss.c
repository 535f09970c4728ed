/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/ref/loss.c
 * Binary cross-entropy with weights, cross-entropy with class ids and with target probabilities.
 */
#include <math.h>
#include "engine/ref/ref.h"

#define RVL_REF_FILE "engine/ref/loss.inc"
#include "engine/ref/both.h"

RVL_REF_DISPATCH(bce_with_logits)
RVL_REF_DISPATCH(bce_with_logits_bwd)
RVL_REF_DISPATCH(cross_entropy)
RVL_REF_DISPATCH(cross_entropy_bwd)
RVL_REF_DISPATCH(cross_entropy_soft)
RVL_REF_DISPATCH(cross_entropy_soft_bwd)
