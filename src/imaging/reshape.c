/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/reshape.c
 * Axes turned, sides cropped and padded, values windowed: what needs no interpolation.
 */
#include "base/alloc.h"
#include "imaging/resample.h"
#include <math.h>
#include <string.h>

/* A grid whose voxels `to_source` takes to voxels of `g`; sides are the caller's. */
static rvl_grid grid_in_place(const rvl_grid *g, const rvl_affine_map *to_source)
{
    const rvl_affine_map source_affine = rvl_grid_affine(g);
    const rvl_affine_map affine = rvl_affine_after(&source_affine, to_source);
    rvl_grid             out = *g;

    (void)rvl_grid_place(&out, &affine); /* the source's columns in another order: not dependent */
    out.has_spacing = g->has_spacing;
    out.has_geometry = g->has_geometry;
    return out;
}

rvl_grid rvl_grid_permuted(const rvl_grid *g, const int axis[3], const bool flip[3])
{
    const int64_t  side[3] = {g->width, g->height, g->depth};
    rvl_affine_map to_source = {{{0}}};

    for (int a = 0; a < 3; a++) {
        to_source.m[axis[a]][a] = flip[a] ? -1 : 1;
        to_source.m[axis[a]][3] = flip[a] ? (double)(side[axis[a]] - 1) : 0;
    }
    rvl_grid out = grid_in_place(g, &to_source);
    out.width = side[axis[0]];
    out.height = side[axis[1]];
    out.depth = side[axis[2]];
    return out;
}

rvl_grid rvl_grid_fitted(const rvl_grid *g, int64_t depth, int64_t height, int64_t width)
{
    const int64_t  from[3] = {g->width, g->height, g->depth};
    const int64_t  to[3] = {width, height, depth};
    rvl_affine_map to_source = {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};

    for (int a = 0; a < 3; a++) /* cut before less put before */
        to_source.m[a][3] = (double)(from[a] > to[a] ? (from[a] - to[a]) / 2 : -((to[a] - from[a]) / 2));
    rvl_grid out = grid_in_place(g, &to_source);
    out.depth = depth;
    out.height = height;
    out.width = width;
    return out;
}

static void put_on_grid(rvl_volume *out, const rvl_volume *v, const rvl_grid *g)
{
    rvl_volume_copy_facts(out, v);
    rvl_volume_set_grid(out, g);
}

rvl_status rvl_volume_permute(rvl_volume **out, const rvl_volume *v, const int axis[3], const bool flip[3],
                              rvl_error *err)
{
    const int64_t  side[3] = {v->width, v->height, v->depth};
    const int64_t  stride[3] = {1, v->width, v->width * v->height};
    const size_t   item = rvl_voxel_bytes(v->type);
    const rvl_grid from = rvl_volume_grid(v);
    int64_t        step[3];
    int64_t        start = 0;
    rvl_volume    *w = NULL;
    int            seen = 0;

    *out = NULL;
    for (int a = 0; a < 3; a++)
        seen |= axis[a] >= 0 && axis[a] < 3 ? 1 << axis[a] : 0;
    if (seen != 7)
        return rvl_fail(err, RVL_ERR_USAGE, "axes %d, %d, %d are not each of 0, 1, 2 once", axis[0], axis[1], axis[2]);
    for (int a = 0; a < 3; a++) {
        const int s = axis[a];
        step[a] = flip[a] ? -stride[s] : stride[s];
        start += flip[a] ? (side[s] - 1) * stride[s] : 0;
    }
    rvl_status st = rvl_volume_new(&w, v->type, side[axis[2]], side[axis[1]], side[axis[0]], err);
    if (st)
        return st;
    uint8_t *to = w->voxels;
    for (int64_t z = 0; z < w->depth; z++)
        for (int64_t y = 0; y < w->height; y++)
            for (int64_t x = 0; x < w->width; x++, to += item)
                memcpy(to,
                       (const uint8_t *)v->voxels + (size_t)(start + x * step[0] + y * step[1] + z * step[2]) * item,
                       item);
    const rvl_grid placed = rvl_grid_permuted(&from, axis, flip);
    put_on_grid(w, v, &placed);
    *out = w;
    return RVL_OK;
}

/* World axis (0 left-right, 1 front-back, 2 feet-head) and sense (+1 along LPS) of a letter; -1 if it is none. */
static int axis_of_letter(char letter, int *sense)
{
    static const char letters[] = "LPSRAI";
    const char       *at = letter ? strchr(letters, letter) : NULL;

    if (!at)
        return -1;
    *sense = at - letters < 3 ? 1 : -1;
    return (int)((at - letters) % 3);
}

rvl_status rvl_grid_orient(int axis[3], bool flip[3], const rvl_grid *g, const char *codes, rvl_error *err)
{
    char now[4];
    int  seen = 0;

    for (int a = 0; a < 3; a++) {
        int sense;
        int world = strlen(codes) == 3 ? axis_of_letter(codes[a], &sense) : -1;
        seen |= world < 0 ? 0 : 1 << world;
        axis[a] = -1;
        flip[a] = false;
    }
    if (seen != 7)
        return rvl_fail(err, RVL_ERR_USAGE, "'%s' is no orientation: three letters, one each of L or R, P or A, S or I",
                        codes);
    if (!g->has_geometry)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "the volume does not say how it lies: it cannot be turned to %s",
                        codes);
    rvl_grid_axis_codes(now, g);
    for (int a = 0; a < 3; a++) {
        int sense = 1;
        int world = axis_of_letter(codes[a], &sense);
        for (int s = 0; s < 3; s++) {
            int sense_now = 1;
            if (axis_of_letter(now[s], &sense_now) == world) {
                axis[a] = s;
                flip[a] = sense != sense_now;
            }
        }
    }
    if (axis[0] < 0 || axis[1] < 0 || axis[2] < 0)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "two axes of the volume are nearest to one axis of the patient");
    return RVL_OK;
}

rvl_status rvl_volume_orient(rvl_volume **out, const rvl_volume *v, const char *codes, rvl_error *err)
{
    const rvl_grid g = rvl_volume_grid(v);
    int            axis[3];
    bool           flip[3];
    rvl_status     st = rvl_grid_orient(axis, flip, &g, codes, err);

    *out = NULL;
    return st ? st : rvl_volume_permute(out, v, axis, flip, err);
}

static bool type_holds(rvl_voxel_type type, double x)
{
    switch (type) {
    case RVL_VOXEL_U8:
        return x >= 0 && x <= 255;
    case RVL_VOXEL_U16:
        return x >= 0 && x <= 65535;
    case RVL_VOXEL_I16:
        return x >= -32768 && x <= 32767;
    case RVL_VOXEL_F32:
        break;
    }
    return isfinite(x);
}

rvl_status rvl_volume_fit(rvl_volume **out, const rvl_volume *v, int64_t depth, int64_t height, int64_t width,
                          double pad, rvl_error *err)
{
    const size_t   item = rvl_voxel_bytes(v->type);
    const rvl_grid grid = rvl_volume_grid(v);
    const int64_t  from[3] = {v->width, v->height, v->depth};
    const int64_t  to[3] = {width, height, depth};
    int64_t        cut[3];
    int64_t        put[3];
    int64_t        n[3];
    rvl_volume    *w = NULL;

    *out = NULL;
    if (!type_holds(v->type, pad))
        return rvl_fail(err, RVL_ERR_USAGE, "the padding value %g does not fit voxels of type %s", pad,
                        rvl_voxel_text(v->type));
    rvl_status st = rvl_volume_new(&w, v->type, depth, height, width, err);
    if (st)
        return st;
    for (int a = 0; a < 3; a++) {
        cut[a] = from[a] > to[a] ? (from[a] - to[a]) / 2 : 0;
        put[a] = from[a] < to[a] ? (to[a] - from[a]) / 2 : 0;
        n[a] = from[a] < to[a] ? from[a] : to[a];
    }
    for (int64_t i = 0; i < depth * height * width; i++)
        rvl_volume_set(w, i, pad);
    for (int64_t z = 0; z < n[2]; z++)
        for (int64_t y = 0; y < n[1]; y++)
            memcpy((uint8_t *)w->voxels + (size_t)(((put[2] + z) * height + put[1] + y) * width + put[0]) * item,
                   (const uint8_t *)v->voxels +
                       (size_t)(((cut[2] + z) * v->height + cut[1] + y) * v->width + cut[0]) * item,
                   (size_t)n[0] * item);
    const rvl_grid placed = rvl_grid_fitted(&grid, depth, height, width);
    put_on_grid(w, v, &placed);
    *out = w;
    return RVL_OK;
}

rvl_status rvl_volume_window(rvl_volume **out, const rvl_volume *v, double low, double high, double out_low,
                             double out_high, rvl_error *err)
{
    rvl_volume *w = NULL;

    *out = NULL;
    if (!(low < high) || !isfinite(high - low) || !isfinite(out_low) || !isfinite(out_high))
        return rvl_fail(err, RVL_ERR_USAGE, "the window %g .. %g is empty or not finite", low, high);
    rvl_status st = rvl_volume_new(&w, RVL_VOXEL_F32, v->depth, v->height, v->width, err);
    for (int64_t i = 0; !st && i < v->depth * v->height * v->width; i++) {
        double x = rvl_volume_at(v, i);
        if (!isfinite(x)) {
            st = rvl_fail(err, RVL_ERR_NUMERIC, "cannot window a volume with NaN or Inf");
            break;
        }
        x = x < low ? low : x > high ? high : x;
        ((float *)w->voxels)[i] = (float)((x - low) / (high - low) * (out_high - out_low) + out_low);
    }
    if (st) {
        rvl_volume_free(w);
        return st;
    }
    rvl_volume_copy_facts(w, v);
    w->unit = RVL_UNIT_ARBITRARY;
    *out = w;
    return RVL_OK;
}

void rvl_volume_clip(rvl_volume *v, double low, double high)
{
    for (int64_t i = 0; i < v->depth * v->height * v->width; i++) {
        double x = rvl_volume_at(v, i);
        if (x < low || x > high)
            rvl_volume_set(v, i, x < low ? low : high);
    }
}
