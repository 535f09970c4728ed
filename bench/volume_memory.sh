#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Does memory grow with a CT cohort? Peak resident memory of `rvl ingest` and of one epoch of `rvl pretrain` (preset
# ct-tiny) at few and at many phantoms; fails if the larger takes more than 32 MiB more.
#   bench/volume_memory.sh [FEW [MANY [WORK]]]
# FEW (default 100) and MANY (1000) are scans of one volume; WORK (bench-out/volume-memory) receives them, 1.5 MiB each,
# and peaks.tsv. A WORK that holds raw/ already is used as it is.
set -euo pipefail
few=${1:-100}
many=${2:-1000}
work=${3:-bench-out/volume-memory}
root=$(cd "$(dirname "$0")/.." && pwd)
rvl=${RVL:-$root/build/release/rvl}
export OMP_WAIT_POLICY=passive OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}

mkdir -p "$work"
[ -d "$work/raw" ] ||
    "$rvl" synth images --modality ct -n "$many" --recons 1 --no-masks --seed 1 -o "$work/raw" --progress none
: > "$work/peaks.tsv"
peak() { # what, number, command...: its peak in KiB, a line of peaks.tsv
    local what=$1 n=$2
    shift 2
    /usr/bin/time -f %M -o "$work/kib" "$@" > /dev/null 2> "$work/log" || { cat "$work/log"; exit 1; }
    printf '%s\t%s\t%s\n' "$what" "$n" "$(cat "$work/kib")" | tee -a "$work/peaks.tsv"
}
rm -rf "$work/runs"
for n in "$few" "$many"; do
    rm -rf "$work/cohort-$n"
    peak ingest "$n" "$rvl" ingest "$work/raw" --preset ct-tiny --limit "$n" --split-ratio 90/5/5 -o "$work/cohort-$n" -q
    peak pretrain "$n" "$rvl" pretrain "$work/cohort-$n" --preset ct-tiny --split train,val,test --val-split "" \
        --epochs 1 --runs "$work/runs" --name "memory-$n" --log-every 1000 -q
done
awk -F'\t' -v few="$few" '$2 == few { low[$1] = $3 } $2 != few && $3 > low[$1] + 32768 { print $1 " grew by " ($3 - low[$1]) / 1024 " MiB"; bad = 1 }
    END { exit bad }' "$work/peaks.tsv"
