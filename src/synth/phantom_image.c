/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/phantom_image.c
 * From thickness maps to a picture: attenuation, scatter, focus, noise, film curve, exposure, marker.
 */
#include "synth/phantom_internal.h"
#include "base/alloc.h"
#include <math.h>
#include <string.h>

typedef struct {
    double scatter, scatter_mm, focus_px, noise, centre, slope, edge, black, white, tilt_x, tilt_y;
    int    collimate[4]; /* pixels per thousand: left, top, right, bottom */
} exposure;

/** The automatic exposure follows the patient's thickness, not quite. */
static exposure draw_exposure(const rvl_phantom_case *c, double body_cm)
{
    rvl_rng  r = rvl_phantom_rng("phantom-exposure", c->seed, c->index);
    exposure e;

    e.scatter = uniform_in(&r, 0.05, 0.22);
    e.scatter_mm = uniform_in(&r, 14, 30);
    e.focus_px = uniform_in(&r, 0.3, 0.75);
    e.noise = uniform_in(&r, 0.004, 0.013);
    e.centre = 0.148 * body_cm + uniform_in(&r, -0.4, 0.5);
    e.slope = uniform_in(&r, 0.85, 1.7);
    e.edge = uniform_in(&r, 0, 0.7);
    e.black = uniform_in(&r, 0, 0.07);
    e.white = uniform_in(&r, 0.9, 1);
    e.tilt_x = uniform_in(&r, -0.38, 0.38);
    e.tilt_y = uniform_in(&r, -0.38, 0.38);
    for (int i = 0; i < 4; i++)
        e.collimate[i] = rvl_rng_uniform(&r) < 0.12 ? (int)uniform_in(&r, 8, 45) : 0;
    return e;
}

/** Gaussian of `sigma` pixels along one axis; `line` has room for `n` values. Edges repeat. */
static void blur_line(float *p, int64_t n, int64_t stride, double sigma, float *line)
{
    int64_t radius = (int64_t)ceil(2.5 * sigma);
    double  sum_w = 0, weight[32]; /* sigma is at most 3 */

    for (int64_t i = 0; i < n; i++)
        line[i] = p[i * stride];
    for (int64_t j = -radius; j <= radius; j++)
        sum_w += weight[j + radius] = exp(-0.5 * (double)(j * j) / (sigma * sigma));
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;

        for (int64_t j = -radius; j <= radius; j++) {
            int64_t at = i + j < 0 ? 0 : i + j >= n ? n - 1 : i + j;

            sum += weight[j + radius] * line[at];
        }
        p[i * stride] = (float)(sum / sum_w);
    }
}

/** Mean of 2 r + 1 values by a running sum. */
static void box_line(float *p, int64_t n, int64_t stride, int64_t radius, float *line)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        line[i] = p[i * stride];
    for (int64_t j = -radius; j <= radius; j++)
        sum += line[j < 0 ? 0 : j >= n ? n - 1 : j];
    for (int64_t i = 0; i < n; i++) {
        int64_t out = i - radius, in = i + radius + 1;

        p[i * stride] = (float)(sum / (double)(2 * radius + 1));
        sum += line[in >= n ? n - 1 : in] - line[out < 0 ? 0 : out];
    }
}

/** Wide blurs are three boxes, narrow ones the Gaussian itself. */
static void blur(float *p, int64_t height, int64_t width, double sigma, float *line)
{
    int64_t radius = (int64_t)floor(0.5 * (sqrt(4 * sigma * sigma + 1) - 1) + 0.5);

    for (int pass = 0; pass < (sigma > 3 ? 3 : 1); pass++) {
        for (int64_t y = 0; y < height; y++) {
            if (sigma > 3)
                box_line(p + y * width, width, 1, radius, line);
            else
                blur_line(p + y * width, width, 1, sigma, line);
        }
        for (int64_t x = 0; x < width; x++) {
            if (sigma > 3)
                box_line(p + x, height, width, radius, line);
            else
                blur_line(p + x, height, width, sigma, line);
        }
    }
}

/** Line integrals -> transmitted fraction, with scatter. `out` and `wide` are maps. */
static void transmit(rvl_phantom_canvas *k, const exposure *e, float *out, float *wide, float *line)
{
    const float *body = canvas_plane(k, RVL_PLANE_BODY), *air = canvas_plane(k, RVL_PLANE_AIR);
    const float *vessel = canvas_plane(k, RVL_PLANE_VESSEL), *soft = canvas_plane(k, RVL_PLANE_SOFT);
    const float *bone = canvas_plane(k, RVL_PLANE_BONE), *metal = canvas_plane(k, RVL_PLANE_METAL);
    int64_t      n = k->height * k->width;

    for (int64_t i = 0; i < n; i++) {
        double water = body[i] - air[i] + vessel[i] + soft[i], bones = body[i] > 0.5F ? bone[i] : 0;

        out[i] = wide[i] = (float)exp(-(0.2 * fmax(0, water) + 0.34 * bones + metal[i]));
    }
    blur(wide, k->height, k->width, e->scatter_mm / k->g.mm_per_px, line);
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)((1 - e->scatter) * out[i] + e->scatter * fmin(wide[i], 0.35));
    blur(out, k->height, k->width, e->focus_px * (double)k->height / 256, line);
}

/** The letter on the patient's left, or right, upper corner. */
static double marker(const rvl_phantom_canvas *k, const exposure *e, int64_t x, int64_t y)
{
    bool   right = e->scatter_mm < 20;
    double unit = (double)k->height / 256, px, py;

    px = ((double)x - (right ? 0.055 : 0.91) * (double)k->width) / unit;
    py = ((double)y - 0.05 * (double)k->height) / unit;
    if (px < 0 || px > 8 || py < 0 || py > 12)
        return 0;
    if (px < 2)
        return 1;
    if (!right)
        return py > 10 ? 1 : 0;
    if (py < 2 || (py > 5 && py < 7))
        return px < 7 ? 1 : 0;
    return py < 6 ? px > 6 : fabs(px - 2 - (py - 6) * 0.9) < 1.2;
}

static bool is_collimated(const rvl_phantom_canvas *k, const exposure *e, int64_t x, int64_t y)
{
    return x * 1000 < e->collimate[0] * k->width || y * 1000 < e->collimate[1] * k->height ||
           (k->width - 1 - x) * 1000 < e->collimate[2] * k->width ||
           (k->height - 1 - y) * 1000 < e->collimate[3] * k->height;
}

/** Film density with noise, edge enhancement and the display's curve: 0..1, dense is bright. */
static void develop(rvl_phantom_canvas *k, const exposure *e, float *image, float *wide, float *line)
{
    rvl_rng r = rvl_phantom_rng("phantom-noise", k->c->seed, k->c->index);
    int64_t n = k->height * k->width;

    for (int64_t i = 0; i < n; i++) {
        double t = fmax(image[i], 1e-4);

        image[i] = (float)(-log(t) + e->noise / sqrt(t) * 0.55 * rvl_rng_normal(&r));
    }
    memcpy(wide, image, (size_t)n * sizeof *wide);
    blur(wide, k->height, k->width, 0.016 * (double)k->height, line);
    for (int64_t y = 0; y < k->height; y++)
        for (int64_t x = 0; x < k->width; x++) {
            int64_t i = y * k->width + x;
            double  d = image[i] + e->edge * (image[i] - wide[i]);

            d += e->tilt_x * ((double)x / (double)k->width - 0.5) + e->tilt_y * ((double)y / (double)k->height - 0.5);
            d = e->black + (e->white - e->black) / (1 + exp(-(d - e->centre) * e->slope));
            d = fmax(d, 0.97 * marker(k, e, x, y));
            image[i] = is_collimated(k, e, x, y) ? (float)e->black : (float)d;
        }
}

static void store(rvl_volume *v, const float *image, double low, double high)
{
    int64_t n = v->height * v->width;
    double  top = v->type == RVL_VOXEL_U8 ? 255 : 65535;

    for (int64_t i = 0; i < n; i++) {
        double code = floor(clamp((image[i] - low) / (high - low), 0, 1) * top + 0.5);

        if (v->type == RVL_VOXEL_U8)
            ((uint8_t *)v->voxels)[i] = (uint8_t)code;
        else
            ((uint16_t *)v->voxels)[i] = (uint16_t)code;
    }
    v->unit = RVL_UNIT_DISPLAY;
    v->modality = RVL_MODALITY_CXR;
    memcpy(v->body_part, "chest", 6);
}

static rvl_status store_masks(rvl_volume **masks, rvl_phantom_canvas *k, rvl_error *err)
{
    rvl_status status = RVL_OK;

    for (int f = 0; f < RVL_PHANTOM_N_FINDINGS && !status; f++) {
        if (!k->c->truth[f].present)
            continue;
        status = rvl_volume_new(&masks[f], RVL_VOXEL_U8, 1, k->height, k->width, err);
        if (status)
            break;
        for (int64_t i = 0; i < k->height * k->width; i++)
            ((uint8_t *)masks[f]->voxels)[i] = canvas_plane(k, RVL_PLANE_MASK + f)[i] > 0.5F ? 255 : 0;
        masks[f]->modality = RVL_MODALITY_CXR;
        masks[f]->view = k->c->view;
        memcpy(masks[f]->body_part, "chest", 6);
    }
    return status;
}

static void draw_all(rvl_phantom_canvas *k)
{
    rvl_phantom_draw_body(k);
    rvl_phantom_draw_vessels(k);
    rvl_phantom_draw_findings(k);
    rvl_phantom_draw_stomach(k);
    rvl_phantom_draw_bones(k);
    rvl_phantom_draw_device(k);
}

rvl_status rvl_phantom_render(rvl_volume **image, rvl_volume **masks, const rvl_phantom_case *c, int64_t height,
                              int64_t width, int bits, rvl_error *err)
{
    rvl_phantom_canvas k = {.height = height, .width = width, .c = c};
    exposure           e;
    float             *line = NULL, *out, *wide;
    rvl_status         status = RVL_OK;

    *image = NULL;
    if (masks)
        memset(masks, 0, RVL_PHANTOM_N_FINDINGS * sizeof *masks);
    if (height < 32 || width < 32 || height > 4096 || width > 4096 || (bits != 8 && bits != 16))
        return rvl_fail(err, RVL_ERR_USAGE,
                        "cannot draw a phantom of %lld x %lld pixels and %d bits: sides are "
                        "32..4096, bits 8 or 16",
                        (long long)height, (long long)width, bits);
    k.planes = rvl_alloc_array((size_t)RVL_PLANE_COUNT * (size_t)height * (size_t)width, sizeof *k.planes);
    line = rvl_alloc_array((size_t)(height > width ? height : width), sizeof *line);
    if (!k.planes || !line) {
        status = rvl_fail(err, RVL_ERR_NOMEM, "cannot draw a phantom: out of memory");
        goto done;
    }
    rvl_phantom_geometry_make(&k.g, c, height, width);
    e = draw_exposure(c, k.g.body_cm);
    draw_all(&k);
    out = canvas_plane(&k, RVL_PLANE_SCRATCH);
    wide = canvas_plane(&k, RVL_PLANE_LUNG);
    transmit(&k, &e, out, wide, line);
    develop(&k, &e, out, wide, line);
    status = rvl_volume_new(image, bits == 8 ? RVL_VOXEL_U8 : RVL_VOXEL_U16, 1, height, width, err);
    if (status)
        goto done;
    store(*image, out, 0, 1);
    (*image)->view = c->view;
    if (masks)
        status = store_masks(masks, &k, err);
done:
    if (status) {
        rvl_volume_free(*image);
        *image = NULL;
        for (int f = 0; masks && f < RVL_PHANTOM_N_FINDINGS; f++) {
            rvl_volume_free(masks[f]);
            masks[f] = NULL;
        }
    }
    rvl_free(line);
    rvl_free(k.planes);
    return status;
}
