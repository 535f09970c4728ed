/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/duplicates.c
 * Groups of equal texts, and the targets that they share.
 */
#include "learn/duplicates.h"

int64_t rvl_group_equal(int32_t *group, const uint64_t *hash, int64_t n)
{
    int64_t n_shared = 0;

    for (int64_t i = 0; i < n; i++) {
        int64_t j = 0;
        while (hash[j] != hash[i])
            j++;
        group[i] = (int32_t)j;
    }
    for (int64_t i = 0; i < n; i++) {
        bool is_shared = false;
        for (int64_t j = 0; j < n && !is_shared; j++)
            is_shared = j != i && group[j] == group[i];
        n_shared += is_shared;
    }
    return n_shared;
}

void rvl_share_targets(float *targets, const int32_t *group, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t size = 0;
        for (int64_t j = 0; j < n; j++)
            size += group[j] == group[i];
        for (int64_t j = 0; j < n; j++)
            targets[i * n + j] = group[j] == group[i] ? 1.0F / (float)size : 0.0F;
    }
}
