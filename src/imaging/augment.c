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

rvl_augment rvl_augment_default(void)
{
    return (rvl_augment){.rotate_deg = 7, .scale = 0.08, .shift = 0.05, .gain = 0.15, .noise = 0.03, .flip = false};
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

void rvl_augment_apply(float *image, float *scratch, int64_t height, int64_t width, float pad_value,
                       const rvl_augment *a, uint64_t seed, uint64_t epoch, uint64_t sample_key)
{
    static const double pi = 3.14159265358979323846;
    rvl_rng             r = rvl_rng_make(seed, rvl_rng_mix(rvl_rng_mix(epoch, sample_key), rvl_rng_name("augment")));
    const int64_t       n = height * width;
    const double        angle = symmetric(&r) * a->rotate_deg * pi / 180;
    const double        scale = exp(symmetric(&r) * a->scale);
    const double        sy = symmetric(&r) * a->shift * (double)height;
    const double        sx = symmetric(&r) * a->shift * (double)width;
    const double        gain = 1 + symmetric(&r) * a->gain;
    const double        offset = symmetric(&r) * a->gain;
    const double        mirror = a->flip && rvl_rng_uniform(&r) < 0.5 ? -1 : 1;
    const double        m[4] = {cos(angle) / scale, -sin(angle) / scale, mirror * sin(angle) / scale,
                                mirror * cos(angle) / scale};

    if (a->rotate_deg > 0 || a->scale > 0 || a->shift > 0 || mirror < 0) {
        memcpy(scratch, image, (size_t)n * sizeof *image);
        warp(image, scratch, height, width, (double)pad_value, m, sy, sx);
    }
    if (a->gain > 0)
        for (int64_t i = 0; i < n; i++)
            image[i] = (float)(image[i] * gain + offset);
    /* Half of the images get none: a network that has only seen noise reads clean images as something else. */
    const double noise = a->noise > 0 ? a->noise * (2 * rvl_rng_uniform(&r) - 1) : 0;
    for (int64_t i = 0; noise > 0 && i < n; i++)
        image[i] = (float)(image[i] + noise * rvl_rng_normal(&r));
}
