#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mAP@k of image-image retrieval by labels, written from the definition with NumPy.

Writes map_at_k.h next to this file. Case c: n embeddings of width e, x = floor(8 * uniform(seed=500+c, stream=1) - 4) (ties
are frequent; an all-zero row becomes ones), labels (n, f) = uniform(stream=2) < 0.25, patient = floor(uniform(stream=3) * n /
2). The gallery of a query is what is not of its patient. Relevant: any, at least one finding in common; exact, the same set
of findings. The order is worked out by counting: an item stands behind all that are more similar, and behind irrelevant
ones that are as similar. Chance is the mean over every order for one small case, by enumeration.
"""
import itertools
import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rvl_rng

KS = (1, 5, 10, 50)
# n, e, f, cosine
CASES = [(30, 4, 5, True), (80, 3, 6, False), (25, 6, 2, True)]


def draw(case, n, e, f):
    seed = 500 + case
    x = np.floor(8 * rvl_rng.uniform(seed, 1, 0, n * e) - 4).reshape(n, e)
    x[np.all(x == 0, axis=1)] = 1
    labels = rvl_rng.uniform(seed, 2, 0, n * f).reshape(n, f) < 0.25
    patient = np.floor(rvl_rng.uniform(seed, 3, 0, n) * n / 2).astype(int)
    return x, labels, patient


def average_precision(similarity, relevant, k):
    positions = []
    for j in np.flatnonzero(relevant):
        ahead = np.sum(similarity > similarity[j]) + np.sum((similarity == similarity[j]) & ~relevant)
        ties = np.flatnonzero(relevant & (similarity == similarity[j]))
        positions.append(int(ahead) + int(np.flatnonzero(ties == j)[0]) + 1)
    positions.sort()
    return sum((i + 1) / p for i, p in enumerate(positions) if p <= k) / min(len(positions), k)


def measure(case, n, e, f, cosine, kind):
    x, labels, patient = draw(case, n, e, f)
    # the same products in the same order as a plain loop: ties must be ties
    similarity = np.zeros((n, n))
    for d in range(e):
        similarity += np.outer(x[:, d], x[:, d])
    if cosine:
        similarity = similarity * (1 / np.sqrt(np.diag(similarity)))[None, :]
    out = {k: [] for k in KS}
    for i in range(n):
        keep = patient != patient[i]
        relevant = (labels[i] & labels).any(axis=1) if kind == "any" else (labels[i] == labels).all(axis=1)
        if not relevant[keep].any():
            continue
        for k in KS:
            out[k].append(average_precision(similarity[i][keep], relevant[keep], k))
    return [len(out[KS[0]])] + [float(np.mean(out[k])) for k in KS]


def chance(m, n_relevant, k):
    total = []
    for chosen in itertools.combinations(range(m), n_relevant):
        total.append(sum((i + 1) / (p + 1) for i, p in enumerate(chosen) if p < k) / min(n_relevant, k))
    return float(np.mean(total))


rows = []
for c, (n, e, f, cosine) in enumerate(CASES):
    for kind in ("any", "exact"):
        values = measure(c, n, e, f, cosine, kind)
        rows.append("    {%d, %d, %d, %d, %s, %s, %d, {%s}}," % (c, n, e, f, str(cosine).lower(), str(kind == "exact").lower(),
                                                              values[0], ", ".join("%.17g" % v for v in values[1:])))
chances = ["    {%d, %d, %d, %.17g}," % (m, r, k, chance(m, r, k)) for m, r, k in ((7, 3, 2), (7, 3, 7), (9, 1, 4), (6, 6, 3), (1, 1, 5))]
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "map_at_k.h")
with open(path, "w") as out:
    out.write("/* SPDX-License-Identifier: Apache-2.0 */\n/* Written by map_at_k.py; do not edit. */\n/* clang-format off */\n"
              "static const struct {\n    int    i_case, n, e, f;\n    bool   cosine, exact;\n    int    n_queries;\n"
              "    double map[4]; /* at 1, 5, 10, 50 */\n} map_golden[] = {\n%s\n};\n"
              "static const struct {\n    int    m, n_relevant, k;\n    double value;\n} chance_golden[] = {\n%s\n};\n"
              "/* clang-format on */\n" % ("\n".join(rows), "\n".join(chances)))
