/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/preprocess.c
 * Window, antialiased resize, padding; pack codes and back.
 *
 * The resize is a separable triangle filter whose support grows with the shrink factor (as Pillow's antialiased
 * BILINEAR), over voxel centres, with f64 sums; growing an image is plain bilinear interpolation.
 */
#include "imaging/preprocess.h"
#include "base/alloc.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

rvl_preprocess rvl_preprocess_default(rvl_modality modality, int64_t height, int64_t width)
{
    rvl_preprocess p = {.modality = modality,
                        .depth = 1,
                        .height = height,
                        .width = width,
                        .window = RVL_WINDOW_ROBUST,
                        .window_a = 0.5,
                        .window_b = 99.5,
                        .out_low = -1,
                        .out_high = 1,
                        .bits = 8};
    if (modality == RVL_MODALITY_CT) {
        p.window = RVL_WINDOW_FIXED;
        p.window_a = -1000;
        p.window_b = 200;
        p.bits = 16;
    }
    if (modality == RVL_MODALITY_CXR)
        memcpy(p.body_part, "chest", 6);
    return p;
}

static rvl_status check_kind(const rvl_preprocess *spec, const rvl_volume *v, rvl_error *err)
{
    if (spec->modality != RVL_MODALITY_UNKNOWN && v->modality != RVL_MODALITY_UNKNOWN && spec->modality != v->modality)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED,
                        "the image is of modality '%s', the model was made for '%s'\nhint: --force goes on anyway",
                        rvl_modality_text(v->modality), rvl_modality_text(spec->modality));
    if (spec->view != RVL_VIEW_UNKNOWN && v->view != RVL_VIEW_UNKNOWN && spec->view != v->view)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED,
                        "the image is a %s view, the model was made for %s\nhint: --force goes on anyway",
                        rvl_view_text(v->view), rvl_view_text(spec->view));
    if (spec->body_part[0] && v->body_part[0] && strcmp(spec->body_part, v->body_part) != 0)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED,
                        "the image shows body part '%s', the model was made for '%s'\nhint: --force goes on anyway",
                        v->body_part, spec->body_part);
    return RVL_OK;
}

/* The values at two ranks of an integer image, by counting: exact for every voxel. */
static rvl_status integer_window(double *low, double *high, int64_t low_rank, int64_t high_rank, const rvl_volume *v,
                                 rvl_error *err)
{
    enum { N_VALUES = 65536 };
    const int64_t count = v->depth * v->height * v->width;
    const int64_t first = v->type == RVL_VOXEL_I16 ? -32768 : 0;
    int64_t      *n_at = rvl_alloc_array(N_VALUES, sizeof *n_at);
    int64_t       below = 0;

    if (!n_at)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the window");
    for (int64_t i = 0; i < count; i++)
        n_at[(int64_t)rvl_volume_at(v, i) - first]++;
    for (int64_t i = 0; i < N_VALUES; below += n_at[i], i++) {
        if (low_rank >= below && low_rank < below + n_at[i])
            *low = (double)(first + i);
        if (high_rank >= below && high_rank < below + n_at[i])
            *high = (double)(first + i);
    }
    rvl_free(n_at);
    return RVL_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b > 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int64_t rank_of(double percentile, int64_t n)
{
    return (int64_t)floor(percentile / 100 * (double)(n - 1) + 0.5);
}

/* Float images: percentiles of a regular sample of at most 65,536 voxels, which walks through all columns. */
static rvl_status float_window(double *low, double *high, const rvl_preprocess *spec, const rvl_volume *v,
                               rvl_error *err)
{
    enum { MAX_SAMPLE = 65536 };
    const int64_t count = v->depth * v->height * v->width;
    int64_t       stride = (count + MAX_SAMPLE - 1) / MAX_SAMPLE;
    bool          is_finite = true;

    while (common_divisor(stride, v->width) > 1)
        stride++;
    const int64_t n = (count + stride - 1) / stride;
    double       *sample = rvl_alloc_array((size_t)n, sizeof *sample);
    if (!sample)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the window");
    for (int64_t i = 0; i < n; i++) {
        sample[i] = rvl_volume_at(v, i * stride);
        is_finite = is_finite && isfinite(sample[i]);
    }
    if (is_finite) { /* NaN has no place in an order */
        qsort(sample, (size_t)n, sizeof *sample, by_value);
        *low = sample[rank_of(spec->window_a, n)];
        *high = sample[rank_of(spec->window_b, n)];
    }
    rvl_free(sample);
    return is_finite ? RVL_OK : rvl_fail(err, RVL_ERR_NUMERIC, "the image holds NaN or Inf");
}

static rvl_status robust_window(double *low, double *high, const rvl_preprocess *spec, const rvl_volume *v,
                                rvl_error *err)
{
    const int64_t count = v->depth * v->height * v->width;
    rvl_status    st = v->type == RVL_VOXEL_F32 ? float_window(low, high, spec, v, err)
                                                : integer_window(low, high, rank_of(spec->window_a, count),
                                                                 rank_of(spec->window_b, count), v, err);

    if (st || *high > *low)
        return st;
    for (int64_t i = 0; i < count; i++) { /* nearly binary images: most voxels share one value */
        double x = rvl_volume_at(v, i);
        *low = x < *low ? x : *low;
        *high = x > *high ? x : *high;
    }
    return RVL_OK;
}

rvl_status rvl__percentiles(double *low, double *high, double low_percent, double high_percent, const rvl_volume *v,
                            rvl_error *err)
{
    const rvl_preprocess spec = {.window_a = low_percent, .window_b = high_percent};
    return robust_window(low, high, &spec, v, err);
}

static rvl_status find_window(double *low, double *high, const rvl_preprocess *spec, const rvl_volume *v,
                              rvl_error *err)
{
    switch (spec->window) {
    case RVL_WINDOW_FIXED:
        *low = spec->window_a;
        *high = spec->window_b;
        return RVL_OK;
    case RVL_WINDOW_RANGE:
    case RVL_WINDOW_VOI:
        *low = v->type == RVL_VOXEL_I16 ? -32768 : 0;
        *high = v->type == RVL_VOXEL_U8 ? 255 : v->type == RVL_VOXEL_U16 ? 65535 : v->type == RVL_VOXEL_I16 ? 32767 : 1;
        return RVL_OK;
    case RVL_WINDOW_ROBUST:
        break;
    }
    return robust_window(low, high, spec, v, err);
}

/* One axis of the resize: for output i, `n_taps` weights from source index first[i]. */
typedef struct {
    int64_t  n_out, n_taps;
    int64_t *first;
    double  *weight; /* n_out * n_taps */
} axis;

static void axis_fini(axis *a)
{
    rvl_free(a->first);
    rvl_free(a->weight);
}

static rvl_status axis_init(axis *a, int64_t n_in, int64_t n_out, rvl_error *err)
{
    const double scale = (double)n_out / (double)n_in;
    const double stretch = scale < 1 ? 1 / scale : 1; /* filter half-width in source voxels */
    a->n_out = n_out;
    a->n_taps = (int64_t)ceil(stretch) * 2 + 1;
    a->first = rvl_alloc_array((size_t)n_out, sizeof *a->first);
    a->weight = rvl_alloc_array((size_t)(n_out * a->n_taps), sizeof *a->weight);
    if (!a->first || !a->weight)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the resize");
    for (int64_t i = 0; i < n_out; i++) {
        double  centre = ((double)i + 0.5) / scale;
        int64_t first = (int64_t)floor(centre - stretch + 0.5);
        double  sum = 0;
        if (first < 0)
            first = 0;
        a->first[i] = first;
        for (int64_t t = 0; t < a->n_taps; t++) {
            double at = fabs(((double)(first + t) + 0.5 - centre) / stretch);
            double w = first + t < n_in && at < 1 ? 1 - at : 0;
            a->weight[i * a->n_taps + t] = w;
            sum += w;
        }
        for (int64_t t = 0; t < a->n_taps; t++)
            a->weight[i * a->n_taps + t] /= sum;
    }
    return RVL_OK;
}

typedef struct {
    double low, high;
    double least, most; /* values met */
    bool   has_bad;     /* NaN or Inf met */
} window;

static double windowed(window *w, double x)
{
    if (!isfinite(x)) {
        w->has_bad = true;
        return 0;
    }
    w->least = x < w->least ? x : w->least;
    w->most = x > w->most ? x : w->most;
    if (!(w->high > w->low))
        return 0;
    x = (x - w->low) / (w->high - w->low);
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

/* Row y of the source, windowed to 0..1, resized along x. */
static void resize_row(double *out, double *source_row, const axis *ax, const rvl_volume *v, window *w, int64_t y)
{
    for (int64_t x = 0; x < v->width; x++)
        source_row[x] = windowed(w, rvl_volume_at(v, y * v->width + x));
    for (int64_t i = 0; i < ax->n_out; i++) {
        double sum = 0;
        for (int64_t t = 0; t < ax->n_taps; t++) {
            double wt = ax->weight[i * ax->n_taps + t];
            if (wt != 0)
                sum += wt * source_row[ax->first[i] + t];
        }
        out[i] = sum;
    }
}

/* Slice 0 resized to (ay->n_out, ax->n_out), values 0..1, into `out`. Source rows are visited once, in order. */
static rvl_status resize(double *out, const axis *ay, const axis *ax, const rvl_volume *v, window *w, rvl_error *err)
{
    double *source_row = rvl_alloc_array((size_t)v->width, sizeof *source_row);
    double *row = rvl_alloc_array((size_t)ax->n_out, sizeof *row);

    if (!source_row || !row) {
        rvl_free(source_row);
        rvl_free(row);
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the resize");
    }
    memset(out, 0, (size_t)(ay->n_out * ax->n_out) * sizeof *out);
    int64_t active = 0; /* outputs before this one need no further rows */
    for (int64_t y = 0; y < v->height; y++) {
        resize_row(row, source_row, ax, v, w, y);
        while (active < ay->n_out && ay->first[active] + ay->n_taps <= y)
            active++;
        for (int64_t i = active; i < ay->n_out && ay->first[i] <= y; i++) {
            double wt = ay->weight[i * ay->n_taps + (y - ay->first[i])];
            if (wt == 0)
                continue;
            for (int64_t x = 0; x < ax->n_out; x++)
                out[i * ax->n_out + x] += wt * row[x];
        }
    }
    rvl_free(source_row);
    rvl_free(row);
    return RVL_OK;
}

static int64_t fitted_side(int64_t side, double scale, int64_t limit)
{
    int64_t n = (int64_t)floor((double)side * scale + 0.5);
    return n < 1 ? 1 : n > limit ? limit : n;
}

/* Sides of the whole image in the grid: the longer one (to the grid's shape) fills it. */
static void fit(int64_t *fit_height, int64_t *fit_width, const rvl_preprocess *spec, int64_t height, int64_t width)
{
    double sy = (double)spec->height / (double)height;
    double sx = (double)spec->width / (double)width;
    double scale = sy < sx ? sy : sx;
    *fit_height = fitted_side(height, scale, spec->height);
    *fit_width = fitted_side(width, scale, spec->width);
}

rvl_grid_map rvl_preprocess_map(const rvl_preprocess *spec, int64_t height, int64_t width)
{
    int64_t h = 0;
    int64_t w = 0;

    fit(&h, &w, spec, height, width);
    return (rvl_grid_map){.scale_x = (double)w / (double)width,
                          .scale_y = (double)h / (double)height,
                          .offset_x = (double)((spec->width - w) / 2),
                          .offset_y = (double)((spec->height - h) / 2)};
}

static void store(void *codes, const rvl_preprocess *spec, const double *image, int64_t h, int64_t w, rvl_grid_map map)
{
    const double  max = spec->bits == 16 ? 65535 : 255;
    const int64_t y0 = (int64_t)map.offset_y;
    const int64_t x0 = (int64_t)map.offset_x;

    memset(codes, 0, (size_t)(spec->height * spec->width) * (spec->bits == 16 ? 2 : 1));
    for (int64_t y = 0; y < h; y++) {
        for (int64_t x = 0; x < w; x++) {
            double  code = floor(image[y * w + x] * max + 0.5);
            int64_t at = (y0 + y) * spec->width + x0 + x;
            if (spec->bits == 16)
                ((uint16_t *)codes)[at] = (uint16_t)code;
            else
                ((uint8_t *)codes)[at] = (uint8_t)code;
        }
    }
}

static rvl_status check_depth(const rvl_preprocess *spec, const rvl_volume *v, rvl_error *err)
{
    if ((spec->depth > 1) == (v->depth > 1))
        return RVL_OK;
    return rvl_fail(err, RVL_ERR_SHAPE, "an image of %lld slices does not fit a model of %lld", (long long)v->depth,
                    (long long)spec->depth);
}

rvl_status rvl_preprocess_codes(void *out, const rvl_preprocess *spec, const rvl_volume *v, bool forced, bool *is_flat,
                                rvl_error *err)
{
    window     w = {.least = INFINITY, .most = -INFINITY};
    axis       ay = {0};
    axis       ax = {0};
    double    *image = NULL;
    int64_t    height = 0;
    int64_t    width = 0;
    rvl_status st = rvl__preprocess_check(spec, RVL_ERR_USAGE, err);

    if (!st)
        st = check_depth(spec, v, err);
    if (!st && !forced)
        st = check_kind(spec, v, err);
    if (!st && rvl_preprocess_is_volume(spec))
        return rvl__preprocess_volume_codes(out, spec, v, is_flat, err);
    if (!st)
        st = find_window(&w.low, &w.high, spec, v, err);
    if (st)
        return st;
    fit(&height, &width, spec, v->height, v->width);
    st = axis_init(&ay, v->height, height, err);
    if (!st)
        st = axis_init(&ax, v->width, width, err);
    if (!st) {
        image = rvl_alloc_array((size_t)(height * width), sizeof *image);
        st = image ? resize(image, &ay, &ax, v, &w, err) : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the resize");
    }
    if (!st && w.has_bad)
        st = rvl_fail(err, RVL_ERR_NUMERIC, "the image holds NaN or Inf");
    if (!st)
        store(out, spec, image, height, width, rvl_preprocess_map(spec, v->height, v->width));
    if (!st && is_flat)
        *is_flat = !(w.most > w.least);
    rvl_free(image);
    axis_fini(&ay);
    axis_fini(&ax);
    return st;
}

void rvl_preprocess_decode(float *out, const rvl_preprocess *spec, const void *codes, int64_t n)
{
    const double max = spec->bits == 16 ? 65535 : 255;
    const double step = (spec->out_high - spec->out_low) / max;
    if (spec->bits == 16)
        for (int64_t i = 0; i < n; i++)
            out[i] = (float)(((const uint16_t *)codes)[i] * step + spec->out_low);
    else
        for (int64_t i = 0; i < n; i++)
            out[i] = (float)(((const uint8_t *)codes)[i] * step + spec->out_low);
}

rvl_status rvl_preprocess_apply(float *out, const rvl_preprocess *spec, const rvl_volume *v, bool forced, bool *is_flat,
                                rvl_error *err)
{
    rvl_status st = rvl__preprocess_check(spec, RVL_ERR_USAGE, err);

    if (st)
        return st;
    int64_t side[3];
    rvl_preprocess_load_sides(side, spec);
    void *codes = rvl_alloc_array((size_t)(side[0] * side[1] * side[2]), spec->bits == 16 ? 2 : 1);
    st = codes ? rvl_preprocess_codes(codes, spec, v, forced, is_flat, err)
               : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for an image of %lld x %lld x %lld", (long long)side[0],
                          (long long)side[1], (long long)side[2]);
    if (!st)
        rvl_preprocess_crop(out, spec, codes, NULL);
    rvl_free(codes);
    return st;
}
