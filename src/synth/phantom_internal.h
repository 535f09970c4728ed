/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/phantom_internal.h
 * What the phantom's files share: the patient's geometry, the canvas of thickness maps, tubes.
 *
 * Anatomy is in millimetres: u to the image's right from the midline, v downwards from the apex of the lungs;
 * `a` is the distance from the midline on one side (u = s * a, s = +1 the patient's left). Thickness is in cm along
 * the ray, as water would weaken it.
 */
#ifndef RVL_SYNTH_PHANTOM_INTERNAL_H
#define RVL_SYNTH_PHANTOM_INTERNAL_H
#include "base/rng.h"
#include "synth/phantom.h"

enum { RVL_SIDE_R = 0, RVL_SIDE_L = 1 }; /* array index of a side; sign is 2 * i - 1 */

typedef struct {
    /* the patient */
    double chest, lung_height, body_cm, fat, breast_cm, breast_v, knob, bone, heart_tilt, curve_mm, curve_phase;
    double vessel, lung_water; /* vessel: calibre; lung_water: density of aerated lung, 0..1 */
    double spine_half;
    /* this picture */
    double inspiration; /* mm that the domes move down */
    double dome[2];     /* v of each dome's top */
    double heart_width; /* as projected */
    double shift_mm;    /* of the mediastinum, towards the image's right */
    double yaw_mm;      /* rotation about the long axis, as a shift of what lies in front */
    double scapula;     /* 0 turned out .. 1 over the lungs */
    double rotate, offset_u, offset_v, mm_per_px, aspect;
} rvl_phantom_geometry;

typedef enum {
    RVL_PLANE_BODY,   /* soft tissue without lungs */
    RVL_PLANE_AIR,    /* water missing in lungs, airways, stomach */
    RVL_PLANE_LUNG,   /* depth of lung before findings: where lung is, and how much */
    RVL_PLANE_VESSEL, /* in the lungs */
    RVL_PLANE_SOFT,   /* other soft tissue added */
    RVL_PLANE_BONE,
    RVL_PLANE_METAL,
    RVL_PLANE_SCRATCH,
    RVL_PLANE_MASK, /* first of one per finding, 0..1 */
    RVL_PLANE_COUNT = RVL_PLANE_MASK + RVL_PHANTOM_N_FINDINGS
} rvl_phantom_plane;

typedef struct {
    int64_t                 height, width;
    float                  *planes; /* RVL_PLANE_COUNT maps */
    rvl_phantom_geometry    g;
    const rvl_phantom_case *c;
} rvl_phantom_canvas;

static inline float *canvas_plane(const rvl_phantom_canvas *k, int plane)
{
    return k->planes + (size_t)plane * (size_t)(k->height * k->width);
}

static inline double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/** 0 below a, 1 above b (or the other way round if b < a), smooth between. */
static inline double smooth_step(double a, double b, double x)
{
    double t = clamp((x - a) / (b - a), 0, 1);

    return t * t * (3 - 2 * t);
}

static inline double uniform_in(rvl_rng *r, double low, double high)
{
    return low + (high - low) * rvl_rng_uniform(r);
}

/** Numbers for one purpose of one case (or patient). */
rvl_rng rvl_phantom_rng(const char *purpose, uint64_t seed, int64_t key);

/* phantom_geometry.c */
void   rvl_phantom_geometry_make(rvl_phantom_geometry *g, const rvl_phantom_case *c, int64_t height, int64_t width);
/** Pixel centre to (u, v) and back. */
void   rvl_phantom_to_body(const rvl_phantom_canvas *k, double x, double y, double *u, double *v);
void   rvl_phantom_to_pixel(const rvl_phantom_canvas *k, double u, double v, double *x, double *y);
double rvl_phantom_midline(const rvl_phantom_geometry *g, double v); /* u of the spine */
double rvl_phantom_lung_outer(const rvl_phantom_geometry *g, double v);
double rvl_phantom_lung_dome(const rvl_phantom_geometry *g, int side, double a);   /* v of the diaphragm */
double rvl_phantom_heart_depth(const rvl_phantom_geometry *g, double u, double v); /* cm */
/** Smooth noise of a few octaves, mean 0, about -1..1; `cell_mm` is the size of the largest blobs. */
double rvl_phantom_noise(uint64_t seed, double u, double v, double cell_mm, int octaves);

/* phantom_tube.c */
typedef enum { RVL_TUBE_SOLID, RVL_TUBE_SHELL } rvl_tube_kind;
typedef struct {
    double u, v, radius_mm, weight;
} rvl_tube_point;
/** Add a polyline of circular cross-section to `plane`: cm of material along the ray. `mask_plane` >= 0 gets 1 inside.
 */
void rvl_phantom_tube(rvl_phantom_canvas *k, int plane, int mask_plane, rvl_tube_kind kind, const rvl_tube_point *p,
                      int n);

/* phantom_anatomy.c, phantom_bones.c, phantom_findings.c, phantom_device.c */
void rvl_phantom_draw_body(rvl_phantom_canvas *k);
void rvl_phantom_draw_stomach(rvl_phantom_canvas *k);
void rvl_phantom_draw_vessels(rvl_phantom_canvas *k);
void rvl_phantom_draw_bones(rvl_phantom_canvas *k);
void rvl_phantom_draw_findings(rvl_phantom_canvas *k);
void rvl_phantom_draw_device(rvl_phantom_canvas *k);

/* phantom_text.c */
typedef struct {
    int         finding; /* RVL_PHANTOM_N_FINDINGS: said of the whole */
    int         role;
    const char *text;
} rvl_phantom_template;
enum {
    RVL_ROLE_PRESENT,   /* in findings; {side} {Side} {size} {zone} {kind} {mm} are filled */
    RVL_ROLE_CONCLUDE,  /* in the impression */
    RVL_ROLE_ABSENT,    /* says that it is absent */
    RVL_ROLE_NONE_OF_2, /* {a} {b}: says that two are absent */
    RVL_ROLE_NONE_OF_3,
    RVL_ROLE_CLEAR,   /* no finding of the lungs or pleura */
    RVL_ROLE_NORMAL,  /* impression without findings */
    RVL_ROLE_QUALITY, /* about the picture, says nothing of findings */
    RVL_ROLE_BONE,
    RVL_ROLE_OLD_BONE,
    RVL_ROLE_HEDGE /* tells {name} with doubt */
};
extern const rvl_phantom_template rvl_phantom_train_templates[]; /* end with text NULL */
extern const rvl_phantom_template rvl_phantom_test_templates[];

#endif /* RVL_SYNTH_PHANTOM_INTERNAL_H */
