/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/http.c
 * The wrapper of libcurl; the only file that includes its header.
 */
#include "label/http.h"
#include "base/alloc.h"
#include "base/util.h"
#include <curl/curl.h>
#include <string.h>

#define ANSWER_BYTES_MAX ((size_t)4 << 20)
#define SLOTS_MAX 256

typedef struct {
    CURL   *easy;
    rvl_str request, body;
    bool    is_running, is_too_long;
} slot_state;

struct rvl_http {
    CURLM             *multi;
    struct curl_slist *headers;
    slot_state        *slots;
    int                n_slots;
};

static size_t body_add(char *bytes, size_t size, size_t n, void *user)
{
    slot_state *s = user;

    if (s->body.n_bytes + size * n > ANSWER_BYTES_MAX) {
        s->is_too_long = true;
        return 0;
    }
    rvl_str_add_n(&s->body, bytes, size * n);
    return s->body.failed ? 0 : size * n;
}

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for requests");
}

static bool header_add(rvl_http *h, const char *line)
{
    struct curl_slist *more = curl_slist_append(h->headers, line);

    h->headers = more ? more : h->headers;
    return more != NULL;
}

static bool slot_open(slot_state *s, const rvl_http *h, const rvl_http_opts *o)
{
    s->easy = curl_easy_init();
    return s->easy && !curl_easy_setopt(s->easy, CURLOPT_URL, o->url) &&
           !curl_easy_setopt(s->easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
           !curl_easy_setopt(s->easy, CURLOPT_FOLLOWLOCATION, 0L) && !curl_easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L) &&
           !curl_easy_setopt(s->easy, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1") &&
           !curl_easy_setopt(s->easy, CURLOPT_TIMEOUT_MS, (long)(o->timeout_s * 1e3)) &&
           !curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, h->headers) &&
           !curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, body_add) &&
           !curl_easy_setopt(s->easy, CURLOPT_WRITEDATA, s) && !curl_easy_setopt(s->easy, CURLOPT_PRIVATE, s);
}

static rvl_status opts_check(const rvl_http_opts *o, rvl_error *err)
{
    if (!rvl_str_starts(o->url, "http://") && !rvl_str_starts(o->url, "https://"))
        return rvl_fail(err, RVL_ERR_USAGE, "'%s' is no http or https address", o->url);
    if (o->n_slots < 1 || o->n_slots > SLOTS_MAX)
        return rvl_fail(err, RVL_ERR_USAGE, "1 to %d requests can run at a time", SLOTS_MAX);
    if (!(o->timeout_s > 0.0) || o->timeout_s > 1e6)
        return rvl_fail(err, RVL_ERR_USAGE, "a timeout is more than 0 and at most 1000000 seconds");
    if (o->key && strpbrk(o->key, "\r\n"))
        return rvl_fail(err, RVL_ERR_USAGE, "the key has a line end");
    return RVL_OK;
}

static rvl_status headers_make(rvl_http *h, const rvl_http_opts *o, rvl_error *err)
{
    rvl_str key = {0};
    bool    is_ok = header_add(h, "Content-Type: application/json") && header_add(h, "Expect:");

    if (o->key && *o->key) {
        rvl_str_addf(&key, "Authorization: Bearer %s", o->key);
        is_ok = is_ok && !key.failed && header_add(h, key.ptr);
        rvl_str_free(&key);
    }
    return is_ok ? RVL_OK : no_memory(err);
}

rvl_status rvl_http_open(rvl_http **out, const rvl_http_opts *o, rvl_error *err)
{
    rvl_http  *h = NULL;
    rvl_status st = opts_check(o, err);

    *out = NULL;
    if (!st && curl_global_init(CURL_GLOBAL_DEFAULT))
        return rvl_fail(err, RVL_ERR_COMM, "libcurl cannot start");
    if (!st && !(h = rvl_alloc_array(1, sizeof *h)))
        st = no_memory(err);
    if (!st) {
        h->slots = rvl_alloc_array((size_t)o->n_slots, sizeof *h->slots);
        h->multi = curl_multi_init();
        h->n_slots = h->slots ? o->n_slots : 0;
        st = h->slots && h->multi ? headers_make(h, o, err) : no_memory(err);
    }
    for (int i = 0; !st && i < h->n_slots; i++)
        if (!slot_open(&h->slots[i], h, o))
            st = rvl_fail(err, RVL_ERR_COMM, "libcurl refuses '%s'", o->url);
    if (st) {
        rvl_http_close(h);
        return st;
    }
    *out = h;
    return RVL_OK;
}

void rvl_http_close(rvl_http *h)
{
    if (!h)
        return;
    for (int i = 0; i < h->n_slots; i++) {
        slot_state *s = &h->slots[i];
        if (s->easy && s->is_running)
            curl_multi_remove_handle(h->multi, s->easy);
        curl_easy_cleanup(s->easy);
        rvl_str_free(&s->request);
        rvl_str_free(&s->body);
    }
    if (h->multi)
        curl_multi_cleanup(h->multi);
    curl_slist_free_all(h->headers);
    rvl_free(h->slots);
    rvl_free(h);
}

rvl_status rvl_http_start(rvl_http *h, int slot, const void *json, size_t n_bytes, rvl_error *err)
{
    RVL_ASSERT(slot >= 0 && slot < h->n_slots && !h->slots[slot].is_running);
    slot_state *s = &h->slots[slot];

    rvl_str_clear(&s->request);
    rvl_str_clear(&s->body);
    rvl_str_add_n(&s->request, json, n_bytes);
    s->is_too_long = false;
    if (s->request.failed || s->body.failed)
        return no_memory(err);
    if (curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)s->request.n_bytes) ||
        curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, s->request.ptr) || curl_multi_add_handle(h->multi, s->easy))
        return rvl_fail(err, RVL_ERR_COMM, "libcurl cannot start a request");
    s->is_running = true;
    return RVL_OK;
}

static const char *problem_text(CURLcode code, const slot_state *s)
{
    if (s->is_too_long)
        return "the answer is longer than 4 MiB";
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return "timeout";
    case CURLE_COULDNT_CONNECT:
        return "no connection";
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return "the host's name is not known";
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return "connection cut";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
        return "TLS failed";
    default:
        return "no HTTP answer";
    }
}

static void answer_take(rvl_http_answer *out, slot_state *s, CURLcode result)
{
    long       code = 0;
    curl_off_t retry_after_s = 0;

    *out = (rvl_http_answer){.retry_after_s = -1.0};
    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &code);
    if (!curl_easy_getinfo(s->easy, CURLINFO_RETRY_AFTER, &retry_after_s) && retry_after_s > 0)
        out->retry_after_s = (double)retry_after_s;
    if (result != CURLE_OK || code == 0) {
        out->problem = problem_text(result, s);
        return;
    }
    out->code = (int)code;
    out->body = (rvl_span){.ptr = (const uint8_t *)s->body.ptr, .n_bytes = s->body.n_bytes};
}

/* A request that has ended, if there is one. */
static int ended_take(rvl_http_answer *out, rvl_http *h)
{
    int      n_left = 0;
    CURLMsg *m = NULL;

    while ((m = curl_multi_info_read(h->multi, &n_left)) != NULL) {
        if (m->msg != CURLMSG_DONE)
            continue;
        CURL          *easy = m->easy_handle;
        const CURLcode result = m->data.result; /* `m` goes with the handle */
        for (int i = 0; i < h->n_slots; i++) {
            if (h->slots[i].easy != easy)
                continue;
            curl_multi_remove_handle(h->multi, easy);
            h->slots[i].is_running = false;
            answer_take(out, &h->slots[i], result);
            return i;
        }
    }
    return -1;
}

rvl_status rvl_http_wait(int *slot, rvl_http_answer *out, rvl_http *h, double max_s, rvl_error *err)
{
    const double end = rvl_clock_s() + max_s;
    int          n_running = 0;

    for (;;) {
        if (curl_multi_perform(h->multi, &n_running))
            return rvl_fail(err, RVL_ERR_COMM, "libcurl failed");
        *slot = ended_take(out, h);
        const double left = end - rvl_clock_s();
        if (*slot >= 0 || left <= 0.0)
            return RVL_OK;
        if (curl_multi_poll(h->multi, NULL, 0, (int)(left * 1e3) + 1, NULL))
            return rvl_fail(err, RVL_ERR_COMM, "libcurl failed");
    }
}
