/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/preprocess_spec.c
 * The preprocessing spec as canonical JSON, its hash, equality.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "base/util.h"
#include "imaging/preprocess.h"
#include <math.h>
#include <string.h>

static const char *const window_names[] = {"robust", "fixed", "range", "voi"};
static const char *const rule_names[] = {[RVL_RESAMPLE_CENTRE] = "centre", [RVL_RESAMPLE_CT_CLIP] = "ct-clip"};
#define RESIZE_IMAGES "triangle-antialiased/1"
#define RESIZE_VOLUMES "trilinear/1"

static bool is_side(int64_t n)
{
    return n >= 1 && n <= 65535;
}

static bool is_rising(double low, double high)
{
    return isfinite(low) && isfinite(high) && low < high;
}

static bool is_side_or_none(int64_t load, int64_t side)
{
    return load == 0 || (load >= side && is_side(load));
}

static bool is_orient(const char *codes)
{
    static const char letters[] = "LPSRAI";
    int               seen = 0;

    for (int a = 0; codes[a]; a++)
        seen |= strchr(letters, codes[a]) ? 1 << (strchr(letters, codes[a]) - letters) % 3 : 8;
    return !*codes || (strlen(codes) == 3 && seen == 7);
}

/* What only volumes have. */
static rvl_status check_volume(const rvl_preprocess *p, rvl_status failure, rvl_error *err)
{
    const double mm[3] = {p->spacing_mm.x, p->spacing_mm.y, p->spacing_mm.z};
    int          n_given = 0;

    for (int a = 0; a < 3; a++) {
        if (!(mm[a] >= 0) || !isfinite(mm[a]))
            return rvl_fail(err, failure, "preprocessing to a spacing of %g x %g x %g mm is not possible", mm[0], mm[1],
                            mm[2]);
        n_given += mm[a] > 0;
    }
    if (n_given != 0 && n_given != 3)
        return rvl_fail(err, failure, "preprocessing needs a spacing for all three axes or for none");
    if (!is_side_or_none(p->load_depth, p->depth) || !is_side_or_none(p->load_height, p->height) ||
        !is_side_or_none(p->load_width, p->width))
        return rvl_fail(err, failure, "preprocessing to packs of %lld x %lld x %lld, smaller than the model's grid",
                        (long long)p->load_depth, (long long)p->load_height, (long long)p->load_width);
    if (p->window != RVL_WINDOW_FIXED)
        return rvl_fail(err, failure, "the window of a volume is fixed: window_low to window_high in its unit");
    if (!is_orient(p->orient))
        return rvl_fail(err, failure, "'%s' is no orientation: three letters, one each of L or R, P or A, S or I",
                        p->orient);
    if (p->resample == RVL_RESAMPLE_CT_CLIP && (p->orient[0] || n_given == 0))
        return rvl_fail(err, failure, "the convention [ct-clip] needs a spacing and takes the file's axes as they are");
    return RVL_OK;
}

rvl_status rvl__preprocess_check(const rvl_preprocess *p, rvl_status failure, rvl_error *err)
{
    if (!is_side(p->depth) || !is_side(p->height) || !is_side(p->width) || (p->bits != 8 && p->bits != 16))
        return rvl_fail(err, failure, "preprocessing to %lld x %lld x %lld at %d bits is not possible",
                        (long long)p->depth, (long long)p->height, (long long)p->width, p->bits);
    bool is_percent = p->window == RVL_WINDOW_ROBUST;
    if ((is_percent && (p->window_a < 0 || p->window_b > 100)) ||
        (p->window < RVL_WINDOW_RANGE && !is_rising(p->window_a, p->window_b)))
        return rvl_fail(err, failure, "preprocessing with the window %g .. %g%s is not possible", p->window_a,
                        p->window_b, is_percent ? " percent" : "");
    if (!is_rising(p->out_low, p->out_high))
        return rvl_fail(err, failure, "preprocessing to the range %g .. %g is not possible", p->out_low, p->out_high);
    return rvl_preprocess_is_volume(p) ? check_volume(p, failure, err) : RVL_OK;
}

bool rvl_preprocess_is_volume(const rvl_preprocess *p)
{
    return p->depth > 1;
}

int rvl_preprocess_extents(int64_t out[3], const rvl_preprocess *p)
{
    const bool is_volume = rvl_preprocess_is_volume(p);

    out[0] = p->depth;
    out[is_volume ? 1 : 0] = p->height;
    out[is_volume ? 2 : 1] = p->width;
    if (!is_volume)
        out[2] = 0;
    return is_volume ? 3 : 2;
}

int64_t rvl_preprocess_count(const rvl_preprocess *p)
{
    return p->depth * p->height * p->width;
}

void rvl_preprocess_load_sides(int64_t out[3], const rvl_preprocess *p)
{
    out[0] = p->load_depth ? p->load_depth : p->depth;
    out[1] = p->load_height ? p->load_height : p->height;
    out[2] = p->load_width ? p->load_width : p->width;
}

/* The keys of a volume: images have none of them, so that their hashes stay what they were. */
static bool volume_to_json(json_t *j, const rvl_preprocess *p)
{
    int64_t load[3];
    rvl_preprocess_load_sides(load, p);
    json_t *spacing = json_pack("[o,o,o]", rvl_json_real(p->spacing_mm.x), rvl_json_real(p->spacing_mm.y),
                                rvl_json_real(p->spacing_mm.z));
    json_t *sides = json_pack("[I,I,I]", (json_int_t)load[0], (json_int_t)load[1], (json_int_t)load[2]);

    return rvl_json_set(j, "spacing_mm", spacing) && rvl_json_set(j, "load", sides) &&
           rvl_json_set(j, "rule", json_string(rule_names[p->resample])) &&
           rvl_json_set(j, "orient", json_string(p->orient));
}

/* A list of three numbers; false if it is none. */
static bool three(double out[3], const json_t *list)
{
    for (size_t a = 0; a < 3; a++) {
        const json_t *x = json_array_get(list, a);
        if (json_array_size(list) != 3 || !json_is_number(x))
            return false;
        out[a] = json_number_value(x);
    }
    return true;
}

static bool volume_from_json(rvl_preprocess *out, const json_t *j)
{
    const char *rule = rvl_json_get_string(j, "rule", "");
    const char *orient = rvl_json_get_string(j, "orient", "");
    double      mm[3], load[3];

    if (!three(mm, json_object_get(j, "spacing_mm")) || !three(load, json_object_get(j, "load")) ||
        strlen(orient) > 3 || (strcmp(rule, rule_names[0]) != 0 && strcmp(rule, rule_names[1]) != 0))
        return false;
    for (int a = 0; a < 3; a++)
        if (!(load[a] >= 1 && load[a] <= 65535))
            return false;
    out->spacing_mm = (rvl_vec3){mm[0], mm[1], mm[2]};
    out->load_depth = (int64_t)load[0] == out->depth ? 0 : (int64_t)load[0];
    out->load_height = (int64_t)load[1] == out->height ? 0 : (int64_t)load[1];
    out->load_width = (int64_t)load[2] == out->width ? 0 : (int64_t)load[2];
    out->resample = strcmp(rule, rule_names[1]) == 0 ? RVL_RESAMPLE_CT_CLIP : RVL_RESAMPLE_CENTRE;
    memcpy(out->orient, orient, strlen(orient) + 1);
    return true;
}

rvl_status rvl_preprocess_to_json(json_t **out, const rvl_preprocess *p, rvl_error *err)
{
    json_t *j = json_object();
    bool    ok =
        j && rvl_json_set(j, "modality", json_string(rvl_modality_text(p->modality))) &&
        rvl_json_set(j, "view", json_string(rvl_view_text(p->view))) &&
        rvl_json_set(j, "body_part", json_string(p->body_part)) && rvl_json_set(j, "depth", json_integer(p->depth)) &&
        rvl_json_set(j, "height", json_integer(p->height)) && rvl_json_set(j, "width", json_integer(p->width)) &&
        rvl_json_set(j, "window", json_string(window_names[p->window])) &&
        rvl_json_set(j, "window_a", rvl_json_real(p->window_a)) &&
        rvl_json_set(j, "window_b", rvl_json_real(p->window_b)) &&
        rvl_json_set(j, "out_low", rvl_json_real(p->out_low)) &&
        rvl_json_set(j, "out_high", rvl_json_real(p->out_high)) && rvl_json_set(j, "bits", json_integer(p->bits)) &&
        rvl_json_set(j, "resize", json_string(rvl_preprocess_is_volume(p) ? RESIZE_VOLUMES : RESIZE_IMAGES)) &&
        (!rvl_preprocess_is_volume(p) || volume_to_json(j, p));
    if (!ok) {
        json_decref(j);
        *out = NULL;
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the preprocessing spec");
    }
    *out = j;
    return RVL_OK;
}

rvl_status rvl_preprocess_from_json(rvl_preprocess *out, const json_t *j, rvl_error *err)
{
    const char *window = rvl_json_get_string(j, "window", "");
    const char *part = rvl_json_get_string(j, "body_part", "");
    size_t      kind = 0;

    memset(out, 0, sizeof *out);
    while (kind < RVL_ARRAY_LEN(window_names) && strcmp(window, window_names[kind]) != 0)
        kind++;
    if (kind == RVL_ARRAY_LEN(window_names) || strlen(part) >= sizeof out->body_part)
        return rvl_fail(err, RVL_ERR_FORMAT, "preprocessing has the unknown window '%s' or body part '%s'", window,
                        part);
    out->depth = rvl_json_get_i64(j, "depth", 0);
    out->height = rvl_json_get_i64(j, "height", 0);
    out->width = rvl_json_get_i64(j, "width", 0);
    const char *resize = rvl_preprocess_is_volume(out) ? RESIZE_VOLUMES : RESIZE_IMAGES;
    if (strcmp(rvl_json_get_string(j, "resize", ""), resize) != 0)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "preprocessing wants resize '%s', this version has %s",
                        rvl_json_get_string(j, "resize", ""), resize);
    if (rvl_preprocess_is_volume(out) && !volume_from_json(out, j))
        return rvl_fail(err, RVL_ERR_FORMAT,
                        "preprocessing of volumes lacks a usable spacing_mm, load, rule or orient");
    const char *modality = rvl_json_get_string(j, "modality", "");
    const char *view = rvl_json_get_string(j, "view", "");
    out->modality = rvl_modality_parse(modality);
    out->view = rvl_view_parse(view);
    if ((out->modality == RVL_MODALITY_UNKNOWN && strcmp(modality, rvl_modality_text(RVL_MODALITY_UNKNOWN)) != 0) ||
        (out->view == RVL_VIEW_UNKNOWN && strcmp(view, rvl_view_text(RVL_VIEW_UNKNOWN)) != 0))
        return rvl_fail(err, RVL_ERR_FORMAT, "preprocessing is for the unknown modality '%s' or view '%s'", modality,
                        view);
    memcpy(out->body_part, part, strlen(part) + 1);
    out->window = (rvl_window_kind)kind;
    out->window_a = rvl_json_get_f64(j, "window_a", 0);
    out->window_b = rvl_json_get_f64(j, "window_b", 0);
    out->out_low = rvl_json_get_f64(j, "out_low", -1);
    out->out_high = rvl_json_get_f64(j, "out_high", 1);
    out->bits = (int)rvl_json_get_i64(j, "bits", 0);
    return rvl__preprocess_check(out, RVL_ERR_FORMAT, err);
}

rvl_status rvl_preprocess_hash(char out[17], const rvl_preprocess *spec, rvl_error *err)
{
    static const char digits[] = "0123456789abcdef";
    json_t           *j = NULL;
    char             *text = NULL;
    rvl_status        st = rvl_preprocess_to_json(&j, spec, err);

    out[0] = '\0';
    if (!st)
        st = rvl_json_format(&text, j, 0, err);
    if (!st) {
        uint64_t h = rvl_hash64(text, strlen(text));
        for (int i = 0; i < 16; i++)
            out[i] = digits[(h >> (60 - 4 * i)) & 15];
        out[16] = '\0';
    }
    rvl_free(text);
    json_decref(j);
    return st;
}

static bool is_same(double a, double b)
{
    return !(a < b || a > b);
}

static bool volume_equal(const rvl_preprocess *a, const rvl_preprocess *b)
{
    int64_t load_a[3], load_b[3];

    rvl_preprocess_load_sides(load_a, a);
    rvl_preprocess_load_sides(load_b, b);
    return memcmp(load_a, load_b, sizeof load_a) == 0 && is_same(a->spacing_mm.x, b->spacing_mm.x) &&
           is_same(a->spacing_mm.y, b->spacing_mm.y) && is_same(a->spacing_mm.z, b->spacing_mm.z) &&
           a->resample == b->resample && strcmp(a->orient, b->orient) == 0;
}

bool rvl_preprocess_equal(const rvl_preprocess *a, const rvl_preprocess *b)
{
    return a->modality == b->modality && a->view == b->view && strcmp(a->body_part, b->body_part) == 0 &&
           a->depth == b->depth && a->height == b->height && a->width == b->width && a->window == b->window &&
           is_same(a->window_a, b->window_a) && is_same(a->window_b, b->window_b) && is_same(a->out_low, b->out_low) &&
           is_same(a->out_high, b->out_high) && a->bits == b->bits && volume_equal(a, b);
}
