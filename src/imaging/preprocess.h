/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/preprocess.h
 * From a volume to a model's input grid: the one owner of windowing, resizing and padding. Ingest, loader and
 * single-file inference all call it. Spec and hash stand in packs and bundles; a mismatch is an error.
 *
 * Order: window (clip to [low, high]) -> antialiased resize keeping the aspect ratio so that the whole image fits
 * -> pad to the size with the window's low end, image centred -> a pack stores U8/U16 codes 0..max over the
 * window; the model sees (code / max) * (out_high - out_low) + out_low.
 */
#ifndef RVL_IMAGING_PREPROCESS_H
#define RVL_IMAGING_PREPROCESS_H
#include "imaging/volume.h"
#include <jansson.h>

typedef enum {
    RVL_WINDOW_ROBUST, /* percentiles of the image: a = low, b = high percentile (default 0.5, 99.5) */
    RVL_WINDOW_FIXED,  /* a .. b in the volume's unit (HU for CT) */
    RVL_WINDOW_RANGE,  /* minimum .. maximum of the voxel type (8-bit: 0..255, float: 0..1) */
    RVL_WINDOW_VOI     /* a DICOM file's own VOI LUT or window, applied by rvl_image_load_voi; others as RANGE */
} rvl_window_kind;

typedef struct {
    rvl_modality    modality;
    rvl_view        view; /* UNKNOWN: any */
    char            body_part[16];
    int64_t         depth, height, width; /* the model's grid; depth 1 for radiographs */
    rvl_window_kind window;
    double          window_a, window_b;
    double          out_low, out_high; /* what the model sees, default -1 .. 1 */
    int             bits;              /* pack codes: 8 or 16 */
} rvl_preprocess;

rvl_preprocess          rvl_preprocess_default(rvl_modality modality, int64_t height, int64_t width);
/** out: depth * height * width values in out_low..out_high. NUMERIC if the volume holds NaN or Inf; a constant
 *  image (or one pixel) is reported by `*is_flat` (may be NULL, set on success) and is out_low everywhere under the
 *  robust window. SHAPE if the depths do not fit, USAGE if the spec makes no sense. `forced` skips the modality, view
 *  and body part check (UNSUPPORTED otherwise; unknown passes). */
RVL_MUST_USE rvl_status rvl_preprocess_apply(float *out, const rvl_preprocess *spec, const rvl_volume *v, bool forced,
                                             bool *is_flat, rvl_error *err);
/** The same as pack codes (U8 or U16 by spec->bits). */
RVL_MUST_USE rvl_status rvl_preprocess_codes(void *out, const rvl_preprocess *spec, const rvl_volume *v, bool forced,
                                             bool *is_flat, rvl_error *err);
/** Codes to the model's range; exactly what rvl_preprocess_apply gives for the same volume. */
void                    rvl_preprocess_decode(float *out, const rvl_preprocess *spec, const void *codes, int64_t n);
/** Where source pixel (x, y) lands: grid_x = scale_x * (x + 0.5) - 0.5 + offset_x, the same in y; for boxes and
 *  masks. The scales differ by the rounding of a side to whole grid pixels. */
typedef struct {
    double scale_x, scale_y, offset_x, offset_y;
} rvl_grid_map;
rvl_grid_map rvl_preprocess_map(const rvl_preprocess *spec, int64_t height, int64_t width);

RVL_MUST_USE rvl_status rvl_preprocess_to_json(json_t **out, const rvl_preprocess *spec, rvl_error *err);
RVL_MUST_USE rvl_status rvl_preprocess_from_json(rvl_preprocess *out, const json_t *json, rvl_error *err);
/** 16 hex digits over the canonical JSON; NOMEM leaves "". */
RVL_MUST_USE rvl_status rvl_preprocess_hash(char out[17], const rvl_preprocess *spec, rvl_error *err);
bool                    rvl_preprocess_equal(const rvl_preprocess *a, const rvl_preprocess *b);
/** Values at two percentiles of the image, exact for integers, of a sample for floats; the extremes if they are equal.
 *  NUMERIC if a float sample holds NaN or Inf. */
RVL_MUST_USE rvl_status rvl__percentiles(double *low, double *high, double low_percent, double high_percent,
                                         const rvl_volume *v, rvl_error *err);
/** Whether the numbers make sense, percentiles in 0..100 and sides of 1..65535 among them; `failure` if not. */
RVL_MUST_USE rvl_status rvl__preprocess_check(const rvl_preprocess *spec, rvl_status failure, rvl_error *err);

/** Augmentation of one image in the model's range (H, W), in place through `scratch` of the same size. Random
 *  numbers are a function of (seed, epoch, sample key). Small rotation, scale, shift, gain, and for half of
 *  the images noise; no flips by default: laterality matters. */
typedef struct {
    double rotate_deg, scale, shift, gain, noise; /* maximal magnitudes; zeros switch off */
    bool   flip;
} rvl_augment;
rvl_augment rvl_augment_default(void);
void        rvl_augment_apply(float *image, float *scratch, int64_t height, int64_t width, float pad_value,
                              const rvl_augment *a, uint64_t seed, uint64_t epoch, uint64_t sample_key);
#endif /* RVL_IMAGING_PREPROCESS_H */
