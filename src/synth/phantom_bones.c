/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/phantom_bones.c
 * Ribs, clavicles, spine, shoulder blades, upper arms.
 */
#include "synth/phantom_internal.h"
#include <math.h>

/** A rib runs round the chest: seen from the front, half an ellipse that drops from the spine to the front. */
static void draw_rib(rvl_phantom_canvas *k, int i, double s, rvl_rng *r)
{
    enum { N = 28 };
    const rvl_phantom_geometry *g = &k->g;
    double                      pitch = g->lung_height * 0.098, start = -0.05 * g->lung_height + pitch * i;
    double                      drop = 0.15 * g->lung_height + 5.0 * i + uniform_in(r, -3, 3);
    double                      wide = rvl_phantom_lung_outer(g, clamp(start + 0.55 * drop, 14, 1e9)) + 3.5;
    double                      end = i < 7 ? 0.8 : i < 9 ? 0.66 : 0.5, radius = uniform_in(r, 5.6, 6.6);
    rvl_tube_point              p[N];

    for (int j = 0; j < N; j++) {
        double f = (double)j / (N - 1), t = 3.14159265 * (0.04 + (end - 0.04) * f);
        double front = smooth_step(0.45, 0.62, t / 3.14159265);

        p[j].u = s * wide * sin(t) + rvl_phantom_midline(g, start);
        p[j].v = start + drop * 0.5 * (1 - cos(t)) - 9 * sin(2 * t) * (t < 1.5708 ? 1 : 0.4);
        p[j].radius_mm = radius * (1 + 0.12 * front) * (i == 0 ? 1.15 : 1);
        p[j].weight = (1 - 0.42 * front) * (1 - smooth_step(0.9, 1, f) * (end > 0.6 ? 1 : 0)) * g->bone;
    }
    rvl_phantom_tube(k, RVL_PLANE_BONE, -1, RVL_TUBE_SHELL, p, N);
}

static void draw_clavicle(rvl_phantom_canvas *k, double s, rvl_rng *r)
{
    enum { N = 14 };
    const rvl_phantom_geometry *g = &k->g;
    double                      lift = uniform_in(r, -6, 6) + (k->c->view == RVL_VIEW_AP ? -10 : 0);
    rvl_tube_point              p[N];

    for (int j = 0; j < N; j++) {
        double f = (double)j / (N - 1);

        p[j].u = s * (13 + (g->chest + 22) * f) + g->yaw_mm * (1 - f) * 1.2;
        p[j].v = 0.15 * g->lung_height + lift - 30 * smooth_step(0, 1, f) + 7 * sin(6.283 * f);
        p[j].radius_mm = 5.6 + 2.2 * smooth_step(0.25, 0, f);
        p[j].weight = 1.15 * g->bone;
    }
    rvl_phantom_tube(k, RVL_PLANE_BONE, -1, RVL_TUBE_SHELL, p, N);
}

static void draw_shoulder(rvl_phantom_canvas *k, double s)
{
    const rvl_phantom_geometry *g = &k->g;
    double                      edge = g->chest * (1.02 - 0.26 * g->scapula), far = g->chest + 36, h = g->lung_height;
    rvl_tube_point              medial[3] = {
                     {s * (edge + 14), 0.08 * h, 2.5, 0.6}, {s * edge, 0.28 * h, 3, 0.7}, {s * (edge + 8), 0.62 * h, 4, 0.8}};
    rvl_tube_point lateral[2] = {{s * (edge + 8), 0.62 * h, 4, 0.9}, {s * (far - 8), 0.16 * h, 6, 1}};
    rvl_tube_point ridge[2] = {{s * (edge + 8), 0.15 * h, 4, 0.6}, {s * far, 0.0, 8, 0.8}};
    rvl_tube_point arm[3] = {
        {s * (far + 12), 0.1 * h, 21, 0.85}, {s * (far + 17), 0.16 * h, 18, 0.85}, {s * (far + 40), 0.95 * h, 11, 1.3}};

    rvl_phantom_tube(k, RVL_PLANE_BONE, -1, RVL_TUBE_SHELL, medial, 3);
    rvl_phantom_tube(k, RVL_PLANE_BONE, -1, RVL_TUBE_SHELL, lateral, 2);
    rvl_phantom_tube(k, RVL_PLANE_BONE, -1, RVL_TUBE_SHELL, ridge, 2);
    rvl_phantom_tube(k, RVL_PLANE_BONE, -1, RVL_TUBE_SHELL, arm, 3);
}

/** Bodies, discs, pedicles and spinous processes, repeating down the back. */
static double spine_cm(const rvl_phantom_geometry *g, double u, double v)
{
    double half = g->spine_half * (0.85 + 0.25 * clamp(v / g->lung_height, -0.3, 1.3)), pitch = 0.098 * g->lung_height;
    double d = u - rvl_phantom_midline(g, v), phase = v / pitch - floor(v / pitch), body, du, dv, pedicle;

    if (fabs(d) > half + 12)
        return 0;
    body = 1.35 * smooth_step(half + 1, half - 2.5, fabs(d)) *
           (0.62 + 0.38 * smooth_step(0, 0.13, phase) * smooth_step(1, 0.87, phase));
    body += 0.35 * smooth_step(2.5, 0, fabs(fabs(d) - half + 1.5)) * smooth_step(0.05, 0.2, phase);
    du = (fabs(d) - 0.62 * half) / 4;
    dv = (phase - 0.35) * pitch / 5.5;
    pedicle = fabs(sqrt(du * du + dv * dv) - 0.8);
    body += 0.4 * smooth_step(0.4, 0.1, pedicle);
    du = d / 3.2;
    dv = (phase - 0.6) * pitch / 7;
    body += 0.5 * smooth_step(1, 0.5, sqrt(du * du + dv * dv));
    body += 0.4 * smooth_step(half + 12, half + 2, fabs(d)) * smooth_step(0.32, 0.18, fabs(phase - 0.35)) *
            smooth_step(half - 2, half + 1, fabs(d)); /* transverse processes */
    return body * g->bone;
}

void rvl_phantom_draw_bones(rvl_phantom_canvas *k)
{
    rvl_rng r = rvl_phantom_rng("phantom-bones", k->c->seed, k->c->patient);
    float  *bone = canvas_plane(k, RVL_PLANE_BONE);

    for (int64_t y = 0; y < k->height; y++)
        for (int64_t x = 0; x < k->width; x++) {
            double u, v;

            rvl_phantom_to_body(k, (double)x, (double)y, &u, &v);
            bone[y * k->width + x] += (float)spine_cm(&k->g, u, v);
        }
    for (int i = 0; i < 11; i++)
        for (int s = -1; s <= 1; s += 2)
            draw_rib(k, i, s, &r);
    for (int s = -1; s <= 1; s += 2) {
        draw_clavicle(k, s, &r);
        draw_shoulder(k, s);
    }
}
