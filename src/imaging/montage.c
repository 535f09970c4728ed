/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/montage.c
 * Slices of a volume in one picture.
 */
#include "imaging/montage.h"
#include "base/alloc.h"
#include "imaging/preprocess.h"
#include "imaging/resample.h"
#include <math.h>
#include <string.h>

/* Slice i of n shown is the middle of the i-th n-th part of the depth. */
static int64_t slice_of(int64_t i, int64_t n, int64_t depth)
{
    return (2 * i + 1) * depth / (2 * n);
}

/* The shown slices alone, with square pixels. */
static rvl_status pick(rvl_volume **out, const rvl_volume *v, int64_t n, rvl_error *err)
{
    const size_t slice_bytes = (size_t)(v->height * v->width) * rvl_voxel_bytes(v->type);
    const double fine = v->spacing_mm.x < v->spacing_mm.y ? v->spacing_mm.x : v->spacing_mm.y;
    rvl_volume  *few = NULL;
    rvl_status   st = rvl_volume_new(&few, v->type, n, v->height, v->width, err);

    *out = NULL;
    if (st)
        return st;
    for (int64_t i = 0; i < n; i++)
        memcpy((uint8_t *)few->voxels + (size_t)i * slice_bytes,
               (const uint8_t *)v->voxels + (size_t)slice_of(i, n, v->depth) * slice_bytes, slice_bytes);
    rvl_volume_copy_facts(few, v);
    if (fabs(v->spacing_mm.x - v->spacing_mm.y) < 0.01 * fine) {
        *out = few;
        return RVL_OK;
    }
    few->has_spacing = true;
    st = rvl_volume_resample(out, few, (rvl_vec3){fine, fine, few->spacing_mm.z}, RVL_RESAMPLE_CENTRE,
                             RVL_INTERPOLATE_LINEAR, true, err);
    rvl_volume_free(few);
    return st;
}

static rvl_status paint(rvl_volume **out, const rvl_volume *few, double low, double high, rvl_error *err)
{
    const int64_t n = few->depth;
    int64_t       n_across = 1;
    rvl_volume   *picture = NULL;

    while (n_across * n_across < n)
        n_across++;
    const int64_t n_down = (n + n_across - 1) / n_across;
    rvl_status    st = rvl_volume_new(&picture, RVL_VOXEL_U8, 1, n_down * few->height, n_across * few->width, err);
    if (st)
        return st;
    for (int64_t i = 0; i < n * few->height * few->width; i++) {
        const int64_t x = i % few->width;
        const int64_t y = i / few->width % few->height;
        const int64_t tile = i / few->width / few->height;
        const int64_t at = (tile / n_across * few->height + y) * picture->width + tile % n_across * few->width + x;
        const double  value = (rvl_volume_at(few, i) - low) / (high > low ? high - low : 1);
        rvl_volume_set(picture, at, isfinite(value) ? 255 * value : 0);
    }
    picture->unit = RVL_UNIT_DISPLAY;
    *out = picture;
    return RVL_OK;
}

rvl_status rvl_montage(rvl_volume **out, const rvl_volume *v, int64_t n_tiles, const double *window, rvl_error *err)
{
    rvl_volume *turned = NULL;
    rvl_volume *few = NULL;
    double      low = -1000;
    double      high = 400;
    rvl_status  st = RVL_OK;

    *out = NULL;
    if (n_tiles < 1 || n_tiles > 1024)
        return rvl_fail(err, RVL_ERR_USAGE, "a picture has 1 to 1024 slices, not %lld", (long long)n_tiles);
    if (v->has_geometry)
        st = rvl_volume_orient(&turned, v, "LPS", err);
    const rvl_volume *shown = turned ? turned : v;
    if (!st)
        st = pick(&few, shown, n_tiles < shown->depth ? n_tiles : shown->depth, err);
    if (!st && window) {
        low = window[0];
        high = window[1];
    } else if (!st && v->unit != RVL_UNIT_HU) {
        st = rvl__percentiles(&low, &high, 0.5, 99.5, few, err);
    }
    if (!st)
        st = paint(out, few, low, high, err);
    rvl_volume_free(turned);
    rvl_volume_free(few);
    return st;
}
