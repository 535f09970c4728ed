#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden values of tests/unit/test_measure_paired.c, from the definitions: DeLong by all pairs, McNemar by fractions.

    tests/golden/paired.py
"""
from fractions import Fraction
from math import comb, erfc, sqrt


def placements(score, truth):
    p = [s for s, y in zip(score, truth) if y]
    q = [s for s, y in zip(score, truth) if not y]
    psi = lambda x, y: 1.0 if x > y else 0.5 if x == y else 0.0
    v10 = [sum(psi(x, y) for y in q) / len(q) for x in p]
    v01 = [sum(psi(x, y) for x in p) / len(p) for y in q]
    return v10, v01


def covariance(u, v):
    mu, mv = sum(u) / len(u), sum(v) / len(v)
    return sum((x - mu) * (y - mv) for x, y in zip(u, v)) / (len(u) - 1)


def delong(a, b, truth):
    (a10, a01), (b10, b01) = placements(a, truth), placements(b, truth)
    auc_a, auc_b = sum(a10) / len(a10), sum(b10) / len(b10)
    s = lambda i, j: covariance(i[0], j[0]) / len(a10) + covariance(i[1], j[1]) / len(a01)
    x, y = (a10, a01), (b10, b01)
    se = sqrt(s(x, x) + s(y, y) - 2 * s(x, y))
    return auc_a, auc_b, se, erfc(abs(auc_a - auc_b) / se / sqrt(2))


def mcnemar(a, b):
    tail = sum(Fraction(comb(a + b, i), 2 ** (a + b)) for i in range(min(a, b) + 1))
    return float(min(2 * tail, 1))


n = 40
truth = [1 if (i * 7 + 3) % 5 < 2 else 0 for i in range(n)]
a = [((i * 37) % 23) / 23 + 0.3 * truth[i] for i in range(n)]
b = [((i * 17) % 8) / 8 + 0.2 * truth[i] for i in range(n)]  # with ties
print("delong", ", ".join("%.12g" % v for v in delong(a, b, truth)))
for pair in ((0, 0), (1, 0), (5, 1), (10, 25), (200, 240)):
    print("mcnemar", pair, "%.12g" % mcnemar(*pair))
tp, fp, tn, fn = 20, 5, 15, 10  # the textbook table: kappa 0.4
total = tp + fp + tn + fn
po = Fraction(tp + tn, total)
pe = Fraction((tp + fp) * (tp + fn) + (tn + fn) * (tn + fp), total * total)
print("kappa", float((po - pe) / (1 - pe)))
