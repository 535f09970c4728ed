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
    rvl_dicom_scan   *s;
    const rvl__stack *stack;
    source           *sources; /* by file, so that a file of many frames is opened once */
    int64_t          *files;   /* n_files + 1: where the sources of each file begin */
    int64_t           n_files;
    bool              is_hu, fits;
    int64_t           n_padding;
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
}

/* All slices of one file. */
static rvl_status file_load(rvl_volume *v, const loading *l, int64_t i, bool *fits, int64_t *n_padding, rvl_error *err)
{
    const int64_t n_plane = v->height * v->width;
    rvl_dicom    *d = NULL;
    const char   *path = l->s->files[l->sources[l->files[i]].i_file].path;
    rvl_file_map  map = {0};
    rvl_status    st = rvl_file_map_open(&map, path, err);

    if (!st)
        st = rvl__dicom_parse_borrowed(&d, map.ptr, map.n_bytes, path, &l->s->opts.limits, err);

    for (int64_t j = l->files[i]; !st && *fits && j < l->files[i + 1]; j++) {
        const source *from = &l->sources[j];
        if (d->header.rows != v->height || d->header.columns != v->width || from->i_frame >= d->header.frames)
            st = rvl__dicom_fail(d, err, RVL_ERR_STATE, "it changed since it was scanned");
        else
            st = rvl__series_plane((uint8_t *)v->voxels + (size_t)(from->z * n_plane) * rvl_voxel_bytes(v->type),
                                   v->type, fits, n_padding, d, from->i_frame, l->is_hu, err);
    }
    rvl_dicom_close(d);
    rvl_file_map_close(&map);
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

/* Into `v`, which has a plane a slice; l->fits is false if a value did not fit its type. */
static rvl_status planes_load(rvl_volume *v, loading *l, rvl_error *err)
{
    int        n_threads = l->s->opts.n_threads > 0 ? l->s->opts.n_threads : omp_get_max_threads();
    rvl_status st = RVL_OK;
    bool       all_fit = true;
    bool       has_failed = false;
    int64_t    n_padding = 0;

#pragma omp        parallel for schedule(dynamic, 1) num_threads(n_threads) reduction(+ : n_padding)
    for (int64_t i = 0; i < l->n_files; i++) {
               rvl_error why = {0};
               bool      fits;
               bool      is_over;
#pragma omp atomic read
        fits = all_fit;
#pragma omp atomic read
        is_over = has_failed;
        if (is_over || !fits)
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
