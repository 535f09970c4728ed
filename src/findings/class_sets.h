/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file findings/class_sets.h
 * Sets of classes that publications on chest CT average over, and how 18 CT-RATE classes become RAD-ChestCT's.
 *
 * Means over different sets are not comparable: CT-CLIP, MPS-CT and GreenRFM average 18 classes of CT-RATE, fVLM,
 * ViSD-Boost and HLIP 16; on RAD-ChestCT it is 16 (CT-CLIP) or 15 (HLIP).
 */
#ifndef RVL_FINDINGS_CLASS_SETS_H
#define RVL_FINDINGS_CLASS_SETS_H
#include "rvl/status.h"

enum { RVL_MAX_SET_CLASSES = 18 };

typedef struct {
    const char *name; /* "ct-rate-18" */
    int         n;
    const char *classes[RVL_MAX_SET_CLASSES]; /* as the label tables of CT-RATE spell them */
} rvl_class_set;

/** The sets of CT-RATE: ct-rate-18 and ct-rate-16 (without Medical material and Lymphadenopathy). */
const rvl_class_set *rvl_ct_rate_sets(int *n_sets);

/** One class of a mapping: which predicted classes give its score (the largest counts) and which label is its truth. */
typedef struct {
    const char *name;
    const char *sources[2]; /* CT-RATE classes; the second may be NULL */
    const char *label;      /* RAD-ChestCT's abnormality; a label table may also use `name` */
} rvl_class_rule;

typedef struct {
    const char    *name; /* "rad-chestct-16" */
    int            n;
    rvl_class_rule rules[RVL_MAX_SET_CLASSES];
} rvl_class_mapping;

/** rad-chestct-16 (CT-CLIP's evaluate_external: no Mosaic attenuation pattern, Calcification scored by the larger of
 *  arterial and coronary) or rad-chestct-15 (HLIP's map_label: no Medical material and Lymphadenopathy either, the
 * label calcification is the truth of arterial and of coronary). NULL for other names. */
const rvl_class_mapping *rvl_class_mapping_find(const char *name);

/** Whether two class names are the same but for case, spaces and punctuation: "Lung nodule" and "lung_nodule". */
bool rvl_class_name_equal(const char *a, const char *b);

#endif /* RVL_FINDINGS_CLASS_SETS_H */
