/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/file.c
 * Whole-file reads with a limit, atomic writes, read-only maps.
 */
#define _DEFAULT_SOURCE /* madvise: posix_madvise keeps the pages */
#include "base/file.h"
#include "base/alloc.h"
#include "base/io_error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define OUTFILE_BUFFER_BYTES ((size_t)64 * 1024)
#define READ_STEP_BYTES ((size_t)64 * 1024)

rvl_status rvl__io_fail(rvl_error *err, const char *what, const char *path, int error)
{
    char text[128];

    if (strerror_r(error, text, sizeof text) != 0)
        (void)snprintf(text, sizeof text, "error %d", error);
    if (text[0] >= 'A' && text[0] <= 'Z')
        text[0] = (char)(text[0] - 'A' + 'a');
    if (error == ENOENT || error == ENOTDIR)
        return rvl_fail(err, RVL_ERR_NOT_FOUND, "cannot %s '%s': %s", what, path, text);
    if (error == ENOMEM)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot %s '%s': out of memory", what, path);
    const char *hint = "";
    if (error == ENOSPC || error == EDQUOT)
        hint = "\nhint: free some space or choose a folder on another disk";
    else if (error == EACCES || error == EPERM || error == EROFS)
        hint = "\nhint: check the owner and the permissions of the file and its folder";
    return rvl_fail(err, RVL_ERR_IO, "cannot %s '%s': %s%s", what, path, text, hint);
}

static int file_open_read(const char *path)
{
    int fd;

    do
        fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static rvl_status limit_fail(rvl_error *err, const char *path, size_t max_bytes)
{
    return rvl_fail(err, RVL_ERR_LIMIT, "cannot read '%s': more than %zu bytes", path, max_bytes);
}

/** Read to the end of `fd`; `n_expected` sizes the first buffer. */
static rvl_status read_all(char **out, size_t *n_bytes, int fd, size_t n_expected, size_t max_bytes, const char *path,
                           rvl_error *err)
{
    size_t capacity = n_expected + 2; /* one byte to see the end, one for the NUL */
    size_t n = 0;
    char  *text = rvl_alloc(capacity);

    while (text) {
        ssize_t n_got = read(fd, text + n, capacity - 1 - n);
        if (n_got < 0 && errno == EINTR)
            continue;
        if (n_got < 0 || (max_bytes && n + (size_t)n_got > max_bytes)) {
            int error = errno;
            rvl_free(text);
            return n_got < 0 ? rvl__io_fail(err, "read", path, error) : limit_fail(err, path, max_bytes);
        }
        if (n_got == 0) {
            text[n] = '\0';
            *out = text;
            *n_bytes = n;
            return RVL_OK;
        }
        n += (size_t)n_got;
        if (capacity - 1 - n == 0) {
            capacity += capacity > READ_STEP_BYTES ? capacity : READ_STEP_BYTES;
            char *grown = rvl_realloc_array(text, capacity, 1);
            if (!grown)
                rvl_free(text);
            text = grown;
        }
    }
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", path);
}

rvl_status rvl_file_read(char **out, size_t *n_bytes, const char *path, size_t max_bytes, rvl_error *err)
{
    struct stat info;
    rvl_status  st;

    *out = NULL;
    *n_bytes = 0;
    int fd = file_open_read(path);
    if (fd < 0)
        return rvl__io_fail(err, "read", path, errno);
    if (fstat(fd, &info) != 0)
        st = rvl__io_fail(err, "read", path, errno);
    else if (S_ISDIR(info.st_mode))
        st = rvl__io_fail(err, "read", path, EISDIR);
    else if (max_bytes && info.st_size > 0 && (uint64_t)info.st_size > max_bytes)
        st = limit_fail(err, path, max_bytes);
    else
        st = read_all(out, n_bytes, fd, info.st_size > 0 ? (size_t)info.st_size : 0, max_bytes, path, err);
    (void)close(fd);
    return st;
}

struct rvl_outfile {
    char         *path, *temp_path;
    int           fd;
    int           error; /* errno of the first failure, 0 for none */
    size_t        n_buffered;
    unsigned char buffer[OUTFILE_BUFFER_BYTES];
};

static void outfile_free(rvl_outfile *f)
{
    rvl_free(f->path);
    rvl_free(f->temp_path);
    rvl_free(f);
}

/** "<folder>/.tmp-<pid>-<counter>" beside `path`. */
static char *temp_path_new(const char *path)
{
    static atomic_uint counter;
    char               name[64];
    char              *dir = rvl_path_dir(path);

    if (!dir)
        return NULL;
    (void)snprintf(name, sizeof name, ".tmp-%ld-%u", (long)getpid(), atomic_fetch_add(&counter, 1));
    char *temp = rvl_path_join(dir, name);
    rvl_free(dir);
    return temp;
}

rvl_status rvl_outfile_open(rvl_outfile **out, const char *path, rvl_error *err)
{
    struct stat info;

    *out = NULL;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) /* the rename would put a file in a device's place */
        return rvl_fail(err, RVL_ERR_IO, "cannot write '%s': it exists and is not a regular file", path);
    rvl_outfile *f = rvl_alloc_array(1, sizeof *f);
    if (!f)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot write '%s': out of memory", path);
    f->path = rvl_strdup(path);
    f->temp_path = temp_path_new(path);
    if (!f->path || !f->temp_path) {
        outfile_free(f);
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot write '%s': out of memory", path);
    }
    do
        f->fd = open(f->temp_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    while (f->fd < 0 && errno == EINTR);
    if (f->fd < 0) {
        int error = errno;
        outfile_free(f);
        return rvl__io_fail(err, "write", path, error);
    }
    *out = f;
    return RVL_OK;
}

static void outfile_put(rvl_outfile *f, const unsigned char *bytes, size_t n_bytes)
{
    while (n_bytes && !f->error) {
        ssize_t n = write(f->fd, bytes, n_bytes);
        if (n < 0 && errno != EINTR)
            f->error = errno;
        if (n > 0) {
            bytes += n;
            n_bytes -= (size_t)n;
        }
    }
}

static void outfile_flush(rvl_outfile *f)
{
    outfile_put(f, f->buffer, f->n_buffered);
    f->n_buffered = 0;
}

void rvl_outfile_write(rvl_outfile *f, const void *data, size_t n_bytes)
{
    if (f->error || !n_bytes)
        return;
    if (n_bytes > OUTFILE_BUFFER_BYTES - f->n_buffered)
        outfile_flush(f);
    if (n_bytes >= OUTFILE_BUFFER_BYTES) {
        outfile_put(f, data, n_bytes);
        return;
    }
    memcpy(f->buffer + f->n_buffered, data, n_bytes);
    f->n_buffered += n_bytes;
}

rvl_status rvl_outfile_write_at(rvl_outfile *f, size_t at_bytes, const void *data, size_t n_bytes, rvl_error *err)
{
    const unsigned char *bytes = data;

    while (n_bytes) {
        ssize_t n = pwrite(f->fd, bytes, n_bytes, (off_t)at_bytes);
        if (n < 0 && errno != EINTR)
            return rvl__io_fail(err, "write", f->path, errno);
        if (n > 0) {
            bytes += n;
            at_bytes += (size_t)n;
            n_bytes -= (size_t)n;
        }
    }
    return RVL_OK;
}

int rvl__dir_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = 0;

    if (fd < 0)
        return errno;
    if (fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP) /* some file systems cannot sync a folder */
        error = errno;
    (void)close(fd);
    return error;
}

int rvl__parent_sync(const char *path)
{
    char *dir = rvl_path_dir(path);
    int   error = dir ? rvl__dir_sync(dir) : ENOMEM;

    rvl_free(dir);
    return error;
}

rvl_status rvl_outfile_commit(rvl_outfile *f, rvl_error *err)
{
    bool       renamed = false;
    rvl_status st = RVL_OK;

    outfile_flush(f);
    if (!f->error && fsync(f->fd) != 0 && errno != EINVAL)
        f->error = errno;
    if (close(f->fd) != 0 && !f->error)
        f->error = errno;
    if (!f->error) {
        renamed = rename(f->temp_path, f->path) == 0;
        f->error = renamed ? rvl__parent_sync(f->path) : errno;
    }
    if (!renamed)
        (void)unlink(f->temp_path);
    if (f->error)
        st = rvl__io_fail(err, "write", f->path, f->error);
    outfile_free(f);
    return st;
}

void rvl_outfile_discard(rvl_outfile *f)
{
    if (!f)
        return;
    (void)close(f->fd);
    (void)unlink(f->temp_path);
    outfile_free(f);
}

rvl_status rvl_file_write(const char *path, const void *data, size_t n_bytes, rvl_error *err)
{
    rvl_outfile *f;
    rvl_status   st = rvl_outfile_open(&f, path, err);

    if (st)
        return st;
    rvl_outfile_write(f, data, n_bytes);
    return rvl_outfile_commit(f, err);
}

rvl_status rvl_file_map_open(rvl_file_map *out, const char *path, rvl_error *err)
{
    static const uint8_t empty[1];
    struct stat          info;
    rvl_status           st = RVL_OK;

    *out = (rvl_file_map){empty, 0};
    int fd = file_open_read(path);
    if (fd < 0)
        return rvl__io_fail(err, "read", path, errno);
    if (fstat(fd, &info) != 0) {
        st = rvl__io_fail(err, "read", path, errno);
    } else if (!S_ISREG(info.st_mode)) {
        st = rvl_fail(err, RVL_ERR_IO, "cannot map '%s': not a regular file", path);
    } else if (info.st_size > 0) {
        void *ptr = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (ptr == MAP_FAILED)
            st = rvl__io_fail(err, "map", path, errno);
        else
            *out = (rvl_file_map){ptr, (size_t)info.st_size};
    }
    (void)close(fd);
    return st;
}

void rvl_file_map_drop(const rvl_file_map *map, size_t first, size_t n_bytes)
{
    const uintptr_t mask = ((uintptr_t)64 << 10) - 1; /* the system maps neighbours of a page that is read, too */
    const uintptr_t start = (uintptr_t)map->ptr;
    const uintptr_t end = start + map->n_bytes;
    uintptr_t       low = (start + first) & ~mask;
    uintptr_t       high = (start + first + n_bytes + mask) & ~mask;

    if (first >= map->n_bytes || n_bytes > map->n_bytes - first)
        return;
    low = low < start ? start : low; /* a map begins on a page */
    high = high > end ? end : high;
    (void)madvise((void *)low, high - low, MADV_DONTNEED);
}

void rvl_file_map_close(rvl_file_map *map)
{
    if (map->n_bytes)
        (void)munmap((void *)(uintptr_t)map->ptr, map->n_bytes);
    *map = (rvl_file_map){0};
}
