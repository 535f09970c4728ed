/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/duplicates.h
 * Equal texts in a contrastive batch. Radiology reports repeat ("No acute abnormality."): taken as negatives of each
 * other they teach the towers to tell apart what is the same.
 */
#ifndef RVL_LEARN_DUPLICATES_H
#define RVL_LEARN_DUPLICATES_H
#include <stdbool.h>
#include <stdint.h>

/** group[i] is the smallest j with hash[j] == hash[i]. Returns how many items share theirs with another. */
int64_t rvl_group_equal(int32_t *group, const uint64_t *hash, int64_t n);
/** targets (n, n), symmetric, every row a distribution: 1 / size of the group for all of one group, 0 elsewhere (the
 *  label-aware targets of Yang et al. 2022, "Unified contrastive learning in image-text-label space", eq. 3 and 4). */
void    rvl_share_targets(float *targets, const int32_t *group, int64_t n);

#endif /* RVL_LEARN_DUPLICATES_H */
