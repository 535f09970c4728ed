#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The metadata baseline with scikit-learn: metadata_baseline.h.

Rows 0..n-1 train, the rest is measured; with u_s = uniform(seed=1200, stream=s): age = floor(20 + 70 u_1) as "036Y", sex F or M
(u_2 < 1/2), kernel B30f, B60f or B70f (floor(3 u_3)), spacing "[0.7, 0.7]", "[0.8, 0.8]" or empty (floor(3 u_4)); finding j =
0, 1 is present where u_(5+j) < 0.15 + 0.3 (age > 60) + 0.2 (sex F and j = 0) + 0.3 (kernel B60f and j = 1). Features as
src/learn/metadata.h says; LogisticRegression(C=1). /usr/bin/python3 metadata_baseline.py (needs numpy and scikit-learn)
"""
import os
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rvl_rng

N_TRAIN, N_TEST = 150, 120


def main():
    n = N_TRAIN + N_TEST
    u = {s: rvl_rng.uniform(1200, s, 0, n) for s in range(1, 7)}
    age, female = np.floor(20 + 70 * u[1]), u[2] < 0.5
    kernel, spacing = np.floor(3 * u[3]), np.array([0.7, 0.8, np.nan])[np.floor(3 * u[4]).astype(int)]
    empty = np.isnan(spacing)
    spacing = np.where(empty, np.nanmean(spacing[:N_TRAIN]), spacing)
    x = np.stack([age, age**2, female, ~female, kernel == 0, kernel == 1, kernel == 2, spacing, spacing**2, empty], 1).astype(float)
    x = (x - x[:N_TRAIN].mean(0)) / x[:N_TRAIN].std(0)
    rows = []
    for j in range(2):
        share = 0.15 + 0.3 * (age > 60) + 0.2 * (female & (j == 0)) + 0.3 * ((kernel == 1) & (j == 1))
        y = u[5 + j] < share
        model = LogisticRegression(C=1, tol=1e-14, max_iter=100000).fit(x[:N_TRAIN], y[:N_TRAIN])
        score = model.predict_proba(x[N_TRAIN:])[:, 1]
        rows.append("    {%.17g, %.17g, %.17g}," % (roc_auc_score(y[N_TRAIN:], score), average_precision_score(y[N_TRAIN:], score),
                                                    y[N_TRAIN:].mean()))
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "metadata_baseline.h")
    with open(path, "w", encoding="utf-8") as out:
        out.write("/* SPDX-License-Identifier: Apache-2.0 */\n/* Written by metadata_baseline.py; do not edit. */\n/* clang-format off */\n"
                  "enum { BASELINE_TRAIN = %d, BASELINE_TEST = %d };\n/* AUROC and average precision of metadata, share present */\n"
                  "static const double baseline_golden[2][3] = {\n%s\n};\n/* clang-format on */\n" % (N_TRAIN, N_TEST, "\n".join(rows)))


if __name__ == "__main__":
    main()
