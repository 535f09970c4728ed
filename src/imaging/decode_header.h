/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/decode_header.h
 * What the header of a DICOM file says of its place in a cohort, read in a worker process like pixels.
 */
#ifndef RVL_IMAGING_DECODE_HEADER_H
#define RVL_IMAGING_DECODE_HEADER_H
#include "imaging/decode.h"

/** Texts are UTF-8, "" where the file does not say. The identifiers are personal. */
typedef struct {
    char         patient_id[260], study_uid[65], series_uid[65], accession[68];
    char         modality_text[20]; /* the file's word: "CT", "DX", "SR" */
    char         sex[4], age[8], date[12];
    rvl_modality modality; /* UNKNOWN: no kind of image that rvl takes */
    rvl_view     view;
    bool         has_pixels, has_burned_in, is_multi_frame;
} rvl_decode_header;

/** Begin to read the header of the file `path`, called `name` in messages; both borrowed until it is finished. */
void                    rvl_decoder_start_header(rvl_decoder *d, int i, const char *path, const char *name);
/** The errors of rvl_dicom_open and rvl_decoder_finish; UNSUPPORTED if the file is not DICOM. */
RVL_MUST_USE rvl_status rvl_decoder_finish_header(rvl_decode_header *out, rvl_decoder *d, int i, rvl_error *err);

#endif /* RVL_IMAGING_DECODE_HEADER_H */
