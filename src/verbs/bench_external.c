/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_external.c
 * Numbers for predictions that another program made.
 *
 * Predictions and labels are CSV tables: a first column with a case id, one column per finding, and optionally
 * `patient` (or `patient_id`).
 */
#include "verbs/bench_external.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "measure/bootstrap.h"
#include "verbs/bench_audit.h"
#include "verbs/bench_baselines.h"
#include "verbs/metadata_rows.h"
#include "verbs/scan_groups.h"
#include <string.h>

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for bench");
}

void rvl__joined_fini(rvl_joined *t)
{
    rvl_csv_free(t->predictions);
    rvl_free(t->prediction_rows);
    rvl__label_table_fini(&t->labels);
    rvl_free(t->names);
    rvl_free(t->source);
    rvl_free(t->score);
    rvl_free(t->valid);
    rvl_free(t->truth);
    rvl_free(t->ids);
    rvl_free(t->patient);
    memset(t, 0, sizeof *t);
}

static int prediction_column(const rvl_csv *t, const char *name)
{
    for (size_t c = 0; c < rvl_csv_n_columns(t); c++)
        if (rvl__is_finding_column(t, c) && rvl_class_name_equal(rvl_csv_name(t, c), name))
            return (int)c;
    return -1;
}

/* The classes of a mapping, each with the columns that predict it. */
static rvl_status map_columns(rvl_joined *t, const rvl_class_mapping *mapping, rvl_error *err)
{
    for (t->k = 0; t->k < mapping->n; t->k++) {
        const rvl_class_rule *rule = &mapping->rules[t->k];
        int                  *source = t->source + (size_t)t->k * 2;
        t->names[t->k] = rule->name;
        for (int s = 0; s < 2; s++) {
            source[s] = rule->sources[s] ? prediction_column(t->predictions, rule->sources[s]) : -1;
            if (rule->sources[s] && source[s] < 0)
                return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' has no column '%s', which %s needs",
                                rvl_csv_file(t->predictions), rule->sources[s], mapping->name);
        }
    }
    return RVL_OK;
}

static rvl_status match_columns(rvl_joined *t, const rvl_class_mapping *mapping, rvl_error *err)
{
    const size_t n_columns = rvl_csv_n_columns(t->predictions) + RVL_MAX_SET_CLASSES;

    t->names = rvl_alloc_array(n_columns, sizeof *t->names);
    t->source = rvl_alloc_array(n_columns, 2 * sizeof *t->source);
    if (!t->names || !t->source)
        return no_memory(err);
    if (mapping)
        return map_columns(t, mapping, err);
    for (size_t c = 0; c < rvl_csv_n_columns(t->predictions); c++) {
        if (!rvl__is_finding_column(t->predictions, c))
            continue;
        t->names[t->k] = rvl_csv_name(t->predictions, c);
        t->source[(size_t)t->k * 2] = (int)c;
        t->source[(size_t)t->k * 2 + 1] = -1;
        t->k++;
    }
    if (t->k == 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' has no finding column behind its first",
                        rvl_csv_file(t->predictions));
    return RVL_OK;
}

/* The larger score of a class's columns. */
static rvl_status read_score(double *out, const rvl_joined *t, size_t row, int j, rvl_error *err)
{
    for (int s = 0; s < 2; s++) {
        const int c = t->source[(size_t)j * 2 + (size_t)s];
        double    x;
        if (c < 0)
            continue;
        if (!rvl_parse_f64(rvl_csv_cell(t->predictions, row, (size_t)c), &x))
            return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: the score of '%s' is no finite number",
                            rvl_csv_file(t->predictions), (long long)rvl_csv_line(t->predictions, row),
                            rvl_csv_name(t->predictions, (size_t)c));
        *out = s == 0 || x > *out ? x : *out;
    }
    return RVL_OK;
}

static rvl_status join_row(rvl_joined *t, const char **patients, size_t i, const rvl_table_policy *policy,
                           rvl_error *err)
{
    const rvl_csv    *labels = t->labels.table;
    const char       *id = rvl_csv_cell(t->predictions, i, 0);
    const rvl_id_row *found = rvl__table_find(t->labels.rows, labels, id);
    const size_t      at = i * (size_t)t->k;
    rvl_status        st = RVL_OK;

    if (!found)
        return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: its case is not in '%s'",
                        rvl_csv_file(t->predictions), (long long)rvl_csv_line(t->predictions, i), rvl_csv_file(labels));
    t->ids[i] = id;
    patients[i] = t->labels.patient >= 0 ? rvl_csv_cell(labels, found->row, (size_t)t->labels.patient) : id;
    if (!*patients[i])
        return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: the patient is empty", rvl_csv_file(labels),
                        (long long)rvl_csv_line(labels, found->row));
    for (int j = 0; !st && j < t->k; j++)
        st = read_score(&t->score[at + (size_t)j], t, i, j, err);
    return st ? st : rvl__label_row(t->truth + at, t->valid + at, &t->labels, found->row, policy, err);
}

/* One row per scan. */
static rvl_status join_scans(rvl_joined *t, const char *how, rvl_error *err)
{
    const size_t    k = (size_t)t->k;
    rvl_scan_groups g = {0};
    double         *scratch = rvl_alloc_array((size_t)t->n * k + 1, sizeof *scratch);
    const char     *where = rvl_csv_file(t->predictions);
    rvl_status      st = scratch ? rvl__scan_groups_make(&g, t->ids, t->n, how, where, err) : no_memory(err);

    if (!st) {
        const int64_t label_row = rvl__scan_shared(&g, t->truth, k * sizeof *t->truth);
        const int64_t valid_row = label_row < 0 ? rvl__scan_shared(&g, t->valid, k * sizeof *t->valid) : label_row;
        const bool    named = t->labels.patient >= 0;
        const int64_t row = valid_row < 0 && named ? rvl__scan_shared(&g, t->patient, sizeof *t->patient) : valid_row;
        if (row >= 0)
            st =
                rvl_fail(err, RVL_ERR_FORMAT,
                         "table '%s' line %lld: another reconstruction of its scan has other labels or another patient",
                         where, (long long)rvl_csv_line(t->predictions, (size_t)row));
    }
    if (!st) {
        rvl__scan_means(&g, t->score, t->k, scratch);
        for (int64_t i = 0; i < g.n_groups; i++)
            t->ids[i] = t->ids[g.first[i]]; /* groups appear in order: first[i] >= i */
        if (t->labels.patient < 0) {
            memcpy(t->patient, g.patient, (size_t)g.n_groups * sizeof *t->patient);
            t->n_patients = g.n_patients;
        }
        t->n = g.n_groups;
    }
    rvl_free(scratch);
    rvl__scan_groups_fini(&g);
    return st;
}

static rvl_status load_tables(rvl_joined *t, const char *predictions, const char *labels,
                              const rvl_table_policy *policy, rvl_error *err)
{
    rvl_status st = rvl_csv_load(&t->predictions, predictions, 0, err);

    if (!st)
        st = match_columns(t, policy->mapping, err);
    if (!st)
        st = rvl__label_table_load(&t->labels, labels, t->names, t->k, policy->mapping, err);
    if (!st)
        st = rvl__table_index(&t->prediction_rows, t->predictions, 0, err);
    if (st)
        return st;
    t->n = (int64_t)rvl_csv_n_rows(t->predictions);
    const size_t cells = (size_t)t->n * (size_t)t->k + 1;
    t->score = rvl_alloc_array(cells, sizeof *t->score);
    t->valid = rvl_alloc_array(cells, sizeof *t->valid);
    t->truth = rvl_alloc_array(cells, sizeof *t->truth);
    t->ids = rvl_alloc_array((size_t)t->n + 1, sizeof *t->ids);
    t->patient = rvl_alloc_array((size_t)t->n + 1, sizeof *t->patient);
    return t->score && t->valid && t->truth && t->ids && t->patient ? RVL_OK : no_memory(err);
}

rvl_status rvl__join(rvl_joined *t, const char *predictions, const char *labels, const rvl_table_policy *policy,
                     rvl_error *err)
{
    const char **patients = NULL;
    rvl_status   st = load_tables(t, predictions, labels, policy, err);

    if (!st) {
        patients = rvl_alloc_array((size_t)t->n + 1, sizeof *patients);
        st = patients ? RVL_OK : no_memory(err);
    }
    if (!st && t->labels.patient < 0 && !policy->group)
        rvl_log(RVL_LOG_WARN, "'%s' names no patients: each case counts as its own in the intervals", labels);
    for (int64_t i = 0; !st && i < t->n; i++)
        st = join_row(t, patients, (size_t)i, policy, err);
    if (!st && t->n == 0)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "table '%s' has no rows", predictions);
    if (!st)
        st = rvl_number_groups(t->patient, &t->n_patients, patients, t->n, err);
    /* each prediction has its own label row */
    const int64_t n_left = st ? 0 : (int64_t)rvl_csv_n_rows(t->labels.table) - t->n;
    if (n_left > 0)
        rvl_log(RVL_LOG_WARN, "%lld cases of '%s' have no prediction in '%s' and are left out", (long long)n_left,
                labels, predictions);
    if (!st && policy->group)
        st = join_scans(t, policy->group, err);
    rvl_free(patients);
    return st;
}

static bool all_probabilities(const rvl_joined *t)
{
    for (int64_t i = 0; i < t->n * t->k; i++)
        if (t->score[i] < 0 || t->score[i] > 1)
            return false;
    return true;
}

static rvl_status join_validation(rvl_joined *val, const rvl_joined *t, const rvl_bench_opts *o,
                                  const rvl_table_policy *policy, rvl_error *err)
{
    if ((o->val_predictions != NULL) != (o->val_labels != NULL))
        return rvl_fail(err, RVL_ERR_USAGE, "--val-predictions and --val-labels go together");
    if (!o->val_predictions)
        return RVL_OK;
    rvl_status st = rvl__join(val, o->val_predictions, o->val_labels, policy, err);
    bool       same = val->k == t->k;
    for (int j = 0; !st && same && j < t->k; j++)
        same = strcmp(val->names[j], t->names[j]) == 0;
    if (!st && !same)
        st = rvl_fail(err, RVL_ERR_FORMAT, "'%s' has other finding columns than '%s'", o->val_predictions,
                      o->predictions);
    return st;
}

/* Every row of a table of labels. */
static rvl_status read_all(const char ***ids, uint8_t **truth, double **valid, const rvl_label_table *t,
                           const rvl_table_policy *policy, rvl_error *err)
{
    const size_t n = rvl_csv_n_rows(t->table);
    const size_t k = (size_t)t->k;
    rvl_status   st = RVL_OK;

    *ids = rvl_alloc_array(n + 1, sizeof **ids);
    *truth = rvl_alloc_array(n * k + 1, sizeof **truth);
    *valid = rvl_alloc_array(n * k + 1, sizeof **valid);
    if (!*ids || !*truth || !*valid)
        return no_memory(err);
    for (size_t i = 0; !st && i < n; i++) {
        (*ids)[i] = rvl_csv_cell(t->table, i, 0);
        st = rvl__label_row(*truth + i * k, *valid + i * k, t, i, policy, err);
    }
    return st;
}

static rvl_status read_metadata(rvl_metadata rows[3], rvl_metadata_source *source, const char *path,
                                const char *const *train_ids, int64_t n_train, const rvl_joined *test,
                                const rvl_joined *val, rvl_error *err)
{
    rvl_status st = rvl__metadata_open(source, path, err);

    if (!st)
        st = rvl__metadata_of_ids(&rows[0], source, train_ids, n_train, err);
    if (!st)
        st = rvl__metadata_of_ids(&rows[1], source, test->ids, test->n, err);
    return st ? st : rvl__metadata_of_ids(&rows[2], source, val->ids, val->n, err);
}

/* Fitted on the training labels, else the validation labels, else the measured ones: then the constant alone. */
static rvl_status add_baselines(json_t *root, json_t *part, const rvl_bench_findings *f, const rvl_joined *test,
                                const rvl_joined *val, const rvl_table_policy *policy, const rvl_bench_opts *o,
                                rvl_error *err)
{
    rvl_label_table     train = {0};
    rvl_metadata_source source = {0};
    rvl_metadata        rows[3];
    const char        **ids = NULL;
    uint8_t            *truth = NULL;
    double             *valid = NULL;
    rvl_bench_fit       fit = {o->labels, f->n, f->truth, f->valid, NULL, NULL, NULL};
    rvl_status          st = RVL_OK;

    if (o->metadata && !o->train_labels)
        return rvl_fail(err, RVL_ERR_USAGE, "--metadata needs --train-labels, on which the baseline is fitted");
    if (o->train_labels) {
        st = rvl__label_table_load(&train, o->train_labels, f->names, f->k, policy->mapping, err);
        if (!st)
            st = read_all(&ids, &truth, &valid, &train, policy, err);
        const int64_t n = st ? 0 : (int64_t)rvl_csv_n_rows(train.table);
        fit = (rvl_bench_fit){o->train_labels, n, truth, valid, NULL, NULL, NULL};
        if (!st)
            st = rvl__audit_table(root, test, &train, o->train_labels, err);
        if (!st && o->metadata) {
            st = read_metadata(rows, &source, o->metadata, ids, n, test, val, err);
            fit.train = &rows[0];
            fit.test = &rows[1];
            fit.val = &rows[2];
        }
    } else if (f->n_val > 0) {
        fit = (rvl_bench_fit){o->val_labels, f->n_val, f->val_truth, f->val_valid, NULL, NULL, NULL};
    }
    if (!st)
        st = rvl__bench_baselines(part, f, &fit, o->n_bootstrap, (uint64_t)o->seed, err);
    rvl__metadata_close(&source);
    rvl__label_table_fini(&train);
    rvl_free(ids);
    rvl_free(truth);
    rvl_free(valid);
    return st;
}

static rvl_status bench_predictions(json_t *root, const rvl_bench_opts *o, rvl_error *err)
{
    rvl_joined       t = {0};
    rvl_joined       val = {0};
    rvl_table_policy policy = {0};
    json_t          *out = NULL;
    rvl_status       st = rvl__table_policy(&policy, o, err);

    if (!st)
        st = o->labels ? rvl__join(&t, o->predictions, o->labels, &policy, err)
                       : rvl_fail(err, RVL_ERR_USAGE, "--predictions needs --labels");
    if (!st)
        st = join_validation(&val, &t, o, &policy, err);
    if (!st) {
        rvl_bench_findings f = {.n = t.n,
                                .k = t.k,
                                .names = t.names,
                                .score = t.score,
                                .truth = t.truth,
                                .valid = t.valid,
                                .patient = t.patient,
                                .n_patients = t.n_patients,
                                .n_val = val.n,
                                .val_score = val.score,
                                .val_valid = val.valid,
                                .val_truth = val.truth,
                                .is_probability = all_probabilities(&t),
                                .class_set = policy.mapping ? policy.mapping->name : NULL};
        st = rvl__bench_findings(&out, &f, o->n_bootstrap, (uint64_t)o->seed, err);
        if (!st && val.n > 0)
            st = rvl__audit_table(root, &t, &val.labels, o->val_labels, err);
        if (!st)
            st = add_baselines(root, out, &f, &t, &val, &policy, o, err);
    }
    if (!st)
        rvl_json_set(root, "predictions", out);
    else
        json_decref(out);
    rvl__joined_fini(&t);
    rvl__joined_fini(&val);
    return st;
}

rvl_status rvl__bench_external(json_t *root, const rvl_bench_opts *o, rvl_error *err)
{
    rvl_status st = RVL_OK;
    if (o->cohort || o->model)
        return rvl_fail(err, RVL_ERR_USAGE,
                        "predictions or embeddings from files and a cohort or model exclude each other");
    if (o->group)
        rvl_json_set(root, "group", json_string(o->group));
    if (o->map)
        rvl_json_set(root, "map", json_string(o->map));
    if (o->predictions)
        st = bench_predictions(root, o, err);
    if (!st && o->image_embeddings)
        st = rvl__bench_embeddings(root, o, err);
    return st;
}
