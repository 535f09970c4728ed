#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Words, hints, exit codes, options without effect, and the layers of the configuration.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"

want 0 "version" '^rvl [0-9]+\.[0-9]+\.[0-9]+$' "$rvl" version
want 0 "-V" '^backends: .*ref' "$rvl" -V
want 0 "version --json names its schema" '"rvl.version/1"' "$rvl" version --json
want 2 "version ignores no option" 'version.*--bogus' "$rvl" version --bogus
want 2 "help ignores no word" "takes one verb or topic, not 'more'" "$rvl" help exit-codes more
want 2 "help of a verb ignores no word" "not 'more'" "$rvl" help synth images more
want 2 "a mistyped verb gets a hint" "did you mean 'bench'" "$rvl" bnech
is "and nothing on stdout" "$(wc -c < out)" 0
want 2 "half a verb gets a hint" "synth images" "$rvl" synth
want 2 "a mistyped option gets a hint" "unknown option '--epoch'.*" "$rvl" pretrain c --epoch 3
has "the nearest option" "did you mean '--epochs'" err
want 2 "options are not abbreviated" "unknown option '--epoc'" "$rvl" pretrain c --epoc=3
want 2 "an unknown letter" "unknown option '-x'" "$rvl" pretrain c -x
want 2 "an option of another verb" "unknown option '--text'" "$rvl" ingest c --text x
want 2 "an option without its value" "--epochs wants a value" "$rvl" pretrain c --epochs
want 2 "a word for a number" "--epochs wants a whole number, not 'ten'" "$rvl" pretrain c --epochs ten
want 2 "not a number for a number" "--lr wants a number, not 'nan'" "$rvl" pretrain c --lr nan
want 2 "one argument too many" "does not take another argument: 'd'" "$rvl" pretrain c d
want 2 "one argument too few" "wants COHORT" "$rvl" pretrain
want 2 "no model" "hint: -m RUN" "$rvl" embed c -o i.safetensors
want 3 "a cohort that is not there" "no such folder" "$rvl" pretrain nosuch
want 3 "options end at --" "'--nosuch'" "$rvl" inspect -- --nosuch
want 2 "a word outside a list shows the list" "auto, bar, plain, json, none" "$rvl" ingest c -o d --progress fast
want 2 "a device that no build has" "--device is one of" "$rvl" embed c -m x -o y --device gpu

"$rvl" synth images -n 40 --size 64 -o raw -q && "$rvl" ingest raw -o cohort --height 32 --width 32 -q > /dev/null
report $? "a small cohort"
want 2 "--tsv beside --json" "--tsv has no effect with --json" "$rvl" search i --text x --json --tsv
want 2 "--verbose beside --quiet" "--verbose has no effect" "$rvl" inspect cohort -q -v
want 2 "--json beside --config-of" "--json has no effect" "$rvl" inspect runs/x --config-of --json
want 2 "--height beside --check of a cohort" "--height has no effect" "$rvl" ingest cohort --check --height 32
want 2 "--check beside --dry-run" "--check has no effect with --dry-run" "$rvl" ingest raw -o c2 --check --dry-run
absent "a dry run leaves nothing" c2
want 2 "--split beside --predictions" "--split has no effect" "$rvl" bench --predictions p --labels l --split val
want 2 "--pairs beside a cohort" "--pairs has no effect" "$rvl" bench cohort -m x --pairs p

if [ -c /dev/full ]; then
    for words in version help 'help exit-codes' 'inspect phantom-8' 'inspect phantom-8 --json' 'inspect chexpert-14 --json'; do
        want 6 "rvl $words on a full disk" "cannot write to stdout" sh -c "'$rvl' $words > /dev/full"
    done
else
    skip "results on a full disk" "there is no /dev/full"
fi

# built-in < --config < environment < --set < flag
cat > base.yaml << 'Y'
training:
  wd: 0.25
  warmup: 0.125
Y
cat > c.yaml << 'Y'
extends: base.yaml
training:
  epochs: 1
  batch_size: 4
  micro_batch: 2
  warmup: 0.5
image_tower:
  width: 4
  depth: 1
Y
small() { "$rvl" pretrain cohort --config c.yaml -q "$@"; }
want 0 "four layers" '' env RVL_BATCH_SIZE=8 RVL_MICRO_BATCH=8 RVL_LOG_EVERY=2 "$rvl" pretrain cohort --config c.yaml -q \
    --set training.micro_batch=4 --set run.log_every=3 --log-every 5 --name layers
want 0 "a run tells its configuration" '' "$rvl" inspect runs/layers --config-of
has "built-in" '^  lr: .*# built-in$' out
has "extended file over built-in" '^  wd: 0.25 .*base.yaml:2$' out
has "file over extended file" '^  warmup: 0.5 .*# c.yaml:6$' out
has "file over built-in" '^  width: 4 .*# c.yaml:8$' out
has "environment over file" '^  batch_size: 8 .*# RVL_BATCH_SIZE$' out
has "--set over environment" '^  micro_batch: 4 .*# --set$' out
has "flag over --set" '^  log_every: 5 .*# flag$' out
cp runs/layers/config.yaml again.yaml
want 0 "the resolved configuration is one" '' "$rvl" pretrain cohort --config again.yaml --name again
grep -v -e ' name:' -e ' quiet:' runs/layers/config.yaml | sed 's/ *#.*//' > a
grep -v -e ' name:' -e ' quiet:' runs/again/config.yaml | sed 's/ *#.*//' > b
cmp a b
report $? "and gives the same values"

printf 'training:\n  epochs: 1\n  epoch: 2\n' > bad.yaml
want 2 "an unknown key is an error with file and line" "bad.yaml:3: .*'training.epoch'" "$rvl" pretrain cohort --config bad.yaml
printf 'training:\n  epochs: many\n' > bad.yaml
want 2 "a bad value is an error with file and line" "bad.yaml:2.*whole number" "$rvl" pretrain cohort --config bad.yaml
printf 'training: 3\n' > bad.yaml
want 2 "a section that is a value" "bad.yaml:1" "$rvl" pretrain cohort --config bad.yaml
printf 'training:\n\tepochs: 1\n' > bad.yaml
want 4 "a file that is no YAML" "bad.yaml:2" "$rvl" pretrain cohort --config bad.yaml
want 3 "a configuration that is not there" "nosuch.yaml" "$rvl" pretrain cohort --config nosuch.yaml
printf 'extends: c.yaml\n' > deep.yaml
want 2 "only one extends" "may not extend another" "$rvl" pretrain cohort --config deep.yaml
want 2 "a bad --set" "--set wants section.key=value" "$rvl" pretrain cohort --set epochs=3
want 2 "an unknown key in --set" "'training.bogus'" "$rvl" pretrain cohort --set training.bogus=3
want 2 "a bad value in the environment names it" "RVL_EPOCHS" env RVL_EPOCHS=x "$rvl" pretrain cohort --dry-run

want 0 "--dry-run of a training" '' small --dry-run --name dry
absent "leaves nothing" runs/dry
want 2 "a run is not overwritten" "--resume" small --name layers
want 10 "a floor that is not reached" "check failed: supervised.macro_auroc" "$rvl" bench cohort -m runs/layers \
    --bootstrap 10 --min supervised.macro_auroc=1.01
want 2 "a batch larger than the split" "smaller --batch-size" "$rvl" pretrain cohort --batch-size 500
want 2 "--min that is no rule" "--min wants" "$rvl" bench cohort -m runs/layers --bootstrap 10 --min high
want 0 "negated flags" '' small --name neg --no-augment
want 0 "are recorded" '' "$rvl" inspect runs/neg --config-of
has "as false" '^  augment: false .*# flag' out
finish
