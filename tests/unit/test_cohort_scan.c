/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_cohort_scan.c
 * Folders of DICOM files without a table: headers give patients, studies, views and dates; slices of a series are one
 * volume; everything else is a failure with its reason; no identifier stays.
 */
#include "cohort_fixture.h"
#include "dicom_file.h"
#include "imaging/dicom.h"
#include "imaging/image_file.h"
#include <sqlite3.h>

static void need_dicom(void)
{
    rvl_dicom *d = NULL;

    if (rvl_dicom_parse(&d, "", 0, "nothing", NULL, NULL) != RVL_ERR_DEVICE)
        return;
    printf("SKIP: this build reads no DICOM\n");
    skip();
}

static const char *ask(const char *cohort, const char *sql)
{
    static char   text[256];
    char          path[PATH_BYTES];
    sqlite3      *db = NULL;
    sqlite3_stmt *query = NULL;

    path_in(path, cohort, "cohort.db");
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &query, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(query), SQLITE_ROW);
    snprintf(text, sizeof text, "%s", (const char *)sqlite3_column_text(query, 0));
    sqlite3_finalize(query);
    sqlite3_close(db);
    return text;
}

static bool folder_holds(const char *folder, const char *text)
{
    rvl_dir_names names = {0};
    bool          found = false;

    assert_int_equal(rvl_dir_list(&names, folder, NULL), RVL_OK);
    for (size_t i = 0; i < names.n_names; i++) {
        char   path[PATH_BYTES];
        size_t n = 0;
        path_in(path, folder, names.names[i]);
        if (rvl_path_is_dir(path)) {
            found = found || folder_holds(path, text);
            continue;
        }
        char *bytes = read_text(path, &n);
        for (size_t k = 0; k + strlen(text) <= n; k++)
            found = found || memcmp(bytes + k, text, strlen(text)) == 0;
        rvl_free(bytes);
    }
    rvl_dir_names_free(&names);
    return found;
}

static const dicom_facts radiograph = {.modality = "DX",
                                       .date = "20190304",
                                       .accession = "ACC-123",
                                       .patient_name = "DOE^JOHN",
                                       .patient_id = "MRN-4711",
                                       .birth_date = "19250101",
                                       .sex = "M",
                                       .age = "094Y",
                                       .body_part = "CHEST",
                                       .view = "PA",
                                       .study_uid = "1.2.777.1",
                                       .series_uid = "1.2.777.2",
                                       .instance_uid = "1.2.777.3",
                                       .description = "for Dr. SECRET",
                                       .private_text = "SECRET",
                                       .side = 16};

static const char *const planted[] = {"DOE",      "MRN-4711",   "ACC-123", "1.2.777", "19250101",
                                      "20190304", "2019-03-04", "SECRET",  "MRN-5",   "094Y"};

static void holds_nothing_planted(const char *cohort)
{
    for (size_t i = 0; i < RVL_ARRAY_LEN(planted); i++)
        if (folder_holds(cohort, planted[i]))
            fail_msg("'%s' is in the cohort", planted[i]);
}

static void radiographs__come_from_their_headers(void **state)
{
    const char     *folder = *state;
    char            from[PATH_BYTES], out[PATH_BYTES], path[PATH_BYTES];
    rvl_ingest_opts opts = {
        .folder = path_in(from, folder, "DOE_files"), .out_path = path_in(out, folder, "c"), .height = 8, .width = 8};
    dicom_facts f = radiograph;

    need_dicom();
    OK(rvl_dir_make(path_in(path, from, "DOE_JOHN/a"), &err));
    dicom_write(path_in(path, from, "DOE_JOHN/a/one.dcm"), &f);
    f.view = "LL", f.seed = 1, f.instance_uid = "1.2.777.4";
    dicom_write(path_in(path, from, "DOE_JOHN/a/two"), &f);
    f.patient_id = "MRN-5", f.study_uid = "1.2.777.5", f.sex = "F", f.age = "040Y", f.date = "bad", f.seed = 2;
    dicom_write(path_in(path, from, "three.dcm"), &f);
    f.modality = "MG", f.body_part = "BREAST", f.seed = 3;
    dicom_write(path_in(path, from, "mammogram.dcm"), &f);
    f.modality = "MR";
    dicom_write(path_in(path, from, "mr.dcm"), &f);
    f = radiograph, f.burned_in = "YES";
    dicom_write(path_in(path, from, "burned.dcm"), &f);
    write_text(folder, "DOE_files/DOE.txt", "not DICOM, of DOE");
    rvl_ingest_result r = ingest_ok(opts);
    assert_int_equal(r.n_rows, 7);
    assert_int_equal(r.n_images, 3);
    assert_int_equal(r.n_failed, 4);
    assert_int_equal(r.n_studies, 2);
    assert_int_equal(r.n_patients, 2);
    assert_string_equal(ask(out, "SELECT group_concat(view) FROM images"), "pa,lateral,lateral");
    assert_string_equal(ask(out, "SELECT group_concat(sex) FROM patients"), "M,F");
    assert_string_equal(ask(out, "SELECT group_concat(age_years) FROM studies"), "90.0,40.0");
    assert_int_equal(strlen(ask(out, "SELECT study_date FROM studies WHERE i_study = 0")), 10);
    file_contains(path_in(path, out, "failures.jsonl"), "another modality than this cohort's");
    file_contains(path, "it is not a DICOM file");
    file_contains(path, "burned into the picture");
    holds_nothing_planted(out);
    file_contains(path_in(path, folder, "c.crosswalk.csv"), "1.2.777.1,MRN-4711,");
    file_contains(path_in(path, folder, "c.crosswalk.images.csv"), "DOE_JOHN/a/two");
    /* the other modality by name; nothing to do the second time */
    opts.modality = RVL_MODALITY_MG;
    opts.out_path = path_in(out, folder, "m");
    assert_int_equal(ingest_ok(opts).n_images, 1);
    r = ingest_ok(opts);
    assert_int_equal(r.n_skipped_done, r.n_rows);
}

/* Keys by Python's hashlib: sha256(bytes(range(32)) + kind + b"\0" + identifier).hexdigest()[:16]. */
static void series_and_accession__are_salted_keys(void **state)
{
    const char     *folder = *state;
    char            from[PATH_BYTES], out[PATH_BYTES], path[PATH_BYTES];
    rvl_ingest_opts opts = {
        .folder = path_in(from, folder, "from"), .out_path = path_in(out, folder, "c"), .height = 8, .width = 8};
    dicom_facts f = radiograph;

    need_dicom();
    OK(rvl_dir_make(from, &err));
    write_text(folder, "c.crosswalk.salt", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n");
    dicom_write(path_in(path, from, "a.dcm"), &f);
    f.instance_uid = "1.2.777.4", f.series_uid = "1.2.777.20", f.seed = 1;
    dicom_write(path_in(path, from, "b.dcm"), &f);
    f.instance_uid = "1.2.777.5", f.study_uid = "1.2.777.9", f.series_uid = NULL, f.accession = NULL, f.seed = 2;
    dicom_write(path_in(path, from, "c.dcm"), &f);
    assert_int_equal(ingest_ok(opts).n_images, 3);
    assert_string_equal(ask(out, "SELECT patient_key FROM patients"), "233fff4b9f044d10");
    assert_string_equal(ask(out, "SELECT series_key FROM images WHERE i_image = 0"), "73f9904028234b38");
    assert_string_equal(ask(out, "SELECT series_key FROM images WHERE i_image = 1"), "cff0923ca8837a97");
    assert_string_equal(ask(out, "SELECT accession_key FROM studies WHERE i_study = 0"), "95f99bb5585fe6bb");
    assert_string_equal(ask(out, "SELECT series_key || accession_key FROM images JOIN studies USING(i_study)"
                                 " WHERE i_image = 2"),
                        "");
    holds_nothing_planted(out);
    opts.keep_phi = true;
    opts.force = true;
    assert_int_equal(ingest_ok(opts).n_images, 3);
    assert_string_equal(ask(out, "SELECT series_key FROM images WHERE i_image = 1"), "1.2.777.20");
    assert_string_equal(ask(out, "SELECT accession_key FROM studies WHERE i_study = 0"), "ACC-123");
}

static void slices_of_a_series__are_one_volume(void **state)
{
    const char     *folder = *state;
    char            from[PATH_BYTES], out[PATH_BYTES], path[PATH_BYTES];
    rvl_ingest_opts opts = {.folder = path_in(from, folder, "ct"),
                            .out_path = path_in(out, folder, "c"),
                            .depth = 6,
                            .height = 16,
                            .width = 16};

    need_dicom();
    OK(rvl_dir_make(from, &err));
    for (int series = 0; series < 2; series++) {
        for (int z = 0; z < 6; z++) {
            char        name[32], position[32], instance[32], uid[32];
            dicom_facts f = radiograph;
            snprintf(name, sizeof name, "%d_%d.dcm", z, series);
            snprintf(position, sizeof position, "0\\0\\%d", (z * 5) % 6 * 3); /* out of order */
            snprintf(instance, sizeof instance, "1.2.777.9.%d.%d", series, z);
            snprintf(uid, sizeof uid, "1.2.777.8.%d", series);
            f.modality = "CT", f.view = NULL, f.position = position, f.instance_uid = instance, f.series_uid = uid;
            f.seed = (unsigned)(10 * series + (z * 5) % 6);
            if (series == 0 || (z * 5) % 6 != 3) /* the second lacks a slice */
                dicom_write(path_in(path, from, name), &f);
        }
    }
    rvl_ingest_result r = ingest_ok(opts);
    assert_int_equal(r.n_rows, 2);
    assert_int_equal(r.n_images, 1);
    assert_int_equal(r.n_failed, 1);
    file_contains(path_in(path, out, "failures.jsonl"), "slices are missing");
    holds_nothing_planted(out);
    assert_false(folder_holds(out, folder));
}

/* The folder of a series in a table: names of its files are not told, burned-in text of any slice is seen. */
static void folder_of_a_series__hides_its_files(void **state)
{
    const char     *folder = *state;
    char            out[PATH_BYTES], path[PATH_BYTES];
    rvl_ingest_opts opts = {.folder = folder, .out_path = path_in(out, folder, "c"), .force = true};
    dicom_facts     f = radiograph;

    need_dicom();
    for (int s = 0; s < 3; s++) { /* whole, burned in, damaged */
        for (int z = 0; z < 4; z++) {
            char name[64], position[32], instance[32];
            snprintf(name, sizeof name, "DOE_%d", s);
            OK(rvl_dir_make(path_in(path, folder, name), &err));
            snprintf(name, sizeof name, "DOE_%d/DOE_JOHN_%d.dcm", s, z);
            snprintf(position, sizeof position, "0\\0\\%d", 2 * z);
            snprintf(instance, sizeof instance, "1.2.777.%d.%d", s, z);
            f.modality = "CT", f.view = NULL, f.position = position, f.instance_uid = instance, f.seed = (unsigned)z;
            f.burned_in = s == 1 && z == 2 ? "YES" : NULL;
            dicom_write(path_in(path, folder, name), &f);
            if (s == 2) { /* pixels are cut off where no header reader looks */
                size_t n = 0;
                char  *bytes = read_text(path, &n);
                bytes[n - 16 * 16 * 2 - 4] = 100;
                OK(rvl_file_write(path, bytes, n, &err));
                rvl_free(bytes);
            }
        }
    }
    write_text(folder, "t.csv", "dir\nDOE_0\nDOE_1\nDOE_2\n");
    write_text(folder, "map.yaml",
               "table: t.csv\ncolumns: {image: dir}\nmodality: ct\nbody_part: chest\n"
               "preprocess: {depth: 4, height: 16, width: 16}\n");
    rvl_ingest_result r = ingest_ok(opts);
    assert_int_equal(r.n_images, 1);
    assert_int_equal(r.n_failed, 2);
    file_contains(path_in(path, out, "failures.jsonl"), "burned into the picture");
    holds_nothing_planted(out);
    opts.keep_phi = true;
    assert_int_equal(ingest_ok(opts).n_images, 2);
}

static void no_dicom__asks_for_a_map(void **state)
{
    const char     *folder = *state;
    char            out[PATH_BYTES];
    rvl_ingest_opts opts = {.folder = folder, .out_path = path_in(out, folder, "c")};

    need_dicom();
    write_text(folder, "a.txt", "nothing");
    ingest_fails(opts, RVL_ERR_NOT_FOUND, "has no map.yaml");
    assert_false(rvl_path_exists(out));
}

/* The whole data pack: every file is taken or fails with a reason. */
static void pack__is_taken_or_refused(void **state)
{
    char            data[PATH_BYTES], out[PATH_BYTES];
    rvl_ingest_opts opts = {.folder = data, .out_path = path_in(out, *state, "c")};

    SKIP_WITHOUT_DATA("dicom_manifest.csv");
    need_dicom();
    assert_true(test_data_path(data, sizeof data, "dicom_odd"));
    opts.modality = RVL_MODALITY_CT;
    rvl_ingest_result r = ingest_ok(opts);
    assert_int_equal(r.n_images + r.n_failed, r.n_rows);
    assert_true(r.n_rows > 150);
    opts.modality = RVL_MODALITY_MG;
    assert_true(test_data_path(data, sizeof data, "mammo"));
    opts.out_path = path_in(out, *state, "m");
    assert_int_equal(ingest_ok(opts).n_images, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(radiographs__come_from_their_headers, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(series_and_accession__are_salted_keys, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(slices_of_a_series__are_one_volume, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(folder_of_a_series__hides_its_files, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(no_dicom__asks_for_a_map, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(pack__is_taken_or_refused, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
