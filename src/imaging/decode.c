/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/decode.c
 * A job goes to a worker as two structs of this build and two texts; facts and codes come back.
 */
#include "imaging/decode.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "imaging/apart.h"
#include "imaging/decode_internal.h"
#include "imaging/dicom_series.h"
#include "imaging/work.h"
#include <string.h>

typedef struct {
    uint32_t       kind; /* RVL__WORK_CODES or RVL__WORK_HEADER */
    rvl_preprocess spec;
    rvl_hu_opts    hu;
    rvl_view       view;
    bool           refuse_burned_in, is_series;
    rvl_vec3       spacing_mm;
    size_t         n_path, n_name; /* without their NULs, which are sent too */
} request_head;

size_t rvl_decode_bytes(const rvl_preprocess *spec)
{
    int64_t side[3];

    rvl_preprocess_load_sides(side, spec);
    return (size_t)side[0] * (size_t)side[1] * (size_t)side[2] * (size_t)(spec->bits / 8);
}

rvl_status rvl_decode_volume(void *codes, rvl_decode_facts *facts, const rvl_decode_job *job, rvl_volume *v,
                             rvl_error *err)
{
    if (job->view != RVL_VIEW_UNKNOWN)
        v->view = job->view;
    if (v->modality == RVL_MODALITY_UNKNOWN && !v->body_part[0]) /* a radiograph of a hand stays one */
        v->modality = job->spec.modality;
    if (v->modality == job->spec.modality)
        memcpy(v->body_part, job->spec.body_part, sizeof v->body_part);
    *facts = (rvl_decode_facts){.view = v->view, .laterality = v->laterality};
    return rvl_preprocess_codes(codes, &job->spec, v, false, &facts->is_flat, err);
}

rvl_status rvl__decode_fail(const rvl_decode_job *job, rvl_status st, const char *text, rvl_error *err)
{
    if (job->is_series) /* of many files: what their folder is called is not told */
        return rvl_fail(err, st, "cannot read image '%s': %s", job->name,
                        strchr(text, '/') ? rvl_status_text(st) : text);
    const size_t n_path = strlen(job->path);
    const char  *in_folder = strstr(text, job->path);
    if (in_folder && in_folder[n_path] == '/') /* a slice: its name may name a patient too */
        return rvl_fail(err, st, "cannot read image '%s': a file of it: %s", job->name, rvl_status_text(st));
    const char *slash = strrchr(job->path, '/');
    const char *dot = strrchr(slash ? slash : job->path, '.');
    rvl_str     clean = {0}, stem = {0};

    for (const char *at = strstr(text, job->path); at; at = strstr(text, job->path)) {
        rvl_str_add_n(&clean, text, (size_t)(at - text));
        rvl_str_add(&clean, job->name);
        text = at + n_path;
    }
    const bool is_named = clean.n_bytes > 0;
    rvl_str_add(&clean, text);
    rvl_str_add_n(&stem, job->path, dot && dot[1] ? (size_t)(dot - job->path) : n_path);
    if (clean.failed || stem.failed)
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot read image '%s': out of memory", job->name);
    else if (strstr(clean.ptr, stem.ptr)) /* the other half of a pair of files */
        st = rvl_fail(err, st, "cannot read image '%s': %s", job->name, rvl_status_text(st));
    else
        st = is_named ? rvl_fail(err, st, "%s", clean.ptr)
                      : rvl_fail(err, st, "cannot read image '%s': %s", job->name, clean.ptr);
    rvl_str_free(&clean);
    rvl_str_free(&stem);
    return st;
}

/** Where the file does not say how the volume lies, the job does. */
static void place(rvl_volume *v, const rvl_decode_job *job)
{
    if (v->has_geometry || !(job->spacing_mm.x > 0))
        return;
    v->spacing_mm = job->spacing_mm;
    v->origin_mm = (rvl_vec3){0, 0, 0};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            v->direction[i][j] = i == j;
    v->has_spacing = v->has_geometry = true;
}

rvl_status rvl_decode_run(void *codes, rvl_decode_facts *facts, const rvl_decode_job *job, rvl_error *err)
{
    rvl_volume *v = NULL;
    rvl_error   why = {0};
    rvl_status  st;

    if (!job->is_series && rvl_path_is_dir(job->path) &&
        !rvl_preprocess_is_volume(&job->spec)) /* of a volume: its slices */
        return rvl_fail(err, RVL_ERR_IO, "cannot read image '%s': it is a folder", job->name);
    if (!job->is_series && !rvl_path_exists(job->path))
        return rvl_fail(err, RVL_ERR_NOT_FOUND, "cannot read image '%s': no such file", job->name);
    st = job->is_series ? rvl__decode_series(&v, job, &why)
                        : rvl_preprocess_load(&v, &job->spec, job->path, &job->hu, &why);
    if (st)
        st = rvl__decode_fail(job, st, why.text, err);
    if (!st && job->refuse_burned_in && v->has_burned_in)
        st =
            rvl_fail(err, RVL_ERR_UNSUPPORTED,
                     "cannot take image '%s': its header says that text is burned into the picture, which may name the "
                     "patient\nhint: --keep-phi takes it",
                     job->name);
    if (!st) {
        place(v, job);
        st = rvl_decode_volume(codes, facts, job, v, err);
    }
    rvl_volume_free(v);
    return st;
}

static rvl_status serve_header(rvl_worker_answer *answer, const rvl_decode_job *job, rvl_error *err)
{
    rvl_decode_header header;
    rvl_status        st = rvl__decode_header_run(&header, job, err);

    if (!st)
        rvl_str_add_n(&answer->head, &header, sizeof header);
    return st;
}

static rvl_status serve_job(rvl_worker_answer *answer, rvl_span request, rvl_error *err)
{
    request_head     head;
    rvl_decode_facts facts = {0};

    if (request.n_bytes < sizeof head)
        return rvl_fail(err, RVL_ERR_INTERNAL, "a request of %zu bytes", request.n_bytes);
    memcpy(&head, request.ptr, sizeof head);
    const char *texts = (const char *)request.ptr + sizeof head;
    if (request.n_bytes - sizeof head != head.n_path + head.n_name + 2)
        return rvl_fail(err, RVL_ERR_INTERNAL, "a request of %zu bytes", request.n_bytes);
    const rvl_decode_job job = {.path = texts,
                                .name = texts + head.n_path + 1,
                                .spec = head.spec,
                                .hu = head.hu,
                                .view = head.view,
                                .refuse_burned_in = head.refuse_burned_in,
                                .is_series = head.is_series,
                                .spacing_mm = head.spacing_mm};
    if (head.kind == RVL__WORK_HEADER)
        return serve_header(answer, &job, err);
    answer->n_body = rvl_decode_bytes(&job.spec);
    answer->body = rvl_alloc_array(answer->n_body, 1);
    if (!answer->body)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read image '%s': out of memory", job.name);
    rvl_status st = rvl_decode_run(answer->body, &facts, &job, err);
    if (!st)
        rvl_str_add_n(&answer->head, &facts, sizeof facts);
    return st;
}

rvl_status rvl_decode_serve(rvl_worker_answer *answer, rvl_span request, rvl_error *err)
{
    switch (rvl__work_kind(request)) {
    case RVL__WORK_CODES:
    case RVL__WORK_HEADER:
        return serve_job(answer, request, err);
    case RVL__WORK_VOLUME:
        return rvl__apart_serve(answer, request, err);
    case RVL__WORK_SERIES_HEADERS:
    case RVL__WORK_SERIES_PLANES:
    case RVL__WORK_SERIES_EQUAL:
        return rvl__series_serve(answer, request, err);
    default:
        return rvl_fail(err, RVL_ERR_INTERNAL, "a request of %zu bytes", request.n_bytes);
    }
}

rvl_status rvl_decoder_open(rvl_decoder **out, const rvl_worker_opts *opts, rvl_error *err)
{
    rvl_decoder *d = rvl_alloc_array(1, sizeof *d);
    rvl_error    why = {0};

    *out = d;
    if (!d)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot start decoding: out of memory");
    if (rvl_workers_open(&d->workers, opts, &why) != RVL_OK)
        rvl_log(RVL_LOG_WARN, "images are decoded in this process, without limits of time and memory: %s", why.text);
    return RVL_OK;
}

void rvl_decoder_close(rvl_decoder *d)
{
    if (!d)
        return;
    rvl_workers_close(d->workers);
    rvl_free(d);
}

int rvl_decoder_slots(const rvl_decoder *d)
{
    return d->workers ? rvl_workers_count(d->workers) : 1;
}

void rvl__decoder_send(rvl_decoder *d, int i, const rvl_decode_job *job, bool is_header)
{
    request_head head;
    rvl_str      request = {0};

    if (!d->workers)
        return;
    memset(&head, 0, sizeof head);
    head.spec = job->spec;
    head.hu = job->hu;
    head.view = job->view;
    head.refuse_burned_in = job->refuse_burned_in;
    head.is_series = job->is_series;
    head.kind = is_header ? RVL__WORK_HEADER : RVL__WORK_CODES;
    head.spacing_mm = job->spacing_mm;
    head.n_path = strlen(job->path);
    head.n_name = strlen(job->name);
    rvl_str_add_n(&request, &head, sizeof head);
    rvl_str_add_n(&request, job->path, head.n_path + 1);
    rvl_str_add_n(&request, job->name, head.n_name + 1);
    rvl_workers_start(d->workers, i, request.failed ? "" : request.ptr, request.failed ? 0 : request.n_bytes);
    rvl_str_free(&request);
}

void rvl_decoder_start(rvl_decoder *d, int i, const rvl_decode_job *job)
{
    d->slots[i].name = job->name;
    d->slots[i].n_bytes = rvl_decode_bytes(&job->spec);
    d->job = job;
    rvl__decoder_send(d, i, job, false);
}

rvl_status rvl__decoder_wait(rvl_decoder *d, int i, rvl_error *err)
{
    rvl_error  why = {0};
    rvl_status st = rvl_workers_finish(d->workers, i, &why);

    if (st && !rvl_workers_answered(d->workers, i))
        rvl_error_prefix(&why, "cannot read image '%s'", d->slots[i].name);
    return st ? rvl_fail(err, st, "%s", why.text) : RVL_OK;
}

/* What a worker answers is checked: it has read untrusted bytes. */
static bool answer_take(void *codes, rvl_decode_facts *facts, rvl_decoder *d, int i)
{
    rvl_span head = rvl_workers_head(d->workers, i);
    size_t   n_bytes = 0;
    void    *body = rvl_workers_take_body(d->workers, i, &n_bytes);
    bool     is_ok = head.n_bytes == sizeof *facts && n_bytes == d->slots[i].n_bytes;
    struct {
        int           view; /* as a number: an enum or bool of other values is undefined */
        char          laterality;
        unsigned char is_flat;
    } raw = {0};

    _Static_assert(sizeof raw == sizeof *facts, "facts are read by their bytes");
    if (is_ok)
        memcpy(&raw, head.ptr, sizeof raw);
    is_ok = is_ok && raw.view >= RVL_VIEW_UNKNOWN && raw.view <= RVL_VIEW_MLO && raw.is_flat <= 1 &&
            (raw.laterality == '\0' || raw.laterality == 'L' || raw.laterality == 'R' || raw.laterality == 'B');
    if (is_ok) {
        *facts = (rvl_decode_facts){(rvl_view)raw.view, raw.laterality, raw.is_flat == 1};
        memcpy(codes, body, n_bytes);
    }
    rvl_free(body);
    return is_ok;
}

rvl_status rvl_decoder_finish(void *codes, rvl_decode_facts *facts, rvl_decoder *d, int i, rvl_error *err)
{
    *facts = (rvl_decode_facts){0};
    if (!d->workers)
        return rvl_decode_run(codes, facts, d->job, err);
    rvl_status st = rvl__decoder_wait(d, i, err);
    if (!st && !answer_take(codes, facts, d, i))
        st =
            rvl_fail(err, RVL_ERR_FORMAT, "cannot read image '%s': its decoder gave a broken answer", d->slots[i].name);
    return st;
}
