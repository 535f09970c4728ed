/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/dir.c
 * Paths and folders: join, split, list, make, rename, remove.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/io_error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define REMOVE_DEPTH_MAX 64

bool rvl_path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool rvl_path_is_dir(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

int64_t rvl_file_size(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (int64_t)info.st_size : -1;
}

static int dir_make_one(const char *path)
{
    if (mkdir(path, 0777) == 0)
        return 0;
    int error = errno;
    if (error == EEXIST)
        return rvl_path_is_dir(path) ? 0 : ENOTDIR;
    return rvl_path_is_dir(path) ? 0 : error;
}

rvl_status rvl_dir_make(const char *path, rvl_error *err)
{
    int   error = 0;
    char *copy = rvl_strdup(path);

    if (!copy)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot make folder '%s': out of memory", path);
    if (!*copy)
        error = ENOENT;
    for (char *p = copy + 1; !error && *copy && *p; p++)
        if (*p == '/') {
            *p = '\0';
            error = dir_make_one(copy);
            *p = '/';
        }
    if (!error)
        error = dir_make_one(copy);
    rvl_free(copy);
    if (error == ENOTDIR)
        return rvl_fail(err, RVL_ERR_IO, "cannot make folder '%s': a part of the path is a file", path);
    return error ? rvl__io_fail(err, "make folder", path, error) : RVL_OK;
}

/** Remove all that the open folder holds; closes `fd`. Links are removed, never followed. */
static int dir_empty(int fd, int depth)
{
    int  error = 0;
    DIR *dir = fdopendir(fd);

    if (!dir) {
        error = errno;
        (void)close(fd);
        return error;
    }
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(dir);
        if (!e) {
            error = errno;
            break;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (unlinkat(fd, e->d_name, 0) == 0)
            continue;
        int sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        error = sub < 0 ? errno : depth >= REMOVE_DEPTH_MAX ? ELOOP : dir_empty(sub, depth + 1);
        if (sub >= 0 && error == ELOOP && depth >= REMOVE_DEPTH_MAX)
            (void)close(sub);
        if (!error && unlinkat(fd, e->d_name, AT_REMOVEDIR) != 0)
            error = errno;
        if (error)
            break;
    }
    (void)closedir(dir);
    return error;
}

rvl_status rvl_dir_remove(const char *path, rvl_error *err)
{
    int error = 0;

    if (path[strspn(path, "/")] == '\0')
        return rvl_fail(err, RVL_ERR_USAGE, "cannot remove folder '%s': refused", path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return RVL_OK;
    if (fd < 0)
        return rvl_fail(err, RVL_ERR_IO, "cannot remove folder '%s': not a folder that can be opened", path);
    error = dir_empty(fd, 0);
    if (!error && rmdir(path) != 0)
        error = errno;
    return error ? rvl__io_fail(err, "remove folder", path, error) : RVL_OK;
}

rvl_status rvl_path_rename(const char *from, const char *to, rvl_error *err)
{
    if (rename(from, to) != 0) {
        int error = errno;
        return rvl__io_fail(err, "rename", from, error);
    }
    int error = rvl__parent_sync(to);
    return error ? rvl__io_fail(err, "rename", from, error) : RVL_OK;
}

static int name_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_add(rvl_dir_names *names, size_t *capacity, const char *name)
{
    if (names->n_names == *capacity) {
        size_t grown = *capacity ? *capacity * 2 : 32;
        char **list = rvl_realloc_array(names->names, grown, sizeof *list);
        if (!list)
            return ENOMEM;
        names->names = list;
        *capacity = grown;
    }
    char *copy = rvl_strdup(name);
    if (!copy)
        return ENOMEM;
    names->names[names->n_names++] = copy;
    return 0;
}

rvl_status rvl_dir_list(rvl_dir_names *out, const char *path, rvl_error *err)
{
    size_t capacity = 0;
    int    error = 0;

    *out = (rvl_dir_names){0};
    DIR *dir = opendir(path);
    if (!dir)
        return rvl__io_fail(err, "list folder", path, errno);
    while (!error) {
        errno = 0;
        struct dirent *e = readdir(dir);
        if (!e) {
            error = errno;
            break;
        }
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            error = names_add(out, &capacity, e->d_name);
    }
    (void)closedir(dir);
    if (error) {
        rvl_dir_names_free(out);
        return rvl__io_fail(err, "list folder", path, error);
    }
    if (out->n_names)
        qsort(out->names, out->n_names, sizeof *out->names, name_order);
    return RVL_OK;
}

void rvl_dir_names_free(rvl_dir_names *names)
{
    for (size_t i = 0; i < names->n_names; i++)
        rvl_free(names->names[i]);
    rvl_free(names->names);
    *names = (rvl_dir_names){0};
}

char *rvl_path_join(const char *a, const char *b)
{
    size_t n_a = strlen(a), n_b = strlen(b);

    if (!n_a || *b == '/')
        return rvl_strdup(b);
    bool  slash = a[n_a - 1] != '/';
    char *path = rvl_alloc(n_a + n_b + 2);
    if (!path)
        return NULL;
    memcpy(path, a, n_a);
    if (slash)
        path[n_a++] = '/';
    memcpy(path + n_a, b, n_b + 1);
    return path;
}

char *rvl_path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return rvl_strdup(".");
    return slash == path ? rvl_strdup("/") : rvl_strndup(path, (size_t)(slash - path));
}

const char *rvl_path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
