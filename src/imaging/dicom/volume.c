/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/volume.c
 * One file as a volume of physical values, or as a picture.
 */
#include "base/alloc.h"
#include "imaging/dicom/internal.h"
#include "imaging/hu.h"
#include <ctype.h>
#include <math.h>
#include <string.h>

static bool is_inverse(const rvl_dicom_header *h)
{
    return h->samples == 1 &&
           (strcmp(h->photometric, "MONOCHROME1") == 0 || strcmp(h->presentation_shape, "INVERSE") == 0);
}

static rvl_vec3 cross(rvl_vec3 a, rvl_vec3 b)
{
    return (rvl_vec3){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

/* Columns: along a row, along a column, from the first frame to the second (else the normal). */
static void geometry_set(rvl_volume *v, const rvl_dicom_frame *first, const rvl_dicom_frame *second)
{
    rvl_vec3 along = cross(first->row, first->column);
    double   step = first->spacing_between_slices_mm > 0 ? first->spacing_between_slices_mm : first->slice_thickness_mm;

    v->has_spacing = first->has_spacing;
    v->spacing_mm = (rvl_vec3){first->column_step_mm, first->row_step_mm, step > 0 ? step : 1};
    if (!first->has_spacing || !first->has_position || !first->has_orientation)
        return;
    if (second && second->has_position) {
        rvl_vec3 by = {second->position_mm.x - first->position_mm.x, second->position_mm.y - first->position_mm.y,
                       second->position_mm.z - first->position_mm.z};
        double   length = sqrt(by.x * by.x + by.y * by.y + by.z * by.z);
        if (!(length > 1e-4)) /* frames of one place: times, echoes */
            return;
        along = (rvl_vec3){by.x / length, by.y / length, by.z / length};
        v->spacing_mm.z = length;
    }
    double volume = first->row.x * cross(first->column, along).x + first->row.y * cross(first->column, along).y +
                    first->row.z * cross(first->column, along).z;
    if (!(fabs(volume) > 1e-3)) /* dependent directions */
        return;
    v->has_geometry = true;
    v->origin_mm = first->position_mm;
    const rvl_vec3 columns[3] = {first->row, first->column, along};
    for (int j = 0; j < 3; j++) {
        v->direction[0][j] = columns[j].x;
        v->direction[1][j] = columns[j].y;
        v->direction[2][j] = columns[j].z;
    }
}

static void facts_set(rvl_volume *v, const rvl_dicom_header *h)
{
    v->modality = rvl_dicom_modality(h);
    v->view = rvl_dicom_view(h);
    v->has_burned_in = h->has_burned_in;
    v->laterality = h->laterality[0] && strchr("LRB", h->laterality[0]) ? h->laterality[0] : '\0';
    size_t n = strlen(h->body_part);
    for (size_t i = 0; n < sizeof v->body_part && i <= n; i++)
        v->body_part[i] = (char)tolower((unsigned char)h->body_part[i]);
}

/* Gray values of all frames; padding is noted in `*padded` (NULL if the file names none). */
static rvl_status gray_make(rvl_volume **out, uint8_t **padded, double range[2], rvl_dicom_type *type,
                            const rvl_dicom *d, rvl_error *err)
{
    rvl_dicom_pixels p = {0};
    rvl_volume      *v = NULL;
    rvl_status       st = rvl_dicom_stored(&p, d, err);

    *padded = NULL;
    if (!st)
        st = rvl_volume_new(&v, RVL_VOXEL_F32, p.frames, p.rows, p.columns, err);
    if (!st && d->header.has_padding) {
        *padded = rvl_alloc_array((size_t)(p.frames * p.rows * p.columns), 1);
        if (!*padded)
            st = rvl__dicom_fail(d, err, RVL_ERR_NOMEM, "out of memory");
    }
    if (!st)
        st = rvl__dicom_gray(v->voxels, range, *padded, d, &p, err);
    *type = p.type;
    rvl_dicom_pixels_fini(&p);
    if (st) {
        rvl_free(*padded);
        *padded = NULL;
        rvl_volume_free(v);
        return st;
    }
    facts_set(v, &d->header);
    *out = v;
    return RVL_OK;
}

static void padding_fill(float *x, int64_t n, const uint8_t *padded, bool is_ct)
{
    float least = INFINITY;

    for (int64_t i = 0; i < n && !is_ct; i++)
        least = !padded[i] && x[i] < least ? x[i] : least;
    for (int64_t i = 0; i < n; i++)
        if (padded[i])
            x[i] = is_ct ? (float)RVL_HU_AIR : isfinite(least) ? least : 0;
}

rvl_status rvl_dicom_physical(rvl_volume **out, const rvl_dicom *d, rvl_error *err)
{
    const rvl_dicom_header *h = &d->header;
    rvl_volume             *v = NULL;
    uint8_t                *padded = NULL;
    rvl_dicom_type          type;
    rvl_dicom_frame         first = {0};
    rvl_dicom_frame         second = {0};
    double                  range[2];

    *out = NULL;
    rvl_status st = gray_make(&v, &padded, range, &type, d, err);
    if (st)
        return st;
    st = rvl_dicom_get_frame(&first, d, 0, err);
    if (!st && h->frames > 1)
        st = rvl_dicom_get_frame(&second, d, 1, err);
    bool    is_ct = strcmp(h->modality, "CT") == 0 && h->samples == 1;
    bool    is_hu = is_ct && first.has_rescale && (!h->rescale_type[0] || strcmp(h->rescale_type, "HU") == 0);
    int64_t n = v->depth * v->height * v->width;
    float  *x = v->voxels;
    if (!st) {
        v->unit = is_hu ? RVL_UNIT_HU : RVL_UNIT_ARBITRARY;
        geometry_set(v, &first, h->frames > 1 ? &second : NULL);
        for (int64_t i = 0; !is_ct && is_inverse(h) && i < n; i++)
            x[i] = (float)(range[0] + range[1] - (double)x[i]);
        if (padded)
            padding_fill(x, n, padded, is_hu);
        *out = v;
    } else {
        rvl_volume_free(v);
    }
    rvl_free(padded);
    return st;
}

/* Integers that fit an image type of `bits` go into it: windows by counting are exact there. */
static rvl_status picture_narrow(rvl_volume **picture, rvl_error *err)
{
    rvl_volume   *v = *picture;
    const int64_t n = v->height * v->width;
    const float  *x = v->voxels;
    float         most = 0;
    rvl_volume   *narrow = NULL;

    for (int64_t i = 0; i < n; i++) {
        if (!(x[i] >= 0 && x[i] <= 65535) || floorf(x[i]) < x[i])
            return RVL_OK;
        most = x[i] > most ? x[i] : most;
    }
    rvl_status st = rvl_volume_new(&narrow, most > 255 ? RVL_VOXEL_U16 : RVL_VOXEL_U8, 1, v->height, v->width, err);
    if (st)
        return st;
    for (int64_t i = 0; i < n; i++) {
        if (narrow->type == RVL_VOXEL_U16)
            ((uint16_t *)narrow->voxels)[i] = (uint16_t)x[i];
        else
            ((uint8_t *)narrow->voxels)[i] = (uint8_t)x[i];
    }
    rvl_volume_copy_facts(narrow, v);
    rvl_volume_free(v);
    *picture = narrow;
    return RVL_OK;
}

static rvl_status picture_make(rvl_volume **out, const rvl_dicom *d, rvl_dicom_voi voi, rvl_error *err)
{
    uint8_t        *padded = NULL;
    rvl_dicom_type  type;
    rvl_dicom_frame frame;
    bool            has_voi = false;
    double          range[2];
    rvl_status      st = rvl_dicom_get_frame(&frame, d, 0, err);

    if (!st)
        st = gray_make(out, &padded, range, &type, d, err);
    if (st)
        return st;
    rvl_volume *v = *out;
    float      *x = v->voxels;
    int64_t     n = v->height * v->width;
    if (voi == RVL_DICOM_VOI_FILE && d->header.samples == 1 && strcmp(d->header.photometric, "PALETTE COLOR") != 0)
        st = rvl__dicom_voi_apply(&has_voi, x, n, d, err);
    if (!st && voi == RVL_DICOM_VOI_FILE && !has_voi) /* the range of its bits */
        for (int64_t i = 0; i < n; i++)
            x[i] = (float)(((double)x[i] - range[0]) / (range[1] - range[0]));
    has_voi = voi == RVL_DICOM_VOI_FILE;
    double sum = has_voi ? 1 : range[0] + range[1];
    for (int64_t i = 0; !st && is_inverse(&d->header) && i < n; i++)
        x[i] = (float)(sum - (double)x[i]);
    if (!st && padded)
        padding_fill(x, n, padded, false);
    rvl_free(padded);
    v->unit = RVL_UNIT_DISPLAY;
    geometry_set(v, &frame, NULL);
    return st || has_voi || type > RVL_DICOM_I16 ? st : picture_narrow(out, err);
}

rvl_status rvl_dicom_picture(rvl_volume **out, const rvl_dicom *d, rvl_dicom_voi voi, rvl_error *err)
{
    *out = NULL;
    if (d->header.frames != 1)
        return rvl__dicom_fail(d, err, RVL_ERR_UNSUPPORTED, "%lld frames are not one picture",
                               (long long)d->header.frames);
    rvl_volume *v = NULL;
    rvl_status  st = picture_make(&v, d, voi, err);
    if (st)
        rvl_volume_free(v);
    else
        *out = v;
    return st;
}
