/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/append.c
 * Journals: append and fsync.
 */
#include "base/append.h"
#include "base/alloc.h"
#include "base/io_error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

struct rvl_appendfile {
    int  fd;
    char path[];
};

rvl_status rvl_appendfile_open(rvl_appendfile **out, const char *path, size_t n_keep, rvl_error *err)
{
    const size_t    n = strlen(path) + 1;
    rvl_appendfile *f = rvl_alloc(sizeof *f + n);
    struct stat     info;
    int             error = 0;

    *out = NULL;
    if (!f)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot write '%s': out of memory", path);
    memcpy(f->path, path, n);
    f->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (f->fd < 0 || fstat(f->fd, &info) != 0)
        error = errno;
    else if (!S_ISREG(info.st_mode))
        error = EINVAL;
    else if (ftruncate(f->fd, (off_t)n_keep) != 0 || lseek(f->fd, 0, SEEK_END) < 0)
        error = errno;
    if (error) {
        rvl_appendfile_close(f);
        return rvl__io_fail(err, "write", path, error);
    }
    *out = f;
    return RVL_OK;
}

rvl_status rvl_appendfile_write(rvl_appendfile *f, const void *data, size_t n_bytes, rvl_error *err)
{
    const char *at = data;

    while (n_bytes > 0) {
        ssize_t n = write(f->fd, at, n_bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rvl__io_fail(err, "write", f->path, errno);
        at += n;
        n_bytes -= (size_t)n;
    }
    return fdatasync(f->fd) == 0 ? RVL_OK : rvl__io_fail(err, "write", f->path, errno);
}

void rvl_appendfile_close(rvl_appendfile *f)
{
    if (!f)
        return;
    if (f->fd >= 0)
        (void)close(f->fd);
    rvl_free(f);
}

rvl_status rvl_file_remove(const char *path, rvl_error *err)
{
    return unlink(path) == 0 || errno == ENOENT ? RVL_OK : rvl__io_fail(err, "remove", path, errno);
}
