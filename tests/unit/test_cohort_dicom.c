/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_cohort_dicom.c
 * DICOM files as images of a cohort: views, sides, windows; what is no picture fails alone; no identifier is kept.
 */
#include "cohort_fixture.h"
#include "imaging/dicom.h"
#include <sqlite3.h>

static bool has_dicom(void)
{
    rvl_dicom *d = NULL;
    return rvl_dicom_parse(&d, "", 0, "nothing", NULL, NULL) != RVL_ERR_DEVICE;
}

static void seed_copy(const char *folder, const char *name)
{
    char      path[PATH_BYTES];
    char      relative[256];
    char     *bytes = NULL;
    size_t    n = 0;
    rvl_error err = {0};

    snprintf(relative, sizeof relative, "tests/fuzz/corpus/dicom/%s", name);
    assert_true(source_path(path, sizeof path, relative));
    assert_int_equal(rvl_file_read(&bytes, &n, path, 0, &err), RVL_OK);
    assert_int_equal(rvl_file_write(at(folder, name), bytes, n, &err), RVL_OK);
    rvl_free(bytes);
}

/* Whether a file of the folder, or of folders in it, holds the text. */
static bool folder_holds(const char *folder, const char *text)
{
    rvl_dir_names names = {0};
    bool          found = false;

    assert_int_equal(rvl_dir_list(&names, folder, NULL), RVL_OK);
    for (size_t i = 0; i < names.n_names; i++) {
        char   path[PATH_BYTES];
        char  *bytes = NULL;
        size_t n = 0;
        path_in(path, folder, names.names[i]);
        if (rvl_path_is_dir(path)) {
            found = found || folder_holds(path, text);
            continue;
        }
        assert_int_equal(rvl_file_read(&bytes, &n, path, 0, NULL), RVL_OK);
        for (size_t k = 0; k + strlen(text) <= n; k++)
            found = found || memcmp(bytes + k, text, strlen(text)) == 0;
        rvl_free(bytes);
    }
    rvl_dir_names_free(&names);
    return found;
}

static void ingest(rvl_ingest_result *result, const char *folder, const char *map)
{
    rvl_error       err = {0};
    rvl_ingest_opts opts = {.folder = folder, .out_path = at(folder, "cohort"), .height = 4, .width = 4, .force = true};

    write_text(folder, "map.yaml", map);
    if (rvl_cohort_ingest(result, &opts, &err))
        fail_msg("%s", err.text);
}

static void radiographs__bring_their_view_and_window(void **state)
{
    const char       *folder = *state;
    rvl_ingest_result r = {0};
    rvl_cohort       *c = NULL;
    rvl_case_list     list = {0};
    const void       *codes = NULL;

    if (!has_dicom()) {
        printf("SKIP: this build reads no DICOM\n");
        skip();
    }
    seed_copy(folder, "mono1_window");
    seed_copy(folder, "mammogram");
    seed_copy(folder, "no_pixels");
    write_text(folder, "t.csv", "file,patient\nmono1_window,a\nmammogram,b\nno_pixels,c\n");
    ingest(&r, folder,
           "table: t.csv\ncolumns: {image: file, patient: patient}\nmodality: cxr\nbody_part: chest\n"
           "preprocess: {window: voi}\n");
    assert_int_equal(r.n_images, 1);
    assert_int_equal(r.n_failed, 2); /* a mammogram is no chest radiograph */
    assert_int_equal(rvl_cohort_open(&c, at(folder, "cohort"), NULL), RVL_OK);
    assert_int_equal(rvl_cohort_cases(&list, c, "all", NULL), RVL_OK);
    assert_int_equal(list.n_cases, 1);
    assert_int_equal(list.cases[0].views[0], RVL_VIEW_PA);
    assert_int_equal(rvl_cohort_pack_row(&codes, c, 0, NULL), RVL_OK);
    /* one row of 4 pixels: 1, 1, 0.5 - 0.5 / 49, 0 of 255; the other rows are padding. 1 row of 4 in 4 x 4: row 2 */
    const uint8_t *row = codes;
    for (int y = 0; y < 4 && row[0] == 0; y++)
        row += 4;
    assert_int_equal(row[0], 255);
    assert_int_equal(row[1], 255);
    assert_int_equal(row[2], 125); /* 124.9 */
    assert_int_equal(row[3], 0);
    rvl_case_list_fini(&list);
    rvl_cohort_close(c);
}

/* The table's column, as anyone with SQLite sees it. */
static const char *side_of_image(const rvl_cohort *c)
{
    static char   side[8];
    char          path[PATH_BYTES];
    sqlite3      *db = NULL;
    sqlite3_stmt *query = NULL;

    path_in(path, rvl_cohort_path(c), "cohort.db");
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT laterality FROM images", -1, &query, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(query), SQLITE_ROW);
    snprintf(side, sizeof side, "%s", (const char *)sqlite3_column_text(query, 0));
    sqlite3_finalize(query);
    sqlite3_close(db);
    return side;
}

static void mammograms__keep_their_side_and_no_identifier(void **state)
{
    const char       *folder = *state;
    rvl_ingest_result r = {0};
    rvl_cohort       *c = NULL;

    if (!has_dicom()) {
        printf("SKIP: this build reads no DICOM\n");
        skip();
    }
    seed_copy(folder, "mammogram");
    write_text(folder, "t.csv", "file,patient\nmammogram,a\n");
    ingest(&r, folder, "table: t.csv\ncolumns: {image: file, patient: patient}\nmodality: mg\nbody_part: breast\n");
    assert_int_equal(r.n_images, 1);
    assert_int_equal(rvl_cohort_open(&c, at(folder, "cohort"), NULL), RVL_OK);
    assert_string_equal(side_of_image(c), "L");
    rvl_cohort_close(c);
    assert_true(folder_holds(at(folder, "cohort"), "mlo"));
    assert_false(folder_holds(at(folder, "cohort"), "PLANTED"));
    assert_false(folder_holds(at(folder, "cohort"), "1.2.3.999999.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(radiographs__bring_their_view_and_window, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(mammograms__keep_their_side_and_no_identifier, folder_make, folder_remove),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
