/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/pack.c
 * data.bin is the rows one behind the other; index.bin is a header of 32 bytes and one xxh3-64 a row, little endian.
 */
#include "cohort/pack.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/util.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define INDEX_HEADER_BYTES 32
#define DONE_BYTES ((size_t)256 << 10)

static const char index_magic[8] = {'R', 'V', 'L', 'P', 'A', 'C', 'K', '1'};

static void put_u64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_u64(const uint8_t *in)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value |= (uint64_t)in[i] << (8 * i);
    return value;
}

size_t rvl__pack_row_bytes(const rvl_preprocess *spec)
{
    int64_t side[3];

    rvl_preprocess_load_sides(side, spec);
    return (size_t)side[0] * (size_t)side[1] * (size_t)side[2] * (size_t)(spec->bits / 8);
}

rvl_status rvl__pack_hash(char out[17], const rvl_preprocess *spec, rvl_error *err)
{
    return rvl_preprocess_hash(out, spec, err);
}

static rvl_status write_fail(const char *name, rvl_error *err)
{
    bool is_full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;

    return rvl_fail(err, RVL_ERR_IO, "cannot write pack file '%s': %s%s", name, strerror(errno),
                    is_full ? "\nhint: free some space and run the same command again, it continues" : "");
}

static rvl_status write_all(int fd, const void *bytes, size_t n_bytes, off_t offset, const char *name, rvl_error *err)
{
    const char *p = bytes;

    while (n_bytes > 0) {
        ssize_t n = pwrite(fd, p, n_bytes, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return write_fail(name, err);
        p += n;
        n_bytes -= (size_t)n;
        offset += n;
    }
    return RVL_OK;
}

static rvl_status spec_save(const char *dir, const rvl_preprocess *spec, rvl_error *err)
{
    json_t    *json = NULL;
    char      *path = rvl_path_join(dir, "spec.json");
    rvl_status st;

    if (!path)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot write spec.json: out of memory");
    st = rvl_path_exists(path) ? RVL_OK : rvl_preprocess_to_json(&json, spec, err);
    if (!st && json)
        st = rvl_json_save(json, path, err);
    json_decref(json);
    rvl_free(path);
    return st;
}

static rvl_status file_open(int *fd, const char *dir, const char *name, off_t n_bytes, rvl_error *err)
{
    char *path = rvl_path_join(dir, name);

    if (!path)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot open pack: out of memory");
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    rvl_free(path);
    if (*fd < 0)
        return write_fail(name, err);
    off_t size = lseek(*fd, 0, SEEK_END);
    if (size < n_bytes)
        return rvl_fail(err, RVL_ERR_FORMAT,
                        "pack file '%s' is damaged: %lld bytes where at least %lld were written\nhint: start again "
                        "with --force",
                        name, (long long)size, (long long)n_bytes);
    if (ftruncate(*fd, n_bytes))
        return write_fail(name, err);
    return RVL_OK;
}

rvl_status rvl__pack_open(rvl__pack_writer *out, const char *dir, const rvl_preprocess *spec, int64_t n_committed,
                          rvl_error *err)
{
    rvl_status st = rvl_dir_make(dir, err);

    *out = (rvl__pack_writer){-1, -1, n_committed, rvl__pack_row_bytes(spec)};
    if (!st)
        st = spec_save(dir, spec, err);
    if (!st)
        st = file_open(&out->fd_data, dir, "data.bin", (off_t)n_committed * (off_t)out->row_bytes, err);
    if (!st)
        st = file_open(&out->fd_index, dir, "index.bin", n_committed ? INDEX_HEADER_BYTES + (off_t)n_committed * 8 : 0,
                       err);
    if (!st)
        st = rvl__pack_note(out, err);
    if (st)
        rvl__pack_close(out);
    return st;
}

rvl_status rvl__pack_append(uint64_t *checksum, rvl__pack_writer *w, const void *codes, rvl_error *err)
{
    uint8_t    entry[8];
    rvl_status st = write_all(w->fd_data, codes, w->row_bytes, (off_t)w->n_rows * (off_t)w->row_bytes, "data.bin", err);

    *checksum = rvl_hash64(codes, w->row_bytes);
    put_u64(entry, *checksum);
    if (!st)
        st = write_all(w->fd_index, entry, sizeof entry, INDEX_HEADER_BYTES + (off_t)w->n_rows * 8, "index.bin", err);
    if (!st)
        w->n_rows++;
    return st;
}

rvl_status rvl__pack_sync(rvl__pack_writer *w, rvl_error *err)
{
    if (fsync(w->fd_data))
        return write_fail("data.bin", err);
    return fsync(w->fd_index) ? write_fail("index.bin", err) : RVL_OK;
}

rvl_status rvl__pack_note(rvl__pack_writer *w, rvl_error *err)
{
    uint8_t header[INDEX_HEADER_BYTES] = {0};

    memcpy(header, index_magic, sizeof index_magic);
    put_u64(header + 8, w->row_bytes);
    put_u64(header + 16, (uint64_t)w->n_rows);
    return write_all(w->fd_index, header, sizeof header, 0, "index.bin", err);
}

void rvl__pack_close(rvl__pack_writer *w)
{
    if (w->fd_data >= 0)
        close(w->fd_data);
    if (w->fd_index >= 0)
        close(w->fd_index);
    w->fd_data = w->fd_index = -1;
}

static rvl_status map_one(rvl_file_map *out, const char *dir, const char *name, rvl_error *err)
{
    char      *path = rvl_path_join(dir, name);
    rvl_status st;

    if (!path)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot open pack: out of memory");
    st = rvl_file_map_open(out, path, err);
    rvl_free(path);
    return st;
}

static rvl_status reader_check(const rvl__pack_reader *r, rvl_error *err)
{
    size_t n = (size_t)r->n_rows;

    if (r->data.n_bytes != n * r->row_bytes)
        return rvl_fail(err, RVL_ERR_FORMAT, "data.bin holds %zu bytes, %zu expected", r->data.n_bytes,
                        n * r->row_bytes);
    if (r->index.n_bytes != INDEX_HEADER_BYTES + 8 * n || memcmp(r->index.ptr, index_magic, sizeof index_magic) != 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "index.bin is no index of %zu rows", n);
    if (get_u64(r->index.ptr + 8) != r->row_bytes || get_u64(r->index.ptr + 16) != n)
        return rvl_fail(err, RVL_ERR_FORMAT, "index.bin says %llu rows of %llu bytes, %zu of %zu expected",
                        (unsigned long long)get_u64(r->index.ptr + 16), (unsigned long long)get_u64(r->index.ptr + 8),
                        n, r->row_bytes);
    return RVL_OK;
}

rvl_status rvl__pack_map(rvl__pack_reader *out, const char *dir, const rvl_preprocess *spec, int64_t n_rows,
                         rvl_error *err)
{
    rvl_status st;

    *out = (rvl__pack_reader){.n_rows = n_rows, .row_bytes = rvl__pack_row_bytes(spec)};
    st = map_one(&out->data, dir, "data.bin", err);
    if (!st)
        st = map_one(&out->index, dir, "index.bin", err);
    if (!st)
        st = reader_check(out, err);
    if (!st) {
        out->checked = rvl_alloc_array((size_t)n_rows + 1, sizeof *out->checked);
        if (!out->checked)
            st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    }
    if (st) {
        rvl_error_prefix(err, "cannot open pack '%s'", rvl_path_base(dir));
        rvl__pack_unmap(out);
    }
    return st;
}

uint64_t rvl__pack_checksum(const rvl__pack_reader *r, int64_t row)
{
    return get_u64(r->index.ptr + INDEX_HEADER_BYTES + 8 * (size_t)row);
}

rvl_status rvl__pack_row(const void **codes, rvl__pack_reader *r, int64_t row, rvl_error *err)
{
    *codes = NULL;
    if (row < 0 || row >= r->n_rows)
        return rvl_fail(err, RVL_ERR_NOT_FOUND, "pack row %lld is not among the %lld rows", (long long)row,
                        (long long)r->n_rows);
    const uint8_t *bytes = r->data.ptr + (size_t)row * r->row_bytes;
    if (!atomic_load_explicit(&r->checked[row], memory_order_relaxed)) {
        if (rvl_hash64(bytes, r->row_bytes) != rvl__pack_checksum(r, row))
            return rvl_fail(err, RVL_ERR_FORMAT, "pack row %lld is damaged: its checksum is wrong", (long long)row);
        atomic_store_explicit(&r->checked[row], 1, memory_order_relaxed);
    }
    *codes = bytes;
    return RVL_OK;
}

void rvl__pack_done(const rvl__pack_reader *r, int64_t row)
{
    if (row >= 0 && row < r->n_rows && r->row_bytes >= DONE_BYTES)
        rvl_file_map_drop(&r->data, (size_t)row * r->row_bytes, r->row_bytes);
}

void rvl__pack_unmap(rvl__pack_reader *r)
{
    rvl_file_map_close(&r->data);
    rvl_file_map_close(&r->index);
    rvl_free((void *)r->checked);
    *r = (rvl__pack_reader){0};
}
