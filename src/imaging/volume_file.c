/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/volume_file.c
 * Tells volume files apart and calls their reader.
 */
#include "imaging/volume_file.h"
#include "base/file.h"
#include "imaging/image_file.h"
#include "imaging/npy.h"
#include "imaging/raster.h"
#include <math.h>
#include <string.h>

rvl_volume_opts rvl_volume_opts_default(void)
{
    return (rvl_volume_opts){.voxels = rvl_nifti_opts_default()};
}

rvl_volume_format rvl_volume_file_format(const char *path)
{
    rvl_volume_format format = RVL_FORMAT_IMAGE;
    rvl_file_map      map = {0};

    if (rvl_str_ends(path, ".img") || rvl_str_ends(path, ".img.gz")) /* voxels alone: no bytes to know it by */
        return RVL_FORMAT_NIFTI;
    if (rvl_file_map_open(&map, path, NULL))
        return format;
    const rvl_span file = {map.ptr, map.n_bytes};
    if (rvl_nifti_is(file))
        format = RVL_FORMAT_NIFTI;
    else if (file.n_bytes >= 4 && memcmp(file.ptr, "PK\003\004", 4) == 0)
        format = RVL_FORMAT_NPZ;
    rvl_file_map_close(&map);
    return format;
}

bool rvl_volume_file_is(const char *path)
{
    return rvl_path_exists(path) && rvl_volume_file_format(path) != RVL_FORMAT_IMAGE;
}

/* The array that is asked for, or the first of the usual names. */
rvl_status rvl__npz_find(rvl_npy *a, char member[64], const char *path, const char *wanted, size_t max_bytes,
                         rvl_error *err)
{
    static const char *const usual[] = {"ct", "arr_0", "data"};
    rvl_status               st = RVL_ERR_NOT_FOUND;
    rvl_error                why = {0}; /* of the last name tried: `err` stays clean if a later one is there */

    if (wanted && strlen(wanted) > 63)
        return rvl_fail(err, RVL_ERR_USAGE, "the array's name '%s' is too long", wanted);
    for (size_t i = 0; st == RVL_ERR_NOT_FOUND && i < (wanted ? 1 : RVL_ARRAY_LEN(usual)); i++) {
        const char *name = wanted ? wanted : usual[i];
        st = rvl_npz_load(a, path, name, max_bytes, &why);
        if (!st)
            memcpy(member, name, strlen(name) + 1);
    }
    if (st == RVL_ERR_NOT_FOUND && !wanted && rvl_path_exists(path))
        return rvl_fail(err, st, "'%s' has no array 'ct', 'arr_0' or 'data'\nhint: --member NAME says which", path);
    return st ? rvl_fail(err, st, "%s", why.text) : RVL_OK;
}

static rvl_status load_npz(rvl_volume **out, rvl_volume_info *info, const char *path, const rvl_volume_opts *opts,
                           const rvl_limits *limits, rvl_error *err)
{
    rvl_npy    a = {0};
    rvl_status st = rvl__npz_find(&a, info->member, path, opts->member, limits->max_file_bytes, err);

    if (!st)
        st = rvl__npy_to_volume(out, &a, path, limits, err);
    rvl_npy_fini(&a);
    if (!st)
        (*out)->unit = RVL_UNIT_UNKNOWN;
    return st;
}

/* NaN and Inf of formats that do not count them themselves. */
static rvl_status look_for_non_finite(rvl_volume *v, rvl_volume_info *info, const char *path,
                                      const rvl_nifti_opts *opts, rvl_error *err)
{
    const int64_t n = v->depth * v->height * v->width;
    float        *voxels = v->type == RVL_VOXEL_F32 ? v->voxels : NULL;

    for (int64_t i = 0; voxels && i < n; i++) {
        if (isfinite(voxels[i]))
            continue;
        info->n_non_finite++;
        if (opts->non_finite == RVL_NON_FINITE_FILL)
            voxels[i] = (float)opts->fill;
    }
    if (info->n_non_finite > 0 && opts->non_finite == RVL_NON_FINITE_REFUSE)
        return rvl_fail(err, RVL_ERR_NUMERIC,
                        "cannot read '%s': %lld of its %lld voxels are NaN or Inf\nhint: --fill VALUE replaces them",
                        path, (long long)info->n_non_finite, (long long)n);
    return RVL_OK;
}

rvl_status rvl_volume_load(rvl_volume **out, rvl_volume_info *info, const char *path, const rvl_volume_opts *opts,
                           const rvl_limits *limits, rvl_error *err)
{
    const rvl_limits      l = rvl__limits_fill(limits);
    const rvl_volume_opts o = opts ? *opts : rvl_volume_opts_default();
    rvl_volume_info       found = {.format = rvl_volume_file_format(path)};
    rvl_status            st = RVL_OK;

    *out = NULL;
    if (o.member && found.format != RVL_FORMAT_NPZ)
        return rvl_fail(err, RVL_ERR_USAGE, "'%s' is no npz archive: it has no array '%s'", path, o.member);
    if (o.voxels.frame > 0 && found.format != RVL_FORMAT_NIFTI)
        return rvl_fail(err, RVL_ERR_USAGE, "'%s' is no NIfTI file: it has one frame", path);
    if (found.format == RVL_FORMAT_NIFTI) {
        st = rvl_nifti_load(out, &found.nifti, path, &o.voxels, &l, err);
        found.n_non_finite = found.nifti.n_non_finite;
    } else {
        st = found.format == RVL_FORMAT_NPZ ? load_npz(out, &found, path, &o, &l, err)
                                            : rvl_image_load(out, path, &l, err);
        if (!st)
            st = look_for_non_finite(*out, &found, path, &o.voxels, err);
    }
    if (st) {
        rvl_volume_free(*out);
        *out = NULL;
    } else if (info) {
        *info = found;
    }
    return st;
}
