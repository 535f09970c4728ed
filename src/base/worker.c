/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/worker.c
 * The pool: starts workers, listens to all of them at once, kills what takes too long, says how one died.
 */
#define _GNU_SOURCE /* MSG_DONTWAIT, environ */
#include "base/worker.h"
#include "base/alloc.h"
#include "base/util.h"
#include "base/worker_wire.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_SECONDS 30.0 /* a program has to be loaded, perhaps from a slow disk */

typedef enum { IDLE, BUSY, DONE } worker_state;

typedef struct {
    pid_t        pid; /* 0: not running */
    int          fd;
    worker_state state;
    double       deadline_s;
    rvl__wire    wire; /* of the answer that comes in */
    size_t       n_wire, n_head, n_body;
    char        *head;
    void        *body;
    rvl_status   status; /* of the answer, or of the worker's death */
    rvl_error    why;
} worker;

struct rvl_workers {
    rvl_worker_opts opts;
    const char     *program;
    char          **environment; /* this process's, with one thread */
    worker          workers[RVL_WORKERS_MAX];
};

static const char *signal_text(int number, char buf[32])
{
    static const struct {
        int         number;
        const char *text;
    } list[] = {{SIGSEGV, "SIGSEGV"}, {SIGABRT, "SIGABRT"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},
                {SIGILL, "SIGILL"},   {SIGKILL, "SIGKILL"}, {SIGTERM, "SIGTERM"}, {SIGTRAP, "SIGTRAP"},
                {SIGSYS, "SIGSYS"},   {SIGXCPU, "SIGXCPU"}, {SIGXFSZ, "SIGXFSZ"}, {SIGPIPE, "SIGPIPE"}};

    for (size_t i = 0; i < RVL_ARRAY_LEN(list); i++)
        if (list[i].number == number)
            return list[i].text;
    snprintf(buf, 32, "signal %d", number);
    return buf;
}

/* Wait for the end of a process whose socket is closed; what does not end is killed. How it ended in `*how`. */
static void worker_reap(worker *k, int *how)
{
    struct pollfd nothing = {.fd = -1};
    pid_t         got = 0;

    *how = 0;
    if (k->fd >= 0)
        close(k->fd);
    k->fd = -1;
    for (int i = 0; k->pid > 0 && i < 200 && (got = waitpid(k->pid, how, WNOHANG)) == 0; i++)
        poll(&nothing, 1, i < 20 ? 1 : 10);
    if (k->pid > 0 && got == 0) {
        kill(k->pid, SIGKILL);
        while (waitpid(k->pid, how, 0) < 0 && errno == EINTR)
            ;
    }
    k->pid = 0;
}

static void worker_kill(worker *k)
{
    int ignored;

    if (k->pid > 0)
        kill(k->pid, SIGKILL);
    worker_reap(k, &ignored);
}

static void answer_clear(worker *k)
{
    rvl_free(k->head);
    rvl_free(k->body);
    k->head = NULL;
    k->body = NULL;
    k->n_wire = k->n_head = k->n_body = 0;
    k->status = RVL_OK;
    k->why = (rvl_error){0};
}

/* The request is over, and so is the process. */
static void worker_timed_out(worker *k, double seconds)
{
    worker_kill(k);
    k->state = DONE;
    k->status = rvl_fail(&k->why, RVL_ERR_LIMIT, "took more than %g s and was stopped", seconds);
}

/* The socket is closed before the answer was whole. */
static void worker_died(worker *k, double seconds)
{
    char buf[32];
    int  how;

    worker_reap(k, &how);
    k->state = DONE;
    if (WIFSIGNALED(how) && WTERMSIG(how) == SIGXCPU)
        k->status = rvl_fail(&k->why, RVL_ERR_LIMIT, "took more than %g s of the processor and was stopped", seconds);
    else if (WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL)
        k->status = rvl_fail(&k->why, RVL_ERR_LIMIT,
                             "its process was killed from outside (SIGKILL), as happens when memory runs short");
    else if (WIFSIGNALED(how))
        k->status = rvl_fail(&k->why, RVL_ERR_FORMAT, "it crashed the decoder (%s)", signal_text(WTERMSIG(how), buf));
    else
        k->status = rvl_fail(&k->why, RVL_ERR_FORMAT, "its decoder ended with exit code %d", WEXITSTATUS(how));
}

/* What is there of the answer; false when the socket is closed or speaks nonsense. */
static bool part_receive(worker *k, void *to, size_t n_wanted, size_t *n_done)
{
    while (*n_done < n_wanted) {
        ssize_t n = recv(k->fd, (char *)to + *n_done, n_wanted - *n_done, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return true;
        if (n <= 0)
            return false;
        *n_done += (size_t)n;
    }
    return true;
}

static bool answer_memory(worker *k, size_t max_bytes)
{
    if (k->wire.magic != RVL__WIRE_MAGIC || k->wire.n_head > RVL__WIRE_MAX_HEAD || k->wire.n_body > max_bytes)
        return false;
    k->head = rvl_alloc((size_t)k->wire.n_head + 1);
    k->body = k->wire.n_body ? rvl_alloc((size_t)k->wire.n_body) : NULL;
    return k->head && (k->body || !k->wire.n_body);
}

static void answer_complete(worker *k)
{
    k->head[k->wire.n_head] = '\0';
    k->state = DONE;
    k->status = (rvl_status)k->wire.status;
    if (k->status == RVL_ERR_NOMEM)
        k->status = rvl_fail(&k->why, RVL_ERR_LIMIT, "%s\nhint: a higher memory limit for decoding may help", k->head);
    else if (k->status)
        (void)rvl_fail(&k->why, k->status, "%s", k->head);
}

/* The worker has something to read, or is gone. */
static void worker_hear(worker *k, const rvl_worker_opts *opts)
{
    bool is_open = part_receive(k, &k->wire, sizeof k->wire, &k->n_wire);

    k->deadline_s = rvl_clock_s() + opts->max_seconds; /* it speaks: the work is done, only the way is left */
    if (is_open && k->n_wire == sizeof k->wire && !k->head)
        is_open = answer_memory(k, opts->max_answer_bytes);
    if (is_open && k->head)
        is_open = part_receive(k, k->head, (size_t)k->wire.n_head, &k->n_head);
    if (is_open && k->head && k->n_head == k->wire.n_head)
        is_open = part_receive(k, k->body, (size_t)k->wire.n_body, &k->n_body);
    if (!is_open)
        worker_died(k, opts->max_seconds);
    else if (k->head && k->n_head == k->wire.n_head && k->n_body == k->wire.n_body)
        answer_complete(k);
}

/* Listen once to all busy workers, until one speaks or the nearest deadline. */
static void pool_listen(rvl_workers *w)
{
    struct pollfd list[RVL_WORKERS_MAX];
    int           of[RVL_WORKERS_MAX];
    nfds_t        n = 0;
    double        now = rvl_clock_s(), wait_s = w->opts.max_seconds + START_SECONDS;

    for (int i = 0; i < w->opts.n_workers; i++) {
        if (w->workers[i].state != BUSY)
            continue;
        list[n] = (struct pollfd){.fd = w->workers[i].fd, .events = POLLIN};
        of[n++] = i;
        wait_s = fmin(wait_s, w->workers[i].deadline_s - now);
    }
    int n_ready = poll(list, n, wait_s > 0 ? (int)(wait_s * 1000) + 1 : 0);
    now = rvl_clock_s();
    for (nfds_t j = 0; j < n && n_ready >= 0; j++) { /* who has finished, but was not heard, is not late */
        worker *k = &w->workers[of[j]];
        if (list[j].revents)
            worker_hear(k, &w->opts);
        else if (now > k->deadline_s)
            worker_timed_out(k, w->opts.max_seconds);
    }
}

static rvl_status environment_make(rvl_workers *w)
{
    static char one_thread[] = "OMP_NUM_THREADS=1", started[] = "RVL_STARTED=1";
    size_t      n = 0, n_kept = 0;

    while (environ && environ[n])
        n++;
    w->environment = rvl_alloc_array(n + 3, sizeof *w->environment);
    if (!w->environment)
        return RVL_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        if (!rvl_str_starts(environ[i], "OMP_NUM_THREADS=") && !rvl_str_starts(environ[i], "RVL_STARTED="))
            w->environment[n_kept++] = environ[i];
    w->environment[n_kept++] = one_thread;
    w->environment[n_kept] = started;
    return RVL_OK;
}

/* The worker's socket becomes its descriptor 0; descriptors above 2 close by themselves (CLOEXEC). */
static int worker_spawn(worker *k, const rvl_workers *w, int socket_fd)
{
    char                       memory[24], seconds[24];
    char                       flag[] = RVL__WORKER_FLAG, name[] = "rvl";
    char                      *argv[] = {name, flag, memory, seconds, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t          attr;
    sigset_t                   none;
    int                        code;

    snprintf(memory, sizeof memory, "%lld", (long long)w->opts.max_memory_bytes);
    snprintf(seconds, sizeof seconds, "%lld", (long long)ceil(w->opts.max_seconds));
    sigemptyset(&none);
    if ((code = posix_spawn_file_actions_init(&files)) != 0)
        return code;
    if ((code = posix_spawnattr_init(&attr)) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return code;
    }
    code = posix_spawn_file_actions_adddup2(&files, socket_fd, 0);
    if (!code)
        code = posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    if (!code) /* a group of its own: the terminal's interrupt is for the parent, which finishes what it began */
        code = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    if (!code)
        code = posix_spawnattr_setsigmask(&attr, &none);
    if (!code)
        code = posix_spawn(&k->pid, w->program, &files, &attr, argv, w->environment);
    if (code)
        k->pid = 0;
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return code;
}

/* Start the process and hear it say hello. Its answer slot is empty before and after. */
static rvl_status worker_begin(worker *k, const rvl_workers *w, rvl_error *err)
{
    int pair[2], high[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return rvl_fail(err, RVL_ERR_IO, "cannot start a worker: %s", strerror(errno));
    for (int i = 0; i < 2; i++) { /* above 0, 1 and 2, which the program may have closed */
        high[i] = fcntl(pair[i], F_DUPFD_CLOEXEC, 3);
        close(pair[i]);
    }
    int code = high[0] < 0 || high[1] < 0 ? EMFILE : worker_spawn(k, w, high[1]);
    k->fd = high[0];
    if (high[1] >= 0)
        close(high[1]);
    if (code) {
        worker_kill(k);
        return rvl_fail(err, code == ENOENT ? RVL_ERR_NOT_FOUND : RVL_ERR_IO, "cannot start the worker '%s': %s",
                        w->program, strerror(code));
    }
    answer_clear(k);
    k->state = BUSY;
    rvl_worker_opts listen = w->opts;
    listen.max_answer_bytes = 0;
    k->deadline_s = rvl_clock_s() + START_SECONDS;
    while (k->state == BUSY) {
        struct pollfd ready = {.fd = k->fd, .events = POLLIN};
        double        wait_s = k->deadline_s - rvl_clock_s();
        if (poll(&ready, 1, wait_s > 0 ? (int)(wait_s * 1000) + 1 : 0) > 0)
            worker_hear(k, &listen);
        else if (wait_s < 0)
            worker_timed_out(k, START_SECONDS);
    }
    bool is_ours = !k->status && k->wire.n_head == strlen(RVL_VERSION) && strcmp(k->head, RVL_VERSION) == 0;
    answer_clear(k);
    k->state = IDLE;
    if (is_ours)
        return RVL_OK;
    worker_kill(k);
    return rvl_fail(err, RVL_ERR_DEVICE, "cannot start the worker '%s': it is no worker of rvl " RVL_VERSION,
                    w->program);
}

static rvl_status program_find(const char **out, rvl_error *err)
{
    const char *named = getenv("RVL_WORKER");

    *out = named && *named ? named : rvl__worker_is_served() ? "/proc/self/exe" : NULL;
    if (*out && strcmp(*out, "off") != 0)
        return RVL_OK;
    return rvl_fail(err, RVL_ERR_NOT_FOUND,
                    *out ? "workers are off (RVL_WORKER)"
                         : "this program cannot be its own worker and RVL_WORKER names none");
}

rvl_status rvl_workers_open(rvl_workers **out, const rvl_worker_opts *opts, rvl_error *err)
{
    rvl_workers *w;
    const char  *program;
    rvl_status   st = program_find(&program, err);

    *out = NULL;
    if (st)
        return st;
    if (!(w = rvl_alloc_array(1, sizeof *w)))
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot start workers: out of memory");
    w->opts = opts ? *opts : (rvl_worker_opts){0};
    w->program = program;
    w->opts.n_workers = w->opts.n_workers < 1                 ? 1
                        : w->opts.n_workers > RVL_WORKERS_MAX ? RVL_WORKERS_MAX
                                                              : w->opts.n_workers;
    if (!(w->opts.max_seconds > 0))
        w->opts.max_seconds = 10;
    if (w->opts.max_memory_bytes <= 0)
        w->opts.max_memory_bytes = (int64_t)1 << 30;
    if (w->opts.max_answer_bytes == 0)
        w->opts.max_answer_bytes = (size_t)8 << 30;
    for (int i = 0; i < RVL_WORKERS_MAX; i++)
        w->workers[i].fd = -1;
    st = environment_make(w);
    if (st)
        (void)rvl_fail(err, st, "cannot start workers: out of memory");
    else
        st = worker_begin(&w->workers[0], w, err);
    if (st) {
        rvl_workers_close(w);
        return st;
    }
    *out = w;
    return RVL_OK;
}

void rvl_workers_close(rvl_workers *w)
{
    if (!w)
        return;
    for (int i = 0; i < RVL_WORKERS_MAX; i++) {
        worker_kill(&w->workers[i]);
        answer_clear(&w->workers[i]);
    }
    rvl_free(w->environment);
    rvl_free(w);
}

int rvl_workers_count(const rvl_workers *w)
{
    return w->opts.n_workers;
}

void rvl_workers_start(rvl_workers *w, int i, const void *request, size_t n_bytes)
{
    worker         *k = &w->workers[i];
    const rvl__wire wire = {.magic = RVL__WIRE_MAGIC, .n_head = n_bytes};
    bool            is_sent = false;

    RVL_ASSERT(i >= 0 && i < w->opts.n_workers && k->state != BUSY && n_bytes <= RVL__WIRE_MAX_HEAD);
    answer_clear(k);
    for (int attempt = 0; !is_sent && attempt < 2; attempt++) { /* an idle one may have been killed from outside */
        k->status = k->pid > 0 ? RVL_OK : worker_begin(k, w, &k->why);
        if (k->status)
            break;
        is_sent = rvl__wire_send(k->fd, &wire, sizeof wire) && rvl__wire_send(k->fd, request, n_bytes);
        if (!is_sent)
            worker_kill(k);
    }
    if (!is_sent && !k->status)
        k->status = rvl_fail(&k->why, RVL_ERR_IO, "workers end before they get work");
    k->state = is_sent ? BUSY : DONE;
    k->deadline_s = rvl_clock_s() + w->opts.max_seconds;
}

rvl_status rvl_workers_finish(rvl_workers *w, int i, rvl_error *err)
{
    worker *k = &w->workers[i];

    RVL_ASSERT(i >= 0 && i < w->opts.n_workers && k->state != IDLE);
    while (k->state == BUSY)
        pool_listen(w);
    k->state = IDLE;
    return k->status ? rvl_fail(err, k->status, "%s", k->why.text) : RVL_OK;
}

bool rvl_workers_answered(const rvl_workers *w, int i)
{
    const worker *k = &w->workers[i];

    return k->n_wire == sizeof k->wire && k->head && k->n_head == k->wire.n_head && k->pid > 0;
}

rvl_span rvl_workers_head(const rvl_workers *w, int i)
{
    const worker *k = &w->workers[i];

    return (rvl_span){(const uint8_t *)k->head, k->n_head};
}

void *rvl_workers_take_body(rvl_workers *w, int i, size_t *n_bytes)
{
    worker *k = &w->workers[i];
    void   *body = k->body;

    *n_bytes = k->n_body;
    k->body = NULL;
    k->n_body = 0;
    return body;
}
