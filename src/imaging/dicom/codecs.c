/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/codecs.c
 * Frames coded by RLE (PS3.5 annex G, our own), JPEG-LS (CharLS), JPEG 2000 and HTJ2K (OpenJPEG).
 *
 * A frame whose codestream has another size than the header is refused before its pixels are decoded.
 */
#include "base/alloc.h"
#include "imaging/dicom/internal.h"
#include <charls/charls.h>
#include <openjpeg.h>
#include <string.h>

static size_t n_pixels_of(const rvl__dicom_frame_spec *spec)
{
    return (size_t)spec->rows * (size_t)spec->columns;
}

static rvl_status size_fail(const rvl_dicom *d, const rvl__dicom_frame_spec *spec, const char *codec, int64_t rows,
                            int64_t columns, int samples, rvl_error *err)
{
    return rvl__dicom_fail(d, err, RVL_ERR_FORMAT,
                           "its %s codestream has %lld x %lld pixels of %d samples, the header says %lld x %lld of %d",
                           codec, (long long)columns, (long long)rows, samples, (long long)spec->columns,
                           (long long)spec->rows, spec->samples);
}

/* ---- RLE ------------------------------------------------------------------------------------------------------ */

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* PackBits into every `step`-th byte from `out`; false if the segment gives fewer than `n` bytes. */
static bool unpack_bits(uint8_t *out, size_t n, size_t step, rvl_span in)
{
    size_t at = 0;
    size_t done = 0;

    while (done < n && at < in.n_bytes) {
        uint8_t control = in.ptr[at++];
        size_t  count = control < 128 ? (size_t)control + 1 : control > 128 ? 257 - (size_t)control : 0;
        bool    is_run = control > 128;
        if (count == 0)
            continue;
        if (at + (is_run ? 1 : count) > in.n_bytes)
            return false;
        for (size_t i = 0; i < count && done < n; i++, done++)
            out[done * step] = in.ptr[is_run ? at : at + i];
        at += is_run ? 1 : count;
    }
    return done == n;
}

rvl_status rvl__dicom_rle(void *out, const rvl_dicom *d, const rvl__dicom_frame_spec *spec, rvl_span coded,
                          rvl_error *err)
{
    const size_t n_segments = (size_t)spec->samples * (size_t)spec->item_bytes;
    const size_t pixel_bytes = n_segments;

    if (coded.n_bytes < 64 || le32(coded.ptr) != n_segments || n_segments > 15)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "its RLE frame has %u segments, expected %zu",
                               coded.n_bytes < 64 ? 0 : le32(coded.ptr), n_segments);
    for (size_t i = 0; i < n_segments; i++) {
        size_t from = le32(coded.ptr + 4 + 4 * i);
        size_t to = i + 1 < n_segments ? le32(coded.ptr + 8 + 4 * i) : coded.n_bytes;
        size_t sample = i / (size_t)spec->item_bytes;
        size_t byte = (size_t)spec->item_bytes - 1 - i % (size_t)spec->item_bytes; /* the highest byte comes first */
        if (from < 64 || to < from || to > coded.n_bytes)
            return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "RLE segment %zu reaches from byte %zu to %zu of %zu", i,
                                   from, to, coded.n_bytes);
        rvl_span segment = {.ptr = coded.ptr + from, .n_bytes = to - from};
        if (!unpack_bits((uint8_t *)out + sample * (size_t)spec->item_bytes + byte, n_pixels_of(spec), pixel_bytes,
                         segment))
            return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "RLE segment %zu ends before its last pixel", i);
    }
    return RVL_OK;
}

/* ---- JPEG-LS -------------------------------------------------------------------------------------------------- */

/* Decoded bytes to the pixels' items: planes side by side, 8 bits widened where the header says 16. */
static void jpeg_ls_store(void *out, const uint8_t *in, int in_bytes, bool is_planar, const rvl__dicom_frame_spec *spec)
{
    const size_t n = n_pixels_of(spec);
    const size_t samples = (size_t)spec->samples;

    for (size_t i = 0; i < n; i++) {
        for (size_t s = 0; s < samples; s++) {
            size_t   from = is_planar ? s * n + i : i * samples + s;
            uint16_t value = in[from * (size_t)in_bytes];
            if (in_bytes == 2)
                memcpy(&value, in + 2 * from, 2);
            if (spec->item_bytes == 1)
                ((uint8_t *)out)[i * samples + s] = (uint8_t)value;
            else
                ((uint16_t *)out)[i * samples + s] = value;
        }
    }
}

static rvl_status jpeg_ls_read(void *out, charls_jpegls_decoder *decoder, const rvl_dicom *d,
                               const rvl__dicom_frame_spec *spec, rvl_span coded, rvl_error *err)
{
    charls_frame_info      info = {0};
    charls_interleave_mode mode = CHARLS_INTERLEAVE_MODE_NONE;
    size_t                 n_bytes = 0;
    int                    rc = charls_jpegls_decoder_set_source_buffer(decoder, coded.ptr, coded.n_bytes);

    if (!rc)
        rc = charls_jpegls_decoder_read_header(decoder);
    if (!rc)
        rc = charls_jpegls_decoder_get_frame_info(decoder, &info);
    if (!rc)
        rc = charls_jpegls_decoder_get_interleave_mode(decoder, &mode);
    if (rc)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "CharLS says '%s'", charls_get_error_message(rc));
    if (info.height != spec->rows || info.width != spec->columns || info.component_count != spec->samples)
        return size_fail(d, spec, "JPEG-LS", info.height, info.width, info.component_count, err);
    int in_bytes = info.bits_per_sample > 8 ? 2 : 1;
    if (in_bytes > spec->item_bytes || spec->item_bytes > 2)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT,
                               "its JPEG-LS codestream has %d bits a sample, the header says %d", info.bits_per_sample,
                               8 * spec->item_bytes);
    rc = charls_jpegls_decoder_get_destination_size(decoder, 0, &n_bytes);
    if (rc || n_bytes != n_pixels_of(spec) * (size_t)spec->samples * (size_t)in_bytes)
        return rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "its JPEG-LS codestream has an odd size");
    uint8_t *bytes = rvl_alloc(n_bytes);
    if (!bytes)
        return rvl__dicom_fail(d, err, RVL_ERR_NOMEM, "out of memory");
    rc = charls_jpegls_decoder_decode_to_buffer(decoder, bytes, n_bytes, 0);
    if (!rc)
        jpeg_ls_store(out, bytes, in_bytes, mode == CHARLS_INTERLEAVE_MODE_NONE, spec);
    rvl_free(bytes);
    return rc ? rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "CharLS says '%s'", charls_get_error_message(rc)) : RVL_OK;
}

static rvl_status jpeg_ls_try(void *out, const rvl_dicom *d, const rvl__dicom_frame_spec *spec, rvl_span coded,
                              rvl_error *err)
{
    charls_jpegls_decoder *decoder = charls_jpegls_decoder_create();

    if (!decoder)
        return rvl__dicom_fail(d, err, RVL_ERR_NOMEM, "out of memory");
    rvl_status st = jpeg_ls_read(out, decoder, d, spec, coded, err);
    charls_jpegls_decoder_destroy(decoder);
    return st;
}

/* Some writers make the length even by a 0 before the end marker instead of behind it; CharLS refuses that. */
rvl_status rvl__dicom_jpeg_ls(void *out, const rvl_dicom *d, const rvl__dicom_frame_spec *spec, rvl_span coded,
                              rvl_error *err)
{
    const size_t n = coded.n_bytes;
    rvl_error    first = {0};
    rvl_status   st = jpeg_ls_try(out, d, spec, coded, &first);

    if (st != RVL_ERR_FORMAT || n < 3 || memcmp(coded.ptr + n - 3, "\0\xff\xd9", 3) != 0)
        return st ? rvl_fail(err, st, "%s", first.text) : RVL_OK;
    uint8_t *repaired = rvl_alloc(n - 1);
    if (!repaired)
        return rvl__dicom_fail(d, err, RVL_ERR_NOMEM, "out of memory");
    memcpy(repaired, coded.ptr, n - 3);
    memcpy(repaired + n - 3, "\xff\xd9", 2);
    st = jpeg_ls_try(out, d, spec, (rvl_span){.ptr = repaired, .n_bytes = n - 1}, err);
    rvl_free(repaired);
    return st;
}

/* ---- JPEG 2000 ------------------------------------------------------------------------------------------------ */

typedef struct {
    rvl_span data;
    size_t   at;
    char     text[160]; /* OpenJPEG's first error */
    bool     is_cut;    /* it warned of missing bytes */
} j2k_source;

static OPJ_SIZE_T j2k_read(void *to, OPJ_SIZE_T n_bytes, void *user)
{
    j2k_source *s = user;
    size_t      n = s->data.n_bytes - s->at;

    n = n < n_bytes ? n : n_bytes;
    if (n == 0)
        return (OPJ_SIZE_T)-1;
    memcpy(to, s->data.ptr + s->at, n);
    s->at += n;
    return n;
}

static OPJ_OFF_T j2k_skip(OPJ_OFF_T n_bytes, void *user)
{
    j2k_source *s = user;

    if (n_bytes < 0)
        return -1;
    size_t n = s->data.n_bytes - s->at;
    n = (uint64_t)n_bytes < n ? (size_t)n_bytes : n;
    s->at += n;
    return (OPJ_OFF_T)n;
}

static OPJ_BOOL j2k_seek(OPJ_OFF_T at, void *user)
{
    j2k_source *s = user;

    if (at < 0 || (uint64_t)at > s->data.n_bytes)
        return OPJ_FALSE;
    s->at = (size_t)at;
    return OPJ_TRUE;
}

static void j2k_on_error(const char *text, void *user)
{
    j2k_source *s = user;
    size_t      n = strcspn(text, "\r\n");

    if (s->text[0])
        return;
    n = n < sizeof s->text - 1 ? n : sizeof s->text - 1;
    memcpy(s->text, text, n);
    s->text[n] = '\0';
}

static void j2k_on_warning(const char *text, void *user)
{
    j2k_source *s = user;
    s->is_cut = s->is_cut || strstr(text, "truncated") || strstr(text, "ended prematurely");
}

static void j2k_ignore(const char *text, void *user)
{
    (void)text;
    (void)user;
}

static rvl_status j2k_check(const opj_image_t *image, const rvl_dicom *d, const rvl__dicom_frame_spec *spec,
                            rvl_error *err)
{
    if ((int64_t)image->numcomps != spec->samples || image->comps[0].h != spec->rows ||
        image->comps[0].w != spec->columns)
        return size_fail(d, spec, "JPEG 2000", image->numcomps ? image->comps[0].h : 0,
                         image->numcomps ? image->comps[0].w : 0, (int)image->numcomps, err);
    for (uint32_t c = 0; c < image->numcomps; c++) {
        const opj_image_comp_t *comp = &image->comps[c];
        if (comp->w != image->comps[0].w || comp->h != image->comps[0].h)
            return rvl__dicom_fail(d, err, RVL_ERR_UNSUPPORTED, "its JPEG 2000 components have different sizes");
        if ((int)comp->prec > 8 * spec->item_bytes || comp->prec > 31)
            return rvl__dicom_fail(d, err, RVL_ERR_FORMAT,
                                   "its JPEG 2000 codestream has %u bits a sample, the header says %d", comp->prec,
                                   8 * spec->item_bytes);
    }
    return RVL_OK;
}

/* Where the signs of codestream and header differ, the value is cut to BitsStored and read by the header's sign. */
static int64_t j2k_value(int64_t x, bool is_signed_codestream, const rvl__dicom_frame_spec *spec)
{
    const int64_t span = (int64_t)1 << spec->bits_stored;

    if (is_signed_codestream == spec->is_signed)
        return x;
    x &= span - 1;
    return spec->is_signed && x >= span / 2 ? x - span : x;
}

static void j2k_store(void *out, const opj_image_t *image, const rvl__dicom_frame_spec *spec)
{
    const size_t n = n_pixels_of(spec);

    for (uint32_t c = 0; c < image->numcomps; c++) {
        const opj_image_comp_t *comp = &image->comps[c];
        for (size_t i = 0; i < n; i++) {
            int64_t x = j2k_value(comp->data[i], comp->sgnd != 0, spec);
            size_t  at = i * image->numcomps + c;
            if (spec->item_bytes == 1)
                ((uint8_t *)out)[at] = (uint8_t)x;
            else if (spec->item_bytes == 2)
                ((uint16_t *)out)[at] = (uint16_t)x;
            else
                ((uint32_t *)out)[at] = (uint32_t)x;
        }
    }
}

static rvl_status j2k_decode(void *out, opj_codec_t *codec, opj_stream_t *stream, j2k_source *source,
                             const rvl_dicom *d, rvl__dicom_frame_spec *spec, rvl_error *err)
{
    opj_dparameters_t parameters;
    opj_image_t      *image = NULL;
    rvl_status        st = RVL_OK;

    opj_set_default_decoder_parameters(&parameters);
    opj_set_info_handler(codec, j2k_ignore, NULL);
    opj_set_warning_handler(codec, j2k_on_warning, source);
    opj_set_error_handler(codec, j2k_on_error, source);
    opj_stream_set_user_data(stream, source, NULL);
    opj_stream_set_user_data_length(stream, source->data.n_bytes);
    opj_stream_set_read_function(stream, j2k_read);
    opj_stream_set_skip_function(stream, j2k_skip);
    opj_stream_set_seek_function(stream, j2k_seek);
    bool ok = opj_setup_decoder(codec, &parameters) && opj_read_header(stream, codec, &image);
    if (ok)
        st = j2k_check(image, d, spec, err);
    if (ok && !st)
        ok = opj_decode(codec, stream, image) && opj_end_decompress(codec, stream);
    if (!st && (!ok || source->is_cut))
        st = rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "OpenJPEG says '%s'",
                             source->text[0] ? source->text : "the codestream is cut");
    for (uint32_t c = 0; !st && c < image->numcomps; c++)
        if (!image->comps[c].data || image->comps[c].w != spec->columns || image->comps[c].h != spec->rows)
            st = rvl__dicom_fail(d, err, RVL_ERR_FORMAT, "its JPEG 2000 component %u has no pixels", c);
    if (!st) {
        spec->is_signed_codestream = image->comps[0].sgnd != 0;
        j2k_store(out, image, spec);
    }
    opj_image_destroy(image);
    return st;
}

rvl_status rvl__dicom_jpeg_2000(void *out, const rvl_dicom *d, rvl__dicom_frame_spec *spec, rvl_span coded,
                                rvl_error *err)
{
    j2k_source    source = {.data = coded};
    bool          is_jp2 = coded.n_bytes >= 8 && memcmp(coded.ptr + 4, "jP  ", 4) == 0;
    opj_codec_t  *codec = opj_create_decompress(is_jp2 ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K);
    opj_stream_t *stream = opj_stream_create(1 << 16, OPJ_TRUE);
    rvl_status    st = codec && stream ? j2k_decode(out, codec, stream, &source, d, spec, err)
                                       : rvl__dicom_fail(d, err, RVL_ERR_NOMEM, "out of memory");

    if (stream)
        opj_stream_destroy(stream);
    if (codec)
        opj_destroy_codec(codec);
    return st;
}
