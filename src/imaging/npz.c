/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/npz.c
 * Members of .npz archives, by libzip.
 */
#include "base/alloc.h"
#include "base/str.h"
#include "imaging/npy.h"
#include <string.h>
#include <zip.h>

/* The file name of the one array that an archive holds. */
static rvl_status only_member(rvl_str *name, zip_t *z, const char *path, rvl_error *err)
{
    const zip_int64_t n = zip_get_num_entries(z, 0);
    const char       *only = n == 1 ? zip_get_name(z, 0, 0) : NULL;

    if (!only)
        return rvl_fail(err, RVL_ERR_FORMAT, "'%s' holds %lld arrays and none is named", path, (long long)n);
    rvl_str_add(name, only);
    return RVL_OK;
}

static rvl_status read_member(rvl_npy *out, zip_t *z, const char *path, const char *member, size_t max_bytes,
                              rvl_error *err)
{
    rvl_str     name = {0};
    zip_stat_t  stat;
    zip_file_t *f = NULL;
    uint8_t    *bytes = NULL;
    uint8_t     behind = 0;
    rvl_status  st = RVL_OK;

    if (!member)
        st = only_member(&name, z, path, err);
    else
        rvl_str_addf(&name, "%s.npy", member);
    if (!st && name.failed)
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    if (st) {
        rvl_str_free(&name);
        return st;
    }
    if (!member)
        member = name.ptr;
    zip_stat_init(&stat);
    if (zip_stat(z, name.ptr, 0, &stat) != 0 || !(stat.valid & ZIP_STAT_SIZE))
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "'%s' has no array '%s'", path, member);
    else if (max_bytes > 0 && stat.size > max_bytes + 70000)
        st = rvl_fail(err, RVL_ERR_LIMIT, "array '%s' of '%s' has %llu bytes, more than the limit of %zu", member, path,
                      (unsigned long long)stat.size, max_bytes);
    if (!st) {
        bytes = rvl_alloc(stat.size);
        if (!bytes)
            st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory for '%s' (%llu bytes)", member,
                          (unsigned long long)stat.size);
    }
    if (!st) {
        f = zip_fopen(z, name.ptr, 0);
        /* libzip checks the CRC when it meets the end, and only a further read says what it found */
        if (!f || zip_fread(f, bytes, stat.size) != (zip_int64_t)stat.size || zip_fread(f, &behind, 1) != 0)
            st = rvl_fail(err, RVL_ERR_FORMAT, "array '%s' of '%s' is damaged", member, path);
    }
    if (!st)
        st = rvl_npy_parse(out, bytes, stat.size, name.ptr, max_bytes, err);
    if (f)
        zip_fclose(f);
    rvl_free(bytes);
    rvl_str_free(&name);
    return st;
}

rvl_status rvl_npz_load(rvl_npy *out, const char *path, const char *member, size_t max_bytes, rvl_error *err)
{
    int    why = 0;
    zip_t *z = zip_open(path, ZIP_RDONLY | ZIP_CHECKCONS, &why);

    memset(out, 0, sizeof *out);
    if (!z)
        return rvl_fail(err,
                        why == ZIP_ER_NOENT  ? RVL_ERR_NOT_FOUND
                        : why == ZIP_ER_OPEN ? RVL_ERR_IO
                                             : RVL_ERR_FORMAT,
                        "cannot open '%s' as an npz archive (libzip error %d)", path, why);
    rvl_status st = read_member(out, z, path, member, max_bytes, err);
    zip_discard(z);
    return st;
}
