/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/phantom_store.c
 * The folder that phantoms are written to, and how cases get there: opened, continued after a kill, refused when it
 * holds something else.
 */
#include "synth/phantom_store.h"
#include "base/alloc.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/log.h"
#include "base/util.h"
#include <stdio.h>
#include <string.h>

rvl_status rvl_phantom_save_text(const rvl_str *text, const char *folder, const char *name, rvl_error *err)
{
    char      *path = rvl_path_join(folder, name);
    rvl_status status;

    if (path && !text->failed)
        status = rvl_file_write(path, text->ptr, text->n_bytes, err);
    else
        status = rvl_fail(err, RVL_ERR_NOMEM, "cannot write '%s': out of memory", name);
    rvl_free(path);
    return status;
}

bool rvl_phantom_has_file(const char *folder, const char *name)
{
    char *path = rvl_path_join(folder, name);
    bool  found = path && rvl_path_exists(path);

    rvl_free(path);
    return found;
}

static rvl_status remove_entry(const char *folder, const char *name, rvl_error *err)
{
    char      *path = rvl_path_join(folder, name);
    rvl_status status = RVL_OK;

    if (!path)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot clear '%s': out of memory", folder);
    if (rvl_path_is_dir(path))
        status = rvl_dir_remove(path, err);
    else if (rvl_path_exists(path) && remove(path) != 0)
        status = rvl_fail(err, RVL_ERR_IO, "cannot remove '%s'", path);
    rvl_free(path);
    return status;
}

/** Tables first: without map.yaml the folder no longer claims to be whole; phantom.json last. */
static rvl_status clear_folder(const char *folder, const char *const *folders, const char *const *tables,
                               rvl_error *err)
{
    rvl_status status = RVL_OK;

    for (size_t i = 0; tables[i] && !status; i++)
        status = remove_entry(folder, tables[i], err);
    for (size_t i = 0; folders[i] && !status; i++)
        status = remove_entry(folder, folders[i], err);
    return status ? status : remove_entry(folder, "phantom.json", err);
}

/** OK if the folder is new, empty, or holds phantoms of the same options. */
static rvl_status check_folder(const char *folder, const char *options, rvl_error *err)
{
    rvl_dir_names names = {0};
    char         *path = rvl_path_join(folder, "phantom.json"), *old = NULL;
    size_t        n_bytes = 0, n_others = 0;
    rvl_status    status = RVL_OK;

    if (!path)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot look at '%s': out of memory", folder);
    if (rvl_path_exists(path)) {
        status = rvl_file_read(&old, &n_bytes, path, 1 << 16, err);
        if (!status && strcmp(old, options) != 0)
            status = rvl_fail(err, RVL_ERR_STATE,
                              "cannot write phantoms to '%s': it holds phantoms of other options "
                              "(see phantom.json)\nhint: --force replaces them",
                              folder);
    } else if (rvl_path_exists(folder)) {
        status = rvl_dir_list(&names, folder, err);
        for (size_t i = 0; i < names.n_names; i++)
            n_others += !rvl_str_starts(names.names[i], ".tmp-");
        if (!status && n_others > 0)
            status = rvl_fail(err, RVL_ERR_STATE,
                              "cannot write phantoms to '%s': the folder holds other files\n"
                              "hint: choose a new folder",
                              folder);
        rvl_dir_names_free(&names);
    }
    rvl_free(old);
    rvl_free(path);
    return status;
}

/** A killed run leaves half-written files under temporary names (base/file.h); nothing else starts with ".tmp-". */
static rvl_status sweep(const char *folder, rvl_error *err)
{
    rvl_dir_names names = {0};
    rvl_status    status = rvl_dir_list(&names, folder, err);

    for (size_t i = 0; i < names.n_names && !status; i++) {
        char *path = rvl_str_starts(names.names[i], ".tmp-") ? rvl_path_join(folder, names.names[i]) : NULL;

        if (path && remove(path) != 0)
            status = rvl_fail(err, RVL_ERR_IO, "cannot remove '%s', left by an earlier run", path);
        rvl_free(path);
    }
    rvl_dir_names_free(&names);
    return status;
}

/** Make one folder of phantoms, and take away what a killed run left half-written in it. */
static rvl_status make_folder(const char *path, rvl_error *err)
{
    rvl_status status =
        path ? rvl_dir_make(path, err) : rvl_fail(err, RVL_ERR_NOMEM, "cannot make a folder: out of memory");

    return status ? status : sweep(path, err);
}

rvl_status rvl_phantom_open_folder(const char *folder, const char *const *folders, const char *const *tables,
                                   const char *options, bool force, rvl_error *err)
{
    rvl_str    text = {0};
    rvl_status status = RVL_OK;

    if (force && rvl_phantom_has_file(folder, "phantom.json"))
        status = clear_folder(folder, folders, tables, err);
    if (!status)
        status = check_folder(folder, options, err);
    if (!status)
        status = make_folder(folder, err);
    if (!status && !rvl_phantom_has_file(folder, "phantom.json")) {
        rvl_str_add(&text, options);
        status = rvl_phantom_save_text(&text, folder, "phantom.json", err);
    }
    for (size_t i = 0; folders[i] && !status; i++) {
        char *path = rvl_path_join(folder, folders[i]);

        status = make_folder(path, err);
        rvl_free(path);
    }
    rvl_str_free(&text);
    return status;
}

enum { CHUNK = 32 }; /* cases between looks at a cancellation */

static rvl_status write_chunk(int64_t *n_written, int64_t *n_skipped, rvl_phantom_write_fn write, const void *opts,
                              int64_t first, int n, rvl_error *err)
{
    rvl_error  errors[CHUNK] = {{RVL_OK, ""}};
    rvl_status codes[CHUNK] = {RVL_OK};
    bool       skipped[CHUNK] = {false};

#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < n; i++)
        codes[i] = write(&skipped[i], opts, first + i, &errors[i]);
    for (int i = 0; i < n; i++) {
        if (codes[i])
            return rvl_fail(err, codes[i], "%s", errors[i].text);
        *n_skipped += skipped[i];
        *n_written += !skipped[i];
    }
    return RVL_OK;
}

rvl_status rvl_phantom_write_cases(int64_t *n_written, int64_t *n_skipped, rvl_phantom_write_fn write, const void *opts,
                                   int64_t start, int64_t n, const char *unit, rvl_error *err)
{
    rvl_status status = RVL_OK;

    rvl_progress_begin("synth", unit, n);
    for (int64_t done = 0; done < n && !status; done += CHUNK) {
        const int64_t left = n - done;

        if (rvl_cancel_requested())
            status = rvl_fail(err, RVL_ERR_CANCELLED, "cancelled after %lld of %lld phantoms\nhint: run again to go on",
                              (long long)done, (long long)n);
        else
            status =
                write_chunk(n_written, n_skipped, write, opts, start + done, left < CHUNK ? (int)left : CHUNK, err);
        rvl_progress_update(left < CHUNK ? n : done + CHUNK, 0);
    }
    rvl_progress_end();
    return status;
}

void rvl_phantom_add_report(rvl_str *row, const char *report, const char *findings, const char *impression)
{
    rvl_str_add(row, ",");
    rvl_csv_add_field(row, report);
    rvl_str_add(row, ",");
    rvl_csv_add_field(row, findings);
    rvl_str_add(row, ",");
    rvl_csv_add_field(row, impression);
    rvl_str_add(row, "\n");
}
