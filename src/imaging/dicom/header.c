/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/header.c
 * Facts of the data set and of single frames. Attribute names and meanings: DICOM PS3.3 and PS3.6.
 */
#include "base/alloc.h"
#include "imaging/dicom/internal.h"
#include <ctype.h>
#include <math.h>
#include <string.h>

bool rvl__dicom_f64(double *out, rvl__dcmtk_item *item, rvl__dicom_tag tag, int64_t i)
{
    char text[64];

    if (!item || !rvl__dcmtk_value(text, sizeof text, item, tag, i))
        return false;
    return rvl_parse_f64(text[0] == '+' ? text + 1 : text, out);
}

bool rvl__dicom_i64(int64_t *out, rvl__dcmtk_item *item, rvl__dicom_tag tag, int64_t i)
{
    char text[64];

    if (!item || !rvl__dcmtk_value(text, sizeof text, item, tag, i))
        return false;
    return rvl_parse_i64(text[0] == '+' ? text + 1 : text, out);
}

static double f64_or_nan(rvl__dcmtk_item *item, rvl__dicom_tag tag)
{
    double x;
    return rvl__dicom_f64(&x, item, tag, 0) ? x : NAN;
}

static int64_t i64_or(rvl__dcmtk_item *item, rvl__dicom_tag tag, int64_t absent)
{
    int64_t x;
    return rvl__dicom_i64(&x, item, tag, 0) ? x : absent;
}

static void text_read(char *out, size_t n_bytes, rvl__dcmtk_item *item, rvl__dicom_tag tag)
{
    if (!rvl__dcmtk_value(out, n_bytes, item, tag, 0) || !rvl_utf8_valid(out, strlen(out), NULL))
        out[0] = '\0';
}

/* All values of ImageType, "ORIGINAL\PRIMARY\AXIAL". */
static void image_type_read(char *out, size_t n_bytes, rvl__dcmtk_item *root)
{
    const char *raw;
    size_t      n;

    out[0] = '\0';
    if (!rvl__dcmtk_raw(&raw, &n, root, 0x00080008) || n >= n_bytes || !rvl_utf8_valid(raw, n, NULL))
        return;
    memcpy(out, raw, n);
    out[n] = '\0';
}

static void patient_id_read(rvl_dicom *d)
{
    rvl_error ignored = {0};
    char     *text = NULL;

    if (rvl_dicom_get_text(&text, d, 0x00100020, &ignored) == RVL_OK && strlen(text) < sizeof d->header.patient_id)
        memcpy(d->header.patient_id, text, strlen(text) + 1);
    rvl_free(text);
}

/* An overlay whose bits stand in unused bits of the pixels (retired, but found). */
static bool has_overlay_bits(rvl__dcmtk_item *root)
{
    for (uint32_t group = 0x6000; group <= 0x601e; group += 2)
        if (i64_or(root, group << 16 | 0x0102, 0) > 0 && !rvl__dcmtk_has(root, group << 16 | 0x3000))
            return true;
    return false;
}

static void texts_read(rvl_dicom *d)
{
    rvl_dicom_header *h = &d->header;
    rvl__dcmtk_item  *root = rvl__dcmtk_root(d->dataset);
    rvl__dcmtk_item  *view = rvl__dcmtk_get_item(root, 0x00540220, 0);

    memcpy(h->transfer_syntax, d->syntax->uid, strlen(d->syntax->uid) + 1);
    text_read(h->sop_class, sizeof h->sop_class, root, 0x00080016);
    text_read(h->instance_uid, sizeof h->instance_uid, root, 0x00080018);
    text_read(h->study_uid, sizeof h->study_uid, root, 0x0020000d);
    text_read(h->series_uid, sizeof h->series_uid, root, 0x0020000e);
    text_read(h->frame_of_reference_uid, sizeof h->frame_of_reference_uid, root, 0x00200052);
    text_read(h->modality, sizeof h->modality, root, 0x00080060);
    text_read(h->body_part, sizeof h->body_part, root, 0x00180015);
    text_read(h->view_position, sizeof h->view_position, root, 0x00185101);
    if (view)
        text_read(h->view_code, sizeof h->view_code, view, 0x00080104); /* code meaning: "medio-lateral oblique" */
    text_read(h->laterality, sizeof h->laterality, root, 0x00200062);   /* ImageLaterality */
    if (!h->laterality[0])
        text_read(h->laterality, sizeof h->laterality, root, 0x00200060); /* of the series */
    image_type_read(h->image_type, sizeof h->image_type, root);
    text_read(h->photometric, sizeof h->photometric, root, 0x00280004);
    text_read(h->presentation_shape, sizeof h->presentation_shape, root, 0x20500020);
    text_read(h->rescale_type, sizeof h->rescale_type, root, 0x00281054);
    text_read(h->voi_function, sizeof h->voi_function, root, 0x00281056);
    patient_id_read(d);
}

static void numbers_read(rvl_dicom *d)
{
    rvl_dicom_header *h = &d->header;
    rvl__dcmtk_item  *root = rvl__dcmtk_root(d->dataset);
    char              lossy[8] = "";

    h->rows = i64_or(root, 0x00280010, 0);
    h->columns = i64_or(root, 0x00280011, 0);
    h->frames = rvl__dcmtk_has(root, 0x00280008) ? i64_or(root, 0x00280008, -1) : 1;
    char frames[16];
    if (h->frames < 0 && !rvl__dcmtk_value(frames, sizeof frames, root, 0x00280008, 0))
        h->frames = 1; /* there, but empty */
    h->samples = (int)i64_or(root, 0x00280002, 1);
    h->planar = (int)i64_or(root, 0x00280006, 0);
    h->bits_allocated = (int)i64_or(root, 0x00280100, 0);
    h->bits_stored = (int)i64_or(root, 0x00280101, h->bits_allocated);
    h->high_bit = (int)i64_or(root, 0x00280102, h->bits_stored - 1);
    h->is_signed = i64_or(root, 0x00280103, 0) == 1;
    h->has_pixels = d->has_pixels || rvl__dcmtk_has(root, 0x7fe00010) || rvl__dcmtk_has(root, 0x7fe00008) ||
                    rvl__dcmtk_has(root, 0x7fe00009);
    h->is_lossy = rvl__dcmtk_value(lossy, sizeof lossy, root, 0x00282110, 0) && strcmp(lossy, "01") == 0;
    h->has_overlay_bits = has_overlay_bits(root);
    h->has_modality_lut = rvl__dcmtk_get_item(root, 0x00283000, 0) != NULL;
    h->has_voi_lut = rvl__dcmtk_get_item(root, 0x00283010, 0) != NULL;
    h->window_center = f64_or_nan(root, 0x00281050);
    h->window_width = f64_or_nan(root, 0x00281051);
    h->series_number = i64_or(root, 0x00200011, -1);
    h->acquisition_number = i64_or(root, 0x00200012, -1);
    h->instance_number = i64_or(root, 0x00200013, -1);
    h->gantry_tilt_deg = f64_or_nan(root, 0x00181120);
}

/* PixelPaddingValue has the VR US or SS by the sign of the pixels, but not every writer knew: the 16 bits count. */
static bool padding_read(int64_t *out, const rvl_dicom_header *h, rvl__dcmtk_item *root, rvl__dicom_tag tag)
{
    const uint16_t *words;
    size_t          n;

    if (h->bits_allocated > 16)
        return rvl__dicom_i64(out, root, tag, 0);
    if (!rvl__dcmtk_words(&words, &n, root, tag) || n < 1)
        return rvl__dicom_i64(out, root, tag, 0);
    *out = h->is_signed ? (int16_t)words[0] : words[0];
    return true;
}

rvl_status rvl__dicom_header_read(rvl_dicom *d, rvl_error *err)
{
    rvl_dicom_header *h = &d->header;
    rvl__dcmtk_item  *root = rvl__dcmtk_root(d->dataset);
    int64_t           low;
    int64_t           high;

    texts_read(d);
    numbers_read(d);
    if (h->frames < 1)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "NumberOfFrames is not a number above 0");
    char burned_in[8] = "";
    text_read(burned_in, sizeof burned_in, root, 0x00280301);
    h->has_burned_in = strcmp(burned_in, "YES") == 0;
    h->has_padding = padding_read(&low, h, root, 0x00280120);
    if (h->has_padding) {
        if (!padding_read(&high, h, root, 0x00280121))
            high = low;
        h->padding_low = low < high ? low : high;
        h->padding_high = low < high ? high : low;
    }
    return RVL_OK;
}

rvl__dcmtk_item *rvl__dicom_group(const rvl_dicom *d, int64_t i_frame, rvl__dicom_tag group)
{
    rvl__dcmtk_item *root = rvl__dcmtk_root(d->dataset);
    rvl__dcmtk_item *own = rvl__dcmtk_get_item(root, 0x52009230, i_frame);
    rvl__dcmtk_item *shared = rvl__dcmtk_get_item(root, 0x52009229, 0);
    rvl__dcmtk_item *found = own ? rvl__dcmtk_get_item(own, group, 0) : NULL;

    if (!found && shared)
        found = rvl__dcmtk_get_item(shared, group, 0);
    return found ? found : root;
}

static bool vector_read(rvl_vec3 *out, rvl__dcmtk_item *item, rvl__dicom_tag tag, int64_t first)
{
    return rvl__dicom_f64(&out->x, item, tag, first) && rvl__dicom_f64(&out->y, item, tag, first + 1) &&
           rvl__dicom_f64(&out->z, item, tag, first + 2);
}

static bool vector_normalise(rvl_vec3 *v)
{
    double length = sqrt(v->x * v->x + v->y * v->y + v->z * v->z);

    if (!(length > 0.5 && length < 2)) /* direction cosines, written with few digits at worst */
        return false;
    *v = (rvl_vec3){v->x / length, v->y / length, v->z / length};
    return true;
}

static bool spacing_read(rvl_dicom_frame *f, rvl__dcmtk_item *item, rvl__dicom_tag tag)
{
    return rvl__dicom_f64(&f->row_step_mm, item, tag, 0) && rvl__dicom_f64(&f->column_step_mm, item, tag, 1) &&
           f->row_step_mm > 0 && f->column_step_mm > 0;
}

rvl_status rvl_dicom_get_frame(rvl_dicom_frame *out, const rvl_dicom *d, int64_t i_frame, rvl_error *err)
{
    rvl_dicom_frame f = {.slope = 1, .row_step_mm = 1, .column_step_mm = 1};

    if (i_frame < 0 || i_frame >= d->header.frames)
        return rvl__dicom_fail(d, err, RVL_ERR_USAGE, "it has no frame %lld", (long long)i_frame);
    rvl__dcmtk_item *root = rvl__dcmtk_root(d->dataset);
    rvl__dcmtk_item *measures = rvl__dicom_group(d, i_frame, 0x00289110);
    rvl__dcmtk_item *rescale = rvl__dicom_group(d, i_frame, 0x00289145);
    rvl__dcmtk_item *orientation = rvl__dicom_group(d, i_frame, 0x00209116);

    f.has_position = vector_read(&f.position_mm, rvl__dicom_group(d, i_frame, 0x00209113), 0x00200032, 0);
    f.has_orientation = vector_read(&f.row, orientation, 0x00200037, 0) &&
                        vector_read(&f.column, orientation, 0x00200037, 3) && vector_normalise(&f.row) &&
                        vector_normalise(&f.column);
    f.has_spacing = spacing_read(&f, measures, 0x00280030) || spacing_read(&f, root, 0x00181164);
    if (!f.has_spacing)
        f.row_step_mm = f.column_step_mm = 1;
    f.slice_thickness_mm = f64_or_nan(measures, 0x00180050);
    f.spacing_between_slices_mm = f64_or_nan(measures, 0x00180088);
    bool has_slope = rvl__dicom_f64(&f.slope, rescale, 0x00281053, 0);
    bool has_intercept = rvl__dicom_f64(&f.intercept, rescale, 0x00281052, 0);
    f.has_rescale = has_slope && has_intercept;
    if (has_slope != has_intercept)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "it has a rescale %s without %s",
                               has_slope ? "slope" : "intercept", has_slope ? "an intercept" : "a slope");
    if (!f.has_rescale) {
        f.slope = 1;
        f.intercept = 0;
    } else if (!(fabs(f.slope) > 0) || !isfinite(f.slope) || !isfinite(f.intercept)) {
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "its rescale slope %g and intercept %g give no values", f.slope,
                               f.intercept);
    }
    *out = f;
    return RVL_OK;
}

rvl_status rvl_dicom_get_text(char **out, const rvl_dicom *d, uint32_t tag, rvl_error *err)
{
    rvl__dcmtk_item *root = rvl__dcmtk_root(d->dataset);
    const char      *raw = "";
    const char      *charset = "";
    size_t           n = 0;
    size_t           n_charset = 0;
    char             names[256] = "";

    *out = NULL;
    if (!rvl__dcmtk_raw(&raw, &n, root, tag))
        n = 0;
    if (rvl__dcmtk_raw(&charset, &n_charset, root, 0x00080005) && n_charset < sizeof names)
        memcpy(names, charset, n_charset);
    rvl_status st = rvl__dicom_utf8(out, (rvl_span){.ptr = (const uint8_t *)raw, .n_bytes = n}, names, err);
    if (st && err)
        rvl_error_prefix(err, "cannot read DICOM '%s': element (%04x,%04x)", d->name, tag >> 16, tag & 0xffff);
    return st;
}

rvl_modality rvl_dicom_modality(const rvl_dicom_header *h)
{
    if (strcmp(h->modality, "CT") == 0)
        return RVL_MODALITY_CT;
    if (strcmp(h->modality, "MG") == 0)
        return RVL_MODALITY_MG;
    bool is_chest = !h->body_part[0] || strcmp(h->body_part, "CHEST") == 0 || strcmp(h->body_part, "THORAX") == 0;
    bool is_xray = strcmp(h->modality, "CR") == 0 || strcmp(h->modality, "DX") == 0 || strcmp(h->modality, "RG") == 0;
    return is_xray && is_chest ? RVL_MODALITY_CXR : RVL_MODALITY_UNKNOWN;
}

rvl_view rvl_dicom_view(const rvl_dicom_header *h)
{
    rvl_view view = rvl_view_parse(h->view_position);
    char     code[sizeof h->view_code];

    if (view != RVL_VIEW_UNKNOWN)
        return view;
    for (size_t i = 0; i < sizeof code; i++)
        code[i] = (char)tolower((unsigned char)h->view_code[i]);
    if (strstr(code, "cranio-caudal") || strstr(code, "craniocaudal"))
        return RVL_VIEW_CC;
    if (strstr(code, "medio-lateral oblique") || strstr(code, "mediolateral oblique"))
        return RVL_VIEW_MLO;
    return RVL_VIEW_UNKNOWN;
}
