/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/convert_series.c
 * A folder of DICOM files, or one of them, to a folder of NIfTI files: one a volume.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "imaging/nifti.h"
#include "imaging/work.h"
#include "rvl/verbs.h"
#include "verbs/series_json.h"
#include <omp.h>
#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 128 };

/* An uncompressed file that is written plane by plane. */
typedef struct {
    const char     *path;
    rvl_nifti_file *file;
    rvl_unit        unit;
} target;

rvl_convert_series_opts rvl_convert_series_opts_default(void)
{
    return (rvl_convert_series_opts){.format = "nii.gz", .tilt = "refuse"};
}

bool rvl_convert_is_dicom(const char *input)
{
    rvl_file_map map = {0};

    if (rvl_path_is_dir(input))
        return true;
    if (rvl_file_map_open(&map, input, NULL))
        return false;
    bool is = rvl_dicom_is(map.ptr, map.n_bytes);
    rvl_file_map_close(&map);
    return is;
}

bool rvl_convert_is_series(const char *input, const char *out)
{
    static const char *const ends[] = {".nii", ".nii.gz", ".npy", ".png"};

    for (size_t i = 0; out && i < RVL_ARRAY_LEN(ends); i++)
        if (rvl_str_ends(out, ends[i]))
            return false;
    return rvl_convert_is_dicom(input);
}

/* Letters, digits, dots, hyphens and what is not ASCII stay; all else becomes one underscore. */
static void name_clean(char *out, size_t n_bytes, const char *text)
{
    size_t n = 0;

    for (const char *p = text; *p && n + 1 < n_bytes; p++) {
        unsigned char c = (unsigned char)*p;
        bool          is_kept =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c >= 0x80;
        is_kept = is_kept || (c == '.' && n > 0);
        if (is_kept)
            out[n++] = (char)c;
        else if (n > 0 && out[n - 1] != '_')
            out[n++] = '_';
    }
    while (n > 0 && (out[n - 1] == '_' || out[n - 1] == '.' || ((unsigned char)out[n - 1] & 0xc0) == 0x80)) {
        if (((unsigned char)out[n - 1] & 0x80) && rvl_utf8_valid(out, n, NULL))
            break;
        n--;
    }
    out[n] = '\0';
    if (!rvl_utf8_valid(out, n, NULL))
        out[0] = '\0';
}

/* "002_chest_1_mm_2": series number, description, part if there are several. */
static void name_make(char out[NAME_BYTES], const rvl_dicom_stack *k)
{
    char text[72];
    int  n;

    name_clean(text, sizeof text, k->description[0] ? k->description : k->modality);
    if (k->series_number >= 0)
        n = snprintf(out, NAME_BYTES, "%03lld", (long long)k->series_number);
    else
        n = snprintf(out, NAME_BYTES, "series");
    if (text[0])
        n += snprintf(out + n, NAME_BYTES - (size_t)n, "_%s", text);
    if (k->n_parts > 1)
        snprintf(out + n, NAME_BYTES - (size_t)n, "_%d", k->i_part + 1);
}

/* Names of all stacks; a name that is taken (another study) gets "-2", "-3" ... */
static rvl_status names_make(char (**out)[NAME_BYTES], const rvl_dicom_scan *s, rvl_error *err)
{
    const int64_t n = rvl_dicom_scan_count(s);
    char(*names)[NAME_BYTES] = rvl_alloc_array((size_t)n, sizeof *names);

    *out = names;
    if (!names)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot convert: out of memory");
    for (int64_t i = 0; i < n; i++) {
        char base[NAME_BYTES];
        int  copy = 1;
        name_make(base, rvl_dicom_scan_get(s, i));
        memcpy(names[i], base, sizeof base);
        for (int64_t j = 0; j < i; j++)
            if (strcmp(names[i], names[j]) == 0) {
                snprintf(names[i], NAME_BYTES, "%.100s-%d", base, ++copy);
                j = -1;
            }
    }
    return RVL_OK;
}

static bool is_wanted(const rvl_dicom_stack *k, const rvl_convert_series_opts *o)
{
    rvl__stack_fate fate = rvl__stack_fate_of(k);
    return fate == RVL__STACK_VOLUME || (fate == RVL__STACK_LOCALISER && o->localisers && k->status == RVL_OK);
}

static char *file_path(const rvl_convert_series_opts *o, const char *name)
{
    rvl_str s = {0};

    rvl_str_addf(&s, "%s/%s.%s", o->out, name, o->format);
    return rvl_str_take(&s);
}

/* Nothing is written if one of the files is there already; the folder is made if there is something to write. */
static rvl_status targets_check(char (*names)[NAME_BYTES], const rvl_dicom_scan *s, const rvl_convert_series_opts *o,
                                rvl_error *err)
{
    rvl_status st = RVL_OK;
    bool       has_any = false;

    for (int64_t i = 0; !st && i < rvl_dicom_scan_count(s); i++) {
        char *path = file_path(o, names[i]);
        bool  is_one = is_wanted(rvl_dicom_scan_get(s, i), o);
        has_any = has_any || is_one;
        if (!path)
            st = rvl_fail(err, RVL_ERR_NOMEM, "cannot convert: out of memory");
        else if (is_one && !o->force && rvl_path_exists(path))
            st = rvl_fail(err, RVL_ERR_STATE, "'%s' exists\nhint: --force replaces it", path);
        rvl_free(path);
    }
    return !st && has_any ? rvl_dir_make(o->out, err) : st;
}

static rvl_status file_begin(void *context, const rvl_volume *facts, rvl_error *err)
{
    target *t = context;

    t->unit = facts->unit;
    return rvl_nifti_file_open(&t->file, facts, t->path, err);
}

static rvl_status file_plane(void *context, int64_t z, const void *voxels, size_t n_bytes, rvl_error *err)
{
    return rvl_nifti_file_put(((target *)context)->file, z, voxels, n_bytes, err);
}

/* Slices that need no decoding go into an uncompressed file one by one; other stacks are loaded as a whole. */
static rvl_status stack_write(const char **unit, rvl_dicom_scan *s, int64_t i, const char *path, rvl_error *err)
{
    target               t = {.path = path};
    const rvl_plane_sink sink = {.begin = file_begin, .plane = file_plane, .context = &t};
    rvl_volume          *v = NULL;
    bool                 is_done = false;
    rvl_status           st = rvl_str_ends(path, ".nii") ? rvl_dicom_scan_stream(&is_done, s, i, &sink, err) : RVL_OK;

    if (is_done && !st) {
        *unit = rvl_unit_text(t.unit);
        return rvl_nifti_file_commit(t.file, err);
    }
    rvl_nifti_file_discard(t.file);
    if (!st)
        st = rvl_dicom_scan_load(&v, s, i, err);
    if (!st) {
        *unit = rvl_unit_text(v->unit);
        st = rvl_nifti_save(v, path, err);
    }
    rvl_volume_free(v);
    return st;
}

/* One stack: loaded and written, or why not. Only what no other stack would survive ends the run. */
static rvl_status stack_convert(rvl_convert_series_result *out, json_t *list, rvl_dicom_scan *s, int64_t i,
                                const char *name, const rvl_convert_series_opts *o, rvl_error *err)
{
    const rvl_dicom_stack *k = rvl_dicom_scan_get(s, i);
    rvl_error              why = {0};
    char                  *path = file_path(o, name);
    rvl_status             st = path ? RVL_OK : rvl_fail(&why, RVL_ERR_NOMEM, "cannot convert: out of memory");
    bool                   is_volume = is_wanted(k, o);
    const char            *unit = NULL;

    if (!st && is_volume)
        st = stack_write(&unit, s, i, path, &why);
    json_t *j = rvl__stack_json(k); /* after loading: it may have added notes */
    if (is_volume && !st) {
        rvl_json_set(j, "out", json_string(path));
        rvl_json_set(j, "unit", json_string(unit));
        out->n_written++;
    } else if (is_volume) {
        rvl_json_set(j, "status", json_string("failed"));
        rvl_json_set(j, "reason", json_string(why.text));
    }
    out->n_failed += (is_volume && st) || rvl__stack_fate_of(k) == RVL__STACK_REFUSED;
    json_array_append_new(list, j);
    rvl_free(path);
    if (st == RVL_ERR_NOMEM || st == RVL_ERR_IO || st == RVL_ERR_CANCELLED || st == RVL_ERR_DEVICE)
        return rvl_fail(err, st, "%s", why.text);
    return RVL_OK;
}

static rvl_status all_convert(rvl_convert_series_result *out, json_t *root, rvl_dicom_scan *s,
                              const rvl_convert_series_opts *o, rvl_error *err)
{
    char(*names)[NAME_BYTES] = NULL;
    json_t    *list = json_array();
    rvl_status st = names_make(&names, s, err);

    rvl_json_set(root, "volumes", list);
    if (!st)
        st = targets_check(names, s, o, err);
    for (int64_t i = 0; !st && i < rvl_dicom_scan_count(s); i++)
        st = stack_convert(out, list, s, i, names[i], o, err);
    for (int64_t i = 0; i < rvl_dicom_scan_n_skips(s); i++)
        out->n_failed += rvl_dicom_scan_skip(s, i).kind == RVL_SKIP_DAMAGED;
    rvl_free(names);
    return st;
}

rvl_status rvl_convert_series_run(rvl_convert_series_result *out, const rvl_convert_series_opts *o, rvl_error *err)
{
    rvl_series_opts opts = rvl_series_opts_default();
    rvl_dicom_scan *s = NULL;
    json_t         *root = json_object();

    *out = (rvl_convert_series_result){0};
    opts.fill_gaps = o->fill_gaps;
    rvl_json_set(root, "schema", json_string("rvl.convert/1"));
    rvl_status st = root ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot convert: out of memory");
    if (!st && !rvl_tilt_parse(&opts.tilt, o->tilt))
        st = rvl_fail(err, RVL_ERR_USAGE, "there is no tilt '%s'\nhint: refuse, keep or correct", o->tilt);
    if (!st && !rvl_str_equal(o->format, "nii") && !rvl_str_equal(o->format, "nii.gz"))
        st = rvl_fail(err, RVL_ERR_USAGE, "there is no format '%s'\nhint: nii.gz or nii", o->format);
    opts.workers = st ? NULL : rvl__workers_for(o->input, omp_get_max_threads());
    if (!st)
        st = rvl_dicom_scan_open(&s, o->input, &opts, err);
    if (!st)
        st = all_convert(out, root, s, o, err);
    if (!st) {
        rvl__skips_json(root, s);
        st = rvl_json_format(&out->json, root, 2, err);
    }
    rvl_dicom_scan_close(s);
    rvl_workers_close(opts.workers);
    json_decref(root);
    return st;
}
