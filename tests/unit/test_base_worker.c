/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_base_worker.c
 * Workers that answer, refuse, crash, hang and eat memory. This program is its own worker, with a handler of its own.
 */
#include "support.h"
#include "base/alloc.h"
#include "base/util.h"
#include "base/worker.h"
#include <signal.h>
#include <time.h>

/* A request is one word, then what it is about. */
static rvl_status handle(rvl_worker_answer *answer, rvl_span request, rvl_error *err)
{
    const char *text = (const char *)request.ptr; /* ends with a NUL */

    if (strcmp(text, "segv") == 0)
        signal(SIGSEGV, SIG_DFL), raise(SIGSEGV);
    if (strcmp(text, "abort") == 0)
        signal(SIGABRT, SIG_DFL), raise(SIGABRT);
    if (strcmp(text, "exit") == 0)
        _exit(3);
    if (strcmp(text, "sleep") == 0)
        sleep(60);
    if (strcmp(text, "spin") == 0)
        for (volatile int i = 0; i >= 0;)
            i = 1;
    if (strcmp(text, "memory") == 0) {
        for (int i = 0; i < 64; i++) { /* 64 x 64 MiB, the limit is 256 MiB */
            char *block = rvl_alloc((size_t)64 << 20);
            if (!block)
                return rvl_fail(err, RVL_ERR_NOMEM, "out of memory at block %d", i);
            memset(block, 1, (size_t)64 << 20);
        }
    }
    if (strcmp(text, "refuse") == 0)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "no such thing");
    if (strcmp(text, "body") == 0) {
        answer->n_body = (size_t)3 << 20;
        answer->body = rvl_alloc(answer->n_body);
        memset(answer->body, 7, answer->n_body);
    }
    rvl_str_addf(&answer->head, "%s, process %d", text, (int)getpid());
    return RVL_OK;
}

static rvl_workers *pool(int n)
{
    const rvl_worker_opts opts = {.n_workers = n, .max_seconds = 1, .max_memory_bytes = (int64_t)256 << 20};
    rvl_workers          *w = NULL;

    OK(rvl_workers_open(&w, &opts, &err));
    return w;
}

static void ask(rvl_workers *w, int i, const char *word)
{
    rvl_workers_start(w, i, word, strlen(word));
}

static void ends(rvl_workers *w, int i, rvl_status status, const char *phrase)
{
    rvl_error  err = {0};
    rvl_status st = rvl_workers_finish(w, i, &err);

    if (st != status || !strstr(err.text, phrase))
        fail_msg("expected status %d and '%s', got %d and '%s'", (int)status, phrase, (int)st, err.text);
}

static void answers(rvl_workers *w, int i, const char *word)
{
    ask(w, i, word);
    OK(rvl_workers_finish(w, i, &err));
    rvl_span head = rvl_workers_head(w, i);
    assert_true(head.n_bytes > strlen(word));
    assert_memory_equal(head.ptr, word, strlen(word));
}

static void answer__has_head_and_body(void **state)
{
    rvl_workers *w = pool(1);
    size_t       n = 0;

    (void)state;
    assert_int_equal(rvl_workers_count(w), 1);
    answers(w, 0, "body");
    uint8_t *body = rvl_workers_take_body(w, 0, &n);
    assert_int_equal(n, 3 << 20);
    assert_int_equal(body[0], 7);
    assert_int_equal(body[n - 1], 7);
    rvl_free(body);
    assert_null(rvl_workers_take_body(w, 0, &n));
    answers(w, 0, "plain");
    assert_null(rvl_workers_take_body(w, 0, &n));
    rvl_workers_close(w);
}

static void refusal__comes_as_it_was(void **state)
{
    rvl_workers *w = pool(1);

    (void)state;
    ask(w, 0, "refuse");
    ends(w, 0, RVL_ERR_UNSUPPORTED, "no such thing");
    answers(w, 0, "and on");
    rvl_workers_close(w);
}

static void crash__costs_one_request(void **state)
{
    rvl_workers *w = pool(2);

    (void)state;
    ask(w, 0, "segv");
    ask(w, 1, "body");
    ends(w, 0, RVL_ERR_FORMAT, "SIGSEGV");
    OK(rvl_workers_finish(w, 1, &err)); /* its neighbour lives */
    ask(w, 0, "abort");
    ends(w, 0, RVL_ERR_FORMAT, "SIGABRT");
    ask(w, 0, "exit");
    ends(w, 0, RVL_ERR_FORMAT, "exit code 3");
    answers(w, 0, "and on");
    rvl_workers_close(w);
}

static void hanging__is_stopped(void **state)
{
    rvl_workers *w = pool(3);

    (void)state;
    ask(w, 0, "sleep");
    ask(w, 1, "spin");
    ask(w, 2, "body"); /* done long before it is heard: not late */
    ends(w, 0, RVL_ERR_LIMIT, "took more than 1 s");
    ends(w, 1, RVL_ERR_LIMIT, "took more than 1 s");
    ends(w, 2, RVL_OK, "");
    ask(w, 2, "body");
    sleep(2);
    ends(w, 2, RVL_OK, "");
    answers(w, 0, "and on");
    answers(w, 1, "and on");
    rvl_workers_close(w);
}

static void memory__has_a_limit(void **state)
{
    (void)state;
    if (!rvl_workers_limit_memory()) {
        printf("SKIP: no memory limit of processes under sanitizers\n");
        skip();
    }
    rvl_workers *w = pool(1);
    ask(w, 0, "memory");
    ends(w, 0, RVL_ERR_LIMIT,
         "out of memory at block 3"); /* the fourth block of 64 MiB, with what the heap itself takes */
    answers(w, 0, "and on");
    rvl_workers_close(w);
}

static void workers__are_different_processes(void **state)
{
    rvl_workers *w = pool(2);
    char         first[64] = {0};

    (void)state;
    answers(w, 0, "id");
    rvl_span head = rvl_workers_head(w, 0);
    memcpy(first, head.ptr, head.n_bytes);
    answers(w, 1, "id");
    assert_string_not_equal(first, (const char *)rvl_workers_head(w, 1).ptr);
    answers(w, 0, "id");
    assert_string_equal(first, (const char *)rvl_workers_head(w, 0).ptr); /* it is used again */
    rvl_workers_close(w);
}

static void idle_worker__that_was_killed_is_replaced(void **state)
{
    rvl_workers *w = pool(1);
    int64_t      pid = 0;

    (void)state;
    answers(w, 0, "id");
    assert_true(rvl_parse_i64(strrchr((const char *)rvl_workers_head(w, 0).ptr, ' ') + 1, &pid));
    kill((pid_t)pid, SIGKILL);
    struct timespec moment = {.tv_nsec = 100000000};
    nanosleep(&moment, NULL);
    ask(w, 0, "id");
    rvl_error  err = {0};
    rvl_status st = rvl_workers_finish(w, 0, &err);
    if (st)
        fail_msg("%s", err.text);
    rvl_workers_close(w);
}

static void program__must_be_a_worker(void **state)
{
    rvl_workers *w = NULL;
    rvl_error    err = {0};

    (void)state;
    setenv("RVL_WORKER", "off", 1);
    assert_int_equal(rvl_workers_open(&w, NULL, &err), RVL_ERR_NOT_FOUND);
    assert_null(w);
    setenv("RVL_WORKER", "/bin/true", 1);
    assert_int_equal(rvl_workers_open(&w, NULL, &err), RVL_ERR_DEVICE);
    assert_non_null(strstr(err.text, "no worker of rvl"));
    setenv("RVL_WORKER", "/nowhere/rvl", 1);
    assert_int_equal(rvl_workers_open(&w, NULL, &err), RVL_ERR_NOT_FOUND);
    unsetenv("RVL_WORKER");
    rvl_workers_close(NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer__has_head_and_body),
        cmocka_unit_test(refusal__comes_as_it_was),
        cmocka_unit_test(crash__costs_one_request),
        cmocka_unit_test(hanging__is_stopped),
        cmocka_unit_test(memory__has_a_limit),
        cmocka_unit_test(workers__are_different_processes),
        cmocka_unit_test(idle_worker__that_was_killed_is_replaced),
        cmocka_unit_test(program__must_be_a_worker),
    };
    int code;

    if (rvl_worker_main(&code, argc, argv, handle))
        return code;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
