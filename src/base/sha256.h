/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/sha256.h
 * SHA-256 (FIPS 180-4): to compare pixels with other tools' sums, and for salted identifiers.
 */
#ifndef RVL_BASE_SHA256_H
#define RVL_BASE_SHA256_H
#include "rvl/status.h"

typedef struct {
    uint32_t state[8];
    uint64_t n_bytes;
    uint8_t  block[64];
} rvl_sha256;

void rvl_sha256_init(rvl_sha256 *s);
void rvl_sha256_add(rvl_sha256 *s, const void *bytes, size_t n_bytes);
/** 64 lower-case hex digits and a NUL; `s` cannot be added to afterwards. */
void rvl_sha256_hex(char out[65], rvl_sha256 *s);

#endif /* RVL_BASE_SHA256_H */
