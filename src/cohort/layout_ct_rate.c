/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/layout_ct_rate.c
 * CT-RATE (Hamamci et al. 2024) as its hub lays it out: reports, labels and metadata in tables of their own, joined by
 * VolumeName. Its second version ("_fixed") holds HU; its first raw values with blank headers, so that spacing, slope
 * and intercept stand in the metadata alone. The second is taken where both are there. The metadata list slope and
 * intercept for both: whether they are applied is told by the values (imaging/hu.c), never by the table.
 */
#include "base/alloc.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/log.h"
#include "cohort/layout.h"
#include "cohort/names.h"
#include "findings/class_sets.h"
#include "findings/schema.h"
#include <string.h>

enum { N_FINDINGS = 18 };

static const char not_given[] = "Not given.";

/** A table with its rows by VolumeName. */
typedef struct {
    rvl_csv   *csv; /* NULL: not there */
    rvl__names names;
    int        volume;
} table;

typedef struct {
    const char *split, *folder[2], *reports, *labels, *metadata;
} part;

static const part parts[] = {
    {"train", {"train_fixed", "train"}, "train_reports.csv", "train_predicted_labels.csv", "train_metadata.csv"},
    {"val",
     {"valid_fixed", "valid"},
     "validation_reports.csv",
     "valid_predicted_labels.csv",
     "validation_metadata.csv"},
};

static void table_fini(table *t)
{
    rvl__names_fini(&t->names);
    rvl_csv_free(t->csv);
}

static rvl_status table_open(table *t, const char *root, const char *folder, const char *file, rvl_error *err)
{
    char      *dir = rvl_path_join(root, folder), *path = dir ? rvl_path_join(dir, file) : NULL;
    rvl_status st = path ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", file);

    memset(t, 0, sizeof *t);
    if (!st && rvl_path_exists(path)) {
        st = rvl_csv_load(&t->csv, path, 0, err);
        if (!st)
            st = rvl_csv_need_column(&t->volume, t->csv, "VolumeName", err);
        for (size_t i = 0; !st && i < rvl_csv_n_rows(t->csv); i++) {
            const char *name = rvl_csv_cell(t->csv, i, (size_t)t->volume);
            int64_t     at;
            bool        is_new = false;

            st = rvl__names_add(&at, &is_new, &t->names, name, err);
            if (!st && !is_new)
                st = rvl_fail(err, RVL_ERR_FORMAT, "%s:%lld: volume '%s' stands twice in the table", file,
                              (long long)rvl_csv_line(t->csv, i), name);
        }
    }
    rvl_free(path);
    rvl_free(dir);
    return st;
}

/** The cell of a volume in a column; "" if table, row or column are not there. */
static const char *table_cell(const table *t, const char *volume, const char *column)
{
    int64_t row = t->csv ? rvl__names_find(&t->names, volume) : -1;
    int     at = row >= 0 ? rvl_csv_column(t->csv, column) : -1;

    return at >= 0 ? rvl_csv_cell(t->csv, (size_t)row, (size_t)at) : "";
}

static void add_text(rvl_str *s, const char *text)
{
    rvl_str_add(s, ",");
    rvl_csv_add_field(s, strcmp(text, not_given) == 0 ? "" : text);
}

/** "[0.7, 0.8]", rows first as DICOM has it, and "1.5" to "0.8 0.7 1.5". */
static void add_spacing(rvl_str *s, const char *in_plane, const char *z)
{
    size_t      n_row, n_column;
    const char *row = in_plane + strspn(in_plane, "[( "), *column;

    n_row = strcspn(row, ",");
    column = row + n_row + strspn(row + n_row, ", ");
    n_column = strcspn(column, "]) ");
    rvl_str_add(s, ",");
    if (*z && n_row > 0 && n_column > 0 && n_row < 24 && n_column < 24 && !strpbrk(z, ",\"\n") &&
        !memchr(row, '"', n_row))
        rvl_str_addf(s, "%.*s %.*s %s", (int)n_column, column, (int)n_row, row, z);
}

/** What the rows of one split are joined from. */
typedef struct {
    const char       *folder;
    const part       *p;
    table             reports, labels, metadata;
    const rvl_schema *schema;
    int               label_columns[N_FINDINGS];
} join;

/** Columns of the label table by finding; FORMAT if one is missing. */
static rvl_status find_labels(join *j, rvl_error *err)
{
    for (int f = 0; f < N_FINDINGS; f++) {
        const char *title = rvl_schema_at(j->schema, f)->title;

        j->label_columns[f] = -1;
        for (size_t i = 0; j->labels.csv && i < rvl_csv_n_columns(j->labels.csv); i++)
            if (rvl_class_name_equal(rvl_csv_name(j->labels.csv, i), title))
                j->label_columns[f] = (int)i;
        if (j->labels.csv && j->label_columns[f] < 0)
            return rvl_fail(err, RVL_ERR_FORMAT, "%s has no column '%s'", j->p->labels, title);
    }
    return RVL_OK;
}

/** The volume's row of the joined table; false if its name is none of CT-RATE's. */
static bool add_row(rvl_str *s, const join *j, const char *volume)
{
    const char *study = strrchr(volume, '_'), *patient = study;
    int64_t     row = j->labels.csv ? rvl__names_find(&j->labels.names, volume) : -1;
    int         n_study, n_patient;

    while (patient && patient > volume && *--patient != '_')
        ;
    if (!study || patient == volume || strpbrk(volume, "/\\,\"\n") || !rvl_str_ends(volume, ".nii.gz"))
        return false;
    n_study = (int)(study - volume);
    n_patient = (int)(patient - volume);
    rvl_str_addf(s, "%s/%.*s/%.*s/%s,%.*s,%.*s,%s", j->folder, n_patient, volume, n_study, volume, volume, n_patient,
                 volume, n_study, volume, j->p->split);
    add_text(s, table_cell(&j->metadata, volume, "PatientSex"));
    add_text(s, table_cell(&j->metadata, volume, "PatientAge"));
    add_spacing(s, table_cell(&j->metadata, volume, "XYSpacing"), table_cell(&j->metadata, volume, "ZSpacing"));
    add_text(s, table_cell(&j->metadata, volume, "RescaleSlope"));
    add_text(s, table_cell(&j->metadata, volume, "RescaleIntercept"));
    add_text(s, table_cell(&j->reports, volume, "ClinicalInformation_EN"));
    add_text(s, table_cell(&j->reports, volume, "Technique_EN"));
    add_text(s, table_cell(&j->reports, volume, "Findings_EN"));
    add_text(s, table_cell(&j->reports, volume, "Impressions_EN"));
    for (int f = 0; f < N_FINDINGS; f++)
        add_text(s, row >= 0 ? rvl_csv_cell(j->labels.csv, (size_t)row, (size_t)j->label_columns[f]) : "");
    rvl_str_add(s, "\n");
    return true;
}

static rvl_status add_rows(rvl_str *s, const join *j, rvl_error *err)
{
    const table *base = j->labels.csv ? &j->labels : &j->reports;

    if (!base->csv)
        return rvl_fail(err, RVL_ERR_NOT_FOUND,
                        "folder '%s' has volumes, but neither labels nor reports\nhint: radiology_text_reports/%s, "
                        "multi_abnormality_labels/%s",
                        j->folder, j->p->reports, j->p->labels);
    for (int64_t i = 0; i < base->names.n; i++)
        if (!add_row(s, j, base->names.names[i]))
            return rvl_fail(err, RVL_ERR_FORMAT, "%s:%lld: '%s' is no volume of CT-RATE, like train_1_a_1.nii.gz",
                            rvl_csv_file(base->csv), (long long)rvl_csv_line(base->csv, (size_t)i),
                            base->names.names[i]);
    if (!j->metadata.csv)
        rvl_log(RVL_LOG_WARN, "no metadata/%s: sex, age, spacing, slope and intercept are not known", j->p->metadata);
    return RVL_OK;
}

/** One split, if its volumes are there; `*found` counts the splits. */
static rvl_status read_part(rvl_str *s, int *found, const char *root, const part *p, const rvl_schema *schema,
                            rvl_error *err)
{
    join       j = {.p = p, .schema = schema};
    rvl_status st = RVL_OK;

    for (int i = 0; i < 2 && !j.folder; i++) {
        char *path = rvl_path_join(root, p->folder[i]);

        if (path && rvl_path_is_dir(path))
            j.folder = p->folder[i];
        rvl_free(path);
    }
    if (!j.folder)
        return RVL_OK;
    ++*found;
    st = table_open(&j.reports, root, "radiology_text_reports", p->reports, err);
    if (!st)
        st = table_open(&j.labels, root, "multi_abnormality_labels", p->labels, err);
    if (!st)
        st = table_open(&j.metadata, root, "metadata", p->metadata, err);
    if (!st)
        st = find_labels(&j, err);
    if (!st)
        st = add_rows(s, &j, err);
    table_fini(&j.reports);
    table_fini(&j.labels);
    table_fini(&j.metadata);
    return st;
}

static void write_map(rvl_str *map, bool in_dataset, const rvl_schema *schema)
{
    rvl_str_addf(
        map,
        "table: joined tables of ct-rate\npublic_data: true\nroot: %s\nmodality: ct\nbody_part: chest\nschema: "
        "ct-rate-18\n"
        "unit: auto\ncolumns: {image: image, patient: patient, study: study, split: split, sex: sex, age: age,\n"
        "  spacing: spacing, slope: slope, intercept: intercept, indication: indication, technique: technique,\n"
        "  findings: findings, impression: impression}\n"
        "preprocess: {depth: 96, height: 192, width: 192, load: [120, 240, 240], spacing: [1.5, 1.5, 3],\n"
        "  orient: LPS, window: fixed, window_low: -1000, window_high: 200, bits: 16}\nlabels:\n",
        in_dataset ? "dataset" : ".");
    for (int i = 0; i < rvl_schema_count(schema); i++)
        rvl_str_addf(map, "  %s: %s\n", rvl_schema_at(schema, i)->name, rvl_schema_at(schema, i)->name);
}

rvl_status rvl__layout_ct_rate(rvl__layout *out, const char *folder, rvl_error *err)
{
    char       *inner = rvl_path_join(folder, "dataset");
    bool        in_dataset = inner && rvl_path_is_dir(inner);
    rvl_schema *schema = NULL;
    int         n_found = 0;
    rvl_status  st = inner ? rvl_schema_open(&schema, "ct-rate-18", err)
                           : rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", folder);

    if (!st) {
        rvl_str_add(&out->table, "image,patient,study,split,sex,age,spacing,slope,intercept,indication,technique,"
                                 "findings,impression");
        for (int i = 0; i < rvl_schema_count(schema); i++)
            rvl_str_addf(&out->table, ",%s", rvl_schema_at(schema, i)->name);
        rvl_str_add(&out->table, "\n");
    }
    for (size_t i = 0; i < RVL_ARRAY_LEN(parts) && !st; i++)
        st = read_part(&out->table, &n_found, in_dataset ? inner : folder, &parts[i], schema, err);
    if (!st && n_found == 0)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND,
                      "'%s' does not hold CT-RATE: no folder dataset/train_fixed, valid_fixed, train or valid", folder);
    if (!st)
        write_map(&out->map, in_dataset, schema);
    rvl_schema_free(schema);
    rvl_free(inner);
    return st;
}
