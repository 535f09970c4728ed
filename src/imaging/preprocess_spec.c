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

static bool is_side(int64_t n)
{
    return n >= 1 && n <= 65535;
}

static bool is_rising(double low, double high)
{
    return isfinite(low) && isfinite(high) && low < high;
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
    return RVL_OK;
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
        rvl_json_set(j, "resize", json_string("triangle-antialiased/1"));
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
    if (strcmp(rvl_json_get_string(j, "resize", ""), "triangle-antialiased/1") != 0)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED,
                        "preprocessing wants resize '%s', this version has triangle-antialiased/1",
                        rvl_json_get_string(j, "resize", ""));
    const char *modality = rvl_json_get_string(j, "modality", "");
    const char *view = rvl_json_get_string(j, "view", "");
    out->modality = rvl_modality_parse(modality);
    out->view = rvl_view_parse(view);
    if ((out->modality == RVL_MODALITY_UNKNOWN && strcmp(modality, rvl_modality_text(RVL_MODALITY_UNKNOWN)) != 0) ||
        (out->view == RVL_VIEW_UNKNOWN && strcmp(view, rvl_view_text(RVL_VIEW_UNKNOWN)) != 0))
        return rvl_fail(err, RVL_ERR_FORMAT, "preprocessing is for the unknown modality '%s' or view '%s'", modality,
                        view);
    memcpy(out->body_part, part, strlen(part) + 1);
    out->depth = rvl_json_get_i64(j, "depth", 0);
    out->height = rvl_json_get_i64(j, "height", 0);
    out->width = rvl_json_get_i64(j, "width", 0);
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

bool rvl_preprocess_equal(const rvl_preprocess *a, const rvl_preprocess *b)
{
    return a->modality == b->modality && a->view == b->view && strcmp(a->body_part, b->body_part) == 0 &&
           a->depth == b->depth && a->height == b->height && a->width == b->width && a->window == b->window &&
           !(a->window_a < b->window_a || a->window_a > b->window_a) &&
           !(a->window_b < b->window_b || a->window_b > b->window_b) &&
           !(a->out_low < b->out_low || a->out_low > b->out_low) &&
           !(a->out_high < b->out_high || a->out_high > b->out_high) && a->bits == b->bits;
}
