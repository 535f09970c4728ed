/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/resample.h
 * A volume on another grid: other spacing, turned axes, cropped and padded, windowed. Every result says where it lies,
 * so rvl_grid_map_between(result, source) takes points and boxes back, and rvl_volume_onto takes masks back.
 *
 * Each function makes a new volume (owned by the caller; NULL on failure) and leaves its input alone. NaN and Inf are
 * refused by resampling (NUMERIC): they would spread.
 */
#ifndef RVL_IMAGING_RESAMPLE_H
#define RVL_IMAGING_RESAMPLE_H
#include "imaging/geometry.h"

typedef enum { RVL_INTERPOLATE_LINEAR, RVL_INTERPOLATE_NEAREST } rvl_interpolation;

typedef enum {
    /* The new spacing is exact, the middles of both fields of view coincide, the sides are rounded:
     * n' = round(n * s / t), voxel j lies at source voxel (j + 0.5 - n' / 2) * t / s + n / 2 - 0.5. */
    RVL_RESAMPLE_CENTRE,
    /* [ct-clip], what torch.nn.functional.interpolate(mode "trilinear", align_corners False, size int(n * (s / t)))
     * gives: the outer edges of both fields of view coincide, so the spacing is n * s / n', not quite t. */
    RVL_RESAMPLE_CT_CLIP
} rvl_resample_rule;

/** Trilinear (or nearest) to the spacing `to_mm` along width, height and depth. Points beyond the outermost voxel
 *  centres take the outermost voxel. Linear gives F32, or with `keep_type` the source's type, rounded half up; nearest
 *  keeps the type. USAGE if a spacing is not positive or the source's is not known, LIMIT above 2^31 voxels. */
RVL_MUST_USE rvl_status rvl_volume_resample(rvl_volume **out, const rvl_volume *v, rvl_vec3 to_mm,
                                            rvl_resample_rule rule, rvl_interpolation how, bool keep_type,
                                            rvl_error *err);
/** The grid that rvl_volume_resample gives, without the voxels. */
RVL_MUST_USE rvl_status rvl_grid_resampled(rvl_grid *out, const rvl_grid *g, rvl_vec3 to_mm, rvl_resample_rule rule,
                                           rvl_error *err);
/** `v` on any grid, by way of the world; `outside` where the grid's voxel centre is outside all voxels of `v`. For
 *  masks: nearest. The result has the type of `v` (rounded half up), and the place of `grid`. */
RVL_MUST_USE rvl_status rvl_volume_onto(rvl_volume **out, const rvl_volume *v, const rvl_grid *grid,
                                        rvl_interpolation how, double outside, rvl_error *err);
/** Axes swapped and turned round so that they run nearest to `codes` ("LPS", "RAS": where indices grow to, along width,
 *  height, depth). No voxel changes. USAGE for codes that are no three axes, UNSUPPORTED without geometry. */
RVL_MUST_USE rvl_status rvl_volume_orient(rvl_volume **out, const rvl_volume *v, const char *codes, rvl_error *err);
/** New axis a (0 width, 1 height, 2 depth) is source axis `axis[a]`, turned round if flip[a]. {1, 0, 2} without flips
 * is CT-CLIP's array (depth, file's x, file's y). USAGE if `axis` is no permutation. */
RVL_MUST_USE rvl_status rvl_volume_permute(rvl_volume **out, const rvl_volume *v, const int axis[3], const bool flip[3],
                                           rvl_error *err);
/** Cropped and padded about the middle to the given sides: floor(excess / 2) is cut before, floor(lack / 2) of `pad`
 * put before (CT-CLIP's rule too). A pad value that the type does not hold is USAGE. */
RVL_MUST_USE rvl_status rvl_volume_fit(rvl_volume **out, const rvl_volume *v, int64_t depth, int64_t height,
                                       int64_t width, double pad, rvl_error *err);
/** The grids that rvl_volume_permute and rvl_volume_fit give, without the voxels; `axis` must be a permutation. */
rvl_grid                rvl_grid_permuted(const rvl_grid *g, const int axis[3], const bool flip[3]);
rvl_grid                rvl_grid_fitted(const rvl_grid *g, int64_t depth, int64_t height, int64_t width);
/** The axes and flips by which rvl_volume_orient turns a volume of grid `g`; its errors. */
RVL_MUST_USE rvl_status rvl_grid_orient(int axis[3], bool flip[3], const rvl_grid *g, const char *codes,
                                        rvl_error *err);
/** F32: clipped to low..high and mapped to out_low..out_high. NaN and Inf: NUMERIC. USAGE unless low < high. */
RVL_MUST_USE rvl_status rvl_volume_window(rvl_volume **out, const rvl_volume *v, double low, double high,
                                          double out_low, double out_high, rvl_error *err);
/** Voxels clipped to low..high in place, type kept (the ends rounded to it). NaN stays. */
void                    rvl_volume_clip(rvl_volume *v, double low, double high);
/** Set voxel i; the value is rounded half up and clipped to the type. */
void                    rvl_volume_set(rvl_volume *v, int64_t i, double value);
#endif /* RVL_IMAGING_RESAMPLE_H */
