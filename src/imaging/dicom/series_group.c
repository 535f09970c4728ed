/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/series_group.c
 * Which slices of a series belong together.
 *
 * First what no volume can mix parts the slices: matrix, colour, orientation, pixel spacing, frame of reference, HU or
 * not, localiser or not. Then, where several slices lie at one place or the steps are uneven, what their headers say of
 * them (rvl__slice_key), in a fixed order, as long as it explains the overlap.
 */
#include "base/alloc.h"
#include "imaging/dicom/series.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIRECTION_MAX 2e-3 /* of a direction cosine: written with three digits at worst */
#define SPACING_SHARE_MAX 1e-3

/* Why a stack is apart from others of its series: bits above the keys'. */
enum {
    BY_MATRIX = 1 << RVL__N_KEYS,
    BY_COLOUR = BY_MATRIX << 1,
    BY_ORIENTATION = BY_MATRIX << 2,
    BY_SPACING = BY_MATRIX << 3,
    BY_REFERENCE = BY_MATRIX << 4,
    BY_UNIT = BY_MATRIX << 5,
    BY_LOCALISER = BY_MATRIX << 6,
    BY_PLACE = BY_MATRIX << 7,
};
static const char *const by_texts[] = {"stack",
                                       "temporal position",
                                       "acquisition",
                                       "echo",
                                       "diffusion weighting",
                                       "cardiac phase",
                                       "thickness",
                                       "kernel",
                                       "image type",
                                       "time",
                                       "matrix",
                                       "colour",
                                       "orientation",
                                       "pixel spacing",
                                       "frame of reference",
                                       "unit",
                                       "localiser",
                                       "place"};

typedef struct {
    rvl__stacks           *out;
    rvl__slice            *slices;
    const rvl_series_opts *opts;
    rvl__slice_equal      *equal;
    void                  *context;
    rvl_error             *err;
} grouping;

static rvl_status no_memory(const grouping *g)
{
    return rvl_fail(g->err, RVL_ERR_NOMEM, "cannot sort slices into stacks: out of memory");
}

static bool has_place(const rvl__slice *s)
{
    return s->frame.has_position && s->frame.has_orientation && s->frame.has_spacing;
}

/* ---- what no volume can mix ----------------------------------------------------------------------------------- */

static bool is_near(rvl_vec3 a, rvl_vec3 b)
{
    return fabs(a.x - b.x) <= DIRECTION_MAX && fabs(a.y - b.y) <= DIRECTION_MAX && fabs(a.z - b.z) <= DIRECTION_MAX;
}

static bool is_same_step(double a, double b)
{
    return fabs(a - b) <= SPACING_SHARE_MAX * fmax(a, b);
}

/* 0: they may share a volume. */
static int differs_by(const rvl__slice *a, const rvl__slice *b)
{
    int by = 0;

    by |= a->is_localiser != b->is_localiser ? BY_LOCALISER : 0;
    by |= a->rows != b->rows || a->columns != b->columns ? BY_MATRIX : 0;
    by |= a->samples != b->samples ? BY_COLOUR : 0;
    by |= a->is_hu != b->is_hu ? BY_UNIT : 0;
    by |= a->frame_of_reference != b->frame_of_reference ? BY_REFERENCE : 0;
    if (!has_place(a) || !has_place(b)) /* only frames of one file can be a stack without places */
        return by | (has_place(a) != has_place(b) || a->i_file != b->i_file ? BY_PLACE : 0);
    by |= !is_near(a->frame.row, b->frame.row) || !is_near(a->frame.column, b->frame.column) ? BY_ORIENTATION : 0;
    bool is_same_spacing = is_same_step(a->frame.row_step_mm, b->frame.row_step_mm) &&
                           is_same_step(a->frame.column_step_mm, b->frame.column_step_mm);
    return by | (is_same_spacing ? 0 : BY_SPACING);
}

/* ---- stacks --------------------------------------------------------------------------------------------------- */

static rvl__stack *stack_add(grouping *g, const int64_t *order, int64_t n)
{
    rvl__stacks *all = g->out;

    if (all->n_stacks == all->capacity) {
        int64_t     capacity = all->capacity ? 2 * all->capacity : 16;
        rvl__stack *more = rvl_realloc_array(all->stacks, (size_t)capacity, sizeof *more);
        if (!more)
            return NULL;
        all->stacks = more;
        all->capacity = capacity;
    }
    rvl__stack *st = &all->stacks[all->n_stacks];
    *st = (rvl__stack){.n_slices = n, .slices = rvl_alloc_array((size_t)n, sizeof *st->slices)};
    if (!st->slices)
        return NULL;
    memcpy(st->slices, order, (size_t)n * sizeof *order);
    all->n_stacks++;
    return st;
}

static rvl_status by_note(const grouping *g, rvl__stack *st, int by)
{
    char   text[160] = "";
    size_t n = 0;

    for (size_t i = 0; i < RVL_ARRAY_LEN(by_texts); i++)
        if (by >> i & 1 && n + 40 < sizeof text)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? ", " : "", by_texts[i]);
    return rvl__stack_note(st, g->err, RVL_NOTE_SPLIT, "apart from others of its series by %s", text);
}

static rvl_status emit(grouping *g, const int64_t *order, int64_t n, int64_t n_dropped, int by)
{
    rvl__stack *st = stack_add(g, order, n);

    if (!st)
        return no_memory(g);
    rvl_status status = by ? by_note(g, st, by) : RVL_OK;
    if (!status && n_dropped)
        status = rvl__stack_note(st, g->err, RVL_NOTE_DUPLICATE, "%lld slices are identical to others and dropped",
                                 (long long)n_dropped);
    if (!status && g->slices[order[0]].is_localiser)
        status = rvl__stack_note(st, g->err, RVL_NOTE_LOCALISER, "a localiser");
    return status ? status : rvl__series_order(st, g->slices, g->opts, g->err);
}

/* ---- what tells slices of one place apart --------------------------------------------------------------------- */

static double at(const grouping *g, int64_t i)
{
    return g->slices[i].at_mm;
}

static bool is_same_place(const grouping *g, const int64_t *order, int64_t i)
{
    return at(g, order[i]) - at(g, order[i - 1]) <= RVL__SAME_PLACE_MM;
}

/* Most slices at one place; `order` is by place. */
static int64_t multiplicity(const grouping *g, const int64_t *order, int64_t n)
{
    int64_t most = 0;
    int64_t run = 0;

    for (int64_t i = 0; i < n; i++) {
        run = i > 0 && is_same_place(g, order, i) ? run + 1 : 1;
        most = run > most ? run : most;
    }
    return most;
}

/* A slice while it is parted: its key, its place in the order, and the first place of its part. */
typedef struct {
    uint64_t key;
    int64_t  i, first, slice;
} keyed;

static int by_key(const void *pa, const void *pb)
{
    const keyed *a = pa;
    const keyed *b = pb;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->i > b->i) - (a->i < b->i);
}

static int by_first(const void *pa, const void *pb)
{
    const keyed *a = pa;
    const keyed *b = pb;

    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return (a->i > b->i) - (a->i < b->i);
}

/* Parts of equal key into `parts`, in the order of their first members; `starts` gets n_parts + 1 numbers. */
static int64_t key_part(const grouping *g, const int64_t *order, int64_t n, int key, keyed *items, int64_t *parts,
                        int64_t *starts)
{
    int64_t n_parts = 0;

    for (int64_t i = 0; i < n; i++)
        items[i] = (keyed){.key = g->slices[order[i]].keys[key], .i = i, .slice = order[i]};
    qsort(items, (size_t)n, sizeof *items, by_key);
    for (int64_t i = 0; i < n; i++)
        items[i].first = i > 0 && items[i].key == items[i - 1].key ? items[i - 1].first : items[i].i;
    qsort(items, (size_t)n, sizeof *items, by_first);
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || items[i].first != items[i - 1].first)
            starts[n_parts++] = i;
        parts[i] = items[i].slice;
    }
    starts[n_parts] = n;
    return n_parts;
}

/* Whether parting by a key explains that slices overlap (fewer at one place than `most`) or are uneven (all parts are
   even, of three slices or more). */
static bool explains(const grouping *g, const int64_t *parts, const int64_t *starts, int64_t n_parts, int key,
                     int64_t most)
{
    int64_t left = 0;

    for (int64_t p = 0; p < n_parts; p++) {
        const int64_t *order = parts + starts[p];
        const int64_t  n = starts[p + 1] - starts[p];
        int64_t        here = multiplicity(g, order, n);
        left = here > left ? here : left;
        if (most == 1 && (n < 3 || !rvl__series_is_even(order, n, g->slices)))
            return false;
    }
    if (most == 1)
        return key != RVL__KEY_TIME;
    return key == RVL__KEY_TIME ? left == 1 : left < most;
}

static rvl_status split(grouping *g, int64_t *order, int64_t n, int64_t n_dropped, int by);

/* Part by the first key that explains; `*is_done` if one did. A key of nearly every slice its own explains nothing. The
   first part tells how many slices were dropped. */
static rvl_status split_by_keys(bool *is_done, grouping *g, const int64_t *order, int64_t n, int64_t n_dropped,
                                int64_t most, int by)
{
    keyed     *items = rvl_alloc_array((size_t)n, sizeof *items);
    int64_t   *parts = rvl_alloc_array((size_t)n, sizeof *parts);
    int64_t   *starts = rvl_alloc_array((size_t)n + 1, sizeof *starts);
    rvl_status st = items && parts && starts ? RVL_OK : no_memory(g);
    bool       is_one_place = at(g, order[n - 1]) - at(g, order[0]) <= RVL__SAME_PLACE_MM;

    *is_done = false;
    for (int key = 0; !st && !*is_done && key < RVL__N_KEYS; key++) {
        int64_t n_parts = key_part(g, order, n, key, items, parts, starts);
        if (n_parts < 2 || n_parts > (is_one_place ? n : n / 2) || !explains(g, parts, starts, n_parts, key, most))
            continue;
        *is_done = true;
        for (int64_t p = 0; !st && p < n_parts; p++)
            st = split(g, parts + starts[p], starts[p + 1] - starts[p], p == 0 ? n_dropped : 0, by | 1 << key);
    }
    rvl_free(items);
    rvl_free(parts);
    rvl_free(starts);
    return st;
}

/* Drop the second and later slices of each place if all of them are identical to the first; nothing otherwise. */
static rvl_status duplicates_drop(int64_t *n_left, grouping *g, int64_t *order, int64_t n)
{
    int64_t first = 0;
    int64_t n_kept = 1;
    bool    is_equal = true;

    *n_left = n;
    for (int64_t i = 1; i < n; i++) {
        if (!is_same_place(g, order, i)) {
            first = i;
            continue;
        }
        rvl_status st = g->equal(&is_equal, g->context, &g->slices[order[first]], &g->slices[order[i]], g->err);
        if (st || !is_equal)
            return st;
    }
    for (int64_t i = 1; i < n; i++) /* order[i - 1] still stands: n_kept <= i */
        if (!is_same_place(g, order, i))
            order[n_kept++] = order[i];
    *n_left = n_kept;
    return RVL_OK;
}

/* `order` is by place. */
static rvl_status split(grouping *g, int64_t *order, int64_t n, int64_t n_dropped, int by)
{
    int64_t    n_left = n;
    bool       is_done = false;
    rvl_status st = RVL_OK;

    if (multiplicity(g, order, n) > 1)
        st = duplicates_drop(&n_left, g, order, n);
    n_dropped += n - n_left;
    int64_t most = multiplicity(g, order, n_left);
    if (!st && (most > 1 || !rvl__series_is_even(order, n_left, g->slices)))
        st = split_by_keys(&is_done, g, order, n_left, n_dropped, most, by);
    return st || is_done ? st : emit(g, order, n_left, n_dropped, by);
}

/* ---- groups of a series --------------------------------------------------------------------------------------- */

typedef struct {
    int64_t first, n, n_dropped; /* its first slice, how many */
    int     by;
} group;

enum { MAX_LOOK_BACK = 1024 }; /* groups that a slice is compared with: time stays linear whatever the files say */

/* A picture without a place that is there twice. */
static rvl_status copy_find(bool *is_copy, grouping *g, const rvl__slice *a, const rvl__slice *b)
{
    *is_copy = false;
    if (has_place(a) || has_place(b) || !a->instance || a->instance != b->instance || a->n_frames != 1 ||
        b->n_frames != 1)
        return RVL_OK;
    return g->equal(is_copy, g->context, a, b, g->err);
}

/* Group of each slice from .. to (-1: dropped) and the groups. */
static rvl_status groups_find(group *groups, int64_t *n_groups, int64_t *group_of, grouping *g, int64_t from,
                              int64_t to)
{
    *n_groups = 0;
    for (int64_t i = from; i < to; i++) {
        int64_t found = -1;
        int     by = 0;
        bool    is_copy = false;
        for (int64_t k = *n_groups - 1; found < 0 && k >= 0 && k >= *n_groups - MAX_LOOK_BACK; k--) {
            const rvl__slice *first = &g->slices[groups[k].first];
            int               differs = differs_by(first, &g->slices[i]);
            rvl_status        st = differs ? copy_find(&is_copy, g, first, &g->slices[i]) : RVL_OK;
            if (st)
                return st;
            found = differs && !is_copy ? -1 : k;
            by |= differs;
        }
        group_of[i - from] = is_copy ? -1 : found;
        if (is_copy) {
            groups[found].n_dropped++;
        } else if (found >= 0) {
            groups[found].n++;
        } else {
            group_of[i - from] = *n_groups;
            groups[(*n_groups)++] = (group){.first = i, .n = 1, .by = by};
            if (*n_groups == 2) /* the first one is apart from the second as that is from it */
                groups[0].by = by;
        }
    }
    return RVL_OK;
}

typedef struct {
    double  at_mm;
    int64_t instance_number, slice;
} placed;

static int by_place(const void *pa, const void *pb)
{
    const placed *a = pa;
    const placed *b = pb;

    if (a->at_mm < b->at_mm || a->at_mm > b->at_mm)
        return a->at_mm < b->at_mm ? -1 : 1;
    if (a->instance_number != b->instance_number)
        return a->instance_number < b->instance_number ? -1 : 1;
    return (a->slice > b->slice) - (a->slice < b->slice);
}

/* at_mm of a group's slices, and their order by it; slices of one place by instance number. */
static void group_order(int64_t *order, placed *places, grouping *g, int64_t n)
{
    const rvl_vec3 r = g->slices[order[0]].frame.row;
    const rvl_vec3 c = g->slices[order[0]].frame.column;
    const rvl_vec3 normal = {r.y * c.z - r.z * c.y, r.z * c.x - r.x * c.z, r.x * c.y - r.y * c.x};

    for (int64_t i = 0; i < n; i++) {
        rvl__slice *s = &g->slices[order[i]];
        rvl_vec3    p = s->frame.position_mm;
        s->at_mm = has_place(s) ? p.x * normal.x + p.y * normal.y + p.z * normal.z : 0;
        places[i] = (placed){.at_mm = s->at_mm, .instance_number = s->instance_number, .slice = order[i]};
    }
    qsort(places, (size_t)n, sizeof *places, by_place);
    for (int64_t i = 0; i < n; i++)
        order[i] = places[i].slice;
}

/* Room for the slices of one series. */
typedef struct {
    group   *groups;
    int64_t *group_of, *order;
    placed  *places;
} room;

static rvl_status series_group(grouping *g, int64_t from, int64_t to, const room *r)
{
    int64_t    n_groups = 0;
    int64_t    start = 0;
    rvl_status st = groups_find(r->groups, &n_groups, r->group_of, g, from, to);

    for (int64_t k = 0; !st && k < n_groups; k++) { /* slices of one group behind one another */
        r->groups[k].first = start;
        start += r->groups[k].n;
    }
    for (int64_t i = from; !st && i < to; i++)
        if (r->group_of[i - from] >= 0)
            r->order[r->groups[r->group_of[i - from]].first++] = i;
    for (int64_t k = 0; !st && k < n_groups; k++) {
        const group *one = &r->groups[k];
        int64_t     *order = r->order + one->first - one->n;
        group_order(order, r->places, g, one->n);
        st = has_place(&g->slices[order[0]]) ? split(g, order, one->n, 0, one->by)
                                             : emit(g, order, one->n, one->n_dropped, one->by);
    }
    return st;
}

rvl_status rvl__series_group(rvl__stacks *out, rvl__slice *slices, int64_t n, const rvl_series_opts *opts,
                             rvl__slice_equal *equal, void *context, rvl_error *err)
{
    grouping   g = {.out = out, .slices = slices, .opts = opts, .equal = equal, .context = context, .err = err};
    room       r = {.groups = rvl_alloc_array((size_t)n, sizeof *r.groups),
                    .group_of = rvl_alloc_array((size_t)n, sizeof *r.group_of),
                    .order = rvl_alloc_array((size_t)n, sizeof *r.order),
                    .places = rvl_alloc_array((size_t)n, sizeof *r.places)};
    rvl_status st = r.groups && r.group_of && r.order && r.places ? RVL_OK : no_memory(&g);

    *out = (rvl__stacks){0};
    for (int64_t from = 0, to = 0; !st && from < n; from = to) {
        while (to < n && slices[to].i_series == slices[from].i_series)
            to++;
        st = series_group(&g, from, to, &r);
    }
    rvl_free(r.groups);
    rvl_free(r.group_of);
    rvl_free(r.order);
    rvl_free(r.places);
    if (st)
        rvl__stacks_fini(out);
    return st;
}

void rvl__stacks_fini(rvl__stacks *s)
{
    for (int64_t i = 0; i < s->n_stacks; i++) {
        rvl_free(s->stacks[i].slices);
        rvl_free(s->stacks[i].notes);
    }
    rvl_free(s->stacks);
    *s = (rvl__stacks){0};
}
