#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Phantom chest CT end to end at the preset ct-tiny: draw, ingest, pretrain, align, zero-shot, bench, with the seconds of each.
#
#   bench/phantom_ct.sh OUT [SEED]       about half an hour on two cores, 1.5 GB in OUT
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
rvl=${RVL:-$here/build/release/rvl}
seed=${2:-1}
export OMP_WAIT_POLICY=passive
mkdir -p "$1"
cd "$1"

timed() { # name, command...
    local start name=$1
    start=$(date +%s)
    shift
    "$@"
    echo "$name: $(($(date +%s) - start)) s" >&2
}
timed synth "$rvl" synth images --modality ct -n 1000 --recons 1 --no-masks --split 0.6,0.1,0.3 --seed "$seed" -o raw
timed ingest "$rvl" ingest raw --preset ct-tiny -o cohort --check
timed pretrain "$rvl" pretrain cohort --preset ct-tiny --name "pre$seed" --seed "$seed"
timed text "$rvl" pretrain cohort --preset ct-tiny-text --name "text$seed" --seed "$seed"
timed align "$rvl" align cohort --preset ct-tiny --image-tower "runs/pre$seed" --text-tower "runs/text$seed" \
    --name "clip$seed" --seed "$seed"
timed zeroshot "$rvl" zeroshot cohort -m "runs/clip$seed" --split test > "zeroshot$seed.txt"
"$rvl" bench cohort -m "runs/pre$seed" --split test --json > "supervised$seed.json"
timed bench "$rvl" bench cohort -m "runs/clip$seed" --suite zeroshot,retrieval --split test --json > "bench$seed.json"
"$rvl" bench cohort -m "runs/clip$seed" --suite zeroshot --split test --prompts phantom-ct-18 --json > "prompts$seed.json"

python3 - "supervised$seed.json" "bench$seed.json" "prompts$seed.json" <<'PY'
import json, sys
large = ("cardiomegaly pericardial_effusion hiatal_hernia emphysema atelectasis lung_opacity pleural_effusion "
         "consolidation").split()
for path in sys.argv[1:]:
    b = json.load(open(path))
    v = b.get("zeroshot") or b["supervised"]
    auc = {x["name"]: x["auroc"]["value"] if isinstance(x["auroc"], dict) else x["auroc"] for x in v["findings"]}
    m = v["macro_auroc"]
    print("%s: macro AUROC of 18 %.3f (%.3f to %.3f), of the eight large %.3f" %
          (path, m["value"], m["low"], m["high"], sum(auc[n] for n in large) / 8))
    print("  " + ", ".join("%s %.3f" % (n, auc[n]) for n in auc))
PY
