/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_cohort_worker.c
 * An ingest in worker processes gives what one in this process gives; a file that kills, hangs or fills its worker is
 * one failure. This program is its own worker: names of files that begin with a word make it misbehave.
 */
#include "cohort_fixture.h"
#include "imaging/decode.h"
#include <signal.h>

static rvl_status handle(rvl_worker_answer *answer, rvl_span request, rvl_error *err)
{
    const char *end = (const char *)request.ptr + request.n_bytes - 1; /* the name's NUL */
    const char *name = end;

    while (name[-1] != '\0')
        name--;
    if (strncmp(name, "kill", 4) == 0)
        signal(SIGSEGV, SIG_DFL), raise(SIGSEGV);
    if (strncmp(name, "hang", 4) == 0)
        sleep(60);
    for (int i = 0; rvl_workers_limit_memory() && strncmp(name, "fill", 4) == 0 && i < 64; i++) {
        char *block = rvl_alloc((size_t)64 << 20);
        if (!block)
            return rvl_fail(err, RVL_ERR_NOMEM, "cannot read image '%s': out of memory", name);
        memset(block, 1, (size_t)64 << 20);
    }
    return rvl_decode_serve(answer, request, err);
}

static const char map_text[] = "table: t.csv\ncolumns: {image: file, patient: patient}\nmodality: cxr\n"
                               "body_part: chest\npreprocess: {height: 8, width: 8}\n";

static void table(const char *folder, const char *const *names, int n)
{
    rvl_str text = {0};

    rvl_str_add(&text, "file,patient\n");
    for (int i = 0; i < n; i++) {
        rvl_str_addf(&text, "%s,p%d\n", names[i], i);
        write_image(folder, names[i], (uint64_t)i, 12, 10);
    }
    write_text(folder, "t.csv", text.ptr);
    write_text(folder, "map.yaml", map_text);
    rvl_str_free(&text);
}

static void one_bad_file__costs_one_file(void **state)
{
    static const char *const names[] = {"a.png", "kill.png", "b.png", "hang.png",
                                        "c.png", "fill.png", "d.png", "e.png"};
    const char              *folder = *state;
    const int                n_bad = rvl_workers_limit_memory() ? 3 : 2;
    char                     out[PATH_BYTES];
    rvl_ingest_opts          opts = ingest_opts(folder, path_in(out, folder, "c"));

    table(folder, names, RVL_ARRAY_LEN(names));
    opts.n_workers = 3;
    opts.max_file_seconds = 1.5;
    opts.max_file_mib = 256;
    rvl_ingest_result r = ingest_ok(opts);
    assert_int_equal(r.n_failed, n_bad);
    assert_int_equal(r.n_images, 8 - n_bad);
    file_contains(at(folder, "c/failures.jsonl"), "it crashed the decoder (SIGSEGV)");
    file_contains(at(folder, "c/failures.jsonl"), "took more than 1.5 s");
    if (n_bad == 3)
        file_contains(at(folder, "c/failures.jsonl"), "out of memory");
}

static void workers__give_the_same_cohort(void **state)
{
    static const char *const names[] = {"a.png", "b.png", "c.png", "d.png", "e.png", "f.png", "g.png"};
    const char              *folder = *state;
    char                     one[PATH_BYTES], many[PATH_BYTES];
    rvl_ingest_opts          opts = ingest_opts(folder, path_in(one, folder, "one"));

    table(folder, names, RVL_ARRAY_LEN(names));
    write_text(folder, "c.png", "no picture");
    setenv("RVL_WORKER", "off", 1);
    rvl_ingest_result r = ingest_ok(opts);
    unsetenv("RVL_WORKER");
    assert_int_equal(r.n_images, 6);
    opts.out_path = path_in(many, folder, "many");
    opts.n_workers = 3;
    r = ingest_ok(opts);
    assert_int_equal(r.n_images, 6);
    same_folder(one, many);
}

static void limits__must_make_sense(void **state)
{
    const char     *folder = *state;
    rvl_ingest_opts opts = ingest_opts(folder, at(folder, "c"));

    opts.max_file_seconds = -1;
    ingest_fails(opts, RVL_ERR_USAGE, "a file may take");
    opts.max_file_seconds = 0;
    opts.n_workers = RVL_WORKERS_MAX + 1;
    ingest_fails(opts, RVL_ERR_USAGE, "workers");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_bad_file__costs_one_file, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(workers__give_the_same_cohort, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(limits__must_make_sense, folder_make, folder_remove),
    };
    int code;

    if (rvl_worker_main(&code, argc, argv, handle))
        return code;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
