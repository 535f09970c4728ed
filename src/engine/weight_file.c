/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/weight_file.c
 * Tells formats apart and puts their readers behind one list of names.
 */
#include "engine/weight_file.h"
#include "base/alloc.h"
#include "base/file.h"
#include "engine/torch_file.h"
#include "engine/weight_index.h"
#include <stdlib.h>
#include <string.h>

#define MAX_PARTS 4096

typedef struct {
    const char       *name;
    const rvl_tensor *tensor;
} entry;

struct rvl_weight_file {
    const char       *format;
    rvl_file_map      map;
    rvl_safetensors  *safetensors;
    rvl_torch_file   *torch;
    json_t           *weight_map; /* of an index */
    const char      **part_names; /* borrowed from it */
    rvl_weight_file **parts;
    int               n_parts;
    entry            *entries; /* in the file's order */
    const entry     **by_name;
    int               n_entries;
};

static rvl_status file_open(rvl_weight_file **out, const char *path, bool is_part, rvl_error *err);

static int compare_names(const void *a, const void *b)
{
    const entry *const *x = a;
    const entry *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static int compare_name(const void *name, const void *element)
{
    const entry *const *e = element;

    return strcmp(name, (*e)->name);
}

static rvl_status entries_make(rvl_weight_file *f, size_t n, const char *path, rvl_error *err)
{
    f->entries = rvl_alloc_array(n + 1, sizeof *f->entries);
    f->by_name = rvl_alloc_array(n + 1, sizeof *f->by_name);
    return f->entries && f->by_name ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", path);
}

static void entry_add(rvl_weight_file *f, const char *name, const rvl_tensor *tensor)
{
    f->entries[f->n_entries] = (entry){name, tensor};
    f->by_name[f->n_entries] = &f->entries[f->n_entries];
    f->n_entries++;
}

static rvl_status names_sort(rvl_weight_file *f, const char *path, rvl_error *err)
{
    qsort(f->by_name, (size_t)f->n_entries, sizeof *f->by_name, compare_names);
    for (int i = 1; i < f->n_entries; i++)
        if (strcmp(f->by_name[i]->name, f->by_name[i - 1]->name) == 0)
            return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': it has two tensors '%.120s'", path,
                            f->by_name[i]->name);
    return RVL_OK;
}

/** The part of this name, opened at its first mention. */
static rvl_status part_get(const rvl_weight_file **out, rvl_weight_file *f, const char *name, const char *path,
                           rvl_error *err)
{
    char      *folder;
    char      *part_path;
    rvl_status st;

    for (int i = f->n_parts; i > 0; i--)
        if (rvl_str_equal(f->part_names[i - 1], name)) {
            *out = f->parts[i - 1];
            return RVL_OK;
        }
    if (f->n_parts == MAX_PARTS)
        return rvl_fail(err, RVL_ERR_LIMIT, "cannot read '%s': more than %d parts", path, MAX_PARTS);
    folder = rvl_path_dir(path);
    part_path = folder ? rvl_path_join(folder, name) : NULL;
    st = part_path ? file_open(&f->parts[f->n_parts], part_path, true, err)
                   : rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", path);
    if (st) {
        rvl_error_prefix(err, "cannot read a part of '%s'", path);
    } else {
        *out = f->parts[f->n_parts];
        f->part_names[f->n_parts++] = name;
    }
    rvl_free(part_path);
    rvl_free(folder);
    return st;
}

static rvl_status index_read(rvl_weight_file *f, rvl_span bytes, const char *path, rvl_error *err)
{
    rvl_status  st = rvl__weight_index_parse(&f->weight_map, bytes, path, err);
    const char *name;
    json_t     *value;

    if (st)
        return st;
    f->part_names = rvl_alloc_array(MAX_PARTS, sizeof *f->part_names);
    f->parts = rvl_alloc_array(MAX_PARTS, sizeof(rvl_weight_file *));
    if (!f->part_names || !f->parts)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", path);
    st = entries_make(f, json_object_size(f->weight_map), path, err);
    if (st)
        return st;
    json_object_foreach(f->weight_map, name, value)
    {
        const rvl_weight_file *part = NULL;
        const rvl_tensor      *tensor;

        st = part_get(&part, f, json_string_value(value), path, err);
        if (st)
            return st;
        tensor = rvl_weight_file_find(part, name);
        if (!tensor)
            return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': tensor '%.120s' is not in '%.120s'", path, name,
                            json_string_value(value));
        entry_add(f, name, tensor);
    }
    return RVL_OK;
}

static rvl_status safetensors_read(rvl_weight_file *f, rvl_span bytes, const char *path, rvl_error *err)
{
    rvl_status st = rvl_safetensors_parse(&f->safetensors, bytes.ptr, bytes.n_bytes, path, err);

    if (!st)
        st = entries_make(f, (size_t)rvl_safetensors_count(f->safetensors), path, err);
    for (int i = 0; !st && i < rvl_safetensors_count(f->safetensors); i++)
        entry_add(f, rvl_safetensors_name(f->safetensors, i), rvl_safetensors_tensor(f->safetensors, i));
    return st;
}

static rvl_status torch_read(rvl_weight_file *f, rvl_span bytes, const char *path, rvl_error *err)
{
    rvl_status st = rvl__torch_zip_is(bytes) ? rvl__torch_zip_parse(&f->torch, bytes, path, err)
                                             : rvl__torch_old_parse(&f->torch, bytes, path, err);

    if (!st)
        st = entries_make(f, (size_t)rvl__torch_count(f->torch), path, err);
    for (int i = 0; !st && i < rvl__torch_count(f->torch); i++)
        entry_add(f, rvl__torch_name(f->torch, i), rvl__torch_tensor(f->torch, i));
    return st;
}

/** The header's length, then its first byte. */
static bool is_safetensors(rvl_span bytes)
{
    return bytes.n_bytes >= 9 && bytes.ptr[8] == '{' && memcmp(bytes.ptr + 5, "\0\0\0", 3) == 0;
}

static bool is_json(rvl_span bytes)
{
    size_t i = 0;

    while (i < bytes.n_bytes && strchr(" \t\r\n", bytes.ptr[i]) && bytes.ptr[i])
        i++;
    return i < bytes.n_bytes && bytes.ptr[i] == '{';
}

static rvl_status content_read(rvl_weight_file *f, const char *path, bool is_part, rvl_error *err)
{
    const rvl_span bytes = {f->map.ptr, f->map.n_bytes};

    if (rvl__torch_zip_is(bytes) || rvl__torch_old_is(bytes)) {
        f->format = rvl__torch_zip_is(bytes) ? "torch.zip" : "torch.old";
        return torch_read(f, bytes, path, err);
    }
    if (is_safetensors(bytes)) {
        f->format = "safetensors";
        return safetensors_read(f, bytes, path, err);
    }
    if (is_json(bytes) && !is_part) {
        f->format = "safetensors.index";
        return index_read(f, bytes, path, err);
    }
    return rvl_fail(err, RVL_ERR_FORMAT,
                    "cannot read '%s': its first bytes are neither those of safetensors nor of torch.save%s", path,
                    is_part ? "" : ", nor an index of such files");
}

static rvl_status file_open(rvl_weight_file **out, const char *path, bool is_part, rvl_error *err)
{
    rvl_weight_file *f = rvl_alloc_array(1, sizeof *f);
    rvl_status       st;

    *out = NULL;
    if (!f)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", path);
    st = rvl_file_map_open(&f->map, path, err);
    if (!st)
        st = content_read(f, path, is_part, err);
    if (!st)
        st = names_sort(f, path, err);
    if (st) {
        rvl_weight_file_close(f);
        return st;
    }
    *out = f;
    return RVL_OK;
}

rvl_status rvl_weight_file_open(rvl_weight_file **out, const char *path, rvl_error *err)
{
    return file_open(out, path, false, err);
}

void rvl_weight_file_close(rvl_weight_file *f)
{
    if (!f)
        return;
    rvl_free(f->by_name);
    rvl_free(f->entries);
    for (int i = 0; i < f->n_parts; i++)
        rvl_weight_file_close(f->parts[i]);
    rvl_free(f->parts);
    rvl_free(f->part_names);
    json_decref(f->weight_map);
    rvl__torch_close(f->torch);
    rvl_safetensors_close(f->safetensors);
    if (f->map.ptr)
        rvl_file_map_close(&f->map);
    rvl_free(f);
}

const char *rvl_weight_file_format(const rvl_weight_file *f)
{
    return f->format;
}

int rvl_weight_file_count(const rvl_weight_file *f)
{
    return f->n_entries;
}

const char *rvl_weight_file_name(const rvl_weight_file *f, int i)
{
    return f->entries[i].name;
}

const rvl_tensor *rvl_weight_file_tensor(const rvl_weight_file *f, int i)
{
    return f->entries[i].tensor;
}

const rvl_tensor *rvl_weight_file_find(const rvl_weight_file *f, const char *name)
{
    const entry **found = bsearch(name, f->by_name, (size_t)f->n_entries, sizeof *f->by_name, compare_name);

    return found ? (*found)->tensor : NULL;
}

const rvl_safetensors *rvl_weight_file_safetensors(const rvl_weight_file *f)
{
    return f->safetensors;
}
