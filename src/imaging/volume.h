/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/volume.h
 * A volume: voxels [z][y][x], geometry, unit, and what kind of picture it is. A radiograph has one slice.
 *
 * World coordinates are LPS millimetres (x to the patient's left, y to the back, z to the head). The centre of voxel
 * (x, y, z) lies at origin_mm + direction * (x * spacing_mm.x, y * spacing_mm.y, z * spacing_mm.z): any affine map
 * whose columns are not dependent, sheared ones (gantry tilt) among them. Functions on it: imaging/geometry.h.
 */
#ifndef RVL_IMAGING_VOLUME_H
#define RVL_IMAGING_VOLUME_H
#include "rvl/status.h"

typedef enum { RVL_VOXEL_U8, RVL_VOXEL_U16, RVL_VOXEL_I16, RVL_VOXEL_F32 } rvl_voxel_type;
typedef enum {
    RVL_UNIT_UNKNOWN,
    RVL_UNIT_HU,
    RVL_UNIT_DISPLAY,  /* larger is brighter, as shown to a reader */
    RVL_UNIT_ARBITRARY /* a scale of its own: MR signal, CT values before slope and intercept, masks */
} rvl_unit;
typedef enum { RVL_MODALITY_UNKNOWN, RVL_MODALITY_CXR, RVL_MODALITY_CT, RVL_MODALITY_MG } rvl_modality;
typedef enum { RVL_VIEW_UNKNOWN, RVL_VIEW_PA, RVL_VIEW_AP, RVL_VIEW_LATERAL, RVL_VIEW_CC, RVL_VIEW_MLO } rvl_view;
/* Modality "cxr" covers chest radiographs; body part is a lower-case word ("chest"), "" if unknown. */

typedef struct {
    double x, y, z;
} rvl_vec3;

typedef struct {
    rvl_voxel_type type;
    int64_t        depth, height, width; /* slices, rows, columns */
    void          *voxels;               /* owned, depth * height * width elements */
    rvl_unit       unit;
    rvl_modality   modality;
    rvl_view       view;
    char           body_part[16];
    bool           has_burned_in;   /* the DICOM file says that text is part of the picture */
    char           laterality;      /* 'L', 'R', 'B' (both); 0: not known */
    bool           has_spacing;     /* the source says it; else spacing_mm is 1, 1, 1 */
    bool           has_geometry;    /* the source says origin and direction (PNG, JPEG, npy do not); implies spacing */
    rvl_vec3       spacing_mm;      /* between voxel centres along width, height, depth; all > 0 */
    rvl_vec3       origin_mm;       /* centre of voxel (0, 0, 0) */
    double         direction[3][3]; /* row-major; column j: unit vector of voxel axis j (0 along width) */
} rvl_volume;

RVL_MUST_USE rvl_status rvl_volume_new(rvl_volume **out, rvl_voxel_type type, int64_t depth, int64_t height,
                                       int64_t width, rvl_error *err); /* voxels zeroed */
void                    rvl_volume_free(rvl_volume *v);                /* NULL is allowed */
size_t                  rvl_voxel_bytes(rvl_voxel_type type);
/** Voxel i as a double, whatever the type. */
double                  rvl_volume_at(const rvl_volume *v, int64_t i);
/** Everything but voxels, type and sides (unit, modality, view, body part, geometry) from `from`. */
void                    rvl_volume_copy_facts(rvl_volume *to, const rvl_volume *from);
const char             *rvl_voxel_text(rvl_voxel_type type); /* "u8", "u16", "i16", "f32" */
const char             *rvl_unit_text(rvl_unit unit);        /* "unknown", "hu", "display", "arbitrary" */

const char  *rvl_modality_text(rvl_modality m);    /* "cxr", "ct", "mg", "unknown" */
rvl_modality rvl_modality_parse(const char *text); /* UNKNOWN if not known */
const char  *rvl_view_text(rvl_view v);            /* "pa", "ap", "lateral", ... */
rvl_view     rvl_view_parse(const char *text);     /* any case; "PA", "AP Supine", "LL", "L" understood */

/** What a reader may take from a file; zeros mean the defaults in parentheses. */
typedef struct {
    int64_t max_voxels;     /* (256 Mi) */
    int64_t max_side;       /* (65,535) */
    size_t  max_file_bytes; /* (4 GiB) */
} rvl_limits;
/** The limits that hold; `limits` may be NULL. */
rvl_limits rvl__limits_fill(const rvl_limits *limits);

#endif /* RVL_IMAGING_VOLUME_H */
