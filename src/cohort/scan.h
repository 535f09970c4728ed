/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/scan.h
 * A folder of DICOM files without a table: the headers are the table.
 *
 * Radiographs and mammograms are a row a file; the slices of a CT series are a row together. What is no image of the
 * wanted modality is a row that fails with its reason, so that no file is passed over in silence.
 */
#ifndef RVL_COHORT_SCAN_H
#define RVL_COHORT_SCAN_H
#include "cohort/map.h"
#include "imaging/decode.h"

/** Make the map and the table of all files below `folder` (links are not followed). `modality` UNKNOWN: the one of
 *  most rows. Without `keep_phi` files with burned-in text are rows that fail, by themselves. NOT_FOUND if no file is a
 *  DICOM image that can be taken. */
RVL_MUST_USE rvl_status rvl__scan_folder(rvl__map *out, const char *folder, rvl_modality modality, bool keep_phi,
                                         const rvl_worker_opts *limits, rvl_error *err);

#endif /* RVL_COHORT_SCAN_H */
