/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/shared.c
 * What parts of a cohort have in common, and what repeats within one.
 */
#include "base/str.h"
#include "cohort/open.h"

/* Whether the column is one of the names in a parameter, by commas; null is every split. */
#define IS_IN(parameter, column)                                                                                       \
    "(" parameter " IS NULL OR instr(',' || " parameter " || ',', ',' || " column " || ',') > 0)"

#define SHARED(kind)                                                                                                   \
    "SELECT count(DISTINCT a.case_id) FROM leaks a JOIN leaks b ON a.kind = b.kind AND a.i_group = b.i_group "         \
    "WHERE a.kind = '" kind "' AND " IS_IN("?1", "a.split") " AND " IS_IN("?2", "b.split")
#define REPEATS(thing, from)                                                                                           \
    "SELECT count(*) - count(DISTINCT " thing ") FROM " from                                                           \
    " JOIN splits s USING (i_study) WHERE " IS_IN("?1", "s.split")

static const char *named(const char *split)
{
    return rvl_str_equal(split, "all") ? NULL : split;
}

static rvl_status count(int64_t *out, rvl_cohort *c, const char *sql, const char *split, const char *other,
                        rvl_error *err)
{
    sqlite3_stmt *query = NULL;
    bool          has_row = false;
    rvl_status    st = rvl__catalogue_query(&query, &c->db, sql, err);

    *out = 0;
    if (!st && (sqlite3_bind_text(query, 1, split, -1, SQLITE_STATIC) != SQLITE_OK ||
                (other && sqlite3_bind_text(query, 2, other, -1, SQLITE_STATIC) != SQLITE_OK)))
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot count shared cases: out of memory");
    if (!st)
        st = rvl__catalogue_step(&has_row, &c->db, query, err);
    if (!st && has_row)
        *out = sqlite3_column_int64(query, 0);
    sqlite3_finalize(query);
    return st;
}

rvl_status rvl_cohort_shared(rvl_cohort_counts *out, rvl_cohort *c, const char *split, const char *other,
                             rvl_error *err)
{
    rvl_status st = count(&out->patients, c, SHARED("patient"), named(split), named(other), err);

    if (!st)
        st = count(&out->pixels, c, SHARED("pixels"), named(split), named(other), err);
    return st ? st : count(&out->texts, c, SHARED("text"), named(split), named(other), err);
}

rvl_status rvl_cohort_repeats(rvl_cohort_counts *out, rvl_cohort *c, const char *split, rvl_error *err)
{
    rvl_status st = count(&out->patients, c, REPEATS("i_patient", "studies"), named(split), NULL, err);

    if (!st)
        st = count(&out->pixels, c, REPEATS("pixel_hash", "(SELECT * FROM images WHERE is_flat = 0)"), named(split),
                   NULL, err);
    return st ? st : count(&out->texts, c, REPEATS("text_hash", "texts"), named(split), NULL, err);
}
