/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/internal.h
 * Shared by the files of the DICOM reader.
 */
#ifndef RVL_IMAGING_DICOM_INTERNAL_H
#define RVL_IMAGING_DICOM_INTERNAL_H
#include "base/str.h"
#include "imaging/dicom.h"
#include "imaging/dicom/dcmtk.h"

/** How the bytes of a frame are coded. */
typedef enum {
    RVL__CODEC_NATIVE, /* one block of uncompressed pixels */
    RVL__CODEC_ENCAPSULATED,
    RVL__CODEC_RLE,
    RVL__CODEC_JPEG,
    RVL__CODEC_JPEG_LS,
    RVL__CODEC_JPEG_2000, /* and HTJ2K */
    RVL__CODEC_DEFLATED_FRAME
} rvl__dicom_codec;

typedef struct {
    const char      *uid;
    rvl__dicom_codec codec;
    const char      *parse_as; /* a UID that DCMTK knows and whose data set is written the same way */
    bool             is_deflated, is_big_endian;
} rvl__dicom_syntax;

struct rvl_dicom {
    char                    *name;
    rvl_limits               limits;
    rvl__dcmtk              *dataset;
    const rvl__dicom_syntax *syntax;
    rvl_dicom_header         header;
    bool                     is_header_only; /* the data set ends before its pixels */
    bool                     has_pixels;     /* of a header only: pixels follow it */
    rvl_span                 borrowed; /* native pixels in the file's own bytes; empty: in the data set. Of a header
                                          only: where they are, as long as the file's bytes are there */
};

/** The syntax of a UID; NULL if it is not known. */
const rvl__dicom_syntax *rvl__dicom_syntax_find(const char *uid);
/** "cannot read DICOM '<name>': " before a formatted reason. */
rvl_status               rvl__dicom_fail(const rvl_dicom *d, rvl_error *err, rvl_status status, const char *format, ...)
    RVL_PRINTF(4, 5);

/** Refuse structures that are deeper nested than 32 or whose elements reach past the end: a parser that trusts them
 * takes the memory or the stack they ask for. `is_implicit` by the transfer syntax. `n_before_pixels` (may be NULL):
 * walk only as far as the pixel data and say how many bytes lie before them; all, if there are none. */
RVL_MUST_USE rvl_status rvl__dicom_walk(const rvl_dicom *d, rvl_span dataset, bool is_implicit, bool is_big_endian,
                                        size_t *n_before_pixels, rvl_error *err);
/** As rvl_dicom_parse, but what stands before the pixels only: header, frames and texts can be asked for. */
RVL_MUST_USE rvl_status rvl__dicom_parse_header(rvl_dicom **out, const void *bytes, size_t n_bytes, const char *name,
                                                const rvl_limits *limits, rvl_error *err);
/** As rvl_dicom_parse, but uncompressed little-endian pixels are not copied: `bytes` must outlive `*out`. */
RVL_MUST_USE rvl_status rvl__dicom_parse_borrowed(rvl_dicom **out, const void *bytes, size_t n_bytes, const char *name,
                                                  const rvl_limits *limits, rvl_error *err);
/** rvl_dicom_stored of one frame; `out->frames` is 1. UNSUPPORTED for pixels of 1 bit. */
RVL_MUST_USE rvl_status rvl__dicom_stored_frame(rvl_dicom_pixels *out, const rvl_dicom *d, int64_t i_frame,
                                                rvl_error *err);
/** Fill d->header from the data set and check what pixels need. */
RVL_MUST_USE rvl_status rvl__dicom_header_read(rvl_dicom *d, rvl_error *err);

/** Text of a value to a number; false if absent or not a number. */
bool rvl__dicom_f64(double *out, rvl__dcmtk_item *item, rvl__dicom_tag tag, int64_t i);
bool rvl__dicom_i64(int64_t *out, rvl__dcmtk_item *item, rvl__dicom_tag tag, int64_t i);

/** UTF-8 (rvl_free) of raw bytes by the value of SpecificCharacterSet ("" is ASCII). UNSUPPORTED, FORMAT, NOMEM. */
RVL_MUST_USE rvl_status rvl__dicom_utf8(char **out, rvl_span raw, const char *charset, rvl_error *err);

/** Fragments of each frame: `first[f] .. first[f + 1]`, frames + 1 numbers (rvl_free). */
RVL_MUST_USE rvl_status rvl__dicom_frames_find(int64_t **first, const rvl_dicom *d, rvl_error *err);
/** The bytes of fragments `from` .. `to` in one block (rvl_free). */
RVL_MUST_USE rvl_status rvl__dicom_fragments_join(uint8_t **out, size_t *n_bytes, const rvl_dicom *d, int64_t from,
                                                  int64_t to, rvl_error *err);
/** Raw deflate stream to at most `max_bytes` (rvl_free). */
RVL_MUST_USE rvl_status rvl__dicom_inflate(uint8_t **out, size_t *n_out, const rvl_dicom *d, rvl_span packed,
                                           size_t max_bytes, rvl_error *err);

/** One frame decoded by a codec: `out` has rows * columns * samples items of the pixels' type, samples side by side. */
typedef struct {
    int64_t rows, columns;
    int     samples, item_bytes;
    bool    is_signed;            /* by the header */
    int     bits_stored;          /* by the header */
    bool    is_signed_codestream; /* set by the codec */
} rvl__dicom_frame_spec;
RVL_MUST_USE rvl_status rvl__dicom_rle(void *out, const rvl_dicom *d, const rvl__dicom_frame_spec *spec, rvl_span coded,
                                       rvl_error *err);
RVL_MUST_USE rvl_status rvl__dicom_jpeg_ls(void *out, const rvl_dicom *d, const rvl__dicom_frame_spec *spec,
                                           rvl_span coded, rvl_error *err);
RVL_MUST_USE rvl_status rvl__dicom_jpeg_2000(void *out, const rvl_dicom *d, rvl__dicom_frame_spec *spec, rvl_span coded,
                                             rvl_error *err);

/** The item of a functional group: the frame's own, else the shared one, else the data set itself. */
rvl__dcmtk_item *rvl__dicom_group(const rvl_dicom *d, int64_t i_frame, rvl__dicom_tag group);

/** Pixels to gray values before VOI and before MONOCHROME1 is turned over; `range` gets the least and the most that the
 *  header's bits can give. `padded` (may be NULL) gets 1 per padding pixel. */
RVL_MUST_USE rvl_status rvl__dicom_gray(float *out, double range[2], uint8_t *padded, const rvl_dicom *d,
                                        const rvl_dicom_pixels *p, rvl_error *err);
/** The file's VOI LUT or window on `n` gray values, in place, to 0 .. 1; false if the file has neither. */
RVL_MUST_USE rvl_status rvl__dicom_voi_apply(bool *is_applied, float *gray, int64_t n, const rvl_dicom *d,
                                             rvl_error *err);
#endif /* RVL_IMAGING_DICOM_INTERNAL_H */
