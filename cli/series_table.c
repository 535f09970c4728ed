/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/series_table.c
 * DICOM series as a table: what inspect shows of a folder and convert wrote of it.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/cmd.h"
#include <stdio.h>
#include <string.h>

enum { N_COLUMNS = 7 };

static void text_add(rvl_str *s, const char *text)
{
    rvl_str_add_n(s, text, strlen(text) + 1);
}

/* Reason or notes on one line; hints stay out. */
static void notes_add(rvl_str *s, const json_t *row)
{
    const char   *reason = rvl_json_get_string(row, "reason", "");
    const json_t *notes = json_object_get(row, "notes");
    const json_t *note;
    size_t        i;
    size_t        n = 0;

    rvl_str_add_n(s, reason, strcspn(reason, "\n"));
    n = reason[0] != '\0';
    json_array_foreach((json_t *)notes, i, note)
    {
        if (strcmp(rvl_json_get_string(row, "status", ""), "refused") == 0 &&
            strcmp(rvl_json_get_string(note, "kind", ""), "split") != 0)
            continue; /* the reason says it */
        rvl_str_addf(s, "%s%s", n++ ? "; " : "", rvl_json_get_string(note, "text", ""));
    }
    rvl_str_add_n(s, "", 1);
}

/* Each cell with its NUL, one behind the other. */
static void row_add(rvl_str *s, const json_t *row)
{
    const json_t *shape = json_object_get(row, "shape");
    const json_t *spacing = json_object_get(row, "spacing_mm");
    const json_t *number = json_object_get(row, "series_number");
    rvl_str       cell = {0};

    if (json_is_integer(number))
        rvl_str_addf(&cell, "%lld", (long long)json_integer_value(number));
    else
        rvl_str_add(&cell, "-");
    if (rvl_json_get_i64(row, "parts", 1) > 1)
        rvl_str_addf(&cell, " (%lld/%lld)", (long long)rvl_json_get_i64(row, "part", 1),
                     (long long)rvl_json_get_i64(row, "parts", 1));
    text_add(s, cell.ptr ? cell.ptr : "");
    rvl_str_free(&cell);
    const char *modality = rvl_json_get_string(row, "modality", "");
    text_add(s, modality[0] ? modality : "-");
    rvl_str_addf(s, "%lld x %lld x %lld", (long long)json_integer_value(json_array_get(shape, 0)),
                 (long long)json_integer_value(json_array_get(shape, 1)),
                 (long long)json_integer_value(json_array_get(shape, 2)));
    rvl_str_add_n(s, "", 1);
    if (json_is_array(spacing))
        rvl_str_addf(s, "%.4g x %.4g x %.4g", json_real_value(json_array_get(spacing, 2)),
                     json_real_value(json_array_get(spacing, 1)), json_real_value(json_array_get(spacing, 0)));
    else
        rvl_str_add(s, "-");
    rvl_str_add_n(s, "", 1);
    const char *out = rvl_json_get_string(row, "out", NULL);
    text_add(s, out ? out : rvl_json_get_string(row, "status", ""));
    const char *description = rvl_json_get_string(row, "description", "");
    text_add(s, description[0] ? description : "-");
    notes_add(s, row);
}

/* Each hint of a refused row once. */
static void hints_print(const rvl_cli *cli, const json_t *rows)
{
    const char   *last = "";
    const json_t *row;
    size_t        i;

    json_array_foreach((json_t *)rows, i, row)
    {
        const char *hint = strstr(rvl_json_get_string(row, "reason", ""), "\nhint: ");
        if (!hint || cli->quiet || strcmp(hint, last) == 0)
            continue;
        fprintf(stderr, "%s\n", hint + 1);
        last = hint;
    }
}

int cli_print_series(rvl_cli *cli, const json_t *rows, const json_t *root)
{
    static const char head[] = "series\0modality\0slices x rows x columns\0mm\0result\0description\0notes";
    const int         n_rows = (int)json_array_size(rows) + 1;
    rvl_str           s = {0};
    const char      **cells = rvl_alloc_array((size_t)(n_rows * N_COLUMNS), sizeof *cells);
    const json_t     *skip;
    size_t            i;

    rvl_str_add_n(&s, head, sizeof head);
    for (int r = 0; r + 1 < n_rows; r++)
        row_add(&s, json_array_get(rows, (size_t)r));
    if (s.failed || !cells) {
        rvl_free((void *)cells);
        rvl_str_free(&s);
        rvl_error err = {.code = RVL_ERR_NOMEM, .text = "out of memory for the table"};
        return cli_fail(cli, &err);
    }
    const char *at = s.ptr;
    for (int c = 0; c < n_rows * N_COLUMNS; c++, at += strlen(at) + 1)
        cells[c] = at;
    cli_print_table(cli, n_rows, N_COLUMNS, cells);
    hints_print(cli, rows);
    rvl_free((void *)cells);
    rvl_str_free(&s);
    json_array_foreach(json_object_get(root, "skipped"), i, skip)
    {
        const char *reason = rvl_json_get_string(skip, "reason", "");
        printf("skipped %s: %.*s\n", rvl_json_get_string(skip, "file", ""), (int)strcspn(reason, "\n"), reason);
    }
    if (rvl_json_get_i64(root, "files_not_dicom", 0))
        printf("%lld files are not DICOM\n", (long long)rvl_json_get_i64(root, "files_not_dicom", 0));
    return 0;
}
