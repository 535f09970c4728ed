/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/plan.c
 * One pass over the table. A row that breaks a rule fails alone, with its reason; the rest goes on.
 */
#include "cohort/plan.h"
#include "base/str.h"
#include <ctype.h>
#include <math.h>
#include <string.h>

typedef struct {
    rvl__plan         *plan;
    const rvl__map    *map;
    const rvl__source *source;
    uint8_t           *labels; /* of the current row */
    int64_t           *image_rows;
    rvl_str            text;
} builder;

/** "045Y", "6M", "10W", "3D", "45", "45.0" -> years; NaN if empty; false if none of these. */
static bool age_parse(const char *text, double *out)
{
    static const struct {
        char   unit;
        double years;
    } units[] = {{'Y', 1.0}, {'M', 1.0 / 12}, {'W', 7 / 365.25}, {'D', 1 / 365.25}};
    size_t n = strlen(text);
    char   digits[16];
    double scale = 1.0;

    *out = NAN;
    if (n == 0 || strcmp(text, "nan") == 0)
        return true;
    for (size_t i = 0; i < RVL_ARRAY_LEN(units); i++) {
        if (toupper((unsigned char)text[n - 1]) == units[i].unit) {
            scale = units[i].years;
            n--;
            break;
        }
    }
    if (n == 0 || n >= sizeof digits)
        return false;
    memcpy(digits, text, n);
    digits[n] = '\0';
    double value;
    if (!rvl_parse_f64(digits, &value) || value < 0 || value * scale > 130)
        return false;
    *out = value * scale;
    return true;
}

static const char *sex_parse(const char *text)
{
    char c = (char)toupper((unsigned char)text[0]);

    if (c == 'M' && (!text[1] || strlen(text) == 4))
        return "M";
    if (c == 'F' && (!text[1] || strlen(text) == 6))
        return "F";
    return "";
}

/** Keep the reason of row `i_row` (in b->text) and give the row up. */
static rvl_status row_fail(builder *b, int64_t i_row, rvl_error *err)
{
    rvl__plan_row *row = &b->plan->rows[i_row];

    row->failure = b->text.failed ? NULL : rvl_arena_strndup(b->plan->arena, b->text.ptr, b->text.n_bytes);
    row->i_study = -1;
    return row->failure ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot read the table: out of memory");
}

static bool row_has_text(const builder *b, int64_t i_row)
{
    for (int c = RVL__COLUMN_REPORT; c < RVL__COLUMN_COUNT; c++) {
        if (!rvl_report_is_placeholder(rvl__source_cell(b->source, i_row, (rvl__column)c)))
            return true;
    }
    return false;
}

/** Labels of the row into b->labels; false with the reason in b->text. */
static bool row_read_labels(builder *b, int64_t i_row)
{
    for (int i = 0; i < b->map->n_labels; i++) {
        const char     *text = rvl__source_label(b->source, i_row, i);
        int             k = b->map->labels[i].i_finding;
        rvl_label_state state;

        if (!rvl_label_parse(text, &state)) {
            rvl_str_addf(&b->text, "label '%.32s' of finding '%s' is none of 1, 0, -1, empty",
                         b->map->is_private ? "..." : text, rvl_schema_at(b->map->schema, k)->name);
            return false;
        }
        b->labels[k] = (uint8_t)state;
    }
    return true;
}

/** Original id of a row's patient or study: its column, else the next finer id. */
static const char *row_id(const builder *b, int64_t i_row, rvl__column column)
{
    if (rvl__source_has(b->source, column))
        return rvl__source_cell(b->source, i_row, column);
    return column == RVL__COLUMN_PATIENT ? row_id(b, i_row, RVL__COLUMN_STUDY)
                                         : rvl__source_cell(b->source, i_row, RVL__COLUMN_IMAGE);
}

/** What can be said about the row alone, before ids are given; false with the reason in b->text. */
static bool row_check(builder *b, int64_t i_row)
{
    const rvl__source *s = b->source;

    if (*rvl__source_problem(s, i_row)) {
        rvl_str_add(&b->text, rvl__source_problem(s, i_row));
        return false;
    }
    for (int c = RVL__COLUMN_IMAGE; c <= RVL__COLUMN_STUDY; c++) {
        if (rvl__source_has(s, (rvl__column)c) && !*rvl__source_cell(s, i_row, (rvl__column)c)) {
            rvl_str_addf(&b->text, "column '%s' is empty", rvl__source_column_name(s, (rvl__column)c));
            return false;
        }
    }
    int64_t i_image = rvl__names_find(&b->plan->images, rvl__source_cell(s, i_row, RVL__COLUMN_IMAGE));
    if (i_image >= 0) {
        rvl_str_addf(&b->text, "the same image path as in line %lld",
                     (long long)rvl__source_line(s, b->image_rows[i_image]));
        return false;
    }
    int64_t i_study = rvl__names_find(&b->plan->studies, row_id(b, i_row, RVL__COLUMN_STUDY));
    if (i_study >= 0) {
        const rvl__plan_study *study = &b->plan->study[i_study];
        int64_t                i_patient = rvl__names_find(&b->plan->patients, row_id(b, i_row, RVL__COLUMN_PATIENT));
        if (i_patient != study->i_patient) {
            rvl_str_addf(&b->text, "the study of line %lld with another patient",
                         (long long)rvl__source_line(s, study->first_row));
            return false;
        }
    }
    rvl_hu_opts hu;
    rvl_vec3    spacing_mm;
    if (!rvl__source_volume(&hu, &spacing_mm, s, i_row)) {
        rvl_str_addf(&b->text,
                     "spacing '%s' is not three lengths in mm, or slope '%s' and intercept '%s' are no numbers",
                     rvl__source_cell(s, i_row, RVL__COLUMN_SPACING), rvl__source_cell(s, i_row, RVL__COLUMN_SLOPE),
                     rvl__source_cell(s, i_row, RVL__COLUMN_INTERCEPT));
        return false;
    }
    return row_read_labels(b, i_row);
}

static rvl_status study_new(builder *b, int64_t i_row, int64_t i_study, int64_t i_patient, rvl_error *err)
{
    rvl__plan_study *study = &b->plan->study[i_study];
    const char      *age = rvl__source_cell(b->source, i_row, RVL__COLUMN_AGE);

    *study = (rvl__plan_study){.i_patient = i_patient, .first_row = i_row, .report_row = -1, .i_split = -1};
    study->sex = sex_parse(rvl__source_cell(b->source, i_row, RVL__COLUMN_SEX));
    if (!age_parse(age, &study->age_years)) {
        if (b->plan->n_bad_ages++ == 0)
            b->plan->first_bad_age = i_row;
    }
    if (b->map->is_private && study->age_years > RVL__MAX_AGE_YEARS - 1)
        study->age_years = RVL__MAX_AGE_YEARS;
    const char *date = rvl__source_cell(b->source, i_row, RVL__COLUMN_DATE);
    if (!rvl__date_parse(&study->date_days, date) && *date)
        b->plan->n_bad_dates++;
    if (b->map->schema) {
        study->labels = rvl_arena_alloc(b->plan->arena, (size_t)rvl_schema_count(b->map->schema));
        if (!study->labels)
            return rvl_fail(err, RVL_ERR_NOMEM, "cannot read the table: out of memory");
    }
    return RVL_OK;
}

/** A study has what any of its images has: present beats uncertain beats absent beats not mentioned. */
static void study_merge_labels(builder *b, rvl__plan_study *study)
{
    static const int rank[] = {
        [RVL_LABEL_NOT_MENTIONED] = 0, [RVL_LABEL_ABSENT] = 1, [RVL_LABEL_UNCERTAIN] = 2, [RVL_LABEL_PRESENT] = 3};

    for (int i = 0; i < b->map->n_labels; i++) {
        int k = b->map->labels[i].i_finding;
        if (rank[b->labels[k]] > rank[study->labels[k]])
            study->labels[k] = b->labels[k];
    }
}

static rvl_status row_take(builder *b, int64_t i_row, bool has_text, rvl_error *err)
{
    rvl__plan *plan = b->plan;
    int64_t    i_image, i_study, i_patient;
    bool       is_new;
    rvl_status st =
        rvl__names_add(&i_image, &is_new, &plan->images, rvl__source_cell(b->source, i_row, RVL__COLUMN_IMAGE), err);
    if (!st)
        st = rvl__names_add(&i_patient, &is_new, &plan->patients, row_id(b, i_row, RVL__COLUMN_PATIENT), err);
    if (!st)
        st = rvl__names_add(&i_study, &is_new, &plan->studies, row_id(b, i_row, RVL__COLUMN_STUDY), err);
    if (!st && is_new)
        st = study_new(b, i_row, i_study, i_patient, err);
    if (st)
        return st;
    b->image_rows[i_image] = i_row;
    plan->rows[i_row].i_study = i_study;
    if (has_text && plan->study[i_study].report_row < 0)
        plan->study[i_study].report_row = i_row;
    study_merge_labels(b, &plan->study[i_study]);
    return RVL_OK;
}

static rvl_status plan_row(builder *b, int64_t i_row, rvl_error *err)
{
    rvl__plan_row *row = &b->plan->rows[i_row];
    bool           has_text = b->plan->has_text && row_has_text(b, i_row);

    row->i_study = -1;
    row->view = rvl_view_parse(rvl__source_cell(b->source, i_row, RVL__COLUMN_VIEW));
    if (b->map->keep_views && !(b->map->keep_views & 1u << row->view)) {
        b->plan->n_filtered++;
        return RVL_OK;
    }
    if (b->plan->has_text && !has_text) {
        if (b->plan->n_empty_reports++ == 0)
            b->plan->first_empty_report = i_row;
        if (b->map->require_report) {
            b->plan->n_filtered++;
            return RVL_OK;
        }
    }
    rvl_str_clear(&b->text);
    if (!row_check(b, i_row))
        return row_fail(b, i_row, err);
    return row_take(b, i_row, has_text, err);
}

rvl_status rvl__plan_make(rvl__plan *out, const rvl__map *map, const rvl__source *source, rvl_error *err)
{
    size_t     n = (size_t)rvl__source_n_rows(source);
    size_t     n_findings = map->schema ? (size_t)rvl_schema_count(map->schema) : 0;
    builder    b = {.plan = out, .map = map, .source = source};
    rvl_status st = RVL_OK;

    *out = (rvl__plan){.first_empty_report = -1, .first_bad_age = -1};
    out->n_rows = (int64_t)n;
    out->arena = rvl_arena_new();
    out->rows = rvl_alloc_array(n, sizeof *out->rows);
    out->study = rvl_alloc_array(n, sizeof *out->study);
    b.labels = rvl_alloc_array(n_findings + 1, 1);
    b.image_rows = rvl_alloc_array(n, sizeof *b.image_rows);
    if (!out->arena || !out->rows || !out->study || !b.labels || !b.image_rows)
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot plan %zu rows: out of memory", n);
    for (int c = RVL__COLUMN_REPORT; c < RVL__COLUMN_COUNT; c++)
        out->has_text = out->has_text || rvl__source_has(source, (rvl__column)c);
    if (!st && map->require_report && !out->has_text)
        st = rvl_fail(err, RVL_ERR_FORMAT, "'require_report' needs a column of text ('report', 'findings', ...)");
    for (size_t i = 0; !st && i < n; i++)
        st = plan_row(&b, (int64_t)i, err);
    rvl_str_free(&b.text);
    rvl_free(b.image_rows);
    rvl_free(b.labels);
    if (st)
        rvl__plan_fini(out);
    return st;
}

void rvl__plan_fini(rvl__plan *plan)
{
    rvl__names_fini(&plan->images);
    rvl__names_fini(&plan->studies);
    rvl__names_fini(&plan->patients);
    rvl__names_fini(&plan->splits);
    rvl_free(plan->study);
    rvl_free(plan->rows);
    rvl_arena_free(plan->arena);
    *plan = (rvl__plan){0};
}
