#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Scores from prompts, and what a model refuses: other modality, view, grid, model, prompts.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
. "$repo/tests/cli/small_model.sh"

want 0 "a split as a table" '^case +pleural_effusion' "$rvl" zeroshot -m runs/clip cohort --split test
is "a row a case" "$(sed 1d out | wc -l)" "$(wc -l < cohort/cases-test.txt)"
want 0 "as JSON" '"schema": "rvl.zeroshot/1"' "$rvl" zeroshot -m runs/clip cohort --split test --json
want 0 "tab-separated" '' "$rvl" zeroshot -m runs/clip cohort --tsv --limit 4
is "--limit" "$(sed 1d out | wc -l)" 4
awk -F'\t' 'NR > 1 { for (i = 2; i <= NF; i++) if (!($i > 0 && $i < 1)) exit 1 } NF != 9 { exit 1 }' out
report $? "eight findings between 0 and 1"
sed -n 2p out | cut -f2- > of_cohort
want 0 "one file" '^000000.png' "$rvl" zeroshot -m runs/clip raw/images/000000.png --tsv
is "scores as its case of the cohort" "$(sed -n 2p out | cut -f2-)" "$(cat of_cohort)"
want 0 "all cases, more than one batch" '' "$rvl" zeroshot -m runs/clip cohort --tsv
sed -n '$p' out > last_of_cohort
want 0 "the last file" '' "$rvl" zeroshot -m runs/clip raw/images/000039.png --tsv
is "scores as the last case" "$(sed -n 2p out | cut -f2-)" "$(cut -f2- last_of_cohort)"
is "which is its study" "$(cut -f1 last_of_cohort)" c000040
cat > mine.yaml << 'Y'
name: mine
findings:
  - {name: fluid, positive: ["There is fluid."], negative: ["There is no fluid."]}
Y
want 0 "own prompts" '^case +fluid$' "$rvl" zeroshot -m runs/clip cohort --prompts ./mine.yaml --split test
sed -i 's/negative: .*}/negative: []}/' mine.yaml
want 4 "a finding without a prompt names file and line" 'mine.yaml:3' "$rvl" zeroshot -m runs/clip cohort --prompts ./mine.yaml
want 3 "prompts that are not there" "did you mean 'nih-14'" "$rvl" zeroshot -m runs/clip cohort --prompts nih-15
want 2 "a model without a text tower" 'wants? a model from|needs a model from `rvl align`' "$rvl" zeroshot -m runs/pre cohort
want 3 "a model that is not there" "cannot load the model 'nosuch'" "$rvl" zeroshot -m nosuch cohort
want 3 "an input that is not there" "'nosuch'" "$rvl" zeroshot -m runs/clip nosuch
want 2 "--split of one file" "--split has no effect with one image" "$rvl" zeroshot -m runs/clip raw/images/000000.png --split test
want 2 "--view of a cohort" "--view has no effect with a cohort" "$rvl" zeroshot -m runs/clip cohort --view pa

sed 's/^modality: .*/modality: mg/' raw/map.yaml > raw/mg.yaml
"$rvl" ingest raw --map raw/mg.yaml -o mg --height 32 --width 32 -q > /dev/null
report $? "the same images as another modality"
want 4 "another modality is refused by name" "'mg' is of modality 'mg'.* made for 'cxr'" "$rvl" zeroshot -m runs/clip mg
is "without results" "$(wc -c < out)" 0
want 0 "unless forced" '^c000001 ' "$rvl" zeroshot -m runs/clip mg --force
want 4 "embed refuses it too" "made for 'cxr'" "$rvl" embed -m runs/clip mg -o x.safetensors
want 4 "bench refuses it too" "made for 'cxr'" "$rvl" bench mg -m runs/clip --bootstrap 0
want 2 "align refuses the tower" "prepared differently" "$rvl" align mg --image-tower runs/pre --name x
want 4 "one file of another modality" "made for 'cxr'" "$rvl" zeroshot -m runs/clip raw/images/000000.png --modality ct
want 0 "unless forced" '^000000.png' "$rvl" zeroshot -m runs/clip raw/images/000000.png --modality ct --force

printf '\nkeep_views: [ap]\n' | cat raw/map.yaml - > raw/ap.yaml
"$rvl" ingest raw --map raw/ap.yaml -o ap --height 32 --width 32 -q > /dev/null &&
    "$rvl" align ap --val-split "" --batch-size 4 --name ap --epochs 1 --width 4 --depth 1 --text-width 16 --text-layers 1 \
        --text-heads 2 --embed-dim 8 --max-tok 48 --vocabulary-size 200 -q
report $? "a model of one view"
want 0 "takes its view" '^c0' "$rvl" zeroshot -m runs/ap ap
want 4 "refuses a case of another view by name" "case 'c0.* is a pa view, the model was made for ap" "$rvl" zeroshot -m runs/ap cohort
want 0 "unless forced" '^c000001 ' "$rvl" zeroshot -m runs/ap cohort --force
want 0 "a model of any view takes a cohort of one" '^c0' "$rvl" zeroshot -m runs/clip ap
want 4 "one file of another view" "made for ap" "$rvl" zeroshot -m runs/ap raw/images/000000.png --view pa
"$rvl" ingest raw -o grid --height 48 --width 48 -q > /dev/null
want 2 "another grid is refused, forced or not" "48 x 48 images, the model wants 32 x 32" "$rvl" zeroshot -m runs/clip grid --force
finish
