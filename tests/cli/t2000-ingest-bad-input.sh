#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Bad input to ingest and to the verbs behind it: each a clear message with file and row, nothing half-written taken for
# whole.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
limited() { # files of at most so many blocks, then the program's arguments: a disk that fills up; its streams are pipes
    (ulimit -f "$1" && shift && "$rvl" "$@" 2>&1 | cat; exit "${PIPESTATUS[0]}")
}
ingest() { # as `rvl ingest`, and what it lists as failed
    "$rvl" ingest "$@"
    local code=$?
    cat ./*/failures.jsonl 2> /dev/null
    return $code
}
fresh() { rm -rf cohort cohort.crosswalk.csv work && cp -r raw work; }

"$rvl" synth images -n 12 --size 48 -o raw -q || exit 1

fresh && sed -i '1s/patient_id/patients/' work/cases.csv
want 4 "missing column" "patient_id" "$rvl" ingest work -o cohort
fresh && sed -i 's/schema: phantom-8/schema: phantom-9/' work/map.yaml
want 3 "unknown schema" "phantom-9" "$rvl" ingest work -o cohort
fresh && sed -i 's/^modality: cxr/modalty: cxr/' work/map.yaml
want 4 "unknown key of the map" "map\.yaml:" "$rvl" ingest work -o cohort
fresh && sed -i 's/^body_part: .*/body_part: abcdefghijklmnop/' work/map.yaml
want 4 "a body part of 16 letters" "longer than 15 letters" "$rvl" ingest work -o cohort
fresh && sed -i 's/^body_part: .*/body_part: abcdefghijklmno/' work/map.yaml
want 0 "one of 15 letters is kept whole" "body_part: abcdefghijklmno" sh -c "'$rvl' ingest work -o cohort -q > /dev/null && '$rvl' inspect cohort"
fresh && head -c 300 raw/images/000003.png > work/images/000003.png
want 5 "a cut image is a listed failure" "000003\.png" ingest work -o cohort
fresh && rm work/images/000004.png
want 5 "an absent image is a listed failure" "000004\.png" ingest work -o cohort
fresh && sed -i '0,/,train,[01],/s//,train,maybe,/' work/cases.csv
want 5 "a label outside the states is a listed failure" "maybe" ingest work -o cohort
fresh && printf 'images/000001.png,P1,S1\xff,PA,F,3,train,0,0,0,0,0,0,0,0,r,f,i\n' >> work/cases.csv
want 4 "a table that is not UTF-8" "cases\.csv" "$rvl" ingest work -o cohort
fresh && sed -i 's/^images.000002.png/images\/000001.png/' work/cases.csv
want 5 "an image path given twice is a listed failure" "the same image path as in line" ingest work -o cohort
fresh && sed -i 's/^images.000002.png,\(P[0-9]*\),S[0-9]*/images\/000002.png,P999999,S000001/' work/cases.csv
want 5 "a study given to two patients is a listed failure" "with another patient" ingest work -o cohort
rm -rf cohort cohort.crosswalk.csv
want 5 "the terminal says where" "\(first: cases\.csv line" ingest work -o cohort
fresh && printf 'images/nan.npy,P7,S7,PA,F,3,train,0,0,0,0,0,0,0,0,r,f,i\n' >> work/cases.csv
head="{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"
while [ $(((10 + ${#head} + 1) % 64)) -ne 0 ]; do head="$head "; done
{
    printf '\223NUMPY\001\000'
    printf "\\$(printf '%03o' $((${#head} + 1)))\\000%s\n" "$head"
    printf '\000\000\200\077\000\000\300\177\000\000\200\077\000\000\000\000'
} > work/images/nan.npy
want 5 "an image with a NaN is a listed failure" "NaN or Inf" ingest work -o cohort
fresh && printf 'images/000001b.png,P7,S7,PA,F,3,train,0,0,0,0,0,0,0,0,,,\n' >> work/cases.csv
cp raw/images/000001.png work/images/000001b.png
want 0 "an empty report is told with its line" "have an empty report \(first: cases\.csv line" "$rvl" ingest work -o cohort
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
    want 0 "an image of one pixel is told as constant, with its line" "images are constant \(first: cases\.csv line" "$rvl" ingest work -o cohort
    fresh && gray_png work/images/000003.png 10000 10000
    want 0 "an image of 100 megapixels is read" "images are constant \(first: cases\.csv line" "$rvl" ingest work -o cohort
    fresh && gray_png work/images/000003.png 20000 20000
    want 5 "one of 400 megapixels is a listed failure" "000003\.png" ingest work -o cohort
else
    echo "# neither python3 nor convert: no images of 1 pixel or 100 megapixels"
fi
fresh && sed -n 2p raw/cases.csv | head -c 60 >> work/cases.csv
want 4 "a row with too few fields" "cases\.csv" "$rvl" ingest work -o cohort
want 3 "nothing was taken for whole" "no such" "$rvl" pretrain cohort
fresh
want 0 "whole input" "failed                  0" "$rvl" ingest work -o cohort --height 24 --width 24
want 2 "a cohort is not overwritten" "--force" "$rvl" ingest work -o cohort --height 32 --width 32
want 0 "a dry run writes nothing" "would write" sh -c "'$rvl' ingest work -o other --dry-run && test ! -e other"
want 2 "labels of a finding that is not in the schema" "no finding" "$rvl" pretrain cohort --without gout --batch-size 4
"$rvl" pretrain cohort --name pre --batch-size 4 --epochs 1 --width 4 --depth 1 --val-split "" -q || exit 1
want 2 "zero-shot without a text tower" "rvl align" "$rvl" zeroshot -m runs/pre cohort
want 4 "not a bundle" "map\.yaml" "$rvl" zeroshot -m work/map.yaml cohort
head -c 5000 runs/pre/ckpt/step-*/model.safetensors > cut.safetensors
want 4 "a cut bundle" "cut\.safetensors" "$rvl" zeroshot -m cut.safetensors cohort
"$rvl" ingest work -o grid --height 32 --width 32 -q > /dev/null
want 2 "a tower of another grid" "prepared differently" "$rvl" align grid --image-tower runs/pre --batch-size 4 --val-split ""
want 4 "a tower of another width" "has width 4" "$rvl" pretrain cohort --image-tower runs/pre --width 8 --batch-size 4 --val-split "" --name no
want 4 "a tower of another depth" "asks for another" "$rvl" pretrain cohort --image-tower runs/pre --depth 1,1 --batch-size 4 --val-split "" --name no
want 2 "a cohort of another grid" "32 x 32" "$rvl" bench grid -m runs/pre --split train
want 3 "bench on a split that is not there" "nosuch" "$rvl" bench cohort -m runs/pre --split nosuch
"$rvl" align cohort --name clip --image-tower runs/pre --batch-size 4 --epochs 1 --val-split "" --text-width 16 --text-layers 1 \
    --vocabulary-size 120 -q || exit 1
want 4 "an image of another modality" "made for 'cxr'" "$rvl" zeroshot -m runs/clip work/images/000001.png --modality ct
want 0 "unless forced" "000001\.png" "$rvl" zeroshot -m runs/clip work/images/000001.png --modality ct --force
pretrain_full=(pretrain cohort --name full --batch-size 4 --epochs 1 --width 24 --depth 1 --val-split "" -q)
want 6 "a training on a full disk stops" '' limited 8 "${pretrain_full[@]}"
is "and leaves no checkpoint that counts" "$(find runs/full/ckpt -name DONE)" ""
want 3 "which is said" "no complete checkpoint" "$rvl" bench cohort -m runs/full --split train
want 0 "but can be continued" '' "$rvl" "${pretrain_full[@]}" --resume
want 6 "an index on a full disk" '' limited 1 embed -m runs/clip cohort -o full.safetensors
is "leaves nothing" "$(find . -maxdepth 1 -name '*full.safetensors*')" ""
want 6 "a cohort on a full disk" '' limited 8 ingest work -o full --height 64 --width 64
want 0 "can be continued" '' "$rvl" ingest work -o full --height 64 --width 64 -q
finish
