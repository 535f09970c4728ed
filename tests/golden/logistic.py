#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Coefficients of scikit-learn's LogisticRegression over arrays of the counter-based generator.

Writes logistic.h next to this file. Needs numpy and scikit-learn; running the tests needs neither.
Case c: x (n, f) = normal(seed=300+c, stream=1) * (1 + column / 4), y = uniform(stream=2) < sigmoid(x_0 - x_1 / 2 - 0.5),
weight = floor(uniform(stream=3) * 4) for weighted cases, else 1. In soft cases every fifth row has y = 0.5: for
scikit-learn that is the row twice, with either class and half the weight.
"""
import os
import sys
import textwrap

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rvl_rng

# n, f, C, weighted, soft
CASES = [(60, 5, 1.0, False, False), (60, 5, 1000.0, False, False), (200, 12, 0.03, True, False),
         (40, 70, 2.0, False, False), (90, 6, 1.0, True, True)]


def fit(case, n, f, c, weighted, soft):
    seed = 300 + case
    x = rvl_rng.normal(seed, 1, 0, n * f).reshape(n, f) * (1 + np.arange(f) / 4)
    z = x[:, 0] - x[:, 1] / 2 - 0.5
    y = (rvl_rng.uniform(seed, 2, 0, n) < 1 / (1 + np.exp(-z))).astype(int)
    w = np.floor(rvl_rng.uniform(seed, 3, 0, n) * 4) if weighted else np.ones(n)
    if soft:
        half = np.arange(n) % 5 == 0
        x = np.concatenate([x[~half], x[half], x[half]])
        y = np.concatenate([y[~half], np.zeros(half.sum(), int), np.ones(half.sum(), int)])
        w = np.concatenate([w[~half], w[half] / 2, w[half] / 2])
    model = LogisticRegression(penalty="l2", C=c, solver="newton-cg", tol=1e-13, max_iter=100000)
    model.fit(x, y, sample_weight=w)
    coef = np.concatenate([model.coef_[0], model.intercept_])
    p = 1 / (1 + np.exp(-(x @ coef[:-1] + coef[-1])))
    gradient = np.append(x.T @ (w * (p - y)) + coef[:-1] / c, np.sum(w * (p - y)))
    assert np.abs(gradient).max() < 1e-6, np.abs(gradient).max()
    return coef


rows = []
for i, (n, f, c, weighted, soft) in enumerate(CASES):
    values = ", ".join("%.12g" % v for v in fit(i, n, f, c, weighted, soft))
    rows.append(textwrap.fill("{%d, %d, %r, %s, %s, {%s}}," % (n, f, c, str(weighted).lower(), str(soft).lower(), values),
                              width=116, initial_indent="    ", subsequent_indent="     "))
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "logistic.h")
with open(path, "w") as out:
    out.write("/* SPDX-License-Identifier: Apache-2.0 */\n/* Written by logistic.py with scikit-learn %s; do not edit. */\n"
              "/* clang-format off */\n"
              "static const struct {\n    int    n, f;\n    double c;\n    bool   weighted, soft;\n    double coef[71];\n"
              "} logistic_golden[] = {\n%s\n};\n/* clang-format on */\n" % (sklearn.__version__, "\n".join(rows)))
