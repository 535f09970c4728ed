/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/phantom_anatomy.c
 * Soft tissue of a healthy chest: body, breasts, lungs, heart, great vessels, airways, stomach, vessels of the lungs.
 */
#include "synth/phantom_internal.h"
#include <math.h>

static double ellipse(double u, double v, double cu, double cv, double ru, double rv)
{
    double p = (u - cu) / ru, q = (v - cv) / rv, x = 1 - p * p - q * q;

    return x > 0 ? sqrt(x) : 0;
}

/** Shoulders and neck narrow the body upwards. */
static double shoulder_half(const rvl_phantom_geometry *g, double v)
{
    return 58 + (g->chest + 75 - 58) * smooth_step(-62, 42, v) + 10 * g->fat;
}

static double body_depth(const rvl_phantom_geometry *g, double u, double v)
{
    double half = g->chest + 20 + 26 * g->fat, limit = shoulder_half(g, v), trunk, arm = 0, x;
    double deep = 11.5 + (g->body_cm - 11.5) * smooth_step(-55, 80, v);

    half = half < limit ? half : limit;
    x = fabs(u) / half;
    trunk = x < 1 ? deep * pow(1 - pow(x, 3.2), 0.42) : 0;
    if (v < 120) {
        double edge = limit - fmax(0, v - 42) * 0.25;

        arm = fabs(u) < edge ? (7.5 + 3 * g->fat) * sqrt(1 - pow(fabs(u) / edge, 4)) : 0;
        arm *= smooth_step(125, 95, v);
    }
    return trunk > arm ? trunk : arm;
}

static double breast_depth(const rvl_phantom_geometry *g, double u, double v)
{
    double cv = g->breast_v * g->lung_height, a = fabs(u) - 0.6 * g->chest;
    double below = v > cv ? 0.55 : 1.35; /* a round lower border, a slope above */
    double p = a / (0.46 * g->chest), q = (v - cv) / (58 * below), x = 1 - p * p - q * q;

    return x > 0 ? g->breast_cm * sqrt(x) : 0;
}

/** Vessels and spine's neighbours between the lungs, cm; u from the shifted midline. */
static double mediastinum_depth(const rvl_phantom_geometry *g, double u, double v)
{
    double h = g->lung_height, half = 23 + 5 * g->fat + 9 * smooth_step(0.12 * h, -30, v);
    double d = 12 * smooth_step(half + 5, half - 5, fabs(u + 2 + 5 * sin(v / h * 4.4 + 0.6)));
    double x = 9 * ellipse(u, v, 0.55 * g->knob, 0.31 * h, 1.1 * g->knob + 9, g->knob + 3);

    d = fmax(d, x);
    d = fmax(d, 8 * ellipse(u, v, 16, 0.45 * h, 25, 0.1 * h));         /* pulmonary trunk */
    d = fmax(d, 7 * ellipse(u, v, -14, 0.4 * h, 19, 0.17 * h));        /* superior cava, ascending aorta */
    return fmax(d, v > 0.3 * h ? 4 * ellipse(u, 0, 14, 0, 16, 1) : 0); /* descending aorta */
}

static double lung_depth(const rvl_phantom_geometry *g, double u, double v)
{
    int    side = u > 0 ? RVL_SIDE_L : RVL_SIDE_R;
    double a = fabs(u), outer = rvl_phantom_lung_outer(g, v), dome = rvl_phantom_lung_dome(g, side, a), x, depth, open;

    if (a >= outer)
        return 0;
    x = a / outer;
    depth = 0.64 * g->body_cm * (0.42 + 0.58 * smooth_step(0, 0.6 * g->lung_height, v));
    depth *= pow(1 - pow(x, 2.6), 0.5) * smooth_step(-1, 12, v) * smooth_step(outer + 0.5, outer - 3, a);
    open = 46 - 46 * smooth_step(0, 0.16 * g->lung_height, v);
    depth *= smooth_step(open - 6, open + 4, a); /* the apex closes towards the neck */
    return depth * (smooth_step(dome + 1.5, dome - 2.5, v) +
                    0.14 * smooth_step(dome + 42, dome, v) * smooth_step(dome - 2.5, dome + 1.5, v));
}

static double heart_and_vessels(const rvl_phantom_geometry *g, double u, double v)
{
    double m = u - rvl_phantom_midline(g, v) * 0.4 - g->shift_mm * smooth_step(-40, 100, v) - g->yaw_mm * 0.5;

    return fmax(mediastinum_depth(g, m, v), rvl_phantom_heart_depth(g, m - g->yaw_mm * 0.5, v));
}

static double stomach_air(const rvl_phantom_geometry *g, double u, double v, double size)
{
    double top = rvl_phantom_lung_dome(g, RVL_SIDE_L, 0.5 * g->chest) + 9;

    return size * ellipse(u, v, 0.42 * g->chest, top + 11 * size * 0.4, 30 + 4 * size, 11 + 3 * size);
}

static void airway(rvl_phantom_canvas *k)
{
    rvl_phantom_geometry *g = &k->g;
    double                h = g->lung_height, s = g->shift_mm, y = g->yaw_mm * 0.5;
    double                m = rvl_phantom_midline(g, 0) * 0.4 + y;
    rvl_tube_point        trachea[4] = {
               {m, -70, 7.5, 1}, {m, -10, 8, 1}, {m + 0.6 * s, 0.25 * h, 8, 1}, {m + s, 0.43 * h, 8.5, 1}};
    rvl_tube_point right[2] = {{m + s, 0.42 * h, 7, 0.8}, {m + s - 27, 0.53 * h, 5, 0.5}};
    rvl_tube_point left[2] = {{m + s, 0.42 * h, 6.5, 0.8}, {m + s + 36, 0.53 * h, 4.5, 0.4}};

    rvl_phantom_tube(k, RVL_PLANE_AIR, -1, RVL_TUBE_SOLID, trachea, 4);
    rvl_phantom_tube(k, RVL_PLANE_AIR, -1, RVL_TUBE_SOLID, right, 2);
    rvl_phantom_tube(k, RVL_PLANE_AIR, -1, RVL_TUBE_SOLID, left, 2);
}

void rvl_phantom_draw_body(rvl_phantom_canvas *k)
{
    const rvl_phantom_geometry *g = &k->g;
    rvl_rng                     r = rvl_phantom_rng("phantom-tissue", k->c->seed, k->c->index);
    double                      texture = uniform_in(&r, 0.03, 0.09), tilt = uniform_in(&r, -0.0012, 0.0012);
    uint64_t                    noise = rvl_rng_mix(k->c->seed, (uint64_t)k->c->patient * 31 + 7);
    float                      *body = canvas_plane(k, RVL_PLANE_BODY), *air = canvas_plane(k, RVL_PLANE_AIR);
    float                      *lung = canvas_plane(k, RVL_PLANE_LUNG);

    for (int64_t y = 0; y < k->height; y++)
        for (int64_t x = 0; x < k->width; x++) {
            int64_t i = y * k->width + x;
            double  u, v, depth, b;

            rvl_phantom_to_body(k, (double)x, (double)y, &u, &v);
            b = body_depth(g, u, v);
            depth = lung_depth(g, u, v);
            if (depth > 0)
                depth = fmax(0, depth - heart_and_vessels(g, u, v));
            b = b * (1 + tilt * u + 0.02 * rvl_phantom_noise(noise, u, v, 60, 2)) + (b > 1 ? breast_depth(g, u, v) : 0);
            lung[i] = (float)depth;
            air[i] =
                (float)(depth * (1 - g->lung_water * (1 + texture * 5 * rvl_phantom_noise(noise + 9, u, v, 22, 3))));
            body[i] = (float)b;
        }
    airway(k);
}

void rvl_phantom_draw_stomach(rvl_phantom_canvas *k)
{
    rvl_rng      r = rvl_phantom_rng("phantom-stomach", k->c->seed, k->c->index);
    double       size = rvl_rng_uniform(&r) < 0.6 ? uniform_in(&r, 1.2, 4) : 0;
    const float *lung = canvas_plane(k, RVL_PLANE_LUNG);
    float       *air = canvas_plane(k, RVL_PLANE_AIR);

    for (int64_t y = 0; size > 0 && y < k->height; y++)
        for (int64_t x = 0; x < k->width; x++) {
            int64_t i = y * k->width + x;
            double  u, v;

            rvl_phantom_to_body(k, (double)x, (double)y, &u, &v);
            air[i] += (float)(stomach_air(&k->g, u, v, size) * smooth_step(2.5, 0, lung[i]));
        }
}

typedef struct {
    rvl_phantom_canvas *k;
    rvl_rng             r;
    double              gain;
    int                 budget;
} tree;

/** A branch wanders outwards, tapers and splits; ends where the lung or its calibre does. */
static void grow(tree *t, double u, double v, double angle, double radius, int depth)
{
    enum { STEPS = 7 };
    rvl_tube_point p[STEPS + 1];
    int            n = 1 + STEPS - (depth > 2 ? 2 : 0);
    double         step = uniform_in(&t->r, 4.5, 7) * (depth == 0 ? 1 : 0.85);

    if (radius < 0.42 || depth > 5 || t->budget-- <= 0)
        return;
    for (int i = 0; i < n; i++) {
        p[i] = (rvl_tube_point){u, v, radius, t->gain};
        angle += 0.14 * rvl_rng_normal(&t->r);
        u += step * cos(angle);
        v += step * sin(angle);
        radius *= 0.965;
    }
    rvl_phantom_tube(t->k, RVL_PLANE_VESSEL, -1, RVL_TUBE_SOLID, p, n);
    angle += 0.1 * rvl_rng_normal(&t->r);
    grow(t, p[n - 1].u, p[n - 1].v, angle - uniform_in(&t->r, 0.2, 0.55), radius * uniform_in(&t->r, 0.7, 0.88),
         depth + 1);
    grow(t, p[n - 1].u, p[n - 1].v, angle + uniform_in(&t->r, 0.2, 0.55), radius * uniform_in(&t->r, 0.7, 0.88),
         depth + 1);
}

static void draw_tree(rvl_phantom_canvas *k, int side, double hilum_u, double hilum_v)
{
    const rvl_phantom_truth *edema = &k->c->truth[RVL_PHANTOM_EDEMA];
    double                   s = side == RVL_SIDE_L ? 1 : -1;
    tree t = {k, rvl_phantom_rng(s > 0 ? "phantom-left-tree" : "phantom-right-tree", k->c->seed, k->c->patient), 1.15,
              260};
    int  n = 7 + (int)rvl_rng_below(&t.r, 3);

    for (int i = 0; i < n; i++) {
        double x = ((double)i + uniform_in(&t.r, 0.2, 0.8)) / n, angle = -1.45 + 2.85 * x;
        double radius = (2.7 + 2.1 * smooth_step(0, 0.85, x)) * k->g.vessel * uniform_in(&t.r, 0.85, 1.15);

        if (edema->present) /* the upper lobes' vessels widen most */
            radius *= 1 + (0.12 + 0.1 * edema->severity) * (1.2 - 0.6 * x);
        grow(&t, hilum_u + s * 4, hilum_v + 26 * (x - 0.5), s > 0 ? angle : 3.14159265 - angle, radius, 0);
    }
}

static void clip_to_lung(rvl_phantom_canvas *k)
{
    const float *lung = canvas_plane(k, RVL_PLANE_LUNG);
    float       *vessel = canvas_plane(k, RVL_PLANE_VESSEL);

    for (int64_t i = 0; i < k->height * k->width; i++)
        vessel[i] *= (float)smooth_step(0.2, 2.5, lung[i]);
}

void rvl_phantom_draw_vessels(rvl_phantom_canvas *k)
{
    double h = k->g.lung_height, s = k->g.shift_mm + k->g.yaw_mm * 0.5;
    float *soft = canvas_plane(k, RVL_PLANE_SOFT);

    draw_tree(k, RVL_SIDE_R, s - 31, 0.52 * h);
    draw_tree(k, RVL_SIDE_L, s + 33, 0.48 * h);
    clip_to_lung(k);
    for (int64_t y = 0; y < k->height; y++)
        for (int64_t x = 0; x < k->width; x++) {
            double u, v, hilum;

            rvl_phantom_to_body(k, (double)x, (double)y, &u, &v);
            hilum = fmax(ellipse(u, v, s - 32, 0.53 * h, 15, 27), ellipse(u, v, s + 34, 0.49 * h, 14, 25));
            if (hilum > 0)
                soft[y * k->width + x] += (float)(2.4 * k->g.vessel * hilum * hilum *
                                                  smooth_step(0, 3, canvas_plane(k, RVL_PLANE_LUNG)[y * k->width + x]));
        }
}
