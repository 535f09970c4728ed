#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Text towers from files: sizes and words beside the weights, those of a bundle, what is asked for and does not fit.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
"$rvl" synth images -n 40 --size 64 --seed 3 -o raw -q && "$rvl" ingest raw -o cohort --height 32 --width 32 -q > /dev/null
report $? "a cohort"
align=(align cohort --epochs 1 --batch-size 8 --width 4 --depth 1 --embed-dim 8 --val-split "")
bert=$repo/tests/golden/weights/bert
text() { # the text tower of a run, as one line
    "$rvl" inspect "runs/$1/ckpt/best" --json 2> /dev/null || "$rvl" inspect "runs/$1/ckpt/$(ls "runs/$1/ckpt" | tail -1)" --json
}

want 0 "config.json and vocab.txt beside the file are read" 'text tower from file: 21 keys matched, 0 missing, 0 unexpected' \
    "$rvl" "${align[@]}" --text-tower "$bert/pytorch_model.bin" --max-tok 40 --lock-text --name hf
text hf > hf.json
has "its width" '"hidden": 8,' hf.json
has "its layers" '"n_layers": 1,' hf.json
has "its inner width, which no option gives" '"intermediate": 12,' hf.json
has "its positions" '"max_positions": 48,' hf.json
has "its words" '"vocab_size": 40,' hf.json
want 0 "is embedded with" '' "$rvl" embed -m runs/hf cohort --limit 4 -o i.safetensors
want 4 "another width" 'width 8 and 2 heads, --text-width asks for another' \
    "$rvl" "${align[@]}" --text-tower "$bert/pytorch_model.bin" --max-tok 40 --text-width 16 --name x
want 4 "more tokens than positions" 'has 48 positions, --max-tok is 64' \
    "$rvl" "${align[@]}" --text-tower "$bert/pytorch_model.bin" --name x
want 2 "a vocabulary is not learned" '--vocabulary-size has no effect with --text-tower' \
    "$rvl" "${align[@]}" --text-tower "$bert/pytorch_model.bin" --vocabulary-size 50 --name x

mkdir alone && cp "$bert/pytorch_model.bin" alone
want 2 "a file alone has no words" 'no vocab.txt beside it' "$rvl" "${align[@]}" --text-tower alone/pytorch_model.bin --name x
cp "$bert/vocab.txt" alone/words.txt
want 4 "nor sizes" 'have another shape' "$rvl" "${align[@]}" --text-tower alone/pytorch_model.bin --vocabulary alone/words.txt \
    --text-width 8 --text-heads 2 --text-layers 1 --max-tok 40 --name x
sed 's/"gelu"/"relu"/' "$bert/config.json" > alone/config.json
want 4 "a tower that computes otherwise" "hidden_act is 'relu'" "$rvl" "${align[@]}" --text-tower alone/pytorch_model.bin \
    --vocabulary alone/words.txt --max-tok 40 --name x
sed 's/"vocab_size": 40/"vocab_size": 39/' "$bert/config.json" > alone/config.json
want 4 "more words than rows" 'the vocabulary has 40 tokens' "$rvl" "${align[@]}" --text-tower alone/pytorch_model.bin \
    --vocabulary alone/words.txt --max-tok 40 --name x

cp "$bert/config.json" "$bert/vocab.txt" alone
echo '{"do_lower_case": false}' > alone/tokenizer_config.json
want 0 "case by tokenizer_config.json" '' "$rvl" "${align[@]}" --text-tower alone/pytorch_model.bin --max-tok 40 --name cased
text cased > cased.json
has "is kept" '"lower_case": false' cased.json
has "and lower without it" '"lower_case": true' hf.json

want 0 "a run's text tower" 'text tower from' "$rvl" "${align[@]}" --text-tower runs/hf --dropout 0 --name again
text again > again.json
has "reads as many tokens" '"max_tok": 40' again.json
has "with the dropout of this training" '"dropout": 0' again.json
want 4 "has its own layers" '--text-layers asks for another' "$rvl" "${align[@]}" --text-tower runs/hf --text-layers 3 --name x
want 2 "and its own words" "carries its own" "$rvl" "${align[@]}" --text-tower runs/hf --vocabulary "$bert/vocab.txt" --name x
finish
