/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/gz.c
 * A forward reader over plain or gzip bytes. Several gzip members one after another (bgzip) are one stream.
 */
#include "imaging/gz.h"
#include "base/alloc.h"
#include <limits.h>
#include <string.h>
#include <zlib.h>

struct rvl__gz {
    z_stream    z;
    rvl_span    file;
    size_t      at; /* of a plain file; of a compressed one, the first byte not yet given to zlib */
    const char *name;
    bool        is_gz, is_end;
};

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

bool rvl__gz_is(rvl_span file)
{
    return file.n_bytes >= 2 && file.ptr[0] == 0x1f && file.ptr[1] == 0x8b;
}

rvl_status rvl__gz_open(rvl__gz **out, rvl_span file, const char *name, rvl_error *err)
{
    rvl__gz *g = rvl_alloc_array(1, sizeof *g);

    *out = NULL;
    if (!g)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", name);
    g->file = file;
    g->name = name;
    g->is_gz = rvl__gz_is(file);
    g->z.zalloc = take_memory;
    g->z.zfree = give_memory;
    if (g->is_gz && inflateInit2(&g->z, 16 + MAX_WBITS) != Z_OK) {
        rvl_free(g);
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory for zlib", name);
    }
    *out = g;
    return RVL_OK;
}

/* Behind a member: another one, zeros that pad a tape block, or nothing. */
static rvl_status member_next(rvl__gz *g, rvl_error *err)
{
    size_t at = g->at - g->z.avail_in;

    if (g->file.n_bytes - at >= 2 && rvl__gz_is((rvl_span){g->file.ptr + at, g->file.n_bytes - at})) {
        if (inflateReset(&g->z) == Z_OK)
            return RVL_OK;
        return rvl_fail(err, RVL_ERR_INTERNAL, "cannot read '%s': zlib does not start again", g->name);
    }
    for (; at < g->file.n_bytes; at++)
        if (g->file.ptr[at])
            return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': %zu bytes behind its gzip stream are no gzip",
                            g->name, g->file.n_bytes - at);
    g->is_end = true;
    return RVL_OK;
}

static rvl_status inflate_some(rvl__gz *g, uint8_t *to, size_t n_bytes, size_t *n_read, rvl_error *err)
{
    enum { MAX_STEP = 1 << 30 };

    while (*n_read < n_bytes && !g->is_end) {
        if (g->z.avail_in == 0) {
            size_t n = g->file.n_bytes - g->at;
            n = n > MAX_STEP ? MAX_STEP : n;
            g->z.next_in = (z_const Bytef *)(g->file.ptr + g->at);
            g->z.avail_in = (uInt)n;
            g->at += n;
        }
        size_t n_want = n_bytes - *n_read > MAX_STEP ? MAX_STEP : n_bytes - *n_read;
        g->z.next_out = to + *n_read;
        g->z.avail_out = (uInt)n_want;
        int how = inflate(&g->z, Z_NO_FLUSH);
        *n_read += n_want - g->z.avail_out;
        if (how == Z_STREAM_END) {
            rvl_status st = member_next(g, err);
            if (st)
                return st;
        } else if (how == Z_MEM_ERROR) {
            return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory for zlib", g->name);
        } else if (how == Z_BUF_ERROR) { /* no byte left to go on with */
            return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': its gzip stream is cut off", g->name);
        } else if (how != Z_OK) {
            return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': its gzip stream is damaged near byte %zu (%s)",
                            g->name, g->at - g->z.avail_in, g->z.msg ? g->z.msg : "zlib");
        }
    }
    return RVL_OK;
}

rvl_status rvl__gz_read_some(rvl__gz *g, void *to, size_t n_bytes, size_t *n_read, rvl_error *err)
{
    *n_read = 0;
    if (g->is_gz)
        return inflate_some(g, to, n_bytes, n_read, err);
    *n_read = n_bytes < g->file.n_bytes - g->at ? n_bytes : g->file.n_bytes - g->at;
    if (*n_read > 0)
        memcpy(to, g->file.ptr + g->at, *n_read);
    g->at += *n_read;
    return RVL_OK;
}

static rvl_status skip(rvl__gz *g, size_t n_bytes, size_t *n_read, rvl_error *err)
{
    uint8_t    dump[16384];
    rvl_status st = RVL_OK;

    *n_read = 0;
    if (!g->is_gz) {
        *n_read = n_bytes < g->file.n_bytes - g->at ? n_bytes : g->file.n_bytes - g->at;
        g->at += *n_read;
        return RVL_OK;
    }
    while (!st && *n_read < n_bytes && !g->is_end) {
        size_t n = 0;
        st = inflate_some(g, dump, n_bytes - *n_read < sizeof dump ? n_bytes - *n_read : sizeof dump, &n, err);
        *n_read += n;
    }
    return st;
}

rvl_status rvl__gz_read(rvl__gz *g, void *to, size_t n_bytes, rvl_error *err)
{
    size_t     n = 0;
    rvl_status st = to ? rvl__gz_read_some(g, to, n_bytes, &n, err) : skip(g, n_bytes, &n, err);

    if (!st && n < n_bytes)
        st = rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': it ends before the bytes that its header promises",
                      g->name);
    return st;
}

rvl_status rvl__gz_finish(rvl__gz *g, size_t max_bytes, rvl_error *err)
{
    size_t     n = 0;
    rvl_status st = max_bytes < SIZE_MAX ? skip(g, max_bytes + 1, &n, err) : skip(g, max_bytes, &n, err);

    if (!st && n > max_bytes)
        st = rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': more than %zu bytes follow its last voxel", g->name,
                      max_bytes);
    return st;
}

uint64_t rvl__gz_capacity(const rvl__gz *g)
{
    return g->is_gz ? (uint64_t)g->file.n_bytes * RVL_GZ_MAX_RATIO : g->file.n_bytes;
}

void rvl__gz_close(rvl__gz *g)
{
    if (!g)
        return;
    if (g->is_gz)
        inflateEnd(&g->z);
    rvl_free(g);
}
