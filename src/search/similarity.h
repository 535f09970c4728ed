/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file search/similarity.h
 * Names of similarities in index files.
 */
#ifndef RVL_SEARCH_SIMILARITY_H
#define RVL_SEARCH_SIMILARITY_H
#include "model/model.h"

const char *rvl__similarity_text(rvl_similarity s);
bool        rvl__similarity_parse(const char *text, rvl_similarity *out);
#endif /* RVL_SEARCH_SIMILARITY_H */
