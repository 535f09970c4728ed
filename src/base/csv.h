/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/csv.h
 * CSV tables (RFC 4180, header line, UTF-8 with or without BOM) by libcsv in strict mode.
 *
 * Refused with file and line: bytes that are not UTF-8, an open quote, a row with more or fewer fields than the
 * header, duplicate or empty column names, NUL bytes.
 */
#ifndef RVL_BASE_CSV_H
#define RVL_BASE_CSV_H
#include "base/str.h"

typedef struct rvl_csv  rvl_csv;
/** Load a table of at most `max_bytes` (0: 1 GiB). */
RVL_MUST_USE rvl_status rvl_csv_load(rvl_csv **out, const char *path, size_t max_bytes, rvl_error *err);
RVL_MUST_USE rvl_status rvl_csv_parse(rvl_csv **out, const char *text, size_t n_bytes, const char *name,
                                      rvl_error *err);
void                    rvl_csv_free(rvl_csv *csv);
size_t                  rvl_csv_n_rows(const rvl_csv *csv); /* without the header */
size_t                  rvl_csv_n_columns(const rvl_csv *csv);
const char             *rvl_csv_name(const rvl_csv *csv, size_t i_column);
int                     rvl_csv_column(const rvl_csv *csv, const char *name); /* -1 if absent */
/** As above, RVL_ERR_FORMAT with the nearest name if absent. */
RVL_MUST_USE rvl_status rvl_csv_need_column(int *out, const rvl_csv *csv, const char *name, rvl_error *err);
/** Cell text, never NULL, borrowed. */
const char             *rvl_csv_cell(const rvl_csv *csv, size_t i_row, size_t i_column);
int64_t                 rvl_csv_line(const rvl_csv *csv, size_t i_row); /* line in the file where the row starts */
const char             *rvl_csv_file(const rvl_csv *csv);

/** Append a field, quoted where needed; the caller adds ',' and '\n'. */
void rvl_csv_add_field(rvl_str *s, const char *text);

#endif /* RVL_BASE_CSV_H */
