# SPDX-License-Identifier: Apache-2.0
# Recipes by name: what they say reaches the run, under what is given besides; a second loss on the findings; runs that
# end by steps within an epoch.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"

want 0 "the recipes are listed" "--preset ct-seed" "$rvl" help presets
has "each with its verb" "align +--preset ct-greenrfm" out
"${RVL_MAKE_VOLUMES:?}" raw 24
want 0 "ingest" "" "$rvl" ingest raw -o cohort --preset ct-tiny
small="--arch= --width 4 --depth 1 --stem-kernel 4 --stem-stride 4 --no-stem-pool --batch-size 4 -q"
text="--text-width 16 --text-layers 1 --text-heads 2 --embed-dim 8 --max-tok 32 --vocabulary-size 200"
want 2 "arch says the sizes" "no effect with --arch" "$rvl" pretrain cohort --preset ct-seed --width 4
want 2 "steps say the length" "no effect with --steps" "$rvl" align cohort --preset ct-seed --epochs 2
want 2 "a floor above the peak" "lr-min" "$rvl" pretrain cohort --lr 1e-4 --lr-min 1e-3
want 0 "r3d_18_lite fits volumes" "" "$rvl" pretrain cohort --preset ct-greenrfm --arch r3d_18_lite --batch-size 2 --dry-run
want 0 "pretrain" "" "$rvl" pretrain cohort --preset ct-seed --name pre --epochs 1 $small
want 0 "its config" "" "$rvl" inspect runs/pre --config-of
has "the recipe's floor" "lr_min: (1e-0?6|9.99)" out
has "the recipe's crops" "crop_only: true" out
want 0 "align by steps" "" "$rvl" align cohort --preset ct-greenrfm --steps 7 --name green --image-tower runs/pre --lr 1e-3 \
    --batch-size 4 --arch= $text -q
is "seven steps" "$(ls runs/green/ckpt | grep step | tail -1)" step-00000007
tail -1 runs/green/train.jsonl > last
has "the last one is logged" '"step": ?7[,}]' last
want 0 "its config" "" "$rvl" inspect runs/green --config-of
has "raw dot products" "similarity: .dot" out
has "the second loss" "label_loss: 0.5" out
want 0 "the shared head is in the bundle" "label_head.weight" "$rvl" inspect runs/green/ckpt/best/model.safetensors
want 0 "it scores" "" "$rvl" zeroshot cohort -m runs/green --split test --tsv
want 0 "with the sentences of MPS-CT" "" "$rvl" zeroshot cohort -m runs/green --split test --prompts @mps-ct --tsv
cp out of_set
want 0 "the same of a schema by name" "" "$rvl" zeroshot cohort -m runs/green --split test --prompts phantom-8@mps-ct --tsv
want 3 "sets are listed" "hint: .*greenrfm-p5" "$rvl" zeroshot cohort -m runs/green --prompts @mps
want 0 "in chunks" "" "$rvl" align cohort --preset ct-greenrfm --steps 7 --name chunks --image-tower runs/pre --lr 1e-3 \
    --batch-size 4 --micro-batch 2 --arch= $text -q
want 0 "clean" "" "$rvl" align cohort --preset ct-clean --steps 2 --name clean --image-tower runs/pre --batch-size 4 --arch= $text -q
has "its config is cosine" "similarity: .cosine" runs/clean/config.yaml
finish
