/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/series_order.c
 * The grid that a stack's slices lie on, or why there is none.
 *
 * A slice's place is the projection of its position on the normal of the first slice (PS3.3 C.7.6.2.1.1). Positions are
 * written with two to six decimals, so a step may be off by a rounding: EVEN_MM plus EVEN_SHARE of the step are
 * allowed.
 */
#include "base/alloc.h"
#include "imaging/dicom/series.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVEN_MM 0.02 /* positions of two decimals: two roundings of 0.005 on either side */
#define EVEN_SHARE 0.01
#define TILT_MIN_DEG 0.1
#define TILT_MIN_MM 0.1
#define DEGREES_OF_RADIAN 57.29577951308232

static rvl_vec3 cross(rvl_vec3 a, rvl_vec3 b)
{
    return (rvl_vec3){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

static double dot(rvl_vec3 a, rvl_vec3 b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

static rvl_vec3 minus(rvl_vec3 a, rvl_vec3 b)
{
    return (rvl_vec3){a.x - b.x, a.y - b.y, a.z - b.z};
}

static double allowed_mm(double step)
{
    return EVEN_MM + EVEN_SHARE * step;
}

/* ---- even steps ----------------------------------------------------------------------------------------------- */

static double at(const int64_t *order, int64_t i, const rvl__slice *slices)
{
    return slices[order[i]].at_mm;
}

bool rvl__series_is_even(const int64_t *order, int64_t n, const rvl__slice *slices)
{
    const double first = at(order, 0, slices);
    const double step = n > 1 ? (at(order, n - 1, slices) - first) / (double)(n - 1) : 0;

    for (int64_t i = 1; i < n; i++) {
        if (fabs(at(order, i, slices) - at(order, i - 1, slices) - step) > allowed_mm(step))
            return false;
        if (fabs(at(order, i, slices) - first - (double)i * step) > allowed_mm(step))
            return false;
    }
    return true;
}

static int double_compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The most frequent distance: the middle of the longest run of sorted distances that differ by less than is allowed;
   the smaller one of two runs of one length. */
static rvl_status usual_step(double *out, const rvl__stack *st, const rvl__slice *slices, rvl_error *err)
{
    const int64_t n = st->n_slices - 1;
    double       *steps = rvl_alloc_array((size_t)n, sizeof *steps);
    int64_t       best = 0;
    int64_t       from = 0;

    if (!steps)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot order slices: out of memory");
    for (int64_t i = 0; i < n; i++)
        steps[i] = at(st->slices, i + 1, slices) - at(st->slices, i, slices);
    qsort(steps, (size_t)n, sizeof *steps, double_compare);
    for (int64_t i = 0; i < n; i++) {
        while (steps[i] - steps[from] > allowed_mm(steps[from]))
            from++;
        if (i - from + 1 > best) {
            best = i - from + 1;
            *out = steps[(i + from) / 2];
        }
    }
    rvl_free(steps);
    return RVL_OK;
}

/* ---- verdicts ------------------------------------------------------------------------------------------------- */

/* The first refusal counts. */
static void refuse(rvl__stack *st, rvl_status status, const char *format, ...) RVL_PRINTF(3, 4);
static void refuse(rvl__stack *st, rvl_status status, const char *format, ...)
{
    va_list args;

    if (st->status)
        return;
    st->status = status;
    va_start(args, format);
    vsnprintf(st->reason, sizeof st->reason, format, args);
    va_end(args);
}

/* Distances that are no whole multiple of the usual one vary; the others are gaps. */
static rvl_status uneven_note(rvl__stack *st, const rvl__slice *slices, double step, rvl_error *err)
{
    enum { MAX_NOTES = 8 };
    int64_t    n_missing = 0;
    int64_t    n_gaps = 0;
    int64_t    n_varying = 0;
    double     least = step;
    double     most = step;
    double     first_mm = 0;
    rvl_status status = RVL_OK;

    for (int64_t i = 1; !status && i < st->n_slices; i++) {
        const double before = at(st->slices, i - 1, slices);
        const double way = at(st->slices, i, slices) - before;
        const double times = round(way / step);
        least = way < least ? way : least;
        most = way > most ? way : most;
        if (fabs(way - step) <= allowed_mm(step))
            continue;
        if (n_gaps + n_varying == 0)
            first_mm = before;
        bool is_gap = times >= 2 && times < 1e6 && fabs(way - times * step) <= allowed_mm(step) * times;
        n_gaps += is_gap;
        n_varying += !is_gap;
        n_missing += is_gap ? (int64_t)times - 1 : 0;
        if (n_gaps + n_varying <= MAX_NOTES)
            status = is_gap
                         ? rvl__stack_note(st, err, RVL_NOTE_GAP,
                                           "%lld of the slices at every %.4g mm are missing between %.2f and %.2f mm",
                                           (long long)times - 1, step, before, before + way)
                         : rvl__stack_note(st, err, RVL_NOTE_GAP,
                                           "%.4g mm between the slices at %.2f and %.2f mm, "
                                           "%.4g mm elsewhere",
                                           way, before, before + way, step);
    }
    if (n_varying)
        refuse(st, RVL_ERR_FORMAT,
               "the distance of slices varies from %.4g to %.4g mm, first at %.2f mm along the stack\nhint: "
               "--fill-gaps puts the slices onto even steps",
               least, most, first_mm);
    else if (n_gaps)
        refuse(
            st, RVL_ERR_FORMAT,
            "%lld slices are missing in %lld places, first behind %.2f mm along the stack\nhint: look for files that "
            "were not copied; --fill-gaps interpolates them",
            (long long)n_missing, (long long)n_gaps, first_mm);
    return status;
}

static void same_place_refuse(rvl__stack *st, const rvl__slice *slices)
{
    for (int64_t i = 1; i < st->n_slices; i++)
        if (at(st->slices, i, slices) - at(st->slices, i - 1, slices) <= RVL__SAME_PLACE_MM) {
            refuse(
                st, RVL_ERR_FORMAT,
                "different slices lie at one place (%.2f mm along the stack), and nothing in their headers tells them "
                "apart\nhint: give rvl the files of one acquisition only",
                at(st->slices, i, slices));
            return;
        }
}

/* Way of the slices within their plane: a tilt if it is the same at every step, else a shift. `first` and `last` are
   `extent` mm apart. */
static rvl_status tilt_find(rvl__stack *st, const rvl__slice *slices, const rvl_series_opts *opts, rvl_vec3 *drift,
                            rvl_error *err)
{
    const rvl_dicom_frame *first = &slices[st->slices[0]].frame;
    const rvl_dicom_frame *last = &slices[st->slices[st->n_slices - 1]].frame;
    const double           extent = at(st->slices, st->n_slices - 1, slices) - at(st->slices, 0, slices);
    const rvl_vec3         way = minus(last->position_mm, first->position_mm);
    const double           along_row = dot(way, first->row);
    const double           along_column = dot(way, first->column);
    const double           allowed = 0.05 + 0.1 * fmin(first->row_step_mm, first->column_step_mm);

    for (int64_t i = 1; i < st->n_slices; i++) {
        const rvl__slice *s = &slices[st->slices[i]];
        const rvl_vec3    to = minus(s->frame.position_mm, first->position_mm);
        const double      share = (s->at_mm - at(st->slices, 0, slices)) / extent;
        const double      x = dot(to, first->row) - along_row * share;
        const double      y = dot(to, first->column) - along_column * share;
        if (fabs(x) <= allowed && fabs(y) <= allowed)
            continue;
        refuse(st, RVL_ERR_FORMAT,
               "the slice at %.2f mm along the stack is shifted by %.2f mm within its plane against the line of the "
               "others",
               s->at_mm, sqrt(x * x + y * y));
        return rvl__stack_note(st, err, RVL_NOTE_GEOMETRY, "slices are shifted against each other");
    }
    const double angle = atan2(sqrt(along_row * along_row + along_column * along_column), extent) * DEGREES_OF_RADIAN;
    if (angle < TILT_MIN_DEG || sqrt(along_row * along_row + along_column * along_column) < TILT_MIN_MM)
        return RVL_OK;
    st->tilt_deg = angle;
    *drift = (rvl_vec3){along_row / extent, along_column / extent, 0};
    if (opts->tilt == RVL_TILT_REFUSE)
        refuse(st, RVL_ERR_UNSUPPORTED,
               "its gantry is tilted by %.1f degrees: its axes are not at right angles\nhint: --tilt correct resamples "
               "each slice within its plane, --tilt keep writes the oblique axis as it is",
               angle);
    return rvl__stack_note(st, err, RVL_NOTE_TILT, "the gantry is tilted by %.1f degrees%s", angle,
                           opts->tilt == RVL_TILT_CORRECT ? "; slices are moved back within their planes" : "");
}

/* ---- grid ----------------------------------------------------------------------------------------------------- */

static void column_set(rvl_grid *g, int j, rvl_vec3 v)
{
    g->direction[0][j] = v.x;
    g->direction[1][j] = v.y;
    g->direction[2][j] = v.z;
}

/* A single slice, or slices without a place. */
static rvl_status flat_grid(rvl__stack *st, const rvl__slice *s, rvl_error *err)
{
    const rvl_dicom_frame *f = &s->frame;
    rvl_grid              *g = &st->grid;
    double                 step = f->spacing_between_slices_mm;

    step = step > 0 && isfinite(step) ? step : f->slice_thickness_mm;
    step = step > 0 && isfinite(step) ? step : 1;
    g->has_spacing = f->has_spacing;
    g->has_geometry = f->has_spacing && f->has_position && f->has_orientation;
    g->spacing_mm = (rvl_vec3){f->column_step_mm, f->row_step_mm, step};
    g->direction[0][0] = g->direction[1][1] = g->direction[2][2] = 1;
    st->is_even = true;
    if (g->has_geometry) {
        g->origin_mm = f->position_mm;
        column_set(g, 0, f->row);
        column_set(g, 1, f->column);
        column_set(g, 2, cross(f->row, f->column));
        return RVL_OK;
    }
    if (st->n_slices > 1)
        refuse(st, RVL_ERR_FORMAT, "the files do not say where its %lld slices lie, and instance numbers are no order",
               (long long)st->n_slices);
    return rvl__stack_note(st, err, RVL_NOTE_GEOMETRY, "position, orientation or spacing is not known");
}

static rvl_status stack_grid(rvl__stack *st, const rvl__slice *slices, const rvl_series_opts *opts, rvl_error *err)
{
    const rvl_dicom_frame *f = &slices[st->slices[0]].frame;
    const double           first = at(st->slices, 0, slices);
    const double           extent = at(st->slices, st->n_slices - 1, slices) - first;
    rvl_vec3               normal = cross(f->row, f->column);
    rvl_vec3               drift = {0};
    rvl_grid              *g = &st->grid;
    double                 step = extent / (double)(st->n_slices - 1);
    rvl_status             status = RVL_OK;

    same_place_refuse(st, slices);
    if (st->status == RVL_OK)
        status = tilt_find(st, slices, opts, &drift, err);
    st->is_even = rvl__series_is_even(st->slices, st->n_slices, slices);
    if (!status && !st->is_even && extent > RVL__SAME_PLACE_MM && st->status != RVL_ERR_FORMAT) {
        status = usual_step(&step, st, slices, err);
        rvl_status before = st->status;
        if (!status)
            status = uneven_note(st, slices, step, err);
        if (opts->fill_gaps && before == RVL_OK && st->status) { /* allowed: the notes say it */
            st->status = RVL_OK;
            st->reason[0] = '\0';
        }
        step = extent / fmax(1, round(extent / step));
        g->depth = 1 + (int64_t)fmin(1e9, round(extent / step));
    }
    g->has_spacing = g->has_geometry = true;
    rvl_vec3     along = {normal.x + drift.x * f->row.x + drift.y * f->column.x,
                          normal.y + drift.x * f->row.y + drift.y * f->column.y,
                          normal.z + drift.x * f->row.z + drift.y * f->column.z};
    const double length = sqrt(dot(along, along));
    g->spacing_mm = (rvl_vec3){f->column_step_mm, f->row_step_mm, step > 0 ? step * length : 1};
    st->shear_mm = (rvl_vec3){drift.x * step, drift.y * step, 0};
    g->origin_mm = f->position_mm;
    column_set(g, 0, f->row);
    column_set(g, 1, f->column);
    column_set(g, 2, (rvl_vec3){along.x / length, along.y / length, along.z / length});
    if (st->tilt_deg > 0 && opts->tilt == RVL_TILT_CORRECT && st->status == RVL_OK)
        st->upright = rvl__series_unshear_grid(g, st->shear_mm);
    return status;
}

rvl_status rvl__series_order(rvl__stack *st, const rvl__slice *slices, const rvl_series_opts *opts, rvl_error *err)
{
    const rvl__slice *one = &slices[st->slices[0]];
    bool              has_place = one->frame.has_position && one->frame.has_orientation && one->frame.has_spacing;

    st->grid = (rvl_grid){.depth = st->n_slices, .height = one->rows, .width = one->columns};
    if (one->samples != 1)
        refuse(st, RVL_ERR_UNSUPPORTED, "its pixels are coloured");
    return st->n_slices == 1 || !has_place ? flat_grid(st, one, err) : stack_grid(st, slices, opts, err);
}

rvl_status rvl__stack_note(rvl__stack *st, rvl_error *err, rvl_series_note_kind kind, const char *format, ...)
{
    va_list args;

    if (st->n_notes == st->notes_capacity) {
        int64_t          n = st->notes_capacity ? 2 * st->notes_capacity : 4;
        rvl_series_note *more = rvl_realloc_array(st->notes, (size_t)n, sizeof *more);
        if (!more)
            return rvl_fail(err, RVL_ERR_NOMEM, "cannot order slices: out of memory");
        st->notes = more;
        st->notes_capacity = n;
    }
    rvl_series_note *note = &st->notes[st->n_notes++];
    note->kind = kind;
    va_start(args, format);
    vsnprintf(note->text, sizeof note->text, format, args);
    va_end(args);
    return RVL_OK;
}
