/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/series_scan.c
 * Files of a folder to stacks: headers are read in parallel, series put in order, slices grouped.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/util.h"
#include "imaging/dicom/series.h"
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FOLDER_DEPTH = 64 };

rvl_series_opts rvl_series_opts_default(void)
{
    return (rvl_series_opts){.tilt = RVL_TILT_REFUSE};
}

const char *rvl_series_note_text(rvl_series_note_kind kind)
{
    static const char *const texts[] = {"duplicate", "split", "gap", "tilt", "geometry", "values", "localiser"};
    return texts[kind];
}

const char *rvl_skip_text(rvl_skip_kind kind)
{
    static const char *const texts[] = {"damaged", "no image", "not DICOM", "directory"};
    return texts[kind];
}

bool rvl_tilt_parse(rvl_tilt *out, const char *text)
{
    static const char *const texts[] = {"refuse", "keep", "correct"};

    for (size_t i = 0; i < RVL_ARRAY_LEN(texts); i++)
        if (rvl_str_equal(text, texts[i])) {
            *out = (rvl_tilt)i;
            return true;
        }
    return false;
}

/* ---- files ---------------------------------------------------------------------------------------------------- */

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot scan for DICOM: out of memory");
}

static rvl_status file_add(rvl_dicom_scan *s, const char *path, rvl_error *err)
{
    if (s->n_files == s->files_capacity) {
        int64_t         n = s->files_capacity ? 2 * s->files_capacity : 64;
        rvl__scan_file *more = rvl_realloc_array(s->files, (size_t)n, sizeof *more);
        if (!more)
            return no_memory(err);
        s->files = more;
        s->files_capacity = n;
    }
    s->files[s->n_files] = (rvl__scan_file){.path = rvl_strdup(path)};
    return s->files[s->n_files++].path ? RVL_OK : no_memory(err);
}

static rvl_status folder_add(rvl_dicom_scan *s, const char *path, int depth, rvl_error *err)
{
    rvl_dir_names names = {0};
    rvl_status    st = rvl_dir_list(&names, path, err);

    for (size_t i = 0; !st && i < names.n_names; i++) {
        struct stat info;
        char       *one = rvl_path_join(path, names.names[i]);
        if (!one)
            st = no_memory(err);
        else if (lstat(one, &info) == 0 && S_ISDIR(info.st_mode) && depth < MAX_FOLDER_DEPTH)
            st = folder_add(s, one, depth + 1, err);
        else if (stat(one, &info) == 0 && S_ISREG(info.st_mode))
            st = file_add(s, one, err);
        rvl_free(one);
        if (!st && rvl_cancel_requested())
            st = rvl_fail(err, RVL_ERR_CANCELLED, "cancelled");
    }
    rvl_dir_names_free(&names);
    return st;
}

static int threads_of(const rvl_dicom_scan *s)
{
    return s->opts.n_threads > 0 ? s->opts.n_threads : omp_get_max_threads();
}

static rvl_status headers_read(rvl_dicom_scan *s, rvl_error *err)
{
    rvl_status st = RVL_OK;
    bool       has_failed = false;

#pragma omp        parallel for schedule(dynamic, 4) num_threads(threads_of(s))
    for (int64_t i = 0; i < s->n_files; i++) {
               rvl_error why = {0};
               bool      is_over;
#pragma omp atomic read
        is_over = has_failed;
        if (is_over)
            continue;
        rvl_status one = rvl_cancel_requested() ? rvl_fail(&why, RVL_ERR_CANCELLED, "cancelled")
                                                       : rvl__series_file_read(&s->files[i], i, &s->opts.limits, &why);
        if (!one)
            continue;
#pragma omp        critical(rvl_dicom_scan_error)
        {
                   if (!st)
                st = rvl_fail(err, one, "%s", why.text);
#pragma omp atomic write
            has_failed = true;
        }
    }
    return st;
}

/* ---- series --------------------------------------------------------------------------------------------------- */

/* By study, series number and series; files of one series as they were found. */
static int file_compare(const void *pa, const void *pb)
{
    const rvl__scan_file *a = *(const rvl__scan_file *const *)pa;
    const rvl__scan_file *b = *(const rvl__scan_file *const *)pb;
    int                   by = strcmp(a->facts.study_uid, b->facts.study_uid);

    if (by)
        return by;
    if (a->facts.series_number != b->facts.series_number)
        return a->facts.series_number < b->facts.series_number ? -1 : 1;
    by = strcmp(a->facts.series_uid, b->facts.series_uid);
    return by ? by : (a > b) - (a < b);
}

static bool is_same_series(const rvl__scan_file *a, const rvl__scan_file *b)
{
    return strcmp(a->facts.study_uid, b->facts.study_uid) == 0 && a->facts.series_number == b->facts.series_number &&
           strcmp(a->facts.series_uid, b->facts.series_uid) == 0;
}

/* The slices of all files behind one another, series by series. */
static rvl_status slices_collect(rvl_dicom_scan *s, rvl_error *err)
{
    rvl__scan_file **order = rvl_alloc_array((size_t)s->n_files, sizeof(rvl__scan_file *));
    int64_t          n = 0;
    int64_t          i_series = 0;

    if (!order)
        return no_memory(err);
    for (int64_t i = 0; i < s->n_files; i++) {
        s->n_slices += s->files[i].n_slices;
        if (s->files[i].n_slices)
            order[n++] = &s->files[i];
    }
    qsort((void *)order, (size_t)n, sizeof(rvl__scan_file *), file_compare);
    s->slices = rvl_alloc_array((size_t)s->n_slices, sizeof *s->slices);
    for (int64_t i = 0, at = 0; s->slices && i < n; at += order[i++]->n_slices) {
        i_series += i > 0 && !is_same_series(order[i - 1], order[i]);
        memcpy(s->slices + at, order[i]->slices, (size_t)order[i]->n_slices * sizeof *s->slices);
        for (int64_t f = 0; f < order[i]->n_slices; f++)
            s->slices[at + f].i_series = i_series;
        rvl_free(order[i]->slices);
        order[i]->slices = NULL;
    }
    rvl_free((void *)order);
    return s->slices ? RVL_OK : no_memory(err);
}

/* ---- duplicates ----------------------------------------------------------------------------------------------- */

static bool is_same(double a, double b)
{
    return !(a < b) && !(a > b);
}

/* Pixels that cannot be read are no duplicates: loading them will say what is wrong. */
static rvl_status slice_equal(bool *out, void *context, const rvl__slice *a, const rvl__slice *b, rvl_error *err)
{
    const rvl_dicom_scan *s = context;
    const char *const     path[2] = {s->files[a->i_file].path, s->files[b->i_file].path};
    const int64_t         i_frame[2] = {a->i_frame, b->i_frame};
    rvl_error             why = {0};
    rvl_status            st = RVL_OK;

    *out = false;
    if (!is_same(a->frame.slope, b->frame.slope) || !is_same(a->frame.intercept, b->frame.intercept))
        return RVL_OK;
    if (s->opts.workers)
        st = rvl__series_equal_apart(out, s, a, b, &why);
    else
        st = rvl__series_pixels_equal(out, path, i_frame, &s->opts.limits, &why);
    return st == RVL_ERR_NOMEM ? rvl_fail(err, st, "%s", why.text) : RVL_OK;
}

/* ---- a scan --------------------------------------------------------------------------------------------------- */

static void facts_set(rvl_dicom_scan *s, int64_t i)
{
    const rvl__stack *st = &s->stacks.stacks[i];
    const rvl__slice *first = &s->slices[st->slices[0]];
    rvl_dicom_stack  *f = &s->facts[i];

    *f = s->files[first->i_file].facts;
    f->is_localiser = first->is_localiser;
    f->is_colour = first->samples != 1;
    f->n_slices = st->n_slices;
    f->grid = st->upright.depth > 0 ? st->upright : st->grid;
    f->tilt_deg = st->tilt_deg;
    f->status = st->status;
    f->reason = st->reason;
    f->notes = st->notes;
    f->n_notes = st->n_notes;
}

static rvl_status facts_make(rvl_dicom_scan *s, rvl_error *err)
{
    const int64_t n = s->stacks.n_stacks;

    s->facts = rvl_alloc_array((size_t)n, sizeof *s->facts);
    if (!s->facts)
        return no_memory(err);
    for (int64_t i = 0, from = 0; i < n; i++) {
        const int64_t series = s->slices[s->stacks.stacks[i].slices[0]].i_series;
        if (series != s->slices[s->stacks.stacks[from].slices[0]].i_series)
            from = i;
        facts_set(s, i);
        s->facts[i].i_part = (int)(i - from);
        for (int64_t j = from; j <= i; j++) /* series of very many stacks do not exist */
            s->facts[j].n_parts = (int)(i - from + 1);
    }
    return RVL_OK;
}

/* Header by header, once s->files is filled. */
static rvl_status scan_run(rvl_dicom_scan *s, const char *name, rvl_error *err)
{
    int64_t    n_dicom = 0;
    rvl_status st = s->opts.workers ? rvl__series_headers_apart(s, err) : headers_read(s, err);

    s->skips = rvl_alloc_array((size_t)s->n_files, sizeof *s->skips);
    if (!st && !s->skips)
        st = no_memory(err);
    for (int64_t i = 0; !st && i < s->n_files; i++) {
        n_dicom += !s->files[i].is_skipped || s->files[i].skip != RVL_SKIP_NOT_DICOM;
        if (s->files[i].is_skipped)
            s->skips[s->n_skips++] = i;
    }
    if (!st && n_dicom == 0)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "'%s' holds no DICOM file (of %lld files)", name, (long long)s->n_files);
    if (!st)
        st = slices_collect(s, err);
    if (!st)
        st = rvl__series_group(&s->stacks, s->slices, s->n_slices, &s->opts, slice_equal, s, err);
    return st ? st : facts_make(s, err);
}

static rvl_dicom_scan *scan_new(const rvl_series_opts *opts)
{
    rvl_dicom_scan *s = rvl_alloc_array(1, sizeof *s);

    if (!s)
        return NULL;
    s->opts = opts ? *opts : rvl_series_opts_default();
    s->opts.limits = rvl__limits_fill(&s->opts.limits);
    return s;
}

rvl_status rvl_dicom_scan_open(rvl_dicom_scan **out, const char *path, const rvl_series_opts *opts, rvl_error *err)
{
    rvl_dicom_scan *s = scan_new(opts);
    rvl_status      st = RVL_OK;

    *out = NULL;
    if (!s)
        return no_memory(err);
    if (!rvl_path_exists(path)) {
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "'%s' does not exist", path);
    } else if (rvl_path_is_dir(path)) {
        s->n_root = strlen(path) + (rvl_str_ends(path, "/") ? 0 : 1);
        st = folder_add(s, path, 0, err);
    } else {
        st = file_add(s, path, err);
    }
    if (!st)
        st = scan_run(s, path, err);
    if (st)
        rvl_dicom_scan_close(s);
    else
        *out = s;
    return st;
}

rvl_status rvl_dicom_scan_files(rvl_dicom_scan **out, const char *const *paths, int64_t n_paths,
                                const rvl_series_opts *opts, rvl_error *err)
{
    rvl_dicom_scan *s = scan_new(opts);
    rvl_status      st = RVL_OK;

    *out = NULL;
    if (!s)
        return no_memory(err);
    for (int64_t i = 0; !st && i < n_paths; i++)
        st = file_add(s, paths[i], err);
    if (!st)
        st = scan_run(s, n_paths > 0 ? paths[0] : "", err);
    if (st)
        rvl_dicom_scan_close(s);
    else
        *out = s;
    return st;
}

void rvl_dicom_scan_close(rvl_dicom_scan *s)
{
    if (!s)
        return;
    for (int64_t i = 0; i < s->n_files; i++)
        rvl__series_file_fini(&s->files[i]);
    rvl_free(s->files);
    rvl_free(s->skips);
    rvl_free(s->slices);
    rvl__stacks_fini(&s->stacks);
    rvl_free(s->facts);
    rvl_free(s);
}

int64_t rvl_dicom_scan_count(const rvl_dicom_scan *s)
{
    return s->stacks.n_stacks;
}

const rvl_dicom_stack *rvl_dicom_scan_get(const rvl_dicom_scan *s, int64_t i_stack)
{
    return &s->facts[i_stack];
}

int64_t rvl_dicom_scan_n_files(const rvl_dicom_scan *s)
{
    return s->n_files;
}

int64_t rvl_dicom_scan_n_skips(const rvl_dicom_scan *s)
{
    return s->n_skips;
}

rvl_dicom_skip rvl_dicom_scan_skip(const rvl_dicom_scan *s, int64_t i)
{
    const rvl__scan_file *f = &s->files[s->skips[i]];
    return (rvl_dicom_skip){.kind = f->skip, .path = f->path + s->n_root, .text = f->text};
}

const char *rvl_dicom_scan_path(const rvl_dicom_scan *s, int64_t i_stack, int64_t i_slice)
{
    return s->files[s->slices[s->stacks.stacks[i_stack].slices[i_slice]].i_file].path;
}
