/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/output.c
 * What the program prints: results on stdout, everything else on stderr.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "cli/cli.h"
#include <stdio.h>
#include <string.h>

int cli_fail(rvl_cli *cli, const rvl_error *err)
{
    fprintf(stderr, "rvl: %s\n", err->text[0] ? err->text : rvl_status_text(err->code));
    cli->exit_code = rvl_status_exit_code(err->code);
    return cli->exit_code;
}

int cli_usage(rvl_cli *cli, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "rvl: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    cli->exit_code = 2;
    return 2;
}

int cli_print_json(rvl_cli *cli, json_t *json)
{
    char     *text = NULL;
    rvl_error err = {0};
    int       code = 0;

    if (!json)
        rvl_fail(&err, RVL_ERR_NOMEM, "out of memory for the JSON document");
    else if (rvl_json_format(&text, json, 2, &err) == RVL_OK)
        printf("%s\n", text);
    if (err.code)
        code = cli_fail(cli, &err);
    rvl_free(text);
    json_decref(json);
    return code;
}

/* Columns on the terminal of a UTF-8 text. */
static int text_width(const char *s)
{
    int n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

void cli_print_table(const rvl_cli *cli, int n_rows, int n_columns, const char *const *cells)
{
    int width[32] = {0};

    if (n_columns > (int)RVL_ARRAY_LEN(width))
        n_columns = (int)RVL_ARRAY_LEN(width);
    for (int i = 0; i < n_rows * n_columns; i++) {
        int w = text_width(cells[i]);
        if (w > width[i % n_columns])
            width[i % n_columns] = w;
    }
    for (int r = 0; r < n_rows; r++) {
        for (int c = 0; c < n_columns; c++) {
            const char *text = cells[r * n_columns + c];
            bool        last = c + 1 == n_columns;
            if (cli->tsv)
                printf("%s%s", text, last ? "\n" : "\t");
            else
                printf("%s%*s%s", text, last ? 0 : width[c] - text_width(text), "", last ? "\n" : "  ");
        }
    }
}

void cli_done(const rvl_cli *cli, const char *format, ...)
{
    va_list args;
    if (cli->quiet)
        return;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
}
