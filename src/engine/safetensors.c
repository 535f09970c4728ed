/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/safetensors.c
 * Reading safetensors files: memory map, strict checks, tensors that borrow the map where its alignment allows.
 */
#include "engine/safetensors.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include <stdlib.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors data is read in place: only little-endian machines"
#endif

#define MAX_HEADER_BYTES ((uint64_t)100 << 20)
#define MAX_TENSORS 1000000

typedef struct {
    const char *name; /* in the header */
    rvl_dtype   dtype;
    int         n_dims;
    int64_t     shape[RVL_MAX_DIMS];
    size_t      begin, end; /* in the data */
    rvl_tensor *tensor;
} entry;

struct rvl_safetensors {
    rvl_file_map map; /* open if the file was mapped here */
    json_t      *header;
    json_t      *metadata; /* borrowed from the header */
    entry       *entries;  /* by place in the file */
    int          n_entries;
};

static bool dtype_of(rvl_dtype *out, const char *text)
{
    static const struct {
        const char *text;
        rvl_dtype   dtype;
    } known[] = {{"F64", RVL_DTYPE_F64}, {"F32", RVL_DTYPE_F32}, {"BF16", RVL_DTYPE_BF16},
                 {"F16", RVL_DTYPE_F16}, {"I64", RVL_DTYPE_I64}, {"I32", RVL_DTYPE_I32},
                 {"I16", RVL_DTYPE_I16}, {"U8", RVL_DTYPE_U8},   {"BOOL", RVL_DTYPE_U8 /* 0 and 1 */}};

    for (size_t i = 0; i < RVL_ARRAY_LEN(known); i++)
        if (strcmp(known[i].text, text) == 0) {
            *out = known[i].dtype;
            return true;
        }
    return false;
}

static bool size_at(size_t *out, const json_t *array, size_t i)
{
    const json_t *v = json_array_get(array, i);

    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return false;
    *out = (size_t)json_integer_value(v);
    return true;
}

/** One row of the header: known keys of the right types, and a byte count that is shape x dtype. */
static rvl_status entry_parse(entry *e, const char *file, const char *name, const json_t *row, rvl_error *err)
{
    const char   *dtype = json_string_value(json_object_get(row, "dtype"));
    const json_t *shape = json_object_get(row, "shape"), *offsets = json_object_get(row, "data_offsets");
    size_t        n_bytes;

    e->name = name;
    if (!dtype || !json_is_array(shape) || !json_is_array(offsets) || json_array_size(offsets) != 2 ||
        json_object_size(row) != 3)
        return rvl_fail(err, RVL_ERR_FORMAT,
                        "cannot read '%s': tensor '%s' needs dtype, shape and two data_offsets, nothing else", file,
                        name);
    if (!dtype_of(&e->dtype, dtype))
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "cannot read '%s': tensor '%s' has dtype '%.16s'", file, name, dtype);
    if (json_array_size(shape) > RVL_MAX_DIMS)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "cannot read '%s': tensor '%s' has %zu axes, at most %d", file, name,
                        json_array_size(shape), RVL_MAX_DIMS);
    e->n_dims = (int)json_array_size(shape);
    n_bytes = rvl_dtype_bytes(e->dtype);
    for (int i = 0; i < e->n_dims; i++) {
        size_t extent;
        if (!size_at(&extent, shape, (size_t)i) || !rvl_mul_size(&n_bytes, n_bytes, extent))
            return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': tensor '%s' has an impossible extent on axis %d",
                            file, name, i);
        e->shape[i] = (int64_t)extent;
    }
    if (!size_at(&e->begin, offsets, 0) || !size_at(&e->end, offsets, 1) || e->end < e->begin)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': tensor '%s' has impossible data_offsets", file, name);
    if (e->end - e->begin != n_bytes)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': tensor '%s' has %zu bytes, its shape needs %zu", file,
                        name, e->end - e->begin, n_bytes);
    return RVL_OK;
}

static int compare_place(const void *a, const void *b)
{
    const entry *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

static rvl_status metadata_check(const json_t *metadata, const char *file, rvl_error *err)
{
    void *i;

    if (!json_is_object(metadata))
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': __metadata__ is not an object", file);
    for (i = json_object_iter((json_t *)metadata); i; i = json_object_iter_next((json_t *)metadata, i))
        if (!json_is_string(json_object_iter_value(i)))
            return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': __metadata__ '%s' is not a string", file,
                            json_object_iter_key(i));
    return RVL_OK;
}

/** Fills the entries from the header, sorted by place; the data must be covered without overlap and holes. */
static rvl_status entries_parse(rvl_safetensors *f, size_t data_bytes, const char *file, rvl_error *err)
{
    size_t     at = 0;
    rvl_status st;

    if (!json_is_object(f->header))
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': its header is not a JSON object", file);
    if (json_object_size(f->header) > MAX_TENSORS)
        return rvl_fail(err, RVL_ERR_LIMIT, "cannot read '%s': more than %d tensors", file, MAX_TENSORS);
    f->entries = rvl_alloc_array(json_object_size(f->header) + 1, sizeof *f->entries);
    if (!f->entries)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", file);
    for (void *i = json_object_iter(f->header); i; i = json_object_iter_next(f->header, i)) {
        const char *name = json_object_iter_key(i);
        json_t     *row = json_object_iter_value(i);
        bool        is_metadata = strcmp(name, "__metadata__") == 0;
        if (is_metadata)
            f->metadata = row;
        st =
            is_metadata ? metadata_check(row, file, err) : entry_parse(&f->entries[f->n_entries], file, name, row, err);
        if (st)
            return st;
        f->n_entries += is_metadata ? 0 : 1;
    }
    qsort(f->entries, (size_t)f->n_entries, sizeof *f->entries, compare_place);
    for (int i = 0; i < f->n_entries; i++) {
        if (f->entries[i].begin != at)
            return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': tensor '%s' begins at byte %zu, not at %zu: %s",
                            file, f->entries[i].name, f->entries[i].begin, at,
                            f->entries[i].begin < at ? "tensors overlap" : "there is a hole");
        at = f->entries[i].end;
    }
    if (at != data_bytes)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': it has %zu bytes of data, its tensors need %zu", file,
                        data_bytes, at);
    return RVL_OK;
}

/** Borrow where the dtype's alignment allows, else copy. */
static rvl_status tensors_make(rvl_safetensors *f, const uint8_t *data, rvl_error *err)
{
    rvl_status st = RVL_OK;

    for (int i = 0; i < f->n_entries && !st; i++) {
        entry         *e = &f->entries[i];
        const uint8_t *from = data + e->begin;
        if ((uintptr_t)from % rvl_dtype_bytes(e->dtype) == 0) {
            st = rvl_tensor_borrow(&e->tensor, e->dtype, e->n_dims, e->shape, (void *)from, err);
            continue;
        }
        st = rvl_tensor_new(&e->tensor, e->dtype, e->n_dims, e->shape, err);
        if (!st)
            memcpy(rvl_tensor_data(e->tensor), from, e->end - e->begin);
    }
    return st;
}

static rvl_status parse_into(rvl_safetensors *f, const uint8_t *bytes, size_t n_bytes, const char *file, rvl_error *err)
{
    uint64_t   header_bytes;
    rvl_status st;

    if (n_bytes < 8)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': %zu bytes are no safetensors file", file, n_bytes);
    memcpy(&header_bytes, bytes, 8);
    if (header_bytes > MAX_HEADER_BYTES)
        return rvl_fail(err, RVL_ERR_LIMIT, "cannot read '%s': its header would have %llu bytes, at most 100 MiB", file,
                        (unsigned long long)header_bytes);
    if (header_bytes > n_bytes - 8)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': cut off in its header of %llu bytes", file,
                        (unsigned long long)header_bytes);
    if (header_bytes == 0 || bytes[8] != '{')
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': its header is not a JSON object", file);
    st = rvl_json_parse(&f->header, (const char *)bytes + 8, (size_t)header_bytes, file, err);
    if (!st)
        st = entries_parse(f, n_bytes - 8 - (size_t)header_bytes, file, err);
    if (!st)
        st = tensors_make(f, bytes + 8 + header_bytes, err);
    return st;
}

rvl_status rvl_safetensors_parse(rvl_safetensors **out, const void *bytes, size_t n_bytes, const char *name,
                                 rvl_error *err)
{
    rvl_safetensors *f = rvl_alloc_array(1, sizeof *f);
    rvl_status       st;

    *out = NULL;
    if (!f)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", name);
    st = parse_into(f, bytes, n_bytes, name, err);
    if (st) {
        rvl_safetensors_close(f);
        return st;
    }
    *out = f;
    return RVL_OK;
}

rvl_status rvl_safetensors_open(rvl_safetensors **out, const char *path, rvl_error *err)
{
    rvl_file_map map;
    rvl_status   st;

    *out = NULL;
    st = rvl_file_map_open(&map, path, err);
    if (st)
        return st;
    st = rvl_safetensors_parse(out, map.ptr, map.n_bytes, path, err);
    if (st) {
        rvl_file_map_close(&map);
        return st;
    }
    (*out)->map = map;
    return RVL_OK;
}

void rvl_safetensors_close(rvl_safetensors *f)
{
    if (!f)
        return;
    for (int i = 0; i < f->n_entries; i++)
        rvl_tensor_free(f->entries[i].tensor);
    rvl_free(f->entries);
    json_decref(f->header);
    if (f->map.ptr)
        rvl_file_map_close(&f->map);
    rvl_free(f);
}

int rvl_safetensors_count(const rvl_safetensors *f)
{
    return f->n_entries;
}

const char *rvl_safetensors_name(const rvl_safetensors *f, int i)
{
    return f->entries[i].name;
}

const rvl_tensor *rvl_safetensors_tensor(const rvl_safetensors *f, int i)
{
    return f->entries[i].tensor;
}

const rvl_tensor *rvl_safetensors_find(const rvl_safetensors *f, const char *name)
{
    for (int i = 0; i < f->n_entries; i++)
        if (strcmp(f->entries[i].name, name) == 0)
            return f->entries[i].tensor;
    return NULL;
}

const char *rvl_safetensors_metadata(const rvl_safetensors *f, const char *key)
{
    return json_string_value(json_object_get(f->metadata, key));
}

const json_t *rvl_safetensors_metadata_object(const rvl_safetensors *f)
{
    return f->metadata;
}
