#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tokens a second of `rvl label --llm` beside llama.cpp's own bench, for the same model and numbers of tokens.
#
#   bench/llm_speed.sh REPORTS.csv MODEL.gguf LLAMA_BENCH [ROUNDS]      about 1 minute of processor time a round
#
# One thread. Seconds are the process's processor time, since others may share the machine; that of loading and of the
# shared beginning is taken off as the difference of a long and a short run. A report's own tokens are computed behind
# the shared beginning, so llama-bench gets that beginning as its depth: "prompt" is llama-bench -p (one score a prompt),
# "prompt and answer" -pg (each answer token by itself, with a score each). Tokens reused from the beginning count nowhere.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
rvl=${RVL:-$here/build/release/rvl}
reports=$1 model=$2 bench=$3 rounds=${4:-3}
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
export OMP_WAIT_POLICY=passive
TIMEFORMAT='%U %S'

cost() { # command...: its processor seconds
    { time "$@" > "$temp/out" 2> "$temp/log"; } 2>&1 | awk '{ printf "%.3f", $1 + $2 }'
}
label() { # reports
    rm -f "$temp"/l.csv*
    cost "$rvl" label "$reports" --schema ct-rate-18 --llm "$model" --prompt published-ct --limit "$1" -j 1 \
        -o "$temp/l.csv" --json
}
field() { grep -o "\"$1\": [0-9]*" "$temp/out" | grep -o '[0-9]*$'; }
few=4 many=16
for ((i = 0; i < rounds; i++)); do
    a=$(label $few)
    new=$(($(field prompt_tokens) - $(field shared_tokens))) out=$(field answer_tokens)
    b=$(label $many)
    prompt=$((($(field prompt_tokens) - $(field shared_tokens) - new) / (many - few)))
    answer=$((($(field answer_tokens) - out) / (many - few)))
    depth=$(($(field shared_tokens) / many))
    common=(-m "$model" -t 1 -d "$depth" -n 0 -o csv)
    p1=$(cost "$bench" "${common[@]}" -p "$prompt" -r 1)
    p2=$(cost "$bench" "${common[@]}" -p "$prompt" -r 7)
    g1=$(cost "$bench" "${common[@]}" -p 0 -pg "$prompt,$answer" -r 1)
    g2=$(cost "$bench" "${common[@]}" -p 0 -pg "$prompt,$answer" -r 7)
    awk -v a="$a" -v b="$b" -v n=$((many - few)) -v p="$prompt" -v g="$answer" -v d="$depth" -v p1="$p1" -v p2="$p2" \
        -v g1="$g1" -v g2="$g2" 'BEGIN {
        us = n * (p + g) / (b - a); them = 6 * p / (p2 - p1); both = 6 * (p + g) / (g2 - g1)
        printf "%d + %d tokens a report behind %d shared; a processor second: rvl %.1f tokens (%.2f reports), ", p, g, d, us, n / (b - a)
        printf "llama-bench prompt %.1f, prompt and answer %.1f; rvl over these %.3f, %.3f\n", them, both, us / them, us / both
    }'
done
