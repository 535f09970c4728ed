/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/preprocess.h
 * From a volume to a model's input grid: the one owner of windowing, resizing and padding. Ingest, loader and
 * single-file inference all call it. Spec and hash stand in packs and bundles; a mismatch is an error.
 *
 * Images (depth 1): window (clip to [low, high]) -> antialiased resize keeping the aspect ratio so that the whole image
 * fits
 * -> pad to the size with the window's low end, image centred -> a pack stores U8/U16 codes 0..max over the
 * window; the model sees (code / max) * (out_high - out_low) + out_low.
 *
 * Volumes (depth above 1): turned to `orient` -> resampled to `spacing_mm` -> cropped and padded with air about the
 * middle to the grid of the pack (the model's, or the larger load_... of which training takes random crops and
 * inference the middle) -> window -> codes. With the rule [ct-clip], CT-CLIP's order: axes (depth, file's x, file's y),
 * window, resampling, crop and pad. A CT volume must say that it is in HU (imaging/hu.h).
 */
#ifndef RVL_IMAGING_PREPROCESS_H
#define RVL_IMAGING_PREPROCESS_H
#include "imaging/hu.h"
#include "imaging/resample.h"
#include <jansson.h>

typedef enum {
    RVL_WINDOW_ROBUST, /* percentiles of the image: a = low, b = high percentile (default 0.5, 99.5) */
    RVL_WINDOW_FIXED,  /* a .. b in the volume's unit (HU for CT) */
    RVL_WINDOW_RANGE,  /* minimum .. maximum of the voxel type (8-bit: 0..255, float: 0..1) */
    RVL_WINDOW_VOI     /* a DICOM file's own VOI LUT or window, applied by rvl_image_load_voi; others as RANGE */
} rvl_window_kind;

typedef struct {
    rvl_modality      modality;
    rvl_view          view; /* UNKNOWN: any */
    char              body_part[16];
    int64_t           depth, height, width; /* the model's grid; depth 1 for radiographs */
    rvl_window_kind   window;
    double            window_a, window_b;
    double            out_low, out_high; /* what the model sees, default -1 .. 1 */
    int               bits;              /* pack codes: 8 or 16 */
    /* Of volumes; zeros for images. */
    int64_t           load_depth, load_height, load_width; /* the pack's grid; 0: the model's */
    rvl_vec3          spacing_mm;                          /* along width, height, depth; zeros: the volume's own */
    rvl_resample_rule resample;
    char              orient[4]; /* where indices grow to along width, height, depth ("LPS"); "": as they are */
} rvl_preprocess;

/** A spec by name ("ct-tiny", ...); USAGE lists the names. */
RVL_MUST_USE rvl_status rvl_preprocess_preset(rvl_preprocess *out, const char *name, rvl_error *err);
bool                    rvl_preprocess_is_volume(const rvl_preprocess *spec); /* depth above 1 */
/** Extents of a model's input, slowest first; returns their number (2 or 3). */
int                     rvl_preprocess_extents(int64_t out[3], const rvl_preprocess *spec);
int64_t                 rvl_preprocess_count(const rvl_preprocess *spec); /* values of a model's input */
/** Sides (depth, height, width) of what a pack holds. */
void                    rvl_preprocess_load_sides(int64_t out[3], const rvl_preprocess *spec);
rvl_preprocess          rvl_preprocess_default(rvl_modality modality, int64_t height, int64_t width);
/** out: depth * height * width values in out_low..out_high. NUMERIC if the volume holds NaN or Inf; a constant
 *  image (or one pixel) is reported by `*is_flat` (may be NULL, set on success) and is out_low everywhere under the
 *  robust window. SHAPE if the depths do not fit, USAGE if the spec makes no sense. `forced` skips the modality, view
 *  and body part check (UNSUPPORTED otherwise; unknown passes). */
RVL_MUST_USE rvl_status rvl_preprocess_apply(float *out, const rvl_preprocess *spec, const rvl_volume *v, bool forced,
                                             bool *is_flat, rvl_error *err);
/** The same as pack codes (U8 or U16 by spec->bits) on the pack's grid: of a volume with load_... sides it is larger
 *  than the model's. UNSUPPORTED if a CT volume does not say that it is in HU. */
RVL_MUST_USE rvl_status rvl_preprocess_codes(void *out, const rvl_preprocess *spec, const rvl_volume *v, bool forced,
                                             bool *is_flat, rvl_error *err);
/** The model's input from a row of a pack, beginning at voxel `first` (depth, height, width) of it, which may be
 *  negative or leave it: there stands the padding value. NULL: about the middle, as rvl_preprocess_apply gives it. */
void   rvl_preprocess_crop(float *out, const rvl_preprocess *spec, const void *codes, const int64_t first[3]);
/** What stands beyond the image, in the model's range: the window's low end, of CT volumes air. */
double rvl_preprocess_pad(const rvl_preprocess *spec);
/** Codes to the model's range; exactly what rvl_preprocess_apply gives for the same volume. */
void   rvl_preprocess_decode(float *out, const rvl_preprocess *spec, const void *codes, int64_t n);
/** Where source pixel (x, y) lands: grid_x = scale_x * (x + 0.5) - 0.5 + offset_x, the same in y; for boxes and
 *  masks. The scales differ by the rounding of a side to whole grid pixels. */
typedef struct {
    double scale_x, scale_y, offset_x, offset_y;
} rvl_grid_map;
rvl_grid_map            rvl_preprocess_map(const rvl_preprocess *spec, int64_t height, int64_t width);
/** Where the model's input made from a volume on `source` lies: rvl_grid_map_between(out, source) takes points and
 *  boxes back, rvl_volume_onto masks. Volumes only; the errors of orientation and resampling. */
RVL_MUST_USE rvl_status rvl_preprocess_grid(rvl_grid *out, const rvl_preprocess *spec, const rvl_grid *source,
                                            rvl_error *err);
/** The file at `path` as preprocessing wants it: image by rvl_image_load_voi, volume by rvl_volume_load, or of a folder
 *  the one CT series that its DICOM files hold (UNSUPPORTED if they hold none or several); CT volumes are made HU (`hu`
 *  may be NULL: told by the values). */
RVL_MUST_USE rvl_status rvl_preprocess_load(rvl_volume **out, const rvl_preprocess *spec, const char *path,
                                            const rvl_hu_opts *hu, rvl_error *err);
RVL_MUST_USE rvl_status rvl__preprocess_volume_codes(void *out, const rvl_preprocess *spec, const rvl_volume *v,
                                                     bool *is_flat, rvl_error *err);

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
/** For images of `spec`; of CT volumes, whose HU mean something, gain and noise are smaller. NULL: the same as for
 * images. */
rvl_augment rvl_augment_default(const rvl_preprocess *spec);
void        rvl_augment_apply(float *image, float *scratch, int64_t height, int64_t width, float pad_value,
                              const rvl_augment *a, uint64_t seed, uint64_t epoch, uint64_t sample_key);
/** The same of a volume: all slices turned, scaled and shifted alike within their plane. Where the crop of a volume
 *  begins in its pack row is rvl_augment_crop's. */
void rvl_augment_volume(float *image, float *scratch, const rvl_preprocess *spec, const rvl_augment *a, uint64_t seed,
                        uint64_t epoch, uint64_t sample_key);
/** Random first voxel (depth, height, width) of a crop: anywhere within a pack's larger grid; along a side that is not
 *  larger, up to a->shift of the side along depth (the other two move in rvl_augment_volume). */
void rvl_augment_crop(int64_t first[3], const rvl_preprocess *spec, const rvl_augment *a, uint64_t seed, uint64_t epoch,
                      uint64_t sample_key);
#endif /* RVL_IMAGING_PREPROCESS_H */
