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
align=(align cohort "${small[@]}" --epochs 1 --batch-size 8 --text-width 16 --text-layers 1 --text-heads 2 --embed-dim 8
    --max-tok 48 --vocabulary-size 200)
want 0 "a shared head on embeddings" '' "$rvl" "${align[@]}" --label-loss 1 --name shared
want 0 "gives supervised predictions" 'macro_auroc' "$rvl" bench cohort -m runs/shared --bootstrap 0 --suite supervised
"$rvl" "${align[@]}" --name plain -q
want 2 "which no head gives" 'has no classifier head' "$rvl" bench cohort -m runs/plain --bootstrap 0 --suite supervised
want 0 "is taken over as it is" '' "$rvl" "${pre[@]}" --image-tower runs/three --name same
want 0 "still reads three" '"in_channels": 3' "$rvl" inspect runs/same/ckpt/best --json
want 0 "or summed" 'summed over its input channels: visual.conv1.weight' \
    "$rvl" "${pre[@]}" --image-tower runs/three --sum-channels --name summed
want 0 "then reads one" '"in_channels": 1' "$rvl" inspect runs/summed/ckpt/best --json
want 4 "a tower of one channel cannot read three" 'reads 1 channel, --in-channels asks for another' \
    "$rvl" "${pre[@]}" --image-tower runs/summed --in-channels 3 --name x
want 2 "nothing to sum" '--sum-channels is for' "$rvl" "${pre[@]}" --sum-channels --name x
want 2 "two channels" '--in-channels is 1 or 3' "$rvl" "${pre[@]}" --in-channels 2 --name x
tiny=(--width 2 --depth 1 --stem-kernel 3 --stem-stride 1)
want 0 "a tower from torch.save" '15 keys matched, 0 missing, 4 unexpected' \
    "$rvl" "${pre[@]}" "${tiny[@]}" --image-tower "$repo/tests/golden/weights/tower_zip.pth" --name torch
want 4 "of another shape" "'visual.conv1.weight'" \
    "$rvl" "${pre[@]}" --width 4 --depth 1 --image-tower "$repo/tests/golden/weights/tower_old.pth" --name x

want 0 "a vision transformer" '' "$rvl" "${pre[@]}" --arch vit_tiny --patch 8 --name vit
want 0 "names itself" '"type": "vit"' "$rvl" inspect runs/vit/ckpt/best --json
want 0 "knows its images" '"image_height": 32' "$rvl" inspect runs/vit/ckpt/best --json
want 0 "and pools the class token" '"pooling": "cls"' "$rvl" inspect runs/vit/ckpt/best --json
want 0 "is aligned" '' "$rvl" align cohort --epochs 1 --batch-size 8 --image-tower runs/vit --text-width 16 --text-layers 1 \
    --text-heads 2 --embed-dim 8 --max-tok 48 --vocabulary-size 200 --name aligned
want 0 "scores" '^c0' "$rvl" zeroshot -m runs/aligned cohort --limit 4
want 4 "is no other" 'is a vision transformer of 12 layers.*--arch asks for another' \
    "$rvl" "${pre[@]}" --image-tower runs/vit --arch resnet18 --name x
want 4 "has no width of ours" '--width asks for another' "$rvl" "${pre[@]}" --image-tower runs/vit --width 8 --name x
want 4 "has patches of its own" '--patch asks for another' \
    "$rvl" "${pre[@]}" --image-tower runs/vit --arch vit_tiny --patch 16 --name x
want 4 "is no ResNet's start" '--arch asks for another' "$rvl" "${pre[@]}" --image-tower runs/three --arch vit_tiny --name x
want 2 "sizes beside a name" '--depth has no effect with --arch' "$rvl" "${pre[@]}" --arch resnet18 --depth 1 --name x
want 2 "patches of a ResNet" '--patch and --image-pooling are for' "$rvl" "${pre[@]}" --patch 8 --name x
want 2 "patches that do not fit" '32 x 32 do not divide into patches of side 12' "$rvl" "${pre[@]}" --arch vit_tiny --patch 12 --name x
want 2 "another pooling" '--image-pooling is cls or mean' "$rvl" "${pre[@]}" --arch vit_tiny --image-pooling max --name x
want 2 "a name that is none" "not 'vit_huge'" "$rvl" "${pre[@]}" --arch vit_huge --name x
want 0 "an EfficientNet" '' "$rvl" "${pre[@]}" --arch efficientnet_lite0 --limit 16 --name lite
want 0 "names itself too" '"type": "efficientnet"' "$rvl" inspect runs/lite/ckpt/best --json
want 0 "is taken over" '' "$rvl" "${pre[@]}" --arch efficientnet_lite0 --image-tower runs/lite --dry-run --name x
want 4 "is no vision transformer" 'is an EfficientNet of width 1280.*--arch asks for another' \
    "$rvl" "${pre[@]}" --image-tower runs/lite --arch vit_tiny --patch 8 --name x
want 4 "has no stem of ours" '--no-stem-pool asks for another' "$rvl" "${pre[@]}" --image-tower runs/lite --no-stem-pool --name x
want 0 "a ResNet by name" '' "$rvl" "${pre[@]}" --arch resnet50 --dry-run --name x
text=(--epochs 1 --batch-size 8 --width 4 --depth 1 --text-width 16 --text-heads 2 --embed-dim 8 --max-tok 48 --vocabulary-size 200)
want 0 "a text tower with its pooler" '' "$rvl" align cohort "${text[@]}" --text-layers 1 --pooling pooler --name pooler
want 0 "has its weight" '"text.pooler.dense.weight"' "$rvl" inspect runs/pooler/ckpt/best --json
want 0 "one that pools four layers" '' "$rvl" align cohort "${text[@]}" --text-layers 4 --pooling last4 --name last4
want 0 "says so" '"pooling": "last4"' "$rvl" inspect runs/last4/ckpt/best --json
want 2 "needs four" 'needs --text-layers 4' "$rvl" align cohort "${text[@]}" --text-layers 3 --pooling last4 --name x
want 2 "no other pooling" 'cls, mean, last4 or pooler' "$rvl" align cohort "${text[@]}" --pooling max --name x
finish
