#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Image towers of other kinds and channels: trained, taken over, refused.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
"$rvl" synth images -n 40 --size 64 --seed 3 -o raw -q && "$rvl" ingest raw -o cohort --height 32 --width 32 -q > /dev/null
report $? "a cohort"
pre=(pretrain cohort --epochs 1 --batch-size 8)
small=(--width 4 --depth 1)

want 0 "a tower of three channels" '' "$rvl" "${pre[@]}" "${small[@]}" --in-channels 3 --name three
want 0 "reads three" '"in_channels": 3' "$rvl" inspect runs/three/ckpt/best --json
want 0 "scores images of one" '' "$rvl" bench cohort -m runs/three --bootstrap 0 --suite supervised
want 0 "is taken over as it is" '' "$rvl" "${pre[@]}" --image-tower runs/three --name same
want 0 "still reads three" '"in_channels": 3' "$rvl" inspect runs/same/ckpt/best --json
want 0 "or summed" 'summed over its input channels: visual.conv1.weight' \
    "$rvl" "${pre[@]}" --image-tower runs/three --sum-channels --name summed
want 0 "then reads one" '"in_channels": 1' "$rvl" inspect runs/summed/ckpt/best --json
want 4 "a tower of one channel cannot read three" 'has in_channels 1, --in-channels asks for 3' \
    "$rvl" "${pre[@]}" --image-tower runs/summed --in-channels 3 --name x
want 2 "nothing to sum" '--sum-channels is for' "$rvl" "${pre[@]}" --sum-channels --name x
want 2 "two channels" '--in-channels is 1 or 3' "$rvl" "${pre[@]}" --in-channels 2 --name x
tiny=(--width 2 --depth 1 --stem-kernel 3 --stem-stride 1)
want 0 "a tower from torch.save" '15 keys matched, 0 missing, 4 unexpected' \
    "$rvl" "${pre[@]}" "${tiny[@]}" --image-tower "$repo/tests/golden/weights/tower_zip.pth" --name torch
want 4 "of another shape" "'visual.conv1.weight'" \
    "$rvl" "${pre[@]}" --width 4 --depth 1 --image-tower "$repo/tests/golden/weights/tower_old.pth" --name x
finish
