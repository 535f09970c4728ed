/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/torch_zip.c
 * The container of torch.save since PyTorch 1.6: a zip archive of stored entries, <root>/data.pkl and <root>/data/<key>
 * (APPNOTE.TXT 6.3.10, with zip64). Entries are read in place, so that tensors can borrow them.
 */
#include "engine/torch_file.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define END_BYTES 22
#define LOCATOR_BYTES 20
#define END64_BYTES 56
#define ENTRY_BYTES 46
#define LOCAL_BYTES 30
#define MAX_COMMENT_BYTES 65535
#define MAX_PATH_BYTES 512

typedef struct {
    rvl_span name;
    uint64_t n_packed, n_bytes, local_at;
    uint32_t crc;
    uint16_t flags, method;
    rvl_span data; /* once opened */
} zip_entry;

typedef struct {
    rvl_span    bytes;
    const char *name;
    rvl_error  *err;
    zip_entry  *entries; /* sorted by name */
    size_t      n_entries;
    size_t      n_opened; /* bytes of the entries in use */
    rvl_span    root;     /* "archive": what stands before "/data.pkl" */
} archive;

static uint64_t number_at(const uint8_t *at, int n)
{
    uint64_t number = 0;

    for (int i = 0; i < n; i++)
        number |= (uint64_t)at[i] << (8 * i);
    return number;
}

static rvl_status fail(const archive *a, const char *what)
{
    return rvl_fail(a->err, RVL_ERR_FORMAT, "cannot read '%s': its zip archive is damaged: %s", a->name, what);
}

bool rvl__torch_zip_is(rvl_span bytes)
{
    return bytes.n_bytes >= 4 && memcmp(bytes.ptr, "PK\3\4", 4) == 0;
}

/** The directory's place, from the record at the end of the file or, if there is one, its 64-bit form. */
static rvl_status directory_find(const archive *a, rvl_span *directory, uint64_t *n_entries)
{
    const uint8_t *ptr = a->bytes.ptr;
    const size_t   n = a->bytes.n_bytes;
    size_t         at = n;
    uint64_t       n_bytes;
    uint64_t       begin;

    for (size_t comment = 0; comment <= MAX_COMMENT_BYTES && at == n && comment + END_BYTES <= n; comment++)
        if (memcmp(ptr + n - END_BYTES - comment, "PK\5\6", 4) == 0 && number_at(ptr + n - comment - 2, 2) == comment)
            at = n - END_BYTES - comment;
    if (at == n)
        return fail(a, "it has no end record (is the file cut off?)");
    *n_entries = number_at(ptr + at + 10, 2);
    n_bytes = number_at(ptr + at + 12, 4);
    begin = number_at(ptr + at + 16, 4);
    if (at >= LOCATOR_BYTES && memcmp(ptr + at - LOCATOR_BYTES, "PK\6\7", 4) == 0) {
        const uint64_t end64 = number_at(ptr + at - LOCATOR_BYTES + 8, 8);

        if (end64 > n || n - end64 < END64_BYTES || memcmp(ptr + end64, "PK\6\6", 4) != 0)
            return fail(a, "its 64-bit end record is not where it should be");
        *n_entries = number_at(ptr + end64 + 32, 8);
        n_bytes = number_at(ptr + end64 + 40, 8);
        begin = number_at(ptr + end64 + 48, 8);
    }
    if (begin > n || n_bytes > n - begin || *n_entries > n_bytes / ENTRY_BYTES)
        return fail(a, "its directory is larger than the file");
    *directory = (rvl_span){ptr + begin, (size_t)n_bytes};
    return RVL_OK;
}

/** Fields that do not fit 32 bits stand in the extra field 1, in this order. */
static rvl_status wide_fields_read(const archive *a, zip_entry *e, rvl_span extra)
{
    uint64_t *const fields[] = {&e->n_bytes, &e->n_packed, &e->local_at};

    while (extra.n_bytes >= 4) {
        const size_t   n = (size_t)number_at(extra.ptr + 2, 2);
        const uint8_t *at = extra.ptr + 4;
        const bool     is_wide = number_at(extra.ptr, 2) == 1;

        if (n > extra.n_bytes - 4)
            return fail(a, "an extra field is cut off");
        for (size_t i = 0; is_wide && i < RVL_ARRAY_LEN(fields); i++) {
            if (*fields[i] != UINT32_MAX || (size_t)(extra.ptr + 4 + n - at) < 8)
                continue;
            *fields[i] = number_at(at, 8);
            at += 8;
        }
        extra.ptr += 4 + n;
        extra.n_bytes -= 4 + n;
    }
    return RVL_OK;
}

static int span_compare(rvl_span a, rvl_span b)
{
    const size_t n = a.n_bytes < b.n_bytes ? a.n_bytes : b.n_bytes;
    const int    order = n ? memcmp(a.ptr, b.ptr, n) : 0;

    return order ? order : (a.n_bytes > b.n_bytes) - (a.n_bytes < b.n_bytes);
}

static int compare_entries(const void *a, const void *b)
{
    const zip_entry *x = a;
    const zip_entry *y = b;

    return span_compare(x->name, y->name);
}

static rvl_status directory_read(archive *a)
{
    rvl_span   rest = {0};
    uint64_t   n_entries = 0;
    rvl_status st = directory_find(a, &rest, &n_entries);

    if (st)
        return st;
    a->entries = rvl_alloc_array((size_t)n_entries + 1, sizeof *a->entries);
    if (!a->entries)
        return rvl_fail(a->err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", a->name);
    for (; !st && a->n_entries < n_entries; a->n_entries++) {
        zip_entry     *e = &a->entries[a->n_entries];
        const uint8_t *at = rest.ptr;
        size_t         n_name;
        size_t         n_extra;
        size_t         n_all;

        if (rest.n_bytes < ENTRY_BYTES || memcmp(at, "PK\1\2", 4) != 0)
            return fail(a, "its directory is cut off");
        n_name = (size_t)number_at(at + 28, 2);
        n_extra = (size_t)number_at(at + 30, 2);
        n_all = ENTRY_BYTES + n_name + n_extra + (size_t)number_at(at + 32, 2);
        if (n_all > rest.n_bytes)
            return fail(a, "its directory is cut off");
        *e = (zip_entry){.name = {at + ENTRY_BYTES, n_name},
                         .n_packed = number_at(at + 20, 4),
                         .n_bytes = number_at(at + 24, 4),
                         .local_at = number_at(at + 42, 4),
                         .crc = (uint32_t)number_at(at + 16, 4),
                         .flags = (uint16_t)number_at(at + 8, 2),
                         .method = (uint16_t)number_at(at + 10, 2)};
        st = wide_fields_read(a, e, (rvl_span){at + ENTRY_BYTES + n_name, n_extra});
        rest.ptr += n_all;
        rest.n_bytes -= n_all;
    }
    if (st)
        return st;
    qsort(a->entries, a->n_entries, sizeof *a->entries, compare_entries);
    for (size_t i = 1; i < a->n_entries; i++)
        if (span_compare(a->entries[i - 1].name, a->entries[i].name) == 0)
            return fail(a, "two entries have one name");
    return RVL_OK;
}

/** CRC-32 as zlib counts it. 0 in the directory: the writer was told to compute none. */
static bool crc_agrees(const zip_entry *e)
{
    uint32_t crc = 0;

    for (size_t at = 0; e->crc != 0 && at < e->data.n_bytes;) {
        const size_t n = e->data.n_bytes - at < UINT32_MAX ? e->data.n_bytes - at : UINT32_MAX;

        crc = (uint32_t)crc32(crc, e->data.ptr + at, (uInt)n);
        at += n;
    }
    return crc == e->crc;
}

/** Find where an entry's bytes are and check them, once. */
static rvl_status entry_open(archive *a, zip_entry *e)
{
    const char  *entry = (const char *)e->name.ptr;
    const int    n_name = e->name.n_bytes < 120 ? (int)e->name.n_bytes : 120;
    const size_t n = a->bytes.n_bytes;
    size_t       begin;

    if (e->data.ptr)
        return RVL_OK;
    if (e->method != 0 || (e->flags & 1) || e->n_packed != e->n_bytes)
        return rvl_fail(a->err, RVL_ERR_UNSUPPORTED,
                        "cannot read '%s': entry '%.*s' is compressed or encrypted, torch.save stores entries as they "
                        "are",
                        a->name, n_name, entry);
    if (e->local_at > n || n - e->local_at < LOCAL_BYTES || memcmp(a->bytes.ptr + e->local_at, "PK\3\4", 4) != 0)
        return rvl_fail(a->err, RVL_ERR_FORMAT, "cannot read '%s': entry '%.*s' is not where the directory says",
                        a->name, n_name, entry);
    begin = (size_t)e->local_at + LOCAL_BYTES + (size_t)number_at(a->bytes.ptr + e->local_at + 26, 2) +
            (size_t)number_at(a->bytes.ptr + e->local_at + 28, 2);
    if (begin > n || e->n_bytes > n - begin)
        return rvl_fail(a->err, RVL_ERR_FORMAT, "cannot read '%s': entry '%.*s' of %llu bytes passes the file's end",
                        a->name, n_name, entry, (unsigned long long)e->n_bytes);
    e->data = (rvl_span){a->bytes.ptr + begin, (size_t)e->n_bytes};
    if (e->data.n_bytes > n - a->n_opened)
        return fail(a, "its entries overlap");
    a->n_opened += e->data.n_bytes;
    if (!crc_agrees(e))
        return rvl_fail(a->err, RVL_ERR_FORMAT, "cannot read '%s': entry '%.*s' is damaged (its CRC-32 differs)",
                        a->name, n_name, entry);
    return RVL_OK;
}

/** Entry "<root>/<folder><name>"; NULL if there is none. */
static zip_entry *entry_find(const archive *a, const char *folder, const char *name)
{
    char         path[MAX_PATH_BYTES];
    const size_t n_root = a->root.n_bytes;
    const size_t n_folder = strlen(folder);
    const size_t n_name = strlen(name);
    zip_entry    key = {.name = {(const uint8_t *)path, n_root + 1 + n_folder + n_name}};

    if (n_root > MAX_PATH_BYTES / 2 || n_name > MAX_PATH_BYTES / 4)
        return NULL;
    memcpy(path, a->root.ptr, n_root);
    path[n_root] = '/';
    memcpy(path + n_root + 1, folder, n_folder);
    memcpy(path + n_root + 1 + n_folder, name, n_name);
    return bsearch(&key, a->entries, a->n_entries, sizeof key, compare_entries);
}

/** The one entry "<root>/data.pkl". */
static rvl_status root_find(archive *a)
{
    static const char suffix[] = "/data.pkl";
    const size_t      n_suffix = sizeof suffix - 1;

    for (size_t i = 0; i < a->n_entries; i++) {
        const rvl_span name = a->entries[i].name;

        if (name.n_bytes <= n_suffix || memchr(name.ptr, '/', name.n_bytes - n_suffix) ||
            memcmp(name.ptr + name.n_bytes - n_suffix, suffix, n_suffix) != 0)
            continue;
        if (a->root.ptr)
            return fail(a, "it holds two 'data.pkl'");
        a->root = (rvl_span){name.ptr, name.n_bytes - n_suffix};
    }
    return a->root.ptr
               ? RVL_OK
               : rvl_fail(a->err, RVL_ERR_FORMAT,
                          "cannot read '%s': a zip archive, but not of torch.save (it has no 'data.pkl')", a->name);
}

/** Newer PyTorch says the byte order in an entry of its own. */
static rvl_status byte_order_check(archive *a)
{
    zip_entry *e = entry_find(a, "", "byteorder");
    rvl_status st = e ? entry_open(a, e) : RVL_OK;

    if (!st && e && (e->data.n_bytes != 6 || memcmp(e->data.ptr, "little", 6) != 0))
        st = rvl_fail(a->err, RVL_ERR_UNSUPPORTED, "cannot read '%s': its numbers are not little-endian", a->name);
    return st;
}

static rvl_status storage_bind(archive *a, rvl_pickle_storage *s)
{
    zip_entry *e = entry_find(a, "data/", s->key);
    size_t     n_bytes;
    rvl_status st;

    if (!e)
        return rvl_fail(a->err, RVL_ERR_FORMAT, "cannot read '%s': storage '%.40s' is missing", a->name, s->key);
    st = entry_open(a, e);
    if (st)
        return st;
    if (!rvl_mul_size(&n_bytes, (size_t)s->n_elements, rvl_dtype_bytes(s->dtype)) || n_bytes != e->data.n_bytes)
        return rvl_fail(a->err, RVL_ERR_FORMAT,
                        "cannot read '%s': storage '%.40s' has %zu bytes, not those of %lld %s elements", a->name,
                        s->key, e->data.n_bytes, (long long)s->n_elements, rvl_dtype_text(s->dtype));
    s->data = e->data.ptr;
    return RVL_OK;
}

static rvl_status archive_read(archive *a, rvl_arena *arena, rvl_pickle *pickle)
{
    zip_entry *object;
    rvl_status st = directory_read(a);

    if (!st)
        st = root_find(a);
    if (!st)
        st = byte_order_check(a);
    if (st)
        return st;
    object = entry_find(a, "", "data.pkl");
    if (!object)
        return fail(a, "the name of its folder is too long");
    st = entry_open(a, object);
    if (!st)
        st = rvl__pickle_parse(pickle, arena, object->data, a->name, a->err);
    for (rvl_pickle_storage *s = st ? NULL : pickle->storages; !st && s; s = s->next)
        st = storage_bind(a, s);
    return st;
}

rvl_status rvl__torch_zip_parse(rvl_torch_file **out, rvl_span bytes, const char *name, rvl_error *err)
{
    archive    a = {.bytes = bytes, .name = name, .err = err};
    rvl_arena *arena = rvl_arena_new();
    rvl_pickle pickle;
    rvl_status st;

    *out = NULL;
    if (!arena)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", name);
    st = archive_read(&a, arena, &pickle);
    rvl_free(a.entries);
    if (st) {
        rvl_arena_free(arena);
        return st;
    }
    return rvl__torch_collect(out, &pickle, arena, bytes.n_bytes, name, err);
}
