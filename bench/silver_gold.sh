#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The loop closed on phantoms: labels read from reports train an image tower, beside the labels that were drawn.
#
#   bench/silver_gold.sh cxr|ct OUT      SEEDS="1 2 3"; on two cores cxr takes about 5 minutes, ct about 6
#
# Draws phantoms, labels their reports by rules (source "rules") and by a text classifier that was fitted on 200 other
# phantoms' reports (source "classifier", cxr only), then runs `rvl pretrain` on each source and on the table's labels
# ("gold"): same cases, seeds and steps. A source also chooses its checkpoints. All are scored against gold on one test
# split; bench/paired_auroc.py prints the paired differences. The same command goes on after an interruption.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
rvl=${RVL:-$here/build/release/rvl}
what=$1
seeds=${SEEDS:-1 2 3}
export OMP_WAIT_POLICY=passive
mkdir -p "$2"
cd "$2"

case $what in
cxr)
    arms="gold rules classifier"
    draw=(--size 128 -n 2000)
    ingest=(--height 64 --width 64)
    recipe=(--config "$here/configs/quickstart-pretrain.yaml")
    ;;
ct)
    arms="gold rules"
    draw=(--modality ct --recons 1 --no-masks -n "${SCANS:-400}")
    ingest=(--preset ct-tiny)
    recipe=(--preset ct-tiny --epochs "${EPOCHS:-15}" --eval-every 3)
    ;;
*)
    echo "usage: bench/silver_gold.sh cxr|ct OUT" >&2
    exit 2
    ;;
esac

if [ ! -d cohort ]; then
    "$rvl" synth images "${draw[@]}" --split 0.5,0.1,0.4 --seed 1 -o raw
    "$rvl" ingest raw "${ingest[@]}" -o cohort
    rm -rf raw
fi
"$rvl" label cohort --rules
if [[ " $arms " == *" classifier "* ]]; then
    if [ ! -d runs/text ]; then
        "$rvl" synth images -n 200 --size 64 --seed 2 --split 0.8,0.2,0 -o few
        "$rvl" pretrain --tower text few/cases.csv --schema phantom-8 --split-column split --split train --val-split val \
            --epochs 30 --batch-size 16 --lr 1e-3 --max-tok 128 --seed 0 --name text
    fi
    "$rvl" label cohort -m runs/text --source classifier
fi

for seed in $seeds; do
    for arm in $arms; do
        from=()
        [ "$arm" = gold ] || from=(--labels "$arm")
        [ ! -f "$arm$seed.csv" ] || continue
        [ ! -d "runs/$arm$seed" ] || from+=(--resume)
        "$rvl" pretrain cohort "${recipe[@]}" "${from[@]}" --seed "$seed" --name "$arm$seed"
        "$rvl" bench cohort -m "runs/$arm$seed" --suite supervised --split test --predictions-out "$arm$seed.part" > /dev/null
        mv "$arm$seed.part" "$arm$seed.csv"
    done
done
python3 "$here/bench/paired_auroc.py" . "$seeds" "$arms"
