/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/image_file.c
 * Finds out what a file is from its first bytes and calls the reader; names what it cannot read.
 */
#include "imaging/image_file.h"
#include "imaging/dicom.h"
#include "imaging/npy.h"
#include "imaging/raster.h"
#include "base/alloc.h"
#include "base/file.h"

#include <math.h>
#include <string.h>

typedef enum { KIND_PNG, KIND_JPEG, KIND_NPY, KIND_DICOM, KIND_OTHER } file_kind;

typedef struct {
    size_t      offset;
    size_t      n_bytes;
    const char *magic;
    file_kind   kind;
    const char *text; /* what it is, for the refusal */
    const char *hint;
} file_magic;

#define HINT_CONVERT "convert it to PNG without loss first"

static const file_magic magics[] = {
    {128, 4, "DICM", KIND_DICOM, "DICOM", ""}, /* first: the 128 bytes before may be another format's, TIFF's often */
    {0, 8, "\x89PNG\r\n\x1a\n", KIND_PNG, "PNG", ""},
    {0, 3, "\xff\xd8\xff", KIND_JPEG, "JPEG", ""},
    {0, 6, "\x93NUMPY", KIND_NPY, "NumPy", ""},
    {0, 4, "II*\0", KIND_OTHER, "a TIFF file", HINT_CONVERT},
    {0, 4, "MM\0*", KIND_OTHER, "a TIFF file", HINT_CONVERT},
    {0, 4, "II+\0", KIND_OTHER, "a BigTIFF file", HINT_CONVERT},
    {0, 4, "MM\0+", KIND_OTHER, "a BigTIFF file", HINT_CONVERT},
    {8, 4, "WEBP", KIND_OTHER, "a WebP file", HINT_CONVERT},
    {0, 4, "GIF8", KIND_OTHER, "a GIF file", HINT_CONVERT},
    {0, 2, "P1", KIND_OTHER, "a PBM file", HINT_CONVERT},
    {0, 2, "P2", KIND_OTHER, "a PGM file", HINT_CONVERT},
    {0, 2, "P3", KIND_OTHER, "a PPM file", HINT_CONVERT},
    {0, 2, "P4", KIND_OTHER, "a PBM file", HINT_CONVERT},
    {0, 2, "P5", KIND_OTHER, "a PGM file", HINT_CONVERT},
    {0, 2, "P6", KIND_OTHER, "a PPM file", HINT_CONVERT},
    {0, 8, "\0\0\0\x0cjP  ", KIND_OTHER, "a JPEG 2000 file", HINT_CONVERT},
    {0, 4, "\xff\x4f\xff\x51", KIND_OTHER, "a JPEG 2000 codestream", HINT_CONVERT},
    {4, 4, "ftyp", KIND_OTHER, "an HEIF, AVIF or MP4 file", HINT_CONVERT},
    {344, 4, "n+1\0", KIND_OTHER, "a NIfTI file", "rvl convert makes .npy or .png of it"},
    {0, 2, "\x1f\x8b", KIND_OTHER, "a gzip file", "rvl convert makes .npy or .png of a .nii.gz"},
    {0, 4, "PK\x03\x04", KIND_OTHER, "a ZIP or npz archive", "rvl convert makes .npy of one array"},
    {0, 8, "\x89HDF\r\n\x1a\n", KIND_OTHER, "an HDF5 file", "save the voxels as .npy first"},
    {0, 4, "%PDF", KIND_OTHER, "a PDF file", ""},
    {0, 2, "BM", KIND_OTHER, "a BMP file", HINT_CONVERT},
};

static const file_magic *magic_find(rvl_span file)
{
    for (size_t i = 0; i < RVL_ARRAY_LEN(magics); i++) {
        const file_magic *m = &magics[i];
        if (file.n_bytes >= m->offset + m->n_bytes && memcmp(file.ptr + m->offset, m->magic, m->n_bytes) == 0)
            return m;
    }
    return NULL;
}

static rvl_status refuse(rvl_span file, const file_magic *magic, const char *name, rvl_error *err)
{
    char first[3 * 8 + 1] = {0};

    if (magic)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "cannot read image '%s': it is %s%s%s", name, magic->text,
                        magic->hint[0] ? "\nhint: " : "", magic->hint);
    for (size_t i = 0; i < 8 && i < file.n_bytes; i++) {
        static const char digits[] = "0123456789abcdef";
        first[3 * i] = ' ';
        first[3 * i + 1] = digits[file.ptr[i] >> 4];
        first[3 * i + 2] = digits[file.ptr[i] & 15];
    }
    return rvl_fail(err, RVL_ERR_UNSUPPORTED,
                    "cannot read image '%s': neither PNG, JPEG, npy nor DICOM, it begins with bytes%s", name, first);
}

rvl_status rvl__raster_check_size(int64_t depth, int64_t height, int64_t width, const char *name,
                                  const rvl_limits *limits, rvl_error *err)
{
    if (depth < 1 || height < 1 || width < 1)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read image '%s': it has no pixels (%lld x %lld x %lld)", name,
                        (long long)depth, (long long)height, (long long)width);
    if (depth > limits->max_side || height > limits->max_side || width > limits->max_side)
        return rvl_fail(err, RVL_ERR_LIMIT,
                        "cannot read image '%s': %lld slices of %lld x %lld pixels, the limit is %lld a side", name,
                        (long long)depth, (long long)width, (long long)height, (long long)limits->max_side);
    if (depth > limits->max_voxels / height / width)
        return rvl_fail(err, RVL_ERR_LIMIT,
                        "cannot read image '%s': %lld slices of %lld x %lld pixels, the limit is %lld pixels", name,
                        (long long)depth, (long long)width, (long long)height, (long long)limits->max_voxels);
    return RVL_OK;
}

/** The narrowest voxel type that holds every value of the array. */
static rvl_voxel_type npy_voxel_type(const rvl_npy *a)
{
    if (a->kind == 'b' || (a->kind == 'u' && a->item_bytes == 1))
        return RVL_VOXEL_U8;
    if (a->kind == 'u' && a->item_bytes == 2)
        return RVL_VOXEL_U16;
    if (a->kind == 'i' && a->item_bytes <= 2)
        return RVL_VOXEL_I16;
    return RVL_VOXEL_F32;
}

static rvl_status npy_store(rvl_volume *v, const rvl_npy *a, const char *name, rvl_error *err)
{
    bool is_wide_int = a->kind != 'f' && a->item_bytes > 2;

    for (int64_t i = 0; i < a->count; i++) {
        double x = rvl_npy_at(a, i);
        if (is_wide_int && fabs(x) > 16777216.0) /* 2^24: beyond it float skips integers */
            return rvl_fail(err, RVL_ERR_UNSUPPORTED,
                            "cannot read image '%s': element %lld is %.0f, too large for a voxel", name, (long long)i,
                            x);
        switch (v->type) {
        case RVL_VOXEL_U8:
            ((uint8_t *)v->voxels)[i] = (uint8_t)(a->kind != 'b' ? x : x > 0 ? 255 : 0);
            break;
        case RVL_VOXEL_U16:
            ((uint16_t *)v->voxels)[i] = (uint16_t)x;
            break;
        case RVL_VOXEL_I16:
            ((int16_t *)v->voxels)[i] = (int16_t)x;
            break;
        case RVL_VOXEL_F32:
            if (isfinite(x) && fabs(x) > 3.4e38)
                return rvl_fail(err, RVL_ERR_UNSUPPORTED,
                                "cannot read image '%s': element %lld is %g, too large for a voxel", name, (long long)i,
                                x);
            ((float *)v->voxels)[i] = (float)x;
            break;
        }
    }
    return RVL_OK;
}

rvl_status rvl__npy_to_volume(rvl_volume **out, const rvl_npy *a, const char *name, const rvl_limits *limits,
                              rvl_error *err)
{
    if (a->n_dims != 2 && a->n_dims != 3)
        return rvl_fail(err, RVL_ERR_SHAPE, "cannot read image '%s': an array of %d axes, expected 2 or 3", name,
                        a->n_dims);
    int64_t depth = a->n_dims == 3 ? a->shape[0] : 1;
    int64_t height = a->shape[a->n_dims - 2];
    int64_t width = a->shape[a->n_dims - 1];

    if (a->n_dims == 3 && width <= 4 && depth > 4 && height > 4)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED,
                        "cannot read image '%s': axes of %lld, %lld, %lld look like rows, columns, channels\nhint: "
                        "save one channel with two axes, or slices first",
                        name, (long long)depth, (long long)height, (long long)width);
    rvl_volume *v = NULL;
    rvl_status  status = rvl__raster_check_size(depth, height, width, name, limits, err);
    if (!status)
        status = rvl_volume_new(&v, npy_voxel_type(a), depth, height, width, err);
    if (!status)
        status = npy_store(v, a, name, err);
    if (status) {
        rvl_volume_free(v);
        return status;
    }
    v->unit = RVL_UNIT_DISPLAY;
    *out = v;
    return RVL_OK;
}

static rvl_status npy_decode(rvl_volume **out, rvl_span file, const char *name, const rvl_limits *limits,
                             rvl_error *err)
{
    rvl_npy    a = {0};
    rvl_status status = rvl_npy_parse(&a, file.ptr, file.n_bytes, name, limits->max_file_bytes, err);

    if (!status)
        status = rvl__npy_to_volume(out, &a, name, limits, err);
    rvl_npy_fini(&a);
    return status;
}

/* Modalities whose files may be looked at as one picture; "" and those that say little are left to the caller. */
static bool is_picture_modality(const char *modality)
{
    static const char *const texts[] = {"", "CR", "DX", "RG", "MG", "CT", "OT", "SC", "XC"};

    for (size_t i = 0; i < RVL_ARRAY_LEN(texts); i++)
        if (strcmp(modality, texts[i]) == 0)
            return true;
    return false;
}

static rvl_status dicom_decode(rvl_volume **out, rvl_span file, const char *name, bool voi, const rvl_limits *limits,
                               rvl_error *err)
{
    rvl_dicom *d = NULL;
    rvl_status status = rvl_dicom_parse(&d, file.ptr, file.n_bytes, name, limits, err);

    if (status)
        return status;
    const rvl_dicom_header *h = rvl_dicom_get_header(d);
    if (!is_picture_modality(h->modality))
        status = rvl_fail(err, RVL_ERR_UNSUPPORTED,
                          "cannot read image '%s': a DICOM file of modality '%s' is neither radiograph, mammogram nor "
                          "CT slice",
                          name, h->modality);
    else if (strcmp(h->modality, "CT") == 0)
        status = rvl_dicom_physical(out, d, err);
    else
        status = rvl_dicom_picture(out, d, voi ? RVL_DICOM_VOI_FILE : RVL_DICOM_VOI_NONE, err);
    rvl_dicom_close(d);
    return status;
}

rvl_status rvl_image_parse_voi(rvl_volume **out, const void *bytes, size_t n_bytes, const char *name, bool voi,
                               const rvl_limits *limits, rvl_error *err)
{
    rvl_limits l = rvl__limits_fill(limits);
    rvl_span   file = {.ptr = bytes, .n_bytes = n_bytes};

    *out = NULL;
    if (n_bytes == 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read image '%s': the file is empty", name);
    if (n_bytes > l.max_file_bytes)
        return rvl_fail(err, RVL_ERR_LIMIT, "cannot read image '%s': %zu bytes, the limit is %zu", name, n_bytes,
                        l.max_file_bytes);
    const file_magic *magic = magic_find(file);
    switch (magic ? magic->kind : KIND_OTHER) {
    case KIND_PNG:
        return rvl__png_decode(out, file, name, &l, err);
    case KIND_JPEG:
        return rvl__jpeg_decode(out, file, name, &l, err);
    case KIND_NPY:
        return npy_decode(out, file, name, &l, err);
    case KIND_DICOM:
        return dicom_decode(out, file, name, voi, &l, err);
    case KIND_OTHER:
        break;
    }
    if (!magic && rvl_dicom_is(bytes, n_bytes)) /* without preamble */
        return dicom_decode(out, file, name, voi, &l, err);
    return refuse(file, magic, name, err);
}

rvl_status rvl_image_parse(rvl_volume **out, const void *bytes, size_t n_bytes, const char *name,
                           const rvl_limits *limits, rvl_error *err)
{
    return rvl_image_parse_voi(out, bytes, n_bytes, name, false, limits, err);
}

rvl_status rvl_image_load(rvl_volume **out, const char *path, const rvl_limits *limits, rvl_error *err)
{
    return rvl_image_load_voi(out, path, false, limits, err);
}

rvl_status rvl_image_load_voi(rvl_volume **out, const char *path, bool voi, const rvl_limits *limits, rvl_error *err)
{
    rvl_limits l = rvl__limits_fill(limits);
    char      *bytes = NULL;
    size_t     n_bytes = 0;

    *out = NULL;
    rvl_status status = rvl_file_read(&bytes, &n_bytes, path, l.max_file_bytes, err);
    if (status)
        return status;
    status = rvl_image_parse_voi(out, bytes, n_bytes, path, voi, &l, err);
    rvl_free(bytes);
    return status;
}
