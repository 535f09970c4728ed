/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/phantom_geometry.c
 * Shapes that everything else is drawn against: lung borders, diaphragm, heart, and the way from pixels to the body.
 */
#include "synth/phantom_internal.h"
#include <math.h>
#include <string.h>

static void draw_patient(rvl_phantom_geometry *g, const rvl_phantom_case *c)
{
    rvl_rng r = rvl_phantom_rng("phantom-build", c->seed, c->patient);

    g->chest = c->chest_mm;
    g->lung_height = c->chest_mm * uniform_in(&r, 1.52, 1.86);
    g->fat = rvl_rng_uniform(&r);
    g->body_cm = (c->female ? 19.5 : 21.5) + 7 * g->fat * g->fat + uniform_in(&r, -1.5, 1.5);
    g->breast_cm = c->female ? uniform_in(&r, 0.6, 4.2) * (0.6 + 0.6 * g->fat) : uniform_in(&r, 0, 0.9);
    g->breast_v = uniform_in(&r, 0.62, 0.86);
    g->knob = 13 + 0.13 * c->age_years + uniform_in(&r, -3, 4);
    g->bone = uniform_in(&r, 0.8, 1.25) * (c->age_years > 65 ? 0.85 : 1);
    g->heart_tilt = uniform_in(&r, 0.2, 0.75);
    g->curve_mm = uniform_in(&r, -5, 5) * (rvl_rng_uniform(&r) < 0.15 ? 2.5 : 1);
    g->curve_phase = uniform_in(&r, 0, 6.283);
    g->vessel = uniform_in(&r, 0.75, 1.2);
    g->lung_water = uniform_in(&r, 0.2, 0.36);
    g->spine_half = uniform_in(&r, 15, 19);
}

static void draw_picture(rvl_phantom_geometry *g, const rvl_phantom_case *c, int64_t height, int64_t width)
{
    rvl_rng r = rvl_phantom_rng("phantom-pose", c->seed, c->index);
    bool    ap = c->view == RVL_VIEW_AP;
    double  field_mm;

    g->inspiration = (ap ? -16 : 2) + 11 * clamp(rvl_rng_normal(&r), -2, 2);
    g->dome[RVL_SIDE_R] = 0.86 * g->lung_height + g->inspiration + uniform_in(&r, -5, 5);
    g->dome[RVL_SIDE_L] = g->dome[RVL_SIDE_R] + uniform_in(&r, 2, 15);
    g->heart_width = c->heart_mm * (ap ? uniform_in(&r, 1.03, 1.1) : uniform_in(&r, 0.97, 1.02));
    g->yaw_mm = clamp(rvl_rng_normal(&r), -2, 2) * (ap ? 6 : 3.5);
    g->shift_mm = 0;
    g->scapula = ap ? uniform_in(&r, 0.4, 1) : uniform_in(&r, 0, 0.45);
    g->rotate = clamp(rvl_rng_normal(&r), -2.2, 2.2) * 0.045;
    field_mm = (g->lung_height + 88) * uniform_in(&r, 0.91, 1.17);
    g->offset_u = uniform_in(&r, -14, 14);
    g->offset_v = 0.49 * g->lung_height + uniform_in(&r, -14, 16);
    g->mm_per_px = field_mm / (double)(height < width ? height : width);
    g->aspect = uniform_in(&r, 0.94, 1.06);
}

/** Collapse pulls, fluid and air push: the mediastinum and the domes follow the findings. */
static void apply_truth(rvl_phantom_geometry *g, const rvl_phantom_case *c)
{
    const rvl_phantom_truth *e = &c->truth[RVL_PHANTOM_PLEURAL_EFFUSION], *p = &c->truth[RVL_PHANTOM_PNEUMOTHORAX];
    const rvl_phantom_truth *t = &c->truth[RVL_PHANTOM_ATELECTASIS];
    double                   pull = 0;

    if (e->present && e->side != RVL_SIDE_BOTH && e->severity == 3)
        g->shift_mm += e->side == RVL_SIDE_LEFT ? -9 : 9;
    if (p->present && p->severity == 3)
        g->shift_mm += p->side == RVL_SIDE_LEFT ? -8 : 8;
    if (t->present) {
        pull = t->kind == RVL_KIND_LOBAR ? 9 + 3 * t->severity : 4 + 2 * t->severity;
        for (int i = 0; i < 2; i++)
            if (t->side == RVL_SIDE_BOTH || (t->side == RVL_SIDE_LEFT) == (i == RVL_SIDE_L))
                g->dome[i] -= (t->zone == RVL_ZONE_LOWER ? 1.5 : 0.8) * pull;
        if (t->side != RVL_SIDE_BOTH)
            g->shift_mm += (t->side == RVL_SIDE_LEFT ? 0.9 : -0.9) * pull;
    }
}

void rvl_phantom_geometry_make(rvl_phantom_geometry *g, const rvl_phantom_case *c, int64_t height, int64_t width)
{
    memset(g, 0, sizeof *g);
    draw_patient(g, c);
    draw_picture(g, c, height, width);
    apply_truth(g, c);
}

void rvl_phantom_to_body(const rvl_phantom_canvas *k, double x, double y, double *u, double *v)
{
    double dx = (x + 0.5 - (double)k->width / 2) * k->g.mm_per_px * k->g.aspect;
    double dy = (y + 0.5 - (double)k->height / 2) * k->g.mm_per_px / k->g.aspect;
    double c = cos(k->g.rotate), s = sin(k->g.rotate);

    *u = c * dx + s * dy - k->g.offset_u;
    *v = -s * dx + c * dy + k->g.offset_v;
}

void rvl_phantom_to_pixel(const rvl_phantom_canvas *k, double u, double v, double *x, double *y)
{
    double c = cos(k->g.rotate), s = sin(k->g.rotate), p = u + k->g.offset_u, q = v - k->g.offset_v;

    *x = (c * p - s * q) / (k->g.mm_per_px * k->g.aspect) + (double)k->width / 2 - 0.5;
    *y = (s * p + c * q) / (k->g.mm_per_px / k->g.aspect) + (double)k->height / 2 - 0.5;
}

double rvl_phantom_midline(const rvl_phantom_geometry *g, double v)
{
    return g->curve_mm * sin(v * 0.0155 + g->curve_phase);
}

double rvl_phantom_lung_outer(const rvl_phantom_geometry *g, double v)
{
    double t = clamp(v / (0.74 * g->lung_height), 0, 1);

    if (v <= 0)
        return 0;
    return 46 + (g->chest - 46) * pow(1 - pow(1 - t, 2.3), 0.62);
}

double rvl_phantom_lung_dome(const rvl_phantom_geometry *g, int side, double a)
{
    double centre = 0.5 * g->chest, x = (a - centre) / (g->chest - centre);

    return x > 0 ? g->dome[side] + 0.17 * g->lung_height * pow(x, 2.3) : g->dome[side] + 12 * x * x;
}

double rvl_phantom_heart_depth(const rvl_phantom_geometry *g, double u, double v)
{
    double w = g->heart_width, base = 0.5 * (g->dome[0] + g->dome[1]) + 4;
    double c = cos(g->heart_tilt), s = sin(g->heart_tilt);
    double lv_u = 0.21 * w, lv_v = base - 0.26 * w, du = u - lv_u, dv = v - lv_v;
    double p = (c * du + s * dv) / (0.46 * w), q = (-s * du + c * dv) / (0.34 * w);
    double left = 1 - p * p - q * q, right;

    du = (u + 0.1 * w) / (0.25 * w);
    dv = (v - (base - 0.3 * w)) / (0.3 * w);
    right = 1 - du * du - dv * dv;
    if (left < right)
        left = right;
    return left > 0 ? 0.085 * w * sqrt(left) : 0;
}

static double lattice(uint64_t seed, int64_t i, int64_t j)
{
    uint64_t x = seed + (uint64_t)i * 0x9E3779B97F4A7C15u + (uint64_t)j * 0xC2B2AE3D27D4EB4Fu;

    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    x ^= x >> 31;
    return (double)(x >> 11) * (2.0 / 9007199254740992.0) - 1;
}

double rvl_phantom_noise(uint64_t seed, double u, double v, double cell_mm, int octaves)
{
    double sum = 0, gain = 1, total = 0;

    for (int o = 0; o < octaves; o++, gain *= 0.55, cell_mm *= 0.5) {
        double  x = u / cell_mm + 1000, y = v / cell_mm + 1000;
        int64_t i = (int64_t)floor(x), j = (int64_t)floor(y);
        double  fx = smooth_step(0, 1, x - (double)i), fy = smooth_step(0, 1, y - (double)j);
        double  top = lattice(seed + (uint64_t)o, i, j) * (1 - fx) + lattice(seed + (uint64_t)o, i + 1, j) * fx;
        double  low = lattice(seed + (uint64_t)o, i, j + 1) * (1 - fx) + lattice(seed + (uint64_t)o, i + 1, j + 1) * fx;

        sum += gain * (top * (1 - fy) + low * fy);
        total += gain;
    }
    return 1.5 * sum / total;
}
