/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/montage.h
 * A volume at a glance: slices in one picture.
 */
#ifndef RVL_IMAGING_MONTAGE_H
#define RVL_IMAGING_MONTAGE_H
#include "imaging/volume.h"

/**
 * A U8 picture (one slice, unit DISPLAY, owned) of `n_tiles` slices spread evenly over the depth (all, if there are no
 * more), row by row, ceil(sqrt(n)) beside each other; pixels are square in mm where the spacing is known. `window` is
 * {low, high} or NULL: -1000 .. 400 for HU, else from the 0.5th to the 99.5th percentile of these slices. A volume with
 * geometry is shown as axial slices, the patient's right on the left. USAGE for n_tiles outside 1..1024.
 */
RVL_MUST_USE rvl_status rvl_montage(rvl_volume **out, const rvl_volume *v, int64_t n_tiles, const double *window,
                                    rvl_error *err);
#endif /* RVL_IMAGING_MONTAGE_H */
