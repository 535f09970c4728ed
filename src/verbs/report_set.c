/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/report_set.c
 * Texts and targets from a cohort or a table.
 */
#include "verbs/report_set.h"
#include "base/alloc.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/util.h"
#include "learn/supervise.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VAL_ONE_IN 10
#define MAX_TEXT_COLUMNS 8

enum { TRAIN, VAL, N_SETS };

bool rvl__is_table(const char *path)
{
    return path && rvl_path_exists(path) && !rvl_path_is_dir(path);
}

void rvl__report_set_fini(rvl__report_set *s)
{
    for (int i = 0; i < N_SETS; i++) {
        for (int64_t k = 0; s->texts[i] && k < s->n_texts[i]; k++)
            rvl_free(s->texts[i][k]);
        rvl_free(s->texts[i]);
        rvl_free(s->targets[i]);
        rvl_free(s->weights[i]);
    }
    *s = (rvl__report_set){0};
}

/** Room for `n` examples of K findings. */
static rvl_status set_reserve(rvl__report_set *s, int i, int64_t n, int k, rvl_error *err)
{
    s->texts[i] = rvl_alloc_array((size_t)n + 1, sizeof *s->texts[i]);
    s->targets[i] = rvl_alloc_array((size_t)(n * k) + 1, sizeof *s->targets[i]);
    s->weights[i] = rvl_alloc_array((size_t)(n * k) + 1, sizeof *s->weights[i]);
    return s->texts[i] && s->targets[i] && s->weights[i] ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
}

static void set_close(rvl__report_set *s)
{
    s->train = (rvl_text_examples){s->n_texts[TRAIN], (const char *const *)s->texts[TRAIN], s->targets[TRAIN],
                                   s->weights[TRAIN]};
    s->val = (rvl_text_examples){s->n_texts[VAL], (const char *const *)s->texts[VAL], s->targets[VAL], s->weights[VAL]};
}

/* ---- of a cohort ---------------------------------------------------------------------------------------------- */

static rvl_status take_list(rvl__report_set *s, int i, rvl_case_list *list, int k, const rvl__report_source *source,
                            rvl_error *err)
{
    rvl_status st = set_reserve(s, i, list->n_cases, k, err);
    int64_t    n = 0;

    for (int64_t c = 0; !st && c < list->n_cases; c++) {
        char *text = rvl_case_text(&list->cases[c], source->text);
        if (!text)
            continue;
        s->texts[i][n] = text;
        list->cases[n++] = list->cases[c];
    }
    if (st)
        return st;
    if (n < list->n_cases)
        rvl_log(RVL_LOG_WARN, "%lld of %lld cases have no report and are left out", (long long)(list->n_cases - n),
                (long long)list->n_cases);
    list->n_cases = s->n_texts[i] = n;
    rvl_label_targets(s->targets[i], s->weights[i], list, k, source->uncertain, source->missing);
    return RVL_OK;
}

rvl_status rvl__report_set_of_cohort(rvl__report_set *out, rvl_training *t, const rvl__report_source *source,
                                     rvl_error *err)
{
    const int  k = rvl_schema_count(rvl_cohort_schema(t->cohort));
    rvl_status st = take_list(out, TRAIN, &t->train, k, source, err);

    if (!st && t->has_validation)
        st = take_list(out, VAL, &t->val, k, source, err);
    set_close(out);
    return st;
}

/* ---- of a table ----------------------------------------------------------------------------------------------- */

typedef struct {
    rvl_csv *csv;
    int      text[MAX_TEXT_COLUMNS], n_text;
    int      split;   /* -1: by hash */
    int     *finding; /* column of each finding, -1: none */
} table;

static rvl_status find_text_columns(table *t, const char *names, rvl_error *err)
{
    while (*names) {
        const size_t n = strcspn(names, ",");
        char        *name = rvl_strndup(names, n);
        rvl_status   st = name ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");

        if (!st && t->n_text == MAX_TEXT_COLUMNS)
            st = rvl_fail(err, RVL_ERR_USAGE, "--text-column takes at most %d columns", MAX_TEXT_COLUMNS);
        if (!st)
            st = rvl_csv_need_column(&t->text[t->n_text], t->csv, name, err);
        t->n_text++;
        rvl_free(name);
        if (st)
            return st;
        names += n + (names[n] == ',');
    }
    return t->n_text ? RVL_OK : rvl_fail(err, RVL_ERR_USAGE, "--text-column names the column of the reports");
}

static rvl_status find_finding_columns(table *t, const rvl_schema *schema, rvl_error *err)
{
    const int k = rvl_schema_count(schema);
    int       n_found = 0;

    t->finding = rvl_alloc_array((size_t)k, sizeof *t->finding);
    if (!t->finding)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    for (int j = 0; j < k; j++)
        t->finding[j] = -1;
    for (size_t c = 0; c < rvl_csv_n_columns(t->csv); c++) {
        const char *name = rvl_csv_name(t->csv, c);
        const int   j = rvl_schema_index(schema, rvl_str_starts(name, "label_") ? name + strlen("label_") : name);

        if (j < 0 || t->finding[j] >= 0)
            continue;
        t->finding[j] = (int)c;
        n_found++;
    }
    if (n_found == 0)
        return rvl_fail(err, RVL_ERR_NOT_FOUND,
                        "'%s' has no column for any finding of schema '%s'\nhint: columns bear the finding's name, as "
                        "in '%s'",
                        rvl_csv_file(t->csv), rvl_schema_name(schema), rvl_schema_at(schema, 0)->name);
    if (n_found < k)
        rvl_log(RVL_LOG_WARN, "%d of %d findings have no column in '%s': nothing is learned about them", k - n_found, k,
                rvl_csv_file(t->csv));
    return RVL_OK;
}

/** A cell as target and weight: a label state, or a probability. */
static rvl_status read_cell(float *target, float *weight, const table *t, size_t row, int column,
                            const rvl__report_source *source, rvl_error *err)
{
    const char     *text = rvl_csv_cell(t->csv, row, (size_t)column);
    rvl_label_state state;
    char           *end;

    if (rvl_label_parse(text, &state)) {
        rvl_label_target(state, source->uncertain, source->missing, target, weight);
        return RVL_OK;
    }
    const double p = strtod(text, &end);
    if (end == text || *end || !(p >= 0 && p <= 1))
        return rvl_fail(err, RVL_ERR_FORMAT,
                        "%s:%lld: column '%s': '%.40s' is no label (1, 0, -1, empty) and no "
                        "probability",
                        rvl_csv_file(t->csv), (long long)rvl_csv_line(t->csv, row),
                        rvl_csv_name(t->csv, (size_t)column), text);
    *target = (float)p;
    *weight = 1;
    return RVL_OK;
}

static char *row_text(const table *t, size_t row)
{
    rvl_str s = {0};

    for (int i = 0; i < t->n_text; i++) {
        const char *cell = rvl_csv_cell(t->csv, row, (size_t)t->text[i]);
        if (*cell)
            rvl_str_addf(&s, "%s%s", s.n_bytes ? " " : "", cell);
    }
    return rvl_str_take(&s);
}

static bool names_split(const char *list, const char *split)
{
    const size_t n = strlen(split);

    for (const char *at = list; at && *at;) {
        const size_t m = strcspn(at, ",");
        if (n == m && strncmp(at, split, n) == 0)
            return true;
        at += m + (at[m] == ',');
    }
    return false;
}

/** Which set a row belongs to, -1: none. */
static int row_set(const table *t, size_t row, const char *text, const rvl_train_opts *opts)
{
    const char *split = t->split >= 0 ? rvl_csv_cell(t->csv, row, (size_t)t->split) : NULL;

    if (!split)
        split = rvl_hash64(text, strlen(text)) % VAL_ONE_IN == 0 ? "val" : "train";
    return names_split(opts->split, split) ? TRAIN : names_split(opts->val_split, split) ? VAL : -1;
}

static rvl_status take_row(rvl__report_set *s, rvl_case_list *lists[N_SETS], const table *t, size_t row, int k,
                           const rvl_train_opts *opts, const rvl__report_source *source, rvl_error *err)
{
    char      *text = row_text(t, row);
    const int  i = text ? row_set(t, row, text, opts) : -1;
    rvl_status st = RVL_OK;
    char       id[32];

    if (i < 0 || (i == TRAIN && opts->limit > 0 && s->n_texts[TRAIN] >= opts->limit)) {
        rvl_free(text);
        return RVL_OK;
    }
    const int64_t n = s->n_texts[i]++;
    s->texts[i][n] = text;
    for (int j = 0; !st && j < k; j++)
        if (t->finding[j] >= 0)
            st = read_cell(&s->targets[i][n * k + j], &s->weights[i][n * k + j], t, row, t->finding[j], source, err);
    snprintf(id, sizeof id, "line %lld", (long long)rvl_csv_line(t->csv, row));
    rvl_case *c = &lists[i]->cases[lists[i]->n_cases++];
    c->case_id = rvl_arena_strndup(lists[i]->owner, id, strlen(id));
    c->sections[RVL_SECTION_FINDINGS] = text;
    return st;
}

static rvl_status lists_new(rvl__report_set *s, rvl_case_list *lists[N_SETS], int64_t n, int k, rvl_error *err)
{
    rvl_status st = RVL_OK;

    for (int i = 0; !st && i < N_SETS; i++) {
        lists[i]->cases = rvl_alloc_array((size_t)n + 1, sizeof *lists[i]->cases);
        lists[i]->owner = rvl_arena_new();
        st = lists[i]->cases && lists[i]->owner ? set_reserve(s, i, n, k, err)
                                                : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    }
    return st;
}

static rvl_status read_rows(rvl__report_set *out, rvl_training *t, const table *x, int k, const rvl_train_opts *opts,
                            const rvl__report_source *source, rvl_error *err)
{
    const size_t   n = rvl_csv_n_rows(x->csv);
    rvl_case_list *lists[N_SETS] = {&t->train, &t->val};
    rvl_status     st = lists_new(out, lists, (int64_t)n, k, err);

    for (size_t row = 0; !st && row < n; row++)
        st = take_row(out, lists, x, row, k, opts, source, err);
    if (!st && t->train.n_cases == 0)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "'%s' has no report in split '%s'", rvl_csv_file(x->csv), opts->split);
    if (!st && t->has_validation && t->val.n_cases == 0)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND,
                      "'%s' has no report in split '%s'\nhint: --val-split \"\" trains without validation",
                      rvl_csv_file(x->csv), opts->val_split);
    return st;
}

rvl_status rvl__report_set_read(rvl__report_set *out, rvl_schema **schema, rvl_training *t, const rvl_train_opts *opts,
                                const rvl__report_source *source, rvl_error *err)
{
    table      x = {.split = -1};
    rvl_status st;

    t->has_validation = opts->val_split && *opts->val_split;
    if (!source->schema)
        return rvl_fail(err, RVL_ERR_USAGE, "--schema names the findings of a table of reports");
    st = rvl_schema_open(schema, source->schema, err);
    if (!st)
        st = rvl_csv_load(&x.csv, opts->cohort, 0, err);
    if (!st)
        st = find_text_columns(&x, source->text_columns, err);
    if (!st && source->split_column)
        st = rvl_csv_need_column(&x.split, x.csv, source->split_column, err);
    if (!st)
        st = find_finding_columns(&x, *schema, err);
    if (!st)
        st = read_rows(out, t, &x, rvl_schema_count(*schema), opts, source, err);
    if (!st)
        set_close(out);
    rvl_free(x.finding);
    rvl_csv_free(x.csv);
    return st;
}
