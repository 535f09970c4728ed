#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Judging models made elsewhere: predictions and labels as CSV, embeddings as npy (written here byte by byte).
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"

printf 'id,edema,mass\na,0.9,0.1\nb,0.8,0.2\nc,0.3,0.7\nd,0.1,0.6\n' > p.csv
printf 'id,patient,edema,mass\nd,p2,0,1\nc,p2,1,\nb,p1,0,0\na,p1,1,0\n' > l.csv
# edema: pairs (a b) (a d) (c b) (c d): right, right, wrong, right -> 3/4; mass: d over a and b -> 1 (c is not mentioned = absent: 1/3 wrong)
want 0 "area of a finding by hand" '"value": 0\.75' sh -c "'$rvl' bench --predictions p.csv --labels l.csv --bootstrap 20 --json"
want 0 "missing labels can be left out" '"value": 1\.0' sh -c "'$rvl' bench --predictions p.csv --labels l.csv --missing ignore --bootstrap 0 --json"
want 0 "a table for people" "macro_auroc" "$rvl" bench --predictions p.csv --labels l.csv --bootstrap 20
want 0 "thresholds from a validation part" '"threshold": 0\.29999999999999999' "$rvl" bench --predictions p.csv --labels l.csv --val-predictions p.csv \
    --val-labels l.csv --bootstrap 0 --json
want 0 "a floor that holds" "edema" "$rvl" bench --predictions p.csv --labels l.csv --bootstrap 0 --min predictions.macro_auroc=0.5
want 10 "a floor that does not" "check failed" "$rvl" bench --predictions p.csv --labels l.csv --bootstrap 0 --min predictions.macro_auroc=0.99
printf 'id,edema,mass\na,0.9,0.1\ne,0.8,0.2\n' > p2.csv
want 4 "a case without a label" "p2\.csv' line 3" "$rvl" bench --predictions p2.csv --labels l.csv
printf 'id,edema,mass\na,0.9,0.1\na,0.8,0.2\n' > l2.csv
want 4 "an id twice" "again" "$rvl" bench --predictions p.csv --labels l2.csv
want 4 "a prediction twice" "l2\.csv' line 3" "$rvl" bench --predictions l2.csv --labels l.csv
printf 'id,edema,mass\na,0.9,0.1\n,0.8,0.2\n' > p4.csv
want 4 "an empty id" "p4\.csv' line 3: the id is empty" "$rvl" bench --predictions p4.csv --labels l.csv
printf 'id,patient,edema,mass\na,p1,1,0\nb,,0,1\nc,p2,1,1\nd,p2,0,0\n' > l3.csv
want 4 "an empty patient" "l3\.csv' line 3: the patient is empty" "$rvl" bench --predictions p.csv --labels l3.csv
printf 'id,edema,mass\na,1,2\nb,0,1\nc,1,1\nd,0,0\n' > l4.csv
want 4 "a label outside the states" "l4\.csv' line 2: 'mass'" "$rvl" bench --predictions p.csv --labels l4.csv
printf 'id,edema\na,1\nb,0\nc,1\nd,0\n' > l5.csv
want 4 "a finding without labels" "mass" "$rvl" bench --predictions p.csv --labels l5.csv
printf 'id,edema,mass\na,0.9,0.1\nb,0.8,0.2\nc,0.3,0.7\n' > p5.csv
want 0 "labels that nobody predicted are counted" "1 cases of 'l\.csv' have no prediction" "$rvl" bench --predictions p5.csv --labels l.csv --bootstrap 0
printf 'id,edema,mass\n' > p6.csv
want 3 "no rows" "has no rows" "$rvl" bench --predictions p6.csv --labels l.csv
printf 'id,edema,mass\na,0.9,nan\n' > p3.csv
want 4 "a score that is no number" "p3\.csv' line 2" "$rvl" bench --predictions p3.csv --labels l.csv
want 2 "labels are needed" "--labels" "$rvl" bench --predictions p.csv
want 2 "nothing to measure" "nothing to measure" "$rvl" bench

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
want 0 "own texts come first" '"recall_at_1"' sh -c "'$rvl' bench --image-embeddings i.npy --text-embeddings t.npy --bootstrap 10 --json"
want 0 "recall is one" "check" sh -c "'$rvl' bench --image-embeddings i.npy --text-embeddings t.npy --bootstrap 0 --min retrieval.image_to_text.recall_at_1=1 && echo check"
want 10 "constant texts score nothing" "check failed" "$rvl" bench --image-embeddings i.npy --text-embeddings same.npy --bootstrap 0 \
    --min retrieval.image_to_text.recall_at_1=0.1
printf 'image_row,text_row,patient,text\n0,2,p,x\n1,1,p,y\n9,0,q,z\n' > pairs.csv
want 4 "a row that is not there" "pairs\.csv' line 4" "$rvl" bench --image-embeddings i.npy --text-embeddings t.npy --pairs pairs.csv
printf 'image_row,text_row,patient,text\n0,0,p,x\n1,1,p,y\n2,2,q,x\n' > pairs.csv
# texts x: found at 1 and 3, (1/1 + 2/3) / 2; text y: at 1; the mean of 5/6, 1, 5/6 is 0.8889
want 0 "mean average precision by hand" '' "$rvl" bench --image-embeddings i.npy --text-embeddings t.npy --pairs pairs.csv --bootstrap 0 \
    --min retrieval.image_to_text.duplicates.map_at_5=0.88888
want 10 "and not more" 'is 0\.8889' "$rvl" bench --image-embeddings i.npy --text-embeddings t.npy --pairs pairs.csv --bootstrap 0 \
    --min retrieval.image_to_text.duplicates.map_at_5=0.88889
want 0 "pairs with patients and equal texts" '"n_unique_texts": 2' "$rvl" bench --image-embeddings i.npy --text-embeddings t.npy --pairs pairs.csv \
    --bootstrap 10 --json
"$rvl" bench --image-embeddings i.npy --text-embeddings t.npy --pairs pairs.csv --bootstrap 10 --seed 3 --json > a.json
"$rvl" bench --image-embeddings i.npy --text-embeddings t.npy --pairs pairs.csv --bootstrap 10 --seed 3 --json > b.json
want 0 "the same seed, the same bytes" same sh -c "cmp a.json b.json && echo same"
for key in rvl.bench/1 pool n_patients image_to_text text_to_image recall_at_5 recall_at_10 chance_at_1 median_rank mrr unique duplicates low high; do
    want 0 "the document has $key" "$key" cat a.json
done
npy nan.npy 3 "$one$zero\\000\\000\\300\\177$one$minus$zero"
want 9 "an embedding that is not finite" "nan\.npy' row 1: the embedding is not finite" "$rvl" bench --image-embeddings nan.npy --text-embeddings t.npy
npy zero.npy 3 "$one$zero$zero$zero$minus$zero"
want 9 "an embedding that is zero" "zero\.npy' row 1: the embedding is zero" "$rvl" bench --image-embeddings i.npy --text-embeddings zero.npy
npy two.npy 2 "$one$zero$zero$one"
want 4 "sides that do not pair" "--pairs" "$rvl" bench --image-embeddings i.npy --text-embeddings two.npy
head -c 90 i.npy > cut.npy
want 4 "a cut array" "cut\.npy" "$rvl" bench --image-embeddings cut.npy --text-embeddings t.npy
finish
