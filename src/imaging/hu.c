/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/hu.c
 * The rules about Hounsfield units, and nothing else. HU: water 0, air -1000 (DICOM PS3.3 C.11.1.1.2, Rescale Type HU).
 *
 * H1 What CT looks like. Of all voxels but padding, at least 2 % are air, lung or fat-poor lung border (-1060..-300),
 * at least 2 % soft tissue (-160..140), at most 2 % are above 3100. Measured on the 11 CT volumes of the project's test
 *    data (chest, abdomen, pelvis, legs): air 36..73 %, tissue 23..60 %. Shifted by -1024 the same volumes have at most
 *    1 % "tissue", shifted by +1024 no "air": the rule tells a shift of 1000 or more in either direction.
 * H2 Nothing is rescaled that is CT as it stands. CT-RATE v2 ("_fixed") holds HU, while its metadata table still lists
 *    RescaleIntercept -1024 or -8192; CT-CLIP's loader applied to it rescales twice (CT-CLIP issues 28 and 50).
 * H3 What is not CT as it stands but is after slope and intercept is raw: CT-RATE v1, whose NIfTI headers are blank.
 *    Without slope and intercept it is refused, with the shift that would fit (-1024, -8192).
 * H4 Fractions between -9 and 33 that are CT after multiplication by 1000 are HU / 1000: CT-CLIP's preprocessing saves
 *    such arrays ("arr_0", data_preprocess/preprocess_ctrate_valid.py).
 * H5 Two plausible readings, or none, stop with an explanation; a flag decides then. A flag that the values contradict
 *    (the other reading is plausible and this one is not) stops too.
 * H6 Below -1500 HU is padding and becomes air, -1024: scanners fill what is outside the round field of view with -2000
 *    (stored) or -2048, which an intercept of -1024 takes to -3024 and -3072; CT-RATE's intercept of -8192 takes 0 to
 *    -8192. Noise in air ends above: -1255 is the lowest voxel of the test data.
 * H7 Above 32,767 HU is no CT: the extended scale of metal ends at 30,710 (12 bits, slope 10, intercept -10,240).
 */
#include "imaging/hu.h"
#include "base/alloc.h"
#include <math.h>
#include <string.h>
#include <strings.h>

#define SHARE_LEAST 0.02 /* H1 */
#define SHARE_BEYOND_MOST 0.02

static const char *const kind_texts[] = {"auto", "hu", "raw", "hu/1000"};

const char *rvl_hu_kind_text(rvl_hu_kind kind)
{
    return kind_texts[kind];
}

bool rvl_hu_kind_parse(rvl_hu_kind *out, const char *text)
{
    for (size_t i = 0; i < RVL_ARRAY_LEN(kind_texts); i++) {
        if (strcasecmp(text, kind_texts[i]) == 0) {
            *out = (rvl_hu_kind)i;
            return true;
        }
    }
    return false;
}

typedef struct {
    double slope, intercept;
} scale;

/* H1 for one reading of the voxels, over a regular sample that walks through all columns. */
static bool looks_like_ct(const rvl_volume *v, scale s)
{
    enum { MAX_SAMPLE = 1 << 21 };
    const int64_t n = v->depth * v->height * v->width;
    const int64_t stride = n / MAX_SAMPLE + 1;
    int64_t       n_seen = 0;
    int64_t       n_air = 0;
    int64_t       n_tissue = 0;
    int64_t       n_beyond = 0;

    for (int64_t k = 0; k < n / stride; k++) {
        const double hu = s.slope * rvl_volume_at(v, k * stride + k % stride) + s.intercept;
        if (hu < RVL_HU_PADDING_BELOW)
            continue;
        n_seen++;
        n_air += hu >= -1060 && hu <= -300;
        n_tissue += hu >= -160 && hu <= 140;
        n_beyond += hu > 3100;
    }
    const double all = (double)(n_seen > 0 ? n_seen : 1);
    return (double)n_air >= SHARE_LEAST * all && (double)n_tissue >= SHARE_LEAST * all &&
           (double)n_beyond <= SHARE_BEYOND_MOST * all;
}

typedef struct {
    double low, high;
    bool   is_whole;
} range;

static rvl_status range_of(range *r, const rvl_volume *v, rvl_error *err)
{
    int64_t n_bad = 0;

    *r = (range){.low = INFINITY, .high = -INFINITY, .is_whole = true};
    for (int64_t i = 0; i < v->depth * v->height * v->width; i++) {
        const double x = rvl_volume_at(v, i);
        if (!isfinite(x)) {
            n_bad++;
            continue;
        }
        r->low = x < r->low ? x : r->low;
        r->high = x > r->high ? x : r->high;
        r->is_whole = r->is_whole && !(floor(x) < x);
    }
    return n_bad == 0
               ? RVL_OK
               : rvl_fail(err, RVL_ERR_NUMERIC, "%lld voxels are NaN or Inf, which no CT value is", (long long)n_bad);
}

/* The shift that would make CT of the values, for the explanation; false if none of the usual does. */
static bool usual_shift(double *shift, const rvl_volume *v)
{
    static const double shifts[] = {-1024, -8192, -1000, 1024, 8192};

    for (size_t i = 0; i < RVL_ARRAY_LEN(shifts); i++) {
        if (looks_like_ct(v, (scale){1, shifts[i]})) {
            *shift = shifts[i];
            return true;
        }
    }
    return false;
}

/* H5: neither as they stand nor as said are they CT. */
static rvl_status no_reading(const rvl_volume *v, const range *r, rvl_error *err)
{
    double shift = 0;

    if (usual_shift(&shift, v) && shift < 0)
        return rvl_fail(
            err, RVL_ERR_UNSUPPORTED,
            "values of %g to %g are no HU: they look like raw CT values that lack slope and intercept\nhint: "
            "they would be HU with --rescale 1,%g (look into the metadata table)",
            r->low, r->high, shift);
    if (usual_shift(&shift, v))
        return rvl_fail(err, RVL_ERR_UNSUPPORTED,
                        "values of %g to %g are no HU: they look like HU that were rescaled twice, %g too low", r->low,
                        r->high, shift);
    return rvl_fail(err, RVL_ERR_UNSUPPORTED,
                    "values of %g to %g do not look like CT: air (-1000 HU) and soft tissue (0 to 100 HU) are not both "
                    "there\nhint: --unit hu says that they are HU all the same, --unit arbitrary that they are no CT",
                    r->low, r->high);
}

/* Which reading holds (H2 to H5), and the scale that goes with it. */
static rvl_status choose(rvl_hu_report *found, scale *s, const rvl_volume *v, const rvl_hu_opts *o, const range *r,
                         rvl_error *err)
{
    static const scale same = {1, 0};
    const scale        given = {o->slope, o->intercept};
    const scale        thousand = {1000, 0};
    const bool         moves = o->has_rescale && (given.slope < 1 || given.slope > 1 || fabs(given.intercept) > 0);
    const bool         is_ct = looks_like_ct(v, same);
    const bool         is_ct_given = moves && looks_like_ct(v, given);
    const bool         is_ct_thousand =
        (!r->is_whole || o->kind == RVL_HU_THOUSANDTHS) && r->low >= -9 && r->high <= 33 && looks_like_ct(v, thousand);

    if (o->kind == RVL_HU_RAW && !o->has_rescale)
        return rvl_fail(err, RVL_ERR_USAGE,
                        "raw values become HU by slope and intercept, which are not given\nhint: "
                        "--rescale SLOPE,INTERCEPT");
    found->kind = o->kind;
    if (o->kind == RVL_HU_AUTO) {
        if (is_ct + is_ct_given + is_ct_thousand > 1)
            return rvl_fail(
                err, RVL_ERR_UNSUPPORTED,
                "values of %g to %g could be HU as they are and after slope %g, intercept %g\nhint: --unit hu "
                "or --unit raw says which",
                r->low, r->high, given.slope, given.intercept);
        if (!is_ct && !is_ct_given && !is_ct_thousand)
            return no_reading(v, r, err);
        found->kind = is_ct ? RVL_HU_ALREADY : is_ct_given ? RVL_HU_RAW : RVL_HU_THOUSANDTHS;
    }
    if (found->kind == RVL_HU_RAW && moves && is_ct && !is_ct_given)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED,
                        "values of %g to %g are HU already: slope %g and intercept %g would rescale them twice", r->low,
                        r->high, given.slope, given.intercept);
    if (found->kind == RVL_HU_ALREADY && !is_ct && is_ct_given)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED,
                        "values of %g to %g are said to be HU, but are CT only after slope %g and intercept %g", r->low,
                        r->high, given.slope, given.intercept);
    *s = found->kind == RVL_HU_RAW ? given : found->kind == RVL_HU_THOUSANDTHS ? thousand : same;
    found->was_rescaled = found->kind == RVL_HU_THOUSANDTHS || (found->kind == RVL_HU_RAW && moves);
    found->is_plausible = found->kind == RVL_HU_RAW           ? is_ct_given || (!moves && is_ct)
                          : found->kind == RVL_HU_THOUSANDTHS ? is_ct_thousand
                                                              : is_ct;
    return RVL_OK;
}

static void put_hu(void *to, rvl_voxel_type type, int64_t i, double hu)
{
    if (type == RVL_VOXEL_I16)
        ((int16_t *)to)[i] = (int16_t)hu;
    else
        ((float *)to)[i] = (float)hu;
}

/* Scale and clear all voxels into fresh memory (H6). */
static rvl_status convert(rvl_volume *v, scale s, bool is_whole, rvl_hu_report *found, rvl_error *err)
{
    const rvl_voxel_type type = is_whole ? RVL_VOXEL_I16 : RVL_VOXEL_F32;
    const int64_t        n = v->depth * v->height * v->width;
    void                *to = rvl_alloc_array((size_t)n, rvl_voxel_bytes(type));

    if (!to)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for %lld HU voxels", (long long)n);
    found->low = INFINITY;
    found->high = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        double hu = s.slope * rvl_volume_at(v, i) + s.intercept;
        if (hu < RVL_HU_PADDING_BELOW) {
            hu = RVL_HU_AIR;
            found->n_padding++;
        } else {
            found->low = hu < found->low ? hu : found->low;
            found->high = hu > found->high ? hu : found->high;
        }
        put_hu(to, type, i, hu);
    }
    rvl_free(v->voxels);
    v->voxels = to;
    v->type = type;
    v->unit = RVL_UNIT_HU;
    v->modality = RVL_MODALITY_CT;
    return RVL_OK;
}

static bool is_whole_number(double x)
{
    return !(floor(x) < x);
}

rvl_status rvl_hu_make(rvl_volume *v, const rvl_hu_opts *opts, rvl_hu_report *report, rvl_error *err)
{
    static const rvl_hu_opts automatic = {.kind = RVL_HU_AUTO};
    rvl_hu_opts              o = opts ? *opts : automatic;
    rvl_hu_report            found = {.kind = RVL_HU_ALREADY};
    scale                    s = {1, 0};
    range                    r;

    if (v->unit == RVL_UNIT_HU)
        o = (rvl_hu_opts){.kind = RVL_HU_ALREADY};
    if (o.has_rescale && !(isfinite(o.slope) && isfinite(o.intercept) && (o.slope > 0 || o.slope < 0)))
        return rvl_fail(err, RVL_ERR_USAGE, "slope %g and intercept %g rescale nothing", o.slope, o.intercept);
    rvl_status st = range_of(&r, v, err);
    if (!st)
        st = choose(&found, &s, v, &o, &r, err);
    if (st)
        return st;
    const double highest = fmax(s.slope * r.high + s.intercept, s.slope * r.low + s.intercept);
    if (highest > 32767) /* H7 */
        return rvl_fail(err, RVL_ERR_LIMIT, "a voxel would have %g HU; the CT scale ends at 30710, even with metal",
                        highest);
    st = convert(v, s, r.is_whole && is_whole_number(s.slope) && is_whole_number(s.intercept), &found, err);
    if (!st && report)
        *report = found;
    return st;
}
