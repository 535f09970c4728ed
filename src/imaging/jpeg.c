/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/jpeg.c
 * JPEG by libturbojpeg: gray, colour and CMYK pictures into gray voxels; gray thumbnails out.
 *
 * Any warning of the decoder (a cut file, for one) refuses the picture. CMYK follows Adobe's habit, as browsers and
 * Pillow do: samples are stored inverted (255 = no ink), so a colour is sample * key / 255.
 */
#include "imaging/raster.h"
#include "imaging/image_file.h"
#include "base/alloc.h"

#include <string.h>
#include <turbojpeg.h>

#define DECODE_FLAGS (TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT)

static rvl_status jpeg_fail(tjhandle tj, const char *name, rvl_error *err)
{
    const char *text = tjGetErrorStr2(tj);

    if (strstr(text, "emory"))
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read JPEG '%s': out of memory", name);
    if (strstr(text, "nsupported") || strstr(text, "precision"))
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "cannot read JPEG '%s': %s", name, text);
    return rvl_fail(err, RVL_ERR_FORMAT, "cannot read JPEG '%s': %s", name, text);
}

/**
 * A block of 8 x 8 pixels costs a bit at least, so a header that promises more pixels is lying; the decoder of
 * progressive files would take the memory before it notices.
 */
static rvl_status header_check(int width, int height, rvl_span file, const char *name, rvl_error *err)
{
    if ((int64_t)width * height / (64 * 8) <= (int64_t)file.n_bytes)
        return RVL_OK;
    return rvl_fail(err, RVL_ERR_FORMAT, "cannot read JPEG '%s': %d x %d pixels cannot be held by a file of %zu bytes",
                    name, width, height, file.n_bytes);
}

/** Colour samples -> gray voxels. */
static void colour_store(rvl_volume *v, const uint8_t *samples, bool is_cmyk)
{
    uint8_t *to = v->voxels;

    for (int64_t i = 0; i < v->height * v->width; i++) {
        if (is_cmyk) {
            const uint8_t *p = samples + 4 * i;
            to[i] = (uint8_t)((rvl__luma(p[0], p[1], p[2]) * p[3] + 127) / 255);
        } else {
            const uint8_t *p = samples + 3 * i;
            to[i] = (uint8_t)rvl__luma(p[0], p[1], p[2]);
        }
    }
}

static rvl_status samples_decode(tjhandle tj, rvl_volume *v, rvl_span file, int colour_space, const char *name,
                                 rvl_error *err)
{
    int      width = (int)v->width;
    int      height = (int)v->height;
    bool     is_cmyk = colour_space == TJCS_CMYK || colour_space == TJCS_YCCK;
    uint8_t *samples = NULL;

    if (colour_space == TJCS_GRAY || colour_space == TJCS_YCbCr) { /* the luma component is what we want */
        if (tjDecompress2(tj, file.ptr, file.n_bytes, v->voxels, width, 0, height, TJPF_GRAY, DECODE_FLAGS))
            return jpeg_fail(tj, name, err);
        return RVL_OK;
    }
    samples = rvl_alloc_array((size_t)(v->height * v->width), is_cmyk ? 4 : 3);
    if (!samples)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read JPEG '%s': out of memory", name);
    rvl_status status = RVL_OK;
    if (tjDecompress2(tj, file.ptr, file.n_bytes, samples, width, 0, height, is_cmyk ? TJPF_CMYK : TJPF_RGB,
                      DECODE_FLAGS))
        status = jpeg_fail(tj, name, err);
    else
        colour_store(v, samples, is_cmyk);
    rvl_free(samples);
    return status;
}

rvl_status rvl__jpeg_decode(rvl_volume **out, rvl_span file, const char *name, const rvl_limits *limits, rvl_error *err)
{
    int         width = 0;
    int         height = 0;
    int         subsampling = 0;
    int         colour_space = 0;
    rvl_volume *v = NULL;
    rvl_status  status = RVL_OK;

    *out = NULL;
    tjhandle tj = tjInitDecompress();
    if (!tj)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read JPEG '%s': out of memory", name);
    if (tjDecompressHeader3(tj, file.ptr, file.n_bytes, &width, &height, &subsampling, &colour_space))
        status = jpeg_fail(tj, name, err);
    if (!status)
        status = rvl__raster_check_size(1, height, width, name, limits, err);
    if (!status)
        status = header_check(width, height, file, name, err);
    if (!status)
        status = rvl_volume_new(&v, RVL_VOXEL_U8, 1, height, width, err);
    if (!status)
        status = samples_decode(tj, v, file, colour_space, name, err);
    tjDestroy(tj);
    if (status) {
        rvl_volume_free(v);
        return status;
    }
    v->unit = RVL_UNIT_DISPLAY;
    *out = v;
    return RVL_OK;
}

rvl_status rvl_jpeg_encode(uint8_t **out, size_t *n_bytes, const uint8_t *gray, int64_t height, int64_t width,
                           int quality, rvl_error *err)
{
    *out = NULL;
    *n_bytes = 0;
    if (height < 1 || width < 1 || height > 65500 || width > 65500 || quality < 1 || quality > 100)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot write a JPEG of %lld x %lld pixels at quality %d", (long long)width,
                        (long long)height, quality);
    unsigned long bound = tjBufSize((int)width, (int)height, TJSAMP_GRAY);
    unsigned long used = bound;
    tjhandle      tj = tjInitCompress();
    uint8_t      *bytes = rvl_alloc(bound);
    rvl_status    status = RVL_OK;

    if (!tj || !bytes)
        status = rvl_fail(err, RVL_ERR_NOMEM, "cannot write a JPEG: out of memory");
    else if (tjCompress2(tj, gray, (int)width, 0, (int)height, TJPF_GRAY, &bytes, &used, TJSAMP_GRAY, quality,
                         TJFLAG_NOREALLOC | TJFLAG_ACCURATEDCT))
        status = rvl_fail(err, RVL_ERR_INTERNAL, "cannot write a JPEG: %s", tjGetErrorStr2(tj));
    if (tj)
        tjDestroy(tj);
    if (status) {
        rvl_free(bytes);
        return status;
    }
    *out = bytes;
    *n_bytes = used;
    return RVL_OK;
}
