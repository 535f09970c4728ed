/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/cohort_fixture.h
 * A temporary folder with small synthetic images, and helpers to ingest it and to compare folders.
 */
#ifndef RVL_TESTS_COHORT_FIXTURE_H
#define RVL_TESTS_COHORT_FIXTURE_H
#include "support.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/str.h"
#include "cohort/cohort.h"
#include "imaging/image_file.h"

/** Path below the current test's folder; four results stay valid. */
static inline const char *at(const char *folder, const char *name)
{
    static char texts[4][512];
    static int  i = 0;

    i = (i + 1) % 4;
    snprintf(texts[i], sizeof texts[i], "%s/%s", folder, name);
    return texts[i];
}

/** The same in a buffer of the caller (PATH_BYTES). */
static inline const char *path_in(char *buf, const char *folder, const char *name)
{
    int n = snprintf(buf, PATH_BYTES, "%s/%s", folder, name);

    assert_in_range(n, 1, PATH_BYTES - 1);
    return buf;
}

static inline int folder_make(void **state)
{
    char *folder = rvl_alloc_array(PATH_BYTES, 1);

    rvl_log_set_level(RVL_LOG_ERROR);
    rvl_progress_set_mode(RVL_PROGRESS_NONE);
    if (!folder)
        return -1;
    temp_dir(folder);
    *state = folder;
    return 0;
}

static inline int folder_remove(void **state)
{
    temp_dir_remove(*state);
    rvl_free(*state);
    return 0;
}

static inline void write_text(const char *folder, const char *name, const char *text)
{
    rvl_error err = {0};

    assert_int_equal(rvl_file_write(at(folder, name), text, strlen(text), &err), RVL_OK);
}

/** A gray PNG whose pixels depend on `key` alone. */
static inline void write_image(const char *folder, const char *name, uint64_t key, int64_t height, int64_t width)
{
    rvl_volume *v = NULL;
    rvl_error   err = {0};
    rvl_rng     r = rvl_rng_make(7, key);

    assert_int_equal(rvl_volume_new(&v, RVL_VOXEL_U8, 1, height, width, &err), RVL_OK);
    for (int64_t i = 0; i < height * width; i++)
        ((uint8_t *)v->voxels)[i] = (uint8_t)rvl_rng_below(&r, 256);
    if (rvl_png_save(v, at(folder, name), &err))
        fail_msg("%s", err.text);
    rvl_volume_free(v);
}

/** Images img0.png .. with keys 0 .. */
static inline void write_images(const char *folder, int n, int64_t side)
{
    char name[32];

    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "img%d.png", i);
        write_image(folder, name, (uint64_t)i, side, side);
    }
}

/** Names are kept: tests of de-identification are in test_cohort_privacy.c. */
static inline rvl_ingest_opts ingest_opts(const char *folder, const char *out)
{
    return (rvl_ingest_opts){.folder = folder, .out_path = out, .keep_phi = true};
}

static inline rvl_ingest_result ingest_ok(rvl_ingest_opts opts)
{
    rvl_ingest_result result;
    rvl_error         err = {0};

    if (rvl_cohort_ingest(&result, &opts, &err))
        fail_msg("%s", err.text);
    return result;
}

static inline void ingest_fails(rvl_ingest_opts opts, rvl_status status, const char *phrase)
{
    rvl_ingest_result result;
    rvl_error         err = {0};
    rvl_status        st = rvl_cohort_ingest(&result, &opts, &err);

    if (st != status || !strstr(err.text, phrase))
        fail_msg("expected status %d and '%s', got %d and '%s'", (int)status, phrase, (int)st, err.text);
}

static inline char *read_text(const char *path, size_t *n_bytes)
{
    char     *text = NULL;
    size_t    n = 0;
    rvl_error err = {0};

    if (rvl_file_read(&text, &n, path, 0, &err))
        fail_msg("%s", err.text);
    if (n_bytes)
        *n_bytes = n;
    return text;
}

static inline void file_contains(const char *path, const char *phrase)
{
    char *text = read_text(path, NULL);

    if (!strstr(text, phrase))
        fail_msg("'%s' is not in '%s':\n%s", phrase, path, text);
    rvl_free(text);
}

static inline void same_file(const char *a, const char *b)
{
    size_t n_a, n_b;
    char  *x = read_text(a, &n_a);
    char  *y = read_text(b, &n_b);

    if (n_a != n_b || memcmp(x, y, n_a) != 0)
        fail_msg("'%s' and '%s' differ", a, b);
    rvl_free(x);
    rvl_free(y);
}

/** Both folders hold the same files with the same bytes; files whose name begins with cohort.db are left out. */
static inline void same_folder(const char *a, const char *b)
{
    rvl_dir_names x = {0}, y = {0};
    rvl_error     err = {0};
    char          p[PATH_BYTES], q[PATH_BYTES];

    assert_int_equal(rvl_dir_list(&x, a, &err), RVL_OK);
    assert_int_equal(rvl_dir_list(&y, b, &err), RVL_OK);
    assert_int_equal(x.n_names, y.n_names);
    for (size_t i = 0; i < x.n_names; i++) {
        assert_string_equal(x.names[i], y.names[i]);
        path_in(p, a, x.names[i]);
        path_in(q, b, y.names[i]);
        if (rvl_path_is_dir(p))
            same_folder(p, q);
        else if (strncmp(x.names[i], "cohort.db", 9) != 0)
            same_file(p, q);
    }
    rvl_dir_names_free(&x);
    rvl_dir_names_free(&y);
}

static inline rvl_cohort *cohort_open(const char *path)
{
    rvl_cohort *c = NULL;
    rvl_error   err = {0};

    if (rvl_cohort_open(&c, path, &err))
        fail_msg("%s", err.text);
    return c;
}

static inline rvl_case_list cohort_cases(rvl_cohort *c, const char *split)
{
    rvl_case_list list;
    rvl_error     err = {0};

    if (rvl_cohort_cases(&list, c, split, &err))
        fail_msg("%s", err.text);
    return list;
}

#endif /* RVL_TESTS_COHORT_FIXTURE_H */
