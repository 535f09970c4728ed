#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden values of binary metrics from scikit-learn, over arrays of the counter-based generator.

Writes metrics.h next to this file. Needs numpy and scikit-learn; running the tests needs neither.
Case c: n scores = floor(uniform(seed=100+c, stream=1) * levels) / levels (levels 0: as drawn), truth = uniform(stream=2) <
0.3 + 0.4 * score, weight = floor(uniform(stream=3) * 4) for weighted cases, else 1.
"""
import os
import sys

import numpy as np
import sklearn
from sklearn import metrics

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rvl_rng

CASES = [(57, 0, False), (200, 8, False), (200, 8, True), (333, 3, True), (64, 0, True)]


def draw(case, n, levels, weighted):
    seed = 100 + case
    score = rvl_rng.uniform(seed, 1, 0, n)
    if levels:
        score = np.floor(score * levels) / levels
    truth = rvl_rng.uniform(seed, 2, 0, n) < 0.3 + 0.4 * score
    weight = np.floor(rvl_rng.uniform(seed, 3, 0, n) * 4) if weighted else np.ones(n)
    return score, truth.astype(int), weight


def main():
    rows = []
    for case, (n, levels, weighted) in enumerate(CASES):
        score, truth, weight = draw(case, n, levels, weighted)
        keep = weight > 0
        s, t, w = score[keep], truth[keep], weight[keep]
        call = (s >= 0.5).astype(int)
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(t, call, average="binary", sample_weight=w)
        rows.append([n, levels, int(weighted), metrics.roc_auc_score(t, s, sample_weight=w),
                     metrics.average_precision_score(t, s, sample_weight=w), precision, recall, f1,
                     metrics.balanced_accuracy_score(t, call, sample_weight=w),
                     metrics.brier_score_loss(t, s, sample_weight=w)])
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "metrics.h")
    with open(path, "w") as f:
        f.write("/* SPDX-License-Identifier: Apache-2.0 */\n")
        f.write(f"/* Written by tests/golden/metrics.py with scikit-learn {sklearn.__version__}. */\n")
        f.write("/* n, levels, weighted, AUROC, AP, then at 0.5: precision, recall, F1, balanced accuracy; Brier */\n")
        f.write("/* clang-format off */\n")
        f.write("static const double golden_metrics[][10] = {\n")
        for r in rows:
            f.write("    {" + ", ".join(f"{v:.17g}" for v in r) + "},\n")
        f.write("};\n/* clang-format on */\n")


if __name__ == "__main__":
    main()
