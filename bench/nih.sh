#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# NIH, 14 labels, 552 images: five folds by patient, each scored by a model that was trained on the other four.
#   bench/nih.sh [WORK]
# The program's own recipe (30 epochs, no validation split, last checkpoint); nothing is chosen by a result.
# WORK (default bench-out/nih) receives all.csv (out-of-fold scores), labels.csv and pooled.json.
set -euo pipefail
work=${1:-bench-out/nih}
source "$(dirname "$0")/crossvalidate.sh"

crossvalidate pretrain cxr_labels_nih nih.yaml supervised --bootstrap 1 --predictions-out "$work/fold%K.csv"
head -n 1 "$work/fold0.csv" > "$work/all.csv"
for ((fold = 0; fold < folds; fold++)); do
    tail -n +2 "$work/fold$fold.csv" >> "$work/all.csv"
done
python3 "$root/bench/cohort_table.py" "$work/cohort" labels > "$work/labels.csv"
"$rvl" bench --predictions "$work/all.csv" --labels "$work/labels.csv" --seed "$seed" --json > "$work/pooled.json"
"$rvl" bench --predictions "$work/all.csv" --labels "$work/labels.csv" --seed "$seed"
echo "results in $work/pooled.json; next: python3 bench/nih_metadata.py $work"
