/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/nifti_header.c
 * Unpacks and checks headers of NIfTI-1 (nifti1.h of the NIfTI Data Format Working Group, 2004) and NIfTI-2 (2011).
 */
#include "imaging/nifti_header.h"
#include <math.h>
#include <string.h>

/* One number at `at`, in the file's byte order. */
static uint64_t bits_at(const uint8_t *at, int n_bytes, bool big_endian)
{
    uint64_t value = 0;
    for (int i = 0; i < n_bytes; i++)
        value |= (uint64_t)at[big_endian ? n_bytes - 1 - i : i] << (8 * i);
    return value;
}

static int16_t i16_at(const uint8_t *b, size_t at, bool big)
{
    return (int16_t)(uint16_t)bits_at(b + at, 2, big);
}

static int32_t i32_at(const uint8_t *b, size_t at, bool big)
{
    return (int32_t)(uint32_t)bits_at(b + at, 4, big);
}

static int64_t i64_at(const uint8_t *b, size_t at, bool big)
{
    return (int64_t)bits_at(b + at, 8, big);
}

static double f32_at(const uint8_t *b, size_t at, bool big)
{
    uint32_t bits = (uint32_t)bits_at(b + at, 4, big);
    float    value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static double f64_at(const uint8_t *b, size_t at, bool big)
{
    uint64_t bits = bits_at(b + at, 8, big);
    double   value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Printable ASCII of a field of at most 80 bytes. */
static void text_at(char out[81], const uint8_t *at)
{
    size_t n = 0;
    for (; n < 80 && at[n]; n++)
        out[n] = (char)(at[n] >= 32 && at[n] < 127 ? at[n] : '?');
    out[n] = '\0';
}

size_t rvl__nifti_header_bytes(const uint8_t first[4])
{
    for (int big = 0; big < 2; big++) {
        uint64_t size = bits_at(first, 4, big);
        if (size == RVL_NIFTI1_BYTES || size == RVL_NIFTI2_BYTES)
            return size;
    }
    return 0;
}

static void unpack_1(rvl__nifti_header *h, const uint8_t *b)
{
    const bool big = h->big_endian;

    for (size_t i = 0; i < 8; i++) {
        h->dim[i] = i16_at(b, 40 + 2 * i, big);
        h->pixdim[i] = f32_at(b, 76 + 4 * i, big);
    }
    h->intent_code = i16_at(b, 68, big);
    h->datatype = i16_at(b, 70, big);
    h->bitpix = i16_at(b, 72, big);
    h->vox_offset_real = f32_at(b, 108, big);
    h->slope = f32_at(b, 112, big);
    h->intercept = f32_at(b, 116, big);
    h->xyzt_units = b[123];
    text_at(h->description, b + 148);
    h->qform_code = i16_at(b, 252, big);
    h->sform_code = i16_at(b, 254, big);
    for (size_t i = 0; i < 3; i++) {
        h->quatern[i] = f32_at(b, 256 + 4 * i, big);
        h->qoffset[i] = f32_at(b, 268 + 4 * i, big);
        for (size_t j = 0; j < 4; j++)
            h->srow[i][j] = f32_at(b, 280 + 16 * i + 4 * j, big);
    }
}

static void unpack_2(rvl__nifti_header *h, const uint8_t *b)
{
    const bool big = h->big_endian;

    h->datatype = i16_at(b, 12, big);
    h->bitpix = i16_at(b, 14, big);
    for (size_t i = 0; i < 8; i++) {
        h->dim[i] = i64_at(b, 16 + 8 * i, big);
        h->pixdim[i] = f64_at(b, 104 + 8 * i, big);
    }
    h->vox_offset = i64_at(b, 168, big);
    h->slope = f64_at(b, 176, big);
    h->intercept = f64_at(b, 184, big);
    text_at(h->description, b + 240);
    h->qform_code = i32_at(b, 344, big);
    h->sform_code = i32_at(b, 348, big);
    for (size_t i = 0; i < 3; i++) {
        h->quatern[i] = f64_at(b, 352 + 8 * i, big);
        h->qoffset[i] = f64_at(b, 376 + 8 * i, big);
        for (size_t j = 0; j < 4; j++)
            h->srow[i][j] = f64_at(b, 400 + 32 * i + 8 * j, big);
    }
    h->xyzt_units = i32_at(b, 500, big);
    h->intent_code = i32_at(b, 504, big);
}

rvl_status rvl__nifti_header_unpack(rvl__nifti_header *h, const uint8_t *bytes, size_t n_bytes, const char *name,
                                    rvl_error *err)
{
    memset(h, 0, sizeof *h);
    h->name = name;
    h->big_endian = bits_at(bytes, 4, false) != n_bytes;
    if (n_bytes == RVL_NIFTI1_BYTES) {
        h->version = 1;
        h->is_pair = memcmp(bytes + 344, "ni1", 4) == 0;
        if (!h->is_pair && memcmp(bytes + 344, "n+1", 4) != 0)
            return rvl_fail(err, RVL_ERR_UNSUPPORTED,
                            "cannot read '%s': a header without NIfTI's magic, ANALYZE 7.5 or damaged\nhint: ANALYZE "
                            "files do not say left from right; convert them to NIfTI where that is known",
                            name);
        unpack_1(h, bytes);
        /* whole and exact below 2^53: a float cannot say more */
        if (!(h->vox_offset_real >= 0 && h->vox_offset_real < 1e15) || fmod(h->vox_offset_real, 1) > 0)
            return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': its voxels begin at byte %g", name,
                            h->vox_offset_real);
        h->vox_offset = (int64_t)h->vox_offset_real;
        return RVL_OK;
    }
    h->version = 2;
    h->is_pair = memcmp(bytes + 4, "ni2", 4) == 0;
    if ((!h->is_pair && memcmp(bytes + 4, "n+2", 4) != 0) || memcmp(bytes + 8, "\r\n\032\n", 4) != 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': a NIfTI-2 header with a damaged magic", name);
    unpack_2(h, bytes);
    return RVL_OK;
}

static rvl_status check_type(rvl__nifti_header *h, rvl_error *err)
{
    static const struct {
        int         code, item_bytes;
        char        kind;
        const char *text;
    } types[] = {
        {2, 1, 'u', "u8"},    {256, 1, 'i', "i8"},     {4, 2, 'i', "i16"},      {512, 2, 'u', "u16"},
        {8, 4, 'i', "i32"},   {768, 4, 'u', "u32"},    {1024, 8, 'i', "i64"},   {1280, 8, 'u', "u64"},
        {16, 4, 'f', "f32"},  {64, 8, 'f', "f64"},     {1, 0, 0, "1-bit"},      {32, 0, 0, "complex"},
        {128, 0, 0, "RGB"},   {1536, 0, 0, "128-bit"}, {1792, 0, 0, "complex"}, {2048, 0, 0, "complex"},
        {2304, 0, 0, "RGBA"},
    };

    for (size_t i = 0; i < RVL_ARRAY_LEN(types); i++) {
        if (types[i].code != h->datatype)
            continue;
        if (!types[i].kind)
            return rvl_fail(err, RVL_ERR_UNSUPPORTED, "cannot read '%s': its voxels are %s, only real numbers are read",
                            h->name, types[i].text);
        if (h->bitpix != 8 * types[i].item_bytes)
            return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': %d bits a voxel do not fit its type %s", h->name,
                            h->bitpix, types[i].text);
        h->item_bytes = types[i].item_bytes;
        h->kind = types[i].kind;
        h->stored_type = types[i].text;
        return RVL_OK;
    }
    return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': no voxel type has the code %d", h->name, h->datatype);
}

static rvl_status check_sides(rvl__nifti_header *h, rvl_error *err)
{
    enum { CIFTI_FIRST = 3000, CIFTI_LAST = 3099 };

    if (h->intent_code >= CIFTI_FIRST && h->intent_code <= CIFTI_LAST)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "cannot read '%s': it is CIFTI, values on a surface and no volume",
                        h->name);
    if (h->dim[0] < 1 || h->dim[0] > 7)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': it has %lld axes", h->name, (long long)h->dim[0]);
    for (int64_t i = 1; i <= 7; i++) {
        if (i > h->dim[0])
            h->dim[i] = 1;
        if (h->dim[i] < 1)
            return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': axis %lld has %lld voxels", h->name, (long long)i,
                            (long long)h->dim[i]);
        if (i > 4 && h->dim[i] > 1)
            return rvl_fail(err, RVL_ERR_UNSUPPORTED,
                            "cannot read '%s': axis %lld has %lld entries, vectors are not read", h->name, (long long)i,
                            (long long)h->dim[i]);
    }
    if (h->dim[0] < 3 && !(h->pixdim[3] > 0))
        h->pixdim[3] = 1; /* a picture of one slice need not say its thickness */
    h->grid.width = h->dim[1];
    h->grid.height = h->dim[2];
    h->grid.depth = h->dim[3];
    h->n_frames = h->dim[4];
    return RVL_OK;
}

/* Millimetres in the file's unit of length; an unknown unit is taken as millimetres, as everybody does. */
static double unit_mm(const rvl__nifti_header *h)
{
    switch (h->xyzt_units & 7) {
    case 1:
        return 1000;
    case 3:
        return 0.001;
    default:
        return 1;
    }
}

/* The rotation of the unit quaternion (a, b, c, d) with its scaling, in the file's RAS. */
static bool qform_affine(rvl_affine_map *out, const rvl__nifti_header *h)
{
    double       b = h->quatern[0];
    double       c = h->quatern[1];
    double       d = h->quatern[2];
    double       a = 1 - (b * b + c * c + d * d);
    const double step[3] = {h->pixdim[1], h->pixdim[2], (h->pixdim[0] < 0 ? -1 : 1) * h->pixdim[3]};

    if (!isfinite(a) || a < -1e-3) /* no rotation: more than rounding of floats explains */
        return false;
    if (a < 1e-7) { /* a half turn: the other three have length one */
        double length = sqrt(b * b + c * c + d * d);
        b /= length;
        c /= length;
        d /= length;
        a = 0;
    } else {
        a = sqrt(a);
    }
    const double r[3][3] = {{a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)},
                            {2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)},
                            {2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c}};
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++)
            out->m[i][j] = r[i][j] * step[j];
        out->m[i][3] = h->qoffset[i];
    }
    return h->pixdim[1] > 0 && h->pixdim[2] > 0 && h->pixdim[3] > 0;
}

/* RAS in the file's unit -> LPS in mm, into a grid of the file's sides. */
static bool place(rvl_grid *g, const rvl__nifti_header *h, rvl_affine_map a)
{
    const double mm = unit_mm(h);

    for (int c = 0; c < 4; c++) {
        a.m[0][c] *= -mm;
        a.m[1][c] *= -mm;
        a.m[2][c] *= mm;
    }
    *g = h->grid;
    return rvl_grid_place(g, &a);
}

/* Largest distance of the two grids' corner voxels. */
static double corner_distance(const rvl_grid *g, const rvl_grid *other)
{
    const rvl_affine_map a = rvl_grid_affine(g);
    const rvl_affine_map b = rvl_grid_affine(other);
    double               worst = 0;

    for (int corner = 0; corner < 8; corner++) {
        const rvl_vec3 p = {corner & 1 ? (double)(g->width - 1) : 0, corner & 2 ? (double)(g->height - 1) : 0,
                            corner & 4 ? (double)(g->depth - 1) : 0};
        const rvl_vec3 u = rvl_affine_apply(&a, p);
        const rvl_vec3 w = rvl_affine_apply(&b, p);
        worst = fmax(worst, sqrt((u.x - w.x) * (u.x - w.x) + (u.y - w.y) * (u.y - w.y) + (u.z - w.z) * (u.z - w.z)));
    }
    return worst;
}

static rvl_status check_place(rvl__nifti_header *h, rvl_error *err)
{
    rvl_affine_map affine;
    rvl_grid       by_q;
    rvl_grid       by_s;
    bool           has_q = h->qform_code > 0 && qform_affine(&affine, h) && place(&by_q, h, affine);

    h->grid.spacing_mm = (rvl_vec3){1, 1, 1};
    for (int i = 0; i < 3; i++)
        h->grid.direction[i][i] = 1;
    if (h->sform_code > 0) {
        memcpy(affine.m, h->srow, sizeof affine.m);
        if (!place(&by_s, h, affine))
            return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': its sform has dependent axes or no numbers",
                            h->name);
        if (has_q)
            h->disagreement_mm = corner_distance(&by_s, &by_q);
        h->grid = by_s;
        h->place = RVL_NIFTI_PLACE_SFORM;
    } else if (h->qform_code > 0) {
        if (!has_q)
            return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': its qform is no rotation, or lacks a spacing",
                            h->name);
        h->grid = by_q;
        h->place = RVL_NIFTI_PLACE_QFORM;
    } else {
        const double x = fabs(h->pixdim[1]) * unit_mm(h);
        const double y = fabs(h->pixdim[2]) * unit_mm(h);
        const double z = fabs(h->pixdim[3]) * unit_mm(h);
        h->grid.has_spacing = isfinite(x) && isfinite(y) && isfinite(z) && x > 0 && y > 0 && z > 0;
        if (h->grid.has_spacing)
            h->grid.spacing_mm = (rvl_vec3){x, y, z};
    }
    return RVL_OK;
}

static rvl_status check_offset(const rvl__nifti_header *h, rvl_error *err)
{
    const int64_t least = h->version == 1 ? 352 : 544; /* the header and the four bytes that announce extensions */

    if (h->is_pair ? h->vox_offset >= 0 : h->vox_offset >= least)
        return RVL_OK;
    return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': its voxels begin at byte %lld, inside its header", h->name,
                    (long long)h->vox_offset);
}

static rvl_status check_scale(const rvl__nifti_header *h, rvl_error *err)
{
    if (isfinite(h->slope) && (h->slope < 0 || h->slope > 0) && !isfinite(h->intercept))
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': its slope is %g and its intercept is no number",
                        h->name, h->slope);
    return RVL_OK;
}

rvl_status rvl__nifti_header_check(rvl__nifti_header *h, rvl_error *err)
{
    rvl_status st = check_sides(h, err);

    if (!st)
        st = check_type(h, err);
    if (!st)
        st = check_offset(h, err);
    if (!st)
        st = check_scale(h, err);
    if (!st)
        st = check_place(h, err);
    return st;
}
