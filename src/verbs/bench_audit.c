/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_audit.c
 * Counts of what is shared and what repeats.
 */
#include "verbs/bench_audit.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/util.h"
#include "verbs/scan_groups.h"
#include <stdlib.h>
#include <string.h>

static json_t *counts_json(const rvl_cohort_counts *n)
{
    json_t *out = json_object();

    rvl_json_set(out, "patients", json_integer(n->patients));
    rvl_json_set(out, "pixels", json_integer(n->pixels));
    rvl_json_set(out, "texts", json_integer(n->texts));
    return out;
}

rvl_status rvl__audit_cohort(json_t *root, rvl_cohort *c, const char *split, const char *const *others, int n_others,
                             rvl_error *err)
{
    json_t           *audit = json_object();
    json_t           *shared = json_array();
    rvl_cohort_counts n;
    rvl_status        st = rvl_cohort_repeats(&n, c, split, err);

    if (!st)
        rvl_json_set(audit, "repeats", counts_json(&n));
    for (int i = 0; !st && i < n_others; i++) {
        if (!others[i])
            continue;
        st = rvl_cohort_shared(&n, c, split, others[i], err);
        json_t *one = counts_json(&n);
        rvl_json_set(one, "with", json_string(others[i]));
        json_array_append_new(shared, one);
    }
    rvl_json_set(audit, "shared", shared);
    rvl_json_set(root, "audit", audit);
    return st;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A row's patient, as the table or the volume's name says; else its id. Lives as long as arena and table. */
static const char *patient_of(const rvl_label_table *t, size_t row, rvl_arena *arena)
{
    const char     *id = rvl_csv_cell(t->table, row, 0);
    rvl_volume_name v;

    if (t->patient >= 0)
        return rvl_csv_cell(t->table, row, (size_t)t->patient);
    return rvl_volume_name_parse(&v, id) ? rvl_arena_strndup(arena, v.base, v.n_patient) : id;
}

static rvl_status count_shared(int64_t *n_ids, int64_t *n_patients, const rvl_joined *measured,
                               const rvl_label_table *other, rvl_arena *arena, rvl_error *err)
{
    const size_t n = rvl_csv_n_rows(other->table);
    const char **patients = rvl_alloc_array(n + 1, sizeof *patients);
    rvl_status   st = arena && patients ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the audit");

    *n_ids = *n_patients = 0;
    for (size_t i = 0; !st && i < n; i++)
        if (!(patients[i] = patient_of(other, i, arena)))
            st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the audit");
    if (!st)
        qsort(patients, n, sizeof *patients, by_text);
    for (int64_t i = 0; !st && i < measured->n; i++) {
        const rvl_label_table *t = &measured->labels;
        const rvl_id_row      *row = rvl__table_find(t->rows, t->table, measured->ids[i]);
        const char            *patient = row ? patient_of(t, row->row, arena) : NULL;
        *n_ids += rvl__table_find(other->rows, other->table, measured->ids[i]) != NULL;
        *n_patients += patient && bsearch(&patient, patients, n, sizeof *patients, by_text) != NULL;
    }
    rvl_free(patients);
    return st;
}

rvl_status rvl__audit_table(json_t *root, const rvl_joined *measured, const rvl_label_table *other, const char *name,
                            rvl_error *err)
{
    rvl_arena *arena = rvl_arena_new();
    int64_t    n_ids;
    int64_t    n_patients;
    rvl_status st = count_shared(&n_ids, &n_patients, measured, other, arena, err);

    rvl_arena_free(arena);
    if (st)
        return st;
    if (!json_object_get(root, "audit")) {
        rvl_json_set(root, "audit", json_object());
        rvl_json_set(json_object_get(root, "audit"), "shared", json_array());
    }
    json_t *one = json_object();
    rvl_json_set(one, "with", json_string(name));
    rvl_json_set(one, "ids", json_integer(n_ids));
    rvl_json_set(one, "patients", json_integer(n_patients));
    json_array_append_new(json_object_get(json_object_get(root, "audit"), "shared"), one);
    return RVL_OK;
}

static int by_hash(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

rvl_status rvl__count_equal_rows(int64_t *out, const float *x, int64_t n, int64_t e, rvl_error *err)
{
    uint64_t *hash = rvl_alloc_array((size_t)n + 1, sizeof *hash);

    *out = 0;
    if (!hash)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the audit");
    for (int64_t i = 0; i < n; i++)
        hash[i] = rvl_hash64(x + i * e, (size_t)e * sizeof *x);
    qsort(hash, (size_t)n, sizeof *hash, by_hash);
    for (int64_t i = 1; i < n; i++)
        *out += hash[i] == hash[i - 1];
    rvl_free(hash);
    return RVL_OK;
}
