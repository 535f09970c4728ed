/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/nifti.h
 * NIfTI-1 and NIfTI-2: .nii, .nii.gz, and pairs of .hdr and .img; both byte orders.
 *
 * Voxels stay in the file's order (index x fastest); only the map to the world changes from RAS to LPS. Where voxels
 * lie says the sform if sform_code > 0, else the qform if qform_code > 0, else the file does not know (spacing only).
 * Stored values become slope * stored + intercept, unless the slope is 0 or not a number (the standard's "no scaling").
 *
 * Refused with a reason: ANALYZE 7.5, CIFTI, RGB, complex, 1-bit and 128-bit voxels, vectors, more than one frame
 * unless one is asked for, headers that do not add up, sizes that the file cannot hold (before memory is taken), cut or
 * damaged data (checksums of gzip are verified).
 */
#ifndef RVL_IMAGING_NIFTI_H
#define RVL_IMAGING_NIFTI_H
#include "imaging/volume.h"
#include "base/str.h"

typedef enum {
    RVL_NON_FINITE_REFUSE, /* NUMERIC, with their number */
    RVL_NON_FINITE_FILL,   /* replaced by `fill` */
    RVL_NON_FINITE_KEEP    /* left in the volume, for looking at a file */
} rvl_non_finite;

/** One row of stored voxels, before slope and intercept, as they pass; borrowed for the call. */
typedef struct {
    const uint8_t *bytes; /* little-endian, n_voxels * item_bytes */
    int64_t        n_voxels;
    int            item_bytes;
    char           kind; /* 'u' 'i' 'f' */
} rvl_nifti_row;
double rvl_nifti_row_at(const rvl_nifti_row *row, int64_t i);

typedef struct {
    int64_t        frame; /* of a 4-D file, from 0; -1: a file with more than one is refused */
    rvl_non_finite non_finite;
    double         fill;
    void (*on_row)(void *context, const rvl_nifti_row *row); /* sees every row of the frame, in order; NULL: nobody */
    void *context;
} rvl_nifti_opts;
rvl_nifti_opts rvl_nifti_opts_default(void); /* frame -1, non-finite voxels refused */

typedef enum { RVL_NIFTI_PLACE_NONE, RVL_NIFTI_PLACE_QFORM, RVL_NIFTI_PLACE_SFORM } rvl_nifti_place;

/** What the header says beside the volume. */
typedef struct {
    int             version; /* 1 or 2 */
    bool            big_endian;
    const char     *stored_type; /* "u8" "i8" "i16" "u16" "i32" "u32" "i64" "u64" "f32" "f64" */
    bool            is_scaled;   /* slope and intercept were applied */
    double          slope, intercept;
    int             qform_code, sform_code;
    rvl_nifti_place place;           /* which of them the volume's geometry is from */
    double          disagreement_mm; /* of sform and qform at the grid's corners; 0 unless the file has both */
    int64_t         n_frames;
    int64_t         n_non_finite; /* voxels of the frame that were NaN or Inf */
    char            description[81];
} rvl_nifti_info;

/** Whether these first bytes (at least 348, plain or gzip) may be a NIfTI or ANALYZE header. */
bool                    rvl_nifti_is(rvl_span file);
/**
 * Read one frame. Integer voxels, and scaled ones that are whole numbers, become the narrowest of U8, U16 and I16 that
 * holds them, other ones F32 (integers beyond 2^24 are refused: F32 would change them). The unit is UNKNOWN: NIfTI does
 * not say (imaging/hu.h finds out). `path` of a pair may name either half. `opts`, `limits` and `info` may be NULL.
 */
RVL_MUST_USE rvl_status rvl_nifti_load(rvl_volume **out, rvl_nifti_info *info, const char *path,
                                       const rvl_nifti_opts *opts, const rvl_limits *limits, rvl_error *err);
/** The same from memory; `image` is the second half of a pair, empty for one file. */
RVL_MUST_USE rvl_status rvl_nifti_parse(rvl_volume **out, rvl_nifti_info *info, rvl_span file, rvl_span image,
                                        const char *name, const rvl_nifti_opts *opts, const rvl_limits *limits,
                                        rvl_error *err);
/**
 * Write NIfTI-1, gzip-compressed if the name ends with ".gz"; voxels as they are, slope 1. With geometry both forms are
 * written (code 1, scanner), the qform only if the axes are at right angles (it cannot hold shear); without, spacing
 * only. The same volume always gives the same bytes. Atomic. USAGE if the name ends with neither ".nii" nor ".nii.gz",
 * LIMIT if a side is above 32,767.
 */
RVL_MUST_USE rvl_status rvl_nifti_save(const rvl_volume *v, const char *path, rvl_error *err);

/** A file that rvl_nifti_save would write under a name that ends with ".nii", plane by plane. */
typedef struct rvl_nifti_file rvl_nifti_file;
/** Begin it: type, sides, place and unit of `facts`, whose voxels may be absent. */
RVL_MUST_USE rvl_status       rvl_nifti_file_open(rvl_nifti_file **out, const rvl_volume *facts, const char *path,
                                                  rvl_error *err);
/** Plane z, in any order; several threads may do so at once. Every plane must come. */
RVL_MUST_USE rvl_status       rvl_nifti_file_put(rvl_nifti_file *f, int64_t z, const void *voxels, size_t n_bytes,
                                                 rvl_error *err);
/** Frees `f`, also on failure. */
RVL_MUST_USE rvl_status       rvl_nifti_file_commit(rvl_nifti_file *f, rvl_error *err);
void                          rvl_nifti_file_discard(rvl_nifti_file *f); /* NULL is allowed */
#endif                                                                   /* RVL_IMAGING_NIFTI_H */
