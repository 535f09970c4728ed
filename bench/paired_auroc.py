#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs of several arms beside each other: paired differences of macro AUROC on one test split.

    python3 bench/paired_auroc.py OUT "1 2 3" "gold rules classifier"

OUT holds cohort/ and ARMSEED.csv, predictions for each arm and seed (bench/silver_gold.sh, bench/phantom_scratch.sh). Truth
is the labels' table. Each of 1,000 draws takes patients, and seeds, with replacement, the same for all arms; a difference
whose 95 % interval holds 0 is not shown. Of arms that are sources of labels it says how well they agree with the table on
the training split.
"""
import csv
import os
import random
import sqlite3
import sys

PRESENT, ABSENT, UNCERTAIN = 1, 2, 3  # rvl_label_state
LARGE = ("cardiomegaly pericardial_effusion hiatal_hernia emphysema atelectasis lung_opacity pleural_effusion "
         "consolidation").split()
DRAWS = 1000


def auroc(order, truth, weight):
    """Area under the ROC curve of weighted cases. `order`: groups of equal score, least first; NaN without a class."""
    below = area = positives = 0.0
    for group in order:
        p = n = 0.0
        for i in group:
            if truth[i]:
                p += weight[i]
            else:
                n += weight[i]
        area += p * (below + n / 2)
        below += n
        positives += p
    return area / positives / below if positives and below else float("nan")


def groups(scores):
    out, last = [], None
    for i in sorted(range(len(scores)), key=scores.__getitem__):
        if scores[i] != last:
            out.append([])
        out[-1].append(i)
        last = scores[i]
    return out


def macro(orders, truths, weight, keep):
    values = [auroc(orders[j], truths[j], weight) for j in keep]
    values = [v for v in values if v == v]
    return sum(values) / len(values)


def show(values):
    values = sorted(values)
    return "(%.3f to %.3f)" % (values[int(0.025 * len(values))], values[int(0.975 * len(values)) - 1])


def agreement(db, source):
    """Of the training split's labels: shares of gold that the source says, and says wrongly."""
    n = {}
    for gold, silver in db.execute(
            "SELECT l.state, r.state FROM labels l JOIN splits USING(i_study) LEFT JOIN report_labels r ON"
            " r.i_study = l.i_study AND r.finding = l.finding AND r.source = ? WHERE split = 'train'", (source,)):
        n[gold, silver] = n.get((gold, silver), 0) + 1
    total = sum(n.values())
    hit = n.get((PRESENT, PRESENT), 0)
    said = sum(v for (_, s), v in n.items() if s == PRESENT)
    there = sum(v for (g, _), v in n.items() if g == PRESENT)
    unsure = sum(v for (_, s), v in n.items() if s == UNCERTAIN)
    print("%s on the training split: %d labels, %d present in gold; precision %.4f, recall %.4f, uncertain %d (%d of them"
          " present in gold)" % (source, total, there, hit / said, hit / there, unsure, n.get((PRESENT, UNCERTAIN), 0)))


def read(path, findings):
    with open(path, newline="", encoding="utf-8") as f:
        return {r["case"]: [float(r[k]) for k in findings] for r in csv.DictReader(f)}


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    out, seeds, arms = sys.argv[1], sys.argv[2].split(), sys.argv[3].split()
    db = sqlite3.connect(os.path.join(out, "cohort", "cohort.db"))
    with open(os.path.join(out, arms[0] + seeds[0] + ".csv"), newline="", encoding="utf-8") as f:
        findings = next(csv.reader(f))[2:]
    state = {(c, k): s for c, k, s in db.execute("SELECT case_id, finding, state FROM labels JOIN studies USING(i_study)")}
    patient = dict(db.execute("SELECT case_id, patient_id FROM studies JOIN patients USING(i_patient)"))
    scores = {(a, s): read(os.path.join(out, a + s + ".csv"), findings) for a in arms for s in seeds}
    cases = sorted(scores[arms[0], seeds[0]])
    truths = [[state[c, k] == PRESENT for c in cases] for k in findings]
    orders = {key: [groups([t[c][j] for c in cases]) for j in range(len(findings))] for key, t in scores.items()}
    of = {}
    for i, c in enumerate(cases):
        of.setdefault(patient[c], []).append(i)
    members = [of[p] for p in sorted(of)]
    n_train, = db.execute("SELECT count(*) FROM splits WHERE split = 'train'").fetchone()
    print("%d training cases; test split: %d cases of %d patients; seeds %s" %
          (n_train, len(cases), len(members), ", ".join(seeds)))
    has_sources = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'report_labels'").fetchone()[0]
    sources = {s for s, in db.execute("SELECT DISTINCT source FROM report_labels")} if has_sources else set()
    for a in arms[1:]:
        if a in sources:
            agreement(db, a)
    sets = {"macro AUROC of %d" % len(findings): range(len(findings))}
    if set(LARGE) < set(findings):
        sets["of the eight large"] = [findings.index(k) for k in LARGE]
    for name, keep in sets.items():
        rng = random.Random(0)
        one = [1] * len(cases)
        point = {key: macro(o, truths, one, keep) for key, o in orders.items()}
        drawn = {a: [] for a in arms}
        for _ in range(DRAWS):
            weight = [0] * len(cases)
            for m in rng.choices(members, k=len(members)):
                for i in m:
                    weight[i] += 1
            some = rng.choices(seeds, k=len(seeds))
            value = {key: macro(orders[key], truths, weight, keep) for key in orders if key[1] in some}
            for a in arms:
                drawn[a].append(sum(value[a, s] for s in some) / len(some))
        mean = {a: sum(point[a, s] for s in seeds) / len(seeds) for a in arms}
        for a in arms:
            print("%s, %s: %.3f %s; by seed %s" %
                  (name, a, mean[a], show(drawn[a]), " ".join("%.3f" % point[a, s] for s in seeds)))
        for a in arms[1:]:
            diff = [x - y for x, y in zip(drawn[a], drawn[arms[0]])]
            print("%s, %s - %s: %+.4f %s" % (name, a, arms[0], mean[a] - mean[arms[0]], show(diff)))


if __name__ == "__main__":
    main()
