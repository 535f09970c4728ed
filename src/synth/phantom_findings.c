/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/phantom_findings.c
 * Findings of lungs, pleura and heart as changes of the thickness maps, each with its truth mask.
 */
#include "synth/phantom_internal.h"
#include <math.h>

static uint64_t noise_seed(const rvl_phantom_canvas *k, int finding)
{
    return rvl_rng_mix(k->c->seed + 77, (uint64_t)k->c->index * 16 + (uint64_t)finding);
}

static bool side_matches(rvl_side truth, int side)
{
    return truth == RVL_SIDE_BOTH || (truth == RVL_SIDE_LEFT) == (side == RVL_SIDE_L);
}

/** The part of the lung at (u, v), 0..1, that a finding of this shape takes. `arg` is its own. */
typedef double (*shape_fn)(const rvl_phantom_canvas *k, double u, double v, const void *arg);

/** Take `fill` of the air where the shape is; vessels drown in it. */
static void fill_air(rvl_phantom_canvas *k, int finding, shape_fn shape, const void *arg, double fill)
{
    float *air = canvas_plane(k, RVL_PLANE_AIR), *vessel = canvas_plane(k, RVL_PLANE_VESSEL);
    float *mask = canvas_plane(k, RVL_PLANE_MASK + finding);
    float *lung = canvas_plane(k, RVL_PLANE_LUNG);

    for (int64_t y = 0; y < k->height; y++)
        for (int64_t x = 0; x < k->width; x++) {
            int64_t i = y * k->width + x;
            double  u, v, m;

            if (lung[i] <= 0.05F)
                continue;
            rvl_phantom_to_body(k, (double)x, (double)y, &u, &v);
            m = shape(k, u, v, arg);
            if (m <= 0)
                continue;
            air[i] *= (float)(1 - fill * m);
            vessel[i] *= (float)(1 - fill * m);
            if (m > mask[i] && lung[i] > 0.6F)
                mask[i] = (float)m;
        }
}

typedef struct {
    rvl_side side;
    double   level, rise;
} fluid;

/** Fluid lies below a level that climbs at the chest wall. */
static double fluid_shape(const rvl_phantom_canvas *k, double u, double v, const void *arg)
{
    const fluid *f = arg;
    double       x = fabs(u) / fmax(1, rvl_phantom_lung_outer(&k->g, v));
    int          side = u > 0 ? RVL_SIDE_L : RVL_SIDE_R;
    double       edge = k->g.dome[side] + 0.17 * k->g.lung_height - f->level + f->rise * (1 - pow(x, 3));

    return side_matches(f->side, side) ? smooth_step(edge - 4, edge + 5, v) : 0;
}

static void draw_effusion(rvl_phantom_canvas *k, const rvl_phantom_truth *t)
{
    fluid f = {t->side, t->size_mm, fmin(34, 0.55 * t->size_mm)};

    fill_air(k, RVL_PHANTOM_PLEURAL_EFFUSION, fluid_shape, &f, 0.98);
}

/** Free air between the wall and the collapsed lung: no vessels, thin line of the pleura at the lung's border. */
static void draw_pneumothorax(rvl_phantom_canvas *k, const rvl_phantom_truth *t)
{
    const rvl_phantom_geometry *g = &k->g;
    float                      *air = canvas_plane(k, RVL_PLANE_AIR), *vessel = canvas_plane(k, RVL_PLANE_VESSEL);
    float                      *mask = canvas_plane(k, RVL_PLANE_MASK + RVL_PHANTOM_PNEUMOTHORAX);
    float                      *lung = canvas_plane(k, RVL_PLANE_LUNG), *soft = canvas_plane(k, RVL_PLANE_SOFT);
    double                      h = g->lung_height, line_mm = fmax(1.1, 0.8 * g->mm_per_px);

    for (int64_t y = 0; y < k->height; y++)
        for (int64_t x = 0; x < k->width; x++) {
            int64_t i = y * k->width + x;
            double  u, v, inset, gap, m;

            if (lung[i] <= 0.05F)
                continue;
            rvl_phantom_to_body(k, (double)x, (double)y, &u, &v);
            if (!side_matches(t->side, u > 0 ? RVL_SIDE_L : RVL_SIDE_R))
                continue;
            inset = t->size_mm * (1 - 0.72 * smooth_step(0.1 * h, (0.55 + 0.15 * t->severity) * h, v));
            gap = rvl_phantom_lung_outer(g, v - 0.9 * t->size_mm) - 0.35 * inset;
            gap = fabs(u) - gap; /* > 0 in the free air */
            m = smooth_step(-0.7, 0.7, gap);
            air[i] *= (float)(1 + m * (1 / (1 - g->lung_water) - 1) - (1 - m) * 0.05 * t->severity * t->severity);
            air[i] += (float)(m * 0.06 * lung[i]);
            vessel[i] *= (float)(1 - m);
            soft[i] += (float)(0.95 * smooth_step(1.7 * line_mm, 0.3 * line_mm, fabs(gap)));
            if (lung[i] > 0.3F)
                mask[i] = (float)smooth_step(-1.5, 0.5, gap);
        }
}

/** A random place in a zone of one lung, outside the heart. */
static void place_in_zone(const rvl_phantom_canvas *k, rvl_rng *r, int side, rvl_zone zone, double *u, double *v)
{
    static const double low[4] = {0.3, 0.17, 0.36, 0.58}, high[4] = {0.5, 0.31, 0.53, 0.74};
    double              s = side == RVL_SIDE_L ? 1 : -1, a = 30, outer;

    *v = k->g.lung_height * uniform_in(r, low[zone], high[zone]) * (1 + k->g.inspiration / 400);
    outer = rvl_phantom_lung_outer(&k->g, *v);
    while (a < 0.72 * outer && rvl_phantom_heart_depth(&k->g, s * a - k->g.shift_mm, *v) > 0)
        a += 2;
    a = fmax(a + 4, 0.42 * outer);
    *u = s * uniform_in(r, fmin(a, 0.7 * outer), 0.84 * outer);
}

typedef struct {
    double   u, v, ru, rv;
    uint64_t noise;
} patch;

static double patch_shape(const rvl_phantom_canvas *k, double u, double v, const void *arg)
{
    const patch *p = arg;
    double       x = (u - p->u) / p->ru, y = (v - p->v) / p->rv, q = sqrt(x * x + y * y);

    (void)k;
    if (q > 1.7 || u * p->u < 0)
        return 0;
    return smooth_step(1.25, 0.5, q + 0.42 * rvl_phantom_noise(p->noise, u, v, 17, 3));
}

static void draw_bronchogram(rvl_phantom_canvas *k, rvl_rng *r, const patch *p)
{
    for (int i = 0; i < 4; i++) {
        double         s = p->u > 0 ? 1 : -1, angle = uniform_in(r, -0.7, 0.9), step = 0.2 * p->ru;
        double         u = p->u - s * 0.6 * p->ru, v = p->v - 0.2 * p->rv + uniform_in(r, -0.3, 0.3) * p->rv;
        rvl_tube_point line[6];

        for (int j = 0; j < 6; j++) {
            line[j] = (rvl_tube_point){u, v, 1.9 - 0.2 * j, 1.1};
            angle += 0.2 * rvl_rng_normal(r);
            u += s * step * cos(angle);
            v += step * sin(angle);
        }
        rvl_phantom_tube(k, RVL_PLANE_AIR, -1, RVL_TUBE_SOLID, line, 6);
    }
}

static void draw_consolidation(rvl_phantom_canvas *k, const rvl_phantom_truth *t)
{
    rvl_rng r = rvl_phantom_rng("phantom-consolidation", k->c->seed, k->c->index);
    double  fill = 0.47 + 0.13 * t->severity + uniform_in(&r, -0.04, 0.06);

    for (int side = 0; side < 2; side++) {
        patch p = {0};

        place_in_zone(k, &r, side, t->zone, &p.u, &p.v);
        p.ru = 0.5 * t->size_mm * uniform_in(&r, 0.8, 1.05);
        p.rv = 0.5 * t->size_mm * uniform_in(&r, 0.85, 1.15);
        p.noise = noise_seed(k, RVL_PHANTOM_CONSOLIDATION) + (uint64_t)side;
        if (!side_matches(t->side, side))
            continue;
        fill_air(k, RVL_PHANTOM_CONSOLIDATION, patch_shape, &p, fill);
        draw_bronchogram(k, &r, &p);
    }
}

static void draw_nodule(rvl_phantom_canvas *k, const rvl_phantom_truth *t)
{
    rvl_rng  r = rvl_phantom_rng("phantom-nodule", k->c->seed, k->c->index);
    float   *soft = canvas_plane(k, RVL_PLANE_SOFT);
    float   *mask = canvas_plane(k, RVL_PLANE_MASK + RVL_PHANTOM_NODULE);
    double   cu, cv, radius = 0.5 * t->size_mm, lobes = uniform_in(&r, 0.02, 0.12);
    double   dense = t->kind == RVL_KIND_CALCIFIED ? 4.2 : uniform_in(&r, 2.4, 3);
    uint64_t noise = noise_seed(k, RVL_PHANTOM_NODULE);

    place_in_zone(k, &r, t->side == RVL_SIDE_LEFT ? RVL_SIDE_L : RVL_SIDE_R, t->zone, &cu, &cv);
    for (int64_t y = 0; y < k->height; y++)
        for (int64_t x = 0; x < k->width; x++) {
            int64_t i = y * k->width + x;
            double  u, v, q;

            rvl_phantom_to_body(k, (double)x, (double)y, &u, &v);
            q = hypot(u - cu, v - cv) / radius;
            if (q > 1.4)
                continue;
            q *= 1 + lobes * rvl_phantom_noise(noise, u, v, radius, 2);
            if (q < 1)
                soft[i] += (float)(0.1 * radius * 2 * dense * pow(1 - q * q, 0.5));
            if (q < 1.02)
                mask[i] = 1;
        }
}

typedef struct {
    rvl_side side;
    bool     upper;
    double   size;
} lobe;

/** A collapsed lobe: against the spine below (a wedge from the hilum) or under the apex above. */
static double lobe_shape(const rvl_phantom_canvas *k, double u, double v, const void *arg)
{
    const lobe *l = arg;
    int         side = u > 0 ? RVL_SIDE_L : RVL_SIDE_R;
    double      a = fabs(u), h = k->g.lung_height, edge;

    if (!side_matches(l->side, side))
        return 0;
    if (l->upper) {
        edge = 0.18 * h + 0.3 * l->size - 0.0028 * (a - 30) * (a - 30) * (a > 30 ? 1 : 0);
        return smooth_step(edge + 2, edge - 2, v);
    }
    edge = 24 + (l->size + 22) * smooth_step(0.42 * h, 0.95 * h, v);
    return smooth_step(edge + 2, edge - 2, a) * smooth_step(0.46 * h, 0.52 * h, v);
}

static void draw_bands(rvl_phantom_canvas *k, rvl_rng *r, const rvl_phantom_truth *t, int side)
{
    int    n = 1 + t->severity / 2 + (int)rvl_rng_below(r, 2);
    double s = side == RVL_SIDE_L ? 1 : -1;

    for (int i = 0; i < n; i++) {
        double         outer = rvl_phantom_lung_outer(&k->g, k->g.dome[side]), a = uniform_in(r, 0.3, 0.5) * outer;
        double         v = k->g.dome[side] - uniform_in(r, 9, 30) - 9 * i, slope = uniform_in(r, -0.28, 0.28);
        double         length = fmin(t->size_mm * uniform_in(r, 0.8, 1.1), 0.93 * outer - a);
        double         radius = uniform_in(r, 3.4, 4.6) + 0.7 * t->severity;
        rvl_tube_point p[5];

        if (!side_matches(t->side, side))
            continue;
        for (int j = 0; j < 5; j++) {
            double f = j / 4.0;

            p[j] = (rvl_tube_point){s * (a + f * length), v + f * length * slope,
                                    radius * (0.6 + 1.3 * f * (1 - f) + 0.2 * (1 - f)), 3.5};
        }
        rvl_phantom_tube(k, RVL_PLANE_SOFT, RVL_PLANE_MASK + RVL_PHANTOM_ATELECTASIS, RVL_TUBE_SOLID, p, 5);
    }
}

static void draw_atelectasis(rvl_phantom_canvas *k, const rvl_phantom_truth *t)
{
    rvl_rng r = rvl_phantom_rng("phantom-atelectasis", k->c->seed, k->c->index);
    lobe    l = {t->side, t->zone == RVL_ZONE_UPPER, t->size_mm * 0.8};

    if (t->kind == RVL_KIND_LOBAR)
        fill_air(k, RVL_PHANTOM_ATELECTASIS, lobe_shape, &l, 0.9);
    else
        for (int side = 0; side < 2; side++)
            draw_bands(k, &r, t, side);
}

typedef struct {
    double   shift, spread;
    uint64_t noise;
} haze;

/** Water in the lungs spreads from both hila, patchy, more below. */
static double haze_shape(const rvl_phantom_canvas *k, double u, double v, const void *arg)
{
    const haze *z = arg;
    double      h = k->g.lung_height, a = fabs(u - z->shift) - 34, d = (v - 0.54 * h) * (v > 0.54 * h ? 0.62 : 0.85);
    double      m = exp(-(a * a + d * d) / (2 * z->spread * z->spread));

    return clamp(m * (1 + 0.45 * rvl_phantom_noise(z->noise, u, v, 20, 3)), 0, 1);
}

/** Short lines at the bases of both lungs. */
static void draw_septa(rvl_phantom_canvas *k, rvl_rng *r, int severity)
{
    for (int i = 0; i < 10 + 8 * severity; i++) {
        int            side = i % 2;
        double         s = side == RVL_SIDE_L ? 1 : -1, v = k->g.dome[side] - uniform_in(r, -16, 50);
        double         outer = rvl_phantom_lung_outer(&k->g, v) - 2, length = uniform_in(r, 9, 20);
        rvl_tube_point p[2] = {{s * outer, v, 0.8, 1.6}, {s * (outer - length), v + uniform_in(r, -2, 2), 0.7, 1.2}};

        rvl_phantom_tube(k, RVL_PLANE_SOFT, -1, RVL_TUBE_SOLID, p, 2);
    }
}

static void draw_edema(rvl_phantom_canvas *k, const rvl_phantom_truth *t)
{
    rvl_rng r = rvl_phantom_rng("phantom-edema", k->c->seed, k->c->index);
    haze    z = {k->g.shift_mm, uniform_in(&r, 36, 44) + 4 * t->severity, noise_seed(k, RVL_PHANTOM_EDEMA)};

    fill_air(k, RVL_PHANTOM_EDEMA, haze_shape, &z, 0.19 + 0.08 * t->severity);
    draw_septa(k, &r, t->severity);
}

static void mark_heart(rvl_phantom_canvas *k)
{
    float *mask = canvas_plane(k, RVL_PLANE_MASK + RVL_PHANTOM_CARDIOMEGALY);

    for (int64_t y = 0; y < k->height; y++)
        for (int64_t x = 0; x < k->width; x++) {
            double u, v, m;

            rvl_phantom_to_body(k, (double)x, (double)y, &u, &v);
            m = u - rvl_phantom_midline(&k->g, v) * 0.4 - k->g.shift_mm * smooth_step(-40, 100, v) - k->g.yaw_mm;
            mask[y * k->width + x] = rvl_phantom_heart_depth(&k->g, m, v) > 0 ? 1 : 0;
        }
}

void rvl_phantom_draw_findings(rvl_phantom_canvas *k)
{
    const rvl_phantom_truth *t = k->c->truth;

    if (t[RVL_PHANTOM_EDEMA].present)
        draw_edema(k, &t[RVL_PHANTOM_EDEMA]);
    if (t[RVL_PHANTOM_CONSOLIDATION].present)
        draw_consolidation(k, &t[RVL_PHANTOM_CONSOLIDATION]);
    if (t[RVL_PHANTOM_NODULE].present)
        draw_nodule(k, &t[RVL_PHANTOM_NODULE]);
    if (t[RVL_PHANTOM_ATELECTASIS].present)
        draw_atelectasis(k, &t[RVL_PHANTOM_ATELECTASIS]);
    if (t[RVL_PHANTOM_PNEUMOTHORAX].present)
        draw_pneumothorax(k, &t[RVL_PHANTOM_PNEUMOTHORAX]);
    if (t[RVL_PHANTOM_PLEURAL_EFFUSION].present)
        draw_effusion(k, &t[RVL_PHANTOM_PLEURAL_EFFUSION]);
    if (t[RVL_PHANTOM_CARDIOMEGALY].present)
        mark_heart(k);
}
