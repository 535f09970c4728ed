/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/inspect_parts.h
 * The parts of inspect that look into image, volume and array files.
 */
#ifndef RVL_VERBS_INSPECT_PARTS_H
#define RVL_VERBS_INSPECT_PARTS_H
#include "imaging/npy.h"
#include <jansson.h>

/** Facts of the file at `path` into `out`; with `stats`, "stored" (shape, dtype, min, max, mean, sha256) and "physical"
 *  (unit, min, max, mean) of its values. No patient identifiers. */
RVL_MUST_USE rvl_status rvl__inspect_picture(json_t *out, const char *path, bool stats, rvl_error *err);
/** "stored" and "physical" of an array. */
void                    rvl__inspect_npy_stats(json_t *out, const rvl_npy *a);
/** As rvl__inspect_picture, of a NIfTI or npz file; without `stats` its type, geometry, histogram, and whether it looks
 * like CT. */
RVL_MUST_USE rvl_status rvl__inspect_volume(json_t *out, const char *path, bool stats, rvl_error *err);
#endif /* RVL_VERBS_INSPECT_PARTS_H */
