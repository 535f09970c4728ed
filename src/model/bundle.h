/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/bundle.h
 * The metadata of a bundle file, for the two readers of weights.
 */
#ifndef RVL_MODEL_BUNDLE_H
#define RVL_MODEL_BUNDLE_H
#include "engine/safetensors.h"
#include "model/model.h"

/** Read everything but weights into `m`, a new and empty model. FORMAT if `file` is no bundle, or NULL (a weight
 *  file of another format), UNSUPPORTED for a later format. */
RVL_MUST_USE rvl_status rvl__bundle_metadata_read(rvl_model *m, const rvl_safetensors *file, const char *path,
                                                  rvl_error *err);

#endif /* RVL_MODEL_BUNDLE_H */
