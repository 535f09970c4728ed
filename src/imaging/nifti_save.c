/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/nifti_save.c
 * Writes NIfTI-1, plain or gzip-compressed: little-endian, voxels as they are, both forms of geometry.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/util.h"
#include "imaging/geometry.h"
#include "imaging/nifti.h"
#include <math.h>
#include <string.h>
#include <zlib.h>

enum { HEADER_BYTES = 352, CHUNK_BYTES = 65536, GZIP_LEVEL = 4 };

static void put(uint8_t *at, uint64_t bits, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        at[i] = (uint8_t)(bits >> (8 * i));
}

static void put_f32(uint8_t *at, double x)
{
    const float value = (float)(x + 0.0); /* no -0 */
    uint32_t    bits;

    memcpy(&bits, &value, sizeof bits);
    put(at, bits, 4);
}

/* Unit quaternion (a, b, c, d), a >= 0, of a rotation; b, c, d into `q`. Each branch divides by the largest part. */
static void quaternion(double q[3], double r[3][3])
{
    const double trace = r[0][0] + r[1][1] + r[2][2];
    double       a, b, c, d;

    if (trace > 0) {
        a = sqrt(1 + trace) / 2;
        b = (r[2][1] - r[1][2]) / (4 * a);
        c = (r[0][2] - r[2][0]) / (4 * a);
        d = (r[1][0] - r[0][1]) / (4 * a);
    } else if (r[0][0] >= r[1][1] && r[0][0] >= r[2][2]) {
        b = sqrt(1 + r[0][0] - r[1][1] - r[2][2]) / 2;
        a = (r[2][1] - r[1][2]) / (4 * b);
        c = (r[0][1] + r[1][0]) / (4 * b);
        d = (r[0][2] + r[2][0]) / (4 * b);
    } else if (r[1][1] >= r[2][2]) {
        c = sqrt(1 + r[1][1] - r[0][0] - r[2][2]) / 2;
        a = (r[0][2] - r[2][0]) / (4 * c);
        b = (r[0][1] + r[1][0]) / (4 * c);
        d = (r[1][2] + r[2][1]) / (4 * c);
    } else {
        d = sqrt(1 + r[2][2] - r[0][0] - r[1][1]) / 2;
        a = (r[1][0] - r[0][1]) / (4 * d);
        b = (r[0][2] + r[2][0]) / (4 * d);
        c = (r[1][2] + r[2][1]) / (4 * d);
    }
    const double sign = a < 0 ? -1 : 1; /* q and -q are one rotation; the file keeps b, c, d only */
    q[0] = sign * b;
    q[1] = sign * c;
    q[2] = sign * d;
}

/* sform, and qform where the axes are at right angles. LPS -> RAS turns the signs of x and y. */
static void put_geometry(uint8_t *head, const rvl_grid *g)
{
    rvl_affine_map a = rvl_grid_affine(g);
    double         r[3][3];
    double         q[3];

    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 4; j++)
            a.m[i][j] = -a.m[i][j];
    put(head + 254, 1, 2); /* sform_code: scanner */
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            put_f32(head + 280 + 16 * i + 4 * j, a.m[i][j]);
    if (rvl_grid_shear_deg(g) > 0.01)
        return;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            r[i][j] = i < 2 ? -g->direction[i][j] : g->direction[i][j];
    const double det = r[0][0] * (r[1][1] * r[2][2] - r[1][2] * r[2][1]) -
                       r[0][1] * (r[1][0] * r[2][2] - r[1][2] * r[2][0]) +
                       r[0][2] * (r[1][0] * r[2][1] - r[1][1] * r[2][0]);
    for (int i = 0; i < 3 && det < 0; i++) /* a mirrored grid: qfac turns the third axis */
        r[i][2] = -r[i][2];
    quaternion(q, r);
    put(head + 252, 1, 2); /* qform_code */
    put_f32(head + 76, det < 0 ? -1 : 1);
    for (int i = 0; i < 3; i++) {
        put_f32(head + 256 + 4 * i, q[i]);
        put_f32(head + 268 + 4 * i, a.m[i][3]);
    }
}

static void make_header(uint8_t head[HEADER_BYTES], const rvl_volume *v)
{
    static const struct {
        uint64_t datatype, bitpix;
    } codes[] = {
        [RVL_VOXEL_U8] = {2, 8}, [RVL_VOXEL_U16] = {512, 16}, [RVL_VOXEL_I16] = {4, 16}, [RVL_VOXEL_F32] = {16, 32}};
    const rvl_grid g = rvl_volume_grid(v);
    const int64_t  dim[8] = {3, v->width, v->height, v->depth, 1, 1, 1, 1};
    const double   pixdim[8] = {1, g.spacing_mm.x, g.spacing_mm.y, g.spacing_mm.z, 0, 0, 0, 0};

    memset(head, 0, HEADER_BYTES);
    put(head, 348, 4);
    head[38] = 'r'; /* "regular", which old readers want */
    for (int i = 0; i < 8; i++) {
        put(head + 40 + 2 * i, (uint64_t)dim[i], 2);
        put_f32(head + 76 + 4 * i, pixdim[i]);
    }
    put(head + 70, codes[v->type].datatype, 2);
    put(head + 72, codes[v->type].bitpix, 2);
    put_f32(head + 108, HEADER_BYTES);
    put_f32(head + 112, 1);             /* slope */
    head[123] = v->has_spacing ? 2 : 0; /* millimetres */
    memcpy(head + 148, "rvl", 3);
    if (v->has_geometry)
        put_geometry(head, &g);
    memcpy(head + 344, "n+1", 3);
}

typedef struct {
    rvl_outfile *file;
    z_stream     z;
    bool         is_gz;
    uint8_t      buffer[CHUNK_BYTES];
} sink;

static void *take_memory(void *opaque, uInt n, uInt size)
{
    (void)opaque;
    return rvl_alloc_array(n, size);
}

static void give_memory(void *opaque, void *ptr)
{
    (void)opaque;
    rvl_free(ptr);
}

/* Deflate writes to memory only and cannot fail once it was set up. */
static void sink_write(sink *s, const void *bytes, size_t n_bytes, bool is_last)
{
    if (!s->is_gz) {
        rvl_outfile_write(s->file, bytes, n_bytes);
        return;
    }
    s->z.next_in = (z_const Bytef *)bytes;
    s->z.avail_in = (uInt)n_bytes;
    do {
        s->z.next_out = s->buffer;
        s->z.avail_out = sizeof s->buffer;
        (void)deflate(&s->z, is_last ? Z_FINISH : Z_NO_FLUSH);
        rvl_outfile_write(s->file, s->buffer, sizeof s->buffer - s->z.avail_out);
    } while (s->z.avail_out == 0);
}

enum { PIECE_BYTES = 16384 };

/* `n` bytes of whole items, the bytes of each turned round. */
static void bytes_turn(uint8_t *to, const uint8_t *from, size_t n, size_t item)
{
    for (size_t i = 0; i < n; i += item)
        for (size_t b = 0; b < item; b++)
            to[i + b] = from[i + item - 1 - b];
}

/* Voxels as little-endian bytes: as they lie in memory, or turned in pieces. */
static void write_voxels(sink *s, const rvl_volume *v)
{
    const size_t   item = rvl_voxel_bytes(v->type);
    const size_t   n_bytes = (size_t)(v->depth * v->height * v->width) * item;
    const bool     is_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    const uint8_t *from = v->voxels;
    uint8_t        piece[PIECE_BYTES];
    const size_t   step = is_big ? sizeof piece : (size_t)1 << 24;

    for (size_t at = 0; at < n_bytes; at += step) {
        const size_t n = n_bytes - at < step ? n_bytes - at : step;
        if (is_big)
            bytes_turn(piece, from + at, n, item);
        sink_write(s, is_big ? piece : from + at, n, false);
    }
    sink_write(s, from, 0, true);
}

static rvl_status sides_check(const rvl_volume *v, const char *path, rvl_error *err)
{
    if (v->width > INT16_MAX || v->height > INT16_MAX || v->depth > INT16_MAX)
        return rvl_fail(err, RVL_ERR_LIMIT, "cannot write '%s': NIfTI-1 holds sides of at most 32767 voxels", path);
    return RVL_OK;
}

rvl_status rvl_nifti_save(const rvl_volume *v, const char *path, rvl_error *err)
{
    uint8_t head[HEADER_BYTES];
    sink   *s = NULL;

    if (!rvl_str_ends(path, ".nii") && !rvl_str_ends(path, ".nii.gz"))
        return rvl_fail(err, RVL_ERR_USAGE, "cannot write '%s' as NIfTI: its name ends with neither .nii nor .nii.gz",
                        path);
    rvl_status st = sides_check(v, path, err);
    if (st)
        return st;
    s = rvl_alloc_array(1, sizeof *s);
    if (!s)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot write '%s': out of memory", path);
    s->is_gz = rvl_str_ends(path, ".gz");
    s->z.zalloc = take_memory;
    s->z.zfree = give_memory;
    if (s->is_gz && deflateInit2(&s->z, GZIP_LEVEL, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot write '%s': out of memory for zlib", path);
    if (!st)
        st = rvl_outfile_open(&s->file, path, err);
    if (!st) {
        make_header(head, v);
        sink_write(s, head, sizeof head, false);
        write_voxels(s, v);
        st = rvl_outfile_commit(s->file, err);
    }
    if (s->is_gz)
        deflateEnd(&s->z);
    rvl_free(s);
    return st;
}

struct rvl_nifti_file {
    rvl_outfile *file;
    size_t       plane_bytes;
    int          item_bytes;
};

rvl_status rvl_nifti_file_open(rvl_nifti_file **out, const rvl_volume *facts, const char *path, rvl_error *err)
{
    uint8_t    head[HEADER_BYTES];
    rvl_status st = sides_check(facts, path, err);

    *out = NULL;
    if (st)
        return st;
    rvl_nifti_file *f = rvl_alloc_array(1, sizeof *f);
    st = f ? rvl_outfile_open(&f->file, path, err)
           : rvl_fail(err, RVL_ERR_NOMEM, "cannot write '%s': out of memory", path);
    if (st) {
        rvl_free(f);
        return st;
    }
    f->item_bytes = (int)rvl_voxel_bytes(facts->type);
    f->plane_bytes = (size_t)(facts->height * facts->width) * (size_t)f->item_bytes;
    make_header(head, facts);
    rvl_outfile_write(f->file, head, sizeof head);
    *out = f;
    return RVL_OK;
}

rvl_status rvl_nifti_file_put(rvl_nifti_file *f, int64_t z, const void *voxels, size_t n_bytes, rvl_error *err)
{
    size_t         at = HEADER_BYTES + (size_t)z * f->plane_bytes;
    const uint8_t *from = voxels;
    uint8_t        piece[PIECE_BYTES];
    rvl_status     st = RVL_OK;

    RVL_ASSERT(n_bytes == f->plane_bytes);
    if (__BYTE_ORDER__ != __ORDER_BIG_ENDIAN__)
        return rvl_outfile_write_at(f->file, at, from, n_bytes, err);
    for (size_t n; !st && n_bytes > 0; n_bytes -= n, from += n, at += n) {
        n = n_bytes < sizeof piece ? n_bytes : sizeof piece;
        bytes_turn(piece, from, n, (size_t)f->item_bytes);
        st = rvl_outfile_write_at(f->file, at, piece, n, err);
    }
    return st;
}

rvl_status rvl_nifti_file_commit(rvl_nifti_file *f, rvl_error *err)
{
    rvl_status st = rvl_outfile_commit(f->file, err);

    rvl_free(f);
    return st;
}

void rvl_nifti_file_discard(rvl_nifti_file *f)
{
    if (!f)
        return;
    rvl_outfile_discard(f->file);
    rvl_free(f);
}
