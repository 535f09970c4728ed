/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/series_json.h
 * Stacks of DICOM slices as JSON, for inspect and convert. No identifier is in it.
 */
#ifndef RVL_VERBS_SERIES_JSON_H
#define RVL_VERBS_SERIES_JSON_H
#include "imaging/dicom_series.h"
#include <jansson.h>

/** What becomes of a stack when a folder is converted. */
typedef enum {
    RVL__STACK_VOLUME,
    RVL__STACK_LOCALISER, /* left out unless asked for */
    RVL__STACK_COLOUR,    /* never a volume */
    RVL__STACK_REFUSED    /* a failure */
} rvl__stack_fate;
rvl__stack_fate rvl__stack_fate_of(const rvl_dicom_stack *k);
/** series_number, part, description, modality, shape, spacing_mm, slices, status, reason, notes. */
json_t         *rvl__stack_json(const rvl_dicom_stack *k);
/** Files that gave no slices, each with kind and reason; those that are no DICOM are only counted. */
void            rvl__skips_json(json_t *out, const rvl_dicom_scan *s);
#endif /* RVL_VERBS_SERIES_JSON_H */
