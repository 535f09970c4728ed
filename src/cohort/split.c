/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/split.c
 * Splits by patient: patients are ordered by a hash of (seed, original id) and cut to the ratios, so the order of
 * the table does not matter. A split column of the table is taken as it is.
 */
#include "base/rng.h"
#include "base/str.h"
#include "cohort/plan.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SPLIT_NAME_MAX 32
#define FOLDS_MAX 1000

typedef struct {
    uint64_t    key;
    const char *id;
    int64_t     i_patient;
} drawn_patient;

static int drawn_compare(const void *a, const void *b)
{
    const drawn_patient *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return strcmp(x->id, y->id);
}

rvl_status rvl__split_check_opts(const rvl_ingest_opts *opts, rvl_error *err)
{
    const double *r = opts->split_ratio;
    double        sum = r[0] + r[1] + r[2];
    bool          is_given = r[0] != 0 || r[1] != 0 || r[2] != 0;

    if (is_given && !(r[0] >= 0 && r[1] >= 0 && r[2] >= 0 && fabs(sum - 1) < 1e-6))
        return rvl_fail(err, RVL_ERR_USAGE, "split ratios %g, %g, %g do not add up to 1", r[0], r[1], r[2]);
    if (opts->n_folds && (opts->n_folds < 2 || opts->n_folds > FOLDS_MAX))
        return rvl_fail(err, RVL_ERR_USAGE, "number of folds must be 2 to %d, not %d", FOLDS_MAX, opts->n_folds);
    if (opts->n_folds && is_given)
        return rvl_fail(err, RVL_ERR_USAGE, "split ratios and folds exclude each other");
    return RVL_OK;
}

/** Add a split called `text` (copied, lower case; "valid" and "validation" are "val"). -1 if it is no name. */
static rvl_status split_name(int *out, rvl__plan *plan, const char *text, rvl_error *err)
{
    char    name[SPLIT_NAME_MAX + 1] = {0};
    size_t  n = strlen(text);
    int64_t i;
    bool    is_new;

    *out = -1;
    if (n == 0 || n > SPLIT_NAME_MAX)
        return RVL_OK;
    for (size_t j = 0; j < n; j++) {
        char c = text[j];
        c = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (j > 0 && (c == '_' || c == '-'))))
            return RVL_OK;
        name[j] = c;
    }
    if (strcmp(name, "all") == 0)
        return RVL_OK;
    const char *kept = strcmp(name, "valid") == 0 || strcmp(name, "validation") == 0 ? "val" : name;
    i = rvl__names_find(&plan->splits, kept);
    if (i < 0) {
        kept = rvl_arena_strndup(plan->arena, kept, strlen(kept));
        if (!kept)
            return rvl_fail(err, RVL_ERR_NOMEM, "cannot split: out of memory");
        rvl_status st = rvl__names_add(&i, &is_new, &plan->splits, kept, err);
        if (st)
            return st;
    }
    *out = (int)i;
    return RVL_OK;
}

/** Cut `n` patients in drawn order: patient j goes to split of_patient[...]. */
static void cut_ratios(int *split_of, const drawn_patient *drawn, int64_t n, const double ratio[3])
{
    int64_t n_val = llround((double)n * ratio[1]);
    int64_t n_test = llround((double)n * ratio[2]);

    if (n >= 3 && ratio[1] > 0 && n_val == 0)
        n_val = 1;
    if (n >= 3 && ratio[2] > 0 && n_test == 0)
        n_test = 1;
    int64_t n_train = ratio[0] > 0 ? n - n_val - n_test : 0;
    if (ratio[0] <= 0)
        n_val = ratio[2] > 0 ? n - n_test : n;
    for (int64_t j = 0; j < n; j++)
        split_of[drawn[j].i_patient] = j < n_train ? 0 : j < n_train + n_val ? 1 : 2;
}

static rvl_status name_drawn_splits(rvl__plan *plan, int n_folds, rvl_error *err)
{
    static const char *const names[] = {"train", "val", "test"};
    char                     name[SPLIT_NAME_MAX];
    int                      i;
    rvl_status               st = RVL_OK;

    for (int j = 0; !st && j < (n_folds ? n_folds : 3); j++) {
        if (n_folds) {
            rvl_str text = {0};
            rvl_str_addf(&text, "fold%d", j);
            if (text.failed)
                return rvl_fail(err, RVL_ERR_NOMEM, "cannot split: out of memory");
            memcpy(name, text.ptr, text.n_bytes + 1);
            rvl_str_free(&text);
        }
        st = split_name(&i, plan, n_folds ? name : names[j], err);
    }
    return st;
}

static rvl_status assign_drawn(rvl__plan *plan, const rvl_ingest_opts *opts, rvl_error *err)
{
    static const double standard[3] = {0.8, 0.1, 0.1};
    const double       *r = opts->split_ratio;
    int64_t             n = plan->patients.n;
    drawn_patient      *drawn = rvl_alloc_array((size_t)n + 1, sizeof *drawn);
    int                *split_of = rvl_alloc_array((size_t)n + 1, sizeof *split_of);
    rvl_status          st;

    if (!drawn || !split_of) {
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot split %lld patients: out of memory", (long long)n);
        goto done;
    }
    st = name_drawn_splits(plan, opts->n_folds, err);
    if (st)
        goto done;
    for (int64_t i = 0; i < n; i++) {
        const char *id = plan->patients.names[i];
        drawn[i] = (drawn_patient){rvl_rng_mix(opts->seed, rvl_rng_name(id)), id, i};
    }
    qsort(drawn, (size_t)n, sizeof *drawn, drawn_compare);
    if (opts->n_folds) {
        for (int64_t j = 0; j < n; j++)
            split_of[drawn[j].i_patient] = (int)(j % opts->n_folds);
    } else {
        cut_ratios(split_of, drawn, n, r[0] != 0 || r[1] != 0 || r[2] != 0 ? r : standard);
    }
    for (int64_t i = 0; i < plan->studies.n; i++)
        plan->study[i].i_split = split_of[plan->study[i].i_patient];
done:
    rvl_free(split_of);
    rvl_free(drawn);
    return st;
}

/** The row loses its place; a study whose first row fails has no split until a later row gives it one. */
static rvl_status row_fail(rvl__plan *plan, int64_t i_row, const char *reason, rvl_error *err)
{
    plan->rows[i_row].i_study = -1;
    plan->rows[i_row].failure = rvl_arena_strndup(plan->arena, reason, strlen(reason));
    return plan->rows[i_row].failure ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot split: out of memory");
}

static rvl_status assign_column(rvl__plan *plan, const rvl__source *source, rvl_error *err)
{
    rvl_status st = RVL_OK;

    for (int64_t i = 0; !st && i < plan->n_rows; i++) {
        int i_split;

        if (plan->rows[i].i_study < 0)
            continue;
        rvl__plan_study *study = &plan->study[plan->rows[i].i_study];
        st = split_name(&i_split, plan, rvl__source_cell(source, i, RVL__COLUMN_SPLIT), err);
        if (!st && i_split < 0)
            st = row_fail(plan, i, "the split is no name of 1 to 32 letters, digits, '-' and '_' (or is 'all')", err);
        else if (!st && study->i_split >= 0 && study->i_split != i_split)
            st = row_fail(plan, i, "the study is in another split in an earlier line", err);
        else if (!st)
            study->i_split = i_split;
    }
    return st;
}

rvl_status rvl__split_assign(rvl__plan *plan, const rvl__source *source, const rvl_ingest_opts *opts, rvl_error *err)
{
    bool is_drawn =
        opts->n_folds || opts->split_ratio[0] != 0 || opts->split_ratio[1] != 0 || opts->split_ratio[2] != 0;

    if (!is_drawn && rvl__source_has(source, RVL__COLUMN_SPLIT))
        return assign_column(plan, source, err);
    return assign_drawn(plan, opts, err);
}

rvl_status rvl__split_count_leaks(int64_t *out, const rvl__plan *plan, rvl_error *err)
{
    int *first = rvl_alloc_array((size_t)plan->patients.n + 1, sizeof *first); /* split + 1; -1: already counted */

    *out = 0;
    if (!first)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot check splits: out of memory");
    for (int64_t i = 0; i < plan->studies.n; i++) {
        const rvl__plan_study *study = &plan->study[i];
        int                   *seen = &first[study->i_patient];

        if (study->i_split < 0 || *seen < 0)
            continue;
        if (*seen && *seen != study->i_split + 1) {
            (*out)++;
            *seen = -1;
        } else {
            *seen = study->i_split + 1;
        }
    }
    rvl_free(first);
    return RVL_OK;
}
