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
finish
