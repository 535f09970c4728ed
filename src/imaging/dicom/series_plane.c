/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/series_plane.c
 * One slice's stored values to physical ones, in its plane of a volume.
 */
#include "base/alloc.h"
#include "imaging/dicom/series.h"
#include "imaging/hu.h"
#include <math.h>
#include <string.h>

/* value = slope * stored + intercept, or padding: stored low .. high (none if low > high). */
typedef struct {
    double  slope, intercept;
    int64_t padding_low, padding_high;
    bool    is_hu;
} scale;

static bool is_turned(const rvl_dicom_header *h)
{
    return strcmp(h->modality, "CT") != 0 &&
           (strcmp(h->photometric, "MONOCHROME1") == 0 || strcmp(h->presentation_shape, "INVERSE") == 0);
}

/* MONOCHROME1 is turned over within the range of its bits, so that larger is brighter: another slope and intercept. */
static scale scale_of(const rvl_dicom_header *h, const rvl_dicom_frame *f, const rvl_dicom_pixels *p, bool is_hu)
{
    scale s = {.slope = f->slope, .intercept = f->intercept, .padding_low = 1, .padding_high = 0, .is_hu = is_hu};

    if (is_turned(h)) {
        double both_ends = h->is_signed ? -1 : ldexp(1, h->bits_stored) - 1;
        s.slope = -f->slope;
        s.intercept = f->intercept + both_ends * f->slope;
    }
    if (h->has_padding && !p->is_signed_codestream) {
        s.padding_low = h->padding_low;
        s.padding_high = h->padding_high;
    } else if (h->has_padding) { /* the same bits, read as the codestream reads them */
        s.padding_low = p->item_bytes == 1 ? (int8_t)h->padding_low : (int16_t)h->padding_low;
        s.padding_high = p->item_bytes == 1 ? (int8_t)h->padding_high : (int16_t)h->padding_high;
    }
    return s;
}

/* ---- whole numbers of 16 bits --------------------------------------------------------------------------------- */

typedef struct {
    int32_t slope, intercept, padding_low, padding_high, least;
    bool    is_hu;
} whole_scale;

typedef struct {
    int32_t n_padding, n_beyond;
} whole_counts;

/* No overflow: 65,535 * 32,767 and an intercept of the like magnitude fit, and so does their sum (series_load.c). */
static inline int16_t whole_one(int32_t stored, int32_t slope, const whole_scale *s, whole_counts *n)
{
    int32_t x = stored * slope + s->intercept;
    int32_t is_padding = ((stored >= s->padding_low) & (stored <= s->padding_high)) | (x < s->least);

    x = is_padding ? (int32_t)RVL_HU_AIR : x;
    n->n_padding += is_padding;
    n->n_beyond += (x < INT16_MIN) | (x > INT16_MAX);
    return (int16_t)x;
}

/* A slope of 1, which nearly all CT has, is handed in as a constant: the loops then have no product. */
static inline whole_counts whole_loop(int16_t *to, const rvl_dicom_pixels *p, const whole_scale *s, int32_t slope)
{
    const int64_t     n = p->rows * p->columns;
    const whole_scale w = *s;
    whole_counts      counts = {0};
    bool              is_signed = p->type == RVL_DICOM_I16 || (p->type == RVL_DICOM_U16 && p->is_signed_codestream);

    if (is_signed)
        for (int64_t i = 0; i < n; i++)
            to[i] = whole_one(((const int16_t *)p->values)[i], slope, &w, &counts);
    else if (p->type == RVL_DICOM_U16)
        for (int64_t i = 0; i < n; i++)
            to[i] = whole_one(((const uint16_t *)p->values)[i], slope, &w, &counts);
    else
        for (int64_t i = 0; i < n; i++)
            to[i] = whole_one(p->type == RVL_DICOM_U8 && !p->is_signed_codestream ? ((const uint8_t *)p->values)[i]
                                                                                  : ((const int8_t *)p->values)[i],
                              slope, &w, &counts);
    return counts;
}

static whole_counts whole_plane(int16_t *to, const rvl_dicom_pixels *p, const whole_scale *s)
{
    return s->slope == 1 ? whole_loop(to, p, s, 1) : whole_loop(to, p, s, s->slope);
}

static bool is_whole(double x)
{
    return !(floor(x) < x);
}

/* False if this slice needs floating point. */
static bool whole_try(int16_t *to, int64_t *n_padding, const rvl_dicom_pixels *p, const scale *s)
{
    if (p->type > RVL_DICOM_I16 || !is_whole(s->slope) || !is_whole(s->intercept) || fabs(s->slope) > 32767 ||
        fabs(s->intercept) > 65535.0 * 32767)
        return false;
    whole_scale  w = {.slope = (int32_t)s->slope,
                      .intercept = (int32_t)s->intercept,
                      .padding_low = (int32_t)s->padding_low,
                      .padding_high = (int32_t)s->padding_high,
                      .least = s->is_hu ? (int32_t)RVL_HU_PADDING_BELOW : INT32_MIN};
    whole_counts n = whole_plane(to, p, &w);
    *n_padding += n.n_padding;
    return n.n_beyond == 0 && (s->is_hu || n.n_padding == 0);
}

/* ---- any numbers ---------------------------------------------------------------------------------------------- */

static double stored_at(const rvl_dicom_pixels *p, int64_t i)
{
    if (!p->is_signed_codestream)
        return rvl_dicom_at(p, i);
    return p->item_bytes == 1 ? (double)((const int8_t *)p->values)[i] : (double)((const int16_t *)p->values)[i];
}

static void real_plane(float *to, int64_t *n_padding, const rvl_dicom_pixels *p, const scale *s)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++) {
        double stored = stored_at(p, i);
        double x = stored * s->slope + s->intercept;
        bool   is_padding = (stored >= (double)s->padding_low && stored <= (double)s->padding_high) ||
                          (s->is_hu && x < RVL_HU_PADDING_BELOW);
        *n_padding += is_padding;
        to[i] = is_padding ? s->is_hu ? (float)RVL_HU_AIR : NAN : (float)x;
    }
}

/* Look-up tables, which stand in the data set and not in the frame. */
static rvl_status table_plane(float *to, const rvl_dicom *d, const rvl_dicom_pixels *p, rvl_error *err)
{
    const int64_t n = p->rows * p->columns;
    uint8_t      *padded = d->header.has_padding ? rvl_alloc_array((size_t)n, 1) : NULL;
    double        range[2];

    if (d->header.has_padding && !padded)
        return rvl__dicom_fail(d, err, RVL_ERR_NOMEM, "out of memory");
    rvl_status st = rvl__dicom_gray(to, range, padded, d, p, err);
    for (int64_t i = 0; !st && i < n; i++) {
        if (is_turned(&d->header))
            to[i] = (float)(range[0] + range[1] - (double)to[i]);
        if (padded && padded[i])
            to[i] = NAN;
    }
    rvl_free(padded);
    return st;
}

static rvl_status real_try(float *to, int64_t *n_padding, const rvl_dicom *d, const rvl_dicom_pixels *p, const scale *s,
                           rvl_error *err)
{
    if (d->header.has_modality_lut || strncmp(d->header.photometric, "MONOCHROME", 10) != 0) {
        rvl_status st = table_plane(to, d, p, err);
        if (st)
            return st;
    } else {
        real_plane(to, n_padding, p, s);
    }
    for (int64_t i = 0; i < p->rows * p->columns; i++)
        if (isinf(to[i]))
            return rvl__dicom_fail(d, err, RVL_ERR_NUMERIC, "pixel %lld is infinite", (long long)i);
    return RVL_OK;
}

rvl_status rvl__series_plane(void *plane, rvl_voxel_type to, bool *fits, int64_t *n_padding, const rvl_dicom *d,
                             int64_t i_frame, bool is_hu, rvl_error *err)
{
    rvl_dicom_pixels p = {0};
    rvl_dicom_frame  f;
    rvl_status       st = rvl_dicom_get_frame(&f, d, i_frame, err);

    if (!st)
        st = rvl__dicom_stored_frame(&p, d, i_frame, err);
    if (st)
        return st;
    if (p.samples != 1) {
        st = rvl__dicom_fail(d, err, RVL_ERR_UNSUPPORTED, "its pixels are coloured");
    } else {
        scale s = scale_of(&d->header, &f, &p, is_hu);
        bool  is_table = d->header.has_modality_lut || strncmp(d->header.photometric, "MONOCHROME", 10) != 0;
        if (to == RVL_VOXEL_F32)
            st = real_try(plane, n_padding, d, &p, &s, err);
        else
            *fits = !is_table && whole_try(plane, n_padding, &p, &s);
    }
    rvl_dicom_pixels_fini(&p);
    return st;
}
