/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/check.c
 * Is a cohort what it says: checksums, references, case lists, leaks.
 */
#include "base/alloc.h"
#include "base/str.h"
#include "cohort/leakage.h"
#include "cohort/names.h"
#include "cohort/open.h"
#include <string.h>

static rvl_status check_rows(rvl_cohort *c, rvl_error *err)
{
    sqlite3_stmt *query = NULL;
    const void   *codes;
    bool          has_row = true;
    int64_t       expected = 0;
    rvl_status    st =
        rvl__catalogue_query(&query, &c->db, "SELECT pack_row, pixel_hash FROM images ORDER BY pack_row", err);

    while (!st && has_row) {
        st = rvl__catalogue_step(&has_row, &c->db, query, err);
        if (st || !has_row)
            continue;
        int64_t row = sqlite3_column_int64(query, 0);
        st = rvl_cohort_pack_row(&codes, c, row, err);
        rvl_cohort_pack_done(c, row);
        if (!st && (row != expected || (uint64_t)sqlite3_column_int64(query, 1) != rvl__pack_checksum(&c->pack, row)))
            st = rvl_fail(err, RVL_ERR_STATE, "pack row %lld is not the image that cohort.db names", (long long)row);
        expected++;
    }
    sqlite3_finalize(query);
    if (!st && expected != c->pack.n_rows)
        st = rvl_fail(err, RVL_ERR_STATE, "the pack has %lld rows, cohort.db names %lld", (long long)c->pack.n_rows,
                      (long long)expected);
    return st;
}

static rvl_status check_references(rvl_cohort *c, rvl_error *err)
{
    static const char *const sql[] = {
        "SELECT count(*) FROM pragma_foreign_key_check",
        "SELECT count(*) FROM studies WHERE i_study NOT IN (SELECT i_study FROM splits)",
        "SELECT count(*) FROM studies WHERE i_study NOT IN (SELECT i_study FROM images)",
    };
    static const char *const what[] = {"references to rows that are not there", "studies without a split",
                                       "studies without an image"};
    rvl_status               st = RVL_OK;

    for (size_t i = 0; !st && i < RVL_ARRAY_LEN(sql); i++) {
        int64_t n;
        st = rvl__catalogue_i64(&n, &c->db, sql[i], err);
        if (!st && n)
            st = rvl_fail(err, RVL_ERR_STATE, "cohort.db has %lld %s", (long long)n, what[i]);
    }
    return st;
}

/** The list of `split` must be what the catalogue says, byte for byte. */
static rvl_status check_list(rvl_cohort *c, const rvl_case_list *list, const char *split, rvl_error *err)
{
    rvl_str    name = {0}, expected = {0};
    char      *text = NULL;
    size_t     n_bytes = 0;
    rvl_status st;

    for (int64_t i = 0; i < list->n_cases; i++) {
        if (strcmp(list->cases[i].split, split) == 0)
            rvl_str_addf(&expected, "%s\n", list->cases[i].case_id);
    }
    rvl_str_addf(&name, "%s/cases-%s.txt", c->path, split);
    if (name.failed || expected.failed)
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    else
        st = rvl_file_read(&text, &n_bytes, name.ptr, 0, err);
    if (!st && (n_bytes != expected.n_bytes || memcmp(text, expected.ptr, n_bytes) != 0))
        st = rvl_fail(err, RVL_ERR_STATE, "'cases-%s.txt' is not the list of cohort.db", split);
    rvl_free(text);
    rvl_str_free(&expected);
    rvl_str_free(&name);
    return st;
}

static rvl_status check_lists(rvl_cohort *c, rvl_error *err)
{
    rvl_case_list list;
    rvl__names    splits = {0};
    int64_t       i_split;
    bool          is_new;
    rvl_status    st = rvl_cohort_cases(&list, c, NULL, err);

    for (int64_t i = 0; !st && i < list.n_cases; i++) {
        st = rvl__names_add(&i_split, &is_new, &splits, list.cases[i].split, err);
        if (!st && is_new)
            st = check_list(c, &list, list.cases[i].split, err);
    }
    rvl__names_fini(&splits);
    rvl_case_list_fini(&list);
    return st;
}

static rvl_status check_leaks(rvl_cohort *c, const rvl_ingest_result *counts, rvl_error *err)
{
    char      *allowed = NULL;
    rvl_status st = rvl__catalogue_meta(&allowed, &c->db, "allow_patient_leaks", err);

    if (!st && counts->leak_patients && !rvl_str_equal(allowed, "1"))
        st = rvl_fail(err, RVL_ERR_STATE,
                      "%lld patients are in more than one split\nhint: split by patient (--split-ratio), or say "
                      "'allow_patient_leaks: true' in the map",
                      (long long)counts->leak_patients);
    rvl_free(allowed);
    return st;
}

rvl_status rvl_cohort_check(rvl_ingest_result *out, const char *path, rvl_error *err)
{
    rvl_cohort *c = NULL;
    rvl_status  st = rvl_cohort_open(&c, path, err);

    *out = (rvl_ingest_result){0};
    if (st)
        return st;
    st = rvl__leakage_count(out, &c->db, err);
    if (!st)
        st = check_rows(c, err);
    if (!st)
        st = check_references(c, err);
    if (!st)
        st = check_lists(c, err);
    if (!st)
        st = check_leaks(c, out, err);
    if (st)
        rvl_error_prefix(err, "cohort '%s'", path);
    if (st == RVL_ERR_FORMAT)
        st = RVL_ERR_STATE;
    rvl_cohort_close(c);
    return st;
}
