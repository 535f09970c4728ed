/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_protocols.c
 * The published dialects beside bench's own numbers: per finding, and macros over named class sets.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "findings/class_sets.h"
#include "measure/protocol.h"
#include "verbs/bench_parts.h"
#include <math.h>

/* Columns of one finding's row. */
enum { AUROC, CC_THRESHOLD, CC_F1, CC_PRECISION, CC_ACCURACY, V_PRECISION, V_RECALL, V_F1, V_ACCURACY, N_COLUMNS };

typedef struct {
    const rvl_bench_findings *b;
    double                   *row;     /* (k, N_COLUMNS) */
    rvl_confusion            *at;      /* (k) at 0.5 */
    double                   *column;  /* (2, n): score, weight of one finding */
    uint8_t                  *truth;   /* (n) */
    bool                     *include; /* (k) */
} context;

static void measure_finding(context *c, int j, double auroc)
{
    const rvl_bench_findings *b = c->b;
    const rvl_binary          task = {b->n, c->column, c->truth, c->column + b->n};
    double                   *row = c->row + j * N_COLUMNS;
    rvl_ct_clip               cc = {NAN, NAN, NAN, NAN};
    rvl_vlm3d                 v = {NAN, NAN, NAN, NAN};

    for (int64_t i = 0; i < b->n; i++) {
        c->column[i] = b->score[i * b->k + j];
        c->column[b->n + i] = b->valid[i * b->k + j];
        c->truth[i] = b->truth[i * b->k + j];
    }
    rvl_confusion_at(&c->at[j], &task, 0.5);
    if (b->is_probability) {
        rvl_ct_clip_measure(&cc, &task);
        rvl_vlm3d_measure(&v, &task);
    }
    const double values[N_COLUMNS] = {auroc,       cc.threshold, cc.f1_weighted, cc.precision, cc.accuracy,
                                      v.precision, v.recall,     v.f1,           v.accuracy};
    for (int q = 0; q < N_COLUMNS; q++)
        row[q] = values[q];
}

static void set_values(json_t *out, const char *const *keys, const double *values, int n)
{
    for (int i = 0; i < n; i++)
        rvl_json_set(out, keys[i], rvl_json_real(values[i]));
}

static void add_to_finding(json_t *finding, const double *row)
{
    static const char *const cc_keys[] = {"threshold", "f1_weighted", "precision", "accuracy"};
    static const char *const v_keys[] = {"precision", "recall", "f1", "accuracy"};
    json_t                  *cc = json_object();
    json_t                  *v = json_object();

    set_values(cc, cc_keys, row + CC_THRESHOLD, 4);
    set_values(v, v_keys, row + V_PRECISION, 4);
    rvl_json_set(finding, "ct_clip", cc);
    rvl_json_set(finding, "vlm3d", v);
}

static double column_mean(const context *c, int column)
{
    return rvl_macro_mean(c->row + column, N_COLUMNS, c->include, c->b->k, RVL_MACRO_DEFINED);
}

static double crg_of(const context *c)
{
    double tp = 0;
    double fn = 0;
    double fp = 0;
    double tn = 0;

    for (int j = 0; j < c->b->k; j++) {
        if (!c->include[j])
            continue;
        tp += c->at[j].tp;
        fn += c->at[j].fn;
        fp += c->at[j].fp;
        tn += c->at[j].tn;
    }
    return c->b->is_probability ? rvl_crg(tp, fn, fp, tp + fn + fp + tn, tp + fn) : NAN;
}

static json_t *set_json(const context *c, const char *name)
{
    json_t *out = json_object();
    json_t *cc = json_object();
    json_t *v = json_object();
    json_t *fvlm = json_object();
    int     n_in = 0;
    int     n_undefined = 0;

    for (int j = 0; j < c->b->k; j++) {
        n_in += c->include[j];
        n_undefined += c->include[j] && isnan(c->row[j * N_COLUMNS + AUROC]);
    }
    rvl_json_set(out, "name", json_string(name));
    rvl_json_set(out, "n_classes", json_integer(n_in));
    rvl_json_set(out, "n_undefined", json_integer(n_undefined));
    rvl_json_set(out, "macro_auroc", rvl_json_real(column_mean(c, AUROC)));
    rvl_json_set(cc, "macro_accuracy", rvl_json_real(column_mean(c, CC_ACCURACY)));
    rvl_json_set(cc, "macro_f1_weighted", rvl_json_real(column_mean(c, CC_F1)));
    rvl_json_set(cc, "macro_precision", rvl_json_real(column_mean(c, CC_PRECISION)));
    rvl_json_set(fvlm, "macro_auroc",
                 rvl_json_real(rvl_macro_mean(c->row + AUROC, N_COLUMNS, c->include, c->b->k, RVL_MACRO_ZERO)));
    rvl_json_set(v, "macro_precision", rvl_json_real(column_mean(c, V_PRECISION)));
    rvl_json_set(v, "macro_recall", rvl_json_real(column_mean(c, V_RECALL)));
    rvl_json_set(v, "macro_f1", rvl_json_real(column_mean(c, V_F1)));
    rvl_json_set(v, "macro_accuracy", rvl_json_real(column_mean(c, V_ACCURACY)));
    rvl_json_set(v, "crg", rvl_json_real(crg_of(c)));
    rvl_json_set(out, "ct_clip", cc);
    rvl_json_set(out, "fvlm", fvlm);
    rvl_json_set(out, "vlm3d", v);
    return out;
}

/* Marks the findings that are classes of the set; whether all of them are there. */
static bool include_set(context *c, const rvl_class_set *set)
{
    int n_found = 0;

    for (int j = 0; j < c->b->k; j++) {
        c->include[j] = false;
        for (int i = 0; i < set->n && !c->include[j]; i++)
            c->include[j] = rvl_class_name_equal(set->classes[i], c->b->names[j]);
        n_found += c->include[j];
    }
    return n_found == set->n;
}

static json_t *all_sets(context *c)
{
    int                  n_sets;
    const rvl_class_set *sets = rvl_ct_rate_sets(&n_sets);
    json_t              *out = json_array();

    for (int j = 0; j < c->b->k; j++)
        c->include[j] = true;
    json_array_append_new(out, set_json(c, c->b->class_set ? c->b->class_set : "all"));
    for (int s = 0; s < n_sets; s++)
        if (include_set(c, &sets[s]))
            json_array_append_new(out, set_json(c, sets[s].name));
    return out;
}

rvl_status rvl__bench_protocols(json_t *part, const rvl_bench_findings *b, const double *auroc, rvl_error *err)
{
    context    c = {.b = b};
    const bool made = (c.row = rvl_alloc_array((size_t)b->k + 1, N_COLUMNS * sizeof *c.row)) != NULL &&
                      (c.at = rvl_alloc_array((size_t)b->k + 1, sizeof *c.at)) != NULL &&
                      (c.column = rvl_alloc_array((size_t)b->n + 1, 2 * sizeof *c.column)) != NULL &&
                      (c.truth = rvl_alloc_array((size_t)b->n + 1, sizeof *c.truth)) != NULL &&
                      (c.include = rvl_alloc_array((size_t)b->k + 1, sizeof *c.include)) != NULL;
    rvl_status st = made ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for dialects");

    for (int j = 0; !st && j < b->k; j++) {
        measure_finding(&c, j, auroc[j]);
        add_to_finding(json_array_get(json_object_get(part, "findings"), (size_t)j), c.row + j * N_COLUMNS);
    }
    if (!st)
        rvl_json_set(part, "class_sets", all_sets(&c));
    rvl_free(c.row);
    rvl_free(c.at);
    rvl_free(c.column);
    rvl_free(c.truth);
    rvl_free(c.include);
    return st;
}
