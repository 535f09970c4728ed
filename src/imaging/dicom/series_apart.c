/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/series_apart.c
 * A scan's parsing and decoding in worker processes. What comes back is looked at like any other input: the process
 * that sent it has read untrusted bytes.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/util.h"
#include "imaging/dicom/series.h"
#include "imaging/work.h"
#include <math.h>
#include <string.h>

enum { BATCH_FILES = 16 };

/* ---- headers -------------------------------------------------------------------------------------------------- */

typedef struct {
    uint32_t   kind;
    int32_t    n_files;
    rvl_limits limits;
} headers_request;

/* Before the slices and the text of a file. */
typedef struct {
    int32_t         is_skipped, skip;
    int64_t         n_slices, n_text;
    rvl_dicom_stack facts;
} file_head;

static rvl_status serve_headers(rvl_worker_answer *answer, rvl_span rest, rvl_error *err)
{
    headers_request head;
    rvl_str         body = {0};
    rvl_status      st = RVL_OK;

    if (!rvl__work_take(&head, sizeof head, &rest))
        return rvl_fail(err, RVL_ERR_INTERNAL, "a request that does not hold together");
    for (int32_t i = 0; !st && i < head.n_files; i++) {
        const char    *path = rvl__work_take_text(&rest);
        rvl__scan_file file = {.path = rvl_strdup(path ? path : "")};
        file_head      h;
        if (!file.path)
            st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
        if (!st)
            st = rvl__series_file_read(&file, i, &head.limits, err);
        memset(&h, 0, sizeof h);
        h.is_skipped = file.is_skipped;
        h.skip = (int32_t)file.skip;
        h.n_slices = file.n_slices;
        h.n_text = file.text ? (int64_t)strlen(file.text) : 0;
        h.facts = file.facts;
        rvl_str_add_n(&body, &h, sizeof h);
        rvl_str_add_n(&body, file.slices, (size_t)file.n_slices * sizeof *file.slices);
        rvl_str_add_n(&body, file.text, (size_t)h.n_text);
        rvl__series_file_fini(&file);
    }
    if (!st && body.failed)
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    answer->n_body = st ? 0 : body.n_bytes;
    answer->body = st ? NULL : rvl_str_take(&body);
    rvl_str_free(&body);
    return st;
}

static bool is_flag(const bool *flag)
{
    unsigned char byte;

    memcpy(&byte, flag, 1); /* a bool of another value is undefined */
    return byte <= 1;
}

static bool is_finite(rvl_vec3 v)
{
    return isfinite(v.x) && isfinite(v.y) && isfinite(v.z);
}

static bool slice_is_sane(const rvl__slice *s, int64_t n_frames, const rvl_limits *limits)
{
    const rvl_dicom_frame *f = &s->frame;
    const rvl__native     *n = &s->native;
    int                    type;

    memcpy(&type, &n->type, sizeof type);
    if (!is_flag(&f->has_rescale) || !is_flag(&f->has_position) || !is_flag(&f->has_orientation) ||
        !is_flag(&f->has_spacing) || !is_flag(&s->is_localiser) || !is_flag(&s->is_hu) || !is_flag(&s->has_burned_in) ||
        !is_flag(&n->is_native))
        return false;
    if (s->n_frames != n_frames || s->rows < 1 || s->columns < 1 || s->rows > limits->max_side ||
        s->columns > limits->max_side)
        return false;
    if (!isfinite(f->slope) || !isfinite(f->intercept) || !isfinite(f->row_step_mm) || !isfinite(f->column_step_mm))
        return false;
    if ((f->has_position && !is_finite(f->position_mm)) ||
        (f->has_orientation && (!is_finite(f->row) || !is_finite(f->column))))
        return false;
    return !n->is_native || (type >= RVL_DICOM_U8 && type <= RVL_DICOM_I16 && n->at_bytes >= 0 &&
                             isfinite(n->scale.slope) && isfinite(n->scale.intercept));
}

static bool text_copy(char *to, const char *from, size_t n_bytes)
{
    if (!memchr(from, '\0', n_bytes) || !rvl_utf8_valid(from, strlen(from), NULL))
        return false;
    memcpy(to, from, strlen(from) + 1);
    return true;
}

/* Only what a header says; pointers and results stay empty. */
static bool facts_take(rvl_dicom_stack *to, const rvl_dicom_stack *from)
{
    *to = (rvl_dicom_stack){.series_number = from->series_number, .acquisition_number = from->acquisition_number};
    return text_copy(to->patient_id, from->patient_id, sizeof to->patient_id) &&
           text_copy(to->study_uid, from->study_uid, sizeof to->study_uid) &&
           text_copy(to->series_uid, from->series_uid, sizeof to->series_uid) &&
           text_copy(to->frame_of_reference_uid, from->frame_of_reference_uid, sizeof to->frame_of_reference_uid) &&
           text_copy(to->description, from->description, sizeof to->description) &&
           text_copy(to->modality, from->modality, sizeof to->modality) &&
           text_copy(to->body_part, from->body_part, sizeof to->body_part) &&
           text_copy(to->image_type, from->image_type, sizeof to->image_type) &&
           text_copy(to->kernel, from->kernel, sizeof to->kernel);
}

/* One file of an answer. False: it does not hold together. */
static bool file_take(rvl__scan_file *file, int64_t i_file, rvl_span *rest, const rvl_limits *limits)
{
    file_head h;

    if (!rvl__work_take(&h, sizeof h, rest) || h.n_slices < 0 || h.n_slices > limits->max_side || h.n_text < 0 ||
        h.skip < 0 || h.skip > RVL_SKIP_DIRECTORY || !facts_take(&file->facts, &h.facts))
        return false;
    file->is_skipped = h.is_skipped != 0;
    file->skip = (rvl_skip_kind)h.skip;
    file->n_slices = h.n_slices;
    file->slices = rvl_alloc_array((size_t)h.n_slices, sizeof *file->slices);
    if (!file->slices || !rvl__work_take(file->slices, (size_t)h.n_slices * sizeof *file->slices, rest) ||
        (uint64_t)h.n_text > rest->n_bytes)
        return false;
    for (int64_t f = 0; f < file->n_slices; f++) {
        if (!slice_is_sane(&file->slices[f], file->n_slices, limits))
            return false;
        file->slices[f].i_file = i_file;
        file->slices[f].i_frame = f;
    }
    file->text = rvl_strndup((const char *)rest->ptr, (size_t)h.n_text);
    *rest = (rvl_span){rest->ptr + h.n_text, rest->n_bytes - (size_t)h.n_text};
    return file->text && rvl_utf8_valid(file->text, strlen(file->text), NULL);
}

static void headers_send(const rvl_dicom_scan *s, int i_worker, int64_t first, int64_t n_files)
{
    headers_request head;
    rvl_str         request = {0};

    memset(&head, 0, sizeof head);
    head.kind = RVL__WORK_SERIES_HEADERS;
    head.n_files = (int32_t)n_files;
    head.limits = s->opts.limits;
    rvl__work_add(&request, &head, sizeof head);
    for (int64_t i = first; i < first + n_files; i++)
        rvl__work_add_text(&request, s->files[i].path);
    rvl__work_send(s->opts.workers, i_worker, &request);
}

static void file_forget(rvl__scan_file *file)
{
    char *path = file->path;

    file->path = NULL;
    rvl__series_file_fini(file);
    file->path = path;
}

/* The answer for some files; `*is_over` is false if the worker died of one of several, which is then not known. */
static rvl_status headers_take(bool *is_over, rvl_dicom_scan *s, int i_worker, int64_t first, int64_t n_files,
                               rvl_error *err)
{
    rvl_error  why = {0};
    size_t     n_body = 0;
    rvl_status st = rvl__work_finish(s->opts.workers, i_worker, s->files[first].path, &why);
    void      *body = rvl_workers_take_body(s->opts.workers, i_worker, &n_body);
    rvl_span   rest = {body, n_body};

    *is_over = true;
    for (int64_t i = first; !st && i < first + n_files; i++)
        if (!file_take(&s->files[i], i, &rest, &s->opts.limits))
            st = rvl__work_broken(s->files[first].path, &why);
    rvl_free(body);
    if (!st)
        return RVL_OK;
    for (int64_t i = first; i < first + n_files; i++)
        file_forget(&s->files[i]);
    *is_over = n_files == 1;
    if (st != RVL_ERR_FORMAT && st != RVL_ERR_LIMIT)
        return rvl_fail(err, st, "%s", why.text);
    return *is_over ? rvl__series_skip(&s->files[first], RVL_SKIP_DAMAGED, why.text, err) : RVL_OK;
}

static rvl_status batch_finish(rvl_dicom_scan *s, int i_worker, int64_t first, int64_t n_files, rvl_error *err)
{
    bool       is_over;
    rvl_status st = headers_take(&is_over, s, i_worker, first, n_files, err);

    for (int64_t i = first; !st && !is_over && i < first + n_files; i++) { /* which of them was it? */
        bool ignored;
        headers_send(s, i_worker, i, 1);
        st = headers_take(&ignored, s, i_worker, i, 1, err);
    }
    return st;
}

rvl_status rvl__series_headers_apart(rvl_dicom_scan *s, rvl_error *err)
{
    const int  n_workers = rvl_workers_count(s->opts.workers);
    int64_t    first_of[RVL_WORKERS_MAX]; /* what each has at the moment; -1: nothing */
    int64_t    next = 0;
    rvl_status st = RVL_OK;

    for (int k = 0; k < n_workers; k++)
        first_of[k] = -1;
    for (int k = 0, n_idle = 0; n_idle < n_workers; k = (k + 1) % n_workers, n_idle++) {
        if (first_of[k] >= 0) {
            const int64_t n_left = s->n_files - first_of[k];
            rvl_error     why = {0};
            rvl_status    one = batch_finish(s, k, first_of[k], n_left < BATCH_FILES ? n_left : BATCH_FILES, &why);
            if (one && !st)
                st = rvl_fail(err, one, "%s", why.text);
            first_of[k] = -1;
        }
        if (!st && rvl_cancel_requested())
            st = rvl_fail(err, RVL_ERR_CANCELLED, "cancelled");
        if (st || next >= s->n_files)
            continue;
        headers_send(s, k, next, s->n_files - next < BATCH_FILES ? s->n_files - next : BATCH_FILES);
        first_of[k] = next;
        next += BATCH_FILES;
        n_idle = -1;
    }
    return st;
}

/* ---- pixels --------------------------------------------------------------------------------------------------- */

typedef struct {
    uint32_t   kind;
    int32_t    type, is_hu;
    rvl_limits limits;
    int64_t    rows, columns, n_frames; /* frame numbers follow, then the path */
} planes_request;

typedef struct {
    int32_t fits;
    int64_t n_padding;
} planes_head;

rvl_status rvl__series_planes_read(void *const *planes, bool *fits, int64_t *n_padding, const rvl__planes_job *job,
                                   rvl_error *err)
{
    rvl_dicom   *d = NULL;
    rvl_file_map map = {0};
    rvl_status   st = rvl_file_map_open(&map, job->path, err);

    if (!st)
        st = rvl__dicom_parse_borrowed(&d, map.ptr, map.n_bytes, job->path, &job->limits, err);
    for (int64_t j = 0; !st && *fits && j < job->n_frames; j++) {
        if (d->header.rows != job->rows || d->header.columns != job->columns || job->frames[j] >= d->header.frames)
            st = rvl__dicom_fail(d, err, RVL_ERR_STATE, "it changed since it was scanned");
        else
            st = rvl__series_plane(planes[j], job->type, fits, n_padding, d, job->frames[j], job->is_hu, err);
    }
    rvl_dicom_close(d);
    rvl_file_map_close(&map);
    return st;
}

static rvl_status serve_planes(rvl_worker_answer *answer, rvl_span rest, rvl_error *err)
{
    planes_request  head;
    rvl__planes_job job = {0};
    planes_head     out = {0};
    int64_t        *frames = NULL;
    void          **planes = NULL;
    size_t          n_plane = 0;
    rvl_status      st = RVL_OK;

    if (!rvl__work_take(&head, sizeof head, &rest) || head.n_frames < 1 ||
        (uint64_t)head.n_frames > rest.n_bytes / sizeof *frames)
        return rvl_fail(err, RVL_ERR_INTERNAL, "a request that does not hold together");
    frames = rvl_alloc_array((size_t)head.n_frames, sizeof *frames);
    planes = rvl_alloc_array((size_t)head.n_frames, sizeof *planes);
    n_plane = (size_t)(head.rows * head.columns) * rvl_voxel_bytes((rvl_voxel_type)head.type);
    answer->n_body = (size_t)head.n_frames * n_plane;
    answer->body = rvl_alloc_array(answer->n_body, 1);
    if (!frames || !planes || !answer->body || !rvl__work_take(frames, (size_t)head.n_frames * sizeof *frames, &rest))
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    for (int64_t f = 0; !st && f < head.n_frames; f++)
        planes[f] = (uint8_t *)answer->body + (size_t)f * n_plane;
    job = (rvl__planes_job){.path = rvl__work_take_text(&rest),
                            .limits = head.limits,
                            .type = (rvl_voxel_type)head.type,
                            .is_hu = head.is_hu != 0,
                            .rows = head.rows,
                            .columns = head.columns,
                            .n_frames = head.n_frames,
                            .frames = frames};
    bool fits = true;
    if (!st)
        st = rvl__series_planes_read(planes, &fits, &out.n_padding, &job, err);
    out.fits = fits;
    rvl_str_add_n(&answer->head, &out, sizeof out);
    rvl_free(frames);
    rvl_free((void *)planes);
    return st;
}

void rvl__series_planes_send(rvl_workers *w, int i, const rvl__planes_job *job)
{
    planes_request head;
    rvl_str        request = {0};

    memset(&head, 0, sizeof head);
    head.kind = RVL__WORK_SERIES_PLANES;
    head.type = (int32_t)job->type;
    head.is_hu = job->is_hu;
    head.limits = job->limits;
    head.rows = job->rows;
    head.columns = job->columns;
    head.n_frames = job->n_frames;
    rvl__work_add(&request, &head, sizeof head);
    rvl__work_add(&request, job->frames, (size_t)job->n_frames * sizeof *job->frames);
    rvl__work_add_text(&request, job->path);
    rvl__work_send(w, i, &request);
}

rvl_status rvl__series_planes_take(void *const *planes, bool *fits, int64_t *n_padding, rvl_workers *w, int i,
                                   const rvl__planes_job *job, rvl_error *err)
{
    const size_t n_plane = (size_t)(job->rows * job->columns) * rvl_voxel_bytes(job->type);
    size_t       n_body = 0;
    planes_head  out;
    rvl_status   st = rvl__work_finish(w, i, job->path, err);
    rvl_span     head = rvl_workers_head(w, i);
    uint8_t     *body = rvl_workers_take_body(w, i, &n_body);

    if (!st && (!rvl__work_take(&out, sizeof out, &head) || n_body != (size_t)job->n_frames * n_plane ||
                out.n_padding < 0 || out.n_padding > job->n_frames * job->rows * job->columns))
        st = rvl__work_broken(job->path, err);
    for (int64_t f = 0; !st && f < job->n_frames; f++)
        memcpy(planes[f], body + (size_t)f * n_plane, n_plane);
    if (!st) {
        *fits = out.fits != 0;
        *n_padding += out.n_padding;
    }
    rvl_free(body);
    return st;
}

/* ---- two frames ----------------------------------------------------------------------------------------------- */

typedef struct {
    uint32_t   kind;
    rvl_limits limits;
    int64_t    i_frame[2]; /* two paths follow */
} equal_request;

static rvl_status frame_open(rvl_dicom_pixels *out, const char *path, int64_t i_frame, const rvl_limits *limits,
                             rvl_error *err)
{
    rvl_dicom *d = NULL;
    rvl_status st = rvl_dicom_open(&d, path, limits, err);

    if (!st)
        st = rvl__dicom_stored_frame(out, d, i_frame, err);
    rvl_dicom_close(d);
    return st;
}

rvl_status rvl__series_pixels_equal(bool *out, const char *const path[2], const int64_t i_frame[2],
                                    const rvl_limits *limits, rvl_error *err)
{
    rvl_dicom_pixels p = {0};
    rvl_dicom_pixels q = {0};
    rvl_status       st = frame_open(&p, path[0], i_frame[0], limits, err);

    *out = false;
    if (!st)
        st = frame_open(&q, path[1], i_frame[1], limits, err);
    if (!st)
        *out = p.type == q.type && p.rows == q.rows && p.columns == q.columns && p.samples == q.samples &&
               memcmp(p.values, q.values, (size_t)(p.rows * p.columns) * (size_t)p.samples * (size_t)p.item_bytes) == 0;
    rvl_dicom_pixels_fini(&p);
    rvl_dicom_pixels_fini(&q);
    return st;
}

static rvl_status serve_equal(rvl_worker_answer *answer, rvl_span rest, rvl_error *err)
{
    equal_request head;
    bool          is_equal = false;

    if (!rvl__work_take(&head, sizeof head, &rest))
        return rvl_fail(err, RVL_ERR_INTERNAL, "a request that does not hold together");
    const char *const path[2] = {rvl__work_take_text(&rest), rvl__work_take_text(&rest)};
    if (!path[0] || !path[1])
        return rvl_fail(err, RVL_ERR_INTERNAL, "a request that does not hold together");
    rvl_status st = rvl__series_pixels_equal(&is_equal, path, head.i_frame, &head.limits, err);
    rvl_str_add(&answer->head, is_equal ? "=" : "");
    return st;
}

rvl_status rvl__series_equal_apart(bool *out, const rvl_dicom_scan *s, const rvl__slice *a, const rvl__slice *b,
                                   rvl_error *err)
{
    equal_request head;
    rvl_str       request = {0};

    memset(&head, 0, sizeof head);
    head.kind = RVL__WORK_SERIES_EQUAL;
    head.limits = s->opts.limits;
    head.i_frame[0] = a->i_frame;
    head.i_frame[1] = b->i_frame;
    rvl__work_add(&request, &head, sizeof head);
    rvl__work_add_text(&request, s->files[a->i_file].path);
    rvl__work_add_text(&request, s->files[b->i_file].path);
    rvl__work_send(s->opts.workers, 0, &request);
    rvl_status st = rvl__work_finish(s->opts.workers, 0, s->files[b->i_file].path, err);
    *out = !st && rvl_workers_head(s->opts.workers, 0).n_bytes == 1;
    return st;
}

rvl_status rvl__series_serve(rvl_worker_answer *answer, rvl_span request, rvl_error *err)
{
    switch (rvl__work_kind(request)) {
    case RVL__WORK_SERIES_HEADERS:
        return serve_headers(answer, request, err);
    case RVL__WORK_SERIES_PLANES:
        return serve_planes(answer, request, err);
    default:
        return serve_equal(answer, request, err);
    }
}
