/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/geometry.h
 * Where voxels lie: grids, affine maps between voxels and LPS millimetres, boxes, axis codes.
 *
 * Voxel coordinates are (x, y, z) with whole numbers at voxel CENTRES: voxel i covers i - 0.5 .. i + 0.5. A volume
 * without geometry has spacing 1 (or the known spacing), origin 0 and the identity as direction, so that points of two
 * grids made from it can still be mapped into one another.
 */
#ifndef RVL_IMAGING_GEOMETRY_H
#define RVL_IMAGING_GEOMETRY_H
#include "imaging/volume.h"

/** Sides and place of a volume without its voxels: what a result keeps of its source, to map boxes and masks back. */
typedef struct {
    int64_t  depth, height, width;
    bool     has_spacing, has_geometry;
    rvl_vec3 spacing_mm, origin_mm;
    double   direction[3][3];
} rvl_grid;

/** p -> m[.][0..2] * p + m[.][3], rows x, y, z. */
typedef struct {
    double m[3][4];
} rvl_affine_map;

/** Closed box in voxel coordinates; whole voxels a..b are a - 0.5 .. b + 0.5. */
typedef struct {
    rvl_vec3 low, high;
} rvl_box;

rvl_grid       rvl_volume_grid(const rvl_volume *v);
void           rvl_volume_set_grid(rvl_volume *v, const rvl_grid *g); /* the place; sides stay */
/** Voxel coordinates to LPS millimetres. */
rvl_affine_map rvl_grid_affine(const rvl_grid *g);
/** Spacing and direction from the columns of `a`, origin from its last; false (and `g` unchanged) if the columns are
 *  dependent or not finite. Sets has_spacing and has_geometry. */
bool           rvl_grid_place(rvl_grid *g, const rvl_affine_map *a);
rvl_vec3       rvl_affine_apply(const rvl_affine_map *a, rvl_vec3 p);
/** First `b`, then `a`. */
rvl_affine_map rvl_affine_after(const rvl_affine_map *a, const rvl_affine_map *b);
/** False if there is none. */
bool           rvl_affine_inverse(rvl_affine_map *out, const rvl_affine_map *a);
/** Voxels of `from` to voxels of `to` by way of the world; false if `to` has dependent directions. */
bool           rvl_grid_map_between(rvl_affine_map *out, const rvl_grid *from, const rvl_grid *to);
/** The smallest box along the target's axes that holds the image of `box`. */
rvl_box        rvl_affine_box(const rvl_affine_map *a, rvl_box box);
/** Nearest axes of growing x, y, z as letters of the patient: "LPS" for the identity; "???" if one is not nearest to
 *  any (two axes would share one). */
void           rvl_grid_axis_codes(char out[4], const rvl_grid *g);
/** Angle of the axis that is farthest from the patient's axes, in degrees; 0 for a grid that is not oblique. */
double         rvl_grid_obliquity_deg(const rvl_grid *g);
/** Largest departure of two axes from a right angle, in degrees (gantry tilt). */
double         rvl_grid_shear_deg(const rvl_grid *g);
#endif /* RVL_IMAGING_GEOMETRY_H */
