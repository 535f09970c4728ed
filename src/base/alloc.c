/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/alloc.c
 * The gate to the heap: counts bytes and calls, checks overflow, fails the nth call for tests.
 *
 * Every block has a 16-byte head in front of it with its size and its distance from what malloc gave, so one
 * rvl_free serves aligned and plain blocks.
 */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

typedef struct {
    size_t n_bytes;
    size_t offset; /* from the start of the malloc block to the caller's bytes */
} block_head;

#define HEAD_BYTES 16
#define ALIGN_BYTES 64
_Static_assert(sizeof(block_head) <= HEAD_BYTES, "the head must fit in front of a block");

static atomic_size_t         live_bytes, peak_bytes;
static atomic_uint_least64_t n_calls, fail_call; /* fail_call: the call number that fails, 0 for none */

bool rvl_mul_size(size_t *out, size_t a, size_t b)
{
    return !__builtin_mul_overflow(a, b, out);
}

bool rvl_add_size(size_t *out, size_t a, size_t b)
{
    return !__builtin_add_overflow(a, b, out);
}

static bool call_fails(void)
{
    uint64_t i_call = atomic_fetch_add(&n_calls, 1) + 1;
    return i_call == atomic_load(&fail_call);
}

static void live_add(size_t n_bytes)
{
    size_t live = atomic_fetch_add(&live_bytes, n_bytes) + n_bytes;
    size_t peak = atomic_load(&peak_bytes);

    while (live > peak && !atomic_compare_exchange_weak(&peak_bytes, &peak, live))
        ;
}

static block_head *head_of(void *ptr)
{
    return (block_head *)(void *)((unsigned char *)ptr - HEAD_BYTES);
}

static void *block_new(size_t n_bytes, size_t align, bool clear)
{
    size_t total;

    if (call_fails() || !rvl_add_size(&total, n_bytes, HEAD_BYTES + align - 16) || total > PTRDIFF_MAX)
        return NULL;
    unsigned char *raw = clear ? calloc(1, total) : malloc(total);
    if (!raw)
        return NULL;
    size_t         misfit = ((uintptr_t)raw + HEAD_BYTES) % align;
    size_t         offset = HEAD_BYTES + (misfit ? align - misfit : 0);
    unsigned char *ptr = raw + offset;
    *head_of(ptr) = (block_head){n_bytes, offset};
    live_add(n_bytes);
    return ptr;
}

void *rvl_alloc(size_t n_bytes)
{
    return block_new(n_bytes, 16, false);
}

void *rvl_alloc_array(size_t n, size_t size)
{
    size_t n_bytes;
    return rvl_mul_size(&n_bytes, n, size) ? block_new(n_bytes, 16, true) : NULL;
}

void *rvl_alloc_aligned(size_t n_bytes)
{
    return block_new(n_bytes, ALIGN_BYTES, false);
}

void *rvl_realloc_array(void *ptr, size_t n, size_t size)
{
    size_t n_bytes, total;

    if (!rvl_mul_size(&n_bytes, n, size))
        return NULL;
    if (!ptr)
        return block_new(n_bytes, 16, false);
    block_head old = *head_of(ptr);
    if (call_fails() || !rvl_add_size(&total, n_bytes, old.offset) || total > PTRDIFF_MAX)
        return NULL;
    unsigned char *raw = realloc((unsigned char *)ptr - old.offset, total);
    if (!raw)
        return NULL;
    unsigned char *moved = raw + old.offset;
    head_of(moved)->n_bytes = n_bytes;
    atomic_fetch_sub(&live_bytes, old.n_bytes);
    live_add(n_bytes);
    return moved;
}

void rvl_free(void *ptr)
{
    if (!ptr)
        return;
    block_head head = *head_of(ptr);
    atomic_fetch_sub(&live_bytes, head.n_bytes);
    free((unsigned char *)ptr - head.offset);
}

char *rvl_strndup(const char *text, size_t n_bytes)
{
    size_t n = strnlen(text, n_bytes);
    char  *copy = rvl_alloc(n + 1);

    if (!copy)
        return NULL;
    memcpy(copy, text, n);
    copy[n] = '\0';
    return copy;
}

char *rvl_strdup(const char *text)
{
    return rvl_strndup(text, strlen(text));
}

rvl_alloc_stats rvl_alloc_get_stats(void)
{
    return (rvl_alloc_stats){atomic_load(&live_bytes), atomic_load(&peak_bytes), atomic_load(&n_calls)};
}

void rvl_alloc_fail_at(uint64_t nth)
{
    atomic_store(&fail_call, nth ? atomic_load(&n_calls) + nth : 0);
}
