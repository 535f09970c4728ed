#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The NIH labels from view, age and sex alone: logistic regression (C = 1), out-of-fold on the folds of bench/nih.sh.

    python3 bench/nih_metadata.py WORK      (needs numpy and scikit-learn; WORK is what bench/nih.sh made)

Writes WORK/metadata.csv, the same table as WORK/all.csv; measure it with
    rvl bench --predictions WORK/metadata.csv --labels WORK/labels.csv
Pooled scores of several models carry each fold's base rate, which is lowest where the positives were left out: an AUC
without any signal falls below 0.5. So it also prints, for both tables, the AUC within each fold, averaged over folds.
"""
import csv
import math
import os
import subprocess
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler


def read(path):
    with open(path, newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def features(rows):
    """View and sex one-hot, age with its square; a missing age is the mean of the others and says so itself."""
    ages = np.array([float(r["age"]) if r["age"] else math.nan for r in rows])
    known = np.isfinite(ages)
    ages = np.where(known, ages, np.mean(ages[known])) / 50
    columns = [ages, ages**2, ~known]
    for key in ("view", "sex"):
        columns += [np.array([r[key] == value for r in rows]) for value in sorted({r[key] for r in rows})]
    return np.stack(columns, 1).astype(float)


def within_folds(path, labels, findings, split):
    rows = {r["case"]: r for r in read(path)}
    means = []
    for finding in findings:
        y = np.array([int(r[finding]) for r in labels])
        s = np.array([float(rows[r["case"]][finding]) for r in labels])
        means.append(np.mean([roc_auc_score(y[split == f], s[split == f]) for f in sorted(set(split))]))
    return means


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    work = sys.argv[1]
    table = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cohort_table.py")
    with open(os.path.join(work, "metadata_in.csv"), "w", encoding="utf-8") as out:
        subprocess.run([sys.executable, table, os.path.join(work, "cohort"), "metadata"], stdout=out, check=True)
    rows, labels = read(os.path.join(work, "metadata_in.csv")), read(os.path.join(work, "labels.csv"))
    findings = [name for name in labels[0] if name not in ("case", "patient")]
    x, split = features(rows), np.array([r["split"] for r in rows])
    score = np.zeros((len(rows), len(findings)))
    for fold in sorted(set(split)):
        inside, outside = split != fold, split == fold
        scaler = StandardScaler().fit(x[inside])
        for j, finding in enumerate(findings):
            y = np.array([int(r[finding]) for r in labels])
            model = LogisticRegression(max_iter=1000).fit(scaler.transform(x[inside]), y[inside])
            score[outside, j] = model.predict_proba(scaler.transform(x[outside]))[:, 1]
    with open(os.path.join(work, "metadata.csv"), "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["case", "patient"] + findings)
        for row, scores in zip(rows, score):
            out.writerow([row["case"], row["patient"]] + [f"{s:.9g}" for s in scores])
    image = within_folds(os.path.join(work, "all.csv"), labels, findings, split)
    alone = within_folds(os.path.join(work, "metadata.csv"), labels, findings, split)
    print("AUC within folds, mean   image  view, age, sex")
    for name, a, b in zip(findings + ["macro"], image + [np.mean(image)], alone + [np.mean(alone)]):
        print(f"{name:<24} {a:.3f}  {b:.3f}")


if __name__ == "__main__":
    main()
