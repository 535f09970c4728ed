/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/volume_file.h
 * Load a volume from any file that holds one: NIfTI, npz, npy, PNG, JPEG, told by content.
 */
#ifndef RVL_IMAGING_VOLUME_FILE_H
#define RVL_IMAGING_VOLUME_FILE_H
#include "imaging/nifti.h"
#include "imaging/npy.h"

typedef struct {
    rvl_nifti_opts voxels; /* frame, and what becomes of NaN and Inf, of any format */
    const char    *member; /* of an npz; NULL: "ct" (RAD-ChestCT), "arr_0" (CT-CLIP) or "data", whichever is there */
} rvl_volume_opts;
rvl_volume_opts rvl_volume_opts_default(void); /* one frame, NaN and Inf refused */

typedef enum { RVL_FORMAT_NIFTI, RVL_FORMAT_NPZ, RVL_FORMAT_IMAGE } rvl_volume_format;
typedef struct {
    rvl_volume_format format;
    rvl_nifti_info    nifti;      /* of a NIfTI file */
    char              member[64]; /* of an npz */
    int64_t           n_non_finite;
} rvl_volume_info;

/** Volumes of NIfTI and npz come with unit UNKNOWN; npy and pictures with DISPLAY. `opts`, `limits` and `info` may be
 *  NULL; the errors are those of the readers. */
RVL_MUST_USE rvl_status rvl_volume_load(rvl_volume **out, rvl_volume_info *info, const char *path,
                                        const rvl_volume_opts *opts, const rvl_limits *limits, rvl_error *err);
/** The array `wanted` of an npz, or the first of the usual names (NULL); `a` is the caller's. NOT_FOUND names them. */
RVL_MUST_USE rvl_status rvl__npz_find(rvl_npy *a, char member[64], const char *path, const char *wanted,
                                      size_t max_bytes, rvl_error *err);
/** By its first bytes; half of a NIfTI pair by its name. IMAGE for all others, and for what cannot be read. */
rvl_volume_format       rvl_volume_file_format(const char *path);
/** Whether there is such a file and it is NIfTI or npz. */
bool                    rvl_volume_file_is(const char *path);
#endif /* RVL_IMAGING_VOLUME_FILE_H */
