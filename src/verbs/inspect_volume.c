/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/inspect_volume.c
 * What a volume file holds, before anything is done to it.
 */
#include "base/json.h"
#include "base/sha256.h"
#include "imaging/geometry.h"
#include "imaging/hu.h"
#include "imaging/volume_file.h"
#include "verbs/inspect_parts.h"
#include <math.h>
#include <string.h>

enum { N_BINS = 16 };

static json_t *vector(rvl_vec3 v)
{
    json_t *j = json_array();

    json_array_append_new(j, rvl_json_real(v.x + 0.0)); /* no -0 */
    json_array_append_new(j, rvl_json_real(v.y + 0.0));
    json_array_append_new(j, rvl_json_real(v.z + 0.0));
    return j;
}

static void add_nifti(json_t *out, const rvl_nifti_info *info)
{
    static const char *const places[] = {"nothing", "qform", "sform"};

    rvl_json_set(out, "format", json_string(info->version == 2 ? "NIfTI-2" : "NIfTI-1"));
    rvl_json_set(out, "big_endian", json_boolean(info->big_endian));
    rvl_json_set(out, "frames", json_integer(info->n_frames));
    rvl_json_set(out, "slope", rvl_json_real(info->slope));
    rvl_json_set(out, "intercept", rvl_json_real(info->intercept));
    rvl_json_set(out, "placed_by", json_string(places[info->place]));
    rvl_json_set(out, "qform_code", json_integer(info->qform_code));
    rvl_json_set(out, "sform_code", json_integer(info->sform_code));
    rvl_json_set(out, "sform_to_qform_mm", rvl_json_real(info->disagreement_mm));
}

static void add_geometry(json_t *out, const rvl_volume *v)
{
    const rvl_grid g = rvl_volume_grid(v);
    json_t        *geometry = json_object();
    json_t        *rows = json_array();
    char           axes[4];

    rvl_json_set(out, "spacing_mm", v->has_spacing ? vector(v->spacing_mm) : json_null());
    if (!v->has_geometry) {
        json_decref(rows);
        json_decref(geometry);
        rvl_json_set(out, "geometry", json_null());
        return;
    }
    for (int r = 0; r < 3; r++)
        json_array_append_new(rows, vector((rvl_vec3){v->direction[r][0], v->direction[r][1], v->direction[r][2]}));
    rvl_grid_axis_codes(axes, &g);
    rvl_json_set(geometry, "axes", json_string(axes));
    rvl_json_set(geometry, "origin_lps_mm", vector(v->origin_mm));
    rvl_json_set(geometry, "direction_lps", rows);
    rvl_json_set(geometry, "oblique_deg", rvl_json_real(rvl_grid_obliquity_deg(&g)));
    rvl_json_set(geometry, "shear_deg", rvl_json_real(rvl_grid_shear_deg(&g)));
    rvl_json_set(out, "geometry", geometry);
}

/* Finite voxels only: {"low", "high", "counts"}, equal bins, the last one closed. */
static void add_values(json_t *out, const rvl_volume *v)
{
    const int64_t n = v->depth * v->height * v->width;
    double        low = INFINITY;
    double        high = -INFINITY;
    double        sum = 0;
    int64_t       n_finite = 0;
    int64_t       counts[N_BINS] = {0};
    json_t       *histogram = json_object();
    json_t       *bins = json_array();

    for (int64_t i = 0; i < n; i++) {
        const double x = rvl_volume_at(v, i);
        if (!isfinite(x))
            continue;
        low = x < low ? x : low;
        high = x > high ? x : high;
        sum += x;
        n_finite++;
    }
    for (int64_t i = 0; i < n; i++) {
        const double x = rvl_volume_at(v, i);
        if (!isfinite(x))
            continue;
        const int bin = high > low ? (int)((x - low) / (high - low) * N_BINS) : 0;
        counts[bin < N_BINS ? bin : N_BINS - 1]++;
    }
    for (int b = 0; b < N_BINS; b++)
        json_array_append_new(bins, json_integer(counts[b]));
    rvl_json_set(out, "min", rvl_json_real(low));
    rvl_json_set(out, "max", rvl_json_real(high));
    rvl_json_set(out, "mean", rvl_json_real(n_finite > 0 ? sum / (double)n_finite : NAN));
    rvl_json_set(histogram, "low", rvl_json_real(low));
    rvl_json_set(histogram, "high", rvl_json_real(high));
    rvl_json_set(histogram, "counts", bins);
    rvl_json_set(out, "histogram", histogram);
}

/* What rvl_hu_make would say. It makes the voxels HU, so it comes last. */
static void add_ct(json_t *out, rvl_volume *v)
{
    rvl_hu_report report;
    rvl_error     why = {0};
    json_t       *ct = json_object();

    if (rvl_hu_make(v, NULL, &report, &why)) {
        rvl_json_set(ct, "values", json_null());
        rvl_json_set(ct, "why", json_string(why.text));
    } else {
        rvl_json_set(ct, "values", json_string(rvl_hu_kind_text(report.kind)));
        rvl_json_set(ct, "padding_voxels", json_integer(report.n_padding));
    }
    rvl_json_set(out, "ct", ct);
}

/* ---- statistics ----------------------------------------------------------------------------------------------- */

typedef struct {
    rvl_sha256 sum;
    double     low, high, total;
    int64_t    n, n_bad; /* NaN and Inf are counted, and are not in the others */
} summary;

static void summary_add(summary *s, double x)
{
    if (!isfinite(x)) {
        s->n_bad++;
        return;
    }
    s->low = x < s->low ? x : s->low;
    s->high = x > s->high ? x : s->high;
    s->total += x;
    s->n++;
}

static void add_row(void *context, const rvl_nifti_row *row)
{
    summary *s = context;

    rvl_sha256_add(&s->sum, row->bytes, (size_t)row->n_voxels * (size_t)row->item_bytes);
    for (int64_t i = 0; i < row->n_voxels; i++)
        summary_add(s, rvl_nifti_row_at(row, i));
}

static void summary_json(json_t *out, const summary *s)
{
    rvl_json_set(out, "min", rvl_json_real(s->n > 0 ? s->low : NAN));
    rvl_json_set(out, "max", rvl_json_real(s->n > 0 ? s->high : NAN));
    rvl_json_set(out, "mean", rvl_json_real(s->n > 0 ? s->total / (double)s->n : NAN));
    if (s->n_bad > 0)
        rvl_json_set(out, "nan_or_inf", json_integer(s->n_bad));
}

/* NumPy's name of a stored type: "i16" -> "int16". */
static json_t *dtype_json(const char *stored)
{
    return json_sprintf("%s%s", *stored == 'u' ? "uint" : *stored == 'i' ? "int" : "float", stored + 1);
}

/* Shape of all frames, slowest axis first, and the stored values; then the scaled ones. */
static void stats_json(json_t *out, const rvl_volume *v, const rvl_nifti_info *info, summary *stored,
                       const summary *physical)
{
    json_t *shape = json_array();
    json_t *of_stored = json_object();
    json_t *of_physical = json_object();
    char    hex[65];

    if (info->n_frames > 1)
        json_array_append_new(shape, json_integer(info->n_frames));
    json_array_append_new(shape, json_integer(v->depth));
    json_array_append_new(shape, json_integer(v->height));
    json_array_append_new(shape, json_integer(v->width));
    rvl_sha256_hex(hex, &stored->sum);
    rvl_json_set(of_stored, "shape", shape);
    rvl_json_set(of_stored, "dtype", dtype_json(info->stored_type));
    summary_json(of_stored, stored);
    rvl_json_set(of_stored, "sha256", json_string(hex));
    rvl_json_set(of_physical, "unit", json_string("1")); /* NIfTI has no field for it */
    summary_json(of_physical, physical);
    rvl_json_set(out, "kind", json_string("volume"));
    rvl_json_set(out, "stored", of_stored);
    rvl_json_set(out, "physical", of_physical);
}

static rvl_status nifti_stats(json_t *out, const char *path, rvl_error *err)
{
    summary        stored = {.low = INFINITY, .high = -INFINITY};
    summary        physical = stored;
    rvl_nifti_info info = {.n_frames = 1};
    rvl_status     st = RVL_OK;

    rvl_sha256_init(&stored.sum);
    for (int64_t frame = 0; !st && frame < info.n_frames; frame++) {
        const rvl_nifti_opts opts = {
            .frame = frame, .non_finite = RVL_NON_FINITE_KEEP, .on_row = add_row, .context = &stored};
        rvl_volume *v = NULL;
        st = rvl_nifti_load(&v, &info, path, &opts, NULL, err);
        for (int64_t i = 0; !st && i < v->depth * v->height * v->width; i++)
            summary_add(&physical, rvl_volume_at(v, i));
        if (!st && frame + 1 == info.n_frames)
            stats_json(out, v, &info, &stored, &physical);
        rvl_volume_free(v);
    }
    return st;
}

static rvl_status npz_stats(json_t *out, const char *path, rvl_error *err)
{
    rvl_npy    a = {0};
    char       member[64];
    rvl_status st = rvl__npz_find(&a, member, path, NULL, rvl__limits_fill(NULL).max_file_bytes, err);

    if (!st) {
        rvl_json_set(out, "kind", json_string("volume"));
        rvl_json_set(out, "member", json_string(member));
        rvl__inspect_npy_stats(out, &a);
    }
    rvl_npy_fini(&a);
    return st;
}

/* ---- what the file is ----------------------------------------------------------------------------------------- */

static rvl_status describe(json_t *out, const char *path, rvl_error *err)
{
    const rvl_volume_opts opts = {.voxels = {.frame = 0, .non_finite = RVL_NON_FINITE_KEEP}};
    rvl_volume           *v = NULL;
    rvl_volume_info       info;
    rvl_status            st = rvl_volume_load(&v, &info, path, &opts, NULL, err);

    if (st)
        return st;
    json_t *shape = json_array();
    json_array_append_new(shape, json_integer(v->depth));
    json_array_append_new(shape, json_integer(v->height));
    json_array_append_new(shape, json_integer(v->width));
    rvl_json_set(out, "kind", json_string("volume"));
    if (info.format == RVL_FORMAT_NIFTI) {
        add_nifti(out, &info.nifti);
    } else {
        rvl_json_set(out, "format", json_string("npz"));
        rvl_json_set(out, "member", json_string(info.member));
    }
    rvl_json_set(out, "shape", shape);
    rvl_json_set(out, "stored_dtype",
                 json_string(info.format == RVL_FORMAT_NIFTI ? info.nifti.stored_type : rvl_voxel_text(v->type)));
    rvl_json_set(out, "read_as", json_string(rvl_voxel_text(v->type)));
    rvl_json_set(out, "non_finite_voxels", json_integer(info.n_non_finite));
    add_geometry(out, v);
    add_values(out, v);
    add_ct(out, v);
    rvl_volume_free(v);
    return RVL_OK;
}

rvl_status rvl__inspect_volume(json_t *out, const char *path, bool stats, rvl_error *err)
{
    if (!stats)
        return describe(out, path, err);
    return rvl_volume_file_format(path) == RVL_FORMAT_NPZ ? npz_stats(out, path, err) : nifti_stats(out, path, err);
}
