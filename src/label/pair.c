/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/pair.c
 * Two labellers under one roof.
 */
#include "label/pair.h"
#include "base/alloc.h"
#include <stdio.h>

static void pair_free(rvl_labeller *self)
{
    rvl_label_pair *p = (rvl_label_pair *)self;

    rvl_labeller_free(p->first);
    rvl_labeller_free(p->second);
    rvl_free(p);
}

rvl_status rvl__label_pair(rvl_labeller **out, rvl_labeller *first, rvl_labeller *second, int n_together,
                           rvl_status (*label)(rvl_labeller *self, rvl_label_row *rows, rvl_label_outcome *outcomes,
                                               const rvl_label_batch *batch, rvl_error *err),
                           rvl_error *err)
{
    rvl_label_pair *p = rvl_alloc_array(1, sizeof *p);

    *out = NULL;
    if (!p) {
        rvl_labeller_free(first);
        rvl_labeller_free(second);
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for a labeller");
    }
    p->first = first;
    p->second = second;
    snprintf(p->source, sizeof p->source, "%.30s+%.30s", first->source, second->source);
    snprintf(p->version, sizeof p->version, "%.90s+%.90s", first->version, second->version);
    p->base = (rvl_labeller){.source = p->source,
                             .version = p->version,
                             .schema = first->schema,
                             .n_together = n_together,
                             .label = label,
                             .free = pair_free};
    *out = &p->base;
    return RVL_OK;
}
