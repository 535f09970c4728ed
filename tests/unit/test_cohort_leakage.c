/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_cohort_leakage.c
 * The same patient, pixels or text in two splits is counted; a damaged cohort does not pass the check.
 */
#include "cohort_fixture.h"
#include <sqlite3.h>

#define MAP_TEXT                                                                                                       \
    "table: t.csv\nmodality: cxr\ncolumns: {image: path, patient: pat, findings: text, split: split}\n"                \
    "preprocess: {height: 8, width: 8, window: range}\n"

/* img0 and twin0 hold the same pixels, the two black ones too; patient D is in train and test */
static const char table[] = "path,pat,text,split\n"
                            "img0.png,A,Clear lungs.,Train\n"
                            "img1.png,B,Small left effusion,train\n"
                            "twin0.png,C,A nodule.,test\n"
                            "img2.png,D,Small  LEFT effusion.,valid\n"
                            "img3.png,E,clear lungs,train\n"
                            "black0.png,F,Port in place.,train\n"
                            "black1.png,G,Old fracture.,test\n"
                            "img4.png,D,No change.,test\n";

static void cohort_write(const char *dir, const char *map_end)
{
    char        map[1024];
    rvl_volume *v = NULL;
    rvl_error   err = {0};

    write_images(dir, 5, 12);
    write_image(dir, "twin0.png", 0, 12, 12);
    assert_int_equal(rvl_volume_new(&v, RVL_VOXEL_U8, 1, 12, 12, &err), RVL_OK);
    assert_int_equal(rvl_png_save(v, at(dir, "black0.png"), &err), RVL_OK);
    assert_int_equal(rvl_png_save(v, at(dir, "black1.png"), &err), RVL_OK);
    rvl_volume_free(v);
    write_text(dir, "t.csv", table);
    snprintf(map, sizeof map, "%s%s", MAP_TEXT, map_end);
    write_text(dir, "map.yaml", map);
}

static int64_t leak_rows(const char *db_path, const char *sql)
{
    sqlite3      *db = NULL;
    sqlite3_stmt *query = NULL;
    int64_t       n;

    assert_int_equal(sqlite3_open_v2(db_path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &query, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(query), SQLITE_ROW);
    n = sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    sqlite3_close(db);
    return n;
}

static void leakage__is_counted_and_listed(void **state)
{
    const char *dir = *state;
    const char *db;

    cohort_write(dir, "");
    rvl_ingest_result r = ingest_ok(ingest_opts(dir, at(dir, "c")));
    assert_int_equal(r.n_failed, 0);
    assert_int_equal(r.n_flat, 2);
    assert_int_equal(r.leak_patients, 1);
    assert_int_equal(r.leak_pixels, 1);
    assert_int_equal(r.leak_texts, 1);       /* "small left effusion": train and val; "clear lungs" only train */
    assert_int_equal(r.duplicate_pixels, 1); /* the black ones are constant, not copies */
    assert_int_equal(r.duplicate_texts, 2);
    db = at(dir, "c/cohort.db");
    assert_int_equal(leak_rows(db, "SELECT count(*) FROM leaks"), 6);
    assert_int_equal(leak_rows(db, "SELECT count(*) FROM leaks WHERE kind = 'pixels' AND case_id IN "
                                   "('c000001', 'c000003')"),
                     2);
    assert_int_equal(leak_rows(db, "SELECT count(*) FROM leaks WHERE kind = 'text' AND case_id IN "
                                   "('c000002', 'c000004')"),
                     2);
    assert_int_equal(leak_rows(db, "SELECT count(*) FROM leaks WHERE kind = 'patient' AND case_id IN "
                                   "('c000004', 'c000008')"),
                     2);
    file_contains(at(dir, "c/cases-val.txt"), "c000004\n");
}

static void leakage__is_counted_between_parts_and_within(void **state)
{
    const char       *dir = *state;
    rvl_cohort       *c = NULL;
    rvl_cohort_counts n;

    cohort_write(dir, "");
    ingest_ok(ingest_opts(dir, at(dir, "c")));
    OK(rvl_cohort_open(&c, at(dir, "c"), &err));
    OK(rvl_cohort_shared(&n, c, "test", "train", &err)); /* twin0 */
    assert_true(n.patients == 0 && n.pixels == 1 && n.texts == 0);
    OK(rvl_cohort_shared(&n, c, "test", "val", &err)); /* patient D */
    assert_true(n.patients == 1 && n.pixels == 0 && n.texts == 0);
    OK(rvl_cohort_shared(&n, c, "val", "train,test", &err)); /* D, and "small left effusion" */
    assert_true(n.patients == 1 && n.pixels == 0 && n.texts == 1);
    OK(rvl_cohort_shared(&n, c, "tes", "train", &err)); /* no such split */
    assert_true(n.patients == 0 && n.pixels == 0 && n.texts == 0);
    OK(rvl_cohort_repeats(&n, c, "train", &err)); /* "clear lungs" twice; black images are constant */
    assert_true(n.patients == 0 && n.pixels == 0 && n.texts == 1);
    OK(rvl_cohort_repeats(&n, c, "all", &err));
    assert_true(n.patients == 1 && n.pixels == 1 && n.texts == 2);
    rvl_cohort_close(c);
}

/* Two texts that training has, one also in each other part: these two share nothing. */
static void leakage__is_told_apart_by_what_is_shared(void **state)
{
    const char       *dir = *state;
    rvl_cohort       *c = NULL;
    rvl_cohort_counts n;

    write_images(dir, 4, 12);
    write_text(dir, "t.csv",
               "path,pat,text,split\nimg0.png,A,Clear.,train\nimg1.png,B,Effusion.,train\n"
               "img2.png,C,Clear.,val\nimg3.png,D,Effusion.,test\n");
    write_text(dir, "map.yaml", MAP_TEXT);
    ingest_ok(ingest_opts(dir, at(dir, "c")));
    OK(rvl_cohort_open(&c, at(dir, "c"), &err));
    OK(rvl_cohort_shared(&n, c, "test", "val", &err));
    assert_true(n.texts == 0);
    OK(rvl_cohort_shared(&n, c, "val", "test", &err));
    assert_true(n.texts == 0);
    OK(rvl_cohort_shared(&n, c, "train", "val,test", &err));
    assert_true(n.texts == 2);
    rvl_cohort_close(c);
}

static void check__refuses_a_patient_in_two_splits(void **state)
{
    const char       *dir = *state;
    rvl_ingest_result r;
    rvl_error         err = {0};

    cohort_write(dir, "");
    ingest_ok(ingest_opts(dir, at(dir, "c")));
    assert_int_equal(rvl_cohort_check(&r, at(dir, "c"), &err), RVL_ERR_STATE);
    assert_non_null(strstr(err.text, "1 patients are in more than one split"));
    assert_int_equal(r.leak_patients, 1);

    cohort_write(dir, "allow_patient_leaks: true\n");
    ingest_ok(ingest_opts(dir, at(dir, "d")));
    assert_int_equal(rvl_cohort_check(&r, at(dir, "d"), &err), RVL_OK);
    assert_int_equal(r.leak_patients, 1);
}

static void leakage__is_gone_when_patients_are_split(void **state)
{
    const char     *dir = *state;
    char            out[PATH_BYTES];
    rvl_ingest_opts opts = ingest_opts(dir, path_in(out, dir, "c"));

    cohort_write(dir, "");
    opts.split_ratio[0] = opts.split_ratio[2] = 0.5;
    assert_int_equal(ingest_ok(opts).leak_patients, 0);
    assert_false(rvl_path_exists(at(dir, "c/cases-val.txt")));
}

static void damage(const char *path, int64_t offset)
{
    FILE *f = fopen(path, "r+b");

    assert_non_null(f);
    assert_int_equal(fseek(f, (int)offset, SEEK_SET), 0);
    int c = fgetc(f);
    assert_int_equal(fseek(f, (int)offset, SEEK_SET), 0);
    fputc(c ^ 1, f);
    fclose(f);
}

static void check__finds_damage(void **state)
{
    const char       *dir = *state;
    char              hash[PATH_BYTES], name[PATH_BYTES];
    rvl_dir_names     packs = {0};
    rvl_ingest_result r;
    rvl_error         err = {0};

    cohort_write(dir, "allow_patient_leaks: true\n");
    ingest_ok(ingest_opts(dir, at(dir, "c")));
    assert_int_equal(rvl_dir_list(&packs, at(dir, "c/packs"), &err), RVL_OK);
    assert_int_equal(packs.n_names, 1);
    snprintf(hash, sizeof hash, "%s/c/packs/%.16s", dir, packs.names[0]);
    rvl_dir_names_free(&packs);

    snprintf(name, sizeof name, "%.*s/data.bin", 4000, hash);
    damage(name, 64 * 3 + 5);
    assert_int_equal(rvl_cohort_check(&r, at(dir, "c"), &err), RVL_ERR_STATE);
    assert_non_null(strstr(err.text, "pack row 3 is damaged"));
    damage(name, 64 * 3 + 5);
    assert_int_equal(rvl_cohort_check(&r, at(dir, "c"), &err), RVL_OK);

    char index[PATH_BYTES + 16];
    snprintf(index, sizeof index, "%.*s/index.bin", 4000, hash);
    damage(index, 1); /* another magic, the right length */
    assert_int_not_equal(rvl_cohort_check(&r, at(dir, "c"), &err), RVL_OK);
    assert_non_null(strstr(err.text, "index.bin is no index"));
    damage(index, 1);

    damage(at(dir, "c/cases-train.txt"), 6);
    assert_int_equal(rvl_cohort_check(&r, at(dir, "c"), &err), RVL_ERR_STATE);
    assert_non_null(strstr(err.text, "cases-train.txt"));
    damage(at(dir, "c/cases-train.txt"), 6);

    FILE *f = fopen(name, "ab"); /* one byte too many */
    assert_non_null(f);
    fputc(0, f);
    fclose(f);
    assert_int_not_equal(rvl_cohort_check(&r, at(dir, "c"), &err), RVL_OK);
}

int main(void)
{
#define FOLDER_TEST(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(leakage__is_counted_and_listed),
        FOLDER_TEST(leakage__is_counted_between_parts_and_within),
        FOLDER_TEST(leakage__is_told_apart_by_what_is_shared),
        FOLDER_TEST(check__refuses_a_patient_in_two_splits),
        FOLDER_TEST(leakage__is_gone_when_patients_are_split),
        FOLDER_TEST(check__finds_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
