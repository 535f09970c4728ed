#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Published dialects on tables made elsewhere: thresholds, class sets, degenerate classes.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"

classes="Medical material,Arterial wall calcification,Cardiomegaly,Pericardial effusion,Coronary artery wall calcification,Hiatal hernia"
classes="$classes,Lymphadenopathy,Emphysema,Atelectasis,Lung nodule,Lung opacity,Pulmonary fibrotic sequela,Pleural effusion"
classes="$classes,Mosaic attenuation pattern,Peribronchial thickening,Consolidation,Bronchiectasis,Interlobular septal thickening"
row() { # id, a value for Medical material and Lymphadenopathy, a value for the others
    printf '%s' "$1"
    for i in $(seq 1 18); do
        if [ "$i" = 1 ] || [ "$i" = 7 ]; then printf ',%s' "$2"; else printf ',%s' "$3"; fi
    done
    printf '\n'
}
{ echo "VolumeName,$classes"; row a 0.9 0.1; row b 0.2 0.3; row c 0.4 0.8; } > p.csv
{ echo "VolumeName,$classes"; row a 0 0; row b 0 0; row c 1 1; } > l.csv
rates() { "$rvl" bench --predictions p.csv --labels l.csv --bootstrap 0 "$@"; }

want 0 "named class sets" '^ct-rate-16 +16 +1\.000 ' rates
has "the other set has the two classes more" '^ct-rate-18 +18 +0\.944 ' out # 16 of 1 and two of 1/2
want 0 "a document" '"name": "ct-rate-18"' rates --json
# medical material: 0.9 0.2 0.4 of absent absent present: thresholds from 0.2 on call a and c: distance 1/2, the last is 39/99
has "the threshold of the grid" '"threshold": 0\.393939' out
want 0 "scores in other units have no such thresholds" '"crg": null' sh -c "sed 's/0\.9/9/' p.csv > q.csv && '$rvl' bench --predictions q.csv \
    --labels l.csv --bootstrap 0 --json"
sed 's/Lymphadenopathy/Lymph nodes/' p.csv > p2.csv
sed 's/Lymphadenopathy/Lymph nodes/' l.csv > l2.csv
want 0 "a set that is not complete" 'ct-rate-16' "$rvl" bench --predictions p2.csv --labels l2.csv --bootstrap 0
is "is not named" "$(grep -c ct-rate-18 out)" 0
# one class of two without a present case: it has no AUROC, and counts as 0 for fVLM
printf 'id,x,y\na,0.9,0.1\nb,0.2,0.3\n' > p3.csv
printf 'id,x,y\na,1,0\nb,0,0\n' > l3.csv
want 0 "a class of one kind" '^all +2 +1\.000 +0\.500 ' "$rvl" bench --predictions p3.csv --labels l3.csv --bootstrap 0
want 0 "is counted" '"n_undefined": 1' "$rvl" bench --predictions p3.csv --labels l3.csv --bootstrap 0 --json
want 0 "a page" '' "$rvl" bench --predictions p.csv --labels l.csv --bootstrap 0 --html o.html
has "with the dialects" 'accuracy \[ct-clip\]' o.html
finish
