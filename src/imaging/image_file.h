/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/image_file.h
 * Read any supported image file by its content (never by its name), and write PNG and JPEG.
 *
 * PNG (1..16 bit gray, RGB, palette, alpha on black), JPEG (gray, colour, CMYK), npy (2-D, 3-D), DICOM. Colour becomes
 * luma (ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, rounded). Damaged or cut files are refused, never partly read.
 */
#ifndef RVL_IMAGING_IMAGE_FILE_H
#define RVL_IMAGING_IMAGE_FILE_H
#include "imaging/volume.h"

/** Unit DISPLAY, no geometry. Modality, view and body part are left unknown: the caller knows them. A DICOM file of a
 *  radiograph or mammogram says them itself, laterality and pixel spacing too; a CT slice comes in HU; other modalities
 *  are refused. */
RVL_MUST_USE rvl_status rvl_image_load(rvl_volume **out, const char *path, const rvl_limits *limits, rvl_error *err);
/** The same from memory; `name` is for messages. */
RVL_MUST_USE rvl_status rvl_image_parse(rvl_volume **out, const void *bytes, size_t n_bytes, const char *name,
                                        const rvl_limits *limits, rvl_error *err);
/** The same; with `voi`, the VOI LUT or window of a DICOM file is applied (values 0 .. 1), as the preprocessing window
 *  "voi" wants it. Other files are read as they are. */
RVL_MUST_USE rvl_status rvl_image_load_voi(rvl_volume **out, const char *path, bool voi, const rvl_limits *limits,
                                           rvl_error *err);
RVL_MUST_USE rvl_status rvl_image_parse_voi(rvl_volume **out, const void *bytes, size_t n_bytes, const char *name,
                                            bool voi, const rvl_limits *limits, rvl_error *err);
/** Gray PNG of slice 0: U8 or U16. Atomic. */
RVL_MUST_USE rvl_status rvl_png_save(const rvl_volume *v, const char *path, rvl_error *err);
/** Gray U8 pixels as JPEG into fresh memory (rvl_free), for thumbnails. quality 1..100. */
RVL_MUST_USE rvl_status rvl_jpeg_encode(uint8_t **out, size_t *n_bytes, const uint8_t *gray, int64_t height,
                                        int64_t width, int quality, rvl_error *err);
#endif /* RVL_IMAGING_IMAGE_FILE_H */
