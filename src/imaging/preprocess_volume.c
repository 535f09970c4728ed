/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/preprocess_volume.c
 * Volumes onto a model's grid: turn, resample, crop and pad, window; crops out of pack rows; the way back.
 */
#include "base/alloc.h"
#include "imaging/preprocess.h"
#include <math.h>
#include <string.h>

static const int  ct_clip_axes[] = {1, 0, 2}; /* CT-CLIP's array is (depth, file's x, file's y) */
static const bool straight[] = {false, false, false};

static bool has_spacing(const rvl_preprocess *spec)
{
    return spec->spacing_mm.x > 0;
}

/* The spacing along the axes of the array that is resampled: [ct-clip] swaps the first two. */
static rvl_vec3 target_mm(const rvl_preprocess *spec)
{
    const rvl_vec3 mm = spec->spacing_mm;
    return spec->resample == RVL_RESAMPLE_CT_CLIP ? (rvl_vec3){mm.y, mm.x, mm.z} : mm;
}

/* A step's result takes the place of what it was made from (nothing, at first). */
static rvl_status take(rvl_volume **own, rvl_volume *next, rvl_status st)
{
    if (!st) {
        rvl_volume_free(*own);
        *own = next;
    }
    return st;
}

/* Axes as the model has them, into *own; it stays NULL if the volume has them already. */
static rvl_status turn(rvl_volume **own, const rvl_preprocess *spec, const rvl_volume *v, rvl_error *err)
{
    const rvl_grid g = rvl_volume_grid(v);
    char           now[4] = "";
    rvl_volume    *next = NULL;

    if (spec->resample == RVL_RESAMPLE_CT_CLIP) {
        rvl_status st = rvl_volume_permute(&next, v, ct_clip_axes, straight, err);
        if (!st)
            rvl_volume_clip(next, spec->window_a, spec->window_b);
        return take(own, next, st);
    }
    if (v->has_geometry)
        rvl_grid_axis_codes(now, &g);
    if (!spec->orient[0] || strcmp(now, spec->orient) == 0)
        return RVL_OK;
    rvl_status st = rvl_volume_orient(&next, v, spec->orient, err);
    return take(own, next, st);
}

/* Code of a value in the volume's unit. */
static uint16_t code_of(const rvl_preprocess *spec, double x)
{
    const double max = spec->bits == 16 ? 65535 : 255;
    double       share = (x - spec->window_a) / (spec->window_b - spec->window_a);

    share = share < 0 ? 0 : share > 1 ? 1 : share;
    return (uint16_t)floor(share * max + 0.5);
}

static uint16_t pad_code(const rvl_preprocess *spec)
{
    return spec->modality == RVL_MODALITY_CT ? code_of(spec, RVL_HU_AIR) : 0;
}

double rvl_preprocess_pad(const rvl_preprocess *spec)
{
    const double max = spec->bits == 16 ? 65535 : 255;

    if (!rvl_preprocess_is_volume(spec))
        return spec->out_low;
    return pad_code(spec) * ((spec->out_high - spec->out_low) / max) + spec->out_low;
}

static void put_code(void *codes, int bits, int64_t at, uint16_t code)
{
    if (bits == 16)
        ((uint16_t *)codes)[at] = code;
    else
        ((uint8_t *)codes)[at] = (uint8_t)code;
}

/* First voxel of the part of a side `from` about the middle of a side `to`, or of the padding before it if negative;
 * the rule of rvl_volume_fit. */
static int64_t middle(int64_t from, int64_t to)
{
    return from > to ? (from - to) / 2 : -((to - from) / 2);
}

/* Cropped and padded about the middle to the pack's grid, as codes. NUMERIC for NaN and Inf. */
static rvl_status store(void *codes, const rvl_preprocess *spec, const rvl_volume *v, bool *is_flat, rvl_error *err)
{
    const uint16_t air = pad_code(spec);
    double         least = INFINITY;
    double         most = -INFINITY;
    int64_t        to[3];

    rvl_preprocess_load_sides(to, spec);
    const int64_t first[3] = {middle(v->depth, to[0]), middle(v->height, to[1]), middle(v->width, to[2])};
    for (int64_t i = 0; i < to[0] * to[1] * to[2]; i++) {
        const int64_t z = i / to[2] / to[1] + first[0];
        const int64_t y = i / to[2] % to[1] + first[1];
        const int64_t x = i % to[2] + first[2];
        if (z < 0 || z >= v->depth || y < 0 || y >= v->height || x < 0 || x >= v->width) {
            put_code(codes, spec->bits, i, air);
            continue;
        }
        const double value = rvl_volume_at(v, (z * v->height + y) * v->width + x);
        if (!isfinite(value))
            return rvl_fail(err, RVL_ERR_NUMERIC, "the volume holds NaN or Inf");
        least = value < least ? value : least;
        most = value > most ? value : most;
        put_code(codes, spec->bits, i, code_of(spec, value));
    }
    if (is_flat)
        *is_flat = !(most > least);
    return RVL_OK;
}

rvl_status rvl__preprocess_volume_codes(void *out, const rvl_preprocess *spec, const rvl_volume *v, bool *is_flat,
                                        rvl_error *err)
{
    rvl_volume *own = NULL;
    rvl_volume *next = NULL;
    rvl_status  st = RVL_OK;

    if (spec->modality == RVL_MODALITY_CT && v->unit != RVL_UNIT_HU)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "the volume's values are not known to be HU (unit '%s')",
                        rvl_unit_text(v->unit));
    st = turn(&own, spec, v, err);
    if (!st && has_spacing(spec)) {
        st = rvl_volume_resample(&next, own ? own : v, target_mm(spec), spec->resample, RVL_INTERPOLATE_LINEAR, false,
                                 err);
        st = take(&own, next, st);
    }
    if (!st)
        st = store(out, spec, own ? own : v, is_flat, err);
    rvl_volume_free(own);
    return st;
}

rvl_status rvl_preprocess_grid(rvl_grid *out, const rvl_preprocess *spec, const rvl_grid *source, rvl_error *err)
{
    rvl_grid   g = *source;
    int        axis[3];
    bool       flip[3];
    int64_t    load[3];
    rvl_status st = RVL_OK;

    if (spec->resample == RVL_RESAMPLE_CT_CLIP)
        g = rvl_grid_permuted(&g, ct_clip_axes, straight);
    else if (spec->orient[0]) {
        st = rvl_grid_orient(axis, flip, &g, spec->orient, err);
        if (!st)
            g = rvl_grid_permuted(&g, axis, flip);
    }
    if (!st && has_spacing(spec))
        st = rvl_grid_resampled(&g, &g, target_mm(spec), spec->resample, err);
    if (st)
        return st;
    rvl_preprocess_load_sides(load, spec);
    g = rvl_grid_fitted(&g, load[0], load[1], load[2]);
    *out = rvl_grid_fitted(&g, spec->depth, spec->height, spec->width);
    return RVL_OK;
}

/* A row of `n` values from voxel `x0` of a pack row's line of `width` codes. */
static void crop_line(float *out, const rvl_preprocess *spec, const void *codes, int64_t line, int64_t width,
                      int64_t x0, int64_t n)
{
    const double max = spec->bits == 16 ? 65535 : 255;
    const double step = (spec->out_high - spec->out_low) / max;
    const float  pad = (float)rvl_preprocess_pad(spec);

    for (int64_t x = 0; x < n; x++) {
        const int64_t at = x0 + x;
        if (at < 0 || at >= width)
            out[x] = pad;
        else if (spec->bits == 16)
            out[x] = (float)(((const uint16_t *)codes)[line + at] * step + spec->out_low);
        else
            out[x] = (float)(((const uint8_t *)codes)[line + at] * step + spec->out_low);
    }
}

void rvl_preprocess_crop(float *out, const rvl_preprocess *spec, const void *codes, const int64_t first[3])
{
    const float pad = (float)rvl_preprocess_pad(spec);
    int64_t     load[3];
    int64_t     at[3];

    rvl_preprocess_load_sides(load, spec);
    at[0] = first ? first[0] : middle(load[0], spec->depth);
    at[1] = first ? first[1] : middle(load[1], spec->height);
    at[2] = first ? first[2] : middle(load[2], spec->width);
    for (int64_t z = 0; z < spec->depth; z++) {
        for (int64_t y = 0; y < spec->height; y++, out += spec->width) {
            const int64_t from_z = at[0] + z;
            const int64_t from_y = at[1] + y;
            if (from_z >= 0 && from_z < load[0] && from_y >= 0 && from_y < load[1]) {
                crop_line(out, spec, codes, (from_z * load[1] + from_y) * load[2], load[2], at[2], spec->width);
                continue;
            }
            for (int64_t x = 0; x < spec->width; x++)
                out[x] = pad;
        }
    }
}
