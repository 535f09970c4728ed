#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How much of the phantoms' findings a model without eyes for shape can tell: logistic regression on a 16x16
thumbnail plus a 32-bin histogram. Phantoms are not trivial while its macro AUC on the test split is <= 0.75.

    rvl synth images --engine phantom --modality cxr -n 1500 --seed 1 -o build/phantoms
    python3 bench/phantom_thumbnail.py build/phantoms

Needs numpy, scikit-learn and Pillow (a virtual environment under build/ will do). Trains on the folder's train
split, chooses the strength of the penalty on its val split, scores its test split. Exit code 1 above the limit.
"""
import argparse
import csv
import json
import os
import sys

import numpy as np
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FINDINGS = ("pleural_effusion", "pneumothorax", "consolidation", "nodule", "cardiomegaly", "atelectasis", "edema",
            "device")
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def features(path):
    image = Image.open(path).convert("F")
    thumbnail = np.asarray(image.resize((16, 16), Image.BOX)).ravel() / 255
    histogram = np.histogram(np.asarray(image), 32, (0, 256))[0] / (image.width * image.height)
    return np.concatenate([thumbnail, histogram])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--limit", type=float, default=0.75)
    args = parser.parse_args()

    with open(os.path.join(args.folder, "cases.csv"), newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    with open(os.path.join(args.folder, "phantom.json"), encoding="utf-8") as f:
        options = json.load(f)
    x = np.stack([features(os.path.join(args.folder, r["image_path"])) for r in rows])
    y = np.array([[int(r[f]) for f in FINDINGS] for r in rows])
    split = np.array([r["split"] for r in rows])
    train, val, test = (split == s for s in ("train", "val", "test"))

    best = None
    for c in PENALTIES:
        models = [make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000)).fit(x[train], y[train, k])
                  for k in range(len(FINDINGS))]
        score = np.mean([roc_auc_score(y[val, k], m.decision_function(x[val])) for k, m in enumerate(models)])
        if best is None or score > best[0]:
            best = (score, c, models)
    aucs = [roc_auc_score(y[test, k], m.decision_function(x[test])) for k, m in enumerate(best[2])]
    macro = float(np.mean(aucs))

    print(f"seed {options['seed']}, {train.sum()} train, {val.sum()} val, {test.sum()} test phantoms, C {best[1]:g}")
    for name, auc in zip(FINDINGS, aucs):
        print(f"{name:18s} {auc:.3f}")
    print(f"macro AUC          {macro:.3f} (limit {args.limit:.2f})")
    return 1 if macro > args.limit else 0


if __name__ == "__main__":
    sys.exit(main())
