/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/arena.c
 * Bump allocator: a list of chunks, the newest first; reset keeps one chunk for the next round.
 */
#include "base/alloc.h"

#include <string.h>

#include "base/banned.h"

#define CHUNK_BYTES ((size_t)64 * 1024)

typedef struct chunk {
    struct chunk *next;
    size_t        capacity, n_used;
    size_t        padding; /* keeps what follows 16-byte aligned */
} chunk;

_Static_assert(sizeof(chunk) % 16 == 0, "blocks of an arena are 16-byte aligned");

struct rvl_arena {
    chunk *first;
};

rvl_arena *rvl_arena_new(void)
{
    return rvl_alloc_array(1, sizeof(rvl_arena));
}

static void chunks_free(chunk *c)
{
    while (c) {
        chunk *next = c->next;
        rvl_free(c);
        c = next;
    }
}

void rvl_arena_free(rvl_arena *arena)
{
    if (!arena)
        return;
    chunks_free(arena->first);
    rvl_free(arena);
}

void rvl_arena_reset(rvl_arena *arena)
{
    chunk *c = arena->first;

    if (!c)
        return;
    chunks_free(c->next);
    c->next = NULL;
    c->n_used = 0;
    if (c->capacity > CHUNK_BYTES) {
        rvl_free(c);
        arena->first = NULL;
    }
}

void *rvl_arena_alloc(rvl_arena *arena, size_t n_bytes)
{
    chunk *c = arena->first;
    size_t rounded, total;

    if (!rvl_add_size(&rounded, n_bytes, 15))
        return NULL;
    rounded &= ~(size_t)15;
    if (!c || c->capacity - c->n_used < rounded) {
        size_t capacity = rounded > CHUNK_BYTES ? rounded : CHUNK_BYTES;
        if (!rvl_add_size(&total, capacity, sizeof(chunk)))
            return NULL;
        c = rvl_alloc(total);
        if (!c)
            return NULL;
        *c = (chunk){arena->first, capacity, 0, 0};
        arena->first = c;
    }
    unsigned char *ptr = (unsigned char *)(c + 1) + c->n_used;
    c->n_used += rounded;
    return memset(ptr, 0, n_bytes);
}

char *rvl_arena_strndup(rvl_arena *arena, const char *text, size_t n_bytes)
{
    size_t n = strnlen(text, n_bytes);
    char  *copy = rvl_arena_alloc(arena, n + 1);

    return copy ? memcpy(copy, text, n) : NULL;
}
