/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/thorax_scan.c
 * From the drawn body to a reconstructed volume: kernel, noise, streaks, field of view, whole HU; truth masks.
 */
#include "synth/thorax_internal.h"
#include "base/alloc.h"
#include <math.h>
#include <string.h>

#define HU_LOW (-1024.0)
#define HU_HIGH 3071.0
#define HU_PADDING (-2048.0)

/** Three-tap filter along rows and columns: side weight w (negative sharpens). `line` holds one row or column. */
static void filter(float *p, int64_t ny, int64_t nx, float w, float *line)
{
    float m = 1 - 2 * w;

    for (int64_t y = 0; y < ny; y++) {
        float *row = p + y * nx;

        memcpy(line, row, (size_t)nx * sizeof *line);
        for (int64_t x = 0; x < nx; x++)
            row[x] = m * line[x] + w * (line[x > 0 ? x - 1 : 0] + line[x + 1 < nx ? x + 1 : x]);
    }
    for (int64_t x = 0; x < nx; x++) {
        for (int64_t y = 0; y < ny; y++)
            line[y] = p[y * nx + x];
        for (int64_t y = 0; y < ny; y++)
            p[y * nx + x] = m * line[y] + w * (line[y > 0 ? y - 1 : 0] + line[y + 1 < ny ? y + 1 : y]);
    }
}

/** About normal, from the four bytes of one word: mean 0, standard deviation 1. */
static float rough_normal(rvl_rng *r)
{
    uint32_t w = rvl_rng_u32(r);
    int      sum = (int)(w & 255) + (int)(w >> 8 & 255) + (int)(w >> 16 & 255) + (int)(w >> 24);

    return (float)(sum - 510) * (1 / 147.8F);
}

/** The more a slice attenuates, the noisier it is: shoulders more than lungs. */
static double slice_loss(const float *hu, int64_t n, double voxel_mm2)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += hu[i] + 1000;
    return clamp(sum * voxel_mm2 / 4.2e7, 0.45, 1.9);
}

/** Less of it in the air around the body. */
static void add_noise(float *hu, float *grain, const rvl_thorax_recon *q, int64_t n, double amount, rvl_rng *r,
                      float *line)
{
    static const float weight[3] = {0.2F, 0.06F, -0.09F}, gain[3] = {2.5F, 1.25F, 0.75F};

    for (int64_t i = 0; i < n; i++)
        grain[i] = rough_normal(r);
    filter(grain, q->side, q->side, weight[q->kernel], line);
    for (int64_t i = 0; i < n; i++)
        hu[i] += (hu[i] < -950 ? 0.6F : 1) * (float)amount * gain[q->kernel] * grain[i];
}

/** Long streaks across the shoulders, where few photons get through. */
static void add_streaks(float *hu, int64_t side, double amount, rvl_rng *r)
{
    for (int64_t y = 0; y < side; y++) {
        float lift = (float)(amount * rough_normal(r));

        for (int64_t x = 0; x < side; x++)
            if (hu[y * side + x] > -700)
                hu[y * side + x] += lift;
    }
}

static void store_slice(int16_t *to, const float *hu, const rvl_thorax_recon *q)
{
    double half = 0.5 * (double)(q->side - 1), limit = (half + 0.5) * (half + 0.5);

    for (int64_t y = 0; y < q->side; y++)
        for (int64_t x = 0; x < q->side; x++) {
            double dx = (double)x - half, dy = (double)y - half, value = floor(hu[y * q->side + x] + 0.5);

            value = clamp(value, HU_LOW, HU_HIGH);
            to[y * q->side + x] = (int16_t)(q->round_field && dx * dx + dy * dy > limit ? HU_PADDING : value);
        }
}

static rvl_status develop(rvl_volume *out, rvl_thorax_canvas *k, const rvl_thorax_case *c, const rvl_thorax_recon *q,
                          rvl_error *err)
{
    static const float edge[3] = {0.10F, 0.04F, -0.11F};
    int64_t            n = q->side * q->side, i_recon = q - c->recons;
    float *grain = rvl_alloc_array((size_t)n, sizeof *grain), *line = rvl_alloc_array((size_t)q->side, sizeof *line);
    bool   good = grain && line;

    for (int64_t z = 0; z < k->nz && good; z++) {
        rvl_rng r = rvl_phantom_rng("thorax-noise", c->seed, (c->index * 8 + i_recon) * 4096 + z);
        float  *hu = k->hu + z * n;
        double  loss = slice_loss(hu, n, q->pixel_mm * q->pixel_mm);

        filter(hu, q->side, q->side, edge[q->kernel], line);
        if (loss > 0.9)
            add_streaks(hu, q->side, 9 * (loss - 0.9) * q->noise_hu / 12, &r);
        add_noise(hu, grain, q, n, q->noise_hu * loss, &r, line);
        store_slice((int16_t *)out->voxels + z * n, hu, q);
    }
    rvl_free(line);
    rvl_free(grain);
    return good ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot draw a thorax: out of memory");
}

static void set_facts(rvl_volume *v, const rvl_thorax_body *b, const rvl_thorax_recon *q, const rvl_thorax_canvas *k)
{
    v->unit = RVL_UNIT_HU;
    v->modality = RVL_MODALITY_CT;
    memcpy(v->body_part, "chest", 6);
    v->has_spacing = v->has_geometry = true;
    v->spacing_mm = (rvl_vec3){q->pixel_mm, q->pixel_mm, q->slice_mm};
    v->origin_mm = (rvl_vec3){b->world_x + k->x0, b->world_y + k->y0, b->world_z - k->v0};
    for (int i = 0; i < 3; i++)
        v->direction[i][i] = 1;
}

static rvl_status store_masks(rvl_volume **masks, const rvl_thorax_canvas *k, const rvl_volume *volume, rvl_error *err)
{
    rvl_status status = RVL_OK;
    int64_t    n = k->nz * k->ny * k->nx;

    for (int f = 0; f < RVL_THORAX_N_FINDINGS && !status; f++) {
        if (!k->b->c->truth[f].present)
            continue;
        status = rvl_volume_new(&masks[f], RVL_VOXEL_U8, k->nz, k->ny, k->nx, err);
        if (status)
            break;
        rvl_volume_copy_facts(masks[f], volume);
        masks[f]->unit = RVL_UNIT_ARBITRARY;
        for (int64_t i = 0; i < n; i++)
            ((uint8_t *)masks[f]->voxels)[i] = k->truth[i] >> f & 1;
    }
    return status;
}

void rvl_thorax_canvas_fini(rvl_thorax_canvas *k)
{
    rvl_free(k->hu);
    rvl_free(k->lung);
    rvl_free(k->truth);
}

rvl_status rvl_thorax_draw(rvl_thorax_canvas *k, rvl_error *err)
{
    size_t     n = (size_t)k->nz * (size_t)k->ny * (size_t)k->nx;
    rvl_status status;

    k->hu = rvl_alloc_array(n, sizeof *k->hu);
    k->lung = rvl_alloc_array(n, sizeof *k->lung);
    k->truth = rvl_alloc_array(n, sizeof *k->truth);
    if (!k->hu || !k->lung || !k->truth)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot draw a thorax: out of memory");
    memset(k->lung, 0, n * sizeof *k->lung);
    memset(k->truth, 0, n * sizeof *k->truth);
    status = rvl_thorax_draw_body(k, err);
    if (status)
        return status;
    rvl_thorax_draw_vessels(k);
    rvl_thorax_draw_lung_findings(k);
    rvl_thorax_draw_bones(k);
    rvl_thorax_draw_chest_findings(k);
    return RVL_OK;
}

rvl_status rvl_thorax_render(rvl_volume **volume, rvl_volume **masks, const rvl_thorax_case *c,
                             const rvl_thorax_recon *q, rvl_error *err)
{
    rvl_thorax_body  *b = rvl_alloc_array(1, sizeof *b);
    rvl_thorax_canvas k = {
        .nz = q->depth, .ny = q->side, .nx = q->side, .dz = q->slice_mm, .dy = q->pixel_mm, .dx = q->pixel_mm};
    rvl_status status = RVL_OK;

    *volume = NULL;
    if (masks)
        memset(masks, 0, RVL_THORAX_N_FINDINGS * sizeof *masks);
    if (!b) {
        status = rvl_fail(err, RVL_ERR_NOMEM, "cannot draw a thorax: out of memory");
        goto done;
    }
    rvl_thorax_body_make(b, c);
    k.b = b;
    k.x0 = k.y0 = -0.5 * (double)(q->side - 1) * q->pixel_mm;
    k.v0 = b->top_v + (double)(q->depth - 1) * q->slice_mm;
    status = rvl_thorax_draw(&k, err);
    if (!status)
        status = rvl_volume_new(volume, RVL_VOXEL_I16, k.nz, k.ny, k.nx, err);
    if (!status) {
        set_facts(*volume, b, q, &k);
        status = develop(*volume, &k, c, q, err);
    }
    if (!status && masks)
        status = store_masks(masks, &k, *volume, err);
done:
    if (status) {
        rvl_volume_free(*volume);
        *volume = NULL;
        for (int f = 0; masks && f < RVL_THORAX_N_FINDINGS; f++) {
            rvl_volume_free(masks[f]);
            masks[f] = NULL;
        }
    }
    rvl_thorax_canvas_fini(&k);
    rvl_free(b);
    return status;
}
