/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/frames.c
 * Which fragments of encapsulated pixel data make up which frame (PS3.5 A.4).
 */
#include "base/alloc.h"
#include "imaging/dicom/internal.h"
#include <string.h>

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool fragment_get(rvl_span *out, const rvl_dicom *d, int64_t i)
{
    return rvl__dcmtk_fragment(&out->ptr, &out->n_bytes, d->dataset, i);
}

/* By the basic offset table: offsets count from the first fragment's item tag. */
static bool by_offsets(int64_t *first, const rvl_dicom *d, int64_t n_fragments)
{
    const int64_t n_frames = d->header.frames;
    rvl_span      table;
    rvl_span      fragment;
    uint64_t      at = 0;
    int64_t       f = 0;

    if (!fragment_get(&table, d, 0) || table.n_bytes != (size_t)n_frames * 4)
        return false;
    for (int64_t i = 1; i < n_fragments; i++) {
        if (f < n_frames && le32(table.ptr + 4 * f) == at)
            first[f++] = i;
        if (!fragment_get(&fragment, d, i))
            return false;
        at += 8 + fragment.n_bytes;
    }
    return f == n_frames && first[0] == 1;
}

/* By the marker that begins a codestream: JPEG and JPEG-LS SOI, JPEG 2000 SOC. */
static bool by_marker(int64_t *first, const rvl_dicom *d, int64_t n_fragments)
{
    const uint8_t second = d->syntax->codec == RVL__CODEC_JPEG_2000 ? 0x4f : 0xd8;
    rvl_span      fragment;
    int64_t       f = 0;

    if (d->syntax->codec != RVL__CODEC_JPEG && d->syntax->codec != RVL__CODEC_JPEG_LS &&
        d->syntax->codec != RVL__CODEC_JPEG_2000)
        return false;
    for (int64_t i = 1; i < n_fragments; i++) {
        if (!fragment_get(&fragment, d, i))
            return false;
        if (fragment.n_bytes < 2 || fragment.ptr[0] != 0xff || fragment.ptr[1] != second)
            continue;
        if (f == d->header.frames)
            return false;
        first[f++] = i;
    }
    return f == d->header.frames && first[0] == 1;
}

rvl_status rvl__dicom_frames_find(int64_t **out, const rvl_dicom *d, rvl_error *err)
{
    const int64_t n_frames = d->header.frames;
    const int64_t n = rvl__dcmtk_n_fragments(d->dataset); /* with the offset table */

    *out = NULL;
    if (n == 0)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT,
                               "its pixels are not encapsulated, as transfer syntax %s wants them", d->syntax->uid);
    if (n - 1 < n_frames)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "%lld frames in %lld fragments: pixels are missing",
                               (long long)n_frames, (long long)(n - 1));
    int64_t *first = rvl_alloc_array((size_t)n_frames + 1, sizeof *first);
    if (!first)
        return rvl__dicom_fail(d, err, RVL_ERR_NOMEM, "out of memory");
    bool is_found = n_frames == 1 || n - 1 == n_frames;
    for (int64_t f = 0; is_found && f < n_frames; f++)
        first[f] = f + 1;
    if (!is_found)
        is_found = by_offsets(first, d, n) || by_marker(first, d, n);
    first[n_frames] = n;
    if (!is_found) {
        rvl_free(first);
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT,
                               "which of its %lld fragments make up which of %lld frames is unclear",
                               (long long)(n - 1), (long long)n_frames);
    }
    *out = first;
    return RVL_OK;
}

rvl_status rvl__dicom_fragments_join(uint8_t **out, size_t *n_bytes, const rvl_dicom *d, int64_t from, int64_t to,
                                     rvl_error *err)
{
    rvl_span fragment;
    size_t   n = 0;

    *out = NULL;
    for (int64_t i = from; i < to; i++) {
        if (!fragment_get(&fragment, d, i))
            return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "fragment %lld cannot be read", (long long)i);
        n += fragment.n_bytes; /* all of them lie in the file: no overflow */
    }
    if (n == 0)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "fragment %lld is empty", (long long)from);
    uint8_t *bytes = rvl_alloc(n);
    if (!bytes)
        return rvl__dicom_fail(d, err, RVL_ERR_NOMEM, "out of memory");
    *n_bytes = 0;
    for (int64_t i = from; i < to; i++) {
        if (!fragment_get(&fragment, d, i) || fragment.n_bytes == 0)
            continue;
        memcpy(bytes + *n_bytes, fragment.ptr, fragment.n_bytes);
        *n_bytes += fragment.n_bytes;
    }
    *out = bytes;
    return RVL_OK;
}
