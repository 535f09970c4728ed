#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Chest X-rays with clinical notes, 220 pairs: five folds by patient; CLIP from random weights on four folds,
# retrieval within the fold that was left out.
#   bench/cxr_pairs.sh [WORK]
# The program's own recipe (30 epochs, no validation split, last checkpoint); nothing is chosen by a result.
# WORK (default bench-out/cxr_pairs) receives fold0.json ... and summary.json.
set -euo pipefail
work=${1:-bench-out/cxr_pairs}
source "$(dirname "$0")/crossvalidate.sh"

crossvalidate align cxr_text cxr_text.yaml retrieval
python3 "$root/bench/fold_summary.py" "$work"/fold?.json > "$work/summary.json"
cat "$work/summary.json"
