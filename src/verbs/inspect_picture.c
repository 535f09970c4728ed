/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/inspect_picture.c
 * What is in an image, volume or array file, and the statistics of its values.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/str.h"
#include "imaging/dicom.h"
#include "imaging/image_file.h"
#include "imaging/npy.h"
#include "imaging/volume_file.h"
#include "verbs/inspect_parts.h"
#include <math.h>
#include <string.h>

#define FILE_MAX_BYTES ((size_t)4 << 30)

/* Running least, most and mean, in f64. */
typedef struct {
    double  least, most, sum;
    int64_t n, n_bad; /* NaN and Inf are counted, and are not in the others */
} summary;

static void summary_start(summary *s)
{
    *s = (summary){.least = INFINITY, .most = -INFINITY};
}

static void summary_add(summary *s, double x)
{
    if (!isfinite(x)) {
        s->n_bad++;
        return;
    }
    s->least = x < s->least ? x : s->least;
    s->most = x > s->most ? x : s->most;
    s->sum += x;
    s->n++;
}

/* "min", "max", "mean" (null without values), "nan_or_inf" if there are any. */
static void summary_json(json_t *out, const summary *s)
{
    rvl_json_set(out, "min", rvl_json_real(s->n ? s->least : NAN));
    rvl_json_set(out, "max", rvl_json_real(s->n ? s->most : NAN));
    rvl_json_set(out, "mean", rvl_json_real(s->n ? s->sum / (double)s->n : NAN));
    if (s->n_bad)
        rvl_json_set(out, "nan_or_inf", json_integer(s->n_bad));
}

static void hash_set(json_t *out, const void *values, size_t n_bytes)
{
    rvl_sha256 sum;
    char       hex[65];

    rvl_sha256_init(&sum);
    rvl_sha256_add(&sum, values, n_bytes);
    rvl_sha256_hex(hex, &sum);
    rvl_json_set(out, "sha256", json_string(hex));
}

/* NumPy's names of voxel types. */
static const char *dtype_of(rvl_voxel_type type)
{
    switch (type) {
    case RVL_VOXEL_U8:
        return "uint8";
    case RVL_VOXEL_U16:
        return "uint16";
    case RVL_VOXEL_I16:
        return "int16";
    case RVL_VOXEL_F32:
        break;
    }
    return "float32";
}

static json_t *volume_shape(const rvl_volume *v)
{
    json_t *shape = json_array();

    if (v->depth > 1)
        json_array_append_new(shape, json_integer(v->depth));
    json_array_append_new(shape, json_integer(v->height));
    json_array_append_new(shape, json_integer(v->width));
    return shape;
}

static void physical_set(json_t *out, const rvl_volume *v)
{
    summary s;
    json_t *physical = json_object();

    summary_start(&s);
    for (int64_t i = 0; i < v->depth * v->height * v->width; i++)
        summary_add(&s, rvl_volume_at(v, i));
    rvl_json_set(physical, "unit", json_string(v->unit == RVL_UNIT_HU ? "HU" : "1"));
    summary_json(physical, &s);
    rvl_json_set(out, "physical", physical);
}

static void stored_set_volume(json_t *out, const rvl_volume *v, bool stats)
{
    summary s;
    json_t *stored = json_object();
    size_t  n = (size_t)(v->depth * v->height * v->width);

    summary_start(&s);
    for (size_t i = 0; i < n; i++)
        summary_add(&s, rvl_volume_at(v, (int64_t)i));
    rvl_json_set(stored, "shape", volume_shape(v));
    rvl_json_set(stored, "dtype", json_string(stats ? dtype_of(v->type) : rvl_voxel_text(v->type)));
    summary_json(stored, &s);
    if (stats)
        hash_set(stored, v->voxels, n * rvl_voxel_bytes(v->type));
    rvl_json_set(out, "stored", stored);
}

/* ---- NumPy ---------------------------------------------------------------------------------------------------- */

void rvl__inspect_npy_stats(json_t *out, const rvl_npy *a)
{
    static const char *const kinds[] = {"float", "int", "uint"};
    const char              *kind = kinds[a->kind == 'f' ? 0 : a->kind == 'i' ? 1 : 2];
    json_t                  *stored = json_object();
    json_t                  *physical = json_object();
    json_t                  *shape = json_array();
    summary                  s;

    summary_start(&s);
    for (int64_t i = 0; i < a->count; i++)
        summary_add(&s, rvl_npy_at(a, i));
    for (int d = 0; d < a->n_dims; d++)
        json_array_append_new(shape, json_integer(a->shape[d]));
    rvl_json_set(stored, "shape", shape);
    rvl_json_set(stored, "dtype", a->kind == 'b' ? json_string("bool") : json_sprintf("%s%d", kind, 8 * a->item_bytes));
    summary_json(stored, &s);
    hash_set(stored, a->data, (size_t)a->count * (size_t)a->item_bytes);
    rvl_json_set(physical, "unit", json_string("1"));
    summary_json(physical, &s);
    rvl_json_set(out, "stored", stored);
    rvl_json_set(out, "physical", physical);
}

static rvl_status inspect_npy(json_t *out, rvl_span file, const char *path, rvl_error *err)
{
    rvl_npy    a = {0};
    rvl_status st = rvl_npy_parse(&a, file.ptr, file.n_bytes, path, FILE_MAX_BYTES, err);

    if (!st) {
        rvl_json_set(out, "kind", json_string("array"));
        rvl__inspect_npy_stats(out, &a);
    }
    rvl_npy_fini(&a);
    return st;
}

/* ---- DICOM ---------------------------------------------------------------------------------------------------- */

static void text_set(json_t *out, const char *key, const char *text)
{
    if (text[0])
        rvl_json_set(out, key, json_string(text));
}

static void real_set(json_t *out, const char *key, double x)
{
    if (isfinite(x))
        rvl_json_set(out, key, json_real(x));
}

static void geometry_set(json_t *out, const rvl_dicom_frame *f)
{
    if (f->has_spacing)
        rvl_json_set(out, "spacing_mm", json_pack("[f, f]", f->row_step_mm, f->column_step_mm));
    if (f->has_position)
        rvl_json_set(out, "position_mm", json_pack("[f, f, f]", f->position_mm.x, f->position_mm.y, f->position_mm.z));
    if (f->has_orientation)
        rvl_json_set(
            out, "orientation",
            json_pack("[f, f, f, f, f, f]", f->row.x, f->row.y, f->row.z, f->column.x, f->column.y, f->column.z));
    real_set(out, "slice_thickness_mm", f->slice_thickness_mm);
    if (f->has_rescale) {
        rvl_json_set(out, "rescale_slope", json_real(f->slope));
        rvl_json_set(out, "rescale_intercept", json_real(f->intercept));
    }
}

static json_t *dicom_facts(const rvl_dicom_header *h)
{
    json_t *j = json_object();

    text_set(j, "sop_class", h->sop_class);
    text_set(j, "transfer_syntax", h->transfer_syntax);
    text_set(j, "modality", h->modality);
    text_set(j, "image_type", h->image_type);
    text_set(j, "body_part", h->body_part);
    text_set(j, "view_position", h->view_position);
    text_set(j, "view", rvl_dicom_view(h) != RVL_VIEW_UNKNOWN ? rvl_view_text(rvl_dicom_view(h)) : "");
    text_set(j, "laterality", h->laterality);
    rvl_json_set(j, "has_pixels", json_boolean(h->has_pixels));
    if (!h->has_pixels)
        return j;
    rvl_json_set(j, "rows", json_integer(h->rows));
    rvl_json_set(j, "columns", json_integer(h->columns));
    rvl_json_set(j, "frames", json_integer(h->frames));
    rvl_json_set(j, "samples", json_integer(h->samples));
    rvl_json_set(j, "bits_allocated", json_integer(h->bits_allocated));
    rvl_json_set(j, "bits_stored", json_integer(h->bits_stored));
    rvl_json_set(j, "signed", json_boolean(h->is_signed));
    text_set(j, "photometric", h->photometric);
    text_set(j, "presentation_lut_shape", h->presentation_shape);
    rvl_json_set(j, "lossy", json_boolean(h->is_lossy));
    rvl_json_set(j, "modality_lut", json_boolean(h->has_modality_lut));
    rvl_json_set(j, "voi_lut", json_boolean(h->has_voi_lut));
    if (h->has_padding)
        rvl_json_set(j, "padding", json_pack("[I, I]", (json_int_t)h->padding_low, (json_int_t)h->padding_high));
    real_set(j, "window_center", h->window_center);
    real_set(j, "window_width", h->window_width);
    real_set(j, "gantry_tilt_deg", h->gantry_tilt_deg);
    return j;
}

static rvl_status dicom_stored(json_t *out, const rvl_dicom *d, rvl_error *err)
{
    rvl_dicom_pixels p = {0};
    summary          s;
    rvl_status       st = rvl_dicom_stored(&p, d, err);

    if (st)
        return st;
    json_t *stored = json_object();
    json_t *shape = json_array();
    int64_t n = p.frames * p.rows * p.columns * p.samples;
    summary_start(&s);
    for (int64_t i = 0; i < n; i++)
        summary_add(&s, rvl_dicom_at(&p, i));
    if (p.frames > 1)
        json_array_append_new(shape, json_integer(p.frames));
    json_array_append_new(shape, json_integer(p.rows));
    json_array_append_new(shape, json_integer(p.columns));
    if (p.samples > 1)
        json_array_append_new(shape, json_integer(p.samples));
    rvl_json_set(stored, "shape", shape);
    rvl_json_set(stored, "dtype", json_string(rvl_dicom_type_text(p.type)));
    summary_json(stored, &s);
    hash_set(stored, p.values, (size_t)n * (size_t)p.item_bytes);
    rvl_json_set(out, "stored", stored);
    rvl_dicom_pixels_fini(&p);
    return RVL_OK;
}

static rvl_status inspect_dicom(json_t *out, const char *bytes, size_t n_bytes, const char *path, bool stats,
                                rvl_error *err)
{
    rvl_dicom      *d = NULL;
    rvl_volume     *v = NULL;
    rvl_dicom_frame frame;
    rvl_status      st = rvl_dicom_parse(&d, bytes, n_bytes, path, NULL, err);

    if (!st)
        st = rvl_dicom_get_frame(&frame, d, 0, err);
    if (!st) {
        json_t *facts = dicom_facts(rvl_dicom_get_header(d));
        geometry_set(facts, &frame);
        rvl_json_set(out, "kind", json_string("dicom"));
        rvl_json_set(out, "dicom", facts);
    }
    if (!st && stats)
        st = dicom_stored(out, d, err);
    if (!st && stats) {
        rvl_error why = {0};
        if (rvl_dicom_physical(&v, d, &why) == RVL_OK)
            physical_set(out, v);
        else
            rvl_json_set(out, "physical_fails", json_string(why.text));
    }
    rvl_volume_free(v);
    rvl_dicom_close(d);
    return st;
}

/* ---- any file ------------------------------------------------------------------------------------------------- */

static rvl_status inspect_bytes(json_t *out, rvl_span file, const char *path, bool stats, rvl_error *err)
{
    rvl_volume *v = NULL;

    if (rvl_dicom_is(file.ptr, file.n_bytes))
        return inspect_dicom(out, (const char *)file.ptr, file.n_bytes, path, stats, err);
    if (stats && file.n_bytes >= 6 && memcmp(file.ptr, "\x93NUMPY", 6) == 0)
        return inspect_npy(out, file, path, err);
    rvl_status st = rvl_image_parse(&v, file.ptr, file.n_bytes, path, NULL, err);
    if (st)
        return st;
    rvl_json_set(out, "kind", json_string("image"));
    stored_set_volume(out, v, stats);
    if (stats)
        physical_set(out, v);
    rvl_volume_free(v);
    return RVL_OK;
}

rvl_status rvl__inspect_picture(json_t *out, const char *path, bool stats, rvl_error *err)
{
    char  *bytes = NULL;
    size_t n_bytes = 0;

    if (rvl_volume_file_is(path))
        return rvl__inspect_volume(out, path, stats, err);
    rvl_status st = rvl_file_read(&bytes, &n_bytes, path, FILE_MAX_BYTES, err);

    if (!st)
        st = inspect_bytes(out, (rvl_span){.ptr = (const uint8_t *)bytes, .n_bytes = n_bytes}, path, stats, err);
    rvl_free(bytes);
    return st;
}
