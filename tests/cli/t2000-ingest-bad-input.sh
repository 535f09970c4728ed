#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Bad input to ingest and to the verbs behind it: each a clear message with file and row, nothing half-written taken for
# whole.
set -u
rvl=${RVL_BIN:?}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
n=0
failed=0
t() { # description, wanted exit code, text that must appear, command...
    local what=$1 code=$2 text=$3
    shift 3
    n=$((n + 1))
    "$@" > out.txt 2>&1
    local got=$?
    if [ $got -eq "$code" ] && { cat out.txt failures 2> /dev/null; cat ./*/failures.jsonl 2> /dev/null; } | grep -qF -- "$text"; then
        echo "ok $n - $what"
    else
        echo "not ok $n - $what (exit $got, wanted $code and '$text')"
        sed 's/^/# /' out.txt | head -8
        failed=1
    fi
}
fresh() { rm -rf cohort cohort.crosswalk.csv work && cp -r raw work; }

"$rvl" synth images -n 12 --size 48 -o raw -q || exit 1

fresh && sed -i '1s/patient_id/patients/' work/cases.csv
t "missing column" 4 "patient_id" "$rvl" ingest work -o cohort
fresh && sed -i 's/schema: phantom-8/schema: phantom-9/' work/map.yaml
t "unknown schema" 3 "phantom-9" "$rvl" ingest work -o cohort
fresh && sed -i 's/^modality: cxr/modalty: cxr/' work/map.yaml
t "unknown key of the map" 4 "map.yaml:" "$rvl" ingest work -o cohort
fresh && head -c 300 raw/images/000003.png > work/images/000003.png
t "a cut image is a listed failure" 5 "000003.png" "$rvl" ingest work -o cohort
fresh && rm work/images/000004.png
t "an absent image is a listed failure" 5 "000004.png" "$rvl" ingest work -o cohort
fresh && sed -i '0,/,train,[01],/s//,train,maybe,/' work/cases.csv
t "a label outside the states is a listed failure" 5 "maybe" "$rvl" ingest work -o cohort
fresh && printf 'images/000001.png,P1,S1\xff,PA,F,3,train,0,0,0,0,0,0,0,0,r,f,i\n' >> work/cases.csv
t "a table that is not UTF-8" 4 "cases.csv" "$rvl" ingest work -o cohort
fresh && sed -n 2p raw/cases.csv | head -c 60 >> work/cases.csv
t "a row with too few fields" 4 "cases.csv" "$rvl" ingest work -o cohort
t "nothing was taken for whole" 3 "no such" "$rvl" pretrain cohort
fresh
t "whole input" 0 "failed                  0" "$rvl" ingest work -o cohort --height 24 --width 24
t "a cohort is not overwritten" 2 "--force" "$rvl" ingest work -o cohort --height 32 --width 32
t "a dry run writes nothing" 0 "would write" sh -c "'$rvl' ingest work -o other --dry-run && test ! -e other"
t "labels of a finding that is not in the schema" 2 "no finding" "$rvl" pretrain cohort --without gout --batch-size 4
"$rvl" pretrain cohort --name pre --batch-size 4 --epochs 1 --width 4 --depth 1 --val-split "" -q || exit 1
t "zero-shot without a text tower" 2 "rvl align" "$rvl" zeroshot -m runs/pre cohort
t "not a bundle" 4 "map.yaml" "$rvl" zeroshot -m work/map.yaml cohort
head -c 5000 runs/pre/ckpt/step-*/model.safetensors > cut.safetensors
t "a cut bundle" 4 "cut.safetensors" "$rvl" zeroshot -m cut.safetensors cohort
"$rvl" ingest work -o grid --height 32 --width 32 -q > /dev/null
t "a tower of another grid" 2 "prepared differently" "$rvl" align grid --image-tower runs/pre --batch-size 4 --val-split ""
t "bench on a split that is not there" 3 "nosuch" "$rvl" bench cohort -m runs/pre --split nosuch
"$rvl" align cohort --name clip --image-tower runs/pre --batch-size 4 --epochs 1 --val-split "" --text-width 16 --text-layers 1 \
    --vocabulary-size 120 -q || exit 1
t "an image of another modality" 4 "made for 'cxr'" "$rvl" zeroshot -m runs/clip work/images/000001.png --modality ct
t "unless forced" 0 "000001.png" "$rvl" zeroshot -m runs/clip work/images/000001.png --modality ct --force
(ulimit -f 8 && "$rvl" ingest work -o full --height 64 --width 64 > out.txt 2>&1)
code=$?
n=$((n + 1))
if [ $code -eq 6 ] && "$rvl" ingest work -o full --height 64 --width 64 -q > /dev/null; then
    echo "ok $n - a full disk stops with exit 6, and the cohort can be continued"
else
    echo "not ok $n - a full disk stops with exit 6 ($code), and the cohort can be continued"
    failed=1
fi
echo "1..$n"
exit $failed
