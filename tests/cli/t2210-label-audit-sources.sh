#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Audits of labels that are not in a table: a cohort's sources against each other and against gold, language models.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
"$rvl" synth images -n 40 --size 48 -o raw -q && "$rvl" ingest raw -o cohort --height 32 --width 32 -q > /dev/null
"$rvl" label cohort --rules -q > /dev/null
audit() { "$rvl" label cohort --audit "$@" --bootstrap 0; }
# Two radiographs with edema and two without, by the phantoms' truth; a reader is wrong about one of each.
case_of() { while read -r image; do printf 'c%06d\n' $((10#${image//[!0-9]/} + 1)); done; }
with=$(grep ',edema,' raw/truth.csv | cut -d, -f1 | head -2 | case_of)
without=$(ls raw/images | grep -vxF "$(grep ',edema,' raw/truth.csv | cut -d, -f1 | sed 's,.*/,,')" | head -2 | case_of)
set -- $with $without
printf 'case_id,finding,state,reviewer\n%s,edema,present,R\n%s,edema,absent,R\n%s,edema,absent,R\n%s,edema,present,R\n' "$@" > human.csv
want 0 "a reader's labels are a source" '4 corrections' "$rvl" label cohort --import human.csv
want 0 "rules against a reader" '^edema +2 +[0-9.]+ +0\.500 +0\.500 +0\.500 +0\.500 +0\.000$' audit human --source rules
want 0 "only what the reader said counts" '"n_reports": ?4,' audit human --source rules --json
want 0 "rules against the labels that came with the cohort" '^edema +[0-9]+ +1\.000 +1\.000' audit table --source rules
want 0 "against gold in a file" '^edema +2 +[0-9.]+ +0\.500' sh -c "
    sed 's/,edema//; s/state,reviewer/edema/; s/finding,//; s/,R\$//' human.csv > gold.csv; '$rvl' label cohort --audit gold.csv --source rules --bootstrap 0"
want 0 "two sources against gold" '"only_a_right": ?2' audit table --source rules --compare human --json
want 0 "the queue of a cohort" '' audit human --source rules --queue q.html
is "has the two that the reader got wrong" "$(grep -o '<h2>[^<]*' q.html | sort | tr '\n' ' ')" \
    "$(printf '<h2>%s\n' "$2" "$4" | sort | tr '\n' ' ')"
has "with the words from the catalogue" '<mark title="edema">' q.html
want 0 "a cohort labelled on the fly" '^edema +2 +[0-9.]+ +0\.500' audit human --rules
want 2 "which labels, one must say" 'hint: --source NAME' audit human
want 3 "a source that is not there" 'it has human, rules' audit nosuch --source rules
want 0 "what a model would cost for a cohort" '40 reports .* would take 40 requests' "$rvl" label cohort \
    --llm-url http://127.0.0.1:1/v1 --llm-model m --prompt published-ct --dry-run
want 2 "a name that is taken" "'table' names the labels that came" "$rvl" label cohort --rules --source table
want 2 "nor by a reader" "'table' names the labels that came" "$rvl" label cohort --import human.csv --source table

printf 'report_id,report\na,"Effusion? No: <b>no effusion</b>. Mass."\nb,Clear lungs.\n' > r.csv
printf 'report_id,effusion,effusion_evidence,mass\na,0.9,no effusion,0.9\nb,0.1,,0.1\n' > l.csv
printf 'report_id,effusion,effusion_state,mass\na,0.3,absent,1\nb,0.2,present,0\n' > g.csv
want 0 "reports beside a table of labels" '' "$rvl" label l.csv --audit g.csv --reports r.csv --queue t.html --bootstrap 0
has "are shown, with the words of its evidence" 'No: &lt;b&gt;<mark title="effusion">no effusion</mark>&lt;/b&gt;' t.html
is "gold with states is read by them" "$(grep -o '<h2>[^<]*' t.html | tr '\n' ' ')" "<h2>a <h2>b "
want 2 "where they are known, they are not asked for" 'are known' "$rvl" label r.csv --schema nih-14 --rules --audit g.csv --reports r.csv

tool=${RVL_LLM_TOOL:?}
mkfifo stop
"$tool" serve 18 port < stop 2> served & server=$!
exec 9> stop
for _ in $(seq 100); do [ -s port ] && break; sleep 0.05; done
{
    echo report_id,report
    echo 'a,CASE a good. HAS:9 '
    echo 'b,CASE b few. HAS:9 '
    for i in $(seq 30); do echo "n$i,CASE n$i good. HAS:12 number $i"; done
} > llm.csv
{ echo report_id,lung_nodule,pleural_effusion; echo a,1,0; echo b,1,0; for i in $(seq 30); do echo "n$i,0,1"; done; } > llm-gold.csv
llm() {
    "$rvl" label llm.csv --schema ct-rate-18 --llm-url "http://127.0.0.1:$(cat port)/v1" --llm-model m \
        --prompt published-ct --together 1 --tries 2 --audit llm-gold.csv --bootstrap 0 "$@"
}
want 5 "a model at a server against gold" '^macro +1\.000 +1\.000' llm
has "what it could not label is said" '1 reports could not be labelled and are left out' err
want 5 "as JSON" '"n_failed": ?1' llm --json
has "without the report that failed" '"n_reports": ?31,' out
has "with what it took" '"n_requests": ?33' out
want 3 "a second source that is missing is seen before the model is asked" 'nosuch.csv' llm --compare nosuch.csv -o x.csv
absent "nothing was begun" x.csv.journal
want 130 "a budget ends the audit" 'the budget of' llm -o kept.csv --price-in 1 --price-out 1 --budget 0.003
kept=$(grep -c '"rows"' kept.csv.journal)
want 5 "which goes on" '"n_reports": ?31,' llm -o kept.csv --json
has "and asks only for the rest" "\"n_requests\": ?$((33 - kept))," out
has "the labels are kept" '^a,0\.0000' kept.csv
want 2 "a table that is there is not replaced" 'hint: --force' llm -o kept.csv
want 2 "no option is ignored" 'no effect' llm --states
exec 9>&-
wait $server

"$tool" gguf tiny.gguf
if "$rvl" label l.csv --schema pneumonia-1 --text-column report_id --llm tiny.gguf -o t.csv -q 2> err; then
    printf 'report_id,report\na,One.\nb,Two.\n' > two.csv
    printf 'report_id,pneumonia\na,1\nb,0\n' > two-gold.csv
    want 0 "a model in process against gold" '^pneumonia +1 +[01]\.[05]00' "$rvl" label two.csv --schema pneumonia-1 --llm tiny.gguf \
        --audit two-gold.csv --bootstrap 0 -j 1
else
    is "a build without llama.cpp says so" "$(grep -c 'tools/setup llm' err)" 1
fi
finish
