/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_cohort_shard.c
 * A cohort put together from shards is the cohort made at once; what is missing or of another ingest is refused, and
 * nothing is begun then.
 */
#include "cohort_fixture.h"
#include "cohort/catalogue.h"
#include "cohort/shard.h"
#include "volume_fixture.h"

#define N 11

static int volumes_make(void **state)
{
    if (folder_make(state) || !chest_folder(*state, N))
        return -1;
    write_text(*state, "map.yaml",
               "table: table.csv\nmodality: ct\nschema: chexpert-14\n"
               "columns: {image: volume, patient: patient, split: split, findings: findings}\n"
               "labels: {pleural_effusion: effusion}\n"
               "preprocess: {depth: 10, height: 16, width: 18, spacing: [18, 18, 28], orient: LPS, window: fixed, "
               "window_low: -1000, window_high: 200}\n");
    write_text(*state, "ct2.nii.gz", "no volume"); /* a failure in the first shard and one in the last */
    remove(at(*state, "ct9.nii.gz"));
    return 0;
}

static rvl_ingest_opts shard_opts(const char *folder, const char *out, int i, int n)
{
    rvl_ingest_opts opts = ingest_opts(folder, out);

    opts.shard = i;
    opts.n_shards = n;
    return opts;
}

/* All rows of the tables but meta and packs, as text. */
static char *dump(const char *cohort)
{
    static const char *const tables[] = {"patients", "studies", "series", "images",   "reports",
                                         "texts",    "labels",  "splits", "failures", "leaks"};
    rvl__catalogue           db;
    rvl_str                  text = {0};
    char                     path[PATH_BYTES], sql[64];

    OK(rvl__catalogue_open_immutable(&db, path_in(path, cohort, "cohort.db"), &err));
    for (size_t t = 0; t < RVL_ARRAY_LEN(tables); t++) {
        sqlite3_stmt *query = NULL;
        bool          has_row = true;
        snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY 1, 2", tables[t]);
        OK(rvl__catalogue_query(&query, &db, sql, &err));
        while (has_row) {
            OK(rvl__catalogue_step(&has_row, &db, query, &err));
            for (int i = 0; has_row && i < sqlite3_column_count(query); i++)
                rvl_str_addf(&text, "%s|", rvl__catalogue_text(query, i));
            rvl_str_add(&text, "\n");
        }
        sqlite3_finalize(query);
    }
    rvl__catalogue_close(&db);
    assert_false(text.failed);
    return text.ptr;
}

static void shards__make_the_cohort_that_one_ingest_makes(void **state)
{
    const char *dir = *state;
    char        whole[PATH_BYTES], parts[PATH_BYTES], below[PATH_BYTES];

    path_in(whole, dir, "whole");
    path_in(parts, dir, "parts");
    rvl_ingest_result a = ingest_ok(ingest_opts(dir, whole));
    int64_t           n_images = 0;
    for (int i = 3; i >= 1; i--) /* in any order */
        n_images += ingest_ok(shard_opts(dir, parts, i, 3)).n_images;
    assert_int_equal(n_images, N - 2);
    ingest_ok(shard_opts(dir, parts, 2, 3)); /* nothing to do */
    rvl_ingest_result b = ingest_ok(ingest_opts(dir, parts));
    assert_memory_equal(&a, &b, sizeof a);
    same_folder(whole, parts);
    char *x = dump(whole), *y = dump(parts);
    assert_string_equal(x, y);
    rvl_free(x);
    rvl_free(y);
    assert_false(rvl_path_exists(path_in(below, parts, "shards")));
    OK(rvl_cohort_check(&b, parts, &err));
    ingest_fails(shard_opts(dir, parts, 1, 3), RVL_ERR_STATE, "its ingest has begun");
}

static void shards__that_are_missing_are_asked_for(void **state)
{
    const char *dir = *state;
    char        out[PATH_BYTES], below[PATH_BYTES];

    path_in(out, dir, "c");
    ingest_ok(shard_opts(dir, out, 1, 3));
    ingest_ok(shard_opts(dir, out, 3, 3));
    ingest_fails(ingest_opts(dir, out), RVL_ERR_STATE, "shard 2 of 3");
    ingest_ok(shard_opts(dir, out, 2, 3)); /* the refusal began nothing */
    ingest_ok(shard_opts(dir, out, 1, 2));
    ingest_fails(ingest_opts(dir, out), RVL_ERR_STATE, "shards of");
    OK(rvl_dir_remove(path_in(below, out, "shards/1-of-2"), &err));
    assert_int_equal(ingest_ok(ingest_opts(dir, out)).n_images, N - 2);
}

static void shards__of_another_ingest_are_refused(void **state)
{
    const char     *dir = *state;
    char            out[PATH_BYTES];
    rvl_ingest_opts other;

    path_in(out, dir, "c");
    for (int i = 1; i <= 2; i++) {
        other = shard_opts(dir, out, i, 2);
        other.seed = 1;
        ingest_ok(other);
    }
    ingest_fails(ingest_opts(dir, out), RVL_ERR_STATE, "another table, map or options");
}

static void shards__that_are_not_finished_are_refused(void **state)
{
    const char    *dir = *state;
    char           out[PATH_BYTES], below[PATH_BYTES];
    rvl__catalogue db;

    path_in(out, dir, "c");
    ingest_ok(shard_opts(dir, out, 1, 1));
    OK(rvl__catalogue_open(&db, path_in(below, out, "shards/1-of-1/cohort.db"), &err));
    OK(rvl__catalogue_put(&db, &err, RVL__PUT_META, "state", "ingesting"));
    OK(rvl__catalogue_checkpoint(&db, &err));
    rvl__catalogue_close(&db);
    ingest_fails(ingest_opts(dir, out), RVL_ERR_STATE, "not finished");
    ingest_ok(shard_opts(dir, out, 1, 1)); /* goes on where it was */
    assert_int_equal(ingest_ok(ingest_opts(dir, out)).n_images, N - 2);
}

static void range__covers_every_row_once(void **state)
{
    (void)state;
    for (int64_t n_rows = 1; n_rows < 30; n_rows++)
        for (int n = 1; n < 12; n++) {
            int64_t first, end, next = 0;
            for (int i = 1; i <= n; i++) {
                rvl__shard_range(&first, &end, n_rows, i, n);
                assert_int_equal(first, next);
                assert_in_range(end - first, n_rows / n, n_rows / n + 1);
                next = end;
            }
            assert_int_equal(next, n_rows);
        }
}

static void options__that_name_no_shard_are_refused(void **state)
{
    const char *dir = *state;

    ingest_fails(shard_opts(dir, at(dir, "c"), 0, 3), RVL_ERR_USAGE, "1/n to n/n");
    ingest_fails(shard_opts(dir, at(dir, "c"), 4, 3), RVL_ERR_USAGE, "1/n to n/n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shards__make_the_cohort_that_one_ingest_makes, volumes_make, folder_remove),
        cmocka_unit_test_setup_teardown(shards__that_are_missing_are_asked_for, volumes_make, folder_remove),
        cmocka_unit_test_setup_teardown(shards__of_another_ingest_are_refused, volumes_make, folder_remove),
        cmocka_unit_test_setup_teardown(shards__that_are_not_finished_are_refused, volumes_make, folder_remove),
        cmocka_unit_test(range__covers_every_row_once),
        cmocka_unit_test_setup_teardown(options__that_name_no_shard_are_refused, volumes_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
