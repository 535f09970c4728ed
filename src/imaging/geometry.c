/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/geometry.c
 * Affine maps between voxels and LPS millimetres.
 */
#include "imaging/geometry.h"
#include <math.h>
#include <string.h>

#define DEGREES_OF_RADIAN 57.29577951308232

rvl_grid rvl_volume_grid(const rvl_volume *v)
{
    rvl_grid g = {.depth = v->depth,
                  .height = v->height,
                  .width = v->width,
                  .has_spacing = v->has_spacing,
                  .has_geometry = v->has_geometry,
                  .spacing_mm = v->spacing_mm,
                  .origin_mm = v->origin_mm};
    memcpy(g.direction, v->direction, sizeof g.direction);
    return g;
}

void rvl_volume_set_grid(rvl_volume *v, const rvl_grid *g)
{
    v->has_spacing = g->has_spacing;
    v->has_geometry = g->has_geometry;
    v->spacing_mm = g->spacing_mm;
    v->origin_mm = g->origin_mm;
    memcpy(v->direction, g->direction, sizeof v->direction);
}

rvl_affine_map rvl_grid_affine(const rvl_grid *g)
{
    const double   spacing[3] = {g->spacing_mm.x, g->spacing_mm.y, g->spacing_mm.z};
    const double   origin[3] = {g->origin_mm.x, g->origin_mm.y, g->origin_mm.z};
    rvl_affine_map a;

    for (int r = 0; r < 3; r++) {
        for (int c = 0; c < 3; c++)
            a.m[r][c] = g->direction[r][c] * spacing[c];
        a.m[r][3] = origin[r];
    }
    return a;
}

static double determinant(const rvl_affine_map *a)
{
    const double(*m)[4] = a->m;
    return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
           m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

bool rvl_grid_place(rvl_grid *g, const rvl_affine_map *a)
{
    double         length[3];
    rvl_affine_map unit = *a;

    for (int c = 0; c < 3; c++) {
        length[c] = sqrt(a->m[0][c] * a->m[0][c] + a->m[1][c] * a->m[1][c] + a->m[2][c] * a->m[2][c]);
        if (!isfinite(length[c]) || !(length[c] > 0) || !isfinite(a->m[c][3]))
            return false;
        for (int r = 0; r < 3; r++)
            unit.m[r][c] = a->m[r][c] / length[c];
    }
    if (!(fabs(determinant(&unit)) > 1e-4)) /* nearly in one plane */
        return false;
    g->spacing_mm = (rvl_vec3){length[0], length[1], length[2]};
    g->origin_mm = (rvl_vec3){a->m[0][3], a->m[1][3], a->m[2][3]};
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++)
            g->direction[r][c] = unit.m[r][c];
    g->has_spacing = true;
    g->has_geometry = true;
    return true;
}

rvl_vec3 rvl_affine_apply(const rvl_affine_map *a, rvl_vec3 p)
{
    const double(*m)[4] = a->m;
    return (rvl_vec3){m[0][0] * p.x + m[0][1] * p.y + m[0][2] * p.z + m[0][3],
                      m[1][0] * p.x + m[1][1] * p.y + m[1][2] * p.z + m[1][3],
                      m[2][0] * p.x + m[2][1] * p.y + m[2][2] * p.z + m[2][3]};
}

rvl_affine_map rvl_affine_after(const rvl_affine_map *a, const rvl_affine_map *b)
{
    rvl_affine_map out;

    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 4; c++)
            out.m[r][c] =
                a->m[r][0] * b->m[0][c] + a->m[r][1] * b->m[1][c] + a->m[r][2] * b->m[2][c] + (c == 3 ? a->m[r][3] : 0);
    return out;
}

bool rvl_affine_inverse(rvl_affine_map *out, const rvl_affine_map *a)
{
    const double(*m)[4] = a->m;
    const double d = determinant(a);

    if (!isfinite(d) || !(fabs(d) > 0))
        return false;
    for (int r = 0; r < 3; r++) {
        for (int c = 0; c < 3; c++) { /* cofactor (c, r): indices modulo 3 carry the sign */
            const int r1 = (c + 1) % 3;
            const int r2 = (c + 2) % 3;
            const int c1 = (r + 1) % 3;
            const int c2 = (r + 2) % 3;
            out->m[r][c] = (m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]) / d;
        }
    }
    for (int r = 0; r < 3; r++)
        out->m[r][3] = -(out->m[r][0] * m[0][3] + out->m[r][1] * m[1][3] + out->m[r][2] * m[2][3]);
    return true;
}

bool rvl_grid_map_between(rvl_affine_map *out, const rvl_grid *from, const rvl_grid *to)
{
    const rvl_affine_map to_world = rvl_grid_affine(from);
    const rvl_affine_map target = rvl_grid_affine(to);
    rvl_affine_map       to_target;

    if (!rvl_affine_inverse(&to_target, &target))
        return false;
    *out = rvl_affine_after(&to_target, &to_world);
    return true;
}

rvl_box rvl_affine_box(const rvl_affine_map *a, rvl_box box)
{
    rvl_box out = {.low = {INFINITY, INFINITY, INFINITY}, .high = {-INFINITY, -INFINITY, -INFINITY}};

    for (int corner = 0; corner < 8; corner++) {
        rvl_vec3 p =
            rvl_affine_apply(a, (rvl_vec3){corner & 1 ? box.high.x : box.low.x, corner & 2 ? box.high.y : box.low.y,
                                           corner & 4 ? box.high.z : box.low.z});
        out.low = (rvl_vec3){fmin(out.low.x, p.x), fmin(out.low.y, p.y), fmin(out.low.z, p.z)};
        out.high = (rvl_vec3){fmax(out.high.x, p.x), fmax(out.high.y, p.y), fmax(out.high.z, p.z)};
    }
    return out;
}

/* The patient's axis (row) nearest to voxel axis `c`. */
static int nearest_axis(const rvl_grid *g, int c)
{
    int best = 0;
    for (int r = 1; r < 3; r++)
        if (fabs(g->direction[r][c]) > fabs(g->direction[best][c]))
            best = r;
    return best;
}

void rvl_grid_axis_codes(char out[4], const rvl_grid *g)
{
    static const char falling[] = {'R', 'A', 'I'};
    static const char rising[] = {'L', 'P', 'S'};
    bool              used[3] = {false, false, false};

    for (int c = 0; c < 3; c++) {
        int r = nearest_axis(g, c);
        out[c] = used[r] ? '?' : g->direction[r][c] < 0 ? falling[r] : rising[r];
        used[r] = true;
    }
    out[3] = '\0';
    if (strchr(out, '?'))
        memcpy(out, "???", 4);
}

double rvl_grid_obliquity_deg(const rvl_grid *g)
{
    double worst = 0;

    for (int c = 0; c < 3; c++) {
        double nearest = fabs(g->direction[nearest_axis(g, c)][c]);
        worst = fmax(worst, acos(fmin(nearest, 1)));
    }
    return worst * DEGREES_OF_RADIAN;
}

double rvl_grid_shear_deg(const rvl_grid *g)
{
    double worst = 0;

    for (int a = 0; a < 3; a++) {
        int    b = (a + 1) % 3;
        double dot = 0;
        for (int r = 0; r < 3; r++)
            dot += g->direction[r][a] * g->direction[r][b];
        worst = fmax(worst, asin(fmin(fabs(dot), 1)));
    }
    return worst * DEGREES_OF_RADIAN;
}
