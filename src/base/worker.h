/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/worker.h
 * Work on untrusted bytes in processes of its own: what crashes, hangs or eats memory there costs one request.
 *
 * A worker is this program (or another that calls rvl_worker_main) started anew by posix_spawn, never by fork: threads
 * of OpenMP do not survive one. It speaks over a socket that is its standard input: a request, then an answer, each a
 * fixed header with lengths and the bytes. It ends when the socket is closed, so none outlives its parent.
 *
 * Threads: a pool belongs to one thread; its workers run at the same time.
 */
#ifndef RVL_BASE_WORKER_H
#define RVL_BASE_WORKER_H
#include "base/str.h"

/* ---- inside a worker ------------------------------------------------------------------------------------------ */

/** An answer: a short text of any bytes, and a body (the voxels) that is moved, not copied. */
typedef struct {
    rvl_str head;
    void   *body; /* of rvl_alloc; the caller of the handler frees it */
    size_t  n_body;
} rvl_worker_answer;

/** Do one request. A failure is sent back as it is: status and text. */
typedef rvl_status rvl_worker_handler(rvl_worker_answer *answer, rvl_span request, rvl_error *err);

/** First thing in main: if this process was started as a worker, serve until the parent goes, and return true with the
 *  exit code. Else return false, and note that this program can be started as its own worker. */
bool rvl_worker_main(int *exit_code, int argc, char **argv, rvl_worker_handler *handler);

/* ---- the parent's side ---------------------------------------------------------------------------------------- */

typedef struct {
    int     n_workers;        /* (1) at most RVL_WORKERS_MAX */
    double  max_seconds;      /* (10) of one request, by the clock; the processor's time too */
    int64_t max_memory_bytes; /* (1 GiB) a worker may take beyond what it has at its start */
    size_t  max_answer_bytes; /* (8 GiB) */
} rvl_worker_opts;

#define RVL_WORKERS_MAX 64

typedef struct rvl_workers rvl_workers;
/** Start the first worker and hear it say hello; the others start when they get work. The program is that of the
 *  environment variable RVL_WORKER, else this one if its main calls rvl_worker_main. NOT_FOUND if there is none, or if
 *  RVL_WORKER is "off"; DEVICE if it is no worker of this version. `opts` may be NULL. */
RVL_MUST_USE rvl_status    rvl_workers_open(rvl_workers **out, const rvl_worker_opts *opts, rvl_error *err);
void                       rvl_workers_close(rvl_workers *w); /* NULL is allowed; what still runs is killed */
int                        rvl_workers_count(const rvl_workers *w);
/** Give idle worker `i` a request, which may go afterwards; a dead one is started again first. What goes wrong is told
 *  by rvl_workers_finish. */
void                       rvl_workers_start(rvl_workers *w, int i, const void *request, size_t n_bytes);
/** Wait for the answer of worker `i`, while all others are listened to. The handler's own failure comes as it was, its
 *  NOMEM as LIMIT. LIMIT: killed for time, or for memory. FORMAT: the worker crashed; the text names the signal. */
RVL_MUST_USE rvl_status    rvl_workers_finish(rvl_workers *w, int i, rvl_error *err);
/** Whether the worker lived to answer the last request, be it by a failure of its handler. */
bool                       rvl_workers_answered(const rvl_workers *w, int i);
/** The last answer's text; borrowed until the worker's next request. */
rvl_span                   rvl_workers_head(const rvl_workers *w, int i);
/** The last answer's body, moved to the caller (rvl_free). NULL if it had none. */
void                      *rvl_workers_take_body(rvl_workers *w, int i, size_t *n_bytes);
/** False where the memory limit cannot be set: under sanitizers, which reserve terabytes of addresses. */
bool                       rvl_workers_limit_memory(void);

#endif /* RVL_BASE_WORKER_H */
