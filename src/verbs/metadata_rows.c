/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/metadata_rows.c
 * Cells for the metadata baseline.
 */
#include "verbs/metadata_rows.h"
#include "base/log.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N_OF_CASE = 4 };

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for metadata");
}

rvl_status rvl__metadata_open(rvl_metadata_source *out, const char *path, rvl_error *err)
{
    rvl_status st = RVL_OK;

    out->arena = rvl_arena_new();
    if (!out->arena)
        return no_memory(err);
    if (path)
        st = rvl_csv_load(&out->table, path, 0, err);
    if (!st && path)
        st = rvl__table_index(&out->rows, out->table, 0, err);
    return st;
}

void rvl__metadata_close(rvl_metadata_source *s)
{
    rvl_csv_free(s->table);
    rvl_free(s->rows);
    rvl_arena_free(s->arena);
    memset(s, 0, sizeof *s);
}

/* Room for n rows of `n_own` columns and the table's; names of the table's are filled in. */
static rvl_status make_rows(rvl_metadata *out, const char ***names, const char ***cells, rvl_metadata_source *s,
                            int64_t n, int n_own, rvl_error *err)
{
    const size_t n_table = s->table ? rvl_csv_n_columns(s->table) : 0;
    size_t       n_cells;

    *out = (rvl_metadata){.n = n, .n_columns = n_own};
    for (size_t c = 0; c < n_table; c++)
        out->n_columns += rvl__is_finding_column(s->table, c);
    if (!rvl_mul_size(&n_cells, (size_t)n, (size_t)out->n_columns) || n_cells > SIZE_MAX / sizeof **cells - 1)
        return no_memory(err);
    *names = rvl_arena_alloc(s->arena, ((size_t)out->n_columns + 1) * sizeof **names);
    *cells = rvl_arena_alloc(s->arena, (n_cells + 1) * sizeof **cells);
    if (!*names || !*cells)
        return no_memory(err);
    for (size_t c = 0, j = (size_t)n_own; c < n_table; c++)
        if (rvl__is_finding_column(s->table, c))
            (*names)[j++] = rvl_csv_name(s->table, c);
    out->names = *names;
    out->cells = *cells;
    return RVL_OK;
}

/* The table's cells of one row; NULL: empty. */
static void fill_row(const char **cells, const rvl_metadata_source *s, const rvl_id_row *found)
{
    for (size_t c = 0; s->table && c < rvl_csv_n_columns(s->table); c++)
        if (rvl__is_finding_column(s->table, c))
            *cells++ = found ? rvl_csv_cell(s->table, found->row, c) : "";
}

static void tell_missing(const rvl_metadata_source *s, int64_t n_missing)
{
    if (n_missing > 0)
        rvl_log(RVL_LOG_WARN, "'%s' has no row for %lld cases: their metadata count as empty", rvl_csv_file(s->table),
                (long long)n_missing);
}

rvl_status rvl__metadata_of_ids(rvl_metadata *out, rvl_metadata_source *s, const char *const *ids, int64_t n,
                                rvl_error *err)
{
    const char **names;
    const char **cells;
    int64_t      n_missing = 0;
    rvl_status   st = make_rows(out, &names, &cells, s, n, 0, err);

    for (int64_t i = 0; !st && s->table && i < n; i++) {
        const rvl_id_row *found = rvl__table_find(s->rows, s->table, ids[i]);
        n_missing += !found;
        fill_row(cells + i * out->n_columns, s, found);
    }
    if (!st)
        tell_missing(s, n_missing);
    return st;
}

static const rvl_id_row *row_of_case(const rvl_metadata_source *s, const rvl_case *k)
{
    const char       *path = k->n_images > 0 ? k->image_paths[0] : "";
    const char       *slash = strrchr(path, '/');
    const rvl_id_row *found = s->table ? rvl__table_find(s->rows, s->table, k->case_id) : NULL;

    return !s->table || found ? found : rvl__table_find(s->rows, s->table, slash ? slash + 1 : path);
}

static rvl_status fill_case(const char **cells, rvl_arena *arena, const rvl_case *k, rvl_error *err)
{
    char age[32] = "";
    char n_images[16];
    char view[16];

    if (isfinite(k->age_years))
        snprintf(age, sizeof age, "%.17g", k->age_years);
    snprintf(n_images, sizeof n_images, "%d", k->n_images);
    snprintf(view, sizeof view, "v%d", k->n_images > 0 ? (int)k->views[0] : -1);
    cells[0] = rvl_arena_strndup(arena, age, strlen(age));
    cells[1] = k->sex ? k->sex : "";
    cells[2] = rvl_arena_strndup(arena, view, strlen(view));
    cells[3] = rvl_arena_strndup(arena, n_images, strlen(n_images));
    return cells[0] && cells[2] && cells[3] ? RVL_OK : no_memory(err);
}

rvl_status rvl__metadata_of_cases(rvl_metadata *out, rvl_metadata_source *s, const rvl_case_list *list, rvl_error *err)
{
    static const char *const own[N_OF_CASE] = {"age", "sex", "view", "n_images"};
    const char             **names;
    const char             **cells;
    int64_t                  n_missing = 0;
    rvl_status               st = make_rows(out, &names, &cells, s, list->n_cases, N_OF_CASE, err);

    for (int c = 0; !st && c < N_OF_CASE; c++)
        names[c] = own[c];
    for (int64_t i = 0; !st && i < list->n_cases; i++) {
        const rvl_id_row *found = row_of_case(s, &list->cases[i]);
        n_missing += s->table && !found;
        st = fill_case(cells + i * out->n_columns, s->arena, &list->cases[i], err);
        fill_row(cells + i * out->n_columns + N_OF_CASE, s, found);
    }
    if (!st)
        tell_missing(s, n_missing);
    return st;
}
