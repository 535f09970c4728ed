#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Labels over HTTP from a real llama-server (tools/setup llm-server): answers bound by a grammar and by a JSON schema,
# token probabilities, and what the same model says in this process. The server listens on 127.0.0.1 at a free port.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
program=${RVL_LLAMA_SERVER:-$repo/.cache/llama/bin/llama-server}
[ -x "$program" ] || { echo "SKIP: no llama-server (tools/setup llm-server, or RVL_LLAMA_SERVER)"; exit 77; }
weights=${RVL_TEST_WEIGHTS:-$repo/.cache/weights}
smollm2=$weights/SmolLM2-135M-Instruct/SmolLM2-135M-Instruct.Q4_1.gguf
server=""
trap '[ -z "$server" ] || kill "$server"; rm -rf "$dir"' EXIT

serve() { # model; sets url
    "$program" -m "$1" --host 127.0.0.1 --port 0 -t 2 -c 4096 -np 1 --no-webui > server.log 2>&1 & server=$!
    url=""
    for _ in $(seq 600); do
        url=$(grep -o 'listening on http://127.0.0.1:[0-9]*' server.log | cut -d' ' -f3)
        [ -z "$url" ] && kill -0 "$server" 2> /dev/null || break
        sleep 0.1
    done
    [ -n "$url" ]
    report $? "a server with $(basename "$1")"
    [ -n "$url" ] || tail -5 server.log | sed 's/^/# /'
}
serve_end() {
    kill "$server"
    wait "$server" 2> /dev/null
    server=""
}
label() { "$rvl" label r.csv --schema pneumonia-1 --states "$@"; }
ask() { label --llm-url "$url/v1" --llm-model any --together 1 --timeout 600 "$@"; }
states() { cut -d, -f1,3 "$1"; }
cat > r.csv << 'C'
report_id,report
a,No pneumonia.
b,"Right lower lobe pneumonia, ""likely"" viral. Größe 3 µm."
c,No pneumonia.
d,
C

"${RVL_LLM_TOOL:?}" gguf tiny.gguf
serve tiny.gguf
want 0 "values bound by a grammar" '"version": ?"any/published-ct@' ask --prompt published-ct -o values.csv --json --tries 1
is "equal texts are asked once, and no answer is repeated" "$(grep -o '"n_requests": *[0-9]*' out | tr -dc 0-9)" 2
is "the server counts tokens" "$(grep -o '"estimated": *[a-z]*' out | sed 's/.*[: ]//')" false
want 0 "one word bound by a grammar" '' ask --prompt yes-no -o word.csv --tries 1
# Between the braces the schema lets a model of random weights write blanks until its tokens end: then no row is written.
ask --prompt json -o json.csv --tries 1 > out 2> err
is "an object bound by a JSON schema: whole, or cut and a listed failure" "$(grep -cv 'no text\|cut by the token limit' json.csv.failures.jsonl)" 0
is "nothing that bounds answers was refused" "$(grep -c 'going on without' err)" 0
label --llm tiny.gguf --prompt published-ct -o own.csv -q 2> err
has_llama=$([ $? = 8 ] || echo yes)
if [ "$has_llama" ]; then
    is "values are those of the model in process" "$(states values.csv)" "$(states own.csv)"
    label --llm tiny.gguf --prompt yes-no -o own-word.csv -q
    is "so is the word" "$(states word.csv)" "$(states own-word.csv)"
else
    skip "states of the model in process" "a build without llama.cpp"
fi
serve_end

if [ -r "$smollm2" ]; then
    serve "$smollm2"
    want 0 "a real model answers in JSON" '"n_retries": ?0' ask --prompt json -o real.csv --json
    want 0 "and in a word" '"n_retries": ?0' ask --prompt yes-no -o real-word.csv --json
    is "with probabilities, not votes" "$(awk -F, 'NR > 1 && NR < 5 && $2 > 0.001 && $2 < 0.999' real-word.csv | wc -l)" 3
    if [ "$has_llama" ]; then
        label --llm "$smollm2" --prompt yes-no -o real-own.csv -q
        # Not the same numbers: the server counts every token that begins an answer ("Y" for "Yes"), this process its first.
        is "and the states of the model in process" "$(states real-word.csv)" "$(states real-own.csv)"
    else
        skip "states of the real model in process" "a build without llama.cpp"
    fi
    serve_end
else
    skip "a real model" "files of tools/fetch-weights are absent"
fi
finish
