#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What supervised pre-training gives before images and reports are aligned, at equal steps: phantom chest CT at
# 24 x 48 x 48 voxels, 600 steps on the findings and 300 of alignment beside 900 of alignment from random weights.
#
#   bench/phantom_scratch.sh OUT [RAW]    SEEDS="1 2 3"; about 11 minutes on two cores, one of them to draw RAW if it is not given
#
# Both arms draw the same towers, batches of 16, learning rate and last checkpoint; scored by zero-shot on the test split
# with the prompts of phantom-ct-18. bench/paired_auroc.py prints the paired difference. The same command goes on after an
# interruption.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
rvl=${RVL:-$here/build/release/rvl}
seeds=${SEEDS:-1 2 3}
raw=${2:-}
export OMP_WAIT_POLICY=passive
[ -z "$raw" ] || raw=$(cd "$raw" && pwd)
mkdir -p "$1"
cd "$1"

if [ ! -d cohort ]; then
    if [ -z "$raw" ]; then
        raw=$PWD/raw
        "$rvl" synth images --modality ct -n 1000 --recons 1 --no-masks --split 0.6,0.1,0.3 --seed 1 -o raw
    fi
    grid='{depth: 24, height: 48, width: 48, spacing: [7, 7, 14], orient: LPS, window: fixed, window_low: -1000, window_high: 200}'
    sed "s/^preprocess: .*/preprocess: $grid/" "$raw/map.yaml" > map.yaml
    "$rvl" ingest "$raw" --map map.yaml -o cohort
fi
tower=(--width 32 --depth 1,1,1 --stem-kernel 5 --stem-stride 2 --stem-pool)
common=(--batch-size 16 --lr 0.001 --val-split "")
text=(--text-width 64 --max-tok 128 --dropout 0 --embed-dim 64)
for seed in $seeds; do
    for arm in scratch pretrained; do
        [ ! -f "$arm$seed.csv" ] || continue
        rm -rf "runs/$arm$seed" "runs/tower$seed" # begun and not ended
        if [ "$arm" = scratch ]; then
            "$rvl" align cohort "${tower[@]}" "${common[@]}" "${text[@]}" --steps 900 --seed "$seed" --name "$arm$seed"
        else
            "$rvl" pretrain cohort "${tower[@]}" "${common[@]}" --steps 600 --seed "$seed" --name "tower$seed"
            "$rvl" align cohort --image-tower "runs/tower$seed" "${common[@]}" "${text[@]}" --steps 300 --seed "$seed" --name "$arm$seed"
        fi
        "$rvl" bench cohort -m "runs/$arm$seed" --suite zeroshot --prompts phantom-ct-18 --split test --predictions-out "$arm$seed.part" > /dev/null
        mv "$arm$seed.part" "$arm$seed.csv"
    done
done
python3 "$here/bench/paired_auroc.py" . "$seeds" "scratch pretrained"
