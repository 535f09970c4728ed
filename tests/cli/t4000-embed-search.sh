#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Indexes: made, extended, searched by text, image and case; refusals leave them as they were.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
. "$repo/tests/cli/small_model.sh"

want 0 "embeds both sides" 'wrote i.safetensors: 40 cases x 8, images and texts' "$rvl" embed -m runs/clip cohort -o i.safetensors
cp i.safetensors first.safetensors
want 2 "an index is not overwritten" '--append adds to it, --force replaces it' "$rvl" embed -m runs/clip cohort -o i.safetensors
want 2 "--append and --force exclude each other" 'no effect with --append' "$rvl" embed -m runs/clip cohort -o i.safetensors --append --force
cmp i.safetensors first.safetensors
report $? "refusals left it as it was"
want 0 "again with --force" '' "$rvl" embed -m runs/clip cohort -o i.safetensors --force
cmp i.safetensors first.safetensors
report $? "gives the same bytes"
want 0 "known cases are replaced, not doubled" '' "$rvl" embed -m runs/clip cohort -o i.safetensors --append --split test
want 0 "so the count stays" '"shape":\[40,8\]' "$rvl" inspect i.safetensors
want 0 "a split alone, images alone, as JSON" '"text": false' "$rvl" embed -m runs/clip cohort -o t.safetensors --split test --kind image --json
has "names its schema" '"schema": "rvl.embed/1"' out
want 2 "a kind that is none" 'image, text or both' "$rvl" embed -m runs/clip cohort -o x.safetensors --kind sound
want 2 "a model without a space" '' "$rvl" embed -m runs/pre cohort -o x.safetensors
want 3 "a split that is not there" "no cases in split 'nosuch'" "$rvl" embed -m runs/clip cohort -o x.safetensors --split nosuch
absent "none of them left an index" x.safetensors
want 3 "a folder that is not there" "nowhere" "$rvl" embed -m runs/clip cohort -o nowhere/x.safetensors
mkfifo pipe
want 6 "a pipe is no place for an index" "not a regular file" "$rvl" embed -m runs/clip cohort -o pipe --force
[ -p pipe ]
report $? "and stays a pipe"

want 0 "by text" '^rank +case +cosine' "$rvl" search i.safetensors --text "There is a pleural effusion." -k 5
is "as many hits as were asked for" "$(sed 1d out | wc -l)" 5
want 0 "scores do not rise" '' "$rvl" search i.safetensors --text "There is a pleural effusion." --tsv -k 40
sed 1d out | cut -f3 | LC_ALL=C sort -c -g -r
report $? "down the list"
is "every case once" "$(sed 1d out | cut -f2 | sort -u | wc -l)" 40
want 0 "by case" '' "$rvl" search i.safetensors --like c000003 -k 3 --tsv
! cut -f2 out | grep -q c000003
report $? "the case itself is left out"
want 0 "an image finds itself first" '' "$rvl" search i.safetensors --image raw/images/000000.png -k 1 --json
has "by its case" '"case": "c000001"' out
has "names its schema" '"schema": "rvl.search/1"' out
want 0 "by text among texts" '' "$rvl" search i.safetensors --text "No pleural effusion." --target text -k 2
want 0 "a contact sheet" 'wrote s.html' "$rvl" search i.safetensors --like c000003 -k 3 --html=s.html
has "with thumbnails inside the page" '<img[^>]*src="data:image/' s.html
! grep -qE 'src="https?:|<script' s.html
report $? "and nothing from elsewhere"
want 2 "no question" 'exactly one of' "$rvl" search i.safetensors
want 2 "two questions" 'exactly one of' "$rvl" search i.safetensors --text a --like c000001
want 2 "-k 0" '' "$rvl" search i.safetensors --text a -k 0
want 2 "a question that needs no model" '--model has no effect with --like' "$rvl" search i.safetensors --like c000001 -m runs/clip
want 3 "a case that is not there" "no case 'c999999'" "$rvl" search i.safetensors --like c999999
want 3 "an image that is not there" "nosuch.png" "$rvl" search i.safetensors --image nosuch.png
want 3 "an index that is not there" "nosuch" "$rvl" search nosuch.safetensors --text a
want 4 "a bundle is no index" "model.safetensors" "$rvl" search runs/clip/ckpt/best/model.safetensors --text a
want 3 "texts where there are images alone" '' "$rvl" search t.safetensors --text a --target text

"$rvl" align cohort --name other --epochs 1 --width 4 --depth 1 --text-width 16 --text-layers 1 --text-heads 2 \
    --embed-dim 8 --max-tok 48 --vocabulary-size 200 -q --seed 9
want 2 "another model's question" "" "$rvl" search i.safetensors --text a -m runs/other
want 2 "another model's cases" "" "$rvl" embed -m runs/other cohort -o i.safetensors --append
"$rvl" ingest raw -o grid --height 48 --width 48 -q > /dev/null
want 2 "a cohort of another grid" "48 x 48 images, the model wants 32 x 32" "$rvl" embed -m runs/clip grid -o x.safetensors
absent "leaves nothing" x.safetensors
finish
