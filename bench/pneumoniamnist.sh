#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# PneumoniaMNIST: ResNet-18, five seeds, best epoch by validation AUC, measured once on the official test split. The stem
# is a 3x3 convolution of stride 1 behind which the max-pool of stride 2 stays: a quarter of the cost without it.
#   bench/pneumoniamnist.sh [WORK]
# WORK (default bench-out/pneumoniamnist) receives the cohort, the runs and one JSON of results per seed.
# Environment: RVL (program), RVL_TEST_DATA (data pack), SEEDS, EPOCHS. PyTorch's side: bench/pneumoniamnist_torch.py.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
rvl=${RVL:-$root/build/release/rvl}
data=${RVL_TEST_DATA:-$root/../shared/data}
work=${1:-bench-out/pneumoniamnist}
seeds=${SEEDS:-1 2 3 4 5}
epochs=${EPOCHS:-4}
export OMP_WAIT_POLICY=passive OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}

mkdir -p "$work"
"$rvl" ingest "$data/medmnist" --map "$root/examples/maps/pneumoniamnist.yaml" -o "$work/cohort" --force --progress none
for seed in $seeds; do
    if [ ! -f "$work/test-$seed.json" ]; then
        rm -rf "$work/runs/seed$seed"
        "$rvl" pretrain "$work/cohort" --runs "$work/runs" --name "seed$seed" --seed "$seed" --epochs "$epochs" \
            --batch-size 32 --no-augment --width 64 --depth resnet18 --stem-kernel 3 --stem-stride 1 --log-every 50
        "$rvl" bench "$work/cohort" -m "$work/runs/seed$seed" --suite supervised --split test --seed "$seed" --json \
            --predictions-out "$work/test-$seed.csv" > "$work/test-$seed.json.part"
        mv "$work/test-$seed.json.part" "$work/test-$seed.json"
    fi
done
echo "results in $work/test-*.json; next: python3 bench/pneumoniamnist_torch.py --compare $work"
