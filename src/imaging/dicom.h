/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom.h
 * One DICOM file: its facts, its stored values, its physical values, its picture as a reader sees it.
 *
 * Pixels: uncompressed (implicit, explicit, big endian, deflated, encapsulated), RLE, JPEG (baseline, extended,
 * progressive, lossless), JPEG-LS, JPEG 2000, HTJ2K, deflated frames; 1, 8, 16 and 32 bits, float and double. Damaged
 * or cut files are refused, never partly read. Messages name the file and hold no patient identifier.
 *
 * In a build without DCMTK (CMake's RVL_DICOM=OFF) every function that can fail returns RVL_ERR_DEVICE.
 * Threads: a rvl_dicom belongs to one thread; several may be read at once.
 */
#ifndef RVL_IMAGING_DICOM_H
#define RVL_IMAGING_DICOM_H
#include "imaging/volume.h"

typedef struct rvl_dicom rvl_dicom;

typedef enum {
    RVL_DICOM_U8,
    RVL_DICOM_I8,
    RVL_DICOM_U16,
    RVL_DICOM_I16,
    RVL_DICOM_U32,
    RVL_DICOM_I32,
    RVL_DICOM_F32,
    RVL_DICOM_F64
} rvl_dicom_type;

/** Texts are UTF-8, "" where the file does not say; numbers without a value are NaN, integers -1. The identifiers
 *  (patient, study, series, instance, frame of reference) are opaque and personal: hash them before they are shown or
 *  stored. */
typedef struct {
    char    transfer_syntax[65], sop_class[65];
    char    instance_uid[65], series_uid[65], study_uid[65], frame_of_reference_uid[65];
    char    patient_id[260];
    char    modality[20], body_part[68], view_position[20], view_code[68], laterality[4], image_type[200];
    char    photometric[20], presentation_shape[20], rescale_type[68];
    int64_t rows, columns, frames; /* 0 rows: the file holds no pixels */
    int     samples, planar, bits_allocated, bits_stored, high_bit;
    bool    is_signed, has_pixels, is_lossy, has_overlay_bits;
    bool    has_burned_in; /* BurnedInAnnotation is YES */
    bool    has_modality_lut, has_voi_lut;
    bool    has_padding; /* stored values padding_low .. padding_high stand for "no data" */
    int64_t padding_low, padding_high;
    double  window_center, window_width; /* the first window; NaN */
    char    voi_function[20];            /* "" is linear */
    int64_t series_number, acquisition_number, instance_number;
    double  gantry_tilt_deg;
} rvl_dicom_header;

/** What may differ from frame to frame: from the frame's functional groups, the shared ones, or the data set. */
typedef struct {
    double   slope, intercept; /* 1, 0 if !has_rescale */
    bool     has_rescale, has_position, has_orientation, has_spacing;
    rvl_vec3 position_mm;               /* LPS, centre of the first pixel */
    rvl_vec3 row, column;               /* unit vectors: along a row (to the next column), along a column */
    double   row_step_mm;               /* between rows (PixelSpacing[0], else ImagerPixelSpacing[0]) */
    double   column_step_mm;            /* between columns */
    double   slice_thickness_mm;        /* NaN; not the distance of slices */
    double   spacing_between_slices_mm; /* NaN */
} rvl_dicom_frame;

/** Stored values (frames, rows, columns, samples), this machine's byte order, as the header's bits and sign say. 1-bit
 *  pixels are 0 and 1 in U8; colour is not converted. */
typedef struct {
    rvl_dicom_type type;
    int            item_bytes, samples;
    int64_t        frames, rows, columns;
    void          *values;               /* owned; rvl_dicom_pixels_fini */
    bool           is_signed_codestream; /* JPEG 2000 says signed where the header says unsigned: `values` are by the
                                            header, the physical values by the codestream */
} rvl_dicom_pixels;

/** Whether the file can be DICOM at all, by its first bytes: a preamble with "DICM", or a plausible first element. */
bool                    rvl_dicom_is(const void *bytes, size_t n_bytes);
/** Read a file, decode nothing. IO, FORMAT, UNSUPPORTED, LIMIT, NOMEM, DEVICE. On failure `*out` is NULL. */
RVL_MUST_USE rvl_status rvl_dicom_open(rvl_dicom **out, const char *path, const rvl_limits *limits, rvl_error *err);
/** The same from memory, which may go afterwards; `name` is for messages. */
RVL_MUST_USE rvl_status rvl_dicom_parse(rvl_dicom **out, const void *bytes, size_t n_bytes, const char *name,
                                        const rvl_limits *limits, rvl_error *err);
void                    rvl_dicom_close(rvl_dicom *d); /* NULL is allowed */
const rvl_dicom_header *rvl_dicom_get_header(const rvl_dicom *d);
/** Facts of frame `i_frame` (0 .. frames - 1). */
RVL_MUST_USE rvl_status rvl_dicom_get_frame(rvl_dicom_frame *out, const rvl_dicom *d, int64_t i_frame, rvl_error *err);
/** The text of an element of the data set (group << 16 | element) in UTF-8 by its character set, values separated by
 *  backslashes; "" if absent. UNSUPPORTED for character sets that are not known, FORMAT for bytes outside the set. */
RVL_MUST_USE rvl_status rvl_dicom_get_text(char **out, const rvl_dicom *d, uint32_t tag, rvl_error *err); /* rvl_free */

RVL_MUST_USE rvl_status rvl_dicom_stored(rvl_dicom_pixels *out, const rvl_dicom *d, rvl_error *err);
void                    rvl_dicom_pixels_fini(rvl_dicom_pixels *p);
const char             *rvl_dicom_type_text(rvl_dicom_type type); /* NumPy's names: "uint8", "int16", ... */
/** Value i (counted over samples) as a double. */
double                  rvl_dicom_at(const rvl_dicom_pixels *p, int64_t i);

/**
 * Physical values (frames, rows, columns), F32, unit, view, modality and geometry set.
 * CT: slope * stored + intercept, unit HU (ARBITRARY if the file gives no rescale or another rescale type); padding
 * becomes air (RVL_HU_AIR). Others: modality LUT or rescale, unit ARBITRARY; MONOCHROME1 is turned over within the
 * range of its bits, so that larger is brighter; palette and colour become luma; padding becomes the least other value.
 * Geometry of a multi-frame object is that of its first frame with the distance to the second.
 */
RVL_MUST_USE rvl_status rvl_dicom_physical(rvl_volume **out, const rvl_dicom *d, rvl_error *err);

typedef enum {
    RVL_DICOM_VOI_NONE, /* modality LUT or rescale, brightness by photometric and presentation LUT shape */
    RVL_DICOM_VOI_FILE  /* and the file's VOI LUT, else its first window, else the range of its bits: F32, 0 .. 1 */
} rvl_dicom_voi;
/** A radiograph or another picture of one frame as a reader sees it: larger is brighter, unit DISPLAY. Integers that
 * fit stay U8 or U16. UNSUPPORTED for several frames. */
RVL_MUST_USE rvl_status rvl_dicom_picture(rvl_volume **out, const rvl_dicom *d, rvl_dicom_voi voi, rvl_error *err);

/** View and modality in rvl's words: CR, DX, RG -> cxr (of a chest, or no part given), MG -> mg, CT -> ct. */
rvl_modality rvl_dicom_modality(const rvl_dicom_header *h);
rvl_view     rvl_dicom_view(const rvl_dicom_header *h);
#endif /* RVL_IMAGING_DICOM_H */
