/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/hu.h
 * Are these voxels Hounsfield units? The one place that decides, so that CT is never rescaled twice and never not at
 * all. The rules H1 to H7 stand, each with its source, in imaging/hu.c.
 */
#ifndef RVL_IMAGING_HU_H
#define RVL_IMAGING_HU_H
#include "imaging/volume.h"

#define RVL_HU_AIR (-1024.0)           /* what padding becomes: the floor of the 12-bit CT scale */
#define RVL_HU_PADDING_BELOW (-1500.0) /* no tissue, air or noise is so low */

typedef enum {
    RVL_HU_AUTO,       /* told by the values */
    RVL_HU_ALREADY,    /* they are HU, whatever slope and intercept stand beside them (CT-RATE v2, RAD-ChestCT) */
    RVL_HU_RAW,        /* slope and intercept are to be applied (CT-RATE v1) */
    RVL_HU_THOUSANDTHS /* HU / 1000 (arrays that CT-CLIP's preprocessing writes) */
} rvl_hu_kind;

typedef struct {
    rvl_hu_kind kind;
    bool        has_rescale;      /* slope and intercept are known, from a metadata table or a flag */
    double      slope, intercept; /* HU = slope * stored + intercept */
} rvl_hu_opts;

typedef struct {
    rvl_hu_kind kind;         /* what they were found to be, or said to be; never AUTO */
    bool        was_rescaled; /* slope and intercept (or 1000) were applied */
    bool        is_plausible; /* air or lung and soft tissue are where CT has them */
    int64_t     n_padding;    /* voxels that became air */
    double      low, high;    /* HU of the other voxels */
} rvl_hu_report;

/**
 * Make the voxels HU: unit HU, modality CT, padding air; whole numbers become I16, others F32. A volume that is HU
 * already (unit HU) only has its padding replaced. `opts` and `report` may be NULL (AUTO, no rescale known).
 * UNSUPPORTED, with what the values look like, if AUTO finds no reading that is plausible for CT, or two; or if a flag
 * contradicts the values (asked to rescale what is HU already, or to keep what is raw). NUMERIC for NaN and Inf; LIMIT
 * if a voxel would be above 32,767 HU. On failure the volume is unchanged.
 */
RVL_MUST_USE rvl_status rvl_hu_make(rvl_volume *v, const rvl_hu_opts *opts, rvl_hu_report *report, rvl_error *err);
const char             *rvl_hu_kind_text(rvl_hu_kind kind);                    /* "auto", "hu", "raw", "hu/1000" */
bool                    rvl_hu_kind_parse(rvl_hu_kind *out, const char *text); /* the same words */
#endif                                                                         /* RVL_IMAGING_HU_H */
