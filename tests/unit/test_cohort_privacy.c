/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_cohort_privacy.c
 * De-identification on ingest: nothing planted is in any byte of the cohort, the crosswalk leads back, keys are the
 * same under one salt, intervals of dates are kept.
 */
#include "cohort_fixture.h"
#include "cohort/pseudonym.h"
#include "dicom_file.h"
#include "imaging/dicom.h"
#include <sqlite3.h>
#include <sys/stat.h>

static bool has_dicom(void)
{
    rvl_dicom *d = NULL;
    return rvl_dicom_parse(&d, "", 0, "nothing", NULL, NULL) != RVL_ERR_DEVICE;
}

/* Whether a file of the folder, or of folders in it, or the name of one, holds the text. */
static bool folder_holds(const char *folder, const char *text)
{
    rvl_dir_names names = {0};
    bool          found = false;

    assert_int_equal(rvl_dir_list(&names, folder, NULL), RVL_OK);
    for (size_t i = 0; i < names.n_names; i++) {
        char path[PATH_BYTES];
        path_in(path, folder, names.names[i]);
        found = found || strstr(names.names[i], text);
        if (rvl_path_is_dir(path)) {
            found = found || folder_holds(path, text);
            continue;
        }
        size_t n = 0;
        char  *bytes = read_text(path, &n);
        for (size_t k = 0; k + strlen(text) <= n; k++)
            found = found || memcmp(bytes + k, text, strlen(text)) == 0;
        rvl_free(bytes);
    }
    rvl_dir_names_free(&names);
    return found;
}

/* The first text of a query on the cohort's catalogue; static. */
static const char *ask(const char *cohort, const char *sql)
{
    static char   text[8][128];
    static int    at_text;
    char          path[PATH_BYTES];
    sqlite3      *db = NULL;
    sqlite3_stmt *query = NULL;

    at_text = (at_text + 1) % 8;
    path_in(path, cohort, "cohort.db");
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &query, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(query), SQLITE_ROW);
    snprintf(text[at_text], sizeof text[0], "%s", (const char *)sqlite3_column_text(query, 0));
    sqlite3_finalize(query);
    sqlite3_close(db);
    return text[at_text];
}

static void has_mode_0600(const char *path)
{
    struct stat info;

    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static const char *const planted[] = {"DOE",        "MRN-4711", "STU-88", "2019-03-04", "20190304",
                                      "2019-03-14", "20190314", "secret", "SER-5",      "ACC-9"};

/* Two studies of one patient ten days apart, one of another; a row that fails, an image that does. */
static void cohort_write(const char *folder)
{
    write_text(folder, "t.csv",
               "file,patient,study,sex,age,date,pneumonia,uid,order\n"
               "DOE_JOHN_1.png,MRN-4711,STU-881,M,93,2019-03-04,1,SER-51,ACC-91\n"
               "DOE_JOHN_2.png,MRN-4711,STU-882,M,89,20190314,0,SER-52,ACC-91\n"
               "DOE_JANE.png,MRN-4712,STU-883,F,94Y,,0,,\n"
               "DOE_GONE.png,MRN-4713,STU-884,F,40,,0,SER-54,ACC-94\n"
               "DOE_BAD.png,MRN-4714,STU-885,F,40,,secret DOE,SER-55,ACC-95\n");
    write_text(folder, "map.yaml",
               "table: t.csv\nmodality: cxr\nbody_part: chest\nschema: pneumonia-1\npreprocess: {height: 8, width: 8}\n"
               "columns: {image: file, patient: patient, study: study, sex: sex, age: age, date: date, "
               "series: uid, accession: order}\n"
               "labels: {pneumonia: pneumonia}\n");
    write_image(folder, "DOE_JOHN_1.png", 1, 9, 9);
    write_image(folder, "DOE_JOHN_2.png", 2, 9, 9);
    write_image(folder, "DOE_JANE.png", 3, 9, 9);
}

static void cohort__holds_nothing_planted(void **state)
{
    const char     *folder = *state;
    char            out[PATH_BYTES], path[PATH_BYTES];
    rvl_ingest_opts opts = {.folder = folder, .out_path = path_in(out, folder, "cohort")};

    cohort_write(folder);
    rvl_ingest_result r = ingest_ok(opts);
    assert_int_equal(r.n_images, 3);
    assert_int_equal(r.n_failed, 2);
    for (size_t i = 0; i < RVL_ARRAY_LEN(planted); i++)
        if (folder_holds(out, planted[i]))
            fail_msg("'%s' is in the cohort", planted[i]);
    assert_false(folder_holds(out, folder)); /* the folder's own path may name somebody */
    assert_string_equal(ask(out, "SELECT value FROM meta WHERE key = 'deidentified'"), "1");
    /* one order, two series; the kinds of keys are apart */
    assert_string_equal(ask(out, "SELECT count(DISTINCT accession_key) FROM studies WHERE i_study < 2"), "1");
    assert_string_equal(ask(out, "SELECT count(DISTINCT series_key) FROM images WHERE length(series_key) = 16"), "2");
    /* 90 and older are one; 89 is itself */
    assert_string_equal(ask(out, "SELECT age_years FROM studies WHERE i_study = 0"), "90.0");
    assert_string_equal(ask(out, "SELECT age_years FROM studies WHERE i_study = 1"), "89.0");
    /* the crosswalk leads back */
    file_contains(path_in(path, folder, "cohort.crosswalk.csv"), "c000002,p000001,STU-882,MRN-4711,");
    file_contains(path, ask(out, "SELECT study_key FROM studies WHERE case_id = 'c000002'"));
    has_mode_0600(path);
    file_contains(path_in(path, folder, "cohort.crosswalk.images.csv"), "DOE_JOHN_2.png");
    file_contains(path, ask(out, "SELECT path FROM images WHERE i_image = 1"));
    has_mode_0600(path);
    has_mode_0600(path_in(path, folder, "cohort.crosswalk.salt"));
}

static void dates__move_together(void **state)
{
    const char     *folder = *state;
    char            out[PATH_BYTES];
    int64_t         a, b;
    rvl_ingest_opts opts = {.folder = folder, .out_path = path_in(out, folder, "cohort")};

    cohort_write(folder);
    ingest_ok(opts);
    assert_true(rvl__date_parse(&a, ask(out, "SELECT study_date FROM studies WHERE i_study = 0")));
    assert_true(rvl__date_parse(&b, ask(out, "SELECT study_date FROM studies WHERE i_study = 1")));
    assert_int_equal(b - a, 10);
    assert_in_range(17959 - a, 1, 3652); /* 2019-03-04 is day 17959 */
    assert_string_equal(ask(out, "SELECT study_date FROM studies WHERE i_study = 2"), "");
}

static void salt__decides_keys(void **state)
{
    static const char keys[] = "SELECT group_concat(patient_key) FROM patients";
    const char       *folder = *state;
    char              first[PATH_BYTES], second[PATH_BYTES], walk[PATH_BYTES];
    rvl_ingest_opts   opts = {.folder = folder, .out_path = path_in(first, folder, "one"), .force = true};

    cohort_write(folder);
    opts.crosswalk = path_in(walk, folder, "private/walk.csv");
    ingest_ok(opts);
    has_mode_0600(at(folder, "private/walk.salt"));
    opts.out_path = path_in(second, folder, "two");
    ingest_ok(opts);
    assert_string_equal(ask(first, keys), ask(second, keys));
    opts.crosswalk = NULL;
    ingest_ok(opts); /* another salt */
    assert_string_not_equal(ask(first, keys), ask(second, keys));
    char before[128];
    snprintf(before, sizeof before, "%s", ask(second, keys));
    ingest_ok(opts); /* --force keeps the salt */
    assert_string_equal(before, ask(second, keys));
    opts.force = false;
    write_text(folder, "two.crosswalk.salt", "no salt\n");
    ingest_fails(opts, RVL_ERR_FORMAT, "salt");
    opts.crosswalk = path_in(walk, folder, "two/walk.csv");
    ingest_fails(opts, RVL_ERR_USAGE, "outside");
}

static void keep_phi__keeps(void **state)
{
    const char     *folder = *state;
    char            out[PATH_BYTES];
    rvl_ingest_opts opts = {.folder = folder, .out_path = path_in(out, folder, "cohort"), .keep_phi = true};

    cohort_write(folder);
    ingest_ok(opts);
    assert_string_equal(ask(out, "SELECT path FROM images WHERE i_image = 0"), "DOE_JOHN_1.png");
    assert_string_equal(ask(out, "SELECT study_key FROM studies WHERE i_study = 0"), "STU-881");
    assert_string_equal(ask(out, "SELECT study_date FROM studies WHERE i_study = 1"), "2019-03-14");
    assert_string_equal(ask(out, "SELECT age_years FROM studies WHERE i_study = 0"), "93.0");
    assert_string_equal(ask(out, "SELECT value FROM meta WHERE key = 'deidentified'"), "0");
    assert_false(rvl_path_exists(at(folder, "cohort.crosswalk.salt")));
}

static void burned_in_text__is_refused(void **state)
{
    const char     *folder = *state;
    char            out[PATH_BYTES];
    rvl_ingest_opts opts = {.folder = folder, .out_path = path_in(out, folder, "cohort"), .force = true};
    dicom_facts     f = {.modality = "DX",
                         .patient_name = "DOE^JOHN",
                         .patient_id = "MRN-4711",
                         .body_part = "CHEST",
                         .description = "secret",
                         .private_text = "secret",
                         .study_uid = "1.2.3.4",
                         .side = 16};

    if (!has_dicom()) {
        printf("SKIP: this build reads no DICOM\n");
        skip();
    }
    dicom_write(at(folder, "DOE_a.dcm"), &f);
    f.burned_in = "YES";
    dicom_write(at(folder, "DOE_b.dcm"), &f);
    write_text(folder, "t.csv", "file\nDOE_a.dcm\nDOE_b.dcm\n");
    write_text(
        folder, "map.yaml",
        "table: t.csv\ncolumns: {image: file}\nmodality: cxr\nbody_part: chest\npreprocess: {height: 8, width: 8}\n");
    rvl_ingest_result r = ingest_ok(opts);
    assert_int_equal(r.n_images, 1);
    assert_int_equal(r.n_failed, 1);
    file_contains(at(folder, "cohort/failures.jsonl"), "burned into the picture");
    for (size_t i = 0; i < RVL_ARRAY_LEN(planted); i++)
        assert_false(folder_holds(out, planted[i]));
    opts.keep_phi = true;
    assert_int_equal(ingest_ok(opts).n_images, 2);
}

static void dates__are_those_of_the_calendar(void **state)
{
    static const struct {
        const char *text;
        int64_t     days;
    } known[] = {{"1970-01-01", 0},      {"19691231", -1},      {"2000-02-29", 11016},   {"2000-03-01", 11017},
                 {"1900-03-01", -25508}, {"2100-02-28", 47540}, {"0001-01-01", -719162}, {"9999-12-31", 2932896}};
    static const char *const wrong[] = {"",           "2019",       "2019-13-01", "20190229",   "2019-02-29",
                                        "2019/02/01", "1900-02-29", "2019-00-10", "2019-01-00", "abcdefgh"};
    int64_t                  days;
    char                     text[RVL__DATE_BYTES];

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(known); i++) {
        assert_true(rvl__date_parse(&days, known[i].text));
        assert_int_equal(days, known[i].days);
        rvl__date_format(text, days);
        if (strlen(known[i].text) == 10)
            assert_string_equal(text, known[i].text);
    }
    for (size_t i = 0; i < RVL_ARRAY_LEN(wrong); i++)
        assert_false(rvl__date_parse(&days, wrong[i]));
    for (int64_t d = -400000; d < 400000; d += 97) {
        int64_t back;
        rvl__date_format(text, d);
        assert_true(rvl__date_parse(&back, text));
        assert_int_equal(back, d);
    }
    rvl__date_format(text, RVL__NO_DATE);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cohort__holds_nothing_planted, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(dates__move_together, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(salt__decides_keys, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(keep_phi__keeps, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(burned_in_text__is_refused, folder_make, folder_remove),
        cmocka_unit_test(dates__are_those_of_the_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
