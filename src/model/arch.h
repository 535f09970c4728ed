/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/arch.h
 * The architecture of a model as JSON (what a bundle's metadata holds) and the check that it can be built.
 */
#ifndef RVL_MODEL_ARCH_H
#define RVL_MODEL_ARCH_H
#include "model/model.h"

/** {"image": {...}, "text": {...}, "head": true, "clip": {...}}: the parts that the model has. NULL: no memory. */
json_t                 *rvl__arch_format(const rvl_model *m);
/** Read it back into the has_* flags and configurations of `m`. FORMAT names the field. */
RVL_MUST_USE rvl_status rvl__arch_parse(rvl_model *m, const json_t *arch, rvl_error *err);
/** Every size positive and within sane limits, heads divide the hidden size, temperature positive. USAGE. */
RVL_MUST_USE rvl_status rvl__arch_check(const rvl_model *m, rvl_error *err);

#endif /* RVL_MODEL_ARCH_H */
