#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Labels by language models: a server that misbehaves, a run that was killed, budgets, rules first, models in process.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
tool=${RVL_LLM_TOOL:?}
mkfifo stop
"$tool" serve 18 port < stop 2> served & server=$!
exec 9> stop
for _ in $(seq 100); do [ -s port ] && break; sleep 0.05; done
url="http://127.0.0.1:$(cat port)/v1"
{
    echo report_id,report
    echo 'a,CASE a good. HAS:9 '
    echo 'b,CASE b garbage e500 good. HAS:9 HAS:12 '
    echo 'c,CASE c few. HAS:9 '
    echo 'd,CASE a good. HAS:9 '
} > r.csv
ask() { "$rvl" label r.csv --schema ct-rate-18 --llm-url "$url" --llm-model m --prompt published-ct "$@"; }
want 5 "one of four is a listed failure" 'labelled 3 reports with llm m/published-ct@.*1 failed: l.csv.failures.jsonl' ask --tries 3 -o l.csv
has "it says where reports go" 'report texts are sent to http://127.0.0.1:.*not encrypted' err
has "the failure and its reason" '"report_id": ?"c".*value' l.csv.failures.jsonl
is "no row of it" "$(grep '^c,' l.csv | tr -d ,)" c
has "right rows" '^b,0.0000,0.0000,0.0000,0.0000,0.0000,0.0000,0.0000,0.0000,0.0000,1.0000,0.0000,0.0000,1.0000,' l.csv
is "equal texts are asked once" "$(sed -n 2p l.csv | cut -d, -f2-)" "$(sed -n 5p l.csv | cut -d, -f2-)"
want 0 "a dry run sends nothing" 'would take 3 requests, [0-9]+ tokens in.*cost 0\.0[0-9]' ask --dry-run --price-in 10 --price-out 10
want 5 "JSON" '"llm": ?\{|"prompt_tokens": ?[0-9]+' ask --tries 1 -o j.csv --json

{ echo report; for i in $(seq 40); do echo "CASE k$i good. HAS:3 number $i"; done; } > many.csv
all() { "$rvl" label many.csv --schema ct-rate-18 --llm-url "$url" --llm-model m --prompt published-ct --together 1 "$@"; }
want 0 "forty reports" 'labelled 40 reports' all -o all.csv
want 130 "a budget ends the run" 'the budget of' all -o b.csv --price-in 1 --price-out 1 --budget 0.003
absent "no table then" b.csv
kept=$(grep -c '"rows"' b.csv.journal)
want 0 "with more money it goes on" '"n_reports": ?40' all -o b.csv --price-in 1 --price-out 1 --budget 10 --json
has "and asks only about the rest" "\"n_kept\": ?$kept" out
is "with the same end" "$(cmp all.csv b.csv && echo same)" same
all -o k.csv -q --rate 600 & pid=$!
sleep 1
kill -9 $pid 2> /dev/null
wait $pid 2> /dev/null
want 0 "killed and run again" 'labelled 40 reports' all -o k.csv
is "it ends with the same table" "$(cmp all.csv k.csv && echo same)" same

printf 'report_id,report\np,"No pleural effusion. CASE u good. HAS:12 "\nq,"Possible pleural effusion. CASE v good. HAS:12 "\n' > u.csv
want 0 "rules first, the model where they are unsure" 'rules\+llm' "$rvl" label u.csv --schema ct-rate-18 --rules \
    --llm-url "$url" --llm-model m --prompt published-ct -o u.jsonl
has "sure: the rules' row" '"report_id": ?"p".*"pleural_effusion": ?\{"state": ?"absent"[^}]*"source": ?"rules"' u.jsonl
has "unsure: the model's" '"report_id": ?"q".*"pleural_effusion": ?\{"state": ?"present"[^}]*"source": ?"llm"' u.jsonl

want 5 "a dead server gives failures" '0 reports.*4 failed' "$rvl" label r.csv --schema ct-rate-18 --llm-url \
    http://127.0.0.1:1/v1 --llm-model m --tries 1 -o dead.csv
want 2 "a server needs a model" 'hint: --llm-model' "$rvl" label r.csv --schema ct-rate-18 --llm-url "$url" -o x.csv
want 2 "a budget needs prices" 'needs prices' ask --budget 1 -o x.csv
want 2 "no option is ignored" "'?--votes" "$rvl" label r.csv --schema ct-rate-18 --rules --votes 3 -o x.csv
absent "a refused run writes nothing" x.csv

"$tool" gguf tiny.gguf
if "$rvl" label u.csv --schema pneumonia-1 --llm tiny.gguf -o t.csv -j 1 > out 2> err; then
    report 0 "a model in process"
    has "a probability" '^p,(0\.[0-9]+|1\.0000)$' t.csv
    want 0 "the same again" '' "$rvl" label u.csv --schema pneumonia-1 --llm tiny.gguf -o t2.csv -j 1
    is "gives the same" "$(cmp t.csv t2.csv && echo same)" same
    want 4 "a damaged model" 'no GGUF model' "$rvl" label u.csv --schema pneumonia-1 --llm r.csv -o x.csv
else
    is "a build without llama.cpp says so" "$(grep -c 'tools/setup llm' err)" 1
fi
exec 9>&-
wait $server
finish
