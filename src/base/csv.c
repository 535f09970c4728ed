/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/csv.c
 * Tables through libcsv (strict). Cells are offsets into one text; each row knows its line.
 */
#include "base/csv.h"
#include "base/alloc.h"
#include "base/file.h"

#include <csv.h>
#include <string.h>

#include "base/banned.h"

#define CSV_DEFAULT_BYTES_MAX ((size_t)1 << 30)
#define CSV_COLUMNS_MAX 4096
#define HINT_DISTANCE_MAX 3
#define BOM "\xef\xbb\xbf"

struct rvl_csv {
    char    *file;
    rvl_str  text;  /* all cells, each with its NUL, the header first */
    size_t  *cells; /* offsets into text: n_columns of the header, then row after row */
    int64_t *lines; /* of each row, the header first */
    size_t   n_cells, cells_capacity, n_lines, lines_capacity, n_columns;
};

typedef struct {
    rvl_csv   *csv;
    size_t     n_fields; /* of the row being read */
    int64_t    line;     /* where the row being read starts */
    bool       in_row;   /* a quoted field runs over the end of the line */
    rvl_status st;
    rvl_error *err;
} builder;

static int no_space(unsigned char c)
{
    (void)c;
    return 0;
}

static void *csv_realloc(void *ptr, size_t n_bytes)
{
    return rvl_realloc_array(ptr, n_bytes, 1);
}

static rvl_status csv_nomem(const char *file, rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot read table '%s': out of memory", file);
}

static void field_end(void *bytes, size_t n_bytes, void *data)
{
    builder *b = data;
    rvl_csv *csv = b->csv;

    if (b->st)
        return;
    if (csv->n_cells == csv->cells_capacity) {
        size_t  capacity = csv->cells_capacity ? csv->cells_capacity * 2 : 256;
        size_t *cells = rvl_realloc_array(csv->cells, capacity, sizeof *cells);
        if (!cells) {
            b->st = csv_nomem(csv->file, b->err);
            return;
        }
        csv->cells = cells;
        csv->cells_capacity = capacity;
    }
    csv->cells[csv->n_cells++] = csv->text.n_bytes;
    rvl_str_add_n(&csv->text, bytes, n_bytes);
    rvl_str_add_n(&csv->text, "", 1);
    if (csv->text.failed)
        b->st = csv_nomem(csv->file, b->err);
    else if (++b->n_fields > CSV_COLUMNS_MAX)
        b->st = rvl_fail(b->err, RVL_ERR_LIMIT, "table '%s' line %lld: more than %d columns", csv->file,
                         (long long)b->line, CSV_COLUMNS_MAX);
}

static rvl_status header_check(const rvl_csv *csv, int64_t line, rvl_error *err)
{
    for (size_t i = 0; i < csv->n_columns; i++) {
        const char *name = rvl_csv_name(csv, i);
        if (!*name)
            return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: column %zu has no name", csv->file,
                            (long long)line, i + 1);
        for (size_t j = 0; j < i; j++)
            if (strcmp(name, rvl_csv_name(csv, j)) == 0)
                return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: two columns are called '%s'", csv->file,
                                (long long)line, name);
    }
    return RVL_OK;
}

static void row_end(int c, void *data)
{
    builder *b = data;
    rvl_csv *csv = b->csv;

    (void)c;
    b->in_row = false;
    if (b->st)
        return;
    if (csv->n_lines == csv->lines_capacity) {
        size_t   capacity = csv->lines_capacity ? csv->lines_capacity * 2 : 64;
        int64_t *lines = rvl_realloc_array(csv->lines, capacity, sizeof *lines);
        if (!lines) {
            b->st = csv_nomem(csv->file, b->err);
            return;
        }
        csv->lines = lines;
        csv->lines_capacity = capacity;
    }
    csv->lines[csv->n_lines++] = b->line;
    if (csv->n_lines == 1) {
        csv->n_columns = b->n_fields;
        b->st = header_check(csv, b->line, b->err);
    } else if (b->n_fields != csv->n_columns) {
        b->st = rvl_fail(b->err, RVL_ERR_FORMAT, "table '%s' line %lld: %zu fields, the header has %zu", csv->file,
                         (long long)b->line, b->n_fields, csv->n_columns);
    }
    b->n_fields = 0;
}

/** Feed line by line, so that each row can be given the line where it starts. */
static rvl_status lines_feed(struct csv_parser *parser, builder *b, const char *text, size_t n_bytes)
{
    int64_t line = 1;

    for (size_t i = 0; i < n_bytes; line++) {
        const char *end = memchr(text + i, '\n', n_bytes - i);
        size_t      n = end ? (size_t)(end - (text + i)) + 1 : n_bytes - i;
        if (!b->in_row)
            b->line = line;
        b->in_row = b->in_row || (text[i] != '\n' && text[i] != '\r');
        size_t n_read = csv_parse(parser, text + i, n, field_end, row_end, b);
        if (b->st)
            return b->st;
        if (n_read != n && csv_error(parser) == CSV_EPARSE)
            return rvl_fail(b->err, RVL_ERR_FORMAT, "table '%s' line %lld: a quote in the wrong place", b->csv->file,
                            (long long)line);
        if (n_read != n)
            return csv_nomem(b->csv->file, b->err);
        i += n;
    }
    if (csv_fini(parser, field_end, row_end, b) != 0) {
        if (csv_error(parser) != CSV_EPARSE)
            return csv_nomem(b->csv->file, b->err);
        return rvl_fail(b->err, RVL_ERR_FORMAT, "table '%s' line %lld: a quote is never closed", b->csv->file,
                        (long long)b->line);
    }
    return b->st;
}

static int64_t line_of(const char *text, size_t offset)
{
    int64_t line = 1;

    for (size_t i = 0; i < offset; i++)
        line += text[i] == '\n';
    return line;
}

static rvl_status bytes_check(const char *text, size_t n_bytes, const char *name, rvl_error *err)
{
    size_t      bad;
    const char *nul = n_bytes ? memchr(text, 0, n_bytes) : NULL;

    if (nul)
        return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: a NUL byte", name,
                        (long long)line_of(text, (size_t)(nul - text)));
    if (rvl_utf8_valid(text, n_bytes, &bad))
        return RVL_OK;
    return rvl_fail(err, RVL_ERR_FORMAT,
                    "table '%s' line %lld: byte 0x%02x at offset %zu is not UTF-8\nhint: save the table as UTF-8", name,
                    (long long)line_of(text, bad), (unsigned char)text[bad], bad);
}

rvl_status rvl_csv_parse(rvl_csv **out, const char *text, size_t n_bytes, const char *name, rvl_error *err)
{
    struct csv_parser parser;

    *out = NULL;
    rvl_status st = bytes_check(text, n_bytes, name, err);
    if (st)
        return st;
    rvl_csv *csv = rvl_alloc_array(1, sizeof *csv);
    if (csv)
        csv->file = rvl_strdup(name);
    if (!csv || !csv->file || csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        rvl_csv_free(csv);
        return csv_nomem(name, err);
    }
    csv_set_realloc_func(&parser, csv_realloc);
    csv_set_free_func(&parser, rvl_free);
    csv_set_space_func(&parser, no_space);
    size_t  n_bom = n_bytes >= 3 && memcmp(text, BOM, 3) == 0 ? 3 : 0;
    builder b = {.csv = csv, .err = err};
    st = lines_feed(&parser, &b, text + n_bom, n_bytes - n_bom);
    csv_free(&parser);
    if (!st && csv->n_lines == 0)
        st = rvl_fail(err, RVL_ERR_FORMAT, "table '%s': no header line", name);
    if (st) {
        rvl_csv_free(csv);
        return st;
    }
    *out = csv;
    return RVL_OK;
}

rvl_status rvl_csv_load(rvl_csv **out, const char *path, size_t max_bytes, rvl_error *err)
{
    char  *text;
    size_t n_bytes;

    *out = NULL;
    rvl_status st = rvl_file_read(&text, &n_bytes, path, max_bytes ? max_bytes : CSV_DEFAULT_BYTES_MAX, err);
    if (st)
        return st;
    st = rvl_csv_parse(out, text, n_bytes, path, err);
    rvl_free(text);
    return st;
}

void rvl_csv_free(rvl_csv *csv)
{
    if (!csv)
        return;
    rvl_free(csv->file);
    rvl_str_free(&csv->text);
    rvl_free(csv->cells);
    rvl_free(csv->lines);
    rvl_free(csv);
}

size_t rvl_csv_n_rows(const rvl_csv *csv)
{
    return csv->n_lines - 1;
}

size_t rvl_csv_n_columns(const rvl_csv *csv)
{
    return csv->n_columns;
}

const char *rvl_csv_name(const rvl_csv *csv, size_t i_column)
{
    return csv->text.ptr + csv->cells[i_column];
}

int rvl_csv_column(const rvl_csv *csv, const char *name)
{
    for (size_t i = 0; i < csv->n_columns; i++)
        if (strcmp(rvl_csv_name(csv, i), name) == 0)
            return (int)i;
    return -1;
}

rvl_status rvl_csv_need_column(int *out, const rvl_csv *csv, const char *name, rvl_error *err)
{
    const char *nearest = NULL;
    int         best = HINT_DISTANCE_MAX + 1;

    *out = rvl_csv_column(csv, name);
    if (*out >= 0)
        return RVL_OK;
    for (size_t i = 0; i < csv->n_columns; i++) {
        int distance = rvl_str_distance(name, rvl_csv_name(csv, i));
        if (distance < best) {
            best = distance;
            nearest = rvl_csv_name(csv, i);
        }
    }
    return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: no column '%s'%s%s%s", csv->file,
                    (long long)csv->lines[0], name, nearest ? " (did you mean '" : "", nearest ? nearest : "",
                    nearest ? "'?)" : "");
}

const char *rvl_csv_cell(const rvl_csv *csv, size_t i_row, size_t i_column)
{
    return csv->text.ptr + csv->cells[(i_row + 1) * csv->n_columns + i_column];
}

int64_t rvl_csv_line(const rvl_csv *csv, size_t i_row)
{
    return csv->lines[i_row + 1];
}

const char *rvl_csv_file(const rvl_csv *csv)
{
    return csv->file;
}

/** Blanks at the ends are quoted for other readers; a byte order mark, so that it is not taken for the file's. */
static bool field_needs_quotes(const char *text)
{
    size_t n_bytes = strlen(text);

    return text[strcspn(text, ",\"\r\n")] || *text == ' ' || text[n_bytes - 1] == ' ' || rvl_str_starts(text, BOM);
}

void rvl_csv_add_field(rvl_str *s, const char *text)
{
    if (!*text)
        return;
    if (!field_needs_quotes(text)) {
        rvl_str_add(s, text);
        return;
    }
    rvl_str_add(s, "\"");
    for (const char *p = text; *p; p++)
        rvl_str_add_n(s, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1);
    rvl_str_add(s, "\"");
}
