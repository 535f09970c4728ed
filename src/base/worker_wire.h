/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/worker_wire.h
 * What parent and worker say to each other: a header, then `n_head` bytes, then `n_body` bytes. Both are the same
 * build, so the header goes as it lies in memory.
 */
#ifndef RVL_BASE_WORKER_WIRE_H
#define RVL_BASE_WORKER_WIRE_H
#include "rvl/status.h"

#define RVL__WIRE_MAGIC 0x57564c52u /* "RVLW" */
#define RVL__WORKER_FLAG "--rvl-worker"
#define RVL__WIRE_MAX_HEAD ((uint64_t)16 << 20)

typedef struct {
    uint32_t magic;
    int32_t  status; /* of an answer; on failure the head is the text of the error */
    uint64_t n_head, n_body;
} rvl__wire;

/** Set by rvl_worker_main when the program can be its own worker. */
bool rvl__worker_is_served(void);
/** All bytes or false; no signal if the other side is gone. */
bool rvl__wire_send(int fd, const void *bytes, size_t n_bytes);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RVL__SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RVL__SANITIZED 1
#endif
#endif

#endif /* RVL_BASE_WORKER_WIRE_H */
