#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A classifier of chest CT reports, alone and with rules, by five-fold cross-validation on reports_ct of the data pack.
#
#   bench/labels_classifier.sh REPORTS.csv OUT TOWER [FOLDS]      TOWER: a BERT's model.safetensors, e.g. MiniLM's
#
# Folds are those of bench/labels_ct.py (a function of the text: equal texts share one). For each of FOLDS (4 5 1 2 3)
# the next fold chooses the checkpoint, the other three train, and the fold is labelled; then all that was labelled is
# audited together. The probabilities of the rules were fitted on folds 1 to 3: with rules, only folds 4 and 5 count.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
reports=$(realpath "$1")
tower=$(realpath "$3")
folds=${4:-4 5 1 2 3}
rvl=${RVL:-$here/build/release/rvl}
mkdir -p "$2"
cd "$2"

python3 - "$here/bench" "$reports" <<'PY'
import csv, sys
sys.path.insert(0, sys.argv[1])
from labels_ct import fold, read
rows = read(sys.argv[2])
for name, keep in [("all", {1, 2, 3, 4, 5})] + [("fold%d" % f, {f}) for f in range(1, 6)]:
    with open(name + ".csv", "w", newline="", encoding="utf-8") as out:
        w = csv.DictWriter(out, fieldnames=list(rows[0]) + ["fold"], lineterminator="\n")
        w.writeheader()
        w.writerows(dict(r, fold="fold%d" % fold(r["report"])) for r in rows if fold(r["report"]) in keep)
PY

for f in $folds; do
    val=$((f % 5 + 1))
    train=
    for g in 1 2 3 4 5; do [ "$g" = "$f" ] || [ "$g" = "$val" ] || train=${train:+$train,}fold$g; done
    [ -d "runs/without$f" ] || "$rvl" pretrain --tower text all.csv --schema ct-rate-18 --split-column fold --split "$train" \
        --val-split "fold$val" --text-tower "$tower" --max-tok 256 --epochs "${EPOCHS:-6}" --batch-size 16 --lr 1e-4 \
        --lr-head 1e-3 --seed 0 --name "without$f"
    for how in "" --rules; do
        "$rvl" label "fold$f.csv" --schema ct-rate-18 -m "runs/without$f" $how -o "labels$how$f.csv" --force
    done
done

audit() { # rules or nothing, folds
    local out="audit$1-${2// /}"
    head -1 "labels$1${2%% *}.csv" > "$out.csv"
    for f in $2; do tail -n +2 "labels$1$f.csv" >> "$out.csv"; done
    echo "folds $2, classifier $1"
    "$rvl" label "$out.csv" --audit "$reports" --seed 0
    "$rvl" label "$out.csv" --audit "$reports" --seed 0 --json > "$out.json"
}
audit "" "$folds"
audit "" "4 5"
audit --rules "4 5"
