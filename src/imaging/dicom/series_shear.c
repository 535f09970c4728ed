/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/series_shear.c
 * Slices of a tilted gantry moved back within their planes, so that the volume's axes are at right angles.
 *
 * Slice z lies shear * z (mm, along row and column) away from where the normal of the first slice leads. Its voxel at
 * (x, y) goes to (x, y) + shear * z / spacing of a grid that begins where the least of these offsets is.
 */
#include "base/alloc.h"
#include "imaging/dicom/series.h"
#include "imaging/hu.h"
#include <math.h>

/* Offsets in voxels: of slice z, way * z - low. */
typedef struct {
    double  way, low;
    int64_t n_more; /* voxels that the side grows by */
} side;

static side side_of(double way, int64_t depth)
{
    double last = way * (double)(depth - 1);
    double low = floor(fmin(0, last) + 1e-9);

    return (side){.way = way, .low = low, .n_more = (int64_t)(ceil(fmax(0, last) - 1e-9) - low)};
}

rvl_grid rvl__series_unshear_grid(const rvl_grid *g, rvl_vec3 shear_mm)
{
    rvl_grid   to = *g;
    const side x = side_of(shear_mm.x / g->spacing_mm.x, g->depth);
    const side y = side_of(shear_mm.y / g->spacing_mm.y, g->depth);
    const double(*m)[3] = g->direction;
    rvl_vec3 normal = {m[1][0] * m[2][1] - m[2][0] * m[1][1], m[2][0] * m[0][1] - m[0][0] * m[2][1],
                       m[0][0] * m[1][1] - m[1][0] * m[0][1]};
    double   along = normal.x * m[0][2] + normal.y * m[1][2] + normal.z * m[2][2];

    to.width += x.n_more;
    to.height += y.n_more;
    to.direction[0][2] = normal.x;
    to.direction[1][2] = normal.y;
    to.direction[2][2] = normal.z;
    to.spacing_mm.z = g->spacing_mm.z * along;
    const double low[2] = {x.low * g->spacing_mm.x, y.low * g->spacing_mm.y};
    to.origin_mm.x += m[0][0] * low[0] + m[0][1] * low[1];
    to.origin_mm.y += m[1][0] * low[0] + m[1][1] * low[1];
    to.origin_mm.z += m[2][0] * low[0] + m[2][1] * low[1];
    return to;
}

/* Voxel of slice z, or what stands for outside. */
static double at(const rvl_volume *v, int64_t z, int64_t y, int64_t x, double outside)
{
    bool is_in = x >= 0 && y >= 0 && x < v->width && y < v->height;
    return is_in ? rvl_volume_at(v, (z * v->height + y) * v->width + x) : outside;
}

static double linear(const rvl_volume *v, int64_t z, double y, double x, double outside)
{
    const double  x0 = floor(x);
    const double  y0 = floor(y);
    const double  fx = x - x0;
    const double  fy = y - y0;
    const int64_t ix = (int64_t)x0;
    const int64_t iy = (int64_t)y0;

    return (1 - fy) * ((1 - fx) * at(v, z, iy, ix, outside) + fx * at(v, z, iy, ix + 1, outside)) +
           fy * ((1 - fx) * at(v, z, iy + 1, ix, outside) + fx * at(v, z, iy + 1, ix + 1, outside));
}

rvl_status rvl__series_unshear(rvl_volume **out, const rvl_volume *v, rvl_vec3 shear_mm, rvl_error *err)
{
    const rvl_grid from = rvl_volume_grid(v);
    const rvl_grid g = rvl__series_unshear_grid(&from, shear_mm);
    const side     sx = side_of(shear_mm.x / v->spacing_mm.x, v->depth);
    const side     sy = side_of(shear_mm.y / v->spacing_mm.y, v->depth);
    double         outside = RVL_HU_AIR;
    rvl_volume    *to = NULL;

    *out = NULL;
    if (g.width > 65535 || g.height > 65535)
        return rvl_fail(err, RVL_ERR_LIMIT, "cannot move its slices back: a side would be above 65,535");
    rvl_status st = rvl_volume_new(&to, v->type, v->depth, g.height, g.width, err);
    if (st)
        return st;
    rvl_volume_copy_facts(to, v);
    rvl_volume_set_grid(to, &g);
    if (v->unit != RVL_UNIT_HU) { /* the least voxel */
        outside = rvl_volume_at(v, 0);
        for (int64_t i = 0; i < v->depth * v->height * v->width; i++)
            outside = fmin(outside, rvl_volume_at(v, i));
    }
    int64_t i = 0;
    for (int64_t z = 0; z < to->depth; z++)
        for (int64_t y = 0; y < to->height; y++)
            for (int64_t x = 0; x < to->width; x++, i++) {
                double value = linear(v, z, (double)y + sy.low - sy.way * (double)z,
                                      (double)x + sx.low - sx.way * (double)z, outside);
                if (to->type == RVL_VOXEL_I16)
                    ((int16_t *)to->voxels)[i] = (int16_t)lround(value);
                else
                    ((float *)to->voxels)[i] = (float)value;
            }
    *out = to;
    return RVL_OK;
}
