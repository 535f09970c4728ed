/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/weight_index.h
 * The index of a weight file in parts (Hugging Face's "*.index.json"): which part holds which tensor.
 */
#ifndef RVL_ENGINE_WEIGHT_INDEX_H
#define RVL_ENGINE_WEIGHT_INDEX_H
#include "base/str.h"
#include <jansson.h>

/**
 * `*weight_map`, owned by the caller, is an object of strings: tensor name -> file name, which stands in the folder of
 * the index: no path, no hidden file. FORMAT otherwise; `name` is for messages.
 */
RVL_MUST_USE rvl_status rvl__weight_index_parse(json_t **weight_map, rvl_span bytes, const char *name, rvl_error *err);

#endif /* RVL_ENGINE_WEIGHT_INDEX_H */
