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
fresh && sed -i 's/^body_part: .*/body_part: abcdefghijklmnop/' work/map.yaml
t "a body part of 16 letters" 4 "longer than 15 letters" "$rvl" ingest work -o cohort
fresh && sed -i 's/^body_part: .*/body_part: abcdefghijklmno/' work/map.yaml
t "one of 15 letters is kept whole" 0 "body_part: abcdefghijklmno" sh -c "'$rvl' ingest work -o cohort -q > /dev/null && '$rvl' inspect cohort"
fresh && head -c 300 raw/images/000003.png > work/images/000003.png
t "a cut image is a listed failure" 5 "000003.png" "$rvl" ingest work -o cohort
fresh && rm work/images/000004.png
t "an absent image is a listed failure" 5 "000004.png" "$rvl" ingest work -o cohort
fresh && sed -i '0,/,train,[01],/s//,train,maybe,/' work/cases.csv
t "a label outside the states is a listed failure" 5 "maybe" "$rvl" ingest work -o cohort
fresh && printf 'images/000001.png,P1,S1\xff,PA,F,3,train,0,0,0,0,0,0,0,0,r,f,i\n' >> work/cases.csv
t "a table that is not UTF-8" 4 "cases.csv" "$rvl" ingest work -o cohort
fresh && sed -i 's/^images.000002.png/images\/000001.png/' work/cases.csv
t "an image path given twice is a listed failure" 5 "the same image path as in line" "$rvl" ingest work -o cohort
fresh && sed -i 's/^images.000002.png,\(P[0-9]*\),S[0-9]*/images\/000002.png,P999999,S000001/' work/cases.csv
t "a study given to two patients is a listed failure" 5 "with another patient" "$rvl" ingest work -o cohort
rm -rf cohort cohort.crosswalk.csv
t "the terminal says where" 5 "(first: cases.csv line" "$rvl" ingest work -o cohort
fresh && printf 'images/nan.npy,P7,S7,PA,F,3,train,0,0,0,0,0,0,0,0,r,f,i\n' >> work/cases.csv
head="{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"
while [ $(((10 + ${#head} + 1) % 64)) -ne 0 ]; do head="$head "; done
{
    printf '\223NUMPY\001\000'
    printf "\\$(printf '%03o' $((${#head} + 1)))\\000%s\n" "$head"
    printf '\000\000\200\077\000\000\300\177\000\000\200\077\000\000\000\000'
} > work/images/nan.npy
t "an image with a NaN is a listed failure" 5 "NaN or Inf" "$rvl" ingest work -o cohort
fresh && printf 'images/000001b.png,P7,S7,PA,F,3,train,0,0,0,0,0,0,0,0,,,\n' >> work/cases.csv
cp raw/images/000001.png work/images/000001b.png
t "an empty report is told with its line" 0 "have an empty report (first: cases.csv line" "$rvl" ingest work -o cohort
gray_png() { # file, width, height: black; false without a tool
    if python3 -c '' 2> /dev/null; then
        python3 - "$@" << 'PY'
import struct, sys, zlib
path, w, h = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
chunk = lambda t, b: struct.pack(">I", len(b)) + t + b + struct.pack(">I", zlib.crc32(t + b))
head = struct.pack(">IIBBBBB", w, h, 8, 0, 0, 0, 0)
rows = zlib.compress(bytes(h * (w + 1)), 9)
open(path, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
PY
    elif command -v convert > /dev/null; then
        convert -size "$2x$3" xc:black -depth 8 -colorspace Gray "png:$1"
    else
        return 1
    fi
}
fresh
if gray_png work/images/000003.png 1 1; then
    t "an image of one pixel is told as constant, with its line" 0 "images are constant (first: cases.csv line" "$rvl" ingest work -o cohort
    fresh && gray_png work/images/000003.png 10000 10000
    t "an image of 100 megapixels is read" 0 "images are constant (first: cases.csv line" "$rvl" ingest work -o cohort
    fresh && gray_png work/images/000003.png 20000 20000
    t "one of 400 megapixels is a listed failure" 5 "000003.png" "$rvl" ingest work -o cohort
else
    echo "# neither python3 nor convert: no images of 1 pixel or 100 megapixels"
fi
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
t "a tower of another width" 4 "has width 4" "$rvl" pretrain cohort --image-tower runs/pre --width 8 --batch-size 4 --val-split "" --name no
t "a tower of another depth" 4 "asks for another" "$rvl" pretrain cohort --image-tower runs/pre --depth 1,1 --batch-size 4 --val-split "" --name no
t "a cohort of another grid" 2 "32 x 32" "$rvl" bench grid -m runs/pre --split train
t "bench on a split that is not there" 3 "nosuch" "$rvl" bench cohort -m runs/pre --split nosuch
"$rvl" align cohort --name clip --image-tower runs/pre --batch-size 4 --epochs 1 --val-split "" --text-width 16 --text-layers 1 \
    --vocabulary-size 120 -q || exit 1
t "an image of another modality" 4 "made for 'cxr'" "$rvl" zeroshot -m runs/clip work/images/000001.png --modality ct
t "unless forced" 0 "000001.png" "$rvl" zeroshot -m runs/clip work/images/000001.png --modality ct --force
: > err.txt
(ulimit -f 8 && "$rvl" pretrain cohort --name full --batch-size 4 --epochs 1 --width 24 --depth 1 --val-split "" -q > out.txt 2>&1)
code=$?
n=$((n + 1))
if [ $code -eq 6 ] && [ -z "$(find runs/full/ckpt -name DONE)" ] && ! "$rvl" bench cohort -m runs/full --split train 2> err.txt &&
    grep -q "no complete checkpoint" err.txt &&
    "$rvl" pretrain cohort --name full --batch-size 4 --epochs 1 --width 24 --depth 1 --val-split "" -q --resume; then
    echo "ok $n - a training on a full disk leaves no checkpoint that counts, and can be continued"
else
    echo "not ok $n - a training on a full disk leaves no checkpoint that counts, and can be continued ($code)"
    sed 's/^/# /' out.txt err.txt | head -8
    failed=1
fi
(ulimit -f 1 && "$rvl" embed -m runs/clip cohort -o full.safetensors > out.txt 2>&1)
code=$?
n=$((n + 1))
if [ $code -eq 6 ] && [ -z "$(find . -maxdepth 1 -name '*full.safetensors*')" ]; then
    echo "ok $n - an index on a full disk leaves nothing"
else
    echo "not ok $n - an index on a full disk leaves nothing ($code)"
    failed=1
fi
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
