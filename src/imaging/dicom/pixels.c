/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/pixels.c
 * Stored values of all frames, whatever their coding. Sizes are checked before memory is taken.
 */
#include "base/alloc.h"
#include "imaging/dicom/internal.h"
#include <string.h>

static const struct {
    const char *text;
    int         n_bytes;
} types[] = {[RVL_DICOM_U8] = {"uint8", 1},    [RVL_DICOM_I8] = {"int8", 1},    [RVL_DICOM_U16] = {"uint16", 2},
             [RVL_DICOM_I16] = {"int16", 2},   [RVL_DICOM_U32] = {"uint32", 4}, [RVL_DICOM_I32] = {"int32", 4},
             [RVL_DICOM_F32] = {"float32", 4}, [RVL_DICOM_F64] = {"float64", 8}};

const char *rvl_dicom_type_text(rvl_dicom_type type)
{
    return types[type].text;
}

void rvl_dicom_pixels_fini(rvl_dicom_pixels *p)
{
    rvl_free(p->values);
    *p = (rvl_dicom_pixels){0};
}

double rvl_dicom_at(const rvl_dicom_pixels *p, int64_t i)
{
    switch (p->type) {
    case RVL_DICOM_U8:
        return ((const uint8_t *)p->values)[i];
    case RVL_DICOM_I8:
        return ((const int8_t *)p->values)[i];
    case RVL_DICOM_U16:
        return ((const uint16_t *)p->values)[i];
    case RVL_DICOM_I16:
        return ((const int16_t *)p->values)[i];
    case RVL_DICOM_U32:
        return ((const uint32_t *)p->values)[i];
    case RVL_DICOM_I32:
        return ((const int32_t *)p->values)[i];
    case RVL_DICOM_F32:
        return (double)((const float *)p->values)[i];
    case RVL_DICOM_F64:
        break;
    }
    return ((const double *)p->values)[i];
}

static rvl_status type_find(rvl_dicom_type *out, const rvl_dicom *d, rvl_error *err)
{
    const rvl_dicom_header *h = &d->header;
    rvl__dcmtk_item        *root = rvl__dcmtk_root(d->dataset);

    if (rvl__dcmtk_has(root, 0x7fe00008) && h->bits_allocated == 32) {
        *out = RVL_DICOM_F32;
        return RVL_OK;
    }
    if (rvl__dcmtk_has(root, 0x7fe00009) && h->bits_allocated == 64) {
        *out = RVL_DICOM_F64;
        return RVL_OK;
    }
    if (h->bits_stored < 1 || h->bits_stored > h->bits_allocated || h->high_bit < h->bits_stored - 1 ||
        h->high_bit >= h->bits_allocated)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "%d of %d bits up to bit %d make no pixel", h->bits_stored,
                               h->bits_allocated, h->high_bit);
    switch (h->bits_allocated) {
    case 1:
        *out = RVL_DICOM_U8;
        return RVL_OK;
    case 8:
        *out = h->is_signed ? RVL_DICOM_I8 : RVL_DICOM_U8;
        return RVL_OK;
    case 16:
        *out = h->is_signed ? RVL_DICOM_I16 : RVL_DICOM_U16;
        return RVL_OK;
    case 32:
        *out = h->is_signed ? RVL_DICOM_I32 : RVL_DICOM_U32;
        return RVL_OK;
    default:
        return rvl__dicom_fail(d, err, RVL_ERR_UNSUPPORTED, "%d bits a sample are not read (1, 8, 16, 32 are)",
                               h->bits_allocated);
    }
}

static rvl_status size_check(const rvl_dicom *d, rvl_error *err)
{
    const rvl_dicom_header *h = &d->header;
    const rvl_limits       *l = &d->limits;

    if (!h->has_pixels)
        return rvl__dicom_fail(d, err, RVL_ERR_UNSUPPORTED, "it holds no pixels (modality '%s')", h->modality);
    if (h->rows < 1 || h->columns < 1 || h->bits_allocated < 1)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "Rows, Columns or BitsAllocated is missing or 0");
    if (h->samples != 1 && h->samples != 3)
        return rvl__dicom_fail(d, err, RVL_ERR_UNSUPPORTED, "%d samples a pixel are not read (1 and 3 are)",
                               h->samples);
    if (h->samples == 3 && h->bits_allocated == 1)
        return rvl__dicom_fail(d, err, RVL_ERR_UNSUPPORTED, "colour of 1 bit is not read");
    if (h->rows > l->max_side || h->columns > l->max_side || h->frames > l->max_side)
        return rvl__dicom_fail(d, err, RVL_ERR_LIMIT, "%lld frames of %lld x %lld pixels, the limit is %lld a side",
                               (long long)h->frames, (long long)h->columns, (long long)h->rows, (long long)l->max_side);
    if (h->frames > l->max_voxels / h->samples / h->rows / h->columns)
        return rvl__dicom_fail(d, err, RVL_ERR_LIMIT, "%lld frames of %lld x %lld pixels, the limit is %lld pixels",
                               (long long)h->frames, (long long)h->columns, (long long)h->rows,
                               (long long)l->max_voxels);
    return RVL_OK;
}

static void bits_expand(uint8_t *out, const uint8_t *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = in[i / 8] >> (i % 8) & 1;
}

/* Y1 Y2 Cb Cr of each pair of pixels -> Y Cb Cr a pixel. */
static void pairs_expand(uint8_t *out, const uint8_t *in, size_t n_pixels)
{
    for (size_t i = 0; i < n_pixels; i++) {
        const uint8_t *pair = in + i / 2 * 4;
        out[3 * i] = pair[i & 1];
        out[3 * i + 1] = pair[2];
        out[3 * i + 2] = pair[3];
    }
}

static void planes_join(uint8_t *out, const uint8_t *in, size_t n_pixels, size_t item_bytes)
{
    for (size_t s = 0; s < 3; s++)
        for (size_t i = 0; i < n_pixels; i++)
            memcpy(out + (3 * i + s) * item_bytes, in + (s * n_pixels + i) * item_bytes, item_bytes);
}

static bool is_422(const rvl_dicom_header *h)
{
    return h->samples == 3 && h->bits_allocated == 8 && strcmp(h->photometric, "YBR_FULL_422") == 0;
}

/* Bytes that `n_frames` uncompressed frames take; bits run on from frame to frame. */
static size_t native_bytes(const rvl_dicom_header *h, int item_bytes, size_t n_frames)
{
    size_t n = n_frames * (size_t)h->rows * (size_t)h->columns;

    if (h->bits_allocated == 1)
        return (n + 7) / 8;
    if (is_422(h))
        return n_frames * (size_t)h->rows * (((size_t)h->columns + 1) / 2 * 4);
    return n * (size_t)h->samples * (size_t)item_bytes;
}

/* Uncompressed frames, words already in little-endian order. */
static rvl_status native_store(uint8_t *out, const rvl_dicom *d, const rvl_dicom_pixels *p, rvl_span in,
                               size_t n_frames, rvl_error *err)
{
    const rvl_dicom_header *h = &d->header;
    const size_t            n_pixels = (size_t)p->rows * (size_t)p->columns;
    const size_t            needed = native_bytes(h, p->item_bytes, n_frames);

    if (in.n_bytes < needed)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "its pixels have %zu bytes, %zu are needed", in.n_bytes, needed);
    if (is_422(h) && p->columns % 2)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "YBR_FULL_422 with an odd number of columns");
    if (h->bits_allocated == 1)
        bits_expand(out, in.ptr, n_pixels * n_frames);
    else if (is_422(h))
        pairs_expand(out, in.ptr, n_pixels * n_frames);
    else if (p->samples == 3 && h->planar == 1)
        for (size_t f = 0; f < n_frames; f++)
            planes_join(out + f * n_pixels * 3 * (size_t)p->item_bytes,
                        in.ptr + f * n_pixels * 3 * (size_t)p->item_bytes, n_pixels, (size_t)p->item_bytes);
    else
        memcpy(out, in.ptr, needed);
    return RVL_OK;
}

/* 32-bit pixels of big-endian files: DCMTK swapped the bytes of 16-bit words, their order is still the file's. */
static void word_pairs_swap(uint32_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        values[i] = values[i] << 16 | values[i] >> 16;
}

/* Bits above HighBit are an overlay's, or the pixel does not begin at bit 0. */
static void bits_cut(rvl_dicom_pixels *p, const rvl_dicom_header *h)
{
    const size_t   n = (size_t)(p->frames * p->rows * p->columns) * (size_t)p->samples;
    const int      shift = h->high_bit + 1 - h->bits_stored;
    const uint32_t mask = h->bits_stored >= 32 ? UINT32_MAX : ((uint32_t)1 << h->bits_stored) - 1;
    const uint32_t sign = p->type == RVL_DICOM_I8 || p->type == RVL_DICOM_I16 ? (uint32_t)1 << (h->bits_stored - 1) : 0;

    for (size_t i = 0; i < n && p->item_bytes <= 2; i++) {
        uint32_t x = p->item_bytes == 1 ? ((uint8_t *)p->values)[i] : ((uint16_t *)p->values)[i];
        x = x >> shift & mask;
        x = (x ^ sign) - sign;
        if (p->item_bytes == 1)
            ((uint8_t *)p->values)[i] = (uint8_t)x;
        else
            ((uint16_t *)p->values)[i] = (uint16_t)x;
    }
}

static bool native_get(rvl_span *out, const rvl_dicom *d, rvl_dicom_type type)
{
    rvl__dicom_tag tag = type == RVL_DICOM_F32 ? 0x7fe00008 : type == RVL_DICOM_F64 ? 0x7fe00009 : 0x7fe00010;

    if (d->borrowed.ptr && tag == 0x7fe00010) {
        *out = d->borrowed;
        return true;
    }
    return rvl__dcmtk_native(&out->ptr, &out->n_bytes, d->dataset, tag);
}

/* The p->frames frames from `first` on; not the first ones only if a pixel has whole bytes. */
static rvl_status native_read(rvl_dicom_pixels *p, const rvl_dicom *d, int64_t first, rvl_error *err)
{
    rvl_span     in = {0};
    const size_t n_before = first > 0 ? native_bytes(&d->header, p->item_bytes, (size_t)first) : 0;

    if (!native_get(&in, d, p->type))
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "its pixels cannot be read as uncompressed ones");
    if (n_before > in.n_bytes)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "its pixels end before frame %lld", (long long)first);
    in = (rvl_span){.ptr = in.ptr + n_before, .n_bytes = in.n_bytes - n_before};
    rvl_status st = native_store(p->values, d, p, in, (size_t)p->frames, err);
    if (st)
        return st;
    if (d->syntax->is_big_endian && (p->type == RVL_DICOM_U32 || p->type == RVL_DICOM_I32))
        word_pairs_swap(p->values, (size_t)(p->frames * p->rows * p->columns) * (size_t)p->samples);
    if ((d->header.has_overlay_bits || d->header.high_bit != d->header.bits_stored - 1) && p->type < RVL_DICOM_U32)
        bits_cut(p, &d->header);
    return RVL_OK;
}

/* Size, components and precision by the frame header (SOF) of a JPEG stream; false if there is none. */
static bool jpeg_sof(int64_t *rows, int64_t *columns, int *samples, rvl_span in)
{
    size_t at = 2;

    while (at + 9 < in.n_bytes) {
        uint8_t marker = in.ptr[at + 1];
        if (in.ptr[at] != 0xff)
            return false;
        if (marker == 0xff || marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8)) { /* fill bytes, no length */
            at += marker == 0xff ? 1 : 2;
            continue;
        }
        if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc) {
            *rows = in.ptr[at + 5] << 8 | in.ptr[at + 6];
            *columns = in.ptr[at + 7] << 8 | in.ptr[at + 8];
            *samples = in.ptr[at + 9];
            return true;
        }
        at += 2 + (size_t)(in.ptr[at + 2] << 8 | in.ptr[at + 3]);
    }
    return false;
}

/* A frame of `n_bytes` by DCMTK, which writes even numbers of bytes. */
static rvl_status dcmtk_read(uint8_t *out, const rvl_dicom *d, size_t n_bytes, int64_t i_frame, int64_t i_fragment,
                             rvl_error *err)
{
    const size_t n_even = n_bytes + (n_bytes & 1);
    char         why[RVL__DCMTK_WHY_BYTES] = "";
    uint8_t     *even = rvl_alloc_array(n_even, 1);

    if (!even)
        return rvl__dicom_fail(d, err, RVL_ERR_NOMEM, "out of memory");
    rvl_status st = rvl__dcmtk_jpeg(even, n_even, d->dataset, i_frame, i_fragment, why);
    if (!st)
        memcpy(out, even, n_bytes);
    rvl_free(even);
    return st ? rvl__dicom_fail(d, err, st, "DCMTK says '%s' of frame %lld", why, (long long)i_frame) : RVL_OK;
}

static rvl_status jpeg_read(uint8_t *out, const rvl_dicom *d, const rvl__dicom_frame_spec *spec, rvl_span coded,
                            int64_t i_frame, int64_t i_fragment, rvl_error *err)
{
    const size_t n = (size_t)spec->rows * (size_t)spec->columns * (size_t)spec->samples * (size_t)spec->item_bytes;
    int64_t      rows = 0;
    int64_t      columns = 0;
    int          samples = 0;

    if (!jpeg_sof(&rows, &columns, &samples, coded))
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "frame %lld is no JPEG stream", (long long)i_frame);
    if (rows != spec->rows || columns != spec->columns || samples != spec->samples)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT,
                               "its JPEG frame has %lld x %lld pixels of %d samples, the header says %lld x %lld of %d",
                               (long long)columns, (long long)rows, samples, (long long)spec->columns,
                               (long long)spec->rows, spec->samples);
    return dcmtk_read(out, d, n, i_frame, i_fragment, err);
}

/* RLE of 1-bit pixels holds the packed bytes; deflated and encapsulated frames are native ones. */
static rvl_status packed_read(uint8_t *out, const rvl_dicom *d, const rvl_dicom_pixels *p, rvl_span coded,
                              rvl_error *err)
{
    const size_t          needed = native_bytes(&d->header, p->item_bytes, 1);
    rvl__dicom_frame_spec bytes = {.rows = 1, .columns = (int64_t)needed, .samples = 1, .item_bytes = 1};
    uint8_t              *native = NULL;
    size_t                n_native = needed;
    rvl_status            st = RVL_OK;

    if (d->syntax->codec == RVL__CODEC_ENCAPSULATED)
        return native_store(out, d, p, coded, 1, err);
    if (d->syntax->codec == RVL__CODEC_DEFLATED_FRAME) {
        st = rvl__dicom_inflate(&native, &n_native, d, coded, needed + 1, err);
    } else {
        native = rvl_alloc_array(needed, 1);
        st = native ? rvl__dicom_rle(native, d, &bytes, coded, err)
                    : rvl__dicom_fail(d, err, RVL_ERR_NOMEM, "out of memory");
    }
    if (!st)
        st = native_store(out, d, p, (rvl_span){.ptr = native, .n_bytes = n_native}, 1, err);
    rvl_free(native);
    return st;
}

static rvl_status frame_read(rvl_dicom_pixels *p, const rvl_dicom *d, const int64_t *first, int64_t i_frame,
                             uint8_t *out, rvl_error *err)
{
    rvl__dicom_frame_spec spec = {.rows = p->rows,
                                  .columns = p->columns,
                                  .samples = p->samples,
                                  .item_bytes = p->item_bytes,
                                  .is_signed = d->header.is_signed,
                                  .bits_stored = d->header.bits_stored};
    uint8_t              *joined = NULL;
    size_t                n_joined = 0;
    rvl_status st = rvl__dicom_fragments_join(&joined, &n_joined, d, first[i_frame], first[i_frame + 1], err);
    rvl_span   coded = {.ptr = joined, .n_bytes = n_joined};

    if (st)
        return st;
    switch (d->syntax->codec) {
    case RVL__CODEC_JPEG:
        st = jpeg_read(out, d, &spec, coded, i_frame, first[i_frame], err);
        break;
    case RVL__CODEC_JPEG_LS:
        st = rvl__dicom_jpeg_ls(out, d, &spec, coded, err);
        break;
    case RVL__CODEC_JPEG_2000:
        st = rvl__dicom_jpeg_2000(out, d, &spec, coded, err);
        p->is_signed_codestream = p->is_signed_codestream || (spec.is_signed_codestream && !spec.is_signed);
        break;
    case RVL__CODEC_RLE:
        st = d->header.bits_allocated == 1 ? packed_read(out, d, p, coded, err)
                                           : rvl__dicom_rle(out, d, &spec, coded, err);
        break;
    case RVL__CODEC_NATIVE:
    case RVL__CODEC_ENCAPSULATED:
    case RVL__CODEC_DEFLATED_FRAME:
        st = packed_read(out, d, p, coded, err);
        break;
    }
    rvl_free(joined);
    return st;
}

static rvl_status frames_read(rvl_dicom_pixels *p, const rvl_dicom *d, rvl_error *err)
{
    const size_t n_bytes = (size_t)(p->rows * p->columns) * (size_t)p->samples * (size_t)p->item_bytes;
    int64_t     *first = NULL;
    rvl_status   st = rvl__dicom_frames_find(&first, d, err);

    for (int64_t f = 0; !st && f < p->frames; f++)
        st = frame_read(p, d, first, f, (uint8_t *)p->values + (size_t)f * n_bytes, err);
    rvl_free(first);
    return st;
}

/* A block of pixels for all frames, or for one; sizes checked. */
static rvl_status pixels_init(rvl_dicom_pixels *p, const rvl_dicom *d, int64_t n_frames, rvl_error *err)
{
    const rvl_dicom_header *h = &d->header;

    *p = (rvl_dicom_pixels){.samples = h->samples, .frames = n_frames, .rows = h->rows, .columns = h->columns};
    if (d->is_header_only)
        return rvl__dicom_fail(d, err, RVL_ERR_STATE, "only its header was read");
    rvl_status st = size_check(d, err);
    if (!st)
        st = type_find(&p->type, d, err);
    if (st)
        return st;
    p->item_bytes = types[p->type].n_bytes;
    if (d->syntax->codec == RVL__CODEC_NATIVE) { /* a header that promises more than the file holds takes no memory */
        rvl_span in = {0};
        if (native_get(&in, d, p->type) && in.n_bytes < native_bytes(h, p->item_bytes, (size_t)h->frames))
            return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "its pixels have %zu bytes, %zu are needed", in.n_bytes,
                                   native_bytes(h, p->item_bytes, (size_t)h->frames));
    }
    p->values = rvl_alloc_array((size_t)(n_frames * p->rows * p->columns) * (size_t)p->samples, (size_t)p->item_bytes);
    return p->values ? RVL_OK : rvl__dicom_fail(d, err, RVL_ERR_NOMEM, "out of memory for its pixels");
}

rvl_status rvl_dicom_stored(rvl_dicom_pixels *out, const rvl_dicom *d, rvl_error *err)
{
    rvl_dicom_pixels p;
    rvl_status       st = pixels_init(&p, d, d->header.frames, err);

    *out = (rvl_dicom_pixels){0};
    if (!st)
        st = d->syntax->codec == RVL__CODEC_NATIVE ? native_read(&p, d, 0, err) : frames_read(&p, d, err);
    if (st)
        rvl_dicom_pixels_fini(&p);
    else
        *out = p;
    return st;
}

rvl_status rvl__dicom_stored_frame(rvl_dicom_pixels *out, const rvl_dicom *d, int64_t i_frame, rvl_error *err)
{
    rvl_dicom_pixels p;
    int64_t         *first = NULL;

    *out = (rvl_dicom_pixels){0};
    if (i_frame < 0 || i_frame >= d->header.frames)
        return rvl__dicom_fail(d, err, RVL_ERR_USAGE, "it has no frame %lld", (long long)i_frame);
    if (d->header.bits_allocated == 1 && d->header.frames > 1)
        return rvl__dicom_fail(d, err, RVL_ERR_UNSUPPORTED, "frames of 1-bit pixels are masks, not slices");
    rvl_status st = pixels_init(&p, d, 1, err);
    if (!st && d->syntax->codec == RVL__CODEC_NATIVE) {
        st = native_read(&p, d, i_frame, err);
    } else if (!st) {
        st = rvl__dicom_frames_find(&first, d, err);
        if (!st)
            st = frame_read(&p, d, first, i_frame, p.values, err);
        rvl_free(first);
    }
    if (st)
        rvl_dicom_pixels_fini(&p);
    else
        *out = p;
    return st;
}
