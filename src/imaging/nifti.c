/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/nifti.c
 * Reads the voxels of NIfTI files: sizes first, then slice by slice, every number looked at.
 */
#include "imaging/nifti.h"
#include "base/alloc.h"
#include "base/file.h"
#include "imaging/gz.h"
#include "imaging/nifti_header.h"
#include "imaging/raster.h"
#include <math.h>
#include <string.h>

enum { MAX_BEHIND_BYTES = 16 << 20 }; /* read for the checksum's sake only */

typedef struct {
    rvl__nifti_header h;
    rvl_nifti_opts    opts;
    rvl_volume       *v;
    rvl__gz          *file;
    uint8_t          *row; /* one row of stored voxels */
    bool              is_scaled, all_whole;
    double            low, high; /* of the finite voxels */
    int64_t           n_non_finite;
} job;

rvl_nifti_opts rvl_nifti_opts_default(void)
{
    return (rvl_nifti_opts){.frame = -1};
}

bool rvl_nifti_is(rvl_span file)
{
    uint8_t first[4];

    if (rvl__gz_is(file))
        return true;
    if (file.n_bytes < RVL_NIFTI1_BYTES)
        return false;
    memcpy(first, file.ptr, sizeof first);
    return rvl__nifti_header_bytes(first) > 0;
}

static rvl_status read_header(job *j, rvl_span file, const char *name, rvl_error *err)
{
    uint8_t    bytes[RVL_NIFTI2_BYTES];
    size_t     n = 0;
    rvl_status st = rvl__gz_open(&j->file, file, name, err);

    if (!st)
        st = rvl__gz_read_some(j->file, bytes, 4, &n, err);
    const size_t n_bytes = st || n < 4 ? 0 : rvl__nifti_header_bytes(bytes);
    if (!st && n_bytes == 0)
        st = rvl_fail(err, RVL_ERR_UNSUPPORTED, "cannot read '%s': %s", name,
                      rvl__gz_is(file) ? "a gzip file that holds no NIfTI" : "it does not begin as NIfTI does");
    if (!st)
        st = rvl__gz_read(j->file, bytes + 4, n_bytes - 4, err);
    if (!st)
        st = rvl__nifti_header_unpack(&j->h, bytes, n_bytes, name, err);
    if (!st)
        st = rvl__nifti_header_check(&j->h, err);
    return st;
}

/* Frames, sides and bytes against what is asked for, allowed, and in the file. */
static rvl_status check_size(const job *j, uint64_t capacity, const rvl_limits *limits, rvl_error *err)
{
    const rvl__nifti_header *h = &j->h;
    size_t                   n_bytes = 0;
    rvl_status st = rvl__raster_check_size(h->grid.depth, h->grid.height, h->grid.width, h->name, limits, err);

    if (st)
        return st;
    bool fits =
        rvl_mul_size(&n_bytes, (size_t)(h->grid.depth * h->grid.height * h->grid.width), (size_t)h->item_bytes) &&
        rvl_mul_size(&n_bytes, n_bytes, (size_t)h->n_frames) && rvl_add_size(&n_bytes, n_bytes, (size_t)h->vox_offset);
    if (!fits || n_bytes > capacity)
        return rvl_fail(err, RVL_ERR_FORMAT,
                        "cannot read '%s': %lld x %lld x %lld voxels (%s) in %lld frames do not fit into the file, it "
                        "is cut off or its header is damaged",
                        h->name, (long long)h->grid.width, (long long)h->grid.height, (long long)h->grid.depth,
                        h->stored_type, (long long)h->n_frames);
    if (j->opts.frame < 0 && h->n_frames > 1)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED,
                        "cannot read '%s': it has %lld frames, a volume has one\nhint: --frame N takes one of them",
                        h->name, (long long)h->n_frames);
    if (j->opts.frame >= h->n_frames)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot read frame %lld of '%s': it has %lld, counted from 0",
                        (long long)j->opts.frame, h->name, (long long)h->n_frames);
    return RVL_OK;
}

static uint64_t bits_of(const uint8_t *at, int n_bytes, bool big)
{
    uint64_t value = 0;
    for (int i = 0; i < n_bytes; i++)
        value |= (uint64_t)at[big ? n_bytes - 1 - i : i] << (8 * i);
    return value;
}

/* A stored number as a double; 64-bit integers beyond 2^53 are caught by the callers' bound. */
static double number_of(uint64_t bits, char kind, int n)
{
    if (kind == 'u')
        return (double)bits;
    if (kind == 'i')
        return n == 1   ? (double)(int8_t)(uint8_t)bits
               : n == 2 ? (double)(int16_t)(uint16_t)bits
               : n == 4 ? (double)(int32_t)(uint32_t)bits
                        : (double)(int64_t)bits;
    if (n == 4) {
        const uint32_t half = (uint32_t)bits;
        float          value;
        memcpy(&value, &half, sizeof value);
        return (double)value;
    }
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double rvl_nifti_row_at(const rvl_nifti_row *row, int64_t i)
{
    return number_of(bits_of(row->bytes + i * row->item_bytes, row->item_bytes, false), row->kind, row->item_bytes);
}

/* Voxel i of the row that was read. */
static double stored_at(const job *j, int64_t i)
{
    const int n = j->h.item_bytes;
    return number_of(bits_of(j->row + i * n, n, j->h.big_endian), j->h.kind, n);
}

static rvl_status too_large(const job *j, double x, rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_UNSUPPORTED, "cannot read '%s': a voxel is %.17g, too large for a 32-bit float",
                    j->h.name, x);
}

/* A row of the F32 volume from the stored row. */
static rvl_status convert_row(job *j, float *to, rvl_error *err)
{
    const bool is_float = j->h.kind == 'f';

    for (int64_t i = 0; i < j->v->width; i++) {
        double x = stored_at(j, i);
        if (!isfinite(x)) {
            j->n_non_finite++;
            to[i] = (float)(j->opts.non_finite == RVL_NON_FINITE_FILL ? j->opts.fill : x);
            continue;
        }
        if (!is_float && fabs(x) > 16777216.0) /* 2^24: beyond it floats skip integers */
            return too_large(j, x, err);
        if (j->is_scaled)
            x = j->h.slope * x + j->h.intercept;
        if (fabs(x) > 3.4028234e38)
            return too_large(j, x, err);
        j->all_whole = j->all_whole && !(floor(x) < x);
        j->low = fmin(j->low, x);
        j->high = fmax(j->high, x);
        to[i] = (float)x;
    }
    return RVL_OK;
}

/* Integers that a narrow type holds as they are: U8, U16, I16, and I8 widened. */
static void copy_row(const job *j, int64_t i_row)
{
    const int64_t n = j->v->width;

    if (j->v->type == RVL_VOXEL_U8) {
        memcpy((uint8_t *)j->v->voxels + i_row * n, j->row, (size_t)n);
        return;
    }
    if (j->h.item_bytes == 2 && j->h.big_endian == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)) {
        memcpy((uint16_t *)j->v->voxels + i_row * n, j->row, (size_t)n * 2);
        return;
    }
    for (int64_t i = 0; i < n; i++) { /* U16 and I16 have the same bits */
        uint64_t bits =
            j->h.item_bytes == 1 ? (uint64_t)(int64_t)(int8_t)j->row[i] : bits_of(j->row + 2 * i, 2, j->h.big_endian);
        ((uint16_t *)j->v->voxels)[i_row * n + i] = (uint16_t)bits;
    }
}

static bool is_narrow(const rvl__nifti_header *h)
{
    return h->kind != 'f' && h->item_bytes <= 2;
}

static rvl_voxel_type type_read(const job *j)
{
    if (j->is_scaled || !is_narrow(&j->h))
        return RVL_VOXEL_F32;
    if (j->h.kind == 'i')
        return RVL_VOXEL_I16;
    return j->h.item_bytes == 1 ? RVL_VOXEL_U8 : RVL_VOXEL_U16;
}

/* F32 voxels that are all whole numbers of a narrow type, in place: reads stay ahead of writes. */
static void narrow(job *j)
{
    const int64_t n = j->v->depth * j->v->height * j->v->width;
    const float  *from = j->v->voxels;

    if (j->v->type != RVL_VOXEL_F32 || (j->h.kind == 'f' && !j->is_scaled) || !j->all_whole || j->n_non_finite > 0)
        return;
    if (j->low >= 0 && j->high <= 255) {
        for (int64_t i = 0; i < n; i++)
            ((uint8_t *)j->v->voxels)[i] = (uint8_t)from[i];
        j->v->type = RVL_VOXEL_U8;
    } else if (j->low >= -32768 && j->high <= 32767) {
        for (int64_t i = 0; i < n; i++)
            ((int16_t *)j->v->voxels)[i] = (int16_t)from[i];
        j->v->type = RVL_VOXEL_I16;
    } else if (j->low >= 0 && j->high <= 65535) {
        for (int64_t i = 0; i < n; i++)
            ((uint16_t *)j->v->voxels)[i] = (uint16_t)from[i];
        j->v->type = RVL_VOXEL_U16;
    } else {
        return;
    }
    void *smaller = rvl_realloc_array(j->v->voxels, (size_t)n, rvl_voxel_bytes(j->v->type));
    j->v->voxels = smaller ? smaller : j->v->voxels;
}

/* The row, turned to little-endian in place (the job's byte order with it), for whoever wants to see it. */
static void show_row(job *j, bool is_big, size_t row_bytes)
{
    const size_t        n = (size_t)j->h.item_bytes;
    const rvl_nifti_row row = {j->row, j->v->width, j->h.item_bytes, j->h.kind};

    for (size_t at = 0; is_big && at < row_bytes; at += n) {
        for (size_t b = 0; b < n / 2; b++) {
            uint8_t first = j->row[at + b];
            j->row[at + b] = j->row[at + n - 1 - b];
            j->row[at + n - 1 - b] = first;
        }
    }
    j->h.big_endian = false;
    j->opts.on_row(j->opts.context, &row);
}

/* All rows of the frame, which the file reader stands in front of. */
static rvl_status read_rows(job *j, rvl_error *err)
{
    const int64_t n_rows = j->v->depth * j->v->height;
    const size_t  row_bytes = (size_t)j->v->width * (size_t)j->h.item_bytes;
    const bool    is_big = j->h.big_endian;
    rvl_status    st = RVL_OK;

    j->row = rvl_alloc(row_bytes);
    if (!j->row)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", j->h.name);
    for (int64_t i = 0; !st && i < n_rows; i++) {
        st = rvl__gz_read(j->file, j->row, row_bytes, err);
        if (!st && j->opts.on_row)
            show_row(j, is_big, row_bytes);
        if (!st && j->v->type == RVL_VOXEL_F32)
            st = convert_row(j, (float *)j->v->voxels + i * j->v->width, err);
        else if (!st)
            copy_row(j, i);
    }
    j->h.big_endian = is_big;
    if (!st && j->n_non_finite > 0 && j->opts.non_finite == RVL_NON_FINITE_REFUSE)
        st = rvl_fail(err, RVL_ERR_NUMERIC,
                      "cannot read '%s': %lld of its %lld voxels are NaN or Inf\nhint: --fill VALUE replaces them",
                      j->h.name, (long long)j->n_non_finite, (long long)(n_rows * j->v->width));
    return st;
}

static rvl_status read_voxels(job *j, size_t n_before, rvl_error *err)
{
    const rvl_grid *g = &j->h.grid;
    const size_t    frame_bytes = (size_t)(g->depth * g->height * g->width) * (size_t)j->h.item_bytes;
    const int64_t   frame = j->opts.frame < 0 ? 0 : j->opts.frame;
    const int64_t   n_behind = j->h.n_frames - 1 - frame;

    /* the header again lies before the voxels of one file; of a pair nothing was read yet */
    rvl_status st = rvl__gz_read(j->file, NULL, (size_t)j->h.vox_offset - n_before, err);
    if (!st)
        st = rvl__gz_read(j->file, NULL, (size_t)frame * frame_bytes, err);
    if (!st)
        st = rvl_volume_new(&j->v, type_read(j), g->depth, g->height, g->width, err);
    if (!st)
        st = read_rows(j, err);
    if (!st)
        st = rvl__gz_read(j->file, NULL, (size_t)n_behind * frame_bytes, err);
    if (!st)
        st = rvl__gz_finish(j->file, MAX_BEHIND_BYTES, err);
    if (st)
        return st;
    narrow(j);
    rvl_volume_set_grid(j->v, g);
    return RVL_OK;
}

static void tell(rvl_nifti_info *info, const job *j)
{
    *info = (rvl_nifti_info){.version = j->h.version,
                             .big_endian = j->h.big_endian,
                             .stored_type = j->h.stored_type,
                             .is_scaled = j->is_scaled,
                             .slope = j->is_scaled ? j->h.slope : 1,
                             .intercept = j->is_scaled ? j->h.intercept : 0,
                             .qform_code = j->h.qform_code,
                             .sform_code = j->h.sform_code,
                             .place = j->h.place,
                             .disagreement_mm = j->h.disagreement_mm,
                             .n_frames = j->h.n_frames,
                             .n_non_finite = j->n_non_finite};
    memcpy(info->description, j->h.description, sizeof info->description);
}

static rvl_status open_image(job *j, rvl_span image, const char *name, rvl_error *err)
{
    rvl__gz_close(j->file);
    j->file = NULL;
    if (image.n_bytes == 0)
        return rvl_fail(err, RVL_ERR_NOT_FOUND,
                        "cannot read '%s': a header whose voxels are in an .img file that is absent or empty", name);
    return rvl__gz_open(&j->file, image, name, err);
}

rvl_status rvl_nifti_parse(rvl_volume **out, rvl_nifti_info *info, rvl_span file, rvl_span image, const char *name,
                           const rvl_nifti_opts *opts, const rvl_limits *limits, rvl_error *err)
{
    const rvl_limits l = rvl__limits_fill(limits);
    job              j = {.opts = opts ? *opts : rvl_nifti_opts_default(), .low = INFINITY, .high = -INFINITY};

    *out = NULL;
    j.all_whole = true;
    if (file.n_bytes == 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': the file is empty", name);
    rvl_status st = read_header(&j, file, name, err);
    size_t     n_before = j.h.version == 1 ? RVL_NIFTI1_BYTES : RVL_NIFTI2_BYTES;
    if (!st && j.h.is_pair) {
        n_before = 0;
        st = open_image(&j, image, name, err);
    }
    if (!st)
        st = check_size(&j, rvl__gz_capacity(j.file), &l, err);
    if (!st) {
        j.is_scaled = isfinite(j.h.slope) && (j.h.slope > 0 || j.h.slope < 0) &&
                      (j.h.slope < 1 || j.h.slope > 1 || j.h.intercept < 0 || j.h.intercept > 0);
        st = read_voxels(&j, n_before, err);
    }
    if (!st && info)
        tell(info, &j);
    rvl__gz_close(j.file);
    rvl_free(j.row);
    if (st)
        rvl_volume_free(j.v);
    else
        *out = j.v;
    return st;
}

/* The path with its ending replaced, if that file exists; caller frees. NULL if not, or without memory. */
static char *sibling(const char *path, const char *ending, const char *other)
{
    rvl_str s = {0};

    if (!rvl_str_ends(path, ending))
        return NULL;
    rvl_str_add_n(&s, path, strlen(path) - strlen(ending));
    rvl_str_add(&s, other);
    char *text = rvl_str_take(&s);
    if (text && !rvl_path_exists(text)) {
        rvl_free(text);
        text = NULL;
    }
    return text;
}

/* Either name of a pair to both: `*header` and `*image` are owned, NULL if there is no such file. */
static void find_pair(char **header, char **image, const char *path)
{
    static const char *const ends[][2] = {
        {".hdr", ".img"}, {".hdr", ".img.gz"}, {".hdr.gz", ".img.gz"}, {".hdr.gz", ".img"}};

    *header = NULL;
    *image = NULL;
    for (size_t i = 0; i < RVL_ARRAY_LEN(ends) && !*header && !*image; i++) {
        *image = sibling(path, ends[i][0], ends[i][1]);
        *header = sibling(path, ends[i][1], ends[i][0]);
    }
}

static rvl_status map_file(rvl_file_map *map, const char *path, size_t max_bytes, rvl_error *err)
{
    rvl_status st = rvl_file_map_open(map, path, err);

    if (!st && map->n_bytes > max_bytes)
        st = rvl_fail(err, RVL_ERR_LIMIT, "cannot read '%s': %zu bytes, the limit is %zu", path, map->n_bytes,
                      max_bytes);
    return st;
}

rvl_status rvl_nifti_load(rvl_volume **out, rvl_nifti_info *info, const char *path, const rvl_nifti_opts *opts,
                          const rvl_limits *limits, rvl_error *err)
{
    const rvl_limits l = rvl__limits_fill(limits);
    rvl_file_map     file = {0};
    rvl_file_map     image = {0};
    char            *header_path = NULL;
    char            *image_path = NULL;

    *out = NULL;
    find_pair(&header_path, &image_path, path);
    const char *first = header_path ? header_path : path;
    const char *second = header_path ? path : image_path;
    rvl_status  st = map_file(&file, first, l.max_file_bytes, err);
    if (!st && second)
        st = map_file(&image, second, l.max_file_bytes, err);
    if (!st)
        st = rvl_nifti_parse(out, info, (rvl_span){file.ptr, file.n_bytes}, (rvl_span){image.ptr, image.n_bytes}, path,
                             opts, &l, err);
    rvl_file_map_close(&file);
    rvl_file_map_close(&image);
    rvl_free(header_path);
    rvl_free(image_path);
    return st;
}
