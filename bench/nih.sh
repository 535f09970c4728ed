#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# NIH, 14 labels, 552 images: five folds by patient, each scored by a model that was trained on the others.
#   bench/nih.sh [START [WORK]]
# START: scratch (default), random weights, 128 x 128, 20 epochs; pretrained, the ImageNet tower, 128 x 128, 20 epochs;
# probe, linear classifiers on the ImageNet tower as it is, 224 x 224, the strength of their penalty chosen on the fold
# after the one that is scored. Else the program's own recipe, no validation split, last checkpoint; nothing is chosen by
# a result.
# WORK (default bench-out/nih-START) receives all.csv (out-of-fold scores), labels.csv and pooled.json.
set -euo pipefail
start=${1:-scratch}
work=${2:-bench-out/nih-$start}
source "$(dirname "$0")/crossvalidate.sh"

probe_folds() { # as crossvalidate does, by `rvl probe`; the run that holds the tower trains a head that is not used
    local fold next
    size=224
    ingest_folds cxr_labels_nih nih.yaml
    train pretrain tower fold0 --lock-image --epochs 1
    for ((fold = 0; fold < folds; fold++)); do
        next=$(((fold + 1) % folds))
        "$rvl" probe "$work/cohort" -m "$work/runs/tower" --split "$(other_folds "$fold" "$next")" \
            --val-split "fold$next" --test-split "fold$fold" --bootstrap 0 --json \
            --predictions-out "$work/fold$fold.csv" > "$work/fold$fold.json"
    done
}

if [ "$start" = probe ]; then
    image_options pretrained
    probe_folds
else
    image_options "$start"
    options+=(--epochs 20)
    crossvalidate pretrain cxr_labels_nih nih.yaml supervised --bootstrap 1 --predictions-out "$work/fold%K.csv"
fi
head -n 1 "$work/fold0.csv" > "$work/all.csv"
for ((fold = 0; fold < folds; fold++)); do
    tail -n +2 "$work/fold$fold.csv" >> "$work/all.csv"
done
python3 "$root/bench/cohort_table.py" "$work/cohort" labels > "$work/labels.csv"
"$rvl" bench --predictions "$work/all.csv" --labels "$work/labels.csv" --seed "$seed" --json > "$work/pooled.json"
"$rvl" bench --predictions "$work/all.csv" --labels "$work/labels.csv" --seed "$seed"
echo "results in $work/pooled.json; next: python3 bench/nih_metadata.py $work"
