# SPDX-License-Identifier: Apache-2.0
# CT volumes from NIfTI files to a cohort, towers of rank 3, zero-shot, embeddings, search, probe and bench; a run that
# is stopped and resumed ends with the same weights.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"

"${RVL_MAKE_VOLUMES:?}" raw 24
report $? "24 volumes"
tower="--preset ct-tiny --width 4 --depth 1 --batch-size 4 --deterministic -q"
want 2 "a grid is needed" "preset ct-tiny" "$rvl" ingest raw -o cohort
absent "nothing was written" cohort
want 0 "ingest" "images +24" "$rvl" ingest raw -o cohort --preset ct-tiny --check
want 0 "inspect says the grid" "spacing_mm" "$rvl" inspect cohort
want 2 "an image tower of rank 2" "reads images" "$rvl" pretrain cohort --arch vit_tiny
want 2 "presets are listed" "hint: .*ct-tiny" "$rvl" pretrain cohort --preset ct-huge
want 0 "pretrain" "" "$rvl" pretrain cohort --name whole --epochs 2 $tower
want 0 "pretrain half" "" "$rvl" pretrain cohort --name half --epochs 2 --save-every 2 $tower
rm -rf runs/half/ckpt/step-00000006 # as if it had been killed behind step 4
[ -d runs/half/ckpt/step-00000004 ]
report $? "a checkpoint within the run"
want 0 "resume" "" "$rvl" pretrain cohort --name half --resume --epochs 2 --save-every 2 $tower
cmp -s runs/whole/ckpt/step-00000006/model.safetensors runs/half/ckpt/step-00000006/model.safetensors
report $? "the resumed run has the same weights"
want 0 "the preset is under the flags" "" "$rvl" inspect runs/whole --config-of
has "the flag's width" "width: 4" out
has "the preset's stem" "stem_kernel: 5" out
want 0 "align" "" "$rvl" align cohort --preset ct-tiny --name clip --image-tower runs/whole --epochs 1 --batch-size 4 --text-width 16 \
    --text-layers 1 --text-heads 2 --embed-dim 8 --max-tok 32 --vocabulary-size 200 -q
want 0 "align in chunks" "" "$rvl" align cohort --name chunks --image-tower runs/whole --epochs 1 --batch-size 4 \
    --micro-batch 2 --text-width 16 --text-layers 1 --text-heads 2 --embed-dim 8 --max-tok 32 --vocabulary-size 200 -q
want 0 "zero-shot of the split" "" "$rvl" zeroshot cohort -m runs/clip --split test --tsv
awk -F'\t' '$1 == "c000007"' out | cut -f2- > of_cohort
want 0 "zero-shot of the file" "" "$rvl" zeroshot raw/ct6.nii.gz -m runs/clip --tsv
awk -F'\t' '$1 == "ct6.nii.gz"' out | cut -f2- > of_file
is "the file's scores are the case's" "$(cat of_file)" "$(cat of_cohort)"
[ -s of_file ]
report $? "there are scores"
want 0 "embed" "24 cases" "$rvl" embed cohort -m runs/clip -o index.safetensors
want 0 "search by a volume" "" "$rvl" search index.safetensors --image raw/ct6.nii.gz -k 2
want 0 "a sheet of middle slices" "" "$rvl" search index.safetensors --like c000007 -k 2 --html=sheet.html
has "it has pictures" "data:image" sheet.html
want 0 "bench" "" "$rvl" bench cohort -m runs/clip --split test --bootstrap 10
want 0 "probe" "" "$rvl" probe cohort -m runs/clip
want 2 "a shard beyond the last" "like 3/8" "$rvl" ingest raw -o parts --preset ct-tiny --shard 3/2
want 2 "a shard is not checked" "--shard has no effect" "$rvl" ingest raw -o parts --preset ct-tiny --shard 1/2 --check
want 0 "the second shard" "wrote shard 2/2" "$rvl" ingest raw -o parts --preset ct-tiny --shard 2/2
want 2 "the first is missing" "shard 1 of 2" "$rvl" ingest raw -o parts --preset ct-tiny
want 0 "the first shard" "wrote shard 1/2" "$rvl" ingest raw -o parts --preset ct-tiny --shard 1/2
want 0 "they make a cohort" "images +24" "$rvl" ingest raw -o parts --preset ct-tiny
cmp -s cohort/packs/*/data.bin parts/packs/*/data.bin
report $? "its pack is that of one ingest"
cat > map2d.yaml << 'M'
table: table.csv
modality: cxr
columns: {image: volume}
M
want 3 "volumes are no radiographs" "" "$rvl" ingest raw --map map2d.yaml -o flat
finish
