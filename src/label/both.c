/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/both.c
 * A cheap labeller first, a dear one where the first is unsure.
 */
#include "label/both.h"
#include "base/alloc.h"
#include "label/pair.h"
#include <math.h>
#include <string.h>

static bool is_unsure(const rvl_label_row *row)
{
    return row->state == RVL_LABEL_UNCERTAIN || isnan(row->probability) ||
           (row->probability > RVL_UNSURE_LOW && row->probability < RVL_UNSURE_HIGH);
}

/* Reports that the second is asked about, packed. */
typedef struct {
    int               *places; /* (n) their places in the batch */
    rvl_span          *texts;
    bool              *wanted;
    rvl_label_row     *rows;
    rvl_label_outcome *outcomes;
    int                n;
} asked;

static bool asked_make(asked *a, int n, int k)
{
    a->places = rvl_alloc_array((size_t)n + 1, sizeof *a->places);
    a->texts = rvl_alloc_array((size_t)n + 1, sizeof *a->texts);
    a->wanted = rvl_alloc_array((size_t)n * (size_t)k + 1, sizeof *a->wanted);
    a->rows = rvl_alloc_array((size_t)n * (size_t)k + 1, sizeof *a->rows);
    a->outcomes = rvl_alloc_array((size_t)n + 1, sizeof *a->outcomes);
    return a->places && a->texts && a->wanted && a->rows && a->outcomes;
}

static void asked_fini(asked *a)
{
    rvl_free(a->places);
    rvl_free(a->texts);
    rvl_free(a->wanted);
    rvl_free(a->rows);
    rvl_free(a->outcomes);
}

static void asked_fill(asked *a, const rvl_label_row *rows, rvl_label_outcome *outcomes, const rvl_label_batch *batch,
                       int k)
{
    for (int i = 0; i < batch->n; i++) {
        bool *wanted = a->wanted + (size_t)a->n * (size_t)k;
        bool  is_any = false;
        if (outcomes[i].outcome != RVL_LABELLED)
            continue;
        for (int j = 0; j < k; j++) {
            wanted[j] = (!batch->wanted || batch->wanted[i * k + j]) && is_unsure(&rows[i * k + j]);
            is_any = is_any || wanted[j];
        }
        if (!is_any)
            continue;
        outcomes[i].outcome = RVL_LABELLED_NOT; /* until the second has spoken */
        a->places[a->n] = i;
        a->texts[a->n++] = batch->texts[i];
    }
}

static rvl_status both_label(rvl_labeller *self, rvl_label_row *rows, rvl_label_outcome *outcomes,
                             const rvl_label_batch *batch, rvl_error *err)
{
    rvl_label_pair *b = (rvl_label_pair *)self;
    const int       k = rvl_schema_count(self->schema);
    asked           a = {0};
    rvl_status      st = b->first->label(b->first, rows, outcomes, batch, err);

    if (st)
        return st;
    if (!asked_make(&a, batch->n, k)) {
        asked_fini(&a);
        memset(outcomes, 0, (size_t)batch->n * sizeof *outcomes);
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for labels");
    }
    asked_fill(&a, rows, outcomes, batch, k);
    const rvl_label_batch rest = {.n = a.n, .texts = a.texts, .wanted = a.wanted};
    if (a.n > 0)
        st = b->second->label(b->second, a.rows, a.outcomes, &rest, err);
    for (int i = 0; i < a.n; i++) {
        outcomes[a.places[i]] = a.outcomes[i];
        for (int j = 0; a.outcomes[i].outcome == RVL_LABELLED && j < k; j++)
            if (a.wanted[i * k + j])
                rows[a.places[i] * k + j] = a.rows[i * k + j];
    }
    asked_fini(&a);
    return st;
}

rvl_status rvl_both_open(rvl_labeller **out, rvl_labeller *first, rvl_labeller *second, rvl_error *err)
{
    return rvl__label_pair(out, first, second, 4 * second->n_together, both_label, err);
}

rvl_labeller *rvl_both_second(rvl_labeller *l)
{
    return l->label == both_label ? ((rvl_label_pair *)l)->second : NULL;
}
