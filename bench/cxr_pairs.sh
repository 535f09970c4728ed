#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Chest X-rays with clinical notes, 220 pairs: five folds by patient; CLIP from random weights on four folds,
# retrieval within the fold that was left out.
#   bench/cxr_pairs.sh [WORK]
# The program's own recipe (30 epochs, no validation split, last checkpoint); nothing is chosen by a result.
# WORK (default bench-out/cxr_pairs) receives fold0.json ... and summary.json.
set -euo pipefail
source "$(dirname "$0")/crossvalidate.sh"
work=${1:-bench-out/cxr_pairs}

mkdir -p "$work"
"$rvl" ingest "$data/cxr_text" --map "$root/examples/maps/cxr_text.yaml" --folds "$folds" --seed "$seed" \
    -o "$work/cohort" --force --progress none
rm -rf "$work/runs"
for ((fold = 0; fold < folds; fold++)); do
    "$rvl" align "$work/cohort" --split "$(other_folds "$fold")" --val-split "" --seed "$seed" \
        --runs "$work/runs" --name "fold$fold" --log-every 100
    "$rvl" bench "$work/cohort" -m "$work/runs/fold$fold" --suite retrieval --split "fold$fold" --val-split "" \
        --seed "$seed" --json > "$work/fold$fold.json"
done
python3 "$root/bench/fold_summary.py" "$work"/fold?.json > "$work/summary.json"
cat "$work/summary.json"
