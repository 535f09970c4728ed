/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/thorax_geometry.c
 * Shapes of one patient's chest: wall, spine, diaphragm, heart, lungs and lobes as distances in mm.
 */
#include "synth/thorax_internal.h"
#include <math.h>
#include <string.h>

static double dot(rvl_point a, rvl_point b)
{
    return a.x * b.x + a.y * b.y + a.v * b.v;
}

rvl_ellipsoid rvl_ellipsoid_make(rvl_point centre, double half_x, double half_y, double half_v)
{
    return (rvl_ellipsoid){
        centre, {{1 / half_x, 0, 0}, {0, 1 / half_y, 0}, {0, 0, 1 / half_v}}, {half_x, half_y, half_v}};
}

/** First-order distance: f / |grad f| with f = |q| - 1; exact on the surface. */
double rvl_ellipsoid_distance(const rvl_ellipsoid *e, rvl_point p)
{
    rvl_point d = {p.x - e->centre.x, p.y - e->centre.y, p.v - e->centre.v};
    double    q0 = dot(d, e->axis[0]), q1 = dot(d, e->axis[1]), q2 = dot(d, e->axis[2]);
    double    f = sqrt(q0 * q0 + q1 * q1 + q2 * q2), g0 = q0 / e->half[0], g1 = q1 / e->half[1], g2 = q2 / e->half[2];
    double    g = sqrt(g0 * g0 + g1 * g1 + g2 * g2);

    return g > 1e-9 ? f * (f - 1) / g : -e->half[0];
}

double rvl_thorax_noise(const rvl_thorax_body *b, double x, double y, double v, double cell_mm)
{
    enum { N = RVL_NOISE_SIDE, MASK = N - 1 };
    double       s = 1 / cell_mm, fx = x * s + 4096, fy = y * s + 4096, fz = v * s + 4096;
    int          ix = (int)fx, iy = (int)fy, iz = (int)fz;
    float        tx = (float)(fx - ix), ty = (float)(fy - iy), tz = (float)(fz - iz), line[2][2];
    const float *t = b->noise;

    tx = tx * tx * (3 - 2 * tx);
    ty = ty * ty * (3 - 2 * ty);
    tz = tz * tz * (3 - 2 * tz);
    for (int k = 0; k < 2; k++)
        for (int j = 0; j < 2; j++) {
            const float *row = t + (((iz + k) & MASK) * N + ((iy + j) & MASK)) * N;
            float        p = row[ix & MASK], q = row[(ix + 1) & MASK];

            line[k][j] = p + tx * (q - p);
        }
    line[0][0] += ty * (line[0][1] - line[0][0]);
    line[1][0] += ty * (line[1][1] - line[1][0]);
    return line[0][0] + tz * (line[1][0] - line[0][0]);
}

/** Long axis to the left, front and below; sized so that heart and right atrium are `heart_mm` wide together. */
static void make_heart(rvl_thorax_body *b, rvl_rng *r)
{
    double    tilt = uniform_in(r, -0.2, 0.2), width = b->c->heart_mm, unit, reach, norm;
    rvl_point long_axis = {0.76 - 0.5 * tilt, -0.45, 0.48 + tilt}, side, third;

    norm = sqrt(dot(long_axis, long_axis));
    long_axis = (rvl_point){long_axis.x / norm, long_axis.y / norm, long_axis.v / norm};
    norm = hypot(long_axis.x, long_axis.y);
    side = (rvl_point){-long_axis.y / norm, long_axis.x / norm, 0};
    third = (rvl_point){long_axis.y * side.v - long_axis.v * side.y, long_axis.v * side.x - long_axis.x * side.v,
                        long_axis.x * side.y - long_axis.y * side.x};
    reach = sqrt(pow(1.3 * long_axis.x, 2) + pow(side.x, 2) + pow(0.98 * third.x, 2));
    unit = 0.64 * width / (2 * reach) * 1.06;
    b->heart.centre =
        (rvl_point){0.18 * width + b->shift_mm, -0.24 * b->depth - 0.06 * (width - 115), 0.70 * b->height};
    b->heart.half[0] = 1.3 * unit;
    b->heart.half[1] = unit;
    b->heart.half[2] = 0.98 * unit;
    b->heart.axis[0] = (rvl_point){long_axis.x / (1.3 * unit), long_axis.y / (1.3 * unit), long_axis.v / (1.3 * unit)};
    b->heart.axis[1] = (rvl_point){side.x / unit, side.y / unit, side.v / unit};
    unit *= 0.98;
    b->heart.axis[2] = (rvl_point){third.x / unit, third.y / unit, third.v / unit};
    unit = 0.255 * width;
    b->atrium = rvl_ellipsoid_make((rvl_point){-0.07 * width + b->shift_mm, -0.05 * b->depth, 0.655 * b->height}, unit,
                                   1.15 * unit, 1.15 * unit);
}

static void make_findings_shape(rvl_thorax_body *b)
{
    const rvl_thorax_truth *t = b->c->truth, *collapse = &t[RVL_THORAX_ATELECTASIS],
                           *fluid = &t[RVL_THORAX_PLEURAL_EFFUSION];

    b->peri_mm = t[RVL_THORAX_PERICARDIAL_EFFUSION].present ? t[RVL_THORAX_PERICARDIAL_EFFUSION].size_mm : 0;
    if (t[RVL_THORAX_EMPHYSEMA].present) { /* larger lungs, flatter diaphragm */
        b->depth *= 1 + 0.015 * t[RVL_THORAX_EMPHYSEMA].severity;
        b->dome[0] += 5 * t[RVL_THORAX_EMPHYSEMA].severity;
        b->dome[1] += 5 * t[RVL_THORAX_EMPHYSEMA].severity;
        b->dome_curve -= 6 * t[RVL_THORAX_EMPHYSEMA].severity;
    }
    for (int side = 0; side < 2; side++) {
        double s = side ? 1 : -1;
        bool   here = collapse->side == RVL_SIDE_BOTH || (collapse->side == RVL_SIDE_LEFT) == (side == 1);

        if (collapse->present && collapse->kind == RVL_THORAX_LOBAR && here) {
            b->shift_mm += s * 5 * collapse->severity;
            b->dome[side] -= 8 * collapse->severity;
        }
        if (fluid->present && fluid->severity == 3 && fluid->side != RVL_SIDE_BOTH &&
            (fluid->side == RVL_SIDE_LEFT) == (side == 1))
            b->shift_mm -= s * 6;
    }
}

void rvl_thorax_body_make(rvl_thorax_body *b, const rvl_thorax_case *c)
{
    rvl_rng r = rvl_phantom_rng("thorax-body", c->seed, c->patient),
            q = rvl_phantom_rng("thorax-scan", c->seed, c->index);
    rvl_rng grain = rvl_phantom_rng("thorax-grain", c->seed, c->patient);
    double  yaw = 0.045 * rvl_rng_normal(&q), breath = uniform_in(&q, -20, 12);

    memset(b, 0, sizeof *b);
    b->c = c;
    b->age = c->age_years;
    b->chest = c->chest_mm;
    b->depth = c->chest_mm * uniform_in(&r, 0.59, 0.69);
    b->height = c->chest_mm * uniform_in(&r, 1.62, 1.86) + breath;
    b->fat_mm = 5 + 30 * c->fat;
    b->muscle = (c->female ? 0.78 : 1.05) * uniform_in(&r, 0.8, 1.2) * (1.1 - 0.25 * smooth_step(50, 85, b->age));
    b->breast_mm = c->female ? uniform_in(&r, 12, 30) + 22 * c->fat : 4 * c->fat;
    b->gland = c->female ? uniform_in(&r, 0.2, 1) * smooth_step(80, 35, b->age) : 0;
    b->bone = uniform_in(&r, 0.85, 1.15) * (c->female ? 0.95 : 1) * (1.15 - 0.4 * smooth_step(30, 85, b->age));
    b->spine_curve_mm = 4 * rvl_rng_normal(&r);
    b->shift_mm = clamp(4 * rvl_rng_normal(&r), -9, 9);
    b->kyphosis_mm = 6 + 12 * smooth_step(45, 85, b->age) * rvl_rng_uniform(&r);
    for (int i = 0; i < 6; i++) {
        b->phase[i] = uniform_in(&r, 0, 6.2832);
        b->ripple[i] = 0.012 * rvl_rng_normal(&r);
    }
    b->dome[0] = (0.80 + 0.03 * rvl_rng_uniform(&r)) * b->height;
    b->dome[1] = b->dome[0] + uniform_in(&r, 4, 16);
    b->dome_curve = uniform_in(&r, 58, 76);
    b->lung_hu = clamp(-862 + 26 * rvl_rng_normal(&q) - 2.5 * breath, -915, -770);
    b->gravity_hu = uniform_in(&q, 20, 70);
    b->vessel = uniform_in(&r, 0.9, 1.12);
    b->heart_fat_mm = 1.5 + 12 * c->fat * rvl_rng_uniform(&r);
    b->liver_hu = uniform_in(&r, 52, 64) - 30 * (c->fat > 0.5 && rvl_rng_uniform(&r) < 0.5);
    b->stomach_air = uniform_in(&q, -0.3, 0.6);
    b->cos_yaw = cos(yaw);
    b->sin_yaw = sin(yaw);
    b->off_x = clamp(10 * rvl_rng_normal(&q), -25, 25);
    b->off_y = uniform_in(&q, -28, 22);
    b->top_v = -uniform_in(&q, 14, 62);
    b->table_gap_mm = uniform_in(&q, 3, 12);
    b->world_x = uniform_in(&q, -12, 12);
    b->world_y = uniform_in(&q, -190, -150);
    b->world_z = floor(uniform_in(&q, -450, 50) * 10) / 10;
    for (size_t i = 0; i < RVL_ARRAY_LEN(b->noise); i++)
        b->noise[i] = (float)(2 * rvl_rng_uniform(&grain) - 1);
    make_findings_shape(b);
    make_heart(b, &r);
}

double rvl_thorax_wall(const rvl_thorax_body *b, double cosine, double sine, double v)
{
    double s = v / b->height, rise = clamp(s / 0.62, 0, 1), low = clamp(s - 0.95, 0, 1);
    double half = b->chest * (0.46 + 0.54 * sqrt(1 - (1 - rise) * (1 - rise))) * (1 - 0.12 * low);
    double front = b->depth * (0.46 + 0.54 * smooth_step(-0.08, 0.62, s)) * (1 + 0.1 * low);
    double back = b->depth * (0.74 + 0.26 * smooth_step(-0.1, 0.42, s)) * (1 - 0.1 * low);
    double c = fabs(cosine) / half, d = sine > 0 ? sine / back : -sine / front;
    double wave = b->ripple[0] * (cosine * cosine - sine * sine) + b->ripple[1] * cosine * sine * 2 +
                  b->ripple[2] * cosine * (4 * cosine * cosine - 3) + b->ripple[3] * cosine;

    return pow(pow(c, 2.3) + pow(d, 2.3), -1 / 2.3) * (1 + wave);
}

rvl_point rvl_thorax_spine(const rvl_thorax_body *b, double v)
{
    double s = v / b->height, back = b->depth * (0.74 + 0.26 * smooth_step(-0.1, 0.42, s));

    return (rvl_point){b->spine_curve_mm * sin(2.6 * s + b->phase[4]),
                       back - 22 - b->kyphosis_mm * (1 - cos(3.0 * clamp(s - 0.4, -1, 1))) * 0.5, v};
}

double rvl_thorax_diaphragm(const rvl_thorax_body *b, int side, double x, double y)
{
    double qx = (x - (side ? 0.47 : -0.47) * b->chest) / (0.62 * b->chest),
           qy = (y + 0.1 * b->depth) / (0.95 * b->depth);

    return b->dome[side] +
           b->dome_curve * (qx * qx * (qx * (side ? 1 : -1) > 0 ? 1.05 : 0.5) + qy * qy * (qy > 0 ? 1.1 : 0.6));
}

double rvl_thorax_heart(const rvl_thorax_body *b, double x, double y, double v)
{
    rvl_point p = {x, y, v};
    double    d = rvl_ellipsoid_distance(&b->heart, p), e = rvl_ellipsoid_distance(&b->atrium, p);
    double    h = clamp(0.5 + 0.5 * (e - d) / 14, 0, 1); /* a smooth union */

    return e + (d - e) * h - 14 * h * (1 - h);
}

double rvl_thorax_heart_sleeve(const rvl_thorax_body *b, double x, double y)
{
    double lean = (y - b->heart.centre.y) / 60; /* fluid gathers behind */

    return b->heart_fat_mm * (1 + 0.4 * sin(0.05 * x + b->phase[0])) +
           b->peri_mm * clamp(0.85 + 0.35 * lean + 0.15 * sin(0.04 * x + b->phase[1]), 0.35, 1.3);
}

/** Half width of what lies between the lungs, without heart and spine. */
static double mediastinum_half(const rvl_thorax_body *b, double y, double s)
{
    double yy = y / b->depth, low = smooth_step(0.45, 0.62, s), wide = 21 + 8 * b->c->fat;
    double bump = smooth_step(-0.92, -0.3, yy) * (1 - 0.45 * smooth_step(0.2, 0.7, yy));

    wide = wide + (17 - wide) * low * (yy > -0.2 ? 1 : 0.6);
    return 4 + 5 * b->c->fat * smooth_step(-0.5, -0.9, yy) + wide * bump;
}

static double apex_distance(const rvl_thorax_body *b, double x, double y, double v)
{
    double s = clamp(v / (0.2 * b->height), 0.001, 1), open = sqrt(1 - (1 - s) * (1 - s));
    double rx = 0.5 * b->chest * open, ry = 0.72 * b->depth * open, cx = 0.36 * b->chest + 0.1 * b->chest * s;
    double px = (fabs(x) - cx) / rx, py = (y - 0.22 * b->depth * (1 - s)) / ry, f = sqrt(px * px + py * py);

    return f < 1e-6 ? -rx : (f - 1) * f / sqrt(px * px / (rx * rx) + py * py / (ry * ry));
}

double rvl_thorax_lung(const rvl_thorax_body *b, double x, double y, double v, double wall)
{
    double    d = sqrt(x * x + y * y) - wall + 2.5, s = v / b->height, e, xm;
    rvl_point spine;
    int       side = x > b->shift_mm;

    if (v < 0)
        return 10;
    if (v > b->dome[side]) {
        e = 0.6 * (v - rvl_thorax_diaphragm(b, side, x, y));
        d = e > d ? e : d;
    }
    xm = b->shift_mm * smooth_step(0.1, 0.6, s) + 3 * sin(4.4 * s);
    e = mediastinum_half(b, y, s) - fabs(x - xm);
    d = e > d ? e : d;
    if (d > 6)
        return d;
    if (y > 0) {
        double sx, sy;

        spine = rvl_thorax_spine(b, v);
        sx = (x - spine.x) / 20;
        sy = (y - spine.y - 6) / 25;
        e = (1 - sqrt(sx * sx + sy * sy)) * 20;
        d = e > d ? e : d;
    }
    if (s < 0.2) {
        e = apex_distance(b, x, y, v);
        d = e > d ? e : d;
    }
    if (s > 0.3) {
        e = rvl_thorax_heart_sleeve(b, x, y) + 1.5 - rvl_thorax_heart(b, x, y, v);
        d = e > d ? e : d;
    }
    return d;
}

double rvl_thorax_lung_at(const rvl_thorax_body *b, rvl_point p)
{
    double r = sqrt(p.x * p.x + p.y * p.y) + 1e-9;

    return rvl_thorax_lung(b, p.x, p.y, p.v, rvl_thorax_wall(b, p.x / r, p.y / r, p.v));
}

rvl_zone rvl_thorax_lobe(const rvl_thorax_body *b, rvl_point p, double *fissure_mm)
{
    bool     left = p.x > b->shift_mm;
    double   wobble = 5 * sin(0.035 * p.x + b->phase[left ? 2 : 3]);
    double   major = 0.24 * b->height + (0.62 * b->height) * (0.85 * b->depth - p.y) / (1.6 * b->depth) + wobble - p.v;
    double   slope = 0.39 * b->height / b->depth, minor = 0.50 * b->height + 0.5 * wobble - p.v;
    double   d = fabs(major) / sqrt(1 + slope * slope);
    rvl_zone zone = major < 0 ? RVL_ZONE_LOWER : minor > 0 ? RVL_ZONE_UPPER : RVL_ZONE_MID;

    if (major > 0 && !left && fabs(minor) < d) /* the left lung has no minor fissure */
        d = fabs(minor);
    if (fissure_mm)
        *fissure_mm = d;
    return zone;
}

rvl_point rvl_thorax_point_in_lobe(const rvl_thorax_body *b, rvl_rng *r, int side, rvl_zone zone, double inset_mm)
{
    rvl_point best = {(side ? 0.6 : -0.6) * b->chest, 0, 0.45 * b->height};
    double    best_d = 1e9;

    for (int i = 0; i < 400; i++) {
        rvl_point p = {(side ? 1 : -1) * uniform_in(r, 0.15, 1) * b->chest, uniform_in(r, -1, 1) * b->depth,
                       uniform_in(r, 0.03, 1.05) * b->height};
        double    fissure, d = rvl_thorax_lung_at(b, p);
        bool      fits = zone == RVL_ZONE_NONE || rvl_thorax_lobe(b, p, &fissure) == zone;

        if (fits && d < -inset_mm)
            return p;
        if (fits && d < best_d) {
            best_d = d;
            best = p;
        }
    }
    return best;
}
