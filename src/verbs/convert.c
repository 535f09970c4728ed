/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/convert.c
 * One volume file to another: units, axes, spacing, sides, window, format.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "imaging/apart.h"
#include "imaging/hu.h"
#include "imaging/image_file.h"
#include "imaging/montage.h"
#include "imaging/npy.h"
#include "imaging/resample.h"
#include "imaging/work.h"
#include "rvl/verbs.h"
#include "verbs/series_json.h"
#include <math.h>
#include <omp.h>
#include <string.h>

typedef enum { TO_NIFTI, TO_NPY, TO_PNG } target;

/* The options as numbers. */
typedef struct {
    target            to;
    rvl_volume_opts   load;
    rvl_hu_opts       hu;
    rvl_series_opts   series;
    bool              is_dicom, makes_hu, is_ct_clip, has_source_spacing, has_spacing, has_size, has_window, has_range;
    double            source_spacing[3], spacing[3], size[3], window[2], range[2];
    rvl_interpolation how;
} job;

rvl_convert_opts rvl_convert_opts_default(void)
{
    return (rvl_convert_opts){.frame = -1, .unit = "stored", .convention = "centre", .tiles = 20, .tilt = "refuse"};
}

/* Exactly `n` numbers joined by commas. `*has` is false for NULL. */
static rvl_status numbers(double *out, bool *has, int n, const char *text, const char *option, rvl_error *err)
{
    const char *at = text;

    *has = text != NULL;
    for (int i = 0; text && i < n; i++) {
        char        one[64];
        const char *comma = strchr(at, ',');
        size_t      length = comma ? (size_t)(comma - at) : strlen(at);
        bool        is_last = i + 1 == n;
        if (length >= sizeof one || is_last != !comma)
            return rvl_fail(err, RVL_ERR_USAGE, "%s wants %d numbers with commas, not '%s'", option, n, text);
        memcpy(one, at, length);
        one[length] = '\0';
        if (!rvl_parse_f64(one, &out[i]))
            return rvl_fail(err, RVL_ERR_USAGE, "%s wants %d numbers with commas, not '%s'", option, n, text);
        at += length + 1;
    }
    return RVL_OK;
}

static rvl_status read_unit(job *j, const rvl_convert_opts *o, rvl_error *err)
{
    double rescale[2] = {1, 0};

    j->makes_hu = !rvl_str_equal(o->unit, "stored") && !rvl_str_equal(o->unit, "arbitrary");
    rvl_status st = numbers(rescale, &j->hu.has_rescale, 2, o->rescale, "--rescale", err);
    if (st)
        return st;
    j->hu.slope = rescale[0];
    j->hu.intercept = rescale[1];
    if (j->makes_hu && !rvl_hu_kind_parse(&j->hu.kind, o->unit))
        return rvl_fail(err, RVL_ERR_USAGE, "there is no unit '%s'\nhint: stored, auto, hu, raw, hu/1000 or arbitrary",
                        o->unit);
    if (j->hu.has_rescale && !j->makes_hu)
        return rvl_fail(err, RVL_ERR_USAGE,
                        "--rescale makes HU, which --unit %s does not want\nhint: --unit auto tells raw values from HU",
                        o->unit);
    if (j->has_window && !j->is_dicom && rvl_str_equal(o->unit, "stored"))
        return rvl_fail(
            err, RVL_ERR_USAGE,
            "a window needs a unit, and a file does not say its own\nhint: --unit auto for CT, --unit arbitrary "
            "for others");
    return RVL_OK;
}

static rvl_status read_format(job *j, const rvl_convert_opts *o, rvl_error *err)
{
    if (rvl_str_ends(o->out, ".nii") || rvl_str_ends(o->out, ".nii.gz"))
        j->to = TO_NIFTI;
    else if (rvl_str_ends(o->out, ".npy"))
        j->to = TO_NPY;
    else if (rvl_str_ends(o->out, ".png"))
        j->to = TO_PNG;
    else
        return rvl_fail(err, RVL_ERR_USAGE, "the name '%s' says no format\nhint: .nii.gz, .nii, .npy or .png", o->out);
    if (j->to == TO_PNG && j->has_range)
        return rvl_fail(err, RVL_ERR_USAGE, "a picture has its own range: --range has no effect with .png");
    if (rvl_path_exists(o->out) && !o->force)
        return rvl_fail(err, RVL_ERR_STATE, "'%s' exists\nhint: --force replaces it", o->out);
    return RVL_OK;
}

static rvl_status check_size(job *j, rvl_error *err)
{
    for (int a = 0; j->has_size && a < 3; a++)
        if (!(j->size[a] >= 1 && j->size[a] <= 65535) || floor(j->size[a]) < j->size[a])
            return rvl_fail(err, RVL_ERR_USAGE, "--size wants whole numbers of 1 to 65535, not %g", j->size[a]);
    return RVL_OK;
}

static rvl_status job_init(job *j, const rvl_convert_opts *o, rvl_error *err)
{
    double fill = 0;
    bool   has_fill = o->fill != NULL;

    *j = (job){.load = {.voxels = {.frame = o->frame}, .member = o->member},
               .how = o->nearest ? RVL_INTERPOLATE_NEAREST : RVL_INTERPOLATE_LINEAR,
               .is_dicom = rvl_convert_is_dicom(o->input),
               .series = rvl_series_opts_default(),
               .is_ct_clip = rvl_str_equal(o->convention, "ct-clip")};
    j->series.fill_gaps = o->fill_gaps;
    if (!rvl_tilt_parse(&j->series.tilt, o->tilt))
        return rvl_fail(err, RVL_ERR_USAGE, "there is no tilt '%s'\nhint: refuse, keep or correct", o->tilt);
    if (!j->is_ct_clip && !rvl_str_equal(o->convention, "centre"))
        return rvl_fail(err, RVL_ERR_USAGE, "there is no convention '%s'\nhint: centre or ct-clip", o->convention);
    if (j->is_ct_clip && o->orient)
        return rvl_fail(err, RVL_ERR_USAGE,
                        "CT-CLIP takes the file's axes as they are: --orient has no effect with it");
    if (has_fill && !rvl_parse_f64(o->fill, &fill))
        return rvl_fail(err, RVL_ERR_USAGE, "--fill wants a number, not '%s'", o->fill);
    j->load.voxels.non_finite = has_fill ? RVL_NON_FINITE_FILL : RVL_NON_FINITE_REFUSE;
    j->load.voxels.fill = fill;
    rvl_status st = numbers(j->source_spacing, &j->has_source_spacing, 3, o->source_spacing, "--source-spacing", err);
    if (!st)
        st = numbers(j->spacing, &j->has_spacing, 3, o->spacing, "--spacing", err);
    if (!st)
        st = numbers(j->size, &j->has_size, 3, o->size, "--size", err);
    if (!st)
        st = numbers(j->window, &j->has_window, 2, o->window, "--window", err);
    if (!st)
        st = numbers(j->range, &j->has_range, 2, o->range, "--range", err);
    if (!st && j->has_range && !j->has_window)
        st = rvl_fail(err, RVL_ERR_USAGE, "--range maps a window: --window LOW,HIGH is missing");
    if (!st && j->has_window && !(j->window[0] < j->window[1]))
        st = rvl_fail(err, RVL_ERR_USAGE, "the window %g,%g is empty", j->window[0], j->window[1]);
    if (!st)
        st = check_size(j, err);
    if (!st)
        st = read_unit(j, o, err);
    if (!st)
        st = read_format(j, o, err);
    return st;
}

/* A step's result takes the place of what it was made from; returns `st`. */
static rvl_status take(rvl_volume **v, rvl_volume *next, rvl_status st)
{
    if (!st) {
        rvl_volume_free(*v);
        *v = next;
    }
    return st;
}

/* The one volume of a DICOM file or folder. */
static rvl_status load_dicom(rvl_volume **v, const job *j, const rvl_convert_opts *o, rvl_error *err)
{
    rvl_dicom_scan *s = NULL;
    rvl_status      st = rvl_dicom_scan_open(&s, o->input, &j->series, err);
    int64_t         n = 0;
    int64_t         found = 0;

    for (int64_t i = 0; !st && i < rvl_dicom_scan_count(s); i++) {
        rvl__stack_fate fate = rvl__stack_fate_of(rvl_dicom_scan_get(s, i));
        bool            is_one = fate == RVL__STACK_VOLUME || fate == RVL__STACK_REFUSED;
        found = is_one && n == 0 ? i : found;
        n += is_one;
    }
    if (!st && (n > 1 || rvl_dicom_scan_count(s) == 0))
        st = rvl_fail(err, RVL_ERR_UNSUPPORTED,
                      "'%s' holds %lld series that are volumes or would be, and '%s' is one file\nhint: name a folder "
                      "instead: each volume becomes a file of it",
                      o->input, (long long)n, o->out);
    if (!st)
        st = rvl_dicom_scan_load(v, s, found, err);
    rvl_dicom_scan_close(s);
    return st;
}

/* Read by workers: what the file does to its decoder is an error here. */
static rvl_status load_file(rvl_volume **v, rvl_convert_result *r, job *j, const rvl_convert_opts *o, rvl_error *err)
{
    rvl_workers *w = rvl__workers_for(o->input, j->is_dicom ? omp_get_max_threads() : 1);

    j->series.workers = w;
    rvl_status st =
        j->is_dicom ? load_dicom(v, j, o, err) : rvl_volume_load_apart(v, &r->n_non_finite, w, o->input, &j->load, err);
    rvl_workers_close(w);
    return st;
}

static rvl_status load(rvl_volume **v, rvl_convert_result *r, job *j, const rvl_convert_opts *o, rvl_error *err)
{
    rvl_hu_report report = {0};
    rvl_status    st = load_file(v, r, j, o, err);

    if (st)
        return st;
    if (j->has_source_spacing) {
        const double *s = j->source_spacing;
        if (!(s[0] > 0 && s[1] > 0 && s[2] > 0))
            return rvl_fail(err, RVL_ERR_USAGE, "--source-spacing wants positive numbers");
        if ((*v)->has_geometry)
            return rvl_fail(err, RVL_ERR_USAGE, "'%s' says its spacing itself: --source-spacing has no effect",
                            o->input);
        (*v)->has_spacing = true;
        (*v)->spacing_mm = (rvl_vec3){s[0], s[1], s[2]};
    }
    if (rvl_str_equal(o->unit, "arbitrary"))
        (*v)->unit = RVL_UNIT_ARBITRARY;
    if (!j->makes_hu)
        return RVL_OK;
    st = rvl_hu_make(*v, &j->hu, &report, err);
    if (st)
        rvl_error_prefix(err, "'%s'", o->input);
    r->was_rescaled = report.was_rescaled;
    r->n_padding = report.n_padding;
    r->found = st ? "" : rvl_hu_kind_text(report.kind);
    return st;
}

/* CT-CLIP clips first and makes (depth, file's x, file's y). */
static rvl_status change_axes(rvl_volume **v, const job *j, const rvl_convert_opts *o, rvl_error *err)
{
    static const int  swapped[] = {1, 0, 2};
    static const bool straight[] = {false, false, false};
    rvl_volume       *next = NULL;
    rvl_status        st;

    if (j->is_ct_clip && j->has_window)
        rvl_volume_clip(*v, j->window[0], j->window[1]);
    if (j->is_ct_clip)
        st = rvl_volume_permute(&next, *v, swapped, straight, err);
    else if (o->orient)
        st = rvl_volume_orient(&next, *v, o->orient, err);
    else
        return RVL_OK;
    return take(v, next, st);
}

static rvl_status change_grid(rvl_volume **v, const job *j, rvl_error *err)
{
    const rvl_vec3 to = {j->spacing[j->is_ct_clip ? 1 : 0], j->spacing[j->is_ct_clip ? 0 : 1], j->spacing[2]};
    const bool     keeps_type = !j->has_range && j->to != TO_NPY;
    rvl_volume    *next = NULL;
    rvl_status     st = RVL_OK;

    if (j->has_spacing) {
        st = rvl_volume_resample(&next, *v, to, j->is_ct_clip ? RVL_RESAMPLE_CT_CLIP : RVL_RESAMPLE_CENTRE, j->how,
                                 keeps_type, err);
        st = take(v, next, st);
    }
    if (!st && j->has_size) {
        st = rvl_volume_fit(&next, *v, (int64_t)j->size[0], (int64_t)j->size[1], (int64_t)j->size[2],
                            (*v)->unit == RVL_UNIT_HU ? RVL_HU_AIR : 0, err);
        st = take(v, next, st);
    }
    return st;
}

static rvl_status change_values(rvl_volume **v, const job *j, rvl_error *err)
{
    rvl_volume *next = NULL;

    if (!j->has_window)
        return RVL_OK;
    if (!j->has_range) {
        rvl_volume_clip(*v, j->window[0], j->window[1]);
        return RVL_OK;
    }
    rvl_status st = rvl_volume_window(&next, *v, j->window[0], j->window[1], j->range[0], j->range[1], err);
    return take(v, next, st);
}

static rvl_status save_npy(const rvl_volume *v, const char *path, rvl_error *err)
{
    const int64_t shape[] = {v->depth, v->height, v->width};
    const int64_t n = v->depth * v->height * v->width;
    float        *values = rvl_alloc_array((size_t)n, sizeof *values);

    if (!values)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot write '%s': out of memory", path);
    for (int64_t i = 0; i < n; i++)
        values[i] = (float)rvl_volume_at(v, i);
    rvl_status st = rvl_npy_save_f32(path, values, 3, shape, err);
    rvl_free(values);
    return st;
}

static rvl_status save_png(const rvl_volume *v, const job *j, const rvl_convert_opts *o, rvl_error *err)
{
    rvl_volume *picture = NULL;
    rvl_status  st = rvl_montage(&picture, v, o->tiles, j->has_window ? j->window : NULL, err);

    if (!st)
        st = rvl_png_save(picture, o->out, err);
    rvl_volume_free(picture);
    return st;
}

rvl_status rvl_convert_run(rvl_convert_result *out, const rvl_convert_opts *o, rvl_error *err)
{
    job         j;
    rvl_volume *v = NULL;

    *out = (rvl_convert_result){.unit = "", .found = ""};
    rvl_status st = job_init(&j, o, err);
    if (!st)
        st = load(&v, out, &j, o, err);
    if (!st)
        st = change_axes(&v, &j, o, err);
    if (!st)
        st = change_grid(&v, &j, err);
    if (!st)
        st = change_values(&v, &j, err);
    if (!st && j.to == TO_PNG)
        st = save_png(v, &j, o, err);
    else if (!st && j.to == TO_NPY)
        st = save_npy(v, o->out, err);
    else if (!st)
        st = rvl_nifti_save(v, o->out, err);
    if (!st) {
        out->depth = v->depth;
        out->height = v->height;
        out->width = v->width;
        out->spacing_mm[0] = v->spacing_mm.x;
        out->spacing_mm[1] = v->spacing_mm.y;
        out->spacing_mm[2] = v->spacing_mm.z;
        out->has_spacing = v->has_spacing;
        out->unit = rvl_unit_text(v->unit);
    }
    rvl_volume_free(v);
    return st;
}
