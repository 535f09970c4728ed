/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/nifti_header.h
 * The header of NIfTI-1 and NIfTI-2 in one form, for the reader's two halves.
 */
#ifndef RVL_IMAGING_NIFTI_HEADER_H
#define RVL_IMAGING_NIFTI_HEADER_H
#include "imaging/geometry.h"
#include "imaging/nifti.h"

enum { RVL_NIFTI1_BYTES = 348, RVL_NIFTI2_BYTES = 540 };

/* Field by field as the standard names them; offsets are in bytes, `pixdim` in the file's unit of length. */
typedef struct {
    int             version;
    bool            big_endian, is_pair;
    int64_t         dim[8];
    int             datatype, bitpix, intent_code, qform_code, sform_code, xyzt_units;
    double          pixdim[8], slope, intercept, quatern[3], qoffset[3], srow[3][4];
    double          vox_offset_real; /* NIfTI-1 stores a float */
    int64_t         vox_offset;
    char            description[81];
    const char     *name; /* of the file, for messages */
    /* worked out by rvl__nifti_header_check */
    int64_t         n_frames;
    int             item_bytes;
    char            kind; /* 'u' 'i' 'f' */
    const char     *stored_type;
    rvl_nifti_place place;
    double          disagreement_mm;
    rvl_grid        grid;
} rvl__nifti_header;

/** How long the header that begins with these bytes is: 348, 540, or 0 if it is none. */
size_t                  rvl__nifti_header_bytes(const uint8_t first[4]);
/** Unpack `n_bytes` (348 or 540) and refuse what is not NIfTI. */
RVL_MUST_USE rvl_status rvl__nifti_header_unpack(rvl__nifti_header *h, const uint8_t *bytes, size_t n_bytes,
                                                 const char *name, rvl_error *err);
/** Does it add up, are the voxels real numbers, where do they lie? Fills in the last part. */
RVL_MUST_USE rvl_status rvl__nifti_header_check(rvl__nifti_header *h, rvl_error *err);
#endif /* RVL_IMAGING_NIFTI_HEADER_H */
