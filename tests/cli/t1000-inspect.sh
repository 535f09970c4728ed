#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# inspect tells what a thing is, from its bytes, and changes nothing.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
. "$repo/tests/cli/small_model.sh"

"$rvl" embed -m runs/clip cohort -o clip.safetensors -q
report $? "an index"
"$rvl" pretrain cohort --name onref --epochs 1 --width 4 --depth 1 -q --device ref
report $? "training on the reference backend"
things() { find cohort raw runs clip.safetensors -type f ! -name DONE -exec cksum {} + | sort; }
things > before
want 0 "a cohort" '^cases: 40$' "$rvl" inspect cohort
has "its splits by patient" '^  train: [0-9]+$' out
has "its grid" '^  height: 32$' out
is "its splits are all of its cases" "$(awk '/^splits/ { inside = 1; next } /^[a-z]/ { inside = 0 } inside { n += $2 } END { print n }' out)" 40
is "labels add up" "$(awk '/^  nodule/ { in_it = 1; next } in_it && /^  [a-z]/ { exit } in_it { n += $2 } END { print n }' out)" 40
want 0 "a run" '^kind: run$' "$rvl" inspect runs/clip
has "with its command line" 'argv: rvl align cohort' out
want 0 "a checkpoint folder" '^complete: true$' "$rvl" inspect runs/clip/ckpt/best
want 0 "a bundle" '^kind: rvl.bundle/1$' "$rvl" inspect runs/pre/ckpt/best/model.safetensors
has "with torchvision's names" 'visual.conv1.weight' out
want 0 "an index" '^kind: rvl.index/1$' "$rvl" inspect clip.safetensors
has "of all cases" '"name":"image","dtype":"f32","shape":\[40,8\]' out
weights=$repo/tests/golden/weights
want 0 "an archive of torch.save" '^kind: torch.zip$' "$rvl" inspect "$weights/tower_zip.pth"
has "names, dtypes and shapes" '"name":"module.conv1.weight","dtype":"f32","shape":\[2,1,3,3\]' out
has "of integers too" '"name":"module.bn1.num_batches_tracked","dtype":"i64","shape":\[\]' out
want 0 "an old file of torch.save" '^kind: torch.old$' "$rvl" inspect "$weights/model.bin"
want 0 "weights in parts" '^kind: safetensors.index$' "$rvl" inspect "$weights/shards.safetensors.index.json"
has "of all parts" '"name":"flag","dtype":"u8","shape":\[2\]' out
want 4 "a pickle that would run code" "'torch.nn.modules.linear Linear', which is not run" "$rvl" inspect "$weights/module.pth"
want 0 "an image" 'shape: \[64,64\]' "$rvl" inspect raw/images/000001.png
want 0 "a schema by name" '^name: nih-14$' "$rvl" inspect nih-14
want 0 "a schema by file" '^name: phantom-8$' "$rvl" inspect "$repo/schemas/phantom-8.yaml"
for thing in cohort runs/clip runs/clip/ckpt/best clip.safetensors raw/images/000001.png nih-14; do
    want 0 "$thing as JSON" '"schema": "rvl.inspect/1"' "$rvl" inspect "$thing" --json
done
want 0 "the plan of a run" '^backend cpu, [1-9][0-9]* runs' "$rvl" inspect runs/pre --plan
has "its kernels" '^cpu:conv +[0-9]+ ' out
has "its memory" '^memory  weights [0-9.]+ MiB, arena [0-9.]+' out
want 0 "the plan as JSON" '"schema": "rvl.plan/1"' "$rvl" inspect runs/clip --plan --json
want 3 "the plan of something else" 'writes it into its run folder' "$rvl" inspect cohort --plan
want 0 "says so" '^backend ref, ' "$rvl" inspect runs/onref --plan
has "in run.json too" '"backend": "ref"' runs/onref/run.json
want 0 "configuration of a run" '^  epochs: 1  # flag$' "$rvl" inspect runs/pre --config-of
want 2 "configuration of something else" 'wants a run folder' "$rvl" inspect cohort --config-of

want 3 "nothing of that name" "did you mean 'nih-14'" "$rvl" inspect nih-15
want 4 "a folder of something else" 'neither a cohort nor a run' "$rvl" inspect raw
want 4 "a text file" 'neither PNG, JPEG, npy nor DICOM' "$rvl" inspect raw/cases.csv
head -c 300 raw/images/000001.png > cut.png
want 4 "a cut image" "'cut.png'.*cut off" "$rvl" inspect cut.png
head -c 3000 clip.safetensors > cut.safetensors
want 4 "a cut index" "cut.safetensors" "$rvl" inspect cut.safetensors
: > empty.safetensors
want 4 "an empty file" "empty.safetensors" "$rvl" inspect empty.safetensors
rm runs/pre/ckpt/step-*/DONE
want 0 "a checkpoint without its mark" '^complete: false$' "$rvl" inspect runs/pre/ckpt/best
things | cmp - before
report $? "nothing was written"
finish
