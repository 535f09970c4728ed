/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/thorax_bones.c
 * Spine, ribs with their cartilage, sternum, clavicles, heads of the humeri.
 */
#include "synth/thorax_internal.h"
#include <math.h>

static double box(double x, double y, double half_x, double half_y)
{
    double qx = fabs(x) - half_x, qy = fabs(y) - half_y, ox = qx > 0 ? qx : 0, oy = qy > 0 ? qy : 0;

    return sqrt(ox * ox + oy * oy) + fmin(fmax(qx, qy), 0);
}

static double capsule(double x, double y, double ax, double ay, double bx, double by, double r)
{
    double ux = bx - ax, uy = by - ay, t = clamp(((x - ax) * ux + (y - ay) * uy) / (ux * ux + uy * uy), 0, 1);

    return hypot(x - ax - t * ux, y - ay - t * uy) - r;
}

/** Vertebral body, arch and processes round (x, y) of the vertebral centre; `part` 0 at a disc, .5 mid-vertebra. */
static double vertebra_hu(const rvl_thorax_body *b, double x, double y, double part, double hu, double width,
                          double size)
{
    double ring = 15.5 * size * (1 + 0.1 * cos(2 * 3.14159265 * part)), q = hypot(x / 1.12, y), body = q - ring;
    double canal = hypot(x, y - 24 * size) - 8 * size, bone, marrow = 175 * b->bone, cortex = 520 * b->bone;
    bool   disc = part < 0.16 || part > 0.94;
    double arch, spread = smooth_step(0.2, 0.45, part) * smooth_step(0.95, 0.7, part);

    bone = rvl_thorax_cover(body, width);
    if (bone > 0) {
        double shell = rvl_thorax_cover(body + 1.6, width), in = disc ? 85 : marrow;

        hu += bone * ((disc ? 95 : cortex) - hu) + shell * (in - (disc ? 95 : cortex));
        if (!disc && (part < 0.22 || part > 0.88))
            hu += bone * 0.5 * (cortex - marrow); /* end plates */
    }
    arch = fmax(fabs(canal - 3 * size) - 3 * size, 14 * size - y);
    if (spread > 0) {
        arch = fmin(arch, capsule(fabs(x), y, 8 * size, 30 * size, 31 * size, 36 * size, 4.2 * size * spread));
        arch = fmin(arch, capsule(x, y, 0, 34 * size, 0, 52 * size, 3.4 * size * spread));
    }
    bone = rvl_thorax_cover(arch, width) * (disc ? 0.55 : 1);
    hu += bone * (cortex * 0.72 - hu);
    return hu + rvl_thorax_cover(canal, width) * (26 - hu);
}

static void draw_spine(rvl_thorax_canvas *k)
{
    const rvl_thorax_body *b = k->b;
    double                 pitch = 0.098 * b->height, width = k->dx;

    for (int64_t z = 0; z < k->nz; z++) {
        double v = k->v0 - (double)z * k->dz, part = v / pitch + 20, size = 0.85 + 0.22 * clamp(v / b->height, 0, 1.3);
        rvl_point spine = rvl_thorax_spine(b, v);
        int64_t   low[3], high[3];

        size *= b->chest / 125;
        part -= floor(part);
        rvl_thorax_box(k, (rvl_point){spine.x, spine.y + 16, v}, 46 * size, low, high);
        for (int64_t y = low[1]; y < high[1]; y++)
            for (int64_t x = low[0]; x < high[0]; x++) {
                rvl_point p = rvl_thorax_voxel(k, x, y, z);
                float    *hu = &k->hu[(z * k->ny + y) * k->nx + x];

                *hu = (float)vertebra_hu(b, p.x - spine.x, p.y - spine.y, part, *hu, width, size);
            }
    }
}

/** A point of rib `i` (0..11) on one side; `t` from the spine (0) to its front end (1). */
static rvl_point rib_point(const rvl_thorax_body *b, int i, double side, double t, double reach, double *radius)
{
    double h = b->height, start = (-0.015 + 0.0865 * i) * h,
           fall = (0.06 + 0.034 * fmin(i, 7) - 0.02 * fmax(0, i - 9)) * h;
    double angle = 1.36 - t * (1.36 + reach), v = start + fall * pow(t, 1.2), c = cos(angle), s = sin(angle);
    double r = rvl_thorax_wall(b, c, s, v) + 5.5;

    *radius = (i == 0 ? 4.6 : 5.2) * b->chest / 128;
    return (rvl_point){side * r * c, r * s, v};
}

static void draw_ribs(rvl_thorax_canvas *k)
{
    static const double reach[12] = {1.15, 1.1, 1.05, 1, 0.95, 0.9, 0.8, 0.65, 0.45, 0.2, -0.35, -0.8};
    enum { STEPS = 22 };
    rvl_ink bone = {RVL_INK_DENSER, 190 * k->b->bone, 620 * k->b->bone, 1.5, -1},
            cartilage = {RVL_INK_DENSER, 105, 0, 0, -1};

    for (int side = -1; side < 2; side += 2)
        for (int i = 0; i < 12; i++) {
            double    r0, r1, edge = k->b->height * (0.1 + 0.075 * i);
            rvl_point a = rib_point(k->b, i, side, 0, reach[i], &r0), b = a, joint;

            for (int j = 1; j <= STEPS; j++) {
                b = rib_point(k->b, i, side, (double)j / STEPS, reach[i], &r1);
                rvl_thorax_tube(k, a, b, r0, r1, bone);
                a = b;
                r0 = r1;
            }
            if (i > 9)
                continue;
            joint.v = fmin(edge, 0.68 * k->b->height);
            joint.x = side * (i < 7 ? 18 : 30);
            joint.y = -rvl_thorax_wall(k->b, 0.15, -0.99, joint.v) - 5;
            rvl_thorax_tube(k, b,
                            (rvl_point){0.5 * (b.x + joint.x), 0.5 * (b.y + joint.y) - 3, 0.5 * (b.v + joint.v) + 4}, 5,
                            5, cartilage);
            rvl_thorax_tube(k, (rvl_point){0.5 * (b.x + joint.x), 0.5 * (b.y + joint.y) - 3, 0.5 * (b.v + joint.v) + 4},
                            joint, 5, 5, cartilage);
        }
}

static void draw_sternum(rvl_thorax_canvas *k)
{
    const rvl_thorax_body *b = k->b;

    for (int64_t z = 0; z < k->nz; z++) {
        double  v = k->v0 - (double)z * k->dz, s = v / b->height, half, front;
        int64_t low[3], high[3];

        if (s < 0.07 || s > 0.72)
            continue;
        half = s < 0.24   ? 27 - 40 * (s - 0.07)
               : s < 0.64 ? 16 + 5 * smooth_step(0.25, 0.5, s)
                          : 21 * smooth_step(0.73, 0.6, s) + 2;
        front = -rvl_thorax_wall(b, 0, -1, v) - 6.5;
        rvl_thorax_box(k, (rvl_point){0, front, v}, 36, low, high);
        for (int64_t y = low[1]; y < high[1]; y++)
            for (int64_t x = low[0]; x < high[0]; x++) {
                rvl_point p = rvl_thorax_voxel(k, x, y, z);
                float    *hu = &k->hu[(z * k->ny + y) * k->nx + x];
                double d = box(p.x, p.y - front - 0.006 * p.x * p.x, half, 3.4) - 2.2, in = rvl_thorax_cover(d, k->dx);

                if (in > 0)
                    *hu +=
                        (float)(in * (480 * b->bone - *hu) + rvl_thorax_cover(d + 1.4, k->dx) * (130 - 480) * b->bone);
            }
    }
}

static void draw_shoulders(rvl_thorax_canvas *k)
{
    const rvl_thorax_body *b = k->b;
    rvl_ink                bone = {RVL_INK_DENSER, 230 * b->bone, 650 * b->bone, 2, -1};

    for (int side = -1; side < 2; side += 2) {
        double    front = -rvl_thorax_wall(b, 0.1, -0.99, 0.08 * b->height) - 7;
        rvl_point p[3] = {
            {side * 24, front, 0.075 * b->height}, {side * 70, front + 12, -2}, {side * (0.5 * b->chest + 46), 4, -24}};
        double        radius[3] = {7.5, 6, 6};
        rvl_ellipsoid head = rvl_ellipsoid_make((rvl_point){side * (0.46 * b->chest + 74), 8, -34}, 22, 22, 22);
        rvl_point     socket[2] = {{side * (0.46 * b->chest + 48), 24, -28}, {side * (0.46 * b->chest + 44), 40, 0}};
        double        thick[2] = {11, 7};

        rvl_thorax_tubes(k, p, radius, 3, bone);
        rvl_thorax_tubes(k, socket, thick, 2, bone);
        rvl_thorax_ellipsoid(k, &head, bone);
    }
}

void rvl_thorax_draw_bones(rvl_thorax_canvas *k)
{
    draw_ribs(k);
    draw_spine(k);
    draw_sternum(k);
    draw_shoulders(k);
}
