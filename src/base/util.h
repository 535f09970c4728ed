/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/util.h
 * Hashes, clocks, cancellation, processor count, asserts: the small things every room needs.
 */
#ifndef RVL_BASE_UTIL_H
#define RVL_BASE_UTIL_H
#include "rvl/status.h"

uint64_t                  rvl_hash64(const void *bytes, size_t n_bytes); /* xxh3-64 */
/** xxh3-128 as 32 lower-case hex digits and a NUL. */
void                      rvl_hash128_hex(char out[33], const void *bytes, size_t n_bytes);
/** Streaming form. */
typedef struct rvl_hasher rvl_hasher;
rvl_hasher               *rvl_hasher_new(void); /* NULL when out of memory */
void                      rvl_hasher_add(rvl_hasher *h, const void *bytes, size_t n_bytes);
void                      rvl_hasher_hex(const rvl_hasher *h, char out[33]);
void                      rvl_hasher_free(rvl_hasher *h);

double  rvl_clock_s(void);           /* monotonic seconds */
void    rvl_time_iso(char out[32]);  /* UTC now, "2026-11-24T20:22:12Z" */
int64_t rvl_memory_bytes(void);      /* memory of the machine or of the cgroup, whichever is less */
int64_t rvl_memory_peak_bytes(void); /* peak resident set of this process */

/** Set by the program's signal handler; long loops poll it and end with RVL_ERR_CANCELLED, state saved. */
void rvl_cancel_request(void); /* async-signal-safe */
bool rvl_cancel_requested(void);
void rvl_cancel_reset(void);

/** Our own bugs only, never data. Kept in release. */
#define RVL_ASSERT(x) ((x) ? (void)0 : rvl_assert_failed(#x, __FILE__, __LINE__))
__attribute__((noreturn)) void rvl_assert_failed(const char *what, const char *file, int line);

#endif /* RVL_BASE_UTIL_H */
