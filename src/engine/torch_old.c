/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/torch_old.c
 * The container of torch.save before PyTorch 1.6: pickles of a magic number, the protocol 1001, facts about the
 * machine, the object and a list of storage keys; then for each key an int64 count and that many elements.
 */
#include "engine/torch_file.h"
#include <stdlib.h>
#include <string.h>

/* The pickle of 0x1950a86a20f9469cfc6c. */
static const uint8_t magic[15] = {0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

bool rvl__torch_old_is(rvl_span bytes)
{
    return bytes.n_bytes >= sizeof magic && memcmp(bytes.ptr, magic, sizeof magic) == 0;
}

/** The next pickle; `bytes` moves behind it. */
static rvl_status pickle_next(rvl_pickle *out, rvl_arena *arena, rvl_span *bytes, const char *name, rvl_error *err)
{
    rvl_status st = rvl__pickle_parse(out, arena, *bytes, name, err);

    if (!st) {
        bytes->ptr += out->n_bytes;
        bytes->n_bytes -= out->n_bytes;
    }
    return st;
}

/** Protocol and byte order. */
static rvl_status head_read(rvl_arena *arena, rvl_span *bytes, const char *name, rvl_error *err)
{
    const rvl_pickle_value *little;
    rvl_pickle              pickle;
    rvl_status              st = pickle_next(&pickle, arena, bytes, name, err);

    if (st)
        return st;
    if (pickle.root->kind != RVL_PICKLE_INT || pickle.root->u.i != 1001)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "cannot read '%s': not of torch's protocol 1001", name);
    st = pickle_next(&pickle, arena, bytes, name, err);
    if (st)
        return st;
    little = rvl__pickle_get(pickle.root, "little_endian");
    if (!little || little->kind != RVL_PICKLE_BOOL || !little->u.i)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "cannot read '%s': its numbers are not little-endian", name);
    return RVL_OK;
}

static int compare_keys(const void *a, const void *b)
{
    const rvl_pickle_storage *const *x = a;
    const rvl_pickle_storage *const *y = b;

    return strcmp((*x)->key, (*y)->key);
}

static int compare_key(const void *key, const void *element)
{
    const rvl_pickle_storage *const *s = element;

    return strcmp(key, (*s)->key);
}

/** All mentions of storages, sorted by key. Mentions of one key must agree. */
static rvl_status mentions_sort(rvl_pickle_storage ***out, size_t *n_out, const rvl_pickle *pickle, const char *name,
                                rvl_error *err)
{
    size_t n = 0;

    for (const rvl_pickle_storage *s = pickle->storages; s; s = s->next)
        n++;
    rvl_pickle_storage **all = rvl_alloc_array(n + 1, sizeof(rvl_pickle_storage *));
    *out = all;
    *n_out = n;
    if (!all)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", name);
    n = 0;
    for (rvl_pickle_storage *s = pickle->storages; s; s = s->next)
        all[n++] = s;
    qsort(all, n, sizeof *all, compare_keys);
    for (size_t i = 1; i < n; i++)
        if (strcmp(all[i]->key, all[i - 1]->key) == 0 &&
            (all[i]->dtype != all[i - 1]->dtype || all[i]->n_elements != all[i - 1]->n_elements))
            return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': storage '%.40s' has two types or sizes", name,
                            all[i]->key);
    return RVL_OK;
}

/** Bind all mentions of `key` to the count and data that `bytes` begins with, and move behind them. */
static rvl_status storage_bind(rvl_pickle_storage **all, size_t n, const char *key, rvl_span *bytes, const char *name,
                               rvl_error *err)
{
    rvl_pickle_storage **found = bsearch(key, all, n, sizeof *all, compare_key);
    int64_t              count;
    size_t               n_bytes;

    if (!found)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': storage '%.40s' is of no tensor", name, key);
    if (bytes->n_bytes < 8)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': cut off before storage '%.40s'", name, key);
    memcpy(&count, bytes->ptr, 8);
    if (count != (*found)->n_elements)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': storage '%.40s' has %lld elements, not %lld", name, key,
                        (long long)count, (long long)(*found)->n_elements);
    if (!rvl_mul_size(&n_bytes, (size_t)count, rvl_dtype_bytes((*found)->dtype)) || n_bytes > bytes->n_bytes - 8)
        return rvl_fail(err, RVL_ERR_FORMAT,
                        "cannot read '%s': cut off in storage '%.40s': %zu bytes are left for %lld elements", name, key,
                        bytes->n_bytes - 8, (long long)count);
    while (found > all && strcmp(found[-1]->key, key) == 0)
        found--;
    for (; found < all + n && strcmp((*found)->key, key) == 0; found++)
        (*found)->data = bytes->ptr + 8;
    bytes->ptr += 8 + n_bytes;
    bytes->n_bytes -= 8 + n_bytes;
    return RVL_OK;
}

static rvl_status storages_bind(const rvl_pickle *object, const rvl_pickle_value *keys, rvl_span bytes,
                                const char *name, rvl_error *err)
{
    rvl_pickle_storage **all = NULL;
    size_t               n = 0;
    rvl_status           st = mentions_sort(&all, &n, object, name, err);

    if (!st && keys->kind != RVL_PICKLE_LIST)
        st = rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': it has no list of storages", name);
    for (const rvl_pickle_item *i = st ? NULL : keys->u.items.first; !st && i; i = i->next)
        st = i->value->kind == RVL_PICKLE_STR
                 ? storage_bind(all, n, i->value->u.text, &bytes, name, err)
                 : rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': a storage's key is no text", name);
    if (!st && bytes.n_bytes > 0)
        st = rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': %zu bytes follow the last storage", name, bytes.n_bytes);
    for (size_t i = 0; !st && i < n; i++)
        if (!all[i]->data)
            st = rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': storage '%.40s' is missing", name, all[i]->key);
    rvl_free(all);
    return st;
}

rvl_status rvl__torch_old_parse(rvl_torch_file **out, rvl_span bytes, const char *name, rvl_error *err)
{
    const size_t file_bytes = bytes.n_bytes;
    rvl_arena   *arena;
    rvl_pickle   object;
    rvl_pickle   keys;
    rvl_status   st;

    *out = NULL;
    if (!rvl__torch_old_is(bytes))
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': it does not begin as torch.save writes", name);
    arena = rvl_arena_new();
    if (!arena)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", name);
    bytes.ptr += sizeof magic;
    bytes.n_bytes -= sizeof magic;
    st = head_read(arena, &bytes, name, err);
    if (!st)
        st = pickle_next(&object, arena, &bytes, name, err);
    if (!st)
        st = pickle_next(&keys, arena, &bytes, name, err);
    if (!st)
        st = storages_bind(&object, keys.root, bytes, name, err);
    if (st) {
        rvl_arena_free(arena);
        return st;
    }
    return rvl__torch_collect(out, &object, arena, file_bytes, name, err);
}
