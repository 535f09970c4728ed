/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/dcmtk.h
 * The C face of DCMTK: parsing of a data set, its elements, its pixel bytes, JPEG frames. No C++ type and no exception
 * passes it. What is returned by pointer is borrowed from the data set.
 */
#ifndef RVL_IMAGING_DICOM_DCMTK_H
#define RVL_IMAGING_DICOM_DCMTK_H
#include "rvl/status.h"
RVL_BEGIN_DECLS

typedef struct rvl__dcmtk      rvl__dcmtk;      /* a data set */
typedef struct rvl__dcmtk_item rvl__dcmtk_item; /* the data set itself or an item of a sequence in it */

/** Group in the upper half, element in the lower: 0x00280010 is Rows. */
typedef uint32_t rvl__dicom_tag;

#define RVL__DCMTK_WHY_BYTES 200

/** Whether DCMTK reads 32 bits as the length of an element of this VR in explicit syntax; it has its own mind of those
 * that no standard knows. */
bool                    rvl__dcmtk_vr_is_long(const char vr[3]);
/** Parse the data set (behind the meta header). `syntax` is the transfer syntax as a UID DCMTK knows, "" to find it
 *  out. FORMAT with DCMTK's reason in `why`, NOMEM, DEVICE if DCMTK's tag dictionary is not installed. */
RVL_MUST_USE rvl_status rvl__dcmtk_parse(rvl__dcmtk **out, const void *bytes, size_t n_bytes, const char *syntax,
                                         char why[RVL__DCMTK_WHY_BYTES]);
void                    rvl__dcmtk_free(rvl__dcmtk *d); /* NULL is allowed */
/** UID of the syntax the data set was parsed by. */
const char             *rvl__dcmtk_syntax(rvl__dcmtk *d);

rvl__dcmtk_item *rvl__dcmtk_root(rvl__dcmtk *d);
/** Item `i` of sequence `tag`; NULL if there is none. */
rvl__dcmtk_item *rvl__dcmtk_get_item(rvl__dcmtk_item *item, rvl__dicom_tag tag, int64_t i);
bool             rvl__dcmtk_has(rvl__dcmtk_item *item, rvl__dicom_tag tag);
/** Value `i` of an element as text, numbers written out, blanks at the ends removed; false if absent, empty, or longer
 *  than fits. */
bool             rvl__dcmtk_value(char *out, size_t n_bytes, rvl__dcmtk_item *item, rvl__dicom_tag tag, int64_t i);
/** All bytes of a text element as they stand in the file; false if absent or not text. */
bool             rvl__dcmtk_raw(const char **out, size_t *n_bytes, rvl__dcmtk_item *item, rvl__dicom_tag tag);
/** The 16-bit words of an element (US, SS, OW), in this machine's byte order. */
bool             rvl__dcmtk_words(const uint16_t **out, size_t *n_words, rvl__dcmtk_item *item, rvl__dicom_tag tag);

/** Bytes of native pixel data, 16-bit words little endian; false if there is none or it is encapsulated. Float and
 *  double pixel data come in this machine's byte order. */
bool                    rvl__dcmtk_native(const uint8_t **out, size_t *n_bytes, rvl__dcmtk *d, rvl__dicom_tag tag);
/** Fragments of encapsulated pixel data, the offset table counted as number 0; 0 if it is native. */
int64_t                 rvl__dcmtk_n_fragments(rvl__dcmtk *d);
bool                    rvl__dcmtk_fragment(const uint8_t **out, size_t *n_bytes, rvl__dcmtk *d, int64_t i);
/** Decode frame `i_frame`, which begins at fragment `i_fragment`, by DCMTK's JPEG decoders: samples of one
 * pixel side by side, no colour conversion, this machine's byte order. `out` has room for `n_bytes` (even). */
RVL_MUST_USE rvl_status rvl__dcmtk_jpeg(uint8_t *out, size_t n_bytes, rvl__dcmtk *d, int64_t i_frame,
                                        int64_t i_fragment, char why[RVL__DCMTK_WHY_BYTES]);

RVL_END_DECLS
#endif /* RVL_IMAGING_DICOM_DCMTK_H */
