/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/http.h
 * JSON posted to one address, several at a time (libcurl). Repeats, pauses and meanings are the caller's.
 *
 * Redirects are not followed and only http and https are spoken: what is sent goes to the address that was given.
 * One thread at a time.
 */
#ifndef RVL_LABEL_HTTP_H
#define RVL_LABEL_HTTP_H
#include "base/str.h"

typedef struct {
    const char *url;
    const char *key; /* sent as a bearer token; NULL: none */
    int         n_slots;
    double      timeout_s; /* of a whole request */
} rvl_http_opts;

/** What came back; borrowed until the slot's next request. */
typedef struct {
    int         code;          /* of HTTP; 0: no whole answer, see `problem` */
    const char *problem;       /* "timeout", "connection refused", "connection cut", ...; NULL with a code */
    rvl_span    body;          /* at most 4 MiB, else a problem */
    double      retry_after_s; /* of the header; negative: none */
} rvl_http_answer;

typedef struct rvl_http rvl_http;
/** USAGE: no http or https address, or a key with line ends. */
RVL_MUST_USE rvl_status rvl_http_open(rvl_http **out, const rvl_http_opts *o, rvl_error *err);
void                    rvl_http_close(rvl_http *h); /* NULL is allowed; what still runs is dropped */
/** Post `n_bytes` of JSON (copied) in a slot that is free. */
RVL_MUST_USE rvl_status rvl_http_start(rvl_http *h, int slot, const void *json, size_t n_bytes, rvl_error *err);
/** Wait at most `max_s` for any request to end; `*slot` is the one that did, or -1. */
RVL_MUST_USE rvl_status rvl_http_wait(int *slot, rvl_http_answer *out, rvl_http *h, double max_s, rvl_error *err);

#endif /* RVL_LABEL_HTTP_H */
