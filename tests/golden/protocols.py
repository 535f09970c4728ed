#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Published dialects of classification metrics, with scikit-learn: protocols.h.

[ct-clip]: the threshold of numpy.linspace(0, 1, 100) nearest to the corner (0, 1) of the ROC plane, the last of equals, by
confusion matrices; predicted where score > threshold; f1_score(average="weighted"), precision_score, accuracy_score.
[vlm3d]: precision, recall, F1 (zero_division=0) and accuracy at 0.5 and CRG over all labels. [fvlm]: a class without an AUROC
counts as 0 in the mean.

Case c: n cases of k classes; score = uniform(seed=700+c, stream=1), rounded down to one of `levels` steps of 1 / (levels -
1) (0: as drawn; 100 steps lie on the grid); truth = uniform(stream=2) < (0.1 + 0.6 j / k) (0.4 + score) for class j; class 0
has no present case in cases marked degenerate. /usr/bin/python3 protocols.py (needs numpy and scikit-learn)
"""
import os
import sys
import warnings

import numpy as np
from sklearn import metrics

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rvl_rng

# n, k, levels, degenerate
CASES = [(60, 3, 0, False), (240, 18, 100, False), (97, 4, 5, True), (33, 2, 1, False), (500, 16, 0, True)]


def draw(case, n, k, levels, degenerate):
    seed = 700 + case
    score = rvl_rng.uniform(seed, 1, 0, n * k).reshape(n, k)
    if levels == 1:
        score = np.full((n, k), 0.5)
    elif levels:
        score = np.floor(score * levels) / (levels - 1)
    share = 0.1 + 0.6 * np.arange(k) / k
    truth = (rvl_rng.uniform(seed, 2, 0, n * k).reshape(n, k) < share * (0.4 + score)).astype(int)
    if degenerate:
        truth[:, 0] = 0
    return score, truth


def roc_corner_threshold(score, truth):
    kept, kept_distance = None, np.inf
    for threshold in np.linspace(0, 1, 100):
        tn, fp, fn, tp = metrics.confusion_matrix(truth, (score > threshold).astype(int), labels=[0, 1]).ravel()
        distance = np.sqrt((1 - tp / (tp + fn)) ** 2 + (fp / (fp + tn)) ** 2)
        if distance <= kept_distance:
            kept, kept_distance = threshold, distance
    return kept


def ct_clip(score, truth):
    if len(np.unique(truth)) < 2:
        return [np.nan] * 4
    threshold = roc_corner_threshold(score, truth)
    called = (score > threshold).astype(int)
    return [threshold, metrics.f1_score(truth, called, average="weighted"),
            metrics.precision_score(truth, called, zero_division=0), metrics.accuracy_score(truth, called)]


def vlm3d(score, truth):
    called = (score >= 0.5).astype(int)
    return [metrics.precision_score(truth, called, zero_division=0), metrics.recall_score(truth, called, zero_division=0),
            metrics.f1_score(truth, called, zero_division=0), metrics.accuracy_score(truth, called)]


def crg(score, truth):
    called = score >= 0.5
    tp, fn, fp = np.sum(called & (truth == 1)), np.sum(~called & (truth == 1)), np.sum(called & (truth == 0))
    x, a = truth.size, truth.sum()
    r, u = (x - a) / (2 * a), (x - a) / 2
    s = r * tp - r * fn - fp
    return u / (2 * u - s)


def text(v):
    return "NAN" if np.isnan(v) else "%.17g" % v


def main():
    warnings.simplefilter("ignore")
    heads, rows = [], []
    for case, (n, k, levels, degenerate) in enumerate(CASES):
        score, truth = draw(case, n, k, levels, degenerate)
        auroc = []
        for j in range(k):
            auroc.append(metrics.roc_auc_score(truth[:, j], score[:, j]) if len(np.unique(truth[:, j])) > 1 else np.nan)
            values = ct_clip(score[:, j], truth[:, j]) + vlm3d(score[:, j], truth[:, j]) + [auroc[-1]]
            rows.append("    {%s}," % ", ".join(text(v) for v in values))
        heads.append("    {%d, %d, %d, %s, %s, %s, %s}," % (n, k, levels, str(degenerate).lower(), text(np.nanmean(auroc)),
                                                         text(np.mean(np.nan_to_num(auroc))), text(crg(score, truth))))
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "protocols.h")
    with open(path, "w", encoding="utf-8") as out:
        out.write("/* SPDX-License-Identifier: Apache-2.0 */\n/* Written by protocols.py; do not edit. */\n/* clang-format off */\n"
                  "static const struct {\n    int    n, k, levels;\n    bool   degenerate;\n"
                  "    double macro_auroc, macro_auroc_fvlm, crg;\n} protocol_cases[] = {\n%s\n};\n"
                  "/* Of each class of each case: [ct-clip] threshold, weighted F1, precision, accuracy; [vlm3d] precision, recall, F1,\n"
                  " * accuracy; AUROC. */\nstatic const double protocol_values[][9] = {\n%s\n};\n/* clang-format on */\n"
                  % ("\n".join(heads), "\n".join(rows)))


if __name__ == "__main__":
    main()
