/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/support.h
 * What cmocka tests of all rooms share: where the data pack and the sources are, temporary folders, skips.
 */
#ifndef RVL_TESTS_SUPPORT_H
#define RVL_TESTS_SUPPORT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"

#define PATH_BYTES 4096

/** The call, which reports into `err`, must succeed. */
#define OK(call)                                                                                                       \
    do {                                                                                                               \
        rvl_error err = {0};                                                                                           \
        (void)err;                                                                                                     \
        if ((call) != RVL_OK)                                                                                          \
            fail_msg("%s: %s", #call, err.text);                                                                       \
    } while (0)

/** Root of the sources: RVL_SOURCE_DIR, else the working folder. */
static inline const char *source_dir(void)
{
    const char *dir = getenv("RVL_SOURCE_DIR");
    return dir && *dir ? dir : ".";
}

/** A path under the sources; false if there is no such file or folder. */
static inline bool source_path(char *buf, size_t n_bytes, const char *relative)
{
    int n = snprintf(buf, n_bytes, "%s/%s", source_dir(), relative);
    return n > 0 && (size_t)n < n_bytes && access(buf, R_OK) == 0;
}

/** A path in the data pack (RVL_TEST_DATA, else shared/data beside the sources); false if it is not there. */
static inline bool test_data_path(char *buf, size_t n_bytes, const char *relative)
{
    const char *data = getenv("RVL_TEST_DATA");
    int         n = data && *data ? snprintf(buf, n_bytes, "%s/%s", data, relative)
                                  : snprintf(buf, n_bytes, "%s/../shared/data/%s", source_dir(), relative);
    return n > 0 && (size_t)n < n_bytes && access(buf, R_OK) == 0;
}

/** Ends the test as skipped, with the reason, if the data pack lacks `relative`. */
#define SKIP_WITHOUT_DATA(relative) skip_without_data(relative)
static inline void skip_without_data(const char *relative)
{
    char path[PATH_BYTES];

    if (test_data_path(path, sizeof path, relative))
        return;
    printf("SKIP: no '%s' in the test data (set RVL_TEST_DATA)\n", relative);
    skip();
}

/** A file of pretrained weights (tools/fetch-weights): in RVL_TEST_WEIGHTS, else in .cache/weights. If it is absent the
 *  test ends as skipped. */
#define SKIP_WITHOUT_WEIGHTS(buf, relative) skip_without_weights(buf, relative)
static inline void skip_without_weights(char *buf, const char *relative)
{
    const char *dir = getenv("RVL_TEST_WEIGHTS");

    if (dir && *dir)
        snprintf(buf, PATH_BYTES, "%s/%s", dir, relative);
    else
        snprintf(buf, PATH_BYTES, "%s/.cache/weights/%s", source_dir(), relative);
    if (access(buf, R_OK) == 0)
        return;
    printf("SKIP: no '%s' (run tools/fetch-weights, or set RVL_TEST_WEIGHTS)\n", relative);
    skip();
}

/** Make a new empty folder; `buf` (PATH_BYTES) gets its path. */
static inline void temp_dir(char *buf)
{
    const char *base = getenv("TMPDIR");

    snprintf(buf, PATH_BYTES, "%s/rvl-test-XXXXXX", base && *base ? base : "/tmp");
    assert_non_null(mkdtemp(buf));
}

static inline void temp_dir_remove(const char *path)
{
    assert_int_equal(rvl_dir_remove(path, NULL), RVL_OK);
}

/** cmocka's setup and teardown for tests that want one temporary folder each: *state is its path. */
static inline int temp_setup(void **state)
{
    static char folder[PATH_BYTES];

    temp_dir(folder);
    *state = folder;
    return 0;
}

static inline int temp_teardown(void **state)
{
    temp_dir_remove(*state);
    return 0;
}

#endif /* RVL_TESTS_SUPPORT_H */
