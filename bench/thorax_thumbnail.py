#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How much of the CT phantoms' eight large findings a model without eyes for shape can tell: logistic regression on an
8x8x8 thumbnail (of the grid of ct-tiny: 336 mm a side about the middle) plus a 32-bin histogram. Phantoms are not
trivial while its macro AUC on the test split is <= 0.80.

    rvl synth images --modality ct -n 1000 --seed 1 --split 0.6,0.1,0.3 --recons 1 --no-masks -o build/thorax
    python3 bench/thorax_thumbnail.py build/thorax

Needs numpy and scikit-learn (a virtual environment under build/ will do). Trains on the folder's train split, chooses
the strength of the penalty on its val split, scores its test split. Exit code 1 above the limit.
"""
import argparse
import csv
import gzip
import json
import os
import sys

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

LARGE = ("cardiomegaly", "pericardial_effusion", "hiatal_hernia", "emphysema", "atelectasis", "lung_opacity",
         "pleural_effusion", "consolidation")
OTHERS = ("medical_material", "arterial_wall_calcification", "coronary_artery_wall_calcification", "lymphadenopathy",
          "lung_nodule", "pulmonary_fibrotic_sequela", "mosaic_attenuation_pattern", "peribronchial_thickening",
          "bronchiectasis", "interlobular_septal_thickening")
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
SHAPE, SPACING = (48, 96, 96), (7.0, 3.5, 3.5)


def volume(path):
    """Voxels (z, y, x) and spacing of a NIfTI-1 file of int16, as the phantoms are."""
    with gzip.open(path) as f:
        data = f.read()
    dims = np.frombuffer(data, "<i2", 3, 42)
    spacing = np.frombuffer(data, "<f4", 3, 80)
    return np.frombuffer(data, "<i2", int(np.prod(dims)), 352).reshape(dims[::-1]), spacing[::-1]


def features(path):
    v, spacing = volume(path)
    for axis in range(3):  # nearest voxel, air outside
        at = (np.arange(SHAPE[axis]) - (SHAPE[axis] - 1) / 2) * SPACING[axis] / spacing[axis] + (v.shape[axis] - 1) / 2
        at = np.rint(at).astype(int)
        inside = (at >= 0) & (at < v.shape[axis])
        v = np.take(v, np.clip(at, 0, v.shape[axis] - 1), axis)
        v[tuple(~inside if i == axis else slice(None) for i in range(3))] = -1000
    v = np.clip((v + 1000) / 1200, 0, 1)
    thumbnail = v.reshape(8, 6, 8, 12, 8, 12).mean((1, 3, 5)).ravel()
    return np.concatenate([thumbnail, np.histogram(v, 32, (0, 1))[0] / v.size])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--limit", type=float, default=0.80)
    args = parser.parse_args()

    with open(os.path.join(args.folder, "cases.csv"), newline="", encoding="utf-8") as f:
        rows = [r for r in csv.DictReader(f) if r["image_path"].endswith("_1.nii.gz")]
    with open(os.path.join(args.folder, "phantom.json"), encoding="utf-8") as f:
        options = json.load(f)
    names = LARGE + OTHERS
    x = np.stack([features(os.path.join(args.folder, r["image_path"])) for r in rows])
    y = np.array([[int(r[f]) for f in names] for r in rows])
    split = np.array([r["split"] for r in rows])
    train, val, test = (split == s for s in ("train", "val", "test"))

    best = None
    for c in PENALTIES:
        models = [make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000)).fit(x[train], y[train, k])
                  for k in range(len(names))]
        score = np.mean([roc_auc_score(y[val, k], models[k].decision_function(x[val])) for k in range(len(LARGE))])
        if best is None or score > best[0]:
            best = (score, c, models)
    aucs = [roc_auc_score(y[test, k], m.decision_function(x[test])) for k, m in enumerate(best[2])]
    macro = float(np.mean(aucs[:len(LARGE)]))

    print(f"seed {options['seed']}, {train.sum()} train, {val.sum()} val, {test.sum()} test phantoms, C {best[1]:g}")
    for name, auc in zip(names, aucs):
        print(f"{name:36s} {auc:.3f}{'' if name in LARGE else '  (not one of the eight)'}")
    print(f"macro AUC of the eight               {macro:.3f} (limit {args.limit:.2f})")
    return 1 if macro > args.limit else 0


if __name__ == "__main__":
    sys.exit(main())
