#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rvl probe: what it gives, from a model and from an index, what it leaves out, what it refuses.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
. "$repo/tests/cli/small_model.sh"
probe=(probe cohort --bootstrap 20)

want 0 "a table" 'pleural_effusion +[0-9]+/[0-9]+ ' "$rvl" "${probe[@]}" -m runs/pre -o p.safetensors --predictions-out p.csv
has "with the mean of all" '^macro ' out
want 0 "as a document" '"schema": "rvl.probe/1"' "$rvl" "${probe[@]}" -m runs/pre --json
cp out probe.json
has "says where features come from" '"kind": "pooled"' probe.json
has "and how regularised each is" '"lambda": [0-9]' probe.json
want 0 "the file names itself" 'kind: rvl.probe/1' "$rvl" inspect p.safetensors
has "holds a row a finding" '"name":"coef","dtype":"f64","shape":\[[1-8],[0-9]+\]' out
is "scores the test split" "$(head -1 p.csv | cut -d, -f1-2)" "case,patient"
want 2 "an existing file" "'p.safetensors' exists" "$rvl" "${probe[@]}" -m runs/pre -o p.safetensors
want 0 "but with --force" '' "$rvl" "${probe[@]}" -m runs/pre -o p.safetensors --force

want 0 "embeddings of a model" '' "$rvl" "${probe[@]}" -m runs/clip --features embedding --predictions-out a.csv
want 0 "an index" '' "$rvl" embed -m runs/clip cohort -o i.safetensors
want 0 "is probed" '' "$rvl" "${probe[@]}" --index i.safetensors --predictions-out b.csv
cmp a.csv b.csv
report $? "to the same bytes"
want 0 "some findings" '' "$rvl" "${probe[@]}" -m runs/pre --findings nodule,device --predictions-out some.csv
is "only those" "$(head -1 some.csv)" "case,patient,nodule,device"
want 0 "the same bytes with other threads" '' "$rvl" "${probe[@]}" -m runs/pre -j 1 --predictions-out one.csv
"$rvl" "${probe[@]}" -m runs/pre -j 3 --predictions-out three.csv > /dev/null 2>&1
cmp one.csv three.csv
report $? "whatever their number"

want 0 "a part of an index" '' "$rvl" embed -m runs/clip cohort --split train -o train.safetensors
want 3 "lacks cases" "has no image of case 'c[0-9]+'" "$rvl" "${probe[@]}" --index train.safetensors
want 0 "texts only" '' "$rvl" embed -m runs/clip cohort --kind text -o text.safetensors
want 3 "are no images" 'has no image embeddings' "$rvl" "${probe[@]}" --index text.safetensors
want 2 "no features" 'a model \(-m\) or an index' "$rvl" "${probe[@]}"
want 2 "features from two" 'a model \(-m\) or an index' "$rvl" "${probe[@]}" -m runs/pre --index i.safetensors
want 2 "no space" "has no 'embedding'" "$rvl" "${probe[@]}" -m runs/pre --features embedding
want 2 "other features" '--features is pooled or embedding' "$rvl" "${probe[@]}" -m runs/pre --features logits
want 2 "features of an index" '--features has no effect with --index' "$rvl" "${probe[@]}" --index i.safetensors --features pooled
want 2 "half a label" 'half a case cannot be measured' "$rvl" "${probe[@]}" -m runs/pre --uncertain half
want 2 "a finding that is none" 'nodul' "$rvl" "${probe[@]}" -m runs/pre --findings nodul
want 2 "nothing to replace" '--force has no effect' "$rvl" "${probe[@]}" -m runs/pre --force

# One class only: every label of a finding becomes absent.
cat > one.yaml << 'Y'
table: cases.csv
modality: cxr
body_part: chest
schema: phantom-8
columns: {image: image_path, patient: patient_id, study: study_id, view: view, split: split}
labels: {nodule: nodule, device: none}
preprocess: {height: 32, width: 32, window: robust}
Y
awk -F, 'NR == 1 {print "image_path,patient_id,study_id,view,split,nodule,none"; next}
    {print $1 "," $2 "," $3 "," $4 "," $7 "," $11 ",0"}' raw/cases.csv | grep -E '^image|\.png' > raw/one.csv
sed -i 's/cases.csv/one.csv/' one.yaml
want 0 "a cohort without a device" '' "$rvl" ingest raw --map one.yaml -o one
want 0 "leaves it out" "'device' is never present in the training split: left out" "$rvl" probe one -m runs/pre --bootstrap 0 --json
has "and says so" '"reason": "never present in the training split"' out
want 3 "alone it is nothing" "no finding of cohort 'one' has both classes" "$rvl" probe one -m runs/pre --findings device
finish
