/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_base_log.c
 * Log lines and progress, read back from a file in the place of stderr.
 */
#include "support.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>

static char root[PATH_BYTES], path[PATH_BYTES + 8];
static int  saved_fd;

static void capture_begin(void)
{
    saved_fd = dup(STDERR_FILENO);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    assert_true(fd >= 0 && saved_fd >= 0);
    dup2(fd, STDERR_FILENO);
    close(fd);
}

/** What was written; freed by the caller with rvl_free. */
static char *capture_end(void)
{
    char  *text;
    size_t n;
    dup2(saved_fd, STDERR_FILENO);
    close(saved_fd);
    assert_int_equal(rvl_file_read(&text, &n, path, 0, NULL), RVL_OK);
    return text;
}

static int setup(void **state)
{
    (void)state;
    temp_dir(root);
    snprintf(path, sizeof path, "%s/log", root);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_dir_remove(root);
    return 0;
}

static void log__keeps_to_its_level(void **state)
{
    (void)state;
    capture_begin();
    rvl_log(RVL_LOG_ERROR, "bad %d", 1);
    rvl_log(RVL_LOG_WARN, "odd");
    rvl_log(RVL_LOG_INFO, "fine");
    rvl_log(RVL_LOG_DEBUG, "hidden");
    rvl_log_set_level(RVL_LOG_ERROR);
    rvl_log(RVL_LOG_WARN, "hidden");
    rvl_log_set_level(RVL_LOG_INFO);
    char *text = capture_end();
    assert_string_equal(text, "error: bad 1\nwarning: odd\nfine\n");
    rvl_free(text);
}

static void log__writes_json_that_parses(void **state)
{
    json_t *json;
    (void)state;
    capture_begin();
    rvl_log_set_json(true);
    rvl_log(RVL_LOG_WARN, "a \"quoted\"\nline \\ \x01 caf\xc3\xa9");
    rvl_log_set_json(false);
    char *text = capture_end();
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_int_equal(rvl_json_parse(&json, text, strlen(text), "log", NULL), RVL_OK);
    assert_string_equal(rvl_json_get_string(json, "level", ""), "warning");
    assert_string_equal(rvl_json_get_string(json, "message", ""), "a \"quoted\"\nline \\ \x01 caf\xc3\xa9");
    json_decref(json);
    rvl_free(text);
}

static void log__keeps_a_cut_json_message_valid(void **state)
{
    char    message[6000];
    json_t *json;
    (void)state;
    for (size_t shift = 0; shift < 2; shift++) {
        for (size_t i = 0; i < sizeof message - 1; i++)
            message[i] = (i + shift) % 2 ? '\xa9' : '\xc3';
        message[0] = 'x';
        message[1] = shift ? '\xc3' : 'y';
        message[sizeof message - 1] = '\0';
        capture_begin();
        rvl_log_set_json(true);
        rvl_log(RVL_LOG_INFO, "%s", message);
        rvl_log_set_json(false);
        char      *text = capture_end();
        rvl_error  err = {0};
        rvl_status st = rvl_json_parse(&json, text, strlen(text), "log", &err);
        rvl_free(text);
        if (st)
            fail_msg("%s", err.text);
        json_decref(json);
    }
}

static void *log_many(void *arg)
{
    for (int i = 0; i < 200; i++)
        rvl_log(RVL_LOG_INFO, "thread %c line", *(const char *)arg);
    return NULL;
}

static void log__keeps_lines_of_threads_whole(void **state)
{
    pthread_t threads[4];
    int       n_lines = 0;
    (void)state;
    capture_begin();
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, (void *)(uintptr_t) & "abcd"[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    char *text = capture_end();
    for (const char *p = text; *p; p += 14, n_lines++) {
        assert_memory_equal(p, "thread ", 7);
        assert_memory_equal(p + 8, " line\n", 6);
    }
    assert_int_equal(n_lines, 800);
    rvl_free(text);
}

static void progress__speaks_json_and_keeps_still(void **state)
{
    json_t *json;
    (void)state;
    capture_begin();
    rvl_progress_set_mode(RVL_PROGRESS_NONE);
    rvl_progress_begin("ingest", "images", 10);
    rvl_progress_update(5, 0);
    rvl_progress_end();
    rvl_progress_set_mode(RVL_PROGRESS_AUTO); /* a file: plain lines, none before 30 s */
    rvl_progress_begin("ingest", "images", 10);
    rvl_progress_update(5, 0);
    rvl_progress_end();
    rvl_progress_set_mode(RVL_PROGRESS_JSON);
    rvl_progress_begin("ingest", "images", 10);
    rvl_progress_update(10, 3);
    rvl_progress_end();
    rvl_progress_end();
    char *text = capture_end();
    assert_int_equal(rvl_json_parse(&json, text, strlen(text), "progress", NULL), RVL_OK);
    assert_string_equal(rvl_json_get_string(json, "progress", ""), "ingest");
    assert_int_equal(rvl_json_get_i64(json, "done", 0), 10);
    assert_int_equal(rvl_json_get_i64(json, "total", 0), 10);
    assert_int_equal(rvl_json_get_i64(json, "errors", 0), 3);
    json_decref(json);
    rvl_free(text);
}

static void progress__draws_a_bar_that_lines_wipe(void **state)
{
    (void)state;
    capture_begin();
    rvl_progress_set_mode(RVL_PROGRESS_BAR);
    rvl_progress_begin("embed", "images", 200);
    rvl_progress_update(1, 0); /* too early to show */
    nanosleep(&(struct timespec){1, 50000000}, NULL);
    rvl_progress_update(100, 2);
    rvl_progress_update(101, 2); /* too soon after the last */
    rvl_log(RVL_LOG_INFO, "between");
    rvl_progress_end();
    rvl_progress_set_mode(RVL_PROGRESS_AUTO);
    char *text = capture_end();
    assert_memory_equal(text, "\r\033[Kembed  100/200 images  50%  ", 32);
    assert_non_null(strstr(text, "/s  eta 1s  errors 2\r\033[Kbetween\n"));
    assert_null(strstr(text, "101"));
    rvl_free(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(log__keeps_to_its_level),
        TEST(log__writes_json_that_parses),
        TEST(log__keeps_a_cut_json_message_valid),
        TEST(log__keeps_lines_of_threads_whole),
        TEST(progress__speaks_json_and_keeps_still),
        TEST(progress__draws_a_bar_that_lines_wipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
