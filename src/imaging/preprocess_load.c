/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/preprocess_load.c
 * From a path to what preprocessing takes: an image file, a volume file, or the DICOM files of one series.
 */
#include "base/file.h"
#include "imaging/dicom_series.h"
#include "imaging/image_file.h"
#include "imaging/preprocess.h"
#include "imaging/volume_file.h"
#include <string.h>

/* The stacks of a scan that are CT and no localiser: how many, and the last one. */
static int64_t ct_stacks(int64_t *found, const rvl_dicom_scan *s)
{
    int64_t n = 0;

    for (int64_t i = 0; i < rvl_dicom_scan_count(s); i++) {
        const rvl_dicom_stack *k = rvl_dicom_scan_get(s, i);
        if (k->is_localiser || k->is_colour || strcmp(k->modality, "CT") != 0)
            continue;
        *found = i;
        n++;
    }
    return n;
}

/* The one CT series of a folder. */
static rvl_status load_series(rvl_volume **out, const char *path, rvl_error *err)
{
    rvl_series_opts opts = rvl_series_opts_default();
    rvl_dicom_scan *s = NULL;
    int64_t         found = 0;
    rvl_status      st;

    opts.n_threads = 1; /* ingest has several files at work */
    st = rvl_dicom_scan_open(&s, path, &opts, err);
    if (st)
        return st;
    const int64_t n = ct_stacks(&found, s);
    if (n == 1)
        st = rvl_dicom_scan_load(out, s, found, err);
    else
        st = rvl_fail(err, RVL_ERR_UNSUPPORTED,
                      "'%s' holds %lld CT series\nhint: name a folder a series, or make NIfTI files by rvl convert",
                      path, (long long)n);
    rvl_dicom_scan_close(s);
    return st;
}

rvl_status rvl_preprocess_load(rvl_volume **out, const rvl_preprocess *spec, const char *path, const rvl_hu_opts *hu,
                               rvl_error *err)
{
    const bool is_ct = spec->modality == RVL_MODALITY_CT;
    rvl_status st;

    *out = NULL;
    if (!rvl_preprocess_is_volume(spec))
        return rvl_image_load_voi(out, path, spec->window == RVL_WINDOW_VOI, NULL, err);
    st = is_ct && rvl_path_is_dir(path) ? load_series(out, path, err)
                                        : rvl_volume_load(out, NULL, path, NULL, NULL, err);
    if (!st && is_ct)
        st = rvl_hu_make(*out, hu, NULL, err);
    if (st) {
        rvl_volume_free(*out);
        *out = NULL;
    }
    return st;
}
