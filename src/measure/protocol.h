/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/protocol.h
 * Numbers of binary tasks as publications on chest CT define them: dialects, named in brackets in
 * docs/reference/metrics.md. Scores are probabilities in 0..1. Published code differs in what it does with a class that
 * has only present or only absent cases; here each dialect says it.
 */
#ifndef RVL_MEASURE_PROTOCOL_H
#define RVL_MEASURE_PROTOCOL_H
#include "measure/metrics.h"

/**
 * [ct-clip] (CT-CLIP's scripts, shared by fVLM, ViSD-Boost and HLIP): the threshold of 100 values from 0 to 1, evenly
 * spaced, whose point (FPR, TPR) lies nearest to (0, 1), the last of equally near ones; then, called present where
 * score > threshold, weighted F1, accuracy and precision. The published numbers choose it on the measured cases
 * themselves, so they are optimistic: never compare them with numbers at a threshold chosen elsewhere.
 */
typedef struct {
    double threshold;
    double f1_weighted;         /* F1 of the class present and of the class absent, weighted by their cases */
    double precision, accuracy; /* precision is 0 where nothing is called present, as scikit-learn has it */
} rvl_ct_clip;
/** All NaN unless both classes have cases. */
void rvl_ct_clip_measure(rvl_ct_clip *out, const rvl_binary *task);

/** [vlm3d] (the VLM3D challenge): at score >= 0.5, ratios without a denominator are 0. NaN only without cases. */
typedef struct {
    double precision, recall, f1, accuracy;
} rvl_vlm3d;
void rvl_vlm3d_measure(rvl_vlm3d *out, const rvl_binary *task);

/** F1 of each class weighted by the class's cases; an F1 without a denominator counts 0 (scikit-learn's
 *  f1_score(average="weighted")). NaN without cases. */
double rvl_weighted_f1(const rvl_confusion *c);

/**
 * CRG (the VLM3D challenge), over all classes at once: with X labels, A of them present, r = (X - A) / 2A and
 * U = (X - A) / 2, the score s = r TP - r FN - FP and CRG = U / (2U - s): 1 if all is right, 1/2 for s = 0, 1/3 if
 * nothing is called present (s = -U); 0 where 2U = s. NaN without a present label.
 */
double rvl_crg(double tp, double fn, double fp, double n_labels, double n_present);

/** How a mean over classes takes a class whose value is NaN. */
typedef enum {
    RVL_MACRO_DEFINED, /* [clean], [vlm3d]'s AUROC: it is left out */
    RVL_MACRO_ZERO     /* [fvlm]: it counts as 0 */
} rvl_macro;
/** Mean of n values at `value[i * stride]`, those with include[i] (NULL: all). NaN if there are none. */
double rvl_macro_mean(const double *value, int stride, const bool *include, int n, rvl_macro kind);

#endif /* RVL_MEASURE_PROTOCOL_H */
