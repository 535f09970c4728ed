/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/table_index.c
 * Tables by id.
 */
#include "verbs/table_index.h"
#include "base/alloc.h"
#include <stdlib.h>
#include <string.h>

static int by_id(const void *a, const void *b)
{
    return strcmp(((const rvl_id_row *)a)->id, ((const rvl_id_row *)b)->id);
}

/* Equal ids in the order of the table, so that messages name the first line first. */
static int by_id_then_row(const void *a, const void *b)
{
    const size_t x = ((const rvl_id_row *)a)->row;
    const size_t y = ((const rvl_id_row *)b)->row;
    const int    c = by_id(a, b);
    return c ? c : x < y ? -1 : x > y;
}

/* Rows of `t` sorted by id; empty ids and duplicates are an error. */
rvl_status rvl__table_index(rvl_id_row **out, const rvl_csv *t, int column, rvl_error *err)
{
    const size_t n = rvl_csv_n_rows(t);
    rvl_id_row  *rows = rvl_alloc_array(n + 1, sizeof *rows);

    *out = rows;
    if (!rows)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the rows of a table");
    for (size_t i = 0; i < n; i++)
        rows[i] = (rvl_id_row){rvl_csv_cell(t, i, (size_t)column), i};
    qsort(rows, n, sizeof *rows, by_id_then_row);
    for (size_t i = 1; i < n; i++)
        if (strcmp(rows[i].id, rows[i - 1].id) == 0)
            return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: the id of line %lld stands here again",
                            rvl_csv_file(t), (long long)rvl_csv_line(t, rows[i].row),
                            (long long)rvl_csv_line(t, rows[i - 1].row));
    if (n > 0 && !*rows[0].id)
        return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: the id is empty", rvl_csv_file(t),
                        (long long)rvl_csv_line(t, rows[0].row));
    return RVL_OK;
}

const rvl_id_row *rvl__table_find(const rvl_id_row *rows, const rvl_csv *t, const char *id)
{
    const rvl_id_row key = {id, 0};

    return bsearch(&key, rows, rvl_csv_n_rows(t), sizeof key, by_id);
}

int rvl__patient_column(const rvl_csv *t)
{
    const int column = rvl_csv_column(t, "patient");

    return column >= 0 ? column : rvl_csv_column(t, "patient_id");
}

bool rvl__is_finding_column(const rvl_csv *t, size_t c)
{
    return c > 0 && (int)c != rvl_csv_column(t, "patient") && (int)c != rvl_csv_column(t, "patient_id");
}
