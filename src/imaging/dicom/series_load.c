/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/series_load.c
 * A stack's voxels: each slice is decoded straight into its plane of the volume.
 */
#define _DEFAULT_SOURCE /* madvise: large pages */
#include "base/alloc.h"
#include "base/file.h"
#include "base/util.h"
#include "imaging/dicom/series.h"
#include "imaging/hu.h"
#include <ctype.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Plane z of the volume comes from a frame of a file. */
typedef struct {
    int64_t i_file, i_frame, z;
} source;

typedef struct {
    rvl_dicom_scan       *s;
    const rvl__stack     *stack;
    source               *sources; /* by file, so that a file of many frames is opened once */
    int64_t              *files;   /* n_files + 1: where the sources of each file begin */
    int64_t               n_files;
    bool                  is_hu, fits;
    int64_t               n_padding;
    /* of a stream: where planes go, and a plane a thread to make them in */
    const rvl_plane_sink *sink;
    uint8_t              *scratch;
} loading;

static int source_compare(const void *pa, const void *pb)
{
    const source *a = pa;
    const source *b = pb;

    if (a->i_file != b->i_file)
        return a->i_file < b->i_file ? -1 : 1;
    return (a->i_frame > b->i_frame) - (a->i_frame < b->i_frame);
}

static rvl_status loading_init(loading *l, rvl_dicom_scan *s, int64_t i_stack, rvl_error *err)
{
    const rvl__stack *st = &s->stacks.stacks[i_stack];
    const int64_t     n = st->n_slices;

    *l = (loading){.s = s,
                   .stack = st,
                   .is_hu = s->slices[st->slices[0]].is_hu,
                   .sources = rvl_alloc_array((size_t)n, sizeof *l->sources),
                   .files = rvl_alloc_array((size_t)n + 1, sizeof *l->files)};
    if (!l->sources || !l->files)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot load a series: out of memory");
    for (int64_t z = 0; z < n; z++) {
        const rvl__slice *one = &s->slices[st->slices[z]];
        l->sources[z] = (source){.i_file = one->i_file, .i_frame = one->i_frame, .z = z};
    }
    qsort(l->sources, (size_t)n, sizeof *l->sources, source_compare);
    for (int64_t i = 0; i < n; i++)
        if (i == 0 || l->sources[i].i_file != l->sources[i - 1].i_file)
            l->files[l->n_files++] = i;
    l->files[l->n_files] = n;
    return RVL_OK;
}

static void loading_fini(loading *l)
{
    rvl_free(l->sources);
    rvl_free(l->files);
    rvl_free(l->scratch);
}

static size_t plane_bytes(const rvl_volume *v)
{
    return (size_t)(v->height * v->width) * rvl_voxel_bytes(v->type);
}

/* Where plane z is made: in the volume, or in the thread's own room of a stream. */
static void *plane_of(const rvl_volume *v, const loading *l, int64_t z)
{
    return l->sink ? l->scratch + (size_t)omp_get_thread_num() * plane_bytes(v)
                   : (uint8_t *)v->voxels + (size_t)z * plane_bytes(v);
}

static const rvl__slice *slice_of(const loading *l, const source *from)
{
    return &l->s->slices[l->stack->slices[from->z]];
}

/* Frames of one file, without a decoder: they lie in it as the header says. */
static rvl_status native_load(rvl_volume *v, const loading *l, int64_t i, bool *fits, int64_t *n_padding,
                              rvl_error *err)
{
    const char  *path = l->s->files[l->sources[l->files[i]].i_file].path;
    rvl_file_map map = {0};
    rvl_status   st = rvl_file_map_open(&map, path, err);

    for (int64_t j = l->files[i]; !st && *fits && j < l->files[i + 1]; j++) {
        void             *plane = plane_of(v, l, l->sources[j].z);
        const rvl__slice *slice = slice_of(l, &l->sources[j]);
        const size_t      item = slice->native.type == RVL_DICOM_U8 || slice->native.type == RVL_DICOM_I8 ? 1 : 2;
        const size_t      at = (size_t)slice->native.at_bytes;
        rvl_error         why = {0};
        if (at % item || at > map.n_bytes || (size_t)(v->height * v->width) * item > map.n_bytes - at) {
            st = rvl_fail(err, RVL_ERR_STATE, "cannot read DICOM '%s': it changed since it was scanned", path);
        } else if ((st = rvl__series_native_plane(plane, v->type, fits, n_padding, slice, l->is_hu, map.ptr + at,
                                                  &why)) != RVL_OK) {
            st = rvl_fail(err, st, "cannot read DICOM '%s': %s", path, why.text);
        } else if (l->sink && *fits) {
            st = l->sink->plane(l->sink->context, l->sources[j].z, plane, plane_bytes(v), err);
        }
    }
    rvl_file_map_close(&map);
    return st;
}

/* What is to be decoded of one file; `frames` and `planes` have room for its slices. */
static rvl__planes_job job_of(int64_t *frames, void **planes, const rvl_volume *v, const loading *l, int64_t i)
{
    const int64_t first = l->files[i];
    const int64_t n = l->files[i + 1] - first;

    for (int64_t j = 0; j < n; j++) {
        frames[j] = l->sources[first + j].i_frame;
        planes[j] = plane_of(v, l, l->sources[first + j].z);
    }
    return (rvl__planes_job){.path = l->s->files[l->sources[first].i_file].path,
                             .limits = l->s->opts.limits,
                             .type = v->type,
                             .is_hu = l->is_hu,
                             .rows = v->height,
                             .columns = v->width,
                             .n_frames = n,
                             .frames = frames};
}

/* Room for what job_of writes about one file after the other. */
typedef struct {
    int64_t *frames;
    void   **planes;
} room;

static rvl_status room_init(room *r, const loading *l, int64_t i, rvl_error *err)
{
    const size_t n = (size_t)(l->files[i + 1] - l->files[i]);

    *r = (room){.frames = rvl_alloc_array(n, sizeof *r->frames), .planes = rvl_alloc_array(n, sizeof *r->planes)};
    return r->frames && r->planes ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot load a series: out of memory");
}

static void room_fini(room *r)
{
    rvl_free(r->frames);
    rvl_free((void *)r->planes);
    *r = (room){0};
}

static bool is_native(const loading *l, int64_t i)
{
    for (int64_t j = l->files[i]; j < l->files[i + 1]; j++)
        if (!slice_of(l, &l->sources[j])->native.is_native)
            return false;
    return true;
}

/* All slices of one file. */
static rvl_status file_load(rvl_volume *v, const loading *l, int64_t i, bool *fits, int64_t *n_padding, rvl_error *err)
{
    room r = {0};

    if (is_native(l, i))
        return native_load(v, l, i, fits, n_padding, err);
    rvl_status st = room_init(&r, l, i, err);
    if (!st) {
        const rvl__planes_job job = job_of(r.frames, r.planes, v, l, i);
        st = rvl__series_planes_read(r.planes, fits, n_padding, &job, err);
    }
    room_fini(&r);
    return st;
}

/* Every page of a large volume is written at once: in pages of 2 MiB, where the system has them, that is 512 times
   fewer faults. Only advice. */
static void pages_large(const rvl_volume *v)
{
    const uintptr_t page = (uintptr_t)2 << 20;
    const uintptr_t from = ((uintptr_t)v->voxels + page - 1) / page * page;
    const uintptr_t to =
        ((uintptr_t)v->voxels + (uintptr_t)(v->depth * v->height * v->width) * rvl_voxel_bytes(v->type)) / page * page;

    if (from < to)
        (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
}

static int n_threads_of(const loading *l)
{
    return l->s->opts.n_threads > 0 ? l->s->opts.n_threads : omp_get_max_threads();
}

/* Into `v`, which has a plane a slice, or the stream; l->fits is false if a value did not fit its type. */
static rvl_status planes_load(rvl_volume *v, loading *l, rvl_error *err)
{
    rvl_status st = RVL_OK;
    bool       all_fit = true;
    bool       has_failed = false;
    int64_t    n_padding = 0;

#pragma omp        parallel for schedule(dynamic, 1) num_threads(n_threads_of(l)) reduction(+ : n_padding)
    for (int64_t i = 0; i < l->n_files; i++) {
               rvl_error why = {0};
               bool      fits;
               bool      is_over;
#pragma omp atomic read
        fits = all_fit;
#pragma omp atomic read
        is_over = has_failed;
        if (is_over || !fits || (l->s->opts.workers && !is_native(l, i)))
            continue;
        rvl_status one = rvl_cancel_requested() ? rvl_fail(&why, RVL_ERR_CANCELLED, "cancelled")
                                                : file_load(v, l, i, &fits, &n_padding, &why);
        if (!fits) {
#pragma omp atomic write
            all_fit = false;
        }
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
    l->fits = all_fit;
    l->n_padding = n_padding;
    return st;
}

/* What worker k has at the moment: file number i_file of the loading, or -1. */
typedef struct {
    int64_t         i_file;
    room            room;
    rvl__planes_job job;
} errand;

/* Files that need a decoder, by the scan's workers. */
static rvl_status planes_load_apart(rvl_volume *v, loading *l, rvl_error *err)
{
    rvl_workers *w = l->s->opts.workers;
    const int    n_workers = rvl_workers_count(w);
    errand      *errands = rvl_alloc_array((size_t)n_workers, sizeof *errands);
    int64_t      i = 0;
    rvl_status   st = errands ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot load a series: out of memory");

    for (int k = 0; errands && k < n_workers; k++)
        errands[k].i_file = -1;
    for (int k = 0, n_idle = 0; errands && n_idle < n_workers; k = (k + 1) % n_workers, n_idle++) {
        errand *e = &errands[k];
        if (e->i_file >= 0) {
            rvl_error  why = {0};
            bool       fits = true;
            rvl_status one = rvl__series_planes_take(e->room.planes, &fits, &l->n_padding, w, k, &e->job, &why);
            l->fits = l->fits && fits;
            if (one && !st)
                st = rvl_fail(err, one, "%s", why.text);
            e->i_file = -1;
        }
        room_fini(&e->room);
        if (!st && rvl_cancel_requested())
            st = rvl_fail(err, RVL_ERR_CANCELLED, "cancelled");
        while (i < l->n_files && is_native(l, i))
            i++;
        if (!st && l->fits && i < l->n_files)
            st = room_init(&e->room, l, i, err);
        if (st || !l->fits || i >= l->n_files)
            continue;
        e->i_file = i;
        e->job = job_of(e->room.frames, e->room.planes, v, l, i++);
        rvl__series_planes_send(w, k, &e->job);
        n_idle = -1;
    }
    for (int k = 0; errands && k < n_workers; k++)
        room_fini(&errands[k].room);
    rvl_free(errands);
    return st;
}

/* Whether slope and intercept of every slice are whole, so that I16 is worth a try. */
static bool is_whole(const loading *l)
{
    for (int64_t i = 0; i < l->stack->n_slices; i++) {
        const rvl_dicom_frame *f = &l->s->slices[l->stack->slices[i]].frame;
        if (floor(f->slope) < f->slope || floor(f->intercept) < f->intercept || fabs(f->slope) > 32767 ||
            fabs(f->intercept) > 65535)
            return false;
    }
    return true;
}

static rvl_status voxels_load(rvl_volume **out, loading *l, rvl_error *err)
{
    const rvl_grid *g = &l->stack->grid;
    rvl_volume     *v = NULL;
    bool            is_i16 = is_whole(l);
    rvl_status      st = RVL_OK;

    do { /* a second time, as F32, if a value did not fit */
        rvl_volume_free(v);
        v = NULL;
        st = rvl_volume_new(&v, is_i16 ? RVL_VOXEL_I16 : RVL_VOXEL_F32, l->stack->n_slices, g->height, g->width, err);
        if (!st)
            pages_large(v);
        if (!st)
            st = planes_load(v, l, err);
        if (!st && l->fits && l->s->opts.workers)
            st = planes_load_apart(v, l, err);
        if (!st && !l->fits && !is_i16)
            st = rvl_fail(err, RVL_ERR_INTERNAL, "values fit no type of voxel");
        is_i16 = false;
    } while (!st && !l->fits);
    if (st)
        rvl_volume_free(v);
    else
        *out = v;
    return st;
}

/* ---- after decoding ------------------------------------------------------------------------------------------- */

/* Padding that is not HU is NaN until here: the least other value. Whole numbers that fit become I16. */
static rvl_status f32_finish(rvl_volume **volume, rvl_error *err)
{
    rvl_volume   *v = *volume;
    const int64_t n = v->depth * v->height * v->width;
    float        *x = v->voxels;
    float         least = INFINITY;
    bool          is_i16 = true;
    rvl_volume   *narrow = NULL;

    for (int64_t i = 0; i < n; i++)
        least = x[i] < least ? x[i] : least;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(x[i]))
            x[i] = isfinite(least) ? least : 0;
        is_i16 = is_i16 && x[i] >= -32768 && x[i] <= 32767 && !(floorf(x[i]) < x[i]);
    }
    if (!is_i16)
        return RVL_OK;
    rvl_status st = rvl_volume_new(&narrow, RVL_VOXEL_I16, v->depth, v->height, v->width, err);
    if (st)
        return st;
    for (int64_t i = 0; i < n; i++)
        ((int16_t *)narrow->voxels)[i] = (int16_t)x[i];
    rvl_volume_free(v);
    *volume = narrow;
    return RVL_OK;
}

/* One voxel between two, rounded for I16. */
static void between(rvl_volume *to, int64_t i, const rvl_volume *from, int64_t a, int64_t b, double share)
{
    double x = rvl_volume_at(from, a) * (1 - share) + rvl_volume_at(from, b) * share;

    if (to->type == RVL_VOXEL_I16)
        ((int16_t *)to->voxels)[i] = (int16_t)lround(x);
    else
        ((float *)to->voxels)[i] = (float)x;
}

/* Slices at uneven places onto the even ones of the grid, linear along the stack. */
static rvl_status gaps_fill(rvl_volume **volume, const loading *l, rvl_error *err)
{
    const rvl_volume *v = *volume;
    const int64_t    *order = l->stack->slices;
    const rvl__slice *slices = l->s->slices;
    const int64_t     depth = l->stack->grid.depth;
    const int64_t     n_plane = v->height * v->width;
    const double      first = slices[order[0]].at_mm;
    const double      extent = slices[order[v->depth - 1]].at_mm - first;
    rvl_volume       *even = NULL;
    rvl_status        st = rvl_volume_new(&even, v->type, depth, v->height, v->width, err);
    int64_t           below = 0;

    for (int64_t z = 0; !st && z < depth; z++) {
        const double at = first + extent * (double)z / (double)(depth - 1);
        while (below + 2 < v->depth && slices[order[below + 1]].at_mm <= at)
            below++;
        double low = slices[order[below]].at_mm;
        double share = fmin(1, fmax(0, (at - low) / (slices[order[below + 1]].at_mm - low)));
        share = share < 1e-3 ? 0 : share > 1 - 1e-3 ? 1 : share; /* a slice that lies there stays as it is */
        for (int64_t i = 0; i < n_plane; i++)
            between(even, z * n_plane + i, v, below * n_plane + i, (below + 1) * n_plane + i, share);
    }
    if (st)
        return st;
    rvl_volume_free(*volume);
    *volume = even;
    return RVL_OK;
}

static bool is_all_native(const loading *l)
{
    for (int64_t i = 0; i < l->n_files; i++)
        if (!is_native(l, i))
            return false;
    return true;
}

static void place_set(rvl_volume *v, const loading *l, const rvl_dicom_stack *facts)
{
    rvl_dicom_header h = {0};

    rvl_volume_set_grid(v, &l->stack->grid);
    memcpy(h.modality, facts->modality, sizeof h.modality);
    memcpy(h.body_part, facts->body_part, sizeof h.body_part);
    v->modality = rvl_dicom_modality(&h);
    for (int64_t i = 0; i < l->stack->n_slices; i++)
        v->has_burned_in = v->has_burned_in || l->s->slices[l->stack->slices[i]].has_burned_in;
    v->unit = l->is_hu ? RVL_UNIT_HU : RVL_UNIT_ARBITRARY;
    size_t n = strlen(facts->body_part);
    for (size_t i = 0; n < sizeof v->body_part && i <= n; i++)
        v->body_part[i] = (char)tolower((unsigned char)facts->body_part[i]);
}

static rvl_status values_note(loading *l, rvl__stack *st, const rvl_dicom_stack *facts, rvl_error *err)
{
    const rvl_dicom_frame *first = &l->s->slices[st->slices[0]].frame;
    bool                   differs = false;
    rvl_status             status = RVL_OK;

    for (int64_t i = 1; i < st->n_slices; i++) {
        const rvl_dicom_frame *f = &l->s->slices[st->slices[i]].frame;
        differs = differs || f->slope < first->slope || f->slope > first->slope || f->intercept < first->intercept ||
                  f->intercept > first->intercept;
    }
    if (differs)
        status =
            rvl__stack_note(st, err, RVL_NOTE_VALUES, "slope and intercept differ between slices: each has its own");
    if (!status && l->is_hu && l->n_padding)
        status =
            rvl__stack_note(st, err, RVL_NOTE_VALUES, "%lld voxels of padding became air", (long long)l->n_padding);
    if (!status && !l->is_hu && strcmp(facts->modality, "CT") == 0)
        status =
            rvl__stack_note(st, err, RVL_NOTE_VALUES, "CT without slope and intercept to HU: the unit is not known");
    return status;
}

static rvl_status size_check(const rvl_dicom_scan *s, const rvl_dicom_stack *f, rvl_error *err)
{
    const rvl_grid *g = &f->grid;

    if (f->status)
        return rvl_fail(err, f->status, "cannot assemble series %lld: %s", (long long)f->series_number, f->reason);
    if (g->depth > s->opts.limits.max_voxels / g->height / g->width)
        return rvl_fail(err, RVL_ERR_LIMIT,
                        "cannot assemble series %lld: %lld slices of %lld x %lld, the limit is %lld voxels",
                        (long long)f->series_number, (long long)g->depth, (long long)g->width, (long long)g->height,
                        (long long)s->opts.limits.max_voxels);
    return RVL_OK;
}

rvl_status rvl_dicom_scan_load(rvl_volume **out, rvl_dicom_scan *s, int64_t i_stack, rvl_error *err)
{
    rvl_dicom_stack *facts = &s->facts[i_stack];
    rvl__stack      *stack = &s->stacks.stacks[i_stack];
    loading          l = {0};
    rvl_volume      *v = NULL;
    rvl_volume      *upright = NULL;

    *out = NULL;
    rvl_status st = size_check(s, facts, err);
    if (st)
        return st;
    st = loading_init(&l, s, i_stack, err);
    if (!st)
        st = voxels_load(&v, &l, err);
    if (!st && v->type == RVL_VOXEL_F32)
        st = f32_finish(&v, err);
    if (!st && !stack->is_even)
        st = gaps_fill(&v, &l, err);
    if (!st)
        place_set(v, &l, facts);
    if (!st && stack->upright.depth > 0) {
        st = rvl__series_unshear(&upright, v, stack->shear_mm, err);
        if (!st) {
            rvl_volume_free(v);
            v = upright;
        }
    }
    if (!st)
        st = values_note(&l, stack, facts, err);
    facts->notes = stack->notes;
    facts->n_notes = stack->n_notes;
    loading_fini(&l);
    if (st)
        rvl_volume_free(v);
    else
        *out = v;
    return st;
}

rvl_status rvl_dicom_scan_stream(bool *is_done, rvl_dicom_scan *s, int64_t i_stack, const rvl_plane_sink *sink,
                                 rvl_error *err)
{
    rvl_dicom_stack *facts = &s->facts[i_stack];
    rvl__stack      *stack = &s->stacks.stacks[i_stack];
    const rvl_grid  *g = &stack->grid;
    rvl_volume       v = {.type = RVL_VOXEL_I16, .depth = stack->n_slices, .height = g->height, .width = g->width};
    loading          l = {0};

    *is_done = false;
    rvl_status st = size_check(s, facts, err);
    if (st || !stack->is_even || stack->upright.depth > 0)
        return st;
    st = loading_init(&l, s, i_stack, err);
    if (!st && is_whole(&l) && is_all_native(&l)) {
        place_set(&v, &l, facts);
        l.sink = sink;
        l.scratch = rvl_alloc_array((size_t)n_threads_of(&l), plane_bytes(&v));
        st = l.scratch ? sink->begin(sink->context, &v, err)
                       : rvl_fail(err, RVL_ERR_NOMEM, "cannot load a series: out of memory");
        if (!st)
            st = planes_load(&v, &l, err);
        *is_done = !st && l.fits;
    }
    if (*is_done)
        st = values_note(&l, stack, facts, err);
    facts->notes = stack->notes;
    facts->n_notes = stack->n_notes;
    loading_fini(&l);
    return st;
}
