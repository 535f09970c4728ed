#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Chest X-rays with clinical notes, 220 pairs: five folds by patient; CLIP on four folds, retrieval within the fold that
# was left out.
#   bench/cxr_pairs.sh [START [WORK]]
# START: scratch (default), both towers from random weights, or pretrained, the ImageNet tower (a third of the learning
# rate) and all-MiniLM-L6-v2 locked. Else the program's own recipe at 128 x 128 (20 epochs, no validation split, last
# checkpoint); nothing is chosen by a result.
# WORK (default bench-out/cxr-START) receives fold0.json ... and summary.json.
set -euo pipefail
start=${1:-scratch}
work=${2:-bench-out/cxr-$start}
source "$(dirname "$0")/crossvalidate.sh"

image_options "$start"
options+=(--epochs 20)
[ "$start" = scratch ] ||
    options+=(--lr-image 1e-4 --text-tower "$weights/all-MiniLM-L6-v2/model.safetensors" --pooling mean --lock-text)
crossvalidate align cxr_text cxr_text.yaml retrieval
python3 "$root/bench/fold_summary.py" "$work"/fold?.json > "$work/summary.json"
cat "$work/summary.json"
