/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/phantom_tube.c
 * Tubes: ribs, vessels, airways, leads. A tube is the largest value of its segments, so bends do not add up.
 */
#include "synth/phantom_internal.h"
#include <math.h>

typedef struct {
    int64_t x0, y0, x1, y1; /* inclusive; empty if x1 < x0 */
} box;

/** Radius below which a tube is drawn wider and weaker, so that its mass stays. */
static double drawn_radius(const rvl_phantom_canvas *k, double radius_mm)
{
    double least = 0.75 * k->g.mm_per_px;

    return radius_mm > least ? radius_mm : least;
}

static double thickness_cm(rvl_tube_kind kind, double d_mm, double radius_mm, double drawn_mm)
{
    double outer = drawn_mm * drawn_mm - d_mm * d_mm, inner = radius_mm - 1.4, full;

    if (outer <= 0)
        return 0;
    full = 2 * sqrt(outer);
    if (kind == RVL_TUBE_SHELL && inner > d_mm)
        full -= 2 * 0.8 * sqrt(inner * inner - d_mm * d_mm);
    return 0.1 * full * (radius_mm * radius_mm) / (drawn_mm * drawn_mm);
}

static box segment_box(const rvl_phantom_canvas *k, const rvl_tube_point *p, const rvl_tube_point *q)
{
    double x0, y0, x1, y1, r = drawn_radius(k, p->radius_mm > q->radius_mm ? p->radius_mm : q->radius_mm);
    double margin = r / k->g.mm_per_px * 1.1 + 1;
    box    b;

    rvl_phantom_to_pixel(k, p->u, p->v, &x0, &y0);
    rvl_phantom_to_pixel(k, q->u, q->v, &x1, &y1);
    b.x0 = (int64_t)floor(clamp(fmin(x0, x1) - margin, 0, (double)k->width));
    b.y0 = (int64_t)floor(clamp(fmin(y0, y1) - margin, 0, (double)k->height));
    b.x1 = (int64_t)ceil(clamp(fmax(x0, x1) + margin, -1, (double)k->width - 1));
    b.y1 = (int64_t)ceil(clamp(fmax(y0, y1) + margin, -1, (double)k->height - 1));
    return b;
}

static void draw_segment(rvl_phantom_canvas *k, rvl_tube_kind kind, const rvl_tube_point *p, const rvl_tube_point *q,
                         box b)
{
    float *scratch = canvas_plane(k, RVL_PLANE_SCRATCH);
    double du = q->u - p->u, dv = q->v - p->v, n2 = du * du + dv * dv;

    for (int64_t y = b.y0; y <= b.y1; y++)
        for (int64_t x = b.x0; x <= b.x1; x++) {
            double u, v, t, radius, value;
            float *to = &scratch[y * k->width + x];

            rvl_phantom_to_body(k, (double)x, (double)y, &u, &v);
            t = n2 > 0 ? clamp(((u - p->u) * du + (v - p->v) * dv) / n2, 0, 1) : 0;
            radius = p->radius_mm + t * (q->radius_mm - p->radius_mm);
            value = thickness_cm(kind, hypot(u - p->u - t * du, v - p->v - t * dv), radius, drawn_radius(k, radius));
            value *= p->weight + t * (q->weight - p->weight);
            if (value > *to)
                *to = (float)value;
        }
}

void rvl_phantom_tube(rvl_phantom_canvas *k, int plane, int mask_plane, rvl_tube_kind kind, const rvl_tube_point *p,
                      int n)
{
    float *scratch = canvas_plane(k, RVL_PLANE_SCRATCH), *to = canvas_plane(k, plane);
    box    all = {k->width, k->height, -1, -1};

    for (int i = 0; i + 1 < n; i++) {
        box b = segment_box(k, &p[i], &p[i + 1]);

        if (b.x1 < b.x0 || b.y1 < b.y0)
            continue;
        draw_segment(k, kind, &p[i], &p[i + 1], b);
        all.x0 = b.x0 < all.x0 ? b.x0 : all.x0;
        all.y0 = b.y0 < all.y0 ? b.y0 : all.y0;
        all.x1 = b.x1 > all.x1 ? b.x1 : all.x1;
        all.y1 = b.y1 > all.y1 ? b.y1 : all.y1;
    }
    for (int64_t y = all.y0; y <= all.y1; y++)
        for (int64_t x = all.x0; x <= all.x1; x++) {
            int64_t i = y * k->width + x;

            to[i] += scratch[i];
            if (mask_plane >= 0 && scratch[i] > 0)
                canvas_plane(k, mask_plane)[i] = 1;
            scratch[i] = 0;
        }
}
