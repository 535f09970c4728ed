/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/phantom_device.c
 * Support devices: pacemaker with leads, central line, port, endotracheal and gastric tube.
 */
#include "synth/phantom_internal.h"
#include <math.h>

enum { MASK = RVL_PLANE_MASK + RVL_PHANTOM_DEVICE };

/** Smooth curve through four control points (Bezier), drawn as metal; `dense` is attenuation per cm. */
static void draw_curve(rvl_phantom_canvas *k, double p[4][2], double radius_mm, double dense)
{
    enum { N = 24 };
    rvl_tube_point q[N];

    for (int i = 0; i < N; i++) {
        double t = (double)i / (N - 1), s = 1 - t, b[4] = {s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t};

        q[i] = (rvl_tube_point){0, 0, radius_mm, dense};
        for (int j = 0; j < 4; j++) {
            q[i].u += b[j] * p[j][0];
            q[i].v += b[j] * p[j][1];
        }
    }
    rvl_phantom_tube(k, RVL_PLANE_METAL, MASK, RVL_TUBE_SOLID, q, N);
}

/** A rounded box (power 4) or disc (power 2) of metal. */
static void draw_plate(rvl_phantom_canvas *k, double cu, double cv, double ru, double rv, double power, double dense,
                       double hollow)
{
    float *metal = canvas_plane(k, RVL_PLANE_METAL), *mask = canvas_plane(k, MASK);

    for (int64_t y = 0; y < k->height; y++)
        for (int64_t x = 0; x < k->width; x++) {
            double u, v, q, m;

            rvl_phantom_to_body(k, (double)x, (double)y, &u, &v);
            q = pow(fabs((u - cu) / ru), power) + pow(fabs((v - cv) / rv), power);
            m = smooth_step(1.12, 0.88, q);
            if (m <= 0)
                continue;
            metal[y * k->width + x] += (float)(dense * m * (hollow > 0 && q < hollow ? 0.35 : 1));
            mask[y * k->width + x] = 1;
        }
}

static void draw_pacemaker(rvl_phantom_canvas *k, rvl_rng *r, double s)
{
    double g = k->g.chest, h = k->g.lung_height, shift = k->g.shift_mm, w = k->g.heart_width;
    double cu = s * uniform_in(r, 0.6, 0.82) * g, cv = uniform_in(r, 0.2, 0.34) * h, size = uniform_in(r, 18, 25);
    double lead[4][2] = {
        {cu - s * 0.6 * size, cv - 0.7 * size}, {s * 0.36 * g, 0.03 * h}, {shift - 26, 0.2 * h}, {shift - 27, 0.5 * h}};
    double tip_u = shift + uniform_in(r, 0.2, 0.38) * w, base = 0.5 * (k->g.dome[0] + k->g.dome[1]);
    double inner[4][2] = {
        {shift - 27, 0.5 * h}, {shift - 0.33 * w, base + 8}, {shift - 4, base + 2}, {tip_u, base - 9}};

    draw_plate(k, cu, cv, size, size * 0.86, 3.5, 2.6, 0.45);
    draw_curve(k, lead, 1.8, 6.5);
    draw_curve(k, inner, 1.8, 6.5);
    draw_plate(k, tip_u, base - 9, 3, 2.4, 2, 2.2, 0);
    if (rvl_rng_uniform(r) < 0.55) { /* a second lead, to the right atrium */
        double atrial[4][2] = {
            {shift - 25, 0.3 * h}, {shift - 29, 0.62 * h}, {shift - 38, 0.72 * h}, {shift - 0.27 * w, 0.6 * h}};

        draw_curve(k, atrial, 1.7, 6.5);
    }
}

static void draw_line(rvl_phantom_canvas *k, rvl_rng *r, double s, bool port)
{
    double g = k->g.chest, h = k->g.lung_height, m = k->g.shift_mm, end = uniform_in(r, 0.42, 0.58) * h;
    double start_u = s * uniform_in(r, 40, 56), start_v = -64;
    double line[4][2] = {{0, 0}, {s * 30, 0.03 * h}, {m - 22, 0.16 * h}, {m - 25, end}};

    if (port || rvl_rng_uniform(r) < 0.45) {
        start_u = s * uniform_in(r, 0.58, 0.78) * g;
        start_v = uniform_in(r, 0.2, 0.3) * h;
        line[1][0] = s * 0.55 * g;
        line[1][1] = -0.1 * h;
    }
    line[0][0] = start_u;
    line[0][1] = start_v;
    draw_curve(k, line, port ? 1.8 : 2, 6);
    if (port)
        draw_plate(k, start_u, start_v, 15, 14, 2.2, 2.8, 0.3);
}

/** Tubes of the midline: soft plastic with a dense stripe. */
static void draw_tube(rvl_phantom_canvas *k, rvl_rng *r, bool gastric)
{
    double h = k->g.lung_height, m = k->g.shift_mm, x = k->g.yaw_mm * 0.5;
    double end = gastric ? k->g.dome[1] + uniform_in(r, 26, 44) : uniform_in(r, 0.2, 0.34) * h;
    double line[4][2] = {{x + uniform_in(r, -4, 4), -75}, {x, -20}, {x + 0.5 * m, 0.1 * h}, {x + 0.6 * m, end}};

    if (!gastric) {
        draw_curve(k, line, 5, 0.5);
        for (int i = 0; i < 4; i++)
            line[i][0] += 3;
        draw_curve(k, line, 2, 7);
        return;
    }
    line[2][0] = m + 6;
    line[2][1] = 0.5 * h;
    line[3][0] = m + 10;
    line[3][1] = k->g.dome[1] + 6;
    draw_curve(k, line, 2.4, 5.5);
    {
        double tail[4][2] = {{m + 10, k->g.dome[1] + 6}, {m + 12, end}, {m + 24, end + 8}, {0.4 * k->g.chest, end + 2}};

        draw_curve(k, tail, 2.4, 5.5);
    }
}

void rvl_phantom_draw_device(rvl_phantom_canvas *k)
{
    const rvl_phantom_truth *t = &k->c->truth[RVL_PHANTOM_DEVICE];
    rvl_rng                  r = rvl_phantom_rng("phantom-device", k->c->seed, k->c->index);
    double                   s = t->side == RVL_SIDE_LEFT ? 1 : -1;

    if (!t->present)
        return;
    if (t->kind == RVL_KIND_PACEMAKER)
        draw_pacemaker(k, &r, s);
    else if (t->kind == RVL_KIND_CENTRAL_LINE || t->kind == RVL_KIND_PORT)
        draw_line(k, &r, s, t->kind == RVL_KIND_PORT);
    else
        draw_tube(k, &r, t->kind == RVL_KIND_GASTRIC_TUBE);
}
