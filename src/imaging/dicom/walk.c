/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/walk.c
 * A first walk over the structure of a data set, before DCMTK sees it.
 *
 * DCMTK takes the memory an element says it needs before it looks how much there is, and goes down into nested
 * sequences by recursion. The walk takes neither: it refuses what reaches past the end or nests deeper than MAX_DEPTH.
 * What is merely odd is left to DCMTK.
 */
#include "imaging/dicom/dcmtk.h"
#include "imaging/dicom/internal.h"
#include <string.h>

enum { MAX_DEPTH = 32 };
#define UNDEFINED 0xffffffffU

typedef enum { LEVEL_ELEMENTS, LEVEL_ITEMS, LEVEL_FRAGMENTS } level_kind;
typedef struct {
    level_kind kind;
    bool       is_implicit;
    size_t     end;   /* SIZE_MAX: until its delimiter */
    size_t     limit; /* where the nearest of the levels around it ends */
} level;

typedef struct {
    const rvl_dicom *d;
    rvl_span         data;
    bool             is_big_endian, stops_at_pixels;
    size_t           at;
    int              depth;
    level            levels[MAX_DEPTH + 1];
} walk;

typedef struct {
    uint32_t group, element, n_bytes;
    size_t   n_head;
    char     vr[3]; /* "" if implicit */
} head;

static uint32_t read16(const walk *w, size_t at)
{
    const uint8_t *p = w->data.ptr + at;
    return w->is_big_endian ? (uint32_t)p[0] << 8 | p[1] : (uint32_t)p[1] << 8 | p[0];
}

static uint32_t read32(const walk *w, size_t at)
{
    return w->is_big_endian ? read16(w, at) << 16 | read16(w, at + 2) : read16(w, at + 2) << 16 | read16(w, at);
}

/* False at a head that is cut. */
static bool head_read(head *h, const walk *w, bool is_implicit)
{
    if (w->data.n_bytes - w->at < 8)
        return false;
    *h = (head){.group = read16(w, w->at), .element = read16(w, w->at + 2), .n_head = 8};
    if (is_implicit || h->group == 0xfffe) {
        h->n_bytes = read32(w, w->at + 4);
        return true;
    }
    memcpy(h->vr, w->data.ptr + w->at + 4, 2);
    if (!rvl__dcmtk_vr_is_long(h->vr)) {
        h->n_bytes = read16(w, w->at + 6);
        return true;
    }
    if (w->data.n_bytes - w->at < 12)
        return false;
    h->n_head = 12;
    h->n_bytes = read32(w, w->at + 8);
    return true;
}

static rvl_status level_push(walk *w, level_kind kind, bool is_implicit, uint32_t n_bytes, rvl_error *err)
{
    if (w->depth == MAX_DEPTH)
        return rvl__dicom_fail(w->d, err, RVL_ERR_LIMIT,
                               "sequences are nested deeper than %d at byte %zu of the data set", MAX_DEPTH, w->at);
    const size_t around = w->levels[w->depth].limit;
    const size_t end = n_bytes == UNDEFINED ? SIZE_MAX : w->at + n_bytes;
    w->levels[++w->depth] =
        (level){.kind = kind, .is_implicit = is_implicit, .end = end, .limit = end < around ? end : around};
    return RVL_OK;
}

static rvl_status past_end(const walk *w, const head *h, rvl_error *err)
{
    return rvl__dicom_fail(
        w->d, err, RVL_ERR_FORMAT, "element (%04x,%04x) at byte %zu of the data set has %u bytes, the %s ends before",
        h->group, h->element, w->at, h->n_bytes, w->levels[w->depth].limit < w->data.n_bytes ? "item" : "file");
}

/* Whether a head and n_bytes behind it reach past the level: what looks like a sequence need not be one for DCMTK, so
 * that both readings must go on at the same place. */
static bool is_past(const walk *w, const level *in, const head *h)
{
    return w->at + h->n_head > in->limit || (h->n_bytes != UNDEFINED && h->n_bytes > in->limit - w->at - h->n_head);
}

static bool begins_with_item(const walk *w, size_t at, uint32_t n_bytes)
{
    return n_bytes >= 8 && w->data.n_bytes - at >= 8 && read16(w, at) == 0xfffe && read16(w, at + 2) == 0xe000;
}

static bool is_pixels(const head *h)
{
    return h->group == 0x7fe0 && (h->element == 0x0008 || h->element == 0x0009 || h->element == 0x0010);
}

static rvl_status step_element(walk *w, const level *in, const head *h, bool *is_done, rvl_error *err)
{
    bool is_un = strcmp(h->vr, "UN") == 0;
    bool is_sequence = strcmp(h->vr, "SQ") == 0;

    if (is_past(w, in, h))
        return past_end(w, h, err);
    if (w->stops_at_pixels && w->depth == 0 && is_pixels(h)) {
        *is_done = true;
        return RVL_OK;
    }
    if (in->is_implicit) /* the dictionary knows which are sequences; those that look like one are walked as one */
        is_sequence = begins_with_item(w, w->at + h->n_head, h->n_bytes) && h->group != 0x7fe0;
    w->at += h->n_head;
    if (h->group == 0x7fe0 && h->element == 0x0010 && h->n_bytes == UNDEFINED)
        return level_push(w, LEVEL_FRAGMENTS, true, UNDEFINED, err);
    if (h->n_bytes == UNDEFINED || is_sequence)
        return level_push(w, LEVEL_ITEMS, in->is_implicit || is_un, h->n_bytes, err);
    w->at += h->n_bytes;
    return RVL_OK;
}

static rvl_status step(walk *w, bool *is_done, rvl_error *err)
{
    const level in = w->levels[w->depth];
    head        h;

    if (w->depth > 0 && w->at >= in.end) {
        w->depth--;
        return RVL_OK;
    }
    *is_done = !head_read(&h, w, in.is_implicit);
    if (*is_done)
        return RVL_OK;
    bool is_delimiter = h.group == 0xfffe && (h.element == 0xe00d || h.element == 0xe0dd);
    if (is_delimiter) {
        h.n_bytes = 0; /* what it says is not read */
        if (is_past(w, &in, &h))
            return past_end(w, &h, err);
        w->at += 8;
        w->depth -= w->depth > 0 && in.end == SIZE_MAX;
        return RVL_OK;
    }
    if (in.kind == LEVEL_ELEMENTS)
        return step_element(w, &in, &h, is_done, err);
    if (h.group != 0xfffe || h.element != 0xe000)
        return rvl__dicom_fail(w->d, err, RVL_ERR_FORMAT,
                               "(%04x,%04x) stands at byte %zu of the data set, where an item should begin", h.group,
                               h.element, w->at);
    if (is_past(w, &in, &h))
        return past_end(w, &h, err);
    w->at += 8;
    if (in.kind == LEVEL_ITEMS)
        return level_push(w, LEVEL_ELEMENTS, in.is_implicit, h.n_bytes, err);
    if (h.n_bytes == UNDEFINED)
        return past_end(w, &h, err);
    w->at += h.n_bytes;
    return RVL_OK;
}

rvl_status rvl__dicom_walk(const rvl_dicom *d, rvl_span dataset, bool is_implicit, bool is_big_endian,
                           size_t *n_before_pixels, rvl_error *err)
{
    walk       w = {.d = d, .data = dataset, .is_big_endian = is_big_endian, .stops_at_pixels = n_before_pixels};
    bool       is_done = false;
    rvl_status st = RVL_OK;

    w.levels[0] =
        (level){.kind = LEVEL_ELEMENTS, .is_implicit = is_implicit, .end = SIZE_MAX, .limit = dataset.n_bytes};
    while (!st && !is_done)
        st = step(&w, &is_done, err);
    if (n_before_pixels)
        *n_before_pixels = w.at < dataset.n_bytes ? w.at : dataset.n_bytes;
    return st;
}
