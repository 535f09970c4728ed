/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/resample.c
 * Trilinear and nearest resampling: axis by axis where axes stay parallel, point by point onto any grid. Sums in f64.
 */
#include "imaging/resample.h"
#include "base/alloc.h"
#include <math.h>
#include <string.h>

/* One axis: for output i, the two source voxels and the weight of the second. */
typedef struct {
    int64_t *low, *high;
    double  *weight;
} taps;

static void taps_fini(taps *t)
{
    rvl_free(t->low);
    rvl_free(t->high);
    rvl_free(t->weight);
}

static double clamped(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* Output i lies at source voxel first + i * step, kept inside. */
static rvl_status taps_init(taps *t, int64_t n_in, int64_t n_out, double first, double step, rvl_interpolation how,
                            rvl_error *err)
{
    t->low = rvl_alloc_array((size_t)n_out, sizeof *t->low);
    t->high = rvl_alloc_array((size_t)n_out, sizeof *t->high);
    t->weight = rvl_alloc_array((size_t)n_out, sizeof *t->weight);
    if (!t->low || !t->high || !t->weight)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for resampling");
    for (int64_t i = 0; i < n_out; i++) {
        double at = clamped(first + (double)i * step, 0, (double)(n_in - 1));
        if (how == RVL_INTERPOLATE_NEAREST)
            at = floor(at + 0.5);
        t->low[i] = (int64_t)floor(at);
        t->high[i] = t->low[i] + 1 < n_in ? t->low[i] + 1 : n_in - 1;
        t->weight[i] = at - floor(at);
    }
    return RVL_OK;
}

void rvl_volume_set(rvl_volume *v, int64_t i, double value)
{
    switch (v->type) {
    case RVL_VOXEL_U8:
        ((uint8_t *)v->voxels)[i] = (uint8_t)clamped(floor(value + 0.5), 0, 255);
        return;
    case RVL_VOXEL_U16:
        ((uint16_t *)v->voxels)[i] = (uint16_t)clamped(floor(value + 0.5), 0, 65535);
        return;
    case RVL_VOXEL_I16:
        ((int16_t *)v->voxels)[i] = (int16_t)clamped(floor(value + 0.5), -32768, 32767);
        return;
    case RVL_VOXEL_F32:
        ((float *)v->voxels)[i] = (float)value;
        return;
    }
}

typedef struct {
    const rvl_volume *v;
    taps              axis[3]; /* width, height, depth */
} source;

/* A row of the source mixed from its four neighbours in height and depth. */
static void mix_rows(double *row, const source *s, int64_t z, int64_t y)
{
    const taps   *ty = &s->axis[1];
    const taps   *tz = &s->axis[2];
    const int64_t w = s->v->width;
    const int64_t at[4] = {(tz->low[z] * s->v->height + ty->low[y]) * w, (tz->low[z] * s->v->height + ty->high[y]) * w,
                           (tz->high[z] * s->v->height + ty->low[y]) * w,
                           (tz->high[z] * s->v->height + ty->high[y]) * w};
    const double  b = ty->weight[y];
    const double  c = tz->weight[z];
    const double  weight[4] = {(1 - c) * (1 - b), (1 - c) * b, c * (1 - b), c * b};

    memset(row, 0, (size_t)w * sizeof *row);
    for (int k = 0; k < 4; k++)
        for (int64_t x = 0; weight[k] > 0 && x < w; x++)
            row[x] += weight[k] * rvl_volume_at(s->v, at[k] + x);
}

static rvl_status resample_voxels(rvl_volume *out, const source *s, rvl_error *err)
{
    const taps *tx = &s->axis[0];
    double     *row = rvl_alloc_array((size_t)s->v->width, sizeof *row);
    bool        is_finite = true;

    if (!row)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for resampling");
    for (int64_t z = 0; z < out->depth; z++) {
        for (int64_t y = 0; y < out->height; y++) {
            mix_rows(row, s, z, y);
            for (int64_t x = 0; x < out->width; x++) {
                double a = tx->weight[x];
                double value = a > 0 ? (1 - a) * row[tx->low[x]] + a * row[tx->high[x]] : row[tx->low[x]];
                is_finite = is_finite && isfinite(value);
                rvl_volume_set(out, (z * out->height + y) * out->width + x, is_finite ? value : 0);
            }
        }
    }
    rvl_free(row);
    return is_finite ? RVL_OK : rvl_fail(err, RVL_ERR_NUMERIC, "cannot resample a volume with NaN or Inf");
}

/* Side and place of one axis: n' voxels, voxel j at source voxel first + j * step. */
static void resampled_axis(int64_t *n_out, double *first, double *step, int64_t n, double from_mm, double to_mm,
                           rvl_resample_rule rule)
{
    if (rule == RVL_RESAMPLE_CT_CLIP) {
        double side = (double)n * (from_mm / to_mm); /* in this order: it decides about the last voxel */
        *n_out = side < 1e9 ? (int64_t)side : INT64_MAX;
        *step = *n_out > 0 ? (double)n / (double)*n_out : 1;
        *first = 0.5 * *step - 0.5;
        return;
    }
    double side = floor((double)n * from_mm / to_mm + 0.5);
    *n_out = side < 1 ? 1 : side < 1e9 ? (int64_t)side : INT64_MAX;
    *step = to_mm / from_mm;
    *first = (0.5 - 0.5 * (double)*n_out) * *step + 0.5 * (double)n - 0.5;
}

typedef struct {
    int64_t side[3];
    double  first[3], step[3];
} plan;

static rvl_status plan_make(plan *p, const rvl_grid *g, rvl_vec3 to_mm, rvl_resample_rule rule, rvl_error *err)
{
    const int64_t side[3] = {g->width, g->height, g->depth};
    const double  from[3] = {g->spacing_mm.x, g->spacing_mm.y, g->spacing_mm.z};
    const double  to[3] = {to_mm.x, to_mm.y, to_mm.z};

    if (!g->has_spacing)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot resample a volume whose spacing is not known");
    for (int a = 0; a < 3; a++) {
        if (!(to[a] > 0) || !isfinite(to[a]))
            return rvl_fail(err, RVL_ERR_USAGE, "cannot resample to a spacing of %g x %g x %g mm", to[0], to[1], to[2]);
        resampled_axis(&p->side[a], &p->first[a], &p->step[a], side[a], from[a], to[a], rule);
        if (p->side[a] < 1)
            return rvl_fail(err, RVL_ERR_USAGE, "cannot resample %lld voxels of %g mm to %g mm: none would be left",
                            (long long)side[a], from[a], to[a]);
    }
    if (p->side[0] > INT32_MAX / p->side[1] || p->side[0] * p->side[1] > INT32_MAX / p->side[2])
        return rvl_fail(err, RVL_ERR_LIMIT, "a spacing of %g x %g x %g mm gives more than 2^31 voxels", to[0], to[1],
                        to[2]);
    return RVL_OK;
}

/* The result's sides and place from the plan. */
static rvl_grid plan_grid(const plan *p, const rvl_grid *g)
{
    const rvl_affine_map to_source = {
        {{p->step[0], 0, 0, p->first[0]}, {0, p->step[1], 0, p->first[1]}, {0, 0, p->step[2], p->first[2]}}};
    const rvl_affine_map source_affine = rvl_grid_affine(g);
    const rvl_affine_map affine = rvl_affine_after(&source_affine, &to_source);
    rvl_grid             out = *g;

    out.width = p->side[0];
    out.height = p->side[1];
    out.depth = p->side[2];
    (void)rvl_grid_place(&out, &affine); /* the source's columns, scaled: not dependent */
    out.has_spacing = g->has_spacing;
    out.has_geometry = g->has_geometry;
    return out;
}

rvl_status rvl_grid_resampled(rvl_grid *out, const rvl_grid *g, rvl_vec3 to_mm, rvl_resample_rule rule, rvl_error *err)
{
    plan       p;
    rvl_status st = plan_make(&p, g, to_mm, rule, err);

    if (!st)
        *out = plan_grid(&p, g);
    return st;
}

rvl_status rvl_volume_resample(rvl_volume **out, const rvl_volume *v, rvl_vec3 to_mm, rvl_resample_rule rule,
                               rvl_interpolation how, bool keep_type, rvl_error *err)
{
    const rvl_grid g = rvl_volume_grid(v);
    const int64_t  side[3] = {v->width, v->height, v->depth};
    source         s = {.v = v};
    plan           p;
    rvl_volume    *w = NULL;
    rvl_status     st = plan_make(&p, &g, to_mm, rule, err);

    *out = NULL;
    for (int a = 0; !st && a < 3; a++)
        st = taps_init(&s.axis[a], side[a], p.side[a], p.first[a], p.step[a], how, err);
    if (!st)
        st = rvl_volume_new(&w, keep_type || how == RVL_INTERPOLATE_NEAREST ? v->type : RVL_VOXEL_F32, p.side[2],
                            p.side[1], p.side[0], err);
    if (!st)
        st = resample_voxels(w, &s, err);
    for (int a = 0; a < 3; a++)
        taps_fini(&s.axis[a]);
    if (st) {
        rvl_volume_free(w);
        return st;
    }
    const rvl_grid placed = plan_grid(&p, &g);
    rvl_volume_copy_facts(w, v);
    rvl_volume_set_grid(w, &placed);
    *out = w;
    return RVL_OK;
}

/* The value at a point between voxel centres; false if the point is outside all voxels. */
static bool value_at(double *value, const rvl_volume *v, rvl_vec3 p, rvl_interpolation how)
{
    const int64_t n[3] = {v->width, v->height, v->depth};
    const double  at[3] = {p.x, p.y, p.z};
    int64_t       low[3];
    int64_t       high[3];
    double        weight[3];

    for (int a = 0; a < 3; a++) {
        if (!(at[a] >= -0.5 && at[a] <= (double)n[a] - 0.5))
            return false;
        double x = clamped(at[a], 0, (double)(n[a] - 1));
        if (how == RVL_INTERPOLATE_NEAREST)
            x = clamped(floor(at[a] + 0.5), 0, (double)(n[a] - 1));
        low[a] = (int64_t)floor(x);
        high[a] = low[a] + 1 < n[a] ? low[a] + 1 : low[a];
        weight[a] = x - floor(x);
    }
    *value = 0;
    for (int k = 0; k < 8; k++) {
        double w = (k & 1 ? weight[0] : 1 - weight[0]) * (k & 2 ? weight[1] : 1 - weight[1]) *
                   (k & 4 ? weight[2] : 1 - weight[2]);
        if (w > 0)
            *value +=
                w * rvl_volume_at(v, ((k & 4 ? high[2] : low[2]) * v->height + (k & 2 ? high[1] : low[1])) * v->width +
                                         (k & 1 ? high[0] : low[0]));
    }
    return true;
}

rvl_status rvl_volume_onto(rvl_volume **out, const rvl_volume *v, const rvl_grid *grid, rvl_interpolation how,
                           double outside, rvl_error *err)
{
    const rvl_grid from = rvl_volume_grid(v);
    rvl_volume    *w = NULL;
    rvl_affine_map to_source;
    bool           is_finite = true;

    *out = NULL;
    if (!rvl_grid_map_between(&to_source, grid, &from))
        return rvl_fail(err, RVL_ERR_SHAPE, "cannot resample a volume whose axes are dependent");
    rvl_status st = rvl_volume_new(&w, v->type, grid->depth, grid->height, grid->width, err);
    if (st)
        return st;
    for (int64_t i = 0; i < w->depth * w->height * w->width; i++) {
        const rvl_vec3 p = {(double)(i % w->width), (double)(i / w->width % w->height),
                            (double)(i / w->width / w->height)};
        double         value = outside;
        (void)value_at(&value, v, rvl_affine_apply(&to_source, p), how);
        is_finite = is_finite && isfinite(value);
        rvl_volume_set(w, i, is_finite ? value : 0);
    }
    if (!is_finite) {
        rvl_volume_free(w);
        return rvl_fail(err, RVL_ERR_NUMERIC, "cannot resample a volume with NaN or Inf");
    }
    rvl_volume_copy_facts(w, v);
    rvl_volume_set_grid(w, grid);
    *out = w;
    return RVL_OK;
}
