/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/layout_rad_chestct.c
 * RAD-ChestCT (Draelos et al. 2021), its public part: one npz a volume (array "ct", int16 HU, slices by rows by
 * columns, 0.8 mm each way), tables of abnormalities by location, and a summary with the patients. It has no reports.
 *
 * An abnormality is present if it is at any location: the part of a column's name before '*' is the abnormality.
 * CT-RATE's findings are taken from them by HLIP's mapping (findings/class_sets.h, rad-chestct-15); the other three
 * stay empty.
 */
#include "base/alloc.h"
#include "base/csv.h"
#include "base/file.h"
#include "cohort/layout.h"
#include "cohort/names.h"
#include "findings/class_sets.h"
#include "findings/schema.h"
#include <string.h>

enum { N_FINDINGS = 18 };

static const struct {
    const char *split, *labels;
} parts[] = {{"train", "imgtrain_Abnormality_and_Location_Labels.csv"},
             {"val", "imgvalid_Abnormality_and_Location_Labels.csv"},
             {"test", "imgtest_Abnormality_and_Location_Labels.csv"}};

static const char summary_name[] = "Summary_3630.csv";

/** Patients by volume; empty if there is no summary. */
typedef struct {
    rvl_csv   *csv;
    rvl__names volumes;
    int        patient;
} summary;

static rvl_status open_table(rvl_csv **out, const char *folder, const char *file, rvl_error *err)
{
    char      *path = rvl_path_join(folder, file);
    rvl_status st = path ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", file);

    *out = NULL;
    if (!st && rvl_path_exists(path))
        st = rvl_csv_load(out, path, 0, err);
    rvl_free(path);
    return st;
}

static rvl_status open_summary(summary *s, const char *folder, rvl_error *err)
{
    int        volume = 0;
    rvl_status st = open_table(&s->csv, folder, summary_name, err);

    if (st || !s->csv)
        return st;
    st = rvl_csv_need_column(&volume, s->csv, "NoteAcc_DEID", err);
    if (!st)
        st = rvl_csv_need_column(&s->patient, s->csv, "MRN_DEID", err);
    for (size_t i = 0; !st && i < rvl_csv_n_rows(s->csv); i++) {
        const char *name = rvl_csv_cell(s->csv, i, (size_t)volume);
        int64_t     at;
        bool        is_new = false;

        st = rvl__names_add(&at, &is_new, &s->volumes, name, err);
        if (!st && !is_new)
            st = rvl_fail(err, RVL_ERR_FORMAT, "%s:%lld: '%s' stands twice", summary_name,
                          (long long)rvl_csv_line(s->csv, i), name);
    }
    return st;
}

/** Which abnormality of the mapping gives finding `f` of the schema; NULL: none does. */
static const char *abnormality_of(const rvl_schema *schema, int f)
{
    const rvl_class_mapping *m = rvl_class_mapping_find("rad-chestct-15");

    for (int i = 0; m && i < m->n; i++)
        if (rvl_class_name_equal(m->rules[i].name, rvl_schema_at(schema, f)->title))
            return m->rules[i].label;
    return NULL;
}

static bool is_of(const char *column, const char *abnormality)
{
    size_t n = strlen(abnormality);

    return strncmp(column, abnormality, n) == 0 && (column[n] == '*' || column[n] == 0);
}

/** For each column its findings, bit by bit. FORMAT if an abnormality has no column. */
static rvl_status find_columns(uint32_t *bits, const rvl_csv *csv, const rvl_schema *schema, rvl_error *err)
{
    for (int f = 0; f < N_FINDINGS; f++) {
        const char *abnormality = abnormality_of(schema, f);
        bool        found = !abnormality;

        for (size_t i = 0; abnormality && i < rvl_csv_n_columns(csv); i++)
            if (is_of(rvl_csv_name(csv, i), abnormality)) {
                bits[i] |= 1U << f;
                found = true;
            }
        if (!found)
            return rvl_fail(err, RVL_ERR_FORMAT, "%s has no column of '%s'", rvl_csv_file(csv), abnormality);
    }
    return RVL_OK;
}

static bool is_volume_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return n > 0 && name[n] == 0;
}

static rvl_status add_row(rvl_str *out, const rvl_csv *csv, size_t row, const uint32_t *bits, uint32_t mapped,
                          const summary *s, const char *split, rvl_error *err)
{
    const char *name = rvl_csv_cell(csv, row, 0);
    int64_t     at = rvl__names_find(&s->volumes, name);
    uint32_t    present = 0;

    if (!is_volume_name(name))
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%lld: '%s' is no volume of RAD-ChestCT, like trn00001",
                        rvl_csv_file(csv), (long long)rvl_csv_line(csv, row), name);
    for (size_t i = 1; i < rvl_csv_n_columns(csv); i++) {
        const char *cell = bits[i] ? rvl_csv_cell(csv, row, i) : "0";
        double      value = 0;

        if (!rvl_parse_f64(cell, &value) || (value != 0 && value != 1))
            return rvl_fail(err, RVL_ERR_FORMAT, "%s:%lld: '%s' is '%s', neither 0 nor 1", rvl_csv_file(csv),
                            (long long)rvl_csv_line(csv, row), rvl_csv_name(csv, i), cell);
        present |= value == 1 ? bits[i] : 0;
    }
    rvl_str_addf(out, "%s.npz,", name);
    rvl_csv_add_field(out, at >= 0 ? rvl_csv_cell(s->csv, (size_t)at, (size_t)s->patient) : name);
    rvl_str_addf(out, ",%s,%s,0.8 0.8 0.8", name, split);
    for (int f = 0; f < N_FINDINGS; f++)
        rvl_str_add(out, !(mapped >> f & 1) ? "," : present >> f & 1 ? ",1" : ",0");
    rvl_str_add(out, "\n");
    return RVL_OK;
}

static rvl_status read_part(rvl_str *out, int *n_found, const char *folder, int i_part, const summary *s,
                            const rvl_schema *schema, rvl_error *err)
{
    rvl_csv   *csv = NULL;
    uint32_t  *bits = NULL, mapped = 0;
    rvl_status st = open_table(&csv, folder, parts[i_part].labels, err);

    if (st || !csv)
        return st;
    ++*n_found;
    bits = rvl_alloc_array(rvl_csv_n_columns(csv) + 1, sizeof *bits);
    if (!bits)
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", parts[i_part].labels);
    if (!st) {
        memset(bits, 0, (rvl_csv_n_columns(csv) + 1) * sizeof *bits);
        st = find_columns(bits, csv, schema, err);
    }
    if (!st && strcmp(rvl_csv_name(csv, 0), "NoteAcc_DEID") != 0)
        st = rvl_fail(err, RVL_ERR_FORMAT, "the first column of %s is not NoteAcc_DEID", parts[i_part].labels);
    for (size_t i = 0; !st && i < rvl_csv_n_columns(csv); i++)
        mapped |= bits[i];
    for (size_t i = 0; !st && i < rvl_csv_n_rows(csv); i++)
        st = add_row(out, csv, i, bits, mapped, s, parts[i_part].split, err);
    rvl_free(bits);
    rvl_csv_free(csv);
    return st;
}

static void write_map(rvl_str *map, const rvl_schema *schema)
{
    rvl_str_add(
        map,
        "table: joined tables of rad-chestct\npublic_data: true\nmodality: ct\nbody_part: chest\nschema: ct-rate-18\n"
        "unit: auto\ncolumns: {image: image, patient: patient, study: study, split: split, spacing: spacing}\n"
        "preprocess: {depth: 96, height: 192, width: 192, load: [120, 240, 240], spacing: [1.5, 1.5, 3],\n"
        "  orient: LPS, window: fixed, window_low: -1000, window_high: 200, bits: 16}\nlabels:\n");
    for (int f = 0; f < N_FINDINGS; f++)
        if (abnormality_of(schema, f))
            rvl_str_addf(map, "  %s: %s\n", rvl_schema_at(schema, f)->name, rvl_schema_at(schema, f)->name);
}

rvl_status rvl__layout_rad_chestct(rvl__layout *out, const char *folder, rvl_error *err)
{
    summary     s = {0};
    rvl_schema *schema = NULL;
    int         n_found = 0;
    rvl_status  st = rvl_schema_open(&schema, "ct-rate-18", err);

    if (!st)
        st = open_summary(&s, folder, err);
    if (!st) {
        rvl_str_add(&out->table, "image,patient,study,split,spacing");
        for (int f = 0; f < N_FINDINGS; f++)
            rvl_str_addf(&out->table, ",%s", rvl_schema_at(schema, f)->name);
        rvl_str_add(&out->table, "\n");
    }
    for (int i = 0; i < (int)RVL_ARRAY_LEN(parts) && !st; i++)
        st = read_part(&out->table, &n_found, folder, i, &s, schema, err);
    if (!st && n_found == 0)
        st =
            rvl_fail(err, RVL_ERR_NOT_FOUND, "'%s' does not hold RAD-ChestCT: there is no %s", folder, parts[0].labels);
    if (!st)
        write_map(&out->map, schema);
    rvl_schema_free(schema);
    rvl__names_fini(&s.volumes);
    rvl_csv_free(s.csv);
    return st;
}
