/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file text/vocab.c
 * Open addressing over xxh3 hashes, at most half full; texts live in an arena.
 */
#include "text/vocab.h"
#include "base/alloc.h"
#include "base/util.h"
#include <limits.h>
#include <string.h>

typedef struct {
    const char *text;
    size_t      n_bytes;
    uint64_t    hash;
} entry;

struct rvl__vocab {
    rvl_arena *arena;
    entry     *entries;
    int       *slots; /* entry + 1; 0 is free */
    size_t     n_entries, n_allocated, n_slots;
    size_t     longest_bytes;
};

rvl__vocab *rvl__vocab_new(void)
{
    rvl__vocab *v = rvl_alloc_array(1, sizeof *v);

    if (!v)
        return NULL;
    v->arena = rvl_arena_new();
    v->n_slots = 64;
    v->slots = rvl_alloc_array(v->n_slots, sizeof *v->slots);
    if (!v->arena || !v->slots) {
        rvl__vocab_free(v);
        return NULL;
    }
    return v;
}

void rvl__vocab_free(rvl__vocab *v)
{
    if (!v)
        return;
    rvl_arena_free(v->arena);
    rvl_free(v->entries);
    rvl_free(v->slots);
    rvl_free(v);
}

/* The slot that holds the string, or the free one where it belongs. */
static size_t slot_find(const rvl__vocab *v, const char *bytes, size_t n_bytes, uint64_t hash)
{
    size_t mask = v->n_slots - 1;
    size_t i = (size_t)hash & mask;

    while (v->slots[i]) {
        const entry *e = &v->entries[v->slots[i] - 1];
        if (e->hash == hash && e->n_bytes == n_bytes && memcmp(e->text, bytes, n_bytes) == 0)
            break;
        i = (i + 1) & mask;
    }
    return i;
}

static bool slots_grow(rvl__vocab *v)
{
    size_t n_slots = v->n_slots * 2;
    int   *slots = rvl_alloc_array(n_slots, sizeof *slots);

    if (!slots)
        return false;
    for (size_t e = 0; e < v->n_entries; e++) {
        size_t i = (size_t)v->entries[e].hash & (n_slots - 1);
        while (slots[i])
            i = (i + 1) & (n_slots - 1);
        slots[i] = (int)e + 1;
    }
    rvl_free(v->slots);
    v->slots = slots;
    v->n_slots = n_slots;
    return true;
}

static bool entries_grow(rvl__vocab *v)
{
    size_t n = v->n_allocated ? v->n_allocated * 2 : 32;
    entry *grown = rvl_realloc_array(v->entries, n, sizeof *grown);

    if (!grown)
        return false;
    v->entries = grown;
    v->n_allocated = n;
    return true;
}

int rvl__vocab_find(const rvl__vocab *v, const char *bytes, size_t n_bytes)
{
    return v->slots[slot_find(v, bytes, n_bytes, rvl_hash64(bytes, n_bytes))] - 1;
}

int rvl__vocab_add(rvl__vocab *v, const char *bytes, size_t n_bytes, bool *is_new)
{
    uint64_t hash = rvl_hash64(bytes, n_bytes);
    size_t   slot = slot_find(v, bytes, n_bytes, hash);

    if (is_new)
        *is_new = v->slots[slot] == 0;
    if (v->slots[slot])
        return v->slots[slot] - 1;
    if (v->n_entries >= INT_MAX / 4)
        return -1;
    if (v->n_entries == v->n_allocated && !entries_grow(v))
        return -1;
    if ((v->n_entries + 1) * 2 > v->n_slots) {
        if (!slots_grow(v))
            return -1;
        slot = slot_find(v, bytes, n_bytes, hash);
    }
    char *text = rvl_arena_alloc(v->arena, n_bytes + 1); /* cleared: the NUL is there */
    if (!text)
        return -1;
    memcpy(text, bytes, n_bytes);
    v->entries[v->n_entries] = (entry){.text = text, .n_bytes = n_bytes, .hash = hash};
    v->n_entries++;
    v->slots[slot] = (int)v->n_entries;
    if (n_bytes > v->longest_bytes)
        v->longest_bytes = n_bytes;
    return (int)v->n_entries - 1;
}

int rvl__vocab_count(const rvl__vocab *v)
{
    return (int)v->n_entries;
}

const char *rvl__vocab_text(const rvl__vocab *v, int i)
{
    return v->entries[i].text;
}

size_t rvl__vocab_longest_bytes(const rvl__vocab *v)
{
    return v->longest_bytes;
}
