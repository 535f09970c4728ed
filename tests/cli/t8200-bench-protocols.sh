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

# scans: two reconstructions of one, one of another; means 0.5 and 0.2, first ones 0.1 and 0.2
printf 'VolumeName,x\nvalid_1_a_2,0.9\nvalid_1_a_1,0.1\nvalid_2_a_1,0.2\n' > ps.csv
printf 'VolumeName,x\nvalid_1_a_1,1\nvalid_1_a_2,1\nvalid_2_a_1,0\n' > ls.csv
want 0 "volumes for themselves" '"value": 0\.5' "$rvl" bench --predictions ps.csv --labels ls.csv --bootstrap 0 --json
want 0 "the mean of a scan" '"n_cases": 2' "$rvl" bench --predictions ps.csv --labels ls.csv --bootstrap 0 --json --group scan
has "comes first" '"value": 1\.0' out
has "and patients are known by name" '"n_patients": 2' out
want 0 "its first reconstruction" '"value": 0\.0' "$rvl" bench --predictions ps.csv --labels ls.csv --bootstrap 0 --json --group scan-first
sed 's/valid_1_a_2,1/valid_1_a_2,0/' ls.csv > ls2.csv
want 4 "labels that differ within a scan" "ps\.csv' line 2: another reconstruction" "$rvl" bench --predictions ps.csv --labels ls2.csv --group scan
want 4 "names of another form" "p3\.csv row 1: the name is not split_patient_scan_recon" "$rvl" bench --predictions p3.csv --labels l3.csv --group scan
want 2 "other groups" "scan or scan-first" "$rvl" bench --predictions ps.csv --labels ls.csv --group study

# RAD-ChestCT: one Calcification for the larger of two scores; abnormality*place; 15 classes have the label twice
head="NoteAcc_DEID,medical_material,calcification*aorta,calcification*heart,lymphadenopathy*mediastinum,cardiomegaly*heart"
head="$head,pericardial_effusion*heart,hernia*other_location,emphysema*lung,atelectasis*lung,nodule*lung,opacity*lung,fibrosis*lung"
head="$head,pleural_effusion*lung,bronchial_wall_thickening*lung,consolidation*lung,bronchiectasis*lung,septal_thickening*lung"
{ echo "$head"; for id in a b c; do printf %s $id; case $id in a) v=1;; *) v=0;; esac; printf ',1,%s,%s' $v $([ $id = b ] && echo 1 || echo 0)
    for _ in $(seq 14); do printf ',%s' $v; done; echo; done; } > rad.csv
# arterial: a 0.9 b 0.1 c 0.5; coronary: a 0.1 b 0.9 c 0.5; present in a and b, so the larger is right and each alone half
{ echo "VolumeName,$classes"; for r in a:0.9:0.1 b:0.1:0.9 c:0.5:0.5; do IFS=: read -r id art cor <<< "$r"; printf '%s,0.5,%s,0.5,0.5,%s' $id $art $cor
    for _ in $(seq 13); do printf ',0.5'; done; echo; done; } > prad.csv
want 0 "sixteen classes" '^Calcification +1\.000 ' "$rvl" bench --predictions prad.csv --labels rad.csv --map rad-chestct-16 --bootstrap 0
has "under their name" '^rad-chestct-16 +16 ' out
want 0 "fifteen classes" '^rad-chestct-15 +15 ' "$rvl" bench --predictions prad.csv --labels rad.csv --map rad-chestct-15 --bootstrap 0
has "arterial against calcification" '^Arterial wall calcification +0\.500 ' out
has "coronary against it too" '^Coronary artery wall calcifica[a-z]* +0\.500 ' out
cut -d, -f1,3- rad.csv > rad15.csv
want 4 "a class without labels" "medical_material" "$rvl" bench --predictions prad.csv --labels rad15.csv --map rad-chestct-16
want 0 "that the fifteen do without" '' "$rvl" bench --predictions prad.csv --labels rad15.csv --map rad-chestct-15 --bootstrap 0
want 2 "other maps" "rad-chestct-16 or rad-chestct-15" "$rvl" bench --predictions prad.csv --labels rad.csv --map rad
want 4 "predictions that lack a class" "Mosaic|no column 'Arterial wall calcification'" "$rvl" bench --predictions p3.csv --labels rad.csv --map rad-chestct-15

# what the table is worth without images: sex alone tells x; patient q is measured and trained on
printf 'id,patient,x\nt1,a,1\nt2,b,0\nt3,c,1\nt4,d,0\nt5,q,1\nt6,e,0\n' > lt.csv
printf 'id,patient,x\nm1,f,1\nm2,q,0\nm3,g,1\n' > lm.csv
printf 'id,x\nm1,0.4\nm2,0.6\nm3,0.7\n' > pm.csv
{ echo 'id,sex,kernel'; for i in 1 3 5; do echo "t$i,F,B30f"; done; for i in 2 4 6; do echo "t$i,M,B30f"; done; printf 'm1,F,B30f\nm2,M,B30f\nm3,F,B30f\n'; } > meta.csv
audit() { "$rvl" bench --predictions pm.csv --labels lm.csv --bootstrap 0 --train-labels lt.csv "$@"; }
want 0 "metadata alone" '^metadata alone +1\.000 +1\.000' audit --metadata meta.csv
has "beside a constant" '^constant +0\.500 +0\.667' out
has "and the model" '^model +0\.500' out
has "a patient in both is told" '^lt\.csv +0 +1 +- +-' out
{ cat lt.csv; echo 'm3,g,1'; } > lt2.csv
want 0 "and a case in both" '^lt2\.csv +1 +2 +- +-' "$rvl" bench --predictions pm.csv --labels lm.csv --bootstrap 0 --train-labels lt2.csv
want 0 "the document names the columns that vary" '"sex"' audit --metadata meta.csv --json
is "and no other" "$(grep -c '"kernel"' out)" 0
want 0 "a page has both" '' audit --metadata meta.csv --html a.html
has "the baselines" 'metadata alone' a.html
has "and the audit" 'shared with' a.html
sed '/^m2/d' meta.csv > meta2.csv
want 0 "a case without metadata" "no row for 1 cases" audit --metadata meta2.csv
want 2 "metadata without labels to fit" "needs --train-labels" "$rvl" bench --predictions pm.csv --labels lm.csv --metadata meta.csv
want 0 "a constant without training labels" '"fitted_on": "lm\.csv"' "$rvl" bench --predictions pm.csv --labels lm.csv --bootstrap 0 --json

# embeddings with labels: images by images without texts, from CSV and npz
printf 'id,d0,d1\nvalid_1_a_1,1,0\nvalid_1_a_2,0.9,0.1\nvalid_2_a_1,0,1\nvalid_3_a_1,0.1,0.9\n' > e.csv
printf 'id,x,y\nvalid_3_a_1,0,1\nvalid_2_a_1,0,1\nvalid_1_a_1,1,0\nvalid_1_a_2,1,0\n' > el.csv
want 0 "images by images alone" '^image->image +\[ct-clip\] +4 ' "$rvl" bench --image-embeddings e.csv --labels el.csv --bootstrap 0
is "without texts" "$(grep -c 'image->text' out)" 0
i2i() { "$rvl" bench --image-embeddings e.csv --labels el.csv --bootstrap 0 "$@"; }
want 0 "every image finds itself first" '' i2i --min retrieval.image_to_image.ct_clip.map_at_1=1
# at 5 all four are found: of each its own and one more have its finding, 1/2; (1 + 1/2) / 2 is printed
want 10 "and values pile up" 'map_at_5=0\.751 is 0\.7500' i2i --min retrieval.image_to_image.ct_clip.map_at_5=0.751
want 0 "scans count once" '^image->image +\[spectre\] +3 +2 +1\.000 ' i2i --group scan
printf 'id,x\nvalid_1_a_1,1\n' > el2.csv
want 4 "an image without labels" "pair 2: its image has no labels" "$rvl" bench --image-embeddings e.csv --labels el2.csv
want 2 "texts or labels" "needs --text-embeddings or --labels" "$rvl" bench --image-embeddings e.csv
printf 'id,d0,d1\na,1,x\nb,0,1\n' > bad.csv
want 4 "a number that is none" "bad\.csv' line 2: 'd1'" "$rvl" bench --image-embeddings bad.csv --labels el.csv
# un-normalised products rank long embeddings first: 1 x 1 < 1 x 3
printf 'id,d\na,1\nb,3\n' > long.csv
want 0 "the dot product" '"similarity": "dot"' "$rvl" bench --image-embeddings long.csv --text-embeddings long.csv --similarity dot --bootstrap 0 --json
has "sees lengths" '"value": 0\.5' out
want 2 "other similarities" "cosine or dot" "$rvl" bench --image-embeddings long.csv --text-embeddings long.csv --similarity l2
npz=$repo/tests/unit/data/npy
want 0 "an npz of CT-CLIP's shape" '^image->text' "$rvl" bench --image-embeddings "$npz/latents.npz" --text-embeddings "$npz/latents_two.npz:data" \
    --bootstrap 0
want 4 "an array that is not named" "holds 2 arrays" "$rvl" bench --image-embeddings "$npz/latents_two.npz" --text-embeddings "$npz/latents.npz"
finish
