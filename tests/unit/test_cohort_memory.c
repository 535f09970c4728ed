/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_cohort_memory.c
 * Whatever allocation fails: a status comes back, nothing leaks, and the next run ends as usual.
 */
#include "cohort_fixture.h"
#include "cohort/loader.h"

static rvl_status whole_way(const char *dir, const char *out, rvl_error *err)
{
    rvl_ingest_opts   opts = ingest_opts(dir, out);
    rvl_ingest_result r;
    rvl_cohort       *c = NULL;
    rvl_case_list     list = {0};
    rvl_loader       *l = NULL;
    rvl_batch         b;
    rvl_status        st = rvl_cohort_ingest(&r, &opts, err);

    if (!st)
        st = rvl_cohort_check(&r, out, err);
    if (!st)
        st = rvl_cohort_open(&c, out, err);
    if (!st)
        st = rvl_cohort_cases(&list, c, "all", err);
    if (!st)
        st = rvl_loader_new(&l, c, &list, (rvl_loader_opts){.batch_size = 2, .n_threads = 0}, err);
    if (!st)
        st = rvl_loader_next(l, &b, err);
    rvl_loader_free(l);
    rvl_case_list_fini(&list);
    rvl_cohort_close(c);
    return st;
}

static void cohort__survives_any_failed_allocation(void **state)
{
    const char *dir = *state;
    char        whole[PATH_BYTES], cut[PATH_BYTES];
    rvl_error   err = {0};
    uint64_t    n_total;

    write_images(dir, 3, 12);
    write_text(dir, "t.csv",
               "path,pat,report,pneu\n"
               "img0.png,A,FINDINGS: Clear. IMPRESSION: Normal.,0\n"
               "img1.png,B,Left effusion.,1\n"
               "img2.png,A,,5\n");
    write_text(dir, "map.yaml",
               "table: t.csv\nmodality: cxr\nschema: pneumonia-1\nlabels: {pneumonia: pneu}\n"
               "columns: {image: path, patient: pat, report: report}\npreprocess: {height: 8, width: 8}\n");
    path_in(whole, dir, "whole");
    path_in(cut, dir, "cut");
    uint64_t before = rvl_alloc_get_stats().n_calls;
    assert_int_equal(whole_way(dir, whole, &err), RVL_OK);
    n_total = rvl_alloc_get_stats().n_calls - before;
    assert_true(n_total > 100);
    for (uint64_t n = 1; n <= n_total; n++) {
        size_t live_bytes = rvl_alloc_get_stats().live_bytes;
        rvl_alloc_fail_at(n);
        rvl_status st = whole_way(dir, cut, &err);
        rvl_alloc_fail_at(0);
        if (st != RVL_OK && st != RVL_ERR_NOMEM)
            fail_msg("allocation %llu: status %d, '%s'", (unsigned long long)n, (int)st, err.text);
        assert_int_equal(rvl_alloc_get_stats().live_bytes, live_bytes);
        if (n % 5 == 0) { /* start anew now and then, else go on with what is there */
            assert_int_equal(whole_way(dir, cut, &err), RVL_OK);
            same_folder(whole, cut);
            assert_int_equal(rvl_dir_remove(cut, &err), RVL_OK);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cohort__survives_any_failed_allocation, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
