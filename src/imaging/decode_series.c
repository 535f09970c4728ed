/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/decode_series.c
 * A DICOM series as one volume of a study: of its stacks the one with most slices.
 */
#include "base/alloc.h"
#include "imaging/decode_internal.h"
#include "imaging/dicom_series.h"
#include <string.h>

/* The paths of a list joined by line ends, in `*text`, which is cut up. */
static rvl_status scan_list(rvl_dicom_scan **out, const char *list, const rvl_series_opts *opts, rvl_error *err)
{
    char      *text = rvl_strdup(list);
    int64_t    n = 1, i = 0;
    rvl_status st;

    for (const char *c = list; *c; c++)
        n += *c == '\n';
    const char **paths = rvl_alloc_array((size_t)n, sizeof *paths);
    if (!text || !paths) {
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    } else {
        for (char *at = text; at; i++) {
            char *end = strchr(at, '\n');
            paths[i] = at;
            if (end)
                *end++ = '\0';
            at = end;
        }
        st = rvl_dicom_scan_files(out, paths, n, opts, err);
    }
    rvl_free(paths);
    rvl_free(text);
    return st;
}

/* Whole stacks before refused ones, then by slices; -1 without any. */
static int64_t best_stack(const rvl_dicom_scan *s)
{
    int64_t best = -1;

    for (int64_t i = 0; i < rvl_dicom_scan_count(s); i++) {
        const rvl_dicom_stack *x = rvl_dicom_scan_get(s, i);
        const rvl_dicom_stack *b = best < 0 ? NULL : rvl_dicom_scan_get(s, best);
        if (x->is_localiser || x->is_colour || strcmp(x->modality, "CT") != 0)
            continue;
        if (!b || (!x->status && b->status) || (!x->status == !b->status && x->n_slices > b->n_slices))
            best = i;
    }
    return best;
}

rvl_status rvl__decode_series(rvl_volume **out, const rvl_decode_job *job, rvl_error *err)
{
    rvl_dicom_scan *s = NULL;
    rvl_series_opts opts = rvl_series_opts_default();
    rvl_status      st;

    *out = NULL;
    opts.n_threads = 1;
    st = scan_list(&s, job->path, &opts, err);
    if (st)
        return st;
    const int64_t i = best_stack(s);
    if (i < 0)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "it holds no stack of CT slices");
    else if (rvl_dicom_scan_get(s, i)->status)
        st = rvl_fail(err, rvl_dicom_scan_get(s, i)->status, "%s", rvl_dicom_scan_get(s, i)->reason);
    else
        st = rvl_dicom_scan_load(out, s, i, err);
    if (!st)
        st = rvl_hu_make(*out, &job->hu, NULL, err);
    rvl_dicom_scan_close(s);
    if (st) {
        rvl_volume_free(*out);
        *out = NULL;
    }
    return st;
}
