/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/npy.h
 * NumPy arrays: .npy (format 1-3) and members of .npz (stored or deflated). Object arrays are refused: nothing is
 * ever unpickled. Big-endian and Fortran order are converted.
 */
#ifndef RVL_IMAGING_NPY_H
#define RVL_IMAGING_NPY_H
#include "rvl/status.h"

typedef struct {
    char    kind;       /* 'f' float, 'i' signed, 'u' unsigned, 'b' bool */
    int     item_bytes; /* 1, 2, 4, 8 */
    int     n_dims;     /* 0..8 */
    int64_t shape[8];
    int64_t count;
    void   *data; /* owned, native byte order, C order */
} rvl_npy;

RVL_MUST_USE rvl_status rvl_npy_parse(rvl_npy *out, const void *bytes, size_t n_bytes, const char *name,
                                      size_t max_bytes, rvl_error *err);
RVL_MUST_USE rvl_status rvl_npy_load(rvl_npy *out, const char *path, size_t max_bytes, rvl_error *err);
/** Member "train_images" (file "train_images.npy") of an npz; NULL: the one it holds. */
RVL_MUST_USE rvl_status rvl_npz_load(rvl_npy *out, const char *path, const char *member, size_t max_bytes,
                                     rvl_error *err);
RVL_MUST_USE rvl_status rvl_npy_save_f32(const char *path, const float *data, int n_dims, const int64_t *shape,
                                         rvl_error *err);
void                    rvl_npy_fini(rvl_npy *a);
double                  rvl_npy_at(const rvl_npy *a, int64_t i);
#endif /* RVL_IMAGING_NPY_H */
