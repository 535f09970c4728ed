#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Published dialects of retrieval, with NumPy, from their definitions: retrieval_dialects.h.

[ct-clip] images by images, "MAP@K": every image queries, the gallery holds the images with a finding, the query's own
too; the cosine ranks, of equal ones the earlier image comes first; the mean Jaccard index of the first K; the list of all
queries' values grows over the cuts, and what is printed at a cut is its mean. [clean]: images with a finding query images of other
patients with a finding. [spectre] images by images, MAP@K: relevant are images with the same labels, the query's own left out,
average precision over min(relevant, K), queries without relevant images left out. [ct-clip] texts to images, Recall@K: image i is
among the first K of text i by dot product, of equal ones the earlier image first.

Case c: n embeddings of width e, x = floor(8 * uniform(seed=900+c, stream=1) - 4) where ties are wanted, else normal(stream=1);
an all-zero row becomes ones; texts the same from stream 4, labels (n, f) = uniform(stream=2) < 0.2, patient = floor(uniform(
stream=3) * n / 2). Cases for [spectre] have no ties: it does not say what comes first. /usr/bin/python3 retrieval_dialects.py
"""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rvl_rng

MAP_KS, RECALL_KS = (1, 5, 10, 50), (5, 10, 50, 100)
# n, e, f, ties
CASES = [(40, 4, 5, True), (130, 12, 18, False), (75, 3, 3, True), (9, 6, 70, False), (90, 8, 3, False)]


def embeddings(seed, stream, n, e, ties):
    if ties:
        x = np.floor(8 * rvl_rng.uniform(seed, stream, 0, n * e) - 4).reshape(n, e)
        x[np.all(x == 0, axis=1)] = 1
    else:
        x = rvl_rng.normal(seed, stream, 0, n * e).reshape(n, e).astype(np.float32).astype(float)
    return x


def products(a, b):
    """The sums in the order of the components: ties must be ties."""
    out = np.zeros((len(a), len(b)))
    for d in range(a.shape[1]):
        out += np.outer(a[:, d], b[:, d])
    return out


def order(values):
    return sorted(range(len(values)), key=lambda j: values[j], reverse=True)  # stable: the earlier of equals first


def jaccard(a, b):
    return np.sum(a & b) / np.sum(a | b)


def mean_jaccards(similarity, labels, patient, clean):
    """Per cut: every query's mean Jaccard index; and per query what a random order gives."""
    values, chance = {k: [] for k in MAP_KS}, []
    for i in range(len(labels)):
        if clean and not labels[i].any():
            continue
        gallery = [j for j in range(len(labels)) if labels[j].any() and not (clean and patient[j] == patient[i])]
        ranked = [gallery[place] for place in order([similarity[i][j] for j in gallery])]
        for k in MAP_KS:
            values[k].append(np.mean([jaccard(labels[i], labels[j]) for j in ranked[:k]]))
        chance.append(np.mean([jaccard(labels[i], labels[j]) for j in gallery if j != i]))
    return values, np.mean(chance)


def ct_clip_printed(values):
    pile, printed = [], []
    for k in MAP_KS:
        pile += values[k]  # never emptied
        printed.append(np.mean(pile))
    return printed


def spectre_map(similarity, labels):
    similarity = similarity.copy()
    np.fill_diagonal(similarity, -np.inf)
    ranked = np.argsort(-similarity, axis=1)
    found = {k: [] for k in MAP_KS}
    for i in range(len(labels)):
        positives = {j for j in range(len(labels)) if j != i and (labels[j] == labels[i]).all()}
        if not positives:
            continue
        hit = np.array([j in positives for j in ranked[i]]).astype(int)
        precision = np.cumsum(hit) / (np.arange(len(hit)) + 1)
        for k in MAP_KS:
            found[k].append(np.sum(precision[:k] * hit[:k]) / min(len(positives), k))
    return [len(found[MAP_KS[0]])] + [np.mean(found[k]) if found[k] else np.nan for k in MAP_KS]


def text(v):
    return "NAN" if np.isnan(v) else "%.17g" % v


def braces(values):
    return "{%s}" % ", ".join(text(v) for v in values)


def main():
    rows = []
    for case, (n, e, f, ties) in enumerate(CASES):
        seed = 900 + case
        x, t = embeddings(seed, 1, n, e, ties), embeddings(seed, 4, n, e, ties)
        labels = rvl_rng.uniform(seed, 2, 0, n * f).reshape(n, f) < 0.2
        patient = np.floor(rvl_rng.uniform(seed, 3, 0, n) * n / 2).astype(int)
        dot = products(x, x)
        cosine = dot * (1 / np.sqrt(np.diag(dot)))[None, :]  # the query's own length changes no order
        published, chance = mean_jaccards(cosine, labels, patient, False)
        clean, clean_chance = mean_jaccards(cosine, labels, patient, True)
        spectre = [0] + [np.nan] * 4 if ties else spectre_map(cosine, labels)
        hits = [order(row).index(i) for i, row in enumerate(products(t, x))]
        rows.append("    {%d, %d, %d, %s, %s, %s, %s, %s, %s, %d, %s, %s}," % (
            n, e, f, str(ties).lower(), braces([np.mean(published[k]) for k in MAP_KS]), braces(ct_clip_printed(published)),
            text(chance), braces([np.mean(clean[k]) for k in MAP_KS]), text(clean_chance), spectre[0], braces(spectre[1:]),
            braces([np.mean(np.array(hits) < k) for k in RECALL_KS])))
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "retrieval_dialects.h")
    with open(path, "w", encoding="utf-8") as out:
        out.write("/* SPDX-License-Identifier: Apache-2.0 */\n/* Written by retrieval_dialects.py; do not edit. */\n/* clang-format off */\n"
                  "static const struct {\n    int    n, e, f;\n    bool   ties;\n    double ct_clip[4], printed[4], ct_clip_chance; /* at 1, 5, 10, 50 */\n"
                  "    double clean[4], clean_chance;\n    int    n_spectre;\n    double spectre[4];\n    double recall[4]; /* at 5, 10, 50, 100 */\n"
                  "} dialect_golden[] = {\n%s\n};\n/* clang-format on */\n" % "\n".join(rows))


if __name__ == "__main__":
    main()
