#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Recipes of training: learning rates of parts, locked towers, equal texts; recorded, followed, refused without effect.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
"$rvl" synth images -n 40 --size 64 --seed 3 -o raw -q && "$rvl" ingest raw -o cohort --height 32 --width 32 -q > /dev/null
report $? "a cohort"
pre=(pretrain cohort --epochs 1 --batch-size 8 --width 4 --depth 1 --warmup 0 --log-every 1 --val-split "")
align=(align cohort --epochs 1 --batch-size 8 --width 4 --depth 1 --warmup 0 --log-every 1 --val-split "" --text-width 16
    --text-layers 1)
rates() { # of a run's first line: name=value, to six digits
    head -1 "runs/$1/train.jsonl" | grep -oE '"lr(_[a-z]+)?": ?[0-9.e-]+' | tr -d '" ' | awk -F: '{printf "%s=%.6g ", $1, $2}'
}

want 0 "a rate for the tower" '' "$rvl" "${pre[@]}" --lr 1e-3 --lr-image 1e-4 --name pre
is "is logged beside the head's" "$(rates pre)" 'lr=0.001 lr_head=0.001 lr_image=0.0001 '
has "and kept in the configuration" 'lr_image: 0?\.?0*1' runs/pre/config.yaml
want 2 "another rate is another recipe" 'differ' "$rvl" "${pre[@]}" --lr 1e-3 --lr-image 2e-4 --name pre --resume
want 0 "three rates" '' "$rvl" "${align[@]}" --lr 1e-3 --lr-image 1e-4 --lr-text 2e-4 --lr-head 5e-3 --name clip
is "are logged" "$(rates clip)" 'lr=0.001 lr_head=0.005 lr_image=0.0001 lr_text=0.0002 '
want 0 "a locked tower" '' "$rvl" "${pre[@]}" --image-tower runs/pre --lock-image --name head
is "has no rate" "$(rates head)" 'lr=0.0003 lr_head=0.0003 '
want 2 "a rate for a locked tower" '--lr-image has no effect with --lock-image' \
    "$rvl" "${pre[@]}" --lock-image --lr-image 1e-4 --name x
want 2 "a rate for a locked text tower" '--lr-text has no effect with --lock-text' \
    "$rvl" "${align[@]}" --lock-text --lr-text 1e-4 --name x
want 2 "no rate" '--lr-image is positive' "$rvl" "${pre[@]}" --lr-image 0 --name x
want 2 "a negative rate" '--lr-head is positive' "$rvl" "${pre[@]}" --lr-head=-3 --name x

equal=("${align[@]}" --batch-size 24 --text impression --no-sample-sentences)
want 0 "equal texts share their target" 'of the drawn texts were equal to another' "$rvl" "${equal[@]}" --name share
want 0 "or not" '' "$rvl" "${equal[@]}" --duplicates ignore --name plain
is "then none is said to" "$(cat out err | grep -c 'drawn texts were equal')" 0
want 2 "which is another recipe" 'differ' "$rvl" "${equal[@]}" --duplicates ignore --name share --resume
want 2 "nothing else" "share or ignore, not 'drop'" "$rvl" "${align[@]}" --duplicates drop --name x
finish
