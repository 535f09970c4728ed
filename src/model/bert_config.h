/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/bert_config.h
 * The config.json that Hugging Face writes beside the weights of a BERT.
 */
#ifndef RVL_MODEL_BERT_CONFIG_H
#define RVL_MODEL_BERT_CONFIG_H
#include "model/model.h"

/** Take the sizes and the layer norms' epsilon of the file into `cfg`; its pooling and dropout stay. FORMAT if a size
 *  is absent or no size; UNSUPPORTED if it is no BERT with exact GELU and absolute positions. On failure `cfg` is as
 *  it was. */
RVL_MUST_USE rvl_status rvl_bert_config_read(rvl_bert_config *cfg, const char *path, rvl_error *err);

#endif /* RVL_MODEL_BERT_CONFIG_H */
