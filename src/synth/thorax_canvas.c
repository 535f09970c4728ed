/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/thorax_canvas.c
 * Painting shapes into the volume: every voxel takes the share that the shape covers of it.
 */
#include "synth/thorax_internal.h"
#include <math.h>

static int64_t to_index(double x, int64_t n)
{
    return x < 0 ? 0 : x > (double)n ? n : (int64_t)x;
}

/** From the body to the picture's frame. */
static rvl_point turned(const rvl_thorax_body *b, rvl_point p)
{
    return (rvl_point){b->cos_yaw * p.x - b->sin_yaw * p.y + b->off_x, b->sin_yaw * p.x + b->cos_yaw * p.y + b->off_y,
                       p.v};
}

void rvl_thorax_box(const rvl_thorax_canvas *k, rvl_point centre, double reach_mm, int64_t low[3], int64_t high[3])
{
    rvl_point p = turned(k->b, centre);

    low[0] = to_index(ceil((p.x - reach_mm - k->x0) / k->dx), k->nx);
    high[0] = to_index(floor((p.x + reach_mm - k->x0) / k->dx) + 1, k->nx);
    low[1] = to_index(ceil((p.y - reach_mm - k->y0) / k->dy), k->ny);
    high[1] = to_index(floor((p.y + reach_mm - k->y0) / k->dy) + 1, k->ny);
    low[2] = to_index(ceil((k->v0 - p.v - reach_mm) / k->dz), k->nz);
    high[2] = to_index(floor((k->v0 - p.v + reach_mm) / k->dz) + 1, k->nz);
}

/** Put `share` of the ink into voxel i; the truth is marked where it fills a third or more. */
static void drop(rvl_thorax_canvas *k, int64_t i, double share, double hu, const rvl_ink *ink)
{
    double now = k->hu[i];

    if (share <= 0)
        return;
    if (ink->finding >= 0 && share >= 0.33)
        k->truth[i] |= 1U << ink->finding;
    if ((ink->mode == RVL_INK_DENSER || ink->mode == RVL_INK_LUNG) && hu < now)
        return;
    k->hu[i] = (float)(now + share * (hu - now));
}

/** The voxel next to a point, so that no shape is too small for a mark. */
static void mark(rvl_thorax_canvas *k, rvl_point centre, int finding)
{
    rvl_point p = turned(k->b, centre);
    int64_t   x = (int64_t)floor((p.x - k->x0) / k->dx + 0.5), y = (int64_t)floor((p.y - k->y0) / k->dy + 0.5);
    int64_t   z = (int64_t)floor((k->v0 - p.v) / k->dz + 0.5);

    if (finding >= 0 && x >= 0 && y >= 0 && z >= 0 && x < k->nx && y < k->ny && z < k->nz)
        k->truth[(z * k->ny + y) * k->nx + x] |= 1U << finding;
}

static void drop_layers(rvl_thorax_canvas *k, int64_t i, double d, double width, double amount, const rvl_ink *ink)
{
    double share = rvl_thorax_cover(d, width);

    if (ink->mode >= RVL_INK_LUNG)
        amount *= k->lung[i] / 255.0;
    if (ink->wall_mm <= 0) {
        drop(k, i, share * amount, ink->hu, ink);
        return;
    }
    drop(k, i, share * amount, ink->wall_hu, ink);
    share = rvl_thorax_cover(d + ink->wall_mm, width);
    if (share > 0)
        k->hu[i] = (float)(k->hu[i] + share * amount * (ink->hu - ink->wall_hu));
}

void rvl_thorax_tube(rvl_thorax_canvas *k, rvl_point a, rvl_point b, double radius_a, double radius_b, rvl_ink ink)
{
    rvl_point p = turned(k->b, a), q = turned(k->b, b), u = {q.x - p.x, q.y - p.y, q.v - p.v};
    double    length2 = u.x * u.x + u.y * u.y + u.v * u.v, big = radius_a > radius_b ? radius_a : radius_b;
    double    reach = big + 0.5 * (k->dx > k->dz ? k->dx : k->dz) + 0.5 * k->dx;
    int64_t   low[3], high[3];
    double    from[3] = {fmin(p.x, q.x) - reach, fmin(p.y, q.y) - reach, fmax(p.v, q.v) + reach};
    double    to[3] = {fmax(p.x, q.x) + reach, fmax(p.y, q.y) + reach, fmin(p.v, q.v) - reach};

    low[0] = to_index(ceil((from[0] - k->x0) / k->dx), k->nx);
    high[0] = to_index(floor((to[0] - k->x0) / k->dx) + 1, k->nx);
    low[1] = to_index(ceil((from[1] - k->y0) / k->dy), k->ny);
    high[1] = to_index(floor((to[1] - k->y0) / k->dy) + 1, k->ny);
    low[2] = to_index(ceil((k->v0 - from[2]) / k->dz), k->nz);
    high[2] = to_index(floor((k->v0 - to[2]) / k->dz) + 1, k->nz);
    mark(k, a, ink.finding);
    mark(k, b, ink.finding);
    for (int64_t z = low[2]; z < high[2]; z++)
        for (int64_t y = low[1]; y < high[1]; y++)
            for (int64_t x = low[0]; x < high[0]; x++) {
                double wx = k->x0 + (double)x * k->dx - p.x, wy = k->y0 + (double)y * k->dy - p.y;
                double wv = k->v0 - (double)z * k->dz - p.v, t, d, radius, width;

                t = length2 > 0 ? clamp((wx * u.x + wy * u.y + wv * u.v) / length2, 0, 1) : 0;
                radius = radius_a + t * (radius_b - radius_a);
                wx -= t * u.x;
                wy -= t * u.y;
                wv -= t * u.v;
                d = sqrt(wx * wx + wy * wy + wv * wv);
                width = d > 1e-6 ? (hypot(wx, wy) * k->dx + fabs(wv) * k->dz) / d : k->dx;
                if (d - radius < 0.5 * width)
                    drop_layers(k, (z * k->ny + y) * k->nx + x, d - radius, width, fmin(1, 2 * radius / width), &ink);
            }
}

void rvl_thorax_tubes(rvl_thorax_canvas *k, const rvl_point *p, const double *radius_mm, int n, rvl_ink ink)
{
    for (int i = 0; i + 1 < n; i++)
        rvl_thorax_tube(k, p[i], p[i + 1], radius_mm[i], radius_mm[i + 1], ink);
}

void rvl_thorax_paint(rvl_thorax_canvas *k, rvl_point centre, double reach_mm, rvl_thorax_shape shape, const void *arg,
                      rvl_ink ink)
{
    double  width = 0.6 * k->dx + 0.4 * k->dz;
    int64_t low[3], high[3];

    rvl_thorax_box(k, centre, reach_mm + width, low, high);
    for (int64_t z = low[2]; z < high[2]; z++)
        for (int64_t y = low[1]; y < high[1]; y++)
            for (int64_t x = low[0]; x < high[0]; x++) {
                int64_t i = (z * k->ny + y) * k->nx + x;
                double  d;

                if (ink.mode >= RVL_INK_LUNG && k->lung[i] == 0)
                    continue;
                d = shape(k->b, rvl_thorax_voxel(k, x, y, z), arg);
                if (d < 0.5 * width)
                    drop_layers(k, i, d, width, 1, &ink);
            }
}

static double ellipsoid_shape(const rvl_thorax_body *b, rvl_point p, const void *arg)
{
    (void)b;
    return rvl_ellipsoid_distance(arg, p);
}

void rvl_thorax_ellipsoid(rvl_thorax_canvas *k, const rvl_ellipsoid *e, rvl_ink ink)
{
    double reach = fmax(e->half[0], fmax(e->half[1], e->half[2]));

    mark(k, e->centre, ink.finding);
    rvl_thorax_paint(k, e->centre, reach, ellipsoid_shape, e, ink);
}
