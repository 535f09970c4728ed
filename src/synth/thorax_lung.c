/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/thorax_lung.c
 * Findings of lungs, airways and pleura, each with its truth.
 */
#include "synth/thorax_internal.h"
#include <math.h>

static rvl_rng finding_rng(const rvl_thorax_canvas *k, int finding, const char *what)
{
    rvl_rng r = rvl_phantom_rng(what, k->b->c->seed, k->b->c->index * RVL_THORAX_N_FINDINGS + finding);

    return r;
}

static bool on_side(rvl_side truth, int side)
{
    return truth == RVL_SIDE_BOTH || (truth == RVL_SIDE_LEFT) == (side == 1);
}

static int side_of(const rvl_thorax_body *b, rvl_point p)
{
    return p.x > b->shift_mm;
}

/** How much of the lung at p a process takes, 0..1. */
typedef double (*lung_share)(const rvl_thorax_body *b, rvl_point p, const void *arg);

/** Pull the lung within `reach_mm` of `centre` towards `hu` (`amount` of the way); `denser` spares what is denser. */
static void infiltrate(rvl_thorax_canvas *k, rvl_point centre, double reach_mm, lung_share share, const void *arg,
                       double hu, double amount, bool denser, int finding)
{
    int64_t low[3], high[3];

    rvl_thorax_box(k, centre, reach_mm, low, high);
    for (int64_t z = low[2]; z < high[2]; z++)
        for (int64_t y = low[1]; y < high[1]; y++)
            for (int64_t x = low[0]; x < high[0]; x++) {
                int64_t i = (z * k->ny + y) * k->nx + x;
                double  s;

                if (k->lung[i] < 8)
                    continue;
                s = share(k->b, rvl_thorax_voxel(k, x, y, z), arg);
                if (s <= 0)
                    continue;
                if (s >= 0.5 && k->lung[i] > 127)
                    k->truth[i] |= 1U << finding;
                s *= amount * k->lung[i] / 255.0;
                if (!denser || k->hu[i] < hu)
                    k->hu[i] += (float)(s * (hu - k->hu[i]));
            }
}

static rvl_point chest_centre(const rvl_thorax_body *b)
{
    return (rvl_point){0, 0, 0.6 * b->height};
}

typedef struct {
    rvl_point at;
    double    radius, squash, grain_mm;
    rvl_zone  lobe;
    int       side;
} patch;

/** A ragged ball that stops at the fissures. */
static double patch_share(const rvl_thorax_body *b, rvl_point p, const void *arg)
{
    const patch *q = arg;
    double d = sqrt(pow(p.x - q->at.x, 2) + pow(p.y - q->at.y, 2) + pow((p.v - q->at.v) * q->squash, 2)) / q->radius;

    if (d > 1.6 || side_of(b, p) != q->side || rvl_thorax_lobe(b, p, NULL) != q->lobe)
        return 0;
    d += 0.32 * rvl_thorax_noise(b, p.x + q->at.v, p.y, p.v, q->grain_mm) +
         0.2 * rvl_thorax_noise(b, p.x, p.y + q->at.v, p.v, 0.4 * q->grain_mm);
    return smooth_step(1.12, 0.88, d);
}

static patch make_patch(const rvl_thorax_canvas *k, rvl_rng *r, int side, rvl_zone zone, double size_mm)
{
    patch q = {
        .radius = 0.5 * size_mm, .squash = uniform_in(r, 0.8, 1.15), .grain_mm = uniform_in(r, 18, 30), .side = side};

    q.at = rvl_thorax_point_in_lobe(k->b, r, side, zone, 0.16 * size_mm);
    q.lobe = rvl_thorax_lobe(k->b, q.at, NULL);
    return q;
}

/** Air-filled bronchi stay visible in what has lost its air. */
static void air_bronchograms(rvl_thorax_canvas *k, const patch *q)
{
    rvl_bronchus tubes[RVL_MAX_BRONCHI];
    int          n = rvl_thorax_bronchi(tubes, k->b, q->side);

    for (int i = 0; i < n; i++)
        if (patch_share(k->b, tubes[i].a, q) > 0.5 || patch_share(k->b, tubes[i].b, q) > 0.5)
            rvl_thorax_tube(k, tubes[i].a, tubes[i].b, 0.9 * tubes[i].radius_mm, 0.8 * tubes[i].radius_mm,
                            (rvl_ink){RVL_INK_LUNG_AIR, -900, 0, 0, -1});
}

static void draw_consolidation(rvl_thorax_canvas *k, const rvl_thorax_truth *t)
{
    rvl_rng r = finding_rng(k, RVL_THORAX_CONSOLIDATION, "thorax-patch");

    for (int side = 0; side < 2; side++)
        if (on_side(t->side, side)) {
            patch q = make_patch(k, &r, side, t->zone, t->size_mm);

            infiltrate(k, q.at, 1.7 * q.radius, patch_share, &q, 38, 0.93, true, RVL_THORAX_CONSOLIDATION);
            air_bronchograms(k, &q);
        }
}

static double haze_share(const rvl_thorax_body *b, rvl_point p, const void *arg)
{
    const double *threshold = arg;
    double        n = rvl_thorax_noise(b, p.x + 700, p.y, p.v, 42) + 0.4 * rvl_thorax_noise(b, p.x, p.y + 300, p.v, 15);

    return smooth_step(*threshold - 0.12, *threshold + 0.12, n);
}

/** Ground glass: a veil through which vessels show. */
static void draw_opacity(rvl_thorax_canvas *k, const rvl_thorax_truth *t)
{
    rvl_rng r = finding_rng(k, RVL_THORAX_OPACITY, "thorax-patch");
    double  dense = 0.28 + 0.05 * t->severity + uniform_in(&r, 0, 0.06), threshold = 0.30 - 0.13 * t->severity;

    if (t->kind == RVL_THORAX_DIFFUSE) {
        infiltrate(k, chest_centre(k->b), 2 * k->b->height, haze_share, &threshold, -40, dense, true,
                   RVL_THORAX_OPACITY);
        return;
    }
    for (int side = 0; side < 2; side++)
        if (on_side(t->side, side)) {
            patch q = make_patch(k, &r, side, t->zone, t->size_mm);

            infiltrate(k, q.at, 1.7 * q.radius, patch_share, &q, -40, dense + 0.08, true, RVL_THORAX_OPACITY);
        }
}

typedef struct {
    rvl_point at, normal;
    double    radius, half_mm;
} plate;

static double plate_share(const rvl_thorax_body *b, rvl_point p, const void *arg)
{
    const plate *q = arg;
    double       x = p.x - q->at.x, y = p.y - q->at.y, v = p.v - q->at.v;
    double       h = x * q->normal.x + y * q->normal.y + v * q->normal.v + 3 * rvl_thorax_noise(b, p.x, p.y, p.v, 25);
    double       r = sqrt(x * x + y * y + v * v);

    return smooth_step(q->radius, 0.75 * q->radius, r) * rvl_thorax_cover(fabs(h) - q->half_mm, 3);
}

typedef struct {
    rvl_point corner;
    double    extent;
    int       side;
} collapse;

/** A lower lobe shrunk towards the spine and the diaphragm, with a concave edge. */
static double collapse_share(const rvl_thorax_body *b, rvl_point p, const void *arg)
{
    const collapse *q = arg;
    double          x = (p.x - q->corner.x) * 1.25, y = (p.y - q->corner.y) * 0.9, v = (p.v - q->corner.v) * 0.62;
    double          d = sqrt(x * x + y * y + v * v) + 3 * rvl_thorax_noise(b, p.x, p.y, p.v, 20);

    return side_of(b, p) == q->side ? rvl_thorax_cover(d - 0.62 * q->extent, 4) : 0;
}

static void draw_atelectasis(rvl_thorax_canvas *k, const rvl_thorax_truth *t)
{
    rvl_rng r = finding_rng(k, RVL_THORAX_ATELECTASIS, "thorax-plate");

    for (int side = 0; side < 2; side++) {
        int n = 1 + t->severity;

        if (!on_side(t->side, side))
            continue;
        if (t->kind == RVL_THORAX_LOBAR) {
            double   s = side ? 1 : -1;
            collapse q = {
                {s * 0.22 * k->b->chest + k->b->shift_mm, 0.78 * k->b->depth, k->b->dome[side] + 18}, t->size_mm, side};

            infiltrate(k, q.corner, 1.8 * t->size_mm, collapse_share, &q, 46, 0.97, true, RVL_THORAX_ATELECTASIS);
            continue;
        }
        for (int i = 0; i < n; i++) {
            double a = uniform_in(&r, 0, 6.28), tilt = uniform_in(&r, 0.1, 0.55);
            plate  q = {rvl_thorax_point_in_lobe(k->b, &r, side, t->zone, 6),
                        {sin(tilt) * cos(a), sin(tilt) * sin(a), cos(tilt)},
                        0.5 * t->size_mm,
                        uniform_in(&r, 1.2, 2.6)};

            infiltrate(k, q.at, t->size_mm, plate_share, &q, 20, 0.95, true, RVL_THORAX_ATELECTASIS);
        }
    }
}

static double hole_share(const rvl_thorax_body *b, rvl_point p, const void *arg)
{
    const rvl_thorax_truth *t = arg;
    double                  upper = 0.24 * smooth_step(0.75, 0.15, p.v / b->height), n;

    n = rvl_thorax_noise(b, p.x, p.y + 900, p.v, 9) + 0.5 * rvl_thorax_noise(b, p.x + 50, p.y, p.v, 30);
    return smooth_step(-0.1, 0.12, n - (0.55 - upper - 0.11 * t->severity));
}

static double all_share(const rvl_thorax_body *b, rvl_point p, const void *arg)
{
    (void)b;
    (void)p;
    (void)arg;
    return 0.49;
}

static void draw_emphysema(rvl_thorax_canvas *k, const rvl_thorax_truth *t)
{
    rvl_rng r = finding_rng(k, RVL_THORAX_EMPHYSEMA, "thorax-bulla");

    infiltrate(k, chest_centre(k->b), 2 * k->b->height, hole_share, t, -992, 0.9, false, RVL_THORAX_EMPHYSEMA);
    infiltrate(k, chest_centre(k->b), 2 * k->b->height, all_share, t, -1000, 0.06 * t->severity, false,
               RVL_THORAX_EMPHYSEMA);
    for (int i = 0; t->kind == RVL_THORAX_BULLOUS && i < 5 + 5 * t->severity; i++) {
        double        size = uniform_in(&r, 8, 12 + 6 * t->severity);
        rvl_point     at = rvl_thorax_point_in_lobe(k->b, &r, (int)rvl_rng_below(&r, 2), RVL_ZONE_UPPER, 4);
        rvl_ellipsoid e =
            rvl_ellipsoid_make(at, size, size * uniform_in(&r, 0.8, 1.2), size * uniform_in(&r, 0.8, 1.3));

        rvl_thorax_ellipsoid(k, &e, (rvl_ink){RVL_INK_LUNG_AIR, -1000, -780, 0.8, RVL_THORAX_EMPHYSEMA});
    }
}

static double nodule_shape(const rvl_thorax_body *b, rvl_point p, const void *arg)
{
    const rvl_ellipsoid *e = arg;

    return rvl_ellipsoid_distance(e, p) + 0.16 * e->half[0] * rvl_thorax_noise(b, p.x, p.y, p.v, 0.7 * e->half[0] + 1);
}

static void draw_nodule(rvl_thorax_canvas *k, const rvl_thorax_truth *t)
{
    rvl_rng   r = finding_rng(k, RVL_THORAX_NODULE, "thorax-nodule");
    int       side = t->side == RVL_SIDE_LEFT;
    rvl_point at = rvl_thorax_point_in_lobe(k->b, &r, side, t->zone, 0.6 * t->size_mm + 3);
    double    half = 0.5 * t->size_mm;
    rvl_ink   ink = {RVL_INK_OVER, t->kind == RVL_THORAX_CALCIFIED ? 420 : 38, 0, 0, RVL_THORAX_NODULE};

    rvl_ellipsoid e = rvl_ellipsoid_make(at, half, half * uniform_in(&r, 0.8, 1), half * uniform_in(&r, 0.8, 1));
    rvl_ellipsoid core = rvl_ellipsoid_make(at, 0.45 * half, 0.4 * half, 0.45 * half);

    if (t->kind == RVL_THORAX_SUBSOLID)
        ink.hu = -480;
    rvl_thorax_paint(k, at, 1.2 * half, nodule_shape, &e, ink);
    ink.hu = t->kind == RVL_THORAX_CALCIFIED ? 600 : 30;
    rvl_thorax_ellipsoid(k, &core, ink);
}

static void draw_scars(rvl_thorax_canvas *k, const rvl_thorax_truth *t)
{
    rvl_rng r = finding_rng(k, RVL_THORAX_FIBROTIC_SEQUELA, "thorax-scar");

    for (int side = 0; side < 2; side++)
        for (int i = 0; on_side(t->side, side) && i < 4 + 2 * t->severity; i++) {
            rvl_point a = rvl_thorax_point_in_lobe(k->b, &r, side, t->zone, 2), b = a;
            double    radius = uniform_in(&r, 1.1, 2.3), x = (side ? 0.3 : -0.3) * k->b->chest - a.x,
                   v = 0.5 * k->b->height - a.v;
            double scale = t->size_mm / (4 * sqrt(x * x + a.y * a.y + v * v) + 1);

            for (int j = 0; j < 4; j++, a = b, radius *= 0.82) {
                b = (rvl_point){a.x + scale * x + 4 * rvl_rng_normal(&r),
                                a.y - scale * a.y * 0.6 + 4 * rvl_rng_normal(&r),
                                a.v + scale * v + 4 * rvl_rng_normal(&r)};
                rvl_thorax_tube(k, a, b, radius, 0.85 * radius,
                                (rvl_ink){RVL_INK_LUNG, 10, 0, 0, RVL_THORAX_FIBROTIC_SEQUELA});
            }
        }
}

typedef struct {
    rvl_side side;
    double   depth_mm;
} fluid;

/** Free fluid of a patient on his back: a crescent behind, thicker towards the diaphragm. */
static double fluid_share(const rvl_thorax_body *b, rvl_point p, const void *arg)
{
    const fluid *f = arg;
    double       r = sqrt(p.x * p.x + p.y * p.y) + 1e-9, s = p.v / b->height, wall, thick;

    if (p.y < 0 || !on_side(f->side, side_of(b, p)))
        return 0;
    wall = rvl_thorax_wall(b, p.x / r, p.y / r, p.v);
    thick = f->depth_mm * (0.12 + 0.95 * smooth_step(0.15, 0.8, s)) * smooth_step(0, 0.75, p.y / r);
    return rvl_thorax_cover(wall - r - thick, 3);
}

static double mosaic_share(const rvl_thorax_body *b, rvl_point p, const void *arg)
{
    (void)arg;
    return smooth_step(-0.05, 0.03,
                       rvl_thorax_noise(b, p.x, p.y, p.v + 500, 30) + 0.25 * rvl_thorax_noise(b, p.x, p.y, p.v, 12));
}

static void draw_mosaic(rvl_thorax_canvas *k, const rvl_thorax_truth *t)
{
    infiltrate(k, chest_centre(k->b), 2 * k->b->height, all_share, t, -990, 0.12 + 0.06 * t->severity, false,
               RVL_THORAX_MOSAIC);
    infiltrate(k, chest_centre(k->b), 2 * k->b->height, mosaic_share, t, 0, 0.08 + 0.03 * t->severity, true,
               RVL_THORAX_MOSAIC);
}

static double septa_share(const rvl_thorax_body *b, rvl_point p, const void *arg)
{
    const rvl_thorax_truth *t = arg;
    double                  n, m, s = p.v / b->height, where;

    where = t->zone == RVL_ZONE_UPPER   ? smooth_step(0.65, 0.35, s)
            : t->zone == RVL_ZONE_LOWER ? smooth_step(0.35, 0.6, s)
                                        : 1;
    if (where <= 0)
        return 0;
    n = fabs(rvl_thorax_noise(b, p.x, p.y, p.v, 13));
    m = fabs(rvl_thorax_noise(b, p.y + 60, p.x, p.v, 17));
    return where * smooth_step(0.1, 0.03, fmin(n, m)) * smooth_step(0.2, 0.6, hypot(p.x / b->chest, p.y / b->depth));
}

/** Bronchi drawn again with other walls and lumina; `zone` NONE: all of the lung. */
static void draw_bronchi(rvl_thorax_canvas *k, const rvl_thorax_truth *t, int finding, double lumen, double lumen_mm,
                         double wall_mm)
{
    rvl_bronchus tubes[RVL_MAX_BRONCHI];

    for (int side = 0; side < 2; side++) {
        int n = on_side(t->side, side) ? rvl_thorax_bronchi(tubes, k->b, side) : 0;

        for (int i = 0; i < n; i++) {
            double  r = lumen * tubes[i].radius_mm + lumen_mm;
            rvl_ink ink = {RVL_INK_LUNG_AIR, -990, -10, wall_mm, finding};

            if (t->zone == RVL_ZONE_NONE || rvl_thorax_lobe(k->b, tubes[i].b, NULL) == t->zone ||
                finding == RVL_THORAX_PERIBRONCHIAL)
                rvl_thorax_tube(k, tubes[i].a, tubes[i].b, r + wall_mm, r + wall_mm, ink);
        }
    }
}

void rvl_thorax_draw_lung_findings(rvl_thorax_canvas *k)
{
    const rvl_thorax_truth *t = k->b->c->truth;
    rvl_point               centre = chest_centre(k->b);
    double                  all = 2 * k->b->height;
    fluid                   f = {t[RVL_THORAX_PLEURAL_EFFUSION].side, t[RVL_THORAX_PLEURAL_EFFUSION].size_mm};

    if (t[RVL_THORAX_MOSAIC].present)
        draw_mosaic(k, &t[RVL_THORAX_MOSAIC]);
    if (t[RVL_THORAX_EMPHYSEMA].present)
        draw_emphysema(k, &t[RVL_THORAX_EMPHYSEMA]);
    if (t[RVL_THORAX_PERIBRONCHIAL].present)
        draw_bronchi(k, &t[RVL_THORAX_PERIBRONCHIAL], RVL_THORAX_PERIBRONCHIAL, 0.9, 0.2,
                     1.2 + 0.5 * t[RVL_THORAX_PERIBRONCHIAL].severity);
    if (t[RVL_THORAX_BRONCHIECTASIS].present)
        draw_bronchi(k, &t[RVL_THORAX_BRONCHIECTASIS], RVL_THORAX_BRONCHIECTASIS, 1.2,
                     1.2 + 0.8 * t[RVL_THORAX_BRONCHIECTASIS].severity, 1.1);
    if (t[RVL_THORAX_SEPTAL].present)
        infiltrate(k, centre, all, septa_share, &t[RVL_THORAX_SEPTAL], -60, 0.25 + 0.1 * t[RVL_THORAX_SEPTAL].severity,
                   true, RVL_THORAX_SEPTAL);
    if (t[RVL_THORAX_OPACITY].present)
        draw_opacity(k, &t[RVL_THORAX_OPACITY]);
    if (t[RVL_THORAX_FIBROTIC_SEQUELA].present)
        draw_scars(k, &t[RVL_THORAX_FIBROTIC_SEQUELA]);
    if (t[RVL_THORAX_CONSOLIDATION].present)
        draw_consolidation(k, &t[RVL_THORAX_CONSOLIDATION]);
    if (t[RVL_THORAX_ATELECTASIS].present)
        draw_atelectasis(k, &t[RVL_THORAX_ATELECTASIS]);
    if (t[RVL_THORAX_NODULE].present)
        draw_nodule(k, &t[RVL_THORAX_NODULE]);
    if (t[RVL_THORAX_PLEURAL_EFFUSION].present)
        infiltrate(k, centre, all, fluid_share, &f, 10, 1, false, RVL_THORAX_PLEURAL_EFFUSION);
}
