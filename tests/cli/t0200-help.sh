#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every verb has a short and a full help, and the committed reference pages are what the program prints today.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"

want 0 "no arguments list the verbs" '^  pretrain ' "$rvl"
cp out overview
want 0 "-h is the same as no arguments" '^  pretrain ' "$rvl" -h
cmp -s out overview
report $? "word for word"
verbs=$(sed '/^quick start/,$d' overview | sed -n 's/^  \([a-z]*\( [a-z]*\)\{0,1\}\)  .*/\1/p')
is "the overview lists the verbs of this version" "$(echo $verbs)" \
    "synth images ingest label convert inspect pretrain align probe embed search zeroshot bench"
while read -r verb; do
    # shellcheck disable=SC2086 # a verb is one or two words
    want 0 "rvl $verb -h has examples and options" "^  rvl $verb" "$rvl" $verb -h
    is "rvl $verb -h says nothing on stderr" "$(wc -c < err)" 0
    cp out short
    want 0 "rvl $verb --help knows the common options" '--log-level LEVEL' "$rvl" $verb --help
    [ "$(wc -l < out)" -gt "$(wc -l < short)" ] || [ "$verb" = inspect ]
    report $? "rvl $verb --help says more than -h"
    cp out full
    want 0 "rvl help $verb is its --help" "^rvl $verb - " "$rvl" help $verb
    cmp -s out full
    report $? "word for word"
done <<< "$verbs"
for topic in quickstart config exit-codes formats shapes; do
    want 0 "rvl help $topic" '' "$rvl" help $topic
    [ -s out ]
    report $? "prints something"
done
want 2 "an unknown topic is refused" "no verb or topic 'nosuch'" "$rvl" help nosuch

"$repo/tools/make-cli-docs" pages
diff -r "$repo/docs/reference/cli" pages > difference
report $? "docs/reference/cli equals the help (tools/make-cli-docs writes it)"
sed 's/^/# /' difference | head -20
while read -r code meaning; do
    grep -qE "^\| $code \| $meaning" "$repo/docs/reference/exit-codes.md"
    report $? "docs/reference/exit-codes.md explains $code"
done < <("$rvl" help exit-codes | sed 1d | sed 's/[()]/\\&/g')
finish
