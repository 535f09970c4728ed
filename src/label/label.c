/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/label.c
 * The parts of the interface that all labellers share.
 */
#include "label/label.h"

void rvl_label_rows_clear(rvl_label_row *rows, const rvl_labeller *labeller, double probability)
{
    for (int k = 0; k < rvl_schema_count(labeller->schema); k++)
        rows[k] = (rvl_label_row){.state = RVL_LABEL_NOT_MENTIONED,
                                  .probability = probability,
                                  .source = labeller->source,
                                  .version = labeller->version};
}

void rvl_labeller_free(rvl_labeller *labeller)
{
    if (labeller)
        labeller->free(labeller);
}
