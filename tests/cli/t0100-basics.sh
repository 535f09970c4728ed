#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The program as such: help, hints, exit codes, layers of configuration.
set -u
rvl=${RVL_BIN:?}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
n=0
failed=0
t() { # description, wanted exit code, text that must appear (- for none), command...
    local what=$1 code=$2 text=$3
    shift 3
    n=$((n + 1))
    "$@" > out.txt 2>&1
    local got=$?
    if [ $got -eq "$code" ] && { [ "$text" = - ] || grep -qF -- "$text" out.txt; }; then
        echo "ok $n - $what"
    else
        echo "not ok $n - $what (exit $got, wanted $code and '$text')"
        sed 's/^/# /' out.txt | head -8
        failed=1
    fi
}

t "overview lists the verbs" 0 "pretrain" "$rvl"
t "version" 0 "rvl" "$rvl" version
t "version as JSON" 0 '"schema": "rvl.version/1"' "$rvl" version --json
t "unknown verb names the nearest" 2 "did you mean 'pretrain'" "$rvl" pretrian
t "unknown option names the nearest" 2 "did you mean '--epochs'" "$rvl" pretrain c --epoch 3
t "an option that has no effect is refused" 2 "unknown option '--dry-run'" "$rvl" search i --dry-run
t "missing argument" 2 "wants COHORT" "$rvl" pretrain
t "one argument too many" 2 "does not take another argument" "$rvl" pretrain a b
t "not a number" 2 "wants a whole number" "$rvl" pretrain c --epochs many
t "exit codes topic" 0 "no such" sh -c "'$rvl' help exit-codes | grep -q '130' && echo 'no such'"
for verb in "synth images" ingest inspect pretrain align embed search zeroshot bench; do
    t "help of $verb" 0 "rvl $verb - " "$rvl" $verb -h
    t "full help of $verb" 0 "--log-level" "$rvl" $verb --help
done
t "help of a verb by topic" 0 "rvl align - " "$rvl" help align
t "cohort that is not there" 3 "no such" "$rvl" pretrain nowhere
t "model that is not there" 3 "no such" "$rvl" zeroshot -m nowhere cohort

"$rvl" synth images -n 24 --size 48 -o raw -q && "$rvl" ingest raw -o cohort --height 24 --width 24 -q > /dev/null || exit 1
echo "training: {epochs: 2, batch_size: 4}" > c.yaml
seen() { "$rvl" pretrain cohort --runs "r$RANDOM$RANDOM" --val-split "" --width 4 --depth 1 -q --json "$@" | grep -o '"epochs": [0-9]*'; }
t "a file sets a key" 0 '"epochs": 2' seen --config c.yaml
export RVL_EPOCHS=3
t "the environment wins over the file" 0 '"epochs": 3' seen --config c.yaml
t "--set wins over the environment" 0 '"epochs": 4' seen --config c.yaml --set training.epochs=4
t "a flag wins over all" 0 '"epochs": 1' seen --config c.yaml --set training.epochs=4 --epochs 1
unset RVL_EPOCHS
echo "training: {epoch: 2}" > bad.yaml
t "an unknown key is an error with its line" 2 "bad.yaml:1" "$rvl" pretrain cohort --config bad.yaml
t "batches larger than the split are refused" 2 "smaller --batch-size" "$rvl" pretrain cohort --batch-size 500
t "a run keeps its configuration" 0 "epochs: 2  # c.yaml:1" sh -c \
    "'$rvl' pretrain cohort --name kept --val-split '' --width 4 --depth 1 -q --config c.yaml && '$rvl' inspect runs/kept --config-of"
echo "1..$n"
exit $failed
