# SPDX-License-Identifier: Apache-2.0
# Look-alikes of CT-RATE (both versions) and RAD-ChestCT: their tables are joined, and HU are HU whatever the tables say.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
make=${RVL_MAKE_LOOKALIKE:?}

"$make" ct-rate two 10 && "$make" ct-rate-v1 one 10 && "$make" rad-chestct rad 10
report $? "look-alikes"
want 0 "version 2" "images +19" "$rvl" ingest two --preset ct-rate,ct-tiny -o c2 --check
want 0 "version 1" "images +19" "$rvl" ingest one --preset ct-rate,ct-tiny -o c1 --check
cmp -s c2/packs/*/data.bin c1/packs/*/data.bin
report $? "both versions give the same voxels: nothing is rescaled twice, nothing is not rescaled"
want 0 "the cohort has both splits" "val: " "$rvl" inspect c2
want 0 "labels and schema" "ct-rate-18" "$rvl" inspect c2
want 3 "version 2 said to be raw is refused, not rescaled again" "no image" "$rvl" ingest two --preset ct-rate,ct-tiny \
    --unit raw -o raw
has "it says why" "HU" raw/failures.jsonl
want 3 "version 1 said to be HU is refused, not taken as it is" "no image" "$rvl" ingest one --preset ct-rate,ct-tiny \
    --unit hu -o hu
want 0 "a grid of its own" "images +2" "$rvl" ingest two --preset ct-rate -o full --limit 2
want 0 "it is the published one" "load: .120,240,240" "$rvl" inspect full

want 0 "RAD-ChestCT" "images +10" "$rvl" ingest rad --preset rad-chestct,ct-tiny -o cr --check
want 0 "its labels" "labels +150" "$rvl" ingest rad --preset rad-chestct,ct-tiny -o cr2
want 0 "patients are the summary's" "patients +8" "$rvl" ingest rad --preset rad-chestct,ct-tiny -o cr3

grep -qa 'train_fixed/train_1/train_1_a/train_1_a_1.nii.gz' c2/cohort.db && grep -qa 'trn00001.npz' cr/cohort.db
report $? "published names are kept: scans are told by them"

want 3 "no such dataset there" "does not hold RAD-ChestCT" "$rvl" ingest two --preset rad-chestct -o no
want 3 "nor the other" "does not hold CT-RATE" "$rvl" ingest rad --preset ct-rate -o no
"$rvl" synth images --modality ct --size 48 -n 1 -q -o phantoms
want 2 "an unknown preset" "ct-tiny" "$rvl" ingest phantoms --preset ct-what -o no
want 2 "an unknown grid" "ct-what" "$rvl" ingest two --preset ct-rate,ct-what -o no
want 2 "an unknown unit" "hu/1000" "$rvl" ingest two --preset ct-rate --unit furlong -o no
want 2 "no map beside a dataset" "leave --map out" "$rvl" ingest two --preset ct-rate --map two/map.yaml -o no
printf 'volume,s,i,mm\none.nii,1,-1024,1 1\n' > phantoms/t.csv
map() { printf 'table: t.csv\nmodality: %s\npreprocess: {%s}\ncolumns: {image: volume, %s}\n%s\n' "$@" > map.yaml; }
map ct "preset: ct-tiny" "slope: s" ""
want 4 "a slope without intercept" "come together" "$rvl" ingest phantoms --map map.yaml -o no
map ct "preset: ct-tiny" "spacing: mm" "unit: raw"
want 4 "raw values without slope" "slope" "$rvl" ingest phantoms --map map.yaml -o no
map cxr "height: 32" "spacing: mm" ""
want 4 "radiographs have no spacing of slices" "modality: ct" "$rvl" ingest phantoms --map map.yaml -o no
cp two/dataset/valid_fixed/*/*/*_1.nii.gz phantoms/ 2> /dev/null
"$rvl" convert "$(ls phantoms/valid_*_1.nii.gz | head -1)" phantoms/one.npy -q
map ct "preset: ct-tiny" "spacing: mm" ""
sed -i 's/one.nii/one.npy/' phantoms/t.csv
want 3 "two lengths are no spacing" "no image" "$rvl" ingest phantoms --map map.yaml -o spacing
has "it says so" "not three lengths" spacing/failures.jsonl
absent "nothing was written" no
rm -r two/dataset/metadata
want 0 "version 2 needs no metadata" "no metadata" "$rvl" ingest two --preset ct-rate,ct-tiny -o bare
cmp -s c2/packs/*/data.bin bare/packs/*/data.bin
report $? "and gives the same voxels"
rm -r one/dataset/metadata
want 3 "version 1 does" "no image" "$rvl" ingest one --preset ct-rate,ct-tiny -o without
rm -r two/dataset/multi_abnormality_labels two/dataset/radiology_text_reports
want 3 "volumes without tables" "neither labels nor reports" "$rvl" ingest two --preset ct-rate,ct-tiny -o no
finish
