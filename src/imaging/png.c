/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/png.c
 * PNG by libpng: read from memory into gray voxels, write gray voxels.
 *
 * Samples of 1, 2, 4 bits become 8 bits over the whole range; 16 bits stay. Palettes are looked up, alpha is laid on
 * black. Only the chunks that matter for the pixels are parsed; a wrong checksum in any chunk, or a colour that is not
 * in the palette, refuses the file.
 */
#include "imaging/raster.h"
#include "imaging/image_file.h"
#include "base/alloc.h"
#include "base/file.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* Deflate cannot shrink by more than this, so a header that promises more pixels is lying. */
#define DEFLATE_RATIO_MAX 1040U

typedef struct {
    rvl_span     file;
    size_t       offset;
    rvl_volume  *volume;
    png_bytep    raw; /* one row, or the whole picture when interlaced */
    size_t       row_bytes;
    rvl_outfile *sink;         /* when writing */
    char         text[128];    /* what libpng said */
    uint8_t      palette[256]; /* gray, alpha laid on black */
    int          n_colours;    /* 0: no palette */
} png_job;

static void on_error(png_structp png, png_const_charp text)
{
    png_job *job = png_get_error_ptr(png);

    snprintf(job->text, sizeof job->text, "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static png_voidp take_memory(png_structp png, png_alloc_size_t n_bytes)
{
    (void)png;
    return rvl_alloc(n_bytes);
}

static void give_memory(png_structp png, png_voidp ptr)
{
    (void)png;
    rvl_free(ptr);
}

static void read_bytes(png_structp png, png_bytep to, size_t n_bytes)
{
    png_job *job = png_get_io_ptr(png);

    if (n_bytes > job->file.n_bytes - job->offset)
        png_error(png, "the file ends too early");
    memcpy(to, job->file.ptr + job->offset, n_bytes);
    job->offset += n_bytes;
}

static uint32_t read_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/** Size as the header chunk says it, before libpng or memory is touched. */
static rvl_status header_check(rvl_span file, const char *name, const rvl_limits *limits, rvl_error *err)
{
    if (file.n_bytes < 33 || memcmp(file.ptr + 12, "IHDR", 4) != 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read PNG '%s': no header chunk behind the signature", name);
    int64_t  width = read_be32(file.ptr + 16);
    int64_t  height = read_be32(file.ptr + 20);
    unsigned n_samples = file.ptr[25] == 2 ? 3 : file.ptr[25] == 4 ? 2 : file.ptr[25] == 6 ? 4 : 1;

    rvl_status status = rvl__raster_check_size(1, height, width, name, limits, err);
    if (status)
        return status;
    uint64_t raw_bytes = (uint64_t)(width * height) * n_samples * file.ptr[24] / 8;
    if (raw_bytes / DEFLATE_RATIO_MAX > file.n_bytes)
        return rvl_fail(err, RVL_ERR_FORMAT,
                        "cannot read PNG '%s': %lld x %lld pixels cannot be held by a file of %zu bytes", name,
                        (long long)width, (long long)height, file.n_bytes);
    return RVL_OK;
}

/** Every chunk up to the end mark is whole and has the checksum it says. */
static rvl_status chunks_check(rvl_span file, const char *name, rvl_error *err)
{
    size_t at = 8;
    bool   is_end = false;

    while (!is_end) {
        size_t n_bytes = file.n_bytes - at < 12 ? 0 : read_be32(file.ptr + at);
        if (file.n_bytes - at < 12 || n_bytes > file.n_bytes - at - 12)
            return rvl_fail(err, RVL_ERR_FORMAT, "cannot read PNG '%s': cut off, it ends after %zu bytes", name,
                            file.n_bytes);
        uint32_t sum = (uint32_t)crc32(0, file.ptr + at + 4, (uInt)n_bytes + 4);
        if (sum != read_be32(file.ptr + at + 8 + n_bytes))
            return rvl_fail(err, RVL_ERR_FORMAT,
                            "cannot read PNG '%s': damaged, the chunk at byte %zu has another checksum (CRC) than it "
                            "says",
                            name, at);
        is_end = memcmp(file.ptr + at + 4, "IEND", 4) == 0;
        at += 12 + n_bytes;
    }
    return RVL_OK;
}

static void reader_setup(png_structp png, png_job *job, const rvl_limits *limits)
{
    static const png_byte skipped[] = "iCCP\0iTXt\0tEXt\0zTXt\0eXIf\0sPLT\0hIST\0pCAL\0sCAL\0tIME";

    png_set_read_fn(png, job, read_bytes);
    png_set_user_limits(png, (png_uint_32)limits->max_side, (png_uint_32)limits->max_side);
    png_set_chunk_cache_max(png, 64);
    png_set_chunk_malloc_max(png, 1 << 20);
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, skipped, (int)(sizeof skipped / 5));
}

static uint32_t sample_get(const uint8_t *row, size_t i, bool is_16)
{
    return is_16 ? (uint32_t)row[2 * i] << 8 | row[2 * i + 1] : row[i];
}

/** One row of 1..4 samples a pixel -> gray voxels. */
static void row_store(rvl_volume *v, int64_t y, const uint8_t *row, unsigned n_samples)
{
    bool     is_16 = v->type == RVL_VOXEL_U16;
    uint32_t full = is_16 ? 65535 : 255;

    for (int64_t x = 0; x < v->width; x++) {
        size_t   i = (size_t)x * n_samples;
        uint32_t gray = n_samples >= 3 ? rvl__luma(sample_get(row, i, is_16), sample_get(row, i + 1, is_16),
                                                   sample_get(row, i + 2, is_16))
                                       : sample_get(row, i, is_16);
        if (n_samples == 2 || n_samples == 4)
            gray = (uint32_t)(((uint64_t)gray * sample_get(row, i + n_samples - 1, is_16) + full / 2) / full);
        if (is_16)
            ((uint16_t *)v->voxels)[y * v->width + x] = (uint16_t)gray;
        else
            ((uint8_t *)v->voxels)[y * v->width + x] = (uint8_t)gray;
    }
}

static void palette_row_store(png_structp png, png_job *job, int64_t y, const uint8_t *row)
{
    uint8_t *to = (uint8_t *)job->volume->voxels + y * job->volume->width;

    for (int64_t x = 0; x < job->volume->width; x++) {
        if (row[x] >= job->n_colours)
            png_error(png, "a pixel has a colour that is not in the palette");
        to[x] = job->palette[row[x]];
    }
}

static void palette_read(png_structp png, png_infop info, png_job *job)
{
    png_colorp colours = NULL;
    png_bytep  alpha = NULL;
    int        n_alpha = 0;

    png_get_PLTE(png, info, &colours, &job->n_colours);
    if (!png_get_tRNS(png, info, &alpha, &n_alpha, NULL))
        n_alpha = 0;
    for (int i = 0; i < job->n_colours; i++) {
        uint32_t gray = rvl__luma(colours[i].red, colours[i].green, colours[i].blue);
        job->palette[i] = (uint8_t)(i < n_alpha ? (gray * alpha[i] + 127) / 255 : gray);
    }
}

static void picture_read(png_structp png, png_infop info, png_job *job)
{
    png_read_info(png, info);
    if (png_get_color_type(png, info) == PNG_COLOR_TYPE_PALETTE) {
        palette_read(png, info, job);
        png_set_packing(png);
    } else {
        png_set_expand(png);
    }
    int n_passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);

    int64_t  width = png_get_image_width(png, info);
    int64_t  height = png_get_image_height(png, info);
    unsigned n_samples = png_get_channels(png, info);
    size_t   raw_bytes = 0;

    job->row_bytes = png_get_rowbytes(png, info);
    if (!rvl_mul_size(&raw_bytes, job->row_bytes, n_passes > 1 ? (size_t)height : 1))
        png_error(png, "too large");
    job->raw = rvl_alloc(raw_bytes);
    if (!job->raw || rvl_volume_new(&job->volume, png_get_bit_depth(png, info) == 16 ? RVL_VOXEL_U16 : RVL_VOXEL_U8, 1,
                                    height, width, NULL))
        png_error(png, "out of memory");
    if (n_passes > 1)
        memset(job->raw, 0, raw_bytes);
    for (int i = 0; i < n_passes; i++)
        for (int64_t y = 0; y < height; y++) {
            uint8_t *row = n_passes > 1 ? job->raw + (size_t)y * job->row_bytes : job->raw;
            png_read_row(png, row, NULL);
            if (i == n_passes - 1 && job->n_colours > 0)
                palette_row_store(png, job, y, row);
            else if (i == n_passes - 1)
                row_store(job->volume, y, row, n_samples);
        }
    png_read_end(png, NULL);
}

/** All that may long-jump happens below this frame; what must survive the jump lives in `job`. */
static bool picture_try(png_structp png, png_infop info, png_job *job, const rvl_limits *limits)
{
    if (setjmp(png_jmpbuf(png)))
        return false;
    reader_setup(png, job, limits);
    picture_read(png, info, job);
    return true;
}

rvl_status rvl__png_decode(rvl_volume **out, rvl_span file, const char *name, const rvl_limits *limits, rvl_error *err)
{
    png_job job = {.file = file};

    *out = NULL;
    rvl_status status = header_check(file, name, limits, err);
    if (!status)
        status = chunks_check(file, name, err);
    if (status)
        return status;
    png_structp png =
        png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning, NULL, take_memory, give_memory);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    bool      ok = info && picture_try(png, info, &job, limits);

    png_destroy_read_struct(&png, &info, NULL);
    rvl_free(job.raw);
    if (ok) {
        job.volume->unit = RVL_UNIT_DISPLAY;
        *out = job.volume;
        return RVL_OK;
    }
    rvl_volume_free(job.volume);
    if (!job.text[0] || strstr(job.text, "emory"))
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read PNG '%s': out of memory", name);
    return rvl_fail(err, RVL_ERR_FORMAT, "cannot read PNG '%s': %s near byte %zu", name, job.text, job.offset);
}

static void write_bytes(png_structp png, png_bytep from, size_t n_bytes)
{
    png_job *job = png_get_io_ptr(png);

    rvl_outfile_write(job->sink, from, n_bytes);
}

static void write_flush(png_structp png)
{
    (void)png;
}

static bool picture_write(png_structp png, png_infop info, png_job *job, const rvl_volume *v)
{
    size_t voxel_bytes = rvl_voxel_bytes(v->type);

    if (setjmp(png_jmpbuf(png)))
        return false;
    png_set_write_fn(png, job, write_bytes, write_flush);
    png_set_IHDR(png, info, (png_uint_32)v->width, (png_uint_32)v->height, voxel_bytes == 2 ? 16 : 8,
                 PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int64_t y = 0; y < v->height; y++) {
        for (int64_t x = 0; x < v->width; x++) {
            int64_t i = y * v->width + x;
            if (voxel_bytes == 2) {
                uint16_t value = ((const uint16_t *)v->voxels)[i];
                job->raw[2 * x] = (uint8_t)(value >> 8);
                job->raw[2 * x + 1] = (uint8_t)(value & 255);
            } else {
                job->raw[x] = ((const uint8_t *)v->voxels)[i];
            }
        }
        png_write_row(png, job->raw);
    }
    png_write_end(png, info);
    return true;
}

rvl_status rvl_png_save(const rvl_volume *v, const char *path, rvl_error *err)
{
    png_job job = {0};

    if (v->type != RVL_VOXEL_U8 && v->type != RVL_VOXEL_U16)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "cannot write '%s': PNG holds 8 or 16 bit unsigned voxels only",
                        path);
    rvl_status status = rvl_outfile_open(&job.sink, path, err);
    if (status)
        return status;
    job.raw = rvl_alloc_array((size_t)v->width, rvl_voxel_bytes(v->type));
    png_structp png = job.raw ? png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning, NULL,
                                                          take_memory, give_memory)
                              : NULL;
    png_infop   info = png ? png_create_info_struct(png) : NULL;
    bool        ok = info && picture_write(png, info, &job, v);

    png_destroy_write_struct(&png, &info);
    rvl_free(job.raw);
    if (ok)
        return rvl_outfile_commit(job.sink, err);
    rvl_outfile_discard(job.sink);
    if (!job.text[0] || strstr(job.text, "emory"))
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot write PNG '%s': out of memory", path);
    return rvl_fail(err, RVL_ERR_INTERNAL, "cannot write PNG '%s': %s", path, job.text);
}
