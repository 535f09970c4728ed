# SPDX-License-Identifier: Apache-2.0
# What the five-fold scripts share; source it. Sets root, rvl, data, folds, seed, run_options and defines
# other_folds K: the names of every fold but K, by commas.
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
