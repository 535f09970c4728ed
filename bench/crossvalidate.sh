# SPDX-License-Identifier: Apache-2.0
# What the five-fold scripts share; source it with `work` set. Sets root, rvl, data, weights, folds, seed, size and defines
# other_folds K...: the names of every fold but those, by commas; image_options START: the array `options` of training;
# ingest_folds and crossvalidate.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
rvl=${RVL:-$root/build/release/rvl}
data=${RVL_TEST_DATA:-$root/../shared/data}
weights=${RVL_TEST_WEIGHTS:-$root/.cache/weights} # made by tools/fetch-weights
folds=5
size=128
seed=${SEED:-1}
export OMP_WAIT_POLICY=passive OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}

other_folds() {
    local names=() i
    for ((i = 0; i < folds; i++)); do
        [[ " $* " = *" $i "* ]] || names+=("fold$i")
    done
    local IFS=,
    echo "${names[*]}"
}

# From random weights a ResNet-18 of half the width; else EfficientNet-Lite0 of ImageNet, its first kernels summed.
image_options() { # scratch or pretrained
    case $1 in
        scratch) options=(--depth resnet18 --width 32) ;;
        pretrained)
            options=(--arch efficientnet_lite0 --sum-channels
                --image-tower "$weights/efficientnet-lite0/efficientnet-lite0-57934424.pth")
            ;;
        *) echo "unknown start: $1" >&2; exit 2 ;;
    esac
}

# Ingest a data set of the pack in folds by patient at $size: $work/cohort.
ingest_folds() { # folder in the data pack, map
    mkdir -p "$work"
    "$rvl" ingest "$data/$1" --map "$root/examples/maps/$2" --folds "$folds" --seed "$seed" --height "$size" \
        --width "$size" -o "$work/cohort" --force --progress none
    rm -rf "$work/runs"
}

# Train with the program's own recipe and $options on splits of that cohort: $work/runs/NAME.
train() { # verb, name, splits, further options
    "$rvl" "$1" "$work/cohort" --split "$3" --val-split "" --seed "$seed" --runs "$work/runs" --name "$2" \
        --log-every 100 "${options[@]}" "${@:4}"
}

# Ingest, train on all folds but one, measure on that one: $work/cohort, $work/runs/foldK, $work/foldK.json.
crossvalidate() { # verb, folder in the data pack, map, suite, further options of bench (%K in them is the fold's number)
    local verb=$1 suite=$4 fold
    ingest_folds "$2" "$3"
    shift 4
    for ((fold = 0; fold < folds; fold++)); do
        train "$verb" "fold$fold" "$(other_folds "$fold")"
        "$rvl" bench "$work/cohort" -m "$work/runs/fold$fold" --suite "$suite" --split "fold$fold" --val-split "" \
            --seed "$seed" --json "${@//%K/$fold}" > "$work/fold$fold.json"
    done
}
