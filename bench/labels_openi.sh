#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A small classifier of chest X-ray reports, random weights at the start, beside rules: reports_openi of the data pack.
#
#   bench/labels_openi.sh openi_reports.csv OUT       about 3 minutes on two cores
#
# Folds by text as in bench/labels_ct.py (findings and impression). Folds 1 and 2 train, 3 chooses the checkpoint, 4 and 5
# are labelled by the classifier, by rules and by both, and audited against the labels of manual MeSH codes.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
reports=$(realpath "$1")
rvl=${RVL:-$here/build/release/rvl}
export OMP_WAIT_POLICY=passive
mkdir -p "$2"
cd "$2"

python3 - "$here/bench" "$reports" <<'PY'
import csv, sys
sys.path.insert(0, sys.argv[1])
from labels_ct import fold, read
rows = [r for r in read(sys.argv[2]) if (r["findings"] + r["impression"]).strip() and r["label_mass"] != ""]
of = [fold(r["findings"] + " " + r["impression"]) for r in rows]
for name, keep in (("learn", {1, 2, 3}), ("test", {4, 5})):
    with open(name + ".csv", "w", newline="", encoding="utf-8") as out:
        w = csv.DictWriter(out, fieldnames=list(rows[0]) + ["fold"], lineterminator="\n")
        w.writeheader()
        w.writerows(dict(r, fold="fold%d" % f) for r, f in zip(rows, of) if f in keep)
    print("%s: %d reports" % (name, sum(f in keep for f in of)))
PY

from=(--text-column findings,impression --schema nih-14)
resume=()
[ ! -d runs/openi ] || resume=(--resume)
"$rvl" pretrain --tower text learn.csv "${from[@]}" --split-column fold --split fold1,fold2 --val-split fold3 \
    --text-layers 1 --text-width 128 --text-heads 4 --vocabulary-size 2000 --max-tok 128 --epochs "${EPOCHS:-20}" \
    --batch-size 32 --lr 2e-3 --eval-every 2 --seed 0 --name openi "${resume[@]}"
for how in "-m runs/openi" --rules "--rules -m runs/openi"; do
    echo "labels: $how"
    # shellcheck disable=SC2086
    "$rvl" label test.csv "${from[@]}" $how --audit test.csv --seed 0
done
