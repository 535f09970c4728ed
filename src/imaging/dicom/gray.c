/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/gray.c
 * From stored values to gray ones: modality LUT, rescale, palettes, colour; VOI LUT and windows (PS3.3 C.11).
 */
#include "base/alloc.h"
#include "imaging/dicom/internal.h"
#include "imaging/raster.h"
#include <math.h>
#include <string.h>

/* A look-up table: 16-bit words, or bytes packed into words. */
typedef struct {
    const uint16_t *words;
    int64_t         n, first;
    int             bits;
    bool            is_packed;
} lut;

static rvl_status lut_read(lut *out, const rvl_dicom *d, rvl__dcmtk_item *item, rvl__dicom_tag descriptor,
                           rvl__dicom_tag data, bool is_signed, const char *what, rvl_error *err)
{
    const uint16_t *three = NULL;
    size_t          n_three = 0;
    size_t          n_words = 0;

    if (!rvl__dcmtk_words(&three, &n_three, item, descriptor) || n_three < 3)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "its %s has no descriptor", what);
    *out = (lut){.n = three[0] ? three[0] : 65536, .first = is_signed ? (int16_t)three[1] : three[1], .bits = three[2]};
    if (!rvl__dcmtk_words(&out->words, &n_words, item, data))
        return rvl__dicom_fail(d, err, RVL_ERR_UNSUPPORTED, "its %s has no data, or is segmented", what);
    if (out->bits < 8 || out->bits > 16)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "its %s has %d bits", what, out->bits);
    out->is_packed = (int64_t)n_words < out->n;
    if (out->is_packed && (out->bits > 8 || (int64_t)n_words * 2 < out->n))
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "its %s has %zu words for %lld values", what, n_words,
                               (long long)out->n);
    return RVL_OK;
}

static double lut_at(const lut *l, double stored)
{
    double  offset = stored - (double)l->first;
    int64_t i = offset <= 0 ? 0 : offset >= (double)(l->n - 1) ? l->n - 1 : (int64_t)offset;

    return l->is_packed ? (double)(l->words[i / 2] >> (i % 2 * 8) & 255) : (double)l->words[i];
}

static double lut_most(const lut *l)
{
    return ldexp(1, l->bits) - 1;
}

/* ---- colour to gray ------------------------------------------------------------------------------------------- */

static uint32_t luma(double r, double g, double b)
{
    return rvl__luma((uint32_t)r, (uint32_t)g, (uint32_t)b);
}

static rvl_status palette_apply(float *out, const rvl_dicom *d, const rvl_dicom_pixels *p, rvl_error *err)
{
    const int64_t    n = p->frames * p->rows * p->columns;
    rvl__dcmtk_item *root = rvl__dcmtk_root(d->dataset);
    lut              rgb[3];

    for (uint32_t c = 0; c < 3; c++) {
        rvl_status st = lut_read(&rgb[c], d, root, 0x00281101 + c, 0x00281201 + c, d->header.is_signed, "palette", err);
        if (st)
            return st;
    }
    for (int64_t i = 0; i < n; i++) {
        double x = rvl_dicom_at(p, i);
        out[i] = (float)luma(lut_at(&rgb[0], x), lut_at(&rgb[1], x), lut_at(&rgb[2], x));
    }
    return RVL_OK;
}

/* RGB (what JPEG 2000's YBR_RCT and YBR_ICT are decoded to, too) by luma; the Y of other YBR. */
static rvl_status colour_apply(float *out, const rvl_dicom *d, const rvl_dicom_pixels *p, rvl_error *err)
{
    const char   *kind = d->header.photometric;
    const int64_t n = p->frames * p->rows * p->columns;
    bool          is_rgb = strcmp(kind, "RGB") == 0 || strcmp(kind, "YBR_RCT") == 0 || strcmp(kind, "YBR_ICT") == 0;

    if (!is_rgb && strncmp(kind, "YBR_FULL", 8) != 0)
        return rvl__dicom_fail(d, err, RVL_ERR_UNSUPPORTED, "colour '%s' is not read", kind);
    for (int64_t i = 0; i < n; i++) {
        double r = rvl_dicom_at(p, 3 * i);
        double g = rvl_dicom_at(p, 3 * i + 1);
        double b = rvl_dicom_at(p, 3 * i + 2);
        if (!is_rgb)
            out[i] = (float)r;
        else if (p->item_bytes <= 2)
            out[i] = (float)luma(r, g, b);
        else
            out[i] = (float)(0.299 * r + 0.587 * g + 0.114 * b);
    }
    return RVL_OK;
}

/* ---- modality ------------------------------------------------------------------------------------------------- */

/* A stored value by the codestream's sign, where the header's differs (rvl_dicom_pixels). */
static double stored_at(const rvl_dicom_pixels *p, int64_t i)
{
    if (!p->is_signed_codestream)
        return rvl_dicom_at(p, i);
    if (p->type == RVL_DICOM_U8)
        return ((const int8_t *)p->values)[i];
    return p->type == RVL_DICOM_U16 ? ((const int16_t *)p->values)[i] : (double)((const int32_t *)p->values)[i];
}

/* Least and most of a value of the header's bits. */
static void range_of(double *low, double *high, const rvl_dicom_header *h)
{
    double span = ldexp(1, h->bits_stored);

    *low = h->is_signed ? -span / 2 : 0;
    *high = h->is_signed ? span / 2 - 1 : span - 1;
}

static rvl_status modality_apply(float *out, double *low, double *high, const rvl_dicom *d, const rvl_dicom_pixels *p,
                                 rvl_error *err)
{
    const int64_t    n = p->rows * p->columns;
    rvl__dcmtk_item *item = rvl__dcmtk_get_item(rvl__dcmtk_root(d->dataset), 0x00283000, 0);
    rvl_dicom_frame  frame;
    lut              table;

    range_of(low, high, &d->header);
    if (item) {
        rvl_status st = lut_read(&table, d, item, 0x00283002, 0x00283006, d->header.is_signed, "modality LUT", err);
        if (st)
            return st;
        for (int64_t i = 0; i < n * p->frames; i++)
            out[i] = (float)lut_at(&table, stored_at(p, i));
        *low = 0;
        *high = lut_most(&table);
        return RVL_OK;
    }
    for (int64_t f = 0; f < p->frames; f++) {
        rvl_status st = rvl_dicom_get_frame(&frame, d, f, err);
        if (st)
            return st;
        for (int64_t i = f * n; i < (f + 1) * n; i++)
            out[i] = (float)(stored_at(p, i) * frame.slope + frame.intercept);
    }
    *low = *low * frame.slope + frame.intercept;
    *high = *high * frame.slope + frame.intercept;
    return RVL_OK;
}

static void padding_find(uint8_t *padded, const rvl_dicom *d, const rvl_dicom_pixels *p)
{
    const double low = (double)d->header.padding_low;
    const double high = (double)d->header.padding_high;

    for (int64_t i = 0; i < p->frames * p->rows * p->columns; i++) {
        double x = rvl_dicom_at(p, i);
        padded[i] = x >= low && x <= high;
    }
}

rvl_status rvl__dicom_gray(float *out, double range[2], uint8_t *padded, const rvl_dicom *d, const rvl_dicom_pixels *p,
                           rvl_error *err)
{
    const char *kind = d->header.photometric;

    range_of(&range[0], &range[1], &d->header);
    if (padded && d->header.has_padding && p->samples == 1)
        padding_find(padded, d, p);
    if (p->samples == 3)
        return colour_apply(out, d, p, err);
    if (strcmp(kind, "PALETTE COLOR") == 0)
        return palette_apply(out, d, p, err);
    if (strcmp(kind, "MONOCHROME1") != 0 && strcmp(kind, "MONOCHROME2") != 0)
        return rvl__dicom_fail(d, err, RVL_ERR_UNSUPPORTED, "photometric interpretation '%s' of one sample is not read",
                               kind);
    return modality_apply(out, &range[0], &range[1], d, p, err);
}

/* ---- values of interest --------------------------------------------------------------------------------------- */

/* PS3.3 C.11.2.1.2 and C.11.2.1.3, to 0 .. 1. */
static double window_at(double x, double centre, double width, const char *function)
{
    if (strcmp(function, "SIGMOID") == 0)
        return 1 / (1 + exp(-4 * (x - centre) / width));
    if (strcmp(function, "LINEAR_EXACT") == 0)
        return fmin(1, fmax(0, (x - centre) / width + 0.5));
    if (x <= centre - 0.5 - (width - 1) / 2)
        return 0;
    if (x > centre - 0.5 + (width - 1) / 2)
        return 1;
    return (x - (centre - 0.5)) / (width - 1) + 0.5;
}

rvl_status rvl__dicom_voi_apply(bool *is_applied, float *gray, int64_t n, const rvl_dicom *d, rvl_error *err)
{
    const rvl_dicom_header *h = &d->header;
    rvl__dcmtk_item        *item = rvl__dcmtk_get_item(rvl__dcmtk_root(d->dataset), 0x00283010, 0);
    bool                    is_linear = strncmp(h->voi_function, "LINEAR", 6) == 0 || !h->voi_function[0];
    lut                     table;

    *is_applied = false;
    if (item) {
        rvl_status st = lut_read(&table, d, item, 0x00283002, 0x00283006, h->is_signed, "VOI LUT", err);
        for (int64_t i = 0; !st && i < n; i++)
            gray[i] = (float)(lut_at(&table, (double)gray[i]) / lut_most(&table));
        *is_applied = !st;
        return st;
    }
    if (isnan(h->window_center) || isnan(h->window_width))
        return RVL_OK;
    bool is_exact = strcmp(h->voi_function, "LINEAR_EXACT") == 0;
    if (!isfinite(h->window_center) || !(h->window_width >= 1 || (h->window_width > 0 && (is_exact || !is_linear))))
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "its window of width %g makes no sense", h->window_width);
    if (!is_linear && strcmp(h->voi_function, "SIGMOID") != 0)
        return rvl__dicom_fail(d, err, RVL_ERR_UNSUPPORTED, "its VOI function '%s' is not known", h->voi_function);
    for (int64_t i = 0; i < n; i++)
        gray[i] = (float)window_at((double)gray[i], h->window_center, h->window_width, h->voi_function);
    *is_applied = true;
    return RVL_OK;
}
