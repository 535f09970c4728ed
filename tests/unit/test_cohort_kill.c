/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_cohort_kill.c
 * SIGKILL at any moment and run again, a full disk, a second writer: the cohort ends as if nothing had happened.
 *
 * Every ingest runs in a child, so this process never starts the threads of the image code.
 */
#include "cohort_fixture.h"
#include "base/util.h"
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define N_ROWS 700
#define N_IMAGES 40
#define N_KILLS 60

/** 700 rows over 40 pictures linked under as many names, with failures and reports in between. */
static void table_write(const char *dir)
{
    rvl_str text = {0};
    char    from[PATH_BYTES], to[PATH_BYTES];

    write_images(dir, N_IMAGES, 32);
    rvl_str_add(&text, "path,pat,stu,report,pneu\n");
    for (int i = 0; i < N_ROWS; i++) {
        char name[32];
        snprintf(name, sizeof name, "img%d.png", i % N_IMAGES);
        path_in(from, dir, name);
        snprintf(name, sizeof name, "link%d.png", i);
        path_in(to, dir, name);
        if (i % 29)
            assert_int_equal(link(from, to), 0); /* every 29th image is missing */
        rvl_str_addf(&text, "link%d.png,q%d,s%d,FINDINGS: Opacity number %d.,%d\n", i, i / 3, i / 2, i % 50,
                     i % 31 ? i % 2 : 9);
    }
    write_text(dir, "t.csv", text.ptr);
    write_text(dir, "map.yaml",
               "table: t.csv\nmodality: cxr\nschema: pneumonia-1\nlabels: {pneumonia: pneu}\n"
               "columns: {image: path, patient: pat, study: stu, report: report}\n"
               "preprocess: {height: 32, width: 32, window: range, bits: 16}\n");
    rvl_str_free(&text);
}

/** Ingest in a child; `max_file_bytes` 0: no limit. The child's exit status is the rvl_status. */
static pid_t ingest_start(const char *dir, const char *out, rlim_t max_file_bytes)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    rvl_ingest_result r;
    rvl_error         err = {0};
    rvl_ingest_opts   opts = ingest_opts(dir, out);
    struct rlimit     limit = {max_file_bytes, max_file_bytes};
    if (max_file_bytes) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    rvl_status st = rvl_cohort_ingest(&r, &opts, &err);
    if (st && !(strstr(err.text, "hint: free some space") && st == RVL_ERR_IO))
        fprintf(stderr, "%s\n", err.text);
    _exit((int)st);
}

static int ingest_wait(pid_t pid)
{
    int status;

    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -1 : WEXITSTATUS(status);
}

static void sleep_s(double seconds)
{
    struct timespec t = {(time_t)seconds, (int)((seconds - (double)(time_t)seconds) * 1e9)};

    nanosleep(&t, NULL);
}

/** Every table as text, in order. */
static void dump(rvl_str *out, const char *db_path)
{
    static const char *const tables[] = {"patients", "studies", "series",   "images", "reports", "texts",
                                         "labels",   "splits",  "failures", "packs",  "leaks",   "meta"};
    sqlite3                 *db = NULL;
    char                     sql[256];

    snprintf(sql, sizeof sql, "file:%.200s?immutable=1", db_path); /* leaves no files of its own behind */
    assert_int_equal(sqlite3_open_v2(sql, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL), SQLITE_OK);
    for (size_t i = 0; i < RVL_ARRAY_LEN(tables); i++) {
        sqlite3_stmt *query = NULL;
        snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY 1, 2", tables[i]);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &query, NULL), SQLITE_OK);
        while (sqlite3_step(query) == SQLITE_ROW) {
            rvl_str_addf(out, "%s", tables[i]);
            for (int j = 0; j < sqlite3_column_count(query); j++)
                rvl_str_addf(out, "|%s", (const char *)sqlite3_column_text(query, j));
            rvl_str_add(out, "\n");
        }
        sqlite3_finalize(query);
    }
    sqlite3_close(db);
}

static void same_cohort(const char *a, const char *b)
{
    rvl_str x = {0}, y = {0}, u = {0}, v = {0};
    char    p[PATH_BYTES], q[PATH_BYTES];

    same_folder(a, b);
    dump(&x, path_in(p, a, "cohort.db"));
    dump(&y, path_in(q, b, "cohort.db"));
    assert_true(x.n_bytes > 10000);
    assert_string_equal(x.ptr, y.ptr);
    rvl_str_free(&x);
    rvl_str_free(&y);
    rvl_str_addf(&u, "%s.crosswalk.csv", a);
    rvl_str_addf(&v, "%s.crosswalk.csv", b);
    same_file(u.ptr, v.ptr);
    rvl_str_free(&u);
    rvl_str_free(&v);
}

static void ingest__killed_and_run_again_ends_the_same(void **state)
{
    const char *dir = *state;
    char        whole[PATH_BYTES], cut[PATH_BYTES];
    rvl_rng     r = rvl_rng_make(3, 0);
    int         n_killed = 0, n_finished = 0;

    path_in(whole, dir, "whole");
    path_in(cut, dir, "cut");
    table_write(dir);
    double start_s = rvl_clock_s();
    assert_int_equal(ingest_wait(ingest_start(dir, whole, 0)), RVL_OK);
    double whole_s = rvl_clock_s() - start_s;
    for (int i = 0; i < N_KILLS; i++) {
        pid_t pid = ingest_start(dir, cut, 0);
        /* a third of the kills come early, when folder and catalogue are made */
        sleep_s(whole_s * rvl_rng_uniform(&r) * (i % 3 == 0 ? 0.1 : 0.6));
        kill(pid, SIGKILL);
        int code = ingest_wait(pid);
        n_killed += code == -1;
        if (code == RVL_OK) { /* it was done before the blow: compare, and start anew */
            same_cohort(whole, cut);
            assert_int_equal(rvl_dir_remove(cut, NULL), RVL_OK);
            n_finished++;
        } else {
            assert_int_equal(code, -1);
        }
    }
    assert_int_equal(ingest_wait(ingest_start(dir, cut, 0)), RVL_OK);
    same_cohort(whole, cut);
    printf("killed %d times, finished %d times, a whole run takes %.2f s\n", n_killed, n_finished, whole_s);
    assert_true(n_killed >= N_KILLS / 3);
}

static void ingest__continues_after_a_full_disk(void **state)
{
    const char *dir = *state;
    char        whole[PATH_BYTES], full[PATH_BYTES];

    path_in(whole, dir, "whole");
    path_in(full, dir, "full");
    table_write(dir);
    assert_int_equal(ingest_wait(ingest_start(dir, whole, 0)), RVL_OK);
    for (rlim_t limit = 300000; limit <= 1000000; limit += 350000) /* the pack holds 1.3 MB */
        assert_int_equal(ingest_wait(ingest_start(dir, full, limit)), RVL_ERR_IO);
    rvl_cohort *c = NULL;
    rvl_error   err = {0};
    assert_int_not_equal(rvl_cohort_open(&c, full, &err), RVL_OK); /* half a cohort is no cohort */
    assert_null(c);
    assert_int_equal(ingest_wait(ingest_start(dir, full, 0)), RVL_OK);
    same_cohort(whole, full);
}

static void ingest__refuses_a_second_writer(void **state)
{
    const char *dir = *state;
    char        out[PATH_BYTES], db_path[PATH_BYTES];
    sqlite3    *db = NULL;

    table_write(dir);
    path_in(out, dir, "c");
    assert_int_equal(rvl_dir_make(out, NULL), RVL_OK);
    assert_int_equal(sqlite3_open(path_in(db_path, out, "cohort.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; CREATE TABLE x(y);",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(ingest_wait(ingest_start(dir, out, 0)), RVL_ERR_STATE);
    sqlite3_close(db);
}

int main(void)
{
#define FOLDER_TEST(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(ingest__killed_and_run_again_ends_the_same),
        FOLDER_TEST(ingest__continues_after_a_full_disk),
        FOLDER_TEST(ingest__refuses_a_second_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
