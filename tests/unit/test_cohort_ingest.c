/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_cohort_ingest.c
 * Ingest of small synthetic tables: what it takes, what it refuses and how it says so.
 */
#include "cohort_fixture.h"
#include "imaging/preprocess.h"
#include <math.h>
#include <sys/stat.h>

#define MAP_HEAD "table: t.csv\nmodality: cxr\nbody_part: chest\n"
#define MAP_COLUMNS "columns: {image: path, patient: pat, study: stu, report: report, view: view, sex: sex, age: age}\n"
#define MAP_LABELS "schema: chexpert-14\nlabels: {pneumonia: pneu, edema: Edema}\n"
#define MAP_GRID "preprocess: {height: 16, width: 16, window: range}\n"

static const char table[] = "path,pat,stu,report,view,sex,age,pneu,Edema\n"
                            "img0.png,PAT-A,STU-1,\"FINDINGS: Clear lungs. IMPRESSION: Normal.\",PA,F,045Y,0,\n"
                            "img1.png,PAT-A,STU-1,,LL,F,045Y,1,-1\n"
                            "img2.png,PAT-B,STU-2,\"FINDINGS: Left lower lobe opacity.\",AP,male,61,1,0\n"
                            "img3.png,PAT-A,STU-3,,PA,F,46.5,,\n"
                            "img4.png,PAT-C,STU-4,None,PA,,6M,0,0\n";

static void table_write(const char *dir)
{
    write_images(dir, 5, 20);
    write_text(dir, "t.csv", table);
    write_text(dir, "map.yaml", MAP_HEAD MAP_COLUMNS MAP_LABELS MAP_GRID);
}

static void case__is_what_the_table_says(const rvl_cohort *c, const rvl_case *k)
{
    const rvl_schema *schema = rvl_cohort_schema(c);

    assert_string_equal(k->case_id, "c000001");
    assert_string_equal(k->patient_id, "p000001");
    assert_int_equal(k->n_images, 2);
    assert_string_equal(k->image_paths[0], "img0.png");
    assert_string_equal(k->image_paths[1], "img1.png");
    assert_int_equal(k->views[0], RVL_VIEW_PA);
    assert_int_equal(k->views[1], RVL_VIEW_LATERAL);
    assert_string_equal(k->sections[RVL_SECTION_FINDINGS], "Clear lungs.");
    assert_string_equal(k->sections[RVL_SECTION_IMPRESSION], "Normal.");
    assert_null(k->sections[RVL_SECTION_COMPARISON]);
    assert_string_equal(k->sex, "F");
    assert_true(k->age_years > 44.9 && k->age_years < 45.1);
    /* the study's second image says present and uncertain: they win over absent and not mentioned */
    assert_int_equal(k->labels[rvl_schema_index(schema, "pneumonia")], RVL_LABEL_PRESENT);
    assert_int_equal(k->labels[rvl_schema_index(schema, "edema")], RVL_LABEL_UNCERTAIN);
    assert_int_equal(k->labels[rvl_schema_index(schema, "fracture")], RVL_LABEL_NOT_MENTIONED);
}

static void ingest__takes_a_table(void **state)
{
    const char *dir = *state;
    char        out[PATH_BYTES];

    table_write(dir);
    snprintf(out, sizeof out, "%s/cohort/", dir);
    rvl_ingest_result r = ingest_ok(ingest_opts(dir, out));
    assert_int_equal(r.n_rows, 5);
    assert_int_equal(r.n_patients, 3);
    assert_int_equal(r.n_studies, 4);
    assert_int_equal(r.n_images, 5);
    assert_int_equal(r.n_reports, 2);
    assert_int_equal(r.n_labels, 6); /* study 1: 2, study 2: 2, study 4: 2 */
    assert_int_equal(r.n_failed, 0);
    assert_int_equal(r.n_empty_reports, 3);

    rvl_cohort   *c = cohort_open(out);
    rvl_case_list list = cohort_cases(c, "all");
    assert_int_equal(list.n_cases, 4);
    case__is_what_the_table_says(c, &list.cases[0]);
    assert_string_equal(list.cases[1].sex, "M");
    assert_string_equal(list.cases[2].patient_id, "p000001");
    assert_string_equal(list.cases[2].split, list.cases[0].split);
    assert_true(fabs(list.cases[3].age_years - 0.5) < 1e-9);
    rvl_case_list_fini(&list);
    rvl_cohort_close(c);
    assert_int_equal(ingest_ok((rvl_ingest_opts){.out_path = out, .check_only = true}).n_images, 5);
}

static void ingest__packs_what_preprocessing_gives(void **state)
{
    const char    *dir = *state;
    rvl_preprocess spec = rvl_preprocess_default(RVL_MODALITY_CXR, 16, 16);
    rvl_volume    *v = NULL;
    rvl_error      err = {0};
    uint8_t        codes[256];
    const void    *row;

    table_write(dir);
    ingest_ok(ingest_opts(dir, at(dir, "cohort")));
    rvl_cohort *c = cohort_open(at(dir, "cohort"));
    spec.window = RVL_WINDOW_RANGE;
    spec.window_a = spec.window_b = 0;
    memcpy(spec.body_part, "chest", 6);
    assert_true(rvl_preprocess_equal(rvl_cohort_preprocess(c), &spec));
    for (int i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "img%d.png", i);
        assert_int_equal(rvl_image_load(&v, at(dir, name), NULL, &err), RVL_OK);
        assert_int_equal(rvl_preprocess_codes(codes, &spec, v, false, NULL, &err), RVL_OK);
        assert_int_equal(rvl_cohort_pack_row(&row, c, i, &err), RVL_OK);
        assert_memory_equal(row, codes, sizeof codes);
        rvl_volume_free(v);
    }
    assert_int_equal(rvl_cohort_pack_row(&row, c, 5, &err), RVL_ERR_NOT_FOUND);
    rvl_cohort_close(c);
}

static void ingest__keeps_original_ids_outside(void **state)
{
    const char *dir = *state;
    size_t      n;
    struct stat info;

    table_write(dir);
    rvl_ingest_opts opts = ingest_opts(dir, at(dir, "cohort"));
    opts.keep_phi = false;
    ingest_ok(opts);
    char *db = read_text(at(dir, "cohort/cohort.db"), &n);
    for (size_t i = 0; i + 5 <= n; i++)
        assert_true(memcmp(db + i, "PAT-A", 5) != 0 && memcmp(db + i, "STU-1", 5) != 0);
    rvl_free(db);
    file_contains(at(dir, "cohort.crosswalk.csv"),
                  "case_id,patient_id,original_study,original_patient,study_key,patient_key,shift_days\n"
                  "c000001,p000001,STU-1,PAT-A,");
    file_contains(at(dir, "cohort.crosswalk.csv"), "\nc000002,p000002,STU-2,PAT-B,");
    assert_int_equal(stat(at(dir, "cohort.crosswalk.csv"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void ingest__lists_bad_rows_and_goes_on(void **state)
{
    const char *dir = *state;
    const char *log;

    write_images(dir, 6, 20);
    write_image(dir, "dot.png", 1, 1, 1);
    write_text(dir, "junk.png", "this is no picture");
    write_text(dir, "map.yaml", MAP_HEAD MAP_COLUMNS MAP_LABELS MAP_GRID);
    write_text(dir, "t.csv",
               "path,pat,stu,report,view,sex,age,pneu,Edema\n"
               "img0.png,A,1,x,PA,F,45,0,\n"
               "img1.png,A,2,x,PA,F,45,7,\n"    /* line 3: label */
               "gone.png,A,3,x,PA,F,45,0,\n"    /* line 4: no file */
               "img0.png,A,4,x,PA,F,45,0,\n"    /* line 5: same image */
               "img2.png,B,1,x,PA,F,45,0,\n"    /* line 6: study of A */
               "img3.png,,5,x,PA,F,45,0,\n"     /* line 7: no patient */
               "junk.png,C,6,x,PA,F,45,0,\n"    /* line 8: no image */
               "dot.png,C,7,x,PA,F,45,0,\n"     /* one pixel: constant, taken */
               "img5.png,C,8,x,PA,F,old,1,\n"); /* an age that is none: unknown, taken */
    rvl_ingest_result r = ingest_ok(ingest_opts(dir, at(dir, "c")));
    assert_int_equal(r.n_failed, 6);
    assert_int_equal(r.n_images, 3);
    assert_int_equal(r.n_flat, 1);
    log = at(dir, "c/failures.jsonl");
    file_contains(log, "\"line\":3,\"file\":\"img1.png\",\"reason\":\"label '7' of finding 'pneumonia'");
    file_contains(log, "\"line\":4,\"file\":\"gone.png\",\"reason\":\"cannot read image 'gone.png': no such file");
    file_contains(log, "\"line\":5,\"file\":\"img0.png\",\"reason\":\"the same image path as in line 2");
    file_contains(log, "\"line\":6,\"file\":\"img2.png\",\"reason\":\"the study of line 2 with another patient");
    file_contains(log, "\"line\":7,\"file\":\"img3.png\",\"reason\":\"column 'pat' is empty");
    file_contains(log, "\"line\":8,\"file\":\"junk.png\",\"reason\":\"");
    file_contains(log, "\"table\":\"t.csv\"");
}

static void ingest__stops_on_a_broken_map(void **state)
{
    static const struct {
        const char *map, *phrase;
    } broken[] = {
        {"", "map"},
        {MAP_HEAD MAP_COLUMNS "colour: red\n", "colour"},
        {"modality: cxr\n" MAP_COLUMNS, "either 'table' or 'array'"},
        {MAP_HEAD "array: {file: a.npz, splits: {train: [x]}}\n" MAP_COLUMNS, "either 'table' or 'array'"},
        {MAP_HEAD, "'columns'"},
        {MAP_HEAD "columns: {patient: pat}\n", "lacks 'image'"},
        {MAP_HEAD "columns: {image: pth}\n", "pth"},
        {MAP_HEAD "columns: {image: path, colour: sex}\n", "colour"},
        {"table: t.csv\nmodality: ct\n" MAP_COLUMNS, "modality"},
        {MAP_HEAD MAP_COLUMNS "schema: chexpert-14\n", "'labels'"},
        {MAP_HEAD MAP_COLUMNS "labels: {pneumonia: pneu}\n", "'schema'"},
        {MAP_HEAD MAP_COLUMNS "schema: chexpert-14\nlabels: {gout: pneu}\n", "gout"},
        {MAP_HEAD MAP_COLUMNS "schema: chexpert-14\nlabels: {edema: nope}\n", "nope"},
        {MAP_HEAD MAP_COLUMNS "schema: chexpert-15\nlabels: {edema: Edema}\n", "chexpert-15"},
        {MAP_HEAD MAP_COLUMNS "preprocess: {window: fixed, window_low: 9, window_high: 3}\n", "window_low"},
        {MAP_HEAD MAP_COLUMNS "preprocess: {window: best}\n", "best"},
        {MAP_HEAD MAP_COLUMNS "preprocess: {bits: 12}\n", "bits"},
        {MAP_HEAD MAP_COLUMNS "preprocess: {height: 0}\n", "height"},
        {MAP_HEAD MAP_COLUMNS "keep_views: [sideways]\n", "sideways"},
        {MAP_HEAD "columns: {image: path}\nrequire_report: true\n", "require_report"},
        {"table: other.csv\nmodality: cxr\n" MAP_COLUMNS, "other.csv"},
        {MAP_HEAD MAP_COLUMNS "root: nowhere\n", "nowhere"},
    };
    const char       *dir = *state;
    rvl_ingest_result r;

    table_write(dir);
    for (size_t i = 0; i < RVL_ARRAY_LEN(broken); i++) {
        rvl_ingest_opts opts = ingest_opts(dir, at(dir, "c"));
        rvl_error       err = {0};
        write_text(dir, "map.yaml", broken[i].map);
        if (rvl_cohort_ingest(&r, &opts, &err) == RVL_OK || !strstr(err.text, broken[i].phrase))
            fail_msg("map %zu: no '%s' in '%s'", i, broken[i].phrase, err.text);
        assert_false(rvl_path_exists(at(dir, "c")));
    }
}

static void ingest__says_file_and_line_of_a_bad_table(void **state)
{
    const char *dir = *state;

    table_write(dir);
    write_text(dir, "t.csv", "path,pat,stu,report,view,sex,age,pneu,Edema\nimg0.png,A,1,M\xfcller,PA,F,45,0,\n");
    ingest_fails(ingest_opts(dir, at(dir, "c")), RVL_ERR_FORMAT, "'t.csv' line 2");
    write_text(dir, "t.csv", "path,pat,stu,report,view,sex,age,pneu,Edema\n");
    ingest_fails(ingest_opts(dir, at(dir, "c")), RVL_ERR_NOT_FOUND, "no rows");
    write_text(dir, "t.csv", "path,pat,stu,report,view,sex,age,pneu,Edema\ngone.png,A,1,,PA,F,45,0,\n");
    ingest_fails(ingest_opts(dir, at(dir, "c")), RVL_ERR_NOT_FOUND, "failures.jsonl");
    ingest_fails(ingest_opts("/nowhere", at(dir, "c")), RVL_ERR_NOT_FOUND, "/nowhere");
    ingest_fails((rvl_ingest_opts){.folder = dir, .out_path = at(dir, "c"), .split_ratio = {0.5, 0.2, 0.2}},
                 RVL_ERR_USAGE, "add up");
}

static void ingest__filters_views_and_empty_reports(void **state)
{
    const char *dir = *state;

    table_write(dir);
    write_text(dir, "map.yaml", MAP_HEAD MAP_COLUMNS MAP_GRID "keep_views: [pa]\nrequire_report: true\n");
    rvl_ingest_result r = ingest_ok(ingest_opts(dir, at(dir, "c")));
    assert_int_equal(r.n_images, 1);
    assert_int_equal(r.n_failed, 0);
    rvl_cohort *c = cohort_open(at(dir, "c"));
    assert_int_equal(rvl_cohort_preprocess(c)->view, RVL_VIEW_PA);
    assert_null(rvl_cohort_schema(c));
    rvl_case_list list = cohort_cases(c, NULL);
    assert_string_equal(list.cases[0].image_paths[0], "img0.png");
    assert_null(list.cases[0].labels);
    rvl_case_list_fini(&list);
    rvl_cohort_close(c);
}

static void ingest__does_nothing_twice_and_never_mixes(void **state)
{
    const char     *dir = *state;
    char            out[PATH_BYTES];
    rvl_ingest_opts opts;

    table_write(dir);
    snprintf(out, sizeof out, "%s/c", dir);
    opts = ingest_opts(dir, out);
    assert_int_equal(ingest_ok(opts).n_skipped_done, 0);
    rvl_ingest_result again = ingest_ok(opts);
    assert_int_equal(again.n_skipped_done, 5);
    assert_int_equal(again.n_images, 5);
    opts.height = opts.width = 8;
    ingest_fails(opts, RVL_ERR_STATE, "--force");
    opts.force = true;
    assert_int_equal(ingest_ok(opts).n_skipped_done, 0);
    rvl_cohort *c = cohort_open(out);
    assert_int_equal(rvl_cohort_preprocess(c)->height, 8);
    rvl_cohort_close(c);

    assert_int_equal(rvl_dir_make(at(dir, "precious"), NULL), RVL_OK);
    write_text(dir, "precious/thesis.txt", "years of work");
    opts.out_path = at(dir, "precious");
    ingest_fails(opts, RVL_ERR_STATE, "thesis.txt");
    assert_true(rvl_path_exists(at(dir, "precious/thesis.txt")));
}

static void ingest__dry_run_counts_and_writes_nothing(void **state)
{
    const char     *dir = *state;
    char            out[PATH_BYTES];
    rvl_ingest_opts opts = ingest_opts(dir, path_in(out, dir, "c"));
    rvl_dir_names   before = {0}, after = {0};

    table_write(dir);
    assert_int_equal(remove(at(dir, "img3.png")), 0);
    opts.dry_run = true;
    assert_int_equal(rvl_dir_list(&before, dir, NULL), RVL_OK);
    rvl_ingest_result r = ingest_ok(opts);
    assert_int_equal(rvl_dir_list(&after, dir, NULL), RVL_OK);
    assert_int_equal(before.n_names, after.n_names);
    assert_int_equal(r.n_rows, 5);
    assert_int_equal(r.n_studies, 4);
    assert_int_equal(r.n_images, 4);
    assert_int_equal(r.n_failed, 1);
    assert_int_equal(r.n_reports, 2);
    assert_int_equal(r.n_labels, 6);
    rvl_dir_names_free(&before);
    rvl_dir_names_free(&after);
}

/** `n` images, a patient for each pair of studies. */
static void many_write(const char *dir, int n)
{
    rvl_str text = {0};

    write_images(dir, n, 4);
    rvl_str_add(&text, "path,pat,stu\n");
    for (int i = 0; i < n; i++)
        rvl_str_addf(&text, "img%d.png,q%d,s%d\n", i, i / 2, i);
    write_text(dir, "t.csv", text.ptr);
    write_text(dir, "map.yaml", MAP_HEAD "columns: {image: path, patient: pat, study: stu}\n" MAP_GRID);
    rvl_str_free(&text);
}

static int64_t split_count(rvl_cohort *c, const char *split)
{
    rvl_case_list list = cohort_cases(c, split);
    int64_t       n = list.n_cases;

    rvl_case_list_fini(&list);
    return n;
}

static void split__keeps_patients_together(void **state)
{
    const char     *dir = *state;
    char            out[PATH_BYTES];
    rvl_ingest_opts opts = ingest_opts(dir, path_in(out, dir, "c"));
    rvl_case_list   list;
    rvl_error       err = {0};

    many_write(dir, 60);
    ingest_ok(opts);
    rvl_cohort *c = cohort_open(opts.out_path);
    assert_int_equal(split_count(c, "train"), 48);
    assert_int_equal(split_count(c, "val"), 6);
    assert_int_equal(split_count(c, "test"), 6);
    list = cohort_cases(c, "all");
    for (int64_t i = 0; i < 60; i += 2)
        assert_string_equal(list.cases[i].split, list.cases[i + 1].split);
    rvl_case_list_fini(&list);
    assert_int_equal(rvl_cohort_cases(&list, c, "fold0", &err), RVL_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "train (48)"));
    rvl_cohort_close(c);
    opts = ingest_opts(dir, at(dir, "d"));
    opts.seed = 1; /* another seed, another split */
    ingest_ok(opts);
    size_t n;
    char  *a = read_text(at(dir, "c/cases-test.txt"), &n);
    char  *b = read_text(at(dir, "d/cases-test.txt"), NULL);
    assert_int_equal(n, 6 * strlen("c000001\n"));
    assert_string_not_equal(a, b);
    rvl_free(a);
    rvl_free(b);
}

static void split__makes_folds_by_patient(void **state)
{
    const char     *dir = *state;
    char            out[PATH_BYTES];
    rvl_ingest_opts opts = ingest_opts(dir, path_in(out, dir, "c"));
    int64_t         total = 0;

    many_write(dir, 46); /* 23 patients */
    opts.n_folds = 5;
    ingest_ok(opts);
    rvl_cohort *c = cohort_open(opts.out_path);
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "fold%d", i);
        int64_t n = split_count(c, name);
        assert_true(n == 8 || n == 10);
        total += n;
    }
    assert_int_equal(total, 46);
    rvl_cohort_close(c);
}

static void cases__takes_several_splits(void **state)
{
    const char     *dir = *state;
    char            out[PATH_BYTES];
    rvl_ingest_opts opts = ingest_opts(dir, path_in(out, dir, "c"));
    rvl_error       err = {0};
    rvl_case_list   list;

    many_write(dir, 46);
    opts.n_folds = 5;
    ingest_ok(opts);
    rvl_cohort *c = cohort_open(opts.out_path);
    list = cohort_cases(c, "fold3,fold0");
    assert_int_equal(list.n_cases, split_count(c, "fold0") + split_count(c, "fold3"));
    for (int64_t i = 0; i < list.n_cases; i++) {
        assert_true(strcmp(list.cases[i].split, "fold0") == 0 || strcmp(list.cases[i].split, "fold3") == 0);
        assert_true(i == 0 || strcmp(list.cases[i - 1].case_id, list.cases[i].case_id) < 0);
    }
    rvl_case_list_fini(&list);
    assert_int_equal(split_count(c, "fold0,fold1,fold2,fold3,fold4"), 46);
    /* A part of a name is no name, and one that is wrong spoils the list. */
    assert_int_equal(rvl_cohort_cases(&list, c, "fold0,fold", &err), RVL_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "'fold'"));
    assert_int_equal(rvl_cohort_cases(&list, c, "fold0,fold9,fold1", &err), RVL_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "'fold9'"));
    assert_int_equal(rvl_cohort_cases(&list, c, "fold0,", &err), RVL_ERR_NOT_FOUND);
    rvl_cohort_close(c);
}

int main(void)
{
#define FOLDER_TEST(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(ingest__takes_a_table),
        FOLDER_TEST(ingest__packs_what_preprocessing_gives),
        FOLDER_TEST(ingest__keeps_original_ids_outside),
        FOLDER_TEST(ingest__lists_bad_rows_and_goes_on),
        FOLDER_TEST(ingest__stops_on_a_broken_map),
        FOLDER_TEST(ingest__says_file_and_line_of_a_bad_table),
        FOLDER_TEST(ingest__filters_views_and_empty_reports),
        FOLDER_TEST(ingest__does_nothing_twice_and_never_mixes),
        FOLDER_TEST(ingest__dry_run_counts_and_writes_nothing),
        FOLDER_TEST(split__keeps_patients_together),
        FOLDER_TEST(split__makes_folds_by_patient),
        FOLDER_TEST(cases__takes_several_splits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
