/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/leakage.c
 * Leaks are found by grouping in SQL. Constant images are left out: they are equal without being copies.
 */
#include "cohort/leakage.h"
#include "base/str.h"
#include "base/util.h"
#include <string.h>

rvl_status rvl__leakage_text_hash(int64_t *out, const char *const text[RVL_SECTION_COUNT], rvl_error *err)
{
    static const rvl_section used[] = {RVL_SECTION_FINDINGS, RVL_SECTION_IMPRESSION, RVL_SECTION_OTHER};
    rvl_str                  s = {0};
    bool                     is_failed;

    for (size_t i = 0; i < RVL_ARRAY_LEN(used); i++) {
        for (const char *p = text[used[i]]; p && *p; p++) {
            char c = *p;
            c = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
            bool is_kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
            if (is_kept)
                rvl_str_add_n(&s, &c, 1);
            else if (s.n_bytes && s.ptr[s.n_bytes - 1] != ' ')
                rvl_str_add(&s, " ");
        }
        if (s.n_bytes && s.ptr[s.n_bytes - 1] != ' ')
            rvl_str_add(&s, " ");
    }
    *out = s.n_bytes ? (int64_t)rvl_hash64(s.ptr, s.n_bytes) : 0;
    is_failed = s.failed;
    rvl_str_free(&s);
    return is_failed ? rvl_fail(err, RVL_ERR_NOMEM, "cannot compare reports: out of memory") : RVL_OK;
}

/* Every study with the value that two splits must not share. */
#define PIXELS "SELECT DISTINCT pixel_hash AS v, i_study FROM images WHERE is_flat = 0"
#define TEXTS "SELECT text_hash AS v, i_study FROM texts"
#define PATIENTS "SELECT i_patient AS v, i_study FROM studies"
#define LEAKED(values)                                                                                                 \
    "SELECT v, min(i_study) AS first FROM (" values ") JOIN splits USING(i_study) GROUP BY v "                         \
    "HAVING count(DISTINCT split) > 1"
/* One row a study; groups are numbered by their first study. */
#define INSERT_LEAKS(kind, values)                                                                                     \
    "INSERT INTO leaks SELECT '" kind "', g.n, case_id, split FROM "                                                   \
    "(SELECT v, row_number() OVER (ORDER BY first, v) AS n FROM (" LEAKED(                                             \
        values) ")) AS g "                                                                                             \
                "JOIN (" values ") AS m ON m.v = g.v JOIN studies USING(i_study) JOIN splits USING(i_study) "          \
                "ORDER BY g.n, i_study;"

rvl_status rvl__leakage_write(rvl__catalogue *c, rvl_error *err)
{
    return rvl__catalogue_exec(c,
                               "DELETE FROM leaks;" INSERT_LEAKS("patient", PATIENTS) INSERT_LEAKS("pixels", PIXELS)
                                   INSERT_LEAKS("text", TEXTS),
                               err);
}

rvl_status rvl__leakage_count(rvl_ingest_result *out, rvl__catalogue *c, rvl_error *err)
{
    const struct {
        int64_t    *n;
        const char *sql;
    } counts[] = {
        {&out->n_rows, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'n_rows'"},
        {&out->n_empty_reports, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'n_empty_reports'"},
        {&out->n_patients, "SELECT count(*) FROM patients"},
        {&out->n_studies, "SELECT count(*) FROM studies"},
        {&out->n_images, "SELECT count(*) FROM images"},
        {&out->n_reports, "SELECT count(DISTINCT i_study) FROM reports"},
        {&out->n_labels, "SELECT count(*) FROM labels"},
        {&out->n_failed, "SELECT count(*) FROM failures"},
        {&out->n_flat, "SELECT count(*) FROM images WHERE is_flat = 1"},
        {&out->leak_patients, "SELECT count(*) FROM (" LEAKED(PATIENTS) ")"},
        {&out->leak_pixels, "SELECT count(*) FROM (" LEAKED(PIXELS) ")"},
        {&out->leak_texts, "SELECT count(*) FROM (" LEAKED(TEXTS) ")"},
        {&out->duplicate_pixels, "SELECT count(*) - count(DISTINCT pixel_hash) FROM images WHERE is_flat = 0"},
        {&out->duplicate_texts, "SELECT count(*) - count(DISTINCT text_hash) FROM texts"},
    };
    rvl_status st = RVL_OK;

    for (size_t i = 0; !st && i < RVL_ARRAY_LEN(counts); i++)
        st = rvl__catalogue_i64(counts[i].n, c, counts[i].sql, err);
    return st;
}
