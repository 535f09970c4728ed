/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_cohort_data.c
 * The maps under examples/maps on the real data of the test pack. Expected numbers are those of its README.
 */
#include "cohort_fixture.h"
#include <math.h>

static rvl_ingest_result ingest_part(void **state, const char *part, const char *map_name, int64_t limit)
{
    char            folder[PATH_BYTES], map[PATH_BYTES], relative[256], out[PATH_BYTES];
    rvl_ingest_opts opts;

    snprintf(relative, sizeof relative, "examples/maps/%s.yaml", map_name);
    assert_true(source_path(map, sizeof map, relative));
    assert_true(test_data_path(folder, sizeof folder, part));
    opts = ingest_opts(folder, path_in(out, *state, "c"));
    opts.map_path = map;
    opts.limit = limit;
    rvl_ingest_result r = ingest_ok(opts);
    opts.check_only = true;
    assert_int_equal(ingest_ok(opts).n_images, r.n_images);
    return r;
}

static int64_t count_state(const rvl_case_list *list, int i_finding, rvl_label_state s)
{
    int64_t n = 0;

    for (int64_t i = 0; i < list->n_cases; i++)
        n += list->cases[i].labels[i_finding] == s;
    return n;
}

static void nih__is_ingested(void **state)
{
    SKIP_WITHOUT_DATA("cxr_labels_nih/labels.csv");
    rvl_ingest_result r = ingest_part(state, "cxr_labels_nih", "nih", 80);
    assert_int_equal(r.n_images, 80);
    assert_int_equal(r.n_failed, 0);
    assert_int_equal(r.n_labels, 80 * 14);
    assert_int_equal(r.n_reports, 0);
    rvl_cohort     *c = cohort_open(at(*state, "c"));
    rvl_case_list   list = cohort_cases(c, NULL);
    const rvl_case *k = &list.cases[0]; /* 00000075_000: cardiomegaly, PA, F, 61 */
    assert_string_equal(k->image_paths[0], "cxr_labels_nih/images/00000075_000.jpg");
    assert_int_equal(k->labels[rvl_schema_index(rvl_cohort_schema(c), "cardiomegaly")], RVL_LABEL_PRESENT);
    assert_int_equal(k->labels[rvl_schema_index(rvl_cohort_schema(c), "atelectasis")], RVL_LABEL_ABSENT);
    assert_int_equal(k->views[0], RVL_VIEW_PA);
    assert_true(fabs(k->age_years - 61) < 1e-9);
    rvl_case_list_fini(&list);
    rvl_cohort_close(c);
}

static void cxr_text__is_ingested(void **state)
{
    SKIP_WITHOUT_DATA("cxr_text/pairs.csv");
    rvl_ingest_result r = ingest_part(state, "cxr_text", "cxr_text", 0);
    assert_int_equal(r.n_images, 220); /* README: 220 images with text, of 128 patients */
    assert_int_equal(r.n_reports, 220);
    assert_int_equal(r.n_patients, 128);
    assert_int_equal(r.n_empty_reports, 309 - 220);
    assert_int_equal(r.n_failed, 0);
    assert_int_equal(r.leak_patients, 0);
    rvl_cohort   *c = cohort_open(at(*state, "c"));
    rvl_case_list list = cohort_cases(c, NULL);
    for (int64_t i = 0; i < list.n_cases; i++) {
        bool has_text = false;
        for (int s = 0; s < RVL_SECTION_COUNT; s++)
            has_text = has_text || list.cases[i].sections[s];
        assert_true(has_text);
    }
    rvl_case_list_fini(&list);
    rvl_cohort_close(c);
}

static void pneumoniamnist__is_ingested_whole(void **state)
{
    SKIP_WITHOUT_DATA("medmnist/pneumoniamnist_28.npz");
    rvl_ingest_result r = ingest_part(state, "medmnist", "pneumoniamnist", 0);
    assert_int_equal(r.n_images, 3882 + 524 + 624);
    assert_int_equal(r.n_patients, r.n_images);
    rvl_cohort   *c = cohort_open(at(*state, "c"));
    rvl_case_list list = cohort_cases(c, "test");
    assert_int_equal(list.n_cases, 624);
    assert_int_equal(count_state(&list, 0, RVL_LABEL_PRESENT), 390); /* MedMNIST: 234 normal, 390 pneumonia */
    assert_int_equal(count_state(&list, 0, RVL_LABEL_ABSENT), 234);
    rvl_case_list_fini(&list);
    list = cohort_cases(c, "val");
    assert_int_equal(list.n_cases, 524);
    rvl_case_list_fini(&list);
    printf("leaks: %lld pixels; duplicates: %lld pixels\n", (long long)r.leak_pixels, (long long)r.duplicate_pixels);
    rvl_cohort_close(c);
}

int main(void)
{
#define FOLDER_TEST(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(nih__is_ingested),
        FOLDER_TEST(cxr_text__is_ingested),
        FOLDER_TEST(pneumoniamnist__is_ingested_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
