/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/pool.c
 * The mean of two labellers' log-odds.
 */
#include "label/pool.h"
#include "base/alloc.h"
#include "label/pair.h"
#include <math.h>
#include <string.h>

static double log_odds(double p)
{
    const double q = fmin(fmax(p, RVL_POOL_LEAST), 1 - RVL_POOL_LEAST);

    return log(q / (1 - q));
}

/** `row` holds the first's opinion and takes the pool's. A labeller without a probability has none to add. */
static void pool_row(rvl_label_row *row, const rvl_label_row *other, const rvl_labeller *self)
{
    const bool   was_present = row->state == RVL_LABEL_PRESENT;
    const bool   is_open = row->state != RVL_LABEL_PRESENT && row->state != RVL_LABEL_ABSENT;
    const double p = isnan(row->probability) ? other->probability
                     : isnan(other->probability)
                         ? row->probability
                         : 1 / (1 + exp(-(log_odds(row->probability) + log_odds(other->probability)) / 2));

    row->probability = p;
    row->source = self->source;
    row->version = self->version;
    if (isnan(p) || (is_open && p < 0.5) || was_present == (p >= 0.5))
        return;
    row->state = p >= 0.5 ? RVL_LABEL_PRESENT : RVL_LABEL_ABSENT;
    row->evidence_at = row->evidence_bytes = 0;
}

static rvl_status pool_label(rvl_labeller *self, rvl_label_row *rows, rvl_label_outcome *outcomes,
                             const rvl_label_batch *batch, rvl_error *err)
{
    rvl_label_pair    *p = (rvl_label_pair *)self;
    const size_t       n = (size_t)batch->n, k = (size_t)rvl_schema_count(self->schema);
    rvl_label_row     *others = rvl_alloc_array(n * k + 1, sizeof *others);
    rvl_label_outcome *said = rvl_alloc_array(n + 1, sizeof *said);
    rvl_status         st = RVL_OK;

    memset(outcomes, 0, n * sizeof *outcomes);
    if (!others || !said)
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory for labels");
    if (!st)
        st = p->first->label(p->first, rows, outcomes, batch, err);
    if (!st)
        st = p->second->label(p->second, others, said, batch, err);
    for (size_t i = 0; i < n; i++) {
        if (outcomes[i].outcome != RVL_LABELLED)
            continue;
        outcomes[i] = said ? said[i] : (rvl_label_outcome){RVL_LABELLED_NOT, ""};
        for (size_t j = 0; outcomes[i].outcome == RVL_LABELLED && j < k; j++)
            if (!batch->wanted || batch->wanted[i * k + j])
                pool_row(&rows[i * k + j], &others[i * k + j], self);
    }
    rvl_free(others);
    rvl_free(said);
    return st;
}

rvl_status rvl_pool_open(rvl_labeller **out, rvl_labeller *first, rvl_labeller *second, rvl_error *err)
{
    return rvl__label_pair(out, first, second, second->n_together, pool_label, err);
}
