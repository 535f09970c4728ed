/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/thorax_twin.c
 * The radiograph of a scan: attenuation of the drawn body summed from back to front (parallel rays), then the display
 * of a film: what is dense is bright.
 *
 * Attenuation of a voxel is that of water at 70 keV (0.0193 / mm) times 1 + HU / 1000; bone weighs more, as it does for
 * the softer beam of a radiograph.
 */
#include "synth/thorax_internal.h"
#include "base/alloc.h"
#include <math.h>
#include <string.h>

#define WATER_PER_MM 0.0193
#define RAY_STEP_MM 3.0

/** Line integrals into `film` (size * size), the first row at the top. The table is not in the beam. */
static void integrate(const rvl_thorax_canvas *k, float *film)
{
    double back = rvl_thorax_back(k->b);

    for (int64_t z = 0; z < k->nz; z++)
        for (int64_t x = 0; x < k->nx; x++) {
            double sum = 0;

            for (int64_t y = 0; y < k->ny && k->y0 + (double)y * k->dy < back; y++) {
                double hu = k->hu[(z * k->ny + y) * k->nx + x];

                sum += (1 + hu / 1000 + (hu > 150 ? 0.9 * (hu - 150) / 1000 : 0)) * k->dy;
            }
            film[(k->nz - 1 - z) * k->nx + x] = (float)(WATER_PER_MM * (sum > 0 ? sum : 0));
        }
}

/** Exposure follows the patient: the film's middle lies between lung and mediastinum. */
static void expose(const rvl_thorax_case *c, const float *film, rvl_volume *out)
{
    rvl_rng r = rvl_phantom_rng("thorax-film", c->seed, c->index),
            grain = rvl_phantom_rng("thorax-grain-film", c->seed, c->index);
    int64_t n = out->height * out->width, n_body = 0;
    double  mean = 0, slope = uniform_in(&r, 1.0, 1.5), noise = uniform_in(&r, 0.006, 0.014),
           top = out->type == RVL_VOXEL_U8 ? 255 : 65535;

    for (int64_t i = 0; i < n; i++)
        if (film[i] > 0.6) {
            mean += film[i];
            n_body++;
        }
    mean = n_body > 0 ? mean / (double)n_body + uniform_in(&r, -0.25, 0.25) : 1;
    for (int64_t i = 0; i < n; i++) {
        double d = film[i] + noise * exp(0.5 * fmin(film[i], 6)) * rvl_rng_normal(&grain);
        double code = floor(top * clamp(0.02 + 0.96 / (1 + exp(-slope * (d - mean))), 0, 1) + 0.5);

        if (out->type == RVL_VOXEL_U8)
            ((uint8_t *)out->voxels)[i] = (uint8_t)code;
        else
            ((uint16_t *)out->voxels)[i] = (uint16_t)code;
    }
}

rvl_status rvl_thorax_project(rvl_volume **image, const rvl_thorax_case *c, int64_t size, int bits, rvl_error *err)
{
    rvl_thorax_body  *b = NULL;
    rvl_thorax_canvas k = {0};
    float            *film = NULL;
    double            field;
    rvl_status        status;

    *image = NULL;
    if (size < 32 || size > 1024 || (bits != 8 && bits != 16))
        return rvl_fail(err, RVL_ERR_USAGE, "cannot project a thorax to %lld pixels and %d bits: 32..1024, 8 or 16",
                        (long long)size, bits);
    b = rvl_alloc_array(1, sizeof *b);
    film = rvl_alloc_array((size_t)(size * size), sizeof *film);
    if (!b || !film) {
        status = rvl_fail(err, RVL_ERR_NOMEM, "cannot project a thorax: out of memory");
        goto done;
    }
    rvl_thorax_body_make(b, c);
    b->cos_yaw = 1; /* the film is taken on another day */
    b->sin_yaw = 0;
    field = fmax(2.7 * b->chest, 1.5 * b->height);
    k = (rvl_thorax_canvas){
        .b = b, .nz = size, .nx = size, .dz = field / (double)size, .dx = field / (double)size, .dy = RAY_STEP_MM};
    k.ny = (int64_t)ceil((2 * b->depth + 160) / RAY_STEP_MM);
    k.x0 = b->off_x - 0.5 * (field - k.dx);
    k.y0 = b->off_y - b->depth - 90;
    k.v0 = 0.5 * b->height - 0.03 * field + 0.5 * (field - k.dz);
    status = rvl_thorax_draw(&k, err);
    if (!status)
        status = rvl_volume_new(image, bits == 8 ? RVL_VOXEL_U8 : RVL_VOXEL_U16, 1, size, size, err);
    if (!status) {
        integrate(&k, film);
        expose(c, film, *image);
        (*image)->unit = RVL_UNIT_DISPLAY;
        (*image)->modality = RVL_MODALITY_CXR;
        (*image)->view = RVL_VIEW_PA;
        memcpy((*image)->body_part, "chest", 6);
    }
done:
    rvl_thorax_canvas_fini(&k);
    rvl_free(film);
    rvl_free(b);
    return status;
}
