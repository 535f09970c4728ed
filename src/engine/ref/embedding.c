/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/ref/embedding.c
 * Rows of a table by id, and the gradient of the table.
 */
#include <string.h>
#include "engine/ref/ref.h"

/* Whether the id at `i` stands at an earlier position already. */
static bool id_seen_before(const int32_t *ids, int64_t i)
{
    for (int64_t j = i - 1; j >= 0; j--)
        if (ids[j] == ids[i])
            return true;
    return false;
}

#define RVL_REF_FILE "engine/ref/embedding.inc"
#include "engine/ref/both.h"

RVL_REF_DISPATCH(embedding)
RVL_REF_DISPATCH(embedding_bwd)
