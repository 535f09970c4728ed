#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Judging models made elsewhere: predictions and labels as CSV, embeddings as npy (written here byte by byte).
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
    if [ $got -eq "$code" ] && grep -qF -- "$text" out.txt; then
        echo "ok $n - $what"
    else
        echo "not ok $n - $what (exit $got, wanted $code and '$text')"
        sed 's/^/# /' out.txt | head -8
        failed=1
    fi
}

printf 'id,edema,mass\na,0.9,0.1\nb,0.8,0.2\nc,0.3,0.7\nd,0.1,0.6\n' > p.csv
printf 'id,patient,edema,mass\nd,p2,0,1\nc,p2,1,\nb,p1,0,0\na,p1,1,0\n' > l.csv
# edema: pairs (a b) (a d) (c b) (c d): right, right, wrong, right -> 3/4; mass: d over a and b -> 1 (c is not mentioned = absent: 1/3 wrong)
t "area of a finding by hand" 0 '"value": 0.75' sh -c "'$rvl' bench --predictions p.csv --labels l.csv --bootstrap 20 --json"
t "missing labels can be left out" 0 '"value": 1.0' sh -c "'$rvl' bench --predictions p.csv --labels l.csv --missing ignore --bootstrap 0 --json"
t "a table for people" 0 "macro_auroc" "$rvl" bench --predictions p.csv --labels l.csv --bootstrap 20
t "thresholds from a validation part" 0 '"threshold": 0.29999999999999999' "$rvl" bench --predictions p.csv --labels l.csv --val-predictions p.csv \
    --val-labels l.csv --bootstrap 0 --json
t "a floor that holds" 0 "edema" "$rvl" bench --predictions p.csv --labels l.csv --bootstrap 0 --min predictions.macro_auroc=0.5
t "a floor that does not" 10 "check failed" "$rvl" bench --predictions p.csv --labels l.csv --bootstrap 0 --min predictions.macro_auroc=0.99
printf 'id,edema,mass\na,0.9,0.1\ne,0.8,0.2\n' > p2.csv
t "a case without a label" 4 "p2.csv' line 3" "$rvl" bench --predictions p2.csv --labels l.csv
printf 'id,edema,mass\na,0.9,0.1\na,0.8,0.2\n' > l2.csv
t "an id twice" 4 "again" "$rvl" bench --predictions p.csv --labels l2.csv
t "a prediction twice" 4 "l2.csv' line 3" "$rvl" bench --predictions l2.csv --labels l.csv
printf 'id,edema,mass\na,0.9,0.1\n,0.8,0.2\n' > p4.csv
t "an empty id" 4 "p4.csv' line 3: the id is empty" "$rvl" bench --predictions p4.csv --labels l.csv
printf 'id,patient,edema,mass\na,p1,1,0\nb,,0,1\nc,p2,1,1\nd,p2,0,0\n' > l3.csv
t "an empty patient" 4 "l3.csv' line 3: the patient is empty" "$rvl" bench --predictions p.csv --labels l3.csv
printf 'id,edema,mass\na,1,2\nb,0,1\nc,1,1\nd,0,0\n' > l4.csv
t "a label outside the states" 4 "l4.csv' line 2: 'mass'" "$rvl" bench --predictions p.csv --labels l4.csv
printf 'id,edema\na,1\nb,0\nc,1\nd,0\n' > l5.csv
t "a finding without labels" 4 "mass" "$rvl" bench --predictions p.csv --labels l5.csv
printf 'id,edema,mass\na,0.9,0.1\nb,0.8,0.2\nc,0.3,0.7\n' > p5.csv
t "labels that nobody predicted are counted" 0 "1 cases of 'l.csv' have no prediction" "$rvl" bench --predictions p5.csv --labels l.csv --bootstrap 0
printf 'id,edema,mass\n' > p6.csv
t "no rows" 3 "has no rows" "$rvl" bench --predictions p6.csv --labels l.csv
printf 'id,edema,mass\na,0.9,nan\n' > p3.csv
t "a score that is no number" 4 "p3.csv' line 2" "$rvl" bench --predictions p3.csv --labels l.csv
t "labels are needed" 2 "--labels" "$rvl" bench --predictions p.csv
t "nothing to measure" 2 "nothing to measure" "$rvl" bench

npy() { # file, rows, values as octal bytes of little-endian f32
    local head="{'descr': '<f4', 'fortran_order': False, 'shape': ($2, 2), }"
    while [ $(((10 + ${#head} + 1) % 64)) -ne 0 ]; do head="$head "; done
    printf '\223NUMPY\001\000' > "$1"
    printf "\\$(printf '%03o' $((${#head} + 1)))\\000%s\n" "$head" >> "$1"
    printf "$3" >> "$1"
}
one='\000\000\200\077'
zero='\000\000\000\000'
minus='\000\000\200\277'
npy i.npy 3 "$one$zero$zero$one$minus$zero"
npy t.npy 3 "$one$zero$zero$one$minus$zero"
npy same.npy 3 "$one$zero$one$zero$one$zero"
t "own texts come first" 0 '"recall_at_1"' sh -c "'$rvl' bench --image-embeddings i.npy --text-embeddings t.npy --bootstrap 10 --json"
t "recall is one" 0 "check" sh -c "'$rvl' bench --image-embeddings i.npy --text-embeddings t.npy --bootstrap 0 --min retrieval.image_to_text.recall_at_1=1 && echo check"
t "constant texts score nothing" 10 "check failed" "$rvl" bench --image-embeddings i.npy --text-embeddings same.npy --bootstrap 0 \
    --min retrieval.image_to_text.recall_at_1=0.1
printf 'image_row,text_row,patient,text\n0,2,p,x\n1,1,p,y\n9,0,q,z\n' > pairs.csv
t "a row that is not there" 4 "pairs.csv' line 4" "$rvl" bench --image-embeddings i.npy --text-embeddings t.npy --pairs pairs.csv
printf 'image_row,text_row,patient,text\n0,0,p,x\n1,1,p,y\n2,2,q,x\n' > pairs.csv
t "pairs with patients and equal texts" 0 '"n_unique_texts": 2' "$rvl" bench --image-embeddings i.npy --text-embeddings t.npy --pairs pairs.csv \
    --bootstrap 10 --json
"$rvl" bench --image-embeddings i.npy --text-embeddings t.npy --pairs pairs.csv --bootstrap 10 --seed 3 --json > a.json
"$rvl" bench --image-embeddings i.npy --text-embeddings t.npy --pairs pairs.csv --bootstrap 10 --seed 3 --json > b.json
t "the same seed, the same bytes" 0 same sh -c "cmp a.json b.json && echo same"
for key in rvl.bench/1 pool n_patients image_to_text text_to_image recall_at_5 recall_at_10 chance_at_1 median_rank mrr unique duplicates low high; do
    t "the document has $key" 0 "$key" cat a.json
done
npy nan.npy 3 "$one$zero\\000\\000\\300\\177$one$minus$zero"
t "an embedding that is not finite" 9 "nan.npy' row 1: the embedding is not finite" "$rvl" bench --image-embeddings nan.npy --text-embeddings t.npy
npy zero.npy 3 "$one$zero$zero$zero$minus$zero"
t "an embedding that is zero" 9 "zero.npy' row 1: the embedding is zero" "$rvl" bench --image-embeddings i.npy --text-embeddings zero.npy
npy two.npy 2 "$one$zero$zero$one"
t "sides that do not pair" 4 "--pairs" "$rvl" bench --image-embeddings i.npy --text-embeddings two.npy
head -c 90 i.npy > cut.npy
t "a cut array" 4 "cut.npy" "$rvl" bench --image-embeddings cut.npy --text-embeddings t.npy
echo "1..$n"
exit $failed
