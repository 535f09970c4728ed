/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/file.h
 * Whole-file reads with limits, atomic writes, read-only maps, folders.
 *
 * A file written here is either complete or absent: temporary name in the same folder, fsync, rename, fsync of
 * the folder. A full disk is RVL_ERR_IO and leaves the old file.
 */
#ifndef RVL_BASE_FILE_H
#define RVL_BASE_FILE_H
#include "rvl/status.h"

/** Read a whole file of at most `max_bytes` (0: no limit). `*out` is owned by the caller (rvl_free) and has a
 *  NUL behind its last byte. NOT_FOUND, IO, LIMIT, NOMEM. */
RVL_MUST_USE rvl_status rvl_file_read(char **out, size_t *n_bytes, const char *path, size_t max_bytes, rvl_error *err);
RVL_MUST_USE rvl_status rvl_file_write(const char *path, const void *data, size_t n_bytes, rvl_error *err);

/** Atomic file written piece by piece; nothing appears at `path` before commit. Errors are sticky. */
/** What stands at `path` is replaced if it is a regular file; a folder, device or pipe is refused (IO). */
typedef struct rvl_outfile rvl_outfile;
RVL_MUST_USE rvl_status    rvl_outfile_open(rvl_outfile **out, const char *path, rvl_error *err);
void                       rvl_outfile_write(rvl_outfile *f, const void *data, size_t n_bytes);
/** Sync, rename, free. On failure nothing is left. */
/** At a place of its own, past what rvl_outfile_write writes; several threads may do so at once. IO. */
RVL_MUST_USE rvl_status    rvl_outfile_write_at(rvl_outfile *f, size_t at_bytes, const void *data, size_t n_bytes,
                                                rvl_error *err);
RVL_MUST_USE rvl_status    rvl_outfile_commit(rvl_outfile *f, rvl_error *err);
void                       rvl_outfile_discard(rvl_outfile *f); /* NULL is allowed */

/** Read-only memory map of a whole file. */
typedef struct {
    const uint8_t *ptr;
    size_t         n_bytes;
} rvl_file_map;
RVL_MUST_USE rvl_status rvl_file_map_open(rvl_file_map *out, const char *path, rvl_error *err);
void                    rvl_file_map_close(rvl_file_map *map);
/** These bytes are not needed for now: their pages leave the process and come back when read. Thread-safe. */
void                    rvl_file_map_drop(const rvl_file_map *map, size_t first, size_t n_bytes);

bool                    rvl_path_exists(const char *path);
bool                    rvl_path_is_dir(const char *path);
int64_t                 rvl_file_size(const char *path); /* -1 if absent */
/** mkdir -p. */
RVL_MUST_USE rvl_status rvl_dir_make(const char *path, rvl_error *err);
/** Remove a folder and all it holds; absent is OK. Refuses "/" and "". */
RVL_MUST_USE rvl_status rvl_dir_remove(const char *path, rvl_error *err);
RVL_MUST_USE rvl_status rvl_path_rename(const char *from, const char *to, rvl_error *err); /* then syncs the folder */
/** Sorted names (bytewise) in a folder, without "." and ".."; free with rvl_dir_names_free. */
typedef struct {
    char **names;
    size_t n_names;
} rvl_dir_names;
RVL_MUST_USE rvl_status rvl_dir_list(rvl_dir_names *out, const char *path, rvl_error *err);
void                    rvl_dir_names_free(rvl_dir_names *names);

/** "a" + "b" -> "a/b" (b alone if it is absolute or a is empty); caller frees with rvl_free; NULL if no memory. */
char       *rvl_path_join(const char *a, const char *b);
/** Folder part of a path ("." if none); caller frees. */
char       *rvl_path_dir(const char *path);
/** Last part, borrowed from `path`. */
const char *rvl_path_base(const char *path);

#endif /* RVL_BASE_FILE_H */
