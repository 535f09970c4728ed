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

static bool is_turned(const rvl_dicom_header *h)
{
    return strcmp(h->modality, "CT") != 0 &&
           (strcmp(h->photometric, "MONOCHROME1") == 0 || strcmp(h->presentation_shape, "INVERSE") == 0);
}

/* MONOCHROME1 is turned over within the range of its bits, so that larger is brighter: another slope and intercept. */
static rvl__scale scale_of(const rvl_dicom_header *h, const rvl_dicom_frame *f, const rvl_dicom_pixels *p)
{
    rvl__scale s = {.slope = f->slope, .intercept = f->intercept, .padding_low = 1, .padding_high = 0};

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
static bool whole_try(int16_t *to, int64_t *n_padding, const rvl_dicom_pixels *p, const rvl__scale *s, bool is_hu)
{
    if (p->type > RVL_DICOM_I16 || !is_whole(s->slope) || !is_whole(s->intercept) || fabs(s->slope) > 32767 ||
        fabs(s->intercept) > 65535.0 * 32767)
        return false;
    whole_scale  w = {.slope = (int32_t)s->slope,
                      .intercept = (int32_t)s->intercept,
                      .padding_low = (int32_t)s->padding_low,
                      .padding_high = (int32_t)s->padding_high,
                      .least = is_hu ? (int32_t)RVL_HU_PADDING_BELOW : INT32_MIN};
    whole_counts n = whole_plane(to, p, &w);
    *n_padding += n.n_padding;
    return n.n_beyond == 0 && (is_hu || n.n_padding == 0);
}

/* ---- any numbers ---------------------------------------------------------------------------------------------- */

static double stored_at(const rvl_dicom_pixels *p, int64_t i)
{
    if (!p->is_signed_codestream)
        return rvl_dicom_at(p, i);
    return p->item_bytes == 1 ? (double)((const int8_t *)p->values)[i] : (double)((const int16_t *)p->values)[i];
}

static void real_plane(float *to, int64_t *n_padding, const rvl_dicom_pixels *p, const rvl__scale *s, bool is_hu)
{
    for (int64_t i = 0; i < p->rows * p->columns; i++) {
        double stored = stored_at(p, i);
        double x = stored * s->slope + s->intercept;
        bool   is_padding = (stored >= (double)s->padding_low && stored <= (double)s->padding_high) ||
                          (is_hu && x < RVL_HU_PADDING_BELOW);
        *n_padding += is_padding;
        to[i] = is_padding ? is_hu ? (float)RVL_HU_AIR : NAN : (float)x;
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

static bool is_table(const rvl_dicom_header *h)
{
    return h->has_modality_lut || strncmp(h->photometric, "MONOCHROME", 10) != 0;
}

static int64_t infinite_find(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (isinf(x[i]))
            return i;
    return -1;
}

static rvl_status real_try(float *to, int64_t *n_padding, const rvl_dicom *d, const rvl_dicom_pixels *p,
                           const rvl__scale *s, bool is_hu, rvl_error *err)
{
    rvl_status st = RVL_OK;

    if (is_table(&d->header))
        st = table_plane(to, d, p, err);
    else
        real_plane(to, n_padding, p, s, is_hu);
    const int64_t i = st ? -1 : infinite_find(to, p->rows * p->columns);
    return i < 0 ? st : rvl__dicom_fail(d, err, RVL_ERR_NUMERIC, "pixel %lld is infinite", (long long)i);
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
        rvl__scale s = scale_of(&d->header, &f, &p);
        if (to == RVL_VOXEL_F32)
            st = real_try(plane, n_padding, d, &p, &s, is_hu, err);
        else
            *fits = !is_table(&d->header) && whole_try(plane, n_padding, &p, &s, is_hu);
    }
    rvl_dicom_pixels_fini(&p);
    return st;
}

/* ---- pixels that need no decoder ------------------------------------------------------------------------------ */

rvl__native rvl__series_native_find(const rvl_dicom *d, const rvl__slice *slice, const void *file)
{
    const rvl_dicom_header *h = &d->header;
    const int64_t           item = h->bits_allocated / 8;
    const rvl_dicom_pixels  p = {0}; /* no codestream says another sign */
    rvl__native             n = {0};

    if (!d->borrowed.ptr || (h->bits_allocated != 8 && h->bits_allocated != 16) || h->samples != 1 || is_table(h) ||
        h->has_overlay_bits || h->bits_stored < 1 || h->bits_stored > h->bits_allocated ||
        h->high_bit != h->bits_stored - 1)
        return n;
    const int64_t frame_bytes = h->rows * h->columns * item; /* sides are within the limits */
    const int64_t at_bytes = (int64_t)(d->borrowed.ptr - (const uint8_t *)file) + slice->i_frame * frame_bytes;
    if ((uint64_t)frame_bytes > d->borrowed.n_bytes / (uint64_t)h->frames || at_bytes % item != 0)
        return n;
    n.is_native = true;
    n.type = item == 1 ? (h->is_signed ? RVL_DICOM_I8 : RVL_DICOM_U8) : h->is_signed ? RVL_DICOM_I16 : RVL_DICOM_U16;
    n.at_bytes = at_bytes;
    n.scale = scale_of(h, &slice->frame, &p);
    return n;
}

rvl_status rvl__series_native_plane(void *plane, rvl_voxel_type to, bool *fits, int64_t *n_padding,
                                    const rvl__slice *slice, bool is_hu, const void *bytes, rvl_error *err)
{
    const rvl__native     *n = &slice->native;
    const rvl_dicom_pixels p = {.type = n->type,
                                .item_bytes = n->type == RVL_DICOM_U8 || n->type == RVL_DICOM_I8 ? 1 : 2,
                                .samples = 1,
                                .frames = 1,
                                .rows = slice->rows,
                                .columns = slice->columns,
                                .values = (void *)(uintptr_t)bytes}; /* only read */

    if (to != RVL_VOXEL_F32) {
        *fits = whole_try(plane, n_padding, &p, &n->scale, is_hu);
        return RVL_OK;
    }
    real_plane(plane, n_padding, &p, &n->scale, is_hu);
    const int64_t i = infinite_find(plane, p.rows * p.columns);
    return i < 0 ? RVL_OK : rvl_fail(err, RVL_ERR_NUMERIC, "pixel %lld is infinite", (long long)i);
}
