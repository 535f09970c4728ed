#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The whole way on phantoms: synth, ingest, pretrain, align, embed, search, zeroshot, bench; floors on the numbers.
set -u
rvl=${RVL_BIN:?}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
n=0
failed=0
ok() { # description, command...
    local what=$1
    shift
    n=$((n + 1))
    if "$@" > out.txt 2> err.txt; then
        echo "ok $n - $what"
    else
        echo "not ok $n - $what (exit $?)"
        sed 's/^/# /' err.txt | tail -5
        failed=1
    fi
}

ok "draws phantoms" "$rvl" synth images -n 320 --seed 7 --size 96 -o raw
ok "ingests them and checks the cohort" "$rvl" ingest raw -o cohort --height 48 --width 48 --check
ok "ingesting again has nothing to do" "$rvl" ingest raw -o cohort --height 48 --width 48
ok "supervises the image tower" "$rvl" pretrain cohort --name pre --epochs 10 --batch-size 16 --lr 2e-3 \
    --width 8 --depth 1,1,1 --without device --seed 3
ok "beats chance by far on what it was taught" "$rvl" bench cohort -m runs/pre --suite supervised --split val \
    --bootstrap 50 --min supervised.trained_macro_auroc=0.6
ok "aligns both towers" "$rvl" align cohort --name clip --image-tower runs/pre --epochs 6 --batch-size 32 --lr 1e-3 \
    --text-width 32 --text-layers 1 --embed-dim 32 --max-tok 64 --seed 3
ok "embeds" "$rvl" embed -m runs/clip cohort -o clip.safetensors
ok "finds by text" "$rvl" search clip.safetensors --text "There is a large pleural effusion." -k 5 --html
ok "wrote a contact sheet" test -s search.html
ok "finds from another folder" sh -c "mkdir -p elsewhere && cd elsewhere && '$rvl' search ../clip.safetensors --text nodule -k 2"
ok "finds by case" "$rvl" search clip.safetensors --like c000003 -k 3 --json
ok "scores a file" "$rvl" zeroshot -m runs/clip raw/images/000004.png --json
ok "scores a split" "$rvl" zeroshot -m runs/clip cohort --split test --tsv
ok "measures both suites, above chance" "$rvl" bench cohort -m runs/clip --suite zeroshot,retrieval --split all \
    --bootstrap 50 --html bench.html --min zeroshot.trained_macro_auroc=0.55
ok "wrote the page" test -s bench.html
printf 'name: other\ntitle: other\ntemplates:\n  positive: ["a {}"]\n  negative: ["no {}"]\nfindings:\n  - {name: hernia, title: hernia}\n' > other.yaml
ok "refuses findings that nothing labels" sh -c "! '$rvl' bench cohort -m runs/clip --suite zeroshot --prompts ./other.yaml"
ok "inspects every thing" sh -c "'$rvl' inspect cohort && '$rvl' inspect runs/clip && '$rvl' inspect clip.safetensors \
    && '$rvl' inspect raw/images/000001.png && '$rvl' inspect phantom-8"
echo "1..$n"
exit $failed
