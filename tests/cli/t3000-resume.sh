#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Killed with SIGKILL at five random mid-epoch moments and resumed each time, a run ends with the same bytes as one that
# was left alone: pretrain and align, two threads, augmentation on, --deterministic.
set -u
rvl=${RVL_BIN:?}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
RANDOM=${RVL_TEST_SEED:-$$}
echo "# seed of the kill times: ${RVL_TEST_SEED:-$$}"
"$rvl" synth images -n 150 --seed 5 --size 64 -o raw -q || exit 1
"$rvl" ingest raw -o cohort --height 32 --width 32 -q > /dev/null || exit 1

last() { ls -d "$1"/ckpt/step-* | sort | tail -1; }
kill_and_resume() { # verb, options...: into killed/run, until five kills have hit it
    local n_kills=0 tries=0 verb=$1
    shift
    while [ $n_kills -lt 5 ] && [ $tries -lt 60 ]; do
        tries=$((tries + 1))
        "$rvl" "$verb" cohort --runs killed --name run --resume "$@" -q &
        local pid=$!
        sleep "0.$(printf '%03d' $((RANDOM % 400 + 50)))"
        # a kill counts when training had begun: a checkpoint of this or an earlier start is there
        if kill -KILL $pid 2> /dev/null && ls -d killed/run/ckpt/step-*/DONE > /dev/null 2>&1; then
            n_kills=$((n_kills + 1))
            echo "# killed, newest $(basename "$(last killed/run)")"
        fi
        wait $pid 2> /dev/null
        if grep -q '"status": "done"' killed/run/run.json 2> /dev/null; then
            rm -rf killed/run # it finished before enough kills hit: start over
            n_kills=0
        fi
    done
    echo "# $verb: $n_kills kills in $tries starts"
    "$rvl" "$verb" cohort --runs killed --name run --resume "$@" -q && [ $n_kills -eq 5 ]
}
compare() { # number, verb
    if cmp "$(last whole/run)/model.safetensors" "$(last killed/run)/model.safetensors"; then
        echo "ok $1 - $2 ends with the same bytes"
    else
        echo "not ok $1 - $2 ends with the same bytes"
        failed=1
    fi
}

failed=0
pretrain="--epochs 120 --batch-size 16 --width 8 --depth 1,1 --deterministic --threads 2 --save-every 3 --eval-every 20 --seed 11"
align="--epochs 50 --batch-size 16 --width 8 --depth 1,1 --deterministic --threads 2 --save-every 3 --eval-every 20 --seed 11 --text-width 32
    --text-layers 1 --max-tok 48 --vocabulary-size 300"
"$rvl" pretrain cohort --runs whole --name run $pretrain -q || exit 1
kill_and_resume pretrain $pretrain || { echo "not ok - five kills"; exit 1; }
compare 1 pretrain
rm -rf whole killed
"$rvl" align cohort --runs whole --name run $align -q || exit 1
kill_and_resume align $align || { echo "not ok - five kills"; exit 1; }
compare 2 align
if "$rvl" pretrain cohort --runs whole --name run $pretrain -q 2> err.txt; then
    echo "not ok 3 - refuses to overwrite a run"
    failed=1
else
    grep -q -- --resume err.txt && echo "ok 3 - refuses to overwrite a run, and says how to go on"
fi
echo "1..3"
exit $failed
