/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/thorax_chest.c
 * Findings outside the lungs: hernia, lymph nodes, calcium of arteries, foreign material. Each with its truth.
 */
#include "synth/thorax_internal.h"
#include <math.h>

static rvl_rng finding_rng(const rvl_thorax_canvas *k, const char *what)
{
    return rvl_phantom_rng(what, k->b->c->seed, k->b->c->index);
}

typedef struct {
    rvl_ellipsoid body;
    double        inset;
    double        air_y; /* in front of it: air */
} sac;

static double sac_shape(const rvl_thorax_body *b, rvl_point p, const void *arg)
{
    const sac *s = arg;
    double     d = rvl_ellipsoid_distance(&s->body, p) + s->inset, heart = 2 - rvl_thorax_heart(b, p.x, p.y, p.v);
    rvl_point  spine = rvl_thorax_spine(b, p.v);
    double     bone = 20 - hypot(p.x - spine.x, p.y - spine.y);

    d = fmax(d, fmax(heart, bone) + s->inset);
    return s->air_y < 1e8 ? fmax(d, p.y - s->air_y) : d;
}

/** Part of the stomach behind the heart: wall, content, often air in front of it. */
static void draw_hernia(rvl_thorax_canvas *k, const rvl_thorax_truth *t)
{
    const rvl_thorax_body *b = k->b;
    rvl_rng                r = finding_rng(k, "thorax-hernia");
    double    half = 0.5 * t->size_mm, content = rvl_rng_uniform(&r) < 0.3 ? -85 : 22, lean = uniform_in(&r, -6, 12);
    rvl_point spine = rvl_thorax_spine(b, 0.88 * b->height);
    rvl_point at = {lean + b->shift_mm, spine.y - 24 - 0.35 * half, 0.94 * b->height - 0.55 * half};
    sac       s = {rvl_ellipsoid_make(at, 1.1 * half, 0.85 * half, half), 0, 1e9};
    bool      has_air = rvl_rng_uniform(&r) < 0.75;

    rvl_thorax_paint(k, at, 1.15 * half, sac_shape, &s, (rvl_ink){RVL_INK_OVER, 40, 0, 0, RVL_THORAX_HIATAL_HERNIA});
    s.inset = 3.5;
    rvl_thorax_paint(k, at, 1.15 * half, sac_shape, &s,
                     (rvl_ink){RVL_INK_OVER, content, 0, 0, RVL_THORAX_HIATAL_HERNIA});
    s.air_y = at.y - uniform_in(&r, -0.1, 0.45) * half;
    if (has_air)
        rvl_thorax_paint(k, at, 1.15 * half, sac_shape, &s,
                         (rvl_ink){RVL_INK_OVER, -980, 0, 0, RVL_THORAX_HIATAL_HERNIA});
}

static void draw_nodes(rvl_thorax_canvas *k, const rvl_thorax_truth *t)
{
    /* x in mm, y and v as shares of half depth and height: paratracheal, subcarinal, prevascular, hilar */
    static const double    stations[7][3] = {{-16, 0.02, 0.27}, {6, 0.32, 0.455}, {-19, 0, 0.36},  {6, -0.5, 0.32},
                                             {-40, 0.02, 0.53}, {40, 0.02, 0.51}, {14, 0.05, 0.38}};
    const rvl_thorax_body *b = k->b;
    rvl_rng                r = finding_rng(k, "thorax-nodes");

    for (int i = 0; i < t->count; i++) {
        const double *s = stations[i % 7];
        double        half = 0.5 * t->size_mm * (i == 0 ? 1 : uniform_in(&r, 0.6, 0.95));
        rvl_point     at = {s[0] * b->chest / 128 + b->shift_mm + 2 * rvl_rng_normal(&r), s[1] * b->depth,
                            s[2] * b->height};
        rvl_ellipsoid e =
            rvl_ellipsoid_make(at, half, half * uniform_in(&r, 0.65, 0.9), half * uniform_in(&r, 0.8, 1.2));

        rvl_thorax_ellipsoid(k, &e, (rvl_ink){RVL_INK_DENSER, 46, 0, 0, RVL_THORAX_LYMPHADENOPATHY});
    }
}

static void draw_aortic_calcium(rvl_thorax_canvas *k, const rvl_thorax_truth *t)
{
    rvl_rng r = finding_rng(k, "thorax-aorta");

    for (int i = 0; i < 7 * t->severity; i++) {
        double at = uniform_in(&r, 0.3, 1), angle = uniform_in(&r, 0, 6.28),
               long_mm = uniform_in(&r, 2, 5 + 2 * t->severity), radius, turn;
        rvl_point c = rvl_thorax_aorta(k->b, at, &radius), p, q;
        rvl_ink   ink = {RVL_INK_DENSER, uniform_in(&r, 450, 1000), 0, 0, RVL_THORAX_ARTERIAL_CALCIFICATION};

        turn = long_mm / radius;
        p = (rvl_point){c.x + radius * cos(angle), c.y + radius * sin(angle), c.v};
        q = (rvl_point){c.x + radius * cos(angle + turn), c.y + radius * sin(angle + turn),
                        c.v + uniform_in(&r, -4, 4)};
        rvl_thorax_tube(k, p, q, uniform_in(&r, 0.9, 1.9), 1, ink);
    }
}

/** A point of the heart's surface in a direction from its centre. */
static rvl_point on_heart(const rvl_thorax_body *b, rvl_point u, double lift_mm)
{
    rvl_point c = b->heart.centre;
    double    low = 10, high = 140;

    for (int i = 0; i < 24; i++) {
        double m = 0.5 * (low + high);

        if (rvl_thorax_heart(b, c.x + m * u.x, c.y + m * u.y, c.v + m * u.v) < lift_mm)
            low = m;
        else
            high = m;
    }
    return (rvl_point){c.x + low * u.x, c.y + low * u.y, c.v + low * u.v};
}

/** Left anterior descending, circumflex, right: arcs over the heart's surface, `t` 0..1. */
static rvl_point coronary(const rvl_thorax_body *b, int artery, double t)
{
    static const rvl_point from[3] = {{-0.1, -0.55, -0.83}, {0.15, -0.1, -0.98}, {-0.6, -0.72, -0.35}};
    static const rvl_point to[3] = {{0.62, -0.76, 0.2}, {0.72, 0.66, -0.2}, {-0.62, -0.45, 0.64}};
    rvl_point              u = {from[artery].x + t * (to[artery].x - from[artery].x),
                                from[artery].y + t * (to[artery].y - from[artery].y),
                                from[artery].v + t * (to[artery].v - from[artery].v)};
    double                 n = sqrt(u.x * u.x + u.y * u.y + u.v * u.v);

    return on_heart(b, (rvl_point){u.x / n, u.y / n, u.v / n}, 1);
}

static void draw_coronary_calcium(rvl_thorax_canvas *k, const rvl_thorax_truth *t)
{
    rvl_rng r = finding_rng(k, "thorax-coronary");

    for (int i = 0; i < 1 + 3 * t->severity; i++) {
        int       artery = i == 0 ? 0 : (int)rvl_rng_below(&r, 3);
        double    at = uniform_in(&r, 0.05, 0.7), radius = uniform_in(&r, 1, 1.5 + 0.3 * t->severity);
        rvl_point p = coronary(k->b, artery, at),
                  q = coronary(k->b, artery, at + uniform_in(&r, 0.03, 0.05 + 0.06 * t->severity));

        rvl_thorax_tube(k, p, q, radius, 0.8 * radius,
                        (rvl_ink){RVL_INK_DENSER, uniform_in(&r, 400, 900), 0, 0, RVL_THORAX_CORONARY_CALCIFICATION});
    }
}

/** Under the skin of the upper chest, in front. */
static rvl_point pocket(const rvl_thorax_body *b, double side, double share, double lift_mm)
{
    double v = share * b->height, c = 0.62, s = -0.785, r = rvl_thorax_wall(b, c, s, v) + lift_mm;

    return (rvl_point){side * r * c, r * s, v};
}

static void draw_box(rvl_thorax_canvas *k, rvl_point at, double side, double half, double thick, rvl_ink ink)
{
    rvl_ellipsoid e = rvl_ellipsoid_make(at, half, thick, half);
    double        c = 0.8, s = 0.6 * side; /* turned with the wall */

    e.axis[0] = (rvl_point){c / half, s / half, 0};
    e.axis[1] = (rvl_point){-s / thick, c / thick, 0};
    rvl_thorax_ellipsoid(k, &e, ink);
}

static void draw_implant(rvl_thorax_canvas *k, const rvl_thorax_truth *t)
{
    const rvl_thorax_body *b = k->b;
    double                 s = t->side == RVL_SIDE_LEFT ? 1 : -1, w = b->chest / 128;
    bool                   pacer = t->kind == RVL_THORAX_PACEMAKER;
    rvl_ink   metal = {RVL_INK_DENSER, pacer ? 3000 : 2200, 0, 0, RVL_THORAX_MEDICAL_MATERIAL}, lead = metal;
    rvl_point box = pocket(b, s, 0.17, pacer ? 22 : 24), p[7];
    double    radius[7];
    int       n = pacer ? 7 : 5;

    lead.hu = pacer ? 2600 : 900;
    p[0] = box;
    p[1] = (rvl_point){s * 0.48 * b->chest, -0.45 * b->depth, 0.03 * b->height};
    p[2] = (rvl_point){s * 26 * w, -0.4 * b->depth, 0.12 * b->height};
    p[3] = (rvl_point){-22 * w, -0.3 * b->depth, 0.22 * b->height};
    p[4] = (rvl_point){-27 * w + b->shift_mm, -0.2 * b->depth, 0.5 * b->height};
    p[5] = (rvl_point){-16 * w + b->shift_mm, -0.18 * b->depth, 0.72 * b->height};
    p[6] = (rvl_point){b->heart.centre.x + 0.4 * b->heart.half[0], b->heart.centre.y - 16,
                       b->heart.centre.v + 0.35 * b->heart.half[0]};
    for (int i = 0; i < 7; i++)
        radius[i] = pacer ? 1.2 : 1.4;
    rvl_thorax_tubes(k, p, radius, n, lead);
    draw_box(k, box, s, pacer ? 25 : 13, pacer ? 5 : 6, metal);
}

static void draw_wires(rvl_thorax_canvas *k)
{
    const rvl_thorax_body *b = k->b;
    rvl_ink                wire = {RVL_INK_DENSER, 2800, 0, 0, RVL_THORAX_MEDICAL_MATERIAL};

    for (int i = 0; i < 6; i++) {
        double    v = (0.13 + 0.1 * i) * b->height, front = -rvl_thorax_wall(b, 0, -1, v) - 6.5, half = 13;
        rvl_point p[5] = {{-half, front - 7, v},
                          {half, front - 7, v + 1},
                          {half, front + 7, v + 2},
                          {-half, front + 7, v + 1},
                          {-half, front - 7, v}};
        double    radius[5] = {0.9, 0.9, 0.9, 0.9, 0.9};

        rvl_thorax_tubes(k, p, radius, 5, wire);
    }
}

static void draw_gastric_tube(rvl_thorax_canvas *k)
{
    const rvl_thorax_body *b = k->b;
    rvl_ink                tube = {RVL_INK_OVER, -600, 900, 1, RVL_THORAX_MEDICAL_MATERIAL};
    double                 d = b->depth, h = b->height, radius[7] = {2.4, 2.4, 2.4, 2.4, 2.4, 2.4, 2.4};
    rvl_point              p[7] = {{4, 0.24 * d, -0.3 * h},
                                   {6, 0.28 * d, 0.1 * h},
                                   {8, 0.32 * d, 0.35 * h},
                                   {6, 0.34 * d, 0.6 * h},
                                   {13, 0.2 * d, 0.86 * h},
                                   {24, 0.02 * d, h},
                                   {0.4 * b->chest, -0.1 * d, 1.1 * h}};

    rvl_thorax_tubes(k, p, radius, 7, tube);
}

/** Rays of photon starvation round large metal, slice by slice. */
static void metal_streaks(rvl_thorax_canvas *k)
{
    for (int64_t z = 0; z < k->nz; z++) {
        float *hu = k->hu + z * k->ny * k->nx;
        double n = 0, sx = 0, sy = 0;

        for (int64_t i = 0; i < k->ny * k->nx; i++)
            if (hu[i] > 1800) {
                n++;
                sx += (double)(i % k->nx);
                sy += (double)(i / k->nx);
            }
        if (n * k->dx * k->dy < 60)
            continue;
        for (int64_t y = 0; y < k->ny; y++)
            for (int64_t x = 0; x < k->nx; x++) {
                double dx = ((double)x - sx / n) * k->dx, dy = ((double)y - sy / n) * k->dy, r = hypot(dx, dy);

                if (r < 120 && hu[y * k->nx + x] < 1800)
                    hu[y * k->nx + x] += (float)(170 * cos(14 * atan2(dy, dx) + (double)z) * smooth_step(120, 15, r));
            }
    }
}

void rvl_thorax_draw_chest_findings(rvl_thorax_canvas *k)
{
    const rvl_thorax_truth *t = k->b->c->truth, *material = &t[RVL_THORAX_MEDICAL_MATERIAL];

    if (t[RVL_THORAX_HIATAL_HERNIA].present)
        draw_hernia(k, &t[RVL_THORAX_HIATAL_HERNIA]);
    if (t[RVL_THORAX_LYMPHADENOPATHY].present)
        draw_nodes(k, &t[RVL_THORAX_LYMPHADENOPATHY]);
    if (t[RVL_THORAX_ARTERIAL_CALCIFICATION].present)
        draw_aortic_calcium(k, &t[RVL_THORAX_ARTERIAL_CALCIFICATION]);
    if (t[RVL_THORAX_CORONARY_CALCIFICATION].present)
        draw_coronary_calcium(k, &t[RVL_THORAX_CORONARY_CALCIFICATION]);
    if (!material->present)
        return;
    if (material->kind == RVL_THORAX_STERNAL_WIRES)
        draw_wires(k);
    else if (material->kind == RVL_THORAX_GASTRIC_TUBE)
        draw_gastric_tube(k);
    else
        draw_implant(k, material);
    metal_streaks(k);
}
