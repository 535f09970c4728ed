/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/layout.h
 * Published datasets as their folders lie on disk, each made into one table and the map that reads it. Specified, with
 * what is taken from which file, in docs/howto/volumes.md.
 *
 *   ct-rate      dataset/{train,valid}_fixed (HU) or dataset/{train,valid} (raw values, blank headers), the tables of
 *                reports, labels and metadata
 *   rad-chestct  NAME.npz, the tables of abnormalities by location, the summary
 */
#ifndef RVL_COHORT_LAYOUT_H
#define RVL_COHORT_LAYOUT_H
#include "base/str.h"

typedef struct {
    rvl_str map, table; /* owned */
} rvl__layout;

bool                    rvl__layout_is(const char *name);
/** Read the tables of the dataset `name` in `folder`. NOT_FOUND if it does not lie there. On failure `out` is empty. */
RVL_MUST_USE rvl_status rvl__layout_read(rvl__layout *out, const char *name, const char *folder, rvl_error *err);
void                    rvl__layout_fini(rvl__layout *l);

RVL_MUST_USE rvl_status rvl__layout_ct_rate(rvl__layout *out, const char *folder, rvl_error *err);
RVL_MUST_USE rvl_status rvl__layout_rad_chestct(rvl__layout *out, const char *folder, rvl_error *err);

#endif /* RVL_COHORT_LAYOUT_H */
