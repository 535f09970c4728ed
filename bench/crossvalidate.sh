# SPDX-License-Identifier: Apache-2.0
# What the five-fold scripts share; source it with `work` set. Sets root, rvl, data, folds, seed and defines
# other_folds K: the names of every fold but K, by commas, and crossvalidate.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
rvl=${RVL:-$root/build/release/rvl}
data=${RVL_TEST_DATA:-$root/../shared/data}
folds=5
seed=${SEED:-1}
export OMP_WAIT_POLICY=passive OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}

other_folds() {
    local names=() i
    for ((i = 0; i < folds; i++)); do
        [ "$i" = "$1" ] || names+=("fold$i")
    done
    local IFS=,
    echo "${names[*]}"
}

# Ingest a data set in folds by patient; train with the program's own recipe on all folds but one, measure on that one:
# $work/cohort, $work/runs/foldK, $work/foldK.json.
crossvalidate() { # verb, folder in the data pack, map, suite, further options of bench (%K in them is the fold's number)
    local verb=$1 folder=$2 map=$3 suite=$4 fold
    shift 4
    mkdir -p "$work"
    "$rvl" ingest "$data/$folder" --map "$root/examples/maps/$map" --folds "$folds" --seed "$seed" -o "$work/cohort" \
        --force --progress none
    rm -rf "$work/runs"
    for ((fold = 0; fold < folds; fold++)); do
        "$rvl" "$verb" "$work/cohort" --split "$(other_folds "$fold")" --val-split "" --seed "$seed" \
            --runs "$work/runs" --name "fold$fold" --log-every 100
        "$rvl" bench "$work/cohort" -m "$work/runs/fold$fold" --suite "$suite" --split "fold$fold" --val-split "" \
            --seed "$seed" --json "${@//%K/$fold}" > "$work/fold$fold.json"
    done
}
