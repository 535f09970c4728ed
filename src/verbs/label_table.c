/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label_table.c
 * Labels of named findings from a table.
 */
#include "base/alloc.h"
#include "verbs/bench_external.h"
#include "verbs/label_policy.h"
#include "verbs/scan_groups.h"
#include <string.h>

rvl_status rvl__table_policy(rvl_table_policy *out, const rvl_bench_opts *o, rvl_error *err)
{
    rvl_status st = rvl__uncertain_parse(&out->uncertain, o->uncertain, err);

    out->group = o->group;
    if (!st)
        st = rvl__missing_parse(&out->missing, o->missing, err);
    if (!st)
        st = rvl__scan_groups_check(o->group, err);
    return st ? st : rvl__mapping_parse(&out->mapping, o->map, err);
}

/* "calcification*lung" is a place of "calcification". */
static bool is_place_of(const char *column, const char *label)
{
    const size_t n = strcspn(column, "*");

    return column[n] && n == strlen(label) && memcmp(column, label, n) == 0;
}

static bool speaks_for(const rvl_csv *t, size_t c, const char *name, const rvl_class_rule *rule)
{
    const char *column = rvl_csv_name(t, c);

    if (!rvl__is_finding_column(t, c))
        return false;
    if (!rule)
        return strcmp(column, name) == 0 || rvl_class_name_equal(column, name);
    return rvl_class_name_equal(column, rule->name) || rvl_class_name_equal(column, rule->label) ||
           is_place_of(column, rule->label);
}

/* Every finding column is a finding of its own. */
static void take_all_columns(rvl_label_table *t, size_t n_columns)
{
    for (size_t c = 0; c < n_columns; c++)
        if (rvl__is_finding_column(t->table, c))
            t->is_source[(size_t)t->k++ * n_columns + c] = true;
}

static rvl_status find_columns(rvl_label_table *t, const char *const *names, int k, const rvl_class_mapping *mapping,
                               rvl_error *err)
{
    const size_t n_columns = rvl_csv_n_columns(t->table);

    for (t->k = 0; t->k < k; t->k++) {
        const rvl_class_rule *rule = mapping ? &mapping->rules[t->k] : NULL;
        int                   n_found = 0;
        for (size_t c = 0; c < n_columns; c++) {
            const bool is = speaks_for(t->table, c, names[t->k], rule);
            t->is_source[(size_t)t->k * n_columns + c] = is;
            n_found += is;
        }
        int none;
        if (n_found == 0) /* the message names the nearest column */
            return rvl_csv_need_column(&none, t->table, rule ? rule->label : names[t->k], err);
    }
    return RVL_OK;
}

rvl_status rvl__label_table_load(rvl_label_table *out, const char *path, const char *const *names, int k,
                                 const rvl_class_mapping *mapping, rvl_error *err)
{
    rvl_status st = rvl_csv_load(&out->table, path, 0, err);

    if (st)
        return st;
    const size_t n_columns = rvl_csv_n_columns(out->table);
    out->patient = rvl__patient_column(out->table);
    out->is_source = rvl_alloc_array((names ? (size_t)k : n_columns) * n_columns + 1, sizeof *out->is_source);
    if (!out->is_source)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for labels");
    if (names)
        st = find_columns(out, names, k, mapping, err);
    else
        take_all_columns(out, n_columns);
    return st ? st : rvl__table_index(&out->rows, out->table, 0, err);
}

void rvl__label_table_fini(rvl_label_table *t)
{
    rvl_csv_free(t->table);
    rvl_free(t->rows);
    rvl_free(t->is_source);
    memset(t, 0, sizeof *t);
}

/* Of two states the one that says more: present, then uncertain, then absent. */
static rvl_label_state stronger(rvl_label_state a, rvl_label_state b)
{
    static const rvl_label_state order[] = {RVL_LABEL_PRESENT, RVL_LABEL_UNCERTAIN, RVL_LABEL_ABSENT};

    for (size_t i = 0; i < RVL_ARRAY_LEN(order); i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return a;
}

rvl_status rvl__label_row(uint8_t *truth, double *valid, const rvl_label_table *t, size_t row,
                          const rvl_table_policy *policy, rvl_error *err)
{
    const size_t n_columns = rvl_csv_n_columns(t->table);

    for (int j = 0; j < t->k; j++) {
        rvl_label_state all = RVL_LABEL_NOT_MENTIONED;
        float           target;
        float           weight;
        for (size_t c = 0; c < n_columns; c++) {
            rvl_label_state state;
            if (!t->is_source[(size_t)j * n_columns + c])
                continue;
            if (!rvl_label_parse(rvl_csv_cell(t->table, row, c), &state))
                return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: '%s' is no label state",
                                rvl_csv_file(t->table), (long long)rvl_csv_line(t->table, row),
                                rvl_csv_name(t->table, c));
            all = stronger(all, state);
        }
        rvl_label_target(all, policy->uncertain, policy->missing, &target, &weight);
        truth[j] = target > 0.5F;
        valid[j] = (double)weight;
    }
    return RVL_OK;
}
