/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/io_error.h
 * What file.c and dir.c share: errno to status and text, syncing of folders.
 */
#ifndef RVL_BASE_IO_ERROR_H
#define RVL_BASE_IO_ERROR_H
#include "rvl/status.h"

/** "cannot <what> '<path>': <text of error>", with a hint for full disks and permissions. */
rvl_status rvl__io_fail(rvl_error *err, const char *what, const char *path, int error);
/** fsync a folder, or the folder that holds `path`; 0 or an errno. */
int        rvl__dir_sync(const char *path);
int        rvl__parent_sync(const char *path);

#endif /* RVL_BASE_IO_ERROR_H */
