/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/reader.c
 * From a file to a parsed data set: meta header, transfer syntax, inflation of deflated data sets.
 *
 * The meta header is read here and not by DCMTK, which takes transfer syntaxes it does not know (HTJ2K) for others.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "imaging/dicom/internal.h"
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define LE_EXPLICIT "1.2.840.10008.1.2.1"
#define JPEG_2000 "1.2.840.10008.1.2.4.90"

static const rvl__dicom_syntax syntaxes[] = {
    {"1.2.840.10008.1.2", RVL__CODEC_NATIVE, "1.2.840.10008.1.2", false, false},
    {LE_EXPLICIT, RVL__CODEC_NATIVE, LE_EXPLICIT, false, false},
    {"1.2.840.10008.1.2.1.98", RVL__CODEC_ENCAPSULATED, JPEG_2000, false, false},
    {"1.2.840.10008.1.2.1.99", RVL__CODEC_NATIVE, LE_EXPLICIT, true, false},
    {"1.2.840.10008.1.2.2", RVL__CODEC_NATIVE, "1.2.840.10008.1.2.2", false, true},
    {"1.2.840.10008.1.2.5", RVL__CODEC_RLE, "1.2.840.10008.1.2.5", false, false},
    {"1.2.840.10008.1.2.8.1", RVL__CODEC_DEFLATED_FRAME, JPEG_2000, false, false},
    {"1.2.840.10008.1.2.4.50", RVL__CODEC_JPEG, "1.2.840.10008.1.2.4.50", false, false},
    {"1.2.840.10008.1.2.4.51", RVL__CODEC_JPEG, "1.2.840.10008.1.2.4.51", false, false},
    {"1.2.840.10008.1.2.4.53", RVL__CODEC_JPEG, "1.2.840.10008.1.2.4.53", false, false},
    {"1.2.840.10008.1.2.4.55", RVL__CODEC_JPEG, "1.2.840.10008.1.2.4.55", false, false},
    {"1.2.840.10008.1.2.4.57", RVL__CODEC_JPEG, "1.2.840.10008.1.2.4.57", false, false},
    {"1.2.840.10008.1.2.4.70", RVL__CODEC_JPEG, "1.2.840.10008.1.2.4.70", false, false},
    {"1.2.840.10008.1.2.4.80", RVL__CODEC_JPEG_LS, "1.2.840.10008.1.2.4.80", false, false},
    {"1.2.840.10008.1.2.4.81", RVL__CODEC_JPEG_LS, "1.2.840.10008.1.2.4.81", false, false},
    {JPEG_2000, RVL__CODEC_JPEG_2000, JPEG_2000, false, false},
    {"1.2.840.10008.1.2.4.91", RVL__CODEC_JPEG_2000, "1.2.840.10008.1.2.4.91", false, false},
    {"1.2.840.10008.1.2.4.201", RVL__CODEC_JPEG_2000, JPEG_2000, false, false},
    {"1.2.840.10008.1.2.4.202", RVL__CODEC_JPEG_2000, JPEG_2000, false, false},
    {"1.2.840.10008.1.2.4.203", RVL__CODEC_JPEG_2000, JPEG_2000, false, false},
};

const rvl__dicom_syntax *rvl__dicom_syntax_find(const char *uid)
{
    for (size_t i = 0; i < RVL_ARRAY_LEN(syntaxes); i++)
        if (strcmp(uid, syntaxes[i].uid) == 0)
            return &syntaxes[i];
    return NULL;
}

rvl_status rvl__dicom_fail(const rvl_dicom *d, rvl_error *err, rvl_status status, const char *format, ...)
{
    char    reason[RVL_ERROR_TEXT_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    return rvl_fail(err, status, "cannot read DICOM '%s': %s", d->name, reason);
}

static uint32_t le16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t le32(const uint8_t *p)
{
    return le16(p) | le16(p + 2) << 16;
}

static bool has_preamble(rvl_span file)
{
    return file.n_bytes >= 132 && memcmp(file.ptr + 128, "DICM", 4) == 0;
}

/* Without a preamble: the meta header or group 8 with an element of a plausible length or a known VR. */
bool rvl_dicom_is(const void *bytes, size_t n_bytes)
{
    rvl_span       file = {.ptr = bytes, .n_bytes = n_bytes};
    const uint8_t *p = file.ptr;

    if (has_preamble(file))
        return true;
    if (n_bytes < 12)
        return false;
    if (le16(p) != 2 && le16(p) != 8 && !(p[0] == 0 && p[1] == 8))
        return false;
    bool is_explicit = p[4] >= 'A' && p[4] <= 'Z' && p[5] >= 'A' && p[5] <= 'Z';
    return is_explicit || (le16(p) == 8 && le16(p + 2) <= 0x70 && le32(p + 4) <= 64);
}

/* The transfer syntax (not touched if it is not given) and where the data set begins. The meta header is explicit
   little endian whatever follows. */
static rvl_status meta_read(char uid[65], size_t *offset, const rvl_dicom *d, rvl_span file, rvl_error *err)
{
    size_t at = has_preamble(file) ? 132 : 0;

    while (at + 8 <= file.n_bytes && le16(file.ptr + at) == 2) {
        const uint8_t *p = file.ptr + at;
        bool           is_long = memchr("OU", p[4], 2) && memcmp(p + 4, "UI", 2) != 0 && memcmp(p + 4, "UL", 2) != 0 &&
                       memcmp(p + 4, "US", 2) != 0;
        size_t head = is_long ? 12 : 8;
        if (at + head > file.n_bytes)
            break;
        size_t n = is_long ? le32(p + 8) : le16(p + 6);
        if (n > file.n_bytes - at - head)
            return rvl__dicom_fail(d, err, RVL_ERR_FORMAT,
                                   "element (0002,%04x) at byte %zu has %zu bytes, the file ends before", le16(p + 2),
                                   at, n);
        if (le16(p + 2) == 0x0010) {
            size_t n_text = n < 64 ? n : 64;
            memcpy(uid, p + 8, n_text);
            uid[n_text] = '\0';
            while (n_text > 0 && (uid[n_text - 1] == ' ' || uid[n_text - 1] == '\0'))
                uid[--n_text] = '\0';
        }
        at += head + n;
    }
    *offset = at;
    return RVL_OK;
}

rvl_status rvl__dicom_inflate(uint8_t **out, size_t *n_out, const rvl_dicom *d, rvl_span packed, size_t max_bytes,
                              rvl_error *err)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)packed.ptr};
    uint8_t *bytes = NULL;
    size_t   n = 0;
    size_t   n_left = packed.n_bytes;
    int      rc = inflateInit2(&z, -15); /* no zlib header: RFC 1951 */

    *out = NULL;
    while (rc == Z_OK || rc == Z_BUF_ERROR) {
        size_t room = n < 65536 ? 65536 : n;
        if (n == max_bytes)
            break;
        room = room < max_bytes - n ? room : max_bytes - n;
        uint8_t *more = rvl_realloc_array(bytes, n + room, 1);
        if (!more) {
            rc = Z_MEM_ERROR;
            break;
        }
        bytes = more;
        z.next_out = bytes + n;
        z.avail_out = (uInt)(room < 0x40000000 ? room : 0x40000000);
        size_t asked = z.avail_out;
        if (z.avail_in == 0) {
            z.avail_in = (uInt)(n_left < 0x40000000 ? n_left : 0x40000000);
            n_left -= z.avail_in;
        }
        rc = inflate(&z, Z_NO_FLUSH);
        n += asked - z.avail_out;
        if (z.avail_in == 0 && n_left == 0 && z.avail_out > 0) /* nothing more will come */
            break;
    }
    inflateEnd(&z);
    if (rc == Z_STREAM_END) {
        *out = bytes;
        *n_out = n;
        return RVL_OK;
    }
    rvl_free(bytes);
    if (rc == Z_MEM_ERROR)
        return rvl__dicom_fail(d, err, RVL_ERR_NOMEM, "out of memory");
    if (n == max_bytes)
        return rvl__dicom_fail(d, err, RVL_ERR_LIMIT, "the deflated data are larger than the limit of %zu bytes",
                               max_bytes);
    return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "the deflated data are damaged or cut");
}

typedef enum { PARSE_WHOLE, PARSE_HEADER, PARSE_BORROWED } parse_how;

/* Pixels that begin at `at` and are one block of little-endian words, after a walk that found them within the file;
   empty for others. */
static rvl_span native_find(rvl_span dataset, size_t at, bool is_implicit)
{
    const uint8_t *p = dataset.ptr + at;
    const size_t   n_head = is_implicit ? 8 : 12;
    rvl_span       none = {0};

    if (dataset.n_bytes - at < n_head || le16(p) != 0x7fe0 || le16(p + 2) != 0x0010)
        return none;
    if (!is_implicit && memcmp(p + 4, "OW", 2) != 0 && memcmp(p + 4, "OB", 2) != 0)
        return none;
    const uint32_t n = le32(p + n_head - 4);
    return n > dataset.n_bytes - at - n_head ? none : (rvl_span){.ptr = p + n_head, .n_bytes = n};
}

static rvl_status dataset_parse(rvl_dicom *d, rvl_span dataset, const char *uid, parse_how how, rvl_error *err)
{
    char       why[RVL__DCMTK_WHY_BYTES] = "";
    bool       is_implicit = strcmp(uid, syntaxes[0].uid) == 0;
    size_t     n_header = dataset.n_bytes;
    rvl_status st = RVL_OK;

    if (dataset.n_bytes == 0)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "nothing follows the meta header");
    if (!*uid) { /* told by the first element: a VR in capitals, or big endian by its group */
        is_implicit = dataset.n_bytes < 6 || dataset.ptr[4] < 'A' || dataset.ptr[4] > 'Z';
        uid = is_implicit ? syntaxes[0].uid : dataset.ptr[0] == 0 && dataset.ptr[1] ? syntaxes[4].uid : LE_EXPLICIT;
    }
    d->syntax = rvl__dicom_syntax_find(uid);
    if (!d->syntax)
        return rvl__dicom_fail(d, err, RVL_ERR_UNSUPPORTED, "transfer syntax %.64s is not one that rvl reads", uid);
    bool may_borrow = how != PARSE_WHOLE && d->syntax->codec == RVL__CODEC_NATIVE && !d->syntax->is_big_endian &&
                      !d->syntax->is_deflated && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    if (how != PARSE_HEADER)
        st = rvl__dicom_walk(d, dataset, is_implicit, d->syntax->is_big_endian, NULL, err);
    if (!st && (how == PARSE_HEADER || may_borrow)) /* as far as the pixels */
        st = rvl__dicom_walk(d, dataset, is_implicit, d->syntax->is_big_endian, &n_header, err);
    if (!st && may_borrow && n_header < dataset.n_bytes)
        d->borrowed = native_find(dataset, n_header, is_implicit);
    if (how == PARSE_BORROWED && may_borrow && !d->borrowed.ptr) /* floating-point pixels, or none */
        n_header = dataset.n_bytes;
    d->has_pixels = n_header < dataset.n_bytes;
    if (!st)
        st = rvl__dcmtk_parse(&d->dataset, dataset.ptr, n_header, d->syntax->parse_as, why);
    if (st && !d->dataset && why[0])
        return rvl__dicom_fail(d, err, st, "DCMTK says '%s'", why);
    if (st == RVL_ERR_DEVICE)
        return rvl__dicom_fail(d, err, st, "DCMTK's tag dictionary is missing\nhint: install dcmtk's data files again");
    if (st == RVL_ERR_NOMEM)
        return rvl__dicom_fail(d, err, st, "out of memory");
    return st;
}

static rvl_status file_parse(rvl_dicom *d, rvl_span file, parse_how how, rvl_error *err)
{
    char       uid[65] = "";
    size_t     offset = 0;
    uint8_t   *inflated = NULL;
    size_t     n_inflated = 0;
    rvl_status st;

    if (file.n_bytes > d->limits.max_file_bytes)
        return rvl__dicom_fail(d, err, RVL_ERR_LIMIT, "%zu bytes, the limit is %zu", file.n_bytes,
                               d->limits.max_file_bytes);
    if (!rvl_dicom_is(file.ptr, file.n_bytes))
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "it is not a DICOM file");
    st = meta_read(uid, &offset, d, file, err);
    if (st)
        return st;
    rvl_span                 dataset = {.ptr = file.ptr + offset, .n_bytes = file.n_bytes - offset};
    const rvl__dicom_syntax *syntax = rvl__dicom_syntax_find(uid);
    if (syntax && syntax->is_deflated) {
        st = rvl__dicom_inflate(&inflated, &n_inflated, d, dataset, d->limits.max_file_bytes, err);
        dataset = (rvl_span){.ptr = inflated, .n_bytes = n_inflated};
    }
    if (!st)
        st = dataset_parse(d, dataset, uid, how, err);
    rvl_free(inflated);
    if (!st)
        st = rvl__dicom_header_read(d, err);
    return st;
}

static rvl_status parse(rvl_dicom **out, rvl_span file, const char *name, parse_how how, const rvl_limits *limits,
                        rvl_error *err)
{
    rvl_dicom *d = rvl_alloc_array(1, sizeof *d);
    rvl_status st = RVL_ERR_NOMEM;

    *out = NULL;
    if (!d || !(d->name = rvl_strdup(name))) {
        rvl_free(d);
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read DICOM '%s': out of memory", name);
    }
    d->limits = rvl__limits_fill(limits);
    d->is_header_only = how == PARSE_HEADER;
    st = file_parse(d, file, how, err);
    if (st)
        rvl_dicom_close(d);
    else
        *out = d;
    return st;
}

rvl_status rvl_dicom_parse(rvl_dicom **out, const void *bytes, size_t n_bytes, const char *name,
                           const rvl_limits *limits, rvl_error *err)
{
    return parse(out, (rvl_span){.ptr = bytes, .n_bytes = n_bytes}, name, PARSE_WHOLE, limits, err);
}

rvl_status rvl__dicom_parse_header(rvl_dicom **out, const void *bytes, size_t n_bytes, const char *name,
                                   const rvl_limits *limits, rvl_error *err)
{
    return parse(out, (rvl_span){.ptr = bytes, .n_bytes = n_bytes}, name, PARSE_HEADER, limits, err);
}

rvl_status rvl__dicom_parse_borrowed(rvl_dicom **out, const void *bytes, size_t n_bytes, const char *name,
                                     const rvl_limits *limits, rvl_error *err)
{
    return parse(out, (rvl_span){.ptr = bytes, .n_bytes = n_bytes}, name, PARSE_BORROWED, limits, err);
}

rvl_status rvl_dicom_open(rvl_dicom **out, const char *path, const rvl_limits *limits, rvl_error *err)
{
    rvl_limits l = rvl__limits_fill(limits);
    char      *bytes = NULL;
    size_t     n_bytes = 0;
    rvl_status st = rvl_file_read(&bytes, &n_bytes, path, l.max_file_bytes, err);

    *out = NULL;
    if (!st)
        st = rvl_dicom_parse(out, bytes, n_bytes, path, &l, err);
    rvl_free(bytes);
    return st;
}

void rvl_dicom_close(rvl_dicom *d)
{
    if (!d)
        return;
    rvl__dcmtk_free(d->dataset);
    rvl_free(d->name);
    rvl_free(d);
}

const rvl_dicom_header *rvl_dicom_get_header(const rvl_dicom *d)
{
    return &d->header;
}
