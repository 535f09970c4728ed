/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/thorax_internal.h
 * What the files of the CT phantom share: the body's geometry, the canvas it is drawn on, shapes.
 *
 * Body coordinates are mm: x to the patient's left from the midline, y to the back from the middle of the chest, v
 * downwards from the apex of the lungs. Distances are negative inside a shape. Side index 0 is right, 1 left.
 */
#ifndef RVL_SYNTH_THORAX_INTERNAL_H
#define RVL_SYNTH_THORAX_INTERNAL_H
#include "synth/phantom_internal.h"
#include "synth/thorax.h"

typedef struct {
    double x, y, v;
} rvl_point;

typedef struct {
    rvl_point centre, axis[3]; /* axis[i]: unit direction divided by the half axis */
    double    half[3];
} rvl_ellipsoid;

enum { RVL_NOISE_SIDE = 32 };

typedef struct {
    const rvl_thorax_case *c;
    double                 chest, depth, height; /* half width and half depth of the cavity, height of the lungs */
    double                 fat_mm, muscle, breast_mm, gland, bone, age;
    double                 spine_curve_mm, kyphosis_mm, phase[6], ripple[6];
    double                 dome[2], dome_curve; /* v of the diaphragm's tops */
    double                 shift_mm;            /* of the mediastinum, to the left */
    double                 lung_hu, gravity_hu, vessel;
    double                 heart_fat_mm, peri_mm; /* layers round the heart: fat, fluid */
    double                 liver_hu, stomach_air;
    rvl_ellipsoid          heart, atrium;
    double                 cos_yaw, sin_yaw, off_x, off_y, top_v, table_gap_mm;
    double                 world_x, world_y, world_z; /* of the body's origin */
    float                  noise[RVL_NOISE_SIDE * RVL_NOISE_SIDE * RVL_NOISE_SIDE];
} rvl_thorax_body;

/** Voxels [z][y][x], z from the feet upwards; steps in mm. */
typedef struct {
    const rvl_thorax_body *b;
    int64_t                nz, ny, nx;
    double                 dz, dy, dx;
    double                 x0, y0, v0; /* of the first voxel, in the picture's own frame (the body turned by yaw) */
    float                 *hu;
    uint8_t               *lung;  /* share of lung in the voxel, before findings, 0..255 */
    uint32_t              *truth; /* bit f: finding f */
} rvl_thorax_canvas;

/* thorax_geometry.c */
void          rvl_thorax_body_make(rvl_thorax_body *b, const rvl_thorax_case *c);
/** Radius of the cavity's wall at an angle (cosine to the left, sine to the back) of level v. */
double        rvl_thorax_wall(const rvl_thorax_body *b, double cosine, double sine, double v);
rvl_point     rvl_thorax_spine(const rvl_thorax_body *b, double v); /* centre of the vertebral body */
double        rvl_thorax_diaphragm(const rvl_thorax_body *b, int side, double x, double y); /* v of its surface */
double        rvl_thorax_heart(const rvl_thorax_body *b, double x, double y, double v);     /* distance */
double        rvl_thorax_heart_sleeve(const rvl_thorax_body *b, double x, double y); /* thickness of fat and fluid */
/** Distance to the lung's surface, negative inside; `wall` is the cavity's radius in the direction of (x, y). */
double        rvl_thorax_lung(const rvl_thorax_body *b, double x, double y, double v, double wall);
/** The same for a point alone. */
double        rvl_thorax_lung_at(const rvl_thorax_body *b, rvl_point p);
/** Which lobe a point of a lung lies in; `fissure_mm` (may be NULL) is the distance to the next fissure. */
rvl_zone      rvl_thorax_lobe(const rvl_thorax_body *b, rvl_point p, double *fissure_mm);
/** A point at least `inset_mm` inside the lobe, and the lung; any point of the lung if the lobe is too small. */
rvl_point     rvl_thorax_point_in_lobe(const rvl_thorax_body *b, rvl_rng *r, int side, rvl_zone zone, double inset_mm);
double        rvl_ellipsoid_distance(const rvl_ellipsoid *e, rvl_point p);
rvl_ellipsoid rvl_ellipsoid_make(rvl_point centre, double half_x, double half_y, double half_v);
/** Smooth noise of about -1..1, cells of `cell_mm`. */
double        rvl_thorax_noise(const rvl_thorax_body *b, double x, double y, double v, double cell_mm);

/* thorax_canvas.c */
static inline rvl_point rvl_thorax_voxel(const rvl_thorax_canvas *k, int64_t x, int64_t y, int64_t z)
{
    double px = k->x0 + (double)x * k->dx - k->b->off_x, py = k->y0 + (double)y * k->dy - k->b->off_y;

    return (rvl_point){k->b->cos_yaw * px + k->b->sin_yaw * py, -k->b->sin_yaw * px + k->b->cos_yaw * py,
                       k->v0 - (double)z * k->dz};
}

/** Share of a voxel inside an edge at distance d (negative inside), the edge being `width` wide. */
static inline double rvl_thorax_cover(double d, double width)
{
    double a = 0.5 - d / width;

    return a < 0 ? 0 : a > 1 ? 1 : a;
}

typedef enum {
    RVL_INK_OVER,    /* replaces what is there */
    RVL_INK_DENSER,  /* only where it is denser */
    RVL_INK_LUNG,    /* denser, and only in lung */
    RVL_INK_LUNG_AIR /* replaces, only in lung */
} rvl_ink_mode;

typedef struct {
    rvl_ink_mode mode;
    double       hu, wall_hu, wall_mm; /* wall_mm > 0: the outer layer */
    int          finding;              /* -1: of none */
} rvl_ink;

/** A tube with round ends from a to b. */
void rvl_thorax_tube(rvl_thorax_canvas *k, rvl_point a, rvl_point b, double radius_a, double radius_b, rvl_ink ink);
void rvl_thorax_tubes(rvl_thorax_canvas *k, const rvl_point *p, const double *radius_mm, int n, rvl_ink ink);
/** Any shape: the distance at a point of the body, in mm, negative inside. */
typedef double (*rvl_thorax_shape)(const rvl_thorax_body *b, rvl_point p, const void *arg);
/** Paint a shape that lies within `reach_mm` of `centre`. */
void rvl_thorax_paint(rvl_thorax_canvas *k, rvl_point centre, double reach_mm, rvl_thorax_shape shape, const void *arg,
                      rvl_ink ink);
void rvl_thorax_ellipsoid(rvl_thorax_canvas *k, const rvl_ellipsoid *e, rvl_ink ink);
/** Indices of the box of voxels within `reach_mm` of a point: low[3], high[3] (x, y, z; high is exclusive). */
void rvl_thorax_box(const rvl_thorax_canvas *k, rvl_point centre, double reach_mm, int64_t low[3], int64_t high[3]);

/* drawing, in this order */
RVL_MUST_USE rvl_status rvl_thorax_draw_body(rvl_thorax_canvas *k, rvl_error *err); /* thorax_wall.c */
/** How far back the body reaches, in the picture's frame; behind it is the table. */
double                  rvl_thorax_back(const rvl_thorax_body *b);            /* thorax_wall.c */
void                    rvl_thorax_draw_bones(rvl_thorax_canvas *k);          /* thorax_bones.c */
void                    rvl_thorax_draw_vessels(rvl_thorax_canvas *k);        /* thorax_vessels.c */
void                    rvl_thorax_draw_lung_findings(rvl_thorax_canvas *k);  /* thorax_lung.c */
void                    rvl_thorax_draw_chest_findings(rvl_thorax_canvas *k); /* thorax_chest.c */

/** The aorta's centre from its root (t 0) to the upper abdomen (1); `radius_mm` as drawn. */
rvl_point rvl_thorax_aorta(const rvl_thorax_body *b, double t, double *radius_mm); /* thorax_vessels.c */

/* thorax_scan.c */
/** Take the canvas's memory and draw everything into it; sizes, steps and place are set. The caller calls _fini. */
RVL_MUST_USE rvl_status rvl_thorax_draw(rvl_thorax_canvas *k, rvl_error *err);
void                    rvl_thorax_canvas_fini(rvl_thorax_canvas *k);

/** The bronchi of a lung as they were drawn, for findings about them. */
typedef struct {
    rvl_point a, b;
    double    radius_mm; /* of the artery beside it */
} rvl_bronchus;
enum { RVL_MAX_BRONCHI = 400 };
int rvl_thorax_bronchi(rvl_bronchus out[RVL_MAX_BRONCHI], const rvl_thorax_body *b, int side);

/* thorax_text.c */
extern const rvl_phantom_template rvl_thorax_train_templates[]; /* end with text NULL */
extern const rvl_phantom_template rvl_thorax_test_templates[];

#endif /* RVL_SYNTH_THORAX_INTERNAL_H */
