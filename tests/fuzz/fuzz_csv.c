/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_csv.c
 * Any bytes as a table: refused, or a table whose every cell can be read and written again.
 */
#include "base/csv.h"
#include "base/util.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void table_format(rvl_str *s, const rvl_csv *csv)
{
    for (size_t j = 0; j < rvl_csv_n_columns(csv); j++) {
        rvl_csv_add_field(s, rvl_csv_name(csv, j));
        rvl_str_add(s, ",");
    }
    rvl_str_add(s, "end of row\n"); /* a row of one empty cell would be a blank line */
    for (size_t i = 0; i < rvl_csv_n_rows(csv); i++) {
        for (size_t j = 0; j < rvl_csv_n_columns(csv); j++) {
            rvl_csv_add_field(s, rvl_csv_cell(csv, i, j));
            rvl_str_add(s, ",");
        }
        rvl_str_add(s, "\n");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rvl_csv  *csv, *again;
    rvl_error err = {0};
    rvl_str   s = {0};

    if (rvl_csv_parse(&csv, (const char *)data, size, "fuzz", &err))
        return 0;
    if (rvl_csv_column(csv, "end of row") < 0) {
        table_format(&s, csv);
        rvl_status st = rvl_csv_parse(&again, s.ptr, s.n_bytes, "again", &err);
        RVL_ASSERT(st == RVL_OK);
        RVL_ASSERT(rvl_csv_n_rows(again) == rvl_csv_n_rows(csv));
        for (size_t i = 0; i < rvl_csv_n_rows(csv); i++)
            for (size_t j = 0; j < rvl_csv_n_columns(csv); j++)
                RVL_ASSERT(strcmp(rvl_csv_cell(csv, i, j), rvl_csv_cell(again, i, j)) == 0);
        rvl_csv_free(again);
    }
    rvl_str_free(&s);
    rvl_csv_free(csv);
    return 0;
}
