/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/cases.c
 * Case lists: the studies of a split with their images, texts and labels.
 */
#include "base/alloc.h"
#include "base/str.h"
#include "cohort/open.h"
#include <math.h>
#include <string.h>

typedef struct {
    rvl_case_list *list;
    rvl_arena     *arena;
    rvl_cohort    *c;
    const char    *split; /* one or several, by commas; NULL: all */
    int64_t       *i_study;
} lister;

static const char *arena_text(lister *l, sqlite3_stmt *query, int column)
{
    const char *text = rvl__catalogue_text(query, column);

    return rvl_arena_strndup(l->arena, text, strlen(text));
}

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot list cases: out of memory");
}

/* Studies of a split: ?1 its name, or null for all; ?2 the source of the labels, without which a study is not listed.
 */
static const char of_split[] = "(SELECT i_study, split FROM splits"
                               " WHERE ?1 IS NULL OR split = ?1 OR instr(',' || ?1 || ',', ',' || split || ',') > 0)";
static const char of_labelled[] =
    "(SELECT i_study, split FROM splits WHERE i_study IN (SELECT i_study FROM report_labels WHERE source = ?2)"
    " AND (?1 IS NULL OR split = ?1 OR instr(',' || ?1 || ',', ',' || split || ',') > 0))";

/** Run the query `head` (studies) `tail` and give each row to `take`. */
static rvl_status list_rows(lister *l, const char *head, const char *tail,
                            rvl_status (*take)(lister *, sqlite3_stmt *, rvl_error *), rvl_error *err)
{
    const char   *source = l->c->label_source;
    sqlite3_stmt *query = NULL;
    bool          has_row = true;
    rvl_str       sql = {0};

    rvl_str_add(&sql, head);
    rvl_str_add(&sql, source ? of_labelled : of_split);
    rvl_str_add(&sql, tail);
    rvl_status st = sql.failed ? no_memory(err) : rvl__catalogue_query(&query, &l->c->db, sql.ptr, err);
    if (!st && sqlite3_bind_text(query, 1, l->split, -1, SQLITE_STATIC) != SQLITE_OK)
        st = no_memory(err);
    if (!st && source && sqlite3_bind_text(query, 2, source, -1, SQLITE_STATIC) != SQLITE_OK)
        st = no_memory(err);
    while (!st && has_row) {
        st = rvl__catalogue_step(&has_row, &l->c->db, query, err);
        if (!st && has_row)
            st = take(l, query, err);
    }
    sqlite3_finalize(query);
    rvl_str_free(&sql);
    return st;
}

/** Index of the case of study `i_study`; cases are sorted by it. */
static int64_t case_find(const lister *l, int64_t i_study)
{
    int64_t low = 0, high = l->list->n_cases;

    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (l->i_study[middle] < i_study)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static rvl_status take_study(lister *l, sqlite3_stmt *query, rvl_error *err)
{
    rvl_case *k = &l->list->cases[l->list->n_cases];

    l->i_study[l->list->n_cases++] = sqlite3_column_int64(query, 0);
    k->case_id = arena_text(l, query, 1);
    k->patient_id = arena_text(l, query, 2);
    k->split = arena_text(l, query, 3);
    k->sex = arena_text(l, query, 4);
    k->age_years = sqlite3_column_type(query, 5) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(query, 5);
    int n = sqlite3_column_int(query, 6);
    k->image_rows = rvl_arena_alloc(l->arena, (size_t)n * sizeof *k->image_rows);
    k->views = rvl_arena_alloc(l->arena, (size_t)n * sizeof *k->views);
    k->image_paths = rvl_arena_alloc(l->arena, (size_t)n * sizeof *k->image_paths);
    if (l->c->schema) {
        k->labels = rvl_arena_alloc(l->arena, (size_t)rvl_schema_count(l->c->schema));
        if (!k->labels)
            return no_memory(err);
    }
    bool is_ok = k->case_id && k->patient_id && k->split && k->sex && k->image_rows && k->views && k->image_paths;
    return is_ok ? RVL_OK : no_memory(err);
}

static rvl_status take_image(lister *l, sqlite3_stmt *query, rvl_error *err)
{
    rvl_case   *k = &l->list->cases[case_find(l, sqlite3_column_int64(query, 0))];
    const char *path = arena_text(l, query, 3);

    ((int64_t *)k->image_rows)[k->n_images] = sqlite3_column_int64(query, 1);
    ((rvl_view *)k->views)[k->n_images] = rvl_view_parse(rvl__catalogue_text(query, 2));
    ((const char **)k->image_paths)[k->n_images] = path;
    k->n_images++;
    return path ? RVL_OK : no_memory(err);
}

static rvl_status take_report(lister *l, sqlite3_stmt *query, rvl_error *err)
{
    rvl_case   *k = &l->list->cases[case_find(l, sqlite3_column_int64(query, 0))];
    const char *section = rvl__catalogue_text(query, 1);

    for (int s = 0; s < RVL_SECTION_COUNT; s++) {
        if (strcmp(section, rvl_section_text((rvl_section)s)) == 0) {
            k->sections[s] = arena_text(l, query, 2);
            return k->sections[s] ? RVL_OK : no_memory(err);
        }
    }
    return rvl_fail(err, RVL_ERR_FORMAT, "cohort.db has a report section '%.32s'", section);
}

static rvl_status take_label(lister *l, sqlite3_stmt *query, rvl_error *err)
{
    rvl_case   *k = &l->list->cases[case_find(l, sqlite3_column_int64(query, 0))];
    const char *finding = rvl__catalogue_text(query, 1);
    int         i = l->c->schema ? rvl_schema_index(l->c->schema, finding) : -1;
    int         state = sqlite3_column_int(query, 2);

    if (i < 0 || state < RVL_LABEL_NOT_MENTIONED || state > RVL_LABEL_UNCERTAIN)
        return rvl_fail(err, RVL_ERR_FORMAT, "cohort.db has a label '%.64s' = %d outside its schema", finding, state);
    ((uint8_t *)k->labels)[i] = (uint8_t)state;
    return RVL_OK;
}

/** NOT_FOUND with the splits there are. */
static rvl_status no_cases(rvl_cohort *c, const char *split, size_t n_bytes, rvl_error *err)
{
    sqlite3_stmt *query = NULL;
    rvl_str       known = {0};
    bool          has_row = true;
    rvl_status    st =
        rvl__catalogue_query(&query, &c->db, "SELECT split, count(*) FROM splits GROUP BY split ORDER BY split", err);

    while (!st && has_row) {
        st = rvl__catalogue_step(&has_row, &c->db, query, err);
        if (!st && has_row)
            rvl_str_addf(&known, "%s%s (%d)", known.n_bytes ? ", " : "", rvl__catalogue_text(query, 0),
                         sqlite3_column_int(query, 1));
    }
    sqlite3_finalize(query);
    if (!st)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "cohort '%s' has no cases in split '%.*s'\nhint: it has %s", c->path,
                      split ? (int)n_bytes : 3, split ? split : "all", known.n_bytes ? known.ptr : "none at all");
    rvl_str_free(&known);
    return st;
}

static rvl_status list_all(lister *l, rvl_error *err)
{
    const bool  is_read = l->c->label_source != NULL;
    const char *labels = is_read ? "SELECT i_study, finding, state FROM report_labels JOIN "
                                 : "SELECT i_study, finding, state FROM labels JOIN ";
    rvl_status  st = list_rows(l,
                               "SELECT i_study, case_id, patient_id, split, sex, age_years,"
                                " (SELECT count(*) FROM images WHERE images.i_study = studies.i_study)"
                                " FROM studies JOIN ",
                               " USING(i_study) JOIN patients USING(i_patient) ORDER BY i_study", take_study, err);

    if (!st)
        st = list_rows(l, "SELECT i_study, pack_row, view, path FROM images JOIN ", " USING(i_study) ORDER BY pack_row",
                       take_image, err);
    if (!st)
        st = list_rows(l, "SELECT i_study, section, text FROM reports JOIN ", " USING(i_study)", take_report, err);
    if (!st)
        st = list_rows(l, labels, is_read ? " USING(i_study) WHERE source = ?2" : " USING(i_study)", take_label, err);
    return st;
}

static bool has_split(const rvl_case_list *list, const char *name, size_t n_bytes)
{
    for (int64_t i = 0; i < list->n_cases; i++)
        if (strncmp(list->cases[i].split, name, n_bytes) == 0 && list->cases[i].split[n_bytes] == '\0')
            return true;
    return false;
}

/** Every split that is named must have cases: a misspelt fold shall not shrink a training set in silence. */
static rvl_status check_names(const lister *l, rvl_error *err)
{
    if (l->list->n_cases == 0)
        return no_cases(l->c, l->split, strlen(l->split ? l->split : ""), err);
    if (!l->split || has_split(l->list, l->split, strlen(l->split)))
        return RVL_OK;
    for (const char *name = l->split; name;) {
        const char *comma = strchr(name, ',');
        size_t      n_bytes = comma ? (size_t)(comma - name) : strlen(name);
        if (!has_split(l->list, name, n_bytes))
            return no_cases(l->c, name, n_bytes, err);
        name = comma ? comma + 1 : NULL;
    }
    return RVL_OK;
}

rvl_status rvl_cohort_cases(rvl_case_list *out, rvl_cohort *c, const char *split, rvl_error *err)
{
    int64_t    n = 0;
    lister     l = {.list = out, .c = c, .split = split && strcmp(split, "all") != 0 ? split : NULL};
    rvl_status st = rvl__catalogue_i64(&n, &c->db, "SELECT count(*) FROM studies", err);

    *out = (rvl_case_list){0};
    if (st)
        return st;
    l.arena = rvl_arena_new();
    out->owner = l.arena;
    out->cases = rvl_alloc_array((size_t)n + 1, sizeof *out->cases);
    l.i_study = rvl_alloc_array((size_t)n + 1, sizeof *l.i_study);
    st = l.arena && out->cases && l.i_study ? list_all(&l, err) : no_memory(err);
    if (!st)
        st = check_names(&l, err);
    rvl_free(l.i_study);
    if (st)
        rvl_case_list_fini(out);
    return st;
}

void rvl_case_list_fini(rvl_case_list *list)
{
    rvl_arena_free(list->owner);
    rvl_free(list->cases);
    *list = (rvl_case_list){0};
}
