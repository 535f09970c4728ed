#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Retrieval on a cohort: of images by images where there are labels.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
. "$repo/tests/cli/small_model.sh"
bench=(bench --suite retrieval --split all --bootstrap 10 -m runs/clip)

want 0 "two tables" 'direction +relevant +pool +queries +mAP@1 +mAP@5' "$rvl" "${bench[@]}" cohort
has "images by a finding in common" '^image->image +any finding +40 ' out
has "and by the same findings" '^image->image +same findings +40 ' out
has "as SPECTRE counts" '^image->image +\[spectre\] +40 ' out
has "and as CT-CLIP prints" '^image->image +\[ct-clip\] +40 ' out
want 0 "a document" '"image_to_image": ' "$rvl" "${bench[@]}" cohort --json
has "with the definition" 'map@k\[clean\]' out
want 0 "values can be bounds" '' "$rvl" "${bench[@]}" cohort --min retrieval.image_to_image.any.map_at_10=0
want 10 "that do not hold" 'check failed' "$rvl" "${bench[@]}" cohort --min retrieval.image_to_image.exact.map_at_50=1.01
cat > plain.yaml << 'Y'
table: cases.csv
modality: cxr
body_part: chest
columns: {image: image_path, patient: patient_id, study: study_id, view: view, split: split, report: report}
preprocess: {height: 32, width: 32, window: robust}
Y
want 0 "a cohort without labels" '' "$rvl" ingest raw --map plain.yaml -o plain
want 0 "has texts" '^image->text +equal text' "$rvl" "${bench[@]}" plain
is "and no images by images" "$(grep -c 'image->image' out)" 0

# each study twice, as two reconstructions of one scan
twin() { # number of the reconstruction, letter of the study
    tail -n +2 raw/cases.csv | sed -E "s#^images/(0*)([0-9]+)[.]png,(P[0-9]+),S#images/v_\\2_a_$1.png,\\3,$2#"
}
mkdir -p twins/images
for f in raw/images/*.png; do
    i=$(basename "$f" .png)
    for r in 1 2; do cp "$f" "twins/images/v_$(echo "$i" | sed 's/^0*\(.\)/\1/')_a_$r.png"; done
done
{ head -1 raw/cases.csv; twin 1 S; twin 2 T; } > twins/cases.csv
cp raw/map.yaml twins
want 0 "a cohort of reconstructions" '' "$rvl" ingest twins -o twice --height 32 --width 32
want 0 "counts volumes" '^image->image +any finding +80 ' "$rvl" "${bench[@]}" twice
want 0 "or scans" '^image->image +any finding +40 ' "$rvl" "${bench[@]}" twice --group scan
"$rvl" "${bench[@]}" cohort --json | grep -v '"path"\|"cohort"\|truncated\|"patients"\|"pixels"\|"texts"' > a.json 2> /dev/null
"$rvl" "${bench[@]}" twice --group scan-first --json | grep -v '"path"\|"cohort"\|"group"\|truncated\|"patients"\|"pixels"\|"texts"' > b.json 2> /dev/null
is "the first of each scan is the cohort without twins" "$(grep -c recall_at_50 a.json) $(cmp a.json b.json && echo same)" "8 same"
want 0 "findings of scans" '"n_cases": ' "$rvl" bench --suite zeroshot --split all --bootstrap 0 -m runs/clip twice --group scan --json
is "are counted once" "$(grep -o '"n_cases": [0-9]*' out)" '"n_cases": 40'
want 0 "baselines are fitted on the training split" '"fitted_on": "train"' "$rvl" bench --suite zeroshot --bootstrap 0 -m runs/clip cohort --json
has "with the cohort's metadata" '"age"' out
has "beside an audit" '"with": "train"' out
want 0 "that does not compare a part with itself" '"shared": \[\]' "$rvl" bench --suite zeroshot --bootstrap 0 -m runs/clip cohort --split train,val --json
{ echo "id,spacing"; for f in raw/images/*.png; do echo "$(basename "$f"),0.$RANDOM"; done; } > spacing.csv
want 0 "and with a table by file names" '"spacing"' "$rvl" bench --suite zeroshot --bootstrap 0 -m runs/clip cohort --metadata spacing.csv --json
is "which knows every case" "$(grep -c 'no row for' err)" 0
want 4 "other names" 'cases row 1: the name is not split_patient_scan_recon' "$rvl" "${bench[@]}" cohort --group scan
want 2 "other groups" 'scan or scan-first' "$rvl" "${bench[@]}" cohort --group study

# labels named as RAD-ChestCT's, scores of CT-RATE's prompts
{ echo "name: rad"; echo "findings:"; for f in calcification nodule consolidation; do echo "  - {name: $f, positive: [a], negative: [b]}"; done; } > rad.yaml
sed -e '/^labels:/,/^  device/d' -e 's/^schema: .*/schema: ..\/rad.yaml/' raw/map.yaml > raw/rad_map.yaml
printf 'labels: {calcification: device, nodule: nodule, consolidation: consolidation}\n' >> raw/rad_map.yaml
want 0 "a cohort with other names" '' "$rvl" ingest raw --map raw/rad_map.yaml -o radc --height 32 --width 32
zero=(bench --suite zeroshot --split all --bootstrap 0 -m runs/clip --prompts ct-rate-18)
want 0 "is measured by the classes of 15" '^rad-chestct-15 +15 +0\.' "$rvl" "${zero[@]}" radc --map rad-chestct-15
has "of which four have labels" '^Coronary artery wall calcifica[a-z]* +0\.' out
want 0 "and of 16" '^Calcification +0\.' "$rvl" "${zero[@]}" radc --map rad-chestct-16
want 3 "which other prompts lack" "no finding 'Medical material', which rad-chestct-16 needs" "$rvl" bench --suite zeroshot --split all \
    -m runs/clip radc --map rad-chestct-16
want 2 "maps have names" 'rad-chestct-16 or rad-chestct-15' "$rvl" "${zero[@]}" radc --map rad
finish
