/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_base_file.c
 * Files are complete or absent; limits, maps, folders, paths.
 */
#include "support.h"
#include "base/alloc.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char root[PATH_BYTES];

static int setup(void **state)
{
    (void)state;
    temp_dir(root);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_dir_remove(root);
    return 0;
}

/** A path under the test's folder; valid until the fourth call after. */
static const char *in_root(const char *name)
{
    static char paths[4][PATH_BYTES + 64];
    static int  i;
    char       *path = paths[i++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static size_t n_entries(void)
{
    rvl_dir_names names;
    assert_int_equal(rvl_dir_list(&names, root, NULL), RVL_OK);
    size_t n = names.n_names;
    rvl_dir_names_free(&names);
    return n;
}

static void write__reads_back(void **state)
{
    rvl_error err = {0};
    char     *text;
    size_t    n;
    (void)state;
    assert_int_equal(rvl_file_write(in_root("a"), "x\0y", 3, &err), RVL_OK);
    assert_int_equal(rvl_file_read(&text, &n, in_root("a"), 3, &err), RVL_OK);
    assert_int_equal(n, 3);
    assert_memory_equal(text, "x\0y\0", 4);
    rvl_free(text);
    assert_int_equal(rvl_file_read(&text, &n, in_root("a"), 2, &err), RVL_ERR_LIMIT);
    assert_null(text);
    assert_int_equal(rvl_file_read(&text, &n, in_root("none"), 0, &err), RVL_ERR_NOT_FOUND);
    assert_int_equal(rvl_file_read(&text, &n, root, 0, &err), RVL_ERR_IO);
    assert_int_equal(rvl_file_write(in_root("empty"), NULL, 0, &err), RVL_OK);
    assert_int_equal(rvl_file_size(in_root("empty")), 0);
    assert_int_equal(rvl_file_read(&text, &n, in_root("empty"), 0, &err), RVL_OK);
    assert_string_equal(text, "");
    rvl_free(text);
    assert_int_equal(rvl_file_read(&text, &n, "/proc/self/status", 0, &err), RVL_OK); /* its size is told as 0 */
    assert_true(n > 100 && strlen(text) == n);
    rvl_free(text);
}

static void outfile__appears_only_at_commit(void **state)
{
    rvl_outfile *f;
    char         block[100000], *text;
    size_t       n;
    (void)state;
    memset(block, 'b', sizeof block);
    assert_int_equal(rvl_outfile_open(&f, in_root("big"), NULL), RVL_OK);
    for (int i = 0; i < 7000; i++)
        rvl_outfile_write(f, "0123456789", 10);
    rvl_outfile_write(f, block, sizeof block);
    rvl_outfile_write(f, "end", 3);
    assert_false(rvl_path_exists(in_root("big")));
    assert_int_equal(n_entries(), 1); /* the temporary file is in the same folder */
    assert_int_equal(rvl_outfile_commit(f, NULL), RVL_OK);
    assert_int_equal(n_entries(), 1);
    assert_int_equal(rvl_file_read(&text, &n, in_root("big"), 0, NULL), RVL_OK);
    assert_int_equal(n, 170003);
    assert_memory_equal(text + 69990, "0123456789bbb", 13);
    assert_string_equal(text + 169999, "bend");
    rvl_free(text);
    assert_int_equal(rvl_outfile_open(&f, in_root("gone"), NULL), RVL_OK);
    rvl_outfile_discard(f);
    rvl_outfile_discard(NULL);
    assert_int_equal(n_entries(), 1);
}

static void failed_write__leaves_the_old_file(void **state)
{
    struct rlimit old, small = {4096, 4096};
    rvl_error     err = {0};
    char         *block = calloc(1, 200000), *text;
    size_t        n;
    (void)state;
    assert_int_equal(rvl_file_write(in_root("f"), "old", 3, NULL), RVL_OK);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    rvl_status st = rvl_file_write(in_root("f"), block, 200000, &err); /* ends with EFBIG */
    setrlimit(RLIMIT_FSIZE, &old);
    free(block);
    assert_int_equal(st, RVL_ERR_IO);
    assert_non_null(strstr(err.text, "cannot write '"));
    assert_non_null(strstr(err.text, "/f': file too large"));
    assert_int_equal(n_entries(), 1);
    assert_int_equal(rvl_file_read(&text, &n, in_root("f"), 0, NULL), RVL_OK);
    assert_string_equal(text, "old");
    rvl_free(text);
}

static void outfile__replaces_no_pipe_or_folder(void **state)
{
    struct stat info;
    rvl_error   err = {0};
    (void)state;
    assert_int_equal(mkfifo(in_root("pipe"), 0600), 0);
    assert_int_equal(rvl_file_write(in_root("pipe"), "x", 1, &err), RVL_ERR_IO);
    assert_non_null(strstr(err.text, "not a regular file"));
    assert_int_equal(stat(in_root("pipe"), &info), 0);
    assert_true(S_ISFIFO(info.st_mode));
    assert_int_equal(rvl_dir_make(in_root("folder"), &err), RVL_OK);
    assert_int_equal(rvl_file_write(in_root("folder"), "x", 1, &err), RVL_ERR_IO);
    assert_int_equal(n_entries(), 2);
}

static void full_disk__says_so(void **state)
{
    rvl_error    err = {0};
    rvl_outfile *f;
    char         link_path[PATH_BYTES + 64];
    (void)state;
    if (access("/dev/full", W_OK) != 0) {
        printf("SKIP: no /dev/full\n");
        skip();
    }
    /* the next temporary name leads to /dev/full: read the counter from the name of one more outfile */
    rvl_dir_names names;
    assert_int_equal(rvl_outfile_open(&f, in_root("probe"), NULL), RVL_OK);
    assert_int_equal(rvl_dir_list(&names, root, NULL), RVL_OK);
    assert_int_equal(names.n_names, 1);
    char *dash = strrchr(names.names[0], '-');
    assert_non_null(dash);
    unsigned counter = (unsigned)strtoul(dash + 1, NULL, 10);
    snprintf(link_path, sizeof link_path, "%s/%.*s-%u", root, (int)(dash - names.names[0]), names.names[0],
             counter + 1);
    rvl_dir_names_free(&names);
    rvl_outfile_discard(f);
    assert_int_equal(symlink("/dev/full", link_path), 0);
    assert_int_equal(rvl_file_write(in_root("x"), "data", 4, &err), RVL_ERR_IO);
    assert_non_null(strstr(err.text, "/x': no space left on device\nhint: "));
    assert_int_equal(n_entries(), 0);
}

static void outfile__survives_every_failed_allocation(void **state)
{
    size_t live = rvl_alloc_get_stats().live_bytes;
    int    n_failed = 0;
    (void)state;
    for (uint64_t nth = 1; nth < 20; nth++) {
        rvl_alloc_fail_at(nth);
        rvl_status st = rvl_file_write(in_root("m"), "data", 4, NULL);
        rvl_alloc_fail_at(0);
        n_failed += st == RVL_ERR_NOMEM;
        assert_true(st == RVL_OK || st == RVL_ERR_NOMEM);
        assert_true(n_entries() <= 1);
        assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
    }
    assert_true(n_failed >= 4);
}

static void map__shows_the_file(void **state)
{
    rvl_file_map map;
    rvl_error    err = {0};
    (void)state;
    assert_int_equal(rvl_file_write(in_root("m"), "mapped", 6, NULL), RVL_OK);
    assert_int_equal(rvl_file_map_open(&map, in_root("m"), &err), RVL_OK);
    assert_int_equal(map.n_bytes, 6);
    assert_memory_equal(map.ptr, "mapped", 6);
    rvl_file_map_close(&map);
    assert_int_equal(rvl_file_write(in_root("e"), "", 0, NULL), RVL_OK);
    assert_int_equal(rvl_file_map_open(&map, in_root("e"), &err), RVL_OK);
    assert_int_equal(map.n_bytes, 0);
    assert_non_null(map.ptr);
    rvl_file_map_close(&map);
    assert_int_equal(rvl_file_map_open(&map, in_root("no"), &err), RVL_ERR_NOT_FOUND);
    assert_int_equal(rvl_file_map_open(&map, root, &err), RVL_ERR_IO);
}

static void dirs__are_made_listed_and_removed(void **state)
{
    rvl_dir_names names;
    rvl_error     err = {0};
    (void)state;
    assert_int_equal(rvl_dir_make(in_root("a/b//c/"), &err), RVL_OK);
    assert_int_equal(rvl_dir_make(in_root("a/b/c"), &err), RVL_OK);
    assert_true(rvl_path_is_dir(in_root("a/b/c")));
    assert_int_equal(rvl_file_write(in_root("a/z"), "1", 1, NULL), RVL_OK);
    assert_int_equal(rvl_file_write(in_root("a/Z"), "1", 1, NULL), RVL_OK);
    assert_int_equal(rvl_dir_make(in_root("a/z/sub"), &err), RVL_ERR_IO);
    assert_int_equal(rvl_dir_list(&names, in_root("a"), &err), RVL_OK);
    assert_int_equal(names.n_names, 3);
    assert_string_equal(names.names[0], "Z");
    assert_string_equal(names.names[1], "b");
    assert_string_equal(names.names[2], "z");
    rvl_dir_names_free(&names);
    assert_int_equal(rvl_dir_list(&names, in_root("no"), &err), RVL_ERR_NOT_FOUND);
    /* a link out of the folder is removed, what it points to is not */
    assert_int_equal(rvl_file_write(in_root("kept"), "1", 1, NULL), RVL_OK);
    assert_int_equal(symlink(root, in_root("a/b/up")), 0);
    assert_int_equal(rvl_dir_remove(in_root("a"), &err), RVL_OK);
    assert_false(rvl_path_exists(in_root("a")));
    assert_true(rvl_path_exists(in_root("kept")));
    assert_int_equal(rvl_dir_remove(in_root("a"), &err), RVL_OK);
    assert_int_equal(rvl_dir_make(in_root("real"), &err), RVL_OK);
    assert_int_equal(rvl_file_write(in_root("real/file"), "1", 1, NULL), RVL_OK);
    assert_int_equal(symlink(in_root("real"), in_root("link")), 0);
    assert_int_equal(rvl_dir_remove(in_root("link"), &err), RVL_ERR_IO);
    assert_true(rvl_path_exists(in_root("real/file")));
    assert_int_equal(rvl_dir_remove("", &err), RVL_ERR_USAGE);
    assert_int_equal(rvl_dir_remove("/", &err), RVL_ERR_USAGE);
    assert_int_equal(rvl_dir_remove("//", &err), RVL_ERR_USAGE);
    assert_int_equal(rvl_dir_remove(in_root("kept"), &err), RVL_ERR_IO);
    assert_true(rvl_path_exists(in_root("kept")));
}

static void rename__moves_a_folder(void **state)
{
    (void)state;
    assert_int_equal(rvl_dir_make(in_root("old"), NULL), RVL_OK);
    assert_int_equal(rvl_path_rename(in_root("old"), in_root("new"), NULL), RVL_OK);
    assert_true(rvl_path_is_dir(in_root("new")));
    assert_false(rvl_path_exists(in_root("old")));
    assert_int_equal(rvl_path_rename(in_root("old"), in_root("new"), NULL), RVL_ERR_NOT_FOUND);
}

static void paths__join_and_split(void **state)
{
    static const char *const joins[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"a", "/b", "/b"}, {"/", "b", "/b"}};
    static const char *const splits[][3] = {{"a/b/c", "a/b", "c"}, {"c", ".", "c"}, {"/c", "/", "c"}, {"a/", "a", ""}};
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(joins); i++) {
        char *path = rvl_path_join(joins[i][0], joins[i][1]);
        assert_string_equal(path, joins[i][2]);
        rvl_free(path);
    }
    for (size_t i = 0; i < RVL_ARRAY_LEN(splits); i++) {
        char *dir = rvl_path_dir(splits[i][0]);
        assert_string_equal(dir, splits[i][1]);
        assert_string_equal(rvl_path_base(splits[i][0]), splits[i][2]);
        rvl_free(dir);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(write__reads_back),
        TEST(outfile__appears_only_at_commit),
        TEST(failed_write__leaves_the_old_file),
        TEST(outfile__replaces_no_pipe_or_folder),
        TEST(full_disk__says_so),
        TEST(outfile__survives_every_failed_allocation),
        TEST(map__shows_the_file),
        TEST(dirs__are_made_listed_and_removed),
        TEST(rename__moves_a_folder),
        TEST(paths__join_and_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
