/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/alloc.h
 * The one gate to the heap, and arenas for things of one lifetime.
 *
 * base/alloc.c is the only caller of malloc, calloc, realloc and free. All functions return NULL when memory
 * or a test's injected failure ends; callers turn that into RVL_ERR_NOMEM. Thread-safe.
 */
#ifndef RVL_BASE_ALLOC_H
#define RVL_BASE_ALLOC_H
#include "rvl/status.h"

/** `n_bytes` of memory, not cleared; 0 bytes gives a valid pointer. */
void *rvl_alloc(size_t n_bytes);
/** `n` cleared elements of `size` bytes; NULL if n * size overflows. */
void *rvl_alloc_array(size_t n, size_t size);
/** Grow or shrink; `ptr` may be NULL; on failure the old block stays valid. */
void *rvl_realloc_array(void *ptr, size_t n, size_t size);
/** 64-byte aligned, not cleared; freed with rvl_free like the others. */
void *rvl_alloc_aligned(size_t n_bytes);
void  rvl_free(void *ptr); /* NULL is allowed */
char *rvl_strdup(const char *text);
char *rvl_strndup(const char *text, size_t n_bytes);

/** *out = a * b; false on overflow. */
bool rvl_mul_size(size_t *out, size_t a, size_t b);
/** *out = a + b; false on overflow. */
bool rvl_add_size(size_t *out, size_t a, size_t b);

typedef struct {
    size_t   live_bytes, peak_bytes;
    uint64_t n_calls;
} rvl_alloc_stats;
rvl_alloc_stats rvl_alloc_get_stats(void);
/** Fail the nth call from now (1 = the next) once; 0 switches off. For tests. */
void            rvl_alloc_fail_at(uint64_t nth);

/** Bump allocator: blocks freed all at once. Not thread-safe. */
typedef struct rvl_arena rvl_arena;
rvl_arena               *rvl_arena_new(void); /* NULL when out of memory */
void                     rvl_arena_free(rvl_arena *arena);
void                     rvl_arena_reset(rvl_arena *arena);
void                    *rvl_arena_alloc(rvl_arena *arena, size_t n_bytes); /* cleared, 16-byte aligned */
char                    *rvl_arena_strndup(rvl_arena *arena, const char *text, size_t n_bytes);

#endif /* RVL_BASE_ALLOC_H */
