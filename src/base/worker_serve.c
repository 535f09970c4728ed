/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/worker_serve.c
 * A worker's side: limits on itself, then one request after another until the socket is closed.
 */
#define _XOPEN_SOURCE 700
#include "base/alloc.h"
#include "base/worker.h"
#include "base/worker_wire.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_FD 0

static bool is_served; /* written once, by main before there are threads */

bool rvl__worker_is_served(void)
{
    return is_served;
}

bool rvl_workers_limit_memory(void)
{
#ifdef RVL__SANITIZED
    return false;
#else
    return true;
#endif
}

bool rvl__wire_send(int fd, const void *bytes, size_t n_bytes)
{
    const char *p = bytes;

    while (n_bytes > 0) {
        ssize_t n = send(fd, p, n_bytes, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        n_bytes -= (size_t)n;
    }
    return true;
}

static bool receive(void *bytes, size_t n_bytes)
{
    char *p = bytes;

    while (n_bytes > 0) {
        ssize_t n = recv(SOCKET_FD, p, n_bytes, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        n_bytes -= (size_t)n;
    }
    return true;
}

/* Addresses in use now; 0 if the system does not say. */
static uint64_t address_bytes(void)
{
    char     text[64] = {0};
    uint64_t pages = 0;
    int      fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t  n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (fd >= 0)
        close(fd);
    for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++)
        pages = pages * 10 + (uint64_t)(text[i] - '0');
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void limits_set(int64_t max_memory_bytes)
{
    const struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none); /* a core file would hold a patient's image */
    if (max_memory_bytes > 0 && rvl_workers_limit_memory()) {
        const rlim_t        bytes = (rlim_t)(address_bytes() + (uint64_t)max_memory_bytes);
        const struct rlimit memory = {bytes, bytes};
        setrlimit(RLIMIT_AS, &memory);
    }
}

/* The processor's time counts over a process's life: the limit moves on with each request. */
static void cpu_allow(int64_t seconds)
{
    struct rusage used;
    struct rlimit cpu;

    if (seconds <= 0 || getrusage(RUSAGE_SELF, &used) != 0 || getrlimit(RLIMIT_CPU, &cpu) != 0)
        return;
    cpu.rlim_cur = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec + 2 + seconds);
    if (cpu.rlim_max != RLIM_INFINITY && cpu.rlim_cur > cpu.rlim_max)
        cpu.rlim_cur = cpu.rlim_max;
    setrlimit(RLIMIT_CPU, &cpu);
}

static bool answer_send(rvl_worker_answer *answer, rvl_status st, const rvl_error *err)
{
    if (!st && answer->head.failed)
        st = RVL_ERR_NOMEM;
    const char     *head = st ? err->text : answer->head.ptr;
    const rvl__wire wire = {.magic = RVL__WIRE_MAGIC,
                            .status = (int32_t)st,
                            .n_head = st ? strlen(err->text) : answer->head.n_bytes,
                            .n_body = st ? 0 : answer->n_body};
    return rvl__wire_send(SOCKET_FD, &wire, sizeof wire) && rvl__wire_send(SOCKET_FD, head, (size_t)wire.n_head) &&
           rvl__wire_send(SOCKET_FD, answer->body, (size_t)wire.n_body);
}

static bool serve_one(rvl_worker_handler *handler, int64_t max_cpu_s)
{
    rvl__wire         wire;
    rvl_worker_answer answer = {{0}, NULL, 0};
    rvl_error         err = {0};

    if (!receive(&wire, sizeof wire) || wire.magic != RVL__WIRE_MAGIC || wire.n_head > RVL__WIRE_MAX_HEAD)
        return false;
    char      *request = rvl_alloc((size_t)wire.n_head + 1);
    rvl_status st = RVL_ERR_NOMEM;
    if (!request || !receive(request, (size_t)wire.n_head)) {
        rvl_free(request);
        return false;
    }
    request[wire.n_head] = '\0';
    cpu_allow(max_cpu_s);
    st = handler(&answer, (rvl_span){(const uint8_t *)request, (size_t)wire.n_head}, &err);
    bool is_sent = answer_send(&answer, st, &err);
    rvl_str_free(&answer.head);
    rvl_free(answer.body);
    rvl_free(request);
    return is_sent;
}

bool rvl_worker_main(int *exit_code, int argc, char **argv, rvl_worker_handler *handler)
{
    int64_t max_memory_bytes = 0, max_cpu_s = 0;

    if (argc < 2 || strcmp(argv[1], RVL__WORKER_FLAG) != 0) {
        is_served = true;
        return false;
    }
    *exit_code = 2;
    if (argc != 4 || !rvl_parse_i64(argv[2], &max_memory_bytes) || !rvl_parse_i64(argv[3], &max_cpu_s))
        return true;
    limits_set(max_memory_bytes);
    const rvl__wire hello = {.magic = RVL__WIRE_MAGIC, .n_head = strlen(RVL_VERSION)};
    if (!rvl__wire_send(SOCKET_FD, &hello, sizeof hello) || !rvl__wire_send(SOCKET_FD, RVL_VERSION, hello.n_head))
        return true;
    while (serve_one(handler, max_cpu_s))
        ;
    *exit_code = 0;
    return true;
}
