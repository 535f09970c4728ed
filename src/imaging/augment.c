/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/augment.c
 * Small random changes of one image: one bilinear warp, gain, noise of random strength for every second image. A
 * function of (seed, epoch, sample).
 */
#include "base/rng.h"
#include "imaging/preprocess.h"
#include <math.h>
#include <string.h>

rvl_augment rvl_augment_default(const rvl_preprocess *spec)
{
    rvl_augment a = {.rotate_deg = 7, .scale = 0.08, .shift = 0.05, .gain = 0.15, .noise = 0.03, .flip = false};

    if (spec && spec->modality == RVL_MODALITY_CT && spec->window == RVL_WINDOW_FIXED)
        a.gain = a.noise = 0.02; /* 12 HU of a window of 1,200: more would make fluid blood, and lung emphysema */
    return a;
}

static double symmetric(rvl_rng *r)
{
    return 2 * rvl_rng_uniform(r) - 1;
}

static double pixel(const float *image, int64_t height, int64_t width, int64_t y, int64_t x, double pad)
{
    return y >= 0 && y < height && x >= 0 && x < width ? (double)image[y * width + x] : pad;
}

/* out(y, x) = image at the inverse-mapped point, bilinear, `pad` outside. */
static void warp(float *out, const float *image, int64_t height, int64_t width, double pad, const double m[4],
                 double sy, double sx)
{
    const double cy = 0.5 * (double)(height - 1);
    const double cx = 0.5 * (double)(width - 1);
    for (int64_t y = 0; y < height; y++) {
        for (int64_t x = 0; x < width; x++) {
            double  dy = (double)y - cy - sy;
            double  dx = (double)x - cx - sx;
            double  fy = m[0] * dy + m[1] * dx + cy;
            double  fx = m[2] * dy + m[3] * dx + cx;
            int64_t y0 = (int64_t)floor(fy);
            int64_t x0 = (int64_t)floor(fx);
            double  ty = fy - (double)y0;
            double  tx = fx - (double)x0;
            double  top =
                (1 - tx) * pixel(image, height, width, y0, x0, pad) + tx * pixel(image, height, width, y0, x0 + 1, pad);
            double low = (1 - tx) * pixel(image, height, width, y0 + 1, x0, pad) +
                         tx * pixel(image, height, width, y0 + 1, x0 + 1, pad);
            out[y * width + x] = (float)((1 - ty) * top + ty * low);
        }
    }
}

typedef struct {
    rvl_rng rng; /* what is left of the draws: the noise */
    double  sy, sx, gain, offset, m[4];
    bool    warps;
} draw;

static draw draw_all(int64_t height, int64_t width, const rvl_augment *a, uint64_t seed, uint64_t epoch,
                     uint64_t sample_key)
{
    static const double pi = 3.14159265358979323846;
    draw         d = {.rng = rvl_rng_make(seed, rvl_rng_mix(rvl_rng_mix(epoch, sample_key), rvl_rng_name("augment")))};
    const double angle = symmetric(&d.rng) * a->rotate_deg * pi / 180;
    const double scale = exp(symmetric(&d.rng) * a->scale);

    d.sy = symmetric(&d.rng) * a->shift * (double)height;
    d.sx = symmetric(&d.rng) * a->shift * (double)width;
    d.gain = 1 + symmetric(&d.rng) * a->gain;
    d.offset = symmetric(&d.rng) * a->gain;
    const double mirror = a->flip && rvl_rng_uniform(&d.rng) < 0.5 ? -1 : 1;
    d.m[0] = cos(angle) / scale;
    d.m[1] = -sin(angle) / scale;
    d.m[2] = mirror * sin(angle) / scale;
    d.m[3] = mirror * cos(angle) / scale;
    d.warps = a->rotate_deg > 0 || a->scale > 0 || a->shift > 0 || mirror < 0;
    return d;
}

static void change_values(float *image, int64_t n, const rvl_augment *a, draw *d)
{
    if (a->gain > 0)
        for (int64_t i = 0; i < n; i++)
            image[i] = (float)(image[i] * d->gain + d->offset);
    /* Half of the images get none: a network that has only seen noise reads clean images as something else. */
    const double noise = a->noise > 0 ? a->noise * (2 * rvl_rng_uniform(&d->rng) - 1) : 0;
    for (int64_t i = 0; noise > 0 && i < n; i++)
        image[i] = (float)(image[i] + noise * rvl_rng_normal(&d->rng));
}

void rvl_augment_apply(float *image, float *scratch, int64_t height, int64_t width, float pad_value,
                       const rvl_augment *a, uint64_t seed, uint64_t epoch, uint64_t sample_key)
{
    const int64_t n = height * width;
    draw          d = draw_all(height, width, a, seed, epoch, sample_key);

    if (d.warps) {
        memcpy(scratch, image, (size_t)n * sizeof *image);
        warp(image, scratch, height, width, (double)pad_value, d.m, d.sy, d.sx);
    }
    change_values(image, n, a, &d);
}

void rvl_augment_volume(float *image, float *scratch, const rvl_preprocess *spec, const rvl_augment *a, uint64_t seed,
                        uint64_t epoch, uint64_t sample_key)
{
    const int64_t n = spec->height * spec->width;
    rvl_augment   own = *a;
    int64_t       load[3];

    rvl_preprocess_load_sides(load, spec);
    if (load[1] > spec->height || load[2] > spec->width)
        own.shift = 0; /* the crop has moved it */
    draw d = draw_all(spec->height, spec->width, &own, seed, epoch, sample_key);
    for (int64_t z = 0; d.warps && z < spec->depth; z++) {
        memcpy(scratch, image + z * n, (size_t)n * sizeof *image);
        warp(image + z * n, scratch, spec->height, spec->width, rvl_preprocess_pad(spec), d.m, d.sy, d.sx);
    }
    change_values(image, spec->depth * n, a, &d);
}

void rvl_augment_crop(int64_t first[3], const rvl_preprocess *spec, const rvl_augment *a, uint64_t seed, uint64_t epoch,
                      uint64_t sample_key)
{
    const int64_t side[3] = {spec->depth, spec->height, spec->width};
    rvl_rng       r = rvl_rng_make(seed, rvl_rng_mix(rvl_rng_mix(epoch, sample_key), rvl_rng_name("augment.crop")));
    int64_t       load[3];

    rvl_preprocess_load_sides(load, spec);
    for (int i = 0; i < 3; i++) {
        first[i] = 0;
        if (load[i] > side[i])
            first[i] = rvl_rng_below(&r, load[i] - side[i] + 1);
        else if (i == 0)
            first[i] = (int64_t)floor(symmetric(&r) * a->shift * (double)side[i] + 0.5);
    }
}
