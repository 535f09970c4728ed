/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/pos_embed.h
 * Learned positions of a transformer on another grid.
 */
#ifndef RVL_MODEL_POS_EMBED_H
#define RVL_MODEL_POS_EMBED_H
#include "rvl/tensor.h"

/**
 * Positions `from` (1, n_prefix + rows * columns of from_grid, E), any float dtype, resampled to a new f32 tensor
 * (1, n_prefix + rows * columns of to_grid, E). The first `n_prefix` positions (class token) are copied. Each channel
 * is resized as an image: bicubic (Keys, a = -0.5) with antialiasing, pixel centres aligned, weights renormalised at
 * the border; what timm's resample_abs_pos_embed gets from torch's interpolate(mode="bicubic", antialias=True).
 * SHAPE if `from` does not have that shape.
 */
RVL_MUST_USE rvl_status rvl__pos_embed_resample(rvl_tensor **out, const rvl_tensor *from, int64_t n_prefix,
                                                const int64_t from_grid[2], const int64_t to_grid[2], rvl_error *err);

#endif /* RVL_MODEL_POS_EMBED_H */
