/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/raster.h
 * Shared by the raster readers: one decoder per format, the limits with their defaults, luma.
 */
#ifndef RVL_IMAGING_RASTER_H
#define RVL_IMAGING_RASTER_H
#include "imaging/npy.h"
#include "imaging/volume.h"
#include "base/str.h"

RVL_MUST_USE rvl_status rvl__png_decode(rvl_volume **out, rvl_span file, const char *name, const rvl_limits *limits,
                                        rvl_error *err);
RVL_MUST_USE rvl_status rvl__jpeg_decode(rvl_volume **out, rvl_span file, const char *name, const rvl_limits *limits,
                                         rvl_error *err);
/** RVL_ERR_LIMIT if the picture is larger than `limits` (already with defaults filled in) allow. */
RVL_MUST_USE rvl_status rvl__raster_check_size(int64_t depth, int64_t height, int64_t width, const char *name,
                                               const rvl_limits *limits, rvl_error *err);
/** An array of two axes (one slice) or three as a volume of the narrowest type that holds it, unit DISPLAY. */
RVL_MUST_USE rvl_status rvl__npy_to_volume(rvl_volume **out, const rvl_npy *a, const char *name,
                                           const rvl_limits *limits, rvl_error *err);

/** ITU-R BT.601 luma, rounded; 16-bit samples do not overflow. */
static inline uint32_t rvl__luma(uint32_t r, uint32_t g, uint32_t b)
{
    return (299U * r + 587U * g + 114U * b + 500U) / 1000U;
}
#endif /* RVL_IMAGING_RASTER_H */
