#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules on the hand-labelled chest CT reports (reports_ct of the data pack): folds, calibration.

    bench/labels_ct.py split reports_ct/ct_reports_labels.csv --folds 1,2,3 -o dev.csv
    bench/labels_ct.py fit dev.csv --rules rules/ct-rate-18.yaml --rvl build/release/rvl     # rewrites the rule file

A report's fold is a function of its text: letters and digits in lower case, words joined by one blank, SHA-256, the
first eight hex digits modulo 5, plus 1. Equal texts share a fold. Rules are written and calibrated on folds 1 to 3;
`split` refuses folds 4 and 5 unless --final is given, and `fit` refuses a table that holds one of their reports.
The probability of an outcome of a finding is (n_present + 4 q) / (n + 4), q the share over all findings: a beta prior
worth four reports.
"""
import argparse
import csv
import hashlib
import os
import subprocess
import sys
import tempfile

OUTCOMES = ["not_mentioned", "absent", "uncertain", "hint", "disputed", "once", "often"]
CODES = {name: "%.4f" % (0.1 + 0.1 * i) for i, name in enumerate(OUTCOMES)}
PRIOR = 4.0


def fold(text):
    words = "".join(c.lower() if c.isalnum() else " " for c in text).split()
    return int(hashlib.sha256(" ".join(words).encode()).hexdigest()[:8], 16) % 5 + 1


def read(path):
    csv.field_size_limit(1 << 24)
    with open(path, newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def split(a):
    folds = {int(x) for x in a.folds.split(",")}
    if folds & {4, 5} and not a.final:
        sys.exit("folds 4 and 5 are scored once per release: --final")
    rows = [r for r in read(a.table) if fold(r["report"]) in folds]
    with open(a.out, "w", newline="", encoding="utf-8") as f:
        w = csv.DictWriter(f, fieldnames=list(rows[0]), lineterminator="\n")
        w.writeheader()
        w.writerows(rows)
    print("%d reports of folds %s" % (len(rows), a.folds), file=sys.stderr)


def coded_rules(text):
    """The rules with one recognisable probability an outcome."""
    kept = [line for line in text.splitlines() if not line.startswith(("    probability:", "probability:"))]
    at = next(i for i, line in enumerate(kept) if line.startswith("findings:"))
    kept.insert(at, "probability: {%s}" % ", ".join("%s: %s" % x for x in CODES.items()))
    return "\n".join(kept) + "\n"


def counts_of(a, text):
    rows = read(a.table)
    if any(fold(r["report"]) > 3 for r in rows):
        sys.exit("calibration is for folds 1 to 3")
    with tempfile.TemporaryDirectory() as folder:
        rules, out = os.path.join(folder, "coded.yaml"), os.path.join(folder, "out.csv")
        with open(rules, "w", encoding="utf-8") as f:
            f.write(coded_rules(text))
        subprocess.run([a.rvl, "label", a.table, "--schema", a.schema, "--rules=" + rules, "-q", "-o", out], check=True)
        labels = read(out)
    names = {code: o for o, code in CODES.items()}
    counts = {}
    for gold, row in zip(rows, labels):
        for k in [k[6:] for k in gold if k.startswith("label_")]:
            n = counts.setdefault(k, {o: [0, 0] for o in OUTCOMES})[names[row[k]]]
            n[0] += 1
            n[1] += gold["label_" + k] == "1"
    return counts


def fit(a):
    with open(a.rules, encoding="utf-8") as f:
        text = f.read()
    counts = counts_of(a, text)
    pooled = {o: [sum(c[o][i] for c in counts.values()) for i in (0, 1)] for o in OUTCOMES}
    share = {o: (p + 0.5) / (n + 1.0) for o, (n, p) in pooled.items()}
    out, name = [], None

    def close():
        if name:
            c = counts[name]
            values = ((o, (c[o][1] + PRIOR * share[o]) / (c[o][0] + PRIOR)) for o in OUTCOMES)
            out.append("    probability: {%s}" % ", ".join("%s: %.4f" % v for v in values))

    for line in text.splitlines():
        if line.startswith(("    probability:", "probability:")):
            continue
        if line.startswith("  - name: "):
            close()
            name = line[10:].strip()
        out.append(line)
    close()
    with open(a.rules, "w", encoding="utf-8") as f:
        f.write("\n".join(out) + "\n")
    print("shares: " + ", ".join("%s %.3f of %d" % (o, share[o], pooled[o][0]) for o in OUTCOMES), file=sys.stderr)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(required=True)
    s = sub.add_parser("split")
    s.add_argument("table")
    s.add_argument("--folds", required=True)
    s.add_argument("--final", action="store_true")
    s.add_argument("-o", "--out", required=True)
    s.set_defaults(run=split)
    s = sub.add_parser("fit")
    s.add_argument("table")
    s.add_argument("--rules", required=True)
    s.add_argument("--schema", default="ct-rate-18")
    s.add_argument("--rvl", default="build/release/rvl")
    s.set_defaults(run=fit)
    a = p.parse_args()
    a.run(a)


if __name__ == "__main__":
    main()
