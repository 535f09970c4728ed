# SPDX-License-Identifier: Apache-2.0
# Phantom CT from the program: refusals, the folder, the same bytes with one thread and with two, ingest of volumes and twins.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"

synth="$rvl synth images --modality ct --size 48 --seed 5 -q"
want 2 "recons are of CT" "recons" "$rvl" synth images -n 2 --recons 2 -o no
want 2 "five reconstructions are too many" "1 to 4" $synth -n 2 --recons 5 -o no
want 2 "a split is three shares" "split" $synth -n 2 --split 0.5,0.5 -o no
want 4 "an unknown modality" "cxr or ct" "$rvl" synth images --modality mr -n 2 -o no
absent "nothing was written" no
want 0 "draw" "" $synth -n 10 --twin --split 0.5,0,0.5 -o a
export OMP_NUM_THREADS=1
want 0 "draw with one thread" "" $synth -n 10 --twin --split 0.5,0,0.5 -o b
export OMP_NUM_THREADS=2
diff -r a b > differences
report $? "threads change nothing"
rm "$(ls a/images/*_1.nii.gz | head -1)" a/map.yaml a/truth.csv
want 0 "draw what is missing" "" $synth -n 10 --twin --split 0.5,0,0.5 -o a
diff -r a b > differences
report $? "a restart ends with the same bytes"
want 2 "other options are refused" "other options" $synth -n 10 --recons 1 -o a
want 0 "ingest" "failed +0" "$rvl" ingest a -o cohort
want 0 "scans are studies" "studies +10" "$rvl" ingest a -o cohort2
want 0 "ingest of the twins" "images +10" "$rvl" ingest a --map a/map_cxr.yaml -o twins
want 0 "the volume knows where it is" "axes: LPS" "$rvl" inspect "$(ls a/images/*_1.nii.gz | head -1)"
finish
